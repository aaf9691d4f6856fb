// Package headerpassed holds the rule header-passed. Its page is docs/checks/audit/header-passed.md.
package headerpassed

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports the address of a slice or string variable where C wants the address of its first element.
var Analyzer = native.Rule("header-passed", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || native.CName(call) == "" || !native.Foreign(call) {
			return
		}
		for _, a := range call.Common().Args {
			v, ok := native.Root(a).(*ssa.Alloc)
			if !ok || v == a || header(a.Type()) {
				continue
			}
			what := ""
			switch t := v.Type().Underlying().(*types.Pointer).Elem().Underlying().(type) {
			case *types.Slice:
				what = "slice"
			case *types.Basic:
				if t.Kind() == types.String {
					what = "string"
				}
			}
			if what != "" {
				p.Report(native.Error, a.Pos(), "C.%s gets the address of a %s itself, that of its pointer and length, not of its elements; use unsafe.%sData", native.CName(call), what, map[string]string{"slice": "Slice", "string": "String"}[what])
			}
		}
	})
}

// header reports whether C knows what a slice or string of Go is: cgo's GoSlice, GoString or _GoString_.
func header(t types.Type) bool {
	switch name, _ := native.CType(t); name {
	case "GoSlice", "GoString", "_GoString_", "struct_GoSlice", "struct_GoString":
		return true
	}
	return false
}
