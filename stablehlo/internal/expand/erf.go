package expand

// The approximations of this file are those of the StableHLO project (Apache-2.0), chlo-legalize-to-stablehlo, so that
// results agree with its reference to the last digits.

// erf32 is the approximation that Eigen uses: a rational function on [-4, 4].
func erf32(b *builder, x value) value {
	alpha := []float64{
		-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
		-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
	}
	beta := []float64{
		-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
		-1.42647390514189e-02,
	}
	lb := b.like(-4.0, x)
	ub := b.like(4.0, x)
	x = b.clamp(lb, x, ub)
	xSq := b.mul(x, x)
	alphaPoly := b.poly(xSq, alpha)
	betaPoly := b.poly(xSq, beta)
	xMulAlphaPoly := b.mul(x, alphaPoly)
	erf := b.div(xMulAlphaPoly, betaPoly)
	lbErf := b.like(-1.0, x)
	ubErf := b.like(1.0, x)
	return b.clamp(lbErf, erf, ubErf)
}

func erf64(b *builder, x value) value {
	erfApprox := erfNear64(b, x)
	one := b.like(1.0, x)
	erfcApprox := erfcTail64(b, x)
	erfcBasedApprox := b.sub(one, erfcApprox)
	absX := b.abs(x)
	absXLtOne := b.cmp("LT", absX, one)
	return b.sel(absXLtOne, erfApprox, erfcBasedApprox)
}

func erfc32(b *builder, x value) value {
	erfcApprox := erfcTail32(b, x)
	one := b.like(1.0, x)
	erfApprox := erfNear32(b, x)
	erfBasedApprox := b.sub(one, erfApprox)
	absX := b.abs(x)
	absXLtOne := b.cmp("LT", absX, one)
	return b.sel(absXLtOne, erfBasedApprox, erfcApprox)
}

func erfc64(b *builder, x value) value {
	erfcApprox := erfcTail64(b, x)
	one := b.like(1.0, x)
	erfApprox := erfNear64(b, x)
	erfBasedApprox := b.sub(one, erfApprox)
	absX := b.abs(x)
	absXLtOne := b.cmp("LT", absX, one)
	return b.sel(absXLtOne, erfBasedApprox, erfcApprox)
}

// erfNear32 is erf for |x| <= 1 (Cephes).
func erfNear32(b *builder, x value) value {
	erfTCoefficients := []float64{
		7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2,
		1.128358514861418e-1, -3.761262582423300e-1, 1.128379165726710e+0,
	}
	xSq := b.mul(x, x)
	polyT := b.poly(xSq, erfTCoefficients)
	return b.mul(x, polyT)
}

// erfNear64 is erf for |x| <= 1 (Cephes): x T(x²)/U(x²).
func erfNear64(b *builder, x value) value {
	erfTCoefficients := []float64{
		9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3,
		5.55923013010394962768e4,
	}
	erfUCoefficients := []float64{
		1.00000000000000000000e0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
		2.26290000613890934246e4, 4.92673942608635921086e4,
	}
	xSq := b.mul(x, x)
	polyT := b.poly(xSq, erfTCoefficients)
	xMulPolyT := b.mul(x, polyT)
	polyU := b.poly(xSq, erfUCoefficients)
	return b.div(xMulPolyT, polyU)
}

// erfcTail32 is erfc for |x| >= 1 (Cephes), in powers of 1/x².
func erfcTail32(b *builder, x value) value {
	maxlog := 88.72283905206835
	erfcPCoefficients := []float64{
		2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1,
		6.210004621745983e-1, -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1,
		5.638259427386472e-1,
	}
	erfcRCoefficients := []float64{
		-1.047766399936249e+1, 1.297719955372516e+1, -7.495518717768503e+0, 2.921019019210786e+0,
		-1.015265279202700e+0, 4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
	}
	xSq := b.mul(x, x)
	z := b.neg(xSq)
	absX := b.abs(x)
	one := b.like(1.0, x)
	reciprocalXSq := b.div(one, xSq)
	expZ := b.exp(z)
	oneDivAbsX := b.div(one, absX)
	expZMulOneDivAbsX := b.mul(expZ, oneDivAbsX)
	two := b.like(2.0, x)
	absXLtTwo := b.cmp("LT", absX, two)
	polP := b.poly(reciprocalXSq, erfcPCoefficients)
	polR := b.poly(reciprocalXSq, erfcRCoefficients)
	poly := b.sel(absXLtTwo, polP, polR)
	erfcApprox := b.mul(expZMulOneDivAbsX, poly)
	zLtNeqMaxlog := b.cmp("LT", z, b.like(-maxlog, x))
	zero := b.like(0.0, x)
	erfcApproxClamped := b.sel(zLtNeqMaxlog, zero, erfcApprox)
	xLtZero := b.cmp("LT", x, zero)
	twoSubErfcApprox := b.sub(two, erfcApproxClamped)
	return b.sel(xLtZero, twoSubErfcApprox, erfcApproxClamped)
}

// erfcTail64 is erfc for |x| >= 1 (Cephes): a rational function of |x| times exp(-x²), and 2-erfc(-x) where x is negative.
func erfcTail64(b *builder, x value) value {
	maxlog := 7.09782712893383996843e2
	erfcPCoefficients := []float64{
		2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0, 4.86371970985681366614e1,
		1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3,
		5.57535335369399327526e2,
	}
	erfcQCoefficients := []float64{
		1.00000000000000000000e0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
		9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3, 1.65666309194161350182e3,
		5.57535340817727675546e2,
	}
	erfcRCoefficients := []float64{
		5.64189583547755073984e-1, 1.27536670759978104416e0, 5.01905042251180477414e0, 6.16021097993053585195e0,
		7.40974269950448939160e0, 2.97886665372100240670e0,
	}
	erfcSCoefficients := []float64{
		1.00000000000000000000e0, 2.26052863220117276590e0, 9.39603524938001434673e0, 1.20489539808096656605e1,
		1.70814450747565897222e1, 9.60896809063285878198e0, 3.36907645100081516050e0,
	}
	xSq := b.mul(x, x)
	z := b.neg(xSq)
	expZ := b.exp(z)
	absX := b.abs(x)
	polP := b.poly(absX, erfcPCoefficients)
	expZMulPolyP := b.mul(expZ, polP)
	polQ := b.poly(absX, erfcQCoefficients)
	erfcApprox18 := b.div(expZMulPolyP, polQ)
	polR := b.poly(absX, erfcRCoefficients)
	expZMulPolyR := b.mul(expZ, polR)
	polS := b.poly(absX, erfcSCoefficients)
	erfcApprox8Inf := b.div(expZMulPolyR, polS)
	eight := b.like(8.0, x)
	absXLt8 := b.cmp("LT", absX, eight)
	erfcApprox := b.sel(absXLt8, erfcApprox18, erfcApprox8Inf)
	zLtNegMaxlog := b.cmp("LT", z, b.like(-maxlog, x))
	zero := b.like(0.0, x)
	erfcApproxClamped := b.sel(zLtNegMaxlog, zero, erfcApprox)
	xLtZero := b.cmp("LT", x, zero)
	two := b.like(2.0, x)
	twoSubErfcApproxClamped := b.sub(two, erfcApproxClamped)
	return b.sel(xLtZero, twoSubErfcApproxClamped, erfcApproxClamped)
}

// erfInv32 is the inverse of erf by Giles, two polynomials in -log(1-x²).
func erfInv32(b *builder, x value) value {
	wLessThan5Constants := []float64{
		2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06,
		0.00021858087, -0.00125372503, -0.00417768164, 0.246640727,
		1.50140941,
	}
	wGreaterThan5Constants := []float64{
		-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844,
		0.00573950773, -0.0076224613, 0.00943887047, 1.00167406,
		2.83297682,
	}
	minusXSquared := b.mul(x, b.neg(x))
	w := b.neg(b.log1p(minusXSquared))
	lt := b.cmp("LT", w, b.like(5.0, x))
	coefficient := func(i int) value {
		return b.sel(lt, b.like(wLessThan5Constants[i], x), b.like(wGreaterThan5Constants[i], x))
	}
	w = b.sel(lt, b.sub(w, b.like(2.5, x)), b.sub(b.sqrt(w), b.like(3.0, x)))
	p := coefficient(0)
	for i := 1; i < 9; i++ {
		p = b.add(coefficient(i), b.mul(p, w))
	}
	result := b.mul(p, x)
	return b.sel(b.cmp("EQ", b.abs(x), b.like(1, x)), b.mul(x, b.inf(x)), result)
}

// erfInv64 is the inverse of erf by Giles, three polynomials in -log(1-x²).
func erfInv64(b *builder, x value) value {
	wLessThan625Constants := []float64{
		-3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18, 1.115787767802518096e-17,
		-1.333171662854620906e-16, 2.0972767875968561637e-17, 6.6376381343583238325e-15, -4.0545662729752068639e-14,
		-8.1519341976054721522e-14, 2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
		1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08, 4.2347877827932403518e-07,
		-1.3654692000834678645e-06, -1.3882523362786468719e-05, 0.0001867342080340571352, -0.00074070253416626697512,
		-0.0060336708714301490533, 0.24015818242558961693, 1.6536545626831027356,
	}
	wLessThan16Constants := []float64{
		2.2137376921775787049e-09, 9.0756561938885390979e-08, -2.7517406297064545428e-07, 1.8239629214389227755e-08,
		1.5027403968909827627e-06, -4.013867526981545969e-06, 2.9234449089955446044e-06, 1.2475304481671778723e-05,
		-4.7318229009055733981e-05, 6.8284851459573175448e-05, 2.4031110387097893999e-05, -0.0003550375203628474796,
		0.00095328937973738049703, -0.0016882755560235047313, 0.0024914420961078508066, -0.0037512085075692412107,
		0.005370914553590063617, 1.0052589676941592334, 3.0838856104922207635,
	}
	wGreaterThan16Constants := []float64{
		-2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09, -3.7894654401267369937e-09,
		7.6157012080783393804e-09, -1.4960026627149240478e-08, 2.9147953450901080826e-08, -6.7711997758452339498e-08,
		2.2900482228026654717e-07, -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05,
		7.5995277030017761139e-05, -0.00021503011930044477347, -0.00013871931833623122026, 1.0103004648645343977,
		4.8499064014085844221,
	}
	minusXSquared := b.mul(x, b.neg(x))
	w := b.neg(b.log1p(minusXSquared))
	lt625 := b.cmp("LT", w, b.like(6.25, x))
	lt16 := b.cmp("LT", w, b.like(16, x))
	coefficient := func(i int) value {
		c := b.like(wLessThan625Constants[i], x)
		if i < 19 {
			c = b.sel(lt625, c, b.like(wLessThan16Constants[i], x))
		}
		if i < 17 {
			c = b.sel(lt16, c, b.like(wGreaterThan16Constants[i], x))
		}
		return c
	}
	sqrtW := b.sqrt(w)
	wMinus3125 := b.sub(w, b.like(3.125, x))
	select2 := b.sel(lt16, b.like(3.25, w), b.like(5.0, w))
	select2Result := b.sub(sqrtW, select2)
	w = b.sel(lt625, wMinus3125, select2Result)
	p := coefficient(0)
	for i := 1; i < 17; i++ {
		p = b.add(coefficient(i), b.mul(p, w))
	}
	for i := 17; i < 19; i++ {
		p = b.sel(lt16, b.add(coefficient(i), b.mul(p, w)), p)
	}
	for i := 19; i < 23; i++ {
		p = b.sel(lt625, b.add(coefficient(i), b.mul(p, w)), p)
	}
	result := b.mul(p, x)
	return b.sel(b.cmp("EQ", b.abs(x), b.like(1, x)), b.mul(x, b.inf(x)), result)
}
