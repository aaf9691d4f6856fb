module @jit_block attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<64xf32>, %arg1: tensor<64xf32>, %arg2: tensor<64xf32>, %arg3: tensor<64xf32>, %arg4: tensor<64x256xf32>, %arg5: tensor<256x64xf32>, %arg6: tensor<64x64xf32>, %arg7: tensor<64x192xf32>, %arg8: tensor<32x64xf32>) -> (tensor<32x64xf32> {jax.result_info = "result"}) {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.reduce(%arg8 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_0 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %3 = stablehlo.divide %1, %2 : tensor<32x1xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %5 = stablehlo.subtract %arg8, %4 : tensor<32x64xf32>
    %6 = stablehlo.multiply %5, %5 : tensor<32x64xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %7 = stablehlo.reduce(%6 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_2 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %9 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %10 = stablehlo.divide %8, %9 : tensor<32x1xf32>
    %11 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %12 = stablehlo.subtract %arg8, %11 : tensor<32x64xf32>
    %cst_3 = stablehlo.constant dense<9.99999974E-6> : tensor<f32>
    %13 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %14 = stablehlo.add %10, %13 : tensor<32x1xf32>
    %15 = stablehlo.rsqrt %14 : tensor<32x1xf32>
    %16 = stablehlo.broadcast_in_dim %15, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %17 = stablehlo.multiply %12, %16 : tensor<32x64xf32>
    %18 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %20 = stablehlo.multiply %17, %19 : tensor<32x64xf32>
    %21 = stablehlo.broadcast_in_dim %arg0, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %23 = stablehlo.add %20, %22 : tensor<32x64xf32>
    %24 = stablehlo.dot_general %23, %arg7, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x192xf32>) -> tensor<32x192xf32>
    %25 = stablehlo.slice %24 [0:32, 0:64] : (tensor<32x192xf32>) -> tensor<32x64xf32>
    %26 = stablehlo.slice %24 [0:32, 64:128] : (tensor<32x192xf32>) -> tensor<32x64xf32>
    %27 = stablehlo.slice %24 [0:32, 128:192] : (tensor<32x192xf32>) -> tensor<32x64xf32>
    %28 = stablehlo.reshape %25 : (tensor<32x64xf32>) -> tensor<32x4x16xf32>
    %29 = stablehlo.transpose %28, dims = [1, 0, 2] : (tensor<32x4x16xf32>) -> tensor<4x32x16xf32>
    %30 = stablehlo.reshape %26 : (tensor<32x64xf32>) -> tensor<32x4x16xf32>
    %31 = stablehlo.transpose %30, dims = [1, 0, 2] : (tensor<32x4x16xf32>) -> tensor<4x32x16xf32>
    %32 = stablehlo.reshape %27 : (tensor<32x64xf32>) -> tensor<32x4x16xf32>
    %33 = stablehlo.transpose %32, dims = [1, 0, 2] : (tensor<32x4x16xf32>) -> tensor<4x32x16xf32>
    %34 = stablehlo.transpose %31, dims = [0, 2, 1] : (tensor<4x32x16xf32>) -> tensor<4x16x32xf32>
    %35 = stablehlo.dot_general %29, %34, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x16xf32>, tensor<4x16x32xf32>) -> tensor<4x32x32xf32>
    %cst_4 = stablehlo.constant dense<4.000000e+00> : tensor<f32>
    %36 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    %37 = stablehlo.divide %35, %36 : tensor<4x32x32xf32>
    %c = stablehlo.constant dense<true> : tensor<i1>
    %38 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i1>) -> tensor<32x32xi1>
    %39 = call @tril(%38) : (tensor<32x32xi1>) -> tensor<32x32xi1>
    %cst_5 = stablehlo.constant dense<-1.000000e+09> : tensor<f32>
    %40 = call @_where(%39, %37, %cst_5) : (tensor<32x32xi1>, tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32x32xf32>
    %cst_6 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %41 = stablehlo.reduce(%40 init: %cst_6) applies stablehlo.maximum across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %cst_7 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %42 = stablehlo.broadcast_in_dim %cst_7, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %43 = stablehlo.maximum %42, %41 : tensor<4x32xf32>
    %44 = stablehlo.broadcast_in_dim %43, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %45 = stablehlo.broadcast_in_dim %44, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %46 = stablehlo.subtract %40, %45 : tensor<4x32x32xf32>
    %47 = stablehlo.exponential %46 : tensor<4x32x32xf32>
    %cst_8 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %48 = stablehlo.reduce(%47 init: %cst_8) applies stablehlo.add across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %49 = stablehlo.broadcast_in_dim %48, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %50 = stablehlo.broadcast_in_dim %49, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %51 = stablehlo.divide %47, %50 : tensor<4x32x32xf32>
    %52 = stablehlo.dot_general %51, %33, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x32xf32>, tensor<4x32x16xf32>) -> tensor<4x32x16xf32>
    %53 = stablehlo.transpose %52, dims = [1, 0, 2] : (tensor<4x32x16xf32>) -> tensor<32x4x16xf32>
    %54 = stablehlo.reshape %53 : (tensor<32x4x16xf32>) -> tensor<32x64xf32>
    %55 = stablehlo.dot_general %54, %arg6, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x64xf32>) -> tensor<32x64xf32>
    %56 = stablehlo.add %arg8, %55 : tensor<32x64xf32>
    %cst_9 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %57 = stablehlo.reduce(%56 init: %cst_9) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %58 = stablehlo.broadcast_in_dim %57, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_10 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %59 = stablehlo.broadcast_in_dim %cst_10, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %60 = stablehlo.divide %58, %59 : tensor<32x1xf32>
    %61 = stablehlo.broadcast_in_dim %60, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %62 = stablehlo.subtract %56, %61 : tensor<32x64xf32>
    %63 = stablehlo.multiply %62, %62 : tensor<32x64xf32>
    %cst_11 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %64 = stablehlo.reduce(%63 init: %cst_11) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %65 = stablehlo.broadcast_in_dim %64, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_12 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %66 = stablehlo.broadcast_in_dim %cst_12, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %67 = stablehlo.divide %65, %66 : tensor<32x1xf32>
    %68 = stablehlo.broadcast_in_dim %60, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %69 = stablehlo.subtract %56, %68 : tensor<32x64xf32>
    %cst_13 = stablehlo.constant dense<9.99999974E-6> : tensor<f32>
    %70 = stablehlo.broadcast_in_dim %cst_13, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %71 = stablehlo.add %67, %70 : tensor<32x1xf32>
    %72 = stablehlo.rsqrt %71 : tensor<32x1xf32>
    %73 = stablehlo.broadcast_in_dim %72, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %74 = stablehlo.multiply %69, %73 : tensor<32x64xf32>
    %75 = stablehlo.broadcast_in_dim %arg3, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %76 = stablehlo.broadcast_in_dim %75, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %77 = stablehlo.multiply %74, %76 : tensor<32x64xf32>
    %78 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %79 = stablehlo.broadcast_in_dim %78, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %80 = stablehlo.add %77, %79 : tensor<32x64xf32>
    %81 = stablehlo.dot_general %80, %arg4, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x256xf32>) -> tensor<32x256xf32>
    %82 = stablehlo.multiply %81, %81 : tensor<32x256xf32>
    %83 = stablehlo.multiply %82, %81 : tensor<32x256xf32>
    %cst_14 = stablehlo.constant dense<4.471500e-02> : tensor<f32>
    %84 = stablehlo.broadcast_in_dim %cst_14, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %85 = stablehlo.multiply %84, %83 : tensor<32x256xf32>
    %86 = stablehlo.add %81, %85 : tensor<32x256xf32>
    %cst_15 = stablehlo.constant dense<0.797884583> : tensor<f32>
    %87 = stablehlo.broadcast_in_dim %cst_15, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %88 = stablehlo.multiply %87, %86 : tensor<32x256xf32>
    %89 = stablehlo.tanh %88 : tensor<32x256xf32>
    %cst_16 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %90 = stablehlo.broadcast_in_dim %cst_16, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %91 = stablehlo.add %90, %89 : tensor<32x256xf32>
    %cst_17 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
    %92 = stablehlo.broadcast_in_dim %cst_17, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %93 = stablehlo.multiply %92, %91 : tensor<32x256xf32>
    %94 = stablehlo.multiply %81, %93 : tensor<32x256xf32>
    %95 = stablehlo.dot_general %94, %arg5, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x256xf32>, tensor<256x64xf32>) -> tensor<32x64xf32>
    %96 = stablehlo.add %56, %95 : tensor<32x64xf32>
    return %96 : tensor<32x64xf32>
  }
  func.func private @tril(%arg0: tensor<32x32xi1>) -> tensor<32x32xi1> {
    %0 = stablehlo.iota dim = 0 : tensor<32x32xi32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<32x32xi32>
    %2 = stablehlo.add %0, %1 : tensor<32x32xi32>
    %3 = stablehlo.iota dim = 1 : tensor<32x32xi32>
    %4 = stablehlo.compare GE, %2, %3, SIGNED : (tensor<32x32xi32>, tensor<32x32xi32>) -> tensor<32x32xi1>
    %c_0 = stablehlo.constant dense<false> : tensor<i1>
    %5 = stablehlo.broadcast_in_dim %c_0, dims = [] : (tensor<i1>) -> tensor<32x32xi1>
    %6 = stablehlo.select %4, %arg0, %5 : tensor<32x32xi1>, tensor<32x32xi1>
    return %6 : tensor<32x32xi1>
  }
  func.func private @_where(%arg0: tensor<32x32xi1>, %arg1: tensor<4x32x32xf32>, %arg2: tensor<f32>) -> tensor<4x32x32xf32> {
    %0 = stablehlo.convert %arg2 : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %arg0, dims = [1, 2] : (tensor<32x32xi1>) -> tensor<4x32x32xi1>
    %2 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    %3 = stablehlo.select %1, %arg1, %2 : tensor<4x32x32xi1>, tensor<4x32x32xf32>
    return %3 : tensor<4x32x32xf32>
  }
}
