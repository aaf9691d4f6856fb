package pjrt_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// tpu loads Google's library for TPUs, which compiles without one. It is 200 MB, so only the lanes that ask for it
// have it: nothing else is left out where it is not.
func tpu(t *testing.T) *pjrt.Plugin {
	t.Helper()
	path := os.Getenv("ISTHMUS_PJRT_TPU")
	if path == "" {
		t.Skip("ISTHMUS_PJRT_TPU is not set; ./check tpu installs the library and sets it")
	}
	t.Setenv("TPU_SKIP_MDS_QUERY", "1") // else it asks the network what machine this is, for minutes
	p, err := pjrt.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// anyOrder compares attributes as a set: plugins give them in the order of a hash table.
var anyOrder = cmpopts.SortSlices(func(a, b pjrt.NamedValue) bool { return a.Name < b.Name })

// TestTPUTopologies makes topologies of TPUs that are not here.
func TestTPUTopologies(t *testing.T) {
	p := tpu(t)
	for name, want := range map[string]struct {
		devices int
		kind    string
		layout  string // of f32[100,300]
	}{
		"v4:2x2x1":  {8, "TPU v4", "f32[100,300]{0,1:T(8,128)}"},
		"v5e:2x2":   {4, "TPU v5 lite", "f32[100,300]{0,1:T(8,128)}"},
		"v5e:4x4":   {16, "TPU v5 lite", "f32[100,300]{0,1:T(8,128)}"},
		"v6e:2x2":   {4, "TPU v6 lite", "f32[100,300]{0,1:T(8,128)}"},
		"v5p:2x2x1": {4, "TPU v5", "f32[100,300]{0,1:T(8,128)}"},
	} {
		t.Run(strings.ReplaceAll(name, ":", "-"), func(t *testing.T) {
			top, err := p.NewTopology(t.Context(), name, nil)
			if err != nil {
				t.Fatal(err)
			}
			devices := top.Devices()
			if len(devices) != want.devices || devices[0].Kind != want.kind || top.Platform() != "tpu" || len(devices[0].Attributes) == 0 {
				t.Errorf("%v, %+v", top, devices)
			}
			b, err := top.Serialize()
			if err != nil {
				t.Fatal(err)
			}
			again, err := p.DeserializeTopology(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(devices, again.Devices(), anyOrder); d != "" {
				t.Errorf("devices (-made +read)\n%s", d)
			}
			n, err := top.Fingerprint()
			m, err2 := again.Fingerprint()
			if n != m || n == 0 || err != nil || err2 != nil {
				t.Errorf("fingerprints %d, %v and %d, %v", n, err, m, err2)
			}
			if ids, err := top.MemoryKindIDs(); err != nil || len(ids) == 0 {
				t.Errorf("memories %v, %v", ids, err)
			}
			s, err := top.CanonicalShape(0, pjrt.Shape{Type: pjrt.Type{DType: pjrt.DType[float32](), Dims: []int{100, 300}}})
			if err != nil || s.String() != want.layout {
				t.Errorf("laid out as %v, %v, want %s", s, err, want.layout)
			}
			kept, err := s.Serialize() // tiles survive the way there and back
			if err != nil {
				t.Fatal(err)
			}
			if s, err := pjrt.ParseShape(kept); err != nil || s.String() != want.layout {
				t.Errorf("read again as %v, %v", s, err)
			}
			for _, x := range []*pjrt.Topology{again, top} {
				if err := x.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if top, err := p.NewTopology(t.Context(), "v99:1x1", nil); err == nil {
		t.Errorf("made %v", top)
		top.Close()
	}
}

// TestTPUCompilesTheCorpus compiles JAX's functions for three kinds of TPU, without one.
func TestTPUCompilesTheCorpus(t *testing.T) {
	p := tpu(t)
	all, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"v4:2x2x1", "v5e:2x2", "v6e:2x2"} {
		t.Run(strings.ReplaceAll(name, ":", "-"), func(t *testing.T) {
			top, err := p.NewTopology(t.Context(), name, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer top.Close()
			done, wanted := 0, 0
			for _, c := range all.Cases {
				if testing.Short() && wanted == 6 {
					break
				}
				wanted++
				code, err := c.Bytecode()
				if err != nil {
					t.Fatal(err)
				}
				x, err := top.Compile(t.Context(), pjrt.MLIR(code), pjrt.CompileOptions{})
				if err != nil {
					if len(c.CustomCalls) == 0 { // LAPACK's are the CPU's own
						t.Errorf("%s: %v", c.Name, err)
					}
					continue
				}
				done++
				check(t, c, x)
				if err := x.Close(); err != nil {
					t.Error(err)
				}
			}
			t.Logf("%d of %d programs compile for %s", done, wanted, name)
		})
	}
}

// check compares what a compiled program says of itself with its source.
func check(t *testing.T, c corpus.Case, x *pjrt.Compiled) {
	t.Helper()
	params, known := x.Params()
	if !known || len(params) != len(c.Inputs) || len(x.Outputs()) != len(c.Outputs) {
		t.Errorf("%s: %d parameters (%v), %d outputs, want %d and %d", c.Name, len(params), known, len(x.Outputs()), len(c.Inputs), len(c.Outputs))
		return
	}
	for i, p := range params {
		if p.DType != c.Inputs[i].DType {
			t.Errorf("%s: parameter %d is %v", c.Name, i, p)
		}
	}
	for i, o := range x.Outputs() {
		if o.DType != c.Outputs[i].DType {
			t.Errorf("%s: output %d is %v", c.Name, i, o)
		}
	}
	b, err := x.Serialize()
	if err != nil || len(b) == 0 || x.CodeSize() <= 0 || len(x.Fingerprint()) == 0 {
		t.Errorf("%s: %d bytes, code of %d, %v", c.Name, len(b), x.CodeSize(), err)
	}
	o, err := x.CompileOptions()
	if err != nil {
		t.Errorf("%s: options: %v", c.Name, err)
	}
	if _, err := pjrt.CompileOptionsText(o); err != nil {
		t.Errorf("%s: %v", c.Name, err)
	}
	if m, err := x.CompiledMemory(); err != nil || m.Code <= 0 || m.Peak < 0 {
		t.Errorf("%s: memory %+v, %v", c.Name, m, err)
	}
	if cost, err := x.CostAnalysis(); err != nil || len(cost) == 0 {
		t.Errorf("%s: cost %v, %v", c.Name, cost, err)
	}
}
