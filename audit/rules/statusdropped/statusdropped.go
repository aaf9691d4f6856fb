// Package statusdropped holds the rule status-dropped. Its page is docs/checks/audit/status-dropped.md.
package statusdropped

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports results of C functions that are dropped, where most callers of the package look at them or a spec file
// says that they are a status.
var Analyzer = native.Rule("status-dropped", run)

func run(p *native.Pass) {
	looked := map[string]int{}
	var dropped []*ssa.Call
	count := map[string]int{}
	statements := map[token.Pos]bool{} // calls that are statements: who writes _ = means it
	p.Inspect(func(n ast.Node, _ []ast.Node) {
		if s, ok := n.(*ast.ExprStmt); ok {
			if call, ok := ast.Unparen(s.X).(*ast.CallExpr); ok {
				statements[call.Lparen] = true
			}
		}
	})
	for call, name := range p.Natives() {
		c, ok := call.(*ssa.Call)
		if !ok {
			continue
		}
		if native.CName(c) == "" { // a function of another package
			if of := p.StatusOf(name); of != "" && statements[c.Pos()] {
				p.Report(native.Warning, c.Pos(), "the result of %s is dropped here, which says whether C.%s has worked", native.Show(name), of)
			}
			continue
		}
		if !status(c.Type()) {
			continue
		}
		if used(c) {
			looked[name]++
		} else if !p.Frees(name) {
			dropped = append(dropped, c)
			count[name]++
		}
	}
	for _, c := range dropped {
		name := native.CName(c)
		if p.Book.Status[name] || looked[name] >= 2 && looked[name] > 2*count[name] {
			p.Report(native.Warning, c.Pos(), "the result of C.%s is dropped here, and looked at in %d other places", name, looked[name])
		}
	}
}

// status reports whether a result is a number: pointers and void are not about success.
func status(t types.Type) bool {
	if tuple, ok := t.(*types.Tuple); ok {
		if tuple.Len() == 0 {
			return false
		}
		t = tuple.At(0).Type()
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

func used(c *ssa.Call) bool {
	for _, r := range *c.Referrers() {
		if _, debug := r.(*ssa.DebugRef); !debug {
			return true
		}
	}
	return false
}
