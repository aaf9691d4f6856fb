package mem

import "golang.org/x/sys/unix"

// sysHuge asks for large pages. A system that has none goes on without.
func sysHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
