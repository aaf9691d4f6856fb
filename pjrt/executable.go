package pjrt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Executable is a compiled program, loaded on its devices, ready to run. It is safe for concurrent use. The zero value
// is closed.
type Executable struct {
	owned  ffi.Owned[pjrtc.Ptr[pjrtc.LoadedExecutable]]
	client *Client
	facts
	devices []*Device
	quick   *quick // nil where executions are not of the simple kind
}

// Compile compiles a program for the client's devices. Calls PJRT_Client_Compile. When ctx ends first, what the
// compiler makes later is destroyed. The caller closes the executable.
//
// Errors: the plugin's, with its text about the program; [isthmus.ErrInvalid] for options that contradict each other.
func (c *Client) Compile(ctx context.Context, code Program, o CompileOptions) (*Executable, error) {
	const op = "compile"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	options, err := o.prepare(ctx, op, &code, c, c.Device())
	if err != nil {
		return nil, err
	}
	return c.load(ctx, op, o, func(h pjrtc.Ptr[pjrtc.Client]) (pjrtc.Ptr[pjrtc.LoadedExecutable], error) {
		return c.plugin.compile(h, code, options)
	})
}

// prepare checks what is to be compiled and keeps it. A program that says nothing about where it runs, and may, runs on d.
func (o *CompileOptions) prepare(ctx context.Context, op string, code *Program, c *Client, d *Device) ([]byte, error) {
	if err := code.check(op); err != nil {
		return nil, err
	}
	if err := o.check(op); err != nil {
		return nil, err
	}
	if o.Device == nil && o.Assignment == nil && o.Serialized == nil && !o.Portable && o.Replicas <= 1 && o.Partitions <= 1 {
		o.Device = d
	}
	code.Code = keep(ctx, code.Code)
	return o.encode(c)
}

// keep copies what a call reads that the caller may give up on: the caller gets its slice back at once.
func keep(ctx context.Context, b []byte) []byte {
	if ctx.Done() == nil {
		return b
	}
	return bytes.Clone(b)
}

// load takes over the loaded executable that get makes. What is being made keeps the client open by a use that ends
// with whoever takes the result.
func (c *Client) load(ctx context.Context, op string, o CompileOptions, get func(pjrtc.Ptr[pjrtc.Client]) (pjrtc.Ptr[pjrtc.LoadedExecutable], error)) (*Executable, error) {
	p := c.plugin
	e, err := detach(ctx, op, func() (pjrtc.Ptr[pjrtc.LoadedExecutable], error) {
		h, err := c.owned.Use()
		if err != nil {
			return 0, fmt.Errorf("pjrt: %s: %w", op, err)
		}
		e, err := get(h)
		if err == nil && e == 0 {
			err = fmt.Errorf("pjrt: %s: the plugin gave no executable: %w", op, isthmus.ErrInvalid)
		}
		if err != nil {
			c.owned.Done()
		}
		return e, err
	}, func(e pjrtc.Ptr[pjrtc.LoadedExecutable]) {
		dropWith(p.loaded.Destroy)(e)
		c.owned.Done()
	})
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	x := &Executable{client: c}
	if err := x.owned.Init(&p.loaded, e, &c.owned); err != nil {
		return nil, err
	}
	if err := x.describe(e, o); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (p *Plugin) compile(c pjrtc.Ptr[pjrtc.Client], code Program, options []byte) (e pjrtc.Ptr[pjrtc.LoadedExecutable], err error) {
	var pin mem.Pin
	defer pin.Unpin()
	err = ask(p, "compile", func(f *call.Frame, a *pjrtc.ClientCompileArgs) (err error) {
		if a.Program, err = code.toNative(f, &pin); err != nil {
			return err
		}
		a.Client = c
		a.CompileOptions, a.CompileOptionsSize = pjrtc.Ptr[byte](mem.PinSlice(&pin, options)), uint64(len(options))
		return nil
	}, func(a *pjrtc.ClientCompileArgs) error { e = a.Executable; return nil })
	return e, err
}

// describe reads what never changes.
func (x *Executable) describe(loaded pjrtc.Ptr[pjrtc.LoadedExecutable], o CompileOptions) error {
	return x.client.plugin.withExecutable(loaded, func(e pjrtc.Ptr[pjrtc.Executable]) error {
		err := errors.Join(x.facts.read(x.client.plugin, e, o), x.describeDevices(loaded))
		if err == nil {
			x.quick = x.quickly()
		}
		return err
	})
}

func (x *Executable) describeDevices(loaded pjrtc.Ptr[pjrtc.LoadedExecutable]) error {
	const op = "devices of the executable"
	err := ask(x.client.plugin, op, func(_ *call.Frame, a *pjrtc.LoadedExecutableAddressableDevicesArgs) error {
		a.Executable = loaded
		return nil
	}, func(a *pjrtc.LoadedExecutableAddressableDevicesArgs) error {
		list, err := numbers(op, a.AddressableDevices, a.NumAddressableDevices, maxValues)
		if err != nil {
			return err
		}
		for _, h := range list {
			d := x.client.deviceOf(h)
			if d == nil {
				return fmt.Errorf("pjrt: %s: the plugin names one that the client does not have: %w", op, isthmus.ErrInvalid)
			}
			x.devices = append(x.devices, d)
		}
		return nil
	})
	return unlessUnsupported(err)
}

func (c *Client) deviceOf(h pjrtc.Ptr[pjrtc.Device]) *Device {
	for _, d := range c.devices {
		if d.h == h {
			return d
		}
	}
	return nil
}

// withExecutable lends f the description of a loaded executable.
func (p *Plugin) withExecutable(loaded pjrtc.Ptr[pjrtc.LoadedExecutable], f func(pjrtc.Ptr[pjrtc.Executable]) error) error {
	e, err := p.executableOf(loaded)
	if err != nil {
		return err
	}
	return errors.Join(f(e), p.destroyExecutable(e))
}

// executableOf gets the description of a loaded executable, which the caller destroys.
func (p *Plugin) executableOf(loaded pjrtc.Ptr[pjrtc.LoadedExecutable]) (e pjrtc.Ptr[pjrtc.Executable], err error) {
	err = ask(p, "executable", func(_ *call.Frame, a *pjrtc.LoadedExecutableGetExecutableArgs) error {
		a.LoadedExecutable = loaded
		return nil
	}, func(a *pjrtc.LoadedExecutableGetExecutableArgs) error {
		if e = a.Executable; e == 0 {
			return fmt.Errorf("pjrt: executable: the plugin describes none: %w", isthmus.ErrInvalid)
		}
		return nil
	})
	return e, err
}

func (p *Plugin) destroyExecutable(e pjrtc.Ptr[pjrtc.Executable]) error {
	return ask(p, "destroy program", func(_ *call.Frame, a *pjrtc.ExecutableDestroyArgs) error { a.Executable = e; return nil }, nil)
}

// Close destroys the executable. While an execution is in progress it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. Close is idempotent and nil-safe. Calls PJRT_LoadedExecutable_Destroy.
func (x *Executable) Close() error {
	if x == nil {
		return nil
	}
	return x.owned.Close()
}

// Client returns the client that the executable belongs to.
func (x *Executable) Client() *Client { return orZero(x).client }

// Name is the program's name.
func (x *Executable) Name() string { return orZero(x).name }

// Fingerprint identifies the compiled program where the plugin offers that; nil otherwise.
func (x *Executable) Fingerprint() []byte { return bytes.Clone(orZero(x).fingerprint) }

// CodeSize is how many bytes the generated code has, -1 where the plugin does not tell.
func (x *Executable) CodeSize() int64 { return orZero(x).codeSize }

// Replicas is how many copies of the program run at once on different data.
func (x *Executable) Replicas() int { return orZero(x).replicas }

// Partitions is how many devices share the work of each copy.
func (x *Executable) Partitions() int { return orZero(x).partitions }

// Devices lists the devices of this process that the program runs on.
func (x *Executable) Devices() []*Device { return append([]*Device(nil), orZero(x).devices...) }

// Outputs are the types of the outputs on each device. An output that is no plain array has an invalid DType.
func (x *Executable) Outputs() []Type { return append([]Type(nil), orZero(x).outputs...) }

// Params are the types of the parameters on each device; known is false where neither the caller nor the plugin has
// told them.
func (x *Executable) Params() (params []Type, known bool) { return orZero(x).params() }

// Donated tells which parameters' memory the program may reuse: an execution takes such an argument away.
func (x *Executable) Donated() []bool { return orZero(x).donated() }

// String describes the executable without touching native memory.
func (x *Executable) String() string {
	if x == nil || x.client == nil {
		return "pjrt.Executable(none)"
	}
	state := ""
	if !x.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Executable(%s, %d outputs%s)", x.name, len(x.outputs), state)
}

func (x *Executable) with(op string, f func(*Plugin, pjrtc.Ptr[pjrtc.Executable]) error) error {
	h, done, err := x.use(op)
	if err != nil {
		return err
	}
	defer done()
	p := x.client.plugin
	return p.withExecutable(h, func(e pjrtc.Ptr[pjrtc.Executable]) error { return f(p, e) })
}

// Optimized is [Compiled.Optimized].
func (x *Executable) Optimized() (Program, error) { return optimized(x) }

// Serialize is [Compiled.Serialize].
func (x *Executable) Serialize() ([]byte, error) { return sealed(x) }

// CompileOptions is [Compiled.CompileOptions].
func (x *Executable) CompileOptions() ([]byte, error) { return compileOptions(x) }

// CompiledMemory is [Compiled.CompiledMemory].
func (x *Executable) CompiledMemory() (CompiledMemory, error) { return compiledMemory(x) }

// CostAnalysis is [Compiled.CostAnalysis].
func (x *Executable) CostAnalysis() ([]NamedValue, error) { return costAnalysis(x) }

// OutputMemories is [Compiled.OutputMemories].
func (x *Executable) OutputMemories() ([]string, error) { return outputMemories(x) }

// ParamMemories is [Compiled.ParamMemories].
func (x *Executable) ParamMemories() ([]string, error) { return paramMemories(x) }
