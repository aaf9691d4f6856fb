package bytealignment

import (
	"errors"
	"unsafe"
)

func floats(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(b)/4) // want byte-alignment:warning
}

func checked(b []byte) ([]float32, error) {
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%4 != 0 {
		return nil, errors.New("not aligned")
	}
	return unsafe.Slice((*float32)(p), len(b)/4), nil
}

func bytes(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}
