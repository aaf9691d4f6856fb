package mem

import "golang.org/x/sys/windows"

// sysAlloc returns zeroed pages outside the Go heap.
func sysAlloc(size int) ([]byte, error) {
	a, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	// SAFETY: owner: the Block that the pages are for; lifetime: until sysFree; bounds and alignment: the system
	// returns whole pages of at least size bytes; thread: any.
	return Slice[byte](a, size)
}

// sysFree releases what sysAlloc returned.
func sysFree(b []byte) error {
	// SAFETY: owner: the Block, which frees once; lifetime: ends here; bounds: the whole region; thread: any.
	return windows.VirtualFree(uintptr(AddrOf(b)), 0, windows.MEM_RELEASE)
}
