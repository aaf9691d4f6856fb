package dtype

import "math"

// format describes one floating-point encoding: sign, exponent and mantissa fields from high bit to low.
type format struct {
	exp, man int
	bias     int
	special  special
}

// special says which codes a format gives up for values that are not finite.
type special uint8

const (
	ieee      special = iota // the highest exponent: infinities and NaNs
	finiteNaN                // FN with NaN: all ones below the sign is NaN, no infinity
	finite                   // FN without NaN: every code is a finite number
	unsigned0                // FNUZ: the code of -0 is the only NaN, no infinity
	powers                   // E8M0: powers of two; no sign, no zero, all ones is NaN
)

// formatOf returns the encoding of t; ok is false if t is not a floating-point element type.
func formatOf(t Type) (f format, ok bool) {
	switch t {
	case F4E2M1FN:
		return format{2, 1, 1, finite}, true
	case F6E2M3FN:
		return format{2, 3, 1, finite}, true
	case F6E3M2FN:
		return format{3, 2, 3, finite}, true
	case F8E3M4:
		return format{3, 4, 3, ieee}, true
	case F8E4M3:
		return format{4, 3, 7, ieee}, true
	case F8E4M3FN:
		return format{4, 3, 7, finiteNaN}, true
	case F8E4M3FNUZ:
		return format{4, 3, 8, unsigned0}, true
	case F8E4M3B11FNUZ:
		return format{4, 3, 11, unsigned0}, true
	case F8E5M2:
		return format{5, 2, 15, ieee}, true
	case F8E5M2FNUZ:
		return format{5, 2, 16, unsigned0}, true
	case F8E8M0FNU:
		return format{8, 0, 127, powers}, true
	case BF16:
		return format{8, 7, 127, ieee}, true
	case F16:
		return format{5, 10, 15, ieee}, true
	case TF32:
		return format{8, 10, 127, ieee}, true
	case F32:
		return format{8, 23, 127, ieee}, true
	case F64:
		return format{11, 52, 1023, ieee}, true
	}
	return format{}, false
}

// ToFloat64 returns the value that the low bits of bits encode in the floating-point type t. It is exact: every
// value of every such type is a float64. Of a NaN only the sign is kept. For a type that is not a float it returns NaN.
func ToFloat64(t Type, bits uint64) float64 {
	switch t {
	case F64:
		return math.Float64frombits(bits)
	case F32:
		return float64(math.Float32frombits(uint32(bits)))
	case BF16:
		return float64(math.Float32frombits(uint32(bits) << 16))
	}
	f, ok := formatOf(t)
	if !ok {
		return math.NaN()
	}
	if f.special == powers {
		if bits&0xff == 0xff {
			return math.NaN()
		}
		return math.Ldexp(1, int(bits&0xff)-f.bias)
	}
	sign := bits>>(f.exp+f.man)&1 != 0
	e := int(bits >> f.man & (1<<f.exp - 1))
	m := bits & (1<<f.man - 1)
	switch f.special {
	case ieee:
		if e == 1<<f.exp-1 {
			switch {
			case m != 0 && sign:
				return math.Copysign(math.NaN(), -1)
			case m != 0:
				return math.NaN()
			case sign:
				return math.Inf(-1)
			}
			return math.Inf(1)
		}
	case finiteNaN:
		if e == 1<<f.exp-1 && m == 1<<f.man-1 {
			if sign {
				return math.Copysign(math.NaN(), -1)
			}
			return math.NaN()
		}
	case unsigned0:
		if sign && e == 0 && m == 0 {
			return math.NaN()
		}
	}
	if e == 0 {
		e = 1
	} else {
		m |= 1 << f.man
	}
	v := math.Ldexp(float64(m), e-f.bias-f.man)
	if sign {
		return math.Copysign(v, -1)
	}
	return v
}

// FromFloat64 returns the encoding in the floating-point type t of the value nearest to v, ties to even, rounded
// once. A float32 may be widened first: that is exact, so the result is still rounded once.
//
// What a format cannot hold becomes, as in LLVM's APFloat and ml_dtypes: infinity where the format has one; else NaN
// where it has that; else (f4 and f6) the largest finite value for a number or infinity, and -0 for NaN. f8E8M0FNU,
// which has neither zero nor sign, gives NaN for every v that is not positive. For a type that is not a float the
// result is 0.
func FromFloat64(t Type, v float64) uint64 {
	switch t {
	case F64:
		return math.Float64bits(v)
	case F32:
		return uint64(math.Float32bits(float32(v)))
	}
	f, ok := formatOf(t)
	if !ok {
		return 0
	}
	b := math.Float64bits(v)
	sign := b >> 63
	if f.special == powers {
		if sign != 0 || !(v > 0) {
			return 0xff
		}
		sign = 0
	}
	signBit := sign << (f.exp + f.man)
	nan, over := f.limits(signBit)
	switch {
	case v != v:
		return nan
	case math.IsInf(v, 0):
		return over
	case v == 0:
		if f.special == unsigned0 {
			return 0
		}
		return signBit
	}
	frac, exp := math.Frexp(math.Abs(v)) // frac in [0.5, 1)
	e := exp - 1
	m := uint64(math.Ldexp(frac, 53)) // v = m * 2^(e-52), 2^52 <= m < 2^53
	var code uint64
	if f.special == powers {
		code = f.roundPower(m, e)
	} else {
		q := max(e, 1-f.bias) // exponent of the result's binade, before rounding
		code = roundShift(m, q-f.man-(e-52))
		// The implicit one of a normal significand carries into the exponent field, and so does rounding up.
		code += uint64(q+f.bias-1) << f.man
	}
	if code > f.maxCode() {
		return over
	}
	if code == 0 && f.special == unsigned0 {
		return 0
	}
	return signBit | code
}

// roundPower rounds m * 2^(e-52) to a power of two and returns its code. A tie goes up: of the two one-bit
// significands, 1 and 2 in units of the lower, the upper is even.
func (f format) roundPower(m uint64, e int) uint64 {
	c := e + f.bias
	if c < 0 {
		// Below 2^-127: the smallest code is the nearest value that there is.
		return 0
	}
	if m&(1<<51) != 0 {
		c++
	}
	return uint64(c)
}

// maxCode is the code of the largest finite value.
func (f format) maxCode() uint64 {
	all := uint64(1)<<(f.exp+f.man) - 1
	switch f.special {
	case ieee:
		return all - 1<<f.man
	case finiteNaN, powers:
		return all - 1
	}
	return all
}

// limits returns the codes of NaN and of values too large, given the bit of the sign.
func (f format) limits(signBit uint64) (nan, over uint64) {
	all := uint64(1)<<(f.exp+f.man) - 1
	switch f.special {
	case ieee:
		inf := all &^ (1<<f.man - 1)
		return signBit | inf | 1<<(f.man-1), signBit | inf
	case finiteNaN:
		return signBit | all, signBit | all
	case finite:
		return 1 << (f.exp + f.man), signBit | all
	case powers:
		return all, all
	}
	nan = 1 << (f.exp + f.man)
	return nan, nan
}

// roundShift is m / 2^s rounded to the nearest integer, ties to even; m < 2^53. A negative s multiplies.
func roundShift(m uint64, s int) uint64 {
	switch {
	case s <= 0:
		return m << -s
	case s > 54:
		return 0
	}
	half := uint64(1) << (s - 1)
	q, rest := m>>s, m&(1<<s-1)
	if rest > half || (rest == half && q&1 == 1) {
		q++
	}
	return q
}
