package pjrt_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// The ten probes that end the process of another Go binding of PJRT, and the two that make it compute with the wrong
// type in silence, on real plugins and on the embedded device. Here each is an error with a name, or works.

func probe(t *testing.T, f func(*testing.T, *pjrt.Plugin)) {
	t.Helper()
	both(t, f)
	t.Run("embedded", func(t *testing.T) {
		p, err := embedded.Plugin(device.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f(t, p)
	})
}

func TestProbes(t *testing.T) {
	probe(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, add)
		live := put(t, c, []float32{1, 2, 3, 4}, 4)
		run := func(args ...*pjrt.Buffer) error {
			out, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
			for _, b := range out {
				mustClose(t, b)
			}
			return err
		}
		closed := put(t, c, []float32{1, 2, 3, 4}, 4)
		mustClose(t, closed)
		want(t, "1: execute with a destroyed buffer", run(live, closed), isthmus.ErrClosed)
		want(t, "2: execute with a nil buffer", run(live, nil), isthmus.ErrInvalid)
		want(t, "2: execute with a zero buffer", run(live, &pjrt.Buffer{}), isthmus.ErrClosed)

		_, err := pjrt.Get[float32](t.Context(), nil)
		want(t, "8: nothing to the host", err, isthmus.ErrInvalid)
		_, err = pjrt.Get[float32](t.Context(), closed)
		want(t, "a destroyed buffer to the host", err, isthmus.ErrClosed)

		want(t, "11: i32[4] for f32[4]", run(live, put(t, c, []int32{1, 2, 3, 4}, 4)), isthmus.ErrInvalid)
		want(t, "12: f32[2,2] for f32[4]", run(live, put(t, c, []float32{1, 2, 3, 4}, 2, 2)), isthmus.ErrInvalid)
		want(t, "too few arguments", run(live), isthmus.ErrInvalid)
		want(t, "and the right ones", run(live, live), nil)
	})
}

func TestProbesAfterClient(t *testing.T) {
	probe(t, func(t *testing.T, p *pjrt.Plugin) {
		c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "destroy the client first", c.Close(), isthmus.ErrBusy)
		if _, err := x.Execute(t.Context(), []*pjrt.Buffer{b}, pjrt.ExecuteOptions{}); !errors.Is(err, isthmus.ErrInvalid) {
			t.Error(err)
		}
		mustClose(t, x)
		mustClose(t, b)
		closeClient(t, c)
		_, err = x.Execute(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{})
		want(t, "3: execute after the client", err, isthmus.ErrClosed)
		_, err = b.Bytes(t.Context())
		want(t, "4: to the host after the client", err, isthmus.ErrClosed)
		// 5: there is no way to unload a plugin; collecting everything that came of it is harmless.
		runtime.GC()
		runtime.GC()
		again, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		closeClient(t, again)
		want(t, "closing twice", again.Close(), nil)
	})
}

func TestProbesConcurrent(t *testing.T) {
	probe(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		for range 200 {
			b, err := pjrt.Put(context.Background(), c.Device(), []float32{1, 2, 3, 4}, 4)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 2 { // 6: to the host while it is destroyed
				wg.Go(func() {
					if v, err := pjrt.Get[float32](context.Background(), b); err == nil && v[3] != 4 || err != nil && !errors.Is(err, isthmus.ErrClosed) {
						t.Error(v, err)
					}
				})
			}
			for range 2 { // 7: destroyed twice at once
				wg.Go(func() {
					if err := b.Close(); err != nil && !errors.Is(err, isthmus.ErrBusy) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			mustClose(t, b)
		}
	})
}

func TestProbesEmpty(t *testing.T) {
	probe(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		// 9: a program without outputs.
		x, err := c.Compile(t.Context(), pjrt.MLIR("module @nothing { func.func @main() { return } }"), pjrt.CompileOptions{})
		if err != nil {
			var e *pjrt.Error
			if !errors.As(err, &e) {
				t.Errorf("a program without outputs: %v", err)
			}
		} else {
			out, err := x.Execute(t.Context(), nil, pjrt.ExecuteOptions{})
			if err != nil || len(out) != 0 {
				t.Error(out, err)
			}
			mustClose(t, x)
		}
		// 10: an empty array.
		for _, dims := range [][]int{{0}, {0, 3}, {2, 0, 3}} {
			b, err := pjrt.Put(t.Context(), c.Device(), []float32{}, dims...)
			if err != nil {
				t.Fatal(err)
			}
			wantValues[float32](t, b)
			mustClose(t, b)
		}
		b, err := pjrt.Put[float32](t.Context(), c.Device(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, b)
	})
}
