// Package before has the shape of the code before a bug was mended.
//
// Bug: a free was added for text that the library frees
// Source: github.com/mattn/go-sqlite3 commit 8d69329, which takes back pull request 1259
package before

/*
#include <stdlib.h>
typedef struct sqlite3_context sqlite3_context;
void sqlite3_result_text(sqlite3_context *c, const char *s, int n, void (*destroy)(void *));

static void result_text(sqlite3_context *c, char *s) {
	sqlite3_result_text(c, s, -1, &free);
}
*/
import "C"

import (
	"unsafe"
)

func text(ctx *C.sqlite3_context, s string) {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c)) // want double-free
	C.result_text(ctx, c)
}
