package pjrt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// PutOptions says how to put a tensor on a device. The zero value does as [Put].
type PutOptions struct {
	// Lend is how long the plugin may use the data.
	Lend Lend
	// Memory is where the tensor goes; nil is the device's usual memory.
	Memory *Memory
	// Host is how the data lies in memory, nil for row-major. The data are [Layout.Size] bytes or more; with negative
	// strides the first element is not at their beginning, but as far from it as the strides reach back. What the
	// plugin cannot read is arranged first, which needs DuringCall.
	Host *Layout
	// Device is how the tensor lies on the device; nil is the plugin's choice.
	Device *Layout
}

// PutWith is [Put] with options. The event is nil with DuringCall; otherwise it is as for [PutLent], and the caller
// closes both.
func PutWith[T Element](ctx context.Context, d *Device, data []T, o PutOptions, dims ...int) (*Buffer, *Event, error) {
	return PutBytesWith(ctx, d, Type{DType[T](), dims}, mem.Bytes(data), o)
}

// PutBytesWith is [PutBytes] with options, see [PutWith].
func PutBytesWith(ctx context.Context, d *Device, t Type, data []byte, o PutOptions) (*Buffer, *Event, error) {
	const op = "put"
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
	if d == nil || d.client == nil {
		return nil, nil, invalid(op, "no device")
	}
	if !d.addressable {
		return nil, nil, invalid(op, "%s belongs to process %d", d, d.process)
	}
	if err := o.check(op, d); err != nil {
		return nil, nil, err
	}
	host := RowMajor(len(t.Dims))
	if o.Host != nil {
		host = *o.Host
	}
	before, size, err := host.reach(t)
	if err != nil {
		return nil, nil, err
	}
	if len(data) < size {
		return nil, nil, fmt.Errorf("pjrt: %s: %s as %s has %d bytes, the data %d: %w", op, t, host, size, len(data), isthmus.ErrBounds)
	}
	data = data[:size]
	if !host.readable(t) {
		if o.Lend != DuringCall {
			return nil, nil, fmt.Errorf("pjrt: %s: data as %s cannot be lent, only copied: %w; use DuringCall", op, host, isthmus.ErrUnsupported)
		}
		if data, err = rearranged(t, data, host); err != nil {
			return nil, nil, err
		}
		host, before = RowMajor(len(t.Dims)), 0
	}
	if o.Device != nil && !o.Device.IsRowMajor() {
		if err := d.client.arranges(ctx, d); err != nil {
			return nil, nil, err
		}
	}
	loan, err := lendFor(data, o.Lend)
	if err != nil {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	d.client.plugin.lentTo(loan)
	b := &Buffer{}
	var e *Event
	err = relieved(d, func() (err error) {
		e, err = b.putLaid(d, t, data, before, host, o, loan)
		return err
	})
	if err != nil || e == nil {
		returnAfter(loan, err)
	}
	if err != nil {
		return nil, nil, err
	}
	return b, e, nil
}

// check reports options that are none for the device.
func (o PutOptions) check(op string, d *Device) error {
	if o.Lend < DuringCall || o.Lend > WhileAliveMutable {
		return invalid(op, "%v", o.Lend)
	}
	return d.has(op, o.Memory)
}

// has reports a memory that is not one of the device's.
func (d *Device) has(op string, m *Memory) error {
	if m == nil {
		return nil
	}
	for _, have := range d.memories {
		if have == m {
			return nil
		}
	}
	return invalid(op, "%s is no memory of %s", m, d)
}

// readable reports whether plugins take data of this layout: whole steps forward. What they say of other layouts
// differs, from refusing to ending the process, so they are not asked.
func (l Layout) readable(t Type) bool {
	strides, err := l.dense(t)
	if err != nil || len(l.Tiles) > 0 {
		return false
	}
	for d, n := range t.Dims {
		if n > 1 && (strides[d] <= 0 || strides[d]%t.DType.Size() != 0) {
			return false
		}
	}
	return true
}

// rearranged copies a tensor into row-major order.
func rearranged(t Type, data []byte, from Layout) ([]byte, error) {
	size, err := t.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: put: %w", err)
	}
	out := make([]byte, size)
	return out, Arrange(t, out, RowMajor(len(t.Dims)), data, from)
}

// lendFor lends data as how says, for reading where the plugin copies before the call returns.
func lendFor(data []byte, how Lend) (*ffi.Loan, error) {
	if how == WhileAliveMutable {
		return ffi.Lend(data, ffi.Exclusive)
	}
	return ffi.Lend(data, ffi.Shared)
}

// putLaid is put with all options. The data are lent; the event, where there is one, returns the loan.
func (b *Buffer) putLaid(d *Device, t Type, data []byte, before int, host Layout, o PutOptions, loan *ffi.Loan) (*Event, error) {
	const op = "put"
	c := d.client
	p := c.plugin
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	var buf pjrtc.Ptr[pjrtc.Buffer]
	var ev pjrtc.Ptr[pjrtc.Event]
	err = ask(p, op, func(f *call.Frame, a *pjrtc.ClientBufferFromHostBufferArgs) (err error) {
		if a.Type, a.Dims, a.NumDims, err = p.nativeType(f, op, t); err != nil {
			return err
		}
		if !host.IsRowMajor() {
			strides, err := host.dense(t)
			if err != nil {
				return err
			}
			// A dimension of one step may say any stride; the plugin is told one that it can multiply with.
			if a.ByteStrides, err = int64sIn(f, forward(t, strides)); err != nil {
				return err
			}
			a.NumByteStrides = uint64(len(strides))
		}
		if o.Device != nil {
			if a.DeviceLayout, err = o.Device.nativeFor(f, op, t); err != nil {
				return err
			}
		}
		a.Client, a.Device, a.HostBufferSemantics = h, d.h, pjrtc.HostBufferSemantics(o.Lend)
		if o.Memory != nil {
			a.Memory = o.Memory.h
		}
		if a.Data = pjrtc.Addr(mem.AddrOf(data)); a.Data == 0 {
			a.Data = pjrtc.Addr(a.Dims) // an empty tensor has an address too
		}
		a.Data += pjrtc.Addr(before)
		return nil
	}, func(a *pjrtc.ClientBufferFromHostBufferArgs) error {
		buf, ev = a.Buffer, a.DoneWithHostBuffer
		return nil
	})
	if err != nil {
		return nil, err
	}
	if o.Lend == DuringCall {
		f := call.Get()
		defer f.Put()
		if err := p.finish(f, op, ev); err != nil {
			return nil, errors.Join(err, p.buffers.Destroy(buf))
		}
		return nil, b.take(c, buf, d, b.typeFor(t))
	}
	e, err := p.workEvent(op, ev, []*ffi.Loan{loan}, &c.owned)
	return b.holdPut(c, buf, d, t, e, err)
}

// arranges reports whether the plugin arranges what is put in the layout that it is told. One that is here (XLA's CPU
// of 2026-06) notes the layout and copies the bytes as they come, so that another tensor comes back. It is tried once,
// with six bytes.
func (c *Client) arranges(ctx context.Context, d *Device) error {
	c.trying.Lock()
	defer c.trying.Unlock()
	if !c.tried {
		const n = 6
		t, col := Type{dtype.U8, []int{2, 3}}, ColumnMajor(2)
		in, out := []byte{1, 2, 3, 4, 5, 6}, make([]byte, n)
		b := &Buffer{}
		_, err := b.putLaid(d, t, in, 0, RowMajor(2), PutOptions{Device: &col}, nil)
		if err == nil {
			// Later, because a copy that was given up has the buffer still.
			err = errors.Join(b.GetBytes(ctx, out), b.owned.CloseLater())
		}
		if err != nil && ctx.Err() != nil {
			return err // which says nothing of the plugin
		}
		if err == nil && !slices.Equal(in, out) {
			err = fmt.Errorf("%s notes a layout and does not arrange the data: %w; leave the layout to the device", c.plugin, isthmus.ErrUnsupported)
		}
		if c.tried, c.trial = true, err; err != nil {
			c.trial = fmt.Errorf("pjrt: put: %w", err)
		}
	}
	return c.trial
}

// forward gives dimensions that are not walked along the stride of one element.
func forward(t Type, strides []int) []int {
	out := make([]int, len(strides))
	for d, s := range strides {
		if out[d] = s; t.Dims[d] <= 1 {
			out[d] = t.DType.Size()
		}
	}
	return out
}

// GetBytesWith copies a buffer to the host in a layout of the caller's choice, into exactly [Layout.Size] bytes. It is for
// column-major arrays, parts of larger ones, and tiles. Bytes between the elements are not touched. When ctx ends,
// see [Buffer.GetBytes]. Calls PJRT_Buffer_ToHostBuffer.
func (b *Buffer) GetBytesWith(ctx context.Context, dst []byte, l Layout) error {
	const op = "get"
	if b == nil {
		return invalid(op, "no buffer")
	}
	size, err := l.Size(b.typ)
	if err != nil {
		return err
	}
	if len(dst) != size {
		return fmt.Errorf("pjrt: %s: %s as %s has %d bytes, the destination %d: %w", op, b.typ, l, size, len(dst), isthmus.ErrBounds)
	}
	o, dense := l.order(b.typ)
	if !dense || len(l.Tiles) > 0 || l.ElementBits != 0 || l.MemorySpace != 0 || l.Other != "" {
		// No plugin is asked for these: those that are here refuse them.
		data, err := b.Bytes(ctx)
		if err != nil {
			return err
		}
		return Arrange(b.typ, dst, l, data, RowMajor(len(b.typ.Dims)))
	}
	if o.IsRowMajor() {
		return b.GetBytes(ctx, dst)
	}
	h, err := b.useFor(ctx, op)
	if err != nil {
		return err
	}
	defer b.owned.Done()
	if err := b.filled(ctx); err != nil {
		return err
	}
	if len(dst) == 0 {
		return nil
	}
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.BufferToHostBufferArgs](f)
	if err != nil {
		return err
	}
	if a.HostLayout, err = o.toNative(f, op); err != nil {
		return err
	}
	a.Src, a.DstSize = h, uint64(len(dst))
	return transfer(ctx, b, op, f, dst, a, &a.Dst, &a.Event)
}

// GetWith is [GetInto] in a layout of the caller's choice, see [Buffer.GetBytesWith]. Its strides are bytes.
func GetWith[T Element](ctx context.Context, b *Buffer, dst []T, l Layout) error {
	if b == nil {
		return invalid("get", "no buffer")
	}
	if t := DType[T](); t != b.typ.DType {
		return invalid("get", "the buffer is %s, not of %s", b.typ, t)
	}
	if err := b.GetBytesWith(ctx, mem.Bytes(dst), l); err != nil {
		return err
	}
	onlyBools(dst)
	return nil
}

// onlyBools makes of a bool that is neither 0 nor 1 one that is: Go's have no other values.
func onlyBools[T Element](s []T) {
	if DType[T]() != dtype.I1 {
		return
	}
	for i, v := range mem.Bytes(s) {
		if v > 1 {
			mem.Bytes(s)[i] = 1
		}
	}
}
