package mps_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// What Metal Performance Shaders leave undefined, or end the process for, is an error that names the operand and the rule; nothing of the
// batch is sent, and nothing stays held.
func TestM13UndefinedIsRefused(t *testing.T) {
	f := &faulty{}
	d, other := open(t, mps.Options{Backend: f}), open(t, mps.Options{})
	m := func(rows, columns int, types ...dtype.Type) *mps.Matrix {
		return zeros(t, d, mps.Layout{Type: append(types, dtype.F32)[0], Rows: rows, Columns: columns})
	}
	many := func(count, rows, columns int) *mps.Matrix {
		return zeros(t, d, mps.Layout{Type: dtype.F32, Rows: rows, Columns: columns, Count: count})
	}
	view := func(m *mps.Matrix, row, column, rows, columns int) *mps.Matrix {
		v, err := m.View(row, column, rows, columns)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	vector := func(m *mps.Matrix) *mps.Vector {
		v, err := m.Vectors()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a23, a34, a24, a22 := m(2, 3), m(3, 4), m(2, 4), m(2, 2)
	b22, half, ints, wide, closed := m(2, 2), m(2, 3, dtype.F16), m(2, 3, dtype.I32), m(4, 8), view(a22, 0, 0, 1, 1)
	tiny, p2, p4 := m(2, 3, dtype.I8), m(1, 2, dtype.U32), m(1, 4, dtype.U32)
	a44, b44, foreign := m(4, 4), m(4, 4), zeros(t, other, mps.Layout{Type: dtype.F32, Rows: 2, Columns: 2})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	tests := map[string]struct {
		f    func(b *mps.Batch)
		err  error
		says string
	}{
		"nil":                 {func(b *mps.Batch) { b.MatMul(a24, nil, a34, mps.MatMulOptions{}) }, isthmus.ErrClosed, "left"},
		"zero":                {func(b *mps.Batch) { b.MatMul(&mps.Matrix{}, a23, a34, mps.MatMulOptions{}) }, isthmus.ErrClosed, "result"},
		"closed view":         {func(b *mps.Batch) { b.Softmax(closed, closed) }, isthmus.ErrClosed, "source"},
		"foreign":             {func(b *mps.Batch) { b.Softmax(foreign, foreign) }, isthmus.ErrInvalid, "another device"},
		"inner":               {func(b *mps.Batch) { b.MatMul(a24, a23, a23, mps.MatMulOptions{}) }, isthmus.ErrInvalid, "right: 2 rows after transposing, and left has 3"},
		"result shape":        {func(b *mps.Batch) { b.MatMul(a22, a23, a34, mps.MatMulOptions{}) }, isthmus.ErrInvalid, "result: 2 x 2; by left and right it must be 2 x 4"},
		"transposed":          {func(b *mps.Batch) { b.MatMul(a24, a23, a34, mps.MatMulOptions{TransposeLeft: true}) }, isthmus.ErrInvalid, "right"},
		"product in place":    {func(b *mps.Batch) { b.MatMul(a22, a22, b22, mps.MatMulOptions{}) }, isthmus.ErrInvalid, "result: it overlaps left"},
		"product in part":     {func(b *mps.Batch) { b.MatMul(view(wide, 0, 0, 2, 2), a22, view(wide, 1, 1, 2, 2), mps.MatMulOptions{}) }, isthmus.ErrInvalid, "it overlaps right"},
		"mixed types":         {func(b *mps.Batch) { b.MatMul(a22, a23, half, mps.MatMulOptions{TransposeRight: true}) }, isthmus.ErrInvalid, "right: elements of type f16"},
		"wide integers":       {func(b *mps.Batch) { b.MatMul(a22, ints, ints, mps.MatMulOptions{TransposeRight: true}) }, isthmus.ErrInvalid, "left: elements of type i32"},
		"integer result":      {func(b *mps.Batch) { b.MatMul(m(2, 2, dtype.I8), tiny, tiny, mps.MatMulOptions{TransposeRight: true}) }, isthmus.ErrInvalid, "result: elements of type i8"},
		"alpha":               {func(b *mps.Batch) { b.MatMul(a24, a23, a34, mps.MatMulOptions{Alpha: nan}) }, isthmus.ErrInvalid, "alpha"},
		"beta":                {func(b *mps.Batch) { b.MatMul(a24, a23, a34, mps.MatMulOptions{Beta: math.Inf(1)}) }, isthmus.ErrInvalid, "beta"},
		"beyond float32":      {func(b *mps.Batch) { b.MatMul(a24, a23, a34, mps.MatMulOptions{Alpha: 1e39}) }, isthmus.ErrInvalid, "alpha"},
		"counts":              {func(b *mps.Batch) { b.MatMul(many(3, 2, 4), many(2, 2, 3), a34, mps.MatMulOptions{}) }, isthmus.ErrInvalid, "left: 2 matrices, and result has 3"},
		"one result":          {func(b *mps.Batch) { b.MatMul(a24, many(2, 2, 3), a34, mps.MatMulOptions{}) }, isthmus.ErrInvalid, "left: 2 matrices, and result has 1"},
		"vector length":       {func(b *mps.Batch) { b.MatVec(vector(m(1, 2)), a23, vector(m(1, 4)), mps.MatVecOptions{}) }, isthmus.ErrInvalid, "vector: 1 x 4"},
		"vector result":       {func(b *mps.Batch) { b.MatVec(vector(m(1, 3)), a23, vector(m(1, 3)), mps.MatVecOptions{}) }, isthmus.ErrInvalid, "result: 1 x 3"},
		"softmax of integers": {func(b *mps.Batch) { b.Softmax(ints, ints) }, isthmus.ErrInvalid, "source: elements of type i32"},
		"softmax too small":   {func(b *mps.Batch) { b.Softmax(a22, a23) }, isthmus.ErrInvalid, "result: 2 x 2"},
		"softmax in part":     {func(b *mps.Batch) { b.LogSoftmax(view(wide, 0, 0, 2, 4), view(wide, 0, 2, 2, 4)) }, isthmus.ErrInvalid, "a part of source"},
		"weight":              {func(b *mps.Batch) { b.RMSNorm(a23, a23, vector(m(1, 2)), 0) }, isthmus.ErrInvalid, "weight: 2 elements"},
		"weights":             {func(b *mps.Batch) { b.RMSNorm(a23, a23, vector(m(2, 3)), 0) }, isthmus.ErrInvalid, "weight: 2 vectors"},
		"weight overlaps":     {func(b *mps.Batch) { b.RMSNorm(a34, a34, vector(view(a34, 1, 0, 1, 4)), 0) }, isthmus.ErrInvalid, "overlaps weight"},
		"epsilon":             {func(b *mps.Batch) { b.RMSNorm(a23, a23, nil, -1) }, isthmus.ErrInvalid, "epsilon"},
		"bias":                {func(b *mps.Batch) { b.LayerNorm(a23, a23, nil, vector(m(1, 2)), 0) }, isthmus.ErrInvalid, "bias: 2 elements"},
		"bias type":           {func(b *mps.Batch) { b.Neuron(half, half, vector(m(1, 3)), mps.GELU, 0) }, isthmus.ErrInvalid, "bias: elements of type f32"},
		"function":            {func(b *mps.Batch) { b.Neuron(a23, a23, nil, 99, 0) }, isthmus.ErrInvalid, "function"},
		"odd head":            {func(b *mps.Batch) { b.RoPE(a23, a23, mps.RoPEOptions{Head: 3}) }, isthmus.ErrInvalid, "head"},
		"no head":             {func(b *mps.Batch) { b.RoPE(a23, a23, mps.RoPEOptions{}) }, isthmus.ErrInvalid, "head"},
		"position":            {func(b *mps.Batch) { b.RoPE(a24, a24, mps.RoPEOptions{Head: 2, First: math.MaxInt}) }, isthmus.ErrInvalid, "first"},
		"keys":                {func(b *mps.Batch) { b.Attention(a23, a22, a23, a23, mps.AttentionOptions{}) }, isthmus.ErrInvalid, "key: 2 x 3"},
		"values":              {func(b *mps.Batch) { b.Attention(a24, a22, b22, a34, mps.AttentionOptions{}) }, isthmus.ErrInvalid, "value: 3 x 4"},
		"hidden":              {func(b *mps.Batch) { b.Attention(m(4, 3), m(4, 3), a23, m(2, 3), mps.AttentionOptions{Causal: true}) }, isthmus.ErrInvalid, "key: 2 rows, and query has 4"},
		"mask":                {func(b *mps.Batch) { b.Attention(m(2, 2), a22, b22, b22, mps.AttentionOptions{Mask: a23}) }, isthmus.ErrInvalid, "mask: 2 x 3"},
		"attention in place":  {func(b *mps.Batch) { b.Attention(a22, a22, b22, b22, mps.AttentionOptions{}) }, isthmus.ErrInvalid, "overlaps query"},
		"nothing to add":      {func(b *mps.Batch) { b.Sum(a22) }, isthmus.ErrInvalid, "at least one"},
		"sum of shapes":       {func(b *mps.Batch) { b.Sum(a22, a22, a23) }, isthmus.ErrInvalid, "source: 2 x 3"},
		"sum of types":        {func(b *mps.Batch) { b.Sum(a23, half) }, isthmus.ErrInvalid, "elements of type f32, and source of f16"},
		"too many":            {func(b *mps.Batch) { b.TopK(m(2, 17, dtype.U32), m(2, 17), m(2, 20), 17) }, isthmus.ErrInvalid, "k: 17; from 1 to 16"},
		"more than there are": {func(b *mps.Batch) { b.TopK(m(2, 4, dtype.U32), a24, a23, 4) }, isthmus.ErrInvalid, "k: 4 of 3 columns"},
		"top-k too small":     {func(b *mps.Batch) { b.TopK(m(2, 1, dtype.U32), a22, a24, 2) }, isthmus.ErrInvalid, "indices: 2 x 1"},
		"top-k type":          {func(b *mps.Batch) { b.TopK(b22, a22, a24, 2) }, isthmus.ErrInvalid, "indices: elements of type f32"},
		"copy":                {func(b *mps.Batch) { b.Copy(a23, half, true) }, isthmus.ErrInvalid, "result: 2 x 3; by source it must be 3 x 2"},
		"bits":                {func(b *mps.Batch) { b.Bits(a23, 1) }, isthmus.ErrInvalid, "bits are integers"},
		"uniform":             {func(b *mps.Batch) { b.Uniform(a23, 1, 2, 2) }, isthmus.ErrInvalid, "high"},
		"uniform of anything": {func(b *mps.Batch) { b.Uniform(a23, 1, -math.MaxFloat64, math.MaxFloat64) }, isthmus.ErrInvalid, "low"},
		"normal":              {func(b *mps.Batch) { b.Normal(a23, 1, 0, -1) }, isthmus.ErrInvalid, "deviation"},
		"normal integers":     {func(b *mps.Batch) { b.Normal(ints, 1, 0, 1) }, isthmus.ErrInvalid, "result: elements of type i32"},
		"not square":          {func(b *mps.Batch) { b.Cholesky(a23, a23, true) }, isthmus.ErrInvalid, "source: 2 x 3; square"},
		"half factors":        {func(b *mps.Batch) { b.LU(half, p2, half) }, isthmus.ErrInvalid, "source: elements of type f16"},
		"pivots too short":    {func(b *mps.Batch) { b.LU(a44, p2, a44) }, isthmus.ErrInvalid, "pivots: 1 x 2"},
		"pivot type":          {func(b *mps.Batch) { b.LU(a22, m(1, 2), a22) }, isthmus.ErrInvalid, "pivots: elements of type f32"},
		"factor in part":      {func(b *mps.Batch) { b.LU(view(wide, 0, 0, 4, 4), p4, view(wide, 0, 1, 4, 4)) }, isthmus.ErrInvalid, "a part of source"},
		"right hand side":     {func(b *mps.Batch) { b.SolveTriangular(a23, b44, a23, mps.SolveOptions{}) }, isthmus.ErrInvalid, "right: 2 x 3; by source it must be 4 x 3"},
		"solve in place":      {func(b *mps.Batch) { b.SolveCholesky(a44, a44, b44, true) }, isthmus.ErrInvalid, "overlaps source"},
		"no pivots":           {func(b *mps.Batch) { b.SolveLU(b44, a44, p4, b44, false) }, isthmus.ErrInvalid, "pivots: they are not"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := f.batches()
			err := d.Do(t.Context(), func(b *mps.Batch) error {
				b.Sum(a22, a22) // right, and not sent
				test.f(b)
				if b.Err() == nil {
					t.Error("no error while recording")
				}
				b.Sum(a23, a22) // wrong, but not first
				return nil
			})
			var mine *mps.Error
			if !errors.As(err, &mine) || !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.says) || f.batches() != before {
				t.Errorf("%v; want %v and %q; %d sent", err, test.err, test.says, f.batches()-before)
			}
			for _, m := range []*mps.Matrix{a22, a23, wide, half} {
				if err := mps.Read(m, make([]float32, m.Rows()*m.Columns())); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestLayouts(t *testing.T) {
	d := open(t, mps.Options{})
	const big = math.MaxInt
	for name, test := range map[string]struct {
		l   mps.Layout
		err error
	}{
		"no type":     {mps.Layout{Rows: 1, Columns: 1}, isthmus.ErrInvalid},
		"double":      {mps.Layout{Type: dtype.F64, Rows: 1, Columns: 1}, isthmus.ErrInvalid},
		"no rows":     {mps.Layout{Type: dtype.F32, Columns: 1}, isthmus.ErrInvalid},
		"minus":       {mps.Layout{Type: dtype.F32, Rows: 1, Columns: -1}, isthmus.ErrInvalid},
		"count":       {mps.Layout{Type: dtype.F32, Rows: 1, Columns: 1, Count: -1}, isthmus.ErrInvalid},
		"row":         {mps.Layout{Type: dtype.F32, Rows: 1, Columns: big}, isthmus.ErrBounds},
		"rows":        {mps.Layout{Type: dtype.F32, Rows: big / 4, Columns: 2}, isthmus.ErrBounds},
		"matrices":    {mps.Layout{Type: dtype.I8, Rows: 1 << 31, Columns: 1 << 31, Count: 4}, isthmus.ErrBounds},
		"everything":  {mps.Layout{Type: dtype.I8, Rows: 1 << 30, Columns: 1 << 32}, isthmus.ErrLimit},
		"narrow":      {mps.Layout{Type: dtype.F32, Rows: 1, Columns: 2, RowBytes: 4}, isthmus.ErrInvalid},
		"odd":         {mps.Layout{Type: dtype.F32, Rows: 1, Columns: 2, RowBytes: 10}, isthmus.ErrInvalid},
		"below zero":  {mps.Layout{Type: dtype.F32, Rows: 1, Columns: 2, RowBytes: -8}, isthmus.ErrInvalid},
		"low":         {mps.Layout{Type: dtype.F32, Rows: 3, Columns: 2, MatrixBytes: 16}, isthmus.ErrInvalid},
		"no multiple": {mps.Layout{Type: dtype.F32, Rows: 3, Columns: 2, MatrixBytes: 28}, isthmus.ErrInvalid},
	} {
		m, err := d.NewMatrices(test.l)
		if !errors.Is(err, test.err) || m != nil {
			t.Errorf("%s: %v, want %v", name, err, test.err)
		}
	}
	_, err := d.NewVectors(0, 1, dtype.F32)
	is(t, err, isthmus.ErrInvalid)
	_, err = mps.VectorOf(d, []float32{})
	is(t, err, isthmus.ErrInvalid)
	_, err = mps.MatrixOf(d, 1, 2, []float32{1})
	is(t, err, isthmus.ErrBounds)
	m := zeros(t, d, mps.Layout{Type: dtype.F32, Rows: 3, Columns: 5, Count: 2})
	for _, v := range [][4]int{{-1, 0, 1, 1}, {0, 0, 4, 1}, {3, 0, 1, 1}, {0, 0, 0, 1}, {0, 1, 1, 5}, {1, 1, big, 1}, {big, 0, 1, 1}} {
		_, err := m.View(v[0], v[1], v[2], v[3])
		if !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("view %v: %v", v, err)
		}
	}
	_, err = m.Matrices(1, 2)
	is(t, err, isthmus.ErrBounds)
	_, err = m.Vectors()
	is(t, err, isthmus.ErrInvalid)
}

// Overlap is exact: an operation that wants its operands apart takes views exactly when no byte is in both.
func TestOverlapIsExact(t *testing.T) {
	d := open(t, mps.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	m := zeros(t, d, mps.Layout{Type: dtype.I8, Rows: 6, Columns: 7, Count: 3, RowBytes: 9, MatrixBytes: 63})
	part := func() (*mps.Matrix, map[int]bool) {
		row, column, first := r.IntN(6), r.IntN(7), r.IntN(3)
		rows, columns, count := 1+r.IntN(6-row), 1+r.IntN(7-column), 1+r.IntN(3-first)
		if r.IntN(4) > 0 {
			rows, count = min(rows, 2), 1
		}
		v, err := m.View(row, column, rows, columns)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = v.Matrices(first, count); err != nil {
			t.Fatal(err)
		}
		bytes := map[int]bool{}
		for i := range count {
			for y := range rows {
				for x := range columns {
					bytes[(first+i)*63+(row+y)*9+column+x] = true
				}
			}
		}
		return v, bytes
	}
	apart := 0
	for range 3000 {
		x, xb := part()
		y, yb := part()
		for try := 0; try < 20 && y.Layout() != x.Layout(); try++ {
			y, yb = part()
		}
		shared := false
		for p := range xb {
			shared = shared || yb[p]
		}
		if x.Rows() != y.Rows() || x.Columns() != y.Columns() || x.Count() != y.Count() {
			continue // Copy wants one shape
		}
		if err := d.Do(t.Context(), func(b *mps.Batch) error { b.Copy(x, y, false); return nil }); (err != nil) != shared {
			t.Fatalf("%v to %v, a byte in both: %v; %v", y, x, shared, err)
		}
		if !shared {
			apart++
		}
	}
	if apart < 20 {
		t.Errorf("only %d pairs apart", apart)
	}
}
