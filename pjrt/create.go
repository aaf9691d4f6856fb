package pjrt

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Ways to a buffer other than putting data and executing.

// more makes the classes of what is made by the functions of this file and its neighbours.
func (p *Plugin) more() {
	p.promises = pledges()
	p.uploads = ffi.Class[*upload]{Name: "pjrt.Upload", Destroy: func(u *upload) error { return u.destroy(p) }}
	p.mappings = ffi.Class[mapping]{Name: "pjrt.Mapping", Destroy: func(m mapping) error { return m.destroy(p) }}
	p.tracks = ffi.Class[pjrtc.Ptr[pjrtc.AsyncTrackingEvent]]{Name: "pjrt.Track", Destroy: func(h pjrtc.Ptr[pjrtc.AsyncTrackingEvent]) error {
		return ask(p, "end track", func(_ *call.Frame, a *pjrtc.AsyncTrackingEventDestroyArgs) error { a.Event = h; return nil }, nil)
	}}
	p.capsules = ffi.Class[*exported]{Name: "pjrt.Capsule", Destroy: (*exported).end}
}

// use enters the memory's client; the caller calls m.client.owned.Done.
func (m *Memory) use(op string) (pjrtc.Ptr[pjrtc.Client], error) {
	if m == nil || m.client == nil {
		return 0, invalid(op, "no memory")
	}
	if len(m.devices) == 0 {
		return 0, invalid(op, "%s belongs to no device of this process", m)
	}
	h, err := m.client.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return h, nil
}

// Uninitialized makes a buffer with whatever its memory holds, to be filled by a program that it is donated to. Calls
// PJRT_Client_CreateUninitializedBuffer.
func (m *Memory) Uninitialized(s Shape) (*Buffer, error) {
	const op = "uninitialized buffer"
	h, err := m.use(op)
	if err != nil {
		return nil, err
	}
	defer m.client.owned.Done()
	p, d := m.client.plugin, m.devices[0]
	var out pjrtc.Ptr[pjrtc.Buffer]
	err = relieved(d, func() error {
		return ask(p, op, func(f *call.Frame, a *pjrtc.ClientCreateUninitializedBufferArgs) (err error) {
			a.Client, a.Device, a.Memory = h, d.h, m.h
			if a.ShapeElementType, a.ShapeDims, a.ShapeNumDims, err = p.nativeType(f, op, s.Type); err == nil {
				a.ShapeLayout, err = s.nativeLayout(f, op)
			}
			return err
		}, func(a *pjrtc.ClientCreateUninitializedBufferArgs) error { out = a.Buffer; return nil })
	})
	if err != nil {
		return nil, err
	}
	return m.taken(out, s.Type)
}

// taken makes a buffer of this memory's.
func (m *Memory) taken(h pjrtc.Ptr[pjrtc.Buffer], t Type) (*Buffer, error) {
	b := &Buffer{}
	if err := b.take(m.client, h, m.devices[0], b.typeFor(t)); err != nil {
		return nil, err
	}
	return b, nil
}

// Failed makes a buffer without content: whatever waits for it or computes with it gets the error. A [Code] in err is
// the code that they see. Calls PJRT_Client_CreateErrorBuffer.
func (m *Memory) Failed(s Shape, err error) (*Buffer, error) {
	const op = "error buffer"
	if err == nil {
		return nil, invalid(op, "no error")
	}
	h, uerr := m.use(op)
	if uerr != nil {
		return nil, uerr
	}
	defer m.client.owned.Done()
	p := m.client.plugin
	var out pjrtc.Ptr[pjrtc.Buffer]
	nerr := ask(p, op, func(f *call.Frame, a *pjrtc.ClientCreateErrorBufferArgs) (ferr error) {
		a.Client, a.Memory, a.ErrorCode = h, m.h, pjrtc.ErrorCode(codeOf(err))
		if a.ErrorMessage, a.ErrorMessageSize, ferr = status(f, err.Error()); ferr != nil {
			return ferr
		}
		if a.ShapeElementType, a.ShapeDims, a.ShapeNumDims, ferr = p.nativeType(f, op, s.Type); ferr == nil {
			a.ShapeLayout, ferr = m.client.laidOut(s).nativeLayout(f, op)
		}
		return ferr
	}, func(a *pjrtc.ClientCreateErrorBufferArgs) error { out = a.Buffer; return nil })
	if nerr != nil {
		return nil, nerr
	}
	return m.taken(out, s.Type)
}

// Alias makes a buffer that stands for one that does not exist yet. Programs may be started with it; they wait until
// the promise is fulfilled with a buffer of the same type in the same memory. Where the plugin takes that buffer's
// memory, as XLA does, it is closed as one that an execution took; while an execution takes it, fulfilling is
// [isthmus.ErrBusy]. The caller closes the alias and the promise. Calls PJRT_Client_CreateAliasBuffer and, once,
// PJRT_Client_FulfillAliasBuffer.
func (m *Memory) Alias(s Shape) (*Buffer, *Promise[*Buffer], error) {
	const op = "alias buffer"
	h, err := m.use(op)
	if err != nil {
		return nil, nil, err
	}
	defer m.client.owned.Done()
	p, c := m.client.plugin, m.client
	if !p.table.Has(pjrtc.SlotClientFulfillAliasBuffer) {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, p.lacks(pjrtc.SlotClientFulfillAliasBuffer))
	}
	var out pjrtc.Ptr[pjrtc.Buffer]
	var fulfill pjrtc.Ptr[pjrtc.FulfillAliasBufferCallback]
	err = ask(p, op, func(f *call.Frame, a *pjrtc.ClientCreateAliasBufferArgs) (err error) {
		a.Client, a.Memory = h, m.h
		if a.ShapeElementType, a.ShapeDims, a.ShapeNumDims, err = p.nativeType(f, op, s.Type); err == nil {
			a.ShapeLayout, err = c.laidOut(s).nativeLayout(f, op)
		}
		return err
	}, func(a *pjrtc.ClientCreateAliasBufferArgs) error {
		if out, fulfill = a.AliasBuffer, a.FulfillAliasBufferCb; fulfill == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave nothing to fulfill it by: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	settle := func(b pjrtc.Ptr[pjrtc.Buffer], code pjrtc.ErrorCode, msg string) error {
		return ask(p, op, func(f *call.Frame, a *pjrtc.ClientFulfillAliasBufferArgs) (err error) {
			a.Client, a.Buffer, a.StatusCode, a.FulfillAliasBufferCb = h, b, code, fulfill
			a.ErrorMessage, a.ErrorMessageSize, err = status(f, msg)
			return err
		}, nil)
	}
	typ := s.Type
	w, err := newPromise(c, op, func(code Code, msg string) error {
		err := settle(0, pjrtc.ErrorCode(code), msg)
		if errors.Is(err, code) {
			return nil // some plugins give the error back that they were told
		}
		return err
	},
		func(b *Buffer) error { return m.fulfills(op, typ, b) },
		func(b *Buffer) error {
			h, err := b.use(op)
			if err != nil {
				return errors.Join(err, settle(0, pjrtc.ErrorCode(FailedPrecondition), "the buffer was closed while it was given"))
			}
			defer b.owned.Done()
			if err := b.lockMemory(op); err != nil {
				return errors.Join(err, settle(0, pjrtc.ErrorCode(FailedPrecondition), "the buffer was in use while it was given"))
			}
			defer b.unlockMemory()
			if err := b.free(op, h); err != nil {
				return errors.Join(err, settle(0, pjrtc.ErrorCode(FailedPrecondition), "the buffer was taken or lent while it was given"))
			}
			err = settle(h, pjrtc.ErrorCodeOK, "")
			if gone, derr := p.isDeleted(h); derr == nil && gone {
				b.give()
			}
			return err
		})
	if err != nil {
		return nil, nil, errors.Join(err, p.buffers.Destroy(out))
	}
	b, err := m.taken(out, typ)
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return b, w, nil
}

// laidOut is the shape with the client's usual layout, where it has none of its own: XLA takes no layout for one that differs
// when an alias is fulfilled, and ends the process when a buffer that was made without one is asked for it.
func (c *Client) laidOut(s Shape) Shape {
	if s.MinorToMajor != nil {
		return s
	}
	l, err := c.DefaultLayout(s.Type)
	if err != nil || l.Rank() != len(s.Type.Dims) {
		l = RowMajor(len(s.Type.Dims))
	}
	s.MinorToMajor, s.Tiles = l.MinorToMajor, l.Tiles
	return s
}

// fulfills checks the buffer that is to stand behind an alias.
func (m *Memory) fulfills(op string, t Type, b *Buffer) error {
	h, err := b.use(op)
	if err != nil {
		return err
	}
	defer b.owned.Done()
	if b.client != m.client {
		return invalid(op, "the buffer belongs to another client")
	}
	if !b.typ.Equal(t) {
		return invalid(op, "the buffer is %s, the alias %s", b.typ, t)
	}
	if have, err := b.Memory(); err == nil && have != m {
		return invalid(op, "the buffer is in %s, the alias in %s", have, m)
	}
	if err := b.lockMemory(op); err != nil {
		return err
	}
	defer b.unlockMemory()
	return b.free(op, h)
}

// View makes a buffer of host memory that the caller owns, without a copy. It takes over the loan, which must be
// exclusive, since a program that the buffer is donated to may write; it is returned when the plugin is done, which is
// when the event fires, some time after the buffer is closed. Plugins demand an alignment; [ffi.Alloc] gives one that
// all take. The caller closes the buffer and the event. Calls PJRT_Client_CreateViewOfDeviceBuffer.
//
// Errors: [isthmus.ErrUnsupported] where the memory is not the host's; [isthmus.ErrBounds] for a loan of another size.
// After an error the loan is returned as soon as the plugin does not use it, which is at once but for broken plugins.
func (m *Memory) View(s Shape, l *ffi.Loan) (*Buffer, *Event, error) {
	const op = "view"
	done := func(err error) (*Buffer, *Event, error) { l.Return(); return nil, nil, err }
	if l == nil {
		return nil, nil, invalid(op, "no loan")
	}
	data := l.Bytes()
	h, err := m.use(op)
	if err != nil {
		return done(err)
	}
	defer m.client.owned.Done()
	size, err := s.size(op)
	switch {
	case err != nil:
		return done(err)
	case l.Returned():
		return done(invalid(op, "the loan is over"))
	case l.Access() != ffi.Exclusive:
		return done(invalid(op, "the loan is %s; it must be exclusive", l.Access()))
	case len(data) != size:
		return done(fmt.Errorf("pjrt: %s: %s takes %d bytes, the loan has %d: %w", op, s, size, len(data), isthmus.ErrBounds))
	}
	e := &Event{plugin: m.client.plugin, op: op, done: &ffi.Event{}, local: true}
	b, err := m.viewOf(h, s, mem.AddrOf(data), true, func() { l.Return(); e.done.Complete(nil) })
	if err != nil {
		return nil, nil, err
	}
	return b, e, nil
}

// size is how many bytes the shape takes on a device.
func (s Shape) size(op string) (int, error) {
	if l, ok := s.Layout(); ok {
		return l.Size(s.Type)
	}
	n, err := s.Type.Size()
	if err != nil {
		return 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return n, nil
}

// viewOf makes a buffer of memory that must stay until over is called, which is once, whatever happens: after an error
// at once, unless the plugin does not give the memory back. over must not block. host says that the address is one of
// the host's, and not of the device's own memory.
func (m *Memory) viewOf(h pjrtc.Ptr[pjrtc.Client], s Shape, data mem.Addr, host bool, over func()) (*Buffer, error) {
	const op = "view"
	p, d := m.client.plugin, m.devices[0]
	sig, err := cb.Arm(func(mem.Addr) { over() })
	if err != nil {
		over()
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	var out pjrtc.Ptr[pjrtc.Buffer]
	err = ask(p, op, func(f *call.Frame, a *pjrtc.ClientCreateViewOfDeviceBufferArgs) (err error) {
		a.Client, a.Device, a.Memory = h, d.h, m.h
		if a.ElementType, a.Dims, a.NumDims, err = p.nativeType(f, op, s.Type); err != nil {
			return err
		}
		if a.Layout, err = s.nativeLayout(f, op); err != nil {
			return err
		}
		if a.DeviceBufferPtr = pjrtc.Addr(data); a.DeviceBufferPtr == 0 {
			return invalid(op, "%s has no memory to look at", s)
		}
		a.OnDeleteCallback, a.OnDeleteCallbackArg = pjrtc.Func(sig.Fn), pjrtc.Addr(sig.Arg)
		return nil
	}, func(a *pjrtc.ClientCreateViewOfDeviceBufferArgs) error {
		if out = a.Buffer; out == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave no buffer: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		// A plugin may say that it is done with memory that it refused; then the signal calls over.
		if sig.Disarm() {
			over()
		}
		return nil, err
	}
	b := &Buffer{}
	if err := b.take(m.client, out, d, b.typeFor(s.Type)); err != nil {
		return nil, err
	}
	if !host {
		return b, nil
	}
	// Only now is it known whether the memory is one that the host may look at.
	is, err := b.OnHost()
	if err == nil && !is {
		err = fmt.Errorf("pjrt: %s: %s is not the host's memory: %w", op, m, isthmus.ErrUnsupported)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Bitcast makes a buffer with the same bytes as another type: same size, another element type, other dimensions. Where
// the plugin takes the old buffer's memory for it, as XLA does, that one is closed as one that an execution took. Calls
// PJRT_Buffer_Bitcast. Errors: [isthmus.ErrBounds] where the sizes differ; [isthmus.ErrBusy] while an execution takes b.
func (b *Buffer) Bitcast(s Shape) (*Buffer, error) {
	const op = "bitcast"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	have, err := b.typ.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	want, err := s.Type.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if have != want || b.typ.DType.Bits() < 8 != (s.Type.DType.Bits() < 8) {
		return nil, fmt.Errorf("pjrt: %s: %s has %d bytes, %s %d: %w", op, b.typ, have, s.Type, want, isthmus.ErrBounds)
	}
	p := b.client.plugin
	var out pjrtc.Ptr[pjrtc.Buffer]
	if err := b.lockMemory(op); err != nil {
		return nil, err
	}
	defer b.unlockMemory()
	err = ask(p, op, func(f *call.Frame, a *pjrtc.BufferBitcastArgs) (err error) {
		a.Buffer = h
		if a.ElementType, a.Dims, a.NumDims, err = p.nativeType(f, op, s.Type); err == nil {
			a.DeviceLayout, err = s.nativeLayout(f, op)
		}
		return err
	}, func(a *pjrtc.BufferBitcastArgs) error { out = a.OutBuffer; return nil })
	if err != nil {
		return nil, err
	}
	if gone, err := p.isDeleted(h); err == nil && gone {
		b.give()
	}
	n := &Buffer{}
	if err := n.take(b.client, out, b.device, n.typeFor(s.Type)); err != nil {
		return nil, err
	}
	return n, nil
}

// CopyToMemory copies the buffer to another memory of the same client. The caller closes the copy. Calls
// PJRT_Buffer_CopyToMemory.
func (b *Buffer) CopyToMemory(m *Memory) (*Buffer, error) {
	const op = "copy to memory"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	if m == nil || m.client != b.client || len(m.devices) == 0 {
		return nil, invalid(op, "the memory is not one of the buffer's client")
	}
	var out pjrtc.Ptr[pjrtc.Buffer]
	err = relieved(m.devices[0], func() error {
		return ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferCopyToMemoryArgs) error {
			a.Buffer, a.DstMemory = h, m.h
			return nil
		}, func(a *pjrtc.BufferCopyToMemoryArgs) error { out = a.DstBuffer; return nil })
	})
	if err != nil {
		return nil, err
	}
	return m.taken(out, b.typ)
}

// Memory is where the buffer is. Calls PJRT_Buffer_Memory.
func (b *Buffer) Memory() (*Memory, error) {
	const op = "buffer memory"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	var out *Memory
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferMemoryArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferMemoryArgs) error {
			for _, m := range b.client.memories {
				if m.h == a.Memory {
					out = m
					return nil
				}
			}
			return fmt.Errorf("pjrt: %s: the plugin names a memory that no device has: %w", op, isthmus.ErrInvalid)
		})
	return out, err
}

// Where asks the plugin for the buffer's device, which [Buffer.Device] remembers. Calls PJRT_Buffer_Device.
func (b *Buffer) Where() (*Device, error) {
	const op = "buffer device"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	var out *Device
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferDeviceArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferDeviceArgs) error {
			for _, d := range b.client.devices {
				if d.h == a.Device {
					out = d
					return nil
				}
			}
			return fmt.Errorf("pjrt: %s: the plugin names a device that the client has not: %w", op, isthmus.ErrInvalid)
		})
	return out, err
}

// OnHost reports whether the content is in the host's memory, where it can be looked at in place. Calls
// PJRT_Buffer_IsOnCpu.
func (b *Buffer) OnHost() (bool, error) {
	const op = "is on cpu"
	h, err := b.use(op)
	if err != nil {
		return false, err
	}
	defer b.owned.Done()
	host := false
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferIsOnCpuArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferIsOnCpuArgs) error { host = a.IsOnCpu; return nil })
	return host, err
}
