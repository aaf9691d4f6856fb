package expand

import "math"

// The approximations of this file are those of the StableHLO project (Apache-2.0), chlo-legalize-to-stablehlo, so that
// results agree with its reference to the last digits.

// The coefficients of the Lanczos approximation for g = 7 and nine terms.
const (
	lanczosGamma     = 7.0
	baseLanczosCoeff = 0.99999999999980993227684700473478
)

var lanczosCoefficients = [...]float64{
	676.520368121885098567009190444019, -1259.13921672240287047156078755283, 771.3234287776530788486528258894,
	-176.61502916214059906584551354, 12.507343278686904814458936853, -0.13857109526572011689554707,
	9.984369578019570859563e-6, 1.50563273514931155834e-7,
}

// lgamma is log|gamma(x)| by the approximation of Lanczos, reflected where x < 1/2:
//
//	lgamma(z+1) = (log 2 + log pi)/2 + (z + 1/2) log t(z) - t(z) + log a(z), t(z) = z + g + 1/2
//
// The term with t is computed as (z + 1/2 - t/log t) log t, which does not overflow; |frac x| is folded at 1/2 before
// it is multiplied by pi, which keeps the sine exact near integers.
func lgamma(b *builder, x value) value {
	half := b.like(0.5, x)
	needToReflect := b.cmp("LT", x, half)
	negX := b.neg(x)
	one := b.like(1, x)
	xSubOne := b.sub(x, one)
	z := b.sel(needToReflect, negX, xSubOne)
	a := b.like(baseLanczosCoeff, x)
	for i := range lanczosCoefficients {
		coeff := b.like(lanczosCoefficients[i], x)
		oneBasedIndex := b.like(float64(i+1), x)
		quotient := b.div(coeff, b.add(z, oneBasedIndex))
		a = b.add(a, quotient)
	}
	lanczosPlusHalf := b.like(lanczosGamma+0.5, x)
	t := b.add(lanczosPlusHalf, z)
	logTerm := b.like(math.Log(lanczosGamma+0.5), x)
	log1pTerm := b.log1p(b.div(z, lanczosPlusHalf))
	logT := b.add(logTerm, log1pTerm)
	tDivLogT := b.div(t, logT)
	sum := b.sub(b.add(z, half), tDivLogT)
	r := b.mul(sum, logT)
	logA := b.log(a)
	lgamma := b.add(b.add(b.like((math.Log(2)+math.Log(math.Pi))/2, x), r), logA)
	abs := b.abs(x)
	absFrac := b.sub(abs, b.floor(abs))
	reduceAbsFrac := b.cmp("LT", half, absFrac)
	absFrac = b.sel(reduceAbsFrac, b.sub(one, absFrac), absFrac)
	reflectionDenom := b.log(b.sine(b.mul(b.like(math.Pi, x), absFrac)))
	lgammaReflection := b.sub(b.sub(b.like(math.Log(math.Pi), x), reflectionDenom), lgamma)
	finiteReflectionDenom := b.isFinite(reflectionDenom)
	negReflectionDenom := b.neg(reflectionDenom)
	lgammaReflection = b.sel(finiteReflectionDenom, lgammaReflection, negReflectionDenom)
	lgamma = b.sel(needToReflect, lgammaReflection, lgamma)
	xIsInf := b.cmp("EQ", b.abs(x), b.inf(x))
	return b.sel(xIsInf, b.inf(x), lgamma)
}

// digamma is the derivative of lgamma: log t(z) + a'(z)/a(z) - g/t(z), reflected where x < 1/2.
func digamma(b *builder, x value) value {
	half := b.like(0.5, x)
	needToReflect := b.cmp("LT", x, half)
	negX := b.neg(x)
	one := b.like(1, x)
	xSubOne := b.sub(x, one)
	z := b.sel(needToReflect, negX, xSubOne)
	zero := b.like(0.0, x)
	a := b.like(baseLanczosCoeff, x)
	aPrime := zero
	for i := range lanczosCoefficients {
		coeff := b.like(lanczosCoefficients[i], x)
		oneBasedIndex := b.like(float64(i+1), x)
		zTerm := b.add(z, oneBasedIndex)
		aPrime = b.sub(aPrime, b.div(coeff, b.mul(zTerm, zTerm)))
		a = b.add(a, b.div(coeff, zTerm))
	}
	lanczosPlusHalf := b.like(lanczosGamma+0.5, x)
	t := b.add(lanczosPlusHalf, z)
	logTerm := b.like(math.Log(lanczosGamma+0.5), x)
	log1pTerm := b.log1p(b.div(z, lanczosPlusHalf))
	logT := b.add(logTerm, log1pTerm)
	aPrimeDivA := b.div(aPrime, a)
	lanczosGammaDivT := b.div(b.like(lanczosGamma, x), t)
	digamma := b.sub(b.add(logT, aPrimeDivA), lanczosGammaDivT)
	reducedX := b.add(x, b.abs(b.floor(b.add(x, b.like(0.5, x)))))
	pi := b.like(math.Pi, x)
	piMulReducedX := b.mul(pi, reducedX)
	cos := b.cosine(piMulReducedX)
	sin := b.sine(piMulReducedX)
	reflection := b.sub(digamma, b.div(b.mul(pi, cos), sin))
	digamma = b.sel(needToReflect, reflection, digamma)
	isLeZero := b.cmp("LE", x, zero)
	isInt := b.cmp("EQ", x, b.floor(x))
	isPole := b.and(isLeZero, isInt)
	return b.sel(isPole, b.like(math.NaN(), x), digamma)
}

// zeta is the Hurwitz zeta function: nine terms of the series, then twelve of the Euler-Maclaurin formula
// (Johansson, Rigorous high-precision computation of the Hurwitz zeta function, formula 5).
func zeta(b *builder, x, q value) value {
	const terms = 12
	const iters = 9
	const twoTermsMinusOne = 2*terms - 1
	zetaCoeffs := []float64{
		-7.1661652561756670113e18, 1.8152105401943546773e17, -4.5979787224074726105e15, 1.1646782814350067249e14,
		-2.950130727918164224e12, 7.47242496e10, -1.8924375803183791606e9, 47900160.0,
		-1209600.0, 30240.0, -720.0, 12.0,
	}
	zero := b.like(0.0, q)
	one := b.like(1.0, q)
	acc := q
	qNegPower := zero
	negX := b.neg(x)
	powerSum := b.pow(q, negX)
	for i := 0; i < iters; i++ {
		acc = b.add(acc, one)
		qNegPower = b.pow(acc, negX)
		powerSum = b.add(powerSum, qNegPower)
	}
	acc = b.add(acc, one)
	qNegPower = b.pow(acc, negX)
	oneLikeX := b.like(1.0, x)
	correctionEulerMaclaurin := b.div(b.mul(qNegPower, acc), b.sub(x, oneLikeX))
	rsqrtAcc := b.div(one, b.mul(acc, acc))
	hornerSum := zero
	for i := 0; i < terms-1; i++ {
		factorLhs := b.add(x, b.like(float64(twoTermsMinusOne-1-2*i), x))
		factorRhs := b.add(x, b.like(float64(twoTermsMinusOne-2-2*i), x))
		hornerProduct := b.mul(factorLhs, factorRhs)
		hornerSum = b.mul(hornerProduct, b.mul(rsqrtAcc, b.add(hornerSum, b.like(1./zetaCoeffs[i], acc))))
	}
	zeroPointFiveLikeQNegPower := b.like(.5, qNegPower)
	xDivAcc := b.div(x, acc)
	bernoulliTailTerm := b.mul(qNegPower, b.add(zeroPointFiveLikeQNegPower, b.mul(xDivAcc, b.add(b.like(1./zetaCoeffs[terms-1], acc), hornerSum))))
	accurateResult := b.add(b.add(powerSum, correctionEulerMaclaurin), bernoulliTailTerm)
	absQNegPower := b.abs(qNegPower)
	absPowerSum := b.abs(powerSum)
	output := b.sel(b.cmp("LT", absQNegPower, b.mul(absPowerSum, b.smallest(acc))), powerSum, accurateResult)
	nan := b.like(math.NaN(), x)
	output = b.sel(b.cmp("LT", x, oneLikeX), nan, output)
	qLeZero := b.cmp("LE", q, zero)
	xNotInt := b.cmp("NE", x, b.floor(x))
	xDomainError := b.and(qLeZero, xNotInt)
	output = b.sel(xDomainError, nan, output)
	inf := b.like(math.Inf(1), x)
	qIsInt := b.cmp("EQ", q, b.floor(q))
	atPole := b.and(qLeZero, qIsInt)
	two := b.like(2.0, x)
	xIsInt := b.cmp("EQ", x, b.floor(x))
	xIsEven := b.cmp("EQ", b.rem(x, two), zero)
	xIsEvenInt := b.and(xIsInt, xIsEven)
	output = b.sel(atPole, b.sel(xIsEvenInt, inf, nan), output)
	output = b.sel(b.cmp("EQ", x, one), inf, output)
	return output
}

// polygamma is the n-th derivative of digamma at x: (-1)^(n+1) n! zeta(n+1, x).
func polygamma(b *builder, n, x value) value {
	one := b.like(1.0, x)
	two := b.like(2.0, x)
	sign := b.sub(b.mul(two, b.rem(n, two)), one)
	nPlusOne := b.add(n, one)
	expLgammaNp1 := b.exp(lgamma(b, nPlusOne))
	zeta := zeta(b, nPlusOne, x)
	result := b.mul(b.mul(sign, expLgammaNp1), zeta)
	zero := b.like(0.0, x)
	nEqZero := b.cmp("EQ", n, zero)
	result = b.sel(nEqZero, digamma(b, x), result)
	nonInt := b.cmp("NE", n, b.floor(n))
	negative := b.cmp("LT", n, zero)
	nonNatural := b.or(nonInt, negative)
	return b.sel(nonNatural, b.like(math.NaN(), x), result)
}
