package ffi

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Arena is memory for the short-lived arguments of native calls: many small values, freed together. Its memory is
// the garbage collector's, pinned from the first value to Close: a value that somebody kept past Reset or Close is
// memory still, though perhaps another's. While the arena is held ([Arena.Hold]) because native code uses it,
// neither Reset nor Close is possible. Use [NewArena] and then [Make] and [MakeSlice]. It is safe for concurrent
// use, and must not be copied.
type Arena struct {
	_  noCopy
	st *arena
}

// arena is the part of an Arena that the census and the backstop refer to.
type arena struct {
	mu     sync.Mutex
	chunk  int
	chunks [][]byte
	now    int // the chunk in use
	off    int // the bytes used in it
	held   int
	closed bool
	pin    mem.Pin
	entry  isthmus.Entry
}

const (
	arenaChunk = 16 << 10
	arenaAlign = 64
)

// NewArena returns an empty arena that grows by chunk bytes, 0 for 16 KiB.
func NewArena(chunk int) (*Arena, error) {
	if chunk == 0 {
		chunk = arenaChunk
	}
	if chunk < arenaAlign || chunk > mem.MaxBytes {
		return nil, fmt.Errorf("ffi: arena chunks of %d bytes: %w", chunk, isthmus.ErrBounds)
	}
	st := &arena{chunk: chunk}
	st.entry.Enter("ffi.Arena")
	a := &Arena{st: st}
	runtime.AddCleanup(a, (*arena).forgotten, st)
	return a, nil
}

// forgotten runs when an Arena was collected. One that native code still holds stays as it is.
func (a *arena) forgotten() {
	a.mu.Lock()
	closed := a.closed
	a.mu.Unlock()
	if closed {
		return
	}
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLeak, Object: a.entry.Object()})
	_ = a.close() // the error is that it is held, and then it stays in the census
}

// state returns the inner part of an arena, of a closed one for a nil or zero Arena.
func (a *Arena) state() *arena {
	if a == nil || a.st == nil {
		return &arena{closed: true}
	}
	return a.st
}

// Make returns a zeroed T in the arena. A T that holds Go pointers is [isthmus.ErrInvalid].
func Make[T any](a *Arena) (*T, error) {
	s, err := MakeSlice[T](a, 1)
	if err != nil {
		return nil, err
	}
	return &s[0], nil
}

// MakeSlice returns n zeroed elements of T in the arena, nil for n = 0. Errors: as for Make, [isthmus.ErrBounds] for
// a size that is negative or too large, [isthmus.ErrClosed].
func MakeSlice[T any](a *Arena, n int) ([]T, error) {
	size := mem.SizeOf[T]()
	if !mem.Plain[T]() || size == 0 {
		var z T
		return nil, fmt.Errorf("ffi: arena value of type %T: %w; use types of known size without pointers", z, isthmus.ErrInvalid)
	}
	total, err := mem.Mul(n, size)
	if err != nil {
		return nil, fmt.Errorf("ffi: arena: %w", err)
	}
	b, err := a.state().take(total, min(size&-size, arenaAlign))
	runtime.KeepAlive(a)
	if err != nil || total == 0 {
		return nil, err
	}
	return mem.View[T](b)
}

// take returns size zeroed bytes aligned to align, a power of two.
func (a *arena) take(size, align int) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, fmt.Errorf("ffi: arena: %w", isthmus.ErrClosed)
	}
	if size > mem.MaxBytes-arenaAlign {
		return nil, fmt.Errorf("ffi: arena: %d bytes: %w", size, isthmus.ErrBounds)
	}
	align = max(align, 8)
	for a.now < len(a.chunks) {
		c := a.chunks[a.now]
		if off := (a.off + align - 1) &^ (align - 1); off <= len(c) && size <= len(c)-off {
			a.off = off + size
			b := c[off : off+size : off+size]
			clear(b)
			return b, nil
		}
		a.now++
		a.off = 0
	}
	c, err := aligned(max(a.chunk, size), arenaAlign)
	if err != nil {
		return nil, err
	}
	mem.PinSlice(&a.pin, c)
	a.chunks = append(a.chunks, c)
	a.off = size
	return c[:size:size], nil
}

// Hold says that native code uses the arena until release is called, which may be done once or more.
func (a *Arena) Hold() (release func(), err error) {
	st := a.state()
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return nil, fmt.Errorf("ffi: arena: %w", isthmus.ErrClosed)
	}
	st.held++
	return sync.OnceFunc(func() {
		st.mu.Lock()
		st.held--
		st.mu.Unlock()
	}), nil
}

// Reset takes everything back that was made in the arena and keeps the memory for what comes next. While the arena
// is held the error is [isthmus.ErrBorrowed].
func (a *Arena) Reset() error {
	st := a.state()
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.closed:
		return fmt.Errorf("ffi: arena: %w", isthmus.ErrClosed)
	case st.held > 0:
		return st.borrowed("reset")
	}
	st.now, st.off = 0, 0
	return nil
}

func (a *arena) borrowed(op string) error {
	return fmt.Errorf("%s: %s: held by %d native uses: %w", a.entry.Object(), op, a.held, isthmus.ErrBorrowed)
}

// Close gives the memory back to the garbage collector. It is nil-safe and idempotent. While the arena is held the
// error is [isthmus.ErrBorrowed].
func (a *Arena) Close() error {
	err := a.state().close()
	runtime.KeepAlive(a)
	return err
}

func (a *arena) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	if a.held > 0 {
		return a.borrowed("close")
	}
	a.closed, a.chunks = true, nil
	a.pin.Unpin()
	a.entry.Leave()
	return nil
}

// Bytes returns how much memory the arena has.
func (a *Arena) Bytes() int {
	st := a.state()
	st.mu.Lock()
	defer st.mu.Unlock()
	n := 0
	for _, c := range st.chunks {
		n += len(c)
	}
	return n
}

// ArenaPool keeps a few empty arenas for use again. The zero value is ready. It is safe for concurrent use.
type ArenaPool struct {
	_    noCopy
	mu   sync.Mutex
	free []*Arena
	done bool
}

// maxFree bounds what a pool keeps, in arenas and in bytes of each.
const (
	maxFree      = 32
	maxFreeBytes = 1 << 20
)

// Get returns an empty arena, a kept one if there is one. A nil pool has none: [isthmus.ErrClosed].
func (p *ArenaPool) Get() (*Arena, error) {
	if p == nil {
		return nil, fmt.Errorf("ffi: arena pool: %w", isthmus.ErrClosed)
	}
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		a := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return a, nil
	}
	p.mu.Unlock()
	return NewArena(0)
}

// Put takes an arena back when its user is done: everything in it is taken back. While it is held the error is
// [isthmus.ErrBorrowed] and the caller keeps it. One that was put back already is [isthmus.ErrClosed].
func (p *ArenaPool) Put(a *Arena) error {
	if err := a.Reset(); err != nil {
		return err
	}
	if p == nil {
		return a.Close()
	}
	p.mu.Lock()
	if slices.Contains(p.free, a) { // or two callers would get it
		p.mu.Unlock()
		return fmt.Errorf("ffi: arena pool: put an arena that was put back already: %w", isthmus.ErrClosed)
	}
	if !p.done && len(p.free) < maxFree && a.Bytes() <= maxFreeBytes {
		p.free = append(p.free, a)
		a = nil
	}
	p.mu.Unlock()
	return a.Close()
}

// Close closes the kept arenas. Those in use are closed by their Put. It is nil-safe and idempotent.
func (p *ArenaPool) Close() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	free := p.free
	p.free, p.done = nil, true
	p.mu.Unlock()
	for _, a := range free {
		if err := a.Close(); err != nil {
			return err
		}
	}
	return nil
}
