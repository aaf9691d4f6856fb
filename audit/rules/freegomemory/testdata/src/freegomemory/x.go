package freegomemory

// #include <stdlib.h>
import "C"

import "unsafe"

type point struct{ x, y int32 }

func object() {
	p := &point{1, 2}
	C.free(unsafe.Pointer(p)) // want free-go-memory
}

func slice(n int) {
	b := make([]byte, n+1)
	C.free(unsafe.Pointer(&b[0])) // want free-go-memory
}

var table [4]*C.char

func good(i int, s string) {
	C.free(unsafe.Pointer(table[i&3]))
	b := []*C.char{C.CString(s)}
	C.free(unsafe.Pointer(b[0]))
}
