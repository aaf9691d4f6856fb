package plan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// planner runs the StableHLO project's programs through plans: what main computes from nothing (its inputs, constants
// and expected values) becomes the arguments, so that compiling does not fold the program away, and the checks are made
// on the results.
type planner struct {
	pool                       plan.Pool
	planned, evaluated, checks atomic.Int64
}

func (p *planner) Run(ctx context.Context, _ conformance.Program, m *stablehlo.Module) error {
	if len(m.Funcs) == 0 {
		return nil
	}
	fn := m.Main()
	body := &stablehlo.Block{Args: fn.Body.Args}
	var values []eval.Value
	var checks []*stablehlo.Op
	var ret stablehlo.Op
	for _, op := range fn.Body.Ops {
		call, isCall := op.Attr.(*stablehlo.CustomCallAttr)
		switch {
		case op.Kind == stablehlo.Return:
			ret = *op
		case isCall && strings.HasPrefix(call.Target, "check."):
			checks = append(checks, op)
		case len(op.Operands) == 0 && (op.Kind == stablehlo.Constant || op.Kind == stablehlo.Call):
			out, err := eval.Op(ctx, m, op, nil, nil, eval.Options{})
			if err != nil {
				return err
			}
			for i, v := range op.Results {
				v.Def, v.Index = nil, len(body.Args)
				body.Args = append(body.Args, v)
				values = append(values, out[i])
			}
		default:
			body.Ops = append(body.Ops, op)
		}
	}
	ret.Operands, fn.Results = nil, nil
	for _, c := range checks {
		for _, v := range c.Operands {
			ret.Operands = append(ret.Operands, v)
			fn.Results = append(fn.Results, v.Type)
		}
	}
	body.Ops = append(body.Ops, &ret)
	fn.Body = body
	fn.ArgAttrs = nil
	args := make([]plan.Arg, len(values))
	for i, v := range values {
		t, ok := v.(*eval.Tensor)
		if !ok {
			return plan.ErrUnsupported
		}
		args[i].Data = aligned(t.Data)
	}
	var results [][]byte
	for _, pool := range []plan.Pool{nil, p.pool} {
		prog, err := plan.Compile(ctx, m, fn, plan.Options{Workers: pool})
		if err != nil {
			return err
		}
		got, err := prog.Run(ctx, args, nil)
		if err != nil {
			return err
		}
		for i, v := range values {
			if !bytes.Equal(args[i].Data, v.(*eval.Tensor).Data) {
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
	for _, c := range checks {
		in := make([]eval.Value, len(c.Operands))
		for i, v := range c.Operands {
			in[i] = &eval.Tensor{Type: v.Type, Data: results[i]}
		}
		results = results[len(in):]
		p.checks.Add(1)
		if _, err := eval.Op(ctx, m, c, in, nil, eval.Options{}); err != nil {
			return err
		}
	}
	return nil
}

// TestConformance runs every program that the evaluator passes through a plan.
func TestConformance(t *testing.T) {
	file := os.Getenv("ISTHMUS_TESTDATA")
	if file == "" {
		file = filepath.Join("..", "..", "..", "shared", "data", "stablehlo-testdata.tar.gz")
	}
	if testing.Short() {
		t.Skip("not in short mode: thousands of programs")
	}
	if _, err := os.Stat(file); err != nil {
		t.Skip("no test programs: set ISTHMUS_TESTDATA to stablehlo-testdata.tar.gz")
	}
	programs, err := conformance.Load(file)
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
	t.Logf("%d of %d programs planned, %d with evaluated steps, %d left to the evaluator", p.planned.Load(), len(programs), p.evaluated.Load()/2, refused)
	if p.planned.Load() < 2000 || p.checks.Load() < 2000 {
		t.Errorf("%d programs planned and %d checks made, want 2000 at least", p.planned.Load(), p.checks.Load())
	}
}
