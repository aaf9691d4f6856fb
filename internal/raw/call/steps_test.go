package call_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// script makes n steps, one after the other, and a few C ints and words for them.
func script(t *testing.T, n int) (steps []*call.Step, ints []int32, words []uint64) {
	t.Helper()
	f := call.Get()
	t.Cleanup(f.Put)
	all, err := call.Slice[call.Step](f, n)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if i > 0 {
			all[i-1].Next = mem.AddrOfPtr(&all[i])
		}
		steps = append(steps, &all[i])
	}
	if ints, err = call.Slice[int32](f, 8); err != nil {
		t.Fatal(err)
	}
	if words, err = call.Slice[uint64](f, 8); err != nil {
		t.Fatal(err)
	}
	return steps, ints, words
}

func TestStepsPassFourteenArguments(t *testing.T) {
	s, _, words := script(t, 1)
	s[0].Fn = ctest.Open(t).Fn("weigh14")
	s[0].Args[0] = uintptr(mem.AddrOfPtr(&words[0]))
	for i := range 13 {
		s[0].Args[1+i] = uintptr((i * 7) % 10)
	}
	s[0].Run()
	if s[0].Failed() != 0 || words[0] != want14() {
		t.Errorf("%d: %d, want %d", s[0].Failed(), words[0], want14())
	}
	s[0].Args[13] = 10
	if s[0].Run(); s[0].Failed() != 7 {
		t.Errorf("the result of the last argument is %d, want 7", s[0].Failed())
	}
}

func want14() (sum uint64) {
	for i, w := 0, uint64(1); i < 13; i, w = i+1, w*10 {
		sum += uint64((i*7)%10) * w
	}
	return sum
}

func TestStepsPollAFlagAndGoOn(t *testing.T) {
	count := ctest.Open(t).Fn("count_to")
	s, ints, _ := script(t, 3)
	for i, at := range []uintptr{1, 50, 1} {
		s[i].Fn = count
		s[i].Args = [call.MaxStepArgs]uintptr{uintptr(mem.AddrOfPtr(&ints[2*i])), at, uintptr(mem.AddrOfPtr(&ints[2*i+1]))}
		s[i].Flag, s[i].Spins = mem.AddrOfPtr(&ints[2*i+1]), 20
	}
	s[0].Flag = 0
	s[0].Run()
	if ints[0] != 1 || ints[2] != 20 || ints[4] != 0 || s[1].Spins != 0 {
		t.Errorf("after 20 looks: %v, %d left", ints, s[1].Spins)
	}
	s[1].Spins = 100
	s[1].Run()
	if ints[2] != 50 || s[1].Spins != 71 || ints[4] != 1 {
		t.Errorf("after the flag is set: %v, %d left", ints, s[1].Spins)
	}
}

func TestStepsStopAtAFailure(t *testing.T) {
	lib := ctest.Open(t)
	s, ints, words := script(t, 2)
	s[0].Fn = lib.Fn("weigh14")
	s[0].Args[0], s[0].Args[1] = uintptr(mem.AddrOfPtr(&words[0])), 77
	s[1].Fn = lib.Fn("count_to")
	s[1].Args = [call.MaxStepArgs]uintptr{uintptr(mem.AddrOfPtr(&ints[0])), 1, uintptr(mem.AddrOfPtr(&ints[1]))}
	s[0].Run()
	if s[0].Failed() != 7 || ints[0] != 0 {
		t.Errorf("failed %d, and %d calls after it", s[0].Failed(), ints[0])
	}
}

func TestStepsWithoutAFunctionPanicInGo(t *testing.T) {
	s, _, _ := script(t, 2)
	s[0].Fn = ctest.Open(t).Fn("identity")
	defer func() {
		if recover() == nil {
			t.Error("a step without a function was run")
		}
	}()
	s[0].Run()
}
