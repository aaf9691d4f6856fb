package eval

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

const unsignedKind = dtype.Unsigned

// indexReader finds the index vector of each batch of a gather or scatter.
type indexReader struct {
	values []int64
	dims   []int64 // of the batch: the indices' dimensions without the index vector's
	step   []int   // of those dimensions
	vector int     // step along the index vector; 0 where each index is one element
	t      *Tensor
}

func newIndexReader(t *Tensor, vectorDim int64) (*indexReader, error) {
	values, err := intsOf(t)
	if err != nil {
		return nil, fmt.Errorf("indices %w", err)
	}
	rank := int64(t.Type.Rank())
	if vectorDim < 0 || vectorDim > rank {
		return nil, fmt.Errorf("index_vector_dim %d for indices %v", vectorDim, t.Type)
	}
	x := &indexReader{values: values, t: t}
	all := strides(t.Type.Dims)
	for d, n := range t.Type.Dims {
		if int64(d) == vectorDim {
			x.vector = all[d]
			continue
		}
		x.dims, x.step = append(x.dims, n), append(x.step, all[d])
	}
	return x, nil
}

// at is component k of the index of a batch.
func (x *indexReader) at(batch []int, k int) int64 {
	p := k * x.vector
	for d, i := range batch {
		p += i * x.step[d]
	}
	return x.values[p]
}

// batchPlace is the batch dimension that dimension d of the indices is, given the index vector's dimension.
func batchPlace(d, vectorDim int64) int {
	if d > vectorDim {
		return int(d - 1)
	}
	return int(d)
}

func gather(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, ok := op.Attr.(*stablehlo.GatherAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	t := in[0]
	sizes := a.SliceSizes
	if op.Kind == stablehlo.DynamicGather {
		var err error
		if sizes, err = intsOf(in[2]); err != nil {
			return nil, fmt.Errorf("slice_sizes %w", err)
		}
	}
	rank := t.Type.Rank()
	if len(sizes) != rank {
		return nil, fmt.Errorf("slice_sizes %v for operand %v", sizes, t.Type)
	}
	for d, n := range sizes {
		if n < 0 || n > t.Type.Dims[d] {
			return nil, fmt.Errorf("slice_sizes %v for operand %v", sizes, t.Type)
		}
	}
	done, err := r.scratch(op, in[1].Len(), 8)
	if err != nil {
		return nil, err
	}
	defer done()
	x, err := newIndexReader(in[1], a.IndexVectorDim)
	if err != nil {
		return nil, err
	}
	step := strides(t.Type.Dims)
	// The dimensions of a slice that stay in the result.
	var offset []int64
	var offsetStep []int
	for d := range rank {
		if !slices.Contains(a.CollapsedSliceDims, int64(d)) && !slices.Contains(a.OperandBatchingDims, int64(d)) {
			offset, offsetStep = append(offset, sizes[d]), append(offsetStep, step[d])
		}
	}
	dims := make([]int64, len(x.dims)+len(offset))
	if len(offset) != len(a.OffsetDims) {
		return nil, fmt.Errorf("offset_dims %v for slices of %v", a.OffsetDims, offset)
	}
	outStep := make([]int, len(dims)) // in the operand, 0 along batch dimensions
	var batchDims []int
	for d, b, o := 0, 0, 0; d < len(dims); d++ {
		if k := slices.Index(a.OffsetDims, int64(d)); k >= 0 {
			dims[d], outStep[d] = offset[k], offsetStep[k]
			o++
		} else {
			if b >= len(x.dims) {
				return nil, fmt.Errorf("offset_dims %v for a result of rank %d", a.OffsetDims, len(dims))
			}
			dims[d] = x.dims[b]
			batchDims = append(batchDims, d)
			b++
		}
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	size := out.Type.Elem.Size()
	resultStep := strides(dims)
	var sliceStep []int // in the result, of the offset dimensions
	for _, d := range a.OffsetDims {
		sliceStep = append(sliceStep, resultStep[d])
	}
	batch := make([]int, len(x.dims))
	local := make([]int, len(offset))
	for n := range product(x.dims) {
		if n%4096 == 0 {
			if err := r.tick(); err != nil {
				return nil, err
			}
		}
		base, to := 0, 0
		for k, d := range a.StartIndexMap {
			base += step[d] * int(clampIndex(in[1], x.at(batch, k), t.Type.Dims[d]-sizes[d]))
		}
		for k, d := range a.OperandBatchingDims {
			base += step[d] * batch[batchPlace(a.StartIndicesBatching[k], a.IndexVectorDim)]
		}
		for k, d := range batchDims {
			to += resultStep[d] * batch[k]
		}
		clear(local)
		for range product(offset) {
			p, q := base, to
			for d, i := range local {
				p += i * offsetStep[d]
				q += i * sliceStep[d]
			}
			put(out.Data, q, t.Data, p, size)
			next(local, offset)
		}
		next(batch, x.dims)
	}
	return out, nil
}

// scatter folds the updates, in row-major order, onto the inputs by the region; updates outside of the input are
// dropped one element at a time.
func scatter(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	a, ok := op.Attr.(*stablehlo.ScatterAttr)
	if !ok || len(ts)%2 != 1 {
		return nil, fmt.Errorf("has no attributes or %d operands", len(ts))
	}
	n := len(ts) / 2
	inputs, indices, updates := ts[:n], ts[n], ts[n+1:]
	b, err := region(op, 0, 2*n)
	if err != nil {
		return nil, err
	}
	m, err := r.machine(b, f, 1)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, indices.Len(), 8)
	if err != nil {
		return nil, err
	}
	defer done()
	x, err := newIndexReader(indices, a.IndexVectorDim)
	if err != nil {
		return nil, err
	}
	dims := inputs[0].Type.Dims
	step := strides(dims)
	outs := make([]Value, n)
	for i, t := range inputs {
		out, err := r.out(op, i, dims)
		if err != nil {
			return nil, err
		}
		copy(out.Data, t.Data)
		outs[i] = out
	}
	var windowDims []int // of the input, in the order of update_window_dims
	for d := range dims {
		if !slices.Contains(a.InsertedWindowDims, int64(d)) && !slices.Contains(a.InputBatchingDims, int64(d)) {
			windowDims = append(windowDims, d)
		}
	}
	if len(windowDims) != len(a.UpdateWindowDims) {
		return nil, fmt.Errorf("update_window_dims %v for inputs %v", a.UpdateWindowDims, inputs[0].Type)
	}
	upDims := updates[0].Type.Dims
	var scatterDims []int
	for d := range upDims {
		if !slices.Contains(a.UpdateWindowDims, int64(d)) {
			scatterDims = append(scatterDims, d)
		}
	}
	if len(scatterDims) != len(x.dims) {
		return nil, fmt.Errorf("updates %v for indices %v", updates[0].Type, indices.Type)
	}
	idx := make([]int, len(upDims))
	batch := make([]int, len(x.dims))
	at := make([]int64, len(dims))
	for u := range product(upDims) {
		if u%4096 == 0 {
			if err := r.tick(); err != nil {
				return nil, err
			}
		}
		for k, d := range scatterDims {
			batch[k] = idx[d]
		}
		clear(at)
		inside := true
		for k, d := range a.ScatterDimsToOperandDims {
			at[d] = x.at(batch, k)
			// A ui64 above the int64 range must not come back in range by adding to it.
			inside = inside && at[d] < dims[d] && (at[d] >= 0 || indices.Type.Elem.Kind() != unsignedKind)
		}
		for k, d := range a.InputBatchingDims {
			at[d] += int64(batch[batchPlace(a.ScatterIndicesBatching[k], a.IndexVectorDim)])
		}
		for k, d := range a.UpdateWindowDims {
			at[windowDims[k]] += int64(idx[d])
		}
		p := 0
		for d, i := range at {
			inside = inside && i >= 0 && i < dims[d]
			p += int(i) * step[d]
		}
		if inside {
			for i := range inputs {
				m.args[i].loadOne(0, outs[i].(*Tensor).Data, p)
				m.args[n+i].loadOne(0, updates[i].Data, u)
			}
			if err := m.run(1); err != nil {
				return nil, err
			}
			for i := range inputs {
				m.results[i].storeOne(0, outs[i].(*Tensor).Data, p)
			}
		}
		next(idx, upDims)
	}
	return outs, nil
}
