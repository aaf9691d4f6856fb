package embedded_test

import (
	"bytes"
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// Every program of the corpus gives XLA's results on the planned executor with one worker and with several, the same to
// the bit, and on the evaluator.
func TestCorpus(t *testing.T) {
	all, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	one, many := client(t, device.Options{Workers: 1}), client(t, device.Options{Workers: 3})
	oracle := client(t, device.Options{Evaluator: true})
	for _, c := range all.Cases {
		t.Run(c.Name, func(t *testing.T) {
			inputs, want, err := c.Arrays()
			if err != nil {
				t.Fatal(err)
			}
			code, err := c.Bytecode()
			if err != nil {
				t.Fatal(err)
			}
			first := runCase(t, one, code, inputs)
			if err := c.Compare(first, want); err != nil {
				t.Errorf("planned: %v", err)
			}
			for i, out := range runCase(t, many, code, inputs) {
				if !bytes.Equal(out.Data, first[i].Data) {
					t.Errorf("output %d: three workers make other bits than one", i)
				}
			}
			if err := c.Compare(runCase(t, oracle, code, inputs), want); err != nil {
				t.Errorf("evaluator: %v", err)
			}
		})
	}
}

func runCase(t *testing.T, c *pjrt.Client, code []byte, inputs []npy.Array) []npy.Array {
	t.Helper()
	x := compile(t, c, string(code))
	var args []*pjrt.Buffer
	for _, in := range inputs {
		typ := pjrt.Type{DType: in.DType}
		for _, d := range in.Shape {
			typ.Dims = append(typ.Dims, int(d))
		}
		b, err := pjrt.PutBytes(t.Context(), c.Device(), typ, in.Data)
		if err != nil {
			t.Fatal(err)
		}
		closing(t, b)
		args = append(args, b)
	}
	var got []npy.Array
	for _, out := range execute(t, x, args...) {
		a := npy.Array{DType: out.DType(), Shape: []int64{}}
		for _, d := range out.Dims() {
			a.Shape = append(a.Shape, int64(d))
		}
		var err error
		if a.Data, err = out.Bytes(t.Context()); err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	return got
}
