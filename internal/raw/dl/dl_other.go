//go:build !(linux || darwin || freebsd || netbsd || windows)

package dl

import (
	"fmt"
	"runtime"

	"github.com/isthmus-ffi/isthmus"
)

func sysOpen(string) (uintptr, error) {
	return 0, fmt.Errorf("dynamic libraries on %s: %w", runtime.GOOS, isthmus.ErrUnsupported)
}

func sysSymbol(uintptr, string) (uintptr, error) {
	return 0, fmt.Errorf("dynamic libraries on %s: %w", runtime.GOOS, isthmus.ErrUnsupported)
}
