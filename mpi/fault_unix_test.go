//go:build unix

package mpi_test

import "syscall"

// killSelf ends this process as the kernel does it to one that takes too much memory.
func killSelf() {
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}
