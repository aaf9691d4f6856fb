package eval

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func identity(_ *runner, _ *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	for _, v := range in {
		retain(v)
	}
	return in, nil
}

func call(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, ok := op.Attr.(stablehlo.CallAttr)
	if !ok || a.Callee == nil {
		return nil, fmt.Errorf("has no callee")
	}
	return r.call(a.Callee, in)
}

func composite(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, ok := op.Attr.(*stablehlo.CompositeAttr)
	if !ok || a.Decomposition == nil {
		return nil, fmt.Errorf("has no decomposition")
	}
	return r.call(a.Decomposition, in)
}

func caseOp(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	n := int64(len(op.Regions))
	i, err := scalarInt(ts[0])
	if err != nil {
		return nil, fmt.Errorf("index %w", err)
	}
	if i < 0 || i >= n {
		i = n - 1
	}
	return r.block(op.Regions[i], nil, f)
}

func ifOp(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	p, err := scalarInt(ts[0])
	if err != nil {
		return nil, fmt.Errorf("pred %w", err)
	}
	if len(op.Regions) != 2 {
		return nil, fmt.Errorf("has %d regions, want 2", len(op.Regions))
	}
	return r.block(op.Regions[1-boolInt(p != 0)], nil, f)
}

func while(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	if len(op.Regions) != 2 {
		return nil, fmt.Errorf("has %d regions, want 2", len(op.Regions))
	}
	values := in
	for _, v := range values {
		retain(v)
	}
	for {
		if err := r.tick(); err != nil {
			return nil, fmt.Errorf("eval: stopped in a while loop: %w", err)
		}
		cond, err := r.block(op.Regions[0], values, f)
		if err != nil {
			return nil, err
		}
		if len(cond) != 1 {
			return nil, fmt.Errorf("condition returns %d values, want 1", len(cond))
		}
		t, ok := cond[0].(*Tensor)
		if !ok {
			return nil, fmt.Errorf("condition is not a tensor")
		}
		p, err := scalarInt(t)
		if err != nil {
			return nil, fmt.Errorf("condition %w", err)
		}
		release(t)
		if p == 0 {
			return values, nil
		}
		next, err := r.block(op.Regions[1], values, f)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			release(v)
		}
		values = next
	}
}

func tupleOp(_ *runner, _ *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	for _, v := range in {
		retain(v)
	}
	return []Value{Tuple(append([]Value(nil), in...))}, nil
}

func getTupleElement(_ *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, _ := op.Attr.(stablehlo.DimAttr)
	t, ok := in[0].(Tuple)
	if !ok || a.Dim < 0 || int(a.Dim) >= len(t) {
		return nil, fmt.Errorf("element %d of what is not such a tuple", a.Dim)
	}
	retain(t[a.Dim])
	return []Value{t[a.Dim]}, nil
}

// asyncStart runs its computation at once; asyncDone only unpacks the results.
func asyncStart(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	b, err := region(op, 0, len(in))
	if err != nil {
		return nil, err
	}
	out, err := r.block(b, in, f)
	if err != nil {
		return nil, err
	}
	return []Value{Tuple(out)}, nil
}

func asyncDone(_ *runner, _ *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	t, ok := in[0].(Tuple)
	if !ok {
		return nil, fmt.Errorf("operand is not a future")
	}
	for _, v := range t {
		retain(v)
	}
	return t, nil
}
