package ffi_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

// TestOwnedBriefForgottenIsReported forgets objects of a brief class: more than a nursery holds, fewer, and ones whose
// owner was closed and opened again before.
func TestOwnedBriefForgottenIsReported(t *testing.T) { // P11
	for name, c := range map[string]struct{ count, reuse int }{
		"one": {1, 0}, "reused": {1, 5}, "more than the nursery holds": {500, 0}, "many reused": {500, 2},
	} {
		t.Run(name, func(t *testing.T) {
			log := leaktest.Capture(t)
			leaktest.Check(t)
			var live atomic.Int64
			class := &ffi.Class[int]{Name: "test.Brief", Brief: true, Destroy: func(int) error { live.Add(-1); return nil }}
			func() {
				for i := range c.count {
					o := &ffi.Owned[int]{}
					for j := range c.reuse + 1 {
						if err := o.Init(class, i); err != nil {
							t.Fatal(err)
						}
						live.Add(1)
						if j < c.reuse {
							if err := o.Close(); err != nil {
								t.Fatal(err)
							}
							if j == 1 {
								runtime.GC() // what the nursery holds leaves it, closed
							}
						}
					}
				}
			}()
			for _, r := range log.Wait(t, c.count) {
				if r.Problem != isthmus.ProblemLeak || !errors.Is(r, isthmus.ErrLeak) {
					t.Errorf("report %v", r)
				}
			}
			for live.Load() != 0 {
				runtime.Gosched()
			}
		})
	}
}

// TestOwnedBriefHammer opens and closes owners that others push out of the nursery, while the garbage collector empties
// it. In the end some are forgotten open, and exactly those are reported.
func TestOwnedBriefHammer(t *testing.T) {
	log := leaktest.Capture(t)
	leaktest.Check(t)
	var live atomic.Int64
	class := &ffi.Class[int]{Name: "test.Brief", Brief: true, Destroy: func(int) error { live.Add(-1); return nil }}
	var wg, gc sync.WaitGroup
	stop := make(chan struct{})
	gc.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	const goroutines, owners, rounds = 4, 20, 200
	for range goroutines {
		wg.Go(func() {
			own := make([]*ffi.Owned[int], owners)
			for i := range own {
				own[i] = &ffi.Owned[int]{}
			}
			for r := range rounds {
				for i, o := range own {
					if err := o.Init(class, i); err != nil {
						t.Error(err)
						return
					}
					live.Add(1)
					if r == rounds-1 && i%2 == 0 {
						continue // forgotten
					}
					if err := o.Close(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	gc.Wait()
	log.Wait(t, goroutines*owners/2)
	for live.Load() != 0 {
		runtime.Gosched()
	}
}
