package objc

import (
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// block is a block literal: a global one, so that copying and releasing it does nothing. It only says that it was called, which the
// number does. Its memory is never unmapped and only ever a block's, and all are the same but for the number, so the runtime may look
// at one after its call, and after its place was given to another.
type block struct {
	isa           uintptr
	flags, _      int32
	invoke, about uintptr
	token         uintptr
}

// about is what a block's size and signature are.
type about struct {
	_, size, signature uintptr
}

const (
	blockIsGlobal     = 1 << 28
	blockHasSignature = 1 << 30
)

// blocks is the memory of all blocks.
var blocks struct {
	once  sync.Once
	err   error
	pool  *mem.Chunks
	about mem.Addr
}

// Completion is a block that is called once, by whatever thread.
type Completion struct {
	signal cb.Signal
	at     mem.Addr
}

// Arm makes a block that has done run when it is called, on the goroutine of all signals: done must not block. The block's first
// argument is left alone.
func (r *Runtime) Arm(done func()) (*Completion, error) {
	blocks.once.Do(func() { blocks.err = prepareBlocks() })
	if blocks.err != nil {
		return nil, blocks.err
	}
	at := blocks.pool.Get()
	if at == 0 {
		return nil, fmt.Errorf("objc: block: the system has no memory left: %w", isthmus.ErrLimit)
	}
	s, err := cb.Arm(func(mem.Addr) {
		done()
		blocks.pool.Put(at)
	})
	if err != nil {
		blocks.pool.Put(at)
		return nil, err
	}
	setBlockTarget(s.Fn)
	// SAFETY: owner: this completion, until the signal comes or is taken back; lifetime: the pool never unmaps; bounds and alignment: a
	// piece of 64 bytes holds a block, which has no Go pointers; thread: this one, until native code gets it.
	*mem.At[block](at) = block{
		isa: r.globalBlock, flags: blockIsGlobal | blockHasSignature, invoke: blockInvoke(), about: uintptr(blocks.about), token: s.Arg,
	}
	return &Completion{s, at}, nil
}

// Arg is the block.
func (c *Completion) Arg() Arg { return Arg{kind: '?', w: [3]uintptr{uintptr(c.at)}} }

// Disarm takes the block back and reports whether done will never run.
//
// Preconditions: native code was not given the block, or the object that has it will not call it.
func (c *Completion) Disarm() bool {
	if !c.signal.Disarm() {
		return false
	}
	blocks.pool.Put(c.at)
	return true
}

func prepareBlocks() error {
	var err error
	if blocks.pool, err = mem.NewChunks(64); err != nil {
		return err
	}
	const signature = "v16@?0@8\x00"
	page, err := mem.Pages(call.FrameBytes)
	if err != nil {
		return err
	}
	size := mem.SizeOf[about]()
	// SAFETY: owner: the process, for ever; bounds: the page; alignment: it begins with the struct; thread: this one, under the Once.
	text, err := mem.Slice[byte](page+mem.Addr(size), len(signature))
	if err != nil {
		return err
	}
	copy(text, signature)
	// SAFETY: as above.
	*mem.At[about](page) = about{size: uintptr(mem.SizeOf[block]()), signature: uintptr(page) + uintptr(size)}
	blocks.about = page
	return nil
}
