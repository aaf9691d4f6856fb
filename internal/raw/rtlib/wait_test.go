//go:build cgo && (linux || darwin) && (amd64 || arm64)

package rtlib_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

func number(n int) value {
	v, _ := rtheap.Int(int64(n))
	return v
}

// waiters returns when v has that many counts: who waits for it counts it.
func counts(t *testing.T, h *rtheap.Heap, v value, n int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); h.Count(v) != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d counts, want %d", h.Count(v), n)
		}
	}
}

// TestR04Goroutines has goroutines send and receive without a thread each.
func TestR04Goroutines(t *testing.T) {
	h := heap(t)
	const n = 2000
	ch, c := rtlib.NewChannel(4)
	if c != rtheap.OK {
		t.Fatal(c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	var sum atomic.Int64
	for range n {
		wg.Go(func() {
			v, c := rtlib.Recv(ctx, ch)
			if c != rtheap.OK {
				t.Error(c)
			}
			x, _ := v.AsInt()
			sum.Add(x)
		})
	}
	counts(t, h, ch, 1+n) // all of them wait
	for i := range n {
		wg.Go(func() {
			if c := rtlib.Send(ctx, ch, number(i)); c != rtheap.OK {
				t.Error(c)
			}
		})
	}
	wg.Wait()
	if got := sum.Load(); got != n*(n-1)/2 {
		t.Errorf("received %d in all, want %d", got, n*(n-1)/2)
	}
	if got := h.Count(ch); got != 1 {
		t.Errorf("%d counts are left", got)
	}
	h.Release(ch)
}

// TestR04GiveUp ends waits of goroutines by their context, and by a close; a value that comes as one gives up is not lost.
func TestR04GiveUp(t *testing.T) {
	h := heap(t)
	ch, _ := rtlib.NewChannel(1)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan rtheap.Code)
	recv := func() { _, c := rtlib.Recv(ctx, ch); got <- c }
	go recv()
	counts(t, h, ch, 2)
	cancel()
	if c := <-got; c != rtheap.TimedOut {
		t.Error(c)
	}
	var taken, given atomic.Int64
	for range 300 { // a race of a send and an end
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, c := rtlib.Recv(ctx, ch); c == rtheap.OK {
					taken.Add(1)
				}
			})
		}
		wg.Go(func() {
			if rtlib.Send(ctx, ch, number(1)) == rtheap.OK {
				given.Add(1)
			}
		})
		wg.Go(cancel)
		wg.Wait()
	}
	for {
		if _, c := rtlib.TryRecv(ch); c != rtheap.OK {
			break
		}
		taken.Add(1)
	}
	if taken.Load() != given.Load() {
		t.Errorf("%d sent, %d received", given.Load(), taken.Load())
	}
	ctx = t.Context()
	go recv()
	counts(t, h, ch, 2)
	if c := rtlib.CloseChannel(ch); c != rtheap.OK {
		t.Error(c)
	}
	if c := <-got; c != rtheap.IsClosed {
		t.Error(c)
	}
	if c := rtlib.CloseChannel(ch); c != rtheap.IsClosed {
		t.Error(c)
	}
	h.Release(ch)
	if _, c := rtlib.Recv(ctx, ch); c != rtheap.BadHandle {
		t.Error(c)
	}
}

// TestR01Promises has goroutines wait for what others complete, fail and cancel.
func TestR01Promises(t *testing.T) {
	h := heap(t)
	text, _ := h.NewString([]byte("result"))
	for _, end := range []struct {
		name string
		do   func(f value) rtheap.Code
		want value
		code rtheap.Code
	}{
		{"complete", func(f value) rtheap.Code { return rtlib.Complete(f, text) }, text, rtheap.OK},
		{"fail", func(f value) rtheap.Code { return rtlib.Fail(f, text) }, rtheap.Nil, rtheap.HasFailed},
		{"cancel", rtlib.Cancel, rtheap.Nil, rtheap.IsCancelled},
	} {
		t.Run(end.name, func(t *testing.T) {
			f, c := rtlib.NewPromise()
			if c != rtheap.OK {
				t.Fatal(c)
			}
			const n = 50
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					v, c := rtlib.Await(t.Context(), f)
					if v != end.want || c != end.code {
						t.Errorf("got %#x, %v", v, c)
					}
					h.Release(v)
				})
			}
			counts(t, h, f, 1+n)
			if rtlib.Ready(f) {
				t.Error("ready too early")
			}
			if c := end.do(f); c != rtheap.OK {
				t.Error(c)
			}
			if c := end.do(f); c != rtheap.BadState {
				t.Error("a second end:", c)
			}
			wg.Wait()
			if !rtlib.Ready(f) || h.Count(f) != 1 {
				t.Error("not over, or somebody has not left")
			}
			h.Release(f)
		})
	}
	if got := h.Count(text); got != 1 {
		t.Errorf("%d counts are left", got)
	}
	h.Release(text)
}

// TestR01Stop stops the runtime under goroutines that wait, and starts it again.
func TestR01Stop(t *testing.T) {
	h := heap(t)
	rtlib.Shutdown(-1) // what other tests left
	heap(t)
	ch, _ := rtlib.NewChannel(1)
	f, _ := rtlib.NewPromise()
	got := make(chan rtheap.Code)
	go func() { _, c := rtlib.Recv(t.Context(), ch); got <- c }()
	go func() { _, c := rtlib.Await(t.Context(), f); got <- c }()
	counts(t, h, ch, 2)
	counts(t, h, f, 2)
	if n, c := rtlib.Shutdown(-1); n != 2 || c != rtheap.OK {
		t.Errorf("%d objects were alive, %v", n, c)
	}
	for range 2 {
		if c := <-got; c != rtheap.NotStarted {
			t.Error(c)
		}
	}
	if rtlib.Running() || h.Live(ch) || h.Live(f) {
		t.Error("something is left")
	}
	if _, c := rtlib.NewChannel(1); c != rtheap.NotStarted {
		t.Error(c)
	}
	if c := rtlib.Start(); c != rtheap.OK || !rtlib.Running() {
		t.Error(c)
	}
}
