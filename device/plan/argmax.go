package plan

import (
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// argOf recognises the reducer of JAX's argmax and argmin over pairs of a value and its index: the greater (lesser)
// value wins, NaN above all, and of equal ones the lower index. It returns the direction that the winner compares to
// the other, GT or LT, or 0.
func argOf(region *stablehlo.Block) stablehlo.Direction {
	ret := region.Terminator()
	if len(region.Args) != 4 || len(ret.Operands) != 2 {
		return 0
	}
	a, ia, b, ib := region.Args[0], region.Args[1], region.Args[2], region.Args[3]
	values, indices := selected(ret.Operands[0], a, b), selected(ret.Operands[1], ia, ib)
	if values == nil || indices == nil {
		return 0
	}
	won := values
	if a.Type.Elem.IsFloat() {
		l, r := halves(values, stablehlo.Or)
		if !compares(r, stablehlo.NE, a, a) {
			return 0
		}
		won = l
	}
	dir := stablehlo.GT
	if !compares(won, dir, a, b) {
		if dir = stablehlo.LT; !compares(won, dir, a, b) {
			return 0
		}
	}
	l, r := halves(indices, stablehlo.Or)
	if l != values {
		return 0
	}
	if l, r = halves(r, stablehlo.And); !compares(l, stablehlo.EQ, a, b) || !compares(r, stablehlo.LT, ia, ib) {
		return 0
	}
	return dir
}

// selected returns the condition of v = select(condition, a, b), or nil.
func selected(v, a, b *stablehlo.Value) *stablehlo.Value {
	if d := v.Def; d != nil && d.Kind == stablehlo.Select && d.Operands[1] == a && d.Operands[2] == b {
		return d.Operands[0]
	}
	return nil
}

// halves returns the operands of v if kind made it.
func halves(v *stablehlo.Value, kind stablehlo.Kind) (l, r *stablehlo.Value) {
	if v == nil || v.Def == nil || v.Def.Kind != kind {
		return nil, nil
	}
	return v.Def.Operands[0], v.Def.Operands[1]
}

func compares(v *stablehlo.Value, dir stablehlo.Direction, a, b *stablehlo.Value) bool {
	if v == nil || v.Def == nil || v.Def.Kind != stablehlo.Compare || v.Def.Operands[0] != a || v.Def.Operands[1] != b {
		return false
	}
	c := v.Def.Attr.(stablehlo.CompareAttr)
	return c.Direction == dir && (c.Type != stablehlo.CompareTotalOrder || !a.Type.Elem.IsFloat())
}

// isIota says whether a value counts up from 0 along one dimension.
func isIota(v *value, dim int64) bool {
	if v.def != nil {
		return v.def.kind == stablehlo.Iota && v.def.attr.(stablehlo.DimAttr).Dim == dim
	}
	if v.lit == nil || v.lit.Splat && v.typ.Dims[dim] > 1 {
		return false
	}
	inner := int64(1)
	for _, d := range v.typ.Dims[dim+1:] {
		inner *= d
	}
	for i, x := range literalInts(v.lit) {
		if int64(x) != int64(i)/inner%v.typ.Dims[dim] {
			return false
		}
	}
	return true
}

// argReduce schedules a Reduce that finds the place of the greatest or least element, or returns nil.
func (s *scheduler) argReduce(i *inst) *unit {
	over := i.attr.(stablehlo.DimsAttr).Dims
	if len(i.in) != 4 || len(over) != 1 || len(i.captures) > 0 || !i.in[1].typ.Elem.IsInt() || !isIota(i.in[1], over[0]) {
		return nil
	}
	dir := argOf(i.op.Regions[0])
	w := s.view(i.in[0])
	n := i.in[0].typ.Dims[over[0]]
	first, zero := i.in[2].lit, i.in[3].lit
	if dir == 0 || n == 0 || !w.contiguous() || first == nil || zero == nil || literalInts(zero)[0] != 0 || !lowest(first, dir) {
		return nil
	}
	inner := int64(1)
	for _, d := range i.in[0].typ.Dims[over[0]+1:] {
		inner *= d
	}
	u := &unit{out: i.out, reads: []*value{w.base}}
	t := s.kernels
	switch i.in[0].typ.Elem {
	case dtype.F32:
		u.step = argStep(&t.F32, dir, w, n, inner, i.out)
	case dtype.F64:
		u.step = argStep(&t.F64, dir, w, n, inner, i.out)
	case dtype.I32:
		u.step = argStep(&t.I32, dir, w, n, inner, i.out)
	case dtype.I64:
		u.step = argStep(&t.I64, dir, w, n, inner, i.out)
	default:
		return nil
	}
	return u
}

// lowest says whether a reduction starts from the value that every element wins over.
func lowest(lit *stablehlo.Literal, dir stablehlo.Direction) bool {
	x := literalInts(lit)[0]
	e := lit.Type.Elem
	sign := 1
	if dir == stablehlo.GT {
		sign = -1
	}
	switch {
	case e.IsFloat():
		return math.IsInf(dtype.ToFloat64(e, x), sign)
	case sign < 0:
		return int64(x) == math.MinInt64>>(64-e.Bits())
	}
	return int64(x) == math.MaxInt64>>(64-e.Bits())
}

func argStep[T kernel.Number](o *kernel.Ops[T], dir stablehlo.Direction, w view, n, inner int64, outs []*value) step {
	find := o.ArgMax
	if dir == stablehlo.LT {
		find = o.ArgMin
	}
	size := int64(outs[1].typ.Elem.Size())
	lines := outs[0].typ.Len()
	one := func(r *run, x, best []T, index []byte, tmp *[]T, line int64) {
		row := x[line*n : (line+1)*n : (line+1)*n]
		if inner != 1 {
			*tmp = slices.Grow((*tmp)[:0], int(n))[:n]
			row = *tmp
			at := line/inner*n*inner + line%inner
			for k := range row {
				row[k] = x[at+int64(k)*inner]
			}
		}
		at := find(row)
		best[line] = row[at]
		for k := range size {
			index[line*size+k] = byte(at >> (8 * k))
		}
	}
	per := max(1, grain/n)
	return func(r *run) error {
		x := as[T](r.bytes(w.base))[w.off:]
		best, index := as[T](r.bytes(outs[0])), r.bytes(outs[1])
		if lines <= per {
			var tmp []T
			for line := range lines {
				one(r, x, best, index, &tmp, line)
			}
			return r.err()
		}
		r.pool.Run(int((lines+per-1)/per), func(t int) {
			if r.stopped() {
				return
			}
			var tmp []T
			for line := int64(t) * per; line < min(lines, int64(t+1)*per); line++ {
				one(r, x, best, index, &tmp, line)
			}
		})
		return r.err()
	}
}
