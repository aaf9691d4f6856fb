// Package niltest calls methods on values that nobody made, to show that none of them panics.
package niltest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

// Methods calls every exported method of the types that zeros point to, on a nil pointer and on a zero value of its
// own, with the zero value of every argument. A panic fails the test; so does an exported type in the test's package
// that has exported methods and that zeros lack, and a Close that fails.
//
//	niltest.Methods(t, &Device{}, &Buffer{})
func Methods(t *testing.T, zeros ...any) {
	t.Helper()
	have := map[string]bool{}
	for _, z := range zeros {
		typ := reflect.TypeOf(z)
		name, _, _ := strings.Cut(typ.Elem().Name(), "[")
		have[name] = true
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			// A method of values has no nil receiver: Go itself panics before it is called.
			if _, values := typ.Elem().MethodByName(m.Name); !values {
				t.Run(name+"/nil/"+m.Name, func(t *testing.T) { call(t, m, reflect.Zero(typ)) })
			}
			t.Run(name+"/zero/"+m.Name, func(t *testing.T) { call(t, m, reflect.New(typ.Elem())) })
		}
	}
	for _, name := range receivers(t) {
		if !have[name] {
			t.Errorf("%s has exported methods and is not tested", name)
		}
	}
}

func call(t *testing.T, m reflect.Method, recv reflect.Value) {
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("it panics: %v", v)
		}
	}()
	in := []reflect.Value{recv}
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, reflect.Zero(m.Type.In(i)))
	}
	invoke := m.Func.Call
	if m.Type.IsVariadic() {
		invoke = m.Func.CallSlice
	}
	for _, out := range invoke(in) {
		if err, ok := out.Interface().(error); ok && m.Name == "Close" {
			t.Errorf("it says %v, want nil", err)
		}
	}
}

// receivers are the exported types that the source of the test's package declares exported methods on.
func receivers(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	seen := map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			if name := base(f.Recv.List[0].Type); ast.IsExported(name) && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("no source here: the test must run in its package's folder")
	}
	return names
}

// base is the name of a receiver's type.
func base(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.IndexListExpr:
		return base(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
