module @jit_float_misc attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8xf32>) -> (tensor<8xf32> {jax.result_info = "result[0]"}, tensor<8xf32> {jax.result_info = "result[1]"}, tensor<8xf32> {jax.result_info = "result[2]"}, tensor<8xf32> {jax.result_info = "result[3]"}, tensor<8xi1> {jax.result_info = "result[4]"}, tensor<8xf32> {jax.result_info = "result[5]"}, tensor<8xf32> {jax.result_info = "result[6]"}, tensor<8xf32> {jax.result_info = "result[7]"}, tensor<8xf32> {jax.result_info = "result[8]"}, tensor<8xf32> {jax.result_info = "result[9]"}, tensor<8xf32> {jax.result_info = "result[10]"}) {
    %0 = call @round(%arg0) : (tensor<8xf32>) -> tensor<8xf32>
    %1 = stablehlo.floor %arg0 : tensor<8xf32>
    %2 = stablehlo.ceil %arg0 : tensor<8xf32>
    %3 = stablehlo.sign %arg0 : tensor<8xf32>
    %4 = stablehlo.is_finite %arg0 : (tensor<8xf32>) -> tensor<8xi1>
    %5 = stablehlo.cbrt %arg0 : tensor<8xf32>
    %6 = stablehlo.log_plus_one %arg0 : tensor<8xf32>
    %7 = stablehlo.exponential_minus_one %arg0 : tensor<8xf32>
    %8 = stablehlo.multiply %arg0, %arg0 : tensor<8xf32>
    %9 = stablehlo.multiply %8, %arg0 : tensor<8xf32>
    %cst = stablehlo.constant dense<2.500000e+00> : tensor<f32>
    %10 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %11 = stablehlo.power %arg0, %10 : tensor<8xf32>
    %12 = chlo.next_after %arg0, %arg0 : tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
    return %0, %1, %2, %3, %4, %5, %6, %7, %9, %11, %12 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xi1>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  func.func private @round(%arg0: tensor<8xf32>) -> tensor<8xf32> {
    %0 = stablehlo.round_nearest_even %arg0 : tensor<8xf32>
    return %0 : tensor<8xf32>
  }
}
