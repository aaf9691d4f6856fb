package mem

import (
	"runtime"
	"unsafe"
)

// Pin is Go memory whose address native code may hold. The zero value pins nothing.
//
// The garbage collector ends the process when a Pin that still pins is collected, so whoever pins keeps the Pin
// reachable until Unpin: ffi keeps it in its table of loans.
type Pin struct{ p runtime.Pinner }

// PinSlice pins s's elements and returns the address of the first, 0 for an empty slice. Memory that is not Go's is
// left as it is.
//
// Preconditions: the elements hold no Go pointers.
func PinSlice[T any](p *Pin, s []T) Addr {
	if len(s) == 0 {
		return 0
	}
	p.p.Pin(&s[0])
	return AddrOf(s)
}

// Borrow returns the address of s's first element, 0 for an empty slice, for native code that uses it during one call.
// It pins nothing, which costs 60 ns less: like an argument of a system call in package syscall, the memory is on the
// heap, where objects stay in their place, or outside of it, and [runtime.KeepAlive] of s after the call keeps it.
//
// Preconditions: the elements hold no Go pointers; the caller keeps s alive until native code has returned.
func Borrow[T any](s []T) Addr {
	if len(s) == 0 {
		return 0
	}
	if never {
		// What could be stored here cannot be on a stack, which a callback into Go may move.
		// SAFETY: nothing is accessed.
		borrowed = unsafe.Pointer(unsafe.SliceData(s))
		_ = borrowed
	}
	return AddrOf(s)
}

// never is false. The compiler does not know.
var (
	never    bool
	borrowed unsafe.Pointer
)

// Unpin ends every pin of p.
func (p *Pin) Unpin() { p.p.Unpin() }
