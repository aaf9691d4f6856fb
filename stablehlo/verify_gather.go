package stablehlo

import "slices"

// gather checks Gather and DynamicGather.
func (c check) gather() {
	x, ix, a := c.in(0), c.in(1), attrOf[*GatherAttr](c)
	c.elem(1, integer)
	ivd := a.IndexVectorDim
	c.require(ivd >= 0 && ivd <= int64(ix.Rank()), "index_vector_dim: %d is not one of %d dimensions, nor just behind them", ivd, ix.Rank())
	sizes := a.SliceSizes
	if c.Kind == DynamicGather {
		c.elem(2, integer)
		c.require(compatibleDims(c.in(2).Dims, []int64{int64(x.Rank())}), "slice_sizes must have one entry a dimension of %v, but is %v", x, c.in(2))
		sizes = slices.Repeat([]int64{Dynamic}, x.Rank())
		for _, d := range slices.Concat(a.CollapsedSliceDims, a.OperandBatchingDims) {
			if d >= 0 && d < int64(x.Rank()) {
				sizes[d] = 1
			}
		}
	}
	c.length("slice_sizes", len(sizes), x.Rank())
	c.indexDims(x, ix, a.StartIndexMap, a.CollapsedSliceDims, a.OperandBatchingDims, a.StartIndicesBatching, ivd,
		[4]string{"start_index_map", "collapsed_slice_dims", "operand_batching_dims", "start_indices_batching_dims"})
	for i, n := range sizes {
		if n == Dynamic {
			continue
		}
		c.require(n >= 0 && (x.Dims[i] == Dynamic || n <= x.Dims[i]), "slice_sizes: %d does not fit into dimension %d of %v", n, i, x)
	}
	for _, d := range slices.Concat(a.CollapsedSliceDims, a.OperandBatchingDims) {
		c.require(sizes[d] <= 1, "slice_sizes: %d must be at most 1 in dimension %d, which the result does not have", sizes[d], d)
	}
	batch := withoutDim(ix.Dims, ivd)
	rank := len(batch) + len(a.OffsetDims)
	c.sorted("offset_dims", a.OffsetDims)
	c.dims("offset_dims", a.OffsetDims, rank)
	c.require(len(a.OffsetDims)+len(a.CollapsedSliceDims)+len(a.OperandBatchingDims) == x.Rank(),
		"offset_dims, collapsed_slice_dims and operand_batching_dims must name %d dimensions together, not %d", x.Rank(),
		len(a.OffsetDims)+len(a.CollapsedSliceDims)+len(a.OperandBatchingDims))
	var offsets []int64
	for i, n := range sizes {
		if !slices.Contains(a.CollapsedSliceDims, int64(i)) && !slices.Contains(a.OperandBatchingDims, int64(i)) {
			offsets = append(offsets, n)
		}
	}
	dims := make([]int64, 0, rank)
	for i := range int64(rank) {
		if slices.Contains(a.OffsetDims, i) {
			dims, offsets = append(dims, offsets[0]), offsets[1:]
		} else {
			dims, batch = append(dims, batch[0]), batch[1:]
		}
	}
	c.resultShape(0, dims)
	c.sameElem(x, c.out(0))
}

// withoutDim drops dimension d, if there is one.
func withoutDim(dims []int64, d int64) []int64 {
	if d >= int64(len(dims)) {
		return dims
	}
	return slices.Delete(slices.Clone(dims), int(d), int(d)+1)
}

// indexDims checks how the index vectors of a gather or scatter address dimensions of x.
func (c check) indexDims(x, ix Type, toX, dropped, batchX, batchIx []int64, ivd int64, names [4]string) {
	c.dims(names[0], toX, x.Rank())
	c.dims(names[1], dropped, x.Rank())
	c.dims(names[2], batchX, x.Rank())
	c.dims(names[3], batchIx, ix.Rank())
	c.sorted(names[1], dropped)
	c.sorted(names[2], batchX)
	for _, d := range batchX {
		c.require(!slices.Contains(toX, d), "dimension %d cannot be both in %s and %s", d, names[0], names[2])
		c.require(!slices.Contains(dropped, d), "dimension %d cannot be both in %s and %s", d, names[1], names[2])
	}
	c.require(!slices.Contains(batchIx, ivd), "index_vector_dim %d cannot be in %s", ivd, names[3])
	c.require(len(batchX) == len(batchIx), "%s and %s must have as many entries", names[2], names[3])
	for i, d := range batchX {
		c.require(compatibleDim(x.Dims[d], ix.Dims[batchIx[i]]), "batching dimensions %d of %v and %d of %v must have one size", d, x, batchIx[i], ix)
	}
	n := int64(1)
	if ivd < int64(ix.Rank()) {
		n = ix.Dims[ivd]
	}
	c.require(compatibleDim(n, int64(len(toX))), "%s has %d entries but index vectors have %d", names[0], len(toX), n)
}

func (c check) scatter() {
	n := (len(c.Operands) - 1) / 2
	c.require(n > 0 && len(c.Operands) == 2*n+1, "must have inputs, indices and as many updates, not %d operands", len(c.Operands))
	c.require(len(c.Results) == n, "must have %d results, not %d", n, len(c.Results))
	a := attrOf[*ScatterAttr](c)
	x, ix, u := c.in(0), c.in(n), c.in(n+1)
	c.elem(n, integer)
	for i := range n {
		c.sameShape(x, c.in(i))
		c.sameShape(u, c.in(n+1+i))
	}
	ivd := a.IndexVectorDim
	c.require(ivd >= 0 && ivd <= int64(ix.Rank()), "index_vector_dim: %d is not one of %d dimensions, nor just behind them", ivd, ix.Rank())
	c.indexDims(x, ix, a.ScatterDimsToOperandDims, a.InsertedWindowDims, a.InputBatchingDims, a.ScatterIndicesBatching, ivd,
		[4]string{"scatter_dims_to_operand_dims", "inserted_window_dims", "input_batching_dims", "scatter_indices_batching_dims"})
	c.sorted("update_window_dims", a.UpdateWindowDims)
	c.dims("update_window_dims", a.UpdateWindowDims, u.Rank())
	sum := len(a.UpdateWindowDims) + len(a.InsertedWindowDims) + len(a.InputBatchingDims)
	c.require(sum == x.Rank(), "update_window_dims, inserted_window_dims and input_batching_dims must name %d dimensions together, not %d", x.Rank(), sum)
	scatterDims := withoutDim(ix.Dims, ivd)
	c.require(u.Rank() == len(scatterDims)+len(a.UpdateWindowDims), "updates are %v but must have %d dimensions", u, len(scatterDims)+len(a.UpdateWindowDims))
	var window []int64
	for i, d := range x.Dims {
		if !slices.Contains(a.InsertedWindowDims, int64(i)) && !slices.Contains(a.InputBatchingDims, int64(i)) {
			window = append(window, d)
		}
	}
	for i, d := range u.Dims {
		if j := slices.Index(a.UpdateWindowDims, int64(i)); j >= 0 {
			c.require(d == Dynamic || window[j] == Dynamic || d <= window[j], "updates %v do not fit into %v in dimension %d", u, x, i)
		} else {
			c.require(compatibleDim(d, scatterDims[0]), "updates %v and indices %v must agree in dimension %d", u, ix, i)
			scatterDims = scatterDims[1:]
		}
	}
	inits := make([]Type, n)
	for i := range inits {
		inits[i] = scalarOf(c.in(n + 1 + i))
	}
	c.reducer(0, c.Operands[:n], inits, func(i int, elem Type) Type { return like(c.in(i), elem) })
}

// like is t with another's element type.
func like(t, elem Type) Type {
	t.Elem = elem.Elem
	if elem.Quant == nil || t.Quant == nil {
		t.Quant = elem.Quant
	}
	return t
}

// reducer checks that region r combines two values a input, starting from inits, and that results are what want makes
// of the element types that the region yields.
func (c check) reducer(r int, inputs []*Value, inits []Type, want func(i int, elem Type) Type) {
	b, n := c.Regions[r], len(inputs)
	c.require(len(b.Args) == 2*n, "region %d must have %d arguments, not %d", r, 2*n, len(b.Args))
	yields := b.Terminator().Operands
	c.require(len(yields) == n, "region %d must return %d values, not %d", r, n, len(yields))
	for i, y := range yields {
		elem := y.Type
		c.require(elem.Kind == Tensor && elem.Rank() == 0, "region %d must return scalars, not %v", r, elem)
		for _, arg := range []*Value{b.Args[i], b.Args[n+i]} {
			c.require(arg.Type.Kind == Tensor && arg.Type.Rank() == 0 && sameBase(arg.Type, elem),
				"arguments and results of region %d must be scalars of one type, not %v and %v", r, arg.Type, elem)
		}
		c.require(promotable(inputs[i].Type, elem), "region %d returns %v, which cannot hold elements of %v", r, elem, inputs[i].Type)
		c.require(inits[i].Kind == Tensor && inits[i].Rank() == 0, "init value %d must be a scalar, not %v", i, inits[i])
		c.require(promotable(inits[i], elem), "region %d returns %v, which cannot hold the init value's %v", r, elem, inits[i])
		if want != nil {
			c.result(i, want(i, elem))
		}
	}
}

// promotable reports whether a region may compute in to what has elements of from: the same kind of number, and no
// narrower, except that floating-point types go into each other.
func promotable(from, to Type) bool {
	if (from.Quant == nil) != (to.Quant == nil) {
		return false
	}
	if from.Elem == to.Elem || (from.Elem.IsFloat() && to.Elem.IsFloat()) {
		return true
	}
	return from.Elem.Kind() == to.Elem.Kind() && from.Elem.Bits() <= to.Elem.Bits()
}
