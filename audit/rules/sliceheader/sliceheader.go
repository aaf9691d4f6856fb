// Package sliceheader holds the rule slice-header. Its page is docs/checks/audit/slice-header.md.
package sliceheader

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

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
			if spec, ok := n.(*ast.ValueSpec); ok && assigned(p, spec, stack) || foreign(p, data, stack) {
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
		is = foreign(p, set.Rhs[0], stack)
		return true
	})
	return is
}

// foreign reports whether an address was a pointer to a type of C's before it was converted, or what a C function gave.
func foreign(p *native.Pass, v ast.Expr, stack []ast.Node) bool {
	for v != nil {
		call, ok := ast.Unparen(v).(*ast.CallExpr)
		if !ok || len(call.Args) != 1 || called(call) {
			break
		}
		v = call.Args[0]
	}
	if v == nil {
		return false
	}
	if name, stars := native.CType(p.Unit.Info.TypeOf(v)); name != "" && stars > 0 {
		return true
	}
	switch v := ast.Unparen(v).(type) {
	case *ast.CallExpr:
		return called(v)
	case *ast.Ident:
		return given(p, v, stack)
	}
	return false
}

// called reports whether a call is one of C's.
func called(call *ast.CallExpr) bool {
	fn, ok := ast.Unparen(call.Fun).(*ast.Ident)
	return ok && strings.HasPrefix(fn.Name, "_Cfunc_")
}

// given reports whether all that a local variable is set to comes from C.
func given(p *native.Pass, v *ast.Ident, stack []ast.Node) bool {
	obj, ok := p.Unit.Info.Uses[v].(*types.Var)
	if !ok || len(stack) < 2 {
		return false
	}
	sets, others := 0, 0
	ast.Inspect(stack[1], func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				id, ok := ast.Unparen(l).(*ast.Ident)
				if !ok || p.Unit.Info.Defs[id] != obj && p.Unit.Info.Uses[id] != obj {
					continue
				}
				if call, ok := ast.Unparen(n.Rhs[min(i, len(n.Rhs)-1)]).(*ast.CallExpr); ok && i == 0 && called(call) {
					sets++
				} else {
					others++
				}
			}
		case *ast.UnaryExpr:
			if id, ok := ast.Unparen(n.X).(*ast.Ident); ok && n.Op == token.AND && p.Unit.Info.Uses[id] == obj {
				others++
			}
		}
		return true
	})
	return sets > 0 && others == 0
}
