package eval

import (
	"math"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// convertOp converts elements: toward zero and saturating from float to integer, NaN to 0, the low bits from integer to
// integer, the real part from complex; once rounded in every case.
func convertOp(from, to dtype.Type) elementOp {
	isInt := func(t dtype.Type) bool { return t.Kind() != dtype.Float && t.Kind() != dtype.Complex }
	toInt := func(x float64) int64 { return floatToInt(to, x) }
	fromInt := func(v int64) float64 { return intToFloat(from, to.Real(), v) }
	switch {
	case isInt(from) && isInt(to):
		if to == dtype.I1 {
			return func(dst *lane, src []*lane, n int) {
				for k, v := range src[0].i[:n] {
					dst.i[k] = boolInt(v != 0)
				}
			}
		}
		return func(dst *lane, src []*lane, n int) { copy(dst.i[:n], src[0].i[:n]) }
	case isInt(from) && to.IsFloat():
		return func(dst *lane, src []*lane, n int) {
			for k, v := range src[0].i[:n] {
				dst.f[k] = fromInt(v)
			}
		}
	case isInt(from):
		return func(dst *lane, src []*lane, n int) {
			for k, v := range src[0].i[:n] {
				dst.c[k] = complex(fromInt(v), 0)
			}
		}
	case from.IsFloat() && isInt(to):
		return func(dst *lane, src []*lane, n int) {
			for k, x := range src[0].f[:n] {
				dst.i[k] = toInt(x)
			}
		}
	case from.IsFloat() && to.IsFloat():
		return func(dst *lane, src []*lane, n int) { copy(dst.f[:n], src[0].f[:n]) }
	case from.IsFloat():
		return func(dst *lane, src []*lane, n int) {
			for k, x := range src[0].f[:n] {
				dst.c[k] = complex(x, 0)
			}
		}
	case isInt(to):
		return func(dst *lane, src []*lane, n int) {
			for k, z := range src[0].c[:n] {
				dst.i[k] = toInt(real(z))
			}
		}
	case to.IsFloat():
		return func(dst *lane, src []*lane, n int) {
			for k, z := range src[0].c[:n] {
				dst.f[k] = real(z)
			}
		}
	}
	return func(dst *lane, src []*lane, n int) { copy(dst.c[:n], src[0].c[:n]) }
}

func floatToInt(to dtype.Type, x float64) int64 {
	switch {
	case to == dtype.I1:
		return boolInt(x != 0)
	case x != x:
		return 0
	}
	x = math.Trunc(x)
	width := to.Bits()
	if to.Kind() == dtype.Unsigned {
		switch {
		case x <= 0:
			return 0
		case x >= math.Ldexp(1, width):
			return int64(uint64(math.MaxUint64) >> (64 - width))
		}
		return int64(uint64(x))
	}
	switch lim := math.Ldexp(1, width-1); {
	case x >= lim:
		return math.MaxInt64 >> (64 - width)
	case x <= -lim:
		return math.MinInt64 >> (64 - width)
	}
	return int64(x)
}

// intToFloat returns v as a float64 that rounds to type to as v itself would: beyond 53 bits, the lowest bit keeps
// whether anything was cut off (round to odd), so that the second rounding is right.
func intToFloat(from, to dtype.Type, v int64) float64 {
	mag, neg := uint64(v), false
	if from.Kind() == dtype.Signed && v < 0 {
		mag, neg = uint64(-v), true
	}
	var x float64
	switch {
	case mag < 1<<53:
		x = float64(mag)
	case to == dtype.F64:
		x = float64(mag)
	default:
		shift := 64 - bits.LeadingZeros64(mag) - 53
		sticky := uint64(0)
		if mag&(1<<shift-1) != 0 {
			sticky = 1
		}
		x = math.Ldexp(float64(mag>>shift|sticky), shift)
	}
	if neg {
		return -x
	}
	return x
}
