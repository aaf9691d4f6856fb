//go:build cgo

// Package cgoside is cgo's side of the comparison: one call of a C function by its address.
package cgoside

// static void *call1(void *fn, void *arg) { return ((void *(*)(void *))fn)(arg); }
import "C"

import "unsafe"

// Call1 calls fn(arg).
func Call1(fn, arg uintptr) uintptr {
	return uintptr(C.call1(*(*unsafe.Pointer)(unsafe.Pointer(&fn)), *(*unsafe.Pointer)(unsafe.Pointer(&arg))))
}
