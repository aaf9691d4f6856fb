package eval_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestMath looks at places where package math is wrong or loses digits. The numbers are bits of float64; the wanted
// ones are correctly rounded.
func TestMath(t *testing.T) {
	for _, tt := range []struct {
		op   string
		args []string
		want string
	}{
		{"exponential", []string{"0x4086280000000000"}, "0x7FDD422D2BE5DC9B"},                 // 709.0 = 8.218407461554972e+307
		{"exponential", []string{"0x40862C28F5C28F5C"}, "0x7FE89B5789C48A80"},                 // 709.52 = 1.382358858682685e+308
		{"exponential", []string{"0x40862D999999999A"}, "0x7FED75AE7A50EE14"},                 // 709.7 = 1.6549840276802644e+308
		{"exponential", []string{"0x40862E42FEFA39EF"}, "0x7FEFFFFFFFFFFF2A"},                 // 709.782712893384 = 1.7976931348622732e+308
		{"exponential", []string{"0x40862E51EB851EB8"}, "0x7FF0000000000000"},                 // 709.79 = inf
		{"exponential", []string{"0xC086240000000000"}, "0x000E6CF6D08897AC"},                 // -708.5 = 2.006132305331306e-308
		{"exponential", []string{"0xC087200000000000"}, "0x0000000000000055"},                 // -740.0 = 4.2e-322
		{"exponential", []string{"0xC087491EB851EB85"}, "0x0000000000000000"},                 // -745.14 = 0.0
		{"exponential", []string{"0x7FF0000000000000"}, "0x7FF0000000000000"},                 // inf = inf
		{"power", []string{"0x3FEFFEEF5EC80C74", "0x41352E1400000000"}, "0x2FA92A9E2C3DF096"}, // 0.99987, 1388052.0 = 4.2449595487435334e-79
		{"power", []string{"0x3FF000001AD7F29B", "0x41FA13B860000000"}, "0x7F0D941AE6E762D4"}, // 1.0000001, 7000000000.0 = 1.0141969717459648e+304
		{"power", []string{"0x4004000000000000", "0x4085E00000000000"}, "0x79C46364B39F4A09"}, // 2.5, 700.0 = 3.614149143438584e+278
		{"power", []string{"0x4004000000000000", "0xC088300000000000"}, "0x000719648EE0F6DF"}, // 2.5, -774.0 = 9.87263970066855e-309
		{"power", []string{"0x4008000000000000", "0xC084000000000000"}, "0x0088A884395B7531"}, // 3.0, -640.0 = 4.3893173268735854e-306
		{"power", []string{"0x4024000000000000", "0x4073440000000000"}, "0x7FEFA788589D81D3"}, // 10.0, 308.25 = 1.7782794100389228e+308
		{"power", []string{"0x4024000000000000", "0x407344CCCCCCCCCD"}, "0x7FF0000000000000"}, // 10.0, 308.3 = inf
		{"power", []string{"0xBFF000001AD7F29B", "0x41FA13B860100000"}, "0xFF0D941B18874534"}, // -1.0000001, 7000000001.0 = -1.0141970731656621e+304
		{"power", []string{"0x3FF0000000000001", "0x43C51CB453B95366"}, "0x7CD969E2DEBC84A9"}, // 1.0000000000000002, 3.0425780916578417e+18 = 2.5360761620184745e+293
		{"power", []string{"0xBFF0000000000001", "0x43B0000000000000"}, "0x57041C7A8814BE19"}, // -1.0000000000000002, 1.152921504606847e+18 = 1.5114276650040605e+111
		{"power", []string{"0x3FE0000000000000", "0x4090C80000000000"}, "0x0000000000000001"}, // 0.5, 1074.0 = 5e-324
		{"power", []string{"0x3FE0000000000000", "0x4090E00000000000"}, "0x0000000000000000"}, // 0.5, 1080.0 = 0.0
		{"power", []string{"0x01A56E1FC2F8F359", "0x7E37E43C8800759C"}, "0x0000000000000000"}, // 1e-300, 1e+300 = 0.0
		{"power", []string{"0x7E37E43C8800759C", "0x7E37E43C8800759C"}, "0x7FF0000000000000"}, // 1e+300, 1e+300 = inf
		{"tan", []string{"0x3E7AD7F29ABCAF48"}, "0x3E7AD7F29ABCAF61"},                         // 1e-07 = 1.0000000000000033e-07
		{"tan", []string{"0xBE7828C0BE769DC1"}, "0xBE7828C0BE769DD3"},                         // -9e-08 = -9.000000000000024e-08
		{"tan", []string{"0x3F0A36E2EB1C432D"}, "0x3F0A36E2EB7A1660"},                         // 5e-05 = 5.000000004166667e-05
		{"tan", []string{"0x3F1CD5F99C38B04B"}, "0x3F1CD5F99E2C3681"},                         // 0.00011 = 0.00011000000044366667
	} {
		t.Run(tt.op+" "+strings.Join(tt.args, " "), func(t *testing.T) {
			var b, names strings.Builder
			for i, x := range tt.args {
				fmt.Fprintf(&b, "%%a%d = stablehlo.constant dense<%s> : tensor<f64>\n", i, x)
				fmt.Fprintf(&names, ", %%a%d", i)
			}
			m := parse(t, fmt.Sprintf(`func.func @main() {
				%s
				%%r = stablehlo.%s %s : tensor<f64>
				%%w = stablehlo.constant dense<%s> : tensor<f64>
				"check.expect_close"(%%r, %%w) {max_ulp_difference = 2 : i64} : (tensor<f64>, tensor<f64>) -> ()
				return
			}`, b.String(), tt.op, names.String()[2:], tt.want))
			if _, err := eval.Run(t.Context(), m, m.Main(), nil, eval.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// The complex functions take every pair of special values, without a fault and without making a number of NaN.
func TestComplexSpecialValues(t *testing.T) {
	parts := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1, -1, 1e7, -1e300, 1e-300, math.MaxFloat64}
	var pairs []complex128 // NaN with NaN is the first
	for _, x := range parts {
		for _, y := range parts {
			pairs = append(pairs, complex(x, y))
		}
	}
	for _, kind := range []stablehlo.Kind{
		stablehlo.Exponential, stablehlo.ExponentialMinusOne, stablehlo.Log, stablehlo.LogPlusOne, stablehlo.Logistic, stablehlo.Sine,
		stablehlo.Cosine, stablehlo.Tan, stablehlo.Tanh, stablehlo.Sqrt, stablehlo.Rsqrt, stablehlo.Cbrt, stablehlo.Sign, stablehlo.Power,
		stablehlo.Divide, stablehlo.Atan2,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			n := len(pairs)
			x, y := mustTensor(t, dtype.C128, int64(n), int64(n)), mustTensor(t, dtype.C128, int64(n), int64(n))
			for i, a := range pairs {
				for j, b := range pairs {
					putComplex(x, i*n+j, a)
					putComplex(y, i*n+j, b)
				}
			}
			op := &stablehlo.Op{Kind: kind, Results: []*stablehlo.Value{{Type: x.Type}}}
			args := []eval.Value{x}
			if kind == stablehlo.Power || kind == stablehlo.Divide || kind == stablehlo.Atan2 {
				args = append(args, y)
			}
			for range args {
				op.Operands = append(op.Operands, &stablehlo.Value{Type: x.Type})
			}
			out, err := eval.Op(t.Context(), &stablehlo.Module{}, op, args, nil, eval.Options{})
			if err != nil {
				t.Fatal(err)
			}
			first := out[0].(*eval.Tensor).Data
			if re := math.Float64frombits(binary.LittleEndian.Uint64(first)); re == re {
				t.Errorf("real part of NaN is %v", re)
			}
		})
	}
}

func mustTensor(t *testing.T, elem dtype.Type, dims ...int64) *eval.Tensor {
	t.Helper()
	x, err := eval.NewTensor(elem, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func putComplex(x *eval.Tensor, i int, v complex128) {
	binary.LittleEndian.PutUint64(x.Data[16*i:], math.Float64bits(real(v)))
	binary.LittleEndian.PutUint64(x.Data[16*i+8:], math.Float64bits(imag(v)))
}
