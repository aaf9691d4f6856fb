package gen

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// Comments looks for the comments of what a schema has in the Go files of folders, and notes them in its Docs: of types, of
// fields, and of methods, which are those above bridge.Call, Cast and Event or, when there are none, the handler's. Of two the
// first counts. Files that are no Go are passed over.
func Comments(s *schema.Schema, dirs ...string) error {
	if s == nil {
		return fmt.Errorf("gen: no schema: %w", isthmus.ErrInvalid)
	}
	if s.Docs == nil {
		s.Docs = map[string]string{}
	}
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return fmt.Errorf("gen: %w", err)
		}
		c := comments{s: s, fset: token.NewFileSet(), handlers: map[string]string{}}
		var files []*ast.File
		var sources [][]byte
		for _, p := range paths {
			if strings.HasSuffix(p, "_test.go") {
				continue
			}
			src, err := os.ReadFile(p)
			if err != nil {
				return fmt.Errorf("gen: %w", err)
			}
			if f, err := parser.ParseFile(c.fset, p, src, parser.ParseComments|parser.SkipObjectResolution); err == nil {
				files, sources = append(files, f), append(sources, src)
				c.declarations(f)
			}
		}
		for i, f := range files {
			c.methods(f, sources[i])
		}
	}
	return nil
}

// comments are those of a package.
type comments struct {
	s        *schema.Schema
	fset     *token.FileSet
	handlers map[string]string // of functions, by their names
}

// note keeps the first of some comments, if there is none yet.
func (c *comments) note(key string, groups ...*ast.CommentGroup) {
	for _, g := range groups {
		if text := strings.TrimSpace(g.Text()); text != "" && c.s.Docs[key] == "" {
			c.s.Docs[key] = text
		}
	}
}

func (c *comments) declarations(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				c.handlers[d.Name.Name] = strings.TrimSpace(d.Doc.Text())
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				t, ok := spec.(*ast.TypeSpec)
				if !ok || !c.matches(t) {
					continue
				}
				group := d.Doc
				if d.Lparen.IsValid() {
					group = nil // of more than this type
				}
				c.note(t.Name.Name, t.Doc, group, t.Comment)
				if st, ok := t.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, n := range field.Names {
							c.note(t.Name.Name+"."+schema.FieldName(n.Name), field.Doc, field.Comment)
						}
					}
				}
			}
		}
	}
}

// matches says whether a declaration is that of a type of the schema: another package may have one of the same name.
func (c *comments) matches(t *ast.TypeSpec) bool {
	d := c.s.Def(t.Name.Name)
	if d == nil {
		return false
	}
	if d.Sum {
		_, ok := t.Type.(*ast.InterfaceType)
		return ok
	}
	st, ok := t.Type.(*ast.StructType)
	if !ok {
		return false
	}
	var names, want []string
	for _, field := range st.Fields.List {
		for _, n := range field.Names {
			if n.IsExported() {
				names = append(names, schema.FieldName(n.Name))
			}
		}
	}
	for _, f := range d.Fields {
		want = append(want, f.Name)
	}
	return slices.Equal(names, want)
}

const bridgePath = "github.com/isthmus-ffi/isthmus/bridge"

func (c *comments) methods(f *ast.File, src []byte) {
	local := ""
	for _, i := range f.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && p == bridgePath {
			local = path.Base(p)
			if i.Name != nil {
				local = i.Name.Name
			}
		}
	}
	if local == "" {
		return
	}
	line := func(p token.Pos) int { return c.fset.Position(p).Line }
	begins, ends := map[int]*ast.CommentGroup{}, map[int]*ast.CommentGroup{}
	for _, g := range f.Comments {
		begins[line(g.Pos())], ends[line(g.End())] = g, g
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		fun := call.Fun
		switch in := fun.(type) { // of Event[T] and Call[Req, Resp]
		case *ast.IndexExpr:
			fun = in.X
		case *ast.IndexListExpr:
			fun = in.X
		}
		sel, ok := fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Call", "Cast", "Event"}, sel.Sel.Name) {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != local {
			return true
		}
		lit, ok := call.Args[1].(*ast.BasicLit)
		if !ok {
			return true
		}
		name, err := strconv.Unquote(lit.Value)
		if err != nil || c.s.Method(name) == nil {
			return true
		}
		above, behind := ends[line(call.Pos())-1], begins[line(call.End())]
		if above != nil && !c.alone(src, above) {
			above = nil
		}
		if behind != nil && behind.Pos() < call.End() {
			behind = nil
		}
		c.note(name, above, behind)
		if len(call.Args) > 2 && c.s.Docs[name] == "" {
			if h, ok := call.Args[2].(*ast.Ident); ok && c.handlers[h.Name] != "" {
				c.s.Docs[name] = c.handlers[h.Name]
			}
		}
		return true
	})
}

// alone says whether there is nothing before a comment in its line: else it belongs to that.
func (c *comments) alone(src []byte, g *ast.CommentGroup) bool {
	file := c.fset.File(g.Pos())
	begin := file.Offset(file.LineStart(file.Line(g.Pos())))
	return len(bytes.TrimSpace(src[begin:file.Offset(g.Pos())])) == 0
}
