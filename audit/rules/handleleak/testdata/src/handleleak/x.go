package handleleak

/*
#include <stdint.h>
static void visit(uintptr_t h) {}
static void register_visitor(uintptr_t h) {}
*/
import "C"

import "runtime/cgo"

type visitor struct{ n int }

func bad(v *visitor) {
	h := cgo.NewHandle(v) // want handle-leak
	C.visit(C.uintptr_t(h))
}

func good(v *visitor) {
	h := cgo.NewHandle(v)
	defer h.Delete()
	C.visit(C.uintptr_t(h))
}

func registered(v *visitor) { C.register_visitor(C.uintptr_t(cgo.NewHandle(v))) }

func given(v *visitor) cgo.Handle { return cgo.NewHandle(v) }
