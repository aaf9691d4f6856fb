package missingnul

// #include <stdio.h>
// #include <stdlib.h>
import "C"

import "unsafe"

func bytes(s string) {
	b := []byte(s)
	C.puts((*C.char)(unsafe.Pointer(&b[0]))) // want missing-nul
}

func data(s string) {
	C.puts((*C.char)(unsafe.Pointer(unsafe.StringData(s)))) // want missing-nul
}

func good(s string) {
	b := []byte(s + "\x00")
	C.puts((*C.char)(unsafe.Pointer(&b[0])))
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	C.puts(c)
	b = append([]byte(s), 0)
	C.puts((*C.char)(unsafe.Pointer(&b[0])))
}
