package lasterrorthread

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

func bad(name string) (unsafe.Pointer, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	h := C.dlopen(c, C.RTLD_NOW)
	if h == nil {
		return nil, errors.New(C.GoString(C.dlerror())) // want last-error-thread:warning
	}
	return h, nil
}

func good(name string) (unsafe.Pointer, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	h := C.dlopen(c, C.RTLD_NOW)
	if h == nil {
		return nil, errors.New(C.GoString(C.dlerror()))
	}
	return h, nil
}
