package freegomemory

// #include <stdio.h>
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

// The address of the variable in place of what is in it, by a function that another one returns.
func name(s string, at **C.char) func() {
	*at = C.CString(s)
	return func() { C.free(unsafe.Pointer(at)) }
}

func named(s string) {
	var c *C.char
	defer name(s, &c)() // want free-go-memory
	C.puts(c)
}

func kept(s string, at **C.char) func() {
	*at = C.CString(s)
	return func() { C.free(unsafe.Pointer(*at)) }
}

func freed(s string) {
	var c *C.char
	defer kept(s, &c)()
	C.puts(c)
}
