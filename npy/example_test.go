package npy_test

import (
	"bytes"
	"fmt"

	"github.com/isthmus-ffi/isthmus/npy"
)

func Example() {
	a, err := npy.FromSlice([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	if err := npy.Write(&file, a); err != nil {
		fmt.Println(err)
		return
	}
	b, err := npy.Read(&file, npy.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := npy.Values[float32](b)
	fmt.Println(b.DType, b.Shape, values, err)
	// Output: f32 [2 3] [1 2 3 4 5 6] <nil>
}

func ExampleArchive() {
	weights, err := npy.FromSlice([]float64{0.5, 0.25}, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	if err := npy.WriteArchive(&file, []npy.Entry{{Name: "weights", Array: weights}}, true); err != nil {
		fmt.Println(err)
		return
	}
	z, err := npy.NewArchive(bytes.NewReader(file.Bytes()), int64(file.Len()), npy.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range z.Names() {
		a, err := z.Read(name)
		fmt.Println(name, a.DType, a.Shape, err)
	}
	// Output: weights f64 [2] <nil>
}
