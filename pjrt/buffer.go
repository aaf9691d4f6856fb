package pjrt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Buffer is a tensor on a device. It is safe for concurrent use. The zero value is closed, and may be given to
// [Executable.ExecuteInto].
type Buffer struct {
	owned   ffi.Owned[pjrtc.Ptr[pjrtc.Buffer]]
	client  *Client
	device  *Device
	typ     Type
	donated atomic.Bool
	deleted atomic.Bool
	turn    sync.RWMutex // see claim
	viewing sync.Mutex   // held while the buffer is read in place or its memory taken: plugins do not lock all of that
	holds   int          // external references that last, under viewing
}

// take makes b the owner of a native buffer, which it destroys when that fails.
func (b *Buffer) take(c *Client, h pjrtc.Ptr[pjrtc.Buffer], d *Device, t Type) error {
	if h == 0 {
		return fmt.Errorf("pjrt: buffer: the plugin gave none: %w", isthmus.ErrInvalid)
	}
	if b.owned.Live() {
		return errors.Join(fmt.Errorf("pjrt: buffer: %s is still open: %w", b, isthmus.ErrBusy), c.plugin.buffers.Destroy(h))
	}
	b.client, b.device, b.typ = c, d, t
	if b.donated.Load() || b.deleted.Load() {
		b.donated.Store(false)
		b.deleted.Store(false)
	}
	return b.owned.Init(&c.plugin.buffers, h, &c.owned)
}

// use enters b; the caller calls b.owned.Done.
func (b *Buffer) use(op string) (pjrtc.Ptr[pjrtc.Buffer], error) {
	h, err := b.enter()
	if err != nil {
		return 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return h, nil
}

// enter is use with an error that does not name the operation.
func (b *Buffer) enter() (pjrtc.Ptr[pjrtc.Buffer], error) {
	if b == nil {
		return 0, fmt.Errorf("no buffer: %w", isthmus.ErrInvalid)
	}
	h, err := b.owned.Use()
	switch {
	case err != nil && b.donated.Load():
		return 0, fmt.Errorf("the buffer was donated to an execution: %w", isthmus.ErrClosed)
	case err == nil && b.deleted.Load():
		b.owned.Done()
		return 0, fmt.Errorf("the buffer was deleted: %w", isthmus.ErrClosed)
	}
	return h, err
}

// free reports why b's memory cannot be taken: it is gone already, or lent in place. XLA ends the process where it wants
// the memory of an alias and does not get it.
//
// Preconditions: h is alive for the call; the caller holds viewing until the memory is taken.
func (b *Buffer) free(op string, h pjrtc.Ptr[pjrtc.Buffer]) error {
	if gone, err := b.client.plugin.isDeleted(h); err == nil && gone {
		return fmt.Errorf("pjrt: %s: the buffer's memory was taken: %w", op, isthmus.ErrClosed)
	}
	if b.holds > 0 {
		return fmt.Errorf("pjrt: %s: the buffer's memory is lent %d times in place: %w; give that back first", op, b.holds, isthmus.ErrBusy)
	}
	return nil
}

// give marks b as taken by an execution and destroys what is left of it when its last use ends.
func (b *Buffer) give() {
	b.donated.Store(true)
	if err := b.owned.CloseLater(); err != nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: b.owned.Object(), Err: err})
	}
}

// Type is the type of the tensor. Its DType is invalid where this module does not know the plugin's.
func (b *Buffer) Type() Type { return orZero(b).typ }

// DType is the element type.
func (b *Buffer) DType() dtype.Type { return orZero(b).typ.DType }

// Dims are the dimensions, none for a scalar. The caller must not change them.
func (b *Buffer) Dims() []int { return orZero(b).typ.Dims }

// Client returns the client that the buffer belongs to.
func (b *Buffer) Client() *Client { return orZero(b).client }

// Device is the device that the buffer is on.
func (b *Buffer) Device() *Device { return orZero(b).device }

// Close destroys the buffer. While a call uses it, it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. Close is idempotent and nil-safe. Calls PJRT_Buffer_Destroy.
func (b *Buffer) Close() error {
	if b == nil {
		return nil
	}
	return b.owned.Close()
}

// Live reports whether the buffer is open. It may be false the next moment.
func (b *Buffer) Live() bool { return b != nil && b.owned.Live() }

// Donated reports whether an execution took the buffer's memory.
func (b *Buffer) Donated() bool { return b != nil && b.donated.Load() }

// Delete frees the device memory and keeps the value, as a tensor without content: what uses it gets an error that wraps
// [isthmus.ErrClosed]. Close is usually what you want. Delete is idempotent. Calls PJRT_Buffer_Delete.
func (b *Buffer) Delete() error {
	const op = "delete buffer"
	h, err := b.use(op)
	if err != nil {
		if b != nil && b.deleted.Load() && b.owned.Live() {
			return nil
		}
		return err
	}
	defer b.owned.Done()
	b.viewing.Lock()
	defer b.viewing.Unlock()
	b.deleted.Store(true) // before: by the API nothing may use it from then on
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferDeleteArgs) error { a.Buffer = h; return nil }, nil)
	if err != nil {
		b.deleted.Store(false)
	}
	return err
}

// Deleted reports whether the buffer's memory is gone: deleted, donated or closed. Calls PJRT_Buffer_IsDeleted.
func (b *Buffer) Deleted() (bool, error) {
	if b == nil {
		return false, invalid("buffer", "none")
	}
	h, err := b.owned.Use()
	if err != nil {
		return true, nil
	}
	defer b.owned.Done()
	return b.client.plugin.isDeleted(h)
}

func (p *Plugin) isDeleted(h pjrtc.Ptr[pjrtc.Buffer]) (bool, error) {
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.BufferIsDeletedArgs](f)
	if err != nil {
		return false, err
	}
	a.Buffer = h
	err = do(p, f, "is deleted", a)
	return a.IsDeleted, err
}

// SizeOnDevice is how many bytes the buffer has on its device. Calls PJRT_Buffer_OnDeviceSizeInBytes.
func (b *Buffer) SizeOnDevice() (int64, error) {
	const op = "buffer size"
	h, err := b.use(op)
	if err != nil {
		return 0, err
	}
	defer b.owned.Done()
	n := int64(0)
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferOnDeviceSizeInBytesArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferOnDeviceSizeInBytesArgs) error {
			if a.OnDeviceSizeInBytes > mem.MaxBytes {
				return fmt.Errorf("pjrt: %s: the plugin says %d bytes: %w", op, a.OnDeviceSizeInBytes, isthmus.ErrBounds)
			}
			n = int64(a.OnDeviceSizeInBytes)
			return nil
		})
	return n, err
}

// Ready returns an event that fires when the buffer has its content, or carries why it never will. The caller closes
// it. Calls PJRT_Buffer_ReadyEvent.
func (b *Buffer) Ready() (*Event, error) {
	const op = "buffer ready"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	var e pjrtc.Ptr[pjrtc.Event]
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferReadyEventArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferReadyEventArgs) error {
			if e = a.Event; e == 0 {
				return fmt.Errorf("pjrt: %s: the plugin gave no event: %w", op, isthmus.ErrInvalid)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	return b.client.newEvent(op, e)
}

// Wait waits until the buffer has its content. Errors: the reason why it never will, or the context's cause.
func (b *Buffer) Wait(ctx context.Context) error {
	e, err := b.Ready()
	if err != nil {
		return err
	}
	return b.client.waitFor(ctx, e)
}

// CopyTo copies the buffer to another device of the same client. The caller closes the copy. Calls
// PJRT_Buffer_CopyToDevice.
func (b *Buffer) CopyTo(d *Device) (*Buffer, error) {
	const op = "copy to device"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	if d == nil || d.client != b.client {
		return nil, invalid(op, "the device is not one of the buffer's client")
	}
	var c pjrtc.Ptr[pjrtc.Buffer]
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferCopyToDeviceArgs) error {
		a.Buffer, a.DstDevice = h, d.h
		return nil
	}, func(a *pjrtc.BufferCopyToDeviceArgs) error {
		c = a.DstBuffer
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &Buffer{}
	if err := out.take(b.client, c, d, b.typ); err != nil {
		return nil, err
	}
	return out, nil
}

// String describes the buffer without touching native memory.
func (b *Buffer) String() string {
	if b == nil || b.client == nil {
		return "pjrt.Buffer(none)"
	}
	state := ""
	switch {
	case b.donated.Load():
		state = ", donated"
	case !b.owned.Live():
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Buffer(%s on %s%s)", b.typ, b.device, state)
}

// native asks the plugin for the type of a buffer, for outputs whose type the executable did not tell.
func (p *Plugin) typeOf(h pjrtc.Ptr[pjrtc.Buffer]) (Type, error) {
	const op = "buffer type"
	var t Type
	err := ask(p, op, func(_ *call.Frame, a *pjrtc.BufferElementTypeArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferElementTypeArgs) error { t.DType = fromBufferType(a.Type); return nil })
	if err != nil {
		return t, err
	}
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.BufferDimensionsArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferDimensionsArgs) error {
			dims, err := numbers(op, a.Dims, a.NumDims, maxRank)
			if err != nil {
				return err
			}
			t.Dims, err = toDims(op, dims)
			return err
		})
	return t, err
}
