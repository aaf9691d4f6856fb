package pjrt_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestP24FreeWhenTheEventFires: who waited for the event of a transfer may write to the memory at once, whatever lent
// it.
func TestP24FreeWhenTheEventFires(t *testing.T) {
	type closer = interface{ Close() error }
	host := make([]byte, 16)
	// Each begins a transfer from or to host, and gives its event and what is to be closed after it.
	for name, begin := range map[string]func(c *pjrt.Client) (*pjrt.Event, []closer, error){
		"PutLent": func(c *pjrt.Client) (*pjrt.Event, []closer, error) {
			b, e, err := pjrt.PutLent(c.Device(), host, pjrt.UntilTransferred, 16)
			return e, []closer{b}, err
		},
		"PutWith": func(c *pjrt.Client) (*pjrt.Event, []closer, error) {
			b, e, err := pjrt.PutWith(t.Context(), c.Device(), host, pjrt.PutOptions{Lend: pjrt.UntilTransferred}, 16)
			return e, []closer{b}, err
		},
		"Upload.Write": func(c *pjrt.Client) (*pjrt.Event, []closer, error) {
			u, err := c.Device().Memory().NewUpload(pjrt.ShapeOf(dtype.U8, 16))
			if err != nil {
				return nil, nil, err
			}
			e, err := u.Write(0, 0, host, true)
			return e, []closer{u}, err
		},
		"Buffer.GetRawLater": func(c *pjrt.Client) (*pjrt.Event, []closer, error) {
			b, err := pjrt.Put(t.Context(), c.Device(), make([]byte, 16), 16)
			if err != nil {
				return nil, nil, err
			}
			e, p, err := b.GetRawLater(0, 16)
			if err == nil {
				err = p.Fulfill(host)
			}
			return e, []closer{p, b}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c *pjrt.Client) {
				for range 100 {
					e, owned, err := begin(c)
					unsupported(t, err)
					if err := e.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					l, err := ffi.Lend(host, ffi.Exclusive)
					if err != nil {
						t.Fatal(err)
					}
					l.Return()
					mustClose(t, e)
					for _, o := range owned {
						mustClose(t, o)
					}
				}
			})
		})
	}
}
