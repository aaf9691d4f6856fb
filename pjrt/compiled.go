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

// Compiled is a compiled program that is on no device. It cannot run: it can be looked at, kept as bytes
// ([Compiled.Serialize]) and loaded by a client ([Client.Load]), which gives an [Executable]. It comes from a
// [Topology], which needs no device, or from an Executable. It is safe for concurrent use. The zero value is closed.
type Compiled struct {
	owned  ffi.Owned[pjrtc.Ptr[pjrtc.Executable]]
	plugin *Plugin
	facts
}

// newCompiled takes over what a plugin compiled.
func newCompiled(p *Plugin, e pjrtc.Ptr[pjrtc.Executable], o CompileOptions, parent ffi.Parent) (*Compiled, error) {
	x := &Compiled{plugin: p}
	if err := x.owned.Init(&p.compiled, e, parent); err != nil {
		return nil, err
	}
	if err := x.facts.read(p, e, o); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// Compiled returns the description of the loaded program as a value of its own, which must be closed before the
// executable. Calls PJRT_LoadedExecutable_GetExecutable.
func (x *Executable) Compiled() (*Compiled, error) {
	const op = "describe executable"
	h, done, err := x.use(op)
	if err != nil {
		return nil, err
	}
	defer done()
	p := x.client.plugin
	e, err := p.executableOf(h)
	if err != nil {
		return nil, err
	}
	c := &Compiled{plugin: p, facts: x.facts}
	return c, c.owned.Init(&p.compiled, e, &x.owned)
}

func (x *Compiled) with(op string, f func(*Plugin, pjrtc.Ptr[pjrtc.Executable]) error) error {
	if x == nil || x.plugin == nil {
		return invalid(op, "no program")
	}
	h, err := x.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer x.owned.Done()
	return f(x.plugin, h)
}

// Close destroys the program. Close is idempotent and nil-safe. Calls PJRT_Executable_Destroy.
func (x *Compiled) Close() error {
	if x == nil {
		return nil
	}
	return x.owned.Close()
}

// Plugin returns the plugin that compiled the program.
func (x *Compiled) Plugin() *Plugin { return orZero(x).plugin }

// Live reports whether the program is open.
func (x *Compiled) Live() bool { return x != nil && x.owned.Live() }

// Name is the program's name.
func (x *Compiled) Name() string { return orZero(x).name }

// Fingerprint identifies the compiled program where the plugin offers that; nil otherwise. Calls
// PJRT_Executable_Fingerprint, once.
func (x *Compiled) Fingerprint() []byte { return bytes.Clone(orZero(x).fingerprint) }

// CodeSize is how many bytes the generated code has, -1 where the plugin does not tell. Calls
// PJRT_Executable_SizeOfGeneratedCodeInBytes, once.
func (x *Compiled) CodeSize() int64 { return orZero(x).codeSize }

// Replicas is how many copies of the whole program run at once, each on data of its own. It is not how many devices
// there are: those are Replicas * Partitions.
func (x *Compiled) Replicas() int { return orZero(x).replicas }

// Partitions is over how many devices the work of each copy is split.
func (x *Compiled) Partitions() int { return orZero(x).partitions }

// Outputs are the types of the outputs on each device. An output that is no plain array has an invalid DType.
func (x *Compiled) Outputs() []Type { return append([]Type(nil), orZero(x).outputs...) }

// Params are the types of the parameters on each device; known is false where neither the caller nor the plugin has
// told them.
func (x *Compiled) Params() (params []Type, known bool) { return orZero(x).params() }

// Donated tells which parameters' memory the program may reuse.
func (x *Compiled) Donated() []bool { return orZero(x).donated() }

// String describes the program without touching native memory.
func (x *Compiled) String() string {
	if x == nil || x.plugin == nil {
		return "pjrt.Compiled(none)"
	}
	state := ""
	if !x.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Compiled(%s, %d outputs%s)", x.name, len(x.outputs), state)
}

// Optimized returns the program as the plugin's compiler left it, in a format that the plugin names, such as "hlo" or
// "hlo_with_config", serialised. Calls PJRT_Executable_OptimizedProgram twice: for the size, then for the code.
// Errors: [isthmus.ErrUnsupported] where the plugin does not show it.
func (x *Compiled) Optimized() (Program, error) { return optimized(x) }

// Serialize returns the compiled program as bytes, which [Client.Deserialize] of the same plugin and version takes,
// also in another process. The first 64 bytes are a mark and a checksum of this package, by which Deserialize knows bytes
// that were damaged; those that follow are the plugin's own, for other clients of PJRT. Calls PJRT_Executable_Serialize.
// Errors: [isthmus.ErrUnsupported] where the plugin cannot.
func (x *Compiled) Serialize() ([]byte, error) { return sealed(x) }

// CompileOptions returns the options that the program was compiled with, a serialised CompileOptionsProto: for
// [CompileOptions].Serialized, or for [CompileOptionsText]. Calls PJRT_Executable_GetCompileOptions.
func (x *Compiled) CompileOptions() ([]byte, error) { return compileOptions(x) }

// CompiledMemory tells how much memory an execution needs. Calls PJRT_Executable_GetCompiledMemoryStats.
func (x *Compiled) CompiledMemory() (CompiledMemory, error) { return compiledMemory(x) }

// CostAnalysis returns the compiler's estimates, such as "flops" and "bytes accessed". Calls
// PJRT_Executable_GetCostAnalysis.
func (x *Compiled) CostAnalysis() ([]NamedValue, error) { return costAnalysis(x) }

// OutputMemories names the kind of memory that each output is in, such as "device". Calls
// PJRT_Executable_OutputMemoryKinds.
func (x *Compiled) OutputMemories() ([]string, error) { return outputMemories(x) }

// ParamMemories names the kind of memory that each parameter is expected in. Calls
// PJRT_Executable_ParameterMemoryKinds.
func (x *Compiled) ParamMemories() ([]string, error) { return paramMemories(x) }

// LoadOptions says how to load a compiled program. The zero value loads it as it was compiled.
type LoadOptions struct {
	// Compile replaces the options that the program was compiled with: its devices, for example. Its Params and
	// Donated are used too.
	Compile *CompileOptions
	// Origin is where on the devices' grid the program starts, for platforms with one. Only Deserialize takes it.
	Origin []int32
}

// encode gives the options' bytes, nil where there are none, and what they say of the parameters.
func (o LoadOptions) encode(op string, c *Client) ([]byte, CompileOptions, error) {
	if o.Compile == nil {
		return nil, CompileOptions{}, nil
	}
	if err := o.Compile.check(op); err != nil {
		return nil, CompileOptions{}, err
	}
	b, err := o.Compile.encode(c)
	return b, *o.Compile, err
}

// Load puts a compiled program on the client's devices. The program stays the caller's. Calls PJRT_Client_Load. When
// ctx ends first, what comes of it later is destroyed.
//
// Errors: [isthmus.ErrInvalid] for a program of another plugin, [isthmus.ErrClosed] for a closed one,
// [isthmus.ErrUnsupported] before API 0.95 and where the plugin cannot: most can [Client.Deserialize].
func (c *Client) Load(ctx context.Context, x *Compiled, o LoadOptions) (*Executable, error) {
	const op = "load"
	switch {
	case c == nil || c.plugin == nil:
		return nil, invalid(op, "no client")
	case x == nil || x.plugin == nil:
		return nil, invalid(op, "no program")
	case x.plugin != c.plugin:
		return nil, invalid(op, "%s is of %s, the client of %s", x, x.plugin, c.plugin)
	case o.Origin != nil:
		return nil, invalid(op, "the function has no origin; use Deserialize")
	}
	options, compile, err := o.encode(op, c)
	if err != nil {
		return nil, err
	}
	if compile.Params == nil && x.sig != nil {
		compile.Params, compile.Donated = x.sig.params, x.sig.donated
	}
	if options == nil { // the function reads options whatever happens: those of the program, where it tells them
		if options, err = x.CompileOptions(); unlessUnsupported(err) != nil {
			return nil, err
		} else if err != nil {
			if options, err = (CompileOptions{Device: c.Device()}).encode(c); err != nil {
				return nil, err
			}
		}
	}
	return c.load(ctx, op, compile, func(h pjrtc.Ptr[pjrtc.Client]) (e pjrtc.Ptr[pjrtc.LoadedExecutable], err error) {
		err = x.with(op, func(p *Plugin, from pjrtc.Ptr[pjrtc.Executable]) error {
			var pin mem.Pin
			defer pin.Unpin()
			return ask(p, op, func(_ *call.Frame, a *pjrtc.ClientLoadArgs) error {
				a.Client, a.Executable = h, from
				a.CompileOptions, a.CompileOptionsSize = pjrtc.Ptr[byte](mem.PinSlice(&pin, options)), uint64(len(options))
				return nil
			}, func(a *pjrtc.ClientLoadArgs) error { e = a.LoadedExecutable; return nil })
		})
		return e, err
	})
}

// Deserialize loads a program that [Compiled.Serialize] or [Executable.Serialize] gave, of the same plugin and
// version. Bytes of another client of PJRT go to the plugin as they are; those of somebody who is not trusted are not
// for it: a plugin runs what is in them. Calls PJRT_Executable_DeserializeAndLoad. When ctx ends first, what comes of it
// later is destroyed. Errors: [isthmus.ErrInvalid] for what Serialize gave and was damaged since.
func (c *Client) Deserialize(ctx context.Context, serialized []byte, o LoadOptions) (*Executable, error) {
	const op = "deserialize"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	if len(serialized) == 0 {
		return nil, invalid(op, "no bytes")
	}
	options, compile, err := o.encode(op, c)
	if err != nil {
		return nil, err
	}
	if serialized, err = unseal(op, keep(ctx, serialized)); err != nil {
		return nil, err
	}
	o.Origin = slices.Clone(o.Origin)
	return c.load(ctx, op, compile, func(h pjrtc.Ptr[pjrtc.Client]) (e pjrtc.Ptr[pjrtc.LoadedExecutable], err error) {
		var pin mem.Pin
		defer pin.Unpin()
		err = ask(c.plugin, op, func(f *call.Frame, a *pjrtc.ExecutableDeserializeAndLoadArgs) error {
			a.Client = h
			a.SerializedExecutable, a.SerializedExecutableSize = pjrtc.Ptr[byte](mem.PinSlice(&pin, serialized)), uint64(len(serialized))
			if options != nil {
				a.OverriddenSerializedCompileOptions = pjrtc.Ptr[byte](mem.PinSlice(&pin, options))
				a.OverriddenSerializedCompileOptionsSize = uint64(len(options))
			}
			if o.Origin == nil {
				return nil
			}
			l, err := call.New[pjrtc.LoadOptions](f)
			if err != nil {
				return err
			}
			l.SetSize()
			l.ComputationOrigin, l.ComputationOriginSize = pjrtc.Ptr[int32](mem.PinSlice(&pin, o.Origin)), uint64(len(o.Origin))
			a.LoadOptions = pjrtc.To(l)
			return nil
		}, func(a *pjrtc.ExecutableDeserializeAndLoadArgs) error { e = a.LoadedExecutable; return nil })
		return e, err
	})
}

// compileFor compiles without a client.
func (p *Plugin) compileFor(t pjrtc.Ptr[pjrtc.TopologyDescription], code Program, options []byte) (e pjrtc.Ptr[pjrtc.Executable], err error) {
	const op = "compile"
	var pin mem.Pin
	defer pin.Unpin()
	err = ask(p, op, func(f *call.Frame, a *pjrtc.CompileArgs) (err error) {
		if a.Program, err = code.toNative(f, &pin); err != nil {
			return err
		}
		a.Topology = t
		a.CompileOptions, a.CompileOptionsSize = pjrtc.Ptr[byte](mem.PinSlice(&pin, options)), uint64(len(options))
		return nil
	}, func(a *pjrtc.CompileArgs) error {
		if e = a.Executable; e == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave no program: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	return e, err
}
