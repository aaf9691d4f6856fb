package device

import (
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Buffer is a tensor on the device. It is made at once and gets its content later, see [Buffer.Ready]. It is safe for
// concurrent use.
type Buffer struct {
	device  *Device
	ordinal int // which of the virtual devices
	memory  int // which memory of it
	typ     stablehlo.Type
	ready   ffi.Event

	mu      sync.Mutex
	block   *block
	holds   int
	deleted bool
	taken   bool // by a donation
	shared  bool // the memory must not be written to
	// abandoned tells the execution that makes the buffer that nobody wants it any more.
	abandoned func()
}

// Type is the type of the tensor: dense, row-major, little-endian, one element to a whole number of bytes.
func (b *Buffer) Type() stablehlo.Type {
	if b == nil {
		return stablehlo.Type{}
	}
	return b.typ
}

// Ordinal is the number of the virtual device that the buffer is on.
func (b *Buffer) Ordinal() int {
	if b == nil {
		return 0
	}
	return b.ordinal
}

// Memory is the number of the memory kind that the buffer is in.
func (b *Buffer) Memory() int {
	if b == nil {
		return 0
	}
	return b.memory
}

// Ready is the event that completes when the buffer has its content, or carries why it never will.
func (b *Buffer) Ready() *ffi.Event {
	if b == nil {
		return nil
	}
	return &b.ready
}

// Size is the number of bytes.
func (b *Buffer) Size() int64 {
	if b == nil {
		return 0
	}
	return b.typ.Size()
}

// NewBuffer makes a buffer without content on a virtual device. The caller fills data and then calls done, once, with
// nil or with the reason why there will be no content.
func (d *Device) NewBuffer(ordinal, memory int, t stablehlo.Type) (b *Buffer, data []byte, done func(error), err error) {
	if b, err = d.newBuffer(ordinal, memory, t); err != nil {
		return nil, nil, nil, err
	}
	if b.block, err = d.store.take(t.Size(), "buffer of "+t.String()); err != nil {
		return nil, nil, nil, err
	}
	// The filling itself holds the memory: a buffer that is deleted meanwhile must not free it.
	b.holds = 1
	var once sync.Once
	return b, b.block.data, func(err error) {
		once.Do(func() {
			b.ready.Complete(err)
			b.unhold()
		})
	}, nil
}

// Adopt makes a buffer of memory that belongs to somebody else, who must not change it before gone is called: when the
// buffer is deleted and nothing uses it any more. Only if mutable may the device write to it, after a donation. data
// must be aligned for its element type and have the type's size.
func (d *Device) Adopt(ordinal, memory int, t stablehlo.Type, data []byte, mutable bool, gone func()) (*Buffer, error) {
	b, err := d.newBuffer(ordinal, memory, t)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != t.Size() {
		return nil, fmt.Errorf("device: adopt: %d bytes for %v of %d: %w", len(data), t, t.Size(), isthmus.ErrBounds)
	}
	b.block, b.shared = adopt(data, gone), !mutable
	b.ready.Complete(nil)
	return b, nil
}

func (d *Device) newBuffer(ordinal, memory int, t stablehlo.Type) (*Buffer, error) {
	if d == nil || d.store == nil { // never started
		return nil, errClosed
	}
	if ordinal < 0 || ordinal >= d.devices {
		return nil, fmt.Errorf("device: buffer: device %d of %d: %w", ordinal, d.devices, isthmus.ErrInvalid)
	}
	if !d.here(ordinal) {
		return nil, fmt.Errorf("device: buffer: device %d belongs to another process; this one has device %d: %w", ordinal, d.own(), isthmus.ErrInvalid)
	}
	if err := checkType(t); err != nil {
		return nil, fmt.Errorf("device: buffer: %w", err)
	}
	return &Buffer{device: d, ordinal: ordinal, memory: memory, typ: t}, nil
}

// maxRank and maxElements bound a tensor, so that sizes and indexes never overflow.
const (
	maxRank  = 1 << 10
	maxBytes = 1 << 46
)

// checkType refuses what is no tensor of known size.
func checkType(t stablehlo.Type) error {
	if t.Kind != stablehlo.Tensor || !t.Static() || t.Elem.Size() == 0 {
		return fmt.Errorf("%v has no layout in memory: %w", t, isthmus.ErrUnsupported)
	}
	if len(t.Dims) > maxRank {
		return fmt.Errorf("rank %d: %w", len(t.Dims), isthmus.ErrBounds)
	}
	n, zero := int64(t.Elem.Size()), false
	for _, d := range t.Dims {
		if d < 0 {
			return fmt.Errorf("%v has a negative dimension: %w", t, isthmus.ErrBounds)
		}
		zero = zero || d == 0
	}
	for _, d := range t.Dims {
		if !zero && n > maxBytes/d {
			return fmt.Errorf("%v is too large: %w", t, isthmus.ErrBounds)
		}
		n *= max(d, 1)
		if zero {
			n = 1
		}
	}
	return nil
}

// errNoBuffer is the answer of a nil Buffer.
var errNoBuffer = fmt.Errorf("device: nil buffer: %w", isthmus.ErrClosed)

// Hold keeps the buffer's memory where it is until release is called. It does not wait for the content. Errors:
// [isthmus.ErrClosed] after Delete or a donation.
func (b *Buffer) Hold() (data []byte, release func(), err error) {
	if b == nil {
		return nil, nil, errNoBuffer
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.gone(); err != nil {
		return nil, nil, err
	}
	if b.block == nil {
		return nil, nil, fmt.Errorf("device: the buffer has no memory yet: %w", isthmus.ErrBusy)
	}
	b.holds++
	var once sync.Once
	return b.block.data, func() { once.Do(b.unhold) }, nil
}

// gone says why the buffer cannot be used. The caller holds mu.
func (b *Buffer) gone() error {
	switch {
	case b.taken:
		return fmt.Errorf("device: the buffer was donated to an execution: %w", isthmus.ErrClosed)
	case b.deleted:
		return fmt.Errorf("device: the buffer was deleted: %w", isthmus.ErrClosed)
	}
	return nil
}

// unhold ends a hold; the last one of a deleted buffer frees its memory.
func (b *Buffer) unhold() {
	b.mu.Lock()
	b.holds--
	free := b.drop()
	b.mu.Unlock()
	free.release()
}

// drop takes the memory out of a buffer that nobody needs it for. The caller holds mu and releases the block after.
func (b *Buffer) drop() *block {
	if !b.deleted || b.holds > 0 {
		return nil
	}
	free := b.block
	b.block = nil
	return free
}

// Delete frees the buffer's memory as soon as nothing uses it. It is idempotent and nil-safe.
func (b *Buffer) Delete() {
	if b == nil {
		return
	}
	b.mu.Lock()
	abandoned := b.abandoned
	b.deleted, b.abandoned = true, nil
	free := b.drop()
	b.mu.Unlock()
	free.release()
	if abandoned != nil {
		abandoned()
	}
}

// Deleted reports whether the buffer was deleted or donated.
func (b *Buffer) Deleted() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deleted
}

// settle gives a result its memory, or the reason why it has none. A result that was deleted meanwhile gives the memory
// straight back.
func (b *Buffer) settle(mem *block, err error) {
	b.mu.Lock()
	b.abandoned = nil
	if err == nil {
		b.block = mem
	}
	free := b.drop()
	b.mu.Unlock()
	free.release()
	b.ready.Complete(err)
}

// Read calls f once with the content, or with the reason why there is none: now, or on a goroutine of its own when that
// is known. Until then the memory stays where it is, whatever becomes of the buffer. With an error f is not called.
func (b *Buffer) Read(f func(data []byte, err error)) error {
	if b == nil {
		return errNoBuffer
	}
	if f == nil {
		return fmt.Errorf("device: read: no function to call: %w", isthmus.ErrInvalid)
	}
	b.mu.Lock()
	err := b.gone()
	if err == nil {
		b.holds++
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	read := func(err error) {
		defer b.unhold()
		if err != nil {
			f(nil, err)
			return
		}
		b.mu.Lock()
		data := b.block.data
		b.mu.Unlock()
		f(data, nil)
	}
	if b.ready.Completed() {
		read(b.ready.Err())
	} else {
		b.ready.OnDone(read)
	}
	return nil
}
