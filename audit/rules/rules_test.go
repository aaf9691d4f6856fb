package rules_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/isthmus-ffi/isthmus/audit/internal/cgofile"
	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
	"github.com/isthmus-ffi/isthmus/audit/rules"
)

// TestAnalyzers checks them as any driver of go/analysis does.
func TestAnalyzers(t *testing.T) {
	all := rules.All()
	if err := analysis.Validate(all); err != nil {
		t.Error(err)
	}
	for _, a := range all {
		if len(a.Doc) < 100 {
			t.Errorf("%s has no page", a.Name)
		}
	}
}

// FuzzSource holds loader and rules to any source that the parser takes: no panic, whatever does not type-check.
func FuzzSource(f *testing.F) {
	examples, err := filepath.Glob("*/testdata/src/*/*.go")
	if err != nil || len(examples) < 30 {
		f.Fatal(examples, err)
	}
	for _, name := range examples {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("package p\nimport \"C\"\nfunc f() { x, y := C.f(C.g); C.h = *C.i; type t C.struct_t; _ = C.enum_e(0); _, _ = x, y }")
	f.Add("package p\n/*\n#define A 0x\nenum {B = A, C};\nstruct s { int a:1, b[A]; } (*f)(;\n*/\nimport \"C\"\nvar x C.struct_s = C.s{C.B: C.A}")
	book, err := native.Book()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil || file.Name.Name == "_" {
			return
		}
		text, _ := cgofile.Preamble(file)
		made := ctext.GoTypes(file.Name.Name, cgofile.Used(file), text)
		in := native.Input{Path: "x", Fset: fset, Files: []*ast.File{file}, Importer: none{}, Sizes: types.SizesFor("gc", "amd64"), Book: book}
		if in.CgoTypes, err = parser.ParseFile(fset, "_cgo_gotypes.go", made, parser.SkipObjectResolution); err != nil {
			t.Fatalf("the types that were made up do not parse: %v\n%s", err, made)
		}
		u := native.Check(in)
		for _, a := range rules.All() {
			pass := &analysis.Pass{
				Analyzer: a, Fset: fset, Files: u.Files, Pkg: u.Pkg, TypesInfo: u.Info, TypesSizes: u.Sizes,
				ResultOf: map[*analysis.Analyzer]any{native.Analyzer: u}, Report: func(analysis.Diagnostic) {},
			}
			if _, err := a.Run(pass); err != nil {
				t.Error(err)
			}
		}
	})
}

type none struct{}

func (none) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	return nil, errors.New("there is nothing")
}
