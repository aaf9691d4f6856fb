package mpstest

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

var cases = []testCase{
	{"matmul", matmulCase},
	{"matvec", matvecCase},
	{"softmax", func(e *env) error { return softmaxCase(e, mps.KindSoftmax) }},
	{"log-softmax", func(e *env) error { return softmaxCase(e, mps.KindLogSoftmax) }},
	{"rms-norm", rmsNormCase},
	{"layer-norm", layerNormCase},
	{"neuron", neuronCase},
	{"rope", ropeCase},
	{"attention", attentionCase},
	{"long-attention", longAttentionCase},
	{"sum", sumCase},
	{"top-k", topKCase},
	{"copy", copyCase},
	{"random", randomCase},
	{"cholesky", choleskyCase},
	{"lu", luCase},
	{"solve-triangular", solveTriangularCase},
}

// work bounds what the oracle multiplies in one round.
const work = 1 << 19

// all makes matrices until one fails.
func (e *env) all(places []**mps.Matrix, t dtype.Type, shapes ...[3]int) error {
	for i, s := range shapes {
		m, err := e.matrix(t, s[0], s[1], s[2])
		if err != nil {
			return err
		}
		*places[i] = m
	}
	return nil
}

// counts are how many matrices a product has: as many each, or one for all.
func (e *env) counts() (result, left, right int) {
	n := 1 + e.rand.IntN(3)
	result, left, right = n, n, n
	if e.chance(30) {
		left = 1
	}
	if e.chance(30) {
		right = 1
	}
	return
}

// factor is 0 (the default), or a number.
func (e *env) factor() float64 {
	return []float64{0, 0, 1, -0.5, 2.25}[e.rand.IntN(5)]
}

func one(alpha float64) float64 {
	if alpha == 0 {
		return 1
	}
	return alpha
}

// productTypes are those of the sources and of the result.
func (e *env) productTypes(k mps.Kind) (source, result dtype.Type) {
	source = []dtype.Type{dtype.F32, dtype.F32, dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.I16}[e.rand.IntN(7)]
	if e.dev.Supports(k, source) != nil {
		source = dtype.F32
	}
	if result = source; source.IsInt() || e.chance(30) {
		result = dtype.F32
	}
	return source, result
}

func matmulCase(e *env) error {
	st, zt := e.productTypes(mps.KindMatMul)
	nz, nx, ny := e.counts()
	m, k := e.dim(1000), e.dim(1000)
	k = min(k, max(1, work/m/nz))
	n := min(e.dim(1000), max(1, work/m/k/nz))
	opt := mps.MatMulOptions{TransposeLeft: e.chance(50), TransposeRight: e.chance(50), Alpha: e.factor(), Beta: e.factor()}
	xs, ys := [3]int{nx, m, k}, [3]int{ny, k, n}
	if opt.TransposeLeft {
		xs[1], xs[2] = k, m
	}
	if opt.TransposeRight {
		ys[1], ys[2] = n, k
	}
	var x, y, z *mps.Matrix
	if err := e.all([]**mps.Matrix{&x, &y}, st, xs, ys); err != nil {
		return err
	}
	if err := e.all([]**mps.Matrix{&z}, zt, [3]int{nz, m, n}); err != nil {
		return err
	}
	return e.matmul(z, x, y, opt)
}

func (e *env) matmul(z, x, y *mps.Matrix, opt mps.MatMulOptions) error {
	a, b, c, err := get3(x, y, z)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.MatMul(z, x, y, opt) }, z); err != nil {
		return err
	}
	what := fmt.Sprintf("matmul %v = %v %v %+v", z, x, y, opt)
	return compare(what, z, product(a, b, c, opt.TransposeLeft, opt.TransposeRight, one(opt.Alpha), opt.Beta))
}

func get3(x, y, z *mps.Matrix) (a, b, c tensor, err error) {
	if a, err = get(x); err != nil {
		return
	}
	if b, err = get(y); err != nil {
		return
	}
	c, err = get(z)
	return
}

func matvecCase(e *env) error {
	st, zt := e.productTypes(mps.KindMatVec)
	nz, nx, ny := e.counts()
	m := e.dim(1000)
	k := min(e.dim(1000), work/m)
	opt := mps.MatVecOptions{Transpose: e.chance(50), Alpha: e.factor(), Beta: e.factor()}
	shape := [3]int{nx, m, k}
	if opt.Transpose {
		shape[1], shape[2] = k, m
	}
	var x, y, z *mps.Matrix // vectors are the rows of matrices
	if err := e.all([]**mps.Matrix{&x, &y}, st, shape, [3]int{1, ny, k}); err != nil {
		return err
	}
	if err := e.all([]**mps.Matrix{&z}, zt, [3]int{1, nz, m}); err != nil {
		return err
	}
	a, b, c, err := get3(x, y, z)
	if err != nil {
		return err
	}
	v, err := y.Vectors()
	if err != nil {
		return err
	}
	w, err := z.Vectors()
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.MatVec(w, x, v, opt) }, z); err != nil {
		return err
	}
	b.count, b.rows, b.columns = ny, k, 1
	c.count, c.rows, c.columns = nz, m, 1
	return compare(fmt.Sprintf("matvec %v %+v", x, opt), z, product(a, b, c, opt.Transpose, false, one(opt.Alpha), opt.Beta))
}

// pair makes a source and a result, often the same.
func (e *env) pair(k mps.Kind, columns int) (z, x *mps.Matrix, a tensor, err error) {
	t := e.float(k)
	shape := [3]int{1 + e.rand.IntN(3), e.dim(60), columns}
	if err = e.all([]**mps.Matrix{&x, &z}, t, shape, shape); err != nil {
		return
	}
	if e.chance(30) {
		z = x
	}
	a, err = get(x)
	return
}

func softmaxCase(e *env, k mps.Kind) error {
	z, x, a, err := e.pair(k, e.dim(1000))
	if err != nil {
		return err
	}
	if e.chance(30) { // exponentials that no float holds
		for i := range a.v {
			a.v[i] = math.Round(a.v[i] * 100)
		}
		if err := put(x, a); err != nil {
			return err
		}
		if a, err = get(x); err != nil {
			return err
		}
	}
	log := k == mps.KindLogSoftmax
	if err := e.do(func(b *mps.Batch) {
		if log {
			b.LogSoftmax(z, x)
		} else {
			b.Softmax(z, x)
		}
	}, z); err != nil {
		return err
	}
	return compare(fmt.Sprintf("%v of %v", k, x), z, softmax(a, log))
}

// weight makes a vector that may be nil, and its values.
func (e *env) weight(t dtype.Type, length int) (*mps.Vector, []float64, error) {
	if e.chance(30) {
		return nil, nil, nil
	}
	v, err := e.vector(t, length)
	if err != nil {
		return nil, nil, err
	}
	values, err := mps.Values[float64](v)
	return v, values, err
}

func rmsNormCase(e *env) error {
	z, x, a, err := e.pair(mps.KindRMSNorm, e.dim(1000))
	if err != nil {
		return err
	}
	w, wv, err := e.weight(x.Type(), x.Columns())
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.RMSNorm(z, x, w, 1e-5) }, z); err != nil {
		return err
	}
	return compare(fmt.Sprintf("rms norm of %v", x), z, rmsNorm(a, wv, 1e-5))
}

func layerNormCase(e *env) error {
	z, x, a, err := e.pair(mps.KindLayerNorm, e.dim(1000))
	if err != nil {
		return err
	}
	w, wv, err := e.weight(x.Type(), x.Columns())
	if err != nil {
		return err
	}
	v, vv, err := e.weight(x.Type(), x.Columns())
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.LayerNorm(z, x, w, v, 1e-3) }, z); err != nil {
		return err
	}
	return compare(fmt.Sprintf("layer norm of %v", x), z, layerNorm(a, wv, vv, 1e-3))
}

func neuronCase(e *env) error {
	z, x, a, err := e.pair(mps.KindNeuron, e.dim(1000))
	if err != nil {
		return err
	}
	v, vv, err := e.weight(x.Type(), x.Columns())
	if err != nil {
		return err
	}
	f, alpha := mps.Function(e.rand.IntN(int(mps.SiLU)+1)), e.factor()
	if err := e.do(func(b *mps.Batch) { b.Neuron(z, x, v, f, alpha) }, z); err != nil {
		return err
	}
	return compare(fmt.Sprintf("function %d of %v", f, x), z, neuron(a, vv, one(alpha), functions[f]))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

var functions = map[mps.Function]func(float64) float64{
	mps.Identity: func(x float64) float64 { return x },
	mps.ReLU:     func(x float64) float64 { return max(x, 0) },
	mps.Sigmoid:  sigmoid,
	mps.Tanh:     math.Tanh,
	mps.GELU:     func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
	mps.SiLU:     func(x float64) float64 { return x * sigmoid(x) },
}

func ropeCase(e *env) error {
	head := 2 * (1 + e.rand.IntN(20))
	z, x, a, err := e.pair(mps.KindRoPE, head*(1+e.rand.IntN(4)))
	if err != nil {
		return err
	}
	opt := mps.RoPEOptions{Head: head, First: e.rand.IntN(100), Halves: e.chance(50), Base: 500}
	if err := e.do(func(b *mps.Batch) { b.RoPE(z, x, opt) }, z); err != nil {
		return err
	}
	return compare(fmt.Sprintf("rope of %v %+v", x, opt), z, rope(a, head, opt.First, opt.Base, opt.Halves))
}

func attentionCase(e *env) error {
	return e.attention(1+e.rand.IntN(3), e.dim(80), 1+e.rand.IntN(40), e.dim(80), e.dim(64), e.dim(64))
}

// longAttentionCase has as many rows and keys as devices take in several pieces.
func longAttentionCase(e *env) error {
	rows := 1 + e.rand.IntN(20)
	return e.attention(1, rows, 500, 1+e.rand.IntN(600), e.dim(4), e.dim(4))
}

// attention has so many keys, of causal attention up to more than rows.
func (e *env) attention(n, rows, more, keys, width, out int) error {
	t := e.float(mps.KindAttention)
	kv := 1
	if e.chance(60) {
		kv = n
	}
	opt := mps.AttentionOptions{Scale: e.factor() / 4, Causal: e.chance(50)}
	if opt.Causal {
		keys = rows + e.rand.IntN(more)
	}
	var q, k, v, z *mps.Matrix
	if err := e.all([]**mps.Matrix{&q, &k, &v, &z}, t, [3]int{n, rows, width}, [3]int{kv, keys, width}, [3]int{kv, keys, out}, [3]int{n, rows, out}); err != nil {
		return err
	}
	var mask *tensor
	if e.chance(40) {
		if err := e.all([]**mps.Matrix{&opt.Mask}, t, [3]int{1, rows, keys}); err != nil {
			return err
		}
		m, err := get(opt.Mask)
		if err != nil {
			return err
		}
		mask = &m
	}
	a, b, c, err := get3(q, k, v)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.Attention(z, q, k, v, opt) }, z); err != nil {
		return err
	}
	what := fmt.Sprintf("attention of %v to %v, scale %v, causal %v, mask %v", q, k, opt.Scale, opt.Causal, mask != nil)
	want := attention(a, b, c, mask, one(opt.Scale), opt.Causal)
	if t != dtype.F32 { // scores may be rounded to the type on their way
		for i, v := range want.want.v {
			want.bound.v[i] += 8 * rounding(t) * (1 + math.Abs(v)) * float64(width)
		}
	}
	return compare(what, z, want)
}

var anyType = []dtype.Type{
	dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.I16, dtype.I32, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64,
}

// numbers is an element type of any kind.
func (e *env) numbers(k mps.Kind) dtype.Type {
	t := anyType[e.rand.IntN(len(anyType))]
	if e.dev.Supports(k, t) != nil {
		return dtype.F32
	}
	return t
}

func sumCase(e *env) error {
	t, n := e.numbers(mps.KindSum), 1+e.rand.IntN(4)
	shape := [3]int{1 + e.rand.IntN(2), e.dim(40), e.dim(300)}
	sources := make([]*mps.Matrix, n)
	want := expected{zeros(shape[0], shape[1], shape[2]), zeros(shape[0], shape[1], shape[2])}
	for i := range sources {
		if err := e.all([]**mps.Matrix{&sources[i]}, t, shape); err != nil {
			return err
		}
		a, err := get(sources[i])
		if err != nil {
			return err
		}
		for j, v := range a.v {
			want.want.v[j] += v
			want.bound.v[j] += math.Abs(v) * eps * 4
			if t.IsFloat() && t != dtype.F32 {
				want.bound.v[j] += math.Abs(v) * rounding(t)
			}
		}
	}
	var z *mps.Matrix
	if err := e.all([]**mps.Matrix{&z}, t, shape); err != nil {
		return err
	}
	if e.chance(30) {
		z = sources[e.rand.IntN(n)]
	}
	if err := e.do(func(b *mps.Batch) { b.Sum(z, sources...) }, z); err != nil {
		return err
	}
	for i, v := range want.want.v { // integers wrap around
		if t.IsInt() {
			want.bound.v[i], want.want.v[i] = 0, wrap(t, int64(v))
		}
	}
	return compare(fmt.Sprintf("sum of %d of %v", n, z), z, want)
}

// wrap is an integer in the range of a type.
func wrap(t dtype.Type, v int64) float64 {
	s := 64 - t.Bits()
	if t.Kind() == dtype.Unsigned {
		return float64(uint64(v) << s >> s)
	}
	return float64(v << s >> s)
}

func topKCase(e *env) error {
	t := e.float(mps.KindTopK)
	n, rows, columns := 1+e.rand.IntN(2), e.dim(40), e.dim(1000)
	k := 1 + e.rand.IntN(min(16, columns))
	var x, v, i *mps.Matrix
	if err := e.all([]**mps.Matrix{&x, &v}, t, [3]int{n, rows, columns}, [3]int{n, rows, k}); err != nil {
		return err
	}
	if err := e.all([]**mps.Matrix{&i}, dtype.U32, [3]int{n, rows, k}); err != nil {
		return err
	}
	a, err := get(x)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.TopK(i, v, x, k) }, i, v); err != nil {
		return err
	}
	places, values := expected{zeros(n, rows, k), zeros(n, rows, k)}, expected{zeros(n, rows, k), zeros(n, rows, k)}
	for j := range n * rows {
		row := a.v[j*columns : (j+1)*columns]
		taken := make([]bool, columns)
		for p := range k {
			best := -1
			for c, v := range row {
				if !taken[c] && (best < 0 || v > row[best]) {
					best = c
				}
			}
			taken[best] = true
			places.want.v[j*k+p], values.want.v[j*k+p] = float64(best), row[best]
		}
	}
	if err := compare("values of top-k", v, values); err != nil {
		return err
	}
	return compare(fmt.Sprintf("columns of top-%d of %v", k, x), i, places)
}

func copyCase(e *env) error {
	from, to, transpose := e.numbers(mps.KindCopy), e.numbers(mps.KindCopy), e.chance(50)
	n, rows, columns := 1+e.rand.IntN(2), e.dim(200), e.dim(200)
	shape := [3]int{n, rows, columns}
	var x, z *mps.Matrix
	if err := e.all([]**mps.Matrix{&x}, from, shape); err != nil {
		return err
	}
	if transpose {
		shape[1], shape[2] = columns, rows
	}
	if err := e.all([]**mps.Matrix{&z}, to, shape); err != nil {
		return err
	}
	a, err := get(x)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.Copy(z, x, transpose) }, z); err != nil {
		return err
	}
	if transpose {
		a = a.transposed()
	}
	for i, v := range a.v {
		switch {
		case !to.IsInt():
		case from.IsInt():
			a.v[i] = wrap(to, int64(v))
		default:
			low, high := 0.0, math.Exp2(float64(to.Bits()))-1
			if to.Kind() == dtype.Signed {
				low, high = -math.Exp2(float64(to.Bits()-1)), math.Exp2(float64(to.Bits()-1))-1
			}
			a.v[i] = min(max(math.Trunc(v), low), high) + 0 // no -0
		}
	}
	return compare(fmt.Sprintf("copy of %v to %v, transposed %v", x, z, transpose), z, expected{a, zeros(a.count, a.rows, a.columns)})
}

func randomCase(e *env) error {
	t, kind, seed := e.numbers(mps.KindRandom), e.rand.IntN(2), e.rand.Uint64()
	n, rows, columns := 1+e.rand.IntN(2), e.dim(60), e.dim(300)
	var z *mps.Matrix
	if err := e.all([]**mps.Matrix{&z}, t, [3]int{n, rows, columns}); err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) {
		switch {
		case t.IsInt():
			b.Bits(z, seed)
		case kind == 0:
			b.Uniform(z, seed, -1, 3)
		default:
			b.Normal(z, seed, 0.5, 2)
		}
	}, z); err != nil {
		return err
	}
	word := func(i int) uint64 { return uint64(philox(uint64(i/4), seed)[i%4]) }
	want := expected{zeros(n, rows, columns), zeros(n, rows, columns)}
	for i := range want.want.v {
		switch {
		case t.Bits() == 64:
			want.want.v[i] = wrap(t, int64(word(2*i+1)<<32|word(2*i)))
		case t.IsInt():
			want.want.v[i] = wrap(t, int64(word(i)))
		case kind == 0:
			want.want.v[i], want.bound.v[i] = -1+4*float64(word(i)>>8)*0x1p-24, 8*eps
		default:
			radius := math.Sqrt(-2 * math.Log(float64(word(i&^1)>>8+1)*0x1p-24))
			sin, cos := math.Sincos(2 * math.Pi * float64(word(i|1)>>8) * 0x1p-24)
			if i&1 == 1 {
				cos = sin
			}
			want.want.v[i], want.bound.v[i] = 0.5+2*radius*cos, 64*eps*(1+radius)
			if u := word(i &^ 1); u>>24 == 0xff { // the logarithm of a number next to 1
				want.bound.v[i] += 0x1p-8
			}
		}
	}
	return compare(fmt.Sprintf("random %v", z), z, want)
}
