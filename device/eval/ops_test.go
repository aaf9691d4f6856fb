package eval_test

import (
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
)

// Each body is the inside of @main with the named result type; the wanted values are derived by hand from the
// specification.
func TestOps(t *testing.T) {
	for _, c := range []struct{ name, result, body, want string }{
		// Integer arithmetic wraps around; division by zero is all ones, remainder by zero the dividend.
		{"add wraps", "tensor<2xi8>", `
			%a = stablehlo.constant dense<[127, -128]> : tensor<2xi8>
			%b = stablehlo.constant dense<[1, -1]> : tensor<2xi8>
			%r = stablehlo.add %a, %b : tensor<2xi8>`, "tensor<2xi8> [-128 127]"},
		{"multiply ui4 wraps", "tensor<2xui4>", `
			%a = stablehlo.constant dense<[15, 7]> : tensor<2xui4>
			%r = stablehlo.multiply %a, %a : tensor<2xui4>`, "tensor<2xui4> [1 1]"},
		{"divide i32", "tensor<4xi32>", `
			%a = stablehlo.constant dense<[7, -7, 5, -2147483648]> : tensor<4xi32>
			%b = stablehlo.constant dense<[2, 2, 0, -1]> : tensor<4xi32>
			%r = stablehlo.divide %a, %b : tensor<4xi32>`, "tensor<4xi32> [3 -3 -1 -2147483648]"},
		{"remainder i32", "tensor<4xi32>", `
			%a = stablehlo.constant dense<[7, -7, 5, -2147483648]> : tensor<4xi32>
			%b = stablehlo.constant dense<[2, 2, 0, -1]> : tensor<4xi32>
			%r = stablehlo.remainder %a, %b : tensor<4xi32>`, "tensor<4xi32> [1 -1 5 0]"},
		{"divide ui64", "tensor<2xui64>", `
			%a = stablehlo.constant dense<[18446744073709551615, 3]> : tensor<2xui64>
			%b = stablehlo.constant dense<[2, 0]> : tensor<2xui64>
			%r = stablehlo.divide %a, %b : tensor<2xui64>`, "tensor<2xui64> [9223372036854775807 18446744073709551615]"},
		{"power i32", "tensor<5xi32>", `
			%a = stablehlo.constant dense<[2, -1, -1, 0, 3]> : tensor<5xi32>
			%b = stablehlo.constant dense<[10, -3, -2, -1, -1]> : tensor<5xi32>
			%r = stablehlo.power %a, %b : tensor<5xi32>`, "tensor<5xi32> [1024 -1 1 0 0]"},
		{"shift beyond the width", "tensor<3xi8>", `
			%a = stablehlo.constant dense<[-8, -8, 1]> : tensor<3xi8>
			%b = stablehlo.constant dense<[1, 9, -1]> : tensor<3xi8>
			%r = stablehlo.shift_right_arithmetic %a, %b : tensor<3xi8>`, "tensor<3xi8> [-4 -1 0]"},
		{"shift_right_logical i8", "tensor<2xi8>", `
			%a = stablehlo.constant dense<[-8, -8]> : tensor<2xi8>
			%b = stablehlo.constant dense<[1, 8]> : tensor<2xi8>
			%r = stablehlo.shift_right_logical %a, %b : tensor<2xi8>`, "tensor<2xi8> [124 0]"},
		{"count_leading_zeros i16", "tensor<3xi16>", `
			%a = stablehlo.constant dense<[0, 1, -1]> : tensor<3xi16>
			%r = stablehlo.count_leading_zeros %a : tensor<3xi16>`, "tensor<3xi16> [16 15 0]"},
		{"popcnt i4", "tensor<2xi4>", `
			%a = stablehlo.constant dense<[-1, 5]> : tensor<2xi4>
			%r = stablehlo.popcnt %a : tensor<2xi4>`, "tensor<2xi4> [4 2]"},
		{"add i1 is or", "tensor<4xi1>", `
			%a = stablehlo.constant dense<[false, false, true, true]> : tensor<4xi1>
			%b = stablehlo.constant dense<[false, true, false, true]> : tensor<4xi1>
			%r = stablehlo.add %a, %b : tensor<4xi1>`, "tensor<4xi1> [0 1 1 1]"},
		{"sign ui8", "tensor<3xui8>", `
			%a = stablehlo.constant dense<[0, 1, 255]> : tensor<3xui8>
			%b = stablehlo.constant dense<1> : tensor<3xui8>
			%r = stablehlo.minimum %a, %b : tensor<3xui8>`, "tensor<3xui8> [0 1 1]"},

		// Floats.
		{"maximum prefers NaN and +0", "tensor<3xf32>", `
			%a = stablehlo.constant dense<[0x7FC00000, -0.0, 1.0]> : tensor<3xf32>
			%b = stablehlo.constant dense<[1.0, 0.0, 2.0]> : tensor<3xf32>
			%r = stablehlo.maximum %a, %b : tensor<3xf32>`, "tensor<3xf32> [NaN 0 2]"},
		{"round half", "tensor<4xf32>", `
			%a = stablehlo.constant dense<[0.5, 1.5, -2.5, 2.6]> : tensor<4xf32>
			%r = stablehlo.round_nearest_even %a : tensor<4xf32>`, "tensor<4xf32> [0 2 -2 3]"},
		{"round half away", "tensor<4xf32>", `
			%a = stablehlo.constant dense<[0.5, 1.5, -2.5, 2.4]> : tensor<4xf32>
			%r = stablehlo.round_nearest_afz %a : tensor<4xf32>`, "tensor<4xf32> [1 2 -3 2]"},
		{"remainder has the dividend's sign", "tensor<3xf32>", `
			%a = stablehlo.constant dense<[-7.5, 7.5, 3.0]> : tensor<3xf32>
			%b = stablehlo.constant dense<[2.0, -2.0, 0x7F800000]> : tensor<3xf32>
			%r = stablehlo.remainder %a, %b : tensor<3xf32>`, "tensor<3xf32> [-1.5 1.5 3]"},
		{"f8 rounds once", "tensor<3xf8E4M3FN>", `
			%a = stablehlo.constant dense<[448.0, 1.0, 17.0]> : tensor<3xf32>
			%b = stablehlo.constant dense<[32.0, 0.0625, 1.0]> : tensor<3xf32>
			%s = stablehlo.add %a, %b : tensor<3xf32>
			%r = stablehlo.convert %s : (tensor<3xf32>) -> tensor<3xf8E4M3FN>`, "tensor<3xf8E4M3FN> [NaN 1 18]"},
		{"reduce_precision", "tensor<2xf32>", `
			%a = stablehlo.constant dense<[1.0009765625, 1.0e30]> : tensor<2xf32>
			%r = stablehlo.reduce_precision %a, format = e5m9 : tensor<2xf32>`, "tensor<2xf32> [1 +Inf]"},
		{"is_finite", "tensor<3xi1>", `
			%a = stablehlo.constant dense<[0x7F800000, 0x7FC00000, 1.0]> : tensor<3xf32>
			%r = stablehlo.is_finite %a : (tensor<3xf32>) -> tensor<3xi1>`, "tensor<3xi1> [0 0 1]"},
		{"atan2 quadrants", "tensor<2xf64>", `
			%a = stablehlo.constant dense<[0.0, -0.0]> : tensor<2xf64>
			%b = stablehlo.constant dense<-1.0> : tensor<2xf64>
			%r = stablehlo.atan2 %a, %b : tensor<2xf64>`, "tensor<2xf64> [3.141592653589793 -3.141592653589793]"},

		// Conversions.
		{"float to int truncates and saturates", "tensor<5xi8>", `
			%a = stablehlo.constant dense<[1.9, -1.9, 300.0, -300.0, 0x7FC00000]> : tensor<5xf32>
			%r = stablehlo.convert %a : (tensor<5xf32>) -> tensor<5xi8>`, "tensor<5xi8> [1 -1 127 -128 0]"},
		{"i64 to f32 rounds once", "tensor<1xf32>", `
			%a = stablehlo.constant dense<[9007199791611905]> : tensor<1xi64>
			%r = stablehlo.convert %a : (tensor<1xi64>) -> tensor<1xf32>`, "tensor<1xf32> [9.007200328482816e+15]"},
		{"bitcast i4 pairs to i8", "tensor<2xi8>", `
			%a = stablehlo.constant dense<[[1, 2], [-1, 3]]> : tensor<2x2xi4>
			%r = stablehlo.bitcast_convert %a : (tensor<2x2xi4>) -> tensor<2xi8>`, "tensor<2xi8> [33 63]"},
		{"bitcast f32 to i16", "tensor<2xi16>", `
			%a = stablehlo.constant dense<1.0> : tensor<f32>
			%r = stablehlo.bitcast_convert %a : (tensor<f32>) -> tensor<2xi16>`, "tensor<2xi16> [0 16256]"},
		{
			"total order", "tensor<4xi1>", `
			%a = stablehlo.constant dense<[-0.0, 0.0, 0xFFC00000, 1.0]> : tensor<4xf32>
			%b = stablehlo.constant dense<[0.0, -0.0, 0xFF800000, 0x7FC00000]> : tensor<4xf32>
			%r = stablehlo.compare LT, %a, %b, TOTALORDER : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>`,
			"tensor<4xi1> [1 0 1 1]",
		},
		{
			"compare with NaN", "tensor<2xi1>", `
			%a = stablehlo.constant dense<[0x7FC00000, 0x7FC00000]> : tensor<2xf32>
			%r = stablehlo.compare NE, %a, %a, FLOAT : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>`,
			"tensor<2xi1> [1 1]",
		},

		// Complex numbers.
		{"complex divide by zero", "tensor<1xcomplex<f64>>", `
			%a = stablehlo.constant dense<[(1.0, 0.0)]> : tensor<1xcomplex<f64>>
			%b = stablehlo.constant dense<[(0.0, 0.0)]> : tensor<1xcomplex<f64>>
			%r = stablehlo.divide %a, %b : tensor<1xcomplex<f64>>`, "tensor<1xcomplex<f64>> [(+Inf+NaNi)]"},
		{"complex sqrt on the cut", "tensor<2xcomplex<f64>>", `
			%a = stablehlo.constant dense<[(-4.0, 0.0), (-4.0, -0.0)]> : tensor<2xcomplex<f64>>
			%r = stablehlo.sqrt %a : tensor<2xcomplex<f64>>`, "tensor<2xcomplex<f64>> [(0+2i) (0-2i)]"},
		{"complex abs does not overflow", "tensor<1xf64>", `
			%a = stablehlo.constant dense<[(3.0e300, 4.0e300)]> : tensor<1xcomplex<f64>>
			%r = stablehlo.abs %a : (tensor<1xcomplex<f64>>) -> tensor<1xf64>`, "tensor<1xf64> [5e+300]"},

		// Data movement.
		{
			"pad negative and interior", "tensor<4xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
			%z = stablehlo.constant dense<0> : tensor<i32>
			%r = stablehlo.pad %a, %z, low = [-1], high = [0], interior = [1] : (tensor<3xi32>, tensor<i32>) -> tensor<4xi32>`,
			"tensor<4xi32> [0 2 0 3]",
		},
		{
			"dynamic_slice clamps", "tensor<2xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
			%i = stablehlo.constant dense<7> : tensor<i64>
			%r = stablehlo.dynamic_slice %a, %i, sizes = [2] : (tensor<3xi32>, tensor<i64>) -> tensor<2xi32>`,
			"tensor<2xi32> [2 3]",
		},
		{
			"dynamic_slice with a ui64 beyond i64", "tensor<2xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
			%i = stablehlo.constant dense<18446744073709551615> : tensor<ui64>
			%r = stablehlo.dynamic_slice %a, %i, sizes = [2] : (tensor<3xi32>, tensor<ui64>) -> tensor<2xi32>`,
			"tensor<2xi32> [2 3]",
		},
		{
			"dynamic_update_slice", "tensor<3xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
			%u = stablehlo.constant dense<[9, 8]> : tensor<2xi32>
			%i = stablehlo.constant dense<-5> : tensor<i64>
			%r = stablehlo.dynamic_update_slice %a, %u, %i : (tensor<3xi32>, tensor<2xi32>, tensor<i64>) -> tensor<3xi32>`,
			"tensor<3xi32> [9 8 3]",
		},
		{
			"transpose", "tensor<3x2xi32>", `
			%a = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
			%r = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x3xi32>) -> tensor<3x2xi32>`,
			"tensor<3x2xi32> [1 4 2 5 3 6]",
		},
		{"reverse", "tensor<2x2xi32>", `
			%a = stablehlo.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
			%r = stablehlo.reverse %a, dims = [1] : tensor<2x2xi32>`, "tensor<2x2xi32> [2 1 4 3]"},
		{
			"concatenate", "tensor<2x3xi32>", `
			%a = stablehlo.constant dense<[[1], [2]]> : tensor<2x1xi32>
			%b = stablehlo.constant dense<[[3, 4], [5, 6]]> : tensor<2x2xi32>
			%r = stablehlo.concatenate %a, %b, dim = 1 : (tensor<2x1xi32>, tensor<2x2xi32>) -> tensor<2x3xi32>`,
			"tensor<2x3xi32> [1 3 4 2 5 6]",
		},
		{"gather clamps", "tensor<2x2xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
			%i = stablehlo.constant dense<[[1], [9]]> : tensor<2x1xi64>
			%r = "stablehlo.gather"(%a, %i) {dimension_numbers = #stablehlo.gather<offset_dims = [1], start_index_map = [0],
				index_vector_dim = 1>, slice_sizes = array<i64: 2>, indices_are_sorted = false}
				: (tensor<4xi32>, tensor<2x1xi64>) -> tensor<2x2xi32>`, "tensor<2x2xi32> [2 3 3 4]"},
		{"scatter drops what is outside and folds duplicates", "tensor<3xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
			%i = stablehlo.constant dense<[[0], [5], [0], [-1]]> : tensor<4x1xi64>
			%u = stablehlo.constant dense<[10, 20, 30, 40]> : tensor<4xi32>
			%r = "stablehlo.scatter"(%a, %i, %u) ({
			^bb0(%x: tensor<i32>, %y: tensor<i32>):
				%s = stablehlo.add %x, %y : tensor<i32>
				stablehlo.return %s : tensor<i32>
			}) {scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0],
				scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}
				: (tensor<3xi32>, tensor<4x1xi64>, tensor<4xi32>) -> tensor<3xi32>`, "tensor<3xi32> [41 2 3]"},

		// Regions.
		{"reduce to argmax", "tensor<2xi32>", `
			%a = stablehlo.constant dense<[[1.0, 5.0, 5.0], [7.0, 0.0, 2.0]]> : tensor<2x3xf32>
			%i = stablehlo.iota dim = 1 : tensor<2x3xi32>
			%m = stablehlo.constant dense<0xFF800000> : tensor<f32>
			%z = stablehlo.constant dense<0> : tensor<i32>
			%v, %r = "stablehlo.reduce"(%a, %i, %m, %z) ({
			^bb0(%p: tensor<f32>, %q: tensor<i32>, %s: tensor<f32>, %t: tensor<i32>):
				%g = stablehlo.compare GT, %s, %p : (tensor<f32>, tensor<f32>) -> tensor<i1>
				%x = stablehlo.select %g, %s, %p : tensor<i1>, tensor<f32>
				%y = stablehlo.select %g, %t, %q : tensor<i1>, tensor<i32>
				stablehlo.return %x, %y : tensor<f32>, tensor<i32>
			}) {dimensions = array<i64: 1>} : (tensor<2x3xf32>, tensor<2x3xi32>, tensor<f32>, tensor<i32>)
				-> (tensor<2xf32>, tensor<2xi32>)`, "tensor<2xi32> [1 0]"},
		{"region that is no arithmetic", "tensor<2xi32>", `
			%a = stablehlo.constant dense<[1, -2]> : tensor<2xi32>
			%r = "stablehlo.map"(%a) ({
			^bb0(%x: tensor<i32>):
				%z = stablehlo.constant dense<0> : tensor<i32>
				%p = stablehlo.compare LT, %x, %z : (tensor<i32>, tensor<i32>) -> tensor<i1>
				%y = "stablehlo.if"(%p) ({
					%n = stablehlo.negate %x : tensor<i32>
					stablehlo.return %n : tensor<i32>
				}, {
					stablehlo.return %x : tensor<i32>
				}) : (tensor<i1>) -> tensor<i32>
				stablehlo.return %y : tensor<i32>
			}) {dimensions = array<i64: 0>} : (tensor<2xi32>) -> tensor<2xi32>`, "tensor<2xi32> [1 2]"},
		{
			"reduce_window with padding and dilation", "tensor<3xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
			%z = stablehlo.constant dense<0> : tensor<i32>
			%r = "stablehlo.reduce_window"(%a, %z) ({
			^bb0(%x: tensor<i32>, %y: tensor<i32>):
				%s = stablehlo.add %x, %y : tensor<i32>
				stablehlo.return %s : tensor<i32>
			}) {window_dimensions = array<i64: 2>, window_dilations = array<i64: 2>,
				padding = dense<[[1, 0]]> : tensor<1x2xi64>} : (tensor<4xi32>, tensor<i32>) -> tensor<3xi32>`,
			"tensor<3xi32> [2 4 6]",
		},
		{"select_and_scatter", "tensor<4xi32>", `
			%a = stablehlo.constant dense<[1, 5, 5, 2]> : tensor<4xi32>
			%s = stablehlo.constant dense<[10, 20]> : tensor<2xi32>
			%z = stablehlo.constant dense<0> : tensor<i32>
			%r = "stablehlo.select_and_scatter"(%a, %s, %z) ({
			^bb0(%x: tensor<i32>, %y: tensor<i32>):
				%g = stablehlo.compare GE, %x, %y : (tensor<i32>, tensor<i32>) -> tensor<i1>
				stablehlo.return %g : tensor<i1>
			}, {
			^bb0(%x: tensor<i32>, %y: tensor<i32>):
				%g = stablehlo.add %x, %y : tensor<i32>
				stablehlo.return %g : tensor<i32>
			}) {window_dimensions = array<i64: 2>, window_strides = array<i64: 2>}
				: (tensor<4xi32>, tensor<2xi32>, tensor<i32>) -> tensor<4xi32>`, "tensor<4xi32> [0 10 20 0]"},
		{
			"sort is stable and carries along", "tensor<4xi32>", `
			%a = stablehlo.constant dense<[2, 1, 2, 1]> : tensor<4xi32>
			%i = stablehlo.iota dim = 0 : tensor<4xi32>
			%k, %r = "stablehlo.sort"(%a, %i) ({
			^bb0(%x: tensor<i32>, %y: tensor<i32>, %p: tensor<i32>, %q: tensor<i32>):
				%g = stablehlo.compare LT, %x, %y : (tensor<i32>, tensor<i32>) -> tensor<i1>
				stablehlo.return %g : tensor<i1>
			}) {dimension = 0 : i64, is_stable = true} : (tensor<4xi32>, tensor<4xi32>) -> (tensor<4xi32>, tensor<4xi32>)`,
			"tensor<4xi32> [1 3 0 2]",
		},

		// Linear algebra.
		{"dot_general with batches", "tensor<2xi32>", `
			%a = stablehlo.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
			%b = stablehlo.constant dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
			%r = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [1] x [1]
				: (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<2xi32>`, "tensor<2xi32> [17 53]"},
		{
			"dot_general i8 to i32", "tensor<i32>", `
			%a = stablehlo.constant dense<[100, 100]> : tensor<2xi8>
			%r = stablehlo.dot_general %a, %a, contracting_dims = [0] x [0] : (tensor<2xi8>, tensor<2xi8>) -> tensor<i32>`,
			"tensor<i32> [20000]",
		},
		{"convolution with dilation, stride, padding, reversal", "tensor<1x1x3xi32>", `
			%a = stablehlo.constant dense<[[[1, 2, 3]]]> : tensor<1x1x3xi32>
			%k = stablehlo.constant dense<[[[1, 10]]]> : tensor<1x1x2xi32>
			%r = stablehlo.convolution(%a, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0],
				window = {stride = [2], pad = [[1, 1]], lhs_dilate = [2], rhs_dilate = [1], reverse = [true]}
				{batch_group_count = 1 : i64, feature_group_count = 1 : i64}
				: (tensor<1x1x3xi32>, tensor<1x1x2xi32>) -> tensor<1x1x3xi32>`, "tensor<1x1x3xi32> [1 2 3]"},
		{"cholesky", "tensor<2x2xf64>", `
			%a = stablehlo.constant dense<[[4.0, 9.0], [2.0, 5.0]]> : tensor<2x2xf64>
			%r = stablehlo.cholesky %a, lower = true : tensor<2x2xf64>`, "tensor<2x2xf64> [2 0 1 2]"},
		{
			"triangular_solve adjoint", "tensor<2x1xf64>", `
			%a = stablehlo.constant dense<[[2.0, 9.0], [4.0, 8.0]]> : tensor<2x2xf64>
			%b = stablehlo.constant dense<[[10.0], [16.0]]> : tensor<2x1xf64>
			%r = "stablehlo.triangular_solve"(%a, %b) {left_side = true, lower = true, unit_diagonal = false,
				transpose_a = #stablehlo<transpose ADJOINT>} : (tensor<2x2xf64>, tensor<2x1xf64>) -> tensor<2x1xf64>`,
			"tensor<2x1xf64> [1 2]",
		},
		{
			"fft of four", "tensor<4xcomplex<f64>>", `
			%a = stablehlo.constant dense<[(1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0)]> : tensor<4xcomplex<f64>>
			%r = stablehlo.fft %a, type = FFT, length = [4] : (tensor<4xcomplex<f64>>) -> tensor<4xcomplex<f64>>`,
			"tensor<4xcomplex<f64>> [(10+0i) (-2+2i) (-2+0i) (-2-2i)]",
		},
		{
			"irfft", "tensor<4xf64>", `
			%a = stablehlo.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf64>
			%f = stablehlo.fft %a, type = RFFT, length = [4] : (tensor<4xf64>) -> tensor<3xcomplex<f64>>
			%r = stablehlo.fft %f, type = IRFFT, length = [4] : (tensor<3xcomplex<f64>>) -> tensor<4xf64>`,
			"tensor<4xf64> [1 2 3 4]",
		},
		{
			"batch_norm_inference", "tensor<2x1xf64>", `
			%x = stablehlo.constant dense<[[1.0], [5.0]]> : tensor<2x1xf64>
			%s = stablehlo.constant dense<2.0> : tensor<1xf64>
			%o = stablehlo.constant dense<1.0> : tensor<1xf64>
			%m = stablehlo.constant dense<3.0> : tensor<1xf64>
			%v = stablehlo.constant dense<4.0> : tensor<1xf64>
			%r = "stablehlo.batch_norm_inference"(%x, %s, %o, %m, %v) {epsilon = 0.0 : f32, feature_index = 1 : i64}
				: (tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>, tensor<1xf64>, tensor<1xf64>) -> tensor<2x1xf64>`,
			"tensor<2x1xf64> [-1 3]",
		},

		{
			"batch_norm_training", "tensor<1xf64>", `
			%x = stablehlo.constant dense<[[1.0], [5.0]]> : tensor<2x1xf64>
			%s = stablehlo.constant dense<2.0> : tensor<1xf64>
			%o = stablehlo.constant dense<1.0> : tensor<1xf64>
			%y, %m, %r = "stablehlo.batch_norm_training"(%x, %s, %o) {epsilon = 0.0 : f32, feature_index = 1 : i64}
				: (tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>) -> (tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>)`,
			"tensor<1xf64> [4]",
		},
		// With two values the normalised ones are fixed at 1 and -1, so the gradient of the operand vanishes.
		{
			"batch_norm_grad", "tuple<tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>>", `
			%x = stablehlo.constant dense<[[1.0], [5.0]]> : tensor<2x1xf64>
			%s = stablehlo.constant dense<2.0> : tensor<1xf64>
			%m = stablehlo.constant dense<3.0> : tensor<1xf64>
			%v = stablehlo.constant dense<4.0> : tensor<1xf64>
			%g = stablehlo.constant dense<[[3.0], [7.0]]> : tensor<2x1xf64>
			%a, %b, %c = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) {epsilon = 0.0 : f32, feature_index = 1 : i64}
				: (tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>, tensor<1xf64>, tensor<2x1xf64>)
				-> (tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>)
			%r = stablehlo.tuple %a, %b, %c : tuple<tensor<2x1xf64>, tensor<1xf64>, tensor<1xf64>>`,
			"(tensor<2x1xf64> [0 0]; tensor<1xf64> [4]; tensor<1xf64> [10])",
		},

		// Control flow and dynamic shapes.
		{"set_dimension_size", "tensor<?xi32, #stablehlo.bounds<4>>", `
			%a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
			%n = stablehlo.constant dense<3> : tensor<i32>
			%r = "stablehlo.set_dimension_size"(%a, %n) {dimension = 0 : i64}
				: (tensor<4xi32>, tensor<i32>) -> tensor<?xi32, #stablehlo.bounds<4>>`, "tensor<3xi32> [1 2 3]"},
		{"real_dynamic_slice", "tensor<?xi32>", `
			%a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
			%s = stablehlo.constant dense<1> : tensor<1xi64>
			%l = stablehlo.constant dense<4> : tensor<1xi64>
			%t = stablehlo.constant dense<2> : tensor<1xi64>
			%r = "stablehlo.real_dynamic_slice"(%a, %s, %l, %t)
				: (tensor<4xi32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?xi32>`, "tensor<2xi32> [2 4]"},
		{"while", "tensor<i64>", `
			%z = stablehlo.constant dense<0> : tensor<i64>
			%o = stablehlo.constant dense<1> : tensor<i64>
			%n = stablehlo.constant dense<10> : tensor<i64>
			%i, %r = stablehlo.while(%a = %z, %b = %z) : tensor<i64>, tensor<i64>
			cond {
				%c = stablehlo.compare LT, %a, %n : (tensor<i64>, tensor<i64>) -> tensor<i1>
				stablehlo.return %c : tensor<i1>
			} do {
				%x = stablehlo.add %a, %o : tensor<i64>
				%y = stablehlo.add %b, %x : tensor<i64>
				stablehlo.return %x, %y : tensor<i64>, tensor<i64>
			}`, "tensor<i64> [55]"},
		{"case takes the last branch by default", "tensor<i64>", `
			%i = stablehlo.constant dense<-1> : tensor<i32>
			%r = "stablehlo.case"(%i) ({
				%x = stablehlo.constant dense<1> : tensor<i64>
				stablehlo.return %x : tensor<i64>
			}, {
				%x = stablehlo.constant dense<2> : tensor<i64>
				stablehlo.return %x : tensor<i64>
			}) : (tensor<i32>) -> tensor<i64>`, "tensor<i64> [2]"},
		{"dynamic shapes at run time", "tensor<?xi32>", `
			%n = stablehlo.constant dense<[3]> : tensor<1xi64>
			%i = stablehlo.dynamic_iota %n, dim = 0 : (tensor<1xi64>) -> tensor<?xi32>
			%r = stablehlo.add %i, %i : tensor<?xi32>`, "tensor<3xi32> [0 2 4]"},
		{"tuples", "tuple<tensor<i1>, tensor<i8>>", `
			%a = stablehlo.constant dense<true> : tensor<i1>
			%b = stablehlo.constant dense<7> : tensor<i8>
			%r = stablehlo.tuple %a, %b : tuple<tensor<i1>, tensor<i8>>`, "(tensor<i1> [1]; tensor<i8> [7])"},

		// Quantization: (q - 2) * 0.5.
		{
			"quantized add", "tensor<2xf32>", `
			%a = stablehlo.constant dense<[1.0, 60.0]> : tensor<2xf32>
			%q = stablehlo.uniform_quantize %a : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32, 5.000000e-01:2>>
			%s = stablehlo.add %q, %q : tensor<2x!quant.uniform<i8:f32, 5.000000e-01:2>>
			%r = stablehlo.uniform_dequantize %s : (tensor<2x!quant.uniform<i8:f32, 5.000000e-01:2>>) -> tensor<2xf32>`,
			"tensor<2xf32> [2 62.5]",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := "func.func @main() -> (" + c.result + ") {\n" + c.body + "\nfunc.return %r : " + c.result + "\n}"
			got, err := program(t, strings.ReplaceAll(src, "\t", " "), eval.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s := show(got); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}
