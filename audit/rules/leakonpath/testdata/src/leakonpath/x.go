package leakonpath

/*
#include <stdlib.h>
#include <stdio.h>
#include <stdint.h>

static uint8_t *encode(int n, size_t *size) {
	*size = n > 0 ? n : 0;
	return n > 0 ? malloc(n) : NULL;
}
static uint8_t *counted(int n, unsigned *failed) {
	*failed = n < 0;
	return malloc(1);
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

var errBad = errors.New("bad")

func early(s string, n int) error {
	c := C.CString(s) // want leak-on-path
	if n < 0 {
		return errBad
	}
	C.puts(c)
	C.free(unsafe.Pointer(c))
	return nil
}

func next(names []string) {
	for _, n := range names {
		c := C.CString(n) // want leak-on-path
		if C.puts(c) < 0 {
			continue
		}
		C.free(unsafe.Pointer(c))
	}
}

func lateDefer(s, t string) error {
	a := C.CString(s) // want leak-on-path
	if t == "" {
		return errBad
	}
	defer C.free(unsafe.Pointer(a))
	C.puts(a)
	return nil
}

func both(s string, n int) error {
	c := C.CString(s)
	if n < 0 {
		C.free(unsafe.Pointer(c))
		return errBad
	}
	C.puts(c)
	C.free(unsafe.Pointer(c))
	return nil
}

func null(n int) error {
	p := C.calloc(C.size_t(n), 1)
	if p == nil {
		return errBad
	}
	C.free(p)
	return nil
}

func variable(s string) {
	var c *C.char
	defer func() { C.free(unsafe.Pointer(c)) }()
	c = C.CString(s)
	C.puts(c)
}

func optional(s string) {
	var c *C.char
	if s != "" {
		c = C.CString(s)
		defer C.free(unsafe.Pointer(c))
	}
	C.puts(c)
}

func give(s string, fail bool) (*C.char, error) {
	c := C.CString(s)
	if fail {
		C.free(unsafe.Pointer(c))
		return nil, errBad
	}
	return c, nil
}

func dies(s string) {
	c := C.CString(s)
	if C.puts(c) < 0 {
		panic("puts")
	}
	C.free(unsafe.Pointer(c))
}

func sized(n int) ([]byte, error) {
	var size C.size_t
	p := C.encode(C.int(n), &size)
	if p == nil || size == 0 { // there is nothing then
		return nil, errBad
	}
	defer C.free(unsafe.Pointer(p))
	return C.GoBytes(unsafe.Pointer(p), C.int(size)), nil
}

func tooLarge(n int) ([]byte, error) {
	var size C.size_t
	p := C.encode(C.int(n), &size) // want leak-on-path:warning
	if p == nil || size != 1 {
		return nil, errBad
	}
	defer C.free(unsafe.Pointer(p))
	return C.GoBytes(unsafe.Pointer(p), C.int(size)), nil
}

func unlike(n int) ([]byte, error) {
	var failed C.uint
	p := C.counted(C.int(n), &failed) // want leak-on-path:warning
	if failed != 0 {
		return nil, errBad
	}
	defer C.free(unsafe.Pointer(p))
	return C.GoBytes(unsafe.Pointer(p), 1), nil
}
