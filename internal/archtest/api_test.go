package archtest

import (
	"fmt"
	"go/types"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// crossings are exported for this module's own boundary packages. What they take or give is a type of internal/raw,
// which nobody outside can name, so they are no way around the safe API.
var crossings = map[string]bool{
	"device.Table":        true, // the function table, for package embedded
	"device.Server":       true, // the same, for the library that C programs load
	"pjrt.FromTable":      true, // the same, the other way
	"pjrt.TakeDLPack":     true, // a tensor for native code
	"pjrt.Hold":           true, // the memory of a buffer, for native code
	"pjrt.PutDLPack":      true, // the same, the other way
	"ffi.Callback":        true, // a C function pointer, its shape, its arguments and its result
	"ffi.CallbackOptions": true,
	"ffi.NewCallback":     true,
	"ffi.Symbol":          true, // a C function
}

// No exported name leads to an unsafe.Pointer, a uintptr or a type of internal/raw: there is no address that a user
// could keep, do arithmetic on, or free.
func TestP12P13M04NoRawPointersInTheAPI(t *testing.T) {
	all, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps,
		Dir:  "../..",
	}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, p := range all {
		if len(p.Errors) > 0 {
			t.Fatalf("%s: %v", p.PkgPath, p.Errors[0])
		}
		if p.Name == "main" || strings.Contains(p.PkgPath, "/internal/") {
			continue
		}
		checked++
		scope := p.Types.Scope()
		for _, name := range scope.Names() {
			obj := scope.Lookup(name)
			if !obj.Exported() || crossings[p.Name+"."+name] {
				continue
			}
			w := &walker{module: module, seen: map[types.Type]bool{}}
			w.object(obj)
			for _, problem := range w.problems {
				t.Errorf("%s.%s leads to %s", p.Name, name, problem)
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d packages were checked", checked)
	}
}

// TestWalker shows that each way to a pointer is found.
func TestWalker(t *testing.T) {
	all, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports, Dir: "."}, "reflect", "sync/atomic", "io")
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	for _, p := range all {
		for name, want := range map[string]bool{
			"reflect.Value": true, "reflect.SliceHeader": true, "reflect.NewAt": true, // methods, fields, parameters
			"atomic.AddUintptr": true, "atomic.Int64": false, "io.Reader": false, "io.Copy": false,
		} {
			pkg, name, _ := strings.Cut(name, ".")
			if pkg != p.Name {
				continue
			}
			obj := p.Types.Scope().Lookup(name)
			w := &walker{seen: map[types.Type]bool{}}
			w.object(obj)
			if got := len(w.problems) > 0; got != want {
				t.Errorf("%s.%s: found %v, want %v", p.Name, name, w.problems, want)
			}
		}
	}
}

// walker follows the types of a module; what other modules' types hold is theirs.
type walker struct {
	module   string
	seen     map[types.Type]bool
	problems []string
}

func (w *walker) object(obj types.Object) {
	w.typ(obj.Type(), obj.Name())
	if tn, ok := obj.(*types.TypeName); ok {
		if named, ok := tn.Type().(*types.Named); ok {
			for i := range named.NumMethods() {
				if m := named.Method(i); m.Exported() {
					w.typ(m.Type(), m.Name())
				}
			}
		}
	}
}

func (w *walker) typ(t types.Type, where string) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Basic:
		if t.Kind() == types.Uintptr || t.Kind() == types.UnsafePointer {
			w.problems = append(w.problems, fmt.Sprintf("%s in %s", t, where))
		}
	case *types.Named:
		if pkg := t.Obj().Pkg(); pkg != nil && strings.Contains(pkg.Path(), "/internal/raw/") {
			w.problems = append(w.problems, fmt.Sprintf("%s in %s", t, where))
			return
		}
		if pkg := t.Obj().Pkg(); pkg != nil && !strings.HasPrefix(pkg.Path(), w.module) {
			return
		}
		for i := range t.TypeArgs().Len() {
			w.typ(t.TypeArgs().At(i), where)
		}
		if s, ok := t.Underlying().(*types.Struct); ok {
			w.fields(s, where)
			return
		}
		w.typ(t.Underlying(), where)
	case *types.Alias:
		w.typ(types.Unalias(t), where)
	case *types.Struct:
		w.fields(t, where)
	case *types.Pointer:
		w.typ(t.Elem(), where)
	case *types.Slice:
		w.typ(t.Elem(), where)
	case *types.Array:
		w.typ(t.Elem(), where)
	case *types.Chan:
		w.typ(t.Elem(), where)
	case *types.Map:
		w.typ(t.Key(), where)
		w.typ(t.Elem(), where)
	case *types.Tuple:
		for v := range t.Variables() {
			w.typ(v.Type(), where)
		}
	case *types.Signature:
		w.typ(t.Params(), where)
		w.typ(t.Results(), where)
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			w.typ(m.Type(), where+"."+m.Name())
		}
		for e := range t.EmbeddedTypes() {
			if _, union := e.(*types.Union); !union { // a constraint is no value
				w.typ(e, where)
			}
		}
	}
}

func (w *walker) fields(s *types.Struct, where string) {
	for f := range s.Fields() {
		if f.Exported() {
			w.typ(f.Type(), where+"."+f.Name())
		}
	}
}
