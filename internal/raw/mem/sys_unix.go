//go:build unix

package mem

import "golang.org/x/sys/unix"

// sysAlloc returns zeroed pages outside the Go heap.
func sysAlloc(size int) ([]byte, error) {
	// SAFETY: owner: the Block that the pages are for; lifetime: until sysFree; bounds and alignment: the kernel
	// returns whole pages of at least size bytes; thread: any.
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	return Slice[byte](uintptr(p), size)
}

// sysFree unmaps what sysAlloc returned.
func sysFree(b []byte) error {
	// SAFETY: owner: the Block, which frees once; lifetime: ends here; bounds: exactly the mapping; thread: any.
	return unix.MunmapPtr(pointer(AddrOf(b)), uintptr(len(b)))
}
