//go:build !linux || isthmus_portable

package mem

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
)

func sysTwin(Addr, int, []byte) ([]byte, error) {
	return nil, fmt.Errorf("not on this system: %w", isthmus.ErrUnsupported)
}

func sysProtect([]byte, bool) error { return nil }

func sysPart([]byte, bool) error { return nil }
