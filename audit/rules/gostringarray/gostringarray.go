// Package gostringarray holds the rule gostring-array. Its page is docs/checks/audit/gostring-array.md.
package gostringarray

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C.GoString of an array of fixed length, which need not hold a NUL byte.
var Analyzer = native.Rule("gostring-array", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		if name != "GoString" {
			continue
		}
		at, ok := native.Root(call.Common().Args[0]).(*ssa.IndexAddr)
		if !ok {
			continue
		}
		field, ok := at.X.(*ssa.FieldAddr) // a struct's: local arrays are filled by calls that terminate them
		if !ok {
			continue
		}
		if ptr, ok := field.Type().Underlying().(*types.Pointer); ok {
			if a, ok := ptr.Elem().Underlying().(*types.Array); ok {
				p.Report(native.Note, call.Pos(), "this reads past the array of %d bytes where it is full; C.GoStringN with C.strnlen does not", a.Len())
			}
		}
	}
}
