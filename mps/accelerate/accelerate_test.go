package accelerate_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/accelerate"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestNil(t *testing.T) { niltest.Methods(t, &accelerate.Products{}) }

func open(t *testing.T) *mps.Device {
	t.Helper()
	dev, err := mps.Open(t.Context(), mps.Options{Backend: cpu.Options{Workers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	return dev
}

func client(t *testing.T, o device.Options) *pjrt.Client {
	t.Helper()
	plugin, err := embedded.Plugin(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := plugin.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Whatever the strides of a product: its result, and nothing beside it, or the workers' turn.
func TestGemm32(t *testing.T) {
	p := accelerate.New(open(t), accelerate.Options{Least: 1})
	r := rand.New(rand.NewPCG(5, 6))
	table := kernel.Best()
	// view is a matrix somewhere in a slice, and from one to the next of a batch.
	view := func(rows, columns, batch int, free bool) (kernel.View[float32], int) {
		v := kernel.View[float32]{RowStride: columns + r.IntN(2)*r.IntN(4), ColStride: 1}
		n := rows * v.RowStride
		if free && r.IntN(2) == 0 {
			v.RowStride, v.ColStride = 1, rows+r.IntN(2)*r.IntN(4)
			n = columns * v.ColStride
			if r.IntN(8) == 0 {
				v.RowStride, v.ColStride, n = 2, 2*v.ColStride, 2*n
			}
		}
		n += r.IntN(2) * r.IntN(4)
		v.Data = make([]float32, n*batch)
		for i := range v.Data {
			v.Data[i] = float32(r.NormFloat64())
		}
		return v, n
	}
	for range 300 {
		g := kernel.Gemm[float32]{M: 1 + r.IntN(9), N: 1 + r.IntN(9), K: 1 + r.IntN(9), Batch: 1 + r.IntN(3)}
		g.A, g.BatchA = view(g.M, g.K, g.Batch, true)
		g.B, g.BatchB = view(g.K, g.N, g.Batch, true)
		g.C, g.BatchC = view(g.M, g.N, g.Batch, false)
		if r.IntN(4) == 0 {
			g.BatchB = 0
		}
		want := g
		want.C.Data = append([]float32(nil), g.C.Data...)
		before := append([]float32(nil), g.C.Data...)
		table.Gemm32(&want, nil)
		done, err := p.Gemm32(t.Context(), &g)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range g.C.Data {
			if w := want.C.Data[i]; done && math.Abs(float64(v-w)) > 1e-5 || !done && v != before[i] {
				t.Fatalf("%+v, taken %v: element %d is %v, want %v", g, done, i, v, w)
			}
		}
	}
	if n := p.Taken(); n < 150 || n == 300 {
		t.Errorf("%d of 300 taken", n)
	}
	for name, g := range map[string]*kernel.Gemm[float32]{
		"accumulate": {M: 1, N: 1, K: 1, Accumulate: true}, "no inner": {M: 1, N: 1}, "none": nil,
	} {
		if done, err := p.Gemm32(t.Context(), g); done || err != nil {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
}

const program = `func.func @main(%a: tensor<3x40x50xf32>, %b: tensor<3x60x50xf32>) -> tensor<3x40x60xf32> {
  %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<3x40x50xf32>, tensor<3x60x50xf32>) -> tensor<3x40x60xf32>
  return %0 : tensor<3x40x60xf32>
}`

// The embedded device gives the same with it as without, and uses it.
func TestEmbeddedDevice(t *testing.T) {
	p := accelerate.New(open(t), accelerate.Options{Least: 1})
	a, b := make([]float32, 3*40*50), make([]float32, 3*60*50)
	for i := range a {
		a[i] = float32(i%17) - 8
	}
	for i := range b {
		b[i] = float32(i%13) - 6
	}
	run := func(o device.Options) []float32 {
		return execute(t, client(t, o), a, b)
	}
	plain, fast := run(device.Options{}), run(device.Options{Accelerator: p})
	for i := range plain { // whole numbers: exact in any order
		if plain[i] != fast[i] {
			t.Fatalf("element %d is %v, want %v", i, fast[i], plain[i])
		}
	}
	if p.Taken() != 1 {
		t.Errorf("%d products taken, want 1", p.Taken())
	}
}

// A context that ends is the error; a device that is closed leaves the work to others.
func TestEnds(t *testing.T) {
	dev, err := mps.Open(t.Context(), mps.Options{Backend: cpu.Options{Workers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	p := accelerate.New(dev, accelerate.Options{Least: 1})
	one := func() *kernel.Gemm[float32] {
		m := func() kernel.View[float32] { return kernel.RowMajor([]float32{1, 2, 3, 4}, 2) }
		return &kernel.Gemm[float32]{M: 2, N: 2, K: 2, A: m(), B: m(), C: m()}
	}
	tired := errors.New("tired")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(tired)
	if done, err := p.Gemm32(ctx, one()); done || !errors.Is(err, tired) {
		t.Errorf("%v, %v", done, err)
	}
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := p.Gemm32(t.Context(), one()); done || err != nil {
		t.Errorf("%v, %v", done, err)
	}
}

func execute(t *testing.T, c *pjrt.Client, a, b []float32) []float32 {
	t.Helper()
	x, err := c.Compile(t.Context(), pjrt.MLIR(program), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	args := make([]*pjrt.Buffer, 2)
	for i, data := range [][]float32{a, b} {
		if args[i], err = pjrt.Put(t.Context(), c.Device(), data, 3, len(data)/150, 50); err != nil {
			t.Fatal(err)
		}
		defer args[i].Close()
	}
	out, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	v, err := pjrt.Get[float32](t.Context(), out[0])
	if err != nil {
		t.Fatal(err)
	}
	return v
}
