package eval

import (
	"math"
)

// The complex functions compute real and imaginary part each to about the last place, not only the complex number to a
// relative error: programs compare them part by part. Where two terms can cancel, sums are made in double-double.

// lessComplex orders by real part, then imaginary part.
func lessComplex(a, b complex128) bool {
	return real(a) < real(b) || (real(a) == real(b) && imag(a) < imag(b))
}

func pickComplex(a, b complex128, first bool) complex128 {
	if first {
		return a
	}
	return b
}

func mulComplex(a, b complex128) complex128 {
	return complex(real(a)*real(b)-imag(a)*imag(b), real(a)*imag(b)+imag(a)*real(b))
}

// mulComplex64 rounds the second product of each part to float32, and each part once more: a multiplication and a fused
// multiply-add, which is what compilers make of the specification's formula on hardware that has it.
func mulComplex64(a, b complex128) complex128 {
	ii, ri := float64(float32(imag(a)*imag(b))), float64(float32(real(a)*imag(b)))
	re, im := float64(real(a)*real(b))-ii, float64(imag(a)*real(b))+ri
	return complex(float64(float32(re)), float64(float32(im)))
}

// divComplex divides as C's Annex G does: infinities and zeros give infinities and zeros where they can.
func divComplex(x, y complex128) complex128 {
	a, b, c, d := real(x), imag(x), real(y), imag(y)
	scale := 0
	if m := math.Max(math.Abs(c), math.Abs(d)); m > 0 && !math.IsInf(m, 0) {
		_, e := math.Frexp(m)
		scale = -(e - 1)
		c, d = math.Ldexp(c, scale), math.Ldexp(d, scale)
	}
	den := twoProd(c, c).add(twoProd(d, d)).hi
	re := math.Ldexp(twoProd(a, c).add(twoProd(b, d)).hi/den, scale)
	im := math.Ldexp(twoProd(b, c).add(twoProd(-a, d)).hi/den, scale)
	if (math.IsNaN(re) || math.IsNaN(im)) && !math.IsNaN(a) && !math.IsNaN(b) && !math.IsNaN(c) && !math.IsNaN(d) {
		re = (a*c + b*d) / den
		im = (b*c - a*d) / den
		re, im = math.Ldexp(re, scale), math.Ldexp(im, scale)
	}
	if math.IsNaN(re) && math.IsNaN(im) {
		inf := func(v float64) bool { return math.IsInf(v, 0) }
		unit := func(v float64) float64 { return math.Copysign(float64(boolInt(inf(v))), v) }
		switch {
		case den == 0 && (!math.IsNaN(a) || !math.IsNaN(b)):
			s := math.Copysign(math.Inf(1), c)
			re, im = s*a, s*b
		case (inf(a) || inf(b)) && !inf(c) && !inf(d) && !math.IsNaN(c) && !math.IsNaN(d):
			a, b = unit(a), unit(b)
			re, im = math.Inf(1)*(a*c+b*d), math.Inf(1)*(b*c-a*d)
		case (inf(c) || inf(d)) && !inf(a) && !inf(b) && !math.IsNaN(a) && !math.IsNaN(b):
			c, d = unit(c), unit(d)
			re, im = 0*(a*c+b*d), 0*(b*c-a*d)
		}
	}
	return complex(re, im)
}

func expComplex(z complex128) complex128 {
	x, y := real(z), imag(z)
	if y == 0 {
		return complex(exp(x), y)
	}
	s, c := sincos(y) // NaN for an infinite y, and then so is the result
	if x > 709 && !math.IsInf(x, 0) {
		h := exp(x / 2)
		return complex(h*c*h, h*s*h)
	}
	e := exp(x)
	return complex(e*c, e*s)
}

// expm1Complex is exp(z)-1. Its real part is expm1(x)*cos(y) - 2*sin(y/2)^2, whose terms may cancel.
func expm1Complex(z complex128) complex128 {
	x, y := real(z), imag(z)
	if y == 0 {
		return complex(math.Expm1(x), y)
	}
	e := expComplex(z)
	re := real(e) - 1
	if math.Abs(x) < 700 {
		h := sin(y / 2)
		re = twoProd(math.Expm1(x), cos(y)).add(twoProd(-2*h, h)).hi
	}
	return complex(re, imag(e))
}

// logAbs is log(hypot(x, y)), accurate also where the hypotenuse is near 1.
func logAbs(x, y float64) float64 {
	x, y = math.Abs(x), math.Abs(y)
	if x < y {
		x, y = y, x
	}
	switch {
	case math.IsInf(x, 0) || math.IsInf(y, 0):
		return math.Inf(1)
	case x != x || y != y:
		return math.NaN()
	case y == 0:
		return log(x)
	}
	if x > 0.25 && x < 4 {
		// log1p(x*x + y*y - 1) / 2 with the argument in double-double.
		d := twoProd(x, x).add(double{-1, 0}).add(twoProd(y, y))
		if d.hi > -0.6 && d.hi < 2 {
			return (math.Log1p(d.hi) + d.lo/(1+d.hi)) / 2
		}
	}
	_, e := math.Frexp(x)
	x, y = math.Ldexp(x, -e), math.Ldexp(y, -e) // x in [0.5, 1)
	d := twoProd(x, x).add(twoProd(y, y))
	// log(2^e) + log(d)/2, with the first term split so that their sum is accurate.
	const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	half := (log(d.hi) + d.lo/d.hi) / 2
	return float64(e)*ln2Hi + (half + float64(e)*ln2Lo)
}

func logComplex(z complex128) complex128 {
	return complex(logAbs(real(z), imag(z)), atan2(imag(z), real(z)))
}

// log1pComplex is log(1+z): the real part is log1p(x*(2+x) + y*y)/2.
func log1pComplex(z complex128) complex128 {
	x, y := real(z), imag(z)
	im := atan2(y, 1+x)
	if y == 0 && x > -1 {
		return complex(math.Log1p(x), im)
	}
	if math.Abs(x) > 1e3 || math.Abs(y) > 1e3 || x != x || y != y {
		return complex(logAbs(1+x, y), im)
	}
	d := twoProd(x, x).add(twoProd(y, y)).add(double{2 * x, 0})
	if d.hi < -0.6 {
		s := twoSum(1, x)
		q := s.mul(s).add(twoProd(y, y))
		return complex((log(q.hi)+q.lo/q.hi)/2, im)
	}
	return complex((math.Log1p(d.hi)+d.lo/(1+d.hi))/2, im)
}

// sqrtComplex follows Kahan; the scaling keeps the modulus from overflowing and underflowing.
func sqrtComplex(z complex128) complex128 {
	x, y := real(z), imag(z)
	switch {
	case math.IsInf(y, 0):
		return complex(math.Inf(1), y)
	case x == 0 && y == 0:
		return complex(0, y)
	case math.IsInf(x, 1):
		if y != y {
			return complex(x, y)
		}
		return complex(x, math.Copysign(0, y))
	case math.IsInf(x, -1):
		if y != y {
			return complex(math.NaN(), x)
		}
		return complex(0, math.Copysign(math.Inf(1), y))
	case x != x || y != y:
		return complex(math.NaN(), math.NaN())
	case y == 0 && x > 0:
		return complex(math.Sqrt(x), y)
	case y == 0:
		return complex(0, math.Copysign(math.Sqrt(-x), y))
	}
	_, e := math.Frexp(math.Max(math.Abs(x), math.Abs(y)))
	e &^= 1
	sx, sy := math.Ldexp(x, -e), math.Ldexp(y, -e)
	h := twoProd(sx, sx).add(twoProd(sy, sy))
	r := math.Sqrt(h.hi)
	// one Newton step for the low part of the hypotenuse
	p := twoProd(r, r)
	rlo := ((h.hi - p.hi) - p.lo + h.lo) / (2 * r)
	s := twoSum(r, math.Abs(sx))
	t := math.Sqrt((s.hi + (s.lo + rlo)) / 2)
	t = math.Ldexp(t, e/2)
	// The scaled sy may have vanished where y/(2t) has not.
	re, im := t, y/(2*t)
	if x < 0 {
		re, im = math.Abs(im), math.Copysign(t, y)
	}
	return complex(re, im)
}

func rsqrtComplex(z complex128) complex128 {
	x, y := real(z), imag(z)
	switch {
	case x == 0 && y == 0:
		return complex(math.Inf(1), math.NaN())
	case (math.IsInf(x, 0) || math.IsInf(y, 0)) && x == x && y == y:
		return 0
	}
	return divComplex(1, sqrtComplex(z))
}

func cbrtComplex(z complex128) complex128 {
	t := atan2(imag(z), real(z)) / 3
	r := cbrt(math.Hypot(real(z), imag(z)))
	s, c := sincos(t)
	return complex(r*c, r*s)
}

func signComplex(z complex128) complex128 {
	x, y := real(z), imag(z)
	switch {
	case x != x || y != y:
		return complex(math.NaN(), math.NaN())
	case x == 0 && y == 0:
		return 0
	}
	a := math.Hypot(x, y)
	return complex(x/a, y/a)
}

// times is a*b where an exact zero wins over an infinity that only stands for overflow.
func times(a, b float64) float64 {
	if a == 0 && !math.IsNaN(b) {
		return math.Copysign(0, a) * math.Copysign(1, b)
	}
	return a * b
}

// sinhcosh are both hyperbolic functions of y divided by e^shift, so that they do not overflow.
func sinhcosh(y float64) (sh, ch, scale float64) {
	if a := math.Abs(y); a > 708 && !math.IsInf(y, 0) {
		h := exp(a-700) / 2
		return math.Copysign(h, y), h, exp(700)
	}
	return math.Sinh(y), math.Cosh(y), 1
}

func sinComplex(z complex128) complex128 {
	s, c := sincos(real(z))
	sh, ch, k := sinhcosh(imag(z))
	return complex(times(s, ch)*k, times(sh, c)*k)
}

func cosComplex(z complex128) complex128 {
	s, c := sincos(real(z))
	sh, ch, k := sinhcosh(imag(z))
	return complex(times(c, ch)*k, -times(s, sh)*k)
}

// tanhComplex follows Kahan.
func tanhComplex(z complex128) complex128 {
	x, y := real(z), imag(z)
	if math.Abs(x) > 20 {
		if math.IsInf(y, 0) || y != y {
			return complex(math.Copysign(1, x), 0)
		}
		s, c := sincos(y)
		e := exp(-math.Abs(x))
		return complex(math.Copysign(1, x), 4*s*c*e*e)
	}
	if x == 0 {
		return complex(x, tan(y))
	}
	t := tan(y)
	b := 1 + t*t
	s := math.Sinh(x)
	r := math.Sqrt(1 + s*s)
	if math.IsInf(t, 0) {
		return complex(r/s, 1/t)
	}
	d := 1 + b*s*s
	return complex(b*r*s/d, t/d)
}

func tanComplex(z complex128) complex128 {
	w := tanhComplex(complex(-imag(z), real(z))) // tan z = -i tanh(iz)
	return complex(imag(w), -real(w))
}

func atan2Complex(y, x complex128) complex128 {
	// -i * log((x + i*y) / sqrt(x*x + y*y))
	iy := complex(-imag(y), real(y))
	l := logComplex(divComplex(x+iy, sqrtComplex(mulComplex(x, x)+mulComplex(y, y))))
	return complex(imag(l), -real(l))
}

func powComplex(a, b complex128) complex128 {
	switch {
	case b == 0:
		return 1
	case a == 0:
		switch {
		case real(b) > 0 || (real(b) == 0 && imag(b) == 0):
			return 0
		case imag(b) == 0:
			return complex(math.Inf(1), math.NaN())
		}
		return complex(math.NaN(), math.NaN())
	}
	l := logComplex(a)
	// exp(b*log(a)) with the product's parts in double-double, where they may cancel.
	re := twoProd(real(b), real(l)).add(twoProd(-imag(b), imag(l)))
	im := twoProd(real(b), imag(l)).add(twoProd(imag(b), real(l)))
	r := exp(re.hi) * (1 + re.lo)
	s, c := sincos(im.hi)
	return complex(r*(c-s*im.lo), r*(s+c*im.lo))
}
