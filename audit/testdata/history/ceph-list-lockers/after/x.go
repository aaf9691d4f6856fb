// Package after has the shape of the code after a bug was mended.
//
// Bug: nobody holds the lock: the length from C is 0, and the address of the first byte panics
// Source: github.com/ceph/go-ceph commit b68bd88
package after

/*
#include <stddef.h>
typedef void *rbd_image_t;
long rbd_list_lockers(rbd_image_t i, char *tag, size_t *n);
*/
import "C"

import (
	"unsafe"
)

func lockers(i C.rbd_image_t) []byte {
	var n C.size_t
	C.rbd_list_lockers(i, nil, &n)
	if n == 0 {
		return nil
	}
	tag := make([]byte, n)
	C.rbd_list_lockers(i, (*C.char)(unsafe.Pointer(&tag[0])), &n)
	return tag
}
