package eval

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// quantized reports whether an operand or result of op has a quantized type.
func quantized(op *stablehlo.Op) bool {
	for _, v := range op.Operands {
		if v.Type.Quant != nil {
			return true
		}
	}
	for _, v := range op.Results {
		if v.Type.Quant != nil {
			return true
		}
	}
	return false
}

// onStorage reports whether an operation only moves or passes values, so that it works on the stored integers.
func onStorage(k stablehlo.Kind) bool {
	switch k {
	case stablehlo.BitcastConvert, stablehlo.BroadcastInDim, stablehlo.Concatenate, stablehlo.Constant,
		stablehlo.DynamicSlice, stablehlo.DynamicUpdateSlice, stablehlo.Gather, stablehlo.Pad, stablehlo.Reshape,
		stablehlo.Reverse, stablehlo.Slice, stablehlo.Transpose, stablehlo.Select, stablehlo.DynamicBroadcastInDim,
		stablehlo.DynamicGather, stablehlo.DynamicPad, stablehlo.DynamicReshape, stablehlo.GetDimensionSize,
		stablehlo.SetDimensionSize, stablehlo.RealDynamicSlice, stablehlo.Call, stablehlo.Case, stablehlo.Composite,
		stablehlo.CustomCall, stablehlo.GetTupleElement, stablehlo.If, stablehlo.OptimizationBarrier,
		stablehlo.TupleOp, stablehlo.While, stablehlo.AllGather, stablehlo.AllToAll, stablehlo.CollectiveBroadcast,
		stablehlo.CollectivePermute, stablehlo.Infeed, stablehlo.Outfeed, stablehlo.Send, stablehlo.Recv,
		stablehlo.AfterAll, stablehlo.AsyncStart, stablehlo.AsyncDone, stablehlo.Iota, stablehlo.DynamicIota:
		return true
	}
	return false
}

// runQuantized computes an operation on quantized tensors: operands are dequantized, the operation runs on real
// numbers, and results are quantized again.
func (r *runner) runQuantized(op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	if onStorage(op.Kind) {
		return r.runPlain(op, in, f)
	}
	real := make([]Value, len(in))
	for i, v := range in {
		t, ok := v.(*Tensor)
		if !ok || op.Operands[i].Type.Quant == nil {
			real[i] = v
			continue
		}
		d, err := r.dequantize(op, t, op.Operands[i].Type.Quant)
		if err != nil {
			return nil, err
		}
		defer release(d)
		real[i] = d
	}
	var out []Value
	switch op.Kind {
	case stablehlo.UniformQuantize, stablehlo.UniformDequantize:
		retain(real[0])
		out = []Value{real[0]}
	default:
		var err error
		if out, err = r.runPlain(r.realOp(op), real, f); err != nil {
			return nil, err
		}
	}
	for i, v := range out {
		q := op.Results[i].Type.Quant
		t, ok := v.(*Tensor)
		if !ok || q == nil {
			continue
		}
		s, err := r.quantize(op, t, op.Results[i].Type)
		if err != nil {
			return nil, err
		}
		release(v)
		out[i] = s
	}
	return out, nil
}

// realOp is op with every quantized type replaced by its expressed type, also in its regions.
func (r *runner) realOp(op *stablehlo.Op) *stablehlo.Op {
	if c, ok := r.floats[op]; ok {
		return c
	}
	c := realOp(op, map[*stablehlo.Value]*stablehlo.Value{})
	r.floats[op] = c
	return c
}

func realOp(op *stablehlo.Op, values map[*stablehlo.Value]*stablehlo.Value) *stablehlo.Op {
	mapped := func(list []*stablehlo.Value) []*stablehlo.Value {
		out := make([]*stablehlo.Value, len(list))
		for i, v := range list {
			out[i] = v
			if c := values[v]; c != nil {
				out[i] = c
			}
		}
		return out
	}
	made := func(list []*stablehlo.Value) []*stablehlo.Value {
		out := make([]*stablehlo.Value, len(list))
		for i, v := range list {
			c := *v
			if q := c.Type.Quant; q != nil {
				c.Type.Elem, c.Type.Quant = q.Expressed, nil
			}
			values[v], out[i] = &c, &c
		}
		return out
	}
	c := *op
	c.Operands = mapped(op.Operands)
	c.Regions = make([]*stablehlo.Block, len(op.Regions))
	for i, b := range op.Regions {
		nb := &stablehlo.Block{Args: made(b.Args)}
		for _, inner := range b.Ops {
			nb.Ops = append(nb.Ops, realOp(inner, values))
		}
		c.Regions[i] = nb
	}
	c.Results = made(op.Results)
	return &c
}

// axis gives for each element the index of its scale and zero point.
func axis(q *stablehlo.Quant, dims []int64) (func(p int) int, error) {
	if len(q.Scales) == 0 || len(q.ZeroPoints) != len(q.Scales) {
		return nil, fmt.Errorf("quantization with %d scales and %d zero points", len(q.Scales), len(q.ZeroPoints))
	}
	if q.Axis < 0 {
		return func(int) int { return 0 }, nil
	}
	if q.Axis >= len(dims) || dims[q.Axis] != int64(len(q.Scales)) {
		return nil, fmt.Errorf("quantization with %d scales along dimension %d of %v", len(q.Scales), q.Axis, dims)
	}
	n, step := len(q.Scales), strides(dims)[q.Axis]
	return func(p int) int { return p / step % n }, nil
}

// dequantize computes (q - zero point) * scale in the expressed type.
func (r *runner) dequantize(op *stablehlo.Op, t *Tensor, q *stablehlo.Quant) (*Tensor, error) {
	at, err := axis(q, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	out, err := r.alloc(op, q.Expressed, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, t.Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	v := make([]float64, t.Len())
	for p, s := range t.ints() {
		c := at(p)
		v[p] = roundFloat(q.Expressed, float64(s-q.ZeroPoints[c])) * roundFloat(q.Expressed, q.Scales[c])
	}
	encodeFloats(q.Expressed, v, out.Data)
	return out, nil
}

// quantize computes x / scale + zero point, rounds to even and clamps to the storage range.
func (r *runner) quantize(op *stablehlo.Op, t *Tensor, typ stablehlo.Type) (*Tensor, error) {
	q := typ.Quant
	at, err := axis(q, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	out, err := r.alloc(op, typ.Elem, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	out.Type.Quant = q
	done, err := r.scratch(op, t.Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	v := make([]int64, t.Len())
	for p, x := range asFloats(t) {
		c := at(p)
		y := roundFloat(q.Expressed, x/roundFloat(q.Expressed, q.Scales[c]))
		y = roundFloat(q.Expressed, y+float64(q.ZeroPoints[c]))
		y = math.RoundToEven(minFloat(maxFloat(y, float64(q.Min)), float64(q.Max)))
		v[p] = floatToInt(dtype.I64, y)
	}
	encodeInts(typ.Elem, v, out.Data)
	return out, nil
}
