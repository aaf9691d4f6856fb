package rtfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// prefaultStep is how much is mapped at once.
const prefaultStep = 64 << 20

// prefault maps the bytes and has their pages brought in: all of them are in memory when it returns, if the system can say
// so, and on their way otherwise. A file that shrinks meanwhile is no fault, for nothing here reads the pages.
func (f *file) prefault(offset, n int64) (bool, error) {
	info, err := f.os.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	end := info.Size()
	if n >= 0 && n < end-offset {
		end = offset + n
	}
	page := int64(os.Getpagesize())
	for at := offset &^ (page - 1); at < end; at += prefaultStep {
		b, err := unix.Mmap(int(f.os.Fd()), at, int(min(end-at, prefaultStep)), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			// A file that cannot be mapped, or was opened for writing only, may still be read ahead.
			return unix.Fadvise(int(f.os.Fd()), at, end-at, unix.FADV_WILLNEED) == nil, nil
		}
		err = unix.Madvise(b, unix.MADV_POPULATE_READ)
		if errors.Is(err, unix.EINVAL) { // before Linux 5.14
			err = unix.Madvise(b, unix.MADV_WILLNEED)
		}
		if e := unix.Munmap(b); e != nil {
			return false, e
		}
		if err != nil && !errors.Is(err, unix.EFAULT) && !errors.Is(err, unix.EHWPOISON) {
			return false, err
		}
		if err != nil {
			return false, nil
		}
	}
	return true, nil
}
