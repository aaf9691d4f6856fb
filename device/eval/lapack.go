package eval

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func (r *runner) lapack(_ *stablehlo.Op, a *stablehlo.CustomCallAttr, _ []Value) ([]Value, error) {
	return nil, fmt.Errorf("target %q: %w", a.Target, ErrUnsupported)
}
