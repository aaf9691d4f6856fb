package eval_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
)

// Targets that producers use beside the specification's operations.
func TestCustomCalls(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"Sharding", `
func.func @main() -> tensor<2xi8> {
  %a = stablehlo.constant dense<[1, 2]> : tensor<2xi8>
  %r = stablehlo.custom_call @Sharding(%a) : (tensor<2xi8>) -> tensor<2xi8>
  func.return %r : tensor<2xi8>
}`, "tensor<2xi8> [1 2]"},
		{"mhlo.topk", `
func.func @main() -> (tensor<1x2xf32>, tensor<1x2xi32>) {
  %a = stablehlo.constant dense<[[1.0, 7.0, 7.0, 3.0]]> : tensor<1x4xf32>
  %r:2 = stablehlo.custom_call @mhlo.topk(%a) {mhlo.attributes = {k = 2 : i64, largest = true}}
    : (tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
  func.return %r#0, %r#1 : tensor<1x2xf32>, tensor<1x2xi32>
}`, "tensor<1x2xf32> [7 7]; tensor<1x2xi32> [1 2]"},
		{"smallest", `
func.func @main() -> (tensor<2xf32>, tensor<2xi32>) {
  %a = stablehlo.constant dense<[1.0, 7.0, -0.0, 0.0]> : tensor<4xf32>
  %r:2 = stablehlo.custom_call @mhlo.topk(%a) {mhlo.attributes = {k = 2 : i64, largest = false}}
    : (tensor<4xf32>) -> (tensor<2xf32>, tensor<2xi32>)
  func.return %r#0, %r#1 : tensor<2xf32>, tensor<2xi32>
}`, "tensor<2xf32> [-0 0]; tensor<2xi32> [2 3]"},
		{"stablehlo.dynamic_top_k", `
func.func @main() -> (tensor<?xi32>, tensor<?xi32>) {
  %a = stablehlo.constant dense<[1, 9, 5]> : tensor<3xi32>
  %k = stablehlo.constant dense<2> : tensor<i32>
  %r:2 = stablehlo.custom_call @stablehlo.dynamic_top_k(%a, %k) : (tensor<3xi32>, tensor<i32>) -> (tensor<?xi32>, tensor<?xi32>)
  func.return %r#0, %r#1 : tensor<?xi32>, tensor<?xi32>
}`, "tensor<2xi32> [9 5]; tensor<2xi32> [1 2]"},
		{"stablehlo.dynamic_reduce_window", `
func.func private @add(%x: tensor<i32>, %y: tensor<i32>) -> tensor<i32> {
  %s = stablehlo.add %x, %y : tensor<i32>
  func.return %s : tensor<i32>
}
func.func @main() -> tensor<?xi32> {
  %a = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<1xi64>
  %one = stablehlo.constant dense<1> : tensor<1xi64>
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = stablehlo.custom_call @stablehlo.dynamic_reduce_window(%a, %z, %two, %two, %one, %one, %p) {called_computations = [@add]}
    : (tensor<4xi32>, tensor<i32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1x2xi64>) -> tensor<?xi32>
  func.return %r : tensor<?xi32>
}`, "tensor<2xi32> [3 7]"},
		// The state moves on by one block for each element of 64 bits.
		{"stablehlo.dynamic_rng_bit_generator", `
func.func @main() -> tensor<2xui64> {
  %s = stablehlo.constant dense<[1, 5]> : tensor<2xui64>
  %n = stablehlo.constant dense<[3]> : tensor<1xi64>
  %r:2 = stablehlo.custom_call @stablehlo.dynamic_rng_bit_generator(%s, %n) {rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}
    : (tensor<2xui64>, tensor<1xi64>) -> (tensor<2xui64>, tensor<?xui64>)
  func.return %r#0 : tensor<2xui64>
}`, "tensor<2xui64> [1 8]"},
		{"Qr", `
func.func @main() -> tensor<1xf64> {
  %a = stablehlo.constant dense<[[3.0], [4.0]]> : tensor<2x1xf64>
  %r:2 = stablehlo.custom_call @Qr(%a) : (tensor<2x1xf64>) -> (tensor<2x1xf64>, tensor<1xf64>)
  func.return %r#1 : tensor<1xf64>
}`, "tensor<1xf64> [1.6]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := program(t, c.src, eval.Options{})
			if err != nil || show(got) != c.want {
				t.Errorf("got %s, %v\nwant %s", show(got), err, c.want)
			}
		})
	}
}

// Nothing verifies the operands and results of a custom call but the call itself.
func TestTopKRefuses(t *testing.T) {
	for _, types := range []string{
		"(tensor<4xf32>) -> (tensor<f32>, tensor<i32>)",
		"(tensor<4xf32>) -> (tensor<5xf32>, tensor<5xi32>)",
		"(tensor<4xf32>) -> (tensor<2xf32>, tensor<2xf32>)",
		"(tensor<f32>) -> (tensor<1xf32>, tensor<1xi32>)",
	} {
		in, _, _ := strings.Cut(strings.TrimPrefix(types, "("), ")")
		_, err := program(t, `
func.func @main() {
  %a = stablehlo.constant dense<1.0> : `+in+`
  %r:2 = stablehlo.custom_call @mhlo.topk(%a) : `+types+`
  func.return
}`, eval.Options{})
		if err == nil || errors.Is(err, eval.ErrInternal) {
			t.Errorf("%s: %v, want an error about the types", types, err)
		}
	}
}

func TestShapeAssertion(t *testing.T) {
	_, err := program(t, `
func.func @main() {
  %p = stablehlo.constant dense<false> : tensor<i1>
  stablehlo.custom_call @shape_assertion(%p) {error_message = "the batch must be even", has_side_effect = true} : (tensor<i1>) -> ()
  func.return
}`, eval.Options{})
	if err == nil || !strings.Contains(err.Error(), "the batch must be even") {
		t.Errorf("got %v, want the program's own message", err)
	}
}
