//go:build linux || darwin

package rtheap

import (
	"golang.org/x/sys/unix"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// reserve returns n bytes of zeroed address space that take memory only where they are written. It asks for no fixed
// address: sanitizers have theirs.
func reserve(n uint64) ([]byte, error) {
	// SAFETY: owner: the heap, for ever; bounds and alignment: whole pages of n bytes; thread: any.
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	return mem.Slice[byte](uintptr(p), n)
}

// forget gives the memory of a free block back to the system; it reads as zeros, or as before, and stays mapped.
func forget(b []byte) { _ = unix.Madvise(b, unix.MADV_DONTNEED) } // a system that keeps it is as correct

// addressSpace is how much of it the process may have.
func addressSpace() uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &l) != nil {
		return 1 << 62
	}
	return uint64(l.Cur)
}
