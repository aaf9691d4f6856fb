package mlir_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// TestMemory checks that programs that could ask for much more memory than their own size do not get it. The limit is
// per byte of the program; a tree of small operations takes some hundred.
func TestMemory(t *testing.T) {
	rep := strings.Repeat
	tests := []struct {
		name, src string
		limit     int // allocated bytes for each byte of the source
	}{
		{"decimal constant", "%0 = stablehlo.constant dense<[" + rep("0.123456789, ", 1<<18-1) + "1.0]> : tensor<262144xf32>", 1},
		{"hex constant", "%0 = stablehlo.constant dense<\"0x" + rep("0123ABCD", 1<<18) + "\"> : tensor<262144xf32>", 1},
		{"resource", "%0 = stablehlo.constant dense_resource<r> : tensor<262144xf32>\n{-# dialect_resources: {builtin: {r: \"0x10000000" + rep("0123ABCD", 1<<18) + "\"}} #-}", 1},
		{"resource used often", rep("\"x.y\"() {a = dense_resource<r> : tensor<100000xi1>} : () -> ()\n", 2000) + "{-# dialect_resources: {builtin: {r: \"0x10000000" + rep("01", 100000) + "\"}} #-}", 60},
		{"packed resource used often", rep("\"x.y\"() {a = dense_resource<r> : tensor<800000xi1>} : () -> ()\n", 2000) + "{-# dialect_resources: {builtin: {r: \"0x10000000" + rep("01", 100000) + "\"}} #-}", 60},
		{"splat lists", rep("\"stablehlo.x\"() {strides = dense<1> : tensor<65536xi64>} : () -> ()\n", 2000), 60},
		{"huge splats", rep("\"x.y\"() {a = dense<1> : tensor<99999999999x9xi64>} : () -> ()\n", 2000), 60},
		{"results", "%0:99999999999 = \"x.y\"() : () -> ()", 4000},
		{"shape without elements", rep("\"x.y\"() {a = dense<[]> : tensor<999999999xi64>} : () -> ()\n", 2000), 60},
		{"long symbol", "\"x.y\"() {a = @a" + rep("::@a", 1<<16) + "} : () -> ()", 20},
		{"nested locations", "#l0 = loc(\"" + rep("x", 900) + "\")\n" + chain("#l%d = loc(\"y\"(#l%p))\n", 5000), 60},
		{"equal long types", "!a = tensor<" + rep("1x", 250) + "f32>\n!b = tensor<" + rep("1x", 250) + "f32>\n%0 = \"x.y\"() : () -> !a\n" + rep("\"x.y\"(%0) : (!b) -> ()\n", 4000), 100},
		{"long types by alias", "!a = tensor<" + rep("1x", 250) + "f32>\n" + chain("!a%d = tuple<!a, !a>\n", 5000), 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := []byte(test.src)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, err := mlir.ParseText(src, mlir.Options{})
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(src)); got > uint64(test.limit) {
				t.Errorf("%d bytes allocated for each of %d, want at most %d (error %.100v)", got, len(src), test.limit, err)
			}
			runtime.KeepAlive(m)
		})
	}
}

// chain writes a line for each number, with the number before it.
func chain(line string, n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		b.WriteString(strings.NewReplacer("%d", fmt.Sprint(i), "%p", fmt.Sprint(i-1)).Replace(line))
	}
	return b.String()
}

// TestAliasDepth checks that a chain of aliases counts as the nesting that it stands for.
func TestAliasDepth(t *testing.T) {
	for name, src := range map[string]string{
		"types":      "!a0 = tuple<i32>\n" + chain("!a%d = tuple<!a%p>\n", 1000),
		"attributes": "#a0 = [1]\n" + chain("#a%d = [#a%p]\n", 1000),
	} {
		_, err := mlir.ParseText([]byte(src), mlir.Options{})
		if err == nil || !strings.Contains(err.Error(), "nested more than") {
			t.Errorf("%s: got %v, want an error of nesting", name, err)
		}
	}
}
