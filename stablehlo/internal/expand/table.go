package expand

import (
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

type decompose func(b *builder, op *mlir.Op) []value

// decomposition returns how to express the operation of that name, or nil.
func decomposition(name string) decompose {
	switch name {
	case "chlo._asin_acos_kernel":
		return byKind(nil, asinAcosKernelComplex)
	case "chlo.acos":
		return byKind(acosReal, acosComplex)
	case "chlo.acosh":
		return byKind(acoshReal, acoshComplex)
	case "chlo.asin":
		return byKind(asinReal, asinComplex)
	case "chlo.asinh":
		return byKind(asinhReal, asinhComplex)
	case "chlo.atan":
		return byKind(func(b *builder, x value) value { return b.atan2(x, b.like(1, x)) }, atanComplex)
	case "chlo.atanh":
		return byKind(atanhReal, atanhComplex)
	case "chlo.square":
		return byKind(squareReal, squareComplex)
	case "chlo.conj":
		return byKind(func(_ *builder, x value) value { return x },
			func(b *builder, z value) value { return b.complex(b.real(z), b.neg(b.imag(z))) })
	case "chlo.tan":
		return byKind((*builder).tan, (*builder).tan)
	case "chlo.cosh":
		return byKind(inF32(cosh), cosh)
	case "chlo.sinh":
		return byKind(inF32(sinh), sinhLarge)
	case "chlo.is_inf":
		return byKind(func(b *builder, x value) value { return b.cmp("EQ", b.abs(x), b.inf(x)) }, nil)
	case "chlo.is_pos_inf":
		return byKind(func(b *builder, x value) value { return b.cmp("EQ", x, b.inf(x)) }, nil)
	case "chlo.is_neg_inf":
		return byKind(func(b *builder, x value) value { return b.cmp("EQ", x, b.negInf(x)) }, nil)
	case "chlo.erf":
		return byWidth(erf32, erf64)
	case "chlo.erfc":
		return byWidth(erfc32, erfc64)
	case "chlo.erf_inv":
		return byWidth(erfInv32, erfInv64)
	case "chlo.bessel_i1e":
		return byWidth(besselI1e32, besselI1e64)
	case "chlo.lgamma":
		return byWidth(lgamma, lgamma)
	case "chlo.digamma":
		return byWidth(digamma, digamma)
	case "chlo.zeta":
		return byWidth2(zeta)
	case "chlo.polygamma":
		return byWidth2(polygamma)
	case "chlo.next_after":
		return func(b *builder, op *mlir.Op) []value {
			x, y := float(arg(op, 0, 2)), arg(op, 1, 2)
			return []value{nextAfter(b, x, y)}
		}
	case "chlo.mulhi":
		return func(b *builder, op *mlir.Op) []value { return []value{mulhi(b, arg(op, 0, 2), arg(op, 1, 2))} }
	case "chlo.constant":
		return func(b *builder, op *mlir.Op) []value {
			return b.emit(&mlir.Op{Name: "stablehlo.constant", Attrs: op.Attrs}, result(op))
		}
	case "chlo.constant_like":
		return constantLike
	case "chlo.top_k":
		return topK
	case "chlo.scan":
		return scan
	case "chlo.broadcast_select":
		return broadcastSelect
	case "chlo.broadcast_compare":
		return broadcastBinary("stablehlo.compare")
	case "chlo.broadcast_add", "chlo.broadcast_and", "chlo.broadcast_atan2", "chlo.broadcast_complex",
		"chlo.broadcast_divide", "chlo.broadcast_maximum", "chlo.broadcast_minimum", "chlo.broadcast_multiply",
		"chlo.broadcast_or", "chlo.broadcast_power", "chlo.broadcast_remainder", "chlo.broadcast_shift_left",
		"chlo.broadcast_shift_right_arithmetic", "chlo.broadcast_shift_right_logical", "chlo.broadcast_subtract",
		"chlo.broadcast_xor":
		return broadcastBinary("stablehlo." + name[len("chlo.broadcast_"):])
	case "chlo.broadcast_next_after", "chlo.broadcast_polygamma", "chlo.broadcast_zeta":
		return broadcastBinary("chlo." + name[len("chlo.broadcast_"):])
	case "chlo.ragged_dot":
		return raggedDot
	}
	return deprecated(name)
}

// arg is operand i of an operation that has n.
func arg(op *mlir.Op, i, n int) value {
	if len(op.Operands) != n {
		failf("must have %d operands, not %d", n, len(op.Operands))
	}
	x := op.Operands[i]
	if x.Type.Kind != mlir.Tensor || x.Type.Quant != nil {
		failf("operand %d must be a tensor of numbers", i)
	}
	return x
}

func result(op *mlir.Op) mlir.Type {
	if len(op.Results) != 1 {
		failf("must have 1 result, not %d", len(op.Results))
	}
	if op.Results[0].Type.Kind != mlir.Tensor {
		failf("the result must be a tensor")
	}
	return op.Results[0].Type
}

func float(x value) value {
	if !x.Type.Elem.IsFloat() {
		failf("operand must be a tensor of floating-point numbers, not of %v", x.Type.Elem)
	}
	return x
}

// byKind picks the formula for real or complex elements; nil where there is none.
func byKind(re, cplx func(*builder, value) value) decompose {
	return func(b *builder, op *mlir.Op) []value {
		x := arg(op, 0, 1)
		f := re
		switch {
		case x.Type.Elem.IsComplex():
			f = cplx
		case !x.Type.Elem.IsFloat() && !(op.Name == "chlo.square" && x.Type.Elem.IsInt()):
			failf("operand must be a tensor of floating-point numbers, not of %v", x.Type.Elem)
		}
		if f == nil {
			failf("not defined for elements of type %v", x.Type.Elem)
		}
		return []value{f(b, x)}
	}
}

// inF32 computes in f32 what is narrower.
func inF32(f func(*builder, value) value) func(*builder, value) value {
	return func(b *builder, x value) value {
		elem := x.Type.Elem
		if elem.Bits() < 32 {
			x = b.convert(x, dtype.F32)
		}
		return b.convert(f(b, x), elem)
	}
}

func byWidth(f32, f64 func(*builder, value) value) decompose {
	return byKind(func(b *builder, x value) value {
		if x.Type.Elem == dtype.F64 {
			return f64(b, x)
		}
		return inF32(f32)(b, x)
	}, nil)
}

func byWidth2(f func(b *builder, x, y value) value) decompose {
	return func(b *builder, op *mlir.Op) []value {
		x, y := float(arg(op, 0, 2)), float(arg(op, 1, 2))
		elem := x.Type.Elem
		if elem.Bits() < 32 {
			x, y = b.convert(x, dtype.F32), b.convert(y, dtype.F32)
		}
		return []value{b.convert(f(b, x, y), elem)}
	}
}

// atanhReal is (log1p(x) - log1p(-x))/2 where |x| <= 1.
func atanhReal(b *builder, x value) value {
	half := b.mul(b.sub(b.log1p(x), b.log1p(b.neg(x))), b.like(0.5, x))
	return b.sel(b.cmp("GT", b.abs(x), b.like(1, x)), b.nan(x), half)
}

// mulhi is the upper half of the product of integers: of a wider type where there is one, else of 32-bit parts.
func mulhi(b *builder, x, y value) value {
	elem := x.Type.Elem
	bits := elem.Bits()
	switch {
	case !elem.IsInt():
		failf("operands must be integers, not %v", elem)
	case bits < 64 && elem.Kind() == dtype.Signed:
		wide := wider(elem)
		p := b.mul(b.convert(x, wide), b.convert(y, wide))
		return b.convert(b.sra(p, b.likeInt(int64(bits), p)), elem)
	case bits < 64:
		wide := wider(elem)
		p := b.mul(b.convert(x, wide), b.convert(y, wide))
		return b.convert(b.srl(p, b.likeInt(int64(bits), p)), elem)
	case elem == dtype.U64:
		return mulhiU64(b, x, y)
	}
	ux, uy := b.convert(x, dtype.U64), b.convert(y, dtype.U64)
	hi := mulhiU64(b, ux, uy)
	zero := b.likeInt(0, x)
	zeroU := b.likeInt(0, ux)
	hi = b.sub(hi, b.sel(b.cmp("LT", x, zero), uy, zeroU))
	hi = b.sub(hi, b.sel(b.cmp("LT", y, zero), ux, zeroU))
	return b.convert(hi, dtype.I64)
}

func wider(t dtype.Type) dtype.Type {
	switch t {
	case dtype.I2:
		return dtype.I4
	case dtype.I4:
		return dtype.I8
	case dtype.I8:
		return dtype.I16
	case dtype.I16:
		return dtype.I32
	case dtype.I32:
		return dtype.I64
	case dtype.U2:
		return dtype.U4
	case dtype.U4:
		return dtype.U8
	case dtype.U8:
		return dtype.U16
	case dtype.U16:
		return dtype.U32
	case dtype.U32:
		return dtype.U64
	}
	failf("not defined for elements of type %v", t)
	return dtype.Invalid
}

func mulhiU64(b *builder, x, y value) value {
	low, n := b.likeInt(0xffffffff, x), b.likeInt(32, x)
	xHi, yHi := b.srl(x, n), b.srl(y, n)
	xLo, yLo := b.and(x, low), b.and(y, low)
	mid1 := b.add(b.mul(xLo, yHi), b.srl(b.mul(xLo, yLo), n))
	mid2 := b.add(b.mul(xHi, yLo), b.and(mid1, low))
	return b.add(b.add(b.mul(xHi, yHi), b.srl(mid1, n)), b.srl(mid2, n))
}
