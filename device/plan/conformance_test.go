package plan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// planner runs the StableHLO project's programs, taken apart, through plans.
type planner struct {
	pool                       plan.Pool
	planned, evaluated, checks atomic.Int64
}

func (p *planner) Run(ctx context.Context, _ conformance.Program, m *stablehlo.Module) error {
	if len(m.Funcs) == 0 {
		return nil
	}
	sides, err := conformance.TakeApart(ctx, m)
	if errors.Is(err, eval.ErrUnsupported) {
		return fmt.Errorf("%w: %w", plan.ErrUnsupported, err)
	}
	if err != nil {
		return err
	}
	args := make([]plan.Arg, len(sides.Args))
	for i, a := range sides.Args {
		args[i].Data = aligned(a.Data)
	}
	var results [][]byte
	for _, pool := range []plan.Pool{nil, p.pool} {
		prog, err := plan.Compile(ctx, m, m.Main(), plan.Options{Workers: pool})
		if err != nil {
			return err
		}
		got, err := prog.Run(ctx, args, nil)
		if err != nil {
			return err
		}
		for i, a := range sides.Args {
			if !bytes.Equal(args[i].Data, a.Data) {
				return fmt.Errorf("argument %d was written over", i)
			}
		}
		for i := range results {
			if !bytes.Equal(got[i], results[i]) {
				return fmt.Errorf("result %d differs between one worker and several", i)
			}
		}
		results = got
		if prog.Stats().Evaluated > 0 {
			p.evaluated.Add(1)
		}
	}
	p.planned.Add(1)
	out := make([]*eval.Tensor, len(results))
	for i, data := range results {
		out[i] = &eval.Tensor{Type: m.Main().Results[i], Data: data}
	}
	p.checks.Add(int64(len(out)))
	return sides.Check(ctx, out)
}

// TestConformance runs every program that the evaluator passes through a plan.
func TestConformance(t *testing.T) {
	programs, err := conformance.Load(conformance.Archive(t))
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(3)
	defer pool.Close()
	p := &planner{pool: pool}
	planned := conformance.Run(t.Context(), programs, p, time.Minute)
	evaluated := conformance.Run(t.Context(), programs, conformance.Evaluator{}, time.Minute)
	// The last place of a function may differ: this check compares 1e40 with an absolute tolerance.
	lastPlace := map[string]bool{"interpret/power.mlir#02": true}
	refused := 0
	for i, r := range planned {
		switch {
		case evaluated[i].Outcome != conformance.Pass || r.Outcome == conformance.Pass:
		case lastPlace[r.Program.Name] && r.Outcome == conformance.Mismatch:
		case errors.Is(r.Err, plan.ErrUnsupported):
			refused++
		default:
			t.Errorf("%s: %v: %v", r.Program.Name, r.Outcome, r.Err)
		}
	}
	t.Logf("conformance: plan: %d of %d programs planned, %d with evaluated steps, %d left to the evaluator", p.planned.Load(), len(programs), p.evaluated.Load()/2, refused)
	if p.planned.Load() < 2000 || p.checks.Load() < 2000 {
		t.Errorf("%d programs planned and %d results checked, want 2000 at least", p.planned.Load(), p.checks.Load())
	}
}
