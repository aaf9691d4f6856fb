package call_test

import (
	"math"
	"runtime"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

const wideSource = `
typedef struct { unsigned long x, y, z; } three;
typedef struct { unsigned long x, y; } two;
double mixed(long a, long b, long c, long d, long e, long f, double p, float q, double r, double s, double t, double u, double v, double w,
             long g, long h, long i, long j) {
  return a + 10 * b + 100 * c + 1e3 * d + 1e4 * e + 1e5 * f + 1e6 * g + 1e7 * h + 1e8 * i + 1e9 * j + p / 2 + q / 4 + r / 8 + s / 16 + t / 32 + u / 64 + v / 128 + w / 256;
}
float single(float x) { return x * 2; }
two pair(long a) { two r = { a, a + 1 }; return r; }
three triple(long a) { three r = { a, a + 1, a + 2 }; return r; }
long self(void) { return 5; }
`

func wide(t *testing.T) (*call.Wide, *call.Frame, ctest.Lib) {
	t.Helper()
	if call.Trampoline != "assembly" {
		t.Skipf("calls go through %s", call.Trampoline)
	}
	lib := ctest.Build(t, []byte(wideSource))
	f := call.Get()
	t.Cleanup(f.Put)
	w, err := call.New[call.Wide](f)
	if err != nil {
		t.Fatal(err)
	}
	return w, f, lib
}

func TestWidePassesAndReturnsEverything(t *testing.T) {
	w, f, lib := wide(t)
	w.Fn = lib.Fn("mixed")
	regs := 6
	if runtime.GOARCH == "arm64" {
		regs = 8
	}
	want := 0.0
	for i := range 10 {
		v := uintptr(i + 1)
		if i < regs {
			w.Ints[i] = v
		} else {
			w.Stack[i-regs] = v
		}
		want += float64(v) * math.Pow10(i)
	}
	for i := range 8 {
		v := float64(3 * i)
		w.Floats[i] = math.Float64bits(v)
		if i == 1 {
			w.Floats[i] = uint64(math.Float32bits(float32(v)))
		}
		want += v / float64(int(2)<<i)
	}
	w.Run()
	if got := math.Float64frombits(w.F[0]); got != want || w.Thrown() != nil {
		t.Errorf("%v, want %v", got, want)
	}

	w.Fn, w.Few, w.Floats[0] = lib.Fn("single"), 1, uint64(math.Float32bits(1.25))
	w.Run()
	if got := math.Float32frombits(uint32(w.F[0])); got != 2.5 {
		t.Errorf("a float: %v", got)
	}

	w.Fn, w.Ints[0] = lib.Fn("pair"), 41
	w.Run()
	if w.R0 != 41 || w.R1 != 42 {
		t.Errorf("two words: %d, %d", w.R0, w.R1)
	}

	back, err := call.Slice[uintptr](f, 3)
	if err != nil {
		t.Fatal(err)
	}
	w.Fn, w.X8 = lib.Fn("triple"), uintptr(mem.AddrOf(back))
	w.Ints[0] = 7
	if runtime.GOARCH == "amd64" {
		w.Ints[0], w.Ints[1] = w.X8, 7
	}
	w.Run()
	if back[0] != 7 || back[1] != 8 || back[2] != 9 {
		t.Errorf("three words: %v", back)
	}
}

func TestM14WideKnowsItsThread(t *testing.T) {
	w, _, lib := wide(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w.Fn, w.Few = lib.Fn("self"), 1
	if !w.Run() || w.At == 0 || w.R0 != 5 {
		t.Fatalf("%#x, %d", w.At, w.R0)
	}
	w.Thread = w.At
	if !w.Run() {
		t.Error("its own thread may not call")
	}
	w.R0 = 0
	done := make(chan bool)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- w.Run()
	}()
	if <-done || w.R0 != 0 {
		t.Error("another thread called")
	}
}

func TestWideWithoutAFunctionPanicsInGo(t *testing.T) {
	w, _, _ := wide(t)
	defer func() {
		if recover() == nil {
			t.Error("no function was called")
		}
	}()
	w.Run()
}
