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
		var data ast.Expr
		switch n := n.(type) {
		case *ast.CompositeLit:
			if len(n.Elts) == 0 && measured(stack) {
				return
			}
			t, data = n.Type, field(n)
		case *ast.ValueSpec:
			t = n.Type
		}
		sel, ok := t.(*ast.SelectorExpr)
		if !ok {
			return
		}
		obj, ok := p.Unit.Info.Uses[sel.Sel].(*types.TypeName)
		if ok && obj.Pkg() != nil && obj.Pkg().Path() == "reflect" && (obj.Name() == "SliceHeader" || obj.Name() == "StringHeader") {
			severity := native.Error
			if spec, ok := n.(*ast.ValueSpec); ok && assigned(p, spec, stack) || foreign(p, data) {
				severity = native.Note
			}
			p.Report(severity, n.Pos(), "a reflect.%s of its own is no pointer to the collector; use unsafe.Slice or unsafe.String", obj.Name())
		}
	})
}

// measured reports whether a literal is there for unsafe.Sizeof only.
func measured(stack []ast.Node) bool {
	if len(stack) == 0 {
		return false
	}
	call, ok := stack[len(stack)-1].(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (sel.Sel.Name == "Sizeof" || sel.Sel.Name == "Alignof")
}

// field is what a literal has for Data.
func field(lit *ast.CompositeLit) ast.Expr {
	for i, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			if i == 0 {
				return e
			}
			continue
		}
		if k, ok := kv.Key.(*ast.Ident); ok && k.Name == "Data" {
			return kv.Value
		}
	}
	return nil
}

// assigned reports whether the pointer that goes into a header is C's, so that the collector has nothing to know.
func assigned(p *native.Pass, spec *ast.ValueSpec, stack []ast.Node) bool {
	if len(spec.Names) != 1 || len(stack) < 3 {
		return false
	}
	is := false
	ast.Inspect(stack[len(stack)-3], func(n ast.Node) bool {
		set, ok := n.(*ast.AssignStmt)
		if !ok || len(set.Lhs) != 1 || len(set.Rhs) != 1 {
			return true
		}
		field, ok := set.Lhs[0].(*ast.SelectorExpr)
		if !ok || field.Sel.Name != "Data" {
			return true
		}
		if x, ok := field.X.(*ast.Ident); !ok || p.Unit.Info.Uses[x] != p.Unit.Info.Defs[spec.Names[0]] {
			return true
		}
		is = foreign(p, set.Rhs[0])
		return true
	})
	return is
}

// foreign reports whether an address was a pointer to a type of C's before it was converted.
func foreign(p *native.Pass, v ast.Expr) bool {
	for v != nil {
		call, ok := ast.Unparen(v).(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			break
		}
		v = call.Args[0]
	}
	if v == nil {
		return false
	}
	name, stars := native.CType(p.Unit.Info.TypeOf(v))
	return name != "" && stars > 0
}
