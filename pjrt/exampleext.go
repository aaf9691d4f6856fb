package pjrt

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// ExampleExtension is the object of PJRT's sample extension, which plugins have to show how extensions are made. It is
// safe for concurrent use. The zero value is closed.
type ExampleExtension struct {
	extObject[pjrtc.ExampleExtensionCpp]
}

// NewExampleExtension makes the object. Calls create of PJRT_Example_Extension. The caller closes it. Errors:
// [isthmus.ErrUnsupported] where the plugin has no Example extension.
func (p *Plugin) NewExampleExtension() (*ExampleExtension, error) {
	const op = "example extension"
	if err := p.needs(op, pjrtc.ExampleDestroy); err != nil {
		return nil, err
	}
	e := &ExampleExtension{}
	return orNil(e, askFunc(p, op, pjrtc.ExampleCreate, nil, func(a *pjrtc.ExampleExtensionCreateExampleExtensionCppArgs) error {
		return e.take(p, "pjrt.ExampleExtension", a.ExtensionCpp, func(h pjrtc.Ptr[pjrtc.ExampleExtensionCpp]) error {
			return askFunc(p, "destroy example extension", pjrtc.ExampleDestroy, func(_ *call.Frame, a *pjrtc.ExampleExtensionCreateExampleExtensionCppArgs) error {
				a.ExtensionCpp = h
				return nil
			}, nil)
		})
	}))
}

// Call calls its one method, example_method.
func (e *ExampleExtension) Call(value int64) error {
	const op = "example method"
	if e == nil {
		return invalid(op, "none")
	}
	return e.with(op, func(h pjrtc.Ptr[pjrtc.ExampleExtensionCpp]) error {
		return askExt(e.plugin, op, func(_ *call.Frame, a *pjrtc.ExampleExtensionExampleMethodArgs) error {
			a.ExtensionCpp, a.Value = h, value
			return nil
		}, nil)
	})
}

// String describes the object.
func (e *ExampleExtension) String() string {
	if e == nil {
		return "pjrt.ExampleExtension(none)"
	}
	return e.describe("pjrt.ExampleExtension")
}

// Close destroys the object. Close is idempotent and nil-safe.
func (e *ExampleExtension) Close() error {
	if e == nil {
		return nil
	}
	return e.close()
}
