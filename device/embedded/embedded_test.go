package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const add = `func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %a, %b : tensor<4xf32>
  return %0 : tensor<4xf32>
}`

// client makes a client that is closed when the test ends.
func client(t testing.TB, o device.Options) *pjrt.Client {
	t.Helper()
	p, err := embedded.Plugin(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	return c
}

func closing(t testing.TB, v interface{ Close() error }) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
}

func compile(t testing.TB, c *pjrt.Client, code string) *pjrt.Executable {
	t.Helper()
	x, err := c.Compile(t.Context(), pjrt.MLIR(code), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, x)
	return x
}

func put[T pjrt.Element](t testing.TB, c *pjrt.Client, data []T, dims ...int) *pjrt.Buffer {
	t.Helper()
	b, err := pjrt.Put(t.Context(), c.Device(), data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, b)
	return b
}

func get[T pjrt.Element](t testing.TB, b *pjrt.Buffer) []T {
	t.Helper()
	v, err := pjrt.Get[T](t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func execute(t testing.TB, x *pjrt.Executable, args ...*pjrt.Buffer) []*pjrt.Buffer {
	t.Helper()
	outs, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outs {
		closing(t, o)
	}
	return outs
}

// engines runs f on the planned executor and on the evaluator.
func engines(t *testing.T, f func(t *testing.T, o device.Options)) {
	t.Run("planned", func(t *testing.T) { f(t, device.Options{}) })
	t.Run("evaluator", func(t *testing.T) { f(t, device.Options{Evaluator: true}) })
}

func TestAdd(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		c := client(t, o)
		x := compile(t, c, add)
		a := put(t, c, []float32{1, 2, 3, 4}, 4)
		if got, want := get[float32](t, execute(t, x, a, a)[0]), []float32{2, 4, 6, 8}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestDescriptions(t *testing.T) {
	c := client(t, device.Options{})
	d := c.Device()
	if c.Platform() != device.Platform || len(c.Devices()) != 1 || d.Kind() != "embedded" || d.Memory() == nil || d.Memory().Kind() != "device" || len(d.Memories()) != 2 {
		t.Errorf("%v, %v, %v", c, d, d.Memories())
	}
	if missing := c.Plugin().Missing(); len(missing) > 0 {
		t.Errorf("missing functions: %v", missing)
	}
	names := map[string]bool{}
	for _, a := range c.Plugin().Attributes() {
		names[a.Name] = true
	}
	if !names["stablehlo_current_version"] || !names["stablehlo_minimum_version"] || !names["xla_version"] {
		t.Errorf("attributes %v", c.Plugin().Attributes())
	}
	x := compile(t, c, add)
	params, known := x.Params()
	want := pjrt.Type{DType: dtype.F32, Dims: []int{4}}
	if !known || len(params) != 2 || !params[0].Equal(want) || !params[1].Equal(want) || !x.Outputs()[0].Equal(want) || x.Name() != "main" || len(x.Fingerprint()) == 0 {
		t.Errorf("%v: parameters %v, outputs %v", x, params, x.Outputs())
	}
	if y := compile(t, c, add); !bytes.Equal(x.Fingerprint(), y.Fingerprint()) {
		t.Error("the same program has another fingerprint")
	}
	if y := compile(t, c, strings.Replace(add, "add %a", "subtract %a", 1)); bytes.Equal(x.Fingerprint(), y.Fingerprint()) {
		t.Error("another program has the same fingerprint")
	}
}

// Every element type goes in, through a program, and out, with every bit; also where there are no elements and where
// there is one.
func TestTypes(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		c := client(t, o)
		for _, d := range dtype.All() {
			if d == dtype.TF32 {
				continue // not a type of buffers
			}
			for _, dims := range [][]int{{}, {2, 3}, {0}, {2, 0, 3}, {1, 1}, {17}} {
				typ := pjrt.Type{DType: d, Dims: dims}
				t.Run(typ.String(), func(t *testing.T) {
					size, err := typ.Size()
					if err != nil {
						t.Fatal(err)
					}
					in := make([]byte, size)
					for i := range in {
						in[i] = byte(i*37 + 1)
						if d.Bits() < 8 {
							in[i] = byte(i) & (1<<d.Bits() - 1)
						}
					}
					b, err := pjrt.PutBytes(t.Context(), c.Device(), typ, in)
					if err != nil {
						t.Fatal(err)
					}
					closing(t, b)
					x := compile(t, c, fmt.Sprintf(`func.func @main(%%a: %[1]v) -> (%[1]v, %[1]v) {
						%%0 = stablehlo.reshape %%a : (%[1]v) -> %[1]v
						return %%0, %%a : %[1]v, %[1]v
					}`, typ))
					for _, out := range execute(t, x, b) {
						if !out.Type().Equal(typ) {
							t.Errorf("the output is %v", out.Type())
						}
						got, err := out.Bytes(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if !bytes.Equal(got, in) {
							t.Errorf("got %x, want %x", got, in)
						}
					}
				})
			}
		}
	})
}

func TestWrongArguments(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		c := client(t, o)
		other := client(t, o)
		x := compile(t, c, add)
		a := put(t, c, []float32{1, 2, 3, 4}, 4)
		closed := put(t, c, []float32{1, 2, 3, 4}, 4)
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		for what, args := range map[string][]*pjrt.Buffer{
			"none": {}, "missing": {a}, "extra": {a, a, a}, "nil": {a, nil},
			"dtype":          {a, put(t, c, []int32{1, 2, 3, 4}, 4)},
			"rank":           {a, put(t, c, []float32{1, 2, 3, 4}, 2, 2)},
			"shape":          {a, put(t, c, []float32{1, 2, 3}, 3)},
			"another client": {a, put(t, other, []float32{1, 2, 3, 4}, 4)},
		} {
			_, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
			if !errors.Is(err, isthmus.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := x.Execute(t.Context(), []*pjrt.Buffer{a, closed}, pjrt.ExecuteOptions{}); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestCompileErrors(t *testing.T) {
	c := client(t, device.Options{})
	for _, test := range []struct {
		program pjrt.Program
		is      error
		says    string
	}{
		{pjrt.MLIR(""), isthmus.ErrInvalid, "compile"},
		{pjrt.MLIR(strings.Replace(add, "%b :", "%c :", 1)), isthmus.ErrInvalid, "2:"},
		{pjrt.MLIR(strings.Replace(add, "-> tensor<4xf32>", "-> tensor<5xf32>", 1)), isthmus.ErrInvalid, "tensor<5xf32>"},
		{pjrt.MLIR("ML\xefR\x0d"), isthmus.ErrInvalid, "byte"},
		{pjrt.Program{Format: "hlo", Code: []byte("x")}, isthmus.ErrUnsupported, "mlir"},
		{pjrt.MLIR("func.func @main(%a: !stablehlo.token) -> !stablehlo.token { return %a : !stablehlo.token }"), isthmus.ErrUnsupported, "token"},
	} {
		_, err := c.Compile(t.Context(), test.program, pjrt.CompileOptions{})
		if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.40q: %v, want %v that says %q", test.program.Code, err, test.is, test.says)
		}
	}
	if _, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Replicas: 2}); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("two replicas on one device: %v", err)
	}
}

const donating = `func.func @main(%a: tensor<1024xf32> {tf.aliasing_output = 0 : i32}, %b: tensor<1024xf32>) -> tensor<1024xf32> {
  %0 = stablehlo.add %a, %b : tensor<1024xf32>
  return %0 : tensor<1024xf32>
}`

func TestDonation(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		c := client(t, o)
		x := compile(t, c, donating)
		ones := slices.Repeat([]float32{1}, 1024)
		b := put(t, c, ones, 1024)
		if want := []bool{true, false}; !slices.Equal(x.Donated(), want) {
			t.Errorf("donated %v, want %v", x.Donated(), want)
		}
		a := put(t, c, ones, 1024)
		before := inUse(t, c)
		sum := execute(t, x, a, b)[0]
		if got := get[float32](t, sum); got[0] != 2 || got[1023] != 2 {
			t.Errorf("got %v", got[:4])
		}
		if !a.Donated() {
			t.Error("the argument was not taken")
		}
		if after := inUse(t, c); after > before {
			t.Errorf("%d bytes in use after, %d before: the donated memory was not freed or reused", after, before)
		}
		if _, err := x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{}); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("a donated argument: %v", err)
		}
		if _, err := x.Execute(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{}); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("one buffer donated and read: %v", err)
		}
		kept := put(t, c, ones, 1024)
		outs, err := x.Execute(t.Context(), []*pjrt.Buffer{kept, b}, pjrt.ExecuteOptions{Keep: []int{0}})
		if err != nil {
			t.Fatal(err)
		}
		closing(t, outs[0])
		if kept.Donated() || get[float32](t, kept)[0] != 1 || get[float32](t, outs[0])[5] != 2 {
			t.Error("an argument to keep was changed")
		}
	})
}

func inUse(t testing.TB, c *pjrt.Client) int64 {
	t.Helper()
	s, err := c.Device().MemoryStats()
	if err != nil {
		t.Fatal(err)
	}
	return s.InUse
}

// Memory that is lent for good is used where it is, and is free when the buffer is.
func TestZeroCopy(t *testing.T) {
	c := client(t, device.Options{})
	x := compile(t, c, donating)
	data := slices.Repeat([]float32{1}, 1024)
	before := inUse(t, c)
	b, e, err := pjrt.PutLent(c.Device(), data, pjrt.WhileAlive, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if n := inUse(t, c); n != before {
		t.Errorf("%d bytes more in use", n-before)
	}
	if done, err := e.Ready(); err != nil || done {
		t.Errorf("the memory is free while the buffer lives: %v, %v", done, err)
	}
	// A donation must not write to memory that was lent to be read.
	sum := execute(t, x, b, put(t, c, data, 1024))[0]
	if got := get[float32](t, sum); got[0] != 2 {
		t.Errorf("got %v", got[:4])
	}
	if data[0] != 1 || data[1023] != 1 {
		t.Error("the lent memory was written to")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestMemoryLimit(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		o.MemoryLimit = 1 << 20
		c := client(t, o)
		small := put(t, c, make([]float32, 1024), 1024)
		before := inUse(t, c)
		if _, err := pjrt.Put(t.Context(), c.Device(), make([]float32, 1<<20), 1<<20); !errors.Is(err, isthmus.ErrLimit) || !strings.Contains(err.Error(), "tensor<1048576xf32>") || !strings.Contains(err.Error(), "limit") {
			t.Errorf("a buffer over the limit: %v", err)
		}
		x := compile(t, c, `func.func @main(%a: tensor<1024xf32>) -> tensor<1024x1024xf32> {
			%0 = stablehlo.broadcast_in_dim %a, dims = [1] : (tensor<1024xf32>) -> tensor<1024x1024xf32>
			return %0 : tensor<1024x1024xf32>
		}`)
		if _, err := x.Execute(t.Context(), []*pjrt.Buffer{small}, pjrt.ExecuteOptions{}); !errors.Is(err, isthmus.ErrLimit) {
			t.Errorf("a result over the limit: %v", err)
		}
		if after := inUse(t, c); after != before {
			t.Errorf("%d bytes in use after the failures, %d before", after, before)
		}
		if got := get[float32](t, small); len(got) != 1024 {
			t.Error("the device is of no use after a failure")
		}
	})
}

// Several virtual devices run one program together.
func TestReplicas(t *testing.T) {
	c := client(t, device.Options{Devices: 4})
	if n := len(c.Devices()); n != 4 {
		t.Fatalf("%d devices", n)
	}
	x, err := c.Compile(t.Context(), pjrt.MLIR(`module attributes {mhlo.num_replicas = 4 : i32} {
		func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {
			%0 = "stablehlo.all_reduce"(%a) ({
			^bb0(%x: tensor<f32>, %y: tensor<f32>):
				%1 = stablehlo.add %x, %y : tensor<f32>
				stablehlo.return %1 : tensor<f32>
			}) {replica_groups = dense<[[0, 1, 2, 3]]> : tensor<1x4xi64>} : (tensor<2xf32>) -> tensor<2xf32>
			return %0 : tensor<2xf32>
		}
	}`), pjrt.CompileOptions{Replicas: 4})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, x)
	args := make([][]*pjrt.Buffer, 4)
	for i, d := range x.Devices() {
		b, err := pjrt.Put(t.Context(), d, []float32{float32(i), 1}, 2)
		if err != nil {
			t.Fatal(err)
		}
		closing(t, b)
		args[i] = []*pjrt.Buffer{b}
	}
	outs, err := x.ExecuteAll(t.Context(), args, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outs {
		closing(t, o[0])
		if got := get[float32](t, o[0]); !slices.Equal(got, []float32{6, 4}) {
			t.Errorf("replica %d: %v", i, got)
		}
		if o[0].Device() != x.Devices()[i] {
			t.Errorf("the output of replica %d is on %v", i, o[0].Device())
		}
	}
}

// A program whose result has a size that only the run tells.
func TestDynamic(t *testing.T) {
	c := client(t, device.Options{})
	x := compile(t, c, `func.func @main(%n: tensor<1xi32>, %a: tensor<f32>) -> tensor<?xf32> {
		%0 = stablehlo.dynamic_broadcast_in_dim %a, %n, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
		return %0 : tensor<?xf32>
	}`)
	out := execute(t, x, put(t, c, []int32{3}, 1), put(t, c, []float32{7}))[0]
	if got := get[float32](t, out); !slices.Equal(got, []float32{7, 7, 7}) {
		t.Errorf("got %v, a %v", got, out.Type())
	}
}

// Runs from many goroutines on the same buffers do not disturb each other.
func TestConcurrent(t *testing.T) {
	c := client(t, device.Options{Workers: 2})
	x := compile(t, c, add)
	y := compile(t, c, donating)
	a := put(t, c, []float32{1, 2, 3, 4}, 4)
	big := put(t, c, slices.Repeat([]float32{1}, 1024), 1024)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for range 100 {
				if g%2 == 0 {
					outs, err := x.Execute(t.Context(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := pjrt.Get[float32](t.Context(), outs[0]); err != nil || got[3] != 8 {
						t.Error(got, err)
					}
					_ = outs[0].Close()
					continue
				}
				b, err := pjrt.Put(t.Context(), c.Device(), slices.Repeat([]float32{float32(g)}, 1024), 1024)
				if err != nil {
					t.Error(err)
					return
				}
				outs, err := y.Execute(t.Context(), []*pjrt.Buffer{b, big}, pjrt.ExecuteOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := pjrt.Get[float32](t.Context(), outs[0]); err != nil || got[1000] != float32(g)+1 {
					t.Error(err)
				}
				_ = outs[0].Close()
				_ = b.Close()
			}
		})
	}
	wg.Wait()
}
