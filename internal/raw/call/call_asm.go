//go:build (linux || darwin) && (amd64 || arm64) && !isthmus_portable

package call

import (
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
var call1Addr, callNAddr, chainAddr, stepsAddr unsafe.Pointer

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
