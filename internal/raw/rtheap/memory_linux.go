package rtheap

import "golang.org/x/sys/unix"

// machineMemory is how much memory the machine has.
func machineMemory() uint64 {
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) != nil {
		return defaultData
	}
	return uint64(i.Totalram) * uint64(i.Unit) //nolint:unconvert // narrower on some machines
}

// largePages asks for large pages where that is written. A system without them is as correct.
func largePages(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
