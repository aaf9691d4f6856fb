package call_test

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestShortStepsDoWhatStepsDo(t *testing.T) {
	lib := ctest.Open(t)
	s, ints, words := script(t, 2)
	s[0].Fn = lib.Fn("weigh14")
	s[0].Args[0] = uintptr(mem.AddrOfPtr(&words[0]))
	for i := range 13 {
		s[0].Args[1+i] = uintptr((i * 7) % 10)
	}
	s[1].Fn, s[1].Few = lib.Fn("count_to"), 1
	s[1].Args = [call.MaxStepArgs]uintptr{uintptr(mem.AddrOfPtr(&ints[0])), 30, uintptr(mem.AddrOfPtr(&ints[1]))}
	s[1].Flag, s[1].Spins = mem.AddrOfPtr(&ints[1]), 20
	s[0].RunShort()
	if s[0].Failed() != 0 || words[0] != want14() || ints[0] != 20 || ints[1] != 0 {
		t.Errorf("%d: %d, want %d; %d looks", s[0].Failed(), words[0], want14(), ints[0])
	}
	s[1].Spins = 20
	s[1].RunShort()
	if ints[0] != 30 || ints[1] != 1 || s[1].Spins != 11 {
		t.Errorf("%d looks, flag %d, %d left", ints[0], ints[1], s[1].Spins)
	}
}

// The collector stops the world while short calls are made on all processors.
func TestShortStepsWhileTheWorldStops(t *testing.T) {
	lib := ctest.Open(t)
	var wg sync.WaitGroup
	for range 4 {
		s, ints, _ := script(t, 1)
		s[0].Fn, s[0].Few = lib.Fn("count_to"), 1
		s[0].Args = [call.MaxStepArgs]uintptr{uintptr(mem.AddrOfPtr(&ints[0])), 1 << 30, uintptr(mem.AddrOfPtr(&ints[1]))}
		s[0].Flag = mem.AddrOfPtr(&ints[1])
		wg.Go(func() {
			for range 2000 {
				s[0].Spins = 100
				s[0].RunShort()
			}
			if ints[0] != 200_000 {
				t.Errorf("%d looks, want 200000", ints[0])
			}
		})
	}
	for range 20 {
		runtime.GC()
	}
	wg.Wait()
}

// A short call may not enter Go, so there are none any more when C has a function that does. In a process of its own, since
// that is for good.
func TestShortStepsMayCallGoOnceItIsExpected(t *testing.T) {
	const env = "ISTHMUS_TEST_SHORT_CALLBACK"
	if os.Getenv(env) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), env+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s, _, _ := script(t, 1)
	s[0].Fn = ctest.Open(t).Fn("identity")
	s[0].RunShort() // one that is not the other kind yet
	called := 0
	fn, err := cb.Static(func(a uintptr) uintptr {
		called++
		runtime.Gosched()
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	s[0].Fn, s[0].Few = fn, 1
	s[0].RunShort()
	if called != 1 || s[0].Failed() != 0 {
		t.Errorf("called %d times, %d", called, s[0].Failed())
	}
}
