// Package after has the shape of the code after a bug was mended.
//
// Bug: C strings made in the argument lists of dlopen and dlsym
// Source: github.com/NVIDIA/go-nvml commit 35b18d4
package after

/*
#include <stdlib.h>
void *dlopen(const char *name, int mode);
void *dlsym(void *lib, const char *name);
*/
import "C"

import (
	"unsafe"
)

func open(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.dlopen(c, 1)
}

func lookup(lib unsafe.Pointer, name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.dlsym(lib, c)
}
