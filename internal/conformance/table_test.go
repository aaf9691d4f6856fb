package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/pjrt"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// table runs programs on a client of package pjrt: as printed text, their inputs in buffers.
type table struct{ client *pjrt.Client }

func (r table) Run(ctx context.Context, _ conformance.Program, m *stablehlo.Module) (err error) {
	if len(m.Funcs) == 0 {
		return nil
	}
	s, err := conformance.TakeApart(ctx, m)
	if err != nil {
		return err
	}
	var open []interface{ Close() error }
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	x, err := r.client.Compile(ctx, pjrt.MLIR([]byte(m.String())), pjrt.CompileOptions{})
	if err != nil {
		if errors.Is(err, isthmus.ErrUnsupported) {
			err = fmt.Errorf("%w: %w", eval.ErrUnsupported, err)
		}
		return err
	}
	open = append(open, x)
	var args []*pjrt.Buffer
	for _, a := range s.Args {
		t := pjrt.Type{DType: a.Type.Elem}
		for _, d := range a.Type.Dims {
			t.Dims = append(t.Dims, int(d))
		}
		b, err := pjrt.PutBytes(ctx, r.client.Device(), t, a.Data)
		if err != nil {
			return err
		}
		open, args = append(open, b), append(args, b)
	}
	outs, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
	if err != nil {
		return err
	}
	var results []*eval.Tensor
	for _, b := range outs {
		open = append(open, b)
	}
	for i, b := range outs {
		t := &eval.Tensor{Type: stablehlo.TensorOf(b.DType())}
		t.Type.Quant = m.Main().Results[i].Quant
		for _, d := range b.Dims() {
			t.Type.Dims = append(t.Type.Dims, int64(d))
		}
		if t.Data, err = b.Bytes(ctx); err != nil {
			return err
		}
		results = append(results, t)
	}
	return s.Check(ctx, results)
}

// testPlugin runs the programs on a plugin that somebody names, such as XLA's for CPUs. Its misses are not ours: the floor
// says that our printer and client carry the programs over.
func testPlugin(t *testing.T, programs []conformance.Program) {
	file := os.Getenv("ISTHMUS_CONFORMANCE_PLUGIN")
	if file == "" {
		t.Skip("takes minutes; set ISTHMUS_CONFORMANCE_PLUGIN to the path of a plugin")
	}
	p, err := pjrt.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	// XLA ends the process on types that it does not know, so only the programs that JAX made are run.
	programs = slices.DeleteFunc(slices.Clone(programs), func(p conformance.Program) bool { return p.Set != "testdata" })
	results := conformance.Run(t.Context(), programs, table{newClient(t, p)}, time.Minute)
	for _, r := range results {
		if r.Outcome != conformance.Pass {
			t.Logf("%s: %v: %v", r.Program.Name, r.Outcome, r.Err)
		}
	}
	pass := conformance.Tally(results)["testdata"].By[conformance.Pass]
	t.Logf("conformance: %s: testdata %d of %d passed", filepath.Base(file), pass, len(results))
	if pass < 2290 {
		t.Errorf("%d programs pass, want 2290", pass)
	}
}

func newClient(t *testing.T, p *pjrt.Plugin) *pjrt.Client {
	t.Helper()
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// testTable runs the programs through the function table of the embedded device: everything that a client of it goes
// through. The checks are made here.
func testTable(t *testing.T, programs []conformance.Program, evaluated []conformance.Result) {
	p, err := embedded.Plugin(device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results := conformance.Run(t.Context(), programs, table{newClient(t, p)}, time.Minute)
	for i, r := range results {
		switch {
		case r.Outcome == conformance.Pass || evaluated[i].Outcome != conformance.Pass:
		case strings.HasPrefix(r.Program.Name, "interpret/probe.mlir"): // what a probe saw stays in the device
		case r.Program.Name == "interpret/power.mlir#02": // compares 1e40 with an absolute tolerance
		default:
			t.Errorf("%s: %v: %v", r.Program.Name, r.Outcome, r.Err)
		}
	}
	report(t, "embedded device through its table", results, map[string]int{"testdata": 2319, "quantized": 126, "interpret": 506, "math": 47})
}
