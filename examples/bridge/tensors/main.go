// Command tensors is a library in Go for hosts in other languages: it runs StableHLO programs through PJRT, on the device that
// this module embeds. When a host's deadline passes nobody waits for the device any more; the memory of what runs there is
// its own until it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/pjrt"
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
	client, failed := open()
	b := bridge.New(bridge.Options{Name: "tensors"})
	bridge.Call(b, "run", func(ctx context.Context, j Job) (Results, error) {
		if failed != nil {
			return Results{}, failed
		}
		return run(ctx, client, j)
	})
	bridge.Call(b, "memory", func(context.Context, Ask) (Memory, error) {
		if failed != nil {
			return Memory{}, failed
		}
		m, err := client.Device().MemoryStats()
		return Memory{uint64(m.InUse)}, err
	})
	return b
}

// open gives a client of the embedded device, as pjrt.Load would of another plugin's.
func open() (*pjrt.Client, error) {
	plugin, err := embedded.Plugin(device.Options{})
	if err != nil {
		return nil, err
	}
	return plugin.NewClient(context.Background(), pjrt.ClientOptions{})
}

// run compiles a program and executes it. Nothing can stop what runs on a device: when ctx ends run does not wait for it any
// more, and what it uses is closed when it has ended.
func run(ctx context.Context, client *pjrt.Client, j Job) (_ Results, err error) {
	var opened []io.Closer
	closeAll := func() (err error) {
		for _, c := range slices.Backward(opened) {
			err = errors.Join(err, c.Close())
		}
		return err
	}
	var e *pjrt.Execution
	defer func() {
		if e == nil || ctx.Err() == nil {
			err = errors.Join(err, closeAll())
			return
		}
		go func() {
			<-e.Done()
			if err := closeAll(); err != nil {
				log.Print(err)
			}
		}()
	}()
	x, err := client.Compile(ctx, pjrt.MLIR(j.Program), pjrt.CompileOptions{})
	if err != nil {
		return Results{}, err
	}
	opened = append(opened, x)
	params, known := x.Params()
	if !known || len(params) != len(j.Args) {
		return Results{}, fmt.Errorf("%d arguments for a program of %d parameters", len(j.Args), len(params))
	}
	args := make([]*pjrt.Buffer, len(params))
	for i, p := range params {
		if args[i], err = pjrt.PutBytes(ctx, client.Device(), p, j.Args[i]); err != nil {
			return Results{}, fmt.Errorf("argument %d: %w", i, err)
		}
		opened = append(opened, args[i])
	}
	if e, err = x.Start(ctx, args, pjrt.ExecuteOptions{}); err != nil {
		return Results{}, err
	}
	opened = append(opened, e)
	if err := e.Wait(ctx); err != nil {
		return Results{}, err
	}
	outs, err := e.Outputs(ctx)
	if err != nil {
		return Results{}, err
	}
	var r Results
	for _, b := range outs {
		opened = append(opened, b)
	}
	for _, b := range outs {
		data, err := b.Bytes(context.WithoutCancel(ctx)) // it is there
		if err != nil {
			return Results{}, err
		}
		r.Results = append(r.Results, Tensor{b.Type().String(), data})
	}
	return r, nil
}

var (
	served = tensors()
	_      = bridge.Serve(served) // when a host loads the library; main does not run there
)

func main() { bridge.Main(served) }
