package mpi

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Buf is memory for messages outside Go's heap, in large pages where the system has them: messages of 1 MiB and more are
// copied between processes faster than from Go's heap. Its slice is given to every operation that takes a slice. While one
// has it, Slice is an error.
//
// It is safe for concurrent use. The zero value is closed.
type Buf[T any] struct {
	owned ffi.Owned[*mem.Block]
	data  []T
}

// bufs keeps the memory of closed Bufs, by element type and size. It is used again and never given back to the system:
// a slice that somebody kept past Close is memory still, of the same type, and what a network has registered stays where
// it is.
var bufs struct {
	mu   sync.Mutex
	idle map[bufKey][]*mem.Block
}

type bufKey struct {
	typ  reflect.Type
	size int
}

// Alloc makes a Buf of n zeroed elements. The caller closes it. Errors: [isthmus.ErrInvalid] for element types that hold Go
// pointers, [isthmus.ErrBounds] for a size that cannot be, [isthmus.ErrLimit] when the system has no memory.
func Alloc[T any](n int) (*Buf[T], error) {
	const op = "alloc"
	if !mem.Plain[T]() {
		return nil, invalid(op, "%v holds Go pointers", reflect.TypeFor[T]())
	}
	want, err := mem.Mul(n, mem.SizeOf[T]())
	if err != nil || want > mem.MaxBytes {
		return nil, bounds(op, "%d elements of %v", n, reflect.TypeFor[T]())
	}
	block, k, err := blockFor(reflect.TypeFor[T](), want)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	b := &Buf[T]{}
	if want > 0 {
		if b.data, err = mem.View[T](block.Bytes()[:want:want]); err != nil {
			return nil, fmt.Errorf("mpi: %s: %w", op, err)
		}
	}
	class := &ffi.Class[*mem.Block]{Name: "mpi.Buf", Destroy: func(m *mem.Block) error { return putBlock(k, m) }, Backstop: ffi.BackstopReport}
	if err := b.owned.Init(class, block); err != nil {
		return nil, err
	}
	return b, nil
}

// blockFor gives zeroed memory for want bytes of elements of a type, which putBlock takes back.
func blockFor(typ reflect.Type, want int) (*mem.Block, bufKey, error) {
	size := 4096
	for size < want {
		size *= 2
	}
	align := 4096
	if size >= 1<<20 {
		size, align = max(size, mem.MaxAlign), mem.MaxAlign
	}
	k := bufKey{typ, size}
	if block := takeBlock(k); block != nil {
		clear(block.Bytes()[:want])
		return block, k, nil
	}
	block, err := mem.Alloc(size, align)
	if err == nil {
		block.Huge()
	}
	return block, k, err
}

func takeBlock(k bufKey) *mem.Block {
	bufs.mu.Lock()
	defer bufs.mu.Unlock()
	l := bufs.idle[k]
	if len(l) == 0 {
		return nil
	}
	m := l[len(l)-1]
	bufs.idle[k] = l[:len(l)-1]
	return m
}

// putBlock keeps the memory of a Buf that was closed. While something has it, it says so.
func putBlock(k bufKey, m *mem.Block) error {
	bufs.mu.Lock()
	defer bufs.mu.Unlock()
	if bufs.idle == nil {
		bufs.idle = map[bufKey][]*mem.Block{}
	}
	bufs.idle[k] = append(bufs.idle[k], m)
	return nil
}

// Slice is the memory. While an operation, a section or another loan has a part of it, the error wraps
// [isthmus.ErrBorrowed] and names it; after Close it is [isthmus.ErrClosed]. The slice must not be used after Close.
func (b *Buf[T]) Slice() ([]T, error) {
	if b == nil {
		return nil, fmt.Errorf("mpi: buffer: %w", isthmus.ErrClosed)
	}
	if _, err := b.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: buffer: %w", err)
	}
	defer b.owned.Done()
	if err := ffi.Free(mem.Bytes(b.data), ffi.Exclusive); err != nil {
		return nil, fmt.Errorf("mpi: buffer: %w", err)
	}
	return b.data, nil
}

// Len is how many elements there are.
func (b *Buf[T]) Len() int {
	if b == nil {
		return 0
	}
	return len(b.data)
}

// Close ends the buffer. While an operation or another loan has a part of it, it does nothing, and the error wraps
// [isthmus.ErrBusy] and [isthmus.ErrBorrowed]. It is nil-safe and idempotent.
func (b *Buf[T]) Close() error {
	if b == nil || !b.owned.Live() {
		return nil
	}
	// Lent for the moment in which it ends, so that nobody else borrows it in between.
	l, err := ffi.LendSlice(b.data, ffi.Exclusive)
	if err != nil {
		return fmt.Errorf("mpi: close a buffer: %w: %w", isthmus.ErrBusy, err)
	}
	defer l.Return()
	return b.owned.Close()
}
