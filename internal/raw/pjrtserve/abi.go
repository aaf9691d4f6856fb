package pjrtserve

import (
	"bytes"
	"hash/fnv"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// abi is a PJRT_RuntimeAbiVersion or PJRT_ExecutableAbiVersion: an executable runs where it was compiled for the same
// platform by the same version.
type abi struct {
	platform uint64
	version  []byte
}

func (s *Server) abi() *abi {
	name, version := s.backend.Platform()
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return &abi{h.Sum64(), []byte(version)}
}

// proto is the version as a PjRtAbiVersionProto.
func (v *abi) proto() []byte {
	var m message
	m.number(1, int64(v.platform))
	m.bytes(2, v.version)
	return m
}

func readABI(at pjrtc.Ptr[byte], n uint64) (*abi, error) {
	text, err := readText(at, n)
	if err != nil {
		return nil, err
	}
	v := &abi{}
	err = fields([]byte(text), func(f field) error {
		switch {
		case f.id == 1 && f.wire == 0:
			v.platform = f.number
		case f.id == 2 && f.wire == 2:
			v.version = f.bytes
		}
		return nil
	})
	return v, err
}

// accepts says why what was made with the version other cannot be used with this one, nil where it can.
func (v *abi) accepts(other *abi) error {
	if v.platform != other.platform {
		return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "platform %#x, this is %#x", other.platform, v.platform)
	}
	if !bytes.Equal(v.version, other.version) {
		return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "version %q, this is %q", other.version, v.version)
	}
	return nil
}

func (s *shared) abiExtension() {
	extend(s, func(_ *Server, a *pjrtc.ClientRuntimeAbiVersionArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		a.AbiVersion, err = give[pjrtc.Ptr[pjrtc.RuntimeAbiVersion]](kindRuntimeABI, c.server.abi())
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.ExecutableGetAbiVersionArgs) error {
		x, err := getExecutable(a.Executable)
		if err != nil {
			return err
		}
		a.AbiVersion, err = give[pjrtc.Ptr[pjrtc.ExecutableAbiVersion]](kindExecutableABI, x.server.abi())
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.RuntimeAbiVersionDestroyArgs) error {
		if a.AbiVersion == 0 {
			return nil
		}
		_, err := take[*abi](kindRuntimeABI, a.AbiVersion)
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.ExecutableAbiVersionDestroyArgs) error {
		if a.AbiVersion == 0 {
			return nil
		}
		_, err := take[*abi](kindExecutableABI, a.AbiVersion)
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.RuntimeAbiVersionIsCompatibleWithRuntimeArgs) error {
		v, err := get[*abi](kindRuntimeABI, a.AbiVersion)
		if err != nil {
			return err
		}
		other, err := get[*abi](kindRuntimeABI, a.OtherAbiVersion)
		if err != nil {
			return err
		}
		return v.accepts(other)
	})
	extend(s, func(_ *Server, a *pjrtc.RuntimeAbiVersionIsCompatibleWithExecutableArgs) error {
		v, err := get[*abi](kindRuntimeABI, a.AbiVersion)
		if err != nil {
			return err
		}
		other, err := get[*abi](kindExecutableABI, a.ExecutableAbiVersion)
		if err != nil {
			return err
		}
		return v.accepts(other)
	})
	extend(s, func(_ *Server, a *pjrtc.RuntimeAbiVersionToProtoArgs) error {
		v, err := get[*abi](kindRuntimeABI, a.AbiVersion)
		if err != nil {
			return err
		}
		a.SerializedProto, a.SerializedProtoSize, a.SerializedProtoHolder, a.SerializedProtoDeleter, err = handOver[pjrtc.SerializedProto](v.proto())
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.ExecutableAbiVersionToProtoArgs) error {
		v, err := get[*abi](kindExecutableABI, a.AbiVersion)
		if err != nil {
			return err
		}
		a.SerializedProto, a.SerializedProtoSize, a.SerializedProtoHolder, a.SerializedProtoDeleter, err = handOver[pjrtc.SerializedProto](v.proto())
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.RuntimeAbiVersionPlatformIdArgs) error {
		v, err := get[*abi](kindRuntimeABI, a.AbiVersion)
		if err != nil {
			return err
		}
		a.PlatformId = v.platform
		return nil
	})
	extend(s, func(_ *Server, a *pjrtc.ExecutableAbiVersionPlatformIdArgs) error {
		v, err := get[*abi](kindExecutableABI, a.AbiVersion)
		if err != nil {
			return err
		}
		a.PlatformId = v.platform
		return nil
	})
	extend(s, func(_ *Server, a *pjrtc.RuntimeAbiVersionFromProtoArgs) error {
		v, err := readABI(a.SerializedProto, a.SerializedProtoSize)
		if err != nil {
			return err
		}
		a.AbiVersion, err = give[pjrtc.Ptr[pjrtc.RuntimeAbiVersion]](kindRuntimeABI, v)
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.ExecutableAbiVersionFromProtoArgs) error {
		v, err := readABI(a.SerializedProto, a.SerializedProtoSize)
		if err != nil {
			return err
		}
		a.AbiVersion, err = give[pjrtc.Ptr[pjrtc.ExecutableAbiVersion]](kindExecutableABI, v)
		return err
	})
}
