// Package sliceheader holds the rule slice-header. Its page is docs/checks/audit/slice-header.md.
package sliceheader

import (
	"go/ast"
	"go/types"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports slice and string headers made by hand, whose pointer the collector does not know.
var Analyzer = native.Rule("slice-header", run)

func run(p *native.Pass) {
	p.Inspect(func(n ast.Node, stack []ast.Node) {
		var t ast.Expr
		switch n := n.(type) {
		case *ast.CompositeLit:
			t = n.Type
		case *ast.ValueSpec:
			t = n.Type
		}
		sel, ok := t.(*ast.SelectorExpr)
		if !ok {
			return
		}
		obj, ok := p.Unit.Info.Uses[sel.Sel].(*types.TypeName)
		if ok && obj.Pkg() != nil && obj.Pkg().Path() == "reflect" && (obj.Name() == "SliceHeader" || obj.Name() == "StringHeader") {
			p.Report(native.Error, n.Pos(), "a reflect.%s of its own is no pointer to the collector; use unsafe.Slice or unsafe.String", obj.Name())
		}
	})
}
