package stablehlo_test

import (
	"os"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// BenchmarkParse reads and verifies an attention block with its gradient, in both forms.
func BenchmarkParse(b *testing.B) {
	for _, form := range []string{"mlir", "mlir.bc"} {
		b.Run("form="+form, func(b *testing.B) {
			src, err := os.ReadFile("../testdata/corpus/attn_block_grad." + form)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stablehlo.Parse(src, stablehlo.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPrint writes the same program.
func BenchmarkPrint(b *testing.B) {
	src, err := os.ReadFile("../testdata/corpus/attn_block_grad.mlir")
	if err != nil {
		b.Fatal(err)
	}
	m, err := stablehlo.Parse(src, stablehlo.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(m.String())))
	b.ReportAllocs()
	for b.Loop() {
		_ = m.String()
	}
}
