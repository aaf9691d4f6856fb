package lennarrowing

/*
#include <stddef.h>
static int sum(const unsigned char *p, int n) { return n; }
static int parts(const unsigned char *p, unsigned n) { return n; }
static size_t total(const unsigned char *p, size_t n) { return n; }
*/
import "C"

import (
	"errors"
	"math"
	"unsafe"
)

func bad(b []byte) int {
	return int(C.sum((*C.uchar)(unsafe.SliceData(b)), C.int(len(b)))) // want len-narrowing:warning
}

func checked(b []byte) (int, error) {
	if len(b) > math.MaxInt32 {
		return 0, errors.New("too long")
	}
	return int(C.sum((*C.uchar)(unsafe.SliceData(b)), C.int(len(b)))), nil
}

func wide(b []byte) int {
	return int(C.total((*C.uchar)(unsafe.SliceData(b)), C.size_t(len(b))))
}

func array() int {
	var b [16]byte
	return int(C.sum((*C.uchar)(&b[0]), C.int(len(b))))
}

func list(p []*int, b []byte) int {
	return int(C.sum((*C.uchar)(unsafe.SliceData(b)), C.int(len(p))))
}

// Only 4 GiB of text are too long.
func unsigned(b []byte) int {
	return int(C.parts((*C.uchar)(unsafe.SliceData(b)), C.uint(len(b)))) // want len-narrowing:note
}
