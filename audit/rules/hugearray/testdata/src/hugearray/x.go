package hugearray

import "unsafe"

func bad(p unsafe.Pointer, n int) []byte {
	return (*[1 << 28]byte)(p)[:n] // want huge-array:warning
}

func good(p unsafe.Pointer, n int) ([]byte, []byte) {
	return (*[1 << 28]byte)(p)[:n:n], unsafe.Slice((*byte)(p), n)
}

func copied(p unsafe.Pointer, b []byte) { copy((*[1 << 28]byte)(p)[:len(b)], b) }
