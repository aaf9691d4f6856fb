package pjrttest

import (
	"fmt"
	"strings"
)

// The programs that the checks compile. All are StableHLO text, which every plugin that takes "mlir" reads.
const (
	addProgram = `module @add {
  func.func public @main(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.add %a, %b : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`
	threeProgram = `module @three {
  func.func public @main(%a: tensor<2x3xf32>) -> (tensor<f32>, tensor<2x3xi32>, tensor<0x3xf32>) {
    %c = stablehlo.constant dense<7.0> : tensor<f32>
    %i = stablehlo.convert %a : (tensor<2x3xf32>) -> tensor<2x3xi32>
    %z = stablehlo.slice %a [0:0, 0:3] : (tensor<2x3xf32>) -> tensor<0x3xf32>
    return %c, %i, %z : tensor<f32>, tensor<2x3xi32>, tensor<0x3xf32>
  }
}`
	noneProgram = `module @none {
  func.func public @main() -> () {
    return
  }
}`
	constantProgram = `module @constant {
  func.func public @main() -> tensor<3xi32> {
    %0 = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
    return %0 : tensor<3xi32>
  }
}`
	donateProgram = `module @donate {
  func.func public @main(%a: tensor<4xf32> {tf.aliasing_output = 0 : i32}, %b: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.add %a, %b : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`
	loopProgram = `module @loop {
  func.func public @main(%n: tensor<i32>, %x: tensor<f32>) -> tensor<f32> {
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %r:2 = stablehlo.while(%i = %zero, %v = %x) : tensor<i32>, tensor<f32>
    cond {
      %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %j = stablehlo.add %i, %one : tensor<i32>
      %s = stablehlo.sine %v : tensor<f32>
      %w = stablehlo.add %s, %x : tensor<f32>
      stablehlo.return %j, %w : tensor<i32>, tensor<f32>
    }
    return %r#1 : tensor<f32>
  }
}`
	caseProgram = `module @case {
  func.func public @main(%p: tensor<i1>, %x: tensor<2xf32>) -> tensor<2xf32> {
    %r = "stablehlo.if"(%p) ({
      %y = stablehlo.add %x, %x : tensor<2xf32>
      stablehlo.return %y : tensor<2xf32>
    }, {
      %y = stablehlo.negate %x : tensor<2xf32>
      stablehlo.return %y : tensor<2xf32>
    }) : (tensor<i1>) -> tensor<2xf32>
    return %r : tensor<2xf32>
  }
}`
	matmulProgram = `module @matmul {
  func.func public @main(%a: tensor<64x32xf32>, %b: tensor<32x16xf32>) -> tensor<64x16xf32> {
    %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<64x32xf32>, tensor<32x16xf32>) -> tensor<64x16xf32>
    return %0 : tensor<64x16xf32>
  }
}`
	transposeProgram = `module @transpose {
  func.func public @main(%a: tensor<2x3xf32>) -> tensor<3x2xf32> {
    %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
    return %0 : tensor<3x2xf32>
  }
}`
	sendProgram = `module @send {
  func.func public @main(%a: tensor<4xf32>) {
    %t = stablehlo.create_token : !stablehlo.token
    %0 = "stablehlo.send"(%a, %t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true} : (tensor<4xf32>, !stablehlo.token) -> !stablehlo.token
    return
  }
}`
	replicaProgram = `module @replica attributes {mhlo.num_replicas = 2 : i32} {
  func.func public @main(%a: tensor<4xf32>) -> tensor<4xf32> {
    %0 = "stablehlo.all_reduce"(%a) ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %s = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`
)

// identityProgram returns its argument, of the type that StableHLO calls name. The optimisation barrier keeps it from
// being nothing at all.
func identityProgram(name string) string {
	return fmt.Sprintf(`module @identity {
  func.func public @main(%%a: tensor<4x%[1]s>) -> tensor<4x%[1]s> {
    %%0 = stablehlo.reshape %%a : (tensor<4x%[1]s>) -> tensor<2x2x%[1]s>
    %%1 = stablehlo.transpose %%0, dims = [1, 0] : (tensor<2x2x%[1]s>) -> tensor<2x2x%[1]s>
    %%2 = stablehlo.reshape %%1 : (tensor<2x2x%[1]s>) -> tensor<4x%[1]s>
    return %%2 : tensor<4x%[1]s>
  }
}`, name)
}

// manyProgram has n arguments and n results, the arguments in reverse.
func manyProgram(n int) string {
	var in, out, types []string
	for i := range n {
		in = append(in, fmt.Sprintf("%%a%d: tensor<f32>", i))
		out = append(out, fmt.Sprintf("%%a%d", n-1-i))
		types = append(types, "tensor<f32>")
	}
	t := strings.Join(types, ", ")
	return fmt.Sprintf("module @many {\n  func.func public @main(%s) -> (%s) {\n    return %s : %s\n  }\n}", strings.Join(in, ", "), t, strings.Join(out, ", "), t)
}
