// Package op is what package mps says to a device: storage, and batches of operations on regions of it.
//
// The data flows one way. Package mps checks what a caller asks (shapes, strides, element types, overlap, bounds: all that Metal
// Performance Shaders leave undefined) and writes it down as values of this package; a [Device] takes a whole batch, encodes it,
// and says when it is done. No device checks again what is said here to hold, and no device refuses for the shape of anything:
// what it cannot do it names in Supports, before.
//
// All sizes are at least 1. Element types, as package mps lets them through: MatMul and MatVec take two sources of one type out of
// F32, F16, BF16, I8 and I16, and a result of that type or F32 (of integers F32); the norms, Softmax, Neuron, RoPE, Attention and
// TopK take F32, F16 or BF16, the same for all operands (TopK's Indices are U32); the factorisations and solves F32 (Pivots U32);
// Sum one type of any number; Copy any two; Random integers for Bits, else F32, F16, BF16. What is summed is summed in float32 or better.
//
// Two devices exist: the processor (mps/cpu), and Metal (mps/metal).
package op

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// A Backend opens devices of one kind: the options of mps/cpu and mps/metal are backends. Where the machine has none the error is
// isthmus.ErrUnsupported or isthmus.ErrNotFound, and mps.Open goes on to the next.
type Backend interface {
	OpenDevice(ctx context.Context) (Device, error)
}

// A Device computes batches, in the order of Submit. Its methods may be called by several goroutines. An error of theirs, or of a
// Run, that is isthmus.ErrException makes package mps refuse everything from then on but reading and closing.
type Device interface {
	Info() Info
	// Supports says why the device cannot do an operation of this kind on elements of type t, wrapping isthmus.ErrUnsupported, or nil.
	// It is asked for the type of the first source and for that of the result, where they differ.
	Supports(k Kind, t dtype.Type) error
	// Alloc makes storage of n > 0 bytes, zeroed, that host and device see at the same time.
	Alloc(n int) (Storage, error)
	// Submit encodes all of ops and starts them, or starts none. They run in order, each on what those before it left. ctx bounds the
	// wait for room in the device's queue alone. The caller keeps all storage alive until the Run is done.
	Submit(ctx context.Context, ops []Op) (Run, error)
	// Close ends the device. Nothing runs and no storage of it is alive.
	Close() error
}

// Info describes a device.
type Info struct {
	Backend string // "cpu", "metal"
	Name    string // of the processor or GPU
	Unified bool   // host and device share one memory
	Limit   int    // most bytes of one storage
}

// Storage is memory of a device. Free comes once, when nothing uses it.
type Storage interface {
	Bytes() []byte
	Free() error
}

// Run is a batch under way.
type Run interface {
	// Done is closed when the device is done with all memory of the batch, however it ended.
	Done() <-chan struct{}
	// Err is why it failed, once Done is closed; a failure of one operation by its numbers is a *OpError.
	Err() error
	// Times are when the device began and ended, on its own clock, once Done is closed.
	Times() (begin, end time.Duration)
}

// Matrix is Count matrices of Rows x Columns elements: row-major, rows RowBytes apart, matrices MatrixBytes apart, the first element
// Offset bytes into Storage. Offset and RowBytes are multiples of the element's size, MatrixBytes of RowBytes and at least
// Rows*RowBytes (also where Count is 1); the last row may end with its last element.
type Matrix struct {
	Storage            Storage
	Type               dtype.Type
	Offset, RowBytes   int
	Rows, Columns      int
	Count, MatrixBytes int
}

// Vector is Count vectors of Length elements, VectorBytes apart, the first at Offset.
type Vector struct {
	Storage            Storage
	Type               dtype.Type
	Offset, Length     int
	Count, VectorBytes int
}

// Kind names an operation.
type Kind uint8

// The kinds; each is an Op below.
const (
	KindMatMul Kind = iota
	KindMatVec
	KindSoftmax
	KindLogSoftmax
	KindRMSNorm
	KindLayerNorm
	KindNeuron
	KindRoPE
	KindAttention
	KindSum
	KindTopK
	KindCholesky
	KindLU
	KindSolveTriangular
	KindSolveCholesky
	KindSolveLU
	KindCopy
	KindRandom
	Kinds int = iota
)

// Op is one operation of a batch.
type Op interface{ Kind() Kind }

// MatMul is Result = Alpha op(Left) op(Right) + Beta Result, matrix by matrix; a Left or Right of one matrix serves all of Result.
// Result overlaps neither; where Beta is 0 it is not read.
type MatMul struct {
	Left, Right, Result           Matrix
	TransposeLeft, TransposeRight bool
	Alpha, Beta                   float64
}

// MatVec is Result = Alpha op(Matrix) Vector + Beta Result, one by one as in MatMul.
type MatVec struct {
	Matrix         Matrix
	Vector, Result Vector
	Transpose      bool
	Alpha, Beta    float64
}

// Softmax normalises the exponentials of each row; Log takes the logarithm of that. Result may be Source.
type Softmax struct {
	Source, Result Matrix
	Log            bool
}

// RMSNorm is Result = Source / sqrt(mean(Source^2) + Epsilon) * Weight by rows. Weight has Columns elements or no Storage (ones).
// Result may be Source.
type RMSNorm struct {
	Source, Result Matrix
	Weight         Vector
	Epsilon        float64
}

// LayerNorm is Result = (Source - mean) / sqrt(variance + Epsilon) * Weight + Bias by rows, the variance that of the population.
// Result may be Source.
type LayerNorm struct {
	Source, Result Matrix
	Weight, Bias   Vector
	Epsilon        float64
}

// Function is what a Neuron applies.
type Function uint8

// The functions. GELU is the one with the error function.
const (
	Identity Function = iota
	ReLU
	Sigmoid
	Tanh
	GELU
	SiLU
)

// Neuron is Result = f(Alpha Source + Bias), element by element. Bias is one for a column, or has no Storage. Result may be Source.
type Neuron struct {
	Source, Result Matrix
	Bias           Vector
	Function       Function
	Alpha          float64
}

// RoPE turns pairs of columns by an angle that grows with the row: row r is position First+r; the pair i of a head of Head columns
// turns by position * Base^(-2i/Head). The pairs are neighbours, or, if Halves, i and i+Head/2. Head is even and divides the columns.
// Result may be Source.
type RoPE struct {
	Source, Result Matrix
	Head, First    int
	Base           float64
	Halves         bool
}

// Attention is Result = softmax(Scale Query Key^T + Mask) Value, matrix by matrix. Causal hides from row r of Query the rows of Key
// after r + (rows of Key - rows of Query), which is not negative. Key and Value are one for all, or one each; so is Mask, of Query's
// rows x Key's rows, which is added, or has no Storage. Values of weight zero take no part; a row that sees no key is zeros. Result
// overlaps nothing.
type Attention struct {
	Query, Key, Value, Result, Mask Matrix
	Scale                           float64
	Causal                          bool
}

// Sum is Result = the sum of Sources, all of one shape. Result may be one of them.
type Sum struct {
	Sources []Matrix
	Result  Matrix
}

// TopK finds the K <= 16 largest of each row, largest first, of equals the first column first; Indices is of U32. Both results are
// rows x K.
type TopK struct {
	Source, Indices, Values Matrix
	K                       int
}

// Cholesky is Source = L L^T (Lower) or U^T U; only that triangle of Source is read and of Result written. Result may be Source.
type Cholesky struct {
	Source, Result Matrix
	Lower          bool
}

// LU is P Source = L U with partial pivoting; Pivots is of U32, 1 x min(rows, columns): the row that was swapped with row i.
// Result may be Source.
type LU struct{ Source, Result, Pivots Matrix }

// SolveTriangular solves op(Source) X = Alpha Right, or X op(Source) = Alpha Right if OnRight, for X, the Result, which may be
// Right. Unit says that the diagonal is ones and not read.
type SolveTriangular struct {
	Source, Right, Result           Matrix
	OnRight, Upper, Transpose, Unit bool
	Alpha                           float64
}

// SolveCholesky solves A X = Right where Source is the result of Cholesky. Result may be Right.
type SolveCholesky struct {
	Source, Right, Result Matrix
	Lower                 bool
}

// SolveLU solves op(A) X = Right where Source and Pivots are those of LU. Result may be Right.
type SolveLU struct {
	Source, Pivots, Right, Result Matrix
	Transpose                     bool
}

// Copy copies, transposed or not, between matrices of the same or different element types. They do not overlap. To floats it rounds to
// nearest, ties to even; from floats to integers it truncates, the nearest integer where out of range, NaN to 0; integers wrap around.
type Copy struct {
	Source, Result Matrix
	Transpose      bool
}

// Distribution is what Random draws from.
type Distribution uint8

// The distributions.
const (
	Bits    Distribution = iota // integers of all values
	Uniform                     // A <= x < B before rounding
	Normal                      // mean A, standard deviation B
)

// Random fills Result from Philox 4x32-10 with the halves of Seed, low first, as key: the elements, counted as if Result were dense,
// take the words of the counters (i, i>>32, 0, 0), i = 0, 1, ... in turn (two words, low first, for an element of 64 bits; the low
// bits of one for smaller ones).
// Uniform is A + (B-A) (word>>8) 2^-24. Normal is by Box and Muller: of the words w0, w1 of a pair, with u = ((w0>>8)+1) 2^-24 and
// v = (w1>>8) 2^-24, the first is A + B sqrt(-2 log u) cos(2 pi v), the second has the sine. Integers are the same on every device,
// floats within rounding.
type Random struct {
	Result       Matrix
	Seed         uint64
	Distribution Distribution
	A, B         float64
}

func (MatMul) Kind() Kind          { return KindMatMul }
func (MatVec) Kind() Kind          { return KindMatVec }
func (RMSNorm) Kind() Kind         { return KindRMSNorm }
func (LayerNorm) Kind() Kind       { return KindLayerNorm }
func (Neuron) Kind() Kind          { return KindNeuron }
func (RoPE) Kind() Kind            { return KindRoPE }
func (Attention) Kind() Kind       { return KindAttention }
func (Sum) Kind() Kind             { return KindSum }
func (TopK) Kind() Kind            { return KindTopK }
func (Cholesky) Kind() Kind        { return KindCholesky }
func (LU) Kind() Kind              { return KindLU }
func (SolveTriangular) Kind() Kind { return KindSolveTriangular }
func (SolveCholesky) Kind() Kind   { return KindSolveCholesky }
func (SolveLU) Kind() Kind         { return KindSolveLU }
func (Copy) Kind() Kind            { return KindCopy }
func (Random) Kind() Kind          { return KindRandom }

// Kind tells softmax from its logarithm.
func (o Softmax) Kind() Kind {
	if o.Log {
		return KindLogSoftmax
	}
	return KindSoftmax
}

// String is the name as messages have it.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

var names = [Kinds]string{
	"matmul", "matvec", "softmax", "log softmax", "rms norm", "layer norm", "neuron", "rope", "attention", "sum", "top-k",
	"cholesky", "lu", "solve triangular", "solve cholesky", "solve lu", "copy", "random",
}

// The reasons of an OpError.
var (
	ErrSingular            = errors.New("the matrix is singular")
	ErrNotPositiveDefinite = errors.New("the matrix is not positive definite")
)

// OpError is a failure that the numbers of operation Index of a batch made: a matrix that is singular, or not positive definite.
type OpError struct {
	Index  int
	Kind   Kind
	Matrix int // which of Count
	Why    error
}

func (e *OpError) Error() string {
	return fmt.Sprintf("operation %d (%v), matrix %d: %v", e.Index, e.Kind, e.Matrix, e.Why)
}

// Unwrap is the reason.
func (e *OpError) Unwrap() error { return e.Why }
