// Package before has the shape of the code before a bug was mended.
//
// Bug: the field is set to nil before it is destroyed
// Source: github.com/gomlx/gopjrt commit 23695c9
package before

/*
void XlaBuilderDestroy(void *b);
*/
import "C"

import (
	"unsafe"
)

// Builder makes computations.
type Builder struct {
	ptr    unsafe.Pointer
	parent *Builder
	cached []*Builder
}

// Destroy frees it.
func (b *Builder) Destroy() {
	if b.ptr == nil {
		return
	}
	b.ptr = nil
	b.parent = nil
	for _, c := range b.cached {
		c.Destroy()
	}
	b.cached = nil
	C.XlaBuilderDestroy(b.ptr) // want free-before-set
}
