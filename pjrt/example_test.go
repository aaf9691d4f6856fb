package pjrt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// must is for examples, which end at the first error.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// example gives a client of the device that this module embeds; [pjrt.Load] gives the plugin of another.
func example() *pjrt.Client {
	plugin := must(embedded.Plugin(device.Options{}))
	return must(plugin.NewClient(context.Background(), pjrt.ClientOptions{}))
}

const double = `func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
	%0 = stablehlo.add %x, %x : tensor<3xf32>
	return %0 : tensor<3xf32>
}`

// Example runs a program on a device.
func Example() {
	ctx := context.Background()
	plugin, err := embedded.Plugin(device.Options{}) // or pjrt.Load("pjrt_c_api_cpu_plugin.so")
	if err != nil {
		log.Fatal(err)
	}
	client, err := plugin.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	exe, err := client.Compile(ctx, pjrt.MLIR(`
		func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
			%0 = stablehlo.add %x, %y : tensor<4xf32>
			return %0 : tensor<4xf32>
		}`), pjrt.CompileOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer exe.Close()
	x, err := pjrt.Put(ctx, client.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	out, err := exe.Execute(ctx, []*pjrt.Buffer{x, x}, pjrt.ExecuteOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer out[0].Close()
	y, err := pjrt.Get[float32](ctx, out[0])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out[0].Type(), y)
	// Output: tensor<4xf32> [2 4 6 8]
}

// A program may have several outputs, each with a type of its own.
func ExampleExecutable_Execute() {
	ctx, client := context.Background(), example()
	defer client.Close()
	exe := must(client.Compile(ctx, pjrt.MLIR(`
		func.func @main(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xi1>) {
			%0 = stablehlo.multiply %x, %y : tensor<2xf32>
			%1 = stablehlo.compare LT, %x, %y : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
			return %0, %1 : tensor<2xf32>, tensor<2xi1>
		}`), pjrt.CompileOptions{}))
	defer exe.Close()
	x := must(pjrt.Put(ctx, client.Device(), []float32{1, 5}, 2))
	defer x.Close()
	y := must(pjrt.Put(ctx, client.Device(), []float32{3, 4}, 2))
	defer y.Close()
	outs := must(exe.Execute(ctx, []*pjrt.Buffer{x, y}, pjrt.ExecuteOptions{}))
	for _, b := range outs {
		defer b.Close()
	}
	fmt.Println(must(pjrt.Get[float32](ctx, outs[0])), must(pjrt.Get[bool](ctx, outs[1])))
	// Output: [3 20] [true false]
}

// A program that reuses an argument's memory takes the argument away, unless the execution keeps it.
func ExampleExecuteOptions() {
	ctx, client := context.Background(), example()
	defer client.Close()
	exe := must(client.Compile(ctx, pjrt.MLIR(`
		func.func @main(%x: tensor<3xf32> {tf.aliasing_output = 0 : i32}) -> tensor<3xf32> {
			%0 = stablehlo.add %x, %x : tensor<3xf32>
			return %0 : tensor<3xf32>
		}`), pjrt.CompileOptions{}))
	defer exe.Close()
	x := must(pjrt.Put(ctx, client.Device(), []float32{1, 2, 3}, 3))
	defer x.Close()
	kept := must(exe.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{Keep: []int{0}}))
	defer kept[0].Close()
	fmt.Println("donated:", x.Donated())
	taken := must(exe.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{}))
	defer taken[0].Close()
	fmt.Println("donated:", x.Donated())
	_, err := pjrt.Get[float32](ctx, x)
	fmt.Println(err)
	// Output:
	// donated: false
	// donated: true
	// pjrt: get: the buffer was donated to an execution: closed
}

// Data may lie in any order of strides, as a column-major matrix does.
func ExamplePutWith() {
	ctx, client := context.Background(), example()
	defer client.Close()
	columns := pjrt.ColumnMajor(2)
	x, _, err := pjrt.PutWith(ctx, client.Device(), []int32{1, 4, 2, 5, 3, 6}, pjrt.PutOptions{Host: &columns}, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	fmt.Println(x.Type(), must(pjrt.Get[int32](ctx, x)))
	back := make([]int32, 6)
	err = pjrt.GetWith(ctx, x, back, columns)
	fmt.Println(back, err)
	// Output:
	// tensor<2x3xi32> [1 2 3 4 5 6]
	// [1 4 2 5 3 6] <nil>
}

// An upload makes a buffer at once and fills it in pieces, in any order.
func ExampleUpload() {
	ctx, client := context.Background(), example()
	defer client.Close()
	u := must(client.Device().Memory().NewUpload(pjrt.ShapeOf(dtype.U8, 6)))
	defer u.Close()
	b := must(u.Buffer(0))
	defer b.Close()
	end := must(u.Write(0, 3, []byte("mus"), false))
	defer end.Close()
	begin := must(u.Write(0, 0, []byte("ist"), true))
	defer begin.Close()
	if err := pjrt.WaitAll(ctx, begin, end); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", must(b.Bytes(ctx)))
	// Output: istmus
}

// Start does not wait: outputs may be arguments of other executions before they have their content.
func ExampleExecutable_Start() {
	ctx, client := context.Background(), example()
	defer client.Close()
	exe := must(client.Compile(ctx, pjrt.MLIR(double), pjrt.CompileOptions{}))
	defer exe.Close()
	x := must(pjrt.Put(ctx, client.Device(), []float32{1, 2, 3}, 3))
	defer x.Close()
	first := must(exe.Start(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{}))
	defer first.Close()
	middle := must(first.Outputs(ctx))
	defer middle[0].Close()
	second := must(exe.Start(ctx, middle, pjrt.ExecuteOptions{}))
	defer second.Close()
	outs := must(second.Outputs(ctx))
	defer outs[0].Close()
	err := errors.Join(first.Wait(ctx), second.Wait(ctx))
	fmt.Println(must(pjrt.Get[float32](ctx, outs[0])), err)
	// Output: [4 8 12] <nil>
}

// Events of work that is under way are handled as they fire.
func ExampleCompletions() {
	ctx, client := context.Background(), example()
	defer client.Close()
	slow, promise, err := client.NewEvent() // one that the program fires
	if err != nil {
		log.Fatal(err)
	}
	defer slow.Close()
	b, fast, err := pjrt.PutLent(client.Device(), []float32{1, 2}, pjrt.UntilTransferred, 2)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	defer fast.Close()
	for i, err := range pjrt.Completions(ctx, slow, fast) {
		fmt.Println(i, err)
		if i == 1 {
			if err := promise.Fulfill(struct{}{}); err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// 1 <nil>
	// 0 <nil>
}

// A compiled program is kept as bytes, and loaded again by a client of the same plugin.
func ExampleClient_Deserialize() {
	ctx, client := context.Background(), example()
	defer client.Close()
	exe := must(client.Compile(ctx, pjrt.MLIR(double), pjrt.CompileOptions{}))
	kept := must(exe.Serialize())
	if err := exe.Close(); err != nil {
		log.Fatal(err)
	}
	again := must(client.Deserialize(ctx, kept, pjrt.LoadOptions{}))
	defer again.Close()
	x := must(pjrt.Put(ctx, client.Device(), []float32{1, 2, 3}, 3))
	defer x.Close()
	outs := must(again.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{}))
	defer outs[0].Close()
	fmt.Println(must(pjrt.Get[float32](ctx, outs[0])))
	// Output: [2 4 6]
}

// The validation layer counts the plugin's objects, and reports those that nobody destroyed.
func ExampleValidate() {
	ctx := context.Background()
	plugin, layer, err := pjrt.Validate(must(embedded.Plugin(device.Options{})))
	if err != nil {
		log.Fatal(err)
	}
	client := must(plugin.NewClient(ctx, pjrt.ClientOptions{}))
	defer client.Close()
	x := must(pjrt.Put(ctx, client.Device(), []float32{1, 2, 3}, 3))
	defer x.Close()
	for kind, n := range layer.Live().Count() { // what a program that ended here would leave
		if kind == "PJRT_Buffer" {
			fmt.Println(n, kind)
		}
	}
	fmt.Println("broken rules:", layer.Found())
	// Output:
	// 1 PJRT_Buffer
	// broken rules: 0
}

// A trace shows each call of the plugin's functions, for ui.perfetto.dev.
func ExampleTrace() {
	ctx := context.Background()
	var file bytes.Buffer
	plugin, stop, err := pjrt.Trace(must(embedded.Plugin(device.Options{})), &file)
	if err != nil {
		log.Fatal(err)
	}
	client := must(plugin.NewClient(ctx, pjrt.ClientOptions{}))
	x := must(pjrt.Put(ctx, client.Device(), []float32{1, 2, 3}, 3))
	if err := errors.Join(x.Close(), client.Close()); err != nil {
		log.Fatal(err)
	}
	if err := stop(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(json.Valid(file.Bytes()), bytes.Contains(file.Bytes(), []byte("PJRT_Client_BufferFromHostBuffer")))
	// Output: true true
}
