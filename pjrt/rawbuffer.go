package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// RawBuffer is a buffer's memory on the device, as bytes in the device's own layout, with all padding. It keeps its
// buffer alive, and is to be closed before it. It is safe for concurrent use.
type RawBuffer struct {
	extObject[pjrtc.RawBuffer]
	client *Client
}

// Raw gives the memory of the buffer. The caller closes it. Calls PJRT_RawBuffer_CreateRawAliasOfBuffer. Errors:
// [isthmus.ErrUnsupported] where the plugin has no extension RawBuffer.
func (b *Buffer) Raw() (*RawBuffer, error) {
	const op = "raw buffer"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	r := &RawBuffer{client: b.client}
	p := b.client.plugin
	if err := p.needs(op, (*pjrtc.RawBufferDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	err = askExt(p, op, func(_ *call.Frame, a *pjrtc.RawBufferCreateRawAliasOfBufferArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.RawBufferCreateRawAliasOfBufferArgs) error {
			return own(&r.extObject, p, "pjrt.RawBuffer", a.RawBuffer, func(a *pjrtc.RawBufferDestroyArgs, h pjrtc.Ptr[pjrtc.RawBuffer]) { a.Buffer = h }, &b.owned)
		})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Close gives the memory up. It is idempotent and nil-safe. While a copy is under way it does nothing and returns an
// error that wraps [isthmus.ErrBusy]. Calls PJRT_RawBuffer_Destroy.
func (r *RawBuffer) Close() error {
	if r == nil {
		return nil
	}
	return r.owned.Close()
}

// Size is the number of bytes on the device. Calls PJRT_RawBuffer_GetOnDeviceSizeInBytes.
func (r *RawBuffer) Size() (n int, err error) {
	const op = "size of a raw buffer"
	err = askOf(&orZero(r).extObject, op, func(_ *call.Frame, a *pjrtc.RawBufferGetOnDeviceSizeInBytesArgs, h pjrtc.Ptr[pjrtc.RawBuffer]) error {
		a.Buffer = h
		return nil
	}, func(a *pjrtc.RawBufferGetOnDeviceSizeInBytesArgs) (err error) {
		if n, err = mem.Len(a.OnDeviceSizeInBytes); err != nil {
			err = fmt.Errorf("pjrt: %s: %w", op, err)
		}
		return err
	})
	return n, err
}

// Memory is where the bytes are, nil for a memory that the client does not list. Calls
// PJRT_RawBuffer_GetMemorySpace.
func (r *RawBuffer) Memory() (m *Memory, err error) {
	err = askOf(&orZero(r).extObject, "memory of a raw buffer", func(_ *call.Frame, a *pjrtc.RawBufferGetMemorySpaceArgs, h pjrtc.Ptr[pjrtc.RawBuffer]) error {
		a.Buffer = h
		return nil
	}, func(a *pjrtc.RawBufferGetMemorySpaceArgs) error {
		for _, k := range r.client.memories {
			if k.h == a.MemorySpace {
				m = k
			}
		}
		return nil
	})
	return m, err
}

// CopyTo copies bytes from offset on to dst, which is lent until the event fires. The caller closes the event. Calls
// PJRT_RawBuffer_CopyRawDeviceToHost. Errors: [isthmus.ErrBounds] for bytes that are not there,
// [isthmus.ErrBorrowed].
func (r *RawBuffer) CopyTo(dst []byte, offset int) (*Event, error) {
	const op = "copy from a raw buffer"
	return r.copy(op, dst, offset, ffi.Exclusive, func(h pjrtc.Ptr[pjrtc.RawBuffer], at mem.Addr) (e pjrtc.Ptr[pjrtc.Event], err error) {
		err = askExt(r.plugin, op, func(_ *call.Frame, a *pjrtc.RawBufferCopyRawDeviceToHostArgs) error {
			a.Buffer, a.Dst, a.Offset, a.TransferSize = h, pjrtc.Addr(at), int64(offset), int64(len(dst))
			return nil
		}, func(a *pjrtc.RawBufferCopyRawDeviceToHostArgs) error { e = a.Event; return nil })
		return e, err
	})
}

// CopyFrom copies src to the device, from offset on. src is lent until the event fires. The caller closes the event.
// Calls PJRT_RawBuffer_CopyRawHostToDevice. Errors: as for CopyTo.
func (r *RawBuffer) CopyFrom(src []byte, offset int) (*Event, error) {
	const op = "copy to a raw buffer"
	return r.copy(op, src, offset, ffi.Shared, func(h pjrtc.Ptr[pjrtc.RawBuffer], at mem.Addr) (e pjrtc.Ptr[pjrtc.Event], err error) {
		err = askExt(r.plugin, op, func(_ *call.Frame, a *pjrtc.RawBufferCopyRawHostToDeviceArgs) error {
			a.Buffer, a.Src, a.Offset, a.TransferSize = h, pjrtc.Addr(at), int64(offset), int64(len(src))
			return nil
		}, func(a *pjrtc.RawBufferCopyRawHostToDeviceArgs) error { e = a.Event; return nil })
		return e, err
	})
}

func (r *RawBuffer) copy(op string, host []byte, offset int, access ffi.Access, start func(pjrtc.Ptr[pjrtc.RawBuffer], mem.Addr) (pjrtc.Ptr[pjrtc.Event], error)) (*Event, error) {
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset > size || len(host) > size-offset {
		return nil, fmt.Errorf("pjrt: %s: %d bytes at %d of %d: %w", op, len(host), offset, size, isthmus.ErrBounds)
	}
	h, err := r.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer r.owned.Done()
	loan, err := ffi.Lend(host, access)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	r.plugin.lentTo(loan)
	e, err := start(h, mem.AddrOf(host))
	if err != nil {
		returnAfter(loan, err)
		return nil, err
	}
	return r.plugin.workEvent(op, e, []*ffi.Loan{loan}, &r.owned)
}

// Host calls f with the memory itself where the host sees it. The bytes are f's until it returns. Calls
// PJRT_RawBuffer_GetHostPointer. Errors: [isthmus.ErrUnsupported] for memory that the host does not see; f's.
func (r *RawBuffer) Host(f func([]byte) error) error {
	const op = "host memory of a raw buffer"
	size, err := r.Size()
	if err != nil {
		return err
	}
	if f == nil {
		return invalid(op, "no function")
	}
	h, err := r.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer r.owned.Done()
	var at pjrtc.Addr
	err = askExt(r.plugin, op, func(_ *call.Frame, a *pjrtc.RawBufferGetHostPointerArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.RawBufferGetHostPointerArgs) error { at = a.HostPointer; return nil })
	if err != nil {
		return err
	}
	if at == 0 {
		return fmt.Errorf("pjrt: %s: the host does not see it: %w", op, isthmus.ErrUnsupported)
	}
	// SAFETY: owner: the plugin's raw buffer, in use until f has returned; bounds: the size that the plugin says;
	// alignment: bytes; thread: the caller's, as for any memory that it shares with a device.
	b, err := mem.Slice[byte](at, size)
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return f(b)
}
