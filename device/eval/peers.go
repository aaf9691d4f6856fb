package eval

import (
	"context"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Peers joins this process of the operating system with others: each runs one process of a program's grid. An executor
// takes a [Link] for each run.
type Peers interface {
	// Process is this process's number: it counts replicas, and in each its partitions.
	Process() int
	// Processes is how many there are.
	Processes() int
	// Begin takes the next place in the order of runs, which is the same in all processes. It does not wait. program
	// identifies what runs: processes that run something else do not meet.
	Begin(program string) Link
}

// Link carries the collective operations of one run. One goroutine uses it.
type Link interface {
	// Enter waits until the runs before have ended. The context that it returns ends when another process's run fails.
	Enter(ctx context.Context) (context.Context, error)
	// Exchange gives out[k] to m.Group[k] and fills in[k] with what that has for this process. A pair with nil on both
	// sides does not meet; of this process itself it is out that counts. The slices may be used again when Exchange
	// returns, also with an error. An error names what the processes disagree about, or who has failed.
	Exchange(ctx context.Context, m Meeting, out, in [][]byte) error
	// Reduce combines data of all members element by element, in place, and reports whether it can: exactly, so that the
	// order does not matter.
	Reduce(ctx context.Context, m Meeting, kind stablehlo.Kind, elem dtype.Type, data []byte) (ok bool, err error)
	// End ends the run and tells the other processes how. It is called once, whether Enter was or not.
	End(err error)
}

// Meeting is a collective operation.
type Meeting struct {
	Group []int  // the processes that meet, in the operation's order
	What  string // the operation, its place, its types: equal in all of them
}

// Place is one process of a grid.
type Place struct {
	Replicas, Partitions int
	Process              int   // counting replicas, and in each its partitions
	Ranks                []int // of the grid's processes, for the link; nil where they have the same numbers
	Link                 Link
}

type placeKey struct{}

// Join makes a context for [Run] and [Op]: what they run is that process of a grid, and meets the others by the place's
// link.
func Join(ctx context.Context, p Place) context.Context { return context.WithValue(ctx, placeKey{}, p) }

// joined is the grid and the process that ctx says, by default one alone.
func joined(ctx context.Context) (*grid, process) {
	p, ok := ctx.Value(placeKey{}).(Place)
	if !ok || p.Partitions <= 0 {
		return newGrid(1, 1), process{}
	}
	g := newGrid(p.Replicas, p.Partitions)
	g.link, g.ranks = p.Link, p.Ranks
	return g, process{p.Process / p.Partitions, p.Process % p.Partitions}
}

// number counts a process.
func (g *grid) number(p process) int { return p.replica*g.partitions + p.partition }

// meeting describes a collective operation to the link.
func (r *runner) meeting(op *stablehlo.Op, group []process, in []Value) Meeting {
	m := Meeting{Group: make([]int, len(group))}
	for i, p := range group {
		if m.Group[i] = r.grid.number(p); r.grid.ranks != nil {
			m.Group[i] = r.grid.ranks[m.Group[i]]
		}
	}
	types := make([]string, len(in))
	for i, v := range in {
		if t, ok := v.(*Tensor); ok {
			types[i] = t.Type.String()
		}
	}
	m.What = fmt.Sprintf("%s of %v", op, types)
	if at := op.Pos.String(); at != "" {
		m.What += " at " + at
	}
	if a, ok := op.Attr.(*stablehlo.CollectiveAttr); ok {
		m.What += fmt.Sprintf(", channel %d, groups %v", a.ChannelID, a.Groups)
	}
	return m
}

// gather brings the operands in of all members together, in the order of group. done gives up the memory.
func (r *runner) gather(op *stablehlo.Op, group []process, in []Value) (all map[process][]Value, done func(), err error) {
	done = func() {}
	if r.grid.link == nil || len(group) == 1 {
		all, err = r.rendezvous(op, group, in)
		return all, done, err
	}
	ts, err := tensors(in)
	if err != nil {
		return nil, done, err
	}
	n := 0
	for _, t := range ts {
		n += len(t.Data)
	}
	if done, err = r.scratch(op, n*len(group), 1); err != nil {
		return nil, func() {}, err
	}
	mine := make([]byte, 0, n)
	for _, t := range ts {
		mine = append(mine, t.Data...)
	}
	from := make([][]byte, len(group))
	to := make([][]byte, len(group))
	for k, p := range group {
		if to[k] = mine; p != r.id {
			from[k] = make([]byte, n)
		}
	}
	if err := r.grid.link.Exchange(r.ctx, r.meeting(op, group, in), to, from); err != nil {
		done()
		return nil, func() {}, err
	}
	all = map[process][]Value{}
	for k, p := range group {
		data := from[k]
		if p == r.id {
			data = mine
		}
		for _, t := range ts {
			all[p] = append(all[p], &Tensor{Type: t.Type, Data: data[:len(t.Data):len(t.Data)]})
			data = data[len(t.Data):]
		}
	}
	return all, done, nil
}

// swap gives parts[k] to member k and returns what each member has for this process; all parts are of one type.
func (r *runner) swap(op *stablehlo.Op, group []process, in []Value, parts []*Tensor) ([]*Tensor, error) {
	to, from := make([][]byte, len(parts)), make([][]byte, len(parts))
	out := slices.Clone(parts)
	for k, p := range group {
		if to[k] = parts[k].Data; p == r.id {
			continue
		}
		from[k] = make([]byte, len(to[k]))
		out[k] = &Tensor{Type: parts[k].Type, Data: from[k]}
	}
	return out, r.grid.link.Exchange(r.ctx, r.meeting(op, group, in), to, from)
}

// inParts is the size in bytes from which on each member of a group reduces a part for all of them.
const inParts = 16 << 10

// total reduces operand i of all members by op's region, in the order of the processes, wherever they are.
func (r *runner) total(op *stablehlo.Op, group []process, in []Value, i int, f *frame) (*Tensor, error) {
	t, ok := in[i].(*Tensor)
	if !ok {
		return nil, fmt.Errorf("operand %d is not a tensor", i)
	}
	b, err := region(op, 0, 2)
	if err != nil {
		return nil, err
	}
	if kind, ok := exact(b, t.Type.Elem); ok && len(t.Data) >= inParts {
		out, err := r.alloc(op, t.Type.Elem, t.Type.Dims)
		if err != nil {
			return nil, err
		}
		copy(out.Data, t.Data)
		if ok, err = r.grid.link.Reduce(r.ctx, r.meeting(op, group, in[i:i+1]), kind, t.Type.Elem, out.Data); ok || err != nil {
			return out, err
		}
		release(out)
	}
	if len(t.Data) < inParts {
		all, done, err := r.gather(op, group, in[i:i+1])
		if err != nil {
			return nil, err
		}
		defer done()
		return r.foldAll(op, group, all, 0, f)
	}
	// Each member folds its part of the elements, in the order of the processes, and gives the result to the others: what
	// all have is the same to the bit as if one had done it.
	n, size := len(group), t.Type.Elem.Size()
	cut := func(k int) int { return t.Len() * k / n }
	parts := make([]*Tensor, n)
	me := slices.Index(group, r.id)
	to, from := make([][]byte, n), make([][]byte, n)
	mine := cut(me+1) - cut(me)
	done, err := r.scratch(op, n*mine, size)
	if err != nil {
		return nil, err
	}
	defer done()
	for k, p := range group {
		to[k] = t.Data[cut(k)*size : cut(k+1)*size]
		data := to[k]
		if p != r.id {
			from[k] = make([]byte, mine*size)
			data = from[k]
		}
		parts[k] = &Tensor{Type: stablehlo.TensorOf(t.Type.Elem, int64(mine)), Data: data}
	}
	m := r.meeting(op, group, in[i:i+1])
	if err := r.grid.link.Exchange(r.ctx, m, to, from); err != nil {
		return nil, err
	}
	part, err := r.fold(op, inOrder(group, parts), f)
	if err != nil {
		return nil, err
	}
	defer release(part)
	size = part.Type.Elem.Size()
	out, err := r.alloc(op, part.Type.Elem, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	for k, p := range group {
		to[k], from[k] = part.Data, out.Data[cut(k)*size:cut(k+1)*size]
		if p == r.id {
			copy(from[k], part.Data)
			from[k] = nil
		}
	}
	m.What += ", the parts"
	if err := r.grid.link.Exchange(r.ctx, m, to, from); err != nil {
		release(out)
		return nil, err
	}
	return out, nil
}

// inOrder are the tensors of group in the order of the processes.
func inOrder(group []process, ts []*Tensor) []*Tensor {
	at := make([]int, len(group))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(a, b int) int {
		if d := group[a].replica - group[b].replica; d != 0 {
			return d
		}
		return group[a].partition - group[b].partition
	})
	out := make([]*Tensor, len(ts))
	for i, k := range at {
		out[i] = ts[k]
	}
	return out
}

// exact reports whether a reduction is one operation whose result on elements of that type does not depend on the order:
// then it is that operation.
func exact(b *stablehlo.Block, elem dtype.Type) (stablehlo.Kind, bool) {
	if len(b.Ops) != 2 || b.Ops[1].Kind != stablehlo.Return || !elem.IsInt() || elem.Bits()%8 != 0 {
		return 0, false
	}
	op, ret := b.Ops[0], b.Ops[1]
	if len(ret.Operands) != 1 || len(op.Operands) != 2 || len(op.Results) != 1 || ret.Operands[0] != op.Results[0] || op.Results[0].Type.Elem != elem {
		return 0, false
	}
	x, y := op.Operands[0], op.Operands[1]
	if x == y || !slices.Contains(b.Args, x) || !slices.Contains(b.Args, y) || x.Type.Elem != elem {
		return 0, false
	}
	switch op.Kind {
	case stablehlo.Add, stablehlo.Multiply, stablehlo.Maximum, stablehlo.Minimum, stablehlo.And, stablehlo.Or, stablehlo.Xor:
		return op.Kind, true
	}
	return 0, false
}

// across runs this process's program of a grid whose other processes are elsewhere, and returns the results of all.
func (r *runner) across(op *stablehlo.Op, programs [][]Program, link Link, n int) ([][][]Value, error) {
	g := newGrid(len(programs), len(programs[0]))
	g.link = link
	id := process{n / g.partitions, n % g.partitions}
	own := newRunner(r.ctx, r.module, r.opts, r.mem, g, id)
	mine, err := own.call(programs[id.replica][id.partition].Func, programs[id.replica][id.partition].Args)
	if err != nil {
		return nil, err
	}
	var send []byte
	for _, v := range mine {
		if t, ok := v.(*Tensor); ok {
			send = append(send, t.Data...)
		}
	}
	out := make([][][]Value, len(programs))
	m := Meeting{What: "the results of " + op.String()}
	var to, from [][]byte
	rest := op.Results
	for i, row := range programs {
		for j, p := range row {
			var values []Value
			size := 0
			for k := range p.Func.Results {
				t := rest[k].Type
				if t.Kind != stablehlo.Tensor || !t.Static() {
					return nil, fmt.Errorf("a result of type %v cannot be brought here: %w", t, ErrUnsupported)
				}
				values = append(values, &Tensor{Type: t})
				size += int(t.Size())
			}
			data := append([]byte{}, send...)
			m.Group, to = append(m.Group, g.number(process{i, j})), append(to, data)
			if id == (process{i, j}) {
				from = append(from, nil)
			} else {
				data = make([]byte, size)
				from = append(from, data)
			}
			for _, v := range values {
				t := v.(*Tensor)
				t.Data, data = data[:t.Type.Size():t.Type.Size()], data[t.Type.Size():]
			}
			out[i], rest = append(out[i], values), rest[len(values):]
		}
	}
	return out, link.Exchange(r.ctx, m, to, from)
}
