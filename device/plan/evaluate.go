package plan

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// evaluate schedules an operation that has no fast form: package eval runs it on the operands as they lie in memory.
func (s *scheduler) evaluate(i *inst) (*unit, error) {
	u := &unit{out: i.out, evaluated: true}
	ins := make([]view, len(i.in))
	for k, v := range i.in {
		ins[k] = s.view(v)
		if !ins[k].contiguous() && v.typ.Len() > 0 {
			return nil, fmt.Errorf("plan: %v: %s: operand %d is not in memory", i.op.Pos, i.kind, k)
		}
		u.reads = append(u.reads, ins[k].base)
	}
	caps := make([]view, len(i.captures))
	for k, c := range i.captures {
		caps[k] = s.view(c.to)
		u.reads = append(u.reads, caps[k].base)
	}
	module, opts := s.module, eval.Options{Extern: s.extern}
	u.step = func(r *run) error {
		args := make([]eval.Value, len(ins))
		for k, w := range ins {
			args[k] = &eval.Tensor{Type: i.in[k].typ, Data: r.view(w, i.in[k].typ)}
		}
		env := map[*stablehlo.Value]eval.Value{}
		for k, w := range caps {
			t := i.captures[k].to.typ
			env[i.captures[k].from] = &eval.Tensor{Type: t, Data: r.view(w, t)}
		}
		out, err := eval.Op(r.ctx, module, i.op, args, env, opts)
		if err != nil {
			return err
		}
		for k, v := range i.out {
			t, ok := out[k].(*eval.Tensor)
			if !ok || int64(len(t.Data)) != v.typ.Size() {
				return fmt.Errorf("plan: %v: %s: result %d is not %v", i.op.Pos, i.kind, k, v.typ)
			}
			copy(r.bytes(v), t.Data)
		}
		return r.err()
	}
	return u, nil
}

// view is the memory of a contiguous view of a value of type t.
func (r *run) view(w view, t stablehlo.Type) []byte {
	if w.base.lit != nil && w.base.lit.Splat {
		return expanded(w.base.lit, t)
	}
	at := w.off * int64(t.Elem.Size())
	return r.bytes(w.base)[at : at+t.Size()]
}

func expanded(lit *stablehlo.Literal, t stablehlo.Type) []byte {
	if !lit.Splat {
		return lit.Data
	}
	data := alignedBytes(t.Size())
	for at := 0; at < len(data); at += len(lit.Data) {
		copy(data[at:], lit.Data)
	}
	return data
}

// fold computes an instruction whose operands are all constants, if it is small. An elementwise operation of splats is
// computed once.
func (l *lowering) fold(i *inst, results []*stablehlo.Value) []*value {
	if between(i.kind) || i.kind == stablehlo.CustomCall || i.kind == stablehlo.Composite || len(i.captures) > 0 || i.kind == stablehlo.RNGBitGenerator {
		return nil
	}
	n, splats := int64(0), len(i.in) > 0 && len(results) == 1 && elementwise(i.kind)
	for _, v := range i.in {
		if v.lit == nil {
			return nil
		}
		splats = splats && v.lit.Splat
		n += v.typ.Len()
	}
	for _, r := range results {
		n += r.Type.Len()
	}
	if splats {
		return l.foldSplat(i, results[0].Type)
	}
	// What takes long to evaluate for its size is not folded.
	limit := int64(maxFold)
	switch i.kind {
	case stablehlo.Convolution, stablehlo.DotGeneral, stablehlo.Sort, stablehlo.ReduceWindow, stablehlo.SelectAndScatter,
		stablehlo.FFT, stablehlo.Cholesky, stablehlo.TriangularSolve:
		limit = 256
	case stablehlo.BroadcastInDim:
		limit = 1024 // a view costs nothing
	}
	if n > limit {
		return nil
	}
	args := make([]eval.Value, len(i.in))
	for k, v := range i.in {
		args[k] = &eval.Tensor{Type: v.typ, Data: expanded(v.lit, v.typ)}
	}
	out, err := eval.Op(l.ctx, l.module, i.op, args, nil, eval.Options{})
	if err != nil {
		return nil // it will fail, or not, when it runs
	}
	vals := make([]*value, len(results))
	for k, r := range results {
		t, ok := out[k].(*eval.Tensor)
		if !ok || int64(len(t.Data)) != r.Type.Size() {
			return nil
		}
		vals[k] = &value{typ: r.Type, lit: &stablehlo.Literal{Type: r.Type, Data: aligned(t.Data, r.Type.Elem.Size())}}
	}
	return vals
}

func (l *lowering) foldSplat(i *inst, t stablehlo.Type) []*value {
	one := *i.op
	one.Operands = make([]*stablehlo.Value, len(i.in))
	args := make([]eval.Value, len(i.in))
	for k, v := range i.in {
		st := stablehlo.TensorOf(v.typ.Elem)
		one.Operands[k] = &stablehlo.Value{Type: st}
		args[k] = &eval.Tensor{Type: st, Data: v.lit.Data}
	}
	st := stablehlo.TensorOf(t.Elem)
	one.Results = []*stablehlo.Value{{Type: st, Def: &one}}
	out, err := eval.Op(l.ctx, l.module, &one, args, nil, eval.Options{})
	if err != nil {
		return nil
	}
	x, ok := out[0].(*eval.Tensor)
	if !ok || len(x.Data) != t.Elem.Size() {
		return nil
	}
	return []*value{{typ: t, lit: &stablehlo.Literal{Type: t, Data: aligned(x.Data, t.Elem.Size()), Splat: true}}}
}

// elementwise says whether element i of the result depends on element i of the operands alone.
func elementwise(k stablehlo.Kind) bool {
	if _, ok := unaryOps[k]; ok {
		return true
	}
	if _, ok := binaryOps[k]; ok {
		return true
	}
	switch k {
	case stablehlo.Convert, stablehlo.Compare, stablehlo.Select, stablehlo.Clamp, stablehlo.IsFinite, stablehlo.Complex,
		stablehlo.Real, stablehlo.Imag, stablehlo.ReducePrecision:
		return true
	}
	return false
}
