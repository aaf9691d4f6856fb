package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// extObject is an object that an extension makes: owned, with what it depends on as its parents.
type extObject[T any] struct {
	owned  ffi.Owned[pjrtc.Ptr[T]]
	plugin *Plugin
	kind   string
}

// take owns h, or destroys it and says why not.
func (o *extObject[T]) take(p *Plugin, kind string, h pjrtc.Ptr[T], destroy func(pjrtc.Ptr[T]) error, parents ...ffi.Parent) error {
	if h == 0 {
		return fmt.Errorf("pjrt: %s: the plugin gave none: %w", kind, isthmus.ErrInvalid)
	}
	o.plugin, o.kind = p, kind
	return o.owned.Init(&ffi.Class[pjrtc.Ptr[T]]{Name: kind, Destroy: destroy}, h, parents...)
}

// use enters the object; the caller calls o.owned.Done.
func (o *extObject[T]) use(op string) (pjrtc.Ptr[T], error) {
	if o == nil || o.plugin == nil {
		return 0, invalid(op, "no object")
	}
	h, err := o.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return h, nil
}

// with lends f the handle.
func (o *extObject[T]) with(op string, f func(pjrtc.Ptr[T]) error) error {
	h, err := o.use(op)
	if err != nil {
		return err
	}
	defer o.owned.Done()
	return f(h)
}

// describe is what String prints.
func (o *extObject[T]) describe(kind string) string {
	if o == nil || o.plugin == nil {
		return kind + "(none)"
	}
	if !o.owned.Live() {
		return fmt.Sprintf("%s(%s, closed)", kind, o.plugin.name)
	}
	return fmt.Sprintf("%s(%s)", kind, o.plugin.name)
}

func (o *extObject[T]) close() error {
	if o == nil {
		return nil
	}
	return o.owned.Close()
}

// needs fails where the plugin lacks any of the functions: what is made must have a way to its end.
func (p *Plugin) needs(op string, fns ...pjrtc.ExtFunc) error {
	if p == nil || p.table == nil {
		return invalid(op, "no plugin")
	}
	for _, e := range fns {
		if _, err := p.extensionFunc(e); err != nil {
			return fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	return nil
}

// lendBytes gives an argument the address of b for one call; empty bytes have an address too.
func lendBytes(f *call.Frame, pin *mem.Pin, b []byte) (pjrtc.Ptr[byte], error) {
	if len(b) == 0 {
		return bytesOf(f, "")
	}
	return pjrtc.Ptr[byte](mem.PinSlice(pin, b)), nil
}
