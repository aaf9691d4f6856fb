// Package after has the shape of the code after a bug was mended.
//
// Bug: no bytes: the address of the first one panics
// Source: github.com/ceph/go-ceph commit aefcefc
package after

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
	if len(data) == 0 {
		return 0
	}
	return int(C.rbd_write(i.image, C.size_t(len(data)), (*C.char)(unsafe.Pointer(&data[0]))))
}
