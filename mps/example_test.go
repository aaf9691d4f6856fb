package mps_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
)

func Example() {
	ctx := context.Background()
	dev, err := mps.Open(ctx, mps.Options{Backend: cpu.Options{}}) // without a backend: the GPU of a Mac
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	a, err := mps.MatrixOf(dev, 2, 3, []float32{1, 2, 3, 4, 5, 6})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	c, err := dev.NewMatrix(2, 2, dtype.F32)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err = dev.Do(ctx, func(b *mps.Batch) error {
		b.MatMul(c, a, a, mps.MatMulOptions{TransposeRight: true})
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Floats())
	// Output: [14 32 32 77] <nil>
}

// What does not fit is an error before anything is sent.
func ExampleDevice_Do() {
	ctx := context.Background()
	dev, err := mps.Open(ctx, mps.Options{Backend: cpu.Options{}})
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	a, err := dev.NewMatrix(2, 3, dtype.F32)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	err = dev.Do(ctx, func(b *mps.Batch) error {
		b.MatMul(a, a, a, mps.MatMulOptions{})
		return nil
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, isthmus.ErrInvalid))
	// Output:
	// mps: matmul: right: 2 rows after transposing, and left has 3 columns; they must be equal: invalid
	// true
}
