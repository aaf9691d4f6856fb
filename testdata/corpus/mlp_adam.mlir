module @jit_adam attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<64x128xf32>, %arg1: tensor<128xf32>, %arg2: tensor<128x10xf32>, %arg3: tensor<10xf32>, %arg4: tensor<64x128xf32>, %arg5: tensor<128xf32>, %arg6: tensor<128x10xf32>, %arg7: tensor<10xf32>, %arg8: tensor<64x128xf32>, %arg9: tensor<128xf32>, %arg10: tensor<128x10xf32>, %arg11: tensor<10xf32>, %arg12: tensor<f32>, %arg13: tensor<32x64xf32>, %arg14: tensor<32x10xf32>) -> (tensor<64x128xf32> {jax.result_info = "result[0][0][0]"}, tensor<128xf32> {jax.result_info = "result[0][0][1]"}, tensor<128x10xf32> {jax.result_info = "result[0][1][0]"}, tensor<10xf32> {jax.result_info = "result[0][1][1]"}, tensor<64x128xf32> {jax.result_info = "result[1][0][0]"}, tensor<128xf32> {jax.result_info = "result[1][0][1]"}, tensor<128x10xf32> {jax.result_info = "result[1][1][0]"}, tensor<10xf32> {jax.result_info = "result[1][1][1]"}, tensor<64x128xf32> {jax.result_info = "result[2][0][0]"}, tensor<128xf32> {jax.result_info = "result[2][0][1]"}, tensor<128x10xf32> {jax.result_info = "result[2][1][0]"}, tensor<10xf32> {jax.result_info = "result[2][1][1]"}) {
    %0 = stablehlo.dot_general %arg13, %arg0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x64xf32>, tensor<64x128xf32>) -> tensor<32x128xf32>
    %1 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<128xf32>) -> tensor<1x128xf32>
    %2 = stablehlo.broadcast_in_dim %1, dims = [0, 1] : (tensor<1x128xf32>) -> tensor<32x128xf32>
    %3 = stablehlo.add %0, %2 : tensor<32x128xf32>
    %4 = call @relu(%3) : (tensor<32x128xf32>) -> tensor<32x128xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x128xf32>
    %6 = stablehlo.compare GT, %3, %5, FLOAT : (tensor<32x128xf32>, tensor<32x128xf32>) -> tensor<32x128xi1>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %7 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<32x128xf32>
    %8 = stablehlo.dot_general %4, %arg2, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x128xf32>, tensor<128x10xf32>) -> tensor<32x10xf32>
    %9 = stablehlo.broadcast_in_dim %arg3, dims = [1] : (tensor<10xf32>) -> tensor<1x10xf32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [0, 1] : (tensor<1x10xf32>) -> tensor<32x10xf32>
    %11 = stablehlo.add %8, %10 : tensor<32x10xf32>
    %12 = stablehlo.subtract %11, %arg14 : tensor<32x10xf32>
    %13 = stablehlo.multiply %12, %12 : tensor<32x10xf32>
    %cst_1 = stablehlo.constant dense<2.000000e+00> : tensor<f32>
    %14 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<32x10xf32>
    %15 = stablehlo.multiply %14, %12 : tensor<32x10xf32>
    %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %16 = stablehlo.reduce(%13 init: %cst_2) applies stablehlo.add across dimensions = [0, 1] : (tensor<32x10xf32>, tensor<f32>) -> tensor<f32>
    %cst_3 = stablehlo.constant dense<3.200000e+02> : tensor<f32>
    %17 = stablehlo.divide %16, %cst_3 : tensor<f32>
    %cst_4 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %cst_5 = stablehlo.constant dense<3.200000e+02> : tensor<f32>
    %18 = stablehlo.divide %cst_4, %cst_5 : tensor<f32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [] : (tensor<f32>) -> tensor<32x10xf32>
    %20 = stablehlo.multiply %19, %15 : tensor<32x10xf32>
    %cst_6 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %21 = stablehlo.reduce(%20 init: %cst_6) applies stablehlo.add across dimensions = [0] : (tensor<32x10xf32>, tensor<f32>) -> tensor<10xf32>
    %22 = stablehlo.reshape %21 : (tensor<10xf32>) -> tensor<1x10xf32>
    %cst_7 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %23 = stablehlo.reduce(%22 init: %cst_7) applies stablehlo.add across dimensions = [0] : (tensor<1x10xf32>, tensor<f32>) -> tensor<10xf32>
    %24 = stablehlo.dot_general %20, %4, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x10xf32>, tensor<32x128xf32>) -> tensor<10x128xf32>
    %25 = stablehlo.transpose %24, dims = [1, 0] : (tensor<10x128xf32>) -> tensor<128x10xf32>
    %26 = stablehlo.dot_general %20, %arg2, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<32x10xf32>, tensor<128x10xf32>) -> tensor<32x128xf32>
    %cst_8 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %27 = stablehlo.broadcast_in_dim %cst_8, dims = [] : (tensor<f32>) -> tensor<32x128xf32>
    %28 = stablehlo.select %6, %26, %27 : tensor<32x128xi1>, tensor<32x128xf32>
    %cst_9 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %29 = stablehlo.reduce(%28 init: %cst_9) applies stablehlo.add across dimensions = [0] : (tensor<32x128xf32>, tensor<f32>) -> tensor<128xf32>
    %30 = stablehlo.reshape %29 : (tensor<128xf32>) -> tensor<1x128xf32>
    %cst_10 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %31 = stablehlo.reduce(%30 init: %cst_10) applies stablehlo.add across dimensions = [0] : (tensor<1x128xf32>, tensor<f32>) -> tensor<128xf32>
    %32 = stablehlo.dot_general %28, %arg13, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<32x128xf32>, tensor<32x64xf32>) -> tensor<128x64xf32>
    %33 = stablehlo.transpose %32, dims = [1, 0] : (tensor<128x64xf32>) -> tensor<64x128xf32>
    %cst_11 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %34 = stablehlo.broadcast_in_dim %cst_11, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %35 = stablehlo.multiply %34, %arg4 : tensor<64x128xf32>
    %cst_12 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %36 = stablehlo.broadcast_in_dim %cst_12, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %37 = stablehlo.multiply %36, %33 : tensor<64x128xf32>
    %38 = stablehlo.add %35, %37 : tensor<64x128xf32>
    %cst_13 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %39 = stablehlo.broadcast_in_dim %cst_13, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %40 = stablehlo.multiply %39, %arg5 : tensor<128xf32>
    %cst_14 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %41 = stablehlo.broadcast_in_dim %cst_14, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %42 = stablehlo.multiply %41, %31 : tensor<128xf32>
    %43 = stablehlo.add %40, %42 : tensor<128xf32>
    %cst_15 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %44 = stablehlo.broadcast_in_dim %cst_15, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %45 = stablehlo.multiply %44, %arg6 : tensor<128x10xf32>
    %cst_16 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %46 = stablehlo.broadcast_in_dim %cst_16, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %47 = stablehlo.multiply %46, %25 : tensor<128x10xf32>
    %48 = stablehlo.add %45, %47 : tensor<128x10xf32>
    %cst_17 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %49 = stablehlo.broadcast_in_dim %cst_17, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %50 = stablehlo.multiply %49, %arg7 : tensor<10xf32>
    %cst_18 = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %51 = stablehlo.broadcast_in_dim %cst_18, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %52 = stablehlo.multiply %51, %23 : tensor<10xf32>
    %53 = stablehlo.add %50, %52 : tensor<10xf32>
    %cst_19 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %54 = stablehlo.broadcast_in_dim %cst_19, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %55 = stablehlo.multiply %54, %arg8 : tensor<64x128xf32>
    %cst_20 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %56 = stablehlo.broadcast_in_dim %cst_20, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %57 = stablehlo.multiply %56, %33 : tensor<64x128xf32>
    %58 = stablehlo.multiply %57, %33 : tensor<64x128xf32>
    %59 = stablehlo.add %55, %58 : tensor<64x128xf32>
    %cst_21 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %60 = stablehlo.broadcast_in_dim %cst_21, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %61 = stablehlo.multiply %60, %arg9 : tensor<128xf32>
    %cst_22 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %62 = stablehlo.broadcast_in_dim %cst_22, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %63 = stablehlo.multiply %62, %31 : tensor<128xf32>
    %64 = stablehlo.multiply %63, %31 : tensor<128xf32>
    %65 = stablehlo.add %61, %64 : tensor<128xf32>
    %cst_23 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %66 = stablehlo.broadcast_in_dim %cst_23, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %67 = stablehlo.multiply %66, %arg10 : tensor<128x10xf32>
    %cst_24 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %68 = stablehlo.broadcast_in_dim %cst_24, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %69 = stablehlo.multiply %68, %25 : tensor<128x10xf32>
    %70 = stablehlo.multiply %69, %25 : tensor<128x10xf32>
    %71 = stablehlo.add %67, %70 : tensor<128x10xf32>
    %cst_25 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %72 = stablehlo.broadcast_in_dim %cst_25, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %73 = stablehlo.multiply %72, %arg11 : tensor<10xf32>
    %cst_26 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %74 = stablehlo.broadcast_in_dim %cst_26, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %75 = stablehlo.multiply %74, %23 : tensor<10xf32>
    %76 = stablehlo.multiply %75, %23 : tensor<10xf32>
    %77 = stablehlo.add %73, %76 : tensor<10xf32>
    %cst_27 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %78 = stablehlo.power %cst_27, %arg12 : tensor<f32>
    %cst_28 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %79 = stablehlo.subtract %cst_28, %78 : tensor<f32>
    %80 = stablehlo.broadcast_in_dim %79, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %81 = stablehlo.divide %38, %80 : tensor<64x128xf32>
    %cst_29 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %82 = stablehlo.broadcast_in_dim %cst_29, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %83 = stablehlo.multiply %82, %81 : tensor<64x128xf32>
    %cst_30 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %84 = stablehlo.power %cst_30, %arg12 : tensor<f32>
    %cst_31 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %85 = stablehlo.subtract %cst_31, %84 : tensor<f32>
    %86 = stablehlo.broadcast_in_dim %85, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %87 = stablehlo.divide %59, %86 : tensor<64x128xf32>
    %88 = stablehlo.sqrt %87 : tensor<64x128xf32>
    %cst_32 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %89 = stablehlo.broadcast_in_dim %cst_32, dims = [] : (tensor<f32>) -> tensor<64x128xf32>
    %90 = stablehlo.add %88, %89 : tensor<64x128xf32>
    %91 = stablehlo.divide %83, %90 : tensor<64x128xf32>
    %92 = stablehlo.subtract %arg0, %91 : tensor<64x128xf32>
    %cst_33 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %93 = stablehlo.power %cst_33, %arg12 : tensor<f32>
    %cst_34 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %94 = stablehlo.subtract %cst_34, %93 : tensor<f32>
    %95 = stablehlo.broadcast_in_dim %94, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %96 = stablehlo.divide %43, %95 : tensor<128xf32>
    %cst_35 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %97 = stablehlo.broadcast_in_dim %cst_35, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %98 = stablehlo.multiply %97, %96 : tensor<128xf32>
    %cst_36 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %99 = stablehlo.power %cst_36, %arg12 : tensor<f32>
    %cst_37 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %100 = stablehlo.subtract %cst_37, %99 : tensor<f32>
    %101 = stablehlo.broadcast_in_dim %100, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %102 = stablehlo.divide %65, %101 : tensor<128xf32>
    %103 = stablehlo.sqrt %102 : tensor<128xf32>
    %cst_38 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %104 = stablehlo.broadcast_in_dim %cst_38, dims = [] : (tensor<f32>) -> tensor<128xf32>
    %105 = stablehlo.add %103, %104 : tensor<128xf32>
    %106 = stablehlo.divide %98, %105 : tensor<128xf32>
    %107 = stablehlo.subtract %arg1, %106 : tensor<128xf32>
    %cst_39 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %108 = stablehlo.power %cst_39, %arg12 : tensor<f32>
    %cst_40 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %109 = stablehlo.subtract %cst_40, %108 : tensor<f32>
    %110 = stablehlo.broadcast_in_dim %109, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %111 = stablehlo.divide %48, %110 : tensor<128x10xf32>
    %cst_41 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %112 = stablehlo.broadcast_in_dim %cst_41, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %113 = stablehlo.multiply %112, %111 : tensor<128x10xf32>
    %cst_42 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %114 = stablehlo.power %cst_42, %arg12 : tensor<f32>
    %cst_43 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %115 = stablehlo.subtract %cst_43, %114 : tensor<f32>
    %116 = stablehlo.broadcast_in_dim %115, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %117 = stablehlo.divide %71, %116 : tensor<128x10xf32>
    %118 = stablehlo.sqrt %117 : tensor<128x10xf32>
    %cst_44 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %119 = stablehlo.broadcast_in_dim %cst_44, dims = [] : (tensor<f32>) -> tensor<128x10xf32>
    %120 = stablehlo.add %118, %119 : tensor<128x10xf32>
    %121 = stablehlo.divide %113, %120 : tensor<128x10xf32>
    %122 = stablehlo.subtract %arg2, %121 : tensor<128x10xf32>
    %cst_45 = stablehlo.constant dense<0.899999976> : tensor<f32>
    %123 = stablehlo.power %cst_45, %arg12 : tensor<f32>
    %cst_46 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %124 = stablehlo.subtract %cst_46, %123 : tensor<f32>
    %125 = stablehlo.broadcast_in_dim %124, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %126 = stablehlo.divide %53, %125 : tensor<10xf32>
    %cst_47 = stablehlo.constant dense<1.000000e-03> : tensor<f32>
    %127 = stablehlo.broadcast_in_dim %cst_47, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %128 = stablehlo.multiply %127, %126 : tensor<10xf32>
    %cst_48 = stablehlo.constant dense<9.990000e-01> : tensor<f32>
    %129 = stablehlo.power %cst_48, %arg12 : tensor<f32>
    %cst_49 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %130 = stablehlo.subtract %cst_49, %129 : tensor<f32>
    %131 = stablehlo.broadcast_in_dim %130, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %132 = stablehlo.divide %77, %131 : tensor<10xf32>
    %133 = stablehlo.sqrt %132 : tensor<10xf32>
    %cst_50 = stablehlo.constant dense<9.99999993E-9> : tensor<f32>
    %134 = stablehlo.broadcast_in_dim %cst_50, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %135 = stablehlo.add %133, %134 : tensor<10xf32>
    %136 = stablehlo.divide %128, %135 : tensor<10xf32>
    %137 = stablehlo.subtract %arg3, %136 : tensor<10xf32>
    return %92, %107, %122, %137, %38, %43, %48, %53, %59, %65, %71, %77 : tensor<64x128xf32>, tensor<128xf32>, tensor<128x10xf32>, tensor<10xf32>, tensor<64x128xf32>, tensor<128xf32>, tensor<128x10xf32>, tensor<10xf32>, tensor<64x128xf32>, tensor<128xf32>, tensor<128x10xf32>, tensor<10xf32>
  }
  func.func private @relu(%arg0: tensor<32x128xf32>) -> tensor<32x128xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<32x128xf32>
    %1 = stablehlo.maximum %arg0, %0 : tensor<32x128xf32>
    return %1 : tensor<32x128xf32>
  }
}
