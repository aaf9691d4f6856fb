package plan

import (
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// productType is the type that a dot product of other types than f32 and f64 is computed in: one that holds every
// product and sum of its operands to the end, or for the small floats f32, rounded once. Invalid is none.
func productType(op *stablehlo.Op) dtype.Type {
	out, t := op.Results[0].Type.Elem, dtype.F32
	a := op.Attr.(*stablehlo.DotAttr)
	terms := int64(1)
	for _, d := range a.LHSContract {
		terms *= op.Operands[0].Type.Dims[d]
	}
	for _, v := range op.Operands {
		switch e := v.Type.Elem; {
		case e.IsFloat() && out.IsFloat():
			if e.Bits() == 64 || out.Bits() == 64 {
				t = dtype.F64
			}
		case e.IsInt() && out.IsInt() && e.Bits() <= 16 && terms < 1<<20: // 2^32 * 2^20 is exact in f64
			t = dtype.F64
		default:
			return dtype.Invalid
		}
	}
	return t
}

// widenDot lowers a dot product in another type than its own: operands and result are converted. It returns nil where
// that is not needed or not possible.
func (l *lowering) widenDot(b *block, op *stablehlo.Op, in []*value) *value {
	if op.Kind != stablehlo.DotGeneral {
		return nil
	}
	t := productType(op)
	out := op.Results[0].Type
	if t == dtype.Invalid || in[0].typ.Elem == t && in[1].typ.Elem == t && out.Elem == t {
		return nil
	}
	wide := func(v *value, e dtype.Type) *value {
		if v.typ.Elem == e {
			return v
		}
		return l.made(b, stablehlo.Convert, nil, stablehlo.TensorOf(e, v.typ.Dims...), op, v)
	}
	y := l.made(b, stablehlo.DotGeneral, op.Attr, stablehlo.TensorOf(t, out.Dims...), op, wide(in[0], t), wide(in[1], t))
	if out.Elem.IsInt() {
		y = wide(y, dtype.I64) // from where a narrower type takes the low bits
	}
	return wide(y, out.Elem)
}

// made emits an operation that the program does not have; of is the one that it stands for.
func (l *lowering) made(b *block, k stablehlo.Kind, attr stablehlo.Attr, t stablehlo.Type, of *stablehlo.Op, in ...*value) *value {
	op := &stablehlo.Op{Kind: k, Attr: attr, Pos: of.Pos}
	for _, v := range in {
		op.Operands = append(op.Operands, &stablehlo.Value{Type: v.typ})
	}
	op.Results = []*stablehlo.Value{{Type: t, Def: op}}
	return l.emit(b, &inst{kind: k, in: in, attr: attr, op: op}, op.Results)[0]
}
