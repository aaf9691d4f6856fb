module @jit_lstm attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<64x128xf32>, %arg1: tensor<10x8x32xf32>) -> (tensor<8x32xf32> {jax.result_info = "result[0]"}, tensor<8x32xf32> {jax.result_info = "result[1]"}) {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %2:5 = stablehlo.while(%iterArg = %arg1, %iterArg_1 = %arg0, %iterArg_2 = %c, %iterArg_3 = %0, %iterArg_4 = %1) : tensor<10x8x32xf32>, tensor<64x128xf32>, tensor<i32>, tensor<8x32xf32>, tensor<8x32xf32>
    cond {
      %c_5 = stablehlo.constant dense<10> : tensor<i32>
      %3 = stablehlo.compare LT, %iterArg_2, %c_5, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %3 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_2) : (tensor<10x8x32xf32>, tensor<i32>) -> tensor<8x32xf32>
      %4:2 = func.call @closed_call(%iterArg_1, %iterArg_3, %iterArg_4, %3) : (tensor<64x128xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>)
      %c_5 = stablehlo.constant dense<1> : tensor<i32>
      %5 = stablehlo.add %iterArg_2, %c_5 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_1, %5, %4#0, %4#1 : tensor<10x8x32xf32>, tensor<64x128xf32>, tensor<i32>, tensor<8x32xf32>, tensor<8x32xf32>
    }
    return %2#3, %2#4 : tensor<8x32xf32>, tensor<8x32xf32>
  }
  func.func private @dynamic_index_in_dim(%arg0: tensor<10x8x32xf32>, %arg1: tensor<i32>) -> tensor<8x32xf32> {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_slice %arg0, %arg1, %c, %c_0, sizes = [1, 8, 32] : (tensor<10x8x32xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x32xf32>
    %1 = stablehlo.reshape %0 : (tensor<1x8x32xf32>) -> tensor<8x32xf32>
    return %1 : tensor<8x32xf32>
  }
  func.func private @closed_call(%arg0: tensor<64x128xf32>, %arg1: tensor<8x32xf32>, %arg2: tensor<8x32xf32>, %arg3: tensor<8x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>) {
    %0 = stablehlo.concatenate %arg1, %arg3, dim = 1 : (tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<8x64xf32>
    %1 = stablehlo.dot_general %0, %arg0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x64xf32>, tensor<64x128xf32>) -> tensor<8x128xf32>
    %2 = stablehlo.slice %1 [0:8, 0:32] : (tensor<8x128xf32>) -> tensor<8x32xf32>
    %3 = stablehlo.slice %1 [0:8, 32:64] : (tensor<8x128xf32>) -> tensor<8x32xf32>
    %4 = stablehlo.slice %1 [0:8, 64:96] : (tensor<8x128xf32>) -> tensor<8x32xf32>
    %5 = stablehlo.slice %1 [0:8, 96:128] : (tensor<8x128xf32>) -> tensor<8x32xf32>
    %6 = stablehlo.negate %3 : tensor<8x32xf32>
    %7 = stablehlo.exponential %6 : tensor<8x32xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %9 = stablehlo.add %8, %7 : tensor<8x32xf32>
    %cst_0 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %10 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %11 = stablehlo.divide %10, %9 : tensor<8x32xf32>
    %12 = stablehlo.multiply %11, %arg2 : tensor<8x32xf32>
    %13 = stablehlo.negate %2 : tensor<8x32xf32>
    %14 = stablehlo.exponential %13 : tensor<8x32xf32>
    %cst_1 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %15 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %16 = stablehlo.add %15, %14 : tensor<8x32xf32>
    %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %17 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %18 = stablehlo.divide %17, %16 : tensor<8x32xf32>
    %19 = stablehlo.tanh %4 : tensor<8x32xf32>
    %20 = stablehlo.multiply %18, %19 : tensor<8x32xf32>
    %21 = stablehlo.add %12, %20 : tensor<8x32xf32>
    %22 = stablehlo.negate %5 : tensor<8x32xf32>
    %23 = stablehlo.exponential %22 : tensor<8x32xf32>
    %cst_3 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %24 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %25 = stablehlo.add %24, %23 : tensor<8x32xf32>
    %cst_4 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %26 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %27 = stablehlo.divide %26, %25 : tensor<8x32xf32>
    %28 = stablehlo.tanh %21 : tensor<8x32xf32>
    %29 = stablehlo.multiply %27, %28 : tensor<8x32xf32>
    return %29, %21 : tensor<8x32xf32>, tensor<8x32xf32>
  }
}
