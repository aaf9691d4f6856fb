// Package hugearray holds the rule huge-array. Its page is docs/checks/audit/huge-array.md.
package hugearray

import (
	"go/ast"
	"go/types"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports slices of an array of made-up length over C memory, without a capacity: append writes behind them.
var Analyzer = native.Rule("huge-array", run)

func run(p *native.Pass) {
	p.Inspect(func(n ast.Node, stack []ast.Node) {
		s, ok := n.(*ast.SliceExpr)
		if !ok || s.Slice3 || copied(s, stack) {
			return
		}
		ptr, ok := p.Unit.Info.TypeOf(s.X).(*types.Pointer)
		if !ok {
			return
		}
		a, ok := ptr.Elem().Underlying().(*types.Array)
		if !ok || a.Len() < 1<<20 {
			return
		}
		if _, conv := ast.Unparen(s.X).(*ast.CallExpr); conv {
			p.Report(native.Warning, s.Pos(), "the capacity of this slice is %d elements, whatever is there; unsafe.Slice gives it the right one", a.Len())
		}
	})
}

// copied reports whether a slice is only looked at by copy, for which capacity does not matter.
func copied(s *ast.SliceExpr, stack []ast.Node) bool {
	if len(stack) == 0 {
		return false
	}
	call, ok := stack[len(stack)-1].(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == "copy" && (call.Args[0] == s || call.Args[1] == s)
}
