package eval

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// features walks a tensor by the index along one dimension.
func features(t *Tensor, dim int64) (count int, of func(p int) int, err error) {
	if dim < 0 || int(dim) >= t.Type.Rank() || !t.Type.Elem.IsFloat() {
		return 0, nil, fmt.Errorf("feature_index %d of operand %v", dim, t.Type)
	}
	n, step := int(t.Type.Dims[dim]), strides(t.Type.Dims)[dim]
	return n, func(p int) int { return p / step % n }, nil
}

func batchNormInference(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.BatchNormAttr)
	count, of, err := features(in[0], a.Feature)
	if err != nil {
		return nil, err
	}
	for _, t := range in[1:] {
		if t.Len() != count {
			return nil, fmt.Errorf("operand %v for %d features", t.Type, count)
		}
	}
	out, err := r.out(op, 0, in[0].Type.Dims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, in[0].Len(), 8)
	if err != nil {
		return nil, err
	}
	defer done()
	x, scale, offset, mean, variance := in[0].floats(), in[1].floats(), in[2].floats(), in[3].floats(), in[4].floats()
	for p, v := range x {
		c := of(p)
		x[p] = (v-mean[c])/math.Sqrt(variance[c]+float64(a.Epsilon))*scale[c] + offset[c]
	}
	encodeFloats(out.Type.Elem, x, out.Data)
	return out, nil
}

// moments are mean and (biased) variance of each feature.
func moments(x []float64, count int, of func(int) int) (mean, variance []float64) {
	mean, variance = make([]float64, count), make([]float64, count)
	if count == 0 {
		return mean, variance
	}
	n := float64(len(x) / count)
	for p, v := range x {
		mean[of(p)] += v
	}
	for c := range mean {
		mean[c] /= n
	}
	for p, v := range x {
		d := v - mean[of(p)]
		variance[of(p)] += d * d
	}
	for c := range variance {
		variance[c] /= n
	}
	return mean, variance
}

func batchNormTraining(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	a, _ := op.Attr.(stablehlo.BatchNormAttr)
	count, of, err := features(ts[0], a.Feature)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, ts[0].Len(), 8)
	if err != nil {
		return nil, err
	}
	defer done()
	x, scale, offset := ts[0].floats(), ts[1].floats(), ts[2].floats()
	if len(scale) != count || len(offset) != count {
		return nil, fmt.Errorf("scale %v and offset %v for %d features", ts[1].Type, ts[2].Type, count)
	}
	mean, variance := moments(x, count, of)
	for p, v := range x {
		c := of(p)
		x[p] = (v-mean[c])/math.Sqrt(variance[c]+float64(a.Epsilon))*scale[c] + offset[c]
	}
	return r.floatResults(op, [][]float64{x, mean, variance}, [][]int64{ts[0].Type.Dims, {int64(count)}, {int64(count)}})
}

func (r *runner) floatResults(op *stablehlo.Op, values [][]float64, dims [][]int64) ([]Value, error) {
	outs := make([]Value, len(values))
	for i, v := range values {
		if i >= len(op.Results) {
			return nil, fmt.Errorf("has %d results, want %d", len(op.Results), len(values))
		}
		t, err := r.out(op, i, dims[i])
		if err != nil {
			return nil, err
		}
		encodeFloats(t.Type.Elem, v, t.Data)
		outs[i] = t
	}
	return outs, nil
}

func batchNormGrad(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	a, _ := op.Attr.(stablehlo.BatchNormAttr)
	count, of, err := features(ts[0], a.Feature)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, ts[0].Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	x, scale, mean, variance, grad := ts[0].floats(), ts[1].floats(), ts[2].floats(), ts[3].floats(), ts[4].floats()
	if len(scale) != count || len(mean) != count || len(variance) != count || len(grad) != len(x) {
		return nil, fmt.Errorf("operands do not fit %v with %d features", ts[0].Type, count)
	}
	gradScale, gradOffset := make([]float64, count), make([]float64, count)
	centred := make([]float64, count) // sum of grad * (x - mean)
	for p, g := range grad {
		c := of(p)
		gradOffset[c] += g
		centred[c] += g * (x[p] - mean[c])
	}
	n := float64(len(x)) / math.Max(1, float64(count))
	for c := range gradScale {
		gradScale[c] = centred[c] / math.Sqrt(variance[c]+float64(a.Epsilon))
	}
	for p, v := range x {
		c := of(p)
		ve := variance[c] + float64(a.Epsilon)
		// grad_operand = scale / (n*stddev) * (n*grad - sum(grad) - (x-mean)*sum(grad*(x-mean))/(variance+eps))
		x[p] = scale[c] / (n * math.Sqrt(ve)) * (n*grad[p] - gradOffset[c] - (v-mean[c])*centred[c]/ve)
	}
	return r.floatResults(op, [][]float64{x, gradScale, gradOffset},
		[][]int64{ts[0].Type.Dims, {int64(count)}, {int64(count)}})
}
