module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<100xf32>) -> (tensor<100xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.slice %arg0 [0:99:2] : (tensor<100xf32>) -> tensor<50xf32>
    %1 = stablehlo.slice %arg0 [1:100:2] : (tensor<100xf32>) -> tensor<50xf32>
    %2 = stablehlo.add %0, %1 : tensor<50xf32>
    %3 = stablehlo.slice %2 [0:49:2] : (tensor<50xf32>) -> tensor<25xf32>
    %4 = stablehlo.slice %2 [1:50:2] : (tensor<50xf32>) -> tensor<25xf32>
    %5 = stablehlo.add %3, %4 : tensor<25xf32>
    %6 = stablehlo.slice %5 [0:24:2] : (tensor<25xf32>) -> tensor<12xf32>
    %7 = stablehlo.slice %5 [1:25:2] : (tensor<25xf32>) -> tensor<12xf32>
    %8 = stablehlo.add %6, %7 : tensor<12xf32>
    %9 = stablehlo.slice %8 [0:11:2] : (tensor<12xf32>) -> tensor<6xf32>
    %10 = stablehlo.slice %8 [1:12:2] : (tensor<12xf32>) -> tensor<6xf32>
    %11 = stablehlo.add %9, %10 : tensor<6xf32>
    %12 = stablehlo.slice %11 [0:5:2] : (tensor<6xf32>) -> tensor<3xf32>
    %13 = stablehlo.slice %11 [1:6:2] : (tensor<6xf32>) -> tensor<3xf32>
    %14 = stablehlo.add %12, %13 : tensor<3xf32>
    %15 = stablehlo.slice %14 [0:2:2] : (tensor<3xf32>) -> tensor<1xf32>
    %16 = stablehlo.slice %14 [1:3:2] : (tensor<3xf32>) -> tensor<1xf32>
    %17 = stablehlo.add %15, %16 : tensor<1xf32>
    %18 = stablehlo.slice %14 [2:3:2] : (tensor<3xf32>) -> tensor<1xf32>
    %19 = stablehlo.add %17, %18 : tensor<1xf32>
    %20 = stablehlo.slice %14 [0:1] : (tensor<3xf32>) -> tensor<1xf32>
    %21 = stablehlo.concatenate %20, %19, dim = 0 : (tensor<1xf32>, tensor<1xf32>) -> tensor<2xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %22 = stablehlo.pad %21, %cst, low = [0], high = [0], interior = [1] : (tensor<2xf32>, tensor<f32>) -> tensor<3xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %23 = stablehlo.pad %17, %cst_0, low = [1], high = [1], interior = [1] : (tensor<1xf32>, tensor<f32>) -> tensor<3xf32>
    %24 = stablehlo.add %22, %23 : tensor<3xf32>
    %25 = stablehlo.slice %24 [0:2] : (tensor<3xf32>) -> tensor<2xf32>
    %26 = stablehlo.slice %11 [2:6:2] : (tensor<6xf32>) -> tensor<2xf32>
    %27 = stablehlo.add %25, %26 : tensor<2xf32>
    %28 = stablehlo.slice %11 [0:1] : (tensor<6xf32>) -> tensor<1xf32>
    %29 = stablehlo.concatenate %28, %27, dim = 0 : (tensor<1xf32>, tensor<2xf32>) -> tensor<3xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %30 = stablehlo.pad %29, %cst_1, low = [0], high = [1], interior = [1] : (tensor<3xf32>, tensor<f32>) -> tensor<6xf32>
    %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %31 = stablehlo.pad %24, %cst_2, low = [1], high = [0], interior = [1] : (tensor<3xf32>, tensor<f32>) -> tensor<6xf32>
    %32 = stablehlo.add %30, %31 : tensor<6xf32>
    %33 = stablehlo.slice %32 [0:5] : (tensor<6xf32>) -> tensor<5xf32>
    %34 = stablehlo.slice %8 [2:12:2] : (tensor<12xf32>) -> tensor<5xf32>
    %35 = stablehlo.add %33, %34 : tensor<5xf32>
    %36 = stablehlo.slice %8 [0:1] : (tensor<12xf32>) -> tensor<1xf32>
    %37 = stablehlo.concatenate %36, %35, dim = 0 : (tensor<1xf32>, tensor<5xf32>) -> tensor<6xf32>
    %cst_3 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %38 = stablehlo.pad %37, %cst_3, low = [0], high = [1], interior = [1] : (tensor<6xf32>, tensor<f32>) -> tensor<12xf32>
    %cst_4 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %39 = stablehlo.pad %32, %cst_4, low = [1], high = [0], interior = [1] : (tensor<6xf32>, tensor<f32>) -> tensor<12xf32>
    %40 = stablehlo.add %38, %39 : tensor<12xf32>
    %41 = stablehlo.slice %5 [2:25:2] : (tensor<25xf32>) -> tensor<12xf32>
    %42 = stablehlo.add %40, %41 : tensor<12xf32>
    %43 = stablehlo.slice %5 [0:1] : (tensor<25xf32>) -> tensor<1xf32>
    %44 = stablehlo.concatenate %43, %42, dim = 0 : (tensor<1xf32>, tensor<12xf32>) -> tensor<13xf32>
    %cst_5 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %45 = stablehlo.pad %44, %cst_5, low = [0], high = [0], interior = [1] : (tensor<13xf32>, tensor<f32>) -> tensor<25xf32>
    %cst_6 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %46 = stablehlo.pad %40, %cst_6, low = [1], high = [1], interior = [1] : (tensor<12xf32>, tensor<f32>) -> tensor<25xf32>
    %47 = stablehlo.add %45, %46 : tensor<25xf32>
    %48 = stablehlo.slice %47 [0:24] : (tensor<25xf32>) -> tensor<24xf32>
    %49 = stablehlo.slice %2 [2:50:2] : (tensor<50xf32>) -> tensor<24xf32>
    %50 = stablehlo.add %48, %49 : tensor<24xf32>
    %51 = stablehlo.slice %2 [0:1] : (tensor<50xf32>) -> tensor<1xf32>
    %52 = stablehlo.concatenate %51, %50, dim = 0 : (tensor<1xf32>, tensor<24xf32>) -> tensor<25xf32>
    %cst_7 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %53 = stablehlo.pad %52, %cst_7, low = [0], high = [1], interior = [1] : (tensor<25xf32>, tensor<f32>) -> tensor<50xf32>
    %cst_8 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %54 = stablehlo.pad %47, %cst_8, low = [1], high = [0], interior = [1] : (tensor<25xf32>, tensor<f32>) -> tensor<50xf32>
    %55 = stablehlo.add %53, %54 : tensor<50xf32>
    %56 = stablehlo.slice %55 [0:49] : (tensor<50xf32>) -> tensor<49xf32>
    %57 = stablehlo.slice %arg0 [2:100:2] : (tensor<100xf32>) -> tensor<49xf32>
    %58 = stablehlo.add %56, %57 : tensor<49xf32>
    %59 = stablehlo.slice %arg0 [0:1] : (tensor<100xf32>) -> tensor<1xf32>
    %60 = stablehlo.concatenate %59, %58, dim = 0 : (tensor<1xf32>, tensor<49xf32>) -> tensor<50xf32>
    %cst_9 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %61 = stablehlo.pad %60, %cst_9, low = [0], high = [1], interior = [1] : (tensor<50xf32>, tensor<f32>) -> tensor<100xf32>
    %cst_10 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %62 = stablehlo.pad %55, %cst_10, low = [1], high = [0], interior = [1] : (tensor<50xf32>, tensor<f32>) -> tensor<100xf32>
    %63 = stablehlo.add %61, %62 : tensor<100xf32>
    return %63 : tensor<100xf32>
  }
}
