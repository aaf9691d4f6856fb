package call_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// throwing is the fixture that throws; without a barrier on this platform the test is skipped.
func throwing(t *testing.T) ctest.Lib {
	t.Helper()
	if call.Trampoline != "assembly" {
		t.Skipf("calls go through %s, which has no barrier", call.Trampoline)
	}
	lib := ctest.Throwing(t)
	if !call.Guarded() {
		t.Fatal("a C++ library is open and no barrier is up")
	}
	return lib
}

var thrown = []struct {
	kind uintptr
	want isthmus.Exception
}{
	{1, isthmus.Exception{Name: "std::runtime_error", What: "the plugin is \uFFFD tired", Class: "GNUCC++"}},
	{2, isthmus.Exception{Name: "int", Class: "GNUCC++"}},
	{3, isthmus.Exception{Name: "std::bad_alloc", What: "std::bad_alloc", Class: "GNUCC++"}},
	{4, isthmus.Exception{Name: "boat::Capsized", Class: "GNUCC++"}},
	{5, isthmus.Exception{Name: "boat::Sunk", What: "sunk at 54°N", Class: "GNUCC++"}},
	{6, isthmus.Exception{Class: "MOZRUST"}},
	{7, isthmus.Exception{Name: "std::runtime_error", What: strings.Repeat("x", 4096), Class: "GNUCC++"}},
	{8, isthmus.Exception{Name: "boat::Sunk", What: "sunk at 54°N", Class: "GNUCC++"}},
	{9, isthmus.Exception{Name: "std::runtime_error", What: "the plugin is \uFFFD tired", Class: "GNUCC++"}},
	{10, isthmus.Exception{Name: "char const*", Class: "GNUCC++"}},
}

// nothingLeft fails when an exception was not destroyed, or twice, or a frame was not unwound.
func nothingLeft(t *testing.T, lib ctest.Lib) {
	t.Helper()
	if n := int64(call.Call(lib.Fn("throw_left"))); n != 0 {
		t.Errorf("%d exceptions and frames are left", n)
	}
}

func TestM18BarrierTellsWhatWasThrown(t *testing.T) {
	lib := throwing(t)
	runtime.LockOSThread() // what C++ counts, it counts for the thread
	defer runtime.UnlockOSThread()
	for _, c := range thrown {
		ways := map[string]func(f *call.Frame) *isthmus.Exception{
			"call1": func(f *call.Frame) *isthmus.Exception {
				if f.Call1(lib.Fn("throw_kind"), mem.Addr(c.kind)) == 0 {
					t.Error("the call says 0")
				}
				return f.Thrown()
			},
			"callN": func(f *call.Frame) *isthmus.Exception {
				if f.Call(lib.Fn("throw_six"), c.kind, 1, 2, 3, 4, 5) == 0 {
					t.Error("the call says 0")
				}
				return f.Thrown()
			},
			"wide": func(f *call.Frame) *isthmus.Exception {
				w, err := call.New[call.Wide](f)
				if err != nil {
					t.Fatal(err)
				}
				w.Fn, w.Ints[0] = lib.Fn("throw_kind"), c.kind
				if !w.Run() {
					t.Error("it did not run")
				}
				x := w.Thrown()
				if w.Thrown() != nil {
					t.Error("it is told twice")
				}
				return x
			},
			"steps": func(f *call.Frame) *isthmus.Exception {
				s, err := call.Slice[call.Step](f, 3)
				if err != nil {
					t.Fatal(err)
				}
				for i := range s {
					s[i].Fn = lib.Fn("throw_step")
					for j := range 13 {
						s[i].Args[j] = uintptr(j)
					}
					if i < 2 {
						s[i].Next = mem.AddrOfPtr(&s[i+1])
					}
				}
				s[1].Args[13] = c.kind
				s[0].Run()
				if s[0].Failed() != 0 || s[1].Failed() == 0 || s[2].Ret != 0 {
					t.Errorf("steps end with %d, %d, %d", s[0].Ret, s[1].Ret, s[2].Ret)
				}
				x := s[0].Thrown()
				if s[0].Thrown() != nil {
					t.Error("it is told twice")
				}
				return x
			},
		}
		for at := range call.MaxChain {
			ways["chain"+string(rune('0'+at))] = func(f *call.Frame) *isthmus.Exception {
				kinds, err := call.Slice[uintptr](f, call.MaxChain)
				if err != nil {
					t.Fatal(err)
				}
				kinds[at] = c.kind
				p := make([]call.Pair, call.MaxChain)
				for i := range p {
					p[i] = call.Pair{Fn: lib.Fn("throw_slot"), Arg: mem.AddrOfPtr(&kinds[i])}
				}
				if ran, last, err := f.Chain(p...); ran != at+1 || last == 0 || err != nil {
					t.Errorf("ran %d, %d, %v", ran, last, err)
				}
				return f.Thrown()
			}
		}
		for name, way := range ways {
			f := call.Get()
			x := way(f)
			if x == nil || *x != c.want {
				t.Errorf("%d, %s: %+v, want %+v", c.kind, name, x, c.want)
			}
			if !errors.Is(x, isthmus.ErrException) || !strings.Contains(x.Error(), c.want.What) {
				t.Errorf("%v", x)
			}
			if f.Thrown() != nil {
				t.Error("it is told twice")
			}
			if r := f.Call1(lib.Fn("throw_kind"), 0); r != 0 || f.Thrown() != nil {
				t.Errorf("the next call: %d", r)
			}
			if n := call.Call(lib.Fn("throw_uncaught")); n != 0 {
				t.Fatalf("%d, %s: C++ counts %d exceptions that nobody caught", c.kind, name, n)
			}
			f.Put()
		}
	}
	nothingLeft(t, lib)
}

// TestM18BarrierInside: an exception above a Go callback ends at the call that Go made there, and the native code below the
// callback goes on, and throws one of its own.
func TestM18BarrierInside(t *testing.T) {
	lib := throwing(t)
	around, kind := lib.Fn("throw_around"), lib.Fn("throw_kind")
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(a *cb.Args) uintptr {
		f := call.Get()
		defer f.Put()
		f.Call1(kind, mem.Addr(a[0]))
		runtime.GC()
		if x := f.Thrown(); x == nil || *x != thrown[a[0]-1].want {
			t.Errorf("%d inside: %+v", a[0], x)
		}
		return a[0]
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for _, c := range thrown {
		f := call.Get()
		f.Call(around, uintptr(s.Fn), c.kind, s.Arg)
		if x := f.Thrown(); x == nil || x.What != "after the callback" {
			t.Errorf("%d: outside: %+v", c.kind, x)
		}
		f.Put()
	}
	nothingLeft(t, lib)
}

// TestM18BarrierTellsSomebody: what nobody asks for is reported.
func TestM18BarrierTellsSomebody(t *testing.T) {
	lib := throwing(t)
	var mu sync.Mutex
	var got []isthmus.Report
	before := isthmus.SetReporter(func(r isthmus.Report) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r)
	})
	defer func() { isthmus.SetReporter(before) }()
	if r := call.Call1(lib.Fn("throw_kind"), 1); r != 0 {
		t.Errorf("Call1 = %#x, want 0", r)
	}
	if r := call.Call(lib.Fn("throw_six"), 2); r != 0 {
		t.Errorf("Call = %#x, want 0", r)
	}
	f := call.Get()
	f.Call1(lib.Fn("throw_kind"), 3)
	f.Call1(lib.Fn("throw_kind"), 4)
	f.Reset()
	f.Put()
	if len(got) != 4 {
		t.Errorf("%d reports, want 4: %v", len(got), got)
	}
	for _, r := range got {
		if r.Problem != isthmus.ProblemException || !errors.Is(r, isthmus.ErrException) {
			t.Errorf("%v", r)
		}
	}
	nothingLeft(t, lib)
}

// TestM18BarrierHammer throws from all goroutines while the collector runs, and looks at what is left: of exceptions, of
// frames, and of memory.
func TestM18BarrierHammer(t *testing.T) {
	lib := throwing(t)
	each := 12500
	if testing.Short() || runtime.GOARCH != "amd64" {
		each = 500 // emulated, perhaps
	}
	kind, six, slot := lib.Fn("throw_kind"), lib.Fn("throw_six"), lib.Fn("throw_slot")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var gc sync.WaitGroup
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
	for g := range 8 {
		wg.Go(func() {
			for i := range each {
				c := thrown[(g+i)%len(thrown)]
				f := call.Get()
				switch i % 3 {
				case 0:
					f.Call1(kind, mem.Addr(c.kind))
				case 1:
					f.Call(six, c.kind)
				case 2:
					k, err := call.New[uintptr](f)
					if err != nil {
						t.Error(err)
						return
					}
					*k = c.kind
					_, _, _ = f.Chain(call.Pair{Fn: slot, Arg: mem.AddrOfPtr(k)})
				}
				if x := f.Thrown(); x == nil || *x != c.want {
					t.Errorf("%d: %+v", c.kind, x)
					f.Put()
					return
				}
				f.Put()
			}
		})
	}
	wg.Wait()
	close(stop)
	gc.Wait()
	nothingLeft(t, lib)
}
