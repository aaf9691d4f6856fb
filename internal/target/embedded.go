package target

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func embedded() (*pjrt.Plugin, error) {
	return nil, fmt.Errorf("target: no embedded device in this build: %w", isthmus.ErrUnsupported)
}
