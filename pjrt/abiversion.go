package pjrt

import (
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// RuntimeABI is the version of a runtime's binary interface: which executables it can load. It is safe for concurrent
// use. The zero value is closed.
type RuntimeABI struct {
	extObject[pjrtc.RuntimeAbiVersion]
}

// ExecutableABI is the version of the binary interface that a compiled program needs. It is safe for concurrent use.
// The zero value is closed.
type ExecutableABI struct {
	extObject[pjrtc.ExecutableAbiVersion]
}

// RuntimeABI is the client's version of the binary interface. Calls PJRT_Client_RuntimeAbiVersion. The caller closes
// it before the client. Errors: [isthmus.ErrUnsupported] where the plugin has no AbiVersion extension.
func (c *Client) RuntimeABI() (*RuntimeABI, error) {
	const op = "runtime abi"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	p := c.plugin
	if err := p.needs(op, (*pjrtc.RuntimeAbiVersionDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	v := &RuntimeABI{}
	return orNil(v, c.owned.With(func(h pjrtc.Ptr[pjrtc.Client]) error {
		return askExt(p, op, func(_ *call.Frame, a *pjrtc.ClientRuntimeAbiVersionArgs) error { a.Client = h; return nil },
			func(a *pjrtc.ClientRuntimeAbiVersionArgs) error {
				return v.take(p, "pjrt.RuntimeABI", a.AbiVersion, p.destroyRuntimeABI, &c.owned)
			})
	}))
}

// ABI is the version of the binary interface that the program needs. Calls PJRT_Executable_GetAbiVersion. The caller
// closes it before the executable. Errors: as for [Client.RuntimeABI].
func (x *Executable) ABI() (*ExecutableABI, error) { return abi(x) }

// ABI is [Executable.ABI].
func (x *Compiled) ABI() (*ExecutableABI, error) { return abi(x) }

func abi(d described) (*ExecutableABI, error) {
	const op = "executable abi"
	v := &ExecutableABI{}
	return orNil(v, d.with(op, func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) error {
		if err := p.needs(op, (*pjrtc.ExecutableAbiVersionDestroyArgs)(nil).ExtFunc()); err != nil {
			return err
		}
		var made pjrtc.Ptr[pjrtc.ExecutableAbiVersion]
		err := askExt(p, op, func(_ *call.Frame, a *pjrtc.ExecutableGetAbiVersionArgs) error { a.Executable = e; return nil },
			func(a *pjrtc.ExecutableGetAbiVersionArgs) error { made = a.AbiVersion; return nil })
		if err != nil {
			return err
		}
		return v.take(p, "pjrt.ExecutableABI", made, p.destroyExecutableABI, parentOf(d))
	}))
}

// parentOf is what a program's objects depend on.
func parentOf(d described) ffi.Parent {
	switch x := d.(type) {
	case *Executable:
		return &x.owned
	case *Compiled:
		return &x.owned
	}
	return nil
}

// orNil gives the value, or the error.
func orNil[T any](v *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (p *Plugin) destroyRuntimeABI(h pjrtc.Ptr[pjrtc.RuntimeAbiVersion]) error {
	return askExt(p, "destroy runtime abi", func(_ *call.Frame, a *pjrtc.RuntimeAbiVersionDestroyArgs) error { a.AbiVersion = h; return nil }, nil)
}

func (p *Plugin) destroyExecutableABI(h pjrtc.Ptr[pjrtc.ExecutableAbiVersion]) error {
	return askExt(p, "destroy executable abi", func(_ *call.Frame, a *pjrtc.ExecutableAbiVersionDestroyArgs) error {
		a.AbiVersion = h
		return nil
	}, nil)
}

// DeserializeRuntimeABI reads what [RuntimeABI.Serialize] wrote. Calls PJRT_RuntimeAbiVersion_FromProto. The caller closes
// it.
func (p *Plugin) DeserializeRuntimeABI(proto []byte) (*RuntimeABI, error) {
	const op = "parse runtime abi"
	if err := p.needs(op, (*pjrtc.RuntimeAbiVersionDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	var pin mem.Pin
	defer pin.Unpin()
	v := &RuntimeABI{}
	return orNil(v, askExt(p, op, func(f *call.Frame, a *pjrtc.RuntimeAbiVersionFromProtoArgs) (err error) {
		a.SerializedProto, err = lendBytes(f, &pin, proto)
		a.SerializedProtoSize = uint64(len(proto))
		return err
	}, func(a *pjrtc.RuntimeAbiVersionFromProtoArgs) error {
		return v.take(p, "pjrt.RuntimeABI", a.AbiVersion, p.destroyRuntimeABI)
	}))
}

// DeserializeExecutableABI reads what [ExecutableABI.Serialize] wrote. Calls PJRT_ExecutableAbiVersion_FromProto. The caller
// closes it.
func (p *Plugin) DeserializeExecutableABI(proto []byte) (*ExecutableABI, error) {
	const op = "parse executable abi"
	if err := p.needs(op, (*pjrtc.ExecutableAbiVersionDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	var pin mem.Pin
	defer pin.Unpin()
	v := &ExecutableABI{}
	return orNil(v, askExt(p, op, func(f *call.Frame, a *pjrtc.ExecutableAbiVersionFromProtoArgs) (err error) {
		a.SerializedProto, err = lendBytes(f, &pin, proto)
		a.SerializedProtoSize = uint64(len(proto))
		return err
	}, func(a *pjrtc.ExecutableAbiVersionFromProtoArgs) error {
		return v.take(p, "pjrt.ExecutableABI", a.AbiVersion, p.destroyExecutableABI)
	}))
}

// CompatibleWith says nil where executables of other run on v too. Calls
// PJRT_RuntimeAbiVersion_IsCompatibleWithRuntime. Errors: the plugin's reason why not.
func (v *RuntimeABI) CompatibleWith(other *RuntimeABI) error {
	const op = "runtime compatibility"
	if v == nil || other == nil || v.plugin != other.plugin {
		return invalid(op, "versions of one plugin can be compared")
	}
	return v.with(op, func(h pjrtc.Ptr[pjrtc.RuntimeAbiVersion]) error {
		return other.with(op, func(o pjrtc.Ptr[pjrtc.RuntimeAbiVersion]) error {
			return askExt(v.plugin, op, func(_ *call.Frame, a *pjrtc.RuntimeAbiVersionIsCompatibleWithRuntimeArgs) error {
				a.AbiVersion, a.OtherAbiVersion = h, o
				return nil
			}, nil)
		})
	})
}

// CanLoad says nil where the runtime can load an executable. Calls PJRT_RuntimeAbiVersion_IsCompatibleWithExecutable.
// Errors: the plugin's reason why not.
func (v *RuntimeABI) CanLoad(e *ExecutableABI) error {
	const op = "executable compatibility"
	if v == nil || e == nil || v.plugin != e.plugin {
		return invalid(op, "versions of one plugin can be compared")
	}
	return v.with(op, func(h pjrtc.Ptr[pjrtc.RuntimeAbiVersion]) error {
		return e.with(op, func(o pjrtc.Ptr[pjrtc.ExecutableAbiVersion]) error {
			return askExt(v.plugin, op, func(_ *call.Frame, a *pjrtc.RuntimeAbiVersionIsCompatibleWithExecutableArgs) error {
				a.AbiVersion, a.ExecutableAbiVersion = h, o
				return nil
			}, nil)
		})
	})
}

// Serialize gives the version in a form for [Plugin.DeserializeRuntimeABI]. Calls PJRT_RuntimeAbiVersion_ToProto.
func (v *RuntimeABI) Serialize() (out []byte, err error) {
	const op = "serialize runtime abi"
	if v == nil {
		return nil, invalid(op, "none")
	}
	err = v.with(op, func(h pjrtc.Ptr[pjrtc.RuntimeAbiVersion]) error {
		return askExt(v.plugin, op, func(_ *call.Frame, a *pjrtc.RuntimeAbiVersionToProtoArgs) error { a.AbiVersion = h; return nil },
			func(a *pjrtc.RuntimeAbiVersionToProtoArgs) (err error) {
				out, err = takeBytes(op, a.SerializedProto, a.SerializedProtoSize, a.SerializedProtoDeleter, mem.Addr(a.SerializedProtoHolder))
				return err
			})
	})
	return out, err
}

// Serialize gives the version in a form for [Plugin.DeserializeExecutableABI]. Calls PJRT_ExecutableAbiVersion_ToProto.
func (v *ExecutableABI) Serialize() (out []byte, err error) {
	const op = "serialize executable abi"
	if v == nil {
		return nil, invalid(op, "none")
	}
	err = v.with(op, func(h pjrtc.Ptr[pjrtc.ExecutableAbiVersion]) error {
		return askExt(v.plugin, op, func(_ *call.Frame, a *pjrtc.ExecutableAbiVersionToProtoArgs) error { a.AbiVersion = h; return nil },
			func(a *pjrtc.ExecutableAbiVersionToProtoArgs) (err error) {
				out, err = takeBytes(op, a.SerializedProto, a.SerializedProtoSize, a.SerializedProtoDeleter, mem.Addr(a.SerializedProtoHolder))
				return err
			})
	})
	return out, err
}

// PlatformID is the number of the platform that the version is of. Calls PJRT_RuntimeAbiVersion_PlatformId.
func (v *RuntimeABI) PlatformID() (id uint64, err error) {
	const op = "runtime platform"
	if v == nil {
		return 0, invalid(op, "none")
	}
	err = v.with(op, func(h pjrtc.Ptr[pjrtc.RuntimeAbiVersion]) error {
		return askExt(v.plugin, op, func(_ *call.Frame, a *pjrtc.RuntimeAbiVersionPlatformIdArgs) error { a.AbiVersion = h; return nil },
			func(a *pjrtc.RuntimeAbiVersionPlatformIdArgs) error { id = a.PlatformId; return nil })
	})
	return id, err
}

// PlatformID is the number of the platform that the version is of. Calls PJRT_ExecutableAbiVersion_PlatformId.
func (v *ExecutableABI) PlatformID() (id uint64, err error) {
	const op = "executable platform"
	if v == nil {
		return 0, invalid(op, "none")
	}
	err = v.with(op, func(h pjrtc.Ptr[pjrtc.ExecutableAbiVersion]) error {
		return askExt(v.plugin, op, func(_ *call.Frame, a *pjrtc.ExecutableAbiVersionPlatformIdArgs) error { a.AbiVersion = h; return nil },
			func(a *pjrtc.ExecutableAbiVersionPlatformIdArgs) error { id = a.PlatformId; return nil })
	})
	return id, err
}

// String describes the version.
func (v *RuntimeABI) String() string {
	if v == nil {
		return "pjrt.RuntimeABI(none)"
	}
	return v.describe("pjrt.RuntimeABI")
}

// String describes the version.
func (v *ExecutableABI) String() string {
	if v == nil {
		return "pjrt.ExecutableABI(none)"
	}
	return v.describe("pjrt.ExecutableABI")
}

// Close destroys the version. Close is idempotent and nil-safe. Calls PJRT_RuntimeAbiVersion_Destroy.
func (v *RuntimeABI) Close() error {
	if v == nil {
		return nil
	}
	return v.close()
}

// Close destroys the version. Close is idempotent and nil-safe. Calls PJRT_ExecutableAbiVersion_Destroy.
func (v *ExecutableABI) Close() error {
	if v == nil {
		return nil
	}
	return v.close()
}
