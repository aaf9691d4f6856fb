package plan

import (
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// order is a comparator that this package recognises: operand key, ascending or descending, in total order. If merge is
// set the comparator treats -0 as 0 and all NaN alike, as JAX's does.
type order struct {
	key        int
	descending bool
	merge      bool
}

// orderOf recognises the comparator of a Sort: a comparison of the two elements of one operand, as they are or after
// JAX's normalisation of zeros and NaN.
func orderOf(region *stablehlo.Block) (order, bool) {
	ret := region.Terminator()
	if len(ret.Operands) != 1 || ret.Operands[0].Def == nil {
		return order{}, false
	}
	cmp := ret.Operands[0].Def
	if cmp.Kind != stablehlo.Compare || len(cmp.Operands) != 2 {
		return order{}, false
	}
	a, mergeA, okA := sortKey(cmp.Operands[0])
	b, mergeB, okB := sortKey(cmp.Operands[1])
	if !okA || !okB || a.Def != nil || b.Def != nil || mergeA != mergeB || a.Index/2 != b.Index/2 || a.Index == b.Index {
		return order{}, false
	}
	attr := cmp.Attr.(stablehlo.CompareAttr)
	o := order{key: a.Index / 2, merge: mergeA}
	switch attr.Direction {
	case stablehlo.LT:
	case stablehlo.GT:
		o.descending = true
	default:
		return o, false
	}
	if a.Index > b.Index {
		o.descending = !o.descending
	}
	e := a.Type.Elem
	if e.IsFloat() && attr.Type != stablehlo.CompareTotalOrder {
		return o, false
	}
	return o, !e.IsComplex() && (!e.IsFloat() || e == dtype.F32 || e == dtype.F64 || half(e)) && (mergeA == false || e.IsFloat())
}

// sortKey follows a compared value back to the element it came from: select(x != x, NaN, select(x == 0, 0, x)).
func sortKey(v *stablehlo.Value) (arg *stablehlo.Value, merged, ok bool) {
	if v.Def == nil {
		return v, false, true
	}
	nan := v.Def
	if nan.Kind != stablehlo.Select {
		return nil, false, false
	}
	zero := nan.Operands[2].Def
	if zero == nil || zero.Kind != stablehlo.Select {
		return nil, false, false
	}
	x := zero.Operands[2]
	isNaN, isZero := nan.Operands[0].Def, zero.Operands[0].Def
	if x.Def != nil || isNaN == nil || isZero == nil || isNaN.Kind != stablehlo.Compare || isZero.Kind != stablehlo.Compare {
		return nil, false, false
	}
	if isNaN.Attr.(stablehlo.CompareAttr).Direction != stablehlo.NE || isZero.Attr.(stablehlo.CompareAttr).Direction != stablehlo.EQ {
		return nil, false, false
	}
	selfOf := func(w *stablehlo.Value) bool { return w == x || w == nan.Operands[2] }
	if !selfOf(isNaN.Operands[0]) || isNaN.Operands[0] != isNaN.Operands[1] || isZero.Operands[0] != x {
		return nil, false, false
	}
	return x, true, constantIs(nan.Operands[1], math.IsNaN) && constantIs(zero.Operands[1], func(f float64) bool { return f == 0 && !math.Signbit(f) }) &&
		constantIs(isZero.Operands[1], func(f float64) bool { return f == 0 })
}

func constantIs(v *stablehlo.Value, is func(float64) bool) bool {
	if v.Def == nil || v.Def.Kind != stablehlo.Constant {
		return false
	}
	lit := v.Def.Attr.(*stablehlo.Literal)
	if !lit.Type.Elem.IsFloat() || len(lit.Data) < lit.Type.Elem.Size() {
		return false
	}
	return is(dtype.ToFloat64(lit.Type.Elem, literalInts(lit)[0]))
}

// sort schedules a Sort whose comparator is recognised. It is always stable.
func (s *scheduler) sort(i *inst) *unit {
	o, ok := orderOf(i.op.Regions[0])
	if !ok { // what a recognised comparator captures are constants that it has been compared with
		return nil
	}
	dim := i.attr.(*stablehlo.SortAttr).Dim
	dims := i.out[0].typ.Dims
	n, inner := dims[dim], int64(1)
	for _, d := range dims[dim+1:] {
		inner *= d
	}
	if n > math.MaxInt32 {
		return nil
	}
	u := &unit{out: i.out}
	var ins []view
	for _, v := range i.in {
		w := s.view(v)
		if !w.contiguous() {
			return nil
		}
		ins = append(ins, w)
		u.reads = append(u.reads, w.base)
	}
	elem := i.in[o.key].typ.Elem
	lines := int64(0)
	if n > 0 {
		lines = i.out[0].typ.Len() / n
	}
	u.step = func(r *run) error {
		r.pool.Run(int(lines), func(t int) {
			if r.stopped() {
				return
			}
			base := int64(t)/inner*n*inner + int64(t)%inner
			pairs := make([]pair, 2*n)
			line, tmp := pairs[:n], pairs[n:]
			keys := r.view(ins[o.key], i.in[o.key].typ)
			for k := range line {
				key := sortBits(keys, elem, base+int64(k)*inner, o.merge)
				if o.descending {
					key = ^key
				}
				line[k] = pair{key, uint32(k)}
			}
			radix(line, tmp, elem.Size())
			for k, v := range i.out {
				size := int64(v.typ.Elem.Size())
				src, dst := r.view(ins[k], v.typ), r.bytes(v)
				for j, p := range line {
					from, to := (base+int64(p.at)*inner)*size, (base+int64(j)*inner)*size
					copy(dst[to:to+size], src[from:from+size])
				}
			}
		})
		return r.err()
	}
	return u
}

// pair is an element to sort: its key, whose order as an unsigned number is the wanted one, and where it came from.
type pair struct {
	key uint64
	at  uint32
}

// sortBits maps an element to an unsigned number of the same order.
func sortBits(b []byte, t dtype.Type, i int64, merge bool) uint64 {
	size := int64(t.Size())
	x := uint64(0)
	for k := size - 1; k >= 0; k-- {
		x = x<<8 | uint64(b[i*size+k])
	}
	bits := uint(8 * size)
	sign := uint64(1) << (bits - 1)
	switch {
	case t.IsFloat():
		if merge {
			if f := dtype.ToFloat64(t, x); f == 0 {
				x = 0
			} else if f != f {
				x = dtype.FromFloat64(t, math.NaN()) &^ sign
			}
		}
		if x&sign != 0 {
			return ^x & (sign<<1 - 1)
		}
		return x | sign
	case t.Kind() == dtype.Signed:
		return x ^ sign
	}
	return x
}

// radix sorts pairs by their keys, of which the low bytes count, eight bits a pass. It is stable.
func radix(a, tmp []pair, bytes int) {
	if len(a) < 64 {
		for i := 1; i < len(a); i++ {
			x := a[i]
			mask := uint64(1)<<(8*uint(bytes)) - 1
			if bytes == 8 {
				mask = math.MaxUint64
			}
			j := i
			for j > 0 && a[j-1].key&mask > x.key&mask {
				a[j] = a[j-1]
				j--
			}
			a[j] = x
		}
		return
	}
	from, to := a, tmp
	for pass := range bytes {
		shift := 8 * uint(pass)
		var count [257]int
		for _, p := range from {
			count[1+(p.key>>shift)&255]++
		}
		if count[1+(from[0].key>>shift)&255] == len(from) {
			continue // all alike in this byte
		}
		for k := 1; k < len(count); k++ {
			count[k] += count[k-1]
		}
		for _, p := range from {
			k := (p.key >> shift) & 255
			to[count[k]] = p
			count[k]++
		}
		from, to = to, from
	}
	if &from[0] != &a[0] {
		copy(a, from)
	}
}
