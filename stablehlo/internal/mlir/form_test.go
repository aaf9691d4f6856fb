package mlir_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

var update = flag.Bool("update", false, "write the dumps of the forms anew")

// TestForms reads a program for every form of every operation and compares its tree, as text, with the one committed.
func TestForms(t *testing.T) {
	file := filepath.Join("testdata", "forms.txtar")
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	var out txtar.Archive
	for _, f := range a.Files {
		name, ok := strings.CutSuffix(f.Name, ".mlir")
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m, err := mlir.ParseText(f.Data, mlir.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := mlir.Dump(m)
			out.Files = append(out.Files, f, txtar.File{Name: name + ".tree", Data: []byte(got)})
			if diff := cmp.Diff(got, want[name+".tree"]); diff != "" && !*update {
				t.Errorf("tree (-got +want):\n%s", diff)
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, txtar.Format(&out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// formPrograms returns the programs of TestForms.
func formPrograms() (srcs [][]byte) {
	a, err := txtar.ParseFile(filepath.Join("testdata", "forms.txtar"))
	if err != nil {
		return nil
	}
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".mlir") {
			srcs = append(srcs, f.Data)
		}
	}
	return srcs
}

// wrap puts lines into a function, as its lines 2 and following.
func wrap(lines string) string {
	return "func.func @main(%a: tensor<2xf32>, %i: tensor<i32>) {\n" + lines + "\n  return\n}\n"
}

// TestErrors checks that what is wrong is found at its place, and said.
func TestErrors(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"undefined value", wrap("  %0 = stablehlo.add %a, %b : tensor<2xf32>"), "2:26: value %b is not defined"},
		{"value used before", wrap("  %0 = stablehlo.abs %1 : tensor<2xf32>\n  %1 = stablehlo.abs %a : tensor<2xf32>"), "2:22: value %1 is not defined"},
		{"redefined value", wrap("  %0 = stablehlo.abs %a : tensor<2xf32>\n  %0 = stablehlo.abs %a : tensor<2xf32>"), "3:3: value %0 is already defined at 2:3"},
		{"redefined in a region", wrap("  %0 = \"stablehlo.map\"(%a) ({\n  ^bb0(%a: tensor<f32>):\n  }) : (tensor<2xf32>) -> tensor<2xf32>"), "3:8: value %a is already defined at 1:17"},
		{"value of a region", wrap("  \"x.y\"() ({\n  %0 = stablehlo.abs %a : tensor<2xf32>\n }) : () -> ()\n %1 = stablehlo.abs %0 : tensor<2xf32>"), "5:21: value %0 is not defined"},
		{"value of another function", "func.func @f(%a: i32) { return }\nfunc.func @g() { return %a : i32 }", "2:25: value %a is not defined"},
		{"result number", wrap("  %0:2 = \"x.y\"() : () -> (i32, i32)\n  \"x.y\"(%0#2) : (i32) -> ()"), "3:9: value %0 has 2 results, there is no number 2"},
		{"type of a use", wrap("  %0 = stablehlo.abs %a : tensor<3xf32>"), "2:22: %a has the type tensor<2xf32>, used here as tensor<3xf32>"},
		{"number of operands", wrap("  %0 = \"x.y\"(%a, %i) : (tensor<2xf32>) -> i32"), "2:24: x.y has 2 operands and 1 operand types"},
		{"number of results", wrap("  %0, %1 = stablehlo.abs %a : tensor<2xf32>"), "2:3: stablehlo.abs has 1 results, the names bind another number"},
		{"huge number of results", wrap("  %0:999999999999 = stablehlo.abs %a : tensor<2xf32>"), "2:3: stablehlo.abs has 1 results, the names bind another number"},
		{"unknown operation", wrap("  %0 = stablehlo.frob %a : tensor<2xf32>"), `2:8: there is no stablehlo.frob, or only in its generic form, "stablehlo.frob"(…) : (…) -> …`},
		{"missing type", wrap("  %0 = stablehlo.abs %a"), `3:3: expected ":", found "return"`},
		{"bad keyword", wrap("  %0 = stablehlo.iota dum = 0 : tensor<2xi32>"), `2:23: expected "dim", found "dum"`},
		{"enum case", wrap("  %0 = stablehlo.compare LX, %a, %a : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>"), `2:26: expected one of EQ, NE, GE, GT, LE, LT, found "LX"`},
		{"element type", wrap("  %0 = stablehlo.abs %a : tensor<2xf33>"), "2:36: f33 is not an element type of StableHLO"},
		{"end of input", "func.func @main() {\n", "2:1: expected '}' or an operation, found the end of the input"},
		{"string without end", "module attributes {a = \"x\n}", "1:24: string has no end in its line"},
		{"escape", `module attributes {a = "x\q"} {}`, `1:26: unknown escape \q in a string`},
		{"attribute twice", wrap("  \"x.y\"() {a = 1, a = 2} : () -> ()"), "2:19: attribute a is given twice"},
		{"property twice", wrap("  \"x.y\"() <{a = 1}> {a = 2} : () -> ()"), "2:21: attribute a is given twice"},
		{"unknown alias", wrap("  \"x.y\"() {a = #b} : () -> ()"), "2:16: attribute alias #b is not defined"},
		{"unknown type alias", wrap("  \"x.y\"() {a = !b} : () -> ()"), "2:16: type alias !b is not defined"},
		{"more elements", wrap("  %0 = stablehlo.constant dense<[1, 2, 3]> : tensor<2xi32>"), "2:40: more than 2 elements in dimension 0"},
		{"fewer elements", wrap("  %0 = stablehlo.constant dense<[1]> : tensor<2xi32>"), "2:33: 1 elements in dimension 0, the type has 2"},
		{"rank of elements", wrap("  %0 = stablehlo.constant dense<[1, 2]> : tensor<2x1xi32>"), `2:34: expected a list for each of the type's dimensions, found "1"`},
		{"deep elements", wrap("  %0 = stablehlo.constant dense<[[1], [2]]> : tensor<2xi32>"), `2:34: expected an element of type i32, found "["`},
		{"element out of range", wrap("  %0 = stablehlo.constant dense<300> : tensor<2xi8>"), "2:33: integer 300 does not fit 8 bits"},
		{"integer for float", wrap("  %0 = stablehlo.constant dense<3> : tensor<f32>"), "2:33: decimal integer 3 for an f32; write it with a point"},
		{"bits of float", wrap("  %0 = stablehlo.constant dense<0x1FFFF> : tensor<f16>"), "2:33: 0x1FFFF is not the bits of an f16"},
		{"dynamic constant", wrap("  %0 = stablehlo.constant dense<3> : tensor<?xi32>"), "2:38: elements have a static shape, found tensor<?xi32>"},
		{"hex length", wrap("  %0 = stablehlo.constant dense<\"0x0000\"> : tensor<2xi32>"), "2:33: 2 bytes for tensor<2xi32>, which takes 2 elements of 4"},
		{"hex digit", wrap("  %0 = stablehlo.constant dense<\"0x0g000000\"> : tensor<i32>"), `2:36: "0g" is not a hexadecimal digit pair`},
		{"list for a huge shape", wrap("  %0 = stablehlo.constant dense<[1]> : tensor<99999999999999999xi32>"), "2:33: 1 elements in dimension 0, the type has 99999999999999999"},
		{"dimension too large", wrap("  %0 = stablehlo.abs %a : tensor<99999999999999999999xf32>"), "2:34: a dimension is too large"},
		{"rank", wrap("  %0 = stablehlo.abs %a : tensor<" + strings.Repeat("1x", 257) + "f32>"), "2:547: a type with more than 256 dimensions"},
		{"resource missing", wrap("  %0 = stablehlo.constant dense_resource<r> : tensor<i32>"), "2:42: resource r is not in the file"},
		{"struct field", wrap("  \"x.y\"() {a = #stablehlo.dot<lhs = [1]>} : () -> ()"), `2:31: expected one of lhs_batching_dimensions, rhs_batching_dimensions, lhs_contracting_dimensions, rhs_contracting_dimensions, found "lhs"`},
		{"struct field missing", wrap("  \"x.y\"() {a = #stablehlo.channel_handle<handle = 1>} : () -> ()"), "2:52: #stablehlo.channel_handle has no type"},
		{"convolution dimension", wrap("  \"x.y\"() {a = #stablehlo.conv<[b, 1, f]x[0, i, o]->[b, 0, f]>} : () -> ()"), "2:33: spatial dimension 0 is missing"},
		{"applies", wrap("  %0 = stablehlo.reduce(%a init: %a) applies stablehlo.divide across dimensions = [0] : (tensor<2xf32>, tensor<2xf32>) -> tensor<f32>"), `2:46: expected a commutative operation of two operands after applies, found "stablehlo.divide"`},
		{"location alias", "module {} loc(#a)", "1:11: location alias #a is not defined"},
		{"unknown function operation", wrap("  func.cal @f() : () -> ()"), `2:3: there is no func.cal, or only in its generic form, "func.cal"(…) : (…) -> …`},
		{"exponent without point", wrap("  %0 = stablehlo.constant dense<1e5> : tensor<f32>"), "2:33: decimal integer 1 for an f32; write it with a point"},
		{"applies to two", wrap("  %0:2 = stablehlo.reduce(%a init: %i), (%a init: %i) applies stablehlo.add across dimensions = [0] : () -> ()"), "2:63: an operation that applies to one input, not 2"},
		{"complex number", "\"x.y\"() {a = #complex.number<:f32 1.0, 2.0> : complex<f64>} : () -> ()", "1:45: a complex number of type complex<f64> with parts of f32"},
		{"module without region", "\"builtin.module\"() : () -> ()", "1:1: builtin.module has one region"},
		{"successors", wrap("  \"cf.br\"()[^bb1] : () -> ()"), "2:12: successor blocks are not supported: StableHLO has no branches"},
		{"bytes outside", "module {} \x00", `1:11: expected an operation, found "\x00"`},
		{"not a program", "hello", `1:1: expected an operation, found "hello"`},
		{"bounds", "\"x.y\"() {a = tensor<2x?xf32, #stablehlo.bounds<3>>} : () -> ()", "1:29: 1 bounds for 2 dimensions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mlir.ParseText([]byte(test.src), mlir.Options{})
			if err == nil {
				t.Fatalf("no error, want %s", test.want)
			}
			if err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestNesting checks that nesting of every kind ends in an error and not in the end of the stack.
func TestNesting(t *testing.T) {
	const n = 1 << 14
	for name, s := range map[string]string{
		"types":     "\"x.y\"() : () -> " + strings.Repeat("tuple<", n),
		"functions": "\"x.y\"() : () -> " + strings.Repeat("(", n),
		"arrays":    "\"x.y\"() {a = " + strings.Repeat("[", n),
		"dicts":     "\"x.y\"() {a = " + strings.Repeat("{a = ", n),
		"regions":   strings.Repeat("\"x.y\"() ({", n),
		"modules":   strings.Repeat("module {", n),
		"locations": "\"x.y\"() : () -> () loc(" + strings.Repeat("fused[", n),
		"callsites": "\"x.y\"() : () -> () loc(" + strings.Repeat("callsite(", n),
		"names":     "\"x.y\"() : () -> () loc(" + strings.Repeat("\"a\"(", n),
		"encodings": "\"x.y\"() : () -> " + strings.Repeat("tensor<2xf32, ", n),
		"structs":   "\"x.y\"() {a = " + strings.Repeat("#stablehlo.replica_group_mesh_axes<axes = ", n),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mlir.ParseText([]byte(s), mlir.Options{})
			if err == nil || !strings.Contains(err.Error(), "nested more than") {
				t.Errorf("got %.200v, want an error of nesting", err)
			}
		})
	}
}

// TestAliasBomb checks that aliases of aliases cannot stand for more than the input's length allows.
func TestAliasBomb(t *testing.T) {
	for name, lines := range map[string][2]string{
		"attributes": {"#a00 = [1, 1]\n", "#a%d = [#a%p, #a%p]\n"},
		"types":      {"!a00 = tuple<i32, i32>\n", "!a%d = tuple<!a%p, !a%p>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString(lines[0])
			for i := range 60 {
				b.WriteString(strings.NewReplacer("%d", itoa(i+1), "%p", itoa(i)).Replace(lines[1]))
			}
			_, err := mlir.ParseText([]byte(b.String()), mlir.Options{})
			if err == nil || !strings.Contains(err.Error(), "too large once their aliases are expanded") {
				t.Errorf("got %v, want an error of size", err)
			}
		})
	}
}

func itoa(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }

// TestPositions checks the places of operations and values, in a part of a file too.
func TestPositions(t *testing.T) {
	src := []byte("// first\nmodule {}\n// -----\nfunc.func @f(%x: i32) {\n  %a:2, %b = \"x.y\"() : () -> (i32, i32, i32) loc(\"here\"(\"f.py\":7:8))\n  return\n}\n")
	parts := mlir.SplitInput(src)
	if got := bytes.Join(parts, nil); !bytes.Equal(got, src) || len(parts) != 2 {
		t.Fatalf("parts %q", parts)
	}
	m, err := mlir.ParseText(parts[1], mlir.Options{FirstLine: 1 + bytes.Count(parts[0], []byte{'\n'})})
	if err != nil {
		t.Fatal(err)
	}
	f := m.Regions[0].Blocks[0].Ops[0]
	op := f.Regions[0].Blocks[0].Ops[0]
	got := []string{
		f.Pos.String(), f.Regions[0].Blocks[0].Args[0].Pos.String(), op.Pos.String(), op.Loc,
		op.Results[0].Pos.String(), op.Results[1].Name, op.Results[2].Pos.String(),
	}
	want := []string{"4:1", "4:14", "5:14", "here at f.py:7:8", "5:3", "a", "5:9"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("positions (-got +want):\n%s", diff)
	}
	_, err = mlir.ParseText([]byte("\n?"), mlir.Options{FirstLine: 10})
	var e *mlir.Error
	if !errors.As(err, &e) || e.Pos.Line != 11 || e.Pos.Col != 1 || e.Offset != 1 {
		t.Errorf("error %#v, want at 11:1, byte 1", err)
	}
}

func TestSplitInput(t *testing.T) {
	tests := []struct {
		src  string
		want []string
	}{
		{"", []string{""}},
		{"a\n", []string{"a\n"}},
		{"// -----\na\n", []string{"// -----\na\n"}},
		{"a\n// -----\nb\n  // -----\nc", []string{"a\n", "// -----\nb\n", "  // -----\nc"}},
		{"a // -----\nb\n", []string{"a // -----\nb\n"}},
	}
	for _, test := range tests {
		var got []string
		for _, p := range mlir.SplitInput([]byte(test.src)) {
			got = append(got, string(p))
		}
		if diff := cmp.Diff(got, test.want); diff != "" {
			t.Errorf("SplitInput(%q) (-got +want):\n%s", test.src, diff)
		}
	}
}

// FuzzParseText looks for inputs that end in anything but a tree or an error.
func FuzzParseText(f *testing.F) {
	for _, src := range formPrograms() {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := mlir.ParseText(src, mlir.Options{})
		if (m == nil) == (err == nil) {
			t.Fatalf("tree %v, error %v", m, err)
		}
		if m != nil {
			mlir.Dump(m)
		}
	})
}
