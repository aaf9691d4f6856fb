package sliceheader

import (
	"reflect"
	"unsafe"
)

func literal(p *byte, n int) []byte {
	h := reflect.SliceHeader{Data: uintptr(unsafe.Pointer(p)), Len: n, Cap: n} // want slice-header
	return *(*[]byte)(unsafe.Pointer(&h))
}

func variable(p *byte, n int) string {
	var h reflect.StringHeader // want slice-header
	h.Data = uintptr(unsafe.Pointer(p))
	h.Len = n
	return *(*string)(unsafe.Pointer(&h))
}

func good(p *byte, n int) ([]byte, string) { return unsafe.Slice(p, n), unsafe.String(p, n) }

func read(b []byte) uintptr { return (*reflect.SliceHeader)(unsafe.Pointer(&b)).Data }
