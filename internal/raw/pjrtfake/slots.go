package pjrtfake

import (
	"math"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// handler is one function of the table.
type handler struct {
	size  uint64
	serve func(f *Fake, a mem.Addr) *Failure
}

var handlers = map[pjrtc.Slot]*handler{}

// on registers a function. It runs with the fake locked.
func on[A any, P interface {
	*A
	pjrtc.Args
}](serve func(f *Fake, a P) *Failure) struct{} {
	var zero A
	P(&zero).SetSize()
	size := *mem.At[uint64](mem.AddrOfPtr(&zero)) // every sized struct begins with its size
	handlers[P(&zero).Slot()] = &handler{size, func(f *Fake, a mem.Addr) *Failure { return serve(f, P(mem.At[A](a))) }}
	return struct{}{}
}

func failed(code pjrtc.ErrorCode, msg string) *Failure { return &Failure{Code: code, Msg: msg} }

var bad = failed(pjrtc.ErrorCodeINVALIDARGUMENT, "bad handle")

// The functions, by kind of object.
var (
	_ = on(func(f *Fake, a *pjrtc.ErrorDestroyArgs) *Failure { destroy(f, "error", a.Error); return nil })
	_ = on(func(f *Fake, a *pjrtc.ErrorMessageArgs) *Failure {
		if e := get(f, "message", "error", a.Error); e != nil && e.err != nil {
			a.Message, a.MessageSize = f.text(e.err.Msg), uint64(len(e.err.Msg))
		}
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ErrorGetCodeArgs) *Failure {
		if e := get(f, "code", "error", a.Error); e != nil && e.err != nil {
			a.Code = e.err.Code
		}
		return nil
	})
	_ = on(func(*Fake, *pjrtc.PluginInitializeArgs) *Failure { return nil })
	_ = on(func(f *Fake, a *pjrtc.PluginAttributesArgs) *Failure {
		a.Attributes, a.NumAttributes = f.values(f.Attributes), uint64(len(f.Attributes))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.EventDestroyArgs) *Failure { destroy(f, "event", a.Event); return nil })
	_ = on(func(f *Fake, a *pjrtc.EventIsReadyArgs) *Failure {
		e := get(f, "is ready", "event", a.Event)
		if e == nil {
			return bad
		}
		a.IsReady = e.fired
		return nil
	})
	_ = on(func(*Fake, *pjrtc.EventAwaitArgs) *Failure { return nil })   // see serve
	_ = on(func(*Fake, *pjrtc.EventOnReadyArgs) *Failure { return nil }) // see serve
	_ = on((*Fake).createClient)
	_ = on(func(f *Fake, a *pjrtc.ClientDestroyArgs) *Failure { destroy(f, "client", a.Client); return nil })
	_ = on(func(f *Fake, a *pjrtc.ClientPlatformNameArgs) *Failure {
		get(f, "platform", "client", a.Client)
		a.PlatformName, a.PlatformNameSize = f.text("fake"), 4
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ClientProcessIndexArgs) *Failure {
		get(f, "process", "client", a.Client)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ClientPlatformVersionArgs) *Failure {
		get(f, "version", "client", a.Client)
		a.PlatformVersion, a.PlatformVersionSize = f.text("fake \xff\xfe 1"), 9
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ClientDevicesArgs) *Failure {
		d := f.devicesOf(get(f, "devices", "client", a.Client))
		a.Devices, a.NumDevices = list(f, d), uint64(len(d))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ClientAddressableDevicesArgs) *Failure {
		d := f.devicesOf(get(f, "devices", "client", a.Client))
		a.AddressableDevices, a.NumAddressableDevices = list(f, d), uint64(len(d))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.DeviceGetDescriptionArgs) *Failure {
		get(f, "description", "device", a.Device)
		a.DeviceDescription = pjrtc.Ptr[pjrtc.DeviceDescription](a.Device)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.DeviceDescriptionIdArgs) *Failure {
		if d := get(f, "id", "device", a.DeviceDescription); d != nil {
			a.Id = int32(d.id)
		}
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.DeviceDescriptionKindArgs) *Failure {
		get(f, "kind", "device", a.DeviceDescription)
		a.DeviceKind, a.DeviceKindSize = f.text("fake"), 4
		return nil
	})
	_ = on((*Fake).compile)
	_ = on(func(f *Fake, a *pjrtc.LoadedExecutableDestroyArgs) *Failure {
		destroy(f, "executable", a.Executable)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.LoadedExecutableGetExecutableArgs) *Failure {
		x := get(f, "executable", "executable", a.LoadedExecutable)
		if x == nil {
			return bad
		}
		d := f.make(&object{kind: "description", parent: x, prog: x.prog, name: x.name})
		a.Executable = pjrtc.Ptr[pjrtc.Executable](d.handle)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ExecutableDestroyArgs) *Failure {
		destroy(f, "description", a.Executable)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ExecutableNameArgs) *Failure {
		if x := get(f, "name", "description", a.Executable); x != nil {
			a.ExecutableName, a.ExecutableNameSize = f.text(x.name), uint64(len(x.name))
		}
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ExecutableNumOutputsArgs) *Failure {
		x := get(f, "outputs", "description", a.Executable)
		if x == nil {
			return bad
		}
		a.NumOutputs = uint64(len(x.prog.Outputs))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ExecutableOutputElementTypesArgs) *Failure {
		x := get(f, "output types", "description", a.Executable)
		if x == nil {
			return bad
		}
		var types []pjrtc.BufferType
		for _, o := range x.prog.Outputs {
			types = append(types, o.Type)
		}
		a.OutputTypes, a.NumOutputTypes = list(f, types), uint64(len(types))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ExecutableOutputDimensionsArgs) *Failure {
		x := get(f, "output dims", "description", a.Executable)
		if x == nil {
			return bad
		}
		var dims []int64
		var sizes []uint64
		for _, o := range x.prog.Outputs {
			dims, sizes = append(dims, o.Dims...), append(sizes, uint64(len(o.Dims)))
		}
		a.NumOutputs, a.Dims, a.DimSizes = uint64(len(sizes)), list(f, dims), list(f, sizes)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.ExecutableOptimizedProgramArgs) *Failure {
		x := get(f, "optimized program", "description", a.Executable)
		if x == nil || a.Program == 0 {
			return bad
		}
		if x.prog.Optimized == "" {
			return failed(pjrtc.ErrorCodeUNIMPLEMENTED, "no optimized program")
		}
		p := a.Program.At()
		p.Format, p.FormatSize = f.text("text"), 4
		if p.Code != 0 {
			if p.CodeSize < uint64(len(x.prog.Optimized)) {
				f.violate("the buffer for the program has %d bytes", p.CodeSize)
				return bad
			}
			copy(array(p.Code, p.CodeSize), x.prog.Optimized)
		}
		p.CodeSize = uint64(len(x.prog.Optimized))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.LoadedExecutableAddressableDevicesArgs) *Failure {
		x := get(f, "devices", "executable", a.Executable)
		if x == nil {
			return bad
		}
		a.AddressableDevices, a.NumAddressableDevices = list(f, []pjrtc.Ptr[pjrtc.Device]{pjrtc.Ptr[pjrtc.Device](x.device.handle)}), 1
		return nil
	})
	_ = on((*Fake).execute)
	_ = on((*Fake).fromHost)
	_ = on((*Fake).toHost)
	_ = on(func(f *Fake, a *pjrtc.BufferDestroyArgs) *Failure {
		if b := destroy(f, "buffer", a.Buffer); b != nil {
			f.fireAll(b)
		}
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferDeleteArgs) *Failure {
		b := get(f, "delete", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		b.taken = true
		f.fireAll(b)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferIsDeletedArgs) *Failure {
		b := get(f, "is deleted", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		a.IsDeleted = b.taken
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferElementTypeArgs) *Failure {
		b := get(f, "type", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		a.Type = b.typ.Type
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferDimensionsArgs) *Failure {
		b := get(f, "dims", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		a.Dims, a.NumDims = list(f, b.typ.Dims), uint64(len(b.typ.Dims))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferOnDeviceSizeInBytesArgs) *Failure {
		b := get(f, "size", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		a.OnDeviceSizeInBytes = uint64(len(b.data))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferReadyEventArgs) *Failure {
		b := get(f, "ready", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		a.Event = pjrtc.Ptr[pjrtc.Event](f.newEvent(b.parent, f.late(a.Slot())).handle)
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferCopyToDeviceArgs) *Failure {
		b, d := get(f, "copy", "buffer", a.Buffer), get(f, "copy", "device", a.DstDevice)
		if b == nil || d == nil || b.taken {
			return bad
		}
		a.DstBuffer = pjrtc.Ptr[pjrtc.Buffer](f.newBuffer(b.parent, d, b.typ, b.data).handle)
		return nil
	})
)

// values gives C a list of named values.
func (f *Fake) values(in []Value) pjrtc.Ptr[pjrtc.NamedValue] {
	out := make([]pjrtc.NamedValue, len(in))
	for i, v := range in {
		n := &out[i]
		n.SetSize()
		n.Name, n.NameSize, n.ValueSize = f.text(v.Name), uint64(len(v.Name)), 1
		switch x := v.Value.(type) {
		case string:
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKString, uint64(f.text(x)), uint64(len(x))
		case []byte:
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKString, uint64(f.text(string(x))), uint64(len(x))
		case int64:
			n.Type, n.Value = pjrtc.NamedValueKInt64, uint64(x)
		case []int64:
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKInt64List, uint64(list(f, x)), uint64(len(x))
		case float32:
			n.Type, n.Value = pjrtc.NamedValueKFloat, uint64(math.Float32bits(x))
		case bool:
			n.Type = pjrtc.NamedValueKBool
			if x {
				n.Value = 1
			}
		default:
			n.Type = 99 // a kind that no client knows
		}
	}
	return list(f, out)
}

// Dispatch calls a function of the fake's table as a plain C caller does.
func (f *Fake) Dispatch(s pjrtc.Slot, a mem.Addr) pjrtc.Ptr[pjrtc.Error] {
	return pjrtc.Ptr[pjrtc.Error](call.Call1(fns.fn[s], a))
}
