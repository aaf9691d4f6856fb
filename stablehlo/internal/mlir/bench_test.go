package mlir_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// BenchmarkProgram parses the StableHLO project's test programs of less than 8 KiB, which hold operations more than
// constants.
func BenchmarkProgram(b *testing.B) {
	var all bytes.Buffer
	corpus(b, func(name string, data []byte) {
		if strings.HasSuffix(name, ".mlir") && strings.Contains(name, "/testdata/") && len(data) < 8<<10 {
			fmt.Fprintf(&all, "module {\n%s\n}\n", data)
		}
	})
	b.SetBytes(int64(all.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mlir.ParseText(all.Bytes(), mlir.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDense parses one constant in the forms that printers write.
func BenchmarkDense(b *testing.B) {
	const n = 1 << 18
	for _, test := range []struct{ name, elem, typ string }{
		{"form=decimal/dtype=f32", "-0.123456791", "f32"},
		{"form=scientific/dtype=f32", "1.23456788E-4", "f32"},
		{"form=scientific/dtype=f64", "1.2345678901234567E-4", "f64"},
		{"form=decimal/dtype=i32", "-123456", "i32"},
		{"form=decimal/dtype=f16", "0.1235", "f16"},
		{"form=bool/dtype=i1", "true", "i1"},
	} {
		b.Run(test.name, func(b *testing.B) {
			body := strings.TrimSuffix(strings.Repeat(test.elem+", ", n), ", ")
			benchmarkConstant(b, fmt.Sprintf("[%s]> : tensor<%dx%s>", body, n, test.typ))
		})
	}
	b.Run("form=hex/dtype=f32", func(b *testing.B) {
		benchmarkConstant(b, fmt.Sprintf("\"0x%s\"> : tensor<%dxf32>", strings.Repeat("0123ABCD", n), n))
	})
}

func benchmarkConstant(b *testing.B, rest string) {
	src := []byte("%0 = stablehlo.constant dense<" + rest)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mlir.ParseText(src, mlir.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
