package stablehlo_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/cmplx"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// run evaluates a one-line program on tensors of 64-bit words and returns the words of its result.
func run(t *testing.T, elem dtype.Type, elemName, line string, args ...[]uint64) []uint64 {
	t.Helper()
	var types []string
	var values []eval.Value
	for _, a := range args {
		n := int64(len(a) * 8 / elem.Size())
		x, err := eval.NewTensor(elem, n)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range a {
			binary.LittleEndian.PutUint64(x.Data[8*i:], w)
		}
		types = append(types, fmt.Sprintf("tensor<%dx%s>", n, elemName))
		values = append(values, x)
	}
	m, err := parseOp(types, types[0], strings.ReplaceAll(line, "TYPE", types[0]))
	if err != nil {
		t.Fatal(err)
	}
	out, err := eval.Run(context.Background(), m, m.Main(), values, eval.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data := out[0].(*eval.Tensor).Data
	words := make([]uint64, len(data)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	return words
}

func words(vs ...float64) []uint64 {
	out := make([]uint64, len(vs))
	for i, v := range vs {
		out[i] = math.Float64bits(v)
	}
	return out
}

// near reports whether got is want to a relative error; infinities, NaN and zero must be the same.
func near(got, want, tolerance float64) bool {
	if got == want || math.IsNaN(got) && math.IsNaN(want) {
		return true
	}
	return math.Abs(got-want) <= tolerance*math.Abs(want)
}

// TestExpandReal compares what real functions expand to with Go's own implementations.
func TestExpandReal(t *testing.T) {
	everywhere := []float64{0, 1e-300, -1e-9, 0.1, -0.3, 0.5, -0.9, 0.999, 1, -1, 1.5, -2.25, 3, 7.5, -20, 300, math.Inf(1), math.Inf(-1), math.NaN()}
	besselI1e := map[float64]float64{0: 0, 1: 0.20791041534970844, -1: -0.20791041534970844, 10: 0.12126268138445552}
	for _, tt := range []struct {
		op        string
		x         []float64
		f         func(float64) float64
		tolerance float64
	}{
		{"acos", everywhere, math.Acos, 1e-14},
		{"acosh", []float64{0.5, 1, 1.0001, 2, 1e10, 1e300, math.Inf(1), math.NaN()}, math.Acosh, 1e-12},
		{"asin", everywhere, math.Asin, 1e-14},
		{"asinh", everywhere, math.Asinh, 1e-13},
		{"atan", everywhere, math.Atan, 1e-14},
		{"atanh", everywhere, math.Atanh, 1e-13},
		{"cosh", everywhere, math.Cosh, 1e-13},
		{"sinh", everywhere, math.Sinh, 1e-13},
		{"tan", everywhere[:16], math.Tan, 1e-13},
		{"erf", everywhere, math.Erf, 1e-14},
		{"erfc", everywhere[:15], math.Erfc, 1e-13},
		{"erf_inv", []float64{0, 0.1, -0.3, 0.5, -0.9, 0.999, 1 - 1e-12, 1, -1}, math.Erfinv, 1e-13},
		{"square", everywhere, func(x float64) float64 { return x * x }, 0},
		{"conj", everywhere, func(x float64) float64 { return x }, 0},
		{"lgamma", []float64{0.1, 0.5, 1.5, 2.5, 3, 7.5, 100, -0.5, -2.5, 0, -1, math.Inf(1), math.NaN()}, func(x float64) float64 { v, _ := math.Lgamma(x); return v }, 1e-12},
		{
			"digamma",
			[]float64{1, 2, 0.5, -0.5, 0, -3},
			func(x float64) float64 {
				const euler = 0.57721566490153286061
				return map[float64]float64{1: -euler, 2: 1 - euler, 0.5: -euler - 2*math.Ln2, -0.5: 2 - euler - 2*math.Ln2, 0: math.NaN(), -3: math.NaN()}[x]
			}, 1e-12,
		},
		{"bessel_i1e", []float64{0, 1, -1, 10}, func(x float64) float64 { return besselI1e[x] }, 1e-14},
	} {
		t.Run(tt.op, func(t *testing.T) {
			got := run(t, dtype.F64, "f64", "chlo."+tt.op+" %x0 : TYPE -> TYPE", words(tt.x...))
			for i, x := range tt.x {
				if g, w := math.Float64frombits(got[i]), tt.f(x); !near(g, w, tt.tolerance) {
					t.Errorf("%s(%g) = %g, want %g", tt.op, x, g, w)
				}
			}
		})
	}
}

// TestExpandReal2 does the same for functions of two arguments.
func TestExpandReal2(t *testing.T) {
	apery := 1.2020569031595942854
	for _, tt := range []struct {
		op         string
		x, y, want []float64
		tolerance  float64
	}{
		{"zeta", []float64{2, 4, 2, 3, 1, 0.5, 2}, []float64{1, 1, 2, 1, 1, 1, -1}, []float64{
			math.Pi * math.Pi / 6, math.Pow(math.Pi, 4) / 90, math.Pi*math.Pi/6 - 1, apery, math.Inf(1), math.NaN(), math.Inf(1),
		}, 1e-14},
		{"polygamma", []float64{1, 1, 2, 0.5, -1}, []float64{1, 2, 1, 1, 1}, []float64{
			math.Pi * math.Pi / 6, math.Pi*math.Pi/6 - 1, -2 * apery, math.NaN(), math.NaN(),
		}, 1e-12},
		{"next_after", []float64{1, 1, 0, 0, -1, 5, math.MaxFloat64, math.NaN()}, []float64{2, 0, 1, -1, 0, 5, math.Inf(1), 1}, []float64{
			math.Nextafter(1, 2), math.Nextafter(1, 0), 5e-324, -5e-324, math.Nextafter(-1, 0), 5, math.Inf(1), math.NaN(),
		}, 0},
	} {
		t.Run(tt.op, func(t *testing.T) {
			got := run(t, dtype.F64, "f64", "chlo."+tt.op+" %x0, %x1 : TYPE, TYPE -> TYPE", words(tt.x...), words(tt.y...))
			for i := range tt.want {
				if g := math.Float64frombits(got[i]); !near(g, tt.want[i], tt.tolerance) {
					t.Errorf("%s(%g, %g) = %g, want %g", tt.op, tt.x[i], tt.y[i], g, tt.want[i])
				}
			}
		})
	}
}

// TestExpandComplex compares complex functions with Go's.
func TestExpandComplex(t *testing.T) {
	points := []complex128{0.3 + 0.4i, -0.3 + 0.4i, 2 - 3i, -5 - 0.1i, 1e-5 + 1i, 40 + 2i}
	for _, tt := range []struct {
		op string
		f  func(complex128) complex128
	}{
		{"acos", cmplx.Acos},
		{"acosh", cmplx.Acosh},
		{"asin", cmplx.Asin},
		{"asinh", cmplx.Asinh},
		{"atan", cmplx.Atan},
		{"atanh", cmplx.Atanh},
		{"conj", cmplx.Conj},
		{"cosh", cmplx.Cosh},
		{"sinh", cmplx.Sinh},
		{"square", func(z complex128) complex128 { return z * z }},
	} {
		t.Run(tt.op, func(t *testing.T) {
			var in []float64
			for _, z := range points {
				in = append(in, real(z), imag(z))
			}
			got := run(t, dtype.C128, "complex<f64>", "chlo."+tt.op+" %x0 : TYPE -> TYPE", words(in...))
			for i, z := range points {
				g := complex(math.Float64frombits(got[2*i]), math.Float64frombits(got[2*i+1]))
				if w := tt.f(z); cmplx.Abs(g-w) > 1e-11*cmplx.Abs(w) {
					t.Errorf("%s(%g) = %g, want %g", tt.op, z, g, w)
				}
			}
		})
	}
}

// TestExpandMulhi compares the upper halves of products with those that Go computes.
func TestExpandMulhi(t *testing.T) {
	x := []uint64{0, 1, 0xffffffffffffffff, 0x8000000000000000, 0x123456789abcdef0, 0xfedcba9876543210}
	y := []uint64{5, 0xffffffffffffffff, 0xffffffffffffffff, 2, 0x0fedcba987654321, 0x7fffffffffffffff}
	unsigned := run(t, dtype.U64, "ui64", "chlo.mulhi %x0, %x1 : TYPE, TYPE -> TYPE", x, y)
	signed := run(t, dtype.I64, "i64", "chlo.mulhi %x0, %x1 : TYPE, TYPE -> TYPE", x, y)
	for i := range x {
		hi, _ := bits.Mul64(x[i], y[i])
		if unsigned[i] != hi {
			t.Errorf("mulhi(%#x, %#x) = %#x, want %#x", x[i], y[i], unsigned[i], hi)
		}
		if int64(x[i]) < 0 {
			hi -= y[i]
		}
		if int64(y[i]) < 0 {
			hi -= x[i]
		}
		if signed[i] != hi {
			t.Errorf("signed mulhi(%#x, %#x) = %#x, want %#x", x[i], y[i], signed[i], hi)
		}
	}
}

// TestExpandLinear runs deprecated operations on small integers.
func TestExpandLinear(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{
			"einsum", `%a = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %b = stablehlo.constant dense<[[1, 0], [0, 1], [2, 2]]> : tensor<3x2xi64>
  %r = stablehlo.einsum %a, %b, config = "ab,bc->ca" : (tensor<2x3xi64>, tensor<3x2xi64>) -> tensor<2x2xi64>
  check.expect_eq_const %r, dense<[[7, 16], [8, 17]]> : tensor<2x2xi64>`,
		},
		{
			"unary_einsum", `%a = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %r = stablehlo.unary_einsum %a, config = "ab->b" : (tensor<2x3xi64>) -> tensor<3xi64>
  check.expect_eq_const %r, dense<[5, 7, 9]> : tensor<3xi64>`,
		},
		{
			"torch_index_select", `%a = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %i = stablehlo.constant dense<[2, 0]> : tensor<2xi32>
  %r = "stablehlo.torch_index_select"(%a, %i) {dim = 1 : i64, batch_dims = 0 : i64} : (tensor<2x3xi64>, tensor<2xi32>) -> tensor<2x2xi64>
  check.expect_eq_const %r, dense<[[3, 1], [6, 4]]> : tensor<2x2xi64>`,
		},
		{
			"torch_index_select of batches", `%a = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %i = stablehlo.constant dense<[[2, 0], [1, 1]]> : tensor<2x2xi32>
  %r = "stablehlo.torch_index_select"(%a, %i) {dim = 1 : i64, batch_dims = 1 : i64} : (tensor<2x3xi64>, tensor<2x2xi32>) -> tensor<2x2xi64>
  check.expect_eq_const %r, dense<[[3, 1], [5, 5]]> : tensor<2x2xi64>`,
		},
		{
			"top_k", `%a = stablehlo.constant dense<[[3, 1, 2], [4, 6, 5]]> : tensor<2x3xi64>
  %r:2 = chlo.top_k(%a, k = 2) : tensor<2x3xi64> -> (tensor<2x2xi64>, tensor<2x2xi32>)
  check.expect_eq_const %r#1, dense<[[0, 2], [1, 2]]> : tensor<2x2xi32>
  check.expect_eq_const %r#0, dense<[[3, 2], [6, 5]]> : tensor<2x2xi64>`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := "func.func @main() {\n  " + tt.body + "\n  return\n}"
			m, err := stablehlo.Parse([]byte(src), stablehlo.Options{TestOps: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := eval.Run(context.Background(), m, m.Main(), nil, eval.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}
