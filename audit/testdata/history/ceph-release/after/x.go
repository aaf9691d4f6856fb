// Package after has the shape of the code after a bug was mended.
//
// Bug: a mount is released each time that Release is called
// Source: github.com/ceph/go-ceph commit 2ad8361
package after

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
	if m.mount == nil {
		return nil
	}
	ret := C.ceph_release(m.mount)
	if err := getError(ret); err != nil {
		return err
	}
	m.mount = nil
	return nil
}
