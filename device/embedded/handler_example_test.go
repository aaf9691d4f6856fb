package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// A compiled program calls a Go function, which sees its arguments, its results and its attributes.
func Example_customCall() {
	p, err := embedded.Plugin(device.Options{})
	if err != nil {
		log.Fatal(err)
	}
	h, err := p.RegisterHandler("clamp_sum", func(c *pjrt.HandlerCall) error {
		limit, err := pjrt.Attr[float32](c, "limit")
		if err != nil {
			return err
		}
		in, err := pjrt.Arg[float32](c, 0)
		if err != nil {
			return err
		}
		out, err := pjrt.Result[float32](c, 0)
		if err != nil {
			return err
		}
		x, err := in.Read()
		sum := float32(0)
		for _, v := range x {
			sum += min(v, limit)
		}
		return errors.Join(err, out.Set(0, sum))
	}, pjrt.HandlerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	ctx := context.Background()
	client, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	program, err := client.Compile(ctx, pjrt.MLIR(`func.func @main(%x: tensor<4xf32>) -> tensor<f32> {
		%s = stablehlo.custom_call @clamp_sum(%x) {api_version = 4 : i32, backend_config = {limit = 2.5 : f32}}
			: (tensor<4xf32>) -> tensor<f32>
		%d = stablehlo.add %s, %s : tensor<f32>
		return %d : tensor<f32>
	}`), pjrt.CompileOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer program.Close()
	x, err := pjrt.Put(ctx, client.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	out, err := program.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer out[0].Close()
	sum, err := pjrt.Get[float32](ctx, out[0])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: [16]
}
