package mpi

import (
	"fmt"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Undefined is no rank: of a process that is not in a group. As the color of [Comm.Split] it joins no communicator.
const Undefined = -32766

// Group is an ordered set of processes, the ranks 0 to Size-1. It is this process's alone: its methods are not
// collective. It is safe for concurrent use. The zero value is closed.
type Group struct {
	owned      ffi.Owned[mpic.Handle]
	world      *World
	size, rank int
	parents    []ffi.Parent // what else it is of: a session
}

// Range is the ranks First, First+Stride, and so on up to Last.
type Range struct{ First, Last, Stride int }

// Relation is how two communicators or groups compare.
type Relation int

// The relations (MPI-4.1, 7.4.1).
const (
	Identical Relation = iota + 1 // the same object; of groups, the same processes in the same order
	Congruent                     // communicators of identical groups
	Similar                       // the same processes in another order
	Unequal
)

// String returns the name in the standard.
func (r Relation) String() string {
	switch r {
	case Identical:
		return "MPI_IDENT"
	case Congruent:
		return "MPI_CONGRUENT"
	case Similar:
		return "MPI_SIMILAR"
	case Unequal:
		return "MPI_UNEQUAL"
	}
	return fmt.Sprintf("Relation(%d)", int(r))
}

// relation translates the library's number.
func (w *World) relation(n int32) Relation {
	a := &w.lib.ABI
	for r, v := range map[Relation]int{Identical: a.Ident, Congruent: a.Congruent, Similar: a.Similar} {
		if int(n) == v {
			return r
		}
	}
	return Unequal
}

// newGroup makes a Group of the handle that a call writes; parents are what it is of besides the World.
func (w *World) newGroup(parents []ffi.Parent, op string, fn mpic.Func, args ...uintptr) (*Group, error) {
	f := call.Get()
	defer f.Put()
	return w.groupIn(f, parents, op, fn, args...)
}

// groupIn is newGroup for arguments that lie in f.
func (w *World) groupIn(f *call.Frame, parents []ffi.Parent, op string, fn mpic.Func, args ...uintptr) (*Group, error) {
	cell, err := call.New[uint64](f)
	if err != nil {
		return nil, err
	}
	if err := w.do(f, op, fn, append(args, uintptr(mem.AddrOfPtr(cell)))...); err != nil {
		return nil, err
	}
	g := &Group{world: w, parents: parents}
	class := &ffi.Class[mpic.Handle]{Name: "mpi.Group", Destroy: w.freeGroup}
	if err := g.owned.Init(class, mpic.Handle(*cell), append(slices.Clone(parents), &w.owned)...); err != nil {
		return nil, err
	}
	n, _, err := int32s(f, 2)
	if err == nil {
		err = w.do(f, op, mpic.FnGroupSize, uintptr(*cell), uintptr(mem.AddrOfPtr(&n[0])))
	}
	if err == nil {
		err = w.do(f, op, mpic.FnGroupRank, uintptr(*cell), uintptr(mem.AddrOfPtr(&n[1])))
	}
	if err != nil {
		_ = g.Close()
		return nil, err
	}
	g.size, g.rank = int(n[0]), int(n[1])
	if int(n[1]) == w.lib.ABI.Undefined {
		g.rank = Undefined
	}
	return g, nil
}

func (w *World) freeGroup(h mpic.Handle) error {
	if h == w.lib.ABI.GroupEmpty {
		return nil
	}
	return w.free("close a group", mpic.FnGroupFree, h)
}

// free calls a function that frees what a handle is of.
func (w *World) free(op string, fn mpic.Func, h mpic.Handle) error {
	f := call.Get()
	defer f.Put()
	cell, err := call.New[uint64](f)
	if err != nil {
		return err
	}
	*cell = uint64(h)
	return w.do(f, op, fn, uintptr(mem.AddrOfPtr(cell)))
}

// Group is the group of the communicator's processes; of an intercommunicator, those of this side. The caller closes it.
// Calls MPI_Comm_group.
func (c *Comm) Group() (*Group, error) {
	return c.group("group", mpic.FnCommGroup)
}

// RemoteGroup is the group of the other side of an intercommunicator. The caller closes it. Calls
// MPI_Comm_remote_group.
func (c *Comm) RemoteGroup() (*Group, error) {
	if c != nil && c.world != nil && c.remote == 0 {
		return nil, invalid("remote group", "%s is no intercommunicator", c)
	}
	return c.group("remote group", mpic.FnCommRemoteGroup)
}

func (c *Comm) group(op string, fn mpic.Func) (*Group, error) {
	h, err := c.use(op)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	return c.world.newGroup(c.parents, op, fn, uintptr(h))
}

// use opens the group for a call.
func (g *Group) use(op string) (mpic.Handle, error) {
	if g == nil || g.world == nil {
		return 0, invalid(op, "no group")
	}
	h, err := g.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("mpi: %s: %w", op, err)
	}
	return h, nil
}

// Size is how many processes the group has; 0 for a nil or zero Group.
func (g *Group) Size() int {
	if g == nil {
		return 0
	}
	return g.size
}

// Rank is this process's rank in the group, [Undefined] if it is not in it.
func (g *Group) Rank() int {
	if g == nil || g.world == nil {
		return Undefined
	}
	return g.rank
}

// String describes the group.
func (g *Group) String() string {
	if g == nil || g.world == nil {
		return "mpi.Group(none)"
	}
	return fmt.Sprintf("mpi.Group(%d processes)", g.size)
}

// Close frees the group. It is nil-safe and idempotent. Calls MPI_Group_free.
func (g *Group) Close() error {
	if g == nil {
		return nil
	}
	return g.owned.Close()
}

// check refuses ranks that the group has not, or that are named twice.
func (g *Group) check(op string, ranks []int, twice bool) error {
	var seen map[int]bool
	if !twice {
		seen = make(map[int]bool, len(ranks))
	}
	for _, r := range ranks {
		if r < 0 || r >= g.size {
			return fmt.Errorf("mpi: %s: rank %d, %s has 0 to %d: %w: %w", op, r, g, g.size-1, isthmus.ErrBounds, ErrRank)
		}
		if seen[r] {
			return fmt.Errorf("mpi: %s: rank %d twice: %w: %w", op, r, isthmus.ErrInvalid, ErrRank)
		}
		if !twice {
			seen[r] = true
		}
	}
	return nil
}

// Include is the group of the processes with these ranks, in their order. Calls MPI_Group_incl.
func (g *Group) Include(ranks ...int) (*Group, error) {
	return g.some("include", mpic.FnGroupIncl, ranks)
}

// Exclude is the group without the processes with these ranks. Calls MPI_Group_excl.
func (g *Group) Exclude(ranks ...int) (*Group, error) {
	return g.some("exclude", mpic.FnGroupExcl, ranks)
}

func (g *Group) some(op string, fn mpic.Func, ranks []int) (*Group, error) {
	h, err := g.use(op)
	if err != nil {
		return nil, err
	}
	defer g.owned.Done()
	if err := g.check(op, ranks, false); err != nil {
		return nil, err
	}
	f := call.Get()
	defer f.Put()
	at, err := ints(f, op, ranks)
	if err != nil {
		return nil, err
	}
	return g.world.groupIn(f, g.parents, op, fn, uintptr(h), cint(len(ranks)), at)
}

// IncludeRanges is the group of the processes in these ranges, in their order. Calls MPI_Group_range_incl.
func (g *Group) IncludeRanges(r ...Range) (*Group, error) {
	return g.ranges("include ranges", mpic.FnGroupRangeIncl, r)
}

// ExcludeRanges is the group without the processes in these ranges. Calls MPI_Group_range_excl.
func (g *Group) ExcludeRanges(r ...Range) (*Group, error) {
	return g.ranges("exclude ranges", mpic.FnGroupRangeExcl, r)
}

func (g *Group) ranges(op string, fn mpic.Func, rs []Range) (*Group, error) {
	h, err := g.use(op)
	if err != nil {
		return nil, err
	}
	defer g.owned.Done()
	var ranks, flat []int
	for _, r := range rs {
		if r.Stride == 0 {
			return nil, invalid(op, "a range of stride 0")
		}
		if r.First < 0 || r.First >= g.size || r.Last < 0 || r.Last >= g.size || r.Stride < -g.size || r.Stride > g.size {
			return nil, fmt.Errorf("mpi: %s: ranks %d to %d by %d, %s has 0 to %d: %w: %w", op, r.First, r.Last, r.Stride, g, g.size-1, isthmus.ErrBounds, ErrRank)
		}
		for i := r.First; (r.Stride > 0 && i <= r.Last) || (r.Stride < 0 && i >= r.Last); i += r.Stride {
			ranks = append(ranks, i)
		}
		flat = append(flat, r.First, r.Last, r.Stride)
	}
	if err := g.check(op, ranks, false); err != nil {
		return nil, err
	}
	f := call.Get()
	defer f.Put()
	at, err := ints(f, op, flat)
	if err != nil {
		return nil, err
	}
	return g.world.groupIn(f, g.parents, op, fn, uintptr(h), cint(len(rs)), at)
}

// ints writes Go ints as C ints to a frame.
func ints(f *call.Frame, op string, v []int) (uintptr, error) {
	out, at, err := int32s(f, len(v))
	if err != nil {
		return 0, err
	}
	for i, x := range v {
		if x < math.MinInt32 || x > math.MaxInt32 {
			return 0, bounds(op, "%d is no C int", x)
		}
		out[i] = int32(x)
	}
	return at, nil
}

// Union is the processes of g, then those of h that are not in g. Calls MPI_Group_union.
func (g *Group) Union(h *Group) (*Group, error) { return g.with("union", mpic.FnGroupUnion, h) }

// Intersection is the processes of g that are in h. Calls MPI_Group_intersection.
func (g *Group) Intersection(h *Group) (*Group, error) {
	return g.with("intersection", mpic.FnGroupIntersection, h)
}

// Difference is the processes of g that are not in h. Calls MPI_Group_difference.
func (g *Group) Difference(h *Group) (*Group, error) {
	return g.with("difference", mpic.FnGroupDifference, h)
}

func (g *Group) with(op string, fn mpic.Func, other *Group) (out *Group, err error) {
	err = g.both(op, other, func(a, b mpic.Handle) error {
		out, err = g.world.newGroup(g.parents, op, fn, uintptr(a), uintptr(b))
		return err
	})
	return out, err
}

// both opens two groups.
func (g *Group) both(op string, other *Group, f func(a, b mpic.Handle) error) error {
	a, err := g.use(op)
	if err != nil {
		return err
	}
	defer g.owned.Done()
	b, err := other.use(op)
	if err != nil {
		return err
	}
	defer other.owned.Done()
	return f(a, b)
}

// Compare says how the groups relate: Identical, Similar or Unequal. Calls MPI_Group_compare.
func (g *Group) Compare(other *Group) (r Relation, err error) {
	const op = "compare groups"
	err = g.both(op, other, func(a, b mpic.Handle) error {
		f := call.Get()
		defer f.Put()
		n, at, err := int32s(f, 1)
		if err != nil {
			return err
		}
		if err := g.world.do(f, op, mpic.FnGroupCompare, uintptr(a), uintptr(b), at); err != nil {
			return err
		}
		r = g.world.relation(n[0])
		return nil
	})
	return r, err
}

// Translate gives the ranks in other of the processes that have these ranks in g; [Undefined] for one that is not in
// other. Calls MPI_Group_translate_ranks.
func (g *Group) Translate(other *Group, ranks ...int) (out []int, err error) {
	const op = "translate ranks"
	err = g.both(op, other, func(a, b mpic.Handle) error {
		if err := g.check(op, ranks, true); err != nil {
			return err
		}
		f := call.Get()
		defer f.Put()
		in, err := ints(f, op, ranks)
		if err != nil {
			return err
		}
		n, at, err := int32s(f, len(ranks))
		if err != nil {
			return err
		}
		if err := g.world.do(f, op, mpic.FnGroupTranslateRanks, uintptr(a), cint(len(ranks)), in, uintptr(b), at); err != nil {
			return err
		}
		out = make([]int, len(ranks))
		for i := range out {
			if out[i] = int(n[i]); out[i] == g.world.lib.ABI.Undefined {
				out[i] = Undefined
			}
		}
		return nil
	})
	return out, err
}
