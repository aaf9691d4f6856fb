package device

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Platform is the platform's name that clients see.
const Platform = "isthmus"

// Table makes a PJRT function table whose clients are devices with these options. It lives as long as the process, and
// a process can have some hundred of them. Package embedded makes a plugin of it.
func Table(o Options) (*pjrtc.Table, error) {
	return Server(o, Platform).Table()
}

// Server serves function tables whose clients are devices with these options, for the library that other programs
// load. The platform is the name that clients see: JAX lowers functions of linear algebra by it.
func Server(o Options, platform string) *pjrtserve.Server {
	return pjrtserve.New(&backend{o, platform})
}

// backend makes clients for a function table.
type backend struct {
	options  Options
	platform string
}

func (b *backend) Platform() (name, version string) {
	return b.platform, fmt.Sprintf("isthmus embedded device %s, %s/%s, %s", Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (b *backend) Attributes() []pjrtserve.Value {
	return []pjrtserve.Value{
		{Name: "xla_version", Value: int64(2)},
		{Name: "stablehlo_current_version", Value: []int64{1, 20, 0}},
		{Name: "stablehlo_minimum_version", Value: []int64{0, 9, 0}},
	}
}

// xlaDeviceCount is what XLA's CPU plugin calls the option device_count.
const xlaDeviceCount = "cpu_device_count"

// with are the table's options with those of a client put over them.
func (b *backend) with(options []pjrtserve.Value) (Options, error) {
	o := b.options
	for _, v := range options {
		n, number := v.Value.(int64)
		flag, boolean := v.Value.(bool)
		switch {
		case (v.Name == pjrtserve.DeviceCount || v.Name == xlaDeviceCount) && number:
			o.Devices = int(min(max(n, -1), maxDevices+1))
		case v.Name == "memory_limit" && number:
			o.MemoryLimit = n
		case v.Name == "workers" && number:
			o.Workers = int(min(max(n, -1), 1<<16))
		case v.Name == "evaluator" && boolean:
			o.Evaluator = flag
		case v.Name == pjrtserve.DeviceCount, v.Name == xlaDeviceCount, v.Name == "memory_limit", v.Name == "workers", v.Name == "evaluator":
			return o, fmt.Errorf("device: option %q is a %T: %w", v.Name, v.Value, isthmus.ErrInvalid)
		default:
			return o, fmt.Errorf("device: there is no option %q; there are device_count, memory_limit, workers, evaluator: %w", v.Name, isthmus.ErrInvalid)
		}
	}
	return o, nil
}

func (b *backend) NewClient(options []pjrtserve.Value) (pjrtserve.Client, error) {
	o, err := b.with(options)
	if err != nil {
		return nil, err
	}
	d, err := New(o)
	if err != nil {
		return nil, err
	}
	return &client{d}, nil
}

func (b *backend) Normalize(p pjrtserve.Program) ([]byte, error) {
	if p.Format != "mlir" {
		return nil, fmt.Errorf("device: a program in the format %q: %w", p.Format, isthmus.ErrUnsupported)
	}
	m, err := stablehlo.Parse(slices.Clone(p.Code), stablehlo.Options{})
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	return []byte(m.String()), nil
}

func (b *backend) Topology(options []pjrtserve.Value) ([]pjrtserve.DeviceInfo, error) {
	o, err := b.with(options)
	if err != nil {
		return nil, err
	}
	if o.Devices < 0 || o.Devices > maxDevices {
		return nil, fmt.Errorf("device: %d devices: %w", o.Devices, isthmus.ErrInvalid)
	}
	if o.Peers != nil {
		return describe(o.Peers.Processes(), true), nil
	}
	return describe(max(o.Devices, 1), false), nil
}

// describe describes n devices, each of another process if spread.
func describe(n int, spread bool) []pjrtserve.DeviceInfo {
	list := make([]pjrtserve.DeviceInfo, n)
	for i := range list {
		list[i] = pjrtserve.DeviceInfo{
			Kind:       "embedded",
			Short:      fmt.Sprintf("IsthmusDevice(id=%d)", i),
			Long:       fmt.Sprintf("embedded device %d of %d, in process, on %s", i, n, runtime.GOARCH),
			Attributes: []pjrtserve.Value{{Name: "coords", Value: []int64{int64(i)}}},
		}
		if spread {
			list[i].Process = i
			list[i].Long = fmt.Sprintf("embedded device of process %d of %d, on %s", i, n, runtime.GOARCH)
		}
	}
	return list
}

// client is a device as a function table serves it.
type client struct{ d *Device }

func (c *client) Devices() []pjrtserve.DeviceInfo { return describe(c.d.devices, c.d.peers != nil) }

func (c *client) Process() int { return c.d.Process() }

func (b *backend) Memories() []pjrtserve.MemoryInfo {
	return []pjrtserve.MemoryInfo{{Kind: pjrtserve.DefaultMemory, Short: "DEVICE"}, {Kind: "unpinned_host", Short: "UNPINNED_HOST"}}
}

func (c *client) Compile(ctx context.Context, p pjrtserve.Program, o pjrtserve.CompileOptions) (pjrtserve.Executable, error) {
	if p.Format != "mlir" {
		return nil, fmt.Errorf("device: compile: a program in the format %q; the embedded device reads mlir (StableHLO as text or bytecode): %w", p.Format, isthmus.ErrUnsupported)
	}
	if o.SPMD && o.Partitions > 1 {
		return nil, fmt.Errorf("device: compile: the embedded device does not split a program over %d partitions by its sharding annotations; compile it for one device, or split: %w", o.Partitions, isthmus.ErrUnsupported)
	}
	x, err := c.d.Compile(ctx, p.Code, CompileOptions{
		Replicas: o.Replicas, Partitions: o.Partitions, Assignment: o.Assignment, Portable: o.Portable,
	})
	if err != nil {
		return nil, err
	}
	return &executable{x}, nil
}

func typeOf(t pjrtserve.Type) stablehlo.Type { return stablehlo.TensorOf(t.DType, t.Dims...) }

func (c *client) NewBuffer(device, memory int, t pjrtserve.Type) (pjrtserve.Buffer, []byte, func(error), error) {
	b, data, done, err := c.d.NewBuffer(device, memory, typeOf(t))
	if err != nil {
		return nil, nil, nil, err
	}
	return served{b}, data, done, nil
}

func (c *client) Adopt(device, memory int, t pjrtserve.Type, data []byte, mutable bool, gone func()) (pjrtserve.Buffer, error) {
	if int(mem.AddrOf(data))%alignment(t) != 0 {
		return nil, pjrtserve.ErrCopy
	}
	b, err := c.d.Adopt(device, memory, typeOf(t), data, mutable, gone)
	if err != nil {
		return nil, err
	}
	return served{b}, nil
}

// alignment is what the kernels need of a tensor's memory.
func alignment(t pjrtserve.Type) int {
	n := t.DType.Size()
	if t.DType.IsComplex() {
		n /= 2
	}
	return max(n, 1)
}

func (c *client) MemoryStats(int) pjrtserve.MemoryStats {
	s := c.d.MemoryStats()
	return pjrtserve.MemoryStats{InUse: s.InUse, Peak: s.Peak, Allocations: s.Allocations, Largest: s.Largest, Limit: s.Limit, Pool: s.InUse + s.Cached}
}

func (c *client) ClearMemoryStats(int) { c.d.ResetMemoryStats() }

func (c *client) Close() error { return c.d.Close() }

// served is a buffer as a function table serves it.
type served struct{ *Buffer }

func (b served) Type() pjrtserve.Type {
	return pjrtserve.Type{DType: b.typ.Elem, Dims: b.typ.Dims}
}

func (b served) Device() int { return b.ordinal }

// executable is an Executable as a function table serves it.
type executable struct{ x *Executable }

func (e *executable) Name() string        { return e.x.name }
func (e *executable) Fingerprint() string { return e.x.print }
func (e *executable) Donated() []bool     { return e.x.donated }
func (e *executable) Devices() []int      { return e.x.Devices() }
func (e *executable) Assigned() []int     { return e.x.Assigned() }
func (e *executable) Replicas() int       { return e.x.options.Replicas }
func (e *executable) Partitions() int     { return e.x.options.Partitions }
func (e *executable) Code() []byte        { return e.x.code }

// Close ends the handlers of the program's custom calls, after the last run.
func (e *executable) Close() { e.x.handlers.leave() }

func (e *executable) Params() []pjrtserve.Type  { return serveTypes(e.x.params) }
func (e *executable) Results() []pjrtserve.Type { return serveTypes(e.x.results) }

func serveTypes(types []stablehlo.Type) []pjrtserve.Type {
	out := make([]pjrtserve.Type, len(types))
	for i, t := range types {
		out[i] = pjrtserve.Type{DType: t.Elem, Dims: t.Dims}
	}
	return out
}

func (e *executable) Stats() pjrtserve.ExecutableStats {
	s := e.x.stats
	return pjrtserve.ExecutableStats{
		Code: s.Constants, Arguments: s.Arguments, Results: s.Results, Aliased: s.Aliased, Temporary: s.Temporary,
		Properties: []pjrtserve.Value{
			{Name: "bytes accessed", Value: float32(s.Arguments + s.Results)},
			{Name: "engine", Value: s.Engine},
			{Name: "operations", Value: int64(s.Operations)},
			{Name: "steps", Value: int64(s.Steps)},
			{Name: "evaluated steps", Value: int64(s.Evaluated)},
		},
	}
}

func (e *executable) Execute(args [][]pjrtserve.Buffer, o pjrtserve.ExecuteOptions) (*pjrtserve.Execution, error) {
	in := make([][]*Buffer, len(args))
	for d, list := range args {
		in[d] = make([]*Buffer, len(list))
		for i, b := range list {
			own, ok := b.(served)
			if !ok {
				return nil, invalid("argument %d belongs to another client", i)
			}
			in[d][i] = own.Buffer
		}
	}
	ctx := context.Background()
	if e.x.handlers != nil {
		on := o.Device
		if len(e.x.on) > 0 {
			on = e.x.on[0]
		}
		ctx = context.WithValue(ctx, runKey{}, o.NewRun(on, e.x.device.Workers()))
	}
	run, err := e.x.Execute(ctx, in, ExecuteOptions{Keep: o.Keep, Device: o.Device, hosts: o.Hosts})
	if err != nil {
		return nil, err
	}
	out := &pjrtserve.Execution{Outputs: make([][]pjrtserve.Buffer, len(run.Outputs)), Done: run.Done, Cancel: run.Cancel}
	for d, list := range run.Outputs {
		for _, b := range list {
			out.Outputs[d] = append(out.Outputs[d], served{b})
		}
	}
	return out, nil
}
