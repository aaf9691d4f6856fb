package eval_test

import (
	"context"
	"fmt"
	"log"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func Example() {
	m, err := stablehlo.Parse([]byte(`
		func.func @main(%x: tensor<4xi8>) -> tensor<4xi8> {
			%r = stablehlo.reverse %x, dims = [0] : tensor<4xi8>
			return %r : tensor<4xi8>
		}`), stablehlo.Options{})
	if err != nil {
		log.Fatal(err)
	}
	x, err := eval.NewTensor(dtype.I8, 4)
	if err != nil {
		log.Fatal(err)
	}
	copy(x.Data, []byte{1, 2, 3, 4})
	out, err := eval.Run(context.Background(), m, m.Main(), []eval.Value{x}, eval.Options{})
	if err != nil {
		log.Fatal(err)
	}
	y := out[0].(*eval.Tensor)
	fmt.Println(y.Type, y.Data)
	// Output: tensor<4xi8> [4 3 2 1]
}
