package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Mapping is host memory that the devices of a client reach directly, which makes transfers from and to it faster. It
// is safe for concurrent use. The zero value is closed.
type Mapping struct {
	owned  ffi.Owned[mapping]
	client *Client
	size   int
}

// mapping is the native side: the address, and what keeps the memory in place.
type mapping struct {
	client pjrtc.Ptr[pjrtc.Client]
	data   pjrtc.Addr
	hold   *ffi.Loan
}

// Map maps a region of host memory for the client's devices. While it is mapped the region cannot be closed; its
// sections may be lent as before. The caller closes the mapping. Calls PJRT_Client_DmaMap.
func (c *Client) Map(r *ffi.Region) (*Mapping, error) {
	const op = "map"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	if r.Len() == 0 {
		return nil, fmt.Errorf("pjrt: %s: the region is empty: %w", op, isthmus.ErrInvalid)
	}
	p := c.plugin
	if !p.table.Has(pjrtc.SlotClientDmaUnmap) {
		return nil, fmt.Errorf("pjrt: %s: %w", op, p.lacks(pjrtc.SlotClientDmaUnmap))
	}
	hold, err := r.Hold()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	n := mapping{client: h, data: pjrtc.Addr(mem.AddrOf(hold.Bytes())), hold: hold}
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.ClientDmaMapArgs) error {
		a.Client, a.Data, a.Size = h, n.data, uint64(r.Len())
		return nil
	}, nil)
	if err != nil {
		returnAfter(hold, err)
		return nil, err
	}
	m := &Mapping{client: c, size: r.Len()}
	if err := m.owned.Init(&p.mappings, n, &c.owned); err != nil {
		return nil, err
	}
	return m, nil
}

// Len is the mapped memory's size in bytes.
func (m *Mapping) Len() int { return orZero(m).size }

// Close unmaps the memory. It is idempotent and nil-safe. When the plugin refuses, the memory stays held for ever,
// since the devices may still reach it. Calls PJRT_Client_DmaUnmap.
func (m *Mapping) Close() error {
	if m == nil {
		return nil
	}
	return m.owned.Close()
}

// String describes the mapping.
func (m *Mapping) String() string {
	if m == nil || m.client == nil {
		return "pjrt.Mapping(none)"
	}
	return fmt.Sprintf("pjrt.Mapping(%d bytes for %s)", m.size, m.client)
}

func (n mapping) destroy(p *Plugin) error {
	err := ask(p, "unmap", func(_ *call.Frame, a *pjrtc.ClientDmaUnmapArgs) error {
		a.Client, a.Data = n.client, n.data
		return nil
	}, nil)
	if err == nil {
		n.hold.Return()
	}
	return err
}
