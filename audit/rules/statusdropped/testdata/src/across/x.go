// Package across drops what another package says of C.
package across

import "github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"

func drop() {
	clib.Barrier(0)      // want status-dropped:warning
	clib.BarrierError(0) // want status-dropped:warning
}

func look() error {
	_ = clib.Barrier(0)
	if clib.Barrier(1) != 0 {
		return nil
	}
	clib.Sum(nil)
	return clib.BarrierError(0)
}
