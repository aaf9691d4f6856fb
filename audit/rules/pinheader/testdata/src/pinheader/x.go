package pinheader

import (
	"runtime"
	"unsafe"
)

func slice(b []byte) {
	var p runtime.Pinner
	defer p.Unpin()
	p.Pin(&b) // want pin-header
}

func text(s string) {
	var p runtime.Pinner
	defer p.Unpin()
	p.Pin(&s) // want pin-header
}

func good(b []byte, s string, x *int) {
	var p runtime.Pinner
	defer p.Unpin()
	p.Pin(&b[0])
	p.Pin(unsafe.SliceData(b))
	p.Pin(unsafe.StringData(s))
	p.Pin(x)
}
