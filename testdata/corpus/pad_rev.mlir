module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x4xf32>) -> (tensor<11x4xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.reverse %arg0, dims = [0] : tensor<8x4xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %1 = call @_pad(%0, %c) : (tensor<8x4xf32>, tensor<i32>) -> tensor<11x4xf32>
    return %1 : tensor<11x4xf32>
  }
  func.func private @_pad(%arg0: tensor<8x4xf32>, %arg1: tensor<i32>) -> tensor<11x4xf32> {
    %0 = stablehlo.slice %arg0 [0:1, 0:4] : (tensor<8x4xf32>) -> tensor<1x4xf32>
    %1 = stablehlo.slice %arg0 [1:2, 0:4] : (tensor<8x4xf32>) -> tensor<1x4xf32>
    %2 = call @_flip(%1) : (tensor<1x4xf32>) -> tensor<1x4xf32>
    %3 = stablehlo.concatenate %2, %arg0, dim = 0 : (tensor<1x4xf32>, tensor<8x4xf32>) -> tensor<9x4xf32>
    %4 = stablehlo.slice %3 [8:9, 0:4] : (tensor<9x4xf32>) -> tensor<1x4xf32>
    %5 = stablehlo.slice %3 [6:8, 0:4] : (tensor<9x4xf32>) -> tensor<2x4xf32>
    %6 = call @_flip_0(%5) : (tensor<2x4xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.concatenate %3, %6, dim = 0 : (tensor<9x4xf32>, tensor<2x4xf32>) -> tensor<11x4xf32>
    return %7 : tensor<11x4xf32>
  }
  func.func private @_flip(%arg0: tensor<1x4xf32>) -> tensor<1x4xf32> {
    %0 = stablehlo.reverse %arg0, dims = [0] : tensor<1x4xf32>
    return %0 : tensor<1x4xf32>
  }
  func.func private @_flip_0(%arg0: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %0 = stablehlo.reverse %arg0, dims = [0] : tensor<2x4xf32>
    return %0 : tensor<2x4xf32>
  }
}
