package pjrtserve

import (
	"context"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// buffer is a PJRT_Buffer.
type buffer struct {
	heap   heap
	client *client
	b      Buffer

	mu       sync.Mutex
	dead     bool
	external []func() // ends each external reference
}

// give makes the handle.
func (b *buffer) give() (pjrtc.Ptr[pjrtc.Buffer], error) {
	return give[pjrtc.Ptr[pjrtc.Buffer]](kindBuffer, b)
}

func getBuffer(h pjrtc.Ptr[pjrtc.Buffer]) (*buffer, error) {
	b, err := get[*buffer](kindBuffer, h)
	if err == nil {
		err = b.client.open()
	}
	return b, err
}

// end deletes the buffer. External references that nobody gave back are given back.
func (b *buffer) end() {
	b.b.Delete()
	b.mu.Lock()
	external := b.external
	b.dead, b.external = true, nil
	b.mu.Unlock()
	for _, release := range external {
		release()
	}
	b.heap.free()
}

// hold waits for the content and keeps the memory.
func (b *buffer) hold() ([]byte, func(), error) {
	if b.b.Deleted() {
		_, _, err := b.b.Hold() // which says why
		if err != nil {
			return nil, nil, err
		}
	}
	if err := b.b.Ready().Wait(context.Background()); err != nil {
		return nil, nil, err
	}
	return b.b.Hold()
}

// address is where the content is; an empty tensor has an address too.
func (b *buffer) address() (mem.Addr, error) {
	data, release, err := b.hold()
	if err != nil {
		return 0, err
	}
	release()
	if len(data) == 0 {
		at, _, err := b.heap.bytes("empty", nil)
		return mem.Addr(at), err
	}
	return mem.AddrOf(data), nil
}

func (s *shared) bufferSlots() {
	on(s, func(_ *Server, a *pjrtc.BufferDestroyArgs) error {
		if a.Buffer == 0 {
			return nil
		}
		b, err := take[*buffer](kindBuffer, a.Buffer)
		if err != nil {
			return err
		}
		b.end()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferDeleteArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		b.b.Delete()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferIsDeletedArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.IsDeleted = b.b.Deleted()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferElementTypeArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.Type, err = toBufferType(b.b.Type().DType)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferDimensionsArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.Dims, a.NumDims, err = b.dims()
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferUnpaddedDimensionsArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.UnpaddedDims, a.NumDims, err = b.dims()
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferDynamicDimensionIndicesArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.DynamicDimIndices, a.NumDynamicDims, err = array(&b.heap, "dynamic", func() []uint64 { return nil })
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferGetMemoryLayoutArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		l := &a.Layout
		l.SetSize()
		l.Type = pjrtc.BufferMemoryLayoutTypeTiled
		t := l.Tiled()
		*t = pjrtc.BufferMemoryLayoutTiled{}
		t.SetSize()
		t.MinorToMajor, t.MinorToMajorSize, err = array(&b.heap, "layout", func() []int64 { return minorToMajor(len(b.b.Type().Dims)) })
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferOnDeviceSizeInBytesArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.OnDeviceSizeInBytes = uint64(b.b.Size())
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferDeviceArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.Device = b.client.devices[b.b.Device()].h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferMemoryArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		a.Memory = b.client.devices[b.b.Device()].memories[b.b.Memory()].h
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferIsOnCpuArgs) error {
		_, err := getBuffer(a.Buffer)
		a.IsOnCpu = err == nil
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferReadyEventArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		if b.b.Deleted() {
			if _, _, err := b.b.Hold(); err != nil {
				return err
			}
		}
		a.Event, err = giveEvent(b.b.Ready())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferUnsafePointerArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		at, err := b.address()
		a.BufferPointer = uint64(at)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		at, err := b.address()
		a.DeviceMemoryPtr = pjrtc.Addr(at)
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferIncreaseExternalReferenceCountArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		_, release, err := b.hold()
		if err != nil {
			return err
		}
		b.mu.Lock()
		dead := b.dead
		if !dead {
			b.external = append(b.external, release)
		}
		b.mu.Unlock()
		if dead {
			release()
			return invalid("the buffer was destroyed")
		}
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferDecreaseExternalReferenceCountArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		b.mu.Lock()
		n := len(b.external)
		if n == 0 {
			b.mu.Unlock()
			return invalid("the buffer has no external reference")
		}
		release := b.external[n-1]
		b.external = b.external[:n-1]
		b.mu.Unlock()
		release()
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.BufferCopyToDeviceArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		d, err := getDevice(a.DstDevice)
		if err != nil {
			return err
		}
		if d.client != b.client {
			return invalid("the device belongs to another client")
		}
		a.DstBuffer, err = b.copyTo(d.id, 0, b.b.Type())
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferCopyToMemoryArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		m, err := getMemory(a.DstMemory)
		if err != nil {
			return err
		}
		if m.client != b.client {
			return invalid("the memory belongs to another client")
		}
		a.DstBuffer, err = b.copyTo(m.device.id, m.number, b.b.Type())
		return err
	})
}

func (b *buffer) dims() (pjrtc.Ptr[int64], uint64, error) {
	return array(&b.heap, "dims", func() []int64 { return b.b.Type().Dims })
}

// copyTo makes a copy as type t, of as many bytes, which gets its content when b has it.
func (b *buffer) copyTo(device, memory int, t Type) (pjrtc.Ptr[pjrtc.Buffer], error) {
	c, dst, done, err := b.client.backend.NewBuffer(device, memory, t)
	if err != nil {
		return 0, err
	}
	out := &buffer{client: b.client, b: c}
	h, err := out.give()
	if err != nil {
		done(err)
		out.end()
		return 0, err
	}
	err = b.b.Read(func(data []byte, err error) {
		if err == nil {
			copy(dst, data)
		}
		done(err)
	})
	if err != nil {
		done(err)
		_, _ = take[*buffer](kindBuffer, h)
		out.end()
		return 0, err
	}
	return h, nil
}
