//go:build (linux || darwin) && (amd64 || arm64) && !isthmus_portable

package call

import (
	"sync/atomic"
	"unsafe"

	_ "github.com/ebitengine/purego" // links a cgo runtime, its own when CGO_ENABLED=0
)

// Trampoline says how calls are made on this platform.
const Trampoline = "assembly"

// cgocall is the runtime's entry for calls to C: it tells the scheduler that the thread may block, switches to the
// thread's system stack and calls fn(arg) in C's convention. The runtime keeps the symbol linkable because widely
// used packages, purego among them, rely on it.
//
//go:linkname cgocall runtime.cgocall
//go:noescape
func cgocall(fn, arg unsafe.Pointer) int32

// The addresses of the trampolines, set by the linker from the assembly files.
var call1Addr, callNAddr, chainAddr, stepsAddr, wideAddr, lookupAddr, lookupStretAddr unsafe.Pointer

func (f *Frame) invoke1() {
	// SAFETY: owner: f, held by the caller for the call; lifetime: the frame is off-heap and stays mapped; bounds:
	// the trampoline reads and writes the header only, at the offsets that the tests pin; thread: cgocall holds
	// the thread while C runs.
	cgocall(call1Addr, unsafe.Pointer(f))
}

func (f *Frame) invokeN() {
	// SAFETY: as for invoke1.
	cgocall(callNAddr, unsafe.Pointer(f))
}

func (f *Frame) invokeChain() {
	// SAFETY: as for invoke1.
	cgocall(chainAddr, unsafe.Pointer(f))
}

func (s *Step) run() {
	// SAFETY: owner: s and the steps after it, by Run's contract, for the call; bounds: the trampoline reads and writes
	// Steps at the offsets that the tests pin, and reads flags; thread: as for invoke1.
	cgocall(stepsAddr, unsafe.Pointer(s))
}

func (w *Wide) run() {
	// SAFETY: owner: w, by Run's contract, for the call; bounds: the trampoline reads and writes a Wide at the offsets that the
	// tests pin; thread: as for invoke1.
	cgocall(wideAddr, unsafe.Pointer(w))
}

// lookup is objc_msg_lookup. The assembly calls it.
var lookup uintptr

// SendBy returns functions with the contract of objc_msgSend and of objc_msgSend_stret for a runtime that has a function which
// looks methods up instead: find(receiver, selector) returns the method. It is called once.
func SendBy(find Fn) (send, sendStret Fn) {
	atomic.StoreUintptr(&lookup, uintptr(find))
	return Fn(uintptr(lookupAddr)), Fn(uintptr(lookupStretAddr))
}
