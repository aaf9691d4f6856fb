package kernel

import "math"

// math.Pow multiplies its way through the whole part of the exponent and is off by as many units as the exponent has
// digits beyond the first few (a quarter of a million of them at 0.99987**1388052). Here the logarithm is carried in
// two float64, so that multiplying it by the exponent loses nothing.

// pair is an unevaluated sum of two float64, about 106 bits.
type pair struct{ hi, lo float64 }

func sum2(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

// plus is accurate to some 2^-104 of the larger operand.
func (a pair) plus(b pair) pair {
	s := sum2(a.hi, b.hi)
	return sum2(s.hi, s.lo+a.lo+b.lo)
}

func (a pair) times(b pair) pair {
	p := float64(a.hi * b.hi) // the conversion forbids fusing, which the error term must not see
	return sum2(p, math.FMA(a.hi, b.hi, -p)+(a.hi*b.lo+a.lo*b.hi))
}

func (a pair) over(b pair) pair {
	q := a.hi / b.hi
	r := math.FMA(-q, b.hi, a.hi) + a.lo - q*b.lo
	return sum2(q, r/b.hi)
}

// logTail is 2/5, 2/7, ...: the terms of 2*atanh(s) from s^5 on.
var logTail = [...]float64{2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21, 2. / 23, 2. / 25, 2. / 27}

// logPair is the logarithm of a positive finite number to about 2^-66 of its value.
func logPair(x float64) pair {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := sum2(m, -1).over(sum2(m, 1)) // log(m) = 2*atanh(s), |s| < 0.172
	z := s.times(s)
	tail := 0.0
	for i := len(logTail) - 1; i >= 0; i-- {
		tail = tail*z.hi + logTail[i]
	}
	l := s.times(z).times(pair{2. / 3, 3.700743415417188e-17})
	l = l.plus(pair{2 * s.hi, 2 * s.lo})
	l = l.plus(pair{hi: s.hi * z.hi * z.hi * tail})
	n := float64(k)
	return pair{math.Ln2, 2.3190468138462996e-17}.times(pair{hi: n}).plus(l)
}

// power is x to the power y with math.Pow's special cases, to within two units in the last place.
func power(x, y float64) float64 {
	switch {
	case y == 2:
		return x * x
	case x == 1 || y == 0 || y == 1 || y == -1 || x == 0 || x-x != 0 || y-y != 0:
		return math.Pow(x, y)
	case x < 0:
		whole := math.Trunc(y)
		if whole != y {
			return math.NaN()
		}
		r := power(-x, y)
		if math.Mod(whole, 2) != 0 {
			r = -r
		}
		return r
	case y == 0.5:
		return math.Sqrt(x)
	}
	l := logPair(x)
	p := float64(y * l.hi)
	switch {
	case p > 710:
		return math.Inf(1)
	case p < -746:
		return 0
	}
	low := math.FMA(y, l.hi, -p) + y*l.lo
	e := exp(p)
	if math.IsInf(e, 0) { // the low part may bring it back below the largest number
		return exp(p-math.Ln2) * (1 + low) * 2
	}
	return e + e*low
}

// atan2 is math.Atan2 with the sign of y also where y/x is too small for a float64.
func atan2(y, x float64) float64 { return math.Copysign(math.Atan2(y, x), y) }

// tan is math.Tan, which takes tan(x) for x up to 1e-7, 25 units off.
func tan(x float64) float64 {
	if z := x * x; z < 1e-8 {
		return x + x*z*(1./3+z*(2./15))
	}
	return math.Tan(x)
}
