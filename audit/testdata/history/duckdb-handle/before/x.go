// Package before has the shape of the code before a bug was mended.
//
// Bug: C keeps the address of a variable that holds a cgo.Handle
// Source: github.com/marcboeker/go-duckdb pull request 523, commit 100f18b
package before

/*
typedef void *db;
void add_replacement_scan(db d, void *data);
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

type box struct {
	pinner runtime.Pinner
	f      func()
}

//export drop
func drop(p unsafe.Pointer) {
	h := *(*cgo.Handle)(p)
	if b, ok := h.Value().(*box); ok {
		b.pinner.Unpin()
	}
	h.Delete()
}

func register(d C.db, f func()) {
	h := cgo.NewHandle(f)
	C.add_replacement_scan(d, unsafe.Pointer(&h)) // want handle-pointer:warning
}
