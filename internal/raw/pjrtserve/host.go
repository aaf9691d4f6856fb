package pjrtserve

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// ErrCopy says that memory cannot be adopted, so that its content has to be copied.
var ErrCopy = errors.New("the memory cannot be used as it is")

func (s *shared) hostSlots() {
	on(s, func(_ *Server, a *pjrtc.ClientBufferFromHostBufferArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		return c.fromHost(a)
	})
	on(s, func(_ *Server, a *pjrtc.BufferToHostBufferArgs) error {
		b, err := getBuffer(a.Src)
		if err != nil {
			return err
		}
		return b.toHost(a)
	})
	on(s, func(_ *Server, a *pjrtc.BufferCopyRawToHostArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		if err := b.inside(a.Offset, a.TransferSize); err != nil {
			return err
		}
		dst, err := mem.Slice[byte](a.Dst, a.TransferSize)
		if err != nil {
			return err
		}
		a.Event, err = b.copyOut(func(data []byte) error {
			copy(dst, data[a.Offset:])
			return nil
		})
		return err
	})
	on(s, func(_ *Server, a *pjrtc.BufferCopyRawToHostFutureArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		return b.copyLater(a)
	})
	on(s, func(_ *Server, a *pjrtc.ClientCreateViewOfDeviceBufferArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		return c.view(a)
	})
	on(s, func(_ *Server, a *pjrtc.ClientCreateUninitializedBufferArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		t, err := readType(a.ShapeElementType, a.ShapeDims, a.ShapeNumDims)
		if err != nil {
			return err
		}
		if err := t.rowMajorOnly(a.ShapeLayout); err != nil {
			return err
		}
		b, done, err := c.promise(t, a.Device, a.Memory)
		if err != nil {
			return err
		}
		done(nil)
		a.Buffer, err = b.give()
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientCreateErrorBufferArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		t, err := readType(a.ShapeElementType, a.ShapeDims, a.ShapeNumDims)
		if err != nil {
			return err
		}
		cause, err := readStatus(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
		if err != nil {
			return err
		}
		if cause == nil {
			return invalid("an error buffer needs an error")
		}
		b, done, err := c.promise(t, 0, a.Memory)
		if err != nil {
			return err
		}
		done(cause)
		a.Buffer, err = b.give()
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientCreateAliasBufferArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		t, err := readType(a.ShapeElementType, a.ShapeDims, a.ShapeNumDims)
		if err != nil {
			return err
		}
		b, data, done, err := c.promised(t, 0, a.Memory)
		if err != nil {
			return err
		}
		alias := &aliasBuffer{client: c, typ: t, data: data, done: done}
		if a.FulfillAliasBufferCb, err = give[pjrtc.Ptr[pjrtc.FulfillAliasBufferCallback]](kindAlias, alias); err != nil {
			done(err)
			b.end()
			return err
		}
		a.AliasBuffer, err = b.give()
		return err
	})
	on(s, func(_ *Server, a *pjrtc.ClientFulfillAliasBufferArgs) error {
		c, err := getClient(a.Client)
		if err != nil {
			return err
		}
		return c.fulfill(a)
	})
	on(s, func(_ *Server, a *pjrtc.BufferDonateWithControlDependencyArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		return b.donateLater(a)
	})
	on(s, func(_ *Server, a *pjrtc.BufferBitcastArgs) error {
		b, err := getBuffer(a.Buffer)
		if err != nil {
			return err
		}
		t, err := readType(a.ElementType, a.Dims, a.NumDims)
		if err != nil {
			return err
		}
		if err := t.rowMajorOnly(a.DeviceLayout); err != nil {
			return err
		}
		if n, err := t.size(); err != nil || int64(n) != b.b.Size() {
			return invalid("the buffer has %d bytes, the type asked for %d", b.b.Size(), n)
		}
		if !b.b.Ready().Completed() { // a call does not wait for what may be the caller's to give
			a.OutBuffer, err = b.copyTo(b.b.Device(), b.b.Memory(), t)
			return err
		}
		data, release, err := b.hold()
		if err != nil {
			return err
		}
		v, err := b.client.backend.Adopt(b.b.Device(), b.b.Memory(), t, data, false, release)
		if err != nil {
			release()
			return err
		}
		a.OutBuffer, err = (&buffer{client: b.client, b: v}).give()
		return err
	})
}

// promise makes a buffer whose content comes later, or not.
func (c *client) promise(t Type, d pjrtc.Ptr[pjrtc.Device], m pjrtc.Ptr[pjrtc.Memory]) (*buffer, func(error), error) {
	b, _, done, err := c.promised(t, d, m)
	return b, done, err
}

func (c *client) promised(t Type, d pjrtc.Ptr[pjrtc.Device], m pjrtc.Ptr[pjrtc.Memory]) (*buffer, []byte, func(error), error) {
	dev, kind, err := c.place(d, m)
	if err != nil {
		return nil, nil, nil, err
	}
	b, data, done, err := c.backend.NewBuffer(dev, kind, t)
	if err != nil {
		return nil, nil, nil, err
	}
	return &buffer{client: c, b: b}, data, done, nil
}

// fromHost makes a buffer from the host's memory: a copy, or, where the caller allows that for the life of the buffer
// and the memory can be used as it is, the memory itself.
func (c *client) fromHost(a *pjrtc.ClientBufferFromHostBufferArgs) error {
	t, err := readType(a.Type, a.Dims, a.NumDims)
	if err != nil {
		return err
	}
	if err := t.rowMajorOnly(a.DeviceLayout); err != nil {
		return fmt.Errorf("the layout on the device: %w", err)
	}
	var strides []int64
	if a.ByteStrides != 0 && a.NumByteStrides != 0 {
		if a.NumByteStrides != a.NumDims {
			return invalid("%d strides for rank %d", a.NumByteStrides, a.NumDims)
		}
		s, err := a.ByteStrides.Slice(a.NumByteStrides)
		if err != nil {
			return err
		}
		strides = t.unlessDense(append([]int64{}, s...))
	}
	size, err := t.size()
	if err != nil {
		return err
	}
	dev, kind, err := c.place(a.Device, a.Memory)
	if err != nil {
		return err
	}
	if a.Data == 0 && size > 0 {
		return invalid("no data for %d bytes", size)
	}
	switch s := a.HostBufferSemantics; s {
	case pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall, pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes:
	case pjrtc.HostBufferSemanticsKImmutableZeroCopy, pjrtc.HostBufferSemanticsKMutableZeroCopy:
		if strides == nil && size > 0 {
			ok, err := c.lend(a, t, size, dev, kind, s == pjrtc.HostBufferSemanticsKMutableZeroCopy)
			if ok || err != nil {
				return err
			}
		}
	default:
		return invalid("host buffer semantics %d", int32(s))
	}
	b, dst, done, err := c.backend.NewBuffer(dev, kind, t)
	if err != nil {
		return err
	}
	err = gather(dst, mem.Addr(a.Data), t, strides, size)
	done(err)
	out := &buffer{client: c, b: b}
	if err == nil {
		a.Buffer, err = out.give()
	}
	if err == nil {
		a.DoneWithHostBuffer, err = giveEvent(fired(nil))
	}
	if err != nil {
		out.end()
	}
	return err
}

// lend makes a buffer that is the host's memory. It reports false where the memory has to be copied.
func (c *client) lend(a *pjrtc.ClientBufferFromHostBufferArgs, t Type, size, dev, kind int, mutable bool) (bool, error) {
	data, err := mem.Slice[byte](a.Data, size)
	if err != nil {
		return false, err
	}
	gone := &ffi.Event{}
	b, err := c.backend.Adopt(dev, kind, t, data, mutable, func() { gone.Complete(nil) })
	if errors.Is(err, ErrCopy) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	out := &buffer{client: c, b: b}
	if a.Buffer, err = out.give(); err != nil {
		out.end()
		return false, err
	}
	a.DoneWithHostBuffer, err = giveEvent(gone)
	return true, err
}

// gather copies a tensor with any strides into dense memory.
func gather(dst []byte, src mem.Addr, t Type, strides []int64, size int) error {
	if size == 0 {
		return nil
	}
	if strides == nil {
		data, err := mem.Slice[byte](src, size)
		if err != nil {
			return err
		}
		copy(dst, data)
		return nil
	}
	return walk(t, strides, func(at int, off int64) error {
		// SAFETY: owner: the C caller, for the call; bounds: the strides are the caller's word; thread: the caller's.
		e, err := mem.Slice[byte](src+mem.Addr(off), t.DType.Size())
		copy(dst[at:], e)
		return err
	})
}

// walk calls f for each element in row-major order, with its place in dense memory and its offset by the strides.
func walk(t Type, strides []int64, f func(at int, off int64) error) error {
	idx := make([]int64, len(t.Dims))
	width := t.DType.Size()
	at, off := 0, int64(0)
	for {
		if err := f(at, off); err != nil {
			return err
		}
		at += width
		i := len(idx) - 1
		for ; i >= 0; i-- {
			idx[i]++
			off += strides[i]
			if idx[i] < t.Dims[i] {
				break
			}
			off -= idx[i] * strides[i]
			idx[i] = 0
		}
		if i < 0 {
			return nil
		}
	}
}

// toHost copies the content to the host. Without a destination it tells the size.
func (b *buffer) toHost(a *pjrtc.BufferToHostBufferArgs) error {
	t := b.b.Type()
	strides, err := t.layoutOf(a.HostLayout)
	if err != nil {
		return fmt.Errorf("the layout on the host: %w", err)
	}
	size := int(b.b.Size())
	span := int64(size)
	if strides != nil {
		span = int64(t.DType.Size())
		for i, s := range strides {
			if s < 0 {
				return unimplemented("negative strides on the host")
			}
			if t.Dims[i] == 0 {
				span = 0
				break
			}
			n, err := mem.Mul(int(t.Dims[i]-1), int(s))
			if err != nil {
				return err
			}
			if span += int64(n); span > mem.MaxBytes {
				return invalid("strides %v", strides)
			}
		}
	}
	if a.Dst == 0 {
		a.DstSize = uint64(span)
		return nil
	}
	if a.DstSize < uint64(span) {
		return invalid("room for %d of %d bytes", a.DstSize, span)
	}
	dst, err := mem.Slice[byte](a.Dst, span)
	if err != nil {
		return err
	}
	a.Event, err = b.copyOut(func(data []byte) error {
		if strides == nil {
			copy(dst, data)
			return nil
		}
		if size == 0 {
			return nil
		}
		width := t.DType.Size()
		return walk(t, strides, func(at int, off int64) error {
			copy(dst[off:], data[at:at+width])
			return nil
		})
	})
	return err
}

// copyOut runs copy when the content is there and returns the event of that.
func (b *buffer) copyOut(copy func(data []byte) error) (pjrtc.Ptr[pjrtc.Event], error) {
	e := &ffi.Event{}
	h, err := giveEvent(e)
	if err != nil {
		return 0, err
	}
	err = b.b.Read(func(data []byte, err error) {
		if err == nil {
			err = guard(func() error { return copy(data) })
		}
		e.Complete(err)
	})
	if err != nil {
		_, _ = take[*ffi.Event](kindEvent, h)
		return 0, err
	}
	return h, nil
}

// inside refuses a range that is not inside the buffer.
func (b *buffer) inside(offset, n int64) error {
	if size := b.b.Size(); offset < 0 || n < 0 || offset > size || n > size-offset {
		return invalid("%d bytes at %d of a buffer of %d", n, offset, size)
	}
	return nil
}

// copyLater copies a part of the content to memory that the caller names later, by calling a function of ours.
func (b *buffer) copyLater(a *pjrtc.BufferCopyRawToHostFutureArgs) error {
	if err := b.inside(a.Offset, a.TransferSize); err != nil {
		return err
	}
	e := &ffi.Event{}
	offset, n := a.Offset, a.TransferSize
	token, fn, err := later(func(p mem.Addr) {
		c := mem.At[pjrtc.BufferCopyRawToHostFutureCallbackArgs](p)
		if cause, err := readStatus(c.ErrorCode, c.ErrorMessage, c.ErrorMessageSize); err != nil || cause != nil {
			e.Complete(errors.Join(cause, err))
			return
		}
		dst, err := mem.Slice[byte](c.Dst, n)
		if err == nil {
			err = b.b.Read(func(data []byte, err error) {
				if err == nil {
					err = guard(func() error { copy(dst, data[offset:]); return nil })
				}
				e.Complete(err)
			})
		}
		if err != nil {
			e.Complete(err)
		}
	})
	if err != nil {
		return err
	}
	a.CallbackData, a.FutureReadyCallback = token, fn
	a.Event, err = giveEvent(e)
	return err
}

// view makes a buffer of memory that the caller has on the device, which here is the host's.
func (c *client) view(a *pjrtc.ClientCreateViewOfDeviceBufferArgs) error {
	t, err := readType(a.ElementType, a.Dims, a.NumDims)
	if err != nil {
		return err
	}
	if err := t.rowMajorOnly(a.Layout); err != nil {
		return err
	}
	size, err := t.size()
	if err != nil {
		return err
	}
	dev, kind, err := c.place(a.Device, a.Memory)
	if err != nil {
		return err
	}
	data, err := mem.Slice[byte](a.DeviceBufferPtr, size)
	if err != nil {
		return err
	}
	fn, arg, ptr := call.Fn(a.OnDeleteCallback), uintptr(a.OnDeleteCallbackArg), uintptr(a.DeviceBufferPtr)
	b, err := c.backend.Adopt(dev, kind, t, data, true, func() {
		if fn != 0 {
			call.Call(fn, ptr, arg)
		}
	})
	if errors.Is(err, ErrCopy) {
		return invalid("the memory is not aligned for %v", t.DType)
	}
	if err != nil {
		return err
	}
	a.Buffer, err = (&buffer{client: c, b: b}).give()
	return err
}

// aliasBuffer is what fulfills a buffer that stands for another one.
type aliasBuffer struct {
	client *client
	typ    Type
	data   []byte
	done   func(error)
}

// fulfill gives an alias the content of a buffer, or an error.
func (c *client) fulfill(a *pjrtc.ClientFulfillAliasBufferArgs) error {
	cause, err := readStatus(a.StatusCode, a.ErrorMessage, a.ErrorMessageSize)
	if err != nil {
		return err
	}
	var b *buffer
	if cause == nil {
		if b, err = getBuffer(a.Buffer); err != nil {
			return err
		}
	}
	alias, err := take[*aliasBuffer](kindAlias, a.FulfillAliasBufferCb)
	if err != nil {
		return err
	}
	if cause == nil && (b.client != alias.client || b.b.Size() != int64(len(alias.data))) {
		cause = invalid("the buffer is not of the alias's client and size")
	}
	if cause != nil {
		alias.done(cause)
		return nil
	}
	err = b.b.Read(func(data []byte, err error) {
		if err == nil {
			copy(alias.data, data)
		}
		alias.done(err)
	})
	if err != nil {
		alias.done(err)
	}
	return nil
}

// donateLater makes a buffer with the content of b that is ready when the caller says so, and takes b away.
func (b *buffer) donateLater(a *pjrtc.BufferDonateWithControlDependencyArgs) error {
	c, dst, done, err := b.client.backend.NewBuffer(b.b.Device(), b.b.Memory(), b.b.Type())
	if err != nil {
		return err
	}
	out := &buffer{client: b.client, b: c}
	ready := &ffi.Event{} // the caller's word
	err = b.b.Read(func(data []byte, err error) {
		if err == nil {
			copy(dst, data)
		}
		ready.OnDone(func(cause error) { done(errors.Join(err, cause)) })
	})
	if err != nil {
		done(err)
		out.end()
		return err
	}
	token, fn, err := later(func(p mem.Addr) {
		x := mem.At[pjrtc.BufferDonateWithControlDependencyCallbackArgs](p)
		cause, err := readStatus(x.ErrorCode, x.ErrorMessage, x.ErrorMessageSize)
		ready.Complete(errors.Join(cause, err))
	})
	if err != nil {
		ready.Complete(err)
		out.end()
		return err
	}
	b.b.Delete()
	a.CallbackData, a.DependencyReadyCallback = token, fn
	a.OutBuffer, err = out.give()
	return err
}
