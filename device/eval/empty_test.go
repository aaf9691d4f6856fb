package eval_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
)

// TestEmpty runs operations on tensors without elements but with a huge dimension: none may walk along it.
func TestEmpty(t *testing.T) {
	for _, tt := range []struct{ name, ops string }{
		{"unary", "%r = stablehlo.exponential %x : tensor<NNx0xf32>"},
		{"transpose", "%r = stablehlo.transpose %x, dims = [1, 0] : (tensor<NNx0xf32>) -> tensor<0xNNxf32>"},
		{"broadcast", "%r = stablehlo.broadcast_in_dim %x, dims = [0, 1] : (tensor<NNx0xf32>) -> tensor<NNx0x5xf32>"},
		{"concatenate", "%r = stablehlo.concatenate %x, %x, dim = 1 : (tensor<NNx0xf32>, tensor<NNx0xf32>) -> tensor<NNx0xf32>"},
		{"concatenate along", "%r = stablehlo.concatenate %x, %x, dim = 0 : (tensor<NNx0xf32>, tensor<NNx0xf32>) -> tensor<2199023255552x0xf32>"},
		{"slice", "%r = stablehlo.slice %x [0:5, 0:0] : (tensor<NNx0xf32>) -> tensor<5x0xf32>"},
		{"reverse", "%r = stablehlo.reverse %x, dims = [0] : tensor<NNx0xf32>"},
		{"pad", "%r = stablehlo.pad %x, %z, low = [1, 0], high = [0, 0], interior = [0, 0] : (tensor<NNx0xf32>, tensor<f32>) -> tensor<1099511627777x0xf32>"},
		{"iota", "%r = stablehlo.iota dim = 0 : tensor<NNx0xf32>"},
		{"reduce", "%r = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0] : (tensor<NNx0xf32>, tensor<f32>) -> tensor<0xf32>"},
		{"reduce both", "%r = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<NNx0xf32>, tensor<f32>) -> tensor<f32>"},
		{"sort", `%r = "stablehlo.sort"(%x) <{dimension = 1 : i64, is_stable = true}> ({
			^bb0(%a: tensor<f32>, %b: tensor<f32>):
			%c = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
			stablehlo.return %c : tensor<i1>
		}) : (tensor<NNx0xf32>) -> tensor<NNx0xf32>`},
		{"sort along", `%r = "stablehlo.sort"(%x) <{dimension = 0 : i64, is_stable = true}> ({
			^bb0(%a: tensor<f32>, %b: tensor<f32>):
			%c = stablehlo.compare LT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
			stablehlo.return %c : tensor<i1>
		}) : (tensor<NNx0xf32>) -> tensor<NNx0xf32>`},
		{"dot", "%r = stablehlo.dot_general %x, %y, contracting_dims = [0] x [1] : (tensor<NNx0xf32>, tensor<0xNNxf32>) -> tensor<0x0xf32>"},
		{"dot batch", "%r = stablehlo.dot_general %x, %x, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<NNx0xf32>, tensor<NNx0xf32>) -> tensor<NNxf32>"},
		{"triangular solve", `%a = stablehlo.constant dense<> : tensor<0x0xf32>
			%r = "stablehlo.triangular_solve"(%a, %x) <{left_side = false, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<0x0xf32>, tensor<NNx0xf32>) -> tensor<NNx0xf32>`},
		{"cholesky", `%a = stablehlo.constant dense<> : tensor<NNx0x0xf32>
			%r = stablehlo.cholesky %a, lower = true : tensor<NNx0x0xf32>`},
		{"fft", `%a = stablehlo.constant dense<> : tensor<NNx0x4xcomplex<f32>>
			%r = stablehlo.fft %a, type = FFT, length = [4] : (tensor<NNx0x4xcomplex<f32>>) -> tensor<NNx0x4xcomplex<f32>>`},
		{"gather", `%i = stablehlo.constant dense<> : tensor<NNx0xi64>
			%o = stablehlo.constant dense<0.0> : tensor<2xf32>
			%j = stablehlo.constant dense<> : tensor<NNx0x1xi64>
			%r = "stablehlo.gather"(%o, %j) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, slice_sizes = array<i64: 1>}> : (tensor<2xf32>, tensor<NNx0x1xi64>) -> tensor<NNx0xf32>`},
		{"scatter", `%o = stablehlo.constant dense<0.0> : tensor<2xf32>
			%j = stablehlo.constant dense<> : tensor<NNx0x1xi64>
			%r = "stablehlo.scatter"(%o, %j, %x) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 2>}> ({
			^bb0(%a: tensor<f32>, %b: tensor<f32>):
			stablehlo.return %b : tensor<f32>
		}) : (tensor<2xf32>, tensor<NNx0x1xi64>, tensor<NNx0xf32>) -> tensor<2xf32>`},
		{"reduce_window", `%r = "stablehlo.reduce_window"(%x, %z) <{window_dimensions = array<i64: 2, 1>}> ({
			^bb0(%a: tensor<f32>, %b: tensor<f32>):
			%c = stablehlo.add %a, %b : tensor<f32>
			stablehlo.return %c : tensor<f32>
		}) : (tensor<NNx0xf32>, tensor<f32>) -> tensor<1099511627775x0xf32>`},
		{"select_and_scatter", `%r = "stablehlo.select_and_scatter"(%x, %x, %z) <{window_dimensions = array<i64: 1, 1>}> ({
			^bb0(%a: tensor<f32>, %b: tensor<f32>):
			%c = stablehlo.compare GE, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
			stablehlo.return %c : tensor<i1>
		}, {
			^bb0(%a: tensor<f32>, %b: tensor<f32>):
			stablehlo.return %b : tensor<f32>
		}) : (tensor<NNx0xf32>, tensor<NNx0xf32>, tensor<f32>) -> tensor<NNx0xf32>`},
		{"convolution", `%k = stablehlo.constant dense<0.0> : tensor<1x1x1xf32>
			%o = stablehlo.constant dense<> : tensor<0xNNx1xf32>
			%r = stablehlo.convolution(%o, %k) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<0xNNx1xf32>, tensor<1x1x1xf32>) -> tensor<0xNNx1xf32>`},
		{"batch_norm", `%s = stablehlo.constant dense<> : tensor<0xf32>
			%r = "stablehlo.batch_norm_inference"(%x, %s, %s, %s, %s) <{epsilon = 0.001 : f32, feature_index = 1 : i64}> : (tensor<NNx0xf32>, tensor<0xf32>, tensor<0xf32>, tensor<0xf32>, tensor<0xf32>) -> tensor<NNx0xf32>`},
		{"batch_norm_training", `%s = stablehlo.constant dense<> : tensor<0xf32>
			%r:3 = "stablehlo.batch_norm_training"(%x, %s, %s) <{epsilon = 0.001 : f32, feature_index = 1 : i64}> : (tensor<NNx0xf32>, tensor<0xf32>, tensor<0xf32>) -> (tensor<NNx0xf32>, tensor<0xf32>, tensor<0xf32>)`},
		{"map", `%r = "stablehlo.map"(%x) <{dimensions = array<i64: 0, 1>}> ({
			^bb0(%a: tensor<f32>):
			stablehlo.return %a : tensor<f32>
		}) : (tensor<NNx0xf32>) -> tensor<NNx0xf32>`},
		{"rng_bit_generator", `%s = stablehlo.constant dense<1> : tensor<2xui64>
			%r:2 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<NNx0xui32>)`},
		{"dynamic_slice", `%i = stablehlo.constant dense<0> : tensor<i64>
			%r = stablehlo.dynamic_slice %x, %i, %i, sizes = [1099511627775, 0] : (tensor<NNx0xf32>, tensor<i64>, tensor<i64>) -> tensor<1099511627775x0xf32>`},
		{"dynamic_update_slice", `%i = stablehlo.constant dense<0> : tensor<i64>
			%r = stablehlo.dynamic_update_slice %x, %x, %i, %i : (tensor<NNx0xf32>, tensor<NNx0xf32>, tensor<i64>, tensor<i64>) -> tensor<NNx0xf32>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := strings.ReplaceAll(`func.func @main() {
				%x = stablehlo.constant dense<> : tensor<NNx0xf32>
				%y = stablehlo.constant dense<> : tensor<0xNNxf32>
				%z = stablehlo.constant dense<0.0> : tensor<f32>
				`+tt.ops+`
				return
			}`, "NN", "1099511627776")
			m := parse(t, src)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := eval.Run(ctx, m, m.Main(), nil, eval.Options{MemoryLimit: 1 << 30})
			if errors.Is(err, context.DeadlineExceeded) || tt.name != "dot batch" && err != nil {
				t.Error(err)
			}
		})
	}
}
