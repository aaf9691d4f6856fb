// Package before has the shape of the code before a bug was mended.
//
// Bug: a mount is released each time that Release is called
// Source: github.com/ceph/go-ceph commit 2ad8361
package before

/*
struct ceph_mount_info;
int ceph_release(struct ceph_mount_info *m);
*/
import "C"

import (
	"errors"
)

// Mount is a file system.
type Mount struct{ mount *C.struct_ceph_mount_info }

func getError(n C.int) error {
	if n == 0 {
		return nil
	}
	return errors.New("ceph")
}

func (m *Mount) Release() error {
	ret := C.ceph_release(m.mount) // want close-twice:warning
	return getError(ret)
}
