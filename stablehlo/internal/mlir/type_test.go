package mlir_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// TestTypeString: a type that is printed reads back as itself.
func TestTypeString(t *testing.T) {
	read := func(typ string) mlir.Type {
		m, err := mlir.ParseText([]byte(`"test.op"() {t = `+typ+`} : () -> ()`), mlir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, ok := m.Regions[0].Blocks[0].Ops[0].Attr("t").(mlir.TypeAttr)
		if !ok {
			t.Fatalf("%s is not a type", typ)
		}
		return a.Type
	}
	for _, typ := range []string{
		"tensor<2x?xf32>", "tensor<?x3xi4, #stablehlo.bounds<7, ?>>", "tensor<*xf64>", "memref<4xui8>", "index",
		"tensor<complex<f32>>", "tensor<f8E4M3FN>", "!stablehlo.token", "tuple<tensor<i1>, tuple<>>",
		"!stablehlo.future<tensor<2xi32>>", "(tensor<f32>) -> (tensor<f32>, i64)", "none",
		"!quant.uniform<i8:f32, 0.1>", "tensor<2x!quant.uniform<u4<1:14>:f32, 1.0e-01:3>>",
		"tensor<2x!quant.uniform<i32:f64:0, {2.0, 1.0e+10:-5}>>", "tensor<!quant.uniform<f8E5M2:f32, 0.5>>",
	} {
		want := read(typ)
		if got := read(want.String()); !got.Equal(want) {
			t.Errorf("%s printed as %v reads as %v", typ, want, got)
		}
	}
}
