// Package cgofile brings Go files that use cgo into a form that the type checker and go/ssa take, at their original positions.
//
// The compiler sees files that cgo rewrote, with other lines and with helper closures around each call; tools that
// analyse those print places that no editor can open. Here the original syntax tree is kept and only its references to
// package C are replaced, each by the name that cgo declares for it in _cgo_gotypes.go.
package cgofile

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
)

// Names are the package-level names that _cgo_gotypes.go declares.
type Names map[string]bool

// Declared lists the package-level names of a file.
func Declared(f *ast.File) Names {
	names := make(Names)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return names
}

// Imports reports whether f imports "C".
func Imports(f *ast.File) bool {
	for _, s := range f.Imports {
		if s.Path.Value == `"C"` {
			return true
		}
	}
	return false
}

// Preamble is the C text above the import of "C", without the lines that are for cgo, which it returns beside it.
func Preamble(f *ast.File) (text string, directives []string) {
	var b strings.Builder
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			continue
		}
		for _, s := range g.Specs {
			spec, ok := s.(*ast.ImportSpec)
			if !ok || spec.Path.Value != `"C"` {
				continue
			}
			doc := spec.Doc
			if doc == nil && len(g.Specs) == 1 {
				doc = g.Doc
			}
			if doc == nil {
				continue
			}
			for _, c := range doc.List {
				t := c.Text
				if after, ok := strings.CutPrefix(t, "//"); ok {
					t = after
				} else {
					t = strings.TrimSuffix(strings.TrimPrefix(t, "/*"), "*/")
				}
				for line := range strings.Lines(t + "\n") {
					if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#cgo ") {
						directives = append(directives, trimmed)
						b.WriteByte('\n')
						continue
					}
					b.WriteString(line)
				}
			}
		}
	}
	return b.String(), directives
}

// Used lists the names of package C that f refers to, and whether each is called.
func Used(f *ast.File) map[string]bool {
	used := make(map[string]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := selected(ast.Unparen(n.Fun)); name != "" {
				used[name] = true
			}
		case *ast.SelectorExpr:
			if name := selected(n); name != "" && !used[name] {
				used[name] = false
			}
		}
		return true
	})
	return used
}

func selected(e ast.Node) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "C" {
			return sel.Sel.Name
		}
	}
	return ""
}

// Rewrite replaces the references to package C in f. What names does not hold stays, and is an error of the type checker.
func Rewrite(f *ast.File, names Names) {
	pairs := make(map[ast.Expr]bool) // calls whose second result is errno
	calls := make(map[ast.Expr]bool) // what is called or converted to
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Lhs) == 2 && len(n.Rhs) == 1 {
				markPair(n.Rhs[0], pairs)
			}
		case *ast.ValueSpec:
			if len(n.Names) == 2 && len(n.Values) == 1 {
				markPair(n.Values[0], pairs)
			}
		case *ast.CallExpr:
			calls[n.Fun] = true
		}
		return true
	})
	astutil.Apply(f, func(c *astutil.Cursor) bool {
		name := selected(c.Node())
		if name == "" {
			return true
		}
		sel := c.Node().(*ast.SelectorExpr)
		if e := replacement(sel, name, names, calls[sel], pairs[sel]); e != nil {
			c.Replace(e)
		}
		return false
	}, nil)
	// The import stays in f.Imports, where rules look for it, and goes from the declarations, so that nothing needs a package C.
	for i := 0; i < len(f.Decls); i++ {
		g, ok := f.Decls[i].(*ast.GenDecl)
		if !ok || g.Tok != token.IMPORT {
			continue
		}
		kept := g.Specs[:0:0]
		for _, s := range g.Specs {
			if spec, ok := s.(*ast.ImportSpec); !ok || spec.Path.Value != `"C"` {
				kept = append(kept, s)
			}
		}
		if len(kept) == 0 {
			f.Decls = append(f.Decls[:i:i], f.Decls[i+1:]...)
			i--
			continue
		}
		g.Specs = kept
	}
}

func markPair(e ast.Expr, pairs map[ast.Expr]bool) {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok && selected(call.Fun) != "" {
		pairs[call.Fun] = true
	}
}

func replacement(sel *ast.SelectorExpr, name string, names Names, call, pair bool) ast.Expr {
	ident := func(n string) *ast.Ident { return &ast.Ident{NamePos: sel.Pos(), Name: n} }
	if call {
		if name == "malloc" && names["_Cfunc__CMalloc"] {
			return ident("_Cfunc__CMalloc")
		}
		if pair && names["_C2func_"+name] {
			return ident("_C2func_" + name)
		}
		if names["_Cfunc_"+name] {
			return ident("_Cfunc_" + name)
		}
	}
	for _, prefix := range []string{"_Ciconst_", "_Cfconst_", "_Csconst_", "_Ctype_", "_Cfpvar_fp_", "_Cfunc_"} {
		if names[prefix+name] {
			return ident(prefix + name)
		}
	}
	if names["_Cvar_"+name] {
		return &ast.ParenExpr{Lparen: sel.Pos(), X: &ast.StarExpr{Star: sel.Pos(), X: ident("_Cvar_" + name)}, Rparen: sel.End() - 1}
	}
	if names["_Cmacro_"+name] {
		return &ast.CallExpr{Fun: ident("_Cmacro_" + name), Lparen: sel.End() - 1, Rparen: sel.End() - 1}
	}
	return nil
}

// Name is the C name behind a name of _cgo_gotypes.go, or "" for any other.
func Name(goName string) string {
	if goName == "_Cfunc__CMalloc" {
		return "malloc"
	}
	for _, prefix := range []string{"_Cfunc_", "_C2func_", "_Ctype_", "_Ciconst_", "_Cfconst_", "_Csconst_", "_Cvar_", "_Cfpvar_fp_", "_Cmacro_"} {
		if name, ok := strings.CutPrefix(goName, prefix); ok {
			return name
		}
	}
	return ""
}

var mangled = regexp.MustCompile(`_Ctype_(?:struct_|union_|enum_)?|_C2?func_|_Ciconst_|_Cvar_|_Cfpvar_fp_`)

// Show makes text that names what cgo declares readable: _Ctype_int is C.int.
func Show(text string) string { return mangled.ReplaceAllString(text, "C.") }

// Strip removes the function bodies of f, which then declares only types. Types that C does not complete are declared empty:
// the type that cgo has for them is not in the export data of a package that was built without cgo.
func Strip(f *ast.File) {
	astutil.Apply(f, func(c *astutil.Cursor) bool {
		if sel, ok := c.Node().(*ast.SelectorExpr); ok && sel.Sel.Name == "Incomplete" {
			c.Replace(&ast.StructType{Struct: sel.Pos(), Fields: &ast.FieldList{Opening: sel.Pos(), Closing: sel.End()}})
			return false
		}
		return true
	}, nil)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			fn.Body = nil
		}
	}
}
