// Package after has the shape of the code after a bug was mended.
//
// Bug: C gets the address of the slice in place of that of its elements
// Source: github.com/libvirt/libvirt-go-module commit a5b5ddd
package after

/*
typedef struct { char field[80]; unsigned long long value; } virNodeMemoryStats;
int virNodeGetMemoryStats(void *c, int cell, virNodeMemoryStats *params, int *n);
*/
import "C"

import (
	"unsafe"
)

func stats(c unsafe.Pointer, n C.int) int {
	if n <= 0 {
		return 0
	}
	params := make([]C.virNodeMemoryStats, n)
	return int(C.virNodeGetMemoryStats(c, -1, (*C.virNodeMemoryStats)(unsafe.Pointer(&params[0])), &n))
}
