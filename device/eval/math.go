package eval

import "math"

// The functions here are those of package math where they are accurate to about one unit in the last place, and
// better ones where they are not. Types narrower than f64 are computed in float64 and rounded once.

func exp(x float64) float64  { return math.Exp(x) }
func log(x float64) float64  { return math.Log(x) }
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

func tan(x float64) float64 { return math.Tan(x) }

func pow(x, y float64) float64 { return math.Pow(x, y) }

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
