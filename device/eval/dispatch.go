package eval

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// tensorOp computes an operation whose operands are all tensors and which has one result.
type tensorOp func(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error)

func tensorOps(k stablehlo.Kind) tensorOp {
	switch k {
	case stablehlo.BitcastConvert:
		return bitcastConvert
	case stablehlo.BroadcastInDim:
		return broadcastInDim
	case stablehlo.Concatenate:
		return concatenate
	case stablehlo.Constant:
		return constant
	case stablehlo.DynamicSlice:
		return dynamicSlice
	case stablehlo.DynamicUpdateSlice:
		return dynamicUpdateSlice
	case stablehlo.Gather, stablehlo.DynamicGather:
		return gather
	case stablehlo.Iota, stablehlo.DynamicIota:
		return iota_
	case stablehlo.Pad, stablehlo.DynamicPad:
		return pad
	case stablehlo.Reshape, stablehlo.DynamicReshape:
		return reshape
	case stablehlo.Reverse:
		return reverse
	case stablehlo.Slice, stablehlo.RealDynamicSlice:
		return slice
	case stablehlo.Transpose:
		return transpose
	case stablehlo.DynamicBroadcastInDim:
		return dynamicBroadcastInDim
	case stablehlo.GetDimensionSize:
		return getDimensionSize
	case stablehlo.SetDimensionSize:
		return setDimensionSize
	case stablehlo.BatchNormInference:
		return batchNormInference
	case stablehlo.Cholesky:
		return cholesky
	case stablehlo.Convolution, stablehlo.DynamicConv:
		return convolution
	case stablehlo.DotGeneral:
		return dotGeneral
	case stablehlo.FFT:
		return fft
	case stablehlo.TriangularSolve:
		return triangularSolve
	case stablehlo.RNG:
		return rng
	case stablehlo.PartitionID:
		return partitionID
	case stablehlo.ReplicaID:
		return replicaID
	}
	return nil
}

// manyOp computes any other operation.
type manyOp func(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error)

func manyOps(k stablehlo.Kind) manyOp {
	switch k {
	case stablehlo.Map:
		return mapRegion
	case stablehlo.Reduce:
		return reduce
	case stablehlo.ReduceWindow:
		return reduceWindow
	case stablehlo.Scatter:
		return scatter
	case stablehlo.SelectAndScatter:
		return selectAndScatter
	case stablehlo.Sort:
		return sortOp
	case stablehlo.BatchNormGrad:
		return batchNormGrad
	case stablehlo.BatchNormTraining:
		return batchNormTraining
	case stablehlo.RNGBitGenerator:
		return rngBitGenerator
	case stablehlo.AfterAll:
		return func(*runner, *stablehlo.Op, []Value, *frame) ([]Value, error) { return []Value{Token{}}, nil }
	case stablehlo.Call:
		return call
	case stablehlo.Case:
		return caseOp
	case stablehlo.Composite:
		return composite
	case stablehlo.CustomCall:
		return customCall
	case stablehlo.GetTupleElement:
		return getTupleElement
	case stablehlo.If:
		return ifOp
	case stablehlo.OptimizationBarrier:
		return identity
	case stablehlo.TupleOp:
		return tupleOp
	case stablehlo.While:
		return while
	case stablehlo.AllGather:
		return allGather
	case stablehlo.AllReduce:
		return allReduce
	case stablehlo.AllToAll:
		return allToAll
	case stablehlo.CollectiveBroadcast:
		return collectiveBroadcast
	case stablehlo.CollectiveReduce:
		return collectiveReduce
	case stablehlo.CollectivePermute:
		return collectivePermute
	case stablehlo.ReduceScatter:
		return reduceScatter
	case stablehlo.Infeed:
		return infeed
	case stablehlo.Outfeed:
		return outfeed
	case stablehlo.Send:
		return send
	case stablehlo.Recv:
		return recv
	case stablehlo.AsyncStart:
		return asyncStart
	case stablehlo.AsyncDone:
		return asyncDone
	}
	return nil
}

// run computes one operation. Each result carries one reference.
func (r *runner) run(op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	if quantized(op) {
		return r.runQuantized(op, in, f)
	}
	return r.runPlain(op, in, f)
}

func (r *runner) runPlain(op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	if makesNothing(op) {
		return r.nothing(op)
	}
	if m := manyOps(op.Kind); m != nil {
		return m(r, op, in, f)
	}
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	if len(op.Results) != 1 {
		return nil, fmt.Errorf("has %d results: %w", len(op.Results), ErrUnsupported)
	}
	var t *Tensor
	if c := tensorOps(op.Kind); c != nil {
		t, err = c(r, op, ts)
	} else {
		t, err = r.elementwise(op, ts)
	}
	if err != nil {
		return nil, err
	}
	return []Value{t}, nil
}

// makesNothing reports whether op does no more than compute tensors, none of which has an element. Its loops could still
// walk along another dimension, which may be of any length.
func makesNothing(op *stablehlo.Op) bool {
	switch op.Kind {
	case stablehlo.Map, stablehlo.Reduce, stablehlo.ReduceWindow, stablehlo.Scatter, stablehlo.SelectAndScatter,
		stablehlo.Sort, stablehlo.BatchNormGrad, stablehlo.BatchNormTraining:
	default:
		if manyOps(op.Kind) != nil {
			return false
		}
	}
	for _, v := range op.Results {
		if !v.Type.Static() || v.Type.Len() > 0 {
			return false
		}
	}
	return true
}

func (r *runner) nothing(op *stablehlo.Op) ([]Value, error) {
	outs := make([]Value, len(op.Results))
	for i, v := range op.Results {
		t, err := r.out(op, i, v.Type.Dims)
		if err != nil {
			return nil, err
		}
		outs[i] = t
	}
	return outs, nil
}

// elementwise computes an elementwise operation a lane at a time. A scalar operand of select and clamp stands for all
// elements.
func (r *runner) elementwise(op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	if len(in) == 0 {
		return nil, ErrUnsupported
	}
	types := make([]dtype.Type, len(in))
	shape := in[0]
	for i, t := range in {
		types[i] = t.Type.Elem
		if t.Type.Rank() > shape.Type.Rank() {
			shape = t
		}
	}
	compute, err := elementwise(op, types, op.Results[0].Type.Elem)
	if err != nil {
		return nil, err
	}
	if compute == nil {
		return nil, fmt.Errorf("on %v: %w", types, ErrUnsupported)
	}
	total := shape.Len()
	src := make([]*lane, len(in))
	for i, t := range in {
		src[i] = newLane(types[i], min(total, laneLen))
		switch {
		case t.Len() == total:
		case t.Len() == 1 && t.Type.Rank() == 0:
			one := newLane(types[i], 1)
			one.load(t.Data, 0, 1)
			src[i].fill(one, min(total, laneLen))
		default:
			return nil, fmt.Errorf("operand %d is %v, operand shape is %v", i, t.Type, shape.Type)
		}
	}
	out, err := r.out(op, 0, shape.Type.Dims)
	if err != nil {
		return nil, err
	}
	dst := newLane(out.Type.Elem, min(total, laneLen))
	for at := 0; at < total; at += laneLen {
		if at%(64*laneLen) == 0 {
			if err := r.tick(); err != nil {
				return nil, err
			}
		}
		n := min(laneLen, total-at)
		for i, t := range in {
			if t.Len() == total {
				src[i].load(t.Data, at, n)
			}
		}
		compute(dst, src, n)
		dst.store(out.Data, at, n)
	}
	return out, nil
}
