package mem

import (
	"fmt"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// Block is off-heap memory with one owner, zeroed when it is made. Use [Alloc] to make one.
type Block struct {
	data  []byte // what was asked for
	whole []byte // what the system gave
	freed atomic.Bool
}

// Alloc returns size bytes of zeroed memory outside the Go heap at an address that is a multiple of align, a power
// of two up to [MaxAlign] (0 is 64). Memory comes from the system in pages: it is meant for buffers, not for many
// small values; see [Chunks] for those. A size of 0 gives a block without memory.
func Alloc(size, align int) (*Block, error) {
	if align == 0 {
		align = 64
	}
	if align < 0 || align&(align-1) != 0 || align > MaxAlign {
		return nil, fmt.Errorf("mem: alignment %d: %w; use a power of two up to %d", align, isthmus.ErrInvalid, MaxAlign)
	}
	if size < 0 {
		return nil, fmt.Errorf("mem: allocate %d bytes: %w", size, isthmus.ErrBounds)
	}
	if size == 0 {
		return &Block{}, nil
	}
	total := size
	if align > pageSize {
		var err error
		if total, err = Add(size, align); err != nil {
			return nil, err
		}
	}
	whole, err := sysAlloc(total)
	if err != nil {
		return nil, fmt.Errorf("mem: allocate %d bytes: %w: %w", size, isthmus.ErrLimit, err)
	}
	skip := int(-uintptr(AddrOf(whole)) & uintptr(align-1))
	return &Block{data: whole[skip : skip+size : skip+size], whole: whole}, nil
}

// MaxAlign is the largest alignment that [Alloc] takes.
const MaxAlign = 1 << 21

// pageSize is the alignment that the system's memory has at least.
const pageSize = 4096

// Bytes returns the memory, nil once it is freed.
//
// Preconditions: the result is not used after Free; ffi.Memory enforces that.
func (b *Block) Bytes() []byte {
	if b == nil || b.freed.Load() {
		return nil
	}
	return b.data
}

// Huge asks the system for large pages, where it has them: memory that is copied between processes is then faster.
func (b *Block) Huge() {
	if b != nil && len(b.data) >= MaxAlign {
		sysHuge(b.data)
	}
}

// Len returns the size asked for.
func (b *Block) Len() int {
	if b == nil {
		return 0
	}
	return len(b.data)
}

// Free gives the memory back, exactly once: a second call is [isthmus.ErrClosed].
//
// Preconditions: nothing uses the memory any more.
func (b *Block) Free() error {
	if b == nil || b.freed.Swap(true) {
		return fmt.Errorf("mem: free: %w", isthmus.ErrClosed)
	}
	if b.whole == nil {
		return nil
	}
	return sysFree(b.whole)
}

// Pages returns at least size bytes of zeroed page-aligned memory outside the Go heap.
func Pages(size int) (Addr, error) {
	b, err := sysAlloc(size)
	if err != nil {
		return 0, fmt.Errorf("mem: allocate %d bytes: %w: %w", size, isthmus.ErrLimit, err)
	}
	return AddrOf(b), nil
}

// FreePages gives back what [Pages] returned.
//
// Preconditions: a and size are those of Pages, once, and nothing uses the memory.
func FreePages(a Addr, size int) {
	// SAFETY: owner: the caller, once; lifetime: it ends here; bounds: the same size as it was made with; thread:
	// any. The system cannot fail on a range that it gave out.
	b, err := Slice[byte](a, size)
	if err == nil {
		err = sysFree(b)
	}
	if err != nil {
		panic(err) // our own invariant: the range is not one of ours
	}
}

// MaxBytes is the largest allocation that is asked of the system or the Go heap: what an address space can hold.
const MaxBytes = 1 << (min(bitsPerAddr, 48) - 1)

const bitsPerAddr = 32 << (^uintptr(0) >> 63)
