package stablehlo

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// algebraRules checks products, windows and reductions.
func (c check) algebraRules() {
	switch c.Kind {
	case DotGeneral:
		c.dot()
	case Convolution, DynamicConv:
		c.conv()
	case Reduce:
		c.reduce()
	case ReduceWindow:
		c.reduceWindow()
	case SelectAndScatter:
		c.selectAndScatter()
	case Map:
		c.mapRule()
	case Cholesky:
		x := c.in(0)
		c.elem(0, floating|complexNumber)
		attrOf[CholeskyAttr](c)
		c.require(x.Rank() >= 2, "operand must have at least 2 dimensions, but is %v", x)
		c.require(compatibleDim(x.Dims[x.Rank()-1], x.Dims[x.Rank()-2]), "operand must be a square matrix, but is %v", x)
		c.result(0, x)
	case TriangularSolve:
		c.triangularSolve()
	case FFT:
		c.fft()
	case BatchNormTraining, BatchNormInference, BatchNormGrad:
		c.batchNorm()
	case RNG:
		c.rng()
	case RNGBitGenerator:
		a := attrOf[RNGBitGeneratorAttr](c)
		c.require(a.Algorithm != 0, "rng_algorithm is missing")
		s := c.in(0)
		c.elem(0, integer|floating)
		if s.Elem == dtype.U64 { // the specification's; producers have written other types for targets of their own
			c.require(s.Rank() == 1, "initial_state must have 1 dimension, but is %v", s)
			switch n := s.Dims[0]; {
			case n == Dynamic:
			case a.Algorithm == RNGThreeFry:
				c.require(n == 2, "initial_state must have 2 elements for THREE_FRY, not %d", n)
			case a.Algorithm == RNGPhilox:
				c.require(n == 2 || n == 3, "initial_state must have 2 or 3 elements for PHILOX, not %d", n)
			}
		}
		c.result(0, s)
		c.elemOut(1, integer|floating)
	default:
		c.controlRules()
	}
}

func (c check) precision(list []Precision) {
	c.require(len(list) == 0 || len(list) == 2, "precision_config must have 2 entries, not %d", len(list))
}

func (c check) dot() {
	x, y, a := c.in(0), c.in(1), attrOf[*DotAttr](c)
	c.elem(0, anyElem)
	c.elem(1, anyElem)
	c.precision(a.Precision)
	c.dims("lhs_batching_dimensions and lhs_contracting_dimensions", slices.Concat(a.LHSBatch, a.LHSContract), x.Rank())
	c.dims("rhs_batching_dimensions and rhs_contracting_dimensions", slices.Concat(a.RHSBatch, a.RHSContract), y.Rank())
	c.require(len(a.LHSBatch) == len(a.RHSBatch), "lhs and rhs must have as many batching dimensions")
	c.require(len(a.LHSContract) == len(a.RHSContract), "lhs and rhs must have as many contracting dimensions")
	var dims []int64
	for i, d := range a.LHSBatch {
		e := a.RHSBatch[i]
		c.require(compatibleDim(x.Dims[d], y.Dims[e]), "batching dimensions %d of %v and %d of %v must have one size", d, x, e, y)
		dims = append(dims, x.Dims[d])
	}
	for i, d := range a.LHSContract {
		e := a.RHSContract[i]
		c.require(compatibleDim(x.Dims[d], y.Dims[e]), "contracting dimensions %d of %v and %d of %v must have one size", d, x, e, y)
	}
	dims = append(dims, others(x, a.LHSBatch, a.LHSContract)...)
	dims = append(dims, others(y, a.RHSBatch, a.RHSContract)...)
	c.resultShape(0, dims)
	c.productElem(x, y, c.out(0))
	if g := a.Algorithm; g != nil {
		c.require(len(a.Precision) == 0 || a.Precision[0] == PrecisionDefault && a.Precision[1] == PrecisionDefault,
			"precision_config must be DEFAULT where an algorithm is given")
		c.require(g.LHSComponents >= 1 && g.RHSComponents >= 1 && g.NumPrimitiveOperations >= 1,
			"component counts and num_primitive_operations of the algorithm must be positive")
		c.require(g.LHS.IsFloat() && g.RHS.IsFloat() && g.Accumulation.IsFloat() || g.LHS.IsInt() || g.LHS.IsComplex(),
			"the algorithm's types must be floating-point types")
	}
}

func others(t Type, lists ...[]int64) []int64 {
	var out []int64
	for i, d := range t.Dims {
		if !slices.ContainsFunc(lists, func(l []int64) bool { return slices.Contains(l, int64(i)) }) {
			out = append(out, d)
		}
	}
	return out
}

// productElem checks the element types of a dot or convolution. Operands of different types are allowed as the
// reference allows them, as long as all are of one kind of number.
func (c check) productElem(x, y, r Type) {
	if x.Quant != nil || y.Quant != nil || r.Quant != nil {
		c.require(y.Quant != nil, "rhs must be quantized where lhs or the result is")
		if x.Quant != nil {
			c.require(x.Elem.IsInt() && y.Elem.IsInt(), "lhs and rhs must be stored in integers")
			c.require(r.Quant != nil, "the result must be quantized where lhs and rhs are, but is %v", r)
			c.require(x.Quant.Expressed == y.Quant.Expressed && y.Quant.Expressed == r.Quant.Expressed, "lhs, rhs and result must express one type")
		} else {
			c.require(x.Elem == y.Quant.Expressed, "lhs must be of the type that rhs expresses, %v, not %v", y.Quant.Expressed, x.Elem)
			c.require(r.Quant == nil && r.Elem == x.Elem, "the result must be of type %v, not %v", x.Elem, r)
		}
		return
	}
	kind := func(t Type) dtype.Kind {
		if k := t.Elem.Kind(); k != dtype.Unsigned && k != dtype.Bool {
			return k
		}
		return dtype.Signed
	}
	c.require(kind(x) == kind(y) && kind(x) == kind(r), "element types of %v, %v and %v do not go together", x, y, r)
}

func (c check) reduce() {
	n := len(c.Operands) / 2
	c.require(n > 0 && len(c.Operands) == 2*n, "must have inputs and as many init values, not %d operands", len(c.Operands))
	c.require(len(c.Results) == n, "must have %d results, not %d", n, len(c.Results))
	dims := attrOf[DimsAttr](c).Dims
	x := c.in(0)
	for i := range n {
		c.sameShape(x, c.in(i))
	}
	c.dims("dimensions", dims, x.Rank())
	c.reducer(0, c.Operands[:n], types(c.Operands[n:]), func(i int, elem Type) Type {
		t := like(c.in(i), elem)
		return withDims(t, others(c.in(i), dims))
	})
}

func types(vs []*Value) []Type {
	out := make([]Type, len(vs))
	for i, v := range vs {
		out[i] = v.Type
	}
	return out
}

// window checks the lists of a window over dims and returns the sizes of the result.
func (c check) window(dims []int64, w *WindowAttr) []int64 {
	n := len(dims)
	c.length("window_dimensions", len(w.Dims), n)
	c.length("window_strides", len(w.Strides), n)
	c.length("base_dilations", len(w.BaseDilations), n)
	c.length("window_dilations", len(w.WindowDilations), n)
	c.require(len(w.Padding) == n, "padding must have %d rows, not %d", n, len(w.Padding))
	c.extents("window_dimensions", w.Dims, 1)
	c.extents("window_strides", w.Strides, 1)
	c.extents("base_dilations", w.BaseDilations, 1)
	c.extents("window_dilations", w.WindowDilations, 1)
	out := make([]int64, n)
	for i, d := range dims {
		c.extents("padding", w.Padding[i][:], -maxExtent)
		if d == Dynamic {
			out[i] = Dynamic
			continue
		}
		base := c.dilated(d, w.BaseDilations[i])
		padded := w.Padding[i][0] + base + w.Padding[i][1]
		reach := c.dilated(w.Dims[i], w.WindowDilations[i])
		if padded < reach || padded <= 0 {
			out[i] = 0
		} else {
			out[i] = (padded-reach)/w.Strides[i] + 1
		}
	}
	return out
}

// dilated is the extent of n elements with step-1 holes between neighbours.
func (c check) dilated(n, step int64) int64 {
	if n == 0 {
		return 0
	}
	c.require(n <= maxExtent && n-1 <= maxExtent*(1<<20)/step, "a dilated dimension is too large")
	return (n-1)*step + 1
}

func (c check) reduceWindow() {
	n := len(c.Operands) / 2
	c.require(n > 0 && len(c.Operands) == 2*n, "must have inputs and as many init values, not %d operands", len(c.Operands))
	c.require(len(c.Results) == n, "must have %d results, not %d", n, len(c.Results))
	x := c.in(0)
	for i := range n {
		c.sameShape(x, c.in(i))
	}
	dims := c.window(x.Dims, attrOf[*WindowAttr](c))
	c.reducer(0, c.Operands[:n], types(c.Operands[n:]), func(i int, elem Type) Type {
		return withDims(like(c.in(i), elem), dims)
	})
}

func (c check) selectAndScatter() {
	x, src, init := c.in(0), c.in(1), c.in(2)
	w := attrOf[*WindowAttr](c)
	dims := c.window(x.Dims, w)
	c.require(compatibleDims(src.Dims, dims), "source is %v but the windows of operand make %v", src, withDims(x, dims))
	c.sameElem(x, src)
	c.region(0, []Type{scalarOf(x), scalarOf(x)}, []Type{TensorOf(dtype.I1)})
	c.reducer(1, c.Operands[:1], []Type{init}, func(i int, elem Type) Type { return like(x, elem) })
}

func (c check) mapRule() {
	c.require(len(c.Operands) > 0, "must have at least 1 operand")
	x, dims := c.in(0), attrOf[DimsAttr](c).Dims
	c.require(len(dims) == x.Rank(), "dimensions must name all %d dimensions", x.Rank())
	for i, d := range dims {
		c.require(d == int64(i), "dimensions must be 0, 1, …, not %v", dims)
	}
	var args []Type
	for i := range c.Operands {
		c.sameShape(x, c.in(i))
		args = append(args, scalarOf(c.in(i)))
	}
	c.region(0, args, []Type{scalarOf(c.out(0))})
	c.resultShape(0, x.Dims)
}

func (c check) conv() {
	x, k, a := c.in(0), c.in(1), attrOf[*ConvAttr](c)
	n := x.Rank() - 2
	c.require(n >= 0, "lhs must have at least 2 dimensions, but is %v", x)
	c.require(k.Rank() == x.Rank(), "lhs and rhs must have as many dimensions, but are %v and %v", x, k)
	c.require(c.out(0).Rank() == x.Rank(), "result %v must have %d dimensions", c.out(0), x.Rank())
	c.precision(a.Precision)
	for _, l := range []struct {
		name    string
		dims    []int64
		batch   int64
		feature int64
	}{
		{"input", a.InputSpatial, a.InputBatch, a.InputFeature},
		{"kernel", a.KernelSpatial, a.KernelInputFeature, a.KernelOutputFeature},
		{"output", a.OutputSpatial, a.OutputBatch, a.OutputFeature},
	} {
		c.length(l.name+"_spatial_dimensions", len(l.dims), n)
		c.dims(l.name+" dimensions", append([]int64{l.batch, l.feature}, l.dims...), x.Rank())
	}
	w := &WindowAttr{Strides: a.WindowStrides, BaseDilations: a.LHSDilation, WindowDilations: a.RHSDilation, Padding: a.Padding}
	if c.Kind == DynamicConv {
		c.elem(2, integer)
		c.require(compatibleDims(c.in(2).Dims, []int64{int64(n), 2}), "padding must be a tensor<%dx2xi64>, not %v", n, c.in(2))
		w.Padding = make([][2]int64, n)
	}
	c.length("window_reversal", len(a.WindowReversal), n)
	var spatial []int64
	known := true
	for i, d := range a.InputSpatial {
		spatial = append(spatial, x.Dims[d])
		size := k.Dims[a.KernelSpatial[i]]
		known = known && size != Dynamic
		w.Dims = append(w.Dims, max(size, 1))
		c.require(size != 0, "rhs must not be empty in a spatial dimension, but is %v", k)
	}
	spatial = c.window(spatial, w)
	if !known || c.Kind == DynamicConv {
		spatial = slices.Repeat([]int64{Dynamic}, n)
	}
	fg, bg := a.FeatureGroupCount, a.BatchGroupCount
	c.require(fg >= 1, "feature_group_count must be positive, not %d", fg)
	c.require(bg >= 1, "batch_group_count must be positive, not %d", bg)
	c.require(fg == 1 || bg == 1, "feature_group_count and batch_group_count cannot both be greater than 1")
	divisible := func(what string, d, by int64) {
		c.require(d == Dynamic || d%by == 0, "%s, %d, must be a multiple of %d", what, d, by)
	}
	batch, feature := x.Dims[a.InputBatch], x.Dims[a.InputFeature]
	kin, kout := k.Dims[a.KernelInputFeature], k.Dims[a.KernelOutputFeature]
	divisible("the input's batch size", batch, bg)
	divisible("the input's number of features", feature, fg)
	divisible("the kernel's number of output features", kout, fg)
	divisible("the kernel's number of output features", kout, bg)
	c.require(feature == Dynamic || kin == Dynamic || feature/fg == kin,
		"the kernel has %d input features but the input has %d in each of %d groups", kin, feature, fg)
	dims := make([]int64, x.Rank())
	dims[a.OutputBatch] = batch
	if batch != Dynamic {
		dims[a.OutputBatch] = batch / bg
	}
	dims[a.OutputFeature] = kout
	for i, d := range a.OutputSpatial {
		dims[d] = spatial[i]
	}
	c.resultShape(0, dims)
	c.productElem(x, k, c.out(0))
}

func (c check) triangularSolve() {
	a, b, attr := c.in(0), c.in(1), attrOf[TriangularSolveAttr](c)
	c.elem(0, floating|complexNumber)
	c.sameElem(a, b)
	n := a.Rank()
	c.require(n >= 2 && b.Rank() == n, "operands must have the same 2 or more dimensions, but are %v and %v", a, b)
	c.require(compatibleDim(a.Dims[n-1], a.Dims[n-2]), "a must be a square matrix, but is %v", a)
	c.require(compatibleDims(a.Dims[:n-2], b.Dims[:n-2]), "a and b must agree in their batch dimensions, but are %v and %v", a, b)
	side := n - 1
	if attr.LeftSide {
		side = n - 2
	}
	c.require(compatibleDim(a.Dims[n-1], b.Dims[side]), "a and b do not fit together: %v and %v", a, b)
	c.require(attr.Transpose != 0, "transpose_a is missing")
	c.result(0, b)
}

func (c check) fft() {
	x, a := c.in(0), attrOf[FFTAttr](c)
	n := len(a.Length)
	c.require(n >= 1 && n <= 3, "fft_length must have 1 to 3 entries, not %d", n)
	c.require(x.Rank() >= n, "operand must have at least %d dimensions, but is %v", n, x)
	c.extents("fft_length", a.Length, 0)
	tail := x.Rank() - n
	dims := slices.Clone(x.Dims)
	want := x
	last := x.Rank() - 1
	fits := func(upTo int) {
		for i := tail; i < upTo; i++ {
			c.require(compatibleDim(x.Dims[i], a.Length[i-tail]), "fft_length %v does not match %v", a.Length, x)
		}
	}
	switch a.Type {
	case FFTForward, FFTInverse:
		c.elem(0, complexNumber)
		fits(x.Rank())
	case FFTReal:
		c.require(x.Elem == dtype.F32 || x.Elem == dtype.F64, "operand must be of f32 or f64 for RFFT, not %v", x)
		fits(x.Rank())
		want.Elem = dtype.C64
		if x.Elem == dtype.F64 {
			want.Elem = dtype.C128
		}
		dims[last] = 0
		if a.Length[n-1] > 0 {
			dims[last] = a.Length[n-1]/2 + 1
		}
	case FFTInverseReal:
		c.elem(0, complexNumber)
		fits(last)
		half := int64(0)
		if a.Length[n-1] > 0 {
			half = a.Length[n-1]/2 + 1
		}
		c.require(compatibleDim(x.Dims[last], half), "the last dimension of %v must be %d for an IRFFT of length %d", x, half, a.Length[n-1])
		want.Elem = x.Elem.Real()
		dims[last] = a.Length[n-1]
	default:
		c.failf("fft_type is missing")
	}
	c.result(0, withDims(want, dims))
}

func (c check) batchNorm() {
	x, a := c.in(0), attrOf[BatchNormAttr](c)
	c.elem(0, realOrQ)
	c.dim("feature_index", a.Feature, x.Rank())
	features := withDims(x, []int64{x.Dims[a.Feature]})
	for i := range c.Operands[1:] {
		y := c.in(i + 1)
		want := features
		if c.Kind == BatchNormGrad && i+1 == 4 {
			want = x
		}
		c.require(sameBase(y, want) && compatibleDims(y.Dims, want.Dims), "operand %d is %v but must be %v", i+1, y, want)
	}
	c.result(0, x)
	for i := 1; i < len(c.Results); i++ {
		c.result(i, features)
	}
}

func (c check) rng() {
	a, b, shape := c.in(0), c.in(1), c.in(2)
	attr := attrOf[RNGAttr](c)
	c.elem(0, predicate|integer|floating)
	c.sameElem(a, b, c.out(0))
	c.require(a.Rank() == 0 && b.Rank() == 0, "a and b must be scalars, but are %v and %v", a, b)
	c.require(attr.Distribution == RNGUniform || attr.Distribution == RNGNormal && a.Elem.IsFloat(),
		"rng_distribution must be UNIFORM, or NORMAL for floating-point numbers")
	c.elem(2, integer)
	c.require(compatibleDims(shape.Dims, []int64{int64(c.out(0).Rank())}), "shape must have one entry a dimension of %v, but is %v", c.out(0), shape)
}
