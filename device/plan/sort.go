package plan

import (
	"math"

	"github.com/isthmus-ffi/isthmus/device/kernel"
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
	return o, !e.IsComplex() && (!e.IsFloat() || e == dtype.F32 || e == dtype.F64 || half(e)) && (!mergeA || e.IsFloat())
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
	l := &lines{o: o, out: i.out, n: i.out[0].typ.Dims[dim], inner: 1}
	for _, d := range i.out[0].typ.Dims[dim+1:] {
		l.inner *= d
	}
	if l.n > math.MaxInt32 {
		return nil
	}
	u := &unit{out: i.out}
	for _, v := range i.in {
		w := s.view(v)
		if !w.contiguous() {
			return nil
		}
		l.ins = append(l.ins, w)
		u.reads = append(u.reads, w.base)
	}
	order := kernel.Order{Descending: o.descending, Normalize: o.merge}
	switch elem := i.in[o.key].typ.Elem; elem {
	case dtype.F32:
		u.step = sortStep(l, order, kernel.KeysF32, kernel.ValuesF32)
	case dtype.F64:
		u.step = sortStep(l, order, kernel.KeysF64, kernel.ValuesF64)
	case dtype.BF16, dtype.F16:
		u.step = sortStep(l, order, halfKeys(elem), nil)
	case dtype.I8:
		u.step = sortStep(l, order, kernel.KeysInt[uint32, int8], kernel.ValuesInt[uint32, int8])
	case dtype.I16:
		u.step = sortStep(l, order, kernel.KeysInt[uint32, int16], kernel.ValuesInt[uint32, int16])
	case dtype.I32:
		u.step = sortStep(l, order, kernel.KeysInt[uint32, int32], kernel.ValuesInt[uint32, int32])
	case dtype.I64:
		u.step = sortStep(l, order, kernel.KeysInt[uint64, int64], kernel.ValuesInt[uint64, int64])
	case dtype.U8, dtype.I1:
		u.step = sortStep(l, order, kernel.KeysInt[uint32, uint8], kernel.ValuesInt[uint32, uint8])
	case dtype.U16:
		u.step = sortStep(l, order, kernel.KeysInt[uint32, uint16], kernel.ValuesInt[uint32, uint16])
	case dtype.U32:
		u.step = sortStep(l, order, kernel.KeysInt[uint32, uint32], kernel.ValuesInt[uint32, uint32])
	case dtype.U64:
		u.step = sortStep(l, order, kernel.KeysInt[uint64, uint64], kernel.ValuesInt[uint64, uint64])
	default:
		return nil
	}
	return u
}

// lines is what a sort goes through: lines of n elements, inner apart.
type lines struct {
	o        order
	ins      []view
	out      []*value
	n, inner int64
}

// halfKeys makes sort keys of half-precision floats.
func halfKeys(t dtype.Type) func(dst []uint32, a []uint16, o kernel.Order) {
	return func(dst []uint32, a []uint16, o kernel.Order) {
		for i, x := range a[:len(dst)] {
			if o.Normalize {
				if f := dtype.ToFloat64(t, uint64(x)); f == 0 {
					x = 0
				} else if f != f {
					x = uint16(dtype.FromFloat64(t, math.NaN())) &^ 0x8000
				}
			}
			key := uint32(x) ^ (uint32(int32(int16(x))>>31)&0xffff | 0x8000)
			if o.Descending {
				key ^= 0xffff
			}
			dst[i] = key
		}
	}
}

// sortStep sorts by keys of type K made from elements of type T. One operand whose values can be made from its keys
// needs no index of where each element came from; values is nil where they cannot.
func sortStep[K kernel.Key, T kernel.Number](l *lines, o kernel.Order, keys func([]K, []T, kernel.Order), values func([]T, []K, kernel.Order)) step {
	indexed := len(l.out) > 1 || o.Normalize || values == nil
	total := int64(0)
	if l.n > 0 {
		total = l.out[0].typ.Len() / l.n
	}
	wide := int64(len(bytesOf(make([]K, 1))))
	need := l.n * (2*wide + 8) // two of keys, two of indices
	if l.inner != 1 {
		need += l.n * 8
	}
	one := func(r *run, line int64) error {
		mem, err := r.borrow(need)
		if err != nil {
			return err
		}
		defer r.giveBack(mem)
		take := func(size int64) []byte {
			b := mem.b[:size*l.n]
			mem.b = mem.b[size*l.n:]
			return b
		}
		base := line/l.inner*l.n*l.inner + line%l.inner
		src := as[T](r.view(l.ins[l.o.key], l.out[l.o.key].typ))
		key, tmp := as[K](take(wide)), as[K](take(wide))
		if l.inner == 1 {
			src = src[base : base+l.n]
		} else {
			row := as[T](take(8))[:l.n]
			for k := range row {
				row[k] = src[base+int64(k)*l.inner]
			}
			src = row
		}
		keys(key, src, o)
		if !indexed {
			kernel.SortKeys(key, nil, tmp, nil)
			dst := as[T](r.bytes(l.out[0]))
			if l.inner == 1 {
				values(dst[base:base+l.n], key, o)
				return nil
			}
			values(src, key, o)
			for k, x := range src {
				dst[base+int64(k)*l.inner] = x
			}
			return nil
		}
		at, tmpAt := as[int32](take(4)), as[int32](take(4))
		for k := range at {
			at[k] = int32(k)
		}
		kernel.SortKeys(key, at, tmp, tmpAt)
		for k, v := range l.out {
			src, dst := r.view(l.ins[k], v.typ), r.bytes(v)
			switch v.typ.Elem.Size() {
			case 1:
				pickLine(l, dst, src, at, base)
			case 2:
				pickLine(l, as[uint16](dst), as[uint16](src), at, base)
			case 4:
				pickLine(l, as[uint32](dst), as[uint32](src), at, base)
			case 8:
				pickLine(l, as[uint64](dst), as[uint64](src), at, base)
			default:
				pickLine(l, as[[2]uint64](dst), as[[2]uint64](src), at, base)
			}
		}
		return nil
	}
	return func(r *run) error {
		if total == 1 {
			if err := one(r, 0); err != nil {
				return err
			}
			return r.err()
		}
		per := max(1, grain/4/max(l.n, 1))
		r.pool.Run(int((total+per-1)/per), func(t int) {
			for line := int64(t) * per; line < min(total, int64(t+1)*per) && !r.stopped(); line++ {
				if err := one(r, line); err != nil {
					r.fail(err)
				}
			}
		})
		return r.err()
	}
}

// pickLine moves the elements of a line to their places.
func pickLine[T any](l *lines, dst, src []T, at []int32, base int64) {
	for k, from := range at {
		dst[base+int64(k)*l.inner] = src[base+int64(from)*l.inner]
	}
}
