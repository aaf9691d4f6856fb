package stablehlo

import "github.com/isthmus-ffi/isthmus/dtype"

// Attr is what an operation has besides operands: one of the types of this file, or *[Literal] for a constant.
// The names of the fields are the specification's.
type Attr interface{ isAttr() }

// Direction is the comparison that Compare makes.
type Direction uint8

// The directions of a comparison.
const (
	_ Direction = iota
	EQ
	NE
	GE
	GT
	LE
	LT
)

// CompareType says how Compare orders values.
type CompareType uint8

// The kinds of comparison. NoCompareType is what a program without the attribute has: the element type decides.
const (
	NoCompareType CompareType = iota
	CompareFloat
	CompareTotalOrder
	CompareSigned
	CompareUnsigned
)

// CompareAttr belongs to Compare.
type CompareAttr struct {
	Direction Direction
	Type      CompareType
}

// ReducePrecisionAttr belongs to ReducePrecision.
type ReducePrecisionAttr struct{ ExponentBits, MantissaBits int }

// DimAttr is the one dimension or index that Concatenate, Iota, DynamicIota, GetDimensionSize, SetDimensionSize and
// GetTupleElement name.
type DimAttr struct{ Dim int64 }

// DimsAttr is the one list of dimensions or sizes that BroadcastInDim, DynamicSlice, Reverse, Transpose, Map and Reduce
// have.
type DimsAttr struct{ Dims []int64 }

// DynamicBroadcastAttr belongs to DynamicBroadcastInDim.
type DynamicBroadcastAttr struct{ Dims, KnownExpanding, KnownNonexpanding []int64 }

// SliceAttr belongs to Slice.
type SliceAttr struct{ Start, Limit, Stride []int64 }

// PadAttr belongs to Pad.
type PadAttr struct{ Low, High, Interior []int64 }

// SortAttr belongs to Sort.
type SortAttr struct {
	Dim    int64 // normalised: not negative
	Stable bool
}

// GatherAttr belongs to Gather and DynamicGather (whose SliceSizes are an operand).
type GatherAttr struct {
	OffsetDims           []int64
	CollapsedSliceDims   []int64
	OperandBatchingDims  []int64
	StartIndicesBatching []int64
	StartIndexMap        []int64
	IndexVectorDim       int64
	SliceSizes           []int64
	IndicesAreSorted     bool
}

// ScatterAttr belongs to Scatter. Operands are the inputs, the indices, then the updates.
type ScatterAttr struct {
	UpdateWindowDims         []int64
	InsertedWindowDims       []int64
	InputBatchingDims        []int64
	ScatterIndicesBatching   []int64
	ScatterDimsToOperandDims []int64
	IndexVectorDim           int64
	IndicesAreSorted         bool
	UniqueIndices            bool
}

// BatchNormAttr belongs to the batch normalisations.
type BatchNormAttr struct {
	Epsilon float32
	Feature int64
}

// CholeskyAttr belongs to Cholesky.
type CholeskyAttr struct{ Lower bool }

// TransposeA says what TriangularSolve does to a before solving.
type TransposeA uint8

// The transformations of TriangularSolve.
const (
	_ TransposeA = iota
	NoTranspose
	TransposeOnly
	Adjoint
)

// TriangularSolveAttr belongs to TriangularSolve.
type TriangularSolveAttr struct {
	LeftSide, Lower, UnitDiagonal bool
	Transpose                     TransposeA
}

// FFTType is the transform that FFT makes.
type FFTType uint8

// The transforms.
const (
	_ FFTType = iota
	FFTForward
	FFTInverse
	FFTReal        // RFFT
	FFTInverseReal // IRFFT
)

// FFTAttr belongs to FFT.
type FFTAttr struct {
	Type   FFTType
	Length []int64
}

// Precision is the precision that a dot or convolution asks for.
type Precision uint8

// The precisions.
const (
	PrecisionDefault Precision = iota
	PrecisionHigh
	PrecisionHighest
)

// DotAlgorithm is the algorithm that a dot asks for.
type DotAlgorithm struct {
	LHS, RHS, Accumulation       dtype.Type
	LHSComponents, RHSComponents int64
	NumPrimitiveOperations       int64
	AllowImpreciseAccumulation   bool
}

// DotAttr belongs to DotGeneral. The result has the batching dimensions, then lhs's free ones, then rhs's.
type DotAttr struct {
	LHSBatch, RHSBatch       []int64
	LHSContract, RHSContract []int64
	Precision                []Precision // empty, or one an operand
	Algorithm                *DotAlgorithm
}

// ConvAttr belongs to Convolution and DynamicConv (whose padding is an operand).
type ConvAttr struct {
	WindowStrides                           []int64
	Padding                                 [][2]int64 // low, high; one an spatial dimension
	LHSDilation, RHSDilation                []int64
	WindowReversal                          []bool
	InputBatch, InputFeature                int64
	InputSpatial                            []int64
	KernelInputFeature, KernelOutputFeature int64
	KernelSpatial                           []int64
	OutputBatch, OutputFeature              int64
	OutputSpatial                           []int64
	FeatureGroupCount, BatchGroupCount      int64
	Precision                               []Precision
}

// WindowAttr belongs to ReduceWindow and SelectAndScatter, every list filled in (one entry a dimension).
type WindowAttr struct {
	Dims, Strides, BaseDilations, WindowDilations []int64
	Padding                                       [][2]int64
}

// RNGDistribution is the distribution that RNG draws from.
type RNGDistribution uint8

// The distributions.
const (
	_ RNGDistribution = iota
	RNGUniform
	RNGNormal
)

// RNGAttr belongs to RNG.
type RNGAttr struct{ Distribution RNGDistribution }

// RNGAlgorithm is the generator of RNGBitGenerator.
type RNGAlgorithm uint8

// The generators.
const (
	_ RNGAlgorithm = iota
	RNGDefault
	RNGThreeFry
	RNGPhilox
)

// RNGBitGeneratorAttr belongs to RNGBitGenerator.
type RNGBitGeneratorAttr struct{ Algorithm RNGAlgorithm }

// CallAttr belongs to Call: the function of the same module, resolved.
type CallAttr struct{ Callee *Func }

// CompositeAttr belongs to Composite. Decomposition computes the same results from the same operands.
type CompositeAttr struct {
	Name          string // such as "chlo.top_k"
	Version       int64
	Decomposition *Func
	Attributes    []Extra
}

// CustomCallAttr belongs to CustomCall.
type CustomCallAttr struct {
	Target         string
	HasSideEffect  bool
	APIVersion     int64
	BackendString  string  // backend_config as a string (API versions 1 to 3)
	BackendConfig  []Extra // backend_config as a dictionary (API version 4)
	Called         []*Func
	Aliases        []OutputAlias
	OperandLayouts [][]int64 // minor to major; nil without
	ResultLayouts  [][]int64
}

// OutputAlias says that a part of the result of a custom call shares memory with a part of an operand.
type OutputAlias struct {
	OutputTuple  []int64
	Operand      int64
	OperandTuple []int64
}

// CollectiveAttr belongs to the operations over groups of devices; each kind uses the fields that its specification
// names.
type CollectiveAttr struct {
	Dim                 int64 // all_gather_dim, scatter_dimension
	SplitDim, ConcatDim int64 // all_to_all
	SplitCount          int64
	Groups              [][]int64 // replica_groups, or source_target_pairs of CollectivePermute; -1 pads a short group
	ChannelID           int64     // 0 without
	ChannelType         int64
	UseGlobalDeviceIDs  bool
	DynamicRoot         bool   // of CollectiveBroadcast: the last operand holds one root an operand before it
	MeshGroups          *Extra // replica_groups by the axes of a mesh, which Groups cannot say; no device here runs it
}

// ChannelAttr belongs to Infeed, Outfeed, Send and Recv.
type ChannelAttr struct {
	Config         string
	ChannelID      int64
	ChannelType    int64
	IsHostTransfer bool
	Pairs          [][]int64
}

func (CompareAttr) isAttr()           {}
func (ReducePrecisionAttr) isAttr()   {}
func (DimAttr) isAttr()               {}
func (DimsAttr) isAttr()              {}
func (*DynamicBroadcastAttr) isAttr() {}
func (*SliceAttr) isAttr()            {}
func (*PadAttr) isAttr()              {}
func (*SortAttr) isAttr()             {}
func (*GatherAttr) isAttr()           {}
func (*ScatterAttr) isAttr()          {}
func (BatchNormAttr) isAttr()         {}
func (CholeskyAttr) isAttr()          {}
func (TriangularSolveAttr) isAttr()   {}
func (FFTAttr) isAttr()               {}
func (*DotAttr) isAttr()              {}
func (*ConvAttr) isAttr()             {}
func (*WindowAttr) isAttr()           {}
func (RNGAttr) isAttr()               {}
func (RNGBitGeneratorAttr) isAttr()   {}
func (CallAttr) isAttr()              {}
func (*CompositeAttr) isAttr()        {}
func (*CustomCallAttr) isAttr()       {}
func (*CollectiveAttr) isAttr()       {}
func (*ChannelAttr) isAttr()          {}
func (*Literal) isAttr()              {}
