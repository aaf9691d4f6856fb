// Package before has the shape of the code before a bug was mended.
//
// Bug: addresses in numbers, which do not follow a stack that moves
// Source: github.com/DataDog/zstd commit 36b22b9
package before

/*
#include <stddef.h>
#include <stdint.h>
size_t compress(uintptr_t dst, size_t n, uintptr_t src, size_t m);
size_t compress_ptr(void *dst, size_t n, const void *src, size_t m);
*/
import "C"

import (
	"runtime"
	"unsafe"
)

func compress(dst, src []byte) int {
	n := C.compress(
		C.uintptr_t(uintptr(unsafe.Pointer(&dst[0]))), // want uintptr-kept
		C.size_t(len(dst)),
		C.uintptr_t(uintptr(unsafe.Pointer(&src[0]))), // want uintptr-kept
		C.size_t(len(src)))
	runtime.KeepAlive(src)
	return int(n)
}
