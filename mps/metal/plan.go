package metal

import (
	"fmt"
	"math"
	"reflect"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
	"github.com/isthmus-ffi/isthmus/mps/metal/kernels"
)

// temp is memory that a batch needs beside the caller's, from its encoding to its end.
type temp struct {
	size   int
	data   []byte // what is in it at first; zeros if nil
	status *check // what it says at the end of the batch, if anything
}

func (*temp) Bytes() []byte { return nil }
func (*temp) Free() error   { return nil }

// check is which matrix of which operation a status belongs to.
type check struct {
	index, matrix int
	kind          op.Kind
}

// step is a [dispatch] or an [encode].
type step interface{ isStep() }

// dispatch runs one of our kernels: args is its constant, then come its buffers.
type dispatch struct {
	kernel          string
	args            args
	buffers         []op.Storage
	groups, threads [3]int
}

// encode has a kernel of Metal Performance Shaders encode itself.
type encode struct {
	config   config
	operands []any // op.Matrix, op.Vector, or nil where the class takes nil
	status   *temp
}

func (dispatch) isStep() {}
func (encode) isStep()   {}

// config is all that an MPS kernel object is made for, and the key of those that are kept.
type config struct {
	class       class
	flags       [4]bool
	sizes       [3]int
	count       int // matrices of a stack, 0 is one
	alpha, beta float64
}

// class is a class of Metal Performance Shaders.
type class uint8

const (
	multiplication class = iota
	vectorMultiplication
	softMax
	logSoftMax
	decompositionLU
	decompositionCholesky
	solveTriangular
	solveLU
	solveCholesky
	classes
)

var classNames = [classes]string{
	"MPSMatrixMultiplication", "MPSMatrixVectorMultiplication", "MPSMatrixSoftMax", "MPSMatrixLogSoftMax",
	"MPSMatrixDecompositionLU", "MPSMatrixDecompositionCholesky", "MPSMatrixSolveTriangular", "MPSMatrixSolveLU", "MPSMatrixSolveCholesky",
}

func (c class) String() string { return classNames[c] }

// needs is the class that an operation cannot do without: there is no kernel of ours for it.
var needs = map[op.Kind]class{
	op.KindCholesky: decompositionCholesky, op.KindLU: decompositionLU, op.KindSolveTriangular: solveTriangular,
	op.KindSolveCholesky: solveCholesky, op.KindSolveLU: solveLU,
}

// planner turns operations into steps.
type planner struct {
	threads int              // most in a group
	has     func(class) bool // whether it is there
	index   int
	steps   []step
}

// maxSize is what the kernels' 32-bit counters hold with room for a stride of threads.
const maxSize = math.MaxInt32

func (p *planner) plan(o op.Op) error {
	for _, n := range sizes(o) {
		if n > maxSize {
			return fmt.Errorf("metal: %v: a size of %d; Metal's kernels count to %d: %w", o.Kind(), n, maxSize, isthmus.ErrLimit)
		}
	}
	switch o := o.(type) {
	case op.MatMul:
		p.matmul(o)
	case op.MatVec:
		p.matvec(o)
	case op.Softmax:
		p.softmax(o)
	case op.RMSNorm:
		a := p.norm(o.Source, o.Result, o.Weight, op.Vector{}, o.Epsilon)
		p.rows("rms_norm", a, o.Result, o.Source.Storage, or(o.Weight.Storage, o.Source), o.Result.Storage)
	case op.LayerNorm:
		a := p.norm(o.Source, o.Result, o.Weight, o.Bias, o.Epsilon)
		p.rows("layer_norm", a, o.Result, o.Source.Storage, or(o.Weight.Storage, o.Source), or(o.Bias.Storage, o.Source), o.Result.Storage)
	case op.Neuron:
		var a args
		a = a.view(o.Source).view(o.Result).view(vector(o.Bias)).u32(o.Result.Columns).u32(int(o.Function)).flag(o.Bias.Storage != nil).f32(o.Alpha)
		p.elements("neuron", a, o.Result, o.Result.Columns, o.Source.Storage, or(o.Bias.Storage, o.Source), o.Result.Storage)
	case op.RoPE:
		p.rope(o)
	case op.Attention:
		p.attention(o)
	case op.Sum:
		p.sum(o)
	case op.TopK:
		var a args
		a = a.view(o.Source).view(o.Indices).view(o.Values).u32(o.Source.Columns).u32(o.K)
		p.rows("top_k", a, o.Source, o.Source.Storage, o.Indices.Storage, o.Values.Storage)
	case op.Cholesky:
		p.cholesky(o)
	case op.LU:
		p.lu(o)
	case op.SolveTriangular:
		c := config{class: solveTriangular, flags: [4]bool{o.OnRight, o.Upper, o.Transpose, o.Unit}, alpha: o.Alpha}
		right := o.Right.Columns
		if o.OnRight {
			right = o.Right.Rows
		}
		c.sizes = [3]int{o.Source.Rows, right}
		p.solve(c, o.Source, nil, o.Right, o.Result)
	case op.SolveCholesky:
		c := config{class: solveCholesky, flags: [4]bool{!o.Lower}, sizes: [3]int{o.Source.Rows, o.Right.Columns}}
		p.solve(c, o.Source, nil, o.Right, o.Result)
	case op.SolveLU:
		c := config{class: solveLU, flags: [4]bool{o.Transpose}, sizes: [3]int{o.Source.Rows, o.Right.Columns}}
		p.solve(c, o.Source, &o.Pivots, o.Right, o.Result)
	case op.Copy:
		p.copy(o.Source, o.Result, o.Transpose, whole)
	case op.Random:
		p.random(o)
	default:
		return fmt.Errorf("metal: %v: there is no kernel: %w", o.Kind(), isthmus.ErrUnsupported)
	}
	p.index++
	return nil
}

// sizes are all that an operation counts with.
func sizes(o op.Op) []int {
	var out []int
	matrix := func(m op.Matrix) { out = append(out, m.Rows, m.Columns, m.Count) }
	for i, v := 0, reflect.ValueOf(o); i < v.NumField(); i++ {
		switch f := v.Field(i).Interface().(type) {
		case op.Matrix:
			matrix(f)
		case []op.Matrix:
			for _, m := range f {
				matrix(m)
			}
		case op.Vector:
			out = append(out, f.Length, f.Count)
		}
	}
	return out
}

// or gives a kernel something to bind where an operand is missing; it does not look at it.
func or(s op.Storage, m op.Matrix) op.Storage {
	if s == nil {
		return m.Storage
	}
	return s
}

// one is matrix i of m, the only one if there is one for all.
func one(m op.Matrix, i int) op.Matrix {
	if m.Count > 1 {
		m.Offset += i * m.MatrixBytes
	}
	m.Count = 1
	return m
}

// vector is v as a matrix of one row.
func vector(v op.Vector) op.Matrix {
	return op.Matrix{
		Storage: v.Storage, Type: v.Type, Offset: v.Offset, Rows: 1, Columns: v.Length,
		RowBytes: v.Length * v.Type.Size(), Count: v.Count, MatrixBytes: v.VectorBytes,
	}
}

// column is v as a matrix of one column.
func column(v op.Vector) op.Matrix {
	m := vector(v)
	m.Rows, m.Columns, m.RowBytes = v.Length, 1, v.Type.Size()
	return m
}

// dense is temporary memory of the shape of m.
func dense(m op.Matrix) op.Matrix {
	m.RowBytes = m.Columns * m.Type.Size()
	m.MatrixBytes = m.Rows * m.RowBytes
	m.Storage, m.Offset = &temp{size: m.Count * m.MatrixBytes}, 0
	return m
}

// same says that a matrix is another, which the operations that allow it do not tell from overlap.
func same(a, b op.Matrix) bool { return a.Storage == b.Storage && a.Offset == b.Offset }

// mps says whether a class can take these, all of one type.
func (p *planner) mps(c class, types ...dtype.Type) bool {
	for _, t := range types {
		if t != types[0] || t != dtype.F32 && t != dtype.F16 {
			return false
		}
	}
	return p.has(c)
}

// rows runs a kernel with a group for each row of m.
func (p *planner) rows(kernel string, a args, m op.Matrix, buffers ...op.Storage) {
	n := min(p.threads, (m.Columns+31)/32*32)
	p.steps = append(p.steps, dispatch{kernel, a, buffers, [3]int{m.Rows, 1, m.Count}, [3]int{n, 1, 1}})
}

// elements runs one with a thread for each of n columns of each row of m.
func (p *planner) elements(kernel string, a args, m op.Matrix, n int, buffers ...op.Storage) {
	t := min(p.threads, (n+31)/32*32)
	p.steps = append(p.steps, dispatch{kernel, a, buffers, [3]int{(n + t - 1) / t, m.Rows, m.Count}, [3]int{t, 1, 1}})
}

func (p *planner) matmul(o op.MatMul) {
	inner := o.Left.Columns
	if o.TransposeLeft {
		inner = o.Left.Rows
	}
	if !p.mps(multiplication, o.Left.Type, o.Right.Type, o.Result.Type) {
		p.gemm(o.Left, o.Right, o.Result, o.TransposeLeft, o.TransposeRight, inner, o.Alpha, o.Beta)
		return
	}
	c := config{
		class: multiplication, flags: [4]bool{o.TransposeLeft, o.TransposeRight}, alpha: o.Alpha, beta: o.Beta,
		sizes: [3]int{o.Result.Rows, o.Result.Columns, inner},
	}
	if n := o.Result.Count; n > 1 && o.Right.Count == 1 && !o.TransposeLeft && packed(o.Left, n) && packed(o.Result, n) {
		o.Left, o.Result = flat(o.Left), flat(o.Result) // rows of one product
		c.sizes[0] = o.Result.Rows
	}
	p.stack(c, o.Result.Count, o.Left, o.Right, o.Result)
}

// packed says that n matrices are one below the other, as one matrix of as many rows as are counted.
func packed(m op.Matrix, n int) bool {
	return m.Count == n && m.MatrixBytes == m.Rows*m.RowBytes && n <= maxSize/m.Rows
}

func flat(m op.Matrix) op.Matrix {
	m.Rows *= m.Count
	m.MatrixBytes *= m.Count
	m.Count = 1
	return m
}

// stack has a class work on n matrices of each operand: in one go, or one after the other where some operand is one for all.
func (p *planner) stack(c config, n int, operands ...any) {
	for _, o := range operands {
		if count(o) != n {
			p.each(c, n, operands...)
			return
		}
	}
	if n > 1 {
		c.count = n
	}
	p.steps = append(p.steps, encode{config: c, operands: operands})
}

// each is stack, one after the other.
func (p *planner) each(c config, n int, operands ...any) {
	for i := range n {
		single := make([]any, len(operands))
		for j, o := range operands {
			switch o := o.(type) {
			case op.Matrix:
				single[j] = one(o, i)
			case op.Vector:
				if o.Count > 1 {
					o.Offset += i * o.VectorBytes
				}
				o.Count = 1
				single[j] = o
			}
		}
		p.steps = append(p.steps, encode{config: c, operands: single})
	}
}

// count is how many matrices or vectors an operand is.
func count(operand any) int {
	switch o := operand.(type) {
	case op.Matrix:
		return o.Count
	case op.Vector:
		return o.Count
	}
	return 0
}

func (p *planner) gemm(l, r, y op.Matrix, tl, tr bool, inner int, alpha, beta float64) {
	tile := 1
	for 4*tile*tile <= p.threads && tile < 16 {
		tile *= 2
	}
	var a args
	a = a.shared(l).shared(r).view(y).u32(y.Rows).u32(y.Columns).u32(inner).flag(tl).flag(tr).u32(tile).f32(alpha).f32(beta)
	p.steps = append(p.steps, dispatch{
		"gemm", a,
		[]op.Storage{l.Storage, r.Storage, y.Storage},
		[3]int{(y.Columns + tile - 1) / tile, (y.Rows + tile - 1) / tile, y.Count},
		[3]int{tile * tile, 1, 1},
	})
}

func (p *planner) matvec(o op.MatVec) {
	rows, inner := o.Matrix.Rows, o.Matrix.Columns
	if o.Transpose {
		rows, inner = inner, rows
	}
	if !p.mps(vectorMultiplication, o.Matrix.Type, o.Vector.Type, o.Result.Type) {
		p.gemm(o.Matrix, column(o.Vector), column(o.Result), o.Transpose, false, inner, o.Alpha, o.Beta)
		return
	}
	c := config{class: vectorMultiplication, flags: [4]bool{o.Transpose}, alpha: o.Alpha, beta: o.Beta, sizes: [3]int{rows, inner}}
	p.stack(c, o.Result.Count, o.Matrix, o.Vector, o.Result)
}

func (p *planner) softmax(o op.Softmax) {
	c := config{class: softMax, sizes: [3]int{o.Source.Rows, o.Source.Columns}}
	if o.Log {
		c.class = logSoftMax
	}
	if p.mps(c.class, o.Source.Type, o.Result.Type) && !same(o.Source, o.Result) {
		p.stack(c, o.Result.Count, o.Source, o.Result)
		return
	}
	var a args
	a = a.view(o.Source).view(o.Result).u32(o.Source.Columns).flag(o.Log)
	p.rows("softmax", a, o.Result, o.Source.Storage, o.Result.Storage)
}

func (p *planner) norm(x, y op.Matrix, weight, bias op.Vector, epsilon float64) args {
	var a args
	return a.view(x).view(y).view(vector(weight)).view(vector(bias)).u32(x.Columns).flag(weight.Storage != nil).flag(bias.Storage != nil).f32(epsilon)
}

// rope gives the kernel, for each pair of a head, how much of a full turn one row is, in 2^-64.
func (p *planner) rope(o op.RoPE) {
	table := &temp{}
	var t args
	for i := range o.Head / 2 {
		turns := math.Pow(o.Base, -2*float64(i)/float64(o.Head)) / (2 * math.Pi)
		f := turns - math.Floor(turns)
		t = t.u64(uint64(math.Ldexp(f, 63)) << 1)
	}
	table.data, table.size = t, len(t)
	var a args
	a = a.view(o.Source).view(o.Result).u32(o.Result.Columns).u32(o.Head).flag(o.Halves).u32(0).u64(uint64(int64(o.First)))
	p.elements("rope", a, o.Result, o.Result.Columns/2, table, o.Source.Storage, o.Result.Storage)
}

func (p *planner) attention(o op.Attention) {
	var a args
	a = a.view(o.Query).shared(o.Key).shared(o.Value).view(o.Result).shared(o.Mask)
	a = a.u32(o.Query.Rows).u32(o.Key.Rows).u32(o.Query.Columns).u32(o.Value.Columns)
	a = a.flag(o.Causal).flag(o.Mask.Storage != nil).f32(o.Scale).u32(0)
	p.rows("attention", a, o.Result, o.Query.Storage, o.Key.Storage, o.Value.Storage, or(o.Mask.Storage, o.Query), o.Result.Storage)
}

// sum adds eight matrices a step; what they have in common is kept in temporary memory of a wider type.
func (p *planner) sum(o op.Sum) {
	const most = 8
	partial := o.Result
	if len(o.Sources) > most {
		wide := o.Result
		wide.Type = dtype.F32
		if !o.Result.Type.IsFloat() {
			wide.Type = dtype.U64
		}
		partial = dense(wide)
	}
	for first := 0; first < len(o.Sources); first += most {
		part := o.Sources[first:min(first+most, len(o.Sources))]
		var a args
		var buffers []op.Storage
		for i := range most {
			m := part[min(i, len(part)-1)]
			a, buffers = a.view(m), append(buffers, m.Storage)
		}
		a = a.view(o.Result).view(partial).u32(o.Result.Columns).u32(len(part)).flag(first == 0).flag(first+most >= len(o.Sources))
		p.elements("sum", a, o.Result, o.Result.Columns, append(buffers, partial.Storage, o.Result.Storage)...)
	}
}

// Which elements copy copies.
const (
	whole = iota
	lower // column <= row
	upper
)

func (p *planner) copy(x, y op.Matrix, transpose bool, part int) {
	var a args
	a = a.shared(x).view(y).u32(y.Columns).flag(transpose).u32(part).u32(0)
	p.elements("copy", a, y, y.Columns, x.Storage, y.Storage)
}

func (p *planner) random(o op.Random) {
	m := o.Result
	var a args
	a = a.view(m).u64(o.Seed).u64(uint64(m.Count) * uint64(m.Rows) * uint64(m.Columns))
	a = a.u32(m.Rows).u32(m.Columns).u32(int(o.Distribution)).f32(o.A).f32(o.B).u32(0)
	blocks := (m.Count*m.Rows*m.Columns + 1) / 2
	if m.Type.Size() < 8 {
		blocks = (m.Count*m.Rows*m.Columns + 3) / 4
	}
	t := min(p.threads, kernels.Threads)
	groups := (blocks + t - 1) / t
	p.steps = append(p.steps, dispatch{"philox", a, []op.Storage{m.Storage}, [3]int{groups, 1, 1}, [3]int{t, 1, 1}})
}
