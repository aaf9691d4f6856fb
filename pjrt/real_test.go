package pjrt_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// real loads the XLA CPU plugin that the environment variable names.
func real(t testing.TB, env string) *pjrt.Plugin {
	t.Helper()
	path := os.Getenv(env)
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set; it names an XLA CPU plugin", env)
		}
		t.Skipf("%s is not set; it names an XLA CPU plugin", env)
	}
	p, err := pjrt.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// client makes a client that is closed at the end of the test.
func client(t testing.TB, p *pjrt.Plugin) *pjrt.Client {
	t.Helper()
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeClient(t, c)
	})
	return c
}

// closeClient waits for what callers gave up on, but not for ever for what the test forgot.
func closeClient(t testing.TB, c *pjrt.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.CloseWait(ctx); err != nil {
		t.Errorf("%v; alive: %v", err, isthmus.Live())
	}
}

// both runs a test on the newest and on an older XLA CPU plugin.
func both(t *testing.T, f func(*testing.T, *pjrt.Plugin)) {
	t.Helper()
	for _, env := range []string{"ISTHMUS_PJRT_CPU", "ISTHMUS_PJRT_CPU_OLD"} {
		t.Run(env, func(t *testing.T) { f(t, real(t, env)) })
	}
}

const add = `module @add {
  func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.add %x, %y : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`

func compile(t testing.TB, c *pjrt.Client, code string) *pjrt.Executable {
	t.Helper()
	x, err := c.Compile(t.Context(), pjrt.MLIR(code), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func put[T pjrt.Element](t testing.TB, c *pjrt.Client, data []T, dims ...int) *pjrt.Buffer {
	t.Helper()
	b, err := pjrt.Put(t.Context(), c.Device(), data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestRunAdd(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, add)
		a, b := put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{10, 20, 30, 40}, 4)
		out, err := x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer out[0].Close()
		got, err := pjrt.Get[float32](t.Context(), out[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := [4]float32{11, 22, 33, 44}; [4]float32(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
		params, known := x.Params()
		t.Log(p, c, c.Device(), x, params, known, x.Outputs(), x.Donated(), p.Extensions(), p.Attributes())
	})
}
