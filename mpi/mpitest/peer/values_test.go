package peer_test

import "math/bits"

// value is element i of the data of a seed, as testdata/common.py has it.
func value(i, seed int) int { return (i*7 + seed*13 + 5) % 97 }

// number is a value of a type.
type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uint | ~float32 | ~float64
}

func num[T number](v int) T { return T(v) }

func truth(v int) bool { return v%2 == 1 }

func c64(v int) complex64 { return complex(float32(v), float32(v+1)) }

func c128(v int) complex128 { return complex(float64(v), float64(v+1)) }

// half and brain are the bits of small whole numbers as float16 and bfloat16.
type (
	half  uint16
	brain uint16
)

func halfOf(v int) half {
	if v == 0 {
		return 0
	}
	e := bits.Len(uint(v)) - 1
	return half((e+15)<<10 | (v<<10>>e)&0x3ff)
}

func brainOf(v int) brain {
	if v == 0 {
		return 0
	}
	e := bits.Len(uint(v)) - 1
	return brain((e+127)<<7 | (v<<7>>e)&0x7f)
}

// data is n elements of a seed.
func data[T any](n, seed int, of func(int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = of(value(i, seed))
	}
	return out
}

// f64 is the data of most cases.
func f64(n, seed int) []float64 { return data(n, seed, num[float64]) }

func i64(n, seed int) []int64 { return data(n, seed, num[int64]) }
