package plan

import (
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// selectAndScatter schedules the gradient of a pooling: in each window of the operand the element that a comparison
// prefers takes the window's element of the source. It returns nil where the regions are something else.
func (s *scheduler) selectAndScatter(i *inst) *unit {
	dir := comparator(i.op.Regions[0])
	kind := simpleBody(i.op.Regions[1])
	elem := i.out[0].typ.Elem
	in, src, init := s.view(i.in[0]), s.view(i.in[1]), s.view(i.in[2])
	if dir == 0 || len(i.captures) > 0 || half(elem) || elem == dtype.I1 || computed(elem) == dtype.Invalid || !hasReduce(s.kernels, kind, elem) || !in.contiguous() || !src.contiguous() {
		return nil
	}
	p := &pooling{in: in, src: src, init: init, out: i.out[0], a: i.attr.(*stablehlo.WindowAttr), dims: i.in[0].typ.Dims, source: i.in[1].typ.Dims, dir: dir}
	p.strides = rowMajor(p.dims)
	// Windows of different elements of the leading dimensions that they leave alone never meet.
	p.lines = 1
	for d := range p.dims {
		a := p.a
		if a.Dims[d] != 1 || a.Strides[d] != 1 || a.Padding[d] != [2]int64{} {
			break
		}
		p.lead++
		p.lines *= p.dims[d]
	}
	u := &unit{out: i.out, reads: []*value{in.base, src.base, init.base}}
	op, t := binaryOp(kind, elem), s.kernels
	switch elem {
	case dtype.F32:
		u.step = poolStep(&t.F32, p, op)
	case dtype.F64:
		u.step = poolStep(&t.F64, p, op)
	case dtype.I8:
		u.step = poolStep(&t.I8, p, op)
	case dtype.I16:
		u.step = poolStep(&t.I16, p, op)
	case dtype.I32:
		u.step = poolStep(&t.I32, p, op)
	case dtype.I64:
		u.step = poolStep(&t.I64, p, op)
	case dtype.U8:
		u.step = poolStep(&t.U8, p, op)
	case dtype.U16:
		u.step = poolStep(&t.U16, p, op)
	case dtype.U32:
		u.step = poolStep(&t.U32, p, op)
	case dtype.U64:
		u.step = poolStep(&t.U64, p, op)
	}
	return u
}

// comparator returns the direction of a region that compares its two arguments, or 0.
func comparator(region *stablehlo.Block) stablehlo.Direction {
	ret := region.Terminator()
	if len(region.Args) != 2 || len(ret.Operands) != 1 {
		return 0
	}
	for _, dir := range []stablehlo.Direction{stablehlo.GE, stablehlo.GT, stablehlo.LE, stablehlo.LT} {
		if compares(ret.Operands[0], dir, region.Args[0], region.Args[1]) {
			return dir
		}
	}
	return 0
}

type pooling struct {
	in, src, init         view
	out                   *value
	a                     *stablehlo.WindowAttr
	dims, strides, source []int64 // of the operand; of the source
	dir                   stablehlo.Direction
	lead                  int   // leading dimensions that windows leave alone,
	lines                 int64 // and how many elements they have
}

func poolStep[T kernel.Number](o *kernel.Ops[T], p *pooling, op kernel.Binary) step {
	combine := combiner(o, op)
	keep := map[stablehlo.Direction]func(a, b T) bool{
		stablehlo.GE: func(a, b T) bool { return a >= b },
		stablehlo.GT: func(a, b T) bool { return a > b },
		stablehlo.LE: func(a, b T) bool { return a <= b },
		stablehlo.LT: func(a, b T) bool { return a < b },
	}[p.dir]
	return func(r *run) error {
		out := as[T](r.bytes(p.out))
		if len(out) == 0 {
			return nil
		}
		o.Fill(out, as[T](r.bytes(p.init.base))[p.init.off])
		if p.lines == 0 || len(r.bytes(p.src.base)) == 0 {
			return nil
		}
		in, src := as[T](r.bytes(p.in.base))[p.in.off:], as[T](r.bytes(p.src.base))[p.src.off:]
		n := int64(1) // elements of the source in a line
		for _, d := range p.source[p.lead:] {
			n *= d
		}
		line := int64(len(out)) / p.lines
		r.pool.Run(int(p.lines), func(t int) {
			if !r.stopped() {
				at := int64(t) * line
				scatterLine(p, in[at:at+line], src[int64(t)*n:int64(t+1)*n], out[at:at+line], keep, combine)
			}
		})
		return r.err()
	}
}

// scatterLine goes through the windows of one line in order, and through each window in order: of equals the first is
// chosen or the last, as the comparison says.
func scatterLine[T kernel.Number](p *pooling, in, src, out []T, keep func(a, b T) bool, combine func(a, b T) T) {
	rank := len(p.dims) - p.lead
	dims, strides, source := p.dims[p.lead:], p.strides[p.lead:], p.source[p.lead:]
	window, by, pad := p.a.Dims[p.lead:], p.a.Strides[p.lead:], p.a.Padding[p.lead:]
	idx, win := make([]int64, rank), make([]int64, rank)
	for _, x := range src {
		best := int64(-1)
		for {
			at, inside := int64(0), true
			for d := range win {
				c := idx[d]*by[d] - pad[d][0] + win[d]
				if uint64(c) >= uint64(dims[d]) {
					inside = false
					break
				}
				at += c * strides[d]
			}
			if inside && (best < 0 || !keep(in[best], in[at])) {
				best = at
			}
			if !advance(win, window) {
				break
			}
		}
		if best >= 0 {
			out[best] = combine(out[best], x)
		}
		advance(idx, source)
	}
}

// advance counts idx up within dims; it returns false when it is back at the start.
func advance(idx, dims []int64) bool {
	for d := len(idx) - 1; d >= 0; d-- {
		if idx[d]++; idx[d] < dims[d] {
			return true
		}
		idx[d] = 0
	}
	return false
}
