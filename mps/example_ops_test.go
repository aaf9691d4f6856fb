package mps_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
)

// The examples below open the processor, make their matrices and show them by these; each error ends the program.

func processor() *mps.Device {
	return must(mps.Open(context.Background(), mps.Options{Backend: cpu.Options{}}))
}

func matrix(dev *mps.Device, rows, columns int, values ...float32) *mps.Matrix {
	if len(values) == 0 {
		return must(dev.NewMatrix(rows, columns, dtype.F32))
	}
	return must(mps.MatrixOf(dev, rows, columns, values))
}

func run(dev *mps.Device, f func(b *mps.Batch)) {
	if err := dev.Do(context.Background(), func(b *mps.Batch) error { f(b); return nil }); err != nil {
		log.Fatal(err)
	}
}

func show(m *mps.Matrix) { fmt.Printf("%.3g\n", must(m.Floats())) }

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// Two products at once: each of two matrices with the same right side, halved, and added to what the result has.
func ExampleBatch_MatMul() {
	dev := processor()
	defer dev.Close()
	x := must(dev.NewMatrices(mps.Layout{Type: dtype.F32, Count: 2, Rows: 1, Columns: 2}))
	defer x.Close()
	z := must(dev.NewMatrices(mps.Layout{Type: dtype.F32, Count: 2, Rows: 1, Columns: 2}))
	defer z.Close()
	y := matrix(dev, 2, 2, 1, 2, 3, 4)
	defer y.Close()
	if err := errors.Join(x.Write([]float32{1, 0, 0, 1}), z.Write([]float32{10, 10, 20, 20})); err != nil {
		log.Fatal(err)
	}
	run(dev, func(b *mps.Batch) { b.MatMul(z, x, y, mps.MatMulOptions{Alpha: 0.5, Beta: 1}) })
	show(z)
	// Output: [10.5 11 21.5 22]
}

func ExampleBatch_MatVec() {
	dev := processor()
	defer dev.Close()
	a := matrix(dev, 2, 3, 1, 2, 3, 4, 5, 6)
	defer a.Close()
	v := must(mps.VectorOf(dev, []float32{1, 0, -1}))
	defer v.Close()
	z := must(dev.NewVector(2, dtype.F32))
	defer z.Close()
	run(dev, func(b *mps.Batch) { b.MatVec(z, a, v, mps.MatVecOptions{}) })
	fmt.Println(z.Floats())
	// Output: [-2 -2] <nil>
}

func ExampleBatch_Softmax() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 2, 2, 5, 5, 0, 1)
	defer x.Close()
	run(dev, func(b *mps.Batch) { b.Softmax(x, x) })
	show(x)
	// Output: [0.5 0.5 0.269 0.731]
}

func ExampleBatch_RMSNorm() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 1, 2, 3, 4)
	defer x.Close()
	weight := must(mps.VectorOf(dev, []float32{1, 10}))
	defer weight.Close()
	run(dev, func(b *mps.Batch) { b.RMSNorm(x, x, weight, 1e-6) })
	show(x)
	// Output: [0.849 11.3]
}

func ExampleBatch_LayerNorm() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 1, 4, 1, 1, 3, 3)
	defer x.Close()
	run(dev, func(b *mps.Batch) { b.LayerNorm(x, x, nil, nil, 0) })
	show(x)
	// Output: [-1 -1 1 1]
}

func ExampleBatch_Neuron() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 1, 3, -2, 0, 2)
	defer x.Close()
	bias := must(mps.VectorOf(dev, []float32{0, 1, 0}))
	defer bias.Close()
	run(dev, func(b *mps.Batch) { b.Neuron(x, x, bias, mps.GELU, 1) })
	show(x)
	// Output: [-0.0455 0.841 1.95]
}

// Of two positions the first is turned by no angle, the second by one radian.
func ExampleBatch_RoPE() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 2, 2, 1, 0, 1, 0)
	defer x.Close()
	run(dev, func(b *mps.Batch) { b.RoPE(x, x, mps.RoPEOptions{Head: 2}) })
	show(x)
	// Output: [1 0 0.54 0.841]
}

// The first row of a causal attention sees the first key alone.
func ExampleBatch_Attention() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 2, 2, 1, 0, 0, 1)
	defer x.Close()
	value := matrix(dev, 2, 1, 10, 20)
	defer value.Close()
	z := matrix(dev, 2, 1)
	defer z.Close()
	run(dev, func(b *mps.Batch) { b.Attention(z, x, x, value, mps.AttentionOptions{Scale: 0.7071, Causal: true}) })
	show(z)
	// Output: [10 16.7]
}

func ExampleBatch_Sum() {
	dev := processor()
	defer dev.Close()
	x, y := matrix(dev, 1, 2, 1, 2), matrix(dev, 1, 2, 10, 20)
	defer x.Close()
	defer y.Close()
	run(dev, func(b *mps.Batch) { b.Sum(x, x, y, y) })
	show(x)
	// Output: [21 42]
}

func ExampleBatch_TopK() {
	dev := processor()
	defer dev.Close()
	x, values := matrix(dev, 1, 4, 3, 9, 1, 7), matrix(dev, 1, 2)
	defer x.Close()
	defer values.Close()
	columns := must(dev.NewMatrix(1, 2, dtype.U32))
	defer columns.Close()
	run(dev, func(b *mps.Batch) { b.TopK(columns, values, x, 2) })
	fmt.Println(mps.Values[uint32](columns))
	show(values)
	// Output:
	// [1 3] <nil>
	// [9 7]
}

// Copy transposes, and converts: to integers it truncates.
func ExampleBatch_Copy() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 2, 2, 1.9, -1.9, 300, 4)
	defer x.Close()
	z := must(dev.NewMatrix(2, 2, dtype.I8))
	defer z.Close()
	run(dev, func(b *mps.Batch) { b.Copy(z, x, true) })
	fmt.Println(mps.Values[int8](z))
	// Output: [1 127 -1 4] <nil>
}

// One seed gives the same numbers on every device.
func ExampleBatch_Bits() {
	dev := processor()
	defer dev.Close()
	x := must(dev.NewMatrix(1, 2, dtype.U32))
	defer x.Close()
	run(dev, func(b *mps.Batch) { b.Bits(x, 0) })
	fmt.Printf("%x\n", must(mps.Values[uint32](x)))
	// Output: [6627e8d5 e169c58d]
}

func ExampleBatch_Normal() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 1, 2)
	defer x.Close()
	run(dev, func(b *mps.Batch) { b.Normal(x, 1, 0, 1) })
	show(x)
	// Output: [0.38 -0.296]
}

// A system with a symmetric, positive definite matrix; for one that is not the error is ErrNotPositiveDefinite.
func ExampleBatch_Cholesky() {
	dev := processor()
	defer dev.Close()
	a, x := matrix(dev, 2, 2, 4, 2, 2, 3), matrix(dev, 2, 1, 8, 8)
	defer a.Close()
	defer x.Close()
	run(dev, func(b *mps.Batch) {
		b.Cholesky(a, a, true)
		b.SolveCholesky(x, a, x, true)
	})
	show(x)
	if err := a.Write([]float32{1, 2, 2, 1}); err != nil {
		log.Fatal(err)
	}
	err := dev.Do(context.Background(), func(b *mps.Batch) error { b.Cholesky(a, a, true); return nil })
	fmt.Println(errors.Is(err, mps.ErrNotPositiveDefinite))
	// Output:
	// [1 2]
	// true
}

func ExampleBatch_LU() {
	dev := processor()
	defer dev.Close()
	a, x := matrix(dev, 2, 2, 0, 2, 3, 4), matrix(dev, 2, 1, 4, 11)
	defer a.Close()
	defer x.Close()
	pivots := must(dev.NewMatrix(1, 2, dtype.U32))
	defer pivots.Close()
	run(dev, func(b *mps.Batch) {
		b.LU(a, pivots, a)
		b.SolveLU(x, a, pivots, x, false)
	})
	show(x)
	// Output: [1 2]
}

func ExampleBatch_SolveTriangular() {
	dev := processor()
	defer dev.Close()
	a, x := matrix(dev, 2, 2, 2, 0, 1, 4), matrix(dev, 2, 1, 2, 9)
	defer a.Close()
	defer x.Close()
	run(dev, func(b *mps.Batch) { b.SolveTriangular(x, a, x, mps.SolveOptions{}) })
	show(x)
	// Output: [1 2]
}

// Start lets the host go on while the device works. Until the run is over the matrix is the device's.
func ExampleDevice_Start() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 1, 2, 1, 2)
	defer x.Close()
	ctx := context.Background()
	r := must(dev.Start(ctx, func(b *mps.Batch) error { b.Sum(x, x, x); return nil }))
	// …
	if err := r.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	show(x)
	// Output: [2 4]
}

// A view is a part of a matrix, in the same memory.
func ExampleMatrix_View() {
	dev := processor()
	defer dev.Close()
	x := matrix(dev, 2, 3, 1, 2, 3, 4, 5, 6)
	defer x.Close()
	right := must(x.View(0, 1, 2, 2))
	run(dev, func(b *mps.Batch) { b.Sum(right, right, right) })
	show(x)
	// Output: [1 4 6 4 10 12]
}
