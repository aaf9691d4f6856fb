package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Sides is a test program without its checks, for a device that does not know them: main takes what it computed from
// nothing (inputs, constants and expected values, so that a compiler does not fold the program away), and returns the
// operands of every check.
type Sides struct {
	Module *stablehlo.Module
	Args   []*eval.Tensor
	Left   int // operations that main still has

	checks []*stablehlo.Op
}

// TakeApart changes m, which must be the caller's own.
func TakeApart(ctx context.Context, m *stablehlo.Module) (*Sides, error) {
	fn := m.Main()
	if fn == nil {
		return nil, fmt.Errorf("conformance: no main: %w", eval.ErrUnsupported)
	}
	s := &Sides{Module: m}
	body := &stablehlo.Block{Args: fn.Body.Args}
	for _, op := range fn.Body.Ops {
		call, isCall := op.Attr.(*stablehlo.CustomCallAttr)
		switch {
		case op.Kind == stablehlo.Return:
		case isCall && strings.HasPrefix(call.Target, "check."):
			s.checks = append(s.checks, op)
		case len(op.Operands) == 0 && (op.Kind == stablehlo.Constant || op.Kind == stablehlo.Call):
			out, err := eval.Op(ctx, m, op, nil, nil, eval.Options{})
			if err != nil {
				return nil, err
			}
			for i, v := range op.Results {
				t, ok := out[i].(*eval.Tensor)
				if !ok {
					return nil, fmt.Errorf("conformance: an input of type %v: %w", v.Type, eval.ErrUnsupported)
				}
				v.Def, v.Index = nil, len(body.Args)
				body.Args = append(body.Args, v)
				s.Args = append(s.Args, t)
			}
		default:
			body.Ops = append(body.Ops, op)
		}
	}
	if len(s.checks) == 0 {
		return nil, fmt.Errorf("conformance: no checks in main: %w", eval.ErrUnsupported)
	}
	s.Left = len(body.Ops)
	ret := &stablehlo.Op{Kind: stablehlo.Return}
	fn.Results = nil
	for _, c := range s.checks {
		for _, v := range c.Operands {
			ret.Operands = append(ret.Operands, v)
			fn.Results = append(fn.Results, v.Type)
		}
	}
	body.Ops = append(body.Ops, ret)
	fn.Body, fn.ArgAttrs, fn.ResultAttrs = body, nil, nil
	fn.Name, fn.Private = "main", false // compilers look for it
	return s, nil
}

// Check makes the checks on what main returned.
func (s *Sides) Check(ctx context.Context, results []*eval.Tensor) error {
	if want := len(s.Module.Main().Results); len(results) != want {
		return fmt.Errorf("conformance: %d results, want %d", len(results), want)
	}
	for _, c := range s.checks {
		in := make([]eval.Value, len(c.Operands))
		for i := range in {
			in[i] = results[i]
		}
		results = results[len(in):]
		if _, err := eval.Op(ctx, s.Module, c, in, nil, eval.Options{}); err != nil {
			return err
		}
	}
	return nil
}
