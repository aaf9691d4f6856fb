package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The coefficients were fitted for this package by weighted least squares driven to the minimax solution in extended
// precision; the errors named beside them are relative to the function, before rounding. The logarithm of float64
// uses those of FreeBSD's e_log.c, as Go's math package does.

// polynomial is coefficients from the constant term up, as constants in all lanes.
func (e *emitter) polynomial(cs ...float64) []Op {
	ops := make([]Op, len(cs))
	for i, c := range cs {
		ops[i] = e.c(c)
	}
	return ops
}

// horner evaluates a polynomial at x.
func (e *emitter) horner(x vec, cs []Op) vec {
	p := e.move(cs[len(cs)-1])
	for i := len(cs) - 2; i >= 0; i-- {
		e.fma(p, x, cs[i])
	}
	return p
}

// shift calls an integer instruction with an immediate: dst = x op n.
func (e *emitter) shift(four, eight func(ops ...Op), n uint64, x vec) vec {
	d := e.v()
	e.pick(four, eight, Imm(n), x, d)
	return d
}

func (e *emitter) iadd(a vec, b Op) vec { return e.three(VPADDD, VPADDQ, a, b) }
func (e *emitter) isub(a vec, b Op) vec { return e.three(VPSUBD, VPSUBQ, a, b) }

// exponent is what the exponential functions share: x = n*ln2 + r with |r| <= ln2/2.
type exponent struct {
	e                   *emitter
	log2e, ln2hi, ln2lo Op
	magic               Op // 1.5 * 2^(mantissa bits): adding it rounds to an integer, kept in the low bits
	bias                Op
	q                   []Op // exp(r) = 1 + r + r^2*q(r)
}

func (e *emitter) exponent() *exponent {
	x := &exponent{e: e, log2e: e.c(math.Log2E)}
	if e.t.size == 4 {
		x.magic, x.bias = e.c(12582912), e.bits(127)
		x.ln2hi, x.ln2lo = e.c(0.693359375), e.c(-2.12194440e-4)
		x.q = e.polynomial(0.5, 0.166665182, 0.041666206, 0.00836891774, 0.00139505381) // 3.2e-9
	} else {
		x.magic, x.bias = e.c(6755399441055744), e.bits(1023)
		x.ln2hi, x.ln2lo = e.c(6.93147180369123816490e-01), e.c(1.90821492927058770002e-10)
		x.q = e.polynomial(0.5, 0.16666666666666685, 0.041666666666666755, 0.0083333333333165584, 0.0013888888888844272,
			0.00019841269897481726, 2.480158740080788e-05, 2.7557233835717158e-06, 2.7557210768934341e-07,
			2.5112373034259985e-08, 2.093379226676455e-09) // 6.2e-20
	}
	return x
}

// reduce returns r, n and the bits that hold n.
func (x *exponent) reduce(v vec) (r, n, nbits vec) {
	e := x.e
	nbits = e.move(x.magic)
	e.addMul(nbits, v, x.log2e)
	n = e.sub(nbits, x.magic)
	r = e.move(v)
	e.subMul(r, n, x.ln2hi)
	e.subMul(r, n, x.ln2lo)
	return r, n, nbits
}

// scale is p * 2^n, rounded once, also where the result is subnormal or overflows.
func (x *exponent) scale(p, n, nbits vec) vec {
	e := x.e
	if e.zmm {
		d := e.v()
		e.pick(VSCALEFPS, VSCALEFPD, n, p, d)
		return d
	}
	// two factors, each a normal number; n is in the low 32 bits of nbits for both sizes
	half := e.v()
	VPSRAD(Imm(1), e.low32(nbits), half)
	rest := e.v()
	VPSUBD(half, e.low32(nbits), rest)
	power := func(k vec) vec {
		b := e.v()
		VPADDD(x.bias, k, b)
		if e.t.size == 4 {
			return e.shift(VPSLLD, VPSLLQ, 23, b)
		}
		return e.shift(VPSLLD, VPSLLQ, 52, b)
	}
	return e.mul(e.mul(p, power(half)), power(rest))
}

// low32 is the integer in the low bits of a float that holds magic + n: for float32 the magic bits are taken off.
func (e *emitter) low32(nbits vec) vec {
	if e.t.size == 8 {
		return nbits
	}
	d := e.v()
	VPSUBD(data(0x4B400000, 4), nbits, d)
	return d
}

// clamp limits x to [lo, hi], keeping NaN: min and max return their second source when one is NaN.
func (e *emitter) clamp(x vec, lo, hi vec) vec { return e.high(lo, e.low(hi, x)) }

// exp returns the step of exp.
func (e *emitter) exp() func(v vec) vec {
	x := e.exponent()
	lo, hi, one := e.reg(e.f(-104)), e.reg(e.f(89)), e.c(1)
	if e.t.size == 8 {
		lo, hi = e.reg(e.f(-746)), e.reg(e.f(710))
	}
	return func(v vec) vec {
		r, n, nbits := x.reduce(e.clamp(v, lo, hi))
		p := e.horner(r, x.q)
		p = e.fma(e.fma(p, r, one), r, one)
		return x.scale(p, n, nbits)
	}
}

// expm1 returns the step of expm1, float32 only.
func (e *emitter) expm1() func(v vec) vec {
	x := e.exponent()
	lo, hi, half, zero := e.reg(e.f(-18)), e.reg(e.f(89)), e.c(0.5), e.reg(0)
	sign := e.bits(e.signBit())
	return func(v vec) vec {
		r, n, nbits := x.reduce(e.clamp(v, lo, hi))
		em := e.horner(r, x.q)
		em = e.fma(em, e.mul(r, r), r)
		// 2^n*em + 2^n - 1, halved so that n = 128 does not overflow on the way
		u := e.iadd(e.shift(VPSLLD, VPSLLQ, 23, nbits), half)
		d := e.sub(u, half)
		e.addMul(d, u, em)
		d = e.blend(e.cmp(predEQ, n, zero), e.add(d, d), em)
		return e.or(d, e.and(v, sign))
	}
}

// logParts is what log and log1p of float32 share: log(m) for m-1 = f in [-1/3, 1/3].
type logParts struct {
	e               *emitter
	p               []Op // log(1+f) = f - f^2/2 + f^3*p(f)
	third           Op
	expo, ln2, half Op
	inf, ninf, nan  Op
	zero            vec
}

func (e *emitter) logParts() *logParts {
	return &logParts{
		e: e,
		p: e.polynomial(0.333332241, -0.249996886, 0.200100437, -0.166854665, 0.140109196, -0.121151261, 0.139624506,
			-0.131916463), // 5.0e-9
		third: e.c(2.0 / 3), expo: e.bits(0xff800000), ln2: e.c(math.Ln2), half: e.c(-0.5),
		inf: e.c(math.Inf(1)), ninf: e.c(math.Inf(-1)), nan: e.bits(0x7fc00000), zero: e.reg(0),
	}
}

// split returns the exponent bits of x relative to 2/3 and its exponent as a float.
func (l *logParts) split(x vec) (bits, k vec) {
	e := l.e
	bits = e.and(e.isub(x, l.third), l.expo)
	k = e.v()
	VCVTDQ2PS(e.shift(VPSRAD, VPSRAD, 23, bits), k)
	return bits, k
}

// join is log(1+f) + k*ln2.
func (l *logParts) join(f, k vec) vec {
	e := l.e
	s := e.mul(f, f)
	p := e.horner(f, l.p)
	p = e.fma(p, f, l.half)
	p = e.fma(p, s, f)
	return e.addMul(p, k, l.ln2)
}

// special sets the results for arguments of the logarithm that are not positive and finite.
func (l *logParts) special(r, x vec) vec {
	e := l.e
	r = e.blend(e.cmp(predEQ, x, l.zero), r, l.ninf)
	r = e.blend(e.cmp(predEQ, x, l.inf), r, l.inf)
	return e.blend(e.cmp(predNGEU, x, l.zero), r, l.nan)
}

func (e *emitter) log32() func(v vec) vec {
	l := e.logParts()
	tiny, up, m23, one := e.c(0x1p-126), e.c(0x1p23), e.c(-23), e.c(1)
	return func(v vec) vec {
		sub := e.cmp(predLT, v, tiny)
		x := e.blend(sub, v, e.mul(v, up))
		bits, k := l.split(x)
		k = e.add(k, e.onlyWhere(sub, m23))
		f := e.sub(e.isub(x, bits), one)
		return l.special(l.join(f, k), v)
	}
}

func (e *emitter) log1p32() func(v vec) vec {
	l := e.logParts()
	one, big, sign := e.c(1), e.c(0x1p25), e.bits(e.signBit())
	oneReg := e.reg(e.f(1))
	return func(v vec) vec {
		u := e.add(v, one)
		// u + c is 1 + v exactly; beyond 2^25 c changes nothing
		b := e.sub(u, one)
		c := e.add(e.sub(oneReg, e.sub(u, b)), e.sub(v, b))
		bits, k := l.split(u)
		f := e.sub(e.isub(u, bits), one)
		e.addMul(f, c, e.onlyWhere(e.cmp(predLT, v, big), e.isub(oneReg, bits)))
		r := l.special(l.join(f, k), u)
		return e.or(r, e.and(v, sign))
	}
}

// log64 is e_log.c: with s = f/(2+f), log(1+f) = f - (f^2/2 - s*(f^2/2 + R(s^2))).
func (e *emitter) log64() func(v vec) vec {
	third := e.bits(math.Float64bits(math.Sqrt2/2) - 1023<<52)
	tiny, up, m54 := e.c(0x1p-1022), e.c(0x1p54), e.c(-54)
	expo, bias, toInt := e.bits(0xfff0000000000000), e.c(0x1p52+1023), e.bits(math.Float64bits(0x1p52))
	hi, lo := e.c(6.93147180369123816490e-01), e.c(1.90821492927058770002e-10)
	one, two, half, zero := e.c(1), e.c(2), e.c(0.5), e.reg(0)
	lg := e.polynomial(6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
		2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01)
	inf, ninf, nan := e.c(math.Inf(1)), e.c(math.Inf(-1)), e.c(math.NaN())
	unit := e.bits(1023 << 52)
	return func(v vec) vec {
		sub := e.cmp(predLT, v, tiny)
		x := e.blend(sub, v, e.mul(v, up))
		biased := e.isub(x, third)
		k := e.or(e.shift(VPSRLD, VPSRLQ, 52, biased), toInt)
		k = e.add(e.sub(k, bias), e.onlyWhere(sub, m54))
		f := e.sub(e.isub(x, e.isub(e.and(biased, expo), unit)), one)
		s := e.div(f, e.add(f, two))
		z := e.mul(s, s)
		r := e.mul(e.horner(z, lg), z)
		h := e.mul(e.mul(f, f), half)
		t := e.mul(s, e.add(h, r))
		t = e.addMul(t, k, lo)
		t = e.sub(f, e.sub(h, t))
		r = e.addMul(t, k, hi)
		r = e.blend(e.cmp(predEQ, v, zero), r, ninf)
		r = e.blend(e.cmp(predEQ, v, inf), r, inf)
		return e.blend(e.cmp(predNGEU, v, zero), r, nan)
	}
}

// logistic is 1/(1+exp(-x)), from exp(-|x|) so that nothing overflows.
func (e *emitter) logistic() func(v vec) vec {
	exp := e.exp()
	one, zero, sign := e.reg(e.f(1)), e.reg(0), e.bits(e.signBit())
	return func(v vec) vec {
		x := exp(e.or(v, sign))
		top := e.blend(e.cmp(predLT, v, zero), one, x)
		return e.div(top, e.add(x, one))
	}
}

// tanh is 1 - 2/(exp(2x)+1) for large |x| and an odd polynomial for small.
func (e *emitter) tanh32() func(v vec) vec {
	x := e.exponent()
	one, two, hi := e.c(1), e.reg(e.f(2)), e.reg(e.f(20))
	oneReg := e.reg(e.f(1))
	sign, abs, limit := e.bits(e.signBit()), e.bits(e.signBit()-1), e.c(0.6)
	q := e.polynomial(-0.333332986, 0.133319587, -0.0537866838, 0.0208053887, -0.00590587314) // 2.7e-9
	return func(v vec) vec {
		a := e.and(v, abs)
		r, _, nbits := x.reduce(e.low(hi, e.add(a, a)))
		p := e.horner(r, x.q)
		p = e.fma(e.fma(p, r, one), r, one)
		p = e.iadd(e.shift(VPSLLD, VPSLLQ, 23, nbits), p)
		large := e.sub(oneReg, e.div(two, e.add(p, one)))
		z := e.mul(a, a)
		small := e.fma(e.mul(e.horner(z, q), z), a, a)
		// small is taken for NaN too: the integer steps of large lose it
		d := e.blend(e.cmp(predNGEU, a, limit), large, small)
		return e.or(d, e.and(v, sign))
	}
}

// erf is an odd polynomial for small |x|, and 1 - exp(p(|x|)) where p approximates log(erfc).
func (e *emitter) erf32() func(v vec) vec {
	x := e.exponent()
	one, four := e.c(1), e.reg(e.f(4))
	oneReg := e.reg(e.f(1))
	sign, abs, limit := e.bits(e.signBit()), e.bits(e.signBit()-1), e.c(0.93)
	near := e.polynomial(0.128379166, -0.376126319, 0.112836726, -0.0268581063, 0.00519780209, -0.00081060105,
		8.21557915e-05) // 6.1e-10
	far := e.polynomial(0.00017468445, -1.12951493, -0.633346915, -0.108280092, 0.0251194276, -0.00417106319,
		0.000434462621, -2.10950511e-05) // 4.7e-11
	return func(v vec) vec {
		a := e.low(four, e.and(v, abs))
		r, _, nbits := x.reduce(e.horner(a, far))
		p := e.horner(r, x.q)
		p = e.fma(e.fma(p, r, one), r, one)
		p = e.iadd(e.shift(VPSLLD, VPSLLQ, 23, nbits), p)
		large := e.sub(oneReg, p)
		z := e.mul(a, a)
		small := e.fma(e.horner(z, near), a, a)
		d := e.blend(e.cmp(predNGEU, a, limit), large, small) // small for NaN too
		return e.or(d, e.and(v, sign))
	}
}

// trigLimit is up to where three parts of pi/2 reduce the argument; beyond, the caller takes over.
const trigLimit = 1e5

// trig writes sin or cos: a function that stops at the first vector with an argument beyond trigLimit and returns how
// many elements it has done.
func (e *emitter) trig(name string, quadrant uint64) {
	full := e.begin(lower(name), "func(dst, a *float32, n int) int")
	dst, a, n := e.native("dst"), e.native("a"), length()
	magic, twoPi := e.c(12582912), e.c(2/math.Pi)
	p1, p2, p3 := e.c(0x1.921fb4p0), e.c(0x1.4442d0p-24), e.c(0x1.84698ap-48)
	sin := e.polynomial(-0.166666552, 0.00833216868, -0.00019516013)  // 3.7e-9
	cos := e.polynomial(0.0416666456, -0.00138873549, 2.44370076e-05) // 9.8e-11
	one, mhalf, abs, limit := e.c(1), e.c(-0.5), e.bits(e.signBit()-1), e.c(trigLimit)
	bit0 := e.bits(1)
	bit1 := e.bits(2)
	turn := e.bits(quadrant)
	zero := e.v()
	if e.zmm {
		VPXORD(zero, zero, zero)
	} else {
		VPXOR(zero, zero, zero)
	}
	done := GP64()
	e.sweep(n, 1, func(p *place) {
		v := p.load(a)
		MOVQ(p.index, done)
		beyond := e.cmp(predNLEU, e.and(v, abs), limit)
		if e.zmm {
			KORTESTW(beyond.k, beyond.k)
		} else {
			g := GP32()
			VMOVMSKPS(beyond.v, g)
			TESTL(g, g)
		}
		JNE(LabelRef("stop"))
		j := e.move(magic)
		e.addMul(j, v, twoPi)
		q := e.iadd(j, turn)
		j = e.sub(j, magic)
		r := e.move(v)
		e.subMul(r, j, p1)
		e.subMul(r, j, p2)
		e.subMul(r, j, p3)
		z := e.mul(r, r)
		s := e.fma(e.mul(e.horner(z, sin), z), r, r)
		c := e.horner(z, cos)
		c = e.fma(c, z, mhalf)
		c = e.fma(c, z, one)
		var odd mask
		if e.zmm {
			odd.k = K()
			VPTESTMD(bit0, q, odd.k)
		} else {
			odd.v = e.v()
			VPAND(bit0, q, odd.v)
			VPCMPEQD(bit0, odd.v, odd.v)
		}
		d := e.blend(odd, s, c)
		flip := e.shift(VPSLLD, VPSLLD, 30, e.and(q, bit1))
		d = e.xor(d, flip)
		if quadrant == 0 { // -0 stays -0: the remainder of zero has lost its sign
			d = e.blend(e.cmp(predEQ, v, zero), d, v)
		}
		p.store(d, dst)
	}, func() {
		r := GP64()
		Load(Param("n"), r)
		Store(r, ReturnIndex(0))
		end()
		Label("stop")
		Store(done, ReturnIndex(0))
		end()
	})
	bind(e, full, fmt.Sprintf("t.F32.Unary[%s] = trig(NAME, t.F32.Unary[%s])", name, name))
}

func functions(zmm bool) {
	e := &emitter{zmm: zmm, t: f32}
	e.unary("Exp", 1, e.exp)
	e.unary("Expm1", 1, e.expm1)
	e.unary("Log", 1, e.log32)
	e.unary("Log1p", 1, e.log1p32)
	e.unary("Tanh", 1, e.tanh32)
	e.unary("Logistic", 1, e.logistic)
	e.unary("Erf", 1, e.erf32)
	e.trig("Sin", 0)
	e.trig("Cos", 1)
	e = &emitter{zmm: zmm, t: f64}
	e.unary("Exp", 1, e.exp)
	e.unary("Log", 1, e.log64)
	e.unary("Logistic", 1, e.logistic)
}
