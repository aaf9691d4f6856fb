// Package across gives another package what that lets C keep.
package across

import (
	"runtime"

	"github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"
)

func async(n int) {
	b := make([]byte, n+1)
	clib.Submit(b) // want go-pointer-retained:warning
}

func pinned(n int, pin *runtime.Pinner) {
	b := make([]byte, n+1)
	clib.SubmitPinned(b, pin)
}

func borrowed(n int) int { return clib.Sum(make([]byte, n)) }
