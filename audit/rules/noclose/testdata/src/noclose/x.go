package noclose

// #include <stdlib.h>
// #include <string.h>
import "C"

import (
	"runtime"
	"unsafe"
)

// Name cannot be given back.
type Name struct{ c *C.char }

// NewName makes one.
func NewName(s string) *Name {
	n := &Name{}
	n.c = C.CString(s) // want no-close:warning
	return n
}

// Len looks at it.
func (n *Name) Len() int {
	k := int(C.strlen(n.c))
	runtime.KeepAlive(n)
	return k
}

// Block is closed.
type Block struct{ p unsafe.Pointer }

// NewBlock makes one.
func NewBlock() *Block { return &Block{C.malloc(16)} }

// Close frees it.
func (b *Block) Close() {
	if b.p != nil {
		C.free(b.p)
		b.p = nil
	}
}

// Page is freed by the collector.
type Page struct{ p unsafe.Pointer }

// NewPage makes one.
func NewPage() *Page {
	p := &Page{C.malloc(4096)}
	runtime.SetFinalizer(p, func(p *Page) { C.free(p.p) })
	return p
}
