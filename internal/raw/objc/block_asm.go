//go:build (linux || darwin) && (amd64 || arm64) && !isthmus_portable

package objc

import (
	"sync/atomic"
	"unsafe"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// blockTarget is the C function of all signals. The assembly jumps to it.
var blockTarget uintptr

// blockInvokeAddr is the assembly function, set by the linker.
var blockInvokeAddr unsafe.Pointer

func blockInvoke() uintptr {
	// SAFETY: owner: the program's code, for ever; bounds, alignment and thread: only the address is used.
	return uintptr(blockInvokeAddr)
}

func setBlockTarget(fn call.Fn) { atomic.StoreUintptr(&blockTarget, uintptr(fn)) }
