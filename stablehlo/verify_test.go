package stablehlo_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestVerify parses each program of testdata/verify.txt, whose first line says what must come of it: "// ok", or
// "// error: " and the message. The file has a good and several bad programs for each operation.
func TestVerify(t *testing.T) {
	src, err := os.ReadFile("testdata/verify.txt")
	if err != nil {
		t.Fatal(err)
	}
	good := map[stablehlo.Kind]bool{}
	bad := map[string]bool{}
	for i, part := range strings.Split(string(src), "// -----\n") {
		want, body, _ := strings.Cut(part, "\n")
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			m, err := stablehlo.Parse([]byte(part), stablehlo.Options{})
			got := "// ok"
			if err != nil {
				got = "// error: " + strings.ReplaceAll(err.Error(), "\n", " | ")
			}
			if got != want {
				t.Errorf("got  %s\nwant %s\n%s", got, want, body)
			}
			if err != nil {
				for _, w := range strings.Fields(got) {
					bad[strings.TrimSuffix(w, ":")] = true
				}
				return
			}
			for _, f := range m.Funcs {
				f.Walk(func(o *stablehlo.Op) bool {
					good[o.Kind] = true
					return true
				})
			}
			if again, err := stablehlo.Parse([]byte(m.String()), stablehlo.Options{}); err != nil || !stablehlo.Equal(m, again) {
				t.Errorf("does not survive printing: %v\n%s", err, m)
			}
		})
	}
	for _, k := range stablehlo.Kinds() {
		switch k {
		case stablehlo.Return, stablehlo.Call, stablehlo.Composite, stablehlo.CustomCall:
			continue // below, and in other programs
		}
		if !good[k] {
			t.Errorf("testdata/verify.txt has no good %v", k)
		}
		if name := "stablehlo." + k.String(); !bad[name] {
			t.Errorf("testdata/verify.txt has no bad %v", k)
		}
	}
}

// TestErrors checks what Parse says of programs that are wrong as a whole.
func TestErrors(t *testing.T) {
	const many = "func.func @f(%x: tensor<2xf32>, %y: tensor<3xf32>) {\n"
	for _, tt := range []struct {
		name, src string
		opts      stablehlo.Options
		want      string
	}{
		{"empty bytecode", "ML\xefR", stablehlo.Options{File: "a.mlirbc"}, "a.mlirbc: byte 4: "},
		{"file name", "func.func @f() {", stablehlo.Options{File: "a.mlir"}, "a.mlir:1:17: "},
		{"first line", "func.func @f() {", stablehlo.Options{FirstLine: 8}, "8:17: "},
		{
			"test operation", "func.func @f(%x: tensor<f32>) {\n  check.expect_eq %x, %x : tensor<f32>\n  return\n}",
			stablehlo.Options{},
			"2:3: check.expect_eq: operations of the check dialect are for conformance tests only; remove it",
		},
		{
			"several", many + "  \"stablehlo.add\"(%x) : (tensor<2xf32>) -> ()\n  \"stablehlo.negate\"() : () -> ()\n  return\n}",
			stablehlo.Options{},
			"2:3: stablehlo.add: must have 2 operands, not 1\n3:3: stablehlo.negate: must have 1 operands, not 0",
		},
		{
			"bounded", many + strings.Repeat("  \"stablehlo.add\"(%x) : (tensor<2xf32>) -> ()\n", 100) + "  return\n}",
			stablehlo.Options{},
			strings.TrimSuffix(func() (s string) {
				for i := range 20 {
					s += fmt.Sprintf("%d:3: stablehlo.add: must have 2 operands, not 1\n", i+2)
				}
				return s
			}(), "\n"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := stablehlo.Parse([]byte(tt.src), tt.opts)
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); got != tt.want && !(strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
