package expand

import "math"

// The functions of this file follow the patterns that the StableHLO project (Apache-2.0) generated with
// functional_algorithms 0.12.0 for complex and real inverse functions; the derivations are there.

// asinAcosKernelComplex: A kernel for evaluating asin and acos functions on complex inputs.
//
//	asin_acos_kernel(z) = sqrt(a ** 2 - x ** 2) + I * log(a + sqrt(a ** 2 - 1))
func asinAcosKernelComplex(b *builder, z value) value {
	signedX := b.real(z)
	x := b.abs(signedX)
	signedY := b.imag(z)
	y := b.abs(signedY)
	safeMax := b.div(b.sqrt(b.maxFinite(signedX)), b.like(8, signedX))
	one := b.like(1, signedX)
	half := b.like(0.5, signedX)
	xp1 := b.add(x, one)
	absXp1 := b.abs(xp1)
	mx := b.max(absXp1, y)
	mn := b.min(absXp1, y)
	sqrtTwo := b.like(1.4142135623730951, signedX)
	mnOverMx := b.div(mn, mx)
	r0 := b.mul(mnOverMx, mnOverMx)
	sqa := b.sqrt(b.add(one, r0))
	zero := b.like(0, signedX)
	two := b.like(2, signedX)
	t1 := b.sel(b.and(b.cmp("EQ", sqa, one), b.cmp("GT", r0, zero)), b.add(mx, b.div(b.mul(mx, r0), two)), b.mul(mx, sqa))
	r := b.sel(b.cmp("EQ", mx, mn), b.mul(sqrtTwo, mx), t1)
	xm1 := b.sub(x, one)
	absXm1 := b.abs(xm1)
	mx0 := b.max(absXm1, y)
	mn0 := b.min(absXm1, y)
	mnOverMx0 := b.div(mn0, mx0)
	r1 := b.mul(mnOverMx0, mnOverMx0)
	sqa0 := b.sqrt(b.add(one, r1))
	t2 := b.sel(b.and(b.cmp("EQ", sqa0, one), b.cmp("GT", r1, zero)), b.add(mx0, b.div(b.mul(mx0, r1), two)), b.mul(mx0, sqa0))
	s := b.sel(b.cmp("EQ", mx0, mn0), b.mul(sqrtTwo, mx0), t2)
	a := b.mul(half, b.add(r, s))
	halfApx := b.mul(half, b.add(a, x))
	yy := b.mul(y, y)
	rpxp1 := b.add(r, xp1)
	smxm1 := b.sub(s, xm1)
	spxm1 := b.add(s, xm1)
	t3 := b.sel(b.cmp("LE", x, one), b.sqrt(b.mul(halfApx, b.add(b.div(yy, rpxp1), smxm1))), b.mul(y, b.sqrt(b.add(b.div(halfApx, rpxp1), b.div(halfApx, spxm1)))))
	safeMaxOpt := b.sel(b.cmp("LT", x, b.mul(safeMax, b.like(1000000000000.0, signedX))), b.mul(safeMax, b.like(1e-06, signedX)), b.mul(safeMax, b.like(100.0, signedX)))
	yGtSafeMaxOpt := b.cmp("GE", y, safeMaxOpt)
	mx1 := b.sel(yGtSafeMaxOpt, y, x)
	xoy := b.sel(b.and(yGtSafeMaxOpt, b.not(b.cmp("EQ", y, b.inf(signedY)))), b.div(x, y), zero)
	t4 := b.add(b.add(b.log(two), b.log(mx1)), b.mul(half, b.log1p(b.mul(xoy, xoy))))
	t5 := b.cmp("LT", y, b.mul(b.sqrt(b.smallestNormal(signedX)), b.like(4, signedX)))
	logicalAndLtYSafeMinLtXOne := b.and(t5, b.cmp("LT", x, one))
	ap1 := b.add(a, one)
	halfYy := b.mul(half, yy)
	divideHalfYyRpxp1 := b.div(halfYy, rpxp1)
	t6 := b.sel(b.cmp("LE", a, b.like(1.5, signedX)), b.add(divideHalfYyRpxp1, b.div(halfYy, smxm1)), b.sub(a, one))
	t7 := b.sel(b.cmp("GE", x, one), b.add(divideHalfYyRpxp1, b.mul(half, spxm1)), t6)
	am1 := b.sel(logicalAndLtYSafeMinLtXOne, b.neg(b.div(b.mul(xp1, xm1), ap1)), t7)
	sq := b.sqrt(b.mul(am1, ap1))
	t8 := b.sel(logicalAndLtYSafeMinLtXOne, b.div(y, sq), b.log1p(b.add(am1, sq)))
	t9 := b.sel(b.cmp("GE", mx1, b.sel(yGtSafeMaxOpt, safeMaxOpt, safeMax)), t4, t8)
	return b.complex(b.sel(b.cmp("GE", b.max(x, y), safeMax), y, t3), t9)
}

// asinComplex: Arcus sine on complex input.
//
//	arcsin(z) = 2 * arctan2(z, (1 + sqrt(1 - z * z)))
func asinComplex(b *builder, z value) value {
	signedX := b.real(z)
	asinAcosKernelZ := asinAcosKernelComplex(b, z)
	imagAsinAcosKernelZ := b.imag(asinAcosKernelZ)
	t1 := b.sel(b.cmp("LT", b.imag(z), b.like(0, signedX)), b.neg(imagAsinAcosKernelZ), imagAsinAcosKernelZ)
	return b.complex(b.atan2(signedX, b.real(asinAcosKernelZ)), t1)
}

// asinReal: Arcus sine on real input:
//
//	arcsin(x) = 2 * arctan2(x, 1 + sqrt(1 - x * x))
func asinReal(b *builder, x value) value {
	one := b.like(1, x)
	ta := b.atan2(x, b.add(one, b.sqrt(b.mul(b.sub(one, x), b.add(one, x)))))
	return b.add(ta, ta)
}

// acosComplex: Arcus cosine on complex input
//
//	arccos(x + I*y) = arccos(x/a) - sign(y; x) * I * log(a + sqrt(a*a-1))
func acosComplex(b *builder, z value) value {
	asinAcosKernelZ := asinAcosKernelComplex(b, z)
	signedY := b.imag(z)
	imagAsinAcosKernelZ := b.imag(asinAcosKernelZ)
	t1 := b.sel(b.cmp("LT", signedY, b.like(0, signedY)), imagAsinAcosKernelZ, b.neg(imagAsinAcosKernelZ))
	return b.complex(b.atan2(b.real(asinAcosKernelZ), b.real(z)), t1)
}

// acosReal: Arcus cosine on real input:
//
//	arccos(x) = 2 * arctan2(sqrt(1 - x * x), 1 + x)
func acosReal(b *builder, x value) value {
	constant1 := b.like(1, x)
	return b.atan2(b.sqrt(b.mul(b.sub(constant1, x), b.add(constant1, x))), x)
}

// acoshComplex: Inverse hyperbolic cosine on complex input:
//
//	acosh(z) = sqrt(z - 1) / sqrt(1 - z) * acos(z)
func acoshComplex(b *builder, z value) value {
	w := asinAcosKernelComplex(b, z)
	signedY := b.imag(z)
	imagV := b.atan2(b.real(w), b.real(z))
	return b.complex(b.imag(w), b.sel(b.cmp("LT", signedY, b.like(0, signedY)), b.neg(imagV), imagV))
}

// acoshReal: Inverse hyperbolic cosine on real input:
//
//	acosh(x) = log(x + sqrt(x * x - 1))
func acoshReal(b *builder, x value) value {
	constant2 := b.like(2, x)
	constant1 := b.like(1, x)
	sqrtSubtractXConstant1 := b.sqrt(b.sub(x, constant1))
	t1 := b.mul(sqrtSubtractXConstant1, b.add(b.sqrt(b.add(x, constant1)), sqrtSubtractXConstant1))
	return b.sel(b.cmp("GE", x, b.div(b.maxFinite(x), constant2)), b.add(b.log(constant2), b.log(x)), b.log1p(t1))
}

// asinhComplex: Inverse hyperbolic sine on complex input:
//
//	asinh(z) = -I * asin(I * z)
func asinhComplex(b *builder, z value) value {
	signedX := b.real(z)
	signedY := b.imag(z)
	w := asinAcosKernelComplex(b, b.complex(b.neg(signedY), signedX))
	imagW := b.imag(w)
	return b.complex(b.sel(b.cmp("LT", signedX, b.like(0, signedX)), b.neg(imagW), imagW), b.atan2(signedY, b.real(w)))
}

// asinhReal: Inverse hyperbolic sine on real input:
//
//	asinh(x) = log(x + hypot(1, x))
func asinhReal(b *builder, x value) value {
	ax := b.abs(x)
	ax2 := b.mul(ax, ax)
	one := b.like(1, x)
	t1 := b.sel(b.cmp("GE", ax, b.sqrt(b.maxFinite(x))), b.add(b.log(b.like(2, x)), b.log(ax)), b.log1p(b.add(ax, b.div(ax2, b.add(one, b.sqrt(b.add(one, ax2)))))))
	return b.mul(b.sign(x), t1)
}

// atanComplex: Arcus tangent on complex inputs:
//
//	atan(z) = -I * atanh(I * z)
func atanComplex(b *builder, z value) value {
	w := atanhComplex(b, b.complex(b.neg(b.imag(z)), b.real(z)))
	return b.complex(b.imag(w), b.neg(b.real(w)))
}

// atanhComplex: Inverse hyperbolic tangent on complex inputs:
//
//	atanh(z) = (log1p(z) - log1p(-z)) / 2
func atanhComplex(b *builder, z value) value {
	x := b.real(z)
	zero := b.like(0, x)
	one := b.like(1, x)
	constantNeg1 := b.like(-1, x)
	ax := b.abs(x)
	largest := b.maxFinite(x)
	t1 := b.sel(b.cmp("GT", largest, b.like(1e+38, x)), b.like(16777218.0, x), b.like(2050.0, x))
	invNegeps := b.sel(b.cmp("GT", largest, b.like(1e+308, x)), b.like(9007199254740994.0, x), t1)
	safeMax := b.mul(invNegeps, invNegeps)
	y := b.imag(z)
	ay := b.abs(y)
	inSafeRegion := b.and(b.cmp("LT", ax, safeMax), b.cmp("LT", ay, safeMax))
	naxm1 := b.sub(one, ax)
	y2 := b.mul(y, y)
	constantPosinf := b.inf(x)
	constantNeginf := b.negInf(x)
	t2 := b.or(b.or(b.cmp("EQ", x, constantPosinf), b.cmp("EQ", x, constantNeginf)), b.or(b.cmp("EQ", y, constantPosinf), b.cmp("EQ", y, constantNeginf)))
	t3 := b.sel(t2, zero, b.div(b.div(one, b.add(b.div(ax, y), b.div(y, ax))), y))
	t4 := b.sel(inSafeRegion, b.div(ax, b.add(b.mul(naxm1, naxm1), y2)), b.sel(b.cmp("LT", b.mul(ay, invNegeps), ax), b.div(one, ax), t3))
	t5 := b.mul(b.sel(b.cmp("GE", x, zero), one, constantNeg1), b.log1p(b.mul(b.like(4, x), t4)))
	t6 := b.mul(b.sel(b.cmp("GE", y, b.like(0, y)), one, constantNeg1), b.like(math.Pi, x))
	t7 := b.sel(inSafeRegion, b.atan2(b.add(y, y), b.sub(b.mul(naxm1, b.add(one, ax)), y2)), t6)
	return b.complex(b.mul(t5, b.like(0.25, x)), b.mul(t7, b.like(0.5, x)))
}

// squareComplex: Square on complex input:
//
//	square(z).real = 0
func squareComplex(b *builder, z value) value {
	x := b.real(z)
	y := b.imag(z)
	t1 := b.sel(b.and(b.isFinite(x), b.cmp("EQ", b.abs(x), b.abs(y))), b.like(0, x), b.mul(b.sub(x, y), b.add(x, y)))
	return b.complex(t1, b.mul(b.like(2, x), b.mul(x, y)))
}

// squareReal: Square on real input: x * x
func squareReal(b *builder, x value) value {
	return b.mul(x, x)
}
