package kernel

import "math"

// Conversions is the loops from one element type to another. The length is that of dst. Half-precision values are the
// bits of their format in a uint16: F16 is IEEE binary16, BF16 the upper half of a float32.
//
// A float becomes an integer by truncation; out of range it becomes the nearest integer, NaN becomes 0. An integer
// becomes the nearest float, halves to even, and so does a wider float; NaN stays NaN.
type Conversions struct {
	F32F64  func(dst []float64, a []float32)
	F64F32  func(dst []float32, a []float64)
	F32I32  func(dst []int32, a []float32)
	I32F32  func(dst []float32, a []int32)
	F32BF16 func(dst []uint16, a []float32)
	BF16F32 func(dst []float32, a []uint16)
	F32F16  func(dst []uint16, a []float32)
	F16F32  func(dst []float32, a []uint16)
	U8F32   func(dst []float32, a []uint8)
	I8F32   func(dst []float32, a []int8)
	I64I32  func(dst []int32, a []int64)
	I32I64  func(dst []int64, a []int32)
	U8I32   func(dst []int32, a []uint8)
	// F32Bool and I32Bool store 1 for every value that is not 0, NaN included.
	F32Bool func(dst []uint8, a []float32)
	I32Bool func(dst []uint8, a []int32)
}

func goConversions() Conversions {
	return Conversions{
		F32F64: Widen[float64, float32],
		F64F32: Widen[float32, float64],
		F32I32: Truncate[int32, float32],
		I32F32: Widen[float32, int32],
		U8F32:  Widen[float32, uint8],
		I8F32:  Widen[float32, int8],
		I64I32: Widen[int32, int64],
		I32I64: Widen[int64, int32],
		U8I32:  Widen[int32, uint8],
		F32BF16: func(dst []uint16, a []float32) {
			a = a[:len(dst)]
			for i := range dst {
				dst[i] = bf16Bits(a[i])
			}
		},
		BF16F32: func(dst []float32, a []uint16) {
			a = a[:len(dst)]
			for i := range dst {
				dst[i] = math.Float32frombits(uint32(a[i]) << 16)
			}
		},
		F32F16: func(dst []uint16, a []float32) {
			a = a[:len(dst)]
			for i := range dst {
				dst[i] = f16Bits(a[i])
			}
		},
		F16F32: func(dst []float32, a []uint16) {
			a = a[:len(dst)]
			for i := range dst {
				dst[i] = f16Value(a[i])
			}
		},
		F32Bool: notZero[float32],
		I32Bool: notZero[int32],
	}
}

// Widen converts numbers with Go's conversion: between integers it wraps around, to floats it rounds to nearest. From
// floats to integers use [Truncate].
func Widen[D, S Number](dst []D, a []S) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = D(a[i])
	}
}

// Truncate converts floats to integers: toward zero, to the nearest integer when out of range, NaN to 0.
func Truncate[D Integer, S Float](dst []D, a []S) {
	lowest, highest := limits[D]()
	lo, hi := float64(lowest), float64(highest)
	a = a[:len(dst)]
	for i := range dst {
		x := float64(a[i])
		switch {
		case x != x:
			dst[i] = 0
		case x <= lo:
			dst[i] = lowest
		case x >= hi: // hi is rounded up for 64-bit types: x is out of range then
			dst[i] = highest
		default:
			dst[i] = D(x)
		}
	}
}

// limits returns the range of an integer type.
func limits[D Integer]() (lowest, highest D) {
	if ones := ^D(0); ones > 0 {
		return 0, ones
	}
	lowest = ^D(0)
	for lowest<<1 != 0 {
		lowest <<= 1
	}
	return lowest, ^lowest
}

func notZero[T Number](dst []uint8, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = bit(a[i] != 0)
	}
}

// bf16Bits rounds to nearest even; NaN keeps its sign and upper payload and becomes quiet.
func bf16Bits(x float32) uint16 {
	b := math.Float32bits(x)
	if x != x {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func f16Value(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	e, m := uint32(h>>10&31), uint32(h&1023)
	switch e {
	case 0: // zero and subnormal: m * 2^-24, exact in float32
		return math.Float32frombits(math.Float32bits(float32(m)*(1.0/(1<<24))) | sign)
	case 31:
		if m != 0 {
			m |= 0x200
		}
		return math.Float32frombits(sign | 0x7f800000 | m<<13)
	}
	return math.Float32frombits(sign | (e+112)<<23 | m<<13)
}

func f16Bits(x float32) uint16 {
	b := math.Float32bits(x)
	sign, a := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case a > 0x7f800000:
		return sign | 0x7e00 | uint16(a>>13&0x3ff)
	case a >= 0x477ff000: // 65520 and more round to infinity
		return sign | 0x7c00
	case a < 0x38800000: // below 2^-14: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits
		return sign | uint16(math.Float32bits(math.Float32frombits(a)+0.5)-0x3f000000)
	}
	a += 0xfff + a>>13&1
	return sign | uint16((a-0x38000000)>>13)
}
