// Package cstringleak holds the rule cstring-leak. Its page is docs/checks/audit/cstring-leak.md.
package cstringleak

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C memory that nothing frees.
var Analyzer = native.Rule("cstring-leak", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		free := p.Book.New[name]
		value := call.Value()
		if free == "" || value == nil {
			continue
		}
		flow := p.Track(value)
		if len(flow.Frees) > 0 || len(flow.Escapes) > 0 {
			continue
		}
		var unknown *native.CArg
		for i, a := range flow.CArgs {
			if !p.Known(a.Name, a.Arg) {
				unknown = &flow.CArgs[i]
				break
			}
		}
		if unknown != nil {
			p.Report(native.Note, call.Pos(), "what C.%s gives is not freed here; that is right only if C.%s takes it", name, unknown.Name)
			continue
		}
		p.ReportPath(native.Error, call.Pos(), nil, fix(p, call, free), "what C.%s gives is never freed; it wants C.%s", name, free)
	}
}

// fix puts a defer after the statement, where that is at the top of a function: in a loop it would run too late.
func fix(p *native.Pass, call ssa.CallInstruction, free string) []analysis.SuggestedFix {
	var out []analysis.SuggestedFix
	p.Inspect(func(n ast.Node, stack []ast.Node) {
		s, ok := n.(*ast.AssignStmt)
		if !ok || len(s.Lhs) != 1 || len(s.Rhs) != 1 || s.Tok != token.DEFINE || len(stack) < 2 {
			return
		}
		e, ok := ast.Unparen(s.Rhs[0]).(*ast.CallExpr)
		if !ok || e.Lparen != call.Pos() {
			return
		}
		_, body := stack[len(stack)-1].(*ast.BlockStmt)
		_, fn := stack[len(stack)-2].(*ast.FuncDecl)
		if id, ok := s.Lhs[0].(*ast.Ident); ok && body && fn && free == "free" {
			out = []analysis.SuggestedFix{{
				Message:   "free it when the function returns",
				TextEdits: []analysis.TextEdit{{Pos: s.End(), End: s.End(), NewText: []byte("\n\tdefer C.free(unsafe.Pointer(" + id.Name + "))")}},
			}}
		}
	})
	return out
}
