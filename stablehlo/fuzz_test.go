package stablehlo_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// chloLines are operations that package expand takes apart, for [chloProgram].
var chloLines = []string{
	"%r:2 = chlo.top_k(%x, k = 2) : tensor<4xf32> -> (tensor<2xf32>, tensor<2xi32>)",
	"%r = chlo.polygamma %x, %x : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>",
	"%r = \"chlo.broadcast_add\"(%x, %x) {broadcast_dimensions = array<i64: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>",
	"%r = \"stablehlo.torch_index_select\"(%x, %i) {dim = 0 : i64, batch_dims = 0 : i64} : (tensor<4xf32>, tensor<2xi32>) -> tensor<2xf32>",
	"%r = stablehlo.einsum %x, %x, config = \"a,b->ab\" : (tensor<4xf32>, tensor<4xf32>) -> tensor<4x4xf32>",
	"%r:2 = chlo.scan(%x) inits(%z) dimension=0 {\n^bb0(%a: tensor<f32>, %b: tensor<f32>):\n%s = stablehlo.add %a, %b : tensor<f32>\n" +
		"stablehlo.return %s, %s : tensor<f32>, tensor<f32>\n} : (tensor<4xf32>, tensor<f32>) -> (tensor<4xf32>, tensor<f32>)",
	"%r = \"chlo.ragged_dot\"(%m, %g, %i) {ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], " +
		"rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>} : " +
		"(tensor<4x3xf32>, tensor<2x3x5xf32>, tensor<2xi32>) -> tensor<4x5xf32>",
}

// chloProgram puts a line into a function that has the values it uses.
func chloProgram(line string) []byte {
	return []byte("func.func @f(%x: tensor<4xf32>, %z: tensor<f32>, %i: tensor<2xi32>, %m: tensor<4x3xf32>, %g: tensor<2x3x5xf32>) {\n" +
		line + "\nreturn\n}")
}

// FuzzParse feeds damaged programs: none may panic, take long, or verify and then fail to print and read back.
func FuzzParse(f *testing.F) {
	verify, err := os.ReadFile("testdata/verify.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, part := range stablehlo.SplitInput(verify) {
		f.Add(part)
	}
	for _, line := range chloLines {
		src := chloProgram(line)
		if _, err := stablehlo.Parse(src, stablehlo.Options{}); err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, pattern := range []string{"../testdata/corpus/*.mlir", "../testdata/corpus/*.mlir.bc"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(src) < 16<<10 {
				f.Add(src)
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		start := time.Now()
		m, err := stablehlo.Parse(src, stablehlo.Options{TestOps: true})
		if d := time.Since(start); d > time.Minute {
			t.Fatalf("took %v", d)
		}
		if err != nil {
			return
		}
		text := m.String()
		if stablehlo.IsBytecode(src) {
			return // it can hold attributes that text cannot say
		}
		again, err := stablehlo.Parse([]byte(text), stablehlo.Options{TestOps: true})
		if err != nil {
			t.Fatalf("printed text: %v\n%s", err, text)
		}
		if !stablehlo.Equal(m, again) {
			t.Fatalf("the printed program is another:\n%s\n%s", text, again)
		}
	})
}
