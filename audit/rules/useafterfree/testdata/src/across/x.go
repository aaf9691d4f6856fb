// Package across uses what another package has freed.
package across

import "github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"

func after(s string) int {
	p := clib.Text(s)
	clib.FreeText(p)
	return clib.Len(p) // want use-after-free
}

func read(n int) byte {
	p, err := clib.Memory(n)
	if err != nil {
		return 0
	}
	clib.Free(p)
	return *(*byte)(p) // want use-after-free
}

func before(s string) int {
	p := clib.Text(s)
	n := clib.Len(p)
	clib.FreeText(p)
	return n
}

func perhaps(n int, really bool) byte {
	p, err := clib.Memory(n)
	if err != nil {
		return 0
	}
	clib.FreeIf(p, really)
	if !really {
		return clib.First(p)
	}
	return 0
}
