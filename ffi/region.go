package ffi

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// MaxAlign is the largest alignment that [Alloc] takes.
const MaxAlign = mem.MaxAlign

// Region is one buffer of which sections are lent: any number of overlapping readers or one writer, checked when a
// section is checked out. Close says [isthmus.ErrBorrowed] while a section is out. It is safe for concurrent use.
type Region struct {
	o    Owned[[]byte]
	size int
}

// NewRegion makes a region of b's memory. The caller uses b through the region only. Parents, which own memory that is
// not Go's, live as long as the region and its sections.
func NewRegion(b []byte, parents ...Parent) (*Region, error) {
	r := &Region{size: len(b)}
	if err := r.o.Init(regionClass(), b, parents...); err != nil {
		return nil, err
	}
	return r, nil
}

// Alloc makes a region of size zeroed bytes whose address is a multiple of align, a power of two up to [MaxAlign];
// 0 means 64.
//
// The memory is the garbage collector's: it is pinned while a section of it is lent, and a slice of it that
// somebody kept past Return is memory still. It is freed once, when nothing refers to it.
func Alloc(size, align int) (*Region, error) {
	b, err := aligned(size, align)
	if err != nil {
		return nil, err
	}
	return NewRegion(b)
}

// aligned returns zeroed Go memory whose address is a multiple of align.
func aligned(size, align int) ([]byte, error) {
	if align == 0 {
		align = 64
	}
	if align < 0 || align&(align-1) != 0 || align > MaxAlign {
		return nil, fmt.Errorf("ffi: alignment %d: %w; use a power of two up to %d", align, isthmus.ErrInvalid, MaxAlign)
	}
	total, err := mem.Add(size, align)
	if err != nil || total > mem.MaxBytes {
		return nil, fmt.Errorf("ffi: allocate %d bytes: %w", size, isthmus.ErrBounds)
	}
	b := make([]byte, total)
	// The collector does not move what it allocated, so the address stays aligned; the pin of a loan only makes
	// that a promise.
	skip := int(-uintptr(mem.AddrOf(b)) & uintptr(align-1))
	return b[skip : skip+size : skip+size], nil
}

// regionClass makes the class of all regions. They need no backstop: their memory is the collector's.
func regionClass() *Class[[]byte] {
	return &Class[[]byte]{Name: "ffi.Region", Destroy: func([]byte) error { return nil }, Backstop: BackstopNone}
}

// Len returns the region's size in bytes.
func (r *Region) Len() int {
	if r == nil {
		return 0
	}
	return r.size
}

// Read lends the n bytes at off for reading. Errors: [isthmus.ErrBounds], [isthmus.ErrBorrowed] naming the writer
// in the way, [isthmus.ErrClosed].
func (r *Region) Read(off, n int) (*Loan, error) { return r.section(off, n, Shared) }

// Write lends the n bytes at off for reading and writing. Errors: as for Read; the loan in the way may be a reader.
func (r *Region) Write(off, n int) (*Loan, error) { return r.section(off, n, Exclusive) }

// Hold keeps the whole region where it is, as for memory that is mapped for a device: the loan is in nobody's way, and
// Close says [isthmus.ErrBorrowed] until it is returned.
func (r *Region) Hold() (*Loan, error) { return r.section(0, r.Len(), held) }

func (r *Region) section(off, n int, a Access) (*Loan, error) {
	if r == nil {
		return nil, fmt.Errorf("ffi: region: %w", isthmus.ErrClosed)
	}
	b, err := r.o.Use()
	if err != nil {
		return nil, err
	}
	defer r.o.Done()
	if off < 0 || n < 0 || off > len(b) || n > len(b)-off {
		return nil, fmt.Errorf("ffi: section of %d bytes at %d of a region of %d: %w", n, off, len(b), isthmus.ErrBounds)
	}
	owner := r.o.parent()
	if !owner.addKid() {
		return nil, r.o.closed()
	}
	l, err := lend(b[off:off+n:off+n], a, owner)
	if err != nil {
		owner.dropKid()
		return nil, err
	}
	return l, nil
}

// Close ends the region; sections can no longer be taken. While sections are out it does nothing: the error is
// [isthmus.ErrBorrowed] and names them.
func (r *Region) Close() error {
	if r == nil {
		return nil
	}
	if err := r.o.Close(); err != nil {
		return fmt.Errorf("%w: %w", isthmus.ErrBorrowed, err)
	}
	return nil
}
