package mem

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
)

const (
	chunkShards = 32 // a power of two
	slabBytes   = 1 << 16
)

// Chunks is a pool of off-heap memory pieces of one size. Its memory is never given back to the system, so a stale
// address into it reads old data and never faults. The zero value is not usable; call [NewChunks]. It is safe for
// concurrent use.
type Chunks struct {
	size   int
	shards [chunkShards]chunkShard
	mu     sync.Mutex
	free   []Addr
	made   int
}

type chunkShard struct {
	addr atomic.Uintptr
	_    [56]byte // a cache line each
}

// NewChunks returns a pool of pieces of size bytes, a power of two from 64 to 64 KiB, aligned to their size up to
// a page.
func NewChunks(size int) (*Chunks, error) {
	if size < 64 || size > slabBytes || size&(size-1) != 0 {
		return nil, fmt.Errorf("mem: pool of %d-byte pieces: %w; use a power of two from 64 to %d", size, isthmus.ErrInvalid, slabBytes)
	}
	return &Chunks{size: size}, nil
}

// Get returns a piece with arbitrary contents, 0 when the system has no memory left.
func (c *Chunks) Get() Addr {
	if a := c.shard().addr.Swap(0); a != 0 {
		return Addr(a)
	}
	return c.slow()
}

// Put gives a piece back.
//
// Preconditions: a came from Get of this pool, was not put back since, and nothing uses it.
func (c *Chunks) Put(a Addr) {
	if c.shard().addr.CompareAndSwap(0, uintptr(a)) {
		return
	}
	c.mu.Lock()
	c.free = append(c.free, a)
	c.mu.Unlock()
}

// Made returns how many pieces the pool has ever carved: the high-water mark of simultaneous use.
func (c *Chunks) Made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

func (c *Chunks) shard() *chunkShard { return &c.shards[Spot()%chunkShards] }

// Spot is a number that goroutines mostly differ in and that stays mostly the same for one: it comes from the place of
// the calling goroutine's stack. It spreads goroutines over the parts of what they share.
func Spot() uintptr {
	var here byte
	// SAFETY: owner: this frame; lifetime: the address is used as a number, nothing is read through it; bounds and
	// alignment: not accessed; thread: any.
	h := uintptr(unsafe.Pointer(&here)) >> 11
	return h ^ h>>5
}

func (c *Chunks) slow() Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) == 0 && !c.carve() {
		// The system has none left: one of the other shards may.
		for i := range c.shards {
			if a := c.shards[i].addr.Swap(0); a != 0 {
				return Addr(a)
			}
		}
		return 0
	}
	a := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	return a
}

func (c *Chunks) carve() bool {
	slab, err := sysAlloc(slabBytes)
	if err != nil {
		return false
	}
	for off := slabBytes - c.size; off >= 0; off -= c.size {
		c.free = append(c.free, AddrOf(slab[off:]))
		c.made++
	}
	return true
}
