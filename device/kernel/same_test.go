package kernel_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// TestAssemblyLevelsSameBits holds the two assembly levels to each other: every machine with AVX2 gives the same bits.
func TestAssemblyLevelsSameBits(t *testing.T) {
	low, ok2 := kernel.ForLevel(kernel.LevelAVX2)
	high, ok5 := kernel.ForLevel(kernel.LevelAVX512)
	if !ok2 || !ok5 {
		t.Skip("this machine has only one assembly level")
	}
	x := samples32(50021)
	a, b := make([]float32, len(x)), make([]float32, len(x))
	for _, f := range functions {
		low.F32.Unary[f.op](a, x)
		high.F32.Unary[f.op](b, x)
		for i := range x {
			if math.Float32bits(a[i]) != math.Float32bits(b[i]) && !(a[i] != a[i] && b[i] != b[i]) {
				t.Fatalf("%s of %g: %g and %g", f.name, x[i], a[i], b[i])
			}
		}
	}
	r := rand.New(rand.NewPCG(31, 32))
	x64 := append(values[float64](r, 5000), normal[float64](r, 5000)...)
	a64, b64 := make([]float64, len(x64)), make([]float64, len(x64))
	for _, f := range functions {
		low.F64.Unary[f.op](a64, x64)
		high.F64.Unary[f.op](b64, x64)
		for i := range x64 {
			if !same(a64[i], b64[i]) {
				t.Fatalf("%s of %g: %g and %g", f.name, x64[i], a64[i], b64[i])
			}
		}
	}
	for _, s := range [][3]int{{1, 300, 500}, {3, 90, 70}, {40, 70, 900}, {130, 1100, 400}} {
		m, n, k := s[0], s[1], s[2]
		g := &kernel.Gemm[float32]{
			M: m, N: n, K: k, A: kernel.RowMajor(normal[float32](r, m*k), k), B: kernel.RowMajor(normal[float32](r, k*n), n),
			C: kernel.RowMajor(make([]float32, m*n), n),
		}
		low.Gemm32(g, nil)
		first := append([]float32(nil), g.C.Data...)
		high.Gemm32(g, nil)
		for i, v := range first {
			if v != g.C.Data[i] {
				t.Fatalf("%dx%dx%d: element %d is %v and %v", m, n, k, i, v, g.C.Data[i])
			}
		}
		v := g.A.Data
		if p, q := low.F32.Dot(v, v), high.F32.Dot(v, v); p != q {
			t.Fatalf("dot product of %d: %v and %v", len(v), p, q)
		}
	}
}
