package metal_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// set makes small operands in memory of a device.
type set struct {
	t   testing.TB
	dev op.Device
	all []op.Storage
}

func (s *set) matrix(t dtype.Type, count, rows, columns int) op.Matrix {
	s.t.Helper()
	m := op.Matrix{Type: t, Rows: rows, Columns: columns, Count: count, RowBytes: columns * t.Size(), MatrixBytes: rows * columns * t.Size()}
	mem, err := s.dev.Alloc(count * m.MatrixBytes)
	if err != nil {
		s.t.Fatal(err)
	}
	m.Storage = mem
	s.all = append(s.all, mem)
	for i := range count {
		for j := range rows {
			for k := range columns {
				v := 0.25 * float64(1+(i+2*j+3*k)%7)
				if j == k {
					v += 8 // a matrix that has every factor
				}
				if !t.IsFloat() {
					v = float64(min(j, k))
				}
				put(m, i, j, k, v)
			}
		}
	}
	return m
}

func (s *set) vector(t dtype.Type, n int) op.Vector {
	m := s.matrix(t, 1, 1, n)
	return op.Vector{Storage: m.Storage, Type: t, Length: n, Count: 1, VectorBytes: m.MatrixBytes}
}

func (s *set) free() {
	s.t.Helper()
	for _, m := range s.all {
		if err := m.Free(); err != nil {
			s.t.Error(err)
		}
	}
	s.all = nil
}

// end frees the memory and closes the device.
func (s *set) end() {
	s.t.Helper()
	s.free()
	if err := s.dev.Close(); err != nil {
		s.t.Error(err)
	}
}

// operations is one of every kind, and the ways that a kind has beside.
func (s *set) operations() map[string][]op.Op {
	m := func() op.Matrix { return s.matrix(dtype.F32, 1, 3, 3) }
	b16 := func() op.Matrix { return s.matrix(dtype.BF16, 1, 3, 3) }
	in, pivots := m(), s.matrix(dtype.U32, 1, 1, 3)
	lu := op.LU{Source: m(), Result: m(), Pivots: pivots}
	chol := op.Cholesky{Source: symmetric(m()), Result: m(), Lower: true}
	return map[string][]op.Op{
		"matmul":            {op.MatMul{Left: m(), Right: m(), Result: m(), Alpha: 1}},
		"matmul of a stack": {op.MatMul{Left: s.matrix(dtype.F32, 2, 3, 3), Right: s.matrix(dtype.F32, 2, 3, 3), Result: s.matrix(dtype.F32, 2, 3, 3), Alpha: 1}},
		"matmul of ours":    {op.MatMul{Left: b16(), Right: b16(), Result: b16(), Alpha: 1}},
		"matvec":            {op.MatVec{Matrix: m(), Vector: s.vector(dtype.F32, 3), Result: s.vector(dtype.F32, 3), Alpha: 1}},
		"softmax":           {op.Softmax{Source: m(), Result: m()}},
		"softmax in place":  {op.Softmax{Source: in, Result: in}},
		"log softmax":       {op.Softmax{Source: m(), Result: m(), Log: true}},
		"rms norm":          {op.RMSNorm{Source: m(), Result: m(), Epsilon: 1}},
		"layer norm":        {op.LayerNorm{Source: m(), Result: m(), Epsilon: 1}},
		"neuron":            {op.Neuron{Source: m(), Result: m(), Function: op.SiLU, Alpha: 1}},
		"rope":              {op.RoPE{Source: s.matrix(dtype.F32, 1, 3, 4), Result: s.matrix(dtype.F32, 1, 3, 4), Head: 2, Base: 10}},
		"attention":         {op.Attention{Query: m(), Key: m(), Value: m(), Result: m(), Scale: 1}},
		"sum":               {op.Sum{Sources: []op.Matrix{m(), m()}, Result: m()}},
		"top-k":             {op.TopK{Source: m(), Indices: s.matrix(dtype.U32, 1, 3, 2), Values: s.matrix(dtype.F32, 1, 3, 2), K: 2}},
		"cholesky":          {chol},
		"lu":                {lu},
		"solve triangular":  {op.SolveTriangular{Source: m(), Right: m(), Result: m(), Alpha: 1}},
		"solve in place":    {op.SolveTriangular{Source: m(), Right: in, Result: in, Alpha: 1}},
		"solve cholesky":    {chol, op.SolveCholesky{Source: chol.Result, Right: m(), Result: m(), Lower: true}},
		"solve lu":          {lu, op.SolveLU{Source: lu.Result, Pivots: pivots, Right: m(), Result: m()}},
		"copy":              {op.Copy{Source: m(), Result: b16()}},
		"random":            {op.Random{Result: m(), Distribution: op.Uniform, B: 1}},
	}
}

// symmetric makes the lower triangle that of a positive definite matrix.
func symmetric(m op.Matrix) op.Matrix {
	for j := range m.Rows {
		for k := range m.Columns {
			v := 1.0
			if j == k {
				v = 9
			}
			put(m, 0, j, k, v)
		}
	}
	return m
}
