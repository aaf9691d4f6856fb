package plan

import (
	"context"
	"slices"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// step does the work of a unit.
type step func(r *run) error

// unit is one step of a planned block, with what it reads and writes, by which memory is planned.
type unit struct {
	inst  *inst
	out   []*value // values that get memory here
	reads []*value // bases that lie in memory
	step  step

	// over lists operands that out[0] may take the memory of, if nothing reads them later.
	over []*value

	blocks []*planned // While: condition and body; If and Case: branches
	ctl    *control

	time, end int // set by the memory planner; end is after the blocks
	evaluated bool
}

// planned is a block in the order of execution.
type planned struct {
	units []*unit
	moves []move // at the end: results to where the owner of the block wants them
}

// move stores a view at the place of another value.
type move struct {
	from view
	to   *value
	copy *copying
}

type scheduler struct {
	ctx       context.Context
	kernels   *kernel.Table
	elsewhere elsewhere[float32]
	rows      func(context.Context, *kernel.Rows) (bool, error)
	module    *stablehlo.Module
	extern    map[*stablehlo.Op]eval.CustomCall

	block      map[*inst]*block
	root       map[*inst]*inst
	members    map[*inst]int
	code       map[*inst]instr
	reductions map[*inst]*reduction
	dense      map[*value]bool // values that must be in memory in row-major order though they are views
	views      map[*value]view
	wide       map[*value]*value
	constants  map[*value]bool // that have been counted
	stats      Stats
}

func (s *scheduler) program(top *block, fn *stablehlo.Func, l *lowering, opts Options) (*Program, error) {
	s.block = map[*inst]*block{}
	s.root = map[*inst]*inst{}
	s.members = map[*inst]int{}
	s.code = map[*inst]instr{}
	s.reductions = map[*inst]*reduction{}
	s.dense = map[*value]bool{}
	s.views = map[*value]view{}
	s.wide = map[*value]*value{}
	s.constants = map[*value]bool{}
	s.stats.Operations = l.count
	s.number(top)
	s.need(top)
	s.fuse(top)
	clear(s.views)
	pb, err := s.schedule(top)
	if err != nil {
		return nil, err
	}
	p := &Program{kernels: opts.Kernels, pool: opts.Workers, block: pb}
	for _, v := range top.params {
		p.args = append(p.args, v.typ)
	}
	p.params = top.params
	for _, v := range top.results {
		p.results = append(p.results, v.typ)
		p.resultViews = append(p.resultViews, s.view(v))
	}
	place(p, top, fn)
	s.stats.Arena = p.arenaSize
	p.stats = s.stats
	return p, nil
}

func (s *scheduler) number(b *block) {
	for _, i := range b.insts {
		s.block[i] = b
		for _, sub := range i.blocks {
			s.number(sub)
		}
	}
}

// need finds the values that must lie in memory in row-major order, and rewrites operands that no view can give: it
// runs before fusing, as it changes who consumes what.
func (s *scheduler) need(b *block) {
	insts := b.insts
	b.insts = make([]*inst, 0, len(insts))
	for _, i := range insts {
		for _, sub := range i.blocks {
			s.need(sub)
		}
		insert := func(n *inst) *value {
			n.op = i.op
			v := n.out[0]
			v.def = n
			s.block[n] = b
			for _, x := range n.in {
				x.uses = append(x.uses, n)
			}
			b.insts = append(b.insts, n)
			s.dense[v] = true
			return v
		}
		replace := func(n int, v *value) {
			old := i.in[n]
			if u := slices.Index(old.uses, i); u >= 0 {
				old.uses = slices.Delete(old.uses, u, u+1)
			}
			v.uses = append(v.uses, i)
			i.in[n] = v
		}
		if i.kind == stablehlo.Convolution {
			s.needConv(i, insert, replace)
		}
		switch {
		case i.kind == stablehlo.DotGeneral && floating(i.out[0].typ.Elem) && sameElem(i):
			s.needDot(i, insert, replace)
		case s.readsViews(i):
		default:
			clobbers := i.kind == stablehlo.DynamicUpdateSlice || i.kind == stablehlo.Scatter
			for n, v := range i.in {
				if i.kind == stablehlo.DynamicUpdateSlice && n > 0 {
					break
				}
				if v.lit != nil && v.lit.Splat {
					replace(n, s.expand(v, clobbers && n == 0, insert))
					continue
				}
				if !s.view(v).contiguous() {
					s.dense[v] = true
					clear(s.views)
				}
			}
			for n, c := range i.captures {
				if c.to.lit != nil && c.to.lit.Splat {
					v := s.expand(c.to, false, insert)
					v.uses = append(v.uses, i)
					i.captures[n].to = v
				} else if !s.view(c.to).contiguous() {
					s.dense[c.to] = true
					clear(s.views)
				}
			}
		}
		for _, v := range i.in {
			s.view(v) // finds the reshapes that no strides express
		}
		b.insts = append(b.insts, i)
	}
	for _, v := range b.results {
		s.view(v)
	}
}

// readsViews says whether an instruction reads its operands through any view.
func (s *scheduler) readsViews(i *inst) bool {
	switch i.kind {
	case stablehlo.Pad, stablehlo.Concatenate, stablehlo.DynamicSlice, stablehlo.While, stablehlo.If, stablehlo.Case:
		return true
	case stablehlo.Reduce:
		return reductionOf(s.kernels, i) != nil
	}
	return isView(i.kind) || instrOf(s.kernels, i) != nil
}

// expand gives a splat memory: a constant if it is small and only read, else a fill when it is needed.
func (s *scheduler) expand(v *value, clobbered bool, insert func(*inst) *value) *value {
	if n := v.typ.Len(); n <= 1024 && !clobbered {
		return &value{typ: v.typ, lit: &stablehlo.Literal{Type: v.typ, Data: expanded(v.lit, v.typ)}}
	}
	one := stablehlo.TensorOf(v.typ.Elem)
	in := &value{typ: one, lit: &stablehlo.Literal{Type: one, Data: v.lit.Data, Splat: true}}
	return insert(&inst{
		kind: stablehlo.BroadcastInDim,
		attr: stablehlo.DimsAttr{},
		in:   []*value{in},
		out:  []*value{{typ: v.typ}},
	})
}

func floating(t dtype.Type) bool { return t == dtype.F32 || t == dtype.F64 }

func sameElem(i *inst) bool {
	return i.in[0].typ.Elem == i.out[0].typ.Elem && i.in[1].typ.Elem == i.out[0].typ.Elem
}

// schedule turns the instructions of a block into units.
func (s *scheduler) schedule(b *block) (*planned, error) {
	p := &planned{}
	for _, i := range b.insts {
		if len(p.units)&255 == 255 {
			if err := s.ctx.Err(); err != nil {
				return nil, err
			}
		}
		u, err := s.unit(i)
		if err != nil {
			return nil, err
		}
		if u != nil {
			u.inst = i
			p.units = append(p.units, u)
			s.stats.Steps++
			for _, v := range u.reads {
				if v.lit != nil && !s.constants[v] {
					s.constants[v] = true
					s.stats.Constants += int64(len(v.lit.Data))
				}
			}
			if u.evaluated {
				s.stats.Evaluated++
			}
		}
	}
	return p, nil
}

func (s *scheduler) unit(i *inst) (*unit, error) {
	if i.rows != nil {
		return s.offer(i)
	}
	switch root := s.root[i]; {
	case isView(i.kind):
		if root != nil || !s.dense[i.out[0]] {
			return nil, nil
		}
		delete(s.dense, i.out[0]) // to see through it once
		delete(s.views, i.out[0])
		w, ok := compose(s.view(i.in[0]), i, i.out[0].typ.Dims)
		if !ok {
			w = s.view(i.in[0]) // a reshape that no strides express: the elements in their order
		}
		s.dense[i.out[0]] = true
		return s.copyUnit(w, i.out[0]), nil
	case root != nil && root != i:
		return nil, nil
	case i.kind == stablehlo.Reduce && root == i:
		return s.reduce(i), nil
	case root == i:
		out := i.out[0]
		c, reads := s.chain(out, i, true)
		u := &unit{out: i.out, reads: reads, step: func(r *run) error {
			c.run(r, r.bytes(out))
			return r.err()
		}}
		for _, v := range reads {
			// Clamp and select may write the result before they have read all operands.
			if i.kind != stablehlo.Clamp && i.kind != stablehlo.Select && c.inOrder(v) {
				u.over = append(u.over, v)
			}
		}
		return u, nil
	}
	switch i.kind {
	case stablehlo.DotGeneral:
		if u := s.dot(i); u != nil {
			return u, nil
		}
	case stablehlo.Convolution:
		if u := s.conv(i); u != nil {
			return u, nil
		}
	case stablehlo.Reduce:
		if u := s.argReduce(i); u != nil {
			return u, nil
		}
	case stablehlo.ReduceWindow:
		if u := s.reduceWindow(i); u != nil {
			return u, nil
		}
	case stablehlo.Concatenate:
		return s.concatenate(i), nil
	case stablehlo.Pad:
		return s.pad(i), nil
	case stablehlo.Iota:
		if u := s.iota(i); u != nil {
			return u, nil
		}
	case stablehlo.DynamicSlice:
		return s.dynamicSlice(i), nil
	case stablehlo.DynamicUpdateSlice:
		return s.dynamicUpdateSlice(i), nil
	case stablehlo.Gather:
		if u := s.gather(i); u != nil {
			return u, nil
		}
	case stablehlo.Scatter:
		if u := s.scatter(i); u != nil {
			return u, nil
		}
	case stablehlo.SelectAndScatter:
		if u := s.selectAndScatter(i); u != nil {
			return u, nil
		}
	case stablehlo.Sort:
		if u := s.sort(i); u != nil {
			return u, nil
		}
	case stablehlo.While:
		return s.while(i)
	case stablehlo.If, stablehlo.Case:
		return s.branch(i)
	}
	return s.evaluate(i)
}

// inOrder says whether the chain reads v only element by element in its own order, so that the result may be written
// over it.
func (c *chain) inOrder(v *value) bool {
	for i := range c.leaves {
		if l := &c.leaves[i]; l.view.base == v && (!l.linear || l.view.off != 0 || l.size != c.size) {
			return false
		}
	}
	return v.lit == nil && v.typ.Size() == c.n*int64(c.size)
}

// viewChain is a chain that only reads a view, in its order.
func (s *scheduler) viewChain(w view, t dtype.Type, n int64) (*chain, []*value) {
	c := &chain{n: n, size: t.Size()}
	b := &builder{s: s, c: c, temp: map[int]bool{}}
	l := b.leaf(w, t.Size())
	c.nregs = 1
	if !l.linear {
		c.temps = []int{0}
	}
	c.leaves = []leaf{l}
	if half(t) {
		c.nregs = 2
		c.out = 1
		c.temps = append(c.temps, 1)
		c.code = []micro{widenHalf(s.kernels, t, 1, 0)}
	}
	return c, []*value{w.base}
}

// copyUnit moves a view into memory.
func (s *scheduler) copyUnit(w view, out *value) *unit {
	c := copier(w, out.typ.Elem)
	return &unit{out: []*value{out}, reads: []*value{w.base}, step: func(r *run) error {
		c.run(r, r.bytes(out))
		return r.err()
	}}
}

// alignedBytes is memory of the Go heap that any element type can lie in.
func alignedBytes(n int64) []byte { return bytesOf(make([]uint64, (n+7)/8))[:n] }

func aligned(b []byte, size int) []byte {
	if len(b) == 0 {
		return b
	}
	if viewable(b, size) {
		return b
	}
	c := alignedBytes(int64(len(b)))
	copy(c, b)
	return c
}

func constant32(x float32) *value {
	t := stablehlo.TensorOf(dtype.F32)
	return &value{typ: t, lit: &stablehlo.Literal{Type: t, Data: bytesOf([]float32{x}), Splat: true}}
}
