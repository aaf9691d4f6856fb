// Package before has the shape of the code before a bug was mended.
//
// Bug: no bytes: the address of the first one panics
// Source: github.com/ceph/go-ceph commit aefcefc
package before

/*
#include <stddef.h>
typedef void *rbd_image_t;
int rbd_write(rbd_image_t i, size_t n, const char *buf);
*/
import "C"

import (
	"unsafe"
)

// Image is a block device.
type Image struct{ image C.rbd_image_t }

// Write writes.
func (i *Image) Write(data []byte) int {
	return int(C.rbd_write(i.image, C.size_t(len(data)), (*C.char)(unsafe.Pointer(&data[0])))) // want empty-slice:warning
}
