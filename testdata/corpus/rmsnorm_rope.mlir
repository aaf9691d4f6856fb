module @jit_rmsnorm_rope attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<16x256xf32>, %arg1: tensor<256xf32>, %arg2: tensor<16xf32>) -> (tensor<16x4x64xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.multiply %arg0, %arg0 : tensor<16x256xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<16x256xf32>, tensor<f32>) -> tensor<16xf32>
    %2 = stablehlo.broadcast_in_dim %1, dims = [0] : (tensor<16xf32>) -> tensor<16x1xf32>
    %cst_0 = stablehlo.constant dense<2.560000e+02> : tensor<f32>
    %3 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<16x1xf32>
    %4 = stablehlo.divide %2, %3 : tensor<16x1xf32>
    %cst_1 = stablehlo.constant dense<9.99999997E-7> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<16x1xf32>
    %6 = stablehlo.add %4, %5 : tensor<16x1xf32>
    %7 = stablehlo.rsqrt %6 : tensor<16x1xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1] : (tensor<16x1xf32>) -> tensor<16x256xf32>
    %9 = stablehlo.multiply %arg0, %8 : tensor<16x256xf32>
    %10 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<256xf32>) -> tensor<1x256xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 1] : (tensor<1x256xf32>) -> tensor<16x256xf32>
    %12 = stablehlo.multiply %9, %11 : tensor<16x256xf32>
    %13 = stablehlo.broadcast_in_dim %arg2, dims = [0] : (tensor<16xf32>) -> tensor<16x1xf32>
    %14 = stablehlo.iota dim = 0 : tensor<32xi32>
    %c = stablehlo.constant dense<2> : tensor<i32>
    %15 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<32xi32>
    %16 = stablehlo.multiply %15, %14 : tensor<32xi32>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %17 = stablehlo.broadcast_in_dim %c_2, dims = [] : (tensor<i32>) -> tensor<32xi32>
    %18 = stablehlo.add %17, %16 : tensor<32xi32>
    %19 = stablehlo.convert %18 : (tensor<32xi32>) -> tensor<32xf32>
    %cst_3 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %20 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<32xf32>
    %21 = stablehlo.divide %19, %20 : tensor<32xf32>
    %cst_4 = stablehlo.constant dense<1.000000e+04> : tensor<f32>
    %22 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<32xf32>
    %23 = stablehlo.power %22, %21 : tensor<32xf32>
    %cst_5 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %24 = stablehlo.broadcast_in_dim %cst_5, dims = [] : (tensor<f32>) -> tensor<32xf32>
    %25 = stablehlo.divide %24, %23 : tensor<32xf32>
    %26 = stablehlo.broadcast_in_dim %25, dims = [1] : (tensor<32xf32>) -> tensor<1x32xf32>
    %27 = stablehlo.broadcast_in_dim %13, dims = [0, 1] : (tensor<16x1xf32>) -> tensor<16x32xf32>
    %28 = stablehlo.broadcast_in_dim %26, dims = [0, 1] : (tensor<1x32xf32>) -> tensor<16x32xf32>
    %29 = stablehlo.multiply %27, %28 : tensor<16x32xf32>
    %30 = stablehlo.cosine %29 : tensor<16x32xf32>
    %31 = stablehlo.broadcast_in_dim %30, dims = [0, 2] : (tensor<16x32xf32>) -> tensor<16x1x32xf32>
    %32 = stablehlo.sine %29 : tensor<16x32xf32>
    %33 = stablehlo.broadcast_in_dim %32, dims = [0, 2] : (tensor<16x32xf32>) -> tensor<16x1x32xf32>
    %34 = stablehlo.reshape %12 : (tensor<16x256xf32>) -> tensor<16x4x64xf32>
    %35 = stablehlo.slice %34 [0:16, 0:4, 0:32] : (tensor<16x4x64xf32>) -> tensor<16x4x32xf32>
    %36 = stablehlo.slice %34 [0:16, 0:4, 32:64] : (tensor<16x4x64xf32>) -> tensor<16x4x32xf32>
    %37 = stablehlo.broadcast_in_dim %31, dims = [0, 1, 2] : (tensor<16x1x32xf32>) -> tensor<16x4x32xf32>
    %38 = stablehlo.multiply %35, %37 : tensor<16x4x32xf32>
    %39 = stablehlo.broadcast_in_dim %33, dims = [0, 1, 2] : (tensor<16x1x32xf32>) -> tensor<16x4x32xf32>
    %40 = stablehlo.multiply %36, %39 : tensor<16x4x32xf32>
    %41 = stablehlo.subtract %38, %40 : tensor<16x4x32xf32>
    %42 = stablehlo.broadcast_in_dim %31, dims = [0, 1, 2] : (tensor<16x1x32xf32>) -> tensor<16x4x32xf32>
    %43 = stablehlo.multiply %36, %42 : tensor<16x4x32xf32>
    %44 = stablehlo.broadcast_in_dim %33, dims = [0, 1, 2] : (tensor<16x1x32xf32>) -> tensor<16x4x32xf32>
    %45 = stablehlo.multiply %35, %44 : tensor<16x4x32xf32>
    %46 = stablehlo.add %43, %45 : tensor<16x4x32xf32>
    %47 = stablehlo.concatenate %41, %46, dim = 2 : (tensor<16x4x32xf32>, tensor<16x4x32xf32>) -> tensor<16x4x64xf32>
    return %47 : tensor<16x4x64xf32>
  }
}
