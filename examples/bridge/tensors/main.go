// Command tensors is a library in Go for hosts in other languages: it runs StableHLO programs on the embedded device. The
// host's deadline reaches the device, which stops what runs then.
package main

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/device"
)

// Job is a program, text or bytecode, and the bytes of its arguments: little-endian, row-major.
type Job struct {
	Program []byte
	Args    [][]byte
}

// Tensor is a result: its type, as tensor<2x3xf32>, and its bytes.
type Tensor struct {
	Type string
	Data []byte
}

// Results are what a program returns.
type Results struct{ Results []Tensor }

// Ask has nothing to say.
type Ask struct{}

// Memory is what the device uses, in bytes.
type Memory struct{ InUse uint64 }

func tensors() *bridge.Bridge {
	d, failed := device.New(device.Options{})
	b := bridge.New(bridge.Options{Name: "tensors"})
	bridge.Call(b, "run", func(ctx context.Context, j Job) (Results, error) {
		if failed != nil {
			return Results{}, failed
		}
		return run(ctx, d, j)
	})
	bridge.Call(b, "memory", func(context.Context, Ask) (Memory, error) {
		if failed != nil {
			return Memory{}, failed
		}
		return Memory{uint64(d.MemoryStats().InUse)}, nil
	})
	return b
}

func run(ctx context.Context, d *device.Device, j Job) (Results, error) {
	x, err := d.Compile(ctx, j.Program, device.CompileOptions{})
	if err != nil {
		return Results{}, err
	}
	params := x.Params()
	if len(params) != len(j.Args) {
		return Results{}, fmt.Errorf("%d arguments for a program of %d parameters", len(j.Args), len(params))
	}
	var args []*device.Buffer
	defer func() {
		for _, b := range args {
			b.Delete()
		}
	}()
	for i, p := range params {
		b, data, done, err := d.NewBuffer(0, 0, p)
		if err != nil {
			return Results{}, err
		}
		args = append(args, b)
		if len(data) != len(j.Args[i]) {
			err = fmt.Errorf("argument %d has %d bytes, %v has %d", i, len(j.Args[i]), p, len(data))
		}
		copy(data, j.Args[i])
		if done(err); err != nil {
			return Results{}, err
		}
	}
	e, err := x.Execute(ctx, [][]*device.Buffer{args}, device.ExecuteOptions{})
	if err != nil {
		return Results{}, err
	}
	defer func() {
		for _, b := range e.Outputs[0] {
			b.Delete()
		}
	}()
	// Not with ctx: when that ends the device stops, and then nothing uses the buffers any more.
	if err := e.Done.Wait(context.WithoutCancel(ctx)); err != nil {
		return Results{}, err
	}
	var r Results
	for _, b := range e.Outputs[0] {
		data, release, err := b.Hold()
		if err != nil {
			return Results{}, err
		}
		r.Results = append(r.Results, Tensor{b.Type().String(), append([]byte(nil), data...)})
		release()
	}
	return r, nil
}

var (
	served = tensors()
	_      = bridge.Serve(served) // when a host loads the library; main does not run there
)

func main() { bridge.Main(served) }
