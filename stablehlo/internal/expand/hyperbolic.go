package expand

import "math"

// The approximations of this file are those of the StableHLO project (Apache-2.0), chlo-legalize-to-stablehlo, so that
// results agree with its reference to the last digits.

// sinh avoids cancellation near 0: (expm1(x) + expm1(x)/(expm1(x) + 1))/2.
func sinh(b *builder, x value) value {
	largeSinhResult := sinhLarge(b, x)
	expm1 := b.expm1(x)
	one := b.like(1.0, x)
	oneHalf := b.like(0.5, x)
	expm1PlusOne := b.add(expm1, one)
	ratio := b.div(expm1, expm1PlusOne)
	sum := b.add(expm1, ratio)
	smallSinhResult := b.mul(oneHalf, sum)
	absX := b.abs(x)
	absXLtOne := b.cmp("LT", absX, one)
	return b.sel(absXLtOne, smallSinhResult, largeSinhResult)
}

// sinhLarge is exp(x + log 1/2) - exp(-x + log 1/2), for |x| >= 1.
func sinhLarge(b *builder, x value) value {
	logOneHalf := b.log(b.like(0.5, x))
	expAdd := b.exp(b.add(x, logOneHalf))
	expSub := b.exp(b.sub(logOneHalf, x))
	return b.sub(expAdd, expSub)
}

// cosh is exp(x + log 1/2) + exp(-x + log 1/2), which overflows only where the result does.
func cosh(b *builder, x value) value {
	logOneHalf := b.log(b.like(0.5, x))
	expAdd := b.exp(b.add(x, logOneHalf))
	expSub := b.exp(b.sub(logOneHalf, x))
	return b.add(expAdd, expSub)
}

// nextAfter is the representable number after x in the direction of y, found in the bits.
func nextAfter(b *builder, x, y value) value {
	intTy := intOfWidth(x.Type.Elem.Bits())
	xAsInt := b.bitcast(x, intTy)
	yAsInt := b.bitcast(y, intTy)
	xIsNan := b.cmp("NE", x, x)
	yIsNan := b.cmp("NE", y, y)
	nanInput := b.or(xIsNan, yIsNan)
	resultForNan := b.like(math.NaN(), x)
	resultForNanAsInt := b.bitcast(resultForNan, intTy)
	signBit := int64(1) << (x.Type.Elem.Bits() - 1)
	signMask := b.likeInt(signBit, xAsInt)
	negatedSignMask := b.likeInt(^signBit, xAsInt)
	xAbs := b.and(xAsInt, negatedSignMask)
	yAbs := b.and(yAsInt, negatedSignMask)
	xAndYAreEqual := b.cmp("EQ", x, y)
	resultForEqual := yAsInt
	zero := b.likeInt(0, xAsInt)
	xIsZero := b.cmp("EQ", xAbs, zero)
	yIsZero := b.cmp("EQ", yAbs, zero)
	resultForBothZero := yAsInt
	xSign := b.and(xAsInt, signMask)
	ySign := b.and(yAsInt, signMask)
	one := b.likeInt(1, xAsInt)
	resultForXZeroYNonZero := b.or(ySign, one)
	signsDisagree := b.cmp("NE", xSign, ySign)
	xMagnitudeLargerThanY := b.cmp("GT", xAbs, yAbs)
	resultHasSmallerMagnitude := b.or(xMagnitudeLargerThanY, signsDisagree)
	minusOne := b.likeInt(-1, xAsInt)
	magnitudeAdjustment := b.sel(resultHasSmallerMagnitude, minusOne, one)
	result := b.add(xAsInt, magnitudeAdjustment)
	result = b.sel(xIsZero, b.sel(yIsZero, resultForBothZero, resultForXZeroYNonZero), result)
	result = b.sel(xAndYAreEqual, resultForEqual, result)
	result = b.sel(nanInput, resultForNanAsInt, result)
	return b.bitcast(result, x.Type.Elem)
}
