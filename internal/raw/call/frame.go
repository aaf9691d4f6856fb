package call

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// FrameBytes is the size of a frame, header included.
const FrameBytes = 4096

// Frame is an off-heap block for the argument structs of one operation, with a header that the trampoline reads.
// It is neither on the Go heap (nothing may move or free it while C writes) nor on a Go stack (a callback may grow
// the stack under C). Get one with [Get], fill it with [New] and [Slice], give it back with [Frame.Put].
//
// A Frame is used by one goroutine at a time. Its memory is never unmapped, so a stale pointer into it cannot
// fault; what was written stays until the frame's next user zeroes it.
type Frame struct {
	fn   uintptr
	arg  uintptr
	ret  uintptr
	args [MaxArgs]uintptr // for Chain: the number of calls, the number made, then nothing
	rest [3 * MaxChain]uintptr
	used uintptr // bytes handed out after the header
	more mem.Addr
	exc  mem.Addr // the note of an exception that a call ended with, or 0
}

const headerBytes = 192

// overflow heads a block that was allocated because the frame was full.
type overflow struct {
	next mem.Addr
	size uintptr
	_    [6]uintptr
}

// pool is made when the program starts, since every call asks for it. It takes memory when the first frame is asked for.
var pool = newPool()

func newPool() *mem.Chunks {
	c, err := mem.NewChunks(FrameBytes)
	if err != nil {
		panic(err) // FrameBytes is a constant: our own invariant
	}
	return c
}

// Get takes an empty frame from the pool.
func Get() *Frame {
	a := pool.Get()
	if a == 0 {
		panic("call: the system has no memory left for a call frame")
	}
	// SAFETY: owner: the caller, until Put; lifetime: the pool never unmaps; bounds and alignment: a page of
	// FrameBytes holds a Frame, which has no Go pointers; thread: any, one at a time.
	f := mem.At[Frame](a)
	f.used, f.more, f.exc = 0, 0, 0
	return f
}

// Put gives the frame back. Everything made in it is invalid from here on.
//
// Preconditions: no native code keeps an address into the frame.
func (f *Frame) Put() {
	if f.more|f.exc != 0 {
		f.tidy()
	}
	pool.Put(mem.AddrOfPtr(f))
}

// Reset forgets everything that was made in the frame, for its next operation.
//
// Preconditions: as for Put.
func (f *Frame) Reset() {
	if f.more|f.exc != 0 {
		f.tidy()
	}
	f.used = 0
}

// tidy ends what few frames have.
func (f *Frame) tidy() {
	f.freeOverflow()
	for f.exc != 0 {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemException, Object: isthmus.Object{Kind: "native call"}, Err: f.Thrown()})
	}
}

func (f *Frame) freeOverflow() {
	for a := f.more; a != 0; {
		// SAFETY: owner: this frame; lifetime: it ends with FreePages; bounds: the header that takeOverflow wrote;
		// thread: the frame's user.
		o := *mem.At[overflow](a)
		mem.FreePages(a, int(o.size))
		a = o.next
	}
	f.more = 0
}

// take returns size zeroed bytes aligned to 16.
func (f *Frame) take(size int) (mem.Addr, error) {
	a, room := f.room(size)
	if !room {
		return f.takeOverflow((size + 15) &^ 15)
	}
	// SAFETY: owner: the frame; lifetime: it stays mapped; bounds: room says that size bytes from a are the frame's;
	// alignment: bytes; thread: the frame's user.
	mem.Clear(a, size)
	return a, nil
}

// room hands out size bytes of the frame itself, aligned to 16, as they are. ok is false when the frame is too full.
func (f *Frame) room(size int) (a mem.Addr, ok bool) {
	if size > FrameBytes-headerBytes-int(f.used) { // both ends are multiples of 16
		return 0, false
	}
	a = mem.AddrOfPtr(f) + headerBytes + mem.Addr(f.used)
	f.used += uintptr(size+15) &^ 15
	return a, true
}

func (f *Frame) takeOverflow(size int) (mem.Addr, error) {
	total, err := mem.Add(size, mem.SizeOf[overflow]())
	if err != nil {
		return 0, err
	}
	a, err := mem.Pages(total)
	if err != nil {
		return 0, fmt.Errorf("call: frame of %d bytes: %w", size, err)
	}
	// SAFETY: owner: this frame; lifetime: until freeOverflow; bounds: total covers the header; alignment: pages;
	// thread: the frame's user.
	*mem.At[overflow](a) = overflow{next: f.more, size: uintptr(total)}
	f.more = a
	return a + mem.Addr(mem.SizeOf[overflow]()), nil
}

// New returns a zeroed T in the frame.
//
// Preconditions: T holds no Go pointers (generated C structs never do) and needs an alignment of at most 16.
// Postconditions: the pointer is valid until Put or Reset. Errors: [isthmus.ErrLimit] when the system has no memory.
func New[T any](f *Frame) (*T, error) {
	a, err := f.take(mem.SizeOf[T]())
	if err != nil {
		return nil, err
	}
	// SAFETY: owner: the frame; lifetime: until Put or Reset, which the caller keeps to; bounds and alignment: take
	// gives T's size aligned to 16; thread: the frame's user.
	return mem.At[T](a), nil
}

// Raw returns a T in the frame whose contents are arbitrary: for structs of which the caller writes every part that
// native code may read. It saves clearing the rest.
//
// Preconditions: as for [New]. Postconditions and errors: as for [New].
func Raw[T any](f *Frame) (*T, error) {
	a, ok := f.room(mem.SizeOf[T]())
	if !ok {
		return New[T](f)
	}
	// SAFETY: as for New.
	return mem.At[T](a), nil
}

// Slice returns n zeroed elements of T in the frame, on the same conditions as [New]. n = 0 gives nil.
func Slice[T any](f *Frame, n int) ([]T, error) {
	size, err := mem.Mul(n, mem.SizeOf[T]())
	if err != nil {
		return nil, fmt.Errorf("call: %d elements: %w", n, err)
	}
	if size == 0 {
		return nil, nil
	}
	a, err := f.take(size)
	if err != nil {
		return nil, err
	}
	// SAFETY: as for New, for n elements whose total size was checked.
	return mem.Slice[T](a, n)
}

// Text copies s into the frame and returns its address; the text is followed by a NUL. The empty string has an
// address too.
func (f *Frame) Text(s string) (mem.Addr, error) {
	size, err := mem.Add(len(s), 1)
	if err != nil {
		return 0, err
	}
	b, err := Slice[byte](f, size)
	if err != nil {
		return 0, err
	}
	copy(b, s)
	return mem.AddrOf(b), nil
}

// errNilFn is a caller of ours that did not check a function table: a panic in Go and not a fault in C.
const errNilFn = "call: nil function"

// Call1 is the package's Call1 without the pool. A call that ended with an exception returns a number that is not 0, and
// [Frame.Thrown] has the exception.
func (f *Frame) Call1(fn Fn, arg mem.Addr) uintptr {
	if fn == 0 {
		panic(errNilFn)
	}
	f.fn, f.arg = uintptr(fn), uintptr(arg)
	f.invoke1()
	return f.ret
}

// Call is the package's Call without the pool. Of exceptions the same is true as for [Frame.Call1].
func (f *Frame) Call(fn Fn, args ...uintptr) uintptr {
	if fn == 0 {
		panic(errNilFn)
	}
	if len(args) > MaxArgs {
		panic("call: more arguments than a call can pass")
	}
	f.fn = uintptr(fn)
	clear(f.args[copy(f.args[:], args):])
	f.invokeN()
	return f.ret
}

// Chain calls up to [MaxChain] functions in one crossing and stops after the first that returns non-zero, and before one
// whose Need is not there. It returns how many ran and the last result. A call that ended with an exception ran, and its
// result is not 0: see [Frame.Thrown]. More calls than MaxChain are [isthmus.ErrBounds], and none is made.
//
// Preconditions: as for [Call1], for each pair.
func (f *Frame) Chain(calls ...Pair) (ran int, last uintptr, err error) {
	if len(calls) > MaxChain {
		return 0, 0, fmt.Errorf("call: chain of %d calls: %w; at most %d", len(calls), isthmus.ErrBounds, MaxChain)
	}
	for i, c := range calls {
		if c.Fn == 0 {
			panic(errNilFn)
		}
		f.rest[3*i], f.rest[3*i+1], f.rest[3*i+2] = uintptr(c.Fn), uintptr(c.Arg), uintptr(c.Need)
	}
	f.args[0], f.args[1] = uintptr(len(calls)), 0
	f.invokeChain()
	if f.exc != 0 {
		f.args[1]++ // the trampoline counts calls that return
	}
	return int(f.args[1]), f.ret, nil
}
