package pjrt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// pit is what the two operations of a pair meet at: one buffer, one event, one program, one client.
type pit struct {
	c       *pjrt.Client
	d, next *pjrt.Device
	x, give *pjrt.Executable // give takes the memory of its first argument
	b, with *pjrt.Buffer     // with is never ended
	other   *pjrt.Buffer
	e       *pjrt.Event
	p       *pjrt.Promise[struct{}]
	t       *pjrt.Topology
	kept    []byte // x, serialised
}

const (
	pairProgram = `func.func @main(%x: tensor<2x2xf32>, %y: tensor<2x2xf32>) -> tensor<2x2xf32> {
		%0 = stablehlo.add %x, %y : tensor<2x2xf32>
		return %0 : tensor<2x2xf32>
	}`
	pairDonor = `func.func @main(%x: tensor<2x2xf32> {tf.aliasing_output = 0 : i32}, %y: tensor<2x2xf32>) -> tensor<2x2xf32> {
		%0 = stablehlo.add %x, %y : tensor<2x2xf32>
		return %0 : tensor<2x2xf32>
	}`
)

var (
	pairType  = pjrt.Type{DType: dtype.F32, Dims: []int{2, 2}}
	pairShape = pjrt.ShapeOf(dtype.F32, 2, 2)
)

// pairOp is one operation. What ends says what it ends: the buffer, the program, the event or the client; "" for
// nothing. A heavy one is done less often.
type pairOp struct {
	name  string
	ends  string
	heavy bool
	do    func(context.Context, *pit) error
}

// closes ends what an operation made.
func closes[T interface{ Close() error }](v T, err error) error {
	if err != nil {
		return err
	}
	return v.Close()
}

// eventually ends the buffer that an operation made, and waits for the event that came with it.
func eventually[T interface{ Close() error }](ctx context.Context, v T, e *pjrt.Event, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(v.Close(), e.Wait(ctx), e.Close())
}

// tells makes an operation of a method that only tells something.
func tells[T any](f func(*pit) (T, error)) func(context.Context, *pit) error {
	return func(_ context.Context, w *pit) error {
		_, err := f(w)
		return err
	}
}

func executes(ctx context.Context, x *pjrt.Executable, args ...*pjrt.Buffer) error {
	outs, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
	for _, o := range outs {
		err = errors.Join(err, o.Close())
	}
	return err
}

// puts lends memory of its own to a new buffer.
func puts(how pjrt.Lend) func(context.Context, *pit) error {
	return func(ctx context.Context, w *pit) error {
		b, e, err := pjrt.PutLent(w.d, make([]float32, 4), how, 2, 2)
		return eventually(ctx, b, e, err)
	}
}

// pairOps are the operations that meet, each with each.
var pairOps = []pairOp{
	// On the buffer.
	{"read", "", false, func(ctx context.Context, w *pit) error { _, err := w.b.Bytes(ctx); return err }},
	{"read, may give up", "", false, func(_ context.Context, w *pit) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := w.b.Bytes(ctx)
		return err
	}},
	{"read in place", "", false, func(ctx context.Context, w *pit) error {
		return pjrt.Read(ctx, w.b, func(v *pjrt.Values[float32]) error { v.At(0); return nil })
	}},
	{"read by column", "", false, func(ctx context.Context, w *pit) error {
		return w.b.GetBytesWith(ctx, make([]byte, 16), pjrt.ColumnMajor(2))
	}},
	{"read raw", "", false, func(ctx context.Context, w *pit) error { return w.b.GetRaw(ctx, make([]byte, 8), 4) }},
	{"read raw later", "", false, func(ctx context.Context, w *pit) error {
		e, p, err := w.b.GetRawLater(0, 16)
		if err != nil {
			return err
		}
		err = p.Fulfill(make([]byte, 16))
		if err == nil {
			err = e.Wait(ctx)
		}
		return errors.Join(err, p.Close(), e.Close())
	}},
	{"copy to its device", "", false, func(_ context.Context, w *pit) error { return closes(w.b.CopyTo(w.d)) }},
	{"copy to another device", "", false, func(_ context.Context, w *pit) error { return closes(w.b.CopyTo(w.next)) }},
	{"copy to memory", "", false, func(_ context.Context, w *pit) error { return closes(w.b.CopyToMemory(w.next.Memory())) }},
	{"bitcast", "buffer", false, func(_ context.Context, w *pit) error { return closes(w.b.Bitcast(pjrt.ShapeOf(dtype.I32, 4))) }},
	{"dlpack", "", false, func(ctx context.Context, w *pit) error { return closes(w.b.DLPack(ctx)) }},
	{"raw buffer", "", false, func(ctx context.Context, w *pit) error {
		r, err := w.b.Raw()
		if err != nil {
			return err
		}
		e, err := r.CopyTo(make([]byte, 16), 0)
		if err == nil {
			err = errors.Join(e.Wait(ctx), e.Close())
		}
		return errors.Join(err, r.Close())
	}},
	{"deleted", "", false, tells(func(w *pit) (bool, error) { return w.b.Deleted() })},
	{"size", "", false, tells(func(w *pit) (int64, error) { return w.b.SizeOnDevice() })},
	{"layout", "", false, tells(func(w *pit) (pjrt.Layout, error) { return w.b.Layout() })},
	{"memory", "", false, tells(func(w *pit) (*pjrt.Memory, error) { return w.b.Memory() })},
	{"where", "", false, tells(func(w *pit) (*pjrt.Device, error) { return w.b.Where() })},
	{"on host", "", false, tells(func(w *pit) (bool, error) { return w.b.OnHost() })},
	{"dynamic dims", "", false, tells(func(w *pit) ([]int, error) { return w.b.DynamicDims() })},
	{"unpadded dims", "", false, tells(func(w *pit) ([]int, error) { return w.b.UnpaddedDims() })},
	{"ready", "", false, func(_ context.Context, w *pit) error { return closes(w.b.Ready()) }},
	{"wait", "", false, func(ctx context.Context, w *pit) error { return w.b.Wait(ctx) }},
	{"alias", "buffer", false, func(_ context.Context, w *pit) error {
		b, p, err := w.d.Memory().Alias(pairShape)
		if err != nil {
			return err
		}
		err = p.Fulfill(w.b)
		return errors.Join(err, p.Close(), b.Close())
	}},
	{"donate after", "buffer", false, func(ctx context.Context, w *pit) error {
		b, p, err := w.b.DonateAfter()
		if err != nil {
			return err
		}
		err = p.Fulfill(struct{}{})
		if err == nil {
			err = b.Wait(ctx)
		}
		return errors.Join(err, p.Close(), b.Close())
	}},
	{"delete", "buffer", false, func(_ context.Context, w *pit) error { return w.b.Delete() }},
	{"close", "buffer", false, func(_ context.Context, w *pit) error { return w.b.Close() }},

	// On the program.
	{"execute", "", false, func(ctx context.Context, w *pit) error { return executes(ctx, w.x, w.b, w.with) }},
	{"execute, may give up", "", false, func(_ context.Context, w *pit) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return executes(ctx, w.x, w.b, w.b)
	}},
	{"execute and give up", "", false, func(_ context.Context, w *pit) error {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		err := executes(ctx, w.x, w.b, w.with)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}},
	{"start", "", false, func(ctx context.Context, w *pit) error {
		r, err := w.x.Start(ctx, []*pjrt.Buffer{w.b, w.with}, pjrt.ExecuteOptions{})
		if err != nil {
			return err
		}
		outs, err := r.Outputs(ctx)
		for _, o := range outs {
			err = errors.Join(err, o.Close())
		}
		return errors.Join(err, r.Wait(ctx), r.Close())
	}},
	{"donate", "buffer", false, func(ctx context.Context, w *pit) error { return executes(ctx, w.give, w.b, w.with) }},
	{"donate with other", "buffer", false, func(ctx context.Context, w *pit) error { return executes(ctx, w.give, w.b, w.other) }},
	{"donate other", "buffer", false, func(ctx context.Context, w *pit) error { return executes(ctx, w.give, w.other, w.b) }},
	{"execute with other", "", false, func(ctx context.Context, w *pit) error { return executes(ctx, w.x, w.other, w.b) }},
	{"optimized", "", true, tells(func(w *pit) (pjrt.Program, error) { return w.x.Optimized() })},
	{"serialize", "", true, tells(func(w *pit) ([]byte, error) { return w.x.Serialize() })},
	{"cost analysis", "", true, tells(func(w *pit) ([]pjrt.NamedValue, error) { return w.x.CostAnalysis() })},
	{"compiled memory", "", false, tells(func(w *pit) (pjrt.CompiledMemory, error) { return w.x.CompiledMemory() })},
	{"compile options", "", false, tells(func(w *pit) ([]byte, error) { return w.x.CompileOptions() })},
	{"assignment", "", false, tells(func(w *pit) ([][]int, error) { return w.x.AssignmentIDs() })},
	{"param memories", "", false, tells(func(w *pit) ([]string, error) { return w.x.ParamMemories() })},
	{"output memories", "", false, tells(func(w *pit) ([]string, error) { return w.x.OutputMemories() })},
	{"param layouts", "", false, tells(func(w *pit) ([]pjrt.Layout, error) { return w.x.ParamLayouts() })},
	{"output layouts", "", false, tells(func(w *pit) ([]pjrt.Layout, error) { return w.x.OutputLayouts() })},
	{"param shardings", "", false, tells(func(w *pit) ([]pjrt.Sharding, error) { return w.x.ParamShardings() })},
	{"fingerprint", "", false, tells(func(w *pit) ([]byte, error) { return w.x.LoadedFingerprint() })},
	{"logical ids", "", false, tells(func(w *pit) ([]pjrt.LogicalID, error) { return w.x.LogicalIDs() })},
	{"unloaded", "", false, tells(func(w *pit) (bool, error) { return w.x.Unloaded() })},
	{"compiled", "", false, func(_ context.Context, w *pit) error {
		c, err := w.x.Compiled()
		if err != nil {
			return err
		}
		_, err = c.CompiledMemory()
		return errors.Join(err, c.Close())
	}},
	{"abi", "", false, func(_ context.Context, w *pit) error { return closes(w.x.ABI()) }},
	{"unload", "program", false, func(_ context.Context, w *pit) error { return w.x.Unload() }},
	{"close program", "program", false, func(_ context.Context, w *pit) error { return w.x.Close() }},

	// On the client.
	{"compile", "", true, func(ctx context.Context, w *pit) error {
		return closes(w.c.Compile(ctx, pjrt.MLIR(pairProgram), pjrt.CompileOptions{}))
	}},
	{"deserialize", "", true, func(ctx context.Context, w *pit) error {
		if w.kept == nil {
			return nil
		}
		return closes(w.c.Deserialize(ctx, w.kept, pjrt.LoadOptions{}))
	}},
	{"put", "", false, func(ctx context.Context, w *pit) error { return closes(pjrt.Put(ctx, w.d, make([]float32, 4), 2, 2)) }},
	{"put until transferred", "", false, puts(pjrt.UntilTransferred)},
	{"put while alive", "", false, puts(pjrt.WhileAlive)},
	{"put while alive, mutable", "", false, puts(pjrt.WhileAliveMutable)},
	{"view", "", false, func(ctx context.Context, w *pit) error {
		r, err := ffi.Alloc(64, 64)
		if err != nil {
			return err
		}
		l, err := r.Write(0, 16)
		if err != nil {
			return err
		}
		b, e, err := w.d.Memory().View(pairShape, l)
		err = eventually(ctx, b, e, err)
		l.Return()
		return errors.Join(err, r.Close())
	}},
	{"uninitialized", "", false, func(_ context.Context, w *pit) error { return closes(w.d.Memory().Uninitialized(pairShape)) }},
	{"failed", "", false, func(_ context.Context, w *pit) error {
		return closes(w.d.Memory().Failed(pairShape, errors.New("on purpose")))
	}},
	{"upload", "", false, func(ctx context.Context, w *pit) error {
		u, err := w.d.Memory().NewUpload(pairShape)
		if err != nil {
			return err
		}
		e, err := u.Write(0, 0, make([]byte, 16), true)
		if err == nil {
			err = errors.Join(e.Wait(ctx), e.Close())
		}
		return errors.Join(err, u.Close())
	}},
	{"memory stats", "", false, tells(func(w *pit) (pjrt.MemoryStats, error) { return w.d.MemoryStats() })},
	{"device state", "", false, tells(func(w *pit) ([]pjrt.NamedValue, error) { return w.d.State() })},
	{"default layout", "", false, tells(func(w *pit) (pjrt.Layout, error) { return w.c.DefaultLayout(pairType) })},
	{"default assignment", "", false, tells(func(w *pit) ([][]*pjrt.Device, error) { return w.c.DefaultAssignment(1, 1) })},
	{"look up a device", "", false, tells(func(w *pit) (*pjrt.Device, error) { return w.c.LookupDevice(w.d.ID()) })},
	{"look up a local device", "", false, tells(func(w *pit) (*pjrt.Device, error) { return w.c.LookupLocalDevice(w.d.HardwareID()) })},
	{"poison", "", false, tells(func(w *pit) (bool, error) { return w.d.Poison(4711, errors.New("on purpose")) })},
	{"track", "", false, func(_ context.Context, w *pit) error { return closes(w.d.Track("a pair")) }},
	{"topology", "", false, func(_ context.Context, w *pit) error { return closes(w.c.Topology()) }},
	{"topology serialized", "", false, tells(func(w *pit) ([]byte, error) { return w.t.Serialize() })},
	{"topology fingerprint", "", false, tells(func(w *pit) (uint64, error) { return w.t.Fingerprint() })},
	{"compile ahead", "", true, func(ctx context.Context, w *pit) error {
		err := closes(w.t.Compile(ctx, pjrt.MLIR(pairProgram), pjrt.CompileOptions{}))
		if old(w.c.Plugin()) && errors.Is(err, isthmus.ErrNotFound) {
			return nil // it compiles nothing without a client
		}
		return err
	}},
	{"another client", "", true, func(ctx context.Context, w *pit) error {
		return closes(w.c.Plugin().NewClient(ctx, pjrt.ClientOptions{}))
	}},
	{"close client", "client", false, func(_ context.Context, w *pit) error { return w.c.Close() }},

	// On the event.
	{"event ready", "", false, tells(func(w *pit) (bool, error) { return w.e.Ready() })},
	{"event wait", "", false, func(ctx context.Context, w *pit) error {
		// It fires by a promise that the other one may keep or break, or that the end breaks.
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := w.e.Wait(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}},
	{"event done", "", false, tells(func(w *pit) (<-chan struct{}, error) { return w.e.Done() })},
	{"event fires", "event", false, func(_ context.Context, w *pit) error { return w.p.Fulfill(struct{}{}) }},
	{"event fails", "event", false, func(_ context.Context, w *pit) error { return w.p.Fail(errors.New("on purpose")) }},
	{"promise broken", "event", false, func(_ context.Context, w *pit) error { return w.p.Close() }},
	{"event close", "event", false, func(_ context.Context, w *pit) error { return w.e.Close() }},
}

// bufferOps is how many of them are on the buffer.
var bufferOps = slices.IndexFunc(pairOps, func(o pairOp) bool { return o.name == "execute, may give up" })

var (
	// executions have the plugin take hold of several buffers, or of one twice.
	executions = []string{
		"execute", "execute, may give up", "execute and give up", "start", "execute with other",
		"donate", "donate with other", "donate other",
	}
	// takers have the plugin take a buffer for good.
	takers = []string{"donate", "donate with other", "donate other", "donate after", "bitcast", "alias", "delete"}
)

// tangle reports whether one operation may have what the other waits for, and the other way round.
func tangle(a, b pairOp) bool {
	is := slices.Contains[[]string]
	return is(executions, a.name) && is(takers, b.name) || is(takers, a.name) && is(executions, b.name)
}

// pairTest has each two operations meet, from the pair with number first on, and prints which it does.
type pairTest struct {
	t      *testing.T
	p      *pjrt.Plugin
	c      *pjrt.Client
	x      *pjrt.Executable
	give   *pjrt.Executable
	with   *pjrt.Buffer
	topo   *pjrt.Topology
	kept   []byte
	rounds int
	now    *[2]atomic.Pointer[string] // what is being done, nil for nothing
}

func (s *pairTest) open(ctx context.Context) {
	var err error
	if s.c, err = s.p.NewClient(ctx, pjrt.ClientOptions{}); err != nil {
		s.t.Fatal(err)
	}
	if s.x, err = s.c.Compile(ctx, pjrt.MLIR(pairProgram), pjrt.CompileOptions{}); err != nil {
		s.t.Fatal(err)
	}
	if s.give, err = s.c.Compile(ctx, pjrt.MLIR(pairDonor), pjrt.CompileOptions{}); err != nil {
		s.t.Fatal(err)
	}
	if s.with, err = pjrt.Put(ctx, s.c.Device(), make([]float32, 4), 2, 2); err != nil {
		s.t.Fatal(err)
	}
	if s.topo, err = s.c.Topology(); err != nil {
		s.t.Fatal(err)
	}
	if s.kept, err = s.x.Serialize(); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
		s.t.Fatal(err)
	}
}

func (s *pairTest) close() {
	for _, v := range []closer{s.topo, s.with, s.x, s.give} {
		if err := closeAtLast(s.t, v); err != nil {
			s.t.Error(err)
		}
	}
	closeClient(s.t, s.c)
}

// meet does both operations at once, rounds times, each several times.
func (s *pairTest) meet(a, b pairOp) {
	ctx := context.Background()
	ends := map[string]bool{a.ends: true, b.ends: true}
	times, rounds := 8, s.rounds
	switch {
	case a.heavy || b.heavy:
		times, rounds = 2, (rounds+3)/4
	case tangle(a, b):
		rounds *= 50
	}
	for range rounds {
		if ends["client"] {
			own := *s
			s = &own
			s.open(ctx)
		}
		w := &pit{c: s.c, d: s.c.Device(), x: s.x, give: s.give, with: s.with, t: s.topo, kept: s.kept}
		w.next = w.d
		if all := s.c.Devices(); len(all) > 1 {
			w.next = all[1]
		}
		var err error
		if ends["program"] {
			if w.x, err = s.c.Compile(ctx, pjrt.MLIR(pairProgram), pjrt.CompileOptions{}); err != nil {
				s.t.Fatal(err)
			}
		}
		if w.b, err = pjrt.Put(ctx, w.d, []float32{1, 2, 3, 4}, 2, 2); err != nil {
			s.t.Fatal(err)
		}
		if w.other, err = pjrt.Put(ctx, w.d, []float32{5, 6, 7, 8}, 2, 2); err != nil {
			s.t.Fatal(err)
		}
		if w.e, w.p, err = s.c.NewEvent(); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
			s.t.Fatal(err)
		}
		var ready, wg sync.WaitGroup
		ready.Add(2)
		for i, op := range []pairOp{a, b} {
			s.now[i].Store(&op.name)
			wg.Go(func() {
				defer s.now[i].Store(nil)
				ready.Done()
				ready.Wait()
				for range times {
					err := op.do(ctx, w)
					if err != nil && !s.allowed(err, ends, w) {
						s.t.Errorf("%s beside %s: %s: %v", a.name, b.name, op.name, err)
						return
					}
				}
			})
		}
		wg.Wait()
		ended := []closer{w.p, w.e, w.b, w.other}
		if ends["program"] {
			ended = append(ended, w.x)
		}
		for _, v := range ended {
			if err := closeAtLast(s.t, v); err != nil {
				s.t.Errorf("%s beside %s: close: %v", a.name, b.name, err)
			}
		}
		if ends["client"] {
			s.close()
		}
	}
}

// margin is how long before its end a test that hangs says so.
const margin = 10 * time.Second

// closeAtLast closes what an execution that was given up may use still.
func closeAtLast(t *testing.T, v closer) error {
	end, limited := t.Deadline()
	for {
		err := v.Close()
		if !errors.Is(err, isthmus.ErrBusy) {
			return err
		}
		if limited && time.Until(end) < margin {
			return fmt.Errorf("who uses it never lets go: %w", err)
		}
		runtime.Gosched()
	}
}

// watch has the test say what does not come back, shortly before its time is over, when all stacks follow.
func (s *pairTest) watch() (stop func() bool) {
	end, limited := s.t.Deadline()
	if !limited {
		return func() bool { return true }
	}
	return time.AfterFunc(time.Until(end)-margin, func() {
		for i := range s.now {
			if name := s.now[i].Load(); name != nil {
				fmt.Printf("hung: %s\n", *name)
			}
		}
	}).Stop
}

// allowed reports whether an operation may say err when something may be ended beside it.
func (s *pairTest) allowed(err error, ends map[string]bool, w *pit) bool {
	if errors.Is(err, isthmus.ErrUnsupported) {
		return true
	}
	var e *pjrt.Error
	switch {
	case w.e == nil && errors.Is(err, isthmus.ErrInvalid): // the plugin has no events of the program's
		return true
	case errors.Is(err, isthmus.ErrBusy):
		return ends["buffer"] || ends["program"] || ends["client"]
	case errors.Is(err, isthmus.ErrClosed):
		return len(ends) > 1 || !ends[""]
	case errors.As(err, &e): // the plugin was asked while it ended something
		return ends["buffer"] || ends["program"] || ends["event"]
	}
	return false
}

const pairsEnv = "ISTHMUS_TEST_PAIRS"

// TestP11Pairs has every two operations on one buffer, program, client or event meet on two goroutines: plugins have
// state that they do not lock. Each plugin's pairs run in a process of their own, which goes on after the pair at which
// it ended. ISTHMUS_HAMMER=long does all pairs, and each for longer;
// ISTHMUS_TEST_PAIR="read beside alias" does only that one.
func TestP11Pairs(t *testing.T) {
	if v := os.Getenv(pairsEnv); v != "" {
		name, first, _ := strings.Cut(v, ":")
		n, err := strconv.Atoi(first)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { pairs(t, namedPlugin(t, name), n) })
		return
	}
	for _, name := range []string{"embedded", "ISTHMUS_PJRT_CPU", "ISTHMUS_PJRT_CPU_OLD"} {
		t.Run(name, func(t *testing.T) {
			if name != "embedded" {
				real(t, name)
			}
			total := len(pairOps) * (len(pairOps) + 1) / 2
			first, crashes := 0, 0
			for first < total && crashes < 20 {
				at, pair, out, err := pairsAlone(t, name, first)
				if errors.Is(err, syscall.ENOEXEC) {
					t.Skip("the test runs under an emulator, which a new process would not")
				}
				if err != nil {
					t.Errorf("%s: %v\n%s", pair, err, out)
					crashes++
				}
				if at < first {
					t.Fatalf("the process did nothing:\n%s", out)
				}
				first = at + 1
			}
		})
	}
}

// pairsAlone runs the pairs from first on in a process of its own. It returns the pair that was done last.
func pairsAlone(t *testing.T, name string, first int) (last int, pair, out string, err error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestP11Pairs$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s:%d", pairsEnv, name, first))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return first, "the process", "", err
	}
	var head, tail []string
	last, pair = first-1, "the process"
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if s, ok := strings.CutPrefix(lines.Text(), "pair "); ok {
			num, what, _ := strings.Cut(s, " ")
			if n, err := strconv.Atoi(num); err == nil {
				last, pair = n, what
				continue
			}
		}
		switch text := lines.Text(); {
		case strings.TrimSpace(text) == "":
		case strings.HasPrefix(text, "E0000 "), strings.Contains(text, "Source Location Trace"),
			strings.HasPrefix(text, "xla/"), strings.HasPrefix(text, "./xla/"): // XLA's log
		case len(head) < 100:
			head = append(head, text)
		default: // stacks come last
			if len(tail) == 400 {
				tail = append(tail[:0], tail[1:]...)
				head[99] = "…"
			}
			tail = append(tail, text)
		}
	}
	return last, pair, strings.Join(append(head, tail...), "\n"), cmd.Wait()
}

// pairs is the test in the process of its own.
func pairs(t *testing.T, p *pjrt.Plugin, first int) {
	s := &pairTest{t: t, p: p, rounds: 1, now: &[2]atomic.Pointer[string]{}}
	defer s.watch()()
	every := 6
	switch {
	case hammerLong():
		s.rounds, every = 10, 1
	case testing.Short():
		every = 40
	}
	s.open(t.Context())
	n, did := 0, 0
	for i, a := range pairOps {
		for j, b := range pairOps[i:] {
			if only := os.Getenv("ISTHMUS_TEST_PAIR"); n >= first && (only == "" || only == a.name+" beside "+b.name) && (n%every == 0 || tangle(a, b) || i < bufferOps && i+j < bufferOps) {
				fmt.Printf("pair %d %s beside %s\n", n, a.name, b.name)
				s.meet(a, b)
				did++
			}
			n++
		}
	}
	s.close()
	fmt.Printf("pair %d the end\n", n-1)
	t.Logf("%d pairs of %d", did, n)
}
