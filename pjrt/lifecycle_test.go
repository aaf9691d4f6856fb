package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// anyPlugin runs a test on the fake, whose books are checked, and on both real plugins. code is "add" for the fake.
func anyPlugin(t *testing.T, f func(t *testing.T, p *pjrt.Plugin, code string)) {
	t.Helper()
	t.Run("fake", func(t *testing.T) {
		p, _ := fake(t, nil)
		f(t, p, "add")
	})
	both(t, func(t *testing.T, p *pjrt.Plugin) { f(t, p, add) })
}

func want(t testing.TB, what string, err, is error) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%s: got %v, want %v", what, err, is)
	}
}

// TestP11WrongOrders does the probes that crash other bindings: each is an error here.
func TestP11WrongOrders(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		ctx := t.Context()
		c, err := p.NewClient(ctx, pjrt.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := c.Compile(ctx, pjrt.MLIR(code), pjrt.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		dev := c.Device()
		a, err := pjrt.Put(ctx, dev, []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		b, err := pjrt.Put(ctx, dev, []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		// Closing a parent first says what is alive, and where it was made.
		err = c.Close()
		want(t, "close client with children", err, isthmus.ErrBusy)
		for _, s := range []string{"pjrt.Executable", "pjrt.Buffer", "lifecycle_test.go"} {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("the error does not name %s: %v", s, err)
			}
		}
		run := func(args ...*pjrt.Buffer) error {
			outs, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
			for _, o := range outs {
				o.Close()
			}
			return err
		}
		want(t, "execute", run(a, b), nil)
		want(t, "nil buffer", run(a, nil), isthmus.ErrInvalid)
		want(t, "zero buffer", run(a, &pjrt.Buffer{}), isthmus.ErrClosed)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		want(t, "destroyed buffer", run(a, b), isthmus.ErrClosed)
		want(t, "close again", b.Close(), nil)
		_, err = b.Bytes(ctx)
		want(t, "get of a closed buffer", err, isthmus.ErrClosed)
		_, err = pjrt.Get[float32](ctx, nil)
		want(t, "get of nil", err, isthmus.ErrInvalid)
		_, err = b.CopyTo(dev)
		want(t, "copy of a closed buffer", err, isthmus.ErrClosed)
		_, err = b.Ready()
		want(t, "ready of a closed buffer", err, isthmus.ErrClosed)
		want(t, "delete of a closed buffer", b.Delete(), isthmus.ErrClosed)
		_, err = b.SizeOnDevice()
		want(t, "size of a closed buffer", err, isthmus.ErrClosed)
		if gone, err := b.Deleted(); err != nil || !gone {
			t.Errorf("closed buffer: deleted %v, %v", gone, err)
		}
		if err := a.Delete(); err != nil {
			t.Error(err)
		}
		want(t, "delete again", a.Delete(), nil)
		want(t, "execute with a deleted buffer", run(a, a), isthmus.ErrClosed)
		_, err = a.Bytes(ctx)
		want(t, "reading a deleted buffer", err, isthmus.ErrClosed)
		want(t, "close deleted", a.Close(), nil)
		want(t, "close executable", x.Close(), nil)
		want(t, "execute after close", run(), isthmus.ErrClosed)
		want(t, "close client", c.Close(), nil)
		want(t, "close client again", c.Close(), nil)
		// After the client: everything says closed.
		want(t, "execute after client", run(), isthmus.ErrClosed)
		_, err = a.Bytes(ctx)
		want(t, "get after client", err, isthmus.ErrClosed)
		_, err = pjrt.Put(ctx, dev, []float32{1}, 1)
		want(t, "put after client", err, isthmus.ErrClosed)
		_, err = c.Compile(ctx, pjrt.MLIR(code), pjrt.CompileOptions{})
		want(t, "compile after client", err, isthmus.ErrClosed)
		_, err = dev.MemoryStats()
		want(t, "memory stats after client", err, isthmus.ErrClosed)
		// P35: everything still prints.
		for _, v := range []any{p, c, x, a, b, dev, dev.Memory(), p.Extensions()} {
			if s := fmt.Sprint(v); s == "" {
				t.Errorf("%T prints nothing", v)
			}
		}
	})
}

// TestP35ZeroValues calls the methods of nil and zero values.
func TestP35ZeroValues(t *testing.T) {
	ctx := t.Context()
	var c *pjrt.Client
	var x *pjrt.Executable
	var b *pjrt.Buffer
	var e *pjrt.Event
	var d *pjrt.Device
	var m *pjrt.Memory
	var p *pjrt.Plugin
	for name, err := range map[string]error{
		"client": c.Close(), "executable": x.Close(), "buffer": b.Close(), "event": e.Close(),
		"zero client": (&pjrt.Client{}).Close(), "zero executable": (&pjrt.Executable{}).Close(), "zero buffer": (&pjrt.Buffer{}).Close(), "zero event": (&pjrt.Event{}).Close(),
	} {
		want(t, name, err, nil)
	}
	_, err1 := p.NewClient(ctx, pjrt.ClientOptions{})
	_, err2 := c.Compile(ctx, pjrt.MLIR("x"), pjrt.CompileOptions{})
	_, err3 := x.Execute(ctx, nil, pjrt.ExecuteOptions{})
	_, err4 := pjrt.Put[float32](ctx, nil, nil, 0)
	_, err5 := pjrt.Put[float32](ctx, &pjrt.Device{}, nil, 0)
	_, err6 := b.Bytes(ctx)
	_, err7 := d.MemoryStats()
	_, err8 := (&pjrt.Client{}).Compile(ctx, pjrt.MLIR("x"), pjrt.CompileOptions{})
	_, err9 := (&pjrt.Executable{}).Execute(ctx, nil, pjrt.ExecuteOptions{})
	_, err10 := b.CopyTo(nil)
	_, err11 := e.Ready()
	_, err12 := (&pjrt.Event{}).Done()
	_, err13 := x.ExecuteAll(ctx, nil, pjrt.ExecuteOptions{})
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11, err12, err13, e.Wait(ctx), (&pjrt.Event{}).Wait(ctx), b.Wait(ctx), b.Delete()} {
		want(t, fmt.Sprintf("call %d", i+1), err, isthmus.ErrInvalid)
	}
	_, err := (&pjrt.Buffer{}).Bytes(ctx)
	want(t, "zero buffer", err, isthmus.ErrClosed)
	for _, v := range []fmt.Stringer{c, x, b, e, d, m, &pjrt.Client{}, &pjrt.Executable{}, &pjrt.Buffer{}, &pjrt.Event{}, &pjrt.Device{}, &pjrt.Memory{}, pjrt.Type{}, pjrt.Lend(9), pjrt.Code(0), pjrt.Code(99)} {
		if v.String() == "" {
			t.Errorf("%T prints nothing", v)
		}
	}
}

// TestP11ForeignClient mixes two clients of one plugin.
func TestP11ForeignClient(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		c1, c2 := client(t, p), client(t, p)
		x := compile(t, c1, code)
		a, b := put(t, c1, []float32{1, 2, 3, 4}, 4), put(t, c2, []float32{1, 2, 3, 4}, 4)
		_, err := x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		want(t, "buffer of another client", err, isthmus.ErrInvalid)
		_, err = a.CopyTo(c2.Device())
		want(t, "device of another client", err, isthmus.ErrInvalid)
		_, err = c1.Compile(t.Context(), pjrt.MLIR(code), pjrt.CompileOptions{Device: c2.Device()})
		want(t, "compile for a device of another client", err, isthmus.ErrInvalid)
		other, err := a.CopyTo(c1.Devices()[1])
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		_, err = x.Execute(t.Context(), []*pjrt.Buffer{a, other}, pjrt.ExecuteOptions{})
		want(t, "buffer on another device", err, isthmus.ErrInvalid)
	})
}

// TestP11LeaksAreReported forgets values: the report names the kind and the line, and the native objects are
// destroyed, children first.
func TestP11LeaksAreReported(t *testing.T) {
	p, f := fake(t, nil)
	log := leaktest.Capture(t)
	func() {
		c, err := p.NewClient(context.Background(), pjrt.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := c.Compile(context.Background(), pjrt.MLIR("add"), pjrt.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := pjrt.Put(context.Background(), c.Device(), []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(x)
		runtime.KeepAlive(b)
	}()
	log.Wait(t, 3)
	for end := time.Now().Add(time.Minute); len(f.Alive()) > 0 && time.Now().Before(end); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if n := f.Alive(); len(n) != 0 {
		t.Errorf("still alive: %v", n)
	}
	kinds := map[string]bool{}
	for _, r := range log.All() {
		if r.Problem != isthmus.ProblemLeak || !strings.Contains(r.Error(), "lifecycle_test.go") {
			t.Errorf("report: %v", r)
		}
		kinds[r.Object.Kind] = true
	}
	if len(kinds) != 3 {
		t.Errorf("reported kinds: %v, want client, executable and buffer", kinds)
	}
}

// TestP32FailedDestroy has destroying fail: the error is returned once, and nothing is destroyed twice.
func TestP32FailedDestroy(t *testing.T) {
	for _, s := range []pjrtc.Slot{pjrtc.SlotBufferDestroy, pjrtc.SlotLoadedExecutableDestroy, pjrtc.SlotClientDestroy} {
		t.Run(s.String(), func(t *testing.T) {
			f := pjrtfake.New()
			defer f.Close()
			f.Programs = programs()
			table, err := f.Table()
			if err != nil {
				t.Fatal(err)
			}
			f.Fail(s, &pjrtfake.Failure{Code: pjrtc.ErrorCodeINTERNAL, Msg: "not today", Times: 1})
			p, err := pjrt.FromTable("fake", table)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			x, err := c.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
			if err != nil {
				t.Fatal(err)
			}
			failures := 0
			for range 3 {
				for _, err := range []error{b.Close(), x.Close(), c.Close()} {
					if errors.Is(err, pjrt.Internal) {
						failures++
					} else if err != nil {
						t.Error(err)
					}
				}
			}
			if failures != 1 {
				t.Errorf("the failure was returned %d times, want once", failures)
			}
			if v := f.Violations(); len(v) > 1 { // the one that was not destroyed may be missed by its parent
				t.Errorf("the plugin saw %q", v)
			}
		})
	}
}

// TestP11ConcurrentClose closes one value from many goroutines while others use it.
func TestP11ConcurrentClose(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		c := client(t, p)
		x := compile(t, c, code)
		for range 50 {
			a, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					var err error
					switch i % 4 {
					case 0:
						err = a.Close()
					case 1:
						_, err = a.Bytes(context.Background())
					case 2:
						var outs []*pjrt.Buffer
						outs, err = x.Execute(context.Background(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
						for _, o := range outs {
							err = errors.Join(err, o.Close())
						}
					case 3:
						_, err = a.Deleted()
					}
					if err != nil && !errors.Is(err, isthmus.ErrClosed) && !errors.Is(err, isthmus.ErrBusy) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestP35NilReceivers calls every method of nil and of zero values: none panics.
func TestP35NilReceivers(t *testing.T) {
	for _, v := range []any{
		(*pjrt.Plugin)(nil), (*pjrt.Client)(nil), (*pjrt.Device)(nil), (*pjrt.Memory)(nil), (*pjrt.Executable)(nil), (*pjrt.Buffer)(nil), (*pjrt.Event)(nil),
		&pjrt.Plugin{}, &pjrt.Client{}, &pjrt.Device{}, &pjrt.Memory{}, &pjrt.Executable{}, &pjrt.Buffer{}, &pjrt.Event{},
		&pjrt.Type{}, &pjrt.NamedValue{}, &pjrt.Extension{}, &pjrt.Error{},
		(*pjrt.Promise[int])(nil), (*pjrt.Upload)(nil), (*pjrt.Mapping)(nil), (*pjrt.Track)(nil), (*pjrt.Capsule)(nil), (*pjrt.Values[bool])(nil),
		&pjrt.Promise[int]{}, &pjrt.Upload{}, &pjrt.Mapping{}, &pjrt.Track{}, &pjrt.Capsule{}, &pjrt.Values[bool]{}, &pjrt.Layout{}, &pjrt.Shape{},
		(*pjrt.RawBuffer)(nil), (*pjrt.HostMemory)(nil), (*pjrt.Notice)(nil), (*pjrt.Receive)(nil), (*pjrt.RemoteCopy)(nil), (*pjrt.Collectives)(nil), (*pjrt.Communicator)(nil), (*pjrt.MultiSlice)(nil), (*pjrt.Megascale)(nil), (*pjrt.MegascaleNotice)(nil), (*pjrt.MegascaleErrors)(nil), (*pjrt.MegascaleDigest)(nil), (*pjrt.TPUTopology)(nil), (*pjrt.TPUProgram)(nil), (*pjrt.Topology)(nil), (*pjrt.Compiled)(nil),
		&pjrt.RawBuffer{}, &pjrt.HostMemory{}, &pjrt.Notice{}, &pjrt.Receive{}, &pjrt.RemoteCopy{}, &pjrt.Collectives{}, &pjrt.Communicator{}, &pjrt.MultiSlice{}, &pjrt.Megascale{}, &pjrt.MegascaleNotice{}, &pjrt.MegascaleErrors{}, &pjrt.MegascaleDigest{}, &pjrt.TPUTopology{}, &pjrt.TPUProgram{}, &pjrt.Topology{}, &pjrt.Compiled{}, &pjrt.TPUSlice{},
	} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			args := []reflect.Value{reflect.ValueOf(v)}
			for j := 1; j < m.Type.NumIn(); j++ {
				if in := m.Type.In(j); in == reflect.TypeFor[context.Context]() {
					args = append(args, reflect.ValueOf(t.Context()))
				} else {
					args = append(args, reflect.Zero(in))
				}
			}
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s.%s of %v: %v", typ, m.Name, v, p)
					}
				}()
				if m.Type.IsVariadic() {
					m.Func.CallSlice(args)
				} else {
					m.Func.Call(args)
				}
			}()
		}
	}
}

// TestP11ConcurrentReads reads one buffer from many goroutines: a plugin keeps its external references in a list that
// it does not lock.
func TestP11ConcurrentReads(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		a, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 2000 {
					if _, err := a.Bytes(context.Background()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}
