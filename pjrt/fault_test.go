package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// world is a fake plugin and what a journey made with it. A journey prepares, arms the fault, and does what it is
// about; what it made is closed after it, when the fault is over.
type world struct {
	t      testing.TB
	ctx    context.Context // ends when somebody waits for an event that never fires
	cancel context.CancelFunc
	f      *pjrtfake.Fake
	p      *pjrt.Plugin
	c      *pjrt.Client
	point  string
	kind   pjrtfake.Fault
	before map[string]int
	front  func(*pjrtc.Table) *pjrtc.Table // what stands before the plugin
	armed  func()                          // what else happens when the fault is armed
	closes []func() error
}

// arm makes the fault happen from here on.
func (w *world) arm() {
	w.before = w.f.Called()
	if w.armed != nil {
		w.armed()
	}
	if w.kind != pjrtfake.NoFault {
		w.f.Inject(w.point, w.kind, w.cancel)
	}
}

// later has close called at the end.
func (w *world) later(close func() error) { w.closes = append(w.closes, close) }

// must ends the journey when what it needs does not work; without a table that lacks something it always does.
func (w *world) must(err error) {
	if err != nil {
		panic(unprepared{err})
	}
}

type unprepared struct{ error }

// plugin opens the fake.
func (w *world) plugin() (*pjrt.Plugin, error) {
	table, err := w.f.Table()
	w.must(err)
	if w.front != nil {
		table = w.front(table)
	}
	w.p, err = pjrt.FromTable("fake", table)
	return w.p, err
}

// client opens the fake and connects to it.
func (w *world) client() *pjrt.Client {
	if w.c != nil {
		return w.c
	}
	p, err := w.plugin()
	w.must(err)
	c, err := p.NewClient(context.Background(), pjrt.ClientOptions{})
	w.must(err)
	w.c = c
	w.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		return c.CloseWait(ctx)
	})
	return c
}

// executable compiles a program.
func (w *world) executable(code string) *pjrt.Executable {
	x, err := w.client().Compile(context.Background(), pjrt.MLIR(code), pjrt.CompileOptions{})
	w.must(err)
	w.later(x.Close)
	return x
}

// buffer puts four numbers on the first device.
func (w *world) buffer() *pjrt.Buffer {
	b, err := pjrt.Put(context.Background(), w.client().Device(), []float32{1, 2, 3, 4}, 4)
	w.must(err)
	w.later(b.Close)
	return b
}

// travel does a journey in a world of its own and closes all. It returns the journey's error, that of closing, how
// often the fault could spoil something, and which functions were called once it was armed.
//
//lint:ignore ST1008 the journey's error is what the test is about
func travel(t testing.TB, j func(*world) error, point string, kind pjrtfake.Fault, set func(*pjrtfake.Fake)) (err, closing error, injected int, called map[string]int) {
	t.Helper()
	leaktest.Capture(t)
	f := pjrtfake.New()
	f.Programs, f.OnCPU = programs(), true
	f.DeviceAttributes = []pjrtfake.Value{{Name: "coords", Value: []int64{1, 2, 3}}, {Name: "name", Value: "x"}}
	f.Attributes, f.TopologyAttributes = f.DeviceAttributes, f.DeviceAttributes
	if set != nil {
		set(f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &world{t: t, ctx: ctx, cancel: cancel, f: f, point: point, kind: kind}
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
		err = j(w)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		buf := make([]byte, 1<<20)
		t.Fatalf("it hangs:\n%s", buf[:runtime.Stack(buf, true)])
	}
	called = map[string]int{}
	for name, n := range f.Called() {
		if n > w.before[name] {
			called[name] = n
		}
	}
	injected = f.Injected()
	f.Disarm()
	for _, c := range slices.Backward(w.closes) {
		err := c()
		for range 30_000 { // work that was given up on ends on goroutines of its own
			if !errors.Is(err, isthmus.ErrBusy) {
				break
			}
			time.Sleep(time.Millisecond)
			err = c()
		}
		closing = errors.Join(closing, err)
	}
	f.Quiet()
	f.Release()
	f.Quiet()
	for range 30_000 { // what nobody waits for is ended by goroutines of their own
		if len(f.Alive()) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, v := range f.Violations() {
		if kind >= pjrtfake.NullHandle && kind <= pjrtfake.NegativeID && strings.HasSuffix(v, "not given") {
			continue // it is given back as it was given, and that was spoiled
		}
		t.Errorf("the plugin saw: %s", v)
	}
	for kind, n := range f.Alive() {
		t.Errorf("%d of kind %s are left", n, kind)
	}
	f.Close()
	return err, closing, injected, called
}

// verdict says what is wrong with the error that a fault gave, "" for nothing.
func verdict(journey, point string, kind pjrtfake.Fault, err error) string {
	var e *pjrt.Error
	is := func(targets ...error) string {
		for _, target := range targets {
			if errors.Is(err, target) {
				return ""
			}
		}
		return fmt.Sprintf("got %v, want %v", err, targets)
	}
	if err == nil && forgiven(journey, point, kind) {
		return ""
	}
	switch point {
	case pjrtc.SlotErrorGetCode.String(), pjrtc.SlotErrorMessage.String(), pjrtc.SlotErrorForEachPayload.String():
		// The error is still one of the plugin's, whatever cannot be read of it.
		if err == nil && (journey != "error" || kind == pjrtfake.Slow) {
			return ""
		}
		kind = pjrtfake.FailTwice
	}
	switch kind {
	case pjrtfake.FailInvalid:
		return is(pjrt.InvalidArgument)
	case pjrtfake.FailInternal:
		return is(pjrt.Internal)
	case pjrtfake.FailExhausted:
		return is(pjrt.ResourceExhausted)
	case pjrtfake.FailUnimplemented:
		return is(pjrt.Unimplemented)
	case pjrtfake.FailUnknownCode, pjrtfake.FailCodeOK, pjrtfake.FailNoMessage, pjrtfake.FailTwice, pjrtfake.FailBadText, pjrtfake.FailHugeText:
		if !errors.As(err, &e) {
			return fmt.Sprintf("got %v, want an error of the plugin's", err)
		}
		if len(e.Msg) > 1<<16 || strings.ToValidUTF8(e.Msg, "") != e.Msg {
			return fmt.Sprintf("the message has %d bytes: %.20q", len(e.Msg), e.Msg)
		}
	case pjrtfake.FailSize:
		return is(isthmus.ErrVersion)
	case pjrtfake.NullHandle, pjrtfake.NullArray, pjrtfake.Misaligned, pjrtfake.HugeCount, pjrtfake.NegativeCount, pjrtfake.NullFunction,
		pjrtfake.BadEnum, pjrtfake.NegativeID:
		return is(isthmus.ErrInvalid, isthmus.ErrBounds, isthmus.ErrNotFound, isthmus.ErrUnsupported)
	case pjrtfake.NeverEvent:
		return is(context.Canceled)
	case pjrtfake.FailedEvent:
		return is(pjrt.Internal)
	default: // the operation may succeed, and must not crash
		if err != nil && !(kind == pjrtfake.BadText && backed[strings.TrimPrefix(point, "PJRT_")]) {
			return fmt.Sprintf("got %v, want nothing", err)
		}
	}
	return ""
}

// TestP06FaultMatrix injects every kind of fault at every function that a journey reaches: nothing crashes, hangs,
// leaks or is destroyed twice, and the error is the right one.
func TestP06FaultMatrix(t *testing.T) {
	reached := map[string]bool{}
	cells, spoiled := 0, 0
	for name, j := range allJourneys() {
		err, closing, _, called := travel(t, j, "", pjrtfake.NoFault, nil)
		if err != nil || closing != nil {
			t.Errorf("%s: %v, %v", name, err, closing)
			continue
		}
		for point := range called {
			reached[point] = true
			for kind := pjrtfake.NoFault + 1; kind < pjrtfake.NumFaults; kind++ {
				if kind == pjrtfake.NeverEvent && endless[name+" "+point] || kind.Fails() && kept[name+" "+point] {
					continue
				}
				t.Run(strings.Join([]string{name, point, kind.String()}, "/"), func(t *testing.T) {
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					err, closing, injected, _ := travel(t, j, point, kind, nil)
					cells++
					if injected == 0 {
						if err != nil {
							t.Errorf("nothing was spoiled: got %v", err)
						}
						return
					}
					spoiled++
					if v := verdict(name, point, kind, err); v != "" {
						t.Error(v)
					}
					if closing != nil {
						t.Errorf("closing: %v", closing)
					}
					if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
						t.Errorf("%d MiB were allocated", (after.TotalAlloc-before.TotalAlloc)>>20)
					}
				})
			}
		}
	}
	t.Logf("%d cells, %d in which there was something to spoil, %d functions", cells, spoiled, len(reached))
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		switch name := s.String(); {
		case reached[name] && notYet[name]:
			t.Errorf("%s is reached: take it out of notYet", name)
		case !reached[name] && !notYet[name]:
			t.Errorf("no journey reaches %s", name)
		}
	}
}

// TestP15MissingFunctions takes each function away that a journey uses, by a null in the table and by a table that ends
// before it: what needs it says so by name, the rest works.
func TestP15MissingFunctions(t *testing.T) {
	for name, j := range allJourneys() {
		_, _, _, called := travel(t, j, "", pjrtfake.NoFault, nil)
		for s := range pjrtc.Slot(pjrtc.NumSlots) {
			if called[s.String()] == 0 {
				continue
			}
			for how, set := range map[string]func(*pjrtfake.Fake){
				"null":      func(f *pjrtfake.Fake) { f.Null = []pjrtc.Slot{s} },
				"truncated": func(f *pjrtfake.Fake) { f.StructSize = uint64(s.Offset()) },
			} {
				t.Run(strings.Join([]string{name, s.String(), how}, "/"), func(t *testing.T) {
					err, closing, _, _ := travel(t, j, "", pjrtfake.NoFault, set)
					if closing != nil {
						t.Errorf("closing: %v", closing)
					}
					switch {
					case err == nil && s == pjrtc.SlotPluginInitialize: // a plugin without it needs none
					case err == nil && s == pjrtc.SlotErrorForEachPayload: // errors of such a plugin have no payloads
					case err == nil && forgiven(name, s.String(), pjrtfake.FailUnimplemented):
					case how == "truncated" && s < pjrtc.SlotPluginAttributes && errors.Is(err, isthmus.ErrInvalid): // no table at all
					case !errors.Is(err, isthmus.ErrUnsupported):
						t.Errorf("got %v, want it to say that %s is missing", err, s)
					case how == "null" && !strings.Contains(err.Error(), s.String()):
						t.Errorf("got %v, which does not name %s", err, s)
					}
				})
			}
		}
	}
}

// TestP24GivenUpRead gives up on copies to the host whose event does not fire: the destination stays lent until it does.
func TestP24GivenUpRead(t *testing.T) {
	for name, c := range map[string]struct {
		slot pjrtc.Slot
		size int
		get  func(context.Context, *pjrt.Buffer, []byte) error
	}{
		"get": {pjrtc.SlotBufferToHostBuffer, 16, func(ctx context.Context, b *pjrt.Buffer, dst []byte) error { return b.GetBytes(ctx, dst) }},
		"raw": {pjrtc.SlotBufferCopyRawToHost, 8, func(ctx context.Context, b *pjrt.Buffer, dst []byte) error { return b.GetRaw(ctx, dst, 4) }},
		"laid": {pjrtc.SlotBufferToHostBuffer, 16, func(ctx context.Context, b *pjrt.Buffer, dst []byte) error {
			return b.GetBytesWith(ctx, dst, pjrt.ColumnMajor(2))
		}},
		"empty": {pjrtc.SlotBufferCopyRawToHost, 0, func(ctx context.Context, b *pjrt.Buffer, dst []byte) error { return b.GetRaw(ctx, dst, 16) }},
	} {
		t.Run(name, func(t *testing.T) {
			client, f := fakeClient(t, func(f *pjrtfake.Fake) { f.OnCPU = false })
			b, err := pjrt.Put(t.Context(), client.Device(), []float32{1, 2, 3, 4}, 2, 2)
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]byte, c.size)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.Inject(c.slot.String(), pjrtfake.NeverEvent, cancel)
			err = c.get(ctx, b, dst)
			if c.size == 0 { // nothing is copied
				want(t, "read nothing", err, nil)
				f.Disarm()
				want(t, "close", b.Close(), nil)
				return
			}
			want(t, "read", err, context.Canceled)
			_, err = ffi.Lend(dst, ffi.Shared)
			want(t, "the destination", err, isthmus.ErrBorrowed)
			want(t, "close", b.Close(), isthmus.ErrBusy)
			if n := client.Detached(); n != 1 {
				t.Errorf("%d detached, want 1", n)
			}
			f.Disarm()
			f.Quiet()
			for client.Detached() > 0 {
				runtime.Gosched()
			}
			want(t, "close", b.Close(), nil)
			l, err := ffi.Lend(dst, ffi.Exclusive)
			want(t, "the destination afterwards", err, nil)
			l.Return()
		})
	}
}
