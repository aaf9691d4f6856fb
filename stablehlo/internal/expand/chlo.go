package expand

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// constantLike is a constant of the operand's shape.
func constantLike(b *builder, op *mlir.Op) []value {
	x := arg(op, 0, 1)
	t := result(op)
	like := &mlir.Value{Type: t}
	if !static(t) {
		like = x
		like = b.op("stablehlo.convert", withElem(x.Type, t.Elem), nil, x)
	}
	switch v := op.Attr("value").(type) {
	case mlir.Float:
		return []value{b.like(v.Value, like)}
	case mlir.Int:
		if t.Elem.IsInt() || t.Elem == dtype.I1 {
			return []value{b.likeInt(v.Value, like)}
		}
		return []value{b.like(float64(v.Value), like)}
	case mlir.Bool:
		if v {
			return []value{b.likeInt(1, like)}
		}
		return []value{b.likeInt(0, like)}
	case mlir.Dense:
		if len(v.Data) == t.Elem.Size() {
			return []value{b.splat(like, v.Data)}
		}
	}
	failf("attribute value must be a number")
	return nil
}

// topK sorts the last dimension, values with their indices, and keeps the first k.
func topK(b *builder, op *mlir.Op) []value {
	x := arg(op, 0, 1)
	rank := len(x.Type.Dims)
	if rank == 0 || !static(x.Type) {
		failf("operand must be a tensor of at least one dimension and of known shape")
	}
	k := integer(op, "k")
	last := rank - 1
	if k < 0 {
		failf("k must not be negative, but is %d", k)
	}
	k = min(k, x.Type.Dims[last])
	indices := b.op("stablehlo.iota", withElem(x.Type, dtype.I32), []mlir.NamedAttr{{Name: "iota_dimension", Attr: scalar(int64(last))}})
	stable := mlir.Bool(true)
	if v, ok := op.Attr("is_stable").(mlir.Bool); ok {
		stable = v
	}
	order := "" // the default of the element type, total for floats
	if x.Type.Elem.IsFloat() {
		order = "TOTALORDER"
	}
	v, i := tensor(x.Type.Elem), tensor(dtype.I32)
	greater := b.region([]mlir.Type{v, v, i, i}, func(b *builder, args []value) []value {
		return []value{b.compare("GT", order, args[0], args[1])}
	})
	sorted := b.emit(&mlir.Op{
		Name: "stablehlo.sort", Operands: []value{x, indices}, Regions: []*mlir.Region{greater},
		Attrs: []mlir.NamedAttr{{Name: "dimension", Attr: scalar(int64(last))}, {Name: "is_stable", Attr: stable}},
	}, x.Type, indices.Type)
	limit := slices.Clone(x.Type.Dims)
	limit[last] = k
	start := make([]int64, rank)
	return []value{b.slice(sorted[0], start, limit), b.slice(sorted[1], start, limit)}
}

// scan runs the body over the slices of the inputs along one dimension, carrying values from step to step.
func scan(b *builder, op *mlir.Op) []value {
	if len(op.Regions) != 1 || len(op.Regions[0].Blocks) != 1 {
		failf("must have 1 region of 1 block")
	}
	body := op.Regions[0].Blocks[0]
	n := segments(op, "operandSegmentSizes", len(op.Operands))
	if n < 0 {
		// Without segments: each carry is both an operand and a result.
		failf("attribute operandSegmentSizes is missing")
	}
	inputs, inits := op.Operands[:n], op.Operands[n:]
	outputs := len(op.Results) - len(inits)
	if outputs < 0 || len(body.Args) != len(op.Operands) || len(body.Ops) == 0 {
		failf("operands, results and the body's arguments do not fit together")
	}
	last := body.Ops[len(body.Ops)-1]
	if len(last.Operands) != len(op.Results) {
		failf("the body must yield %d values, not %d", len(op.Results), len(last.Operands))
	}
	dim := integer(op, "dimension")
	reverse, _ := op.Attr("is_reverse").(mlir.Bool)
	shaped := inputs
	if len(shaped) == 0 {
		shaped = op.Results[:outputs]
	}
	size := int64(-1)
	for _, v := range slices.Concat(inputs, op.Results[:outputs], shaped[:min(1, len(shaped))]) {
		if v.Type.Kind != mlir.Tensor || !static(v.Type) || dim < 0 || dim >= int64(len(v.Type.Dims)) {
			failf("inputs and outputs must be tensors of known shape that have dimension %d", dim)
		}
		if size < 0 {
			size = v.Type.Dims[dim]
		}
		if v.Type.Dims[dim] != size {
			failf("inputs and outputs must have the same size in dimension %d", dim)
		}
	}
	if v, ok := op.Attr("scan_dim_size").(mlir.Int); ok && size < 0 {
		size = v.Value
	}
	if size < 0 {
		failf("the size of the scanned dimension is not known")
	}
	init := []value{b.constant(tensor(dtype.I64), 0)}
	init = append(init, inits...)
	for _, r := range op.Results[:outputs] {
		init = append(init, b.splat(&mlir.Value{Type: r.Type}, make([]byte, r.Type.Elem.Size())))
	}
	var types []mlir.Type
	for _, v := range init {
		types = append(types, v.Type)
	}
	cond := b.region(types, func(b *builder, args []value) []value {
		return []value{b.cmp("LT", args[0], b.constant(tensor(dtype.I64), size))}
	})
	step := b.region(types, func(b *builder, args []value) []value {
		at := args[0]
		if reverse {
			at = b.sub(b.constant(tensor(dtype.I64), size-1), at)
		}
		zero := b.constant(tensor(dtype.I64), 0)
		starts := func(rank int) []value {
			list := slices.Repeat([]value{zero}, rank)
			list[dim] = at
			return list
		}
		to := map[value]value{}
		for i, in := range inputs {
			one := slices.Clone(in.Type.Dims)
			one[dim] = 1
			t := in.Type
			t.Dims = one
			piece := b.op("stablehlo.dynamic_slice", t, []mlir.NamedAttr{{Name: "slice_sizes", Attr: ints(one...)}},
				append([]value{in}, starts(len(one))...)...)
			to[body.Args[i]] = b.reshape(piece, slices.Delete(slices.Clone(one), int(dim), int(dim)+1)...)
		}
		carries := args[1 : 1+len(inits)]
		for i, c := range carries {
			to[body.Args[len(inputs)+i]] = c
		}
		for _, o := range body.Ops[:len(body.Ops)-1] {
			b.ops = append(b.ops, clone(o, to))
		}
		yields := make([]value, len(last.Operands))
		for i, v := range last.Operands {
			yields[i] = mapped(v, to)
		}
		next := []value{b.add(args[0], b.constant(tensor(dtype.I64), 1))}
		next = append(next, yields[outputs:]...)
		for i, r := range op.Results[:outputs] {
			one := slices.Clone(r.Type.Dims)
			one[dim] = 1
			piece := b.reshape(yields[i], one...)
			whole := args[1+len(inits)+i]
			next = append(next, b.op("stablehlo.dynamic_update_slice", r.Type, nil,
				append([]value{whole, piece}, starts(len(one))...)...))
		}
		return next
	})
	done := b.emit(&mlir.Op{Name: "stablehlo.while", Operands: init, Regions: []*mlir.Region{cond, step}}, types...)
	return slices.Concat(done[1+len(inits):], done[1:1+len(inits)])
}

// segments is the size of the first group of operands, or -1.
func segments(op *mlir.Op, name string, total int) int {
	v, ok := op.Attr(name).(mlir.Ints)
	if !ok || len(v.Values) != 2 || v.Values[0] < 0 || v.Values[0] > int64(total) {
		return -1
	}
	return int(v.Values[0])
}

// clone copies op with its operands replaced, and makes its results the replacements of the original's.
func clone(op *mlir.Op, to map[value]value) *mlir.Op {
	c := &mlir.Op{Name: op.Name, Attrs: op.Attrs, Pos: op.Pos, Loc: op.Loc}
	for _, v := range op.Operands {
		c.Operands = append(c.Operands, mapped(v, to))
	}
	for _, v := range op.Results {
		r := *v
		r.Op = c
		c.Results = append(c.Results, &r)
		to[v] = &r
	}
	for _, r := range op.Regions {
		cr := &mlir.Region{}
		for _, block := range r.Blocks {
			cb := &mlir.Block{}
			for _, a := range block.Args {
				arg := *a
				cb.Args = append(cb.Args, &arg)
				to[a] = &arg
			}
			for _, o := range block.Ops {
				cb.Ops = append(cb.Ops, clone(o, to))
			}
			cr.Blocks = append(cr.Blocks, cb)
		}
		c.Regions = append(c.Regions, cr)
	}
	return c
}

func mapped(v value, to map[value]value) value {
	if m, ok := to[v]; ok {
		return m
	}
	return v
}

// broadcastBinary brings both operands to one shape and then applies the operation of that name. Dimensions of size 1
// grow; the operand of lower rank gets dimensions in front, or where broadcast_dimensions says.
func broadcastBinary(name string) decompose {
	return func(b *builder, op *mlir.Op) []value {
		x, y := arg(op, 0, 2), arg(op, 1, 2)
		var dims []int64
		if op.Attr("broadcast_dimensions") != nil {
			dims = list(op, "broadcast_dimensions")
		}
		x, y = b.broadcastTogether(x, y, dims)
		t := result(op)
		t.Dims = x.Type.Dims
		return []value{b.op(name, t, attrsBut(op, "broadcast_dimensions"), x, y)}
	}
}

func broadcastSelect(b *builder, op *mlir.Op) []value {
	pred, x, y := arg(op, 0, 3), arg(op, 1, 3), arg(op, 2, 3)
	x, y = b.broadcastTogether(x, y, nil)
	if len(pred.Type.Dims) > 0 {
		pred, x = b.broadcastTogether(pred, x, nil)
		x, y = b.broadcastTogether(x, y, nil)
	}
	t := result(op)
	t.Dims = x.Type.Dims
	return []value{b.op("stablehlo.select", t, nil, pred, x, y)}
}

func (b *builder) broadcastTogether(x, y value, dims []int64) (value, value) {
	if slices.Equal(x.Type.Dims, y.Type.Dims) && static(x.Type) {
		return x, y
	}
	if !static(x.Type) || !static(y.Type) {
		failf("implicit broadcasts of tensors of unknown shape are not supported; use dynamic_broadcast_in_dim")
	}
	xr, yr := len(x.Type.Dims), len(y.Type.Dims)
	rank := max(xr, yr)
	xDims, yDims := count(rank-xr, rank), count(rank-yr, rank)
	if dims != nil && xr != yr {
		if len(dims) != min(xr, yr) {
			failf("broadcast_dimensions must have %d entries, not %d", min(xr, yr), len(dims))
		}
		if xr < yr {
			xDims = dims
		} else {
			yDims = dims
		}
	}
	out := slices.Repeat([]int64{1}, rank)
	fit := func(v value, at []int64) {
		for i, d := range at {
			if d < 0 || d >= int64(rank) {
				failf("broadcast_dimensions must name dimensions of the result")
			}
			switch size := v.Type.Dims[i]; {
			case size == 1 || size == out[d]:
			case out[d] == 1:
				out[d] = size
			default:
				failf("shapes %v and %v cannot be broadcast together", x.Type.Dims, y.Type.Dims)
			}
		}
	}
	fit(x, xDims)
	fit(y, yDims)
	grow := func(v value, at []int64) value {
		if slices.Equal(v.Type.Dims, out) {
			return v
		}
		t := v.Type
		t.Dims = out
		return b.broadcastInDim(v, t, at)
	}
	return grow(x, xDims), grow(y, yDims)
}
