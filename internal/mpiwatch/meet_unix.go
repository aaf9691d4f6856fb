//go:build unix

package mpiwatch

import (
	"fmt"
	"os"
	"syscall"

	"github.com/isthmus-ffi/isthmus"
)

// mine reports an error unless the folder is this user's, and nobody else can write to it.
func mine(dir string) error {
	s, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := s.Sys().(*syscall.Stat_t)
	if !ok || !s.IsDir() || int(st.Uid) != os.Getuid() || s.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a folder of this user alone: %w", dir, isthmus.ErrInvalid)
	}
	return nil
}

// flock takes a lock that the kernel gives back when the process ends.
func flock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
