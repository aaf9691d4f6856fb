//go:build unix

package rtheap

import (
	"crypto/rand"
	"encoding/binary"
	"unsafe"

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
func forget(p unsafe.Pointer, n uintptr) {
	_ = unix.Madvise(unsafe.Slice((*byte)(p), n), unix.MADV_DONTNEED) // a system that keeps it is as correct
}

// addressSpace is how much of it the process may have.
func addressSpace() uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &l) != nil {
		return 1 << 62
	}
	return uint64(l.Cur)
}

// newSeed is random, so that nobody can choose keys that collide.
func newSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.LittleEndian.Uint64(b[:])
}
