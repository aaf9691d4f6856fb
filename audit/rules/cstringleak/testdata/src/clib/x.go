// Package clib wraps C for examples that call it from packages of their own: what these see is what is known of its functions.
package clib

/*
#include <stdlib.h>
#include <string.h>

static const char *name;
static struct { void *data; size_t n; } pending;
static void submit(void *data, size_t n) { pending.data = data; pending.n = n; }
static size_t sum(const unsigned char *data, size_t n) { size_t s = 0; while (n--) s += data[n]; return s; }

int MPI_Barrier(int comm);
int MPI_Barrier(int comm) { return comm; }
void glFlush(void);
void glFlush(void) {}
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// Text makes a C string.
func Text(s string) *C.char { return C.CString(s) }

// Memory makes n bytes of C memory, if it can.
func Memory(n int) (unsafe.Pointer, error) {
	p := C.calloc(C.size_t(n), 1)
	if p == nil {
		return nil, errors.New("no memory")
	}
	return p, nil
}

// FreeText frees what Text gave.
func FreeText(p *C.char) { C.free(unsafe.Pointer(p)) }

// Free frees what Memory gave.
func Free(p unsafe.Pointer) {
	if p == nil {
		return
	}
	C.free(p)
}

// FreeIf frees p on a condition.
func FreeIf(p unsafe.Pointer, really bool) {
	if really {
		C.free(p)
	}
}

// Len is the length of a C string.
func Len(p *C.char) int { return int(C.strlen(p)) }

// First is what p points to.
func First(p unsafe.Pointer) byte { return *(*byte)(p) }

// Same is p.
func Same(p unsafe.Pointer) unsafe.Pointer { return p }

var kept []unsafe.Pointer

// Keep keeps p.
func Keep(p unsafe.Pointer) { kept = append(kept, p) }

// Submit gives C the memory of b, which it keeps.
func Submit(b []byte) { C.submit(unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b))) }

// SubmitPinned does too, and pins it until done.
func SubmitPinned(b []byte, pin *runtime.Pinner) {
	pin.Pin(unsafe.SliceData(b))
	C.submit(unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)))
}

// Sum adds bytes up.
func Sum(b []byte) int {
	return int(C.sum((*C.uchar)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

// Barrier waits, and gives MPI's code.
func Barrier(comm int) int { return int(C.MPI_Barrier(C.int(comm))) }

// BarrierError waits.
func BarrierError(comm int) error {
	if rc := C.MPI_Barrier(C.int(comm)); rc != 0 {
		return errors.New("barrier")
	}
	return nil
}

// Flush wants to be called on one thread.
func Flush() { C.glFlush() }
