package mps

import (
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// Kind is an operation, for [Device.Supports].
type Kind = op.Kind

// The operations.
const (
	KindMatMul          = op.KindMatMul
	KindMatVec          = op.KindMatVec
	KindSoftmax         = op.KindSoftmax
	KindLogSoftmax      = op.KindLogSoftmax
	KindRMSNorm         = op.KindRMSNorm
	KindLayerNorm       = op.KindLayerNorm
	KindNeuron          = op.KindNeuron
	KindRoPE            = op.KindRoPE
	KindAttention       = op.KindAttention
	KindSum             = op.KindSum
	KindTopK            = op.KindTopK
	KindCholesky        = op.KindCholesky
	KindLU              = op.KindLU
	KindSolveTriangular = op.KindSolveTriangular
	KindSolveCholesky   = op.KindSolveCholesky
	KindSolveLU         = op.KindSolveLU
	KindCopy            = op.KindCopy
	KindRandom          = op.KindRandom
)

// Function is what Neuron applies to each element.
type Function = op.Function

// The functions. GELU is the exact one, by the error function.
const (
	Identity = op.Identity
	ReLU     = op.ReLU
	Sigmoid  = op.Sigmoid
	Tanh     = op.Tanh
	GELU     = op.GELU
	SiLU     = op.SiLU
)

var (
	floats  = []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}
	factors = []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.I16}
	single  = []dtype.Type{dtype.F32}
)

// MatMulOptions are the variants of MatMul. The zero value is result = left right.
type MatMulOptions struct {
	TransposeLeft, TransposeRight bool
	Alpha                         float64 // 0 is 1
	Beta                          float64 // 0 does not read the result
}

// MatMul is result = Alpha left right + Beta result, matrix by matrix; a left or right of one matrix serves all results. The sources are
// both F32, F16, BF16, I8 or I16; the result has their type or is F32, of integers always F32. It overlaps neither source.
func (b *Batch) MatMul(result, left, right *Matrix, opt MatMulOptions) {
	r := b.record(op.KindMatMul)
	x, y, z := r.matrix("left", left), r.matrix("right", right), r.matrix("result", result)
	r.product(z, x, y)
	m, k, k2, n := x.Rows, x.Columns, y.Rows, y.Columns
	if opt.TransposeLeft {
		m, k = k, m
	}
	if opt.TransposeRight {
		k2, n = n, k2
	}
	r.need(r.err != nil || k == k2, "right", "%d rows after transposing, and left has %d columns; they must be equal", k2, k)
	r.shape(z, m, n, "left and right")
	r.each(z, true, x, y)
	r.apart(z, x, y)
	r.scalars(&opt.Alpha, opt.Beta)
	r.add(op.MatMul{
		Left: x.Matrix, Right: y.Matrix, Result: z.Matrix, TransposeLeft: opt.TransposeLeft, TransposeRight: opt.TransposeRight,
		Alpha: opt.Alpha, Beta: opt.Beta,
	}, effect{at: z})
}

func (r *recorder) product(result, left, right operand) {
	r.types(factors, left)
	r.alike(left, right)
	if r.err == nil && (result.Type != left.Type || left.Type.IsInt()) {
		r.types(single, result)
	}
}

func (r *recorder) scalars(alpha *float64, beta float64) {
	if *alpha == 0 {
		*alpha = 1
	}
	r.finite("alpha", *alpha)
	r.finite("beta", beta)
}

// MatVecOptions are the variants of MatVec. The zero value is result = matrix vector.
type MatVecOptions struct {
	Transpose bool
	Alpha     float64 // 0 is 1
	Beta      float64 // 0 does not read the result
}

// MatVec is result = Alpha matrix vector + Beta result, one by one; one matrix or one vector serves all. Types are as for MatMul.
func (b *Batch) MatVec(result *Vector, matrix *Matrix, vector *Vector, opt MatVecOptions) {
	r := b.record(op.KindMatVec)
	x, y, z := r.matrix("matrix", matrix), r.vector("vector", vector), r.vector("result", result)
	r.product(z, x, y)
	m, k := x.Rows, x.Columns
	if opt.Transpose {
		m, k = k, m
	}
	r.shape(y, 1, k, "the matrix")
	r.shape(z, 1, m, "the matrix")
	r.each(z, true, x, y)
	r.apart(z, x, y)
	r.scalars(&opt.Alpha, opt.Beta)
	r.add(op.MatVec{Matrix: x.Matrix, Vector: y.vector(), Result: z.vector(), Transpose: opt.Transpose, Alpha: opt.Alpha, Beta: opt.Beta}, effect{at: z})
}

// rowwise are the rules of what makes rows of rows: one type, one shape, in place or apart.
func (r *recorder) rowwise(result, source operand) {
	r.types(floats, source)
	r.alike(source, result)
	r.shape(result, source.Rows, source.Columns, "source")
	r.each(result, false, source)
	r.inPlace(result, source)
}

// Softmax makes each row of result the exponentials of that of source over their sum. Result may be source.
func (b *Batch) Softmax(result, source *Matrix) { b.softmax(result, source, false) }

// LogSoftmax makes the logarithms of Softmax. Result may be source.
func (b *Batch) LogSoftmax(result, source *Matrix) { b.softmax(result, source, true) }

func (b *Batch) softmax(result, source *Matrix, log bool) {
	o := op.Softmax{Log: log}
	r := b.record(o.Kind())
	x, z := r.matrix("source", source), r.matrix("result", result)
	r.rowwise(z, x)
	o.Source, o.Result = x.Matrix, z.Matrix
	r.add(o, effect{at: z})
}

// optionalVector is an operand that may be nil, one element for a column.
func (r *recorder) optionalVector(name string, v *Vector, source, result operand) operand {
	o := r.optional(name, v.rows())
	r.alike(source, o)
	r.length(o, source.Columns, "the columns of source")
	r.apart(result, o)
	return o
}

// RMSNorm makes each row source / sqrt(mean(source^2) + epsilon) * weight. Weight has an element for a column, or is nil for ones.
// Result may be source. Floats of any width, the same for all operands.
func (b *Batch) RMSNorm(result, source *Matrix, weight *Vector, epsilon float64) {
	r := b.record(op.KindRMSNorm)
	x, z := r.matrix("source", source), r.matrix("result", result)
	r.rowwise(z, x)
	w := r.optionalVector("weight", weight, x, z)
	r.epsilon(epsilon)
	r.add(op.RMSNorm{Source: x.Matrix, Result: z.Matrix, Weight: w.vector(), Epsilon: epsilon}, effect{at: z})
}

func (r *recorder) epsilon(v float64) {
	r.finite("epsilon", v)
	r.need(v >= 0, "epsilon", "%v; not negative", v)
}

// LayerNorm makes each row (source - mean) / sqrt(variance + epsilon) * weight + bias. Weight and bias have an element for a column, or
// are nil for ones and zeros. Result may be source.
func (b *Batch) LayerNorm(result, source *Matrix, weight, bias *Vector, epsilon float64) {
	r := b.record(op.KindLayerNorm)
	x, z := r.matrix("source", source), r.matrix("result", result)
	r.rowwise(z, x)
	w, v := r.optionalVector("weight", weight, x, z), r.optionalVector("bias", bias, x, z)
	r.epsilon(epsilon)
	r.add(op.LayerNorm{Source: x.Matrix, Result: z.Matrix, Weight: w.vector(), Bias: v.vector(), Epsilon: epsilon}, effect{at: z})
}

// Neuron makes each element f(alpha source + bias). Bias has an element for a column, or is nil for zeros; an alpha of 0 is 1. Result
// may be source.
func (b *Batch) Neuron(result, source *Matrix, bias *Vector, f Function, alpha float64) {
	r := b.record(op.KindNeuron)
	x, z := r.matrix("source", source), r.matrix("result", result)
	r.rowwise(z, x)
	v := r.optionalVector("bias", bias, x, z)
	r.need(f <= op.SiLU, "function", "there is none of number %d", f)
	r.scalars(&alpha, 0)
	r.add(op.Neuron{Source: x.Matrix, Result: z.Matrix, Bias: v.vector(), Function: f, Alpha: alpha}, effect{at: z})
}

// RoPEOptions are the variants of RoPE. Head must be given.
type RoPEOptions struct {
	Head   int     // columns of a head: even, and divides the columns
	First  int     // the position of row 0
	Base   float64 // 0 is 10000
	Halves bool    // pairs are columns i and i + Head/2 of a head; else neighbours
}

// RoPE turns pairs of columns by angles that grow with the row: rotary position embedding. Result may be source.
func (b *Batch) RoPE(result, source *Matrix, opt RoPEOptions) {
	r := b.record(op.KindRoPE)
	x, z := r.matrix("source", source), r.matrix("result", result)
	r.rowwise(z, x)
	if opt.Base == 0 {
		opt.Base = 10000
	}
	r.finite("base", opt.Base)
	r.need(opt.Base > 0, "base", "%v; positive", opt.Base)
	r.need(opt.First >= 0 && opt.First <= maxPosition-x.Rows, "first", "row 0 at position %d; from 0, and the last row below %d", opt.First, maxPosition)
	r.need(r.err != nil || opt.Head > 0 && opt.Head%2 == 0 && x.Columns%opt.Head == 0, "head", "%d columns of %d; even, and it divides them", opt.Head, x.Columns)
	r.add(op.RoPE{Source: x.Matrix, Result: z.Matrix, Head: opt.Head, First: opt.First, Base: opt.Base, Halves: opt.Halves}, effect{at: z})
}

// maxPosition is where float32 stops telling positions apart.
const maxPosition = 1 << 24

// AttentionOptions are the variants of Attention.
type AttentionOptions struct {
	Scale  float64 // 0 is 1
	Causal bool    // row i of query sees the rows of key up to i + (rows of key - rows of query)
	Mask   *Matrix // added to the scores: rows of query x rows of key; nil is none
}

// Attention makes result = softmax(Scale query key^T + Mask) value, matrix by matrix: a matrix is a head. Key and value, and the mask,
// are one for all heads or one each. A key that Causal or a mask of minus infinity hides takes no part, whatever its value is; a row that
// sees none is zeros. Result overlaps nothing. Floats of any width, the same for all operands.
func (b *Batch) Attention(result, query, key, value *Matrix, opt AttentionOptions) {
	r := b.record(op.KindAttention)
	q, k, v, z, m := r.matrix("query", query), r.matrix("key", key), r.matrix("value", value), r.matrix("result", result), r.optional("mask", opt.Mask)
	r.types(floats, q)
	r.alike(q, k, v, z, m)
	r.shape(k, k.Rows, q.Columns, "the columns of query")
	r.shape(v, k.Rows, v.Columns, "the rows of key")
	r.shape(z, q.Rows, v.Columns, "query and value")
	if m.present() {
		r.shape(m, q.Rows, k.Rows, "query and key")
	}
	r.each(z, false, q)
	r.each(z, true, k, v, m)
	r.need(r.err != nil || k.Count == v.Count, "value", "%d matrices, and key has %d; as many", v.Count, k.Count)
	r.need(r.err != nil || !opt.Causal || k.Rows >= q.Rows, "key", "%d rows, and query has %d, of which the first would see nothing; Causal needs as many at least", k.Rows, q.Rows)
	r.apart(z, q, k, v, m)
	r.scalars(&opt.Scale, 0)
	r.add(op.Attention{
		Query: q.Matrix, Key: k.Matrix, Value: v.Matrix, Result: z.Matrix, Mask: m.Matrix, Scale: opt.Scale, Causal: opt.Causal,
	}, effect{at: z})
}

// Sum makes result the sum of sources, element by element, all of one type and shape. Result may be one of them. Integers wrap around.
func (b *Batch) Sum(result *Matrix, sources ...*Matrix) {
	r := b.record(op.KindSum)
	z := r.matrix("result", result)
	o := op.Sum{Result: z.Matrix}
	r.need(len(sources) > 0, "sources", "none; at least one")
	if r.err == nil {
		r.supported(z)
	}
	for _, m := range sources {
		x := r.matrix("source", m)
		r.alike(x, z)
		r.shape(x, z.Rows, z.Columns, "result")
		r.each(z, false, x)
		r.inPlace(z, x)
		o.Sources = append(o.Sources, x.Matrix)
	}
	r.add(o, effect{at: z})
}

// maxTopK is the most that MPSMatrixFindTopK is defined for.
const maxTopK = 16

// TopK finds the k <= 16 largest elements of each row of source, the largest first, and of equal ones the first column first: their
// columns, of U32, and their values. NaN is larger than any number. Both results are rows x k and overlap nothing.
func (b *Batch) TopK(index, values, source *Matrix, k int) {
	r := b.record(op.KindTopK)
	x, i, v := r.matrix("source", source), r.matrix("indices", index), r.matrix("values", values)
	r.types(floats, x)
	r.alike(x, v)
	r.need(r.err != nil || i.Type == dtype.U32, "indices", "elements of type %v; U32", i.Type)
	r.need(k >= 1 && k <= maxTopK, "k", "%d; from 1 to %d", k, maxTopK)
	r.need(r.err != nil || k <= x.Columns, "k", "%d of %d columns; at most as many", k, x.Columns)
	r.shape(i, x.Rows, k, "source and k")
	r.shape(v, x.Rows, k, "source and k")
	r.each(x, false, i, v)
	r.apart(i, x, v)
	r.apart(v, x)
	r.add(op.TopK{Source: x.Matrix, Indices: i.Matrix, Values: v.Matrix, K: k}, effect{at: i}, effect{at: v})
}

// Copy copies source to result, of the same shape, or transposed, and converts: to floats it rounds to nearest, from floats to integers it
// truncates, the nearest integer where out of range and NaN to 0; integers wrap around. They do not overlap.
func (b *Batch) Copy(result, source *Matrix, transpose bool) {
	r := b.record(op.KindCopy)
	x, z := r.matrix("source", source), r.matrix("result", result)
	if r.err == nil {
		r.supported(x)
		r.supported(z)
	}
	m, n := x.Rows, x.Columns
	if transpose {
		m, n = n, m
	}
	r.shape(z, m, n, "source")
	r.each(z, false, x)
	r.apart(z, x)
	r.add(op.Copy{Source: x.Matrix, Result: z.Matrix, Transpose: transpose}, effect{at: z})
}

// Bits fills an integer matrix with random bits: the same for one seed, on every device.
func (b *Batch) Bits(result *Matrix, seed uint64) { b.random(result, op.Random{Seed: seed}) }

// Uniform fills a matrix of floats with random numbers, low <= x < high before rounding.
func (b *Batch) Uniform(result *Matrix, seed uint64, low, high float64) {
	b.random(result, op.Random{Seed: seed, Distribution: op.Uniform, A: low, B: high})
}

// Normal fills a matrix of floats with random numbers of a normal distribution.
func (b *Batch) Normal(result *Matrix, seed uint64, mean, deviation float64) {
	b.random(result, op.Random{Seed: seed, Distribution: op.Normal, A: mean, B: deviation})
}

func (b *Batch) random(result *Matrix, o op.Random) {
	r := b.record(op.KindRandom)
	z := r.matrix("result", result)
	if o.Distribution == op.Bits {
		r.need(r.err != nil || z.Type.IsInt(), "result", "elements of type %v; bits are integers; use Uniform or Normal", z.Type)
		if r.err == nil {
			r.supported(z)
		}
	} else {
		r.types(floats, z)
		r.finite("low or mean", o.A)
		r.finite("high or deviation", o.B)
		r.need(o.Distribution != op.Uniform || o.A < o.B, "high", "%v, and low is %v; above it", o.B, o.A)
		r.need(o.Distribution != op.Normal || o.B >= 0, "deviation", "%v; not negative", o.B)
	}
	o.Result = z.Matrix
	r.add(o, effect{at: z})
}
