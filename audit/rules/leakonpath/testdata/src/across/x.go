// Package across frees what another package makes on one way only.
package across

import "github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"

func onePath(n int) byte {
	p, err := clib.Memory(n) // want leak-on-path
	if err != nil {
		return 0
	}
	first := clib.First(p)
	if first == 0 {
		return 1
	}
	clib.Free(p)
	return first
}

func everyPath(n int) byte {
	p, err := clib.Memory(n)
	if err != nil {
		return 0
	}
	first := clib.First(p)
	if first == 0 {
		clib.Free(p)
		return 1
	}
	clib.Free(p)
	return first
}
