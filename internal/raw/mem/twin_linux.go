//go:build linux && !isthmus_portable

package mem

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/isthmus-ffi/isthmus"
)

// sysTwin maps the pages from a again, at the place of at or at a new one.
func sysTwin(a Addr, size int, at []byte) ([]byte, error) {
	if err := mappedShared(a, size); err != nil {
		return nil, err
	}
	flags := unix.MREMAP_MAYMOVE
	to := pointer(Addr(0))
	if at != nil {
		flags |= unix.MREMAP_FIXED
		to = pointer(AddrOf(at))
	}
	// SAFETY: owner: of the new mapping, the Twin; of the old one, whoever has it: an old size of 0 leaves it and maps
	// its pages a second time; lifetime: the new mapping is never unmapped; bounds and alignment: whole pages of one
	// shared mapping, as was just read, and, if there is one, of an ended twin of the same size, which is ours; thread: any.
	p, err := unix.MremapPtr(pointer(a), 0, to, uintptr(size), flags)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", isthmus.ErrUnsupported, err)
	}
	return Slice[byte](uintptr(p), size)
}

// mappedShared reports whether the pages lie in one mapping that is shared.
func mappedShared(a Addr, size int) error {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("%w: %w", isthmus.ErrUnsupported, err)
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		from, rest, _ := strings.Cut(s.Text(), "-")
		to, rest, _ := strings.Cut(rest, " ")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 != nil || err2 != nil || uint64(a) < start || uint64(a) >= end {
			continue
		}
		if uint64(a)+uint64(size) > end || !strings.HasPrefix(rest, "rw") || len(rest) < 4 || rest[3] != 's' {
			return fmt.Errorf("the memory is not one shared mapping: %w", isthmus.ErrUnsupported)
		}
		return nil
	}
	return fmt.Errorf("the memory is not mapped: %w", isthmus.ErrUnsupported)
}

// sysProtect changes who may touch pages of ours.
func sysProtect(b []byte, on bool) error {
	prot := unix.PROT_READ | unix.PROT_WRITE
	if on {
		prot = unix.PROT_NONE
	}
	return unix.Mprotect(b, prot)
}

// sysPart replaces pages of ours by new ones, in their place.
func sysPart(b []byte, guard bool) error {
	prot := unix.PROT_READ | unix.PROT_WRITE
	if guard {
		prot = unix.PROT_NONE
	}
	// SAFETY: owner: the Twin, which ends once; lifetime: the pages stay mapped for good; bounds and alignment: exactly
	// the twin's mapping; thread: any: the kernel replaces the mapping in one step.
	_, err := unix.MmapPtr(-1, 0, pointer(AddrOf(b)), uintptr(len(b)), prot, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED|unix.MAP_NORESERVE)
	return err
}
