package mpi

import (
	"context"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// topology is how the processes of a communicator are neighbours.
type topology struct {
	dims    []int // of a grid
	periods []bool
	from    []Edge // of a graph: in the order of neighbourhood operations
	to      []Edge
	in, out int // edges to and from this process
}

// Edge is a neighbour in a distributed graph. The weight, 0 or more, is what the edge means to the library when it may
// reorder the processes.
type Edge struct{ Rank, Weight int }

// degrees is from and to how many neighbours this process has edges; -1 without a topology.
func (c *Comm) degrees() (in, out int) {
	if c.topo == nil {
		return -1, -1
	}
	return c.topo.in, c.topo.out
}

// Dims divides n processes into a grid that is as square as may be: dims says how many there are along each dimension,
// with 0 for those to find. It returns dims filled in. Calls MPI_Dims_create.
func (w *World) Dims(n int, dims ...int) ([]int, error) {
	const op = "dims"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	fixed := 1
	for _, d := range dims {
		if d < 0 {
			return nil, bounds(op, "dimension %d", d)
		}
		if d > 0 {
			if d > n || fixed > n/d {
				return nil, bounds(op, "%v for %d processes", dims, n)
			}
			fixed *= d
		}
	}
	if n < 1 || n%fixed != 0 || (len(dims) > 0 && !slices.Contains(dims, 0) && fixed != n) {
		return nil, fmt.Errorf("mpi: %s: %v for %d processes: %w: %w", op, dims, n, isthmus.ErrInvalid, ErrDims)
	}
	if len(dims) == 0 {
		return nil, nil
	}
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	f := call.Get()
	defer f.Put()
	d, at, err := int32s(f, len(dims))
	if err != nil {
		return nil, err
	}
	for i, x := range dims {
		d[i] = int32(x)
	}
	if err := w.do(f, op, mpic.FnDimsCreate, cint(n), cint(len(dims)), at); err != nil {
		return nil, err
	}
	return numbers(d), nil
}

// numbers copies C ints.
func numbers(v []int32) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// Grid makes a communicator whose processes are the points of a grid, periodic along the dimensions that say so. Processes
// beyond the grid get nil. With reorder they may have other ranks than in c. It is collective; the caller closes the
// result. Calls MPI_Cart_create.
func (c *Comm) Grid(ctx context.Context, dims []int, periods []bool, reorder bool) (*Comm, error) {
	const op = "grid"
	if len(dims) == 0 || len(dims) != len(periods) {
		return nil, invalid(op, "%d dimensions, %d of them periodic or not", len(dims), len(periods))
	}
	n := 1
	for _, d := range dims {
		if d < 1 || n > c.Size()/d {
			return nil, fmt.Errorf("mpi: %s: %v for %s: %w: %w", op, dims, c, isthmus.ErrBounds, ErrDims)
		}
		n *= d
	}
	t := &topology{dims: slices.Clone(dims), periods: slices.Clone(periods), in: 2 * len(dims), out: 2 * len(dims)}
	return c.create(ctx, making{op: op, name: fmt.Sprintf("grid %v of %s", dims, c.title()), fn: mpic.FnCartCreate, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		d, err := ints(f, op, t.dims)
		if err != nil {
			return nil, err
		}
		p, err := flags(f, t.periods)
		return []uintptr{h, cint(len(t.dims)), d, p, flag(reorder)}, err
	}, topo: t.is})
}

// is gives a communicator that was made its topology.
func (t *topology) is(c *Comm) error {
	c.topo = t
	return nil
}

// flags writes bools as C ints.
func flags(f *call.Frame, v []bool) (uintptr, error) {
	out, at, err := int32s(f, len(v))
	for i, b := range v {
		out[i] = int32(flag(b))
	}
	return at, err
}

// SubGrid divides a grid: those dimensions are kept that say so, and processes that differ in others are apart. The
// caller closes the result. Calls MPI_Cart_sub.
func (c *Comm) SubGrid(ctx context.Context, keep ...bool) (*Comm, error) {
	const op = "sub-grid"
	if err := c.onGrid(op, len(keep)); err != nil {
		return nil, err
	}
	t := &topology{}
	for i, k := range keep {
		if k {
			t.dims, t.periods = append(t.dims, c.topo.dims[i]), append(t.periods, c.topo.periods[i])
		}
	}
	t.in, t.out = 2*len(t.dims), 2*len(t.dims)
	return c.create(ctx, making{op: op, name: "part of " + c.title(), fn: mpic.FnCartSub, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		k, err := flags(f, keep)
		return []uintptr{h, k}, err
	}, topo: t.is})
}

// onGrid refuses a communicator that is no grid of n dimensions.
func (c *Comm) onGrid(op string, n int) error {
	if c == nil || c.topo == nil || c.topo.dims == nil {
		return fmt.Errorf("mpi: %s: %s is no grid: %w: %w", op, c, isthmus.ErrInvalid, ErrTopology)
	}
	if n != len(c.topo.dims) {
		return bounds(op, "%d dimensions, %s has %d", n, c, len(c.topo.dims))
	}
	return nil
}

// GridDims is the shape of a grid, and which dimensions are periodic; nil without one.
func (c *Comm) GridDims() (dims []int, periods []bool) {
	if c == nil || c.topo == nil {
		return nil, nil
	}
	return slices.Clone(c.topo.dims), slices.Clone(c.topo.periods)
}

// Coords is where a rank is in a grid. Calls MPI_Cart_coords.
func (c *Comm) Coords(rank int) ([]int, error) {
	const op = "coordinates"
	h, err := c.use(op)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	if c.topo == nil || c.topo.dims == nil {
		return nil, c.onGrid(op, 0)
	}
	if rank < 0 || rank >= c.size {
		return nil, fmt.Errorf("mpi: %s: rank %d of %s: %w: %w", op, rank, c, isthmus.ErrBounds, ErrRank)
	}
	f := call.Get()
	defer f.Put()
	n := len(c.topo.dims)
	v, at, err := int32s(f, n)
	if err != nil {
		return nil, err
	}
	if err := c.world.do(f, op, mpic.FnCartCoords, uintptr(h), cint(rank), cint(n), at); err != nil {
		return nil, err
	}
	return numbers(v[:n]), nil
}

// RankAt is the rank at a place of a grid; coordinates of periodic dimensions may be beyond it. Calls MPI_Cart_rank.
func (c *Comm) RankAt(coords ...int) (int, error) {
	const op = "rank at a place"
	h, err := c.use(op)
	if err != nil {
		return 0, err
	}
	defer c.owned.Done()
	if err := c.onGrid(op, len(coords)); err != nil {
		return 0, err
	}
	for i, x := range coords {
		if !c.topo.periods[i] && (x < 0 || x >= c.topo.dims[i]) {
			return 0, bounds(op, "%v is outside the grid %v", coords, c.topo.dims)
		}
	}
	f := call.Get()
	defer f.Put()
	v, err := ints(f, op, coords)
	if err != nil {
		return 0, err
	}
	n, at, err := int32s(f, 1)
	if err != nil {
		return 0, err
	}
	if err := c.world.do(f, op, mpic.FnCartRank, uintptr(h), v, at); err != nil {
		return 0, err
	}
	return int(n[0]), nil
}

// Shift gives the ranks to receive from and to send to when all move by steps along a dimension of a grid; [ProcNull] is
// beyond its edge. Calls MPI_Cart_shift.
func (c *Comm) Shift(dim, by int) (from, to int, err error) {
	const op = "shift"
	h, err := c.use(op)
	if err != nil {
		return 0, 0, err
	}
	defer c.owned.Done()
	if c.topo == nil || c.topo.dims == nil {
		return 0, 0, c.onGrid(op, 0)
	}
	if dim < 0 || dim >= len(c.topo.dims) {
		return 0, 0, bounds(op, "dimension %d of %d", dim, len(c.topo.dims))
	}
	f := call.Get()
	defer f.Put()
	if _, err := ints(f, op, []int{by}); err != nil {
		return 0, 0, err
	}
	n, _, err := int32s(f, 2)
	if err != nil {
		return 0, 0, err
	}
	if err := c.world.do(f, op, mpic.FnCartShift, uintptr(h), cint(dim), cint(by), uintptr(mem.AddrOfPtr(&n[0])), uintptr(mem.AddrOfPtr(&n[1]))); err != nil {
		return 0, 0, err
	}
	return c.world.rankFrom(n[0]), c.world.rankFrom(n[1]), nil
}

// rankFrom translates a rank that the library gave.
func (w *World) rankFrom(n int32) int {
	if int(n) == w.lib.ABI.ProcNull {
		return ProcNull
	}
	return int(n)
}

// Graph makes a communicator whose processes are the nodes of a graph: neighbours[i] are those of rank i, the same in all
// processes. Processes beyond the graph get nil. It is collective; the caller closes the result. Calls MPI_Graph_create.
func (c *Comm) Graph(ctx context.Context, neighbours [][]int, reorder bool) (*Comm, error) {
	const op = "graph"
	if len(neighbours) == 0 || len(neighbours) > c.Size() {
		return nil, bounds(op, "%d nodes for %s", len(neighbours), c)
	}
	var index, edges []int
	for _, ns := range neighbours {
		for _, n := range ns {
			if n < 0 || n >= len(neighbours) {
				return nil, bounds(op, "a neighbour %d in a graph of %d nodes", n, len(neighbours))
			}
		}
		edges = append(edges, ns...)
		index = append(index, len(edges))
	}
	return c.create(ctx, making{op: op, name: "graph of " + c.title(), fn: mpic.FnGraphCreate, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		i, err := ints(f, op, index)
		if err != nil {
			return nil, err
		}
		e, err := ints(f, op, edges)
		return []uintptr{h, cint(len(index)), i, e, flag(reorder)}, err
	}, topo: func(made *Comm) error {
		t := &topology{}
		for _, n := range neighbours[made.rank] {
			t.from = append(t.from, Edge{Rank: n})
		}
		t.to, t.in, t.out = t.from, len(t.from), len(t.from)
		return t.is(made)
	}})
}

// DistGraph makes a communicator whose processes are the nodes of a graph of which each says its own edges: from whom it
// receives and to whom it sends in neighbourhood operations. It is collective; the caller closes the result. Calls
// MPI_Dist_graph_create_adjacent.
func (c *Comm) DistGraph(ctx context.Context, from, to []Edge, hints *Hints, reorder bool) (*Comm, error) {
	const op = "distributed graph"
	for _, e := range append(slices.Clone(from), to...) {
		if e.Rank < 0 || e.Rank >= c.Size() || e.Weight < 0 {
			return nil, fmt.Errorf("mpi: %s: an edge %+v in %s: %w: %w", op, e, c, isthmus.ErrBounds, ErrRank)
		}
	}
	ih, done, err := hints.use(c.World(), op)
	if err != nil {
		return nil, err
	}
	t := &topology{from: slices.Clone(from), to: slices.Clone(to), in: len(from), out: len(to)}
	return c.create(ctx, making{op: op, name: "graph of " + c.title(), fn: mpic.FnDistGraphCreateAdjacent, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		sources, weights, err := edges(f, op, t.from)
		if err != nil {
			return nil, err
		}
		targets, outWeights, err := edges(f, op, t.to)
		return []uintptr{h, cint(len(t.from)), sources, weights, cint(len(t.to)), targets, outWeights, ih, flag(reorder)}, err
	}, done: done, topo: func(made *Comm) error { return made.neighbours(op, t) }})
}

// edges writes ranks and weights to a frame.
func edges(f *call.Frame, op string, es []Edge) (ranks, weights uintptr, err error) {
	var r, w []int
	for _, e := range es {
		r, w = append(r, e.Rank), append(w, e.Weight)
	}
	if ranks, err = ints(f, op, r); err == nil {
		weights, err = ints(f, op, w)
	}
	return ranks, weights, err
}

// neighbours reads the edges in the order in which the library has them.
func (c *Comm) neighbours(op string, t *topology) error {
	h, err := c.use(op)
	if err != nil {
		return err
	}
	defer c.owned.Done()
	f := call.Get()
	defer f.Put()
	in, inAt, err := int32s(f, 2*t.in)
	if err != nil {
		return err
	}
	out, outAt, err := int32s(f, 2*t.out)
	if err != nil {
		return err
	}
	if err := c.world.do(f, op, mpic.FnDistGraphNeighbors, uintptr(h), cint(t.in), inAt, inAt+uintptr(4*t.in), cint(t.out), outAt, outAt+uintptr(4*t.out)); err != nil {
		return err
	}
	for i := range t.from {
		t.from[i] = Edge{int(in[i]), int(in[t.in+i])}
	}
	for i := range t.to {
		t.to[i] = Edge{int(out[i]), int(out[t.out+i])}
	}
	return t.is(c)
}

// Neighbours are the edges of this process in a graph, in the order in which neighbourhood operations have them; nil
// without one. In a grid [Comm.Shift] gives the neighbours.
func (c *Comm) Neighbours() (from, to []Edge) {
	if c == nil || c.topo == nil {
		return nil, nil
	}
	return slices.Clone(c.topo.from), slices.Clone(c.topo.to)
}
