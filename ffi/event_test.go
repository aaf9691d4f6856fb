package ffi_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

var errNative = errors.New("native error")

func TestEventCompletesOnce(t *testing.T) {
	var e ffi.Event
	if e.Completed() || e.Err() != nil {
		t.Error("a new event has completed")
	}
	if !e.Complete(errNative) || e.Complete(nil) {
		t.Error("Complete is not true once")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := e.Wait(ended); err != errNative {
			t.Errorf("Wait = %v: a completed event wins over an ended context", err)
		}
	}
	must(t, e.Done(), "Done")
	if e.Err() != errNative || !e.Completed() {
		t.Errorf("Err = %v", e.Err())
	}
}

func TestEventCancelledWaiterLeavesNothing(t *testing.T) { // P09
	var e ffi.Event
	cause := errors.New("enough")
	goroutines := runtime.NumGoroutine()
	for range 1000 {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := e.Wait(ctx); err != cause {
			t.Fatalf("Wait = %v, want the context's cause", err)
		}
		stop := e.OnDone(func(error) { t.Error("ran after stop") })
		if !stop() || stop() {
			t.Fatal("stop is not true once")
		}
	}
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines; runtime.Gosched() { // the runtime's come and go
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
	e.Complete(nil)
}

func TestEventFunctionsRunInOrderOnOneGoroutine(t *testing.T) {
	log := leaktest.Capture(t)
	var e ffi.Event
	var order []int // no lock: the race detector proves that it is one goroutine, or one after another
	done := make(chan struct{})
	for i := range 5 {
		e.OnDone(func(err error) {
			order = append(order, i)
			if err != errNative {
				t.Errorf("function %d got %v", i, err)
			}
			switch i {
			case 1:
				panic("boom")
			case 2:
				runtime.Goexit()
			case 4:
				close(done)
			}
		})
	}
	e.Complete(errNative)
	must(t, done, "the last function")
	if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for _, r := range log.Wait(t, 2) { // P07
		if r.Problem != isthmus.ProblemPanic || !errors.Is(r, isthmus.ErrPanic) {
			t.Errorf("report %v", r)
		}
	}
	after := make(chan struct{})
	stop := e.OnDone(func(error) { close(after) })
	must(t, after, "a function registered after the end")
	if stop() {
		t.Error("stop after the end is true")
	}
}

// TestEventModel compares with a set of registrations.
func TestEventModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e ffi.Event
		type registration struct {
			stop func() bool
			ran  chan error
			dead bool
		}
		var all []*registration
		var completed bool
		var result error
		t.Repeat(map[string]func(*rapid.T){
			"complete": func(t *rapid.T) {
				err := rapid.SampledFrom([]error{nil, errNative, context.Canceled}).Draw(t, "err")
				if e.Complete(err) == completed {
					t.Fatal("Complete has not one winner")
				}
				if !completed {
					completed, result = true, err
				}
			},
			"on done": func(*rapid.T) {
				r := &registration{ran: make(chan error, 2)}
				r.stop = e.OnDone(func(err error) { r.ran <- err })
				all = append(all, r)
			},
			"stop": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip()
				}
				r := rapid.SampledFrom(all).Draw(t, "which")
				if r.stop() != (!completed && !r.dead) {
					t.Fatalf("stop: completed %v, stopped before %v", completed, r.dead)
				}
				if !completed {
					r.dead = true
				}
			},
			"wait": func(t *rapid.T) {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				want := context.Canceled
				if completed {
					want = result
				}
				if err := e.Wait(ctx); err != want {
					t.Fatalf("Wait = %v, want %v", err, want)
				}
			},
			"": func(t *rapid.T) {
				select {
				case <-e.Done():
					if !completed {
						t.Fatal("Done before Complete")
					}
				default:
					if completed {
						t.Fatal("not Done after Complete")
					}
				}
			},
		})
		e.Complete(nil)
		if !completed {
			result = nil
		}
		for _, r := range all {
			if r.dead {
				if len(r.ran) != 0 {
					t.Fatal("a stopped function ran")
				}
				continue
			}
			if err := <-r.ran; err != result {
				t.Fatalf("a function got %v, want %v", err, result)
			}
		}
	})
}

func TestEventHammer(t *testing.T) { // P09
	for round := range 200 {
		var e ffi.Event
		var woken, called, stopped atomic.Int32
		var wg sync.WaitGroup
		const waiters = 16
		var functions sync.WaitGroup
		for g := range waiters {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(g)))
				functions.Add(1)
				stop := e.OnDone(func(err error) {
					defer functions.Done()
					if err != errNative {
						t.Errorf("function got %v", err)
					}
					called.Add(1)
				})
				if r.IntN(2) == 0 {
					if stop() {
						stopped.Add(1)
						functions.Done()
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if r.IntN(2) == 0 {
					go cancel()
				}
				switch err := e.Wait(ctx); err {
				case errNative, context.Canceled:
					woken.Add(1)
				default:
					t.Errorf("Wait = %v", err)
				}
			})
		}
		for range 2 {
			wg.Go(func() { e.Complete(errNative) })
		}
		wg.Wait()
		functions.Wait()
		if woken.Load() != waiters || called.Load()+stopped.Load() != waiters {
			t.Fatalf("%d woken, %d called, %d stopped of %d", woken.Load(), called.Load(), stopped.Load(), waiters)
		}
	}
}

// TestEventFromForeignThread is the whole way of a native completion: a C thread that Go does not know fires a
// signal, and every waiter wakes, before and after.
func TestEventFromForeignThread(t *testing.T) { // P09
	later := ctest.Open(t).Fn("fire_later")
	for i := range 200 {
		e := &ffi.Event{}
		s, err := cb.Arm(func(v mem.Addr) {
			if v == 0 {
				e.Complete(nil)
			} else {
				e.Complete(errNative)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var want error
		if i%2 == 1 {
			want = errNative
		}
		for range 4 {
			wg.Go(func() {
				if err := e.Wait(t.Context()); err != want {
					t.Errorf("Wait = %v, want %v", err, want)
				}
			})
		}
		if r := call.Call(later, uintptr(s.Fn), uintptr(i%2), s.Arg, uintptr(i%3)*100); r != 0 {
			t.Fatal("the fixture could not start a thread")
		}
		wg.Wait()
	}
}

func TestReaper(t *testing.T) {
	leaktest.Check(t)
	var r ffi.Reaper
	if err := r.Wait(t.Context()); err != nil {
		t.Errorf("nothing adopted: %v", err)
	}
	before := isthmus.Live()
	events := make([]ffi.Event, 3)
	var released atomic.Int32
	for i := range events {
		r.Adopt(&events[i], "test.Execution", func(err error) {
			if err != errNative {
				t.Errorf("release got %v", err)
			}
			released.Add(1)
			if i == 1 {
				panic("boom") // does not keep the reaper waiting
			}
		})
	}
	if live := isthmus.Live().Since(before); live.Count()["test.Execution"] != 3 || !strings.Contains(live.String(), "event_test.go:") {
		t.Errorf("the census has %v", live)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ended); !errors.Is(err, isthmus.ErrBusy) || !errors.Is(err, context.Canceled) || r.Pending() != 3 {
		t.Errorf("Wait = %v, %d pending", err, r.Pending())
	}
	log := leaktest.Capture(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := r.Wait(t.Context()); err != nil {
				t.Errorf("Wait = %v", err)
			}
		})
	}
	for i := range events {
		events[i].Complete(errNative)
	}
	wg.Wait()
	log.Wait(t, 1)
	if released.Load() != 3 || r.Pending() != 0 {
		t.Errorf("%d released, %d pending", released.Load(), r.Pending())
	}
}

func BenchmarkEvent(b *testing.B) {
	b.Run("complete+wait", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e ffi.Event
			e.Complete(nil)
			_ = e.Wait(b.Context())
		}
	})
}
