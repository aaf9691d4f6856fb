// Package missingunpin holds the rule missing-unpin. Its page is docs/checks/audit/missing-unpin.md.
package missingunpin

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports local pinners that are not unpinned, which ends the program when they are collected.
var Analyzer = native.Rule("missing-unpin", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		a, ok := i.(*ssa.Alloc)
		if !ok || a.Type().String() != "*runtime.Pinner" {
			return
		}
		var pin ssa.CallInstruction
		for _, r := range *a.Referrers() {
			call, ok := r.(ssa.CallInstruction)
			if !ok {
				if _, debug := r.(*ssa.DebugRef); !debug {
					return // somebody else has it
				}
				continue
			}
			switch native.GoName(call) {
			case "(*runtime.Pinner).Pin":
				if pin == nil {
					pin = call
				}
			default:
				return // Unpin, or a function that may unpin
			}
		}
		if pin != nil {
			p.Report(native.Error, pin.Pos(), "what is pinned here is never unpinned: defer Unpin; a pinner that is collected before that ends the program")
		}
	})
}
