package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Metadata is what the plugin says of the program in a form of its own, serialised. Calls
// PJRT_ExecutableMetadata_GetExecutableMetadata. Errors: [isthmus.ErrUnsupported] where the plugin has no
// ExecutableMetadata extension.
func (x *Executable) Metadata() ([]byte, error) { return metadata(x) }

// Metadata is [Executable.Metadata].
func (x *Compiled) Metadata() ([]byte, error) { return metadata(x) }

func metadata(d described) (out []byte, err error) {
	err = d.with("executable metadata", func(p *Plugin, e pjrtc.Ptr[pjrtc.Executable]) (err error) {
		out, err = p.metadata(e)
		return err
	})
	return out, err
}

func (p *Plugin) metadata(e pjrtc.Ptr[pjrtc.Executable]) (out []byte, err error) {
	const op = "executable metadata"
	if err := p.needs(op, (*pjrtc.ExecutableMetadataDestroySerializedMetadataArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	err = askExt(p, op, func(_ *call.Frame, a *pjrtc.ExecutableMetadataGetExecutableMetadataArgs) error {
		a.Executable = e
		return nil
	}, func(a *pjrtc.ExecutableMetadataGetExecutableMetadataArgs) error {
		m := a.Metadata
		if m == 0 {
			return nil
		}
		var err error
		if out, err = mem.Copy(m.At().SerializedMetadata, m.At().SerializedMetadataSize, maxProgram); err != nil {
			err = fmt.Errorf("pjrt: %s: %w", op, err)
		}
		derr := askExt(p, op, func(_ *call.Frame, a *pjrtc.ExecutableMetadataDestroySerializedMetadataArgs) error {
			a.Metadata = m
			return nil
		}, nil)
		if err == nil {
			err = derr
		}
		return err
	})
	return out, err
}
