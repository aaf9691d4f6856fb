package stablehlo

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// shapeRules checks operations that move data or have shapes as operands.
func (c check) shapeRules() {
	switch c.Kind {
	case Constant:
		c.literal()
	case Iota:
		c.elemOut(0, integer|floating|complexNumber|quantized)
		c.require(c.out(0).Static(), "the result must have a known shape; use dynamic_iota")
		c.dim("iota_dimension", attrOf[DimAttr](c).Dim, c.out(0).Rank())
	case DynamicIota:
		c.elemOut(0, integer|floating|complexNumber|quantized)
		c.dim("iota_dimension", attrOf[DimAttr](c).Dim, c.out(0).Rank())
		c.shapeOperand(0, c.out(0))
	case Reshape:
		c.reshape()
	case DynamicReshape:
		c.sameElem(c.in(0), c.out(0))
		c.shapeOperand(1, c.out(0))
		n, ok := product(c.in(0).Dims)
		m, ok2 := product(c.out(0).Dims)
		c.require(!ok || !ok2 || n == m, "cannot reshape %v to %v: %d and %d elements", c.in(0), c.out(0), n, m)
	case BroadcastInDim:
		c.broadcastInDim(attrOf[DimsAttr](c).Dims, c.out(0))
		c.require(c.out(0).Static() || c.out(0).Bounds != nil, "the result must have a known shape; use dynamic_broadcast_in_dim")
	case DynamicBroadcastInDim:
		a := attrOf[*DynamicBroadcastAttr](c)
		c.broadcastInDim(a.Dims, c.out(0))
		c.shapeOperand(1, c.out(0))
		c.dims("known_expanding_dimensions", a.KnownExpanding, c.in(0).Rank())
		c.dims("known_nonexpanding_dimensions", a.KnownNonexpanding, c.in(0).Rank())
		for _, d := range a.KnownExpanding {
			c.require(!slices.Contains(a.KnownNonexpanding, d), "dimension %d cannot be known to expand and not to expand", d)
		}
	case Transpose:
		x, perm := c.in(0), attrOf[DimsAttr](c).Dims
		c.length("permutation", len(perm), x.Rank())
		c.dims("permutation", perm, x.Rank())
		want := withDims(x, make([]int64, len(perm)))
		for i, p := range perm {
			want.Dims[i] = x.Dims[p]
		}
		c.resultShape(0, want.Dims)
		c.sameElem(x, c.out(0))
	case Reverse:
		c.dims("dimensions", attrOf[DimsAttr](c).Dims, c.in(0).Rank())
		c.result(0, c.in(0))
	case Concatenate:
		c.concatenate()
	case Slice:
		c.slice()
	case DynamicSlice:
		x, sizes := c.dynamicIndices(1), attrOf[DimsAttr](c).Dims
		c.length("slice_sizes", len(sizes), x.Rank())
		for i, n := range sizes {
			c.require(n >= 0 && (x.Dims[i] == Dynamic || n <= x.Dims[i]), "slice_sizes: %d does not fit into dimension %d of %v", n, i, x)
		}
		c.resultShape(0, sizes)
		c.sameElem(x, c.out(0))
	case DynamicUpdateSlice:
		x := c.dynamicIndices(2)
		u := c.in(1)
		c.sameElem(x, u)
		c.require(u.Rank() == x.Rank(), "update %v must have as many dimensions as %v", u, x)
		for i, n := range u.Dims {
			c.require(n == Dynamic || x.Dims[i] == Dynamic || n <= x.Dims[i], "update %v does not fit into %v", u, x)
		}
		c.result(0, x)
	case RealDynamicSlice:
		x := c.in(0)
		for i := 1; i < 4; i++ {
			c.elem(i, integer)
			c.require(compatibleDims(c.in(i).Dims, []int64{int64(x.Rank())}), "operand %d must have one entry a dimension of %v, but is %v", i, x, c.in(i))
		}
		c.require(c.out(0).Rank() == x.Rank(), "result %v must have as many dimensions as %v", c.out(0), x)
		c.sameElem(x, c.out(0))
	case Pad:
		c.pad()
	case DynamicPad:
		x, r := c.in(0), c.out(0)
		c.require(c.in(1).Rank() == 0, "padding_value must be a scalar, not %v", c.in(1))
		c.sameElem(x, c.in(1), r)
		for i := 2; i < 5; i++ {
			c.elem(i, integer)
			c.require(compatibleDims(c.in(i).Dims, []int64{int64(x.Rank())}), "operand %d must have one entry a dimension of %v, but is %v", i, x, c.in(i))
		}
		c.require(r.Rank() == x.Rank(), "result %v must have as many dimensions as %v", r, x)
	case GetDimensionSize:
		c.dim("dimension", attrOf[DimAttr](c).Dim, c.in(0).Rank())
		c.result(0, TensorOf(dtype.I32))
	case SetDimensionSize:
		x, d := c.in(0), attrOf[DimAttr](c).Dim
		c.dim("dimension", d, x.Rank())
		c.require(c.in(1).Rank() == 0 && c.in(1).Elem == dtype.I32, "size must be a tensor<i32>, not %v", c.in(1))
		want := withDims(x, slices.Clone(x.Dims))
		want.Dims[d] = Dynamic
		c.result(0, want)
	case Gather, DynamicGather:
		c.gather()
	case Scatter:
		c.scatter()
	case Sort:
		c.sort()
	default:
		c.algebraRules()
	}
}

func (c check) literal() {
	lit, r := attrOf[*Literal](c), c.out(0)
	c.require(lit.Type.Elem == r.Elem && compatibleDims(lit.Type.Dims, r.Dims), "the value is %v but the result is %v", lit.Type, r)
	c.require(lit.Type.Static() && r.Static(), "a constant must have a known shape")
	n, size := lit.Type.Len(), int64(lit.Type.Elem.Size())
	if lit.Splat {
		n = 1
	}
	c.require(int64(len(lit.Data)) == n*size, "the value has %d bytes but %v needs %d", len(lit.Data), lit.Type, n*size)
}

// shapeOperand checks that operand i is a list of sizes for t.
func (c check) shapeOperand(i int, t Type) {
	c.elem(i, integer)
	c.require(compatibleDims(c.in(i).Dims, []int64{int64(t.Rank())}), "the shape must have one entry a dimension of %v, but is %v", t, c.in(i))
}

func (c check) reshape() {
	x, r := c.in(0), c.out(0)
	c.sameElem(x, r)
	n, ok := product(x.Dims)
	m, ok2 := product(r.Dims)
	c.require(ok2 || r.Bounds != nil, "the result must have a known shape; use dynamic_reshape")
	c.require(!ok || !ok2 || n == m, "cannot reshape %v to %v: %d and %d elements", x, r, n, m)
}

func (c check) broadcastInDim(dims []int64, r Type) {
	x := c.in(0)
	c.sameElem(x, r)
	c.length("broadcast_dimensions", len(dims), x.Rank())
	c.dims("broadcast_dimensions", dims, r.Rank())
	for i, d := range dims {
		c.require(x.Dims[i] == 1 || compatibleDim(x.Dims[i], r.Dims[d]), "dimension %d of %v cannot become dimension %d of %v", i, x, d, r)
	}
}

func (c check) concatenate() {
	c.require(len(c.Operands) > 0, "must have at least 1 operand")
	x, d := c.in(0), attrOf[DimAttr](c).Dim
	c.dim("dimension", d, x.Rank())
	sum := int64(0)
	for i := range c.Operands {
		y := c.in(i)
		c.sameElem(x, y)
		c.require(y.Rank() == x.Rank(), "operand %d is %v but must have %d dimensions", i, y, x.Rank())
		for j := range y.Dims {
			c.require(int64(j) == d || compatibleDim(x.Dims[j], y.Dims[j]), "operands %v and %v differ in dimension %d, which is not concatenated", x, y, j)
		}
		if y.Dims[d] == Dynamic || sum == Dynamic {
			sum = Dynamic
		} else {
			c.require(sum+y.Dims[d] >= 0, "the result is too large")
			sum += y.Dims[d]
		}
	}
	dims := slices.Clone(x.Dims)
	dims[d] = sum
	c.resultShape(0, dims)
	c.sameElem(x, c.out(0))
}

func (c check) slice() {
	x, a := c.in(0), attrOf[*SliceAttr](c)
	c.length("start_indices", len(a.Start), x.Rank())
	c.length("limit_indices", len(a.Limit), x.Rank())
	c.length("strides", len(a.Stride), x.Rank())
	dims := make([]int64, x.Rank())
	for i, n := range x.Dims {
		lo, hi, step := a.Start[i], a.Limit[i], a.Stride[i]
		c.require(lo >= 0 && lo <= hi && (n == Dynamic || hi <= n), "slice %d:%d does not fit into dimension %d of %v", lo, hi, i, x)
		c.require(step > 0, "strides: %d must be positive", step)
		dims[i] = ceilDiv(hi-lo, step)
	}
	c.resultShape(0, dims)
	c.sameElem(x, c.out(0))
}

func ceilDiv(a, b int64) int64 {
	n := a / b
	if a%b != 0 {
		n++
	}
	return n
}

// dynamicIndices checks that the operands from i on are scalars, one a dimension of operand 0, which it returns.
func (c check) dynamicIndices(i int) Type {
	c.require(len(c.Operands) >= i, "must have at least %d operands", i)
	x := c.in(0)
	c.require(len(c.Operands)-i == x.Rank(), "must have one index a dimension of %v, not %d", x, len(c.Operands)-i)
	for j := i; j < len(c.Operands); j++ {
		c.elem(j, integer)
		c.require(c.in(j).Rank() == 0, "index %d must be a scalar, not %v", j-i, c.in(j))
		c.require(c.in(j).Elem == c.in(i).Elem, "indices must have one element type, not %v and %v", c.in(i).Elem, c.in(j).Elem)
	}
	return x
}

// maxExtent bounds paddings, strides, dilations and windows, so that sizes made from them cannot overflow.
const maxExtent = 1 << 40

func (c check) extents(name string, list []int64, least int64) {
	for _, n := range list {
		c.require(n >= least && n <= maxExtent, "%s: %d must lie between %d and 2^40", name, n, least)
	}
}

func (c check) pad() {
	x, a := c.in(0), attrOf[*PadAttr](c)
	c.require(c.in(1).Rank() == 0, "padding_value must be a scalar, not %v", c.in(1))
	c.sameElem(x, c.in(1), c.out(0))
	c.length("edge_padding_low", len(a.Low), x.Rank())
	c.length("edge_padding_high", len(a.High), x.Rank())
	c.length("interior_padding", len(a.Interior), x.Rank())
	c.extents("edge_padding_low", a.Low, -maxExtent)
	c.extents("edge_padding_high", a.High, -maxExtent)
	c.extents("interior_padding", a.Interior, 0)
	dims := make([]int64, x.Rank())
	for i, n := range x.Dims {
		if n == Dynamic {
			dims[i] = Dynamic
			continue
		}
		gaps := max(n-1, 0)
		c.require(n <= maxExtent && (a.Interior[i] == 0 || gaps <= maxExtent*4/max(a.Interior[i], 1)), "the result is too large in dimension %d", i)
		dims[i] = a.Low[i] + n + gaps*a.Interior[i] + a.High[i]
		c.require(dims[i] >= 0, "paddings take more than there is in dimension %d of %v", i, x)
	}
	c.resultShape(0, dims)
}

func (c check) sort() {
	c.require(len(c.Operands) > 0, "must have at least 1 operand")
	x, a := c.in(0), attrOf[*SortAttr](c)
	c.require(len(c.Results) == len(c.Operands), "must have as many results as operands")
	c.require(x.Rank() > 0, "operands must have at least 1 dimension")
	c.dim("dimension", a.Dim, x.Rank())
	var args []Type
	for i := range c.Operands {
		c.sameShape(x, c.in(i))
		c.result(i, c.in(i))
		args = append(args, scalarOf(c.in(i)), scalarOf(c.in(i)))
	}
	c.region(0, args, []Type{TensorOf(dtype.I1)})
}

// region checks that region i takes and yields those types.
func (c check) region(i int, args, results []Type) {
	b := c.Regions[i]
	c.require(len(b.Args) == len(args), "region %d must have %d arguments, not %d", i, len(args), len(b.Args))
	for j, a := range b.Args {
		c.require(a.Type.Compatible(args[j]), "argument %d of region %d is %v but must be %v", j, i, a.Type, args[j])
	}
	if msg := mismatch(b.Terminator().Operands, results); msg != "" {
		c.failf("region %d must return other values: %s", i, msg)
	}
}
