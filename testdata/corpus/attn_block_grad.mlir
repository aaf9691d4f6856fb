module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<64xf32>, %arg1: tensor<64xf32>, %arg2: tensor<64xf32>, %arg3: tensor<64xf32>, %arg4: tensor<64x256xf32>, %arg5: tensor<256x64xf32>, %arg6: tensor<64x64xf32>, %arg7: tensor<64x192xf32>, %arg8: tensor<32x64xf32>) -> (tensor<64xf32> {jax.result_info = "result['b1']"}, tensor<64xf32> {jax.result_info = "result['b2']"}, tensor<64xf32> {jax.result_info = "result['g1']"}, tensor<64xf32> {jax.result_info = "result['g2']"}, tensor<64x256xf32> {jax.result_info = "result['w1']"}, tensor<256x64xf32> {jax.result_info = "result['w2']"}, tensor<64x64xf32> {jax.result_info = "result['wo']"}, tensor<64x192xf32> {jax.result_info = "result['wqkv']"}) {
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
    %40:3 = call @_where(%39, %37, %cst_5) : (tensor<32x32xi1>, tensor<4x32x32xf32>, tensor<f32>) -> (tensor<4x32x32xf32>, tensor<4x32x32xi1>, tensor<4x32x32xf32>)
    %cst_6 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %41 = stablehlo.reduce(%40#0 init: %cst_6) applies stablehlo.maximum across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %42 = stablehlo.reshape %41 : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %43 = stablehlo.broadcast_in_dim %42, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %44 = stablehlo.compare EQ, %40#0, %43, FLOAT : (tensor<4x32x32xf32>, tensor<4x32x32xf32>) -> tensor<4x32x32xi1>
    %45 = stablehlo.convert %44 : (tensor<4x32x32xi1>) -> tensor<4x32x32xf32>
    %cst_7 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %46 = stablehlo.reduce(%45 init: %cst_7) applies stablehlo.add across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %cst_8 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %47 = stablehlo.broadcast_in_dim %cst_8, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %48 = stablehlo.maximum %47, %41 : tensor<4x32xf32>
    %49 = stablehlo.compare EQ, %41, %48, FLOAT : (tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<4x32xi1>
    %cst_9 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %50 = stablehlo.broadcast_in_dim %cst_9, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %cst_10 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %51 = stablehlo.broadcast_in_dim %cst_10, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %52 = stablehlo.select %49, %50, %51 : tensor<4x32xi1>, tensor<4x32xf32>
    %cst_11 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %53 = stablehlo.broadcast_in_dim %cst_11, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %54 = stablehlo.compare EQ, %53, %48, FLOAT : (tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<4x32xi1>
    %cst_12 = stablehlo.constant dense<2.000000e+00> : tensor<f32>
    %55 = stablehlo.broadcast_in_dim %cst_12, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %cst_13 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %56 = stablehlo.broadcast_in_dim %cst_13, dims = [] : (tensor<f32>) -> tensor<4x32xf32>
    %57 = stablehlo.select %54, %55, %56 : tensor<4x32xi1>, tensor<4x32xf32>
    %58 = stablehlo.divide %52, %57 : tensor<4x32xf32>
    %59 = stablehlo.broadcast_in_dim %48, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %60 = stablehlo.broadcast_in_dim %59, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %61 = stablehlo.subtract %40#0, %60 : tensor<4x32x32xf32>
    %62 = stablehlo.exponential %61 : tensor<4x32x32xf32>
    %cst_14 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %63 = stablehlo.reduce(%62 init: %cst_14) applies stablehlo.add across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %64 = stablehlo.broadcast_in_dim %63, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %65 = stablehlo.broadcast_in_dim %64, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %66 = stablehlo.divide %62, %65 : tensor<4x32x32xf32>
    %67 = stablehlo.multiply %64, %64 : tensor<4x32x1xf32>
    %cst_15 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %68 = stablehlo.broadcast_in_dim %cst_15, dims = [] : (tensor<f32>) -> tensor<4x32x1xf32>
    %69 = stablehlo.divide %68, %67 : tensor<4x32x1xf32>
    %70 = stablehlo.dot_general %66, %33, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x32xf32>, tensor<4x32x16xf32>) -> tensor<4x32x16xf32>
    %71 = stablehlo.transpose %70, dims = [1, 0, 2] : (tensor<4x32x16xf32>) -> tensor<32x4x16xf32>
    %72 = stablehlo.reshape %71 : (tensor<32x4x16xf32>) -> tensor<32x64xf32>
    %73 = stablehlo.dot_general %72, %arg6, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x64xf32>) -> tensor<32x64xf32>
    %74 = stablehlo.add %arg8, %73 : tensor<32x64xf32>
    %cst_16 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %75 = stablehlo.reduce(%74 init: %cst_16) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %76 = stablehlo.broadcast_in_dim %75, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_17 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %77 = stablehlo.broadcast_in_dim %cst_17, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %78 = stablehlo.divide %76, %77 : tensor<32x1xf32>
    %79 = stablehlo.broadcast_in_dim %78, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %80 = stablehlo.subtract %74, %79 : tensor<32x64xf32>
    %81 = stablehlo.multiply %80, %80 : tensor<32x64xf32>
    %cst_18 = stablehlo.constant dense<2.000000e+00> : tensor<f32>
    %82 = stablehlo.broadcast_in_dim %cst_18, dims = [] : (tensor<f32>) -> tensor<32x64xf32>
    %83 = stablehlo.multiply %82, %80 : tensor<32x64xf32>
    %cst_19 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %84 = stablehlo.reduce(%81 init: %cst_19) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %85 = stablehlo.broadcast_in_dim %84, dims = [0] : (tensor<32xf32>) -> tensor<32x1xf32>
    %cst_20 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %86 = stablehlo.broadcast_in_dim %cst_20, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %87 = stablehlo.divide %85, %86 : tensor<32x1xf32>
    %88 = stablehlo.broadcast_in_dim %78, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %89 = stablehlo.subtract %74, %88 : tensor<32x64xf32>
    %cst_21 = stablehlo.constant dense<9.99999974E-6> : tensor<f32>
    %90 = stablehlo.broadcast_in_dim %cst_21, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %91 = stablehlo.add %87, %90 : tensor<32x1xf32>
    %92 = stablehlo.rsqrt %91 : tensor<32x1xf32>
    %93 = stablehlo.divide %92, %91 : tensor<32x1xf32>
    %cst_22 = stablehlo.constant dense<-5.000000e-01> : tensor<f32>
    %94 = stablehlo.broadcast_in_dim %cst_22, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %95 = stablehlo.multiply %94, %93 : tensor<32x1xf32>
    %96 = stablehlo.broadcast_in_dim %92, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %97 = stablehlo.multiply %89, %96 : tensor<32x64xf32>
    %98 = stablehlo.broadcast_in_dim %arg3, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %99 = stablehlo.broadcast_in_dim %98, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %100 = stablehlo.multiply %97, %99 : tensor<32x64xf32>
    %101 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<64xf32>) -> tensor<1x64xf32>
    %102 = stablehlo.broadcast_in_dim %101, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %103 = stablehlo.add %100, %102 : tensor<32x64xf32>
    %104 = stablehlo.dot_general %103, %arg4, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x256xf32>) -> tensor<32x256xf32>
    %105 = stablehlo.multiply %104, %104 : tensor<32x256xf32>
    %106 = stablehlo.multiply %105, %104 : tensor<32x256xf32>
    %107 = stablehlo.multiply %104, %104 : tensor<32x256xf32>
    %cst_23 = stablehlo.constant dense<3.000000e+00> : tensor<f32>
    %108 = stablehlo.broadcast_in_dim %cst_23, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %109 = stablehlo.multiply %108, %107 : tensor<32x256xf32>
    %cst_24 = stablehlo.constant dense<4.471500e-02> : tensor<f32>
    %110 = stablehlo.broadcast_in_dim %cst_24, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %111 = stablehlo.multiply %110, %106 : tensor<32x256xf32>
    %112 = stablehlo.add %104, %111 : tensor<32x256xf32>
    %cst_25 = stablehlo.constant dense<0.797884583> : tensor<f32>
    %113 = stablehlo.broadcast_in_dim %cst_25, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %114 = stablehlo.multiply %113, %112 : tensor<32x256xf32>
    %115 = stablehlo.tanh %114 : tensor<32x256xf32>
    %cst_26 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %116 = stablehlo.broadcast_in_dim %cst_26, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %117 = stablehlo.subtract %116, %115 : tensor<32x256xf32>
    %cst_27 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %118 = stablehlo.broadcast_in_dim %cst_27, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %119 = stablehlo.add %118, %115 : tensor<32x256xf32>
    %cst_28 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
    %120 = stablehlo.broadcast_in_dim %cst_28, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %121 = stablehlo.multiply %120, %119 : tensor<32x256xf32>
    %122 = stablehlo.multiply %104, %121 : tensor<32x256xf32>
    %123 = stablehlo.dot_general %122, %arg5, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x256xf32>, tensor<256x64xf32>) -> tensor<32x64xf32>
    %124 = stablehlo.add %74, %123 : tensor<32x64xf32>
    %cst_29 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %125 = stablehlo.reduce(%124 init: %cst_29) applies stablehlo.add across dimensions = [0, 1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<f32>
    %cst_30 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %126 = stablehlo.broadcast_in_dim %cst_30, dims = [] : (tensor<f32>) -> tensor<32x64xf32>
    %127 = stablehlo.dot_general %126, %122, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<32x256xf32>) -> tensor<64x256xf32>
    %128 = stablehlo.transpose %127, dims = [1, 0] : (tensor<64x256xf32>) -> tensor<256x64xf32>
    %129 = stablehlo.dot_general %126, %arg5, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<256x64xf32>) -> tensor<32x256xf32>
    %130 = stablehlo.multiply %104, %129 : tensor<32x256xf32>
    %131 = stablehlo.multiply %129, %121 : tensor<32x256xf32>
    %cst_31 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
    %132 = stablehlo.broadcast_in_dim %cst_31, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %133 = stablehlo.multiply %132, %130 : tensor<32x256xf32>
    %134 = stablehlo.multiply %133, %117 : tensor<32x256xf32>
    %135 = stablehlo.multiply %134, %115 : tensor<32x256xf32>
    %136 = stablehlo.add %134, %135 : tensor<32x256xf32>
    %cst_32 = stablehlo.constant dense<0.797884583> : tensor<f32>
    %137 = stablehlo.broadcast_in_dim %cst_32, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %138 = stablehlo.multiply %137, %136 : tensor<32x256xf32>
    %139 = stablehlo.add %131, %138 : tensor<32x256xf32>
    %cst_33 = stablehlo.constant dense<4.471500e-02> : tensor<f32>
    %140 = stablehlo.broadcast_in_dim %cst_33, dims = [] : (tensor<f32>) -> tensor<32x256xf32>
    %141 = stablehlo.multiply %140, %138 : tensor<32x256xf32>
    %142 = stablehlo.multiply %141, %109 : tensor<32x256xf32>
    %143 = stablehlo.add %139, %142 : tensor<32x256xf32>
    %144 = stablehlo.dot_general %143, %103, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x256xf32>, tensor<32x64xf32>) -> tensor<256x64xf32>
    %145 = stablehlo.transpose %144, dims = [1, 0] : (tensor<256x64xf32>) -> tensor<64x256xf32>
    %146 = stablehlo.dot_general %143, %arg4, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<32x256xf32>, tensor<64x256xf32>) -> tensor<32x64xf32>
    %cst_34 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %147 = stablehlo.reduce(%146 init: %cst_34) applies stablehlo.add across dimensions = [0] : (tensor<32x64xf32>, tensor<f32>) -> tensor<64xf32>
    %148 = stablehlo.reshape %147 : (tensor<64xf32>) -> tensor<1x64xf32>
    %cst_35 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %149 = stablehlo.reduce(%148 init: %cst_35) applies stablehlo.add across dimensions = [0] : (tensor<1x64xf32>, tensor<f32>) -> tensor<64xf32>
    %150 = stablehlo.multiply %97, %146 : tensor<32x64xf32>
    %cst_36 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %151 = stablehlo.reduce(%150 init: %cst_36) applies stablehlo.add across dimensions = [0] : (tensor<32x64xf32>, tensor<f32>) -> tensor<64xf32>
    %152 = stablehlo.reshape %151 : (tensor<64xf32>) -> tensor<1x64xf32>
    %153 = stablehlo.broadcast_in_dim %98, dims = [0, 1] : (tensor<1x64xf32>) -> tensor<32x64xf32>
    %154 = stablehlo.multiply %146, %153 : tensor<32x64xf32>
    %cst_37 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %155 = stablehlo.reduce(%152 init: %cst_37) applies stablehlo.add across dimensions = [0] : (tensor<1x64xf32>, tensor<f32>) -> tensor<64xf32>
    %156 = stablehlo.multiply %89, %154 : tensor<32x64xf32>
    %cst_38 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %157 = stablehlo.reduce(%156 init: %cst_38) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %158 = stablehlo.reshape %157 : (tensor<32xf32>) -> tensor<32x1xf32>
    %159 = stablehlo.broadcast_in_dim %92, dims = [0, 1] : (tensor<32x1xf32>) -> tensor<32x64xf32>
    %160 = stablehlo.multiply %154, %159 : tensor<32x64xf32>
    %161 = stablehlo.multiply %158, %95 : tensor<32x1xf32>
    %162 = stablehlo.negate %160 : tensor<32x64xf32>
    %cst_39 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %163 = stablehlo.reduce(%162 init: %cst_39) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %164 = stablehlo.reshape %163 : (tensor<32xf32>) -> tensor<32x1xf32>
    %165 = stablehlo.add %126, %160 : tensor<32x64xf32>
    %cst_40 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %166 = stablehlo.broadcast_in_dim %cst_40, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %167 = stablehlo.divide %161, %166 : tensor<32x1xf32>
    %cst_41 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %168 = stablehlo.reduce(%167 init: %cst_41) applies stablehlo.add across dimensions = [1] : (tensor<32x1xf32>, tensor<f32>) -> tensor<32xf32>
    %169 = stablehlo.broadcast_in_dim %168, dims = [0] : (tensor<32xf32>) -> tensor<32x64xf32>
    %170 = stablehlo.multiply %169, %83 : tensor<32x64xf32>
    %171 = stablehlo.negate %170 : tensor<32x64xf32>
    %cst_42 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %172 = stablehlo.reduce(%171 init: %cst_42) applies stablehlo.add across dimensions = [1] : (tensor<32x64xf32>, tensor<f32>) -> tensor<32xf32>
    %173 = stablehlo.reshape %172 : (tensor<32xf32>) -> tensor<32x1xf32>
    %174 = stablehlo.add %165, %170 : tensor<32x64xf32>
    %175 = stablehlo.add %164, %173 : tensor<32x1xf32>
    %cst_43 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
    %176 = stablehlo.broadcast_in_dim %cst_43, dims = [] : (tensor<f32>) -> tensor<32x1xf32>
    %177 = stablehlo.divide %175, %176 : tensor<32x1xf32>
    %cst_44 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %178 = stablehlo.reduce(%177 init: %cst_44) applies stablehlo.add across dimensions = [1] : (tensor<32x1xf32>, tensor<f32>) -> tensor<32xf32>
    %179 = stablehlo.broadcast_in_dim %178, dims = [0] : (tensor<32xf32>) -> tensor<32x64xf32>
    %180 = stablehlo.add %174, %179 : tensor<32x64xf32>
    %181 = stablehlo.dot_general %180, %72, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<64x64xf32>
    %182 = stablehlo.transpose %181, dims = [1, 0] : (tensor<64x64xf32>) -> tensor<64x64xf32>
    %183 = stablehlo.dot_general %180, %arg6, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x64xf32>) -> tensor<32x64xf32>
    %184 = stablehlo.reshape %183 : (tensor<32x64xf32>) -> tensor<32x4x16xf32>
    %185 = stablehlo.transpose %184, dims = [1, 0, 2] : (tensor<32x4x16xf32>) -> tensor<4x32x16xf32>
    %186 = stablehlo.dot_general %185, %66, batching_dims = [0] x [0], contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x16xf32>, tensor<4x32x32xf32>) -> tensor<4x16x32xf32>
    %187 = stablehlo.transpose %186, dims = [0, 2, 1] : (tensor<4x16x32xf32>) -> tensor<4x32x16xf32>
    %188 = stablehlo.dot_general %185, %33, batching_dims = [0] x [0], contracting_dims = [2] x [2], precision = [DEFAULT, DEFAULT] : (tensor<4x32x16xf32>, tensor<4x32x16xf32>) -> tensor<4x32x32xf32>
    %189 = stablehlo.broadcast_in_dim %69, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %190 = stablehlo.multiply %188, %189 : tensor<4x32x32xf32>
    %191 = stablehlo.multiply %190, %62 : tensor<4x32x32xf32>
    %cst_45 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %192 = stablehlo.reduce(%191 init: %cst_45) applies stablehlo.add across dimensions = [2] : (tensor<4x32x32xf32>, tensor<f32>) -> tensor<4x32xf32>
    %193 = stablehlo.reshape %192 : (tensor<4x32xf32>) -> tensor<4x32x1xf32>
    %194 = stablehlo.negate %193 : tensor<4x32x1xf32>
    %195 = stablehlo.broadcast_in_dim %64, dims = [0, 1, 2] : (tensor<4x32x1xf32>) -> tensor<4x32x32xf32>
    %196 = stablehlo.divide %188, %195 : tensor<4x32x32xf32>
    %cst_46 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %197 = stablehlo.reduce(%194 init: %cst_46) applies stablehlo.add across dimensions = [2] : (tensor<4x32x1xf32>, tensor<f32>) -> tensor<4x32xf32>
    %198 = stablehlo.broadcast_in_dim %197, dims = [0, 1] : (tensor<4x32xf32>) -> tensor<4x32x32xf32>
    %199 = stablehlo.add %196, %198 : tensor<4x32x32xf32>
    %200 = stablehlo.multiply %199, %62 : tensor<4x32x32xf32>
    %201 = call @_where_0(%40#1, %40#2, %200) : (tensor<4x32x32xi1>, tensor<4x32x32xf32>, tensor<4x32x32xf32>) -> tensor<4x32x32xf32>
    %cst_47 = stablehlo.constant dense<4.000000e+00> : tensor<f32>
    %202 = stablehlo.broadcast_in_dim %cst_47, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    %203 = stablehlo.divide %201, %202 : tensor<4x32x32xf32>
    %204 = stablehlo.dot_general %203, %29, batching_dims = [0] x [0], contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<4x32x32xf32>, tensor<4x32x16xf32>) -> tensor<4x32x16xf32>
    %205 = stablehlo.transpose %204, dims = [0, 2, 1] : (tensor<4x32x16xf32>) -> tensor<4x16x32xf32>
    %206 = stablehlo.dot_general %203, %34, batching_dims = [0] x [0], contracting_dims = [2] x [2], precision = [DEFAULT, DEFAULT] : (tensor<4x32x32xf32>, tensor<4x16x32xf32>) -> tensor<4x32x16xf32>
    %207 = stablehlo.transpose %205, dims = [0, 2, 1] : (tensor<4x16x32xf32>) -> tensor<4x32x16xf32>
    %208 = stablehlo.transpose %187, dims = [1, 0, 2] : (tensor<4x32x16xf32>) -> tensor<32x4x16xf32>
    %209 = stablehlo.reshape %208 : (tensor<32x4x16xf32>) -> tensor<32x64xf32>
    %210 = stablehlo.transpose %207, dims = [1, 0, 2] : (tensor<4x32x16xf32>) -> tensor<32x4x16xf32>
    %211 = stablehlo.reshape %210 : (tensor<32x4x16xf32>) -> tensor<32x64xf32>
    %212 = stablehlo.transpose %206, dims = [1, 0, 2] : (tensor<4x32x16xf32>) -> tensor<32x4x16xf32>
    %213 = stablehlo.reshape %212 : (tensor<32x4x16xf32>) -> tensor<32x64xf32>
    %214 = stablehlo.concatenate %213, %211, %209, dim = 1 : (tensor<32x64xf32>, tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<32x192xf32>
    %215 = stablehlo.dot_general %214, %23, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x192xf32>, tensor<32x64xf32>) -> tensor<192x64xf32>
    %216 = stablehlo.transpose %215, dims = [1, 0] : (tensor<192x64xf32>) -> tensor<64x192xf32>
    %217 = stablehlo.dot_general %214, %arg7, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<32x192xf32>, tensor<64x192xf32>) -> tensor<32x64xf32>
    %cst_48 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %218 = stablehlo.reduce(%217 init: %cst_48) applies stablehlo.add across dimensions = [0] : (tensor<32x64xf32>, tensor<f32>) -> tensor<64xf32>
    %219 = stablehlo.reshape %218 : (tensor<64xf32>) -> tensor<1x64xf32>
    %cst_49 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %220 = stablehlo.reduce(%219 init: %cst_49) applies stablehlo.add across dimensions = [0] : (tensor<1x64xf32>, tensor<f32>) -> tensor<64xf32>
    %221 = stablehlo.multiply %17, %217 : tensor<32x64xf32>
    %cst_50 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %222 = stablehlo.reduce(%221 init: %cst_50) applies stablehlo.add across dimensions = [0] : (tensor<32x64xf32>, tensor<f32>) -> tensor<64xf32>
    %223 = stablehlo.reshape %222 : (tensor<64xf32>) -> tensor<1x64xf32>
    %cst_51 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %224 = stablehlo.reduce(%223 init: %cst_51) applies stablehlo.add across dimensions = [0] : (tensor<1x64xf32>, tensor<f32>) -> tensor<64xf32>
    return %220, %149, %224, %155, %145, %128, %182, %216 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64x256xf32>, tensor<256x64xf32>, tensor<64x64xf32>, tensor<64x192xf32>
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
  func.func private @_where(%arg0: tensor<32x32xi1>, %arg1: tensor<4x32x32xf32>, %arg2: tensor<f32>) -> (tensor<4x32x32xf32>, tensor<4x32x32xi1>, tensor<4x32x32xf32>) {
    %0 = stablehlo.convert %arg2 : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %arg0, dims = [1, 2] : (tensor<32x32xi1>) -> tensor<4x32x32xi1>
    %2 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    %3 = stablehlo.select %1, %arg1, %2 : tensor<4x32x32xi1>, tensor<4x32x32xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %4 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    return %3, %1, %4 : tensor<4x32x32xf32>, tensor<4x32x32xi1>, tensor<4x32x32xf32>
  }
  func.func private @_where_0(%arg0: tensor<4x32x32xi1>, %arg1: tensor<4x32x32xf32>, %arg2: tensor<4x32x32xf32>) -> tensor<4x32x32xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x32x32xf32>
    %1 = stablehlo.select %arg0, %arg2, %0 : tensor<4x32x32xi1>, tensor<4x32x32xf32>
    return %1 : tensor<4x32x32xf32>
  }
}
