package accelerate_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/accelerate"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// Each operation on rows is that of the definition, and what is too small is left to the workers.
func TestRows32(t *testing.T) {
	p := accelerate.New(open(t), accelerate.Options{LeastRows: 12})
	r := rand.New(rand.NewPCG(7, 8))
	vector := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	taken := int64(0)
	for range 200 {
		o := kernel.Rows{Kind: kernel.RowKind(r.IntN(4)), Rows: 1 + r.IntN(6), Columns: 2 + r.IntN(9), Epsilon: 1e-3}
		o.Source, o.Result = vector(o.Rows*o.Columns), vector(o.Rows*o.Columns)
		if o.Kind >= kernel.RMSNorm && r.IntN(2) == 0 {
			o.Weight = vector(o.Columns)
		}
		if o.Kind == kernel.LayerNorm && r.IntN(2) == 0 {
			o.Bias = vector(o.Columns)
		}
		before := slices.Clone(o.Result)
		done, err := p.Rows32(t.Context(), &o)
		if err != nil {
			t.Fatal(err)
		}
		if done != (o.Rows*o.Columns >= 12) || done != p.TakesRows(o.Kind, o.Rows, o.Columns) {
			t.Fatalf("%v of %d x %d: taken %v", o.Kind, o.Rows, o.Columns, done)
		}
		if !done {
			if !slices.Equal(before, o.Result) {
				t.Fatal("the result of what was not taken has changed")
			}
			continue
		}
		taken++
		for i := range o.Rows {
			x, y := o.Source[i*o.Columns:(i+1)*o.Columns], o.Result[i*o.Columns:(i+1)*o.Columns]
			var sum, mean, squares float64
			for _, v := range x {
				sum += math.Exp(float64(v))
				if o.Kind == kernel.LayerNorm {
					mean += float64(v) / float64(o.Columns)
				}
			}
			for _, v := range x {
				squares += (float64(v) - mean) * (float64(v) - mean)
			}
			for c, v := range x {
				want := (float64(v) - mean) / math.Sqrt(squares/float64(o.Columns)+float64(o.Epsilon))
				switch o.Kind {
				case kernel.Softmax:
					want = math.Exp(float64(v)) / sum
				case kernel.LogSoftmax:
					want = float64(v) - math.Log(sum)
				}
				if o.Weight != nil {
					want *= float64(o.Weight[c])
				}
				if o.Bias != nil {
					want += float64(o.Bias[c])
				}
				if math.Abs(float64(y[c])-want) > 1e-5 {
					t.Fatalf("%v of %d x %d: (%d, %d) is %v, want %v", o.Kind, o.Rows, o.Columns, i, c, y[c], want)
				}
			}
		}
	}
	if n := p.TakenRows(); n != taken || n < 100 {
		t.Errorf("%d taken, %d counted", taken, n)
	}
	byDefault := accelerate.New(open(t), accelerate.Options{})
	for kind, want := range []bool{kernel.Softmax: true, kernel.LogSoftmax: true, kernel.RMSNorm: false, kernel.LayerNorm: false} {
		if k := kernel.RowKind(kind); byDefault.TakesRows(k, 1<<10, 1<<10) != want || byDefault.TakesRows(k, 1<<10, 1<<10-1) {
			t.Errorf("%v of a million elements, or less: not as it should be by default", k)
		}
	}
	if done, err := p.Rows32(t.Context(), nil); done || err != nil {
		t.Errorf("nothing: %v, %v", done, err)
	}
	if done, err := p.Rows32(t.Context(), &kernel.Rows{Rows: 100, Columns: 100}); done || err != nil {
		t.Errorf("rows without memory: %v, %v", done, err)
	}
}

// TestTransformer has the embedded device write the example's text with every product, softmax and norm by package mps.
func TestTransformer(t *testing.T) {
	p := accelerate.New(open(t), accelerate.Options{Least: 1, LeastRows: 1})
	c := client(t, device.Options{Accelerator: p})
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "..", "examples", "transformer", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	numbers := func(name string) []int32 {
		a, err := npy.ReadFile(filepath.Join("..", "..", "examples", "transformer", name), npy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := npy.Values[int32](a)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	x, err := c.Compile(t.Context(), pjrt.MLIR(file("transformer.mlir.bc")), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	prompt := numbers("prompt.npy")
	a, err := pjrt.Put(t.Context(), c.Device(), prompt, len(prompt))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	n, err := pjrt.Put(t.Context(), c.Device(), numbers("length.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	out, err := x.Execute(t.Context(), []*pjrt.Buffer{a, n}, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	tokens, err := pjrt.Get[int32](t.Context(), out[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := numbers("tokens.npy"); !slices.Equal(tokens, want) {
		t.Errorf("tokens %v, want %v", tokens, want)
	}
	// A layer has two norms and a softmax; there are two, and a norm at the end, for the prompt and for each of 128 characters.
	if got := p.TakenRows(); got != 7*129 {
		t.Errorf("%d operations on rows, want %d", got, 7*129)
	}
	if p.Taken() == 0 {
		t.Error("no product was taken")
	}
}

// A context that ends is the error; a device that is closed leaves the rows to others.
func TestRowsEnd(t *testing.T) {
	dev, err := mps.Open(t.Context(), mps.Options{Backend: cpu.Options{Workers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	p := accelerate.New(dev, accelerate.Options{LeastRows: 1})
	o := &kernel.Rows{Kind: kernel.LayerNorm, Rows: 2, Columns: 2, Source: make([]float32, 4), Result: make([]float32, 4), Weight: make([]float32, 2)}
	tired := errors.New("tired")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(tired)
	if done, err := p.Rows32(ctx, o); done || !errors.Is(err, tired) {
		t.Errorf("%v, %v", done, err)
	}
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := p.Rows32(t.Context(), o); done || err != nil {
		t.Errorf("%v, %v", done, err)
	}
}
