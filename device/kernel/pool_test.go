package kernel_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

func TestPoolRunsEachIndexOnce(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		p := kernel.NewPool(size)
		for _, n := range []int{0, 1, 2, 7, 100, 1000} {
			seen := make([]atomic.Int32, n)
			p.Run(n, func(i int) { seen[i].Add(1) })
			for i := range seen {
				if got := seen[i].Load(); got != 1 {
					t.Fatalf("size %d, n %d: index %d ran %d times, want 1", size, n, i, got)
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoolNestedAndConcurrent(t *testing.T) {
	p := kernel.NewPool(4)
	defer p.Close()
	var sum atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				p.Run(6, func(i int) { p.Run(5, func(j int) { sum.Add(int64(i * j)) }) })
			}
		})
	}
	wg.Wait()
	if got, want := sum.Load(), int64(8*50*15*10); got != want {
		t.Errorf("sum of nested runs %d, want %d", got, want)
	}
}

func TestPoolStop(t *testing.T) {
	p := kernel.NewPool(3)
	defer p.Close()
	for _, limit := range []int64{0, 1, 10, 999, 1000} {
		var ran atomic.Int64
		all := p.RunUntil(1000, func(int) { ran.Add(1) }, func() bool { return ran.Load() >= limit })
		if wantAll := limit >= 1000; all != wantAll && ran.Load() != 1000 {
			t.Errorf("limit %d: all calls made %v, want %v", limit, all, wantAll)
		}
		// each of the three goroutines may have asked before another one finished its call
		if got := ran.Load(); got < limit || got > limit+3 {
			t.Errorf("limit %d: %d calls, want %d to %d", limit, got, limit, limit+3)
		}
	}
}

func TestPoolAfterClose(t *testing.T) {
	p := kernel.NewPool(3)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var ran atomic.Int64
	p.Run(9, func(int) { ran.Add(1) })
	if got := ran.Load(); got != 9 {
		t.Errorf("a closed pool made %d calls, want 9", got)
	}
	var none *kernel.Pool
	none.Run(9, func(int) { ran.Add(1) })
	if got := ran.Load(); got != 18 {
		t.Errorf("a nil pool made %d calls, want 9", got-9)
	}
	if none.Close() != nil || none.Size() != 1 {
		t.Error("a nil pool is not inert")
	}
}

func TestPoolCloseWhileRunning(t *testing.T) {
	for range 50 {
		p := kernel.NewPool(3)
		var ran atomic.Int64
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { p.Run(100, func(int) { ran.Add(1) }) })
		}
		p.Close()
		wg.Wait()
		if got := ran.Load(); got != 300 {
			t.Fatalf("%d calls, want 300", got)
		}
	}
}

func TestPoolPanicReachesCaller(t *testing.T) {
	p := kernel.NewPool(3)
	defer p.Close()
	for at := range 20 {
		var running atomic.Int64
		func() {
			defer func() {
				if got := recover(); got != "broken" {
					t.Errorf("index %d: recovered %v, want the value of the panic", at, got)
				}
				if got := running.Load(); got != 0 {
					t.Errorf("index %d: %d calls still running when Run gave up", at, got)
				}
			}()
			p.Run(20, func(i int) {
				running.Add(1)
				defer running.Add(-1)
				if i == at {
					panic("broken")
				}
			})
		}()
	}
	var ran atomic.Int64
	p.Run(50, func(int) { ran.Add(1) })
	if got := ran.Load(); got != 50 {
		t.Errorf("%d calls after a panic, want 50", got)
	}
}
