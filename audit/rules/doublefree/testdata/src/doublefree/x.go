package doublefree

/*
#include <stdlib.h>
#include <stdio.h>
*/
import "C"

import "unsafe"

func both(s string) {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	C.puts(c)
	C.free(unsafe.Pointer(c)) // want double-free
}

func branch(s string, n int) {
	c := C.CString(s)
	if n > 0 {
		C.free(unsafe.Pointer(c)) // want double-free
	}
	C.free(unsafe.Pointer(c))
}

type text struct{ c *C.char }

func (t *text) twice() {
	C.free(unsafe.Pointer(t.c)) // want double-free
	C.free(unsafe.Pointer(t.c))
}

func (t *text) anew(s string) {
	C.free(unsafe.Pointer(t.c))
	t.c = C.CString(s)
	C.free(unsafe.Pointer(t.c))
}

func once(s string, n int) {
	c := C.CString(s)
	if n > 0 {
		C.free(unsafe.Pointer(c))
		return
	}
	C.free(unsafe.Pointer(c))
}

func each(all []*C.char) {
	for _, c := range all {
		C.free(unsafe.Pointer(c))
	}
}

func indexed(all []*C.char) {
	for i := range all {
		C.free(unsafe.Pointer(all[i]))
	}
	C.free(unsafe.Pointer(all[0]))
}

func pair(s string) {
	a, b := C.CString(s), C.CString(s)
	defer C.free(unsafe.Pointer(a))
	defer C.free(unsafe.Pointer(b))
	C.puts(a)
	C.puts(b)
}
