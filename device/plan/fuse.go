package plan

import "github.com/isthmus-ffi/isthmus/stablehlo"

// fuse decides which instructions of a block are computed inside another one's pass: s.root says for each elementwise
// instruction which instruction's pass it belongs to, itself if it has its own. An instruction joins the pass of its
// consumers when they all belong to one pass that goes over the same elements in the same order, so that nothing is
// computed twice and its result never needs to be in memory.
func (s *scheduler) fuse(b *block) {
	for k := len(b.insts) - 1; k >= 0; k-- {
		i := b.insts[k]
		for _, sub := range i.blocks {
			s.fuse(sub)
		}
		switch {
		case i.kind == stablehlo.Reshape:
			x := i.in[0]
			for x.def != nil && x.def.kind == stablehlo.Reshape {
				x = x.def.in[0]
			}
			if x.def == nil || isView(x.def.kind) || instrOf(s.kernels, x.def) == nil {
				continue // nothing to pass through: it is a view of memory
			}
			if root := s.consumer(i.out[0]); root != nil {
				s.join(i, root)
			}
		case i.kind == stablehlo.Reduce:
			if r := reductionOf(s.kernels, i); r != nil {
				s.reductions[i] = r
				s.root[i] = i
			}
		case !isView(i.kind):
			if code := instrOf(s.kernels, i); code != nil {
				s.code[i] = code
				s.root[i] = i
				if root := s.consumer(i.out[0]); root != nil {
					s.join(i, root)
				}
			}
		}
	}
}

// maxMembers bounds how much one pass computes: more would need more registers than the caches hold.
const maxMembers = 256

func (s *scheduler) join(i, root *inst) {
	if s.members[root]++; s.members[root] < maxMembers {
		s.root[i] = root
	}
}

// consumer returns the pass that is the only consumer of v and goes over v's elements in order, or nil.
func (s *scheduler) consumer(v *value) *inst {
	if v.kept || len(v.uses) == 0 || v.typ.Len() == 0 {
		return nil
	}
	var root *inst
	for _, u := range v.uses {
		r := s.root[u]
		if r == nil || s.block[u] != s.block[v.def] {
			return nil
		}
		if red := s.reductions[u]; red != nil {
			if !red.linear || u.in[0] != v || u.in[1] == v {
				return nil
			}
		} else if u.out[0].typ.Len() != v.typ.Len() {
			return nil
		}
		if root != nil && r != root {
			return nil
		}
		root = r
	}
	return root
}

// builder makes a chain.
type builder struct {
	s      *scheduler
	root   *inst
	c      *chain
	ops    map[*value]operand
	left   map[*value]int // uses inside the chain that are still to come
	free   []int          // temporary registers to use again
	temp   map[int]bool
	result *value // what the chain computes
	reads  []*value
}

// chain makes the pass that computes v in order. The members of root's pass are computed in it; anything else is read
// from memory.
func (s *scheduler) chain(v *value, root *inst, store bool) (*chain, []*value) {
	b := &builder{s: s, root: root, c: &chain{n: v.typ.Len()}, ops: map[*value]operand{}, left: map[*value]int{}, temp: map[int]bool{}}
	c := b.c
	b.result = through(v, b)
	b.count(v)
	t := v.typ.Elem
	c.size = t.Size()
	inner := b.inside(v)
	if inner == nil {
		w := s.view(v)
		b.reads = append(b.reads, w.base)
	}
	out := b.value(v, false)
	c.out = out.reg
	if store {
		switch {
		case half(t):
			r := b.fresh()
			c.code = append(c.code, narrowHalf(s.kernels, t, r, out.reg))
			c.out = r
		case !b.temp[out.reg]: // the result is an operand as it is, through a reshape
			r := b.fresh()
			c.code = append(c.code, moveInstr(t.Size())(r, []operand{out})...)
			c.out = r
		}
	}
	for r := range c.nregs {
		if b.temp[r] && (r != c.out || !store) {
			c.temps = append(c.temps, r)
		}
	}
	return c, b.reads
}

// inside returns the instruction that computes v in this chain, through reshapes; nil for what is read from memory.
func (b *builder) inside(v *value) *inst {
	for v.def != nil && b.s.root[v.def] == b.root && (v.def != b.root || v.def.kind != stablehlo.Reduce) {
		if v.def.kind != stablehlo.Reshape {
			return v.def
		}
		v = v.def.in[0]
	}
	return nil
}

func through(v *value, b *builder) *value {
	for v.def != nil && v.def.kind == stablehlo.Reshape && b.s.root[v.def] == b.root && b.inside(v) != nil {
		v = v.def.in[0]
	}
	return v
}

// count counts how often the chain uses each value that it computes, so that registers can be used again.
func (b *builder) count(v *value) {
	v = through(v, b)
	b.left[v]++
	if b.left[v] > 1 {
		return
	}
	if i := b.inside(v); i != nil {
		for _, x := range i.in {
			b.count(x)
		}
	}
}

func (b *builder) reg() int {
	if n := len(b.free); n > 0 {
		r := b.free[n-1]
		b.free = b.free[:n-1]
		return r
	}
	r := b.c.nregs
	b.c.nregs++
	b.temp[r] = true
	return r
}

// fresh is a register that nothing was in.
func (b *builder) fresh() int {
	free := b.free
	b.free = nil
	r := b.reg()
	b.free = free
	return r
}

func (b *builder) done(v *value) {
	v = through(v, b)
	b.left[v]--
	if o, ok := b.ops[v]; ok && b.left[v] == 0 && b.temp[o.reg] {
		b.free = append(b.free, o.reg)
	}
}

func (b *builder) leaf(w view, size int) leaf {
	wk := newWalk(w.dims, w.strides)
	l := leaf{view: w, size: size, walk: wk}
	l.linear = wk.linear()
	return l
}

// value emits what computes v and says where it is. single asks for a register with one value if all elements agree.
func (b *builder) value(v *value, single bool) operand {
	v = through(v, b)
	if o, ok := b.ops[v]; ok && (!o.single || single) {
		return o
	}
	if i := b.inside(v); i != nil {
		o := b.compute(v, i)
		b.ops[v] = o
		return o
	}
	t := v.typ.Elem
	s := b.s
	w := s.view(v)
	b.reads = append(b.reads, w.base)
	if v.typ.Len() == 1 && b.c.n != 1 { // the scalar operands of select and clamp stand for all elements
		w.dims, w.strides = []int64{b.c.n}, []int64{0}
	}
	l := b.leaf(w, t.Size())
	one := len(l.walk.dims) == 1 && (l.walk.strides[0] == 0 || l.walk.dims[0] == 1)
	if one && single && half(t) && w.base.lit != nil {
		w = dense(s.widened(w.base))
		w.dims, w.strides = v.typ.Dims, make([]int64, len(v.typ.Dims))
		t = w.base.typ.Elem
		l = b.leaf(w, t.Size())
	}
	switch {
	case one && single && !half(t):
		l.single = true
		l.reg = b.c.nregs
		b.c.nregs++
	case l.linear:
		l.reg = b.c.nregs
		b.c.nregs++
	default:
		// Leaves are loaded before any instruction of a chunk runs, so theirs is never a register that was in use.
		l.reg = b.c.nregs
		b.c.nregs++
		b.temp[l.reg] = true
	}
	b.c.leaves = append(b.c.leaves, l)
	o := operand{reg: l.reg, single: l.single}
	if half(t) {
		r := b.reg()
		b.c.code = append(b.c.code, widenHalf(s.kernels, t, r, l.reg))
		o = operand{reg: r}
	}
	b.ops[v] = o
	return o
}

func (b *builder) compute(v *value, i *inst) operand {
	args := make([]operand, len(i.in))
	haveSingle := false
	for k, x := range i.in {
		may := false
		switch i.kind {
		case stablehlo.Select:
			may = k > 0
		case stablehlo.Clamp:
			may = k != 1
		case stablehlo.Compare:
			may = !haveSingle
		default:
			may = len(i.in) == 2 && !haveSingle && binaryOp(i.kind, i.out[0].typ.Elem) != 0
		}
		args[k] = b.value(x, may)
		haveSingle = haveSingle || args[k].single
	}
	// The operands keep their registers until the operation is done. The result of the chain has a register that
	// nothing else was in: it lies in memory, maybe over an operand, and must not be written before that is read.
	var dst int
	if v == b.result {
		dst = b.fresh()
	} else {
		dst = b.reg()
	}
	b.c.code = append(b.c.code, b.s.code[i](dst, args)...)
	if t := v.typ.Elem; half(t) && !exact(i.kind) {
		b.c.code = append(b.c.code, roundHalf(b.s.kernels, t, dst))
	}
	for _, x := range i.in {
		b.done(x)
	}
	return operand{reg: dst}
}

// widened returns a half-precision constant of one element as f32.
func (s *scheduler) widened(v *value) *value {
	if w, ok := s.wide[v]; ok {
		return w
	}
	x := make([]float32, 1)
	h := as[uint16](aligned(v.lit.Data[:2], 2))
	if v.typ.Elem.String() == "f16" {
		s.kernels.Convert.F16F32(x, h)
	} else {
		s.kernels.Convert.BF16F32(x, h)
	}
	w := constant32(x[0])
	s.wide[v] = w
	return w
}
