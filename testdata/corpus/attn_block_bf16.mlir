module @jit_block_bf16 attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<64xf32>, %arg1: tensor<64xf32>, %arg2: tensor<64xf32>, %arg3: tensor<64xf32>, %arg4: tensor<64x256xf32>, %arg5: tensor<256x64xf32>, %arg6: tensor<64x64xf32>, %arg7: tensor<64x192xf32>, %arg8: tensor<32x64xf32>) -> (tensor<32x64xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.convert %arg0 : (tensor<64xf32>) -> tensor<64xbf16>
    %1 = stablehlo.convert %arg1 : (tensor<64xf32>) -> tensor<64xbf16>
    %2 = stablehlo.convert %arg2 : (tensor<64xf32>) -> tensor<64xbf16>
    %3 = stablehlo.convert %arg3 : (tensor<64xf32>) -> tensor<64xbf16>
    %4 = stablehlo.convert %arg4 : (tensor<64x256xf32>) -> tensor<64x256xbf16>
    %5 = stablehlo.convert %arg5 : (tensor<256x64xf32>) -> tensor<256x64xbf16>
    %6 = stablehlo.convert %arg6 : (tensor<64x64xf32>) -> tensor<64x64xbf16>
    %7 = stablehlo.convert %arg7 : (tensor<64x192xf32>) -> tensor<64x192xbf16>
    %8 = stablehlo.convert %arg8 : (tensor<32x64xf32>) -> tensor<32x64xbf16>
    %9 = stablehlo.convert %8 : (tensor<32x64xbf16>) -> tensor<32x64xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %10 = stablehlo.reduce(%9 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_0 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %12 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %13 = stablehlo.divide %11, %12 : tensor<32x1xf32>
    %14 = stablehlo.convert %13 : (tensor<32x1xf32>) -> tensor<32x1xbf16>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 1] : (tensor<32x1xbf16>) -> tensor<32x64xbf16>
    %16 = stablehlo.subtract %8, %15 : tensor<32x64xbf16>
    %17 = stablehlo.multiply %16, %16 : tensor<32x64xbf16>
    %18 = stablehlo.convert %17 : (tensor<32x64xbf16>) -> tensor<32x64xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %19 = stablehlo.reduce(%18 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %20 = stablehlo.broadcast_in_dim %19, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_2 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %21 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %22 = stablehlo.divide %20, %21 : tensor<32x1xf32>
    %23 = stablehlo.convert %22 : (tensor<32x1xf32>) -> tensor<32x1xbf16>
    %24 = stablehlo.broadcast_in_dim %14, dims = [0, 1] : (tensor<32x1xbf16>) -> tensor<32x64xbf16>
    %25 = stablehlo.subtract %8, %24 : tensor<32x64xbf16>
    %cst_3 = stablehlo.constant dense<1.001360e-05> : tensor<bf16>
    %26 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<bf16>) -> tensor<32x1xbf16>
    %27 = stablehlo.add %23, %26 : tensor<32x1xbf16>
    %28 = stablehlo.rsqrt %27 : tensor<32x1xbf16>
    %29 = stablehlo.broadcast_in_dim %28, dims = [0, 1] : (tensor<32x1xbf16>) -> tensor<32x64xbf16>
    %30 = stablehlo.multiply %25, %29 : tensor<32x64xbf16>
    %31 = stablehlo.broadcast_in_dim %2, dims = [1] : (tensor<64xbf16>) -> tensor<1x64xbf16>
    %32 = stablehlo.broadcast_in_dim %31, dims = [0, 1] : (tensor<1x64xbf16>) -> tensor<32x64xbf16>
    %33 = stablehlo.multiply %30, %32 : tensor<32x64xbf16>
    %34 = stablehlo.broadcast_in_dim %0, dims = [1] : (tensor<64xbf16>) -> tensor<1x64xbf16>
    %35 = stablehlo.broadcast_in_dim %34, dims = [0, 1] : (tensor<1x64xbf16>) -> tensor<32x64xbf16>
    %36 = stablehlo.add %33, %35 : tensor<32x64xbf16>
    %37 = stablehlo.dot_general %36, %7, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xbf16>, tensor<64x192xbf16>) -> tensor<32x192xbf16>
    %38 = stablehlo.slice %37 [0:32, 0:64] : (tensor<32x192xbf16>) -> tensor<32x64xbf16>
    %39 = stablehlo.slice %37 [0:32, 64:128] : (tensor<32x192xbf16>) -> tensor<32x64xbf16>
    %40 = stablehlo.slice %37 [0:32, 128:192] : (tensor<32x192xbf16>) -> tensor<32x64xbf16>
    %41 = stablehlo.reshape %38 : (tensor<32x64xbf16>) -> tensor<32x4x16xbf16>
    %42 = stablehlo.transpose %41, dims = [1, 0, 2] : (tensor<32x4x16xbf16>) -> tensor<4x32x16xbf16>
    %43 = stablehlo.reshape %39 : (tensor<32x64xbf16>) -> tensor<32x4x16xbf16>
    %44 = stablehlo.transpose %43, dims = [1, 0, 2] : (tensor<32x4x16xbf16>) -> tensor<4x32x16xbf16>
    %45 = stablehlo.reshape %40 : (tensor<32x64xbf16>) -> tensor<32x4x16xbf16>
    %46 = stablehlo.transpose %45, dims = [1, 0, 2] : (tensor<32x4x16xbf16>) -> tensor<4x32x16xbf16>
    %47 = stablehlo.transpose %44, dims = [0, 2, 1] : (tensor<4x32x16xbf16>) -> tensor<4x16x32xbf16>
    %48 = stablehlo.dot_general %42, %47, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x16xbf16>, tensor<4x16x32xbf16>) -> tensor<4x32x32xbf16>
    %49 = stablehlo.convert %48 : (tensor<4x32x32xbf16>) -> tensor<4x32x32xf32>
    %cst_4 = stablehlo.constant dense<4.000000e+00> : tensor<f32>
    %50 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    %51 = stablehlo.divide %49, %50 : tensor<4x32x32xf32>
    %c = stablehlo.constant dense<true> : tensor<i1>
    %52 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i1>) -> tensor<32x32xi1>
    %53 = call @tril(%52) : (tensor<32x32xi1>) -> tensor<32x32xi1>
    %cst_5 = stablehlo.constant dense<-1.000000e+09> : tensor<f32>
    %54 = call @_where(%53, %51, %cst_5) : (tensor<32x32xi1>, tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32x32xf32>
    %cst_6 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %55 = stablehlo.reduce(%54 init: %cst_6) applies stablehlo.maximum across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %cst_7 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %56 = stablehlo.broadcast_in_dim %cst_7, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %57 = stablehlo.maximum %56, %55 : tensor<4x32xf32>
    %58 = stablehlo.broadcast_in_dim %57, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %59 = stablehlo.broadcast_in_dim %58, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %60 = stablehlo.subtract %54, %59 : tensor<4x32x32xf32>
    %61 = stablehlo.exponential %60 : tensor<4x32x32xf32>
    %cst_8 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %62 = stablehlo.reduce(%61 init: %cst_8) applies stablehlo.add across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %63 = stablehlo.broadcast_in_dim %62, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %64 = stablehlo.broadcast_in_dim %63, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %65 = stablehlo.divide %61, %64 : tensor<4x32x32xf32>
    %66 = stablehlo.convert %65 : tensor<4x32x32xf32>
    %67 = stablehlo.convert %46 : (tensor<4x32x16xbf16>) -> tensor<4x32x16xf32>
    %68 = stablehlo.dot_general %66, %67, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x32xf32>, tensor<4x32x16xf32>) -> tensor<4x32x16xf32>
    %69 = stablehlo.transpose %68, dims = [1, 0, 2] : (tensor<4x32x16xf32>) -> tensor<32x4x16xf32>
    %70 = stablehlo.reshape %69 : (tensor<32x4x16xf32>) -> tensor<32x64xf32>
    %71 = stablehlo.convert %70 : tensor<32x64xf32>
    %72 = stablehlo.convert %6 : (tensor<64x64xbf16>) -> tensor<64x64xf32>
    %73 = stablehlo.dot_general %71, %72, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x64xf32>) -> tensor<32x64xf32>
    %74 = stablehlo.convert %8 : (tensor<32x64xbf16>) -> tensor<32x64xf32>
    %75 = stablehlo.add %74, %73 : tensor<32x64xf32>
    %cst_9 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %76 = stablehlo.reduce(%75 init: %cst_9) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %77 = stablehlo.broadcast_in_dim %76, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_10 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %78 = stablehlo.broadcast_in_dim %cst_10, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %79 = stablehlo.divide %77, %78 : tensor<32x1xf32>
    %80 = stablehlo.broadcast_in_dim %79, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %81 = stablehlo.subtract %75, %80 : tensor<32x64xf32>
    %82 = stablehlo.multiply %81, %81 : tensor<32x64xf32>
    %cst_11 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %83 = stablehlo.reduce(%82 init: %cst_11) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %84 = stablehlo.broadcast_in_dim %83, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_12 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %85 = stablehlo.broadcast_in_dim %cst_12, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %86 = stablehlo.divide %84, %85 : tensor<32x1xf32>
    %87 = stablehlo.broadcast_in_dim %79, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %88 = stablehlo.subtract %75, %87 : tensor<32x64xf32>
    %cst_13 = stablehlo.constant dense<9.99999974E-6> : tensor<f32>
    %89 = stablehlo.broadcast_in_dim %cst_13, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %90 = stablehlo.add %86, %89 : tensor<32x1xf32>
    %91 = stablehlo.rsqrt %90 : tensor<32x1xf32>
    %92 = stablehlo.broadcast_in_dim %91, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %93 = stablehlo.multiply %88, %92 : tensor<32x64xf32>
    %94 = stablehlo.convert %3 : (tensor<64xbf16>) -> tensor<64xf32>
    %95 = stablehlo.broadcast_in_dim %94, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %96 = stablehlo.broadcast_in_dim %95, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %97 = stablehlo.multiply %93, %96 : tensor<32x64xf32>
    %98 = stablehlo.convert %1 : (tensor<64xbf16>) -> tensor<64xf32>
    %99 = stablehlo.broadcast_in_dim %98, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %100 = stablehlo.broadcast_in_dim %99, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %101 = stablehlo.add %97, %100 : tensor<32x64xf32>
    %102 = stablehlo.convert %101 : tensor<32x64xf32>
    %103 = stablehlo.convert %4 : (tensor<64x256xbf16>) -> tensor<64x256xf32>
    %104 = stablehlo.dot_general %102, %103, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x256xf32>) -> tensor<32x256xf32>
    %105 = stablehlo.multiply %104, %104 : tensor<32x256xf32>
    %106 = stablehlo.multiply %105, %104 : tensor<32x256xf32>
    %cst_14 = stablehlo.constant dense<4.471500e-02> : tensor<f32>
    %107 = stablehlo.broadcast_in_dim %cst_14, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %108 = stablehlo.multiply %107, %106 : tensor<32x256xf32>
    %109 = stablehlo.add %104, %108 : tensor<32x256xf32>
    %cst_15 = stablehlo.constant dense<0.797884583> : tensor<f32>
    %110 = stablehlo.broadcast_in_dim %cst_15, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %111 = stablehlo.multiply %110, %109 : tensor<32x256xf32>
    %112 = stablehlo.tanh %111 : tensor<32x256xf32>
    %cst_16 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %113 = stablehlo.broadcast_in_dim %cst_16, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %114 = stablehlo.add %113, %112 : tensor<32x256xf32>
    %cst_17 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
    %115 = stablehlo.broadcast_in_dim %cst_17, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %116 = stablehlo.multiply %115, %114 : tensor<32x256xf32>
    %117 = stablehlo.multiply %104, %116 : tensor<32x256xf32>
    %118 = stablehlo.convert %117 : tensor<32x256xf32>
    %119 = stablehlo.convert %5 : (tensor<256x64xbf16>) -> tensor<256x64xf32>
    %120 = stablehlo.dot_general %118, %119, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x256xf32>, tensor<256x64xf32>) -> tensor<32x64xf32>
    %121 = stablehlo.add %75, %120 : tensor<32x64xf32>
    return %121 : tensor<32x64xf32>
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
