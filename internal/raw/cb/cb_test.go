package cb_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestMain(m *testing.M) { leaktest.Main(m, ctest.Clean) }

// wait waits for a value that must come.
func wait[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestSignalDeliversOnce(t *testing.T) {
	got := make(chan mem.Addr, 10)
	s, err := cb.Arm(func(v mem.Addr) { got <- v })
	if err != nil {
		t.Fatal(err)
	}
	strays := cb.Strays()
	for i := range uintptr(3) {
		call.Call(s.Fn, 41+i, s.Arg)
	}
	if v := wait(t, got); v != 41 {
		t.Errorf("value %d, want that of the first call", v)
	}
	if n := cb.Strays() - strays; n != 2 {
		t.Errorf("%d strays, want 2", n)
	}
	if s.Disarm() {
		t.Error("Disarm of a fired signal says that it will never run")
	}
	// The place is used again; the old token stays dead.
	for range 100 {
		s2, err := cb.Arm(func(v mem.Addr) { got <- v })
		if err != nil {
			t.Fatal(err)
		}
		call.Call(s.Fn, 1, s.Arg)
		call.Call(s2.Fn, 2, s2.Arg)
		if v := wait(t, got); v != 2 {
			t.Fatalf("value %d: the old token reached the new signal", v)
		}
	}
}

func TestSignalTakesAnyToken(t *testing.T) {
	s, err := cb.Arm(func(mem.Addr) { t.Error("a wrong token fired the signal") })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disarm()
	rapid.Check(t, func(t *rapid.T) {
		token := uintptr(rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Max(1<<20), rapid.Uint64()).Draw(t, "token"))
		if token == s.Arg {
			t.Skip()
		}
		strays := cb.Strays()
		call.Call(s.Fn, 1, token)
		if cb.Strays() != strays+1 {
			t.Fatalf("token %#x is not a stray", token)
		}
	})
}

func TestDisarm(t *testing.T) {
	s, err := cb.Arm(func(mem.Addr) { t.Error("ran after Disarm") })
	if err != nil {
		t.Fatal(err)
	}
	armed := cb.Armed()
	if !s.Disarm() || s.Disarm() {
		t.Error("Disarm is not true once")
	}
	if n := armed - cb.Armed(); n != 1 {
		t.Errorf("Disarm freed %d places", n)
	}
	call.Call(s.Fn, 1, s.Arg)
	if (cb.Signal{}).Disarm() {
		t.Error("the zero Signal was armed")
	}
}

func TestSignalPanicIsReported(t *testing.T) { // P07
	log := leaktest.Capture(t)
	done := make(chan bool, 1)
	for _, f := range []func(){
		func() { panic("boom") },
		func() { panic(errors.New("boom")) },
	} {
		s, err := cb.Arm(func(mem.Addr) { f() })
		if err != nil {
			t.Fatal(err)
		}
		call.Call(s.Fn, 0, s.Arg)
	}
	for _, r := range log.Wait(t, 2) {
		if r.Problem != isthmus.ProblemPanic || !errors.Is(r, isthmus.ErrPanic) || !strings.Contains(r.Error(), "boom") {
			t.Errorf("report %v", r)
		}
	}
	// The goroutine goes on.
	s, err := cb.Arm(func(mem.Addr) { done <- true })
	if err != nil {
		t.Fatal(err)
	}
	call.Call(s.Fn, 0, s.Arg)
	wait(t, done)
}

// TestSignalThatEndsTheGoroutine has one signal of a batch end the goroutine of all signals: those after it come still.
func TestSignalThatEndsTheGoroutine(t *testing.T) {
	log := leaktest.Capture(t)
	got, held := make(chan mem.Addr, 3), make(chan bool)
	fire := func(v uintptr, done func(mem.Addr)) {
		s, err := cb.Arm(done)
		if err != nil {
			t.Fatal(err)
		}
		call.Call(s.Fn, v, s.Arg)
	}
	fire(0, func(v mem.Addr) { got <- v; <-held })
	wait(t, got)
	fire(1, func(mem.Addr) { runtime.Goexit() })
	fire(2, func(v mem.Addr) { got <- v })
	close(held)
	if v := wait(t, got); v != 2 {
		t.Errorf("value %d, want 2", v)
	}
	if r := log.Wait(t, 1)[0]; r.Problem != isthmus.ProblemPanic || !strings.Contains(r.Error(), "ended its goroutine") {
		t.Errorf("report %v", r)
	}
	fire(3, func(v mem.Addr) { got <- v })
	wait(t, got)
}

func TestSignalsHammer(t *testing.T) {
	fire := ctest.Open(t).Fn("fire")
	for round := range 30 {
		repeat := uintptr(1 + round%2*2)
		const n, threads = 4000, 8
		strays := cb.Strays()
		var left sync.WaitGroup
		left.Add(n)
		var hits [n]atomic.Int32
		tokens := make([]uintptr, n)
		var fn call.Fn
		for i := range tokens {
			s, err := cb.Arm(func(v mem.Addr) {
				if v != mem.Addr(i+1) {
					t.Errorf("signal %d got value %d", i, v)
				}
				hits[i].Add(1)
				left.Done()
			})
			if err != nil {
				t.Fatal(err)
			}
			fn, tokens[i] = s.Fn, s.Arg
		}
		var pin mem.Pin
		if r := call.Call(fire, uintptr(fn), uintptr(mem.PinSlice(&pin, tokens)), n, threads, repeat); r != 0 {
			t.Fatal("the fixture could not start its threads")
		}
		pin.Unpin()
		left.Wait()
		for i := range hits {
			if h := hits[i].Load(); h != 1 {
				t.Fatalf("signal %d ran %d times", i, h)
			}
		}
		want := uint64(0)
		if repeat > 1 {
			want = n * (threads*uint64(repeat) - 1)
		}
		if got := cb.Strays() - strays; got != want {
			t.Errorf("%d strays, want %d", got, want)
		}
	}
	if n := cb.Armed(); n != 0 {
		t.Errorf("%d signals are still armed", n)
	}
}

// TestSignalsModel arms, fires, fires again and disarms in any order, and compares with a set.
func TestSignalsModel(t *testing.T) {
	type armed struct {
		s   cb.Signal
		got chan mem.Addr
	}
	rapid.Check(t, func(t *rapid.T) {
		var live, dead []armed
		pick := func(t *rapid.T, from []armed) int {
			if len(from) == 0 {
				t.Skip()
			}
			return rapid.IntRange(0, len(from)-1).Draw(t, "which")
		}
		t.Repeat(map[string]func(*rapid.T){
			"arm": func(t *rapid.T) {
				got := make(chan mem.Addr, 2)
				s, err := cb.Arm(func(v mem.Addr) { got <- v })
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range append(slices.Clone(live), dead...) {
					if o.s.Arg == s.Arg {
						t.Fatalf("token %#x was given out twice", s.Arg)
					}
				}
				live = append(live, armed{s, got})
			},
			"fire": func(t *rapid.T) {
				i := pick(t, live)
				v := uintptr(rapid.Uint64().Draw(t, "value"))
				call.Call(live[i].s.Fn, v, live[i].s.Arg)
				if got := <-live[i].got; got != mem.Addr(v) {
					t.Fatalf("got %#x, want %#x", got, v)
				}
				dead = append(dead, live[i])
				live = slices.Delete(live, i, i+1)
			},
			"fire dead": func(t *rapid.T) {
				i := pick(t, dead)
				strays := cb.Strays()
				call.Call(dead[i].s.Fn, 1, dead[i].s.Arg)
				if cb.Strays() != strays+1 {
					t.Fatal("a dead signal took the call")
				}
			},
			"disarm": func(t *rapid.T) {
				i := pick(t, live)
				if !live[i].s.Disarm() {
					t.Fatal("Disarm of an armed signal is false")
				}
				dead = append(dead, live[i])
				live = slices.Delete(live, i, i+1)
			},
			"": func(t *rapid.T) {
				if n := cb.Armed(); n != len(live) {
					t.Fatalf("%d armed, want %d", n, len(live))
				}
				for _, d := range dead {
					if len(d.got) != 0 {
						t.Fatal("a dead signal ran")
					}
				}
			},
		})
		for _, a := range live {
			a.s.Disarm()
		}
	})
}

func TestSignalsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("arms 262,143 signals")
	}
	all := make([]cb.Signal, 0, cb.MaxSignals)
	for range cb.MaxSignals {
		s, err := cb.Arm(func(mem.Addr) {})
		if err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		all = append(all, s)
	}
	if _, err := cb.Arm(func(mem.Addr) {}); !errors.Is(err, isthmus.ErrLimit) {
		t.Errorf("one more: %v, want ErrLimit", err)
	}
	for _, s := range all {
		s.Disarm()
	}
	last, err := cb.Arm(func(mem.Addr) {})
	if err != nil {
		t.Fatalf("after all were disarmed: %v", err)
	}
	if n := cb.Armed(); n != 1 {
		t.Errorf("%d armed, want 1", n)
	}
	last.Disarm()
}

func TestServedResultAndBarrier(t *testing.T) { // P07
	lib := ctest.Open(t)
	for _, isolate := range []bool{false, true} {
		s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{
			Serve: func(a *cb.Args) uintptr {
				switch a[0] {
				case 1:
					panic("boom")
				case 2:
					var p *int
					return uintptr(*p)
				case 3:
					if isolate {
						runtime.Goexit()
					}
					panic(nil)
				}
				return a[0] * 2
			},
			Fault: func(err error) uintptr {
				if !errors.Is(err, isthmus.ErrPanic) {
					t.Errorf("Fault got %v", err)
				}
				return 99
			},
			Isolate: isolate,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, via := range []string{"call_served", "call_served_thread"} {
			for x, want := range map[uintptr]uintptr{0: 0, 1: 99, 2: 99, 3: 99, 21: 42} {
				if got := call.Call(lib.Fn(via), uintptr(s.Fn), x, s.Arg); got != want {
					t.Errorf("isolate=%v %s(%d) = %d, want %d", isolate, via, x, got, want)
				}
			}
		}
		if !s.Release() || s.Release() {
			t.Error("Release is not true once")
		}
	}
	if n := cb.Registered(); n != 0 {
		t.Errorf("%d callbacks are registered", n)
	}
}

func TestServedAfterReleaseIsAStray(t *testing.T) {
	log := leaktest.Capture(t)
	shape := cb.Shape{Args: 3, User: 2}
	old, err := cb.Serve(shape, cb.Handler{Serve: func(*cb.Args) uintptr { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	old.Release()
	s, err := cb.Serve(shape, cb.Handler{Serve: func(*cb.Args) uintptr { return 2 }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if s.Fn != old.Fn {
		t.Error("a shape has more than one C function")
	}
	strays := cb.Strays()
	for _, token := range []uintptr{old.Arg, 0, ^uintptr(0), s.Arg + 1<<16} {
		if got := call.Call(s.Fn, 0, 0, token); got != 0 {
			t.Errorf("token %#x: result %d, want 0", token, got)
		}
	}
	if got := call.Call(s.Fn, 0, 0, s.Arg); got != 2 {
		t.Errorf("result %d, want 2", got)
	}
	if n := cb.Strays() - strays; n != 4 {
		t.Errorf("%d strays, want 4", n)
	}
	for _, r := range log.Wait(t, 4) {
		if r.Problem != isthmus.ProblemStray || !errors.Is(r, isthmus.ErrClosed) {
			t.Errorf("report %v", r)
		}
	}
	if old.Release() {
		t.Error("the old registration released the new one")
	}
}

func TestServePlacesAreUsedAgain(t *testing.T) {
	for i := range 3 * 2000 { // purego alone ends at 2,000
		s, err := cb.Serve(cb.Shape{Args: 1, User: 0}, cb.Handler{Serve: func(*cb.Args) uintptr { return uintptr(i) }})
		if err != nil {
			t.Fatal(err)
		}
		if got := call.Call1(s.Fn, mem.Addr(s.Arg)); got != uintptr(i) {
			t.Fatalf("callback %d returned %d", i, got)
		}
		s.Release()
	}
}

func TestServeRefusesWhatCannotBe(t *testing.T) {
	f := cb.Handler{Serve: func(*cb.Args) uintptr { return 0 }}
	for _, shape := range []cb.Shape{{}, {Args: 7, User: 0}, {Args: 2, User: 2}, {Args: 2, User: -1}} {
		if _, err := cb.Serve(shape, f); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%+v: %v", shape, err)
		}
	}
	if _, err := cb.Serve(cb.Shape{Args: 1}, cb.Handler{}); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("no function: %v", err)
	}
	if _, err := cb.Static("not a function"); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("Static: %v", err)
	}
}

func TestStatic1(t *testing.T) {
	log := leaktest.Capture(t)
	fn, err := cb.Static1(func(a mem.Addr) uintptr {
		if a == 0 {
			panic("nil")
		}
		return uintptr(a) + 1
	}, func(error) uintptr { panic("the fault handler, too") })
	if err != nil {
		t.Fatal(err)
	}
	if got := call.Call1(fn, 5); got != 6 {
		t.Errorf("got %d", got)
	}
	if got := call.Call1(fn, 0); got != 0 {
		t.Errorf("after two panics: %d, want 0", got)
	}
	log.Wait(t, 1)
}

func TestServedHammer(t *testing.T) {
	lib := ctest.Open(t)
	onThread := lib.Fn("call_served_thread")
	log := leaktest.Capture(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(a *cb.Args) uintptr { return a[0] + uintptr(g) }})
				if err != nil {
					t.Error(err)
					return
				}
				// Released while a foreign thread calls: the result is the handler's or the stray's.
				done := make(chan uintptr)
				go func() { done <- call.Call(onThread, uintptr(s.Fn), 1000, s.Arg) }()
				if i%2 == 0 {
					runtime.Gosched()
					s.Release()
				}
				if got := <-done; got != 1000+uintptr(g) && (i%2 != 0 || got != 0) {
					t.Errorf("callback %d of %d returned %d", i, g, got)
				}
				s.Release()
			}
		})
	}
	wg.Wait()
	for _, r := range log.All() {
		if r.Problem != isthmus.ProblemStray {
			t.Errorf("report %v", r)
		}
	}
}

// TestP07NothingLeavesPastC runs in processes of their own, which end: what a callback lets out does not go on past C's
// frames, whoever recovers it above them.
func TestP07NothingLeavesPastC(t *testing.T) {
	const mode = "ISTHMUS_TEST_LEAVES"
	var h cb.Handler
	token := uintptr(0)
	for name, c := range map[string]struct {
		set  func()
		want string
	}{
		"serve exits":     {func() { h.Serve = func(*cb.Args) uintptr { runtime.Goexit(); return 0 } }, "set Isolate where this may happen"},
		"fault exits":     {func() { h.Fault = func(error) uintptr { runtime.Goexit(); return 0 } }, "runtime.Goexit in a function that C called"},
		"reporter panics": {func() { isthmus.SetReporter(func(isthmus.Report) { panic("at the reporter") }) }, "at the reporter"},
		"reporter exits":  {func() { isthmus.SetReporter(func(isthmus.Report) { runtime.Goexit() }) }, "runtime.Goexit in a function that C called"},
		"stray": {func() {
			token = 1 << 40
			isthmus.SetReporter(func(isthmus.Report) { runtime.Goexit() })
		}, "runtime.Goexit in a function that C called"},
	} {
		inside, out, err := leaktest.Alone(t, mode+"="+name)
		if !inside {
			if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, "it went on") {
				t.Errorf("%s: the process ended with %v:\n%s", name, err, out)
			}
			continue
		}
		if os.Getenv(mode) != name {
			continue
		}
		h.Serve = func(*cb.Args) uintptr { panic("at the callback") }
		c.set()
		s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, h)
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan bool)
		go func() {
			defer close(over)
			defer func() { recover() }()
			call.Call(ctest.Open(t).Fn("call_served"), uintptr(s.Fn), 1, s.Arg+token)
		}()
		<-over
		fmt.Println("it went on")
	}
}

func BenchmarkSignal(b *testing.B) {
	got := make(chan mem.Addr, 1)
	done := func(v mem.Addr) { got <- v }
	b.ReportAllocs()
	for b.Loop() {
		s, err := cb.Arm(done)
		if err != nil {
			b.Fatal(err)
		}
		call.Call(s.Fn, 0, s.Arg)
		<-got
	}
}

func BenchmarkServe(b *testing.B) {
	for _, isolate := range []bool{false, true} {
		name := "isolate=false"
		if isolate {
			name = "isolate=true"
		}
		b.Run(name, func(b *testing.B) {
			s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Isolate: isolate, Serve: func(a *cb.Args) uintptr { return a[0] }})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Release()
			b.ReportAllocs()
			for b.Loop() {
				call.Call(s.Fn, 0, s.Arg)
			}
		})
	}
}

func TestSlot(t *testing.T) {
	var faults []error
	slot, err := cb.ServeSlot(cb.Handler{
		Serve: func(a *cb.Args) uintptr {
			if a[1] == 0 {
				panic("zero")
			}
			return a[0] / a[1]
		},
		Fault: func(err error) uintptr { faults = append(faults, err); return 7 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := call.Call(slot.Fn, 12, 4); got != 3 {
		t.Errorf("12 / 4 = %d", got)
	}
	if got := call.Call(slot.Fn, 12, 0); got != 7 || len(faults) != 1 || !errors.Is(faults[0], isthmus.ErrPanic) {
		t.Errorf("a panic gives %d, %v", got, faults)
	}
	if !slot.Release() || slot.Release() {
		t.Error("a slot is not released once")
	}
	strays := cb.Strays()
	if got := call.Call(slot.Fn, 12, 4); got != 0 || cb.Strays() != strays+1 {
		t.Errorf("a call after the release gives %d, %d strays", got, cb.Strays()-strays)
	}
	again, err := cb.ServeSlot(cb.Handler{Serve: func(*cb.Args) uintptr { return 1 }})
	if err != nil || again.Fn != slot.Fn {
		t.Errorf("the place is not used again: %v", err)
	}
	if slot.Release() {
		t.Error("an old slot releases its successor")
	}
	again.Release()
	if _, err := cb.ServeSlot(cb.Handler{}); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("no function: %v", err)
	}
	for i := range cb.MaxSlots {
		s, err := cb.ServeSlot(cb.Handler{Serve: func(*cb.Args) uintptr { return uintptr(i) }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		if got := call.Call(s.Fn); got != uintptr(i) {
			t.Fatalf("slot %d serves %d", i, got)
		}
	}
	if _, err := cb.ServeSlot(cb.Handler{Serve: func(*cb.Args) uintptr { return 1 }}); !errors.Is(err, isthmus.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
}
