package textcut

/*
#include <stdlib.h>
static int put(const char *key) { return key[0]; }
static int put_n(const char *key, int n) { return key[0] + n; }
static char *get(const char *key, size_t *n) { *n = 1; return (char *)key; }
static char *name(void) { return "x"; }
*/
import "C"

import (
	"bytes"
	"errors"
	"unsafe"
)

func store(key []byte) int {
	c := C.CString(string(key)) // want text-cut:warning
	defer C.free(unsafe.Pointer(c))
	return int(C.put(c))
}

func load(key *C.char) []byte {
	var n C.size_t
	return []byte(C.GoString(C.get(key, &n))) // want text-cut:warning
}

func storeN(key []byte) int {
	c := C.CString(string(key))
	defer C.free(unsafe.Pointer(c))
	return int(C.put_n(c, C.int(len(key)&0xffff)))
}

func storeText(key []byte) (int, error) {
	if bytes.IndexByte(key, 0) >= 0 {
		return 0, errors.New("NUL")
	}
	c := C.CString(string(key))
	defer C.free(unsafe.Pointer(c))
	return int(C.put(c)), nil
}

func loadN(key *C.char) []byte {
	var n C.size_t
	p := C.get(key, &n)
	if n > 1<<20 {
		return nil
	}
	return C.GoBytes(unsafe.Pointer(p), C.int(n))
}

func text() []byte { return []byte(C.GoString(C.name())) }
