// Package across leaks what another package makes.
package across

import "github.com/isthmus-ffi/isthmus/audit/rules/cstringleak/testdata/src/clib"

func leak(s string) int {
	p := clib.Text(s) // want cstring-leak
	return clib.Len(p)
}

func leakMemory(n int) byte {
	p, err := clib.Memory(n) // want cstring-leak
	if err != nil {
		return 0
	}
	return clib.First(p)
}

func freed(s string) int {
	p := clib.Text(s)
	defer clib.FreeText(p)
	return clib.Len(p)
}

func freedAfter(n int) byte {
	p, err := clib.Memory(n)
	if err != nil {
		return 0
	}
	first := clib.First(p)
	clib.Free(clib.Same(p))
	return first
}

func kept(n int) {
	p, err := clib.Memory(n)
	if err == nil {
		clib.Keep(p)
	}
}

func perhaps(n int, really bool) {
	p, err := clib.Memory(n)
	if err == nil {
		clib.FreeIf(p, really)
	}
}
