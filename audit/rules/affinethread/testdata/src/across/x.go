// Package across drives a library that wants one thread, through another package.
package across

import (
	"runtime"

	"github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"
)

func loose() {
	go func() {
		clib.Flush() // want affine-thread:warning
	}()
}

func locked() {
	go func() {
		runtime.LockOSThread()
		clib.Flush()
	}()
}
