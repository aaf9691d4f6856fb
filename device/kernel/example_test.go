package kernel_test

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

func ExampleTable() {
	k := kernel.Best()
	x := []float32{1, 2, 3, 4}
	y := make([]float32, len(x))
	k.F32.VS[kernel.Mul](y, x, 10)
	k.F32.VV[kernel.Add](y, y, x)
	fmt.Println(y, k.F32.Reduce[kernel.Max](y))
	// Output: [11 22 33 44] 44
}

func ExampleTable_Gemm32() {
	pool := kernel.NewPool(0)
	defer pool.Close()
	c := make([]float32, 2*2)
	kernel.Best().Gemm32(&kernel.Gemm[float32]{
		M: 2, N: 2, K: 3,
		A:       kernel.RowMajor([]float32{1, 2, 3, 4, 5, 6}, 3),
		B:       kernel.RowMajor([]float32{1, 2, 3, 4, 5, 6}, 3).T(), // 2 rows of 3, read as 3 x 2
		C:       kernel.RowMajor(c, 2),
		ColBias: []float32{-20, 0},
		ReLU:    true,
	}, pool.Run)
	fmt.Println(c)
	// Output: [0 32 12 77]
}

func ExamplePool() {
	pool := kernel.NewPool(4)
	defer pool.Close()
	squares := make([]int, 5)
	pool.Run(len(squares), func(i int) { squares[i] = i * i })
	fmt.Println(squares)
	// Output: [0 1 4 9 16]
}
