// Package gopointerretained holds the rule go-pointer-retained. Its page is docs/checks/audit/go-pointer-retained.md.
package gopointerretained

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go memory given to C functions that keep its address after they return.
var Analyzer = native.Rule("go-pointer-retained", run)

func run(p *native.Pass) {
	for call, name := range p.Natives() {
		for n, a := range call.Common().Args {
			if !native.GoMemory(a) || p.Role(name, n) != ctext.Retains {
				continue
			}
			if _, ok := native.Root(a).(*ssa.UnOp); ok {
				continue
			}
			if native.Pins(call.Parent()) {
				continue
			}
			p.Report(native.Warning, call.Pos(), "%s keeps its argument %d after it has returned, and is given Go memory that nothing pins; use C memory, or a runtime.Pinner until C is done", native.Show(name), n+1)
			break
		}
	}
}
