package ffi_test

import (
	"context"
	"errors"
	"runtime"
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
)

var shape2 = cb.Shape{Args: 2, User: 1}

func TestCallbackErrorsGoToItsOwner(t *testing.T) { // P07
	leaktest.Check(t)
	var last error
	c, err := ffi.NewCallback(ffi.CallbackOptions{
		Kind:  "test.KV",
		Shape: shape2,
		Serve: func(a *cb.Args) uintptr {
			if a[0] == 13 {
				panic("unlucky")
			}
			return a[0] + 1
		},
		Fault: func(err error) uintptr {
			last = err
			return 500
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Native()
	if err != nil {
		t.Fatal(err)
	}
	if got := call.Call(n.Fn, 1, n.Arg); got != 2 || last != nil {
		t.Errorf("got %d, %v", got, last)
	}
	if got := call.Call(n.Fn, 13, n.Arg); got != 500 || !errors.Is(last, isthmus.ErrPanic) || !strings.Contains(last.Error(), "test.KV") {
		t.Errorf("got %d, %v", got, last)
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if _, err := c.Native(); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("Native after Close: %v", err)
	}
	log := leaktest.Capture(t)
	if got := call.Call(n.Fn, 1, n.Arg); got != 0 {
		t.Errorf("after Close: %d", got)
	}
	log.Wait(t, 1)
}

func TestCallbackIsBusyWhileItRuns(t *testing.T) {
	leaktest.Check(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	var faults atomic.Int32
	c, err := ffi.NewCallback(ffi.CallbackOptions{
		Shape: shape2,
		Serve: func(*cb.Args) uintptr {
			close(entered)
			<-leave
			return 7
		},
		Fault: func(err error) uintptr {
			if errors.Is(err, isthmus.ErrClosed) {
				faults.Add(1)
			}
			return 500
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Native()
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan uintptr)
	go func() { result <- call.Call(n.Fn, 0, n.Arg) }()
	must(t, entered, "the call")
	if err := c.Close(); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("Close while it runs: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.CloseWait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("CloseWait: %v", err)
	}
	if got := call.Call(n.Fn, 0, n.Arg); got != 500 || faults.Load() != 1 {
		t.Errorf("a new call while it closes: %d, %d faults", got, faults.Load())
	}
	close(leave)
	if got := <-result; got != 7 {
		t.Errorf("the running call returned %d", got)
	}
	if err := c.CloseWait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCallbackMakesObjects makes objects below frames of C's, on a thread of Go's and on one of C's: the walk that
// records their creation site must end at C.
func TestCallbackMakesObjects(t *testing.T) {
	lib := ctest.Open(t)
	leaktest.Check(t)
	n := newNative()
	defer n.finish(t)
	class := n.class("test.Object")
	c, err := ffi.NewCallback(ffi.CallbackOptions{Shape: shape2, Serve: func(*cb.Args) uintptr {
		var o ffi.Owned[int]
		if err := o.Init(class, n.create()); err != nil {
			return 1
		}
		if site := o.Object().Site; !site.Known() || !strings.Contains(site.String(), "callback_test.go:") {
			return 2
		}
		if o.Close() != nil {
			return 3
		}
		return 0
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Native()
	if err != nil {
		t.Fatal(err)
	}
	for _, via := range []string{"call_served", "call_served_thread"} {
		for range 100 {
			if got := call.Call(lib.Fn(via), uintptr(s.Fn), 0, s.Arg); got != 0 {
				t.Fatalf("%s: the callback failed at step %d", via, got)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCallbackKeepsItsParents(t *testing.T) {
	n := newNative()
	defer n.finish(t)
	leaktest.Check(t)
	var plugin, user ffi.Owned[int]
	if err := plugin.Init(n.class("test.Plugin"), n.create()); err != nil {
		t.Fatal(err)
	}
	opt := ffi.CallbackOptions{Shape: shape2, Serve: func(*cb.Args) uintptr { return 0 }, Parents: []ffi.Parent{&plugin}}
	c, err := ffi.NewCallback(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := user.Init(n.class("test.Client"), n.create(), c.Parent()); err != nil {
		t.Fatal(err)
	}
	if err := plugin.Close(); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("the plugin under its callback: %v", err)
	}
	if err := c.Close(); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("the callback under its client: %v", err)
	}
	if err := errors.Join(user.Close(), c.Close(), plugin.Close()); err != nil {
		t.Error(err)
	}
	registered := cb.Registered()
	if _, err := ffi.NewCallback(opt); !errors.Is(err, isthmus.ErrClosed) || cb.Registered() != registered {
		t.Errorf("closed parent: %v, %d registered", err, cb.Registered())
	}
	for _, bad := range []ffi.CallbackOptions{{Shape: shape2}, {Serve: opt.Serve}} {
		if _, err := ffi.NewCallback(bad); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	var none *ffi.Callback
	if _, err := none.Native(); !errors.Is(err, isthmus.ErrClosed) || none.Close() != nil || none.CloseWait(t.Context()) != nil {
		t.Errorf("no callback: %v", err)
	}
}

func TestCallbackForgottenIsReported(t *testing.T) {
	leaktest.Check(t)
	log := leaktest.Capture(t)
	registered := cb.Registered()
	func() {
		if _, err := ffi.NewCallback(ffi.CallbackOptions{Shape: shape2, Serve: func(*cb.Args) uintptr { return 0 }}); err != nil {
			t.Fatal(err)
		}
	}()
	if r := log.Wait(t, 1)[0]; r.Problem != isthmus.ProblemLeak || !strings.Contains(r.Error(), "callback_test.go:") {
		t.Errorf("report %v", r)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if cb.Registered() == registered {
			return
		}
		runtime.GC()
	}
	t.Error("the place was not freed")
}

// TestCallbackModel compares what native code gets with a table of what is open.
func TestCallbackModel(t *testing.T) {
	leaktest.Capture(t) // strays are part of it
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			c    *ffi.Callback
			n    cb.Served
			id   uintptr
			open bool
		}
		var all []*entry
		pick := func(t *rapid.T) *entry {
			if len(all) == 0 {
				t.Skip()
			}
			return rapid.SampledFrom(all).Draw(t, "which")
		}
		t.Repeat(map[string]func(*rapid.T){
			"new": func(t *rapid.T) {
				id := uintptr(len(all) + 1)
				c, err := ffi.NewCallback(ffi.CallbackOptions{
					Shape: cb.Shape{Args: rapid.IntRange(2, 6).Draw(t, "args"), User: 1},
					Serve: func(a *cb.Args) uintptr {
						if a[0] == 13 {
							panic("unlucky")
						}
						return id
					},
					Fault: func(error) uintptr { return 1000 + id },
				})
				if err != nil {
					t.Fatal(err)
				}
				n, err := c.Native()
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, &entry{c, n, id, true})
			},
			"close": func(t *rapid.T) {
				e := pick(t)
				if err := e.c.Close(); err != nil {
					t.Fatal(err)
				}
				e.open = false
			},
			"call": func(t *rapid.T) {
				e := pick(t)
				x := rapid.SampledFrom([]uintptr{1, 13}).Draw(t, "x")
				want := uintptr(0)
				if e.open {
					want = e.id
					if x == 13 {
						want += 1000
					}
				}
				if got := call.Call(e.n.Fn, x, e.n.Arg); got != want {
					t.Fatalf("callback %d, open %v: %d, want %d", e.id, e.open, got, want)
				}
			},
		})
		for _, e := range all {
			if err := e.c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n := cb.Registered(); n != 0 {
		t.Errorf("%d callbacks are registered", n)
	}
}

func TestCallbackHammer(t *testing.T) {
	onThread := ctest.Open(t).Fn("call_served_thread")
	leaktest.Check(t)
	leaktest.Capture(t) // calls after the end are strays
	for range 20 {
		var inside atomic.Int32
		var closed atomic.Bool
		c, err := ffi.NewCallback(ffi.CallbackOptions{
			Shape: shape2,
			Serve: func(a *cb.Args) uintptr {
				inside.Add(1)
				if closed.Load() {
					t.Error("served after the end")
				}
				runtime.Gosched()
				inside.Add(-1)
				return a[0]
			},
			Fault: func(error) uintptr { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		n, err := c.Native()
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					if got := call.Call(onThread, uintptr(n.Fn), 9, n.Arg); got != 9 && got != 0 {
						t.Errorf("got %d", got)
					}
				}
			})
		}
		wg.Go(func() {
			if err := c.CloseWait(t.Context()); err != nil {
				t.Error(err)
			}
			closed.Store(true)
			if n := inside.Load(); n != 0 {
				t.Errorf("%d calls run after the end", n)
			}
		})
		wg.Wait()
	}
}
