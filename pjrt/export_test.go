package pjrt

import (
	"google.golang.org/protobuf/proto"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/pjrt/internal/xlapb"
)

// What tests of the package see of its insides.

// Encode is the wire form of compile options.
func Encode(c *Client, o CompileOptions) ([]byte, error) { return o.encode(c) }

// WithoutDebugOptions takes the compiler's debug options out of a CompileOptionsProto.
func WithoutDebugOptions(b []byte) ([]byte, error) {
	var m xlapb.CompileOptionsProto
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	m.ExecutableBuildOptions.DebugOptions = nil
	return proto.MarshalOptions{Deterministic: true}.Marshal(&m)
}

// ReadHLO is what is read out of an optimised program.
func ReadHLO(b []byte, withConfig bool) (params []Type, donated []bool, err error) {
	s, err := readHLO(b, withConfig)
	if err != nil {
		return nil, nil, err
	}
	return s.params, s.donated, nil
}

// LiveValues counts the Go values that plugins hold.
func LiveValues() int {
	values.mu.Lock()
	defer values.mu.Unlock()
	return len(values.live)
}

// NamedHandler is a handler that has a name and nothing else.
func NamedHandler(name string) *Handler { return &Handler{name: name} }

// EndNoData destroys the context that lives as long as a plugin with handlers.
func EndNoData(p *Plugin) error {
	h := p.handlers.noData.Swap(0)
	if h == 0 {
		return nil
	}
	return p.destroyContext(pjrtc.Ptr[pjrtc.ExecuteContext](h))
}
