package handlepointer

/*
#include <stdint.h>
static void visit(void *p) {}
static void number(uintptr_t h) {}
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

func bad(v any) {
	h := cgo.NewHandle(v)
	defer h.Delete()
	C.visit(unsafe.Pointer(uintptr(h))) // want handle-pointer
}

func deleted(v any) any {
	h := cgo.NewHandle(v)
	h.Delete()
	return h.Value() // want handle-pointer
}

func good(v any) {
	h := cgo.NewHandle(v)
	defer h.Delete()
	C.number(C.uintptr_t(h))
	_ = h.Value()
}
