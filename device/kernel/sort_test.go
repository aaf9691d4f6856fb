package kernel_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

func sequence(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

func TestSortKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 47, 48, 49, 300, 4095, 4096, 20000} {
		for _, span := range []uint64{1, 3, 300, 1 << 20, math.MaxUint64} {
			testSortKeys[uint32](t, r, n, span)
			testSortKeys[uint64](t, r, n, span)
		}
	}
}

func testSortKeys[K kernel.Key](t *testing.T, r *rand.Rand, n int, span uint64) {
	t.Helper()
	keys := make([]K, n)
	for i := range keys {
		keys[i] = K(r.Uint64() % span)
	}
	wantIndex := sequence(n)
	slices.SortStableFunc(wantIndex, func(a, b int32) int { return cmp.Compare(keys[a], keys[b]) })
	got, index := slices.Clone(keys), sequence(n)
	kernel.SortKeys(got, index, make([]K, n), make([]int32, n))
	if !slices.Equal(index, wantIndex) {
		t.Fatalf("%d keys below %d: the order differs from a stable sort", n, span)
	}
	alone := slices.Clone(keys)
	kernel.SortKeys(alone, nil, make([]K, n), nil)
	slices.Sort(keys)
	if !slices.Equal(got, keys) || !slices.Equal(alone, keys) {
		t.Fatalf("%d keys below %d are not in order", n, span)
	}
}

func TestSortOrder(t *testing.T) {
	nan, neg0 := float32(math.NaN()), float32(math.Copysign(0, -1))
	negNaN := math.Float32frombits(math.Float32bits(nan) | 1<<31)
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name     string
		order    kernel.Order
		in, want []float32
	}{
		{"total", kernel.Order{}, []float32{1, nan, 0, neg0, -inf, negNaN, inf, -2}, []float32{negNaN, -inf, -2, neg0, 0, 1, inf, nan}},
		{"descending", kernel.Order{Descending: true}, []float32{1, nan, 0, neg0, -3}, []float32{nan, 1, 0, neg0, -3}},
		{"normalized", kernel.Order{Normalize: true}, []float32{1, negNaN, neg0, -1}, []float32{-1, 0, 1, nan}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(c.in)
			keys, out := make([]uint32, n), make([]float32, n)
			kernel.KeysF32(keys, c.in, c.order)
			kernel.SortKeys(keys, nil, make([]uint32, n), nil)
			kernel.ValuesF32(out, keys, c.order)
			wide, out64, in64 := make([]uint64, n), make([]float64, n), make([]float64, n)
			for i, x := range c.in {
				in64[i] = float64(x)
			}
			kernel.KeysF64(wide, in64, c.order)
			kernel.SortKeys(wide, nil, make([]uint64, n), nil)
			kernel.ValuesF64(out64, wide, c.order)
			for i, w := range c.want {
				if !same(out[i], w) || math.Signbit(float64(out[i])) != math.Signbit(float64(w)) {
					t.Errorf("f32 place %d is %v, want %v", i, out[i], w)
				}
				if !same(out64[i], float64(w)) || math.Signbit(out64[i]) != math.Signbit(float64(w)) {
					t.Errorf("f64 place %d is %v, want %v", i, out64[i], w)
				}
			}
		})
	}
	for _, o := range []kernel.Order{{}, {Descending: true}} {
		in := []int32{5, -1, math.MinInt32, math.MaxInt32, 0}
		keys, out := make([]uint32, len(in)), make([]int32, len(in))
		kernel.KeysInt(keys, in, o)
		kernel.SortKeys(keys, nil, make([]uint32, len(in)), nil)
		kernel.ValuesInt(out, keys, o)
		slices.Sort(in)
		if o.Descending {
			slices.Reverse(in)
		}
		if !slices.Equal(out, in) {
			t.Errorf("descending %v: got %v, want %v", o.Descending, out, in)
		}
		small := []int8{3, -128, 127, -1}
		keys64, out8 := make([]uint64, 4), make([]int8, 4)
		kernel.KeysInt(keys64, small, o)
		kernel.SortKeys(keys64, nil, make([]uint64, 4), nil)
		kernel.ValuesInt(out8, keys64, o)
		slices.Sort(small)
		if o.Descending {
			slices.Reverse(small)
		}
		if !slices.Equal(out8, small) {
			t.Errorf("int8, descending %v: got %v, want %v", o.Descending, out8, small)
		}
	}
}

func BenchmarkSort(b *testing.B) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(1, 2))
	x := normal[float32](r, n)
	keys, tmp, index, tmpIndex := make([]uint32, n), make([]uint32, n), make([]int32, n), make([]int32, n)
	out := make([]float32, n)
	for _, payload := range []bool{false, true} {
		name := "keys"
		if payload {
			name = "keys+index"
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(4 * n)
			b.ReportAllocs()
			for b.Loop() {
				kernel.KeysF32(keys, x, kernel.Order{Normalize: true})
				if payload {
					kernel.SortKeys(keys, index, tmp, tmpIndex)
				} else {
					kernel.SortKeys(keys, nil, tmp, nil)
				}
				kernel.ValuesF32(out, keys, kernel.Order{Normalize: true})
			}
		})
	}
}
