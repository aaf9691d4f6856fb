package bytecode_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
)

// BenchmarkRead reads programs that are mostly operations.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"attn_block_grad", "convnet_fwd"} {
		b.Run("program="+name, func(b *testing.B) {
			data := readFile(b, "../../../testdata/corpus/"+name+".mlir.bc")
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := bytecode.Read(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
