package pjrt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Lend says how long a plugin may use host memory that a buffer is made from.
type Lend int

// The ways to lend, from the shortest to the longest.
const (
	// DuringCall: the plugin copies before the call returns. The memory is free to use afterwards.
	DuringCall Lend = iota
	// UntilTransferred: the plugin reads the memory until the event of the transfer fires; it must not be changed
	// before.
	UntilTransferred
	// WhileAlive: the buffer may be the memory itself, which must not be changed until the event fires, some time after
	// the buffer is closed. The plugin does not write to it.
	WhileAlive
	// WhileAliveMutable: as WhileAlive, and the plugin may write to the memory, for example when the buffer is donated.
	WhileAliveMutable
)

// String returns the name.
func (l Lend) String() string {
	switch l {
	case DuringCall:
		return "during call"
	case UntilTransferred:
		return "until transferred"
	case WhileAlive:
		return "while alive"
	case WhileAliveMutable:
		return "while alive, mutable"
	}
	return fmt.Sprintf("Lend(%d)", int(l))
}

// Put copies data to a device, as a tensor of the given dimensions, row-major; no dimensions make a scalar. The
// data may be changed as soon as Put returns. The caller closes the buffer. Calls PJRT_Client_BufferFromHostBuffer.
//
// Errors: [isthmus.ErrBounds] when the dimensions do not multiply to len(data).
func Put[T Element](ctx context.Context, d *Device, data []T, dims ...int) (*Buffer, error) {
	return PutBytes(ctx, d, Type{DType[T](), dims}, mem.Bytes(data))
}

// PutInto is Put into a buffer that the caller brings, zero or closed. A reused one saves what a new one costs.
func PutInto[T Element](ctx context.Context, b *Buffer, d *Device, data []T, dims ...int) error {
	if b == nil {
		return invalid("put", "no buffer")
	}
	if b.owned.Live() {
		return fmt.Errorf("pjrt: put: %s is still open: %w", b, isthmus.ErrBusy)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("pjrt: put: %w", context.Cause(ctx))
	}
	return b.putNow(d, Type{DType[T](), dims}, mem.Bytes(data))
}

// PutBytes is Put for data as bytes: little-endian, row-major, one element to a whole number of bytes. It serves the
// element types that Go has not.
func PutBytes(ctx context.Context, d *Device, t Type, data []byte) (*Buffer, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("pjrt: put: %w", context.Cause(ctx))
	}
	b := &Buffer{}
	if err := b.putNow(d, t, data); err != nil {
		return nil, err
	}
	return b, nil
}

// PutLent makes a buffer from memory that is lent to the plugin for as long as how says. The event fires when the
// memory may be used again; until then the memory is held, also when the caller closes or forgets everything. The
// caller closes both. Calls PJRT_Client_BufferFromHostBuffer.
func PutLent[T Element](d *Device, data []T, how Lend, dims ...int) (*Buffer, *Event, error) {
	b := &Buffer{}
	e, err := b.put(d, Type{DType[T](), dims}, mem.Bytes(data), how)
	if err != nil {
		return nil, nil, err
	}
	return b, e, nil
}

// put makes b a buffer with the content of data. With DuringCall the event is nil.
func (b *Buffer) put(d *Device, t Type, data []byte, how Lend) (*Event, error) {
	const op = "put"
	if d == nil || d.client == nil {
		return nil, invalid(op, "no device")
	}
	if how < DuringCall || how > WhileAliveMutable {
		return nil, invalid(op, "%v", how)
	}
	size, err := t.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if size != len(data) {
		hint := ""
		if len(t.Dims) == 0 {
			hint = "; without dimensions it is a scalar"
		}
		return nil, fmt.Errorf("pjrt: %s: %s has %d bytes, the data %d%s: %w", op, t, size, len(data), hint, isthmus.ErrBounds)
	}
	c := d.client
	p := c.plugin
	typ, err := p.toBufferType(op, t.DType)
	if err != nil {
		return nil, err
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	if !d.addressable {
		return nil, invalid(op, "%s belongs to process %d", d, d.process)
	}
	var pin mem.Pin
	defer pin.Unpin()
	var loan *ffi.Loan
	addr := mem.Addr(0)
	if how == DuringCall {
		addr = mem.PinSlice(&pin, data)
	} else {
		access := ffi.Shared
		if how == WhileAliveMutable {
			access = ffi.Exclusive
		}
		if loan, err = ffi.Lend(data, access); err != nil {
			return nil, fmt.Errorf("pjrt: %s: %w", op, err)
		}
		addr = mem.AddrOf(data)
	}
	p.lentTo(loan)
	e, err := b.putLent(d, h, t, typ, addr, how, loan)
	if err != nil {
		returnAfter(loan, err)
	}
	return e, err
}

// putBlock is the native memory of a put, made in one piece.
type putBlock struct {
	args    pjrtc.ClientBufferFromHostBufferArgs
	await   pjrtc.EventAwaitArgs
	destroy pjrtc.EventDestroyArgs
	dims    [8]int64
}

// putLent is put for memory that stays where it is as long as the plugin uses it. The event returns the loan; with an
// error the plugin uses the memory no more.
func (b *Buffer) putLent(d *Device, h pjrtc.Ptr[pjrtc.Client], t Type, typ pjrtc.BufferType, data mem.Addr, how Lend, loan *ffi.Loan) (*Event, error) {
	const op = "put"
	c := d.client
	p := c.plugin
	f := call.Get()
	defer f.Put()
	k, err := call.New[putBlock](f)
	if err != nil {
		return nil, err
	}
	a, dims := &k.args, k.dims[:]
	if len(t.Dims) > len(dims) {
		if dims, err = call.Slice[int64](f, len(t.Dims)); err != nil {
			return nil, err
		}
	}
	for i, n := range t.Dims {
		dims[i] = int64(n)
	}
	a.Client, a.Device, a.Type = h, d.h, typ
	a.Dims, a.NumDims = pjrtc.ToSlice(dims), uint64(len(t.Dims))
	a.HostBufferSemantics = pjrtc.HostBufferSemantics(how)
	if a.Data = pjrtc.Addr(data); a.Data == 0 {
		a.Data = pjrtc.Addr(a.Dims) // an empty tensor has an address too
	}
	if err := do(p, f, op, a); err != nil {
		if err = relieve(d, err, func() error { return do(p, f, op, a) }); err != nil {
			return nil, err
		}
	}
	buf, ev := a.Buffer, a.DoneWithHostBuffer
	if how == DuringCall {
		// The memory is the caller's again when the call returns; the event has nothing more to say.
		err = p.finishIn(f, op, ev, &k.await, &k.destroy)
		if err != nil {
			return nil, errors.Join(err, p.buffers.Destroy(buf))
		}
		return nil, b.take(c, buf, d, b.typeFor(t))
	}
	e, err := p.workEvent(op, ev, []*ffi.Loan{loan}, &c.owned)
	return b.holdPut(c, buf, d, t, e, err)
}

// holdPut makes b the owner of what a put made, with the event of the put, or destroys both and waits until the plugin
// has done with the memory.
func (b *Buffer) holdPut(c *Client, buf pjrtc.Ptr[pjrtc.Buffer], d *Device, t Type, e *Event, err error) (*Event, error) {
	if err == nil {
		err = b.take(c, buf, d, b.typeFor(t))
	} else {
		err = errors.Join(err, c.plugin.buffers.Destroy(buf))
	}
	if err != nil {
		e.waitOut()
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// typeFor is t with dimensions of its own: those that b had before, where they are the same.
func (b *Buffer) typeFor(t Type) Type {
	if b.typ.Equal(t) {
		return b.typ
	}
	return Type{t.DType, slices.Clone(t.Dims)}
}

// finish waits for an event on this thread and destroys it, whatever it carries.
func (p *Plugin) finish(f *call.Frame, op string, e pjrtc.Ptr[pjrtc.Event]) error {
	if e == 0 {
		return nil
	}
	a, err := call.New[pjrtc.EventAwaitArgs](f)
	if err != nil {
		return err
	}
	d, err := call.New[pjrtc.EventDestroyArgs](f)
	if err != nil {
		return err
	}
	return p.finishIn(f, op, e, a, d)
}

// finishIn is finish with argument structs that the caller has in f.
func (p *Plugin) finishIn(f *call.Frame, op string, e pjrtc.Ptr[pjrtc.Event], a *pjrtc.EventAwaitArgs, d *pjrtc.EventDestroyArgs) error {
	if e == 0 {
		return nil
	}
	a.Event = e
	err := do(p, f, op, a)
	d.Event = e
	if derr := do(p, f, op, d); derr != nil {
		return errors.Join(err, derr)
	}
	return err
}

// Get copies a buffer to the host, row-major, as a slice of T. It waits until the buffer has its content. Calls
// PJRT_Buffer_ToHostBuffer.
//
// Errors: [isthmus.ErrInvalid] when T is not the buffer's element type.
func Get[T Element](ctx context.Context, b *Buffer) ([]T, error) {
	if b == nil {
		return nil, invalid("get", "no buffer")
	}
	if _, err := b.use("get"); err != nil {
		return nil, err
	}
	defer b.owned.Done()
	if t := DType[T](); t != b.typ.DType {
		return nil, invalid("get", "the buffer is %s, not of %s", b.typ, t)
	}
	n, err := b.typ.Len()
	if err != nil {
		return nil, fmt.Errorf("pjrt: get: %w", err)
	}
	dst := make([]T, n)
	if err := GetInto(ctx, b, dst); err != nil {
		return nil, err
	}
	return dst, nil
}

// GetInto is Get into memory of the caller's, of exactly the buffer's length. When ctx ends, see [Buffer.GetBytes].
func GetInto[T Element](ctx context.Context, b *Buffer, dst []T) error {
	if b == nil {
		return invalid("get", "no buffer")
	}
	if t := DType[T](); t != b.typ.DType {
		return invalid("get", "the buffer is %s, not of %s", b.typ, t)
	}
	if err := b.GetBytes(ctx, mem.Bytes(dst)); err != nil {
		return err
	}
	onlyBools(dst)
	return nil
}

// Bytes copies a buffer to the host as bytes: little-endian, row-major, one element to a whole number of bytes.
func (b *Buffer) Bytes(ctx context.Context) ([]byte, error) {
	if b == nil {
		return nil, invalid("get", "no buffer")
	}
	if _, err := b.use("get"); err != nil {
		return nil, err
	}
	defer b.owned.Done()
	n, err := b.typ.Size()
	if err != nil {
		return nil, fmt.Errorf("pjrt: get: %w", err)
	}
	dst := make([]byte, n)
	if err := b.GetBytes(ctx, dst); err != nil {
		return nil, err
	}
	return dst, nil
}

// GetBytes is Bytes into memory of the caller's, of exactly the buffer's size. When ctx ends while the content is not
// there yet, nothing is written to dst, then or later. When it ends while the plugin copies, dst stays lent (see
// [ffi.Loan]) and the buffer cannot be closed until the plugin says that it is done; do not touch dst then. Errors:
// [isthmus.ErrBorrowed] when ctx can end and dst is lent already.
func (b *Buffer) GetBytes(ctx context.Context, dst []byte) error {
	const op = "get"
	h, err := b.useFor(ctx, op)
	if err != nil {
		return err
	}
	defer b.owned.Done()
	size, err := b.typ.Size()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if size != len(dst) {
		return fmt.Errorf("pjrt: %s: %s has %d bytes, the destination %d: %w", op, b.typ, size, len(dst), isthmus.ErrBounds)
	}
	if err := b.filled(ctx); err != nil {
		return err
	}
	p := b.client.plugin
	f := call.Get()
	defer f.Put()
	// Of several readers at once one reads in place, the others by the plugin's transfer.
	if b.client.views && len(dst) <= maxView && len(dst) > 0 && b.typ.DType.Bits() >= 8 && b.viewing.TryLock() {
		done, err := p.copyView(f, h, dst, len(b.typ.Dims))
		b.viewing.Unlock()
		if done || err != nil {
			return err
		}
	}
	if len(dst) == 0 {
		// Null asks for the size alone: an empty tensor is copied nowhere.
		return nil
	}
	a, err := call.New[pjrtc.BufferToHostBufferArgs](f)
	if err != nil {
		return err
	}
	a.Src, a.DstSize = h, uint64(len(dst))
	if a.HostLayout, err = rowMajor(f, len(b.typ.Dims)); err != nil {
		return err
	}
	return transfer(ctx, b, op, f, dst, a, &a.Dst, &a.Event)
}

// useFor is use for a call that may be given up.
func (b *Buffer) useFor(ctx context.Context, op string) (pjrtc.Ptr[pjrtc.Buffer], error) {
	if b == nil {
		return 0, invalid(op, "no buffer")
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
	return b.use(op)
}

// filled waits until the content is there, if ctx can end: the long wait lends nothing, and the copy after it is short.
func (b *Buffer) filled(ctx context.Context) error {
	if ctx.Done() == nil {
		return nil
	}
	if err := b.Wait(ctx); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
		return err
	}
	return nil
}

// transfer calls the function of a, which begins a copy of the buffer's content to dst, and waits until it is done. at
// and event are the fields of a for where to and for when. When ctx ends first, dst stays lent to the plugin, and the
// buffer open, until the plugin says that it is done, which may be never.
//
// Preconditions: dst is not empty; a use of b is held.
func transfer[A any, P interface {
	*A
	pjrtc.Args
}](ctx context.Context, b *Buffer, op string, f *call.Frame, dst []byte, a P, at *pjrtc.Addr, event *pjrtc.Ptr[pjrtc.Event]) error {
	p := b.client.plugin
	if ctx.Done() == nil {
		var pin mem.Pin
		defer pin.Unpin()
		*at = pjrtc.Addr(mem.PinSlice(&pin, dst))
		if err := do(p, f, op, a); err != nil {
			return err
		}
		return p.finish(f, op, *event)
	}
	loan, err := ffi.Lend(dst, ffi.Exclusive)
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	p.lentTo(loan)
	*at = pjrtc.Addr(mem.AddrOf(dst))
	if err := do(p, f, op, a); err != nil {
		loan.Return()
		return err
	}
	e, err := p.workEvent(op, *event, []*ffi.Loan{loan}, &b.owned)
	if err != nil {
		return err
	}
	return b.client.waitFor(ctx, e)
}

// rowMajor writes the dense row-major layout into the frame, where it lives as long as the call. A tensor of rank 0 or
// 1 has no other, and needs none.
func rowMajor(f *call.Frame, rank int) (pjrtc.Ptr[pjrtc.BufferMemoryLayout], error) {
	if rank < 2 {
		return 0, nil
	}
	l, err := call.New[pjrtc.BufferMemoryLayout](f)
	if err != nil {
		return 0, err
	}
	order, err := call.Slice[int64](f, rank)
	if err != nil {
		return 0, err
	}
	for i := range order {
		order[i] = int64(rank - 1 - i)
	}
	l.SetSize()
	l.Type = pjrtc.BufferMemoryLayoutTypeTiled
	t := l.Tiled()
	t.SetSize()
	t.MinorToMajor, t.MinorToMajorSize = pjrtc.ToSlice(order), uint64(rank)
	return pjrtc.To(l), nil
}
