// Package pinheader holds the rule pin-header. Its page is docs/checks/audit/pin-header.md.
package pinheader

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports pins of a slice or string variable, which hold its header and not its elements.
var Analyzer = native.Rule("pin-header", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || native.GoName(call) != "(*runtime.Pinner).Pin" || len(call.Common().Args) != 2 {
			return
		}
		ptr, ok := native.Root(call.Common().Args[1]).Type().Underlying().(*types.Pointer)
		if !ok {
			return
		}
		switch t := ptr.Elem().Underlying().(type) {
		case *types.Slice:
			p.Report(native.Error, call.Pos(), "this pins the header of the slice; to pin its elements, Pin(unsafe.SliceData(s))")
		case *types.Basic:
			if t.Kind() == types.String {
				p.Report(native.Error, call.Pos(), "this pins the header of the string; to pin its bytes, Pin(unsafe.StringData(s))")
			}
		}
	})
}
