package pjrtserve

import (
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// manager is a PJRT_AsyncHostToDeviceTransferManager: buffers whose content comes in parts.
type manager struct {
	heap   heap
	client *client
	device int
	items  []*item
}

// item is one buffer of a manager.
type item struct {
	buffer *buffer
	typ    Type
	data   []byte
	done   func(error)

	mu        sync.Mutex
	retrieved bool
	over      bool // the content is complete, or never will be
}

// finish says that the content is there, or why it never will be. It reports whether this call did.
func (i *item) finish(err error) bool {
	i.mu.Lock()
	first := !i.over
	i.over = true
	i.mu.Unlock()
	if first {
		i.done(err)
	}
	return first
}

// end drops a manager: buffers that are not complete fail, and those that nobody retrieved go.
func (m *manager) end() {
	for _, i := range m.items {
		i.finish(fmt.Errorf("pjrtserve: the transfer manager was destroyed before the transfer was complete: %w", isthmus.ErrClosed))
		i.mu.Lock()
		drop := !i.retrieved
		i.retrieved = true
		i.mu.Unlock()
		if drop {
			i.buffer.end()
		}
	}
	m.heap.free()
}

func (m *manager) item(i int32) (*item, error) {
	if i < 0 || int(i) >= len(m.items) {
		return nil, invalid("buffer %d of %d", i, len(m.items))
	}
	return m.items[i], nil
}

func getManager(h pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager]) (*manager, error) {
	m, err := get[*manager](kindManager, h)
	if err == nil {
		err = m.client.open()
	}
	return m, err
}

func itemOf(h pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], i int32) (*item, error) {
	m, err := getManager(h)
	if err != nil {
		return nil, err
	}
	return m.item(i)
}

// maxItems bounds the buffers of one manager.
const maxItems = 1 << 16

func (c *client) newManager(a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) (err error) {
	if a.NumShapeSpecs > maxItems {
		return invalid("%d buffers", a.NumShapeSpecs)
	}
	specs, err := a.ShapeSpecs.Slice(a.NumShapeSpecs)
	if err != nil {
		return err
	}
	var layouts []pjrtc.Ptr[pjrtc.BufferMemoryLayout]
	if a.DeviceLayouts != 0 && a.NumDeviceLayouts != 0 {
		if a.NumDeviceLayouts != a.NumShapeSpecs {
			return invalid("%d layouts for %d buffers", a.NumDeviceLayouts, a.NumShapeSpecs)
		}
		if layouts, err = a.DeviceLayouts.Slice(a.NumDeviceLayouts); err != nil {
			return err
		}
	}
	where, err := getMemory(a.Memory)
	if err != nil {
		return err
	}
	m := &manager{client: c, device: where.device.id}
	defer func() {
		if err != nil {
			m.end()
		}
	}()
	for i, s := range specs {
		t, err := readType(s.ElementType, s.Dims, s.NumDims)
		if err != nil {
			return fmt.Errorf("buffer %d: %w", i, err)
		}
		if layouts != nil {
			if err := t.rowMajorOnly(layouts[i]); err != nil {
				return fmt.Errorf("buffer %d: %w", i, err)
			}
		}
		b, data, done, err := c.promised(t, 0, a.Memory)
		if err != nil {
			return fmt.Errorf("buffer %d: %w", i, err)
		}
		m.items = append(m.items, &item{buffer: b, typ: t, data: data, done: done})
	}
	a.TransferManager, err = give[pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager]](kindManager, m)
	return err
}

func (s *shared) transferSlots() {
	on(s, func(_ *Server, a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		return c.newManager(a)
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs) error {
		if a.TransferManager == 0 {
			return nil
		}
		m, err := take[*manager](kindManager, a.TransferManager)
		if err != nil {
			return err
		}
		m.end()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs) error {
		i, err := itemOf(a.TransferManager, a.BufferIndex)
		if err != nil {
			return err
		}
		if size := int64(len(i.data)); a.Offset < 0 || a.TransferSize < 0 || a.Offset > size || a.TransferSize > size-a.Offset {
			return invalid("%d bytes at %d of a buffer of %d", a.TransferSize, a.Offset, size)
		}
		src, err := mem.Slice[byte](a.Data, a.TransferSize)
		if err != nil {
			return err
		}
		if err := i.write(src, a.Offset); err != nil {
			return err
		}
		if a.IsLastTransfer {
			i.finish(nil)
		}
		a.DoneWithH2dTransfer, err = giveEvent(fired(nil))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs) error {
		i, err := itemOf(a.TransferManager, a.BufferIndex)
		if err != nil {
			return err
		}
		t, err := readType(a.ShapeElementType, a.ShapeDims, a.ShapeNumDims)
		if err != nil {
			return err
		}
		strides, err := t.layoutOf(a.ShapeLayout)
		if err != nil {
			return err
		}
		size, err := t.size()
		if err != nil {
			return err
		}
		if size != len(i.data) || t.DType != i.typ.DType {
			return invalid("a literal of %d bytes of %v for a buffer of %d of %v", size, t.DType, len(i.data), i.typ.DType)
		}
		i.mu.Lock()
		if i.over {
			err = errOver
		} else {
			err = gather(i.data, mem.Addr(a.Data), t, strides, size)
		}
		i.mu.Unlock()
		if err != nil {
			return err
		}
		i.finish(nil)
		a.DoneWithH2dTransfer, err = giveEvent(fired(nil))
		return err
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs) error {
		i, err := itemOf(a.TransferManager, a.BufferIndex)
		if err != nil {
			return err
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.retrieved {
			return invalid("buffer %d was retrieved before", a.BufferIndex)
		}
		if a.BufferOut, err = i.buffer.give(); err == nil {
			i.retrieved = true
		}
		return err
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerDeviceArgs) error {
		m, err := getManager(a.TransferManager)
		if err != nil {
			return err
		}
		a.DeviceOut = m.client.devices[m.device].h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerBufferCountArgs) error {
		m, err := getManager(a.TransferManager)
		if err != nil {
			return err
		}
		a.BufferCount = uint64(len(m.items))
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs) error {
		i, err := itemOf(a.TransferManager, a.BufferIndex)
		if err != nil {
			return err
		}
		a.BufferSize = uint64(len(i.data))
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerSetBufferErrorArgs) error {
		i, err := itemOf(a.TransferManager, a.BufferIndex)
		if err != nil {
			return err
		}
		cause, err := readStatus(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
		if err != nil {
			return err
		}
		if cause == nil {
			return invalid("the error is OK")
		}
		if !i.finish(cause) {
			return errOver
		}
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.AsyncHostToDeviceTransferManagerAddMetadataArgs) error {
		if _, err := getManager(a.TransferManager); err != nil {
			return err
		}
		_, err := readValues(a.TransferMetadata, a.NumMetadata)
		return err // it is for traces, and there are none
	})
}

var errOver = fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the transfer to the buffer is over")

// write copies a part of the content, unless the transfer is over.
func (i *item) write(src []byte, offset int64) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return errOver
	}
	copy(i.data[offset:], src)
	return nil
}
