//go:build isthmus_bridge_host && cgo && linux && (amd64 || arm64)

package bridgelib

// #cgo CFLAGS: -DBRIDGE_HOST_INSIDE
// #include <stdlib.h>
// int br_host_main(int argc, char **argv);
import "C"

import "unsafe"

// HostMain runs a test of host.c in this process.
//
// SAFETY: owner: C's own copies of the arguments, which are never freed; lifetime: the process; bounds: argc; alignment:
// malloc's; thread: the caller's, and those that C starts.
func HostMain(args []string) int {
	argv := (**C.char)(C.calloc(C.size_t(len(args)+1), C.size_t(unsafe.Sizeof(uintptr(0)))))
	for i, a := range args {
		unsafe.Slice(argv, len(args))[i] = C.CString(a)
	}
	return int(C.br_host_main(C.int(len(args)), argv))
}
