package plan_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// byRows computes operations on rows in float64, as they are written in books, and notes which.
type byRows struct {
	mu    sync.Mutex
	names []string
	not   bool // take nothing
	fail  error
}

func (*byRows) Gemm32(context.Context, *kernel.Gemm[float32]) (bool, error) { return false, nil }
func (*byRows) TakesRows(kernel.RowKind, int, int) bool                     { return true }

func (a *byRows) Rows32(_ context.Context, o *kernel.Rows) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := o.Kind.String()
	if o.Weight != nil {
		name += " weight"
	}
	if o.Bias != nil {
		name += " bias"
	}
	a.names = append(a.names, name)
	if a.not || a.fail != nil {
		return false, a.fail
	}
	n := float64(o.Columns)
	for r := range o.Rows {
		x, y := o.Source[r*o.Columns:(r+1)*o.Columns], o.Result[r*o.Columns:(r+1)*o.Columns]
		top, sum, squares := float64(slices.Max(x)), 0.0, 0.0
		mean := 0.0
		if o.Kind == kernel.LayerNorm {
			for _, v := range x {
				mean += float64(v) / n
			}
		}
		for _, v := range x {
			sum += math.Exp(float64(v) - top)
			squares += (float64(v) - mean) * (float64(v) - mean)
		}
		for c, v := range x {
			var z float64
			switch o.Kind {
			case kernel.Softmax:
				z = math.Exp(float64(v)-top) / sum
			case kernel.LogSoftmax:
				z = float64(v) - top - math.Log(sum)
			case kernel.RMSNorm, kernel.LayerNorm:
				z = (float64(v) - mean) / math.Sqrt(squares/n+float64(o.Epsilon))
				if o.Weight != nil {
					z *= float64(o.Weight[c])
				}
				if o.Bias != nil {
					z += float64(o.Bias[c])
				}
			}
			y[c] = float32(z)
		}
	}
	return true, nil
}

// The text of programs on rows: $x is the operand, of 2 x 3 x 8 elements; $w and $b have 8.
const (
	rowStart = `func.func @main(%x: tensor<2x3x8xf32>, %w: tensor<8xf32>, %b: tensor<8xf32>) -> (RESULTS) {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %n = stablehlo.constant dense<8.0> : tensor<2x3x1xf32>
  %nth = stablehlo.constant dense<0.125> : tensor<2x3xf32>
  %eps = stablehlo.constant dense<1.0e-5> : tensor<2x3x1xf32>
  %ws = stablehlo.broadcast_in_dim %w, dims = [2] : (tensor<8xf32>) -> tensor<2x3x8xf32>
  %bs = stablehlo.broadcast_in_dim %b, dims = [2] : (tensor<8xf32>) -> tensor<2x3x8xf32>
`
	rowSoftmax = `  %t0 = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [2] : (tensor<2x3x8xf32>, tensor<f32>) -> tensor<2x3xf32>
  %lows = stablehlo.broadcast_in_dim %low, dims = [] : (tensor<f32>) -> tensor<2x3xf32>
  %t = stablehlo.maximum %lows, %t0 : tensor<2x3xf32>
  %t1 = stablehlo.broadcast_in_dim %t, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x1xf32>
  %t2 = stablehlo.broadcast_in_dim %t1, dims = [0, 1, 2] : (tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
  %d = stablehlo.subtract %x, %t2 : tensor<2x3x8xf32>
  %e = stablehlo.exponential %d : tensor<2x3x8xf32>
  %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x3x8xf32>, tensor<f32>) -> tensor<2x3xf32>
  %s1 = stablehlo.reshape %s : (tensor<2x3xf32>) -> tensor<2x3x1xf32>
`
	// of %c, to %r: a number a row
	rowScale = `  %sq = stablehlo.multiply %c, %c : tensor<2x3x8xf32>
  %q = stablehlo.reduce(%sq init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x3x8xf32>, tensor<f32>) -> tensor<2x3xf32>
  %q1 = stablehlo.broadcast_in_dim %q, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x1xf32>
  %v = stablehlo.divide %q1, %n : tensor<2x3x1xf32>
  %ve = stablehlo.add %v, %eps : tensor<2x3x1xf32>
`
	rowCentre = `  %m = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x3x8xf32>, tensor<f32>) -> tensor<2x3xf32>
  %m0 = stablehlo.multiply %nth, %m : tensor<2x3xf32>
  %m1 = stablehlo.broadcast_in_dim %m0, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x8xf32>
  %c = stablehlo.subtract %x, %m1 : tensor<2x3x8xf32>
`
)

func words(x []float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return aligned(b)
}

func floats(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func TestRows(t *testing.T) {
	one := "tensor<2x3x8xf32>"
	rsqrt := `  %r0 = stablehlo.rsqrt %ve : tensor<2x3x1xf32>
  %r = stablehlo.broadcast_in_dim %r0, dims = [0, 1, 2] : (tensor<2x3x1xf32>) -> tensor<2x3x8xf32>
`
	two := func(to, kind, a, b string) string {
		return "  " + to + " = stablehlo." + kind + " " + a + ", " + b + " : tensor<2x3x8xf32>\n"
	}
	spread := func(to, from string) string {
		return "  " + to + " = stablehlo.broadcast_in_dim " + from + ", dims = [0, 1, 2] : (tensor<2x3x1xf32>) -> tensor<2x3x8xf32>\n"
	}
	rms := strings.ReplaceAll(rowScale, "%c", "%x") + rsqrt
	layer := rowCentre + rowScale + rsqrt
	logs := rowSoftmax + "  %l = stablehlo.log %s1 : tensor<2x3x1xf32>\n" + spread("%l1", "%l") + two("%y", "subtract", "%d", "%l1")
	for _, c := range []struct {
		name, body, results, want string
		out                       string
	}{
		{"softmax", rowSoftmax + spread("%s2", "%s1") + two("%y", "divide", "%e", "%s2"), "", "softmax", ""},
		{"log softmax", logs, "", "log softmax", ""},
		{"rms norm", rms + two("%y", "multiply", "%x", "%r"), "", "rms norm", ""},
		{"rms norm, weight", rms + two("%y0", "multiply", "%r", "%x") + two("%y", "multiply", "%ws", "%y0"), "", "rms norm weight", ""},
		{"rms norm, scale times weight", rms + two("%k", "multiply", "%r", "%ws") + two("%y", "multiply", "%x", "%k"), "", "rms norm weight", ""},
		{"rms norm by division", strings.ReplaceAll(rms, "rsqrt", "sqrt") + two("%y", "divide", "%x", "%r"), "", "rms norm", ""},
		{"rms norm, bias", rms + two("%y0", "multiply", "%x", "%r") + two("%y", "add", "%y0", "%bs"), "", "rms norm", ""},
		{"layer norm", layer + two("%y", "multiply", "%c", "%r"), "", "layer norm", ""},
		{
			"layer norm, weight, bias",
			layer + two("%y0", "multiply", "%c", "%r") + two("%y1", "multiply", "%y0", "%ws") + two("%y", "add", "%bs", "%y1"),
			"", "layer norm weight bias", "",
		},
		{"layer norm, bias", layer + two("%y0", "multiply", "%c", "%r") + two("%y", "add", "%y0", "%bs"), "", "layer norm bias", ""},
		{"a norm of a product", layer + two("%y0", "multiply", "%ws", "%ws") + two("%y1", "multiply", "%c", "%r") + two("%y", "multiply", "%y1", "%y0"), "", "layer norm", ""},
		{
			"two of them",
			rms + two("%y0", "multiply", "%x", "%r") + strings.ReplaceAll(rowSoftmax, "%x", "%y0") +
				spread("%s2", "%s1") + two("%y", "divide", "%e", "%s2"), "", "rms norm,softmax", "",
		},
		// What is something else, or read by somebody else, stays as it is.
		{"the sum is a result", rowSoftmax + spread("%s2", "%s1") + two("%y", "divide", "%e", "%s2"), "%y, %s1", "", one + ", tensor<2x3x1xf32>"},
		{"the maximum is of something else", rowSoftmax + "  %f = stablehlo.exponential %x : tensor<2x3x8xf32>\n" + spread("%s2", "%s1") + two("%y", "divide", "%f", "%s2"), "", "", ""},
		{"without a maximum", strings.Replace(rowSoftmax, "exponential %d", "exponential %x", 1) + spread("%s2", "%s1") + two("%y", "divide", "%e", "%s2"), "", "", ""},
		{"another number of elements", strings.Replace(rms, "%v = stablehlo.divide %q1, %n", "%v = stablehlo.divide %q1, %eps", 1) + two("%y", "multiply", "%x", "%r"), "", "", ""},
		{"scaled, of something else", rms + two("%y", "multiply", "%ws", "%r"), "", "", ""},
		{"the centre is a result", layer + two("%y", "multiply", "%c", "%r"), "%y, %c", "", one + ", " + one},
	} {
		t.Run(c.name, func(t *testing.T) {
			results, out := "%y", one
			if c.results != "" {
				results, out = c.results, c.out
			}
			text := strings.Replace(rowStart, "RESULTS", out, 1) + c.body + "  return " + results + " : " + out + "\n}"
			x, vec := make([]float32, 2*3*8), make([]float32, 16)
			for i := range x {
				x[i] = float32(math.Sin(float64(3*i))) * 4
			}
			for i := range vec {
				vec[i] = float32(math.Cos(float64(i)))
			}
			args := []plan.Arg{{Data: words(x)}, {Data: words(vec[:8])}, {Data: words(vec[8:])}}
			run := func(o plan.Options) ([][]byte, error) {
				return compile(t, []byte(text), o).Run(t.Context(), args, nil)
			}
			plain, err := run(plan.Options{})
			if err != nil {
				t.Fatal(err)
			}
			takes := &byRows{}
			rows, err := run(plan.Options{Accelerator: takes})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(takes.names, ","); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
			for k := range plain {
				a, b := floats(plain[k]), floats(rows[k])
				for i := range a {
					if math.Abs(float64(a[i]-b[i])) > 4e-6 {
						t.Fatalf("result %d, element %d: %v with rows, %v without", k, i, b[i], a[i])
					}
				}
			}
			refuses := &byRows{not: true}
			again, err := run(plan.Options{Accelerator: refuses})
			if err != nil {
				t.Fatal(err)
			}
			if len(refuses.names) != len(takes.names) {
				t.Errorf("asked for %v, then for %v", takes.names, refuses.names)
			}
			for k := range plain {
				if !bytes.Equal(plain[k], again[k]) {
					t.Errorf("result %d is not what the workers make of the single operations", k)
				}
			}
			if c.want == "" {
				return
			}
			tired := errors.New("tired")
			if _, err := run(plan.Options{Accelerator: &byRows{fail: tired}}); !errors.Is(err, tired) {
				t.Errorf("an error of the accelerator: %v", err)
			}
		})
	}
}

// The programs of the corpus give what XLA gives with their operations on rows computed elsewhere too, and the same bits as without an
// accelerator where it takes none.
func TestRowsOfCorpus(t *testing.T) {
	found := 0
	for _, c := range cases(t) {
		src, err := c.Bytecode()
		if err != nil {
			t.Fatal(err)
		}
		m, err := stablehlo.Parse(src, stablehlo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in, want, err := c.Arrays()
		if err != nil {
			t.Fatal(err)
		}
		run := func(o plan.Options) []npy.Array {
			p, err := plan.Compile(t.Context(), m, m.Main(), o)
			if errors.Is(err, plan.ErrUnsupported) {
				return nil
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			results, err := p.Run(t.Context(), arguments(in), nil)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			got := make([]npy.Array, len(results))
			for i, r := range results {
				got[i] = npy.Array{DType: p.Results()[i].Elem, Shape: p.Results()[i].Dims, Data: r}
			}
			return got
		}
		a := &byRows{}
		got := run(plan.Options{Accelerator: a})
		if len(a.names) == 0 {
			continue
		}
		found++
		slices.Sort(a.names)
		t.Logf("%s: %v", c.Name, slices.Compact(a.names))
		if err := c.Compare(got, want); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		plain, refused := run(plan.Options{}), run(plan.Options{Accelerator: &byRows{not: true}})
		for i := range plain {
			if !bytes.Equal(plain[i].Data, refused[i].Data) {
				t.Errorf("%s: result %d depends on an accelerator that takes nothing", c.Name, i)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d programs with operations on rows", found)
	}
}
