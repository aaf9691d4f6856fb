package device

import (
	"fmt"
	"math/bits"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// MemoryError says that a device has no room for what was asked of it.
type MemoryError struct {
	What  string // what asked, such as "result 0, tensor<8xf32>"
	Need  int64  // bytes asked for
	InUse int64  // bytes in use at that moment
	Limit int64  // bytes that the device may use; 0 where the system itself had no more
	Err   error  // the system's error, if it was the one to refuse
}

// Error names what asked, how much, and how much is in use.
func (e *MemoryError) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Limit == 0 {
		return fmt.Sprintf("device: %s: the system gave no %d bytes beside the %d in use: %v", e.What, e.Need, e.InUse, e.Err)
	}
	return fmt.Sprintf("device: %s: needs %d bytes beside the %d in use: over the memory limit of %d bytes; close buffers or raise the limit", e.What, e.Need, e.InUse, e.Limit)
}

// Unwrap gives [isthmus.ErrLimit] and the system's error.
func (e *MemoryError) Unwrap() []error {
	if e == nil || e.Err == nil {
		return []error{isthmus.ErrLimit}
	}
	return []error{isthmus.ErrLimit, e.Err}
}

// MemoryStats are figures about a device's memory.
type MemoryStats struct {
	InUse       int64 // bytes
	Peak        int64 // the most bytes that were in use at a time
	Cached      int64 // bytes that are free and kept for reuse
	Allocations int64 // how many blocks were ever given out
	Largest     int64 // bytes of the largest of them
	Limit       int64 // 0 is none
}

const (
	smallest = 64      // bytes of the smallest block, and the alignment of each
	pooled   = 1 << 16 // up to here blocks come from pools that are never given back
	maxCache = 1 << 30 // bytes that are kept for reuse, at most
)

// store is the memory of a device: blocks outside the Go heap, aligned to 64 bytes, with a limit. Blocks that were
// given back are kept for the next of their size, because fresh pages cost more than most programs' arithmetic.
type store struct {
	small [bits.UintSize]*mem.Chunks // by the logarithm of the size

	mu     sync.Mutex
	limit  int64
	stats  MemoryStats
	free   map[int64][]*mem.Block // by size
	order  []*mem.Block           // the same, oldest first
	closed bool
}

// block is a piece of memory with one owner.
type block struct {
	data  []byte // what was asked for
	size  int64  // what is accounted
	whole *mem.Block
	chunk mem.Addr
	store *store
	// gone, for memory that is not the device's own, tells its owner that the device is done with it.
	gone func()
}

func newStore(limit int64) (*store, error) {
	s := &store{limit: limit, free: map[int64][]*mem.Block{}}
	s.stats.Limit = limit
	for size := smallest; size <= pooled; size *= 2 {
		c, err := mem.NewChunks(size)
		if err != nil {
			return nil, err
		}
		s.small[bits.Len(uint(size))] = c
	}
	return s, nil
}

// rounded is the size of the block that serves n bytes: powers of two while small, then steps of an eighth.
func rounded(n int64) int64 {
	n = max(n, smallest)
	p := int64(1) << bits.Len64(uint64(n-1))
	if p <= pooled {
		return p
	}
	step := max(p/16, 4096)
	return (n + step - 1) / step * step
}

// take gives out a block of n bytes with arbitrary content.
func (s *store) take(n int64, what string) (*block, error) {
	if n < 0 || n > mem.MaxBytes {
		return nil, fmt.Errorf("device: %s: %d bytes: %w", what, n, isthmus.ErrBounds)
	}
	size := rounded(n)
	s.mu.Lock()
	if s.limit > 0 && s.stats.InUse+size > s.limit {
		err := &MemoryError{What: what, Need: size, InUse: s.stats.InUse, Limit: s.limit}
		s.mu.Unlock()
		return nil, err
	}
	s.count(size)
	whole := s.reuse(size)
	evicted := s.evict()
	s.mu.Unlock()
	unmap(evicted)
	b := &block{size: size, whole: whole, store: s}
	if size <= pooled {
		if b.chunk = s.small[bits.Len64(uint64(size))].Get(); b.chunk != 0 {
			data, err := mem.Slice[byte](b.chunk, size)
			if err != nil {
				return nil, err // our own invariant: a pool gives addresses
			}
			b.data = data[:n:max(n, 1)]
			return b, nil
		}
	}
	if b.whole == nil {
		var err error
		if b.whole, err = mem.Alloc(int(size), smallest); err != nil {
			s.mu.Lock()
			s.stats.InUse -= size
			inUse := s.stats.InUse
			s.mu.Unlock()
			return nil, &MemoryError{What: what, Need: size, InUse: inUse, Err: err}
		}
	}
	b.data = b.whole.Bytes()[:n:max(n, 1)]
	return b, nil
}

// count books a block. The caller holds mu.
func (s *store) count(size int64) {
	s.stats.InUse += size
	s.stats.Peak = max(s.stats.Peak, s.stats.InUse)
	s.stats.Largest = max(s.stats.Largest, size)
	s.stats.Allocations++
}

// reuse finds a kept block. The caller holds mu.
func (s *store) reuse(size int64) *mem.Block {
	list := s.free[size]
	if len(list) == 0 {
		return nil
	}
	b := list[len(list)-1]
	s.free[size] = list[:len(list)-1]
	s.forget(b)
	return b
}

// forget takes b off the list of ages. The caller holds mu.
func (s *store) forget(b *mem.Block) {
	for i := len(s.order) - 1; i >= 0; i-- {
		if s.order[i] == b {
			s.order = append(s.order[:i], s.order[i+1:]...)
			break
		}
	}
	s.stats.Cached -= int64(b.Len())
}

// evict picks the oldest kept blocks while too much is kept, or more than the limit leaves room for. The caller holds
// mu and unmaps them after.
func (s *store) evict() []*mem.Block {
	var out []*mem.Block
	for len(s.order) > 0 && (s.closed || s.stats.Cached > maxCache || s.limit > 0 && s.stats.InUse+s.stats.Cached > s.limit) {
		b := s.order[0]
		size := int64(b.Len())
		list := s.free[size]
		for i, c := range list {
			if c == b {
				s.free[size] = append(list[:i], list[i+1:]...)
				break
			}
		}
		s.forget(b)
		out = append(out, b)
	}
	return out
}

func unmap(blocks []*mem.Block) {
	for _, b := range blocks {
		if err := b.Free(); err != nil {
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: isthmus.Object{Kind: "device.Block"}, Err: err})
		}
	}
}

// adopt makes a block of memory that is not the device's. gone is called when the device is done with it.
func adopt(data []byte, gone func()) *block { return &block{data: data, gone: gone} }

// release gives the block back. Nothing may use its memory any more.
func (b *block) release() {
	if b == nil {
		return
	}
	b.data = nil
	if b.gone != nil {
		b.gone()
	}
	s := b.store
	if s == nil {
		return
	}
	if b.chunk != 0 {
		s.small[bits.Len64(uint64(b.size))].Put(b.chunk)
	}
	s.mu.Lock()
	s.stats.InUse -= b.size
	if b.whole != nil {
		size := int64(b.whole.Len())
		s.free[size] = append(s.free[size], b.whole)
		s.order = append(s.order, b.whole)
		s.stats.Cached += size
	}
	evicted := s.evict()
	s.mu.Unlock()
	unmap(evicted)
}

// close frees what is kept and keeps nothing from now on. Blocks that are in use live until they are released.
func (s *store) close() {
	s.mu.Lock()
	s.closed = true
	evicted := s.evict()
	s.mu.Unlock()
	unmap(evicted)
}

// room is how many bytes the limit leaves, 0 for no limit.
func (s *store) room() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit <= 0 {
		return 0
	}
	return max(s.limit-s.stats.InUse, 1)
}

func (s *store) snapshot() MemoryStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *store) resetPeak() {
	s.mu.Lock()
	s.stats.Peak, s.stats.Largest, s.stats.Allocations = s.stats.InUse, 0, 0
	s.mu.Unlock()
}
