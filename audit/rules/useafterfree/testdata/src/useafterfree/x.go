package useafterfree

/*
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
*/
import "C"

import "unsafe"

func after(s string) int {
	c := C.CString(s)
	C.free(unsafe.Pointer(c))
	return int(C.strlen(c)) // want use-after-free
}

func text(s string) string {
	c := C.CString(s)
	C.free(unsafe.Pointer(c))
	return C.GoString(c) // want use-after-free
}

func view(n int) []byte {
	p := C.calloc(C.size_t(n), 1)
	defer C.free(p)
	return unsafe.Slice((*byte)(p), n) // want use-after-free
}

func copied(n int) []byte {
	p := C.calloc(C.size_t(n), 1)
	defer C.free(p)
	return append([]byte(nil), unsafe.Slice((*byte)(p), n)...)
}

func before(s string) string {
	c := C.CString(s)
	out := C.GoString(c)
	C.free(unsafe.Pointer(c))
	return out
}

func loop(names []string) {
	for _, n := range names {
		c := C.CString(n)
		C.puts(c)
		C.free(unsafe.Pointer(c))
	}
}

func test(s string) bool {
	c := C.CString(s)
	C.free(unsafe.Pointer(c))
	return c == nil
}
