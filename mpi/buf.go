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
	if err := ffi.Unlent(mem.Bytes(b.data)); err != nil {
		return nil, fmt.Errorf("mpi: buffer: %w", err)
	}
	return b.data, nil
}

// Section is a part of a slice that is checked out: any number of readers or one writer, and what overlaps is an error
// that names both with their places. Its slice may be given to every operation that takes a slice: for a reader to those
// that send, for a writer to all. See [ffi.Section].
//
//	var halo, inner mpi.Section[float64]
//	left, err := halo.Write(u[:1])     // nobody else has this part
//	rest, err := inner.Read(u[1:])     // others may read this one
//	r, err := mpi.Irecv(c, left, 0, 1) // passed on: halo.Slice is an error until r is done
//	halo.Return()
type Section[T any] = ffi.Section[T]

// Read checks the elements from i to j out into s for reading. Errors: those of [ffi.Section.Read]; [isthmus.ErrBounds]
// outside the buffer; [isthmus.ErrClosed].
func (b *Buf[T]) Read(s *Section[T], i, j int) ([]T, error) { return b.section(s.Read, i, j) }

// Write checks the elements from i to j out into s for writing. Errors: as for [Buf.Read].
func (b *Buf[T]) Write(s *Section[T], i, j int) ([]T, error) { return b.section(s.Write, i, j) }

func (b *Buf[T]) section(take func([]T) ([]T, error), i, j int) ([]T, error) {
	const op = "section"
	if b == nil {
		return nil, fmt.Errorf("mpi: %s: buffer: %w", op, isthmus.ErrClosed)
	}
	if _, err := b.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer b.owned.Done()
	if i < 0 || j < i || j > len(b.data) {
		return nil, bounds(op, "elements from %d to %d of %d", i, j, len(b.data))
	}
	s, err := take(b.data[i:j])
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	return s, nil
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
	// Checked out for the moment in which it ends, so that nobody else borrows it in between.
	var all Section[T]
	if _, err := all.Write(b.data); err != nil {
		return fmt.Errorf("mpi: close a buffer: %w: %w", isthmus.ErrBusy, err)
	}
	defer all.Return()
	return b.owned.Close()
}
