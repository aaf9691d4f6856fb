package stablehlo

import "slices"

// Equal reports whether t and u are the same type.
func (t Type) Equal(u Type) bool {
	return t.Kind == u.Kind && t.Elem == u.Elem && slices.Equal(t.Dims, u.Dims) && slices.Equal(t.Bounds, u.Bounds) &&
		equalQuant(t.Quant, u.Quant) && slices.EqualFunc(t.Elems, u.Elems, Type.Equal)
}

// Compatible reports whether a value of type t may stand where u is written: the same but for dimensions that one
// side does not know.
func (t Type) Compatible(u Type) bool {
	if t.Kind != u.Kind || t.Elem != u.Elem || !equalQuant(t.Quant, u.Quant) {
		return false
	}
	return compatibleDims(t.Dims, u.Dims) && slices.EqualFunc(t.Elems, u.Elems, Type.Compatible)
}

func compatibleDims(a, b []int64) bool { return slices.EqualFunc(a, b, compatibleDim) }

func compatibleDim(a, b int64) bool { return a == b || a == Dynamic || b == Dynamic }

func equalQuant(a, b *Quant) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Storage == b.Storage && a.Expressed == b.Expressed && a.Min == b.Min && a.Max == b.Max && a.Axis == b.Axis &&
		slices.Equal(a.Scales, b.Scales) && slices.Equal(a.ZeroPoints, b.ZeroPoints)
}
