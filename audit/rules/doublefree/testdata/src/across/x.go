// Package across frees twice through another package.
package across

import "github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"

func twice(s string) int {
	p := clib.Text(s)
	defer clib.FreeText(p)
	n := clib.Len(p)
	clib.FreeText(p) // want double-free
	return n
}

func once(s string, early bool) {
	p := clib.Text(s)
	if early {
		clib.FreeText(p)
		return
	}
	clib.Len(p)
	clib.FreeText(p)
}
