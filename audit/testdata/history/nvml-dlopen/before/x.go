// Package before has the shape of the code before a bug was mended.
//
// Bug: C strings made in the argument lists of dlopen and dlsym
// Source: github.com/NVIDIA/go-nvml commit 35b18d4
package before

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
	return C.dlopen(C.CString(name), 1) // want cstring-leak
}

func lookup(lib unsafe.Pointer, name string) unsafe.Pointer {
	return C.dlsym(lib, C.CString(name)) // want cstring-leak
}
