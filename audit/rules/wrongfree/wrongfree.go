// Package wrongfree holds the rule wrong-free. Its page is docs/checks/audit/wrong-free.md.
package wrongfree

import (
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports native objects that are freed by another function than the one that belongs to their maker.
var Analyzer = native.Rule("wrong-free", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		right := p.Book.New[name]
		if right == "" || call.Value() == nil {
			continue
		}
		flow := p.Track(call.Value())
		for _, a := range flow.CArgs {
			if a.Arg != 0 || !p.Book.Free[a.Name] || a.Name == right || a.Name == "realloc" || right == "free" && name != "strdup" && name != "malloc" && name != "calloc" && name != "CString" && name != "CBytes" {
				continue
			}
			if phi(a.At) {
				continue
			}
			pos := a.At.Pos()
			if pos == token.NoPos {
				pos = call.Pos()
			}
			p.ReportPath(native.Error, pos, []analysis.RelatedInformation{{Pos: call.Pos(), Message: "made by C." + name}}, nil, "what C.%s gives is freed by C.%s, not by C.%s", name, right, a.Name)
		}
	}
}

// phi reports whether the argument may come from several makers.
func phi(call ssa.CallInstruction) bool {
	_, ok := native.Root(call.Common().Args[0]).(*ssa.Phi)
	return ok
}
