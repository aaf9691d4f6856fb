package uintptrkept

import (
	"reflect"
	"runtime"
	"syscall"
	"unsafe"
)

type request struct {
	data uintptr
	n    int
}

var last request

func stored(n int) {
	b := make([]byte, n)
	last.data = uintptr(unsafe.Pointer(unsafe.SliceData(b))) // want uintptr-kept
}

func separate(fd int, n int) {
	b := make([]byte, n)
	p := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	syscall.Getpid()
	syscall.Syscall(syscall.SYS_READ, uintptr(fd), p, uintptr(n)) // want uintptr-kept
}

func back(n int) byte {
	b := make([]byte, n)
	p := uintptr(unsafe.Pointer(unsafe.SliceData(b))) // want uintptr-kept
	syscall.Getpid()
	return *(*byte)(unsafe.Pointer(p))
}

func inline(fd int, n int) {
	b := make([]byte, n)
	syscall.Syscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(n))
}

func kept(fd int, n int) {
	b := make([]byte, n)
	p := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	syscall.Getpid()
	syscall.Syscall(syscall.SYS_READ, uintptr(fd), p, uintptr(n))
	runtime.KeepAlive(b)
}

func offset(b *[4]int32) int32 {
	return *(*int32)(unsafe.Pointer(uintptr(unsafe.Pointer(b)) + 8))
}

func pinned(n int, p *runtime.Pinner) {
	b := make([]byte, n)
	p.Pin(unsafe.SliceData(b))
	last.data = uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

// first goes the way that package unsafe describes: the data of a real slice is a pointer to the collector.
func first(v [4]byte) byte {
	var b []byte
	h := (*reflect.SliceHeader)(unsafe.Pointer(&b))
	h.Cap, h.Len = 4, 4
	h.Data = uintptr(unsafe.Pointer(&v))
	return b[0]
}
