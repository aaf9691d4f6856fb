package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// nativeScale is a handler in C.
func nativeScale(t testing.TB, p *pjrt.Plugin) *pjrt.Handler {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no C compiler")
		}
		t.Skip("no C compiler")
	}
	so := filepath.Join(t.TempDir(), "scale.so")
	if out, err := exec.Command(cc, "-O2", "-w", "-shared", "-fPIC", "-I../internal/raw/pjrtc/headers/0.114", "testdata/scale.c", "-o", so).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lib, err := ffi.OpenLibrary(so)
	if err != nil {
		t.Fatal(err)
	}
	fn, err := lib.Symbol("isthmus_scale")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("isthmus.native.%d", handlerNames.Add(1))
	if err := p.RegisterNativeHandler(name, "Host", pjrt.NativeHandler{Execute: fn}); err != nil {
		t.Fatal(err)
	}
	return pjrt.NamedHandler(name)
}

// A handler in C serves a program too.
func TestP37NativeHandler(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		h := nativeScale(t, p)
		c := client(t, p)
		x := compile(t, c, calling(h, "", "tensor<2xf32>", "tensor<2xf32>"))
		out, err := execute(t, x, put(t, c, []float32{1, 2}, 2))
		if err != nil {
			t.Fatal(err)
		}
		if got := get[float32](t, out[0]); got[0] != 3 || got[1] != 6 {
			t.Errorf("got %v", got)
		}
	})
}

// BenchmarkHandler is an execution of a program that is one custom call: in C, in Go on the plugin's thread, and in Go
// on a goroutine of its own.
func BenchmarkHandler(b *testing.B) {
	p := real(b, "ISTHMUS_PJRT_CPU")
	c := client(b, p)
	triple := func(call *pjrt.HandlerCall) error {
		in, err := pjrt.Arg[float32](call, 0)
		if err != nil {
			return err
		}
		out, err := pjrt.Result[float32](call, 0)
		if err != nil {
			return err
		}
		var block [1024]float32
		for at := 0; at < in.Len(); at += len(block) {
			n, err := in.CopyTo(block[:], at)
			for i := range block[:n] {
				block[i] *= 3
			}
			if err = errors.Join(err, out.CopyFrom(block[:n], at)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, n := range []int{4, 1 << 18} {
		in := put(b, c, make([]float32, n), n)
		for _, k := range []struct {
			name string
			h    *pjrt.Handler
		}{
			{"c", nativeScale(b, p)},
			{"inline", handle(b, p, triple, pjrt.HandlerOptions{Inline: true})},
			{"isolated", handle(b, p, triple, pjrt.HandlerOptions{})},
		} {
			typ := fmt.Sprintf("tensor<%dxf32>", n)
			x := compile(b, c, calling(k.h, "", typ, typ))
			b.Run(fmt.Sprintf("n=%d/handler=%s", n, k.name), func(b *testing.B) {
				b.ReportAllocs()
				outs, args := []*pjrt.Buffer{{}}, []*pjrt.Buffer{in}
				for b.Loop() {
					if err := x.ExecuteInto(context.Background(), args, outs, pjrt.ExecuteOptions{}); err != nil {
						b.Fatal(err)
					}
					if err := outs[0].Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
