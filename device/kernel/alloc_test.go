//go:build !race

package kernel_test

import (
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// The race detector empties pools at random, so these hold only without it.

func TestGemmAllocatesNothing(t *testing.T) {
	k := kernel.Best()
	const n = 40
	x := make([]float32, n*n)
	for _, m := range []int{1, 3, n} {
		g := &kernel.Gemm[float32]{
			M: m, N: n, K: n, A: kernel.RowMajor(x, n), B: kernel.RowMajor(x, n), C: kernel.RowMajor(make([]float32, n*n), n),
		}
		k.Gemm32(g, nil)
		if got := testing.AllocsPerRun(100, func() { k.Gemm32(g, nil) }); got >= 1 {
			t.Errorf("%dx%dx%d: %v allocations, want 0", m, n, n, got)
		}
	}
}

func TestPoolRunAllocatesNothing(t *testing.T) {
	p := kernel.NewPool(2)
	defer p.Close()
	var sum atomic.Int64
	f := func(i int) { sum.Add(int64(i)) }
	p.Run(100, f)
	if got := testing.AllocsPerRun(200, func() { p.Run(100, f) }); got >= 1 {
		t.Errorf("%v allocations a run, want 0", got)
	}
}
