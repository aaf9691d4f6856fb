package stringwrite

// #include <string.h>
import "C"

import "unsafe"

func store(s string) {
	unsafe.Slice(unsafe.StringData(s), len(s))[0] = 'x' // want string-write
}

func call(s string) {
	C.memset(unsafe.Pointer(unsafe.StringData(s)), 0, C.size_t(len(s))) // want string-write
}

func good(s string, b []byte) byte {
	copy(b, unsafe.Slice(unsafe.StringData(s), len(s)))
	return unsafe.Slice(unsafe.StringData(s), len(s))[0]
}
