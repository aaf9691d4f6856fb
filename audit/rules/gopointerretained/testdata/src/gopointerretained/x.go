package gopointerretained

/*
#include <stddef.h>
static const char *name;
static struct { void *data; size_t n; } pending;
static void set_name(const char *p) { name = p; }
static void submit(void *data, size_t n) { pending.data = data; pending.n = n; }
static size_t sum(const unsigned char *data, size_t n) { size_t s = 0; while (n--) s += data[n]; return s; }
*/
import "C"

import (
	"runtime"
	"unsafe"
)

func async(n int) {
	b := make([]byte, n+1)
	C.submit(unsafe.Pointer(&b[0]), C.size_t(len(b))) // want go-pointer-retained:warning
}

func pinned(n int, pin *runtime.Pinner) {
	b := make([]byte, n+1)
	pin.Pin(&b[0])
	C.submit(unsafe.Pointer(&b[0]), C.size_t(len(b)))
}

func borrowed(n int) int {
	b := make([]byte, n+1)
	return int(C.sum((*C.uchar)(unsafe.Pointer(&b[0])), C.size_t(len(b))))
}

func cmemory(s string) { C.set_name(C.CString(s)) }
