//go:build unix

package rtfile

import (
	"errors"
	"os"
	"syscall"
)

const nonblock = syscall.O_NONBLOCK

// full reports whether a quota is used up.
func full(err error) bool { return errors.Is(err, syscall.EDQUOT) }

// syncDir has the names in a folder on the disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system without such a thing
		err = nil
	}
	return errors.Join(err, d.Close())
}
