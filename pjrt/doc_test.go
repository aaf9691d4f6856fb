package pjrt_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"log"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestP34EverythingIsDocumented looks at every exported name of the package.
func TestP34EverythingIsDocumented(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		a, err := parser.ParseFile(fset, f, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, a)
	}
	p, err := doc.NewFromFiles(fset, parsed, "github.com/isthmus-ffi/isthmus/pjrt")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	check := func(name, text string) {
		if seen++; text == "" {
			t.Errorf("%s has no comment", name)
		}
	}
	check("the package", p.Doc)
	for _, f := range p.Funcs {
		check(f.Name, f.Doc)
	}
	for _, v := range append(p.Consts, p.Vars...) {
		check(v.Names[0], v.Doc)
	}
	for _, typ := range p.Types {
		check(typ.Name, typ.Doc)
		for _, m := range append(typ.Methods, typ.Funcs...) {
			check(typ.Name+"."+m.Name, m.Doc)
		}
		for _, v := range append(typ.Consts, typ.Vars...) {
			check(v.Names[0], v.Doc)
		}
	}
	if seen < 115 {
		t.Errorf("only %d names seen", seen)
	}
	// P12: no raw memory can be had through the exported API.
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			fn, ok := n.(*ast.FuncDecl)
			if !ok {
				return true
			}
			if !fn.Name.IsExported() {
				return false
			}
			ast.Inspect(fn.Type, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && (id.Name == "uintptr" || id.Name == "unsafe") {
					t.Errorf("%s has a %s", fn.Name.Name, id.Name)
				}
				return true
			})
			return false
		})
	}
}

// ExampleTopology_Compile compiles a program for devices, keeps it, and runs what was kept.
func ExampleTopology_Compile() {
	ctx := context.Background()
	plugin, err := embedded.Plugin(device.Options{}) // any plugin, such as Google's for TPUs that are elsewhere
	if err != nil {
		log.Fatal(err)
	}
	topology, err := plugin.NewTopology(ctx, "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer topology.Close()
	program, err := topology.Compile(ctx, pjrt.MLIR(`
		func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
			%0 = stablehlo.sqrt %x : tensor<2xf32>
			return %0 : tensor<2xf32>
		}`), pjrt.CompileOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer program.Close()
	kept, err := program.Serialize()
	if err != nil {
		log.Fatal(err)
	}

	client, err := plugin.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	exe, err := client.Deserialize(ctx, kept, pjrt.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer exe.Close()
	x, err := pjrt.Put(ctx, client.Device(), []float32{9, 16}, 2)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	out, err := exe.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer out[0].Close()
	fmt.Println(pjrt.Get[float32](ctx, out[0]))
	// Output: [3 4] <nil>
}

// ExampleParseShape shows how a TPU lays out a matrix.
func ExampleParseShape() {
	s := pjrt.Shape{Type: pjrt.Type{DType: dtype.F32, Dims: []int{100, 300}}, MinorToMajor: []int{1, 0}, Tiles: [][]int{{8, 128}}}
	b, err := s.Serialize()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pjrt.ParseShape(b))
	// Output: f32[100,300]{1,0:T(8,128)} <nil>
}
