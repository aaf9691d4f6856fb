package corpus_test

import (
	"os"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// Every program of the corpus and of the examples, as text and as artifact, gives XLA's results on every device:
// the embedded one and both real XLA CPU plugins. Each goes the whole way: client, compiler, buffers, execution.
func TestDevicesAgree(t *testing.T) {
	for _, d := range []struct {
		name, device string
		lapack       bool
	}{
		{"embedded", target.Embedded, true},
		{"cpu", os.Getenv("ISTHMUS_PJRT_CPU"), false},
		{"cpu-old", os.Getenv("ISTHMUS_PJRT_CPU_OLD"), false},
	} {
		t.Run("device="+d.name, func(t *testing.T) {
			if d.device == "" {
				t.Skip("no plugin given; ./check sets ISTHMUS_PJRT_CPU and ISTHMUS_PJRT_CPU_OLD to the installed ones")
			}
			client, err := target.Open(t.Context(), d.device)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			})
			for _, c := range load(t) {
				t.Run(c.Name, func(t *testing.T) { agree(t, client, &c, d.lapack) })
			}
		})
	}
}

func agree(t *testing.T, client *pjrt.Client, c *corpus.Case, lapack bool) {
	inputs, want, err := c.Arrays()
	if err != nil {
		t.Fatal(err)
	}
	for form, program := range map[string]func() ([]byte, error){"text": c.Text, "bytecode": c.Bytecode} {
		code, err := program()
		if err != nil {
			t.Fatal(err)
		}
		got, err := run(t, client, code, inputs)
		if len(c.CustomCalls) > 0 && !lapack {
			// XLA's plugins do not have the handlers, which jaxlib registers; they have to say so.
			if err == nil || !strings.Contains(err.Error(), "lapack_") {
				t.Errorf("%s: error %v, want one that names the missing handler", form, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if err := c.Compare(got, want); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// run compiles and runs a program once.
func run(t *testing.T, client *pjrt.Client, code []byte, inputs []npy.Array) ([]npy.Array, error) {
	t.Helper()
	ctx := t.Context()
	exe, err := client.Compile(ctx, pjrt.MLIR(code), pjrt.CompileOptions{})
	if err != nil {
		return nil, err
	}
	closing(t, exe)
	args := make([]*pjrt.Buffer, len(inputs))
	for i, a := range inputs {
		dims := make([]int, len(a.Shape))
		for j, d := range a.Shape {
			dims[j] = int(d)
		}
		if args[i], err = pjrt.PutBytes(ctx, client.Device(), pjrt.Type{DType: a.DType, Dims: dims}, a.Data); err != nil {
			return nil, err
		}
		closing(t, args[i])
	}
	outs, err := exe.Execute(ctx, args, pjrt.ExecuteOptions{})
	if err != nil {
		return nil, err
	}
	got := make([]npy.Array, len(outs))
	for i, out := range outs {
		closing(t, out)
		got[i] = npy.Array{DType: out.DType(), Shape: []int64{}}
		for _, d := range out.Dims() {
			got[i].Shape = append(got[i].Shape, int64(d))
		}
		if got[i].Data, err = out.Bytes(ctx); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// closing closes v when the test ends.
func closing(t *testing.T, v interface{ Close() error }) {
	t.Helper()
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
}
