package freebeforeset

/*
#include <stdlib.h>
#include <stdio.h>
typedef struct ctx { int n; } ctx;
static void ctx_destroy(ctx *c) { free(c); }
*/
import "C"

import "unsafe"

// It occurred in 3 of 20 bindings that were read, twice as the repair of a leak.
func early(s string) {
	var c *C.char
	defer C.free(unsafe.Pointer(c)) // want free-before-set
	if s != "" {
		c = C.CString(s) // want cstring-leak
	}
	C.puts(c)
}

func closure(s string) {
	var c *C.char
	defer func() { C.free(unsafe.Pointer(c)) }()
	if s != "" {
		c = C.CString(s)
	}
	C.puts(c)
}

type owner struct{ ctx *C.ctx }

func (o *owner) Close() {
	o.ctx = nil
	C.ctx_destroy(o.ctx) // want free-before-set
}

func (o *owner) Shut() {
	c := o.ctx
	o.ctx = nil
	C.ctx_destroy(c)
}

func literal() { C.free(nil) }
