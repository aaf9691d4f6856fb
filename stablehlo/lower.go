package stablehlo

import (
	"encoding/binary"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// lowered collects the attributes of an operation as programs have them.
type lowered struct{ list []mlir.NamedAttr }

func (l *lowered) add(name string, a mlir.Attr) {
	l.list = append(l.list, mlir.NamedAttr{Name: name, Attr: a})
}

func i64Attr(v int64) mlir.Int {
	return mlir.Int{Value: v, Type: mlir.Type{Kind: mlir.Scalar, Elem: dtype.I64}}
}

func i32Attr(v int64) mlir.Int {
	return mlir.Int{Value: v, Type: mlir.Type{Kind: mlir.Scalar, Elem: dtype.I32}}
}

func intsAttr(v []int64) mlir.Ints { return mlir.Ints{Elem: dtype.I64, Values: v} }

func enumAttr(enum string, value interface{ String() string }) mlir.Enum {
	return mlir.Enum{Name: enum, Value: value.String()}
}

func (l *lowered) ints(name string, v []int64) { l.add(name, intsAttr(v)) }

// intsUnless leaves out a list of defaults.
func (l *lowered) intsUnless(name string, v []int64, absent int64) {
	for _, n := range v {
		if n != absent {
			l.ints(name, v)
			return
		}
	}
}

func (l *lowered) boolUnless(name string, v, absent bool) {
	if v != absent {
		l.add(name, mlir.Bool(v))
	}
}

// rows adds a matrix; short rows are padded with -1.
func (l *lowered) rows(name string, rows [][]int64) {
	cols := 0
	for _, r := range rows {
		cols = max(cols, len(r))
	}
	var data []byte
	for _, r := range rows {
		for i := range cols {
			v := int64(-1)
			if i < len(r) {
				v = r[i]
			}
			data = binary.LittleEndian.AppendUint64(data, uint64(v))
		}
	}
	t := mlir.Type{Kind: mlir.Tensor, Elem: dtype.I64, Dims: []int64{int64(len(rows)), int64(cols)}}
	l.add(name, mlir.Dense{Type: t, Data: data})
}

func (l *lowered) padding(name string, rows [][2]int64) {
	zero := true
	list := make([][]int64, len(rows))
	for i, r := range rows {
		list[i] = r[:]
		zero = zero && r == [2]int64{}
	}
	if !zero {
		l.rows(name, list)
	}
}

func (l *lowered) precision(list []Precision) {
	if list == nil {
		return
	}
	a := mlir.Array{}
	for _, p := range list {
		a = append(a, enumAttr("precision", p))
	}
	l.add("precision_config", a)
}

// lower is the inverse of lifting: the attributes that give o.Attr back.
func lower(o *Op) []mlir.NamedAttr {
	l := &lowered{}
	switch a := o.Attr.(type) {
	case CompareAttr:
		l.add("comparison_direction", enumAttr("comparison_direction", a.Direction))
		if a.Type != NoCompareType {
			l.add("compare_type", enumAttr("comparison_type", a.Type))
		}
	case ReducePrecisionAttr:
		l.add("exponent_bits", i32Attr(int64(a.ExponentBits)))
		l.add("mantissa_bits", i32Attr(int64(a.MantissaBits)))
	case DimAttr:
		switch o.Kind {
		case Iota, DynamicIota:
			l.add("iota_dimension", i64Attr(a.Dim))
		case GetTupleElement:
			l.add("index", i32Attr(a.Dim))
		default:
			l.add("dimension", i64Attr(a.Dim))
		}
	case DimsAttr:
		switch o.Kind {
		case BroadcastInDim:
			l.ints("broadcast_dimensions", a.Dims)
		case DynamicSlice:
			l.ints("slice_sizes", a.Dims)
		case Transpose:
			l.ints("permutation", a.Dims)
		default:
			l.ints("dimensions", a.Dims)
		}
	case *Literal:
		l.add("value", denseOf(a))
	case *DynamicBroadcastAttr:
		l.ints("broadcast_dimensions", a.Dims)
		if a.KnownExpanding != nil {
			l.ints("known_expanding_dimensions", a.KnownExpanding)
		}
		if a.KnownNonexpanding != nil {
			l.ints("known_nonexpanding_dimensions", a.KnownNonexpanding)
		}
	case *SliceAttr:
		l.ints("start_indices", a.Start)
		l.ints("limit_indices", a.Limit)
		l.ints("strides", a.Stride)
	case *PadAttr:
		l.ints("edge_padding_low", a.Low)
		l.ints("edge_padding_high", a.High)
		l.ints("interior_padding", a.Interior)
	case *SortAttr:
		l.add("dimension", i64Attr(a.Dim))
		l.add("is_stable", mlir.Bool(a.Stable))
	case *GatherAttr:
		l.add("dimension_numbers", mlir.Struct{Name: "gather", Fields: []mlir.NamedAttr{
			{Name: "offset_dims", Attr: intsAttr(a.OffsetDims)},
			{Name: "collapsed_slice_dims", Attr: intsAttr(a.CollapsedSliceDims)},
			{Name: "operand_batching_dims", Attr: intsAttr(a.OperandBatchingDims)},
			{Name: "start_indices_batching_dims", Attr: intsAttr(a.StartIndicesBatching)},
			{Name: "start_index_map", Attr: intsAttr(a.StartIndexMap)},
			{Name: "index_vector_dim", Attr: i64Attr(a.IndexVectorDim)},
		}})
		if o.Kind == Gather {
			l.ints("slice_sizes", a.SliceSizes)
		}
		l.boolUnless("indices_are_sorted", a.IndicesAreSorted, false)
	case *ScatterAttr:
		l.add("scatter_dimension_numbers", mlir.Struct{Name: "scatter", Fields: []mlir.NamedAttr{
			{Name: "update_window_dims", Attr: intsAttr(a.UpdateWindowDims)},
			{Name: "inserted_window_dims", Attr: intsAttr(a.InsertedWindowDims)},
			{Name: "input_batching_dims", Attr: intsAttr(a.InputBatchingDims)},
			{Name: "scatter_indices_batching_dims", Attr: intsAttr(a.ScatterIndicesBatching)},
			{Name: "scatter_dims_to_operand_dims", Attr: intsAttr(a.ScatterDimsToOperandDims)},
			{Name: "index_vector_dim", Attr: i64Attr(a.IndexVectorDim)},
		}})
		l.boolUnless("indices_are_sorted", a.IndicesAreSorted, false)
		l.boolUnless("unique_indices", a.UniqueIndices, false)
	case BatchNormAttr:
		l.add("epsilon", mlir.Float{Value: float64(a.Epsilon), Type: mlir.Type{Kind: mlir.Scalar, Elem: dtype.F32}})
		l.add("feature_index", i64Attr(a.Feature))
	case CholeskyAttr:
		l.add("lower", mlir.Bool(a.Lower))
	case TriangularSolveAttr:
		l.add("left_side", mlir.Bool(a.LeftSide))
		l.add("lower", mlir.Bool(a.Lower))
		l.add("transpose_a", enumAttr("transpose", a.Transpose))
		l.add("unit_diagonal", mlir.Bool(a.UnitDiagonal))
	case FFTAttr:
		l.add("fft_type", enumAttr("fft_type", a.Type))
		l.ints("fft_length", a.Length)
	case RNGAttr:
		l.add("rng_distribution", enumAttr("rng_distribution", a.Distribution))
	case RNGBitGeneratorAttr:
		l.add("rng_algorithm", enumAttr("rng_algorithm", a.Algorithm))
	case CallAttr:
		l.add("callee", mlir.Symbol(a.Callee.name()))
	case *DotAttr:
		l.dot(a)
	case *ConvAttr:
		l.conv(a, o.Kind)
	case *WindowAttr:
		l.ints("window_dimensions", a.Dims)
		l.intsUnless("window_strides", a.Strides, 1)
		l.intsUnless("base_dilations", a.BaseDilations, 1)
		l.intsUnless("window_dilations", a.WindowDilations, 1)
		l.padding("padding", a.Padding)
	case *CompositeAttr:
		l.add("name", mlir.String(a.Name))
		l.add("decomposition", mlir.Symbol(a.Decomposition.name()))
		if len(a.Attributes) > 0 {
			l.add("composite_attributes", mlir.Dict(namedAttrs(a.Attributes)))
		}
		if a.Version != 0 {
			l.add("version", i32Attr(a.Version))
		}
	case *CustomCallAttr:
		l.customCall(a)
	case *CollectiveAttr:
		l.collective(a, o.Kind)
	case *ChannelAttr:
		l.channel(a, o.Kind)
	}
	return append(l.list, namedAttrs(o.Extra)...)
}

func denseOf(a *Literal) mlir.Dense {
	t := mlir.Type{Kind: mlir.Tensor, Elem: a.Type.Elem, Dims: a.Type.Dims}
	return mlir.Dense{Type: t, Data: a.Data, Splat: a.Splat}
}

func (l *lowered) dot(a *DotAttr) {
	l.add("dot_dimension_numbers", mlir.Struct{Name: "dot", Fields: []mlir.NamedAttr{
		{Name: "lhs_batching_dimensions", Attr: intsAttr(a.LHSBatch)},
		{Name: "rhs_batching_dimensions", Attr: intsAttr(a.RHSBatch)},
		{Name: "lhs_contracting_dimensions", Attr: intsAttr(a.LHSContract)},
		{Name: "rhs_contracting_dimensions", Attr: intsAttr(a.RHSContract)},
	}})
	l.precision(a.Precision)
	if g := a.Algorithm; g != nil {
		elem := func(t dtype.Type) mlir.TypeAttr { return mlir.TypeAttr{Type: mlir.Type{Kind: mlir.Scalar, Elem: t}} }
		l.add("algorithm", mlir.Struct{Name: "dot_algorithm", Fields: []mlir.NamedAttr{
			{Name: "lhs_precision_type", Attr: elem(g.LHS)},
			{Name: "rhs_precision_type", Attr: elem(g.RHS)},
			{Name: "accumulation_type", Attr: elem(g.Accumulation)},
			{Name: "lhs_component_count", Attr: i64Attr(g.LHSComponents)},
			{Name: "rhs_component_count", Attr: i64Attr(g.RHSComponents)},
			{Name: "num_primitive_operations", Attr: i64Attr(g.NumPrimitiveOperations)},
			{Name: "allow_imprecise_accumulation", Attr: mlir.Bool(g.AllowImpreciseAccumulation)},
		}})
	}
}

func (l *lowered) conv(a *ConvAttr, k Kind) {
	l.add("dimension_numbers", mlir.Struct{Name: "conv", Fields: []mlir.NamedAttr{
		{Name: "input_batch_dimension", Attr: i64Attr(a.InputBatch)},
		{Name: "input_feature_dimension", Attr: i64Attr(a.InputFeature)},
		{Name: "input_spatial_dimensions", Attr: intsAttr(a.InputSpatial)},
		{Name: "kernel_input_feature_dimension", Attr: i64Attr(a.KernelInputFeature)},
		{Name: "kernel_output_feature_dimension", Attr: i64Attr(a.KernelOutputFeature)},
		{Name: "kernel_spatial_dimensions", Attr: intsAttr(a.KernelSpatial)},
		{Name: "output_batch_dimension", Attr: i64Attr(a.OutputBatch)},
		{Name: "output_feature_dimension", Attr: i64Attr(a.OutputFeature)},
		{Name: "output_spatial_dimensions", Attr: intsAttr(a.OutputSpatial)},
	}})
	l.intsUnless("window_strides", a.WindowStrides, 1)
	if k == Convolution {
		l.padding("padding", a.Padding)
	}
	l.intsUnless("lhs_dilation", a.LHSDilation, 1)
	l.intsUnless("rhs_dilation", a.RHSDilation, 1)
	reversed := mlir.Ints{Elem: dtype.I1}
	some := false
	for _, r := range a.WindowReversal {
		reversed.Values = append(reversed.Values, int64(b2i(r)))
		some = some || r
	}
	if some {
		l.add("window_reversal", reversed)
	}
	l.add("feature_group_count", i64Attr(a.FeatureGroupCount))
	l.add("batch_group_count", i64Attr(a.BatchGroupCount))
	l.precision(a.Precision)
}

func (l *lowered) customCall(a *CustomCallAttr) {
	l.add("call_target_name", mlir.String(a.Target))
	l.boolUnless("has_side_effect", a.HasSideEffect, false)
	if a.APIVersion != 1 {
		l.add("api_version", i32Attr(a.APIVersion))
	}
	switch {
	case a.BackendConfig != nil:
		l.add("backend_config", mlir.Dict(namedAttrs(a.BackendConfig)))
	case a.BackendString != "":
		l.add("backend_config", mlir.String(a.BackendString))
	}
	if len(a.Called) > 0 {
		list := mlir.Array{}
		for _, f := range a.Called {
			list = append(list, mlir.Symbol(f.name()))
		}
		l.add("called_computations", list)
	}
	layouts := func(name string, list [][]int64) {
		if list == nil {
			return
		}
		out := mlir.Array{}
		for _, v := range list {
			var data []byte
			for _, n := range v {
				data = binary.LittleEndian.AppendUint64(data, uint64(n))
			}
			t := mlir.Type{Kind: mlir.Tensor, Text: "index", Elem: dtype.I64, Dims: []int64{int64(len(v))}}
			out = append(out, mlir.Dense{Type: t, Data: data})
		}
		l.add(name, out)
	}
	layouts("operand_layouts", a.OperandLayouts)
	layouts("result_layouts", a.ResultLayouts)
	if len(a.Aliases) > 0 {
		list := mlir.Array{}
		for _, x := range a.Aliases {
			list = append(list, mlir.Struct{Name: "output_operand_alias", Fields: []mlir.NamedAttr{
				{Name: "output_tuple_indices", Attr: intsAttr(x.OutputTuple)},
				{Name: "operand_index", Attr: i64Attr(x.Operand)},
				{Name: "operand_tuple_indices", Attr: intsAttr(x.OperandTuple)},
			}})
		}
		l.add("output_operand_aliases", list)
	}
}

func channelAttr(id, typ int64) mlir.Struct {
	return mlir.Struct{Name: "channel_handle", Fields: []mlir.NamedAttr{
		{Name: "handle", Attr: i64Attr(id)}, {Name: "type", Attr: i64Attr(typ)},
	}}
}

func (l *lowered) collective(a *CollectiveAttr, k Kind) {
	switch k {
	case AllGather:
		l.add("all_gather_dim", i64Attr(a.Dim))
	case ReduceScatter:
		l.add("scatter_dimension", i64Attr(a.Dim))
	case AllToAll:
		l.add("split_dimension", i64Attr(a.SplitDim))
		l.add("concat_dimension", i64Attr(a.ConcatDim))
		l.add("split_count", i64Attr(a.SplitCount))
	}
	switch {
	case a.MeshGroups != nil:
		l.add("replica_groups", a.MeshGroups.attr)
	case a.Groups == nil:
	case k == CollectivePermute:
		l.rows("source_target_pairs", a.Groups)
	default:
		l.rows("replica_groups", a.Groups)
	}
	if a.ChannelID != 0 || a.ChannelType != 0 {
		l.add("channel_handle", channelAttr(a.ChannelID, a.ChannelType))
	}
	if a.UseGlobalDeviceIDs {
		l.add("use_global_device_ids", mlir.Unit{})
	}
	if a.DynamicRoot {
		l.add("has_dynamic_root", mlir.Unit{})
	}
}

func (l *lowered) channel(a *ChannelAttr, k Kind) {
	switch k {
	case Infeed:
		l.add("infeed_config", mlir.String(a.Config))
	case Outfeed:
		l.add("outfeed_config", mlir.String(a.Config))
	default:
		l.add("channel_handle", channelAttr(a.ChannelID, a.ChannelType))
		l.boolUnless("is_host_transfer", a.IsHostTransfer, false)
		if a.Pairs != nil {
			l.rows("source_target_pairs", a.Pairs)
		}
	}
}
