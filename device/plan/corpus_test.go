package plan_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// cases lists the functions of the corpus and the programs of the examples.
func cases(t *testing.T) []corpus.Case {
	t.Helper()
	c, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	return append(c.Cases, c.Examples...)
}

func compile(t *testing.T, src []byte, opts plan.Options) *plan.Program {
	t.Helper()
	m, err := stablehlo.Parse(src, stablehlo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Compile(t.Context(), m, m.Main(), opts)
	if errors.Is(err, plan.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func arguments(in []npy.Array) []plan.Arg {
	args := make([]plan.Arg, len(in))
	for i, a := range in {
		args[i].Data = aligned(a.Data)
	}
	return args
}

// aligned is a copy that any element type can lie in.
func aligned(b []byte) []byte {
	c, err := plan.Heap{}.Alloc(int64(len(b)))
	if err != nil {
		panic(err)
	}
	copy(c, b)
	return c
}

// TestCorpus compares every program with what XLA computed, and one worker with four: the bits must agree.
func TestCorpus(t *testing.T) {
	pool := kernel.NewPool(4)
	defer pool.Close()
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			src, err := c.Bytecode()
			if err != nil {
				t.Fatal(err)
			}
			in, want, err := c.Arrays()
			if err != nil {
				t.Fatal(err)
			}
			one := compile(t, src, plan.Options{})
			four := compile(t, src, plan.Options{Workers: pool})
			results, err := one.Run(t.Context(), arguments(in), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]npy.Array, len(results))
			for i, r := range results {
				typ := one.Results()[i]
				got[i] = npy.Array{DType: typ.Elem, Shape: typ.Dims, Data: r}
			}
			if err := c.Compare(got, want); err != nil {
				t.Error(err)
			}
			for range 3 {
				again, err := four.Run(t.Context(), arguments(in), nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range results {
					if !bytes.Equal(results[i], again[i]) {
						t.Errorf("result %d differs between one worker and four", i)
					}
				}
			}
			t.Logf("%+v", one.Stats())
		})
	}
}
