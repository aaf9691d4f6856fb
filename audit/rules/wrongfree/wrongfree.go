// Package wrongfree holds the rule wrong-free. Its page is docs/checks/audit/wrong-free.md.
package wrongfree

import (
	"go/token"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports native objects that are freed by another function than the one that belongs to their maker.
var Analyzer = native.Rule("wrong-free", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		if right := p.Book.New[name]; right != "" && call.Value() != nil {
			check(p, call, name, right, p.Track(call.Value()))
		}
	}
	for _, o := range p.Objects() {
		if native.CName(o.Call) == "" { // made by a function of another package
			check(p, o.Call, o.Name, o.Free, o.Flow)
		}
	}
}

func check(p *native.Pass, call ssa.CallInstruction, name, right string, flow *native.Flow) {
	if name = native.Show(name); right == "free" && !slices.Contains([]string{"C.strdup", "C.malloc", "C.calloc", "C.CString", "C.CBytes"}, name) {
		return
	}
	for _, a := range flow.CArgs {
		if a.Arg != 0 || !p.Book.Free[a.Name] || a.Name == right || a.Name == "realloc" || phi(a.At) {
			continue
		}
		pos := a.At.Pos()
		if pos == token.NoPos {
			pos = call.Pos()
		}
		p.ReportPath(native.Error, pos, []analysis.RelatedInformation{{Pos: call.Pos(), Message: "made by " + name}}, nil, "what %s gives is freed by C.%s, not by C.%s", name, right, a.Name)
	}
}

// phi reports whether the argument may come from several makers.
func phi(call ssa.CallInstruction) bool {
	_, ok := native.Root(call.Common().Args[0]).(*ssa.Phi)
	return ok
}
