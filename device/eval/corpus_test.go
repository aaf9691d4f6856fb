package eval_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// The evaluator agrees with XLA's CPU backend on every program of the corpus, in text and in bytecode, and on the
// examples.
func TestCorpus(t *testing.T) {
	c, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Cases) != 72 {
		t.Errorf("%d cases, want 72", len(c.Cases))
	}
	for i, k := range append(c.Cases, c.Examples...) {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			forms := map[string]func() ([]byte, error){"bytecode": k.Bytecode}
			if i < len(c.Cases) { // the examples are too large to run twice
				forms["text"] = k.Text
			}
			for form, read := range forms {
				src, err := read()
				if err != nil {
					t.Fatal(err)
				}
				m, err := stablehlo.Parse(src, stablehlo.Options{File: k.Name})
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				inputs, want, err := k.Arrays()
				if err != nil {
					t.Fatal(err)
				}
				args := make([]eval.Value, len(inputs))
				for i, a := range inputs {
					args[i] = &eval.Tensor{Type: stablehlo.TensorOf(a.DType, a.Shape...), Data: a.Data}
				}
				out, err := eval.Run(t.Context(), m, m.Main(), args, eval.Options{})
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				got := make([]npy.Array, len(out))
				for i, v := range out {
					r, ok := v.(*eval.Tensor)
					if !ok {
						t.Fatalf("%s: result %d is %T", form, i, v)
					}
					got[i] = npy.Array{DType: r.Type.Elem, Shape: r.Type.Dims, Data: r.Data}
				}
				if err := k.Compare(got, want); err != nil {
					t.Errorf("%s: %v", form, err)
				}
			}
		})
	}
}
