package eval_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// No program that the verifier accepts makes the evaluator panic, whatever its constants and attributes are.
func FuzzRun(f *testing.F) {
	for _, body := range []string{
		`%a = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
		 %r = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x3xi32>) -> tensor<3x2xi32>`,
		`%a = stablehlo.constant dense<[1.0, 2.5, -3.0]> : tensor<3xf8E4M3FN>
		 %z = stablehlo.constant dense<0.0> : tensor<f8E4M3FN>
		 %r = stablehlo.pad %a, %z, low = [-1], high = [2], interior = [1] : (tensor<3xf8E4M3FN>, tensor<f8E4M3FN>) -> tensor<6xf8E4M3FN>`,
		`%a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
		 %i = stablehlo.constant dense<[[1], [9]]> : tensor<2x1xi64>
		 %r = "stablehlo.gather"(%a, %i) {dimension_numbers = #stablehlo.gather<offset_dims = [1], start_index_map = [0],
		 index_vector_dim = 1>, slice_sizes = array<i64: 2>} : (tensor<4xi32>, tensor<2x1xi64>) -> tensor<2x2xi32>`,
		`%a = stablehlo.constant dense<[[[1, 2, 3]]]> : tensor<1x1x3xi32>
		 %k = stablehlo.constant dense<[[[1, 10]]]> : tensor<1x1x2xi32>
		 %r = stablehlo.convolution(%a, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [2], pad = [[1, 1]],
		 lhs_dilate = [2], rhs_dilate = [1], reverse = [true]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64}
		 : (tensor<1x1x3xi32>, tensor<1x1x2xi32>) -> tensor<1x1x3xi32>`,
		`%a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
		 %z = stablehlo.constant dense<0> : tensor<i32>
		 %r = "stablehlo.reduce_window"(%a, %z) ({
		 ^bb0(%x: tensor<i32>, %y: tensor<i32>):
		 %s = stablehlo.add %x, %y : tensor<i32>
		 stablehlo.return %s : tensor<i32>
		 }) {window_dimensions = array<i64: 2>, window_dilations = array<i64: 2>, padding = dense<[[1, 0]]> : tensor<1x2xi64>}
		 : (tensor<4xi32>, tensor<i32>) -> tensor<3xi32>`,
		`%a = stablehlo.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf64>
		 %r = stablehlo.fft %a, type = RFFT, length = [4] : (tensor<4xf64>) -> tensor<3xcomplex<f64>>`,
	} {
		f.Add([]byte("func.func @main() {\n" + body + "\nfunc.return\n}"))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := stablehlo.Parse(src, stablehlo.Options{TestOps: true})
		if err != nil || m.Main() == nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = eval.Run(ctx, m, m.Main(), nil, eval.Options{MemoryLimit: 64 << 20})
		if errors.Is(err, eval.ErrInternal) {
			t.Fatal(err)
		}
	})
}
