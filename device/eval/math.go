package eval

import (
	"math"
	"math/big"
	"sync"
)

// The functions here are those of package math where they are accurate to about one unit in the last place, and
// better ones where they are not. Types narrower than f64 are computed in float64 and rounded once.

// exp is math.Exp, which on amd64 overflows below 709.5 already.
func exp(x float64) float64 {
	if x > 709 && x < 710 {
		const hi, lo = 0x1.d422d2be5dc9bp+1022, -0x1.916aa7a2c8d07p+967 // e^709
		e := math.Exp(x - 709)
		return math.FMA(hi, e, lo*e)
	}
	return math.Exp(x)
}

// log is math.Log, which on amd64 is wrong for subnormal numbers.
func log(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

func cbrt(x float64) float64 { return math.Cbrt(x) }

// tanh follows fdlibm: through expm1, so that no digits cancel.
func tanh(x float64) float64 {
	a := math.Abs(x)
	var z float64
	switch {
	case x != x || a < 1e-9:
		return x
	case a > 22:
		z = 1
	case a >= 1:
		z = 1 - 2/(math.Expm1(2*a)+2)
	default:
		t := math.Expm1(-2 * a)
		z = -t / (t + 2)
	}
	return math.Copysign(z, x)
}

// atan2 has the sign of y also where y/x is too small for a float64, which math.Atan2 misses.
func atan2(y, x float64) float64 {
	if y != y || x != x {
		return math.NaN()
	}
	return math.Copysign(math.Atan2(y, x), y)
}

func sin(x float64) float64 {
	if math.Abs(x) > farAngle {
		s, _ := sincos(x)
		return s
	}
	return math.Sin(x)
}

func cos(x float64) float64 {
	if math.Abs(x) > farAngle {
		_, c := sincos(x)
		return c
	}
	return math.Cos(x)
}

func tan(x float64) float64 {
	if math.Abs(x) > farAngle && !math.IsInf(x, 0) {
		r, quadrant := reduceAngle(x)
		if quadrant%2 == 1 {
			return -1 / tan(r)
		}
		return tan(r)
	}
	if z := x * x; z < 1e-8 { // where math.Tan takes x, which is up to 25 units off
		return x + x*z*(1./3+z*(2./15))
	}
	return math.Tan(x)
}

func sincos(x float64) (s, c float64) {
	if x != x || math.Abs(x) <= farAngle || math.IsInf(x, 0) {
		return math.Sincos(x)
	}
	r, quadrant := reduceAngle(x)
	s, c = math.Sincos(r)
	switch quadrant {
	case 1:
		return c, -s
	case 2:
		return -s, -c
	case 3:
		return -c, s
	}
	return s, c
}

// farAngle is the angle from which package math loses digits in reducing it.
const farAngle = 1 << 20

// halfPi has enough bits to reduce every float64 and keep more than 53 behind the point.
var halfPi = sync.OnceValue(func() *big.Float {
	const prec = 1400
	// Machin: pi/4 = 4 atan(1/5) - atan(1/239)
	atanInverse := func(n int64) *big.Float {
		sum, term := new(big.Float).SetPrec(prec), new(big.Float).SetPrec(prec).Quo(
			big.NewFloat(1).SetPrec(prec), new(big.Float).SetPrec(prec).SetInt64(n))
		square := new(big.Float).SetPrec(prec).SetInt64(n * n)
		for k := int64(1); term.MantExp(nil) > -prec; k += 2 {
			t := new(big.Float).SetPrec(prec).Quo(term, new(big.Float).SetPrec(prec).SetInt64(k))
			if k%4 == 3 {
				t.Neg(t)
			}
			sum.Add(sum, t)
			term.Quo(term, square)
		}
		return sum
	}
	a := atanInverse(5)
	a.Mul(a, new(big.Float).SetInt64(8))
	b := atanInverse(239)
	return a.Sub(a, b.Mul(b, new(big.Float).SetInt64(2)))
})

// reduceAngle writes a finite x as quadrant*pi/2 + r with |r| <= pi/4.
func reduceAngle(x float64) (r float64, quadrant int) {
	const prec = 1400
	q := new(big.Float).SetPrec(prec).SetFloat64(x)
	q.Quo(q, halfPi())
	q.Add(q, big.NewFloat(math.Copysign(0.5, x)))
	n, _ := q.Int(nil)
	rest := new(big.Float).SetPrec(prec).SetInt(n)
	rest.Mul(rest, halfPi())
	rest.Sub(new(big.Float).SetPrec(prec).SetFloat64(x), rest)
	r, _ = rest.Float64()
	return r, int(new(big.Int).And(n, big.NewInt(3)).Int64())
}

// pow is exp(y*log(x)) with the logarithm and the product in double-double: math.Pow loses digits with large powers.
// The special cases are math.Pow's.
func pow(x, y float64) float64 {
	switch {
	case y == 0.5 && x >= 0 && !math.IsInf(x, 0):
		return math.Sqrt(x)
	case x <= 0 || math.IsInf(x, 0) || x != x || math.IsInf(y, 0) || y != y || x == 1 || y == 1 || y == 0:
		if x < 0 && y == math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			p := pow(-x, y)
			if math.Mod(y, 2) != 0 {
				p = -p
			}
			return p
		}
		return math.Pow(x, y)
	}
	l := logDouble(x)
	switch p := y * l.hi; {
	case p > 710:
		return math.Inf(1)
	case p < -746:
		return 0
	}
	p := twoProd(y, l.hi)
	p = quick(p.hi, p.lo+y*l.lo)
	e := exp(p.hi)
	if math.IsInf(e, 0) { // the low part may bring it back below the largest number
		return exp(p.hi-math.Ln2) * (1 + p.lo) * 2
	}
	return e + e*p.lo
}

// logDouble is the logarithm of a positive finite number, as 2*atanh((m-1)/(m+1)) beside the exponent.
func logDouble(x float64) double {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	num := double{m - 1, 0}
	den := twoSum(m, 1)
	q := num.hi / den.hi
	r := math.FMA(-q, den.hi, num.hi) - q*den.lo
	s := quick(q, r/den.hi)
	s2 := s.mul(s)
	tail := 0.0
	for k := 31; k >= 9; k -= 2 {
		tail = tail*s2.hi + 1/float64(k)
	}
	sum := double{tail * s2.hi, 0}
	for _, k := range []float64{7, 5, 3} {
		third := 1 / k
		sum = sum.add(double{third, math.FMA(-third, k, 1) / k}).mul(s2)
	}
	sum = sum.add(double{1, 0}).mul(s)
	sum = double{2 * sum.hi, 2 * sum.lo}
	const ln2Hi, ln2Lo = 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56
	k := float64(e)
	l := twoProd(k, ln2Hi)
	return double{l.hi, l.lo + k*ln2Lo}.add(sum)
}

// double is an unevaluated sum hi+lo with |lo| <= ulp(hi)/2: about 106 bits.
type double struct{ hi, lo float64 }

// twoSum is the exact sum of two numbers.
func twoSum(a, b float64) double {
	s := a + b
	t := s - a
	return double{s, (a - (s - t)) + (b - t)}
}

// twoProd is the exact product of two numbers, barring underflow.
func twoProd(a, b float64) double {
	p := a * b
	return double{p, math.FMA(a, b, -p)}
}

func (a double) add(b double) double {
	s := twoSum(a.hi, b.hi)
	t := twoSum(a.lo, b.lo)
	s = quick(s.hi, s.lo+t.hi)
	return quick(s.hi, s.lo+t.lo)
}

func (a double) mul(b double) double {
	p := twoProd(a.hi, b.hi)
	return quick(p.hi, p.lo+(a.hi*b.lo+a.lo*b.hi))
}

func quick(a, b float64) double {
	s := a + b
	return double{s, b - (s - a)}
}
