package pjrt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Executable is a compiled program, loaded on its devices. It is safe for concurrent use. The zero value is closed.
type Executable struct {
	owned       ffi.Owned[pjrtc.Ptr[pjrtc.LoadedExecutable]]
	client      *Client
	name        string
	fingerprint []byte
	codeSize    int64
	replicas    int
	partitions  int
	devices     []*Device
	outputs     []Type     // DType is Invalid where the output is no plain array
	sig         *signature // nil where it is not known
	quick       *quick     // nil where executions are not of the simple kind
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
	if err := code.check(op); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Device == nil && o.Assignment == nil && o.Serialized == nil && !o.Portable && o.Replicas <= 1 && o.Partitions <= 1 {
		o.Device = c.Device()
	}
	options, err := o.encode(c)
	if err != nil {
		return nil, err
	}
	// The compilation keeps the client open by a use that ends with whoever takes its result.
	p := c.plugin
	e, err := detach(ctx, op, func() (pjrtc.Ptr[pjrtc.LoadedExecutable], error) {
		h, err := c.owned.Use()
		if err != nil {
			return 0, fmt.Errorf("pjrt: %s: %w", op, err)
		}
		e, err := p.compile(h, code, options)
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
	}, func(a *pjrtc.ClientCompileArgs) error {
		if e = a.Executable; e == 0 {
			return fmt.Errorf("pjrt: compile: the plugin gave no executable: %w", isthmus.ErrInvalid)
		}
		return nil
	})
	return e, err
}

// describe reads what never changes.
func (x *Executable) describe(loaded pjrtc.Ptr[pjrtc.LoadedExecutable], o CompileOptions) error {
	return x.client.plugin.withExecutable(loaded, func(e pjrtc.Ptr[pjrtc.Executable]) error {
		err := errors.Join(x.describeProgram(e, o), x.describeDevices(loaded))
		if err == nil {
			x.quick = x.quickly()
		}
		return err
	})
}

func (x *Executable) describeProgram(e pjrtc.Ptr[pjrtc.Executable], o CompileOptions) error {
	p := x.client.plugin
	x.replicas, x.partitions, x.codeSize = 1, 1, -1
	optional := []error{
		ask(p, "executable name", func(_ *call.Frame, a *pjrtc.ExecutableNameArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableNameArgs) error {
				x.name = text(a.ExecutableName, a.ExecutableNameSize)
				return nil
			}),
		ask(p, "number of replicas", func(_ *call.Frame, a *pjrtc.ExecutableNumReplicasArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableNumReplicasArgs) error { x.replicas = int(a.NumReplicas); return nil }),
		ask(p, "number of partitions", func(_ *call.Frame, a *pjrtc.ExecutableNumPartitionsArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableNumPartitionsArgs) error { x.partitions = int(a.NumPartitions); return nil }),
		ask(p, "size of the code", func(_ *call.Frame, a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) error {
			a.Executable = e
			return nil
		}, func(a *pjrtc.ExecutableSizeOfGeneratedCodeInBytesArgs) error {
			x.codeSize = a.SizeInBytes
			return nil
		}),
		ask(p, "fingerprint", func(_ *call.Frame, a *pjrtc.ExecutableFingerprintArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableFingerprintArgs) (err error) {
				x.fingerprint, err = mem.Copy(a.ExecutableFingerprint, a.ExecutableFingerprintSize, maxText)
				return err
			}),
	}
	for i := range optional {
		optional[i] = unlessUnsupported(optional[i])
	}
	err := errors.Join(optional...)
	n := uint64(0)
	err = errors.Join(err, ask(p, "number of outputs", func(_ *call.Frame, a *pjrtc.ExecutableNumOutputsArgs) error { a.Executable = e; return nil },
		func(a *pjrtc.ExecutableNumOutputsArgs) error { n = a.NumOutputs; return nil }))
	if err != nil {
		return err
	}
	if n > maxValues {
		return fmt.Errorf("pjrt: compile: the plugin says there are %d outputs: %w", n, isthmus.ErrBounds)
	}
	x.outputs = make([]Type, n)
	if err := x.describeOutputs(e); err != nil {
		return err
	}
	if o.Params != nil {
		x.sig = &signature{params: o.Params, donated: o.Donated, donates: slices.Contains(o.Donated, true)}
		if x.sig.donated == nil {
			x.sig.donated = make([]bool, len(o.Params))
		}
		return nil
	}
	// A plugin that cannot show its program leaves the check of arguments to itself.
	x.sig, _ = p.signatureOf(e)
	return nil
}

// describeOutputs reads the types of the outputs. All dimensions come in one array, in order.
func (x *Executable) describeOutputs(e pjrtc.Ptr[pjrtc.Executable]) error {
	const op = "output types"
	p, n := x.client.plugin, uint64(len(x.outputs))
	var types []pjrtc.BufferType
	err := ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableOutputElementTypesArgs) error { a.Executable = e; return nil },
		func(a *pjrtc.ExecutableOutputElementTypesArgs) (err error) {
			if a.NumOutputTypes != n {
				return fmt.Errorf("pjrt: %s: the plugin gives %d types for %d outputs: %w", op, a.NumOutputTypes, n, isthmus.ErrInvalid)
			}
			types, err = numbers(op, a.OutputTypes, n, maxValues)
			return err
		})
	if errors.Is(err, isthmus.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.ExecutableOutputDimensionsArgs) error { a.Executable = e; return nil },
		func(a *pjrtc.ExecutableOutputDimensionsArgs) error {
			if a.NumOutputs != n {
				return fmt.Errorf("pjrt: %s: the plugin gives dimensions of %d outputs, there are %d: %w", op, a.NumOutputs, n, isthmus.ErrInvalid)
			}
			ranks, err := numbers(op, a.DimSizes, n, maxValues)
			if err != nil {
				return err
			}
			total := uint64(0)
			for _, r := range ranks {
				if r > maxRank {
					return fmt.Errorf("pjrt: %s: the plugin says an output has rank %d: %w", op, r, isthmus.ErrBounds)
				}
				total += r
			}
			all, err := numbers(op, a.Dims, total, maxValues*maxRank)
			if err != nil {
				return err
			}
			for i, r := range ranks {
				if x.outputs[i].Dims, err = toDims(op, all[:r]); err != nil {
					return err
				}
				all = all[r:]
			}
			return nil
		})
	if errors.Is(err, isthmus.ErrUnsupported) {
		return nil
	}
	for i := range types {
		x.outputs[i].DType = fromBufferType(types[i])
	}
	return err
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

// maxProgram bounds the optimised program that is read.
const maxProgram = 2 << 30

// Optimized returns the program as the plugin's compiler left it, in a format that the plugin names, such as "hlo" or
// "hlo_with_config", serialised. Calls PJRT_Executable_OptimizedProgram twice: for the size, then for the code.
// Errors: [isthmus.ErrUnsupported] where the plugin does not show it.
func (x *Executable) Optimized() (Program, error) {
	const op = "optimized program"
	if x == nil || x.client == nil {
		return Program{}, invalid(op, "no executable")
	}
	h, err := x.owned.Use()
	if err != nil {
		return Program{}, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer x.owned.Done()
	var out Program
	err = x.client.plugin.withExecutable(h, func(e pjrtc.Ptr[pjrtc.Executable]) error {
		return x.client.plugin.optimized(e, func(format string, code []byte) error {
			out = Program{Format: format, Code: bytes.Clone(code)}
			return nil
		})
	})
	return out, err
}

// withExecutable lends f the description of a loaded executable.
func (p *Plugin) withExecutable(loaded pjrtc.Ptr[pjrtc.LoadedExecutable], f func(pjrtc.Ptr[pjrtc.Executable]) error) error {
	var e pjrtc.Ptr[pjrtc.Executable]
	err := ask(p, "executable", func(_ *call.Frame, a *pjrtc.LoadedExecutableGetExecutableArgs) error {
		a.LoadedExecutable = loaded
		return nil
	},
		func(a *pjrtc.LoadedExecutableGetExecutableArgs) error { e = a.Executable; return nil })
	if err != nil {
		return err
	}
	if e == 0 {
		return fmt.Errorf("pjrt: executable: the plugin describes none: %w", isthmus.ErrInvalid)
	}
	err = f(e)
	return errors.Join(err, ask(p, "destroy executable", func(_ *call.Frame, a *pjrtc.ExecutableDestroyArgs) error { a.Executable = e; return nil }, nil))
}

// signatureOf reads the parameters of a compiled program out of its optimised form.
func (p *Plugin) signatureOf(e pjrtc.Ptr[pjrtc.Executable]) (s *signature, err error) {
	err = p.optimized(e, func(format string, code []byte) (err error) {
		if format != "hlo" && format != "hlo_with_config" {
			return fmt.Errorf("pjrt: optimized program: format %q: %w", format, isthmus.ErrUnsupported)
		}
		s, err = readHLO(code, format == "hlo_with_config")
		return err
	})
	return s, err
}

// optimized lends f the optimised program. The plugin writes into memory of ours, of the size that it asked for.
func (p *Plugin) optimized(e pjrtc.Ptr[pjrtc.Executable], read func(format string, code []byte) error) error {
	const op = "optimized program"
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.ExecutableOptimizedProgramArgs](f)
	if err != nil {
		return err
	}
	prog, err := call.New[pjrtc.Program](f)
	if err != nil {
		return err
	}
	prog.SetSize()
	a.Executable, a.Program = e, pjrtc.To(prog)
	if err := do(p, f, op, a); err != nil {
		return err
	}
	size := prog.CodeSize
	if size == 0 || size > maxProgram {
		return fmt.Errorf("pjrt: %s: the plugin says it has %d bytes: %w", op, size, isthmus.ErrBounds)
	}
	block, err := mem.Alloc(int(size), 0)
	if err != nil {
		return err
	}
	prog.Code = pjrtc.ToSlice(block.Bytes())
	if err = do(p, f, op, a); err == nil {
		// The plugin may have written less than it asked for, never more than the block holds.
		err = read(text(prog.Format, prog.FormatSize), block.Bytes()[:min(size, prog.CodeSize)])
	}
	return errors.Join(err, block.Free())
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
func (x *Executable) Params() (params []Type, known bool) {
	if x == nil || x.sig == nil {
		return nil, false
	}
	return append([]Type(nil), x.sig.params...), true
}

// Donated tells which parameters' memory the program may reuse: an execution takes such an argument away.
func (x *Executable) Donated() []bool {
	if x == nil || x.sig == nil {
		return nil
	}
	return append([]bool(nil), x.sig.donated...)
}

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
