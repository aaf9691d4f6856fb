package pjrt

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// HostMemory is memory of the host that a plugin allocated, so that its devices reach it fast. Sections of it are lent,
// as of a [ffi.Region]. It keeps its client alive. It is safe for concurrent use.
type HostMemory struct {
	owned  ffi.Owned[hostBlock]
	region *ffi.Region
}

type hostBlock struct {
	at      pjrtc.Ptr[byte]
	deleter pjrtc.Func
	arg     pjrtc.Addr
}

// AllocateHost allocates size bytes near a node of the machine's memory; a negative node leaves the choice to the
// plugin. The content is the plugin's until it is written. The caller closes it. Calls
// PJRT_HostMemoryAllocator_Allocate. Errors: [isthmus.ErrUnsupported] where the plugin has no extension
// HostMemoryAllocator.
func (c *Client) AllocateHost(size, node int) (*HostMemory, error) {
	const op = "allocate host memory"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	if size <= 0 || size > mem.MaxBytes || int(int32(node)) != node {
		return nil, fmt.Errorf("pjrt: %s: %d bytes at node %d: %w", op, size, node, isthmus.ErrBounds)
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	var b hostBlock
	err = askExt(c.plugin, op, func(_ *call.Frame, a *pjrtc.HostMemoryAllocatorAllocateArgs) error {
		a.Client, a.Size, a.NumaNode = h, uint64(size), int32(max(node, -1))
		return nil
	}, func(a *pjrtc.HostMemoryAllocatorAllocateArgs) error {
		b = hostBlock{a.Ptr, a.Deleter, a.DeleterArg}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if b.at == 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin gave none: %w", op, isthmus.ErrInvalid)
	}
	m := &HostMemory{}
	class := &ffi.Class[hostBlock]{Name: "pjrt.HostMemory", Destroy: func(b hostBlock) error {
		if b.deleter != 0 {
			call.Call(call.Fn(b.deleter), uintptr(b.at), uintptr(b.arg))
		}
		return nil
	}}
	if err := m.owned.Init(class, b, &c.owned); err != nil {
		return nil, err
	}
	// SAFETY: owner: m, whose child the region is, so that the memory outlives all its sections; bounds: the size that
	// was asked for; alignment: bytes; thread: loans decide who reads and writes.
	s, err := mem.Slice[byte](b.at, size)
	if err == nil {
		m.region, err = ffi.NewRegion(s, &m.owned)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pjrt: %s: %w", op, err), m.owned.Close())
	}
	return m, nil
}

// Len is the size in bytes.
func (m *HostMemory) Len() int { return orZero(m).region.Len() }

// Read lends n bytes from off on for reading; see [ffi.Region.Read].
func (m *HostMemory) Read(off, n int) (*ffi.Loan, error) { return orZero(m).region.Read(off, n) }

// Write lends n bytes from off on for reading and writing; see [ffi.Region.Write].
func (m *HostMemory) Write(off, n int) (*ffi.Loan, error) { return orZero(m).region.Write(off, n) }

// Close gives the memory back to the plugin, by its own deleter. While a section is lent it does nothing and returns
// an error that wraps [isthmus.ErrBorrowed]. It is idempotent and nil-safe.
func (m *HostMemory) Close() error {
	if m == nil {
		return nil
	}
	if err := m.region.Close(); err != nil {
		return err
	}
	return m.owned.Close()
}
