package emptyslice

// #include <stddef.h>
// static size_t sum(const unsigned char *p, size_t n) { return n; }
import "C"

import (
	"errors"
	"unsafe"
)

func Bad(b []byte) int {
	return int(C.sum((*C.uchar)(unsafe.Pointer(&b[0])), C.size_t(len(b)))) // want empty-slice:warning
}

func Made(n int) int {
	b := make([]byte, n)
	return int(C.sum((*C.uchar)(&b[0]), C.size_t(n))) // want empty-slice:warning
}

func Checked(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(C.sum((*C.uchar)(unsafe.Pointer(&b[0])), C.size_t(len(b))))
}

func Data(b []byte) int {
	return int(C.sum((*C.uchar)(unsafe.SliceData(b)), C.size_t(len(b))))
}

func fixed() int {
	b := make([]byte, 16)
	return int(C.sum((*C.uchar)(&b[0]), 16))
}

func validate(b []byte) error {
	if len(b) == 0 {
		return errors.New("empty")
	}
	return nil
}

func Validated(b []byte) (int, error) {
	if err := validate(b); err != nil {
		return 0, err
	}
	return int(C.sum((*C.uchar)(unsafe.Pointer(&b[0])), C.size_t(len(b)))), nil
}

type list []byte

func (l list) Sum() int { return int(C.sum((*C.uchar)(&l[0]), 1)) }

func inner(b []byte) int { return int(C.sum((*C.uchar)(&b[0]), 1)) }

func Replaced(b []byte) int {
	n := len(b)
	if n == 0 {
		b = []byte{0}
	}
	return int(C.sum((*C.uchar)(&b[0]), C.size_t(n)))
}
