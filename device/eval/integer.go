package eval

import (
	"math"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// intUnary returns the operation on integers of type t, or nil.
func intUnary(k stablehlo.Kind, t dtype.Type) func(int64) int64 {
	width := t.Bits()
	mask := uint64(math.MaxUint64) >> (64 - width)
	switch k {
	case stablehlo.Abs:
		if t.Kind() == dtype.Unsigned {
			return func(v int64) int64 { return v }
		}
		return func(v int64) int64 {
			if v < 0 {
				return -v
			}
			return v
		}
	case stablehlo.Negate:
		return func(v int64) int64 { return -v }
	case stablehlo.Not:
		if t == dtype.I1 {
			return func(v int64) int64 { return v ^ 1 }
		}
		return func(v int64) int64 { return ^v }
	case stablehlo.PopulationCount:
		return func(v int64) int64 { return int64(bits.OnesCount64(uint64(v) & mask)) }
	case stablehlo.CountLeadingZeros:
		return func(v int64) int64 { return int64(bits.LeadingZeros64(uint64(v)&mask) - (64 - width)) }
	case stablehlo.Sign:
		if t.Kind() == dtype.Unsigned {
			return func(v int64) int64 { return min(v&math.MaxInt64|int64(uint64(v)>>63), 1) }
		}
		return func(v int64) int64 {
			switch {
			case v > 0:
				return 1
			case v < 0:
				return -1
			}
			return 0
		}
	}
	return nil
}

// intBinary returns the operation on integers of type t, or nil. Division by zero gives what XLA gives: all ones, and
// the dividend as remainder; the most negative number divided by -1 is itself, with remainder 0.
func intBinary(k stablehlo.Kind, t dtype.Type) func(a, b int64) int64 {
	unsigned := t.Kind() == dtype.Unsigned || t == dtype.I1
	width := uint64(t.Bits())
	switch k {
	case stablehlo.Add:
		if t == dtype.I1 {
			return func(a, b int64) int64 { return a | b }
		}
		return func(a, b int64) int64 { return a + b }
	case stablehlo.Subtract:
		return func(a, b int64) int64 { return a - b }
	case stablehlo.Multiply:
		return func(a, b int64) int64 { return a * b }
	case stablehlo.And:
		return func(a, b int64) int64 { return a & b }
	case stablehlo.Or:
		return func(a, b int64) int64 { return a | b }
	case stablehlo.Xor:
		return func(a, b int64) int64 { return a ^ b }
	case stablehlo.Divide:
		if unsigned {
			return func(a, b int64) int64 {
				if b == 0 {
					return -1
				}
				return int64(uint64(a) / uint64(b))
			}
		}
		return func(a, b int64) int64 {
			switch b {
			case 0:
				return -1
			case -1:
				return -a
			}
			return a / b
		}
	case stablehlo.Remainder:
		if unsigned {
			return func(a, b int64) int64 {
				if b == 0 {
					return a
				}
				return int64(uint64(a) % uint64(b))
			}
		}
		return func(a, b int64) int64 {
			switch b {
			case 0:
				return a
			case -1:
				return 0
			}
			return a % b
		}
	case stablehlo.Maximum:
		if unsigned {
			return func(a, b int64) int64 { return int64(max(uint64(a), uint64(b))) }
		}
		return func(a, b int64) int64 { return max(a, b) }
	case stablehlo.Minimum:
		if unsigned {
			return func(a, b int64) int64 { return int64(min(uint64(a), uint64(b))) }
		}
		return func(a, b int64) int64 { return min(a, b) }
	case stablehlo.Power:
		return func(a, b int64) int64 { return powInt(a, b, unsigned) }
	case stablehlo.ShiftLeft:
		return func(a, b int64) int64 {
			if uint64(b) >= width {
				return 0
			}
			return a << uint64(b)
		}
	case stablehlo.ShiftRightLogical:
		mask := uint64(math.MaxUint64) >> (64 - width)
		return func(a, b int64) int64 {
			if uint64(b) >= width {
				return 0
			}
			return int64(uint64(a) & mask >> uint64(b))
		}
	case stablehlo.ShiftRightArithmetic:
		up := 64 - width
		return func(a, b int64) int64 {
			return a << up >> up >> min(uint64(b), width-1)
		}
	}
	return nil
}

// powInt is a to the power b, wrapping around; a negative power is zero but for 1 and -1.
func powInt(a, b int64, unsigned bool) int64 {
	if !unsigned && b < 0 {
		switch a {
		case 1:
			return 1
		case -1:
			return 1 - 2*(b&1)
		}
		return 0
	}
	r := int64(1)
	for e := uint64(b); e != 0; e >>= 1 {
		if e&1 == 1 {
			r *= a
		}
		a *= a
	}
	return r
}
