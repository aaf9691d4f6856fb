package pjrtlayer_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"runtime"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlayer"
)

const threads = runtime.GOOS == "linux"

func yield() { runtime.Gosched() }

func kind(t *testing.T, name string) layer.Kind {
	t.Helper()
	s, err := pjrtlayer.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return s.Kind(name)
}

// TestSpecClassifiesEveryObject reads the generated structs: each field of an object's type, in each argument struct of a
// slot or of an extension's function, stands in the spec with that kind.
func TestSpecClassifiesEveryObject(t *testing.T) {
	spec, err := pjrtlayer.Spec()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../pjrtc/zpjrt_structs.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	objects := map[string]bool{"Error": true, "Memory": true, "RawBuffer": true}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			ts, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			st, ok := ts.Type.(*ast.StructType)
			if !ok {
				continue
			}
			structs[ts.Name.Name] = st
			if len(st.Fields.List) == 1 {
				if id, ok := st.Fields.List[0].Type.(*ast.Ident); ok && id.Name == "opaque" {
					objects[ts.Name.Name] = true
				}
			}
		}
	}
	check := func(name, args string, f *layer.Func) {
		st := structs[goName(args)]
		if st == nil {
			t.Errorf("%s: there is no struct %s", name, goName(args))
			return
		}
		if f == nil {
			t.Errorf("%s does not stand in the spec", name)
			return
		}
		for _, field := range st.Fields.List {
			obj := pointee(field.Type)
			if !objects[obj] || len(field.Names) == 0 {
				continue
			}
			found := false
			for _, op := range f.Ops {
				if goName(op.Field) == field.Names[0].Name {
					found = true
					if got := spec.Kinds[op.Kind]; got != obj {
						t.Errorf("%s: %s is a %s, the spec says %s", name, op.Field, obj, got)
					}
				}
			}
			if !found {
				t.Errorf("%s: the %s in %s is not classified", name, obj, field.Names[0].Name)
			}
		}
	}
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		check(s.String(), s.String()+"_Args", spec.Funcs[s.String()])
		if f := spec.Funcs[s.String()]; f != nil && f.Void == s.ReturnsError() {
			t.Errorf("%s: returns nothing: %v", s, f.Void)
		}
	}
	funcs := 0
	for _, e := range pjrtc.Extensions() {
		for _, fn := range e.Funcs {
			if fn.Args == "" {
				continue
			}
			funcs++
			f := spec.Funcs[e.Name+"."+fn.Name]
			if f == nil {
				f = spec.Funcs[strings.TrimSuffix(fn.Args, "_Args")]
			}
			check(e.Name+"."+fn.Name, fn.Args, f)
		}
	}
	if funcs < 100 {
		t.Errorf("only %d functions of extensions", funcs)
	}
}

// pointee is the innermost type that a field points to.
func pointee(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.Index
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// goName is the Go name of a C one, as pjrtgen makes it.
func goName(c string) string {
	var b strings.Builder
	for _, p := range strings.Split(strings.TrimPrefix(c, "PJRT_"), "_") {
		if p != "" {
			b.WriteString(strings.ToUpper(p[:1]) + p[1:])
		}
	}
	return b.String()
}
