package sliceheader

// #include <stdlib.h>
// typedef struct { int x; } point;
import "C"

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

// What the collector need not see, because it is C's.
func native(p *C.point, n int) []C.point {
	h := &reflect.SliceHeader{Data: uintptr(unsafe.Pointer(p)), Len: n, Cap: n} // want slice-header:note
	return *(*[]C.point)(unsafe.Pointer(h))
}

// What C gave has no type of C's where it gave a void *.
func heap(n int) []byte {
	p := C.calloc(C.size_t(n), 1)
	h := reflect.SliceHeader{Data: uintptr(p), Len: n, Cap: n} // want slice-header:note
	return *(*[]byte)(unsafe.Pointer(&h))
}

// But what is C's on one way only is Go's on the other.
func either(b []byte, n int) []byte {
	p := C.calloc(C.size_t(n), 1)
	if len(b) > 0 {
		C.free(p)
		p = unsafe.Pointer(&b[0])
	}
	h := reflect.SliceHeader{Data: uintptr(p), Len: n, Cap: n} // want slice-header
	return *(*[]byte)(unsafe.Pointer(&h))
}

// Only its size is asked for.
func next(lists [][]float32) *reflect.SliceHeader {
	return (*reflect.SliceHeader)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(lists)), unsafe.Sizeof(reflect.SliceHeader{})))
}
