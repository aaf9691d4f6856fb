package call_test

import (
	"errors"
	"math"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestMain(m *testing.M) { leaktest.Main(m, ctest.Clean) }

// args mirrors the fixture's struct of that name.
type args struct {
	size uintptr
	_    mem.Addr // extension_start
	in   int64
	out  int64
}

func TestCall1PassesAStructAndReturnsAPointer(t *testing.T) {
	slot := ctest.Open(t).Fn("slot")
	f := call.Get()
	defer f.Put()
	a, err := call.New[args](f)
	if err != nil {
		t.Fatal(err)
	}
	a.in = 41
	if r := call.Call1(slot, mem.AddrOfPtr(a)); r != 1 {
		t.Errorf("without a size the slot returns %d, want 1", r)
	}
	a.size = 32
	if r := call.Call1(slot, mem.AddrOfPtr(a)); r != 0 || a.out != 42 {
		t.Errorf("slot = %d, out %d; want 0, 42", r, a.out)
	}
}

func TestCallPassesUpToSixArguments(t *testing.T) {
	weigh := ctest.Open(t).Fn("weigh6")
	all := []uintptr{3, 1, 4, 1, 5, 9}
	want := []uintptr{0, 3, 13, 413, 1413, 51413, 951413}
	for n := range len(all) + 1 {
		if got := call.Call(weigh, all[:n]...); got != want[n] {
			t.Errorf("%d arguments: %d, want %d", n, got, want[n])
		}
	}
	identity := ctest.Open(t).Fn("identity")
	rapid.Check(t, func(t *rapid.T) {
		x := uintptr(rapid.Uint64().Draw(t, "x"))
		if got := call.Call1(identity, mem.Addr(x)); got != x {
			t.Fatalf("Call1(identity, %#x) = %#x", x, got)
		}
		if got := call.Call(identity, x); got != x {
			t.Fatalf("Call(identity, %#x) = %#x", x, got)
		}
	})
}

func TestBrokenInvariantsPanicBeforeC(t *testing.T) {
	identity := ctest.Open(t).Fn("identity")
	f := call.Get()
	defer f.Put()
	for name, broken := range map[string]func(){
		"Call1 of nil":    func() { call.Call1(0, 0) },
		"Call of nil":     func() { call.Call(0) },
		"Chain of nil":    func() { _, _, _ = f.Chain(call.Pair{Fn: identity}, call.Pair{}) },
		"seven arguments": func() { call.Call(identity, 1, 2, 3, 4, 5, 6, 7) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			broken()
		}()
	}
}

func TestStackIsAlignedAndLarge(t *testing.T) {
	lib := ctest.Open(t)
	probe, deep := lib.Fn("stack_misalignment"), lib.Fn("deep")
	f := call.Get()
	defer f.Put()
	if got := call.Call1(probe, 0); got != 0 {
		t.Errorf("Call1: the stack is off by %d", got)
	}
	if got := call.Call(probe, 0); got != 0 {
		t.Errorf("Call: the stack is off by %d", got)
	}
	if _, got, err := f.Chain(call.Pair{Fn: probe}, call.Pair{Fn: probe}); got != 0 || err != nil {
		t.Errorf("Chain: the stack is off by %d, %v", got, err)
	}
	// 1 MiB of C stack, from a goroutine whose own is 8 KiB.
	done := make(chan uintptr)
	go func() { done <- call.Call1(deep, 256) }()
	if got := <-done; got != 256 {
		t.Errorf("deep(256) = %d", got)
	}
}

func TestChainStopsAfterTheFirstNonZero(t *testing.T) {
	counted := ctest.Open(t).Fn("counted")
	rapid.Check(t, func(t *rapid.T) {
		f := call.Get()
		defer f.Put()
		state, err := call.Slice[uint64](f, 3) // calls made, where to stop, the handle
		if err != nil {
			t.Fatal(err)
		}
		n := rapid.IntRange(0, call.MaxChain).Draw(t, "calls")
		stop := rapid.IntRange(1, call.MaxChain+1).Draw(t, "stop at")
		state[1] = uint64(stop)
		calls := make([]call.Pair, n)
		needs, err := call.Slice[uintptr](f, call.MaxChain)
		if err != nil {
			t.Fatal(err)
		}
		wantRan, wantLast := n, uintptr(0)
		for i := range calls {
			calls[i] = call.Pair{Fn: counted, Arg: mem.AddrOf(state)}
			switch rapid.IntRange(0, 3).Draw(t, "need") {
			case 0:
				needs[i], calls[i].Need = uintptr(i+1)<<40, mem.AddrOfPtr(&needs[i])
			case 1:
				calls[i].Need = mem.AddrOfPtr(&needs[i])
				wantRan = min(wantRan, i)
			}
		}
		ran, last, err := f.Chain(calls...)
		if stop <= wantRan {
			wantRan, wantLast = stop, 7
		}
		handle := uint64(0)
		for i := range wantRan {
			if calls[i].Need != 0 {
				handle = uint64(needs[i])
			}
		}
		if state[2] != handle {
			t.Errorf("the last handle is %#x, want %#x", state[2], handle)
		}
		if err != nil || ran != wantRan || last != wantLast || state[0] != uint64(wantRan) {
			t.Fatalf("Chain of %d, stop at %d: ran %d last %d calls %d, %v; want %d, %d", n, stop, ran, last, state[0], err, wantRan, wantLast)
		}
	})
	f := call.Get()
	defer f.Put()
	if ran, _, err := f.Chain(make([]call.Pair, call.MaxChain+1)...); ran != 0 || !errors.Is(err, isthmus.ErrBounds) {
		t.Errorf("a chain that is too long: ran %d, %v", ran, err)
	}
}

// TestCallSurvivesStackGrowth calls Go from C from Go and grows the goroutine's stack below the C frames: the
// frame of the outer call must not have been on it.
func TestCallSurvivesStackGrowth(t *testing.T) {
	callServed := ctest.Open(t).Fn("call_served")
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(a *cb.Args) uintptr {
		runtime.GC()
		return a[0] + uintptr(grow(int(a[0]%64)+64))
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 8 {
				x := uintptr(g*100 + i)
				if got, want := call.Call(callServed, uintptr(s.Fn), x, s.Arg), x+x%64+64; got != want {
					t.Errorf("got %d, want %d", got, want)
				}
			}
		})
	}
	wg.Wait()
}

//go:noinline
func grow(n int) int {
	var block [1024]byte
	if n == 0 {
		return int(block[0])
	}
	block[n%1024] = 1
	return grow(n-1) + int(block[n%1024])
}

func TestFrameModel(t *testing.T) {
	type piece struct {
		b    []uint64
		mark uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		f := call.Get()
		var pieces []piece
		mark := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"slice": func(t *rapid.T) {
				n := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(400, 2000)).Draw(t, "n")
				s, err := call.Slice[uint64](f, n)
				if err != nil || len(s) != n {
					t.Fatalf("Slice(%d): len %d, %v", n, len(s), err)
				}
				mark++
				for i := range s {
					if s[i] != 0 {
						t.Fatalf("element %d of a new slice is %#x", i, s[i])
					}
					s[i] = mark
				}
				pieces = append(pieces, piece{s, mark})
			},
			"text": func(t *rapid.T) {
				want := rapid.String().Draw(t, "text")
				a, err := f.Text(want)
				if err != nil || a == 0 {
					t.Fatalf("Text: %#x, %v", a, err)
				}
				got, err := mem.Copy(a, len(want)+1, len(want)+1)
				if err != nil || string(got) != want+"\x00" {
					t.Fatalf("Text(%q) holds %q, %v", want, got, err)
				}
			},
			"reset": func(*rapid.T) {
				f.Reset()
				pieces = nil
			},
			"": func(t *rapid.T) {
				for _, p := range pieces {
					for i, v := range p.b {
						if v != p.mark {
							t.Fatalf("piece %d was overwritten at %d by %d", p.mark, i, v)
						}
					}
				}
			},
		})
		f.Put()
	})
}

func TestFrameRefusesWhatCannotBe(t *testing.T) {
	f := call.Get()
	defer f.Put()
	for _, n := range []int{-1, math.MaxInt, math.MaxInt / 8} {
		if _, err := call.Slice[uint64](f, n); !errors.Is(err, isthmus.ErrBounds) && !errors.Is(err, isthmus.ErrLimit) {
			t.Errorf("Slice(%d): %v", n, err)
		}
	}
}

func TestCallHammer(t *testing.T) {
	lib := ctest.Open(t)
	slot, weigh := lib.Fn("slot"), lib.Fn("weigh6")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5000 {
				f := call.Get()
				a, err := call.New[args](f)
				if err != nil {
					t.Error(err)
					return
				}
				a.size, a.in = 32, int64(g<<32|i)
				if r := f.Call1(slot, mem.AddrOfPtr(a)); r != 0 || a.out != a.in+1 {
					t.Errorf("slot: %d, %d to %d", r, a.in, a.out)
					return
				}
				f.Put()
				if r := call.Call(weigh, uintptr(g), uintptr(i)); r != uintptr(g+10*i) {
					t.Errorf("weigh6(%d, %d) = %d", g, i, r)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestCallsDoNotAllocate(t *testing.T) {
	if call.Trampoline != "assembly" {
		t.Skipf("calls go through %s on this platform", call.Trampoline)
	}
	lib := ctest.Open(t)
	slot, weigh := lib.Fn("slot"), lib.Fn("weigh6")
	n := testing.AllocsPerRun(1000, func() {
		f := call.Get()
		a, _ := call.New[args](f)
		a.size = 32
		f.Call1(slot, mem.AddrOfPtr(a))
		f.Call(weigh, 1, 2, 3)
		f.Chain(call.Pair{Fn: slot, Arg: mem.AddrOfPtr(a)}, call.Pair{Fn: slot, Arg: mem.AddrOfPtr(a)})
		f.Put()
		call.Call1(slot, mem.AddrOfPtr(a))
		call.Call(weigh, 1, 2, 3, 4, 5, 6)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
