module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<32x32xf32>, %arg1: tensor<10x8x32xf32>) -> (tensor<32x32xf32> {jax.result_info = "result"}) {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<10x8x32xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<10x8x32xf32>
    %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %3 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<10x8x32xf32>
    %cst_3 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %4 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<10x8x32xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %5:8 = stablehlo.while(%iterArg = %arg1, %iterArg_10 = %arg0, %iterArg_11 = %c, %iterArg_12 = %0, %iterArg_13 = %1, %iterArg_14 = %2, %iterArg_15 = %3, %iterArg_16 = %4) : tensor<10x8x32xf32>, tensor<32x32xf32>, tensor<i32>, tensor<8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>
    cond {
      %c_17 = stablehlo.constant dense<10> : tensor<i32>
      %12 = stablehlo.compare LT, %iterArg_11, %c_17, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %12 : tensor<i1>
    } do {
      %12 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_11) : (tensor<10x8x32xf32>, tensor<i32>) -> tensor<8x32xf32>
      %13:5 = func.call @closed_call(%iterArg_10, %iterArg_12, %12) : (tensor<32x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
      %14 = func.call @dynamic_update_index_in_dim(%iterArg_13, %13#1, %iterArg_11) : (tensor<10x8x32xf32>, tensor<8x32xf32>, tensor<i32>) -> tensor<10x8x32xf32>
      %15 = func.call @dynamic_update_index_in_dim(%iterArg_14, %13#2, %iterArg_11) : (tensor<10x8x32xf32>, tensor<8x32xf32>, tensor<i32>) -> tensor<10x8x32xf32>
      %16 = func.call @dynamic_update_index_in_dim(%iterArg_15, %13#3, %iterArg_11) : (tensor<10x8x32xf32>, tensor<8x32xf32>, tensor<i32>) -> tensor<10x8x32xf32>
      %17 = func.call @dynamic_update_index_in_dim(%iterArg_16, %13#4, %iterArg_11) : (tensor<10x8x32xf32>, tensor<8x32xf32>, tensor<i32>) -> tensor<10x8x32xf32>
      %c_17 = stablehlo.constant dense<1> : tensor<i32>
      %18 = stablehlo.add %iterArg_11, %c_17 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_10, %18, %13#0, %14, %15, %16, %17 : tensor<10x8x32xf32>, tensor<32x32xf32>, tensor<i32>, tensor<8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>
    }
    %cst_4 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %6 = stablehlo.reduce(%5#4 init: %cst_4) applies stablehlo.add across dimensions = [0, 1, 2] : (tensor<10x8x32xf32>, tensor<f32>) -> tensor<f32>
    %cst_5 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %7 = stablehlo.broadcast_in_dim %cst_5, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %cst_6 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %8 = stablehlo.broadcast_in_dim %cst_6, dims = [] : (tensor<f32>) -> tensor<10x8x32xf32>
    %cst_7 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %9 = stablehlo.broadcast_in_dim %cst_7, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %cst_8 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %10 = stablehlo.broadcast_in_dim %cst_8, dims = [] : (tensor<f32>) -> tensor<32x32xf32>
    %c_9 = stablehlo.constant dense<0> : tensor<i32>
    %11:8 = stablehlo.while(%iterArg = %8, %iterArg_10 = %5#5, %iterArg_11 = %5#6, %iterArg_12 = %5#7, %iterArg_13 = %arg0, %iterArg_14 = %c_9, %iterArg_15 = %10, %iterArg_16 = %9) : tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<32x32xf32>, tensor<i32>, tensor<32x32xf32>, tensor<8x32xf32>
    cond {
      %c_17 = stablehlo.constant dense<10> : tensor<i32>
      %12 = stablehlo.compare LT, %iterArg_14, %c_17, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %12 : tensor<i1>
    } do {
      %c_17 = stablehlo.constant dense<10> : tensor<i32>
      %12 = stablehlo.subtract %c_17, %iterArg_14 : tensor<i32>
      %c_18 = stablehlo.constant dense<1> : tensor<i32>
      %13 = stablehlo.subtract %12, %c_18 : tensor<i32>
      %14 = func.call @dynamic_index_in_dim(%iterArg, %13) : (tensor<10x8x32xf32>, tensor<i32>) -> tensor<8x32xf32>
      %15 = func.call @dynamic_index_in_dim(%iterArg_10, %13) : (tensor<10x8x32xf32>, tensor<i32>) -> tensor<8x32xf32>
      %16 = func.call @dynamic_index_in_dim(%iterArg_11, %13) : (tensor<10x8x32xf32>, tensor<i32>) -> tensor<8x32xf32>
      %17 = func.call @dynamic_index_in_dim(%iterArg_12, %13) : (tensor<10x8x32xf32>, tensor<i32>) -> tensor<8x32xf32>
      %18:2 = func.call @closed_call_0(%iterArg_13, %iterArg_15, %iterArg_16, %14, %15, %16, %17) : (tensor<32x32xf32>, tensor<32x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>) -> (tensor<32x32xf32>, tensor<8x32xf32>)
      %c_19 = stablehlo.constant dense<1> : tensor<i32>
      %19 = stablehlo.add %iterArg_14, %c_19 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_10, %iterArg_11, %iterArg_12, %iterArg_13, %19, %18#0, %18#1 : tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<10x8x32xf32>, tensor<32x32xf32>, tensor<i32>, tensor<32x32xf32>, tensor<8x32xf32>
    }
    return %11#6 : tensor<32x32xf32>
  }
  func.func private @dynamic_index_in_dim(%arg0: tensor<10x8x32xf32>, %arg1: tensor<i32>) -> tensor<8x32xf32> {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_slice %arg0, %arg1, %c, %c_0, sizes = [1, 8, 32] : (tensor<10x8x32xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x32xf32>
    %1 = stablehlo.reshape %0 : (tensor<1x8x32xf32>) -> tensor<8x32xf32>
    return %1 : tensor<8x32xf32>
  }
  func.func private @closed_call(%arg0: tensor<32x32xf32>, %arg1: tensor<8x32xf32>, %arg2: tensor<8x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>) {
    %0 = stablehlo.dot_general %arg1, %arg0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x32xf32>, tensor<32x32xf32>) -> tensor<8x32xf32>
    %1 = stablehlo.add %0, %arg2 : tensor<8x32xf32>
    %2 = stablehlo.tanh %1 : tensor<8x32xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8x32xf32>
    %4 = stablehlo.subtract %3, %2 : tensor<8x32xf32>
    return %2, %2, %arg1, %2, %4 : tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>
  }
  func.func private @dynamic_update_index_in_dim(%arg0: tensor<10x8x32xf32>, %arg1: tensor<8x32xf32>, %arg2: tensor<i32>) -> tensor<10x8x32xf32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [1, 2] : (tensor<8x32xf32>) -> tensor<1x8x32xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2, %c, %c_0 : (tensor<10x8x32xf32>, tensor<1x8x32xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<10x8x32xf32>
    return %1 : tensor<10x8x32xf32>
  }
  func.func private @closed_call_0(%arg0: tensor<32x32xf32>, %arg1: tensor<32x32xf32>, %arg2: tensor<8x32xf32>, %arg3: tensor<8x32xf32>, %arg4: tensor<8x32xf32>, %arg5: tensor<8x32xf32>, %arg6: tensor<8x32xf32>) -> (tensor<32x32xf32>, tensor<8x32xf32>) {
    %0 = stablehlo.add %arg2, %arg3 : tensor<8x32xf32>
    %1 = stablehlo.multiply %0, %arg6 : tensor<8x32xf32>
    %2 = stablehlo.multiply %1, %arg5 : tensor<8x32xf32>
    %3 = stablehlo.add %1, %2 : tensor<8x32xf32>
    %4 = stablehlo.dot_general %3, %arg4, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<32x32xf32>
    %5 = stablehlo.transpose %4, dims = [1, 0] : (tensor<32x32xf32>) -> tensor<32x32xf32>
    %6 = stablehlo.add %arg1, %5 : tensor<32x32xf32>
    %7 = stablehlo.dot_general %3, %arg0, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<8x32xf32>, tensor<32x32xf32>) -> tensor<8x32xf32>
    return %6, %7 : tensor<32x32xf32>, tensor<8x32xf32>
  }
}
