package pjrt_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// What extensions tell of a program that was compiled for a TPU that is not here.
func TestP26P37TPUExtensions(t *testing.T) {
	p := tpu(t)
	top, err := p.NewTopology(t.Context(), "v5e:2x2", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	kinds, err := top.MemoryKinds(3)
	names := []string{}
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	if d := cmp.Diff([]string{"device", "pinned_host", "unpinned_host"}, names); err != nil || d != "" {
		t.Errorf("memory kinds %v, %v", kinds, err)
	}
	l, err := top.DefaultLayout(pjrt.Type{DType: dtype.F32, Dims: []int{16, 256}})
	if err != nil || l.String() != "{1,0:T(8,128)}" {
		t.Errorf("default layout %v, %v", l, err)
	}
	x, err := top.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for name, f := range map[string]func() ([]pjrt.Layout, error){"parameters": x.ParamLayouts, "outputs": x.OutputLayouts} {
		if ls, err := f(); err != nil || len(ls) == 0 || ls[0].String() != "{0:T(128)}" {
			t.Errorf("%s: layouts %v, %v", name, ls, err)
		}
	}
	if s, err := x.ParamShardings(); err != nil || len(s) != 0 {
		t.Errorf("shardings %v of a program that is not partitioned, %v", s, err)
	}
	if m, err := x.Metadata(); err != nil || len(m) == 0 {
		t.Errorf("metadata %q, %v", m, err)
	}
	a, err := x.ABI()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := a.Serialize()
	if err != nil || len(b) == 0 {
		t.Fatalf("abi %q, %v", b, err)
	}
	again, err := p.DeserializeExecutableABI(b)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	c, err := again.Serialize()
	if err != nil || !bytes.Equal(b, c) {
		t.Errorf("abi %q became %q, %v", b, c, err)
	}
	id, err := a.PlatformID()
	id2, err2 := again.PlatformID()
	if err != nil || err2 != nil || id == 0 || id != id2 {
		t.Errorf("platforms %d and %d, %v, %v", id, id2, err, err2)
	}
	if r, err := p.DeserializeRuntimeABI([]byte("nonsense")); err == nil {
		t.Errorf("nonsense is the version %v", r)
	}
}

// The phases of the TPU's compiler are there, and what the compiler says of nonsense arrives.
func TestP37TPUPhases(t *testing.T) {
	p := tpu(t)
	top, err := p.NewTopology(t.Context(), "v5e:2x2", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	c, err := p.NewPhaseCompiler()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Phases(); len(got) < 4 || !strings.HasPrefix(got[0], "phase1") {
		t.Errorf("phases %q", got)
	}
	if out, err := c.Run(t.Context(), top, c.Phases()[:1], [][]byte{{}}, pjrt.CompileOptions{}); err == nil || !strings.Contains(err.Error(), "main") {
		t.Errorf("an empty program: %q, %v", out, err)
	}
	if out, err := c.Run(t.Context(), top, []string{"no such phase"}, [][]byte{{}}, pjrt.CompileOptions{}); err == nil {
		t.Errorf("no such phase: %q", out)
	}
}
