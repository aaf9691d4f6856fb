package mpi

import "syscall"

// freeBytes is how many bytes can be written to the file system that has the file.
func freeBytes(name string) (int64, bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(name, &s) != nil || s.Bavail > 1<<40 {
		return 0, false
	}
	return int64(s.Bavail) * s.Bsize, true
}
