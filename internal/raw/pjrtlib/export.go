//go:build cgo

package pjrtlib

// #cgo noescape isthmus_pjrt_stub
// #cgo nocallback isthmus_pjrt_stub
// #include <stdint.h>
// #include <stdlib.h>
// uintptr_t isthmus_pjrt_stub(uintptr_t slot);
// void isthmus_pjrt_watch_exit(void);
import "C"

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Plugin is what the library serves.
type Plugin interface {
	// APIOf builds the function table. stub gives the C function of each slot.
	APIOf(stub func(pjrtc.Slot) (pjrtc.Func, error)) (pjrtc.Ptr[pjrtc.Api], error)
	// Dispatch serves one call of a stub. It must not panic, and must not end its goroutine.
	Dispatch(slot pjrtc.Slot, a mem.Addr) uintptr
}

// plugin is the library's one plugin: C functions of a table do not say whose table it is. It is set while the library
// is loaded, before C can call.
var plugin Plugin

// Serve sets what GetPjrtApi gives. The main package of the library calls it once, while its variables are initialised,
// since the main function of a shared library never runs.
func Serve(p Plugin) bool {
	plugin = p
	return true
}

// Getenv is an environment variable as it is now. A Go library sees only those of the process's start, before a program
// such as Python set its own.
func Getenv(name string) string {
	c := C.CString(name)
	// SAFETY: owner: this call, of the C copy; getenv's result is C's, and copied at once; thread: as for every getenv, no
	// other thread may set variables meanwhile.
	defer C.free(unsafe.Pointer(c))
	return C.GoString(C.getenv(c))
}

// atExit runs when the process exits in order.
var atExit func()

// AtExit sets what runs when the process exits in order. It is called once, while the table is built.
func AtExit(f func()) {
	atExit = f
	C.isthmus_pjrt_watch_exit()
}

//export isthmus_pjrt_exit
func isthmus_pjrt_exit() { atExit() }

//export isthmus_pjrt_api
func isthmus_pjrt_api() uintptr {
	api, err := plugin.APIOf(func(s pjrtc.Slot) (pjrtc.Func, error) { return pjrtc.Func(C.isthmus_pjrt_stub(C.uintptr_t(s))), nil })
	if err != nil {
		// GetPjrtApi has no other way to say why it gives null.
		fmt.Fprintln(os.Stderr, "isthmus:", err)
		return 0
	}
	return uintptr(api)
}

//export isthmus_pjrt_dispatch
func isthmus_pjrt_dispatch(slot, args uintptr) uintptr {
	return plugin.Dispatch(pjrtc.Slot(slot), mem.Addr(args))
}
