package plan

import (
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// window is a ReduceWindow of one operand by one binary operation.
type window struct {
	in, init view
	out      *value
	a        *stablehlo.WindowAttr
	dims     []int64 // of the operand
	strides  []int64
	scan     int // the dimension of a cumulative reduction, or -1
	reverse  bool
	wide     int64 // length of the innermost dimensions that the window leaves alone
	outer    []int64
}

// reduceWindow schedules a window reduction, or returns nil where the evaluator must do it.
func (s *scheduler) reduceWindow(i *inst) *unit {
	if len(i.in) != 2 || len(i.captures) > 0 {
		return nil
	}
	kind := simpleBody(i.op.Regions[0])
	out := i.out[0]
	elem := out.typ.Elem
	if kind == stablehlo.InvalidKind || half(elem) || computed(elem) == dtype.Invalid || i.in[0].typ.Elem != elem || !hasReduce(s.kernels, kind, elem) {
		return nil
	}
	w := &window{in: s.view(i.in[0]), init: s.view(i.in[1]), out: out, a: i.attr.(*stablehlo.WindowAttr), dims: i.in[0].typ.Dims, scan: -1}
	if !w.in.contiguous() || !w.padFree(kind) && !identity(kind, i.in[1]) {
		return nil
	}
	w.strides = rowMajor(w.dims)
	rank := len(w.dims)
	plainDim := func(d int) bool {
		return w.a.Dims[d] == 1 && w.a.Strides[d] == 1 && w.a.BaseDilations[d] == 1 && w.a.Padding[d] == [2]int64{}
	}
	w.wide = 1
	k := rank
	for k > 0 && plainDim(k-1) {
		k--
		w.wide *= w.dims[k]
	}
	w.outer = out.typ.Dims[:k]
	busy := -1
	for d := range rank {
		if !plainDim(d) {
			if busy >= 0 {
				busy = rank
				break
			}
			busy = d
		}
	}
	if busy >= 0 && busy < rank {
		n := w.dims[busy]
		if w.a.Dims[busy] == n && w.a.Strides[busy] == 1 && w.a.BaseDilations[busy] == 1 && w.a.WindowDilations[busy] == 1 && n > 1 {
			switch w.a.Padding[busy] {
			case [2]int64{n - 1, 0}:
				w.scan = busy
			case [2]int64{0, n - 1}:
				w.scan, w.reverse = busy, true
			}
		}
	}
	u := &unit{out: i.out, reads: []*value{w.in.base, w.init.base}}
	op := binaryOp(kind, elem)
	t := s.kernels
	switch computed(elem) {
	case dtype.F32:
		u.step = windowStep(&t.F32, w, op)
	case dtype.F64:
		u.step = windowStep(&t.F64, w, op)
	case dtype.I8:
		u.step = windowStep(&t.I8, w, op)
	case dtype.I16:
		u.step = windowStep(&t.I16, w, op)
	case dtype.I32:
		u.step = windowStep(&t.I32, w, op)
	case dtype.I64:
		u.step = windowStep(&t.I64, w, op)
	case dtype.U8:
		u.step = windowStep(&t.U8, w, op)
	case dtype.U16:
		u.step = windowStep(&t.U16, w, op)
	case dtype.U32:
		u.step = windowStep(&t.U32, w, op)
	case dtype.U64:
		u.step = windowStep(&t.U64, w, op)
	}
	return u
}

// padFree says whether the elements that padding and dilation add, which have the initial value, change nothing.
func (w *window) padFree(kind stablehlo.Kind) bool {
	switch kind {
	case stablehlo.Maximum, stablehlo.Minimum, stablehlo.And, stablehlo.Or:
		return true
	}
	for d := range w.dims {
		if w.a.Padding[d] != [2]int64{} || w.a.BaseDilations[d] != 1 {
			return false
		}
	}
	return true
}

// identity says whether v is a constant that changes nothing: 0 of a sum, 1 of a product.
func identity(kind stablehlo.Kind, v *value) bool {
	if v.lit == nil {
		return false
	}
	want, x := float64(0), literalInts(v.lit)[0]
	if kind == stablehlo.Multiply {
		want = 1
	}
	if v.typ.Elem.IsFloat() {
		return dtype.ToFloat64(v.typ.Elem, x) == want
	}
	return x == uint64(want)
}

// combiner is a binary operation on single elements.
func combiner[T kernel.Number](o *kernel.Ops[T], op kernel.Binary) func(a, b T) T {
	switch op {
	case kernel.Add:
		return func(a, b T) T { return a + b }
	case kernel.Mul:
		return func(a, b T) T { return a * b }
	case kernel.Max:
		return func(a, b T) T { return max(a, b) }
	case kernel.Min:
		return func(a, b T) T { return min(a, b) }
	}
	vv := o.VV[op]
	return func(a, b T) T {
		x, y := [1]T{a}, [1]T{b}
		vv(x[:], x[:], y[:])
		return x[0]
	}
}

func windowStep[T kernel.Number](o *kernel.Ops[T], w *window, op kernel.Binary) step {
	vv, combine := o.VV[op], combiner(o, op)
	return func(r *run) error {
		in := as[T](r.bytes(w.in.base))[w.in.off:]
		init := as[T](r.bytes(w.init.base))[w.init.off]
		out := as[T](r.bytes(w.out))
		if len(out) == 0 {
			return nil
		}
		if w.scan >= 0 {
			scan(r, w, vv, combine, in, init, out)
			return r.err()
		}
		positions := int64(len(out)) / w.wide
		taps := int64(1)
		for _, d := range w.a.Dims {
			taps *= d
		}
		per := max(1, grain/4/(w.wide*taps))
		r.pool.Run(int((positions+per-1)/per), func(t int) {
			if r.stopped() {
				return
			}
			for p := int64(t) * per; p < min(positions, int64(t+1)*per); p++ {
				slide(w, vv, combine, in, init, out[p*w.wide:(p+1)*w.wide], p)
			}
		})
		return r.err()
	}
}

// slide reduces the window at one position of the outer dimensions.
func slide[T kernel.Number](w *window, vv func(dst, a, b []T), combine func(a, b T) T, in []T, init T, dst []T, p int64) {
	for j := range dst {
		dst[j] = init
	}
	rank := len(w.outer)
	var small [2 * maxWalk]int64
	buf := small[:]
	if 2*rank > len(buf) {
		buf = make([]int64, 2*rank)
	}
	corner, idx := buf[:rank], buf[rank:2*rank]
	for d := rank - 1; d >= 0; d-- {
		corner[d] = p%w.outer[d]*w.a.Strides[d] - w.a.Padding[d][0]
		p /= w.outer[d]
	}
	for {
		at, ok := int64(0), true
		for d, k := range idx {
			x := corner[d] + k*w.a.WindowDilations[d]
			if b := w.a.BaseDilations[d]; b != 1 {
				if x < 0 || x%b != 0 {
					ok = false
					break
				}
				x /= b
			}
			if uint64(x) >= uint64(w.dims[d]) {
				ok = false
				break
			}
			at += x * w.strides[d]
		}
		if ok {
			if len(dst) == 1 {
				dst[0] = combine(dst[0], in[at])
			} else {
				vv(dst, dst, in[at:at+int64(len(dst))])
			}
		}
		d := rank - 1
		for ; d >= 0; d-- {
			if idx[d]++; idx[d] < w.a.Dims[d] {
				break
			}
			idx[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// scan computes a cumulative reduction along one dimension: each element from the one before it.
func scan[T kernel.Number](r *run, w *window, vv func(dst, a, b []T), combine func(a, b T) T, in []T, init T, out []T) {
	n, inner := w.dims[w.scan], w.strides[w.scan]
	outer := int64(len(out)) / (n * inner)
	r.pool.Run(int(outer), func(t int) {
		if r.stopped() {
			return
		}
		base := int64(t) * n * inner
		for k := range n {
			at, prev := base+k*inner, base+(k-1)*inner
			if w.reverse {
				at, prev = base+(n-1-k)*inner, base+(n-k)*inner
			}
			dst, x := out[at:at+inner], in[at:at+inner]
			switch {
			case inner == 1 && k == 0:
				dst[0] = combine(init, x[0])
			case inner == 1:
				dst[0] = combine(out[prev], x[0])
			case k == 0:
				for j := range dst {
					dst[j] = combine(init, x[j])
				}
			default:
				vv(dst, out[prev:prev+inner], x)
			}
		}
	})
}
