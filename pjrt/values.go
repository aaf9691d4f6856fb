package pjrt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Values reads a buffer's content where it is, while [Read] runs. It never gives out the memory itself, so nothing
// that a caller keeps can point to memory that is gone: after Read it is empty. It is safe for concurrent use.
type Values[T Element] struct {
	mu      sync.RWMutex // held for reading while data is looked at
	data    []T
	inPlace bool
}

// Read calls f with the content of a buffer, in row-major order, without copying it: it is read in place where the
// plugin keeps it in host memory, dense and row-major, and in a copy elsewhere. It waits until the content is there.
// While f runs the buffer cannot be closed, nor its memory be given to an execution. Several readers may be at it.
// Calls PJRT_Buffer_IncreaseExternalReferenceCount, PJRT_Buffer_OpaqueDeviceMemoryDataPointer and
// PJRT_Buffer_DecreaseExternalReferenceCount.
//
// Errors: [isthmus.ErrInvalid] when T is not the buffer's element type; what f returns.
func Read[T Element](ctx context.Context, b *Buffer, f func(*Values[T]) error) error {
	const op = "read"
	if f == nil {
		return invalid(op, "no function")
	}
	h, err := b.useFor(ctx, op)
	if err != nil {
		return err
	}
	defer b.owned.Done()
	if t := DType[T](); t != b.typ.DType {
		return invalid(op, "the buffer is %s, not of %s", b.typ, t)
	}
	n, err := b.typ.Len()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if err := b.Wait(ctx); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
		return err
	}
	v := &Values[T]{}
	if b.inPlace(h) {
		held, drop, err := b.hold(h)
		if err != nil {
			return err
		}
		defer drop()
		// SAFETY: owner: the plugin's buffer; lifetime: the external reference that drop lets go, after v was emptied;
		// bounds: inPlace compared the size on the device; alignment: Slice checks; thread: any, nothing writes to it.
		v.data, err = mem.Slice[T](held, n)
		v.inPlace = err == nil && held != 0
	}
	if !v.inPlace {
		if v.data, err = Get[T](ctx, b); err != nil {
			return err
		}
	}
	defer v.end()
	return f(v)
}

// inPlace reports whether the content can be looked at where it is: in host memory, dense, row-major, of the size that
// its type has.
//
// Preconditions: h is alive for the call.
func (b *Buffer) inPlace(h pjrtc.Ptr[pjrtc.Buffer]) bool {
	if !b.client.views {
		return false
	}
	size, err := b.typ.Size()
	if err != nil || size == 0 || b.typ.DType.Bits() < 8 && b.typ.DType != dtype.I1 {
		return false
	}
	if host, err := b.OnHost(); err != nil || !host {
		return false
	}
	if have, err := b.SizeOnDevice(); err != nil || have != int64(size) {
		return false
	}
	dense := len(b.typ.Dims) < 2
	if !dense {
		err := ask(b.client.plugin, "read", func(_ *call.Frame, a *pjrtc.BufferGetMemoryLayoutArgs) error { a.Buffer = h; return nil },
			func(a *pjrtc.BufferGetMemoryLayoutArgs) error {
				dense = isRowMajor(&a.Layout, len(b.typ.Dims))
				return nil
			})
		dense = dense && err == nil
	}
	return dense
}

// hold takes an external reference to the buffer's memory and gives its address. drop lets it go, once, and must be
// called while the buffer is alive.
//
// Preconditions: h is alive for the call.
func (b *Buffer) hold(h pjrtc.Ptr[pjrtc.Buffer]) (at mem.Addr, drop func(), err error) {
	const op = "hold buffer"
	p := b.client.plugin
	b.viewing.Lock()
	defer b.viewing.Unlock()
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.BufferIncreaseExternalReferenceCountArgs) error { a.Buffer = h; return nil }, nil)
	if err != nil {
		return 0, nil, err
	}
	letGo := func() error {
		return ask(p, op, func(_ *call.Frame, a *pjrtc.BufferDecreaseExternalReferenceCountArgs) error { a.Buffer = h; return nil }, nil)
	}
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) error {
			at = mem.Addr(a.DeviceMemoryPtr)
			return nil
		})
	if err != nil {
		return 0, nil, errors.Join(err, letGo())
	}
	b.holds++
	return at, func() {
		b.viewing.Lock()
		defer b.viewing.Unlock()
		b.holds--
		if err := letGo(); err != nil {
			// The plugin keeps the memory for ever now.
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: isthmus.Object{Kind: "pjrt.Buffer view"}, Err: err})
		}
	}, nil
}

// end waits for those who look at the memory, and keeps all others from it.
func (v *Values[T]) end() {
	v.mu.Lock()
	v.data = nil
	v.mu.Unlock()
}

// Len is the number of elements, 0 after [Read].
func (v *Values[T]) Len() int {
	if v == nil {
		return 0
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.data)
}

// InPlace reports whether the elements are read where the plugin keeps them, and not in a copy.
func (v *Values[T]) InPlace() bool { return v != nil && v.inPlace }

// CopyTo copies elements from index from on into dst and returns how many, as copy does.
func (v *Values[T]) CopyTo(dst []T, from int) int {
	if v == nil || from < 0 {
		return 0
	}
	v.mu.RLock()
	n := 0
	if from < len(v.data) {
		n = copy(dst, v.data[from:])
	}
	v.mu.RUnlock()
	onlyBools(dst[:n])
	return n
}

// At returns one element; ok is false outside the tensor and after [Read]. To read many, [Values.All] and
// [Values.CopyTo] are faster.
func (v *Values[T]) At(i int) (x T, ok bool) {
	var one [1]T
	ok = v.CopyTo(one[:], i) == 1
	return one[0], ok
}

// All goes over the elements with their indices.
func (v *Values[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		// A block at a time, so that nobody holds the lock while the loop's body runs.
		var block [256]T
		for from := 0; ; {
			n := v.CopyTo(block[:], from)
			if n == 0 {
				return
			}
			for i, x := range block[:n] {
				if !yield(from+i, x) {
					return
				}
			}
			from += n
		}
	}
}
