// Package after has the shape of the code after a bug was mended.
//
// Bug: addresses in numbers, which do not follow a stack that moves
// Source: github.com/DataDog/zstd commit 36b22b9
package after

/*
#include <stddef.h>
#include <stdint.h>
size_t compress(uintptr_t dst, size_t n, uintptr_t src, size_t m);
size_t compress_ptr(void *dst, size_t n, const void *src, size_t m);
*/
import "C"

import (
	"unsafe"
)

func compress(dst, src []byte) int {
	n := C.compress_ptr(
		unsafe.Pointer(&dst[0]),
		C.size_t(len(dst)),
		unsafe.Pointer(&src[0]),
		C.size_t(len(src)))
	return int(n)
}
