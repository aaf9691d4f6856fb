// Package call calls C functions without cgo's generated code: a trampoline of our own, run by the runtime's cgo
// call, that reads one off-heap frame. It needs no C compiler, works with CGO_ENABLED=0 and 1, and allocates
// nothing. Platforms without a trampoline, and builds with the tag isthmus_portable, use purego.SyscallN.
//
// Only integer and pointer arguments are passed; floating-point arguments and struct values are not supported. A nil
// function, or more arguments than fit, is a broken invariant of this module's and panics before C is entered.
package call

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Fn is the address of a C function. 0 is none.
type Fn uintptr

// Pair is one call of a chain: a function that takes one pointer and returns one. Need is 0, or the address of a word,
// as Arg is one: when it holds 0 as the call's turn comes, the chain ends before it, else it is put into the third word of
// what Arg points to. So a call can be about the object that the one before it made.
type Pair struct {
	Fn   Fn
	Arg  mem.Addr
	Need mem.Addr
}

const (
	// MaxArgs is how many arguments [Frame.Call] takes.
	MaxArgs = 6
	// MaxChain is how many calls [Frame.Chain] makes.
	MaxChain = 4
)

// Call1 calls fn(arg) and returns its result: the shape of every PJRT slot.
//
// Preconditions: fn is a C function of one pointer-sized argument and result; arg is 0 or off-heap or pinned memory
// that is valid for the call and whatever the callee keeps it for. The calling goroutine keeps its thread while C
// runs, not longer.
//
// A call that ended with an exception returns 0, and the exception is reported: use [Frame.Call1] to get it.
func Call1(fn Fn, arg mem.Addr) uintptr {
	f := Get()
	r := f.Call1(fn, arg)
	if f.exc != 0 {
		r = 0
	}
	f.Put()
	return r
}

// Call calls fn with up to [MaxArgs] integer or pointer arguments. Missing ones are 0. Of exceptions the same is true as
// for [Call1].
//
// Preconditions: as for [Call1], for each argument.
func Call(fn Fn, args ...uintptr) uintptr {
	f := Get()
	r := f.Call(fn, args...)
	if f.exc != 0 {
		r = 0
	}
	f.Put()
	return r
}
