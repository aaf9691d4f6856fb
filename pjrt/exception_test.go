package pjrt_test

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

//go:embed testdata/thrower.cc
var throwerCC []byte

// thrower is a C++ plugin before the fake whose functions throw on request.
type thrower struct {
	t   testing.TB
	lib ctest.Lib
}

func newThrower(t testing.TB) thrower {
	t.Helper()
	if call.Trampoline != "assembly" {
		t.Skipf("calls go through %s, which has no barrier", call.Trampoline)
	}
	w := thrower{t, ctest.BuildCXX(t, throwerCC)}
	if !call.Guarded() {
		t.Fatal("no barrier is up")
	}
	return w
}

// front puts the thrower before a table.
func (w thrower) front(table *pjrtc.Table) *pjrtc.Table {
	at := call.Call(w.lib.Fn("thrower_before"), uintptr(table.API()), pjrtc.Slot(0).Offset(), uintptr(pjrtc.NumSlots))
	n, err := pjrtc.NewTable(pjrtc.Ptr[pjrtc.Api](at))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w thrower) arm(s pjrtc.Slot, kind int, after bool) {
	late := uintptr(0)
	if after {
		late = 1
	}
	call.Call(w.lib.Fn("thrower_arm"), uintptr(int(s)), uintptr(kind), late)
}

func (w thrower) disarm()     { w.arm(-1, 0, false) }
func (w thrower) thrown() int { return int(call.Call(w.lib.Fn("thrower_thrown"))) }
func (w thrower) alive() int  { return int(call.Call(w.lib.Fn("thrower_alive"))) }

// kinds are what is thrown, and what the error says of it.
var thrownKinds = []string{1: "std::runtime_error: out of cheese", 2: "int", 3: "std::bad_alloc: std::bad_alloc", 4: "thrower::Own", 5: "of the class MOZRUST"}

// alone runs the test in a process of its own, where what it leaves on purpose disturbs nobody. It reports whether this
// is that process.
func alone(t *testing.T) bool {
	t.Helper()
	const env = "ISTHMUS_TEST_ALONE"
	if os.Getenv(env) == t.Name() {
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("--- SKIP")) {
		t.Skipf("%s", out)
	}
	// The process fails for what is left; its test must not.
	if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) || bytes.Contains(out, []byte("--- FAIL")) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, l := range strings.Split(string(out), "\n") {
		if strings.Contains(l, "_test.go:") {
			t.Log(strings.TrimSpace(l))
		}
	}
	return false
}

// TestM18ExceptionAtEveryFunction has every function that a journey reaches throw, before its work and after it: the
// process lives, somebody is told what was thrown, and every exception is destroyed.
func TestM18ExceptionAtEveryFunction(t *testing.T) {
	w := newThrower(t)
	if !alone(t) {
		return
	}
	cells, told, reported, next := 0, 0, 0, 0
	for name, j := range allJourneys() {
		err, _, _, called := travel(t, j, "", pjrtfake.NoFault, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for s := range pjrtc.Slot(pjrtc.NumSlots) {
			if called[s.String()] == 0 {
				continue
			}
			for _, after := range []bool{false, true} {
				next++
				kind := 1 + next%5
				before := w.thrown()
				err, reports := throwing(t, w, j, s, kind, after)
				if w.thrown() == before {
					continue
				}
				cells++
				switch {
				case err != nil && errors.Is(err, isthmus.ErrException):
					told++
					if !strings.Contains(err.Error(), thrownKinds[kind]) {
						t.Errorf("%s/%s: got %v, want it to say %s", name, s, err, thrownKinds[kind])
					}
				case slices.ContainsFunc(reports, func(r isthmus.Report) bool { return errors.Is(r, isthmus.ErrException) }):
					reported++
				default:
					t.Errorf("%s/%s, %s, after %v: nobody was told: %v, %v", name, s, thrownKinds[kind], after, err, reports)
				}
			}
		}
	}
	// A call that a journey does not wait for, such as the end of what it gave up, may be on its way back.
	for end := time.Now().Add(time.Minute); w.alive() != 0 && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := w.alive(); n != 0 {
		t.Errorf("%d exceptions and frames are left", n)
	}
	t.Logf("%d exceptions at functions: %d were the operation's error, %d were reported", cells, told, reported)
}

// throwing is a journey through a plugin one function of which throws once it is armed.
//
//lint:ignore ST1008 the journey's error is what the test is about
func throwing(t *testing.T, w thrower, j func(*world) error, s pjrtc.Slot, kind int, after bool) (err error, reports []isthmus.Report) {
	t.Helper()
	log, before := &leaktest.Log{}, w.thrown()
	t.Run(s.String(), func(t *testing.T) {
		log = leaktest.Capture(t)
		f := pjrtfake.New()
		f.Programs, f.OnCPU = programs(), true
		f.DeviceAttributes = []pjrtfake.Value{{Name: "coords", Value: []int64{1, 2, 3}}, {Name: "name", Value: "x"}}
		f.Attributes, f.TopologyAttributes = f.DeviceAttributes, f.DeviceAttributes
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		world := &world{t: t, ctx: ctx, cancel: cancel, f: f, front: w.front, armed: func() { w.arm(s, kind, after) }}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if v := recover(); v != nil {
					u, ok := v.(unprepared)
					if !ok {
						panic(v)
					}
					err = u.error
				}
			}()
			err = j(world)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			buf := make([]byte, 1<<20)
			t.Fatalf("it hangs:\n%s", buf[:runtime.Stack(buf, true)])
		}
		w.disarm()
		for _, c := range slices.Backward(world.closes) {
			err = errors.Join(err, c()) // what an exception left half done may stay busy for ever
		}
		// A function that is called in the background may throw after the journey's end.
		for end := time.Now().Add(time.Minute); w.thrown() > before && !errors.Is(err, isthmus.ErrException) && len(log.All()) == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	})
	return err, log.All()
}

// TestM18ExceptionHammer throws 100,000 times from eight goroutines while the collector runs.
func TestM18ExceptionHammer(t *testing.T) {
	w := newThrower(t)
	log := leaktest.Capture(t)
	f := pjrtfake.New()
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pjrt.FromTable("thrower", w.front(table))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := c.Device()
	round := func(n int) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n {
					if _, err := d.MemoryStats(); !errors.Is(err, isthmus.ErrException) {
						t.Errorf("got %v, want an exception", err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	stop, collected := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				collected <- n
				return
			default:
				runtime.GC()
			}
		}
	}()
	before := w.thrown()
	each := 2500
	if testing.Short() {
		each = 250
	}
	var first int
	for kind := 1; kind <= 5; kind++ {
		w.arm(pjrtc.SlotDeviceMemoryStats, kind, kind%2 == 0)
		round(each)
		if kind == 1 {
			first = resident(t)
		}
	}
	grown := resident(t) - first
	close(stop)
	t.Logf("%d exceptions, %d collections, resident memory grew by %d KiB", w.thrown()-before, <-collected, grown)
	if n := w.thrown() - before; n != 5*8*each {
		t.Errorf("%d were thrown, want %d", n, 5*8*each)
	}
	if grown > 16<<10 {
		t.Errorf("resident memory grew by %d KiB", grown)
	}
	w.disarm()
	if _, err := d.MemoryStats(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := w.alive(); n != 0 {
		t.Errorf("%d exceptions and frames are left", n)
	}
	if all := log.All(); len(all) != 1 || !errors.Is(all[0], isthmus.ErrException) {
		t.Errorf("reports: %v, want the first exception", all)
	}
	books(t, f)
}

// resident is the process's resident memory in KiB, after a collection; 0 where the system does not say.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// TestM18ExceptionKeepsLoans: memory that was lent for longer than a call that threw stays lent.
func TestM18ExceptionKeepsLoans(t *testing.T) {
	w := newThrower(t)
	if !alone(t) {
		return
	}
	leaktest.Capture(t)
	f := pjrtfake.New()
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pjrt.FromTable("thrower", w.front(table))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data := []float32{1, 2, 3, 4}
	w.arm(pjrtc.SlotClientBufferFromHostBuffer, 1, false)
	_, _, err = pjrt.PutLent(c.Device(), data, pjrt.UntilTransferred, 4)
	w.disarm()
	if !errors.Is(err, isthmus.ErrException) || !strings.Contains(err.Error(), "suspect") {
		t.Fatalf("got %v, want an exception", err)
	}
	if _, _, err := pjrt.PutLent(c.Device(), data, pjrt.WhileAliveMutable, 4); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("the memory can be lent again: %v", err)
	}
}
