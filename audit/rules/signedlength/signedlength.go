// Package signedlength holds the rule signed-length. Its page is docs/checks/audit/signed-length.md.
package signedlength

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports signed lengths from C that become the length of Go memory unchecked: -1 panics or reads everything.
var Analyzer = native.Rule("signed-length", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		switch i := i.(type) {
		case *ssa.MakeSlice:
			check(p, i, i.Len, "make")
		case *ssa.Call:
			switch name := native.CName(i); {
			case name == "GoBytes" || name == "GoStringN":
				check(p, i, i.Call.Args[1], "C."+name)
			case name == "":
				if n := native.GoName(i); n == "Slice" || n == "String" {
					check(p, i, i.Call.Args[1], "unsafe."+n)
				}
			}
		}
	})
}

func check(p *native.Pass, at ssa.Instruction, n ssa.Value, what string) {
	root := n
	for {
		switch x := root.(type) {
		case *ssa.Convert:
			root = x.X
			continue
		case *ssa.ChangeType:
			root = x.X
			continue
		}
		break
	}
	call := native.CallOf(root)
	if call == nil || native.CName(call) == "" || p.Book.Length[native.CName(call)] {
		return
	}
	t := call.Type()
	if tuple, ok := t.(*types.Tuple); ok {
		t = tuple.At(0).Type()
	}
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&types.IsInteger == 0 || b.Info()&types.IsUnsigned != 0 {
		return
	}
	if native.Guarded(at, func(v ssa.Value) bool {
		if e, ok := v.(*ssa.Extract); ok {
			return e.Tuple == call
		}
		return v == call
	}) {
		return
	}
	severity := native.Warning
	if _, ok := at.(*ssa.MakeSlice); ok { // which panics, and reads nothing
		severity = native.Note
	}
	p.Report(severity, at.Pos(), "%s gets the length that C.%s returned; that is signed, and nobody asked whether it is negative", what, native.CName(call))
}
