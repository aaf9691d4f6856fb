package stablehlo

import (
	"strings"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// attr reads the attributes of an operation by its kind, with the defaults filled in.
func (l *lifter) attr(o *Op, a *attrs) Attr {
	switch o.Kind {
	case Compare:
		return CompareAttr{Direction: a.direction(), Type: a.compareType()}
	case ReducePrecision:
		return ReducePrecisionAttr{
			ExponentBits: int(a.needInt("exponent_bits")), MantissaBits: int(a.needInt("mantissa_bits")),
		}
	case Concatenate, GetDimensionSize, SetDimensionSize:
		return DimAttr{Dim: a.needInt("dimension")}
	case Iota, DynamicIota:
		return DimAttr{Dim: a.needInt("iota_dimension")}
	case GetTupleElement:
		return DimAttr{Dim: a.needInt("index")}
	case BroadcastInDim:
		return DimsAttr{Dims: a.needInts("broadcast_dimensions")}
	case DynamicSlice:
		return DimsAttr{Dims: a.needInts("slice_sizes")}
	case Reverse, Map, Reduce:
		return DimsAttr{Dims: a.needInts("dimensions")}
	case Transpose:
		return DimsAttr{Dims: a.needInts("permutation")}
	case Constant:
		return a.constant(o)
	case DynamicBroadcastInDim:
		return &DynamicBroadcastAttr{
			Dims: a.needInts("broadcast_dimensions"), KnownExpanding: a.ints("known_expanding_dimensions"),
			KnownNonexpanding: a.ints("known_nonexpanding_dimensions"),
		}
	case Slice:
		s := &SliceAttr{Start: a.needInts("start_indices"), Limit: a.needInts("limit_indices")}
		s.Stride = a.filled("strides", len(s.Start), 1)
		return s
	case Pad:
		p := &PadAttr{Low: a.needInts("edge_padding_low"), High: a.needInts("edge_padding_high")}
		p.Interior = a.filled("interior_padding", len(p.Low), 0)
		return p
	case Sort:
		s := &SortAttr{Dim: a.int("dimension", -1), Stable: a.bool("is_stable", false)}
		if s.Dim < 0 && len(o.Operands) > 0 {
			s.Dim += int64(o.Operands[0].Type.Rank())
		}
		return s
	case Gather, DynamicGather:
		return a.gather(o.Kind)
	case Scatter:
		return a.scatter()
	case BatchNormGrad, BatchNormInference, BatchNormTraining:
		eps, ok := a.get("epsilon").(mlir.Float)
		if !ok {
			a.errorf("attribute epsilon is missing")
		}
		return BatchNormAttr{Epsilon: float32(eps.Value), Feature: a.needInt("feature_index")}
	case Cholesky:
		return CholeskyAttr{Lower: a.bool("lower", false)}
	case TriangularSolve:
		return TriangularSolveAttr{
			LeftSide: a.bool("left_side", false), Lower: a.bool("lower", false),
			UnitDiagonal: a.bool("unit_diagonal", false), Transpose: a.transpose(),
		}
	case FFT:
		return FFTAttr{Type: a.fftType(), Length: a.needInts("fft_length")}
	case DotGeneral:
		return a.dot()
	case Convolution, DynamicConv:
		return a.conv(o.Kind)
	case ReduceWindow:
		w := &WindowAttr{Dims: a.needInts("window_dimensions")}
		n := len(w.Dims)
		w.Strides = a.filled("window_strides", n, 1)
		w.BaseDilations = a.filled("base_dilations", n, 1)
		w.WindowDilations = a.filled("window_dilations", n, 1)
		w.Padding = a.pairs("padding", n)
		return w
	case SelectAndScatter:
		n := 0
		if len(o.Operands) > 0 {
			n = o.Operands[0].Type.Rank()
		}
		return &WindowAttr{
			Dims: a.filled("window_dimensions", n, 1), Strides: a.filled("window_strides", n, 1),
			BaseDilations: ones(n), WindowDilations: ones(n), Padding: a.pairs("padding", n),
		}
	case RNG:
		return RNGAttr{Distribution: a.distribution()}
	case RNGBitGenerator:
		return RNGBitGeneratorAttr{Algorithm: a.rngAlgorithm()}
	case Call:
		return CallAttr{Callee: l.callee(o, a.symbol("callee"))}
	case Composite:
		return l.composite(o, a)
	case CustomCall:
		return l.customCall(o, a)
	case AllGather, AllReduce, AllToAll, CollectiveBroadcast, CollectivePermute, CollectiveReduce, ReduceScatter:
		return a.collective(o.Kind)
	case Infeed, Outfeed, Send, Recv:
		return a.channel(o.Kind)
	}
	return nil
}

func ones(n int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

func (a *attrs) constant(o *Op) Attr {
	switch v := a.get("value").(type) {
	case mlir.Dense:
		t, err := liftType(v.Type)
		if err != nil {
			a.errorf("%v", err)
			return nil
		}
		return &Literal{Type: t, Data: v.Data, Splat: v.Splat}
	case nil:
		a.errorf("attribute value is missing")
	default:
		a.errorf("the value of a constant must be a dense tensor")
	}
	return nil
}

func (a *attrs) gather(k Kind) Attr {
	f := a.fields("dimension_numbers")
	g := &GatherAttr{
		OffsetDims: f.ints("offset_dims"), CollapsedSliceDims: f.ints("collapsed_slice_dims"),
		OperandBatchingDims: f.ints("operand_batching_dims"), StartIndicesBatching: f.ints("start_indices_batching_dims"),
		StartIndexMap: f.ints("start_index_map"), IndexVectorDim: f.int("index_vector_dim", 0),
		IndicesAreSorted: a.bool("indices_are_sorted", false),
	}
	if k == Gather {
		g.SliceSizes = a.needInts("slice_sizes")
	}
	return g
}

func (a *attrs) scatter() Attr {
	f := a.fields("scatter_dimension_numbers")
	return &ScatterAttr{
		UpdateWindowDims: f.ints("update_window_dims"), InsertedWindowDims: f.ints("inserted_window_dims"),
		InputBatchingDims:        f.ints("input_batching_dims"),
		ScatterIndicesBatching:   f.ints("scatter_indices_batching_dims"),
		ScatterDimsToOperandDims: f.ints("scatter_dims_to_operand_dims"),
		IndexVectorDim:           f.int("index_vector_dim", 0),
		IndicesAreSorted:         a.bool("indices_are_sorted", false),
		UniqueIndices:            a.bool("unique_indices", false),
	}
}

func (a *attrs) dot() Attr {
	f := a.fields("dot_dimension_numbers")
	d := &DotAttr{
		LHSBatch: f.ints("lhs_batching_dimensions"), RHSBatch: f.ints("rhs_batching_dimensions"),
		LHSContract: f.ints("lhs_contracting_dimensions"), RHSContract: f.ints("rhs_contracting_dimensions"),
		Precision: a.precision(),
	}
	if a.op.Attr("algorithm") != nil {
		g := a.fields("algorithm")
		if !g.ok {
			return d
		}
		d.Algorithm = &DotAlgorithm{
			LHS: g.elem("lhs_precision_type"), RHS: g.elem("rhs_precision_type"), Accumulation: g.elem("accumulation_type"),
			LHSComponents: g.int("lhs_component_count", 1), RHSComponents: g.int("rhs_component_count", 1),
			NumPrimitiveOperations:     g.int("num_primitive_operations", 1),
			AllowImpreciseAccumulation: g.bool("allow_imprecise_accumulation"),
		}
	}
	return d
}

func (a *attrs) precision() []Precision {
	v := a.get("precision_config")
	if v == nil {
		return nil
	}
	list, ok := v.(mlir.Array)
	if !ok {
		a.errorf("attribute precision_config must be a list")
	}
	var out []Precision
	for _, e := range list {
		var name string
		switch e := e.(type) {
		case mlir.Enum:
			name = e.Value
		case mlir.String:
			name = string(e)
		}
		switch name {
		case "DEFAULT":
			out = append(out, PrecisionDefault)
		case "HIGH":
			out = append(out, PrecisionHigh)
		case "HIGHEST":
			out = append(out, PrecisionHighest)
		default:
			a.errorf("precision must be DEFAULT, HIGH or HIGHEST, not %q", name)
		}
	}
	return out
}

func (a *attrs) conv(k Kind) Attr {
	f := a.fields("dimension_numbers")
	c := &ConvAttr{
		InputBatch: f.int("input_batch_dimension", 0), InputFeature: f.int("input_feature_dimension", 0),
		InputSpatial:       f.ints("input_spatial_dimensions"),
		KernelInputFeature: f.int("kernel_input_feature_dimension", 0), KernelOutputFeature: f.int("kernel_output_feature_dimension", 0),
		KernelSpatial: f.ints("kernel_spatial_dimensions"),
		OutputBatch:   f.int("output_batch_dimension", 0), OutputFeature: f.int("output_feature_dimension", 0),
		OutputSpatial:     f.ints("output_spatial_dimensions"),
		FeatureGroupCount: a.int("feature_group_count", 1), BatchGroupCount: a.int("batch_group_count", 1),
		Precision: a.precision(),
	}
	n := len(c.InputSpatial)
	c.WindowStrides = a.filled("window_strides", n, 1)
	if k == DynamicConv && len(c.WindowStrides) > n {
		c.WindowStrides = c.WindowStrides[:n] // JAX writes one too many, and the reference reads the first
	}
	c.LHSDilation = a.filled("lhs_dilation", n, 1)
	c.RHSDilation = a.filled("rhs_dilation", n, 1)
	c.WindowReversal = bools(a.filled("window_reversal", n, 0))
	if k == Convolution {
		c.Padding = a.pairs("padding", n)
	}
	return c
}

func (l *lifter) composite(o *Op, a *attrs) Attr {
	c := &CompositeAttr{Name: a.string("name"), Version: a.int("version", 0)}
	if c.Name == "" {
		a.errorf("attribute name is missing")
	}
	c.Decomposition = l.callee(o, a.symbol("decomposition"))
	switch v := a.get("composite_attributes").(type) {
	case nil:
	case mlir.Dict:
		c.Attributes = extras(v)
	default:
		a.errorf("attribute composite_attributes must be a dictionary")
	}
	return c
}

func (l *lifter) customCall(o *Op, a *attrs) Attr {
	if !strings.HasPrefix(a.op.Name, "stablehlo.") { // a test operation
		c := &CustomCallAttr{Target: a.op.Name, HasSideEffect: true, APIVersion: 4, BackendConfig: extras(a.op.Attrs)}
		for _, x := range a.op.Attrs {
			a.used = append(a.used, x.Name)
			l.called(o, x.Attr, &c.Called)
		}
		return c
	}
	c := &CustomCallAttr{
		Target: a.string("call_target_name"), HasSideEffect: a.bool("has_side_effect", false),
		APIVersion: a.int("api_version", 1),
	}
	switch v := a.get("backend_config").(type) {
	case nil:
	case mlir.String:
		c.BackendString = string(v)
	case mlir.Dict:
		c.BackendConfig = extras(v)
	default:
		a.errorf("attribute backend_config must be a string or a dictionary")
	}
	if called := a.op.Attr("called_computations"); called != nil && l.allKnown(called) {
		a.used = append(a.used, "called_computations")
		l.called(o, called, &c.Called)
	}
	c.OperandLayouts = a.layouts("operand_layouts")
	c.ResultLayouts = a.layouts("result_layouts")
	list, _ := a.get("output_operand_aliases").(mlir.Array)
	for _, e := range list {
		s, ok := e.(mlir.Struct)
		if !ok {
			a.errorf("attribute output_operand_aliases must be a list of #stablehlo.output_operand_alias")
			break
		}
		f := fields{a: a, name: "output_operand_aliases", s: s, ok: true}
		c.Aliases = append(c.Aliases, OutputAlias{
			OutputTuple: f.ints("output_tuple_indices"), Operand: f.int("operand_index", 0),
			OperandTuple: f.ints("operand_tuple_indices"),
		})
	}
	return c
}

// called collects the functions that an attribute names, in lists at any depth.
func (l *lifter) called(o *Op, a mlir.Attr, to *[]*Func) {
	switch v := a.(type) {
	case mlir.Symbol:
		if f := l.callee(o, string(v)); f != nil {
			*to = append(*to, f)
		}
	case mlir.Array:
		for _, e := range v {
			l.called(o, e, to)
		}
	}
}

// allKnown reports whether an attribute names only functions of this program. Others are what the target knows; their
// names are kept as they are.
func (l *lifter) allKnown(a mlir.Attr) bool {
	switch v := a.(type) {
	case mlir.Symbol:
		return l.funcs[string(v)] != nil
	case mlir.Array:
		for _, e := range v {
			if !l.allKnown(e) {
				return false
			}
		}
	}
	return true
}

// layouts reads a list of dimension orders.
func (a *attrs) layouts(name string) [][]int64 {
	v := a.get(name)
	if v == nil {
		return nil
	}
	list, ok := v.(mlir.Array)
	out := make([][]int64, len(list))
	for i, e := range list {
		var isList bool
		out[i], isList = intsOf(e)
		ok = ok && isList
	}
	if !ok {
		a.errorf("attribute %s must be a list of dimension orders", name)
		return nil
	}
	return out
}

func (a *attrs) collective(k Kind) Attr {
	c := &CollectiveAttr{}
	switch k {
	case AllGather:
		c.Dim = a.needInt("all_gather_dim")
	case ReduceScatter:
		c.Dim = a.needInt("scatter_dimension")
	case AllToAll:
		c.SplitDim, c.ConcatDim = a.needInt("split_dimension"), a.needInt("concat_dimension")
		c.SplitCount = a.needInt("split_count")
	}
	if k == CollectivePermute {
		c.Groups = a.rows("source_target_pairs")
	} else if mesh, ok := a.op.Attr("replica_groups").(mlir.Struct); ok {
		a.used = append(a.used, "replica_groups")
		c.MeshGroups = &Extra{Name: "replica_groups", attr: mesh}
	} else {
		c.Groups = a.rows("replica_groups")
	}
	if k == CollectiveBroadcast || k == CollectiveReduce {
		c.DynamicRoot = a.bool("has_dynamic_root", false)
	}
	switch v := a.get("channel_handle").(type) {
	case nil:
	case mlir.Struct:
		c.ChannelID, c.ChannelType = channel(a, v)
	case mlir.Int:
		c.ChannelID = v.Value
	default:
		a.errorf("attribute channel_handle must be a #stablehlo.channel_handle")
	}
	if k == AllGather || k == AllReduce || k == ReduceScatter || k == CollectiveReduce {
		c.UseGlobalDeviceIDs = a.bool("use_global_device_ids", false)
	}
	return c
}

func channel(a *attrs, s mlir.Struct) (id, typ int64) {
	f := fields{a: a, name: "channel_handle", s: s, ok: true}
	return f.int("handle", 0), f.int("type", 0)
}

func (a *attrs) channel(k Kind) Attr {
	c := &ChannelAttr{}
	switch k {
	case Infeed:
		c.Config = a.string("infeed_config")
	case Outfeed:
		c.Config = a.string("outfeed_config")
	default:
		if f := a.fields("channel_handle"); f.ok {
			c.ChannelID, c.ChannelType = channel(a, f.s)
		}
		c.IsHostTransfer = a.bool("is_host_transfer", false)
		c.Pairs = a.rows("source_target_pairs")
	}
	return c
}
