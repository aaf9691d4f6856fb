package pjrt_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// A transform in Go rewrites a program, and no more after Close. The names of both operations have one length, so the
// message's lengths stay right.
func TestP37Transform(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	for _, stage := range []pjrt.TransformStage{pjrt.PreScheduler, pjrt.PostScheduler} {
		t.Run(stage.String(), func(t *testing.T) {
			before := pjrt.LiveValues()
			var calls atomic.Int64
			tr, err := p.RegisterTransform("isthmus.max", stage, func(m []byte) ([]byte, error) {
				calls.Add(1)
				if !bytes.Contains(m, []byte("maximum")) {
					return nil, nil
				}
				return bytes.ReplaceAll(m, []byte("maximum"), []byte("minimum")), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.RegisterTransform("isthmus.max", stage, func(m []byte) ([]byte, error) { return m, nil }); !errors.Is(err, isthmus.ErrBusy) {
				t.Errorf("the same name again: %v, want ErrBusy", err)
			}
			c := client(t, p)
			program := strings.Replace(add, "stablehlo.add", "stablehlo.maximum", 1)
			run := func() float32 {
				x := compile(t, c, program)
				out, err := execute(t, x, put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{5, 6, 7, 8}, 4))
				if err != nil {
					t.Fatal(err)
				}
				return get[float32](t, out[0])[0]
			}
			if got := run(); got != 1 || calls.Load() == 0 {
				t.Errorf("maximum(1, 5) with minimum in its place: got %v after %d calls", got, calls.Load())
			}
			for range 2 {
				if err := tr.Close(); err != nil {
					t.Error(err)
				}
			}
			n := calls.Load()
			if got := run(); got != 5 || calls.Load() != n {
				t.Errorf("after Close: maximum(1, 5) = %v, %d more calls", got, calls.Load()-n)
			}
			if n := pjrt.LiveValues() - before; n != 0 {
				t.Errorf("%d results were not cleaned up", n)
			}
		})
	}
}

// What goes wrong in a transform is the error of the compilation.
func TestP07TransformErrors(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	for name, c := range map[string]struct {
		f    func([]byte) ([]byte, error)
		text string
	}{
		"error":    {func([]byte) ([]byte, error) { return nil, errors.New("no luck") }, "no luck"},
		"panic":    {func([]byte) ([]byte, error) { panic("boom") }, "boom"},
		"goexit":   {func([]byte) ([]byte, error) { runtime.Goexit(); return nil, nil }, "ended its goroutine"},
		"nonsense": {func([]byte) ([]byte, error) { return []byte("\xff\xff\xff"), nil }, "transform"},
	} {
		t.Run(name, func(t *testing.T) {
			before := pjrt.LiveValues()
			tr, err := p.RegisterTransform("isthmus.bad", pjrt.PreScheduler, c.f)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			cl := client(t, p)
			x, err := cl.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{})
			if err == nil {
				x.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %q", err, c.text)
			}
			if n := pjrt.LiveValues() - before; n != 0 {
				t.Errorf("%d results were not cleaned up", n)
			}
		})
	}
}
