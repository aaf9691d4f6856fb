package stablehlo

// Kind is an operation of the StableHLO specification (section Ops). Each kind's comment names the type of its Attr,
// if it has one.
//
// Operations of other dialects never appear in a graph: lifting replaces chlo operations and composites by
// specification operations, except that a composite which a device may want to recognise stays a [Composite] beside
// its decomposition.
type Kind uint8

// The operations.
const (
	InvalidKind Kind = iota

	// Elementwise, one operand.
	Abs
	Cbrt
	Ceil
	Convert
	BitcastConvert
	Cosine
	CountLeadingZeros
	Exponential
	ExponentialMinusOne
	Floor
	Imag
	IsFinite
	Log
	LogPlusOne
	Logistic
	Negate
	Not
	PopulationCount
	Real
	ReducePrecision // ReducePrecisionAttr
	RoundNearestAfz
	RoundNearestEven
	Rsqrt
	Sign
	Sine
	Sqrt
	Tan
	Tanh
	UniformDequantize
	UniformQuantize

	// Elementwise, two or three operands.
	Add
	And
	Atan2
	Clamp
	Compare // CompareAttr
	Complex
	Divide
	Maximum
	Minimum
	Multiply
	Or
	Power
	Remainder
	Select
	ShiftLeft
	ShiftRightArithmetic
	ShiftRightLogical
	Subtract
	Xor

	// Data movement and shape.
	BroadcastInDim // DimsAttr: operand dimension i is result dimension Dims[i]
	Concatenate    // DimAttr
	Constant       // *Literal
	DynamicSlice   // DimsAttr: slice sizes
	DynamicUpdateSlice
	Gather // *GatherAttr
	Iota   // DimAttr
	Pad    // *PadAttr
	Reshape
	Reverse   // DimsAttr
	Scatter   // *ScatterAttr; region: update computation
	Slice     // *SliceAttr
	Sort      // *SortAttr; region: comparator
	Transpose // DimsAttr: permutation

	// Shapes that are operands.
	DynamicBroadcastInDim // *DynamicBroadcastAttr
	DynamicConv           // *ConvAttr
	DynamicGather         // *GatherAttr
	DynamicIota           // DimAttr
	DynamicPad
	DynamicReshape
	GetDimensionSize // DimAttr
	SetDimensionSize // DimAttr
	RealDynamicSlice

	// Linear algebra and windows.
	BatchNormGrad      // BatchNormAttr
	BatchNormInference // BatchNormAttr
	BatchNormTraining  // BatchNormAttr
	Cholesky           // CholeskyAttr
	Convolution        // *ConvAttr
	DotGeneral         // *DotAttr
	FFT                // FFTAttr
	Map                // DimsAttr; region
	Reduce             // DimsAttr; region
	ReduceWindow       // *WindowAttr; region
	SelectAndScatter   // *WindowAttr; regions: select, scatter
	TriangularSolve    // TriangularSolveAttr

	// Random numbers.
	RNG             // RNGAttr
	RNGBitGenerator // RNGBitGeneratorAttr

	// Control flow, calls, tuples, tokens.
	AfterAll
	Call            // CallAttr
	Case            // regions: branches
	Composite       // *CompositeAttr; regions: a producer's own, beside the decomposition
	CustomCall      // *CustomCallAttr
	GetTupleElement // DimAttr: the index
	If              // regions: true, false
	OptimizationBarrier
	Return
	TupleOp
	While // regions: condition, body

	// Communication between devices and with the host.
	AllGather           // *CollectiveAttr
	AllReduce           // *CollectiveAttr; region
	AllToAll            // *CollectiveAttr
	CollectiveBroadcast // *CollectiveAttr
	CollectivePermute   // *CollectiveAttr
	CollectiveReduce    // *CollectiveAttr; region: like AllReduce, but only the first of a group has the result
	ReduceScatter       // *CollectiveAttr; region
	PartitionID
	ReplicaID
	Infeed     // *ChannelAttr
	Outfeed    // *ChannelAttr
	Recv       // *ChannelAttr
	Send       // *ChannelAttr
	AsyncStart // region: the computation
	AsyncDone

	numKinds
)

var kindNames = [numKinds]string{
	InvalidKind: "invalid",
	Abs:         "abs", Cbrt: "cbrt", Ceil: "ceil", Convert: "convert", BitcastConvert: "bitcast_convert",
	Cosine: "cosine", CountLeadingZeros: "count_leading_zeros", Exponential: "exponential",
	ExponentialMinusOne: "exponential_minus_one", Floor: "floor", Imag: "imag", IsFinite: "is_finite", Log: "log",
	LogPlusOne: "log_plus_one", Logistic: "logistic", Negate: "negate", Not: "not", PopulationCount: "popcnt",
	Real: "real", ReducePrecision: "reduce_precision", RoundNearestAfz: "round_nearest_afz",
	RoundNearestEven: "round_nearest_even", Rsqrt: "rsqrt", Sign: "sign", Sine: "sine", Sqrt: "sqrt", Tan: "tan",
	Tanh: "tanh", UniformDequantize: "uniform_dequantize", UniformQuantize: "uniform_quantize",
	Add: "add", And: "and", Atan2: "atan2", Clamp: "clamp", Compare: "compare", Complex: "complex", Divide: "divide",
	Maximum: "maximum", Minimum: "minimum", Multiply: "multiply", Or: "or", Power: "power", Remainder: "remainder",
	Select: "select", ShiftLeft: "shift_left", ShiftRightArithmetic: "shift_right_arithmetic",
	ShiftRightLogical: "shift_right_logical", Subtract: "subtract", Xor: "xor",
	BroadcastInDim: "broadcast_in_dim", Concatenate: "concatenate", Constant: "constant", DynamicSlice: "dynamic_slice",
	DynamicUpdateSlice: "dynamic_update_slice", Gather: "gather", Iota: "iota", Pad: "pad", Reshape: "reshape",
	Reverse: "reverse", Scatter: "scatter", Slice: "slice", Sort: "sort", Transpose: "transpose",
	DynamicBroadcastInDim: "dynamic_broadcast_in_dim", DynamicConv: "dynamic_conv", DynamicGather: "dynamic_gather",
	DynamicIota: "dynamic_iota", DynamicPad: "dynamic_pad", DynamicReshape: "dynamic_reshape",
	GetDimensionSize: "get_dimension_size", SetDimensionSize: "set_dimension_size", RealDynamicSlice: "real_dynamic_slice",
	BatchNormGrad: "batch_norm_grad", BatchNormInference: "batch_norm_inference", BatchNormTraining: "batch_norm_training",
	Cholesky: "cholesky", Convolution: "convolution", DotGeneral: "dot_general", FFT: "fft", Map: "map", Reduce: "reduce",
	ReduceWindow: "reduce_window", SelectAndScatter: "select_and_scatter", TriangularSolve: "triangular_solve",
	RNG: "rng", RNGBitGenerator: "rng_bit_generator",
	AfterAll: "after_all", Call: "call", Case: "case", Composite: "composite", CustomCall: "custom_call",
	GetTupleElement: "get_tuple_element", If: "if", OptimizationBarrier: "optimization_barrier", Return: "return",
	TupleOp: "tuple", While: "while",
	AllGather: "all_gather", AllReduce: "all_reduce", AllToAll: "all_to_all", CollectiveBroadcast: "collective_broadcast",
	CollectivePermute: "collective_permute", CollectiveReduce: "collective_reduce", ReduceScatter: "reduce_scatter", PartitionID: "partition_id",
	ReplicaID: "replica_id", Infeed: "infeed", Outfeed: "outfeed", Recv: "recv", Send: "send",
	AsyncStart: "async_start", AsyncDone: "async_done",
}

// String returns the operation's name without its dialect, such as "dot_general".
func (k Kind) String() string {
	if k >= numKinds {
		return kindNames[InvalidKind]
	}
	return kindNames[k]
}

// Kinds lists every operation.
func Kinds() []Kind {
	all := make([]Kind, 0, numKinds-1)
	for k := InvalidKind + 1; k < numKinds; k++ {
		all = append(all, k)
	}
	return all
}
