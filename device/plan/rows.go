package plan

import (
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// RowAccelerator is an [Accelerator] that is also asked for operations on rows. They are found in a program as compilers of high-level
// frameworks write them: the result may differ from that of the single operations by a few roundings.
type RowAccelerator interface {
	Accelerator
	// TakesRows says, when a program is compiled, whether Rows32 will be of use for an operation of this size: it is then not
	// fused with what is around it.
	TakesRows(kind kernel.RowKind, rows, columns int) bool
	// Rows32 computes o and reports true; or writes nothing and reports false where the workers should, which compute the single
	// operations. An error ends the run. o's memory is the accelerator's until it returns, no longer.
	Rows32(ctx context.Context, o *kernel.Rows) (bool, error)
}

// rowwise is a group of instructions that are one operation on rows.
type rowwise struct {
	kind                 kernel.RowKind
	rows, columns        int
	source, weight, bias *value
	epsilon              float32
}

// group makes the operations on rows of a block instructions of their own, each with the instructions that compute it as its block, and
// reports whether there were any. Afterwards uses must be counted again.
func group(b *block, takes func(kernel.RowKind, int, int) bool) (found bool) {
	here := make(map[*inst]int, len(b.insts)) // where it stands
	for k, i := range b.insts {
		here[i] = k
	}
	gone := map[*inst]bool{}
	for k, root := range slices.Backward(b.insts) {
		if gone[root] {
			continue
		}
		for _, sub := range root.blocks {
			found = group(sub, takes) || found
		}
		o := rowwiseOf(root)
		if o == nil || !takes(o.kind, o.rows, o.columns) {
			continue
		}
		members := o.members(root, here)
		if members == nil {
			continue
		}
		found = true
		y, sub := root.out[0], &block{}
		root.out = []*value{{typ: y.typ, def: root}}
		sub.results = root.out
		offer := &inst{op: root.op, in: []*value{o.source}, out: []*value{y}, rows: o, blocks: []*block{sub}}
		for _, v := range []*value{o.weight, o.bias} {
			if v != nil {
				offer.in = append(offer.in, v)
			}
		}
		y.def = offer
		sub.insts = slices.SortedFunc(maps.Keys(members), func(x, y *inst) int { return here[x] - here[y] })
		maps.Copy(gone, members)
		b.insts[k] = offer
	}
	b.insts = slices.DeleteFunc(b.insts, func(i *inst) bool { return gone[i] })
	return found
}

// members are what computes root from the operands, all of it for nothing else; nil if that is not so. Views that others read too stay
// where they are.
func (o *rowwise) members(root *inst, here map[*inst]int) map[*inst]bool {
	members := map[*inst]bool{}
	var reach func(i *inst)
	reach = func(i *inst) {
		if i == nil || members[i] || len(members) > 64 {
			return
		}
		if _, ok := here[i]; !ok {
			return
		}
		members[i] = true
		for _, v := range i.in {
			if v != o.source && v != o.weight && v != o.bias {
				reach(v.def)
			}
		}
	}
	reach(root)
	for changed := true; changed; {
		changed = false
		for i := range members {
			if i == root || !i.elsewhere(members) {
				continue
			}
			if !isView(i.kind) {
				return nil
			}
			delete(members, i)
			changed = true
		}
	}
	return members
}

// elsewhere says whether a result is read by others than these.
func (i *inst) elsewhere(these map[*inst]bool) bool {
	for _, v := range i.out {
		if v.kept {
			return true
		}
		for _, u := range v.uses {
			if !these[u] {
				return true
			}
		}
	}
	return false
}

// rowwiseOf finds the operation on rows whose last instruction is i.
func rowwiseOf(i *inst) *rowwise {
	if len(i.out) != 1 || len(i.in) != 2 {
		return nil
	}
	t := i.out[0].typ
	if t.Elem != dtype.F32 || len(t.Dims) == 0 || t.Len() == 0 || t.Len() > math.MaxInt32 {
		return nil
	}
	o := &rowwise{columns: int(t.Dims[len(t.Dims)-1])}
	o.rows = int(t.Len()) / o.columns
	if o.columns < 2 {
		return nil
	}
	switch i.kind {
	case stablehlo.Divide:
		if e := i.in[0]; o.exponentials(e) && o.sum(o.perRow(i.in[1])) == e {
			return o
		}
	case stablehlo.Subtract:
		if l := of(o.perRow(i.in[1]), stablehlo.Log); l != nil {
			e := o.sum(o.ofRows(l.in[0]))
			if o.kind = kernel.LogSoftmax; e != nil && o.exponentials(e) && e.def.in[0] == i.in[0] {
				return o
			}
		}
		return nil
	case stablehlo.Add:
		for k := range 2 {
			if o.bias = o.perColumn(i.in[1-k]); o.bias != nil && o.norm(i.in[k]) && o.kind == kernel.LayerNorm {
				return o
			}
		}
		return nil
	}
	if o.norm(i.out[0]) {
		return o
	}
	return nil
}

// of is the instruction that makes v, if it is of this kind.
func of(v *value, k stablehlo.Kind) *inst {
	if v == nil || v.def == nil || v.def.kind != k || v.def.rows != nil {
		return nil
	}
	return v.def
}

// exponentials says whether e is those of the source less the maximum of its row.
func (o *rowwise) exponentials(e *value) bool {
	x := of(e, stablehlo.Exponential)
	if x == nil {
		return false
	}
	d := of(x.in[0], stablehlo.Subtract)
	if d == nil {
		return false
	}
	o.source = d.in[0]
	top := o.perRow(d.in[1])
	if m := of(top, stablehlo.Maximum); m != nil { // with minus infinity, for rows of nothing
		for k := range 2 {
			if c, ok := constant(m.in[k]); ok && math.IsInf(float64(c), -1) {
				top = o.ofRows(m.in[1-k])
				break
			}
		}
	}
	return o.reduced(top, stablehlo.Maximum, float32(math.Inf(-1))) == o.source
}

// norm says whether v is the source, normalised, times a weight maybe.
func (o *rowwise) norm(v *value) bool {
	var scale *value // for each row
	divides := false
	o.weight = nil
	for range 3 {
		m := of(v, stablehlo.Multiply)
		if d := of(v, stablehlo.Divide); d != nil && scale == nil {
			if scale = o.perRow(d.in[1]); scale == nil {
				return false
			}
			v, divides = d.in[0], true
		} else if m == nil || !o.strip(m, &v, &scale) {
			return false
		}
		if scale != nil && o.normalised(v, scale, divides) {
			return true
		}
	}
	return false
}

// strip takes the factor of the rows or that of the columns off a product, or both where they come as one.
func (o *rowwise) strip(m *inst, v, scale **value) bool {
	if *scale == nil {
		for k := range 2 {
			if r := o.perRow(m.in[k]); r != nil {
				*v, *scale = m.in[1-k], r
				return true
			}
		}
	}
	if o.weight != nil {
		return false
	}
	for k := range 2 { // the right one first: of a single row either may be a factor of the columns, and there it stands
		f, rest := m.in[1-k], m.in[k]
		if c := o.perColumn(f); c != nil {
			*v, o.weight = rest, c
			return true
		}
		if p := of(f, stablehlo.Multiply); p != nil && *scale == nil {
			for j := range 2 {
				if r, c := o.perRow(p.in[j]), o.perColumn(p.in[1-j]); r != nil && c != nil {
					*v, *scale, o.weight = rest, r, c
					return true
				}
			}
		}
	}
	return false
}

// normalised says whether scale is what a norm multiplies v by, or divides.
func (o *rowwise) normalised(v, scale *value, divides bool) bool {
	kind := stablehlo.Rsqrt
	if divides {
		kind = stablehlo.Sqrt
	}
	root := of(scale, kind)
	if root == nil {
		return false
	}
	sum := of(o.ofRows(root.in[0]), stablehlo.Add)
	if sum == nil {
		return false
	}
	for k := range 2 {
		epsilon, ok := constant(sum.in[k])
		sq := of(o.mean(sum.in[1-k]), stablehlo.Multiply)
		if !ok || epsilon < 0 || math.IsInf(float64(epsilon), 0) || sq == nil || sq.in[0] != v || sq.in[1] != v {
			continue
		}
		o.kind, o.source, o.epsilon = kernel.RMSNorm, v, epsilon
		if d := of(v, stablehlo.Subtract); d != nil && o.mean(o.perRow(d.in[1])) == d.in[0] {
			o.kind, o.source = kernel.LayerNorm, d.in[0]
		}
		return true
	}
	return false
}

// mean is what v, a number a row, is the mean of.
func (o *rowwise) mean(v *value) *value {
	if v == nil {
		return nil
	}
	v = o.ofRows(v)
	n := float32(o.columns)
	if d := of(v, stablehlo.Divide); d != nil {
		if c, ok := constant(d.in[1]); ok && c == n {
			return o.sum(o.ofRows(d.in[0]))
		}
	}
	if m := of(v, stablehlo.Multiply); m != nil {
		for k := range 2 {
			if c, ok := constant(m.in[k]); ok && c == 1/n {
				return o.sum(o.ofRows(m.in[1-k]))
			}
		}
	}
	return nil
}

func (o *rowwise) sum(v *value) *value { return o.reduced(v, stablehlo.Add, 0) }

// reduced is what v is a reduction of, along rows and from the number that changes nothing.
func (o *rowwise) reduced(v *value, kind stablehlo.Kind, from float32) *value {
	r := of(v, stablehlo.Reduce)
	if r == nil || len(r.in) != 2 || len(r.captures) > 0 || simpleBody(r.op.Regions[0]) != kind {
		return nil
	}
	x := r.in[0]
	over := r.attr.(stablehlo.DimsAttr).Dims
	if len(over) != 1 || over[0] != int64(len(x.typ.Dims)-1) || x.typ.Elem != dtype.F32 || x.typ.Dims[over[0]] != int64(o.columns) {
		return nil
	}
	if c, ok := constant(r.in[1]); !ok || c != from {
		return nil
	}
	return x
}

// maxViews bounds how far a value is followed through views.
const maxViews = 8

// seen is how v is read out of another value.
func seen(v *value, depth int) view {
	if v.lit != nil && v.lit.Splat {
		return view{base: v, dims: v.typ.Dims, strides: make([]int64, len(v.typ.Dims))}
	}
	if v.def != nil && isView(v.def.kind) && v.def.rows == nil && depth < maxViews {
		if w, ok := compose(seen(v.def.in[0], depth+1), v.def, v.typ.Dims); ok {
			return w
		}
	}
	return dense(v)
}

// constant is the number that all elements of v are.
func constant(v *value) (float32, bool) {
	b := seen(v, 0).base
	if b.lit == nil || b.typ.Elem != dtype.F32 || !b.lit.Splat && b.typ.Len() != 1 || len(b.lit.Data) < 4 {
		return 0, false
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b.lit.Data)), true
}

// ofRows is v, or the value that it is another shape of, if it has a number for each row.
func (o *rowwise) ofRows(v *value) *value {
	w := seen(v, 0)
	if v.typ.Len() != int64(o.rows) || w.base.typ.Len() != int64(o.rows) || w.off != 0 || !w.contiguous() || w.base.lit != nil {
		return nil
	}
	return w.base
}

// along is how v, of as many elements as the source, is read, its elements of a row the given stride apart; and the dimensions above the
// rows', nil where it is none.
func (o *rowwise) along(v *value, stride int64) (w view, above *view) {
	w = seen(v, 0)
	last := len(w.dims) - 1
	if last < 0 || v.typ.Len() != int64(o.rows*o.columns) || w.dims[last] != int64(o.columns) || w.strides[last] != stride || w.off != 0 {
		return w, nil
	}
	return w, &view{dims: w.dims[:last], strides: w.strides[:last]}
}

// perRow is the value that v repeats along each row, which has a number for each.
func (o *rowwise) perRow(v *value) *value {
	w, above := o.along(v, 0)
	if above == nil || w.base.typ.Len() != int64(o.rows) || w.base.lit != nil || !above.contiguous() {
		return nil
	}
	return w.base
}

// perColumn is the value that v repeats for each row, which has a number for each column: a constant may have been spread out.
func (o *rowwise) perColumn(v *value) *value {
	w, above := o.along(v, 1)
	if above == nil || w.base.typ.Elem != dtype.F32 {
		return nil
	}
	if lit := w.base.lit; lit != nil && !lit.Splat && o.rows > 1 && len(lit.Data) == 4*o.rows*o.columns {
		n := 4 * o.columns
		for at := n; at < len(lit.Data); at += n {
			if string(lit.Data[at:at+n]) != string(lit.Data[:n]) {
				return nil
			}
		}
		t := stablehlo.TensorOf(dtype.F32, int64(o.columns))
		return &value{typ: t, lit: &stablehlo.Literal{Type: t, Data: lit.Data[:n:n]}}
	}
	for k, d := range above.dims {
		if d != 1 && above.strides[k] != 0 {
			return nil
		}
	}
	if w.base.typ.Len() != int64(o.columns) {
		return nil
	}
	return w.base
}

// offer schedules an operation on rows: elsewhere, or else by its block.
func (s *scheduler) offer(i *inst) (*unit, error) {
	p, err := s.schedule(i.blocks[0])
	if err != nil {
		return nil, err
	}
	w := s.view(i.blocks[0].results[0])
	p.moves = append(p.moves, move{from: w, to: i.out[0], copy: copier(w, dtype.F32)})
	u := &unit{out: i.out, blocks: []*planned{p}, ctl: &control{pick: s.view(i.in[0])}}
	views := make([]view, len(i.in))
	for k, v := range i.in {
		views[k] = s.view(v)
		u.reads = append(u.reads, views[k].base)
	}
	o, elsewhere := i.rows, s.rows
	u.step = func(r *run) error {
		floats := func(k, n int) []float32 { return as[float32](r.bytes(views[k].base))[views[k].off:][:n] }
		rows := kernel.Rows{Kind: o.kind, Rows: o.rows, Columns: o.columns, Epsilon: o.epsilon, Source: floats(0, o.rows*o.columns)}
		rows.Result = as[float32](r.bytes(i.out[0]))
		k := 1
		if o.weight != nil {
			rows.Weight = floats(k, o.columns)
			k++
		}
		if o.bias != nil {
			rows.Bias = floats(k, o.columns)
		}
		if done, err := elsewhere(r.ctx, &rows); done || err != nil {
			return cmp.Or(r.err(), err)
		}
		return r.block(p)
	}
	return u, nil
}
