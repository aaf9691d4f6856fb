// Package sites finds the uses of package unsafe in a package and the arguments for them.
package sites

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Site is a declaration that uses unsafe.
type Site struct {
	Func   string // its name, T.M for a method
	Pos    token.Pos
	Uses   int      // of what reads or makes pointers; Sizeof and its like read nothing
	Kinds  []string // Pointer, Slice, ...
	Safety []string // the arguments, each a paragraph
}

// harmless are the parts of package unsafe that the compiler knows when it compiles.
var harmless = map[string]bool{"Sizeof": true, "Offsetof": true, "Alignof": true}

// Find lists the declarations of a package that use unsafe, in order. An argument stands in a comment that has a line
// beginning with "SAFETY:", anywhere in the declaration or above it, or above the package clause for a whole file.
func Find(u *native.Unit) []Site {
	var out []Site
	for _, f := range u.Files {
		comments := paragraphs(f)
		whole := within(comments, f.FileStart, f.Package)
		for _, d := range f.Decls {
			s := Site{Pos: d.Pos(), Func: name(d)}
			ast.Inspect(d, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok {
					return true
				}
				pkg, ok := u.Info.Uses[x].(*types.PkgName)
				if ok && pkg.Imported().Path() != "unsafe" || !ok && (x.Name != "unsafe" || u.Info.Uses[x] != nil) || harmless[sel.Sel.Name] {
					return true // where types are not known, the name has to do
				}
				if s.Uses == 0 {
					s.Pos = sel.Pos()
				}
				s.Uses++
				s.Kinds = add(s.Kinds, sel.Sel.Name)
				return true
			})
			if s.Uses == 0 || typesOnly(d) {
				continue
			}
			from := d.Pos()
			if doc := doc(d); doc != nil {
				from = doc.Pos()
			}
			s.Safety = append(within(comments, from, d.End()), whole...)
			out = append(out, s)
		}
	}
	return out
}

// typesOnly reports whether a declaration only names unsafe.Pointer as a type.
func typesOnly(d ast.Decl) bool {
	switch d := d.(type) {
	case *ast.GenDecl:
		return d.Tok == token.TYPE || d.Tok == token.CONST || d.Tok == token.IMPORT || d.Tok == token.VAR && !values(d)
	case *ast.FuncDecl:
		return d.Body == nil || !calls(d.Body)
	}
	return false
}

func values(d *ast.GenDecl) bool {
	for _, s := range d.Specs {
		if v, ok := s.(*ast.ValueSpec); ok && len(v.Values) > 0 {
			return true
		}
	}
	return false
}

// calls reports whether anything of package unsafe is called or converted to.
func calls(n ast.Node) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "unsafe" && !harmless[sel.Sel.Name] {
					found = true
				}
			}
		}
		return !found
	})
	return found
}

func add(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

type paragraph struct {
	pos  token.Pos
	text string
}

// paragraphs reads the arguments of a file.
func paragraphs(f *ast.File) []paragraph {
	var out []paragraph
	for _, g := range f.Comments {
		var text []string
		for _, c := range g.List {
			if strings.HasPrefix(c.Text, "//export ") || strings.HasPrefix(c.Text, "//go:") || strings.HasPrefix(c.Text, "//isthmus:") {
				text = append(text, "")
				continue
			}
			for line := range strings.Lines(strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(c.Text, "/*"), "*/"), "//")) {
				text = append(text, strings.TrimSpace(line))
			}
		}
		for i := 0; i < len(text); i++ {
			_, rest, ok := strings.Cut(text[i], "SAFETY:")
			if !ok {
				continue
			}
			words := []string{strings.TrimSpace(rest)}
			for i+1 < len(text) && text[i+1] != "" && !strings.Contains(text[i+1], "SAFETY:") {
				i++
				words = append(words, text[i])
			}
			out = append(out, paragraph{g.Pos(), strings.TrimSpace(strings.Join(words, " "))})
		}
	}
	return out
}

func within(all []paragraph, from, to token.Pos) []string {
	var out []string
	for _, p := range all {
		if from <= p.pos && p.pos <= to {
			out = append(out, p.text)
		}
	}
	return out
}

func doc(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

func name(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && len(d.Recv.List) == 1 {
			t := d.Recv.List[0].Type
			if s, ok := t.(*ast.StarExpr); ok {
				t = s.X
			}
			switch x := t.(type) {
			case *ast.IndexExpr:
				t = x.X
			case *ast.IndexListExpr:
				t = x.X
			}
			if id, ok := t.(*ast.Ident); ok {
				return id.Name + "." + d.Name.Name
			}
		}
		return d.Name.Name
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				return s.Names[0].Name
			case *ast.TypeSpec:
				return s.Name.Name
			}
		}
	}
	return "this declaration"
}
