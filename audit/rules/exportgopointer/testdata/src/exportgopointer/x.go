package exportgopointer

// #include <stdlib.h>
// typedef struct { int x; } point;
import "C"

import (
	"runtime"
	"unsafe"
)

//export bad
func bad() *C.point {
	return &C.point{x: 1} // want export-go-pointer
}

//export text
func text() string { return "x" } // want export-go-pointer

//export buffer
func buffer(n C.int) unsafe.Pointer {
	b := make([]byte, int(n)+1)
	return unsafe.Pointer(&b[0]) // want export-go-pointer
}

//export good
func good() *C.point { return (*C.point)(C.calloc(1, C.sizeof_point)) }

//export cstring
func cstring() *C.char { return C.CString("x") }

func inner() *C.point { return &C.point{x: 1} }

//export pinned
func pinned(n C.int) unsafe.Pointer {
	p := &C.point{x: n}
	pins := new(runtime.Pinner)
	pins.Pin(p)
	all = append(all, pins)
	return unsafe.Pointer(p)
}

var all []*runtime.Pinner
