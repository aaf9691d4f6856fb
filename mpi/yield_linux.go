package mpi

import "golang.org/x/sys/unix"

// osYield gives the processor to another thread or process, which may be the rank that is waited for.
func osYield() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) } //isthmus:ignore confine the call has no arguments, so no address crosses
