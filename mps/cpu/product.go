package cpu

import (
	"math"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

func (d *device) matmul(o op.MatMul) {
	z := o.Result
	g := kernel.Gemm[float32]{M: z.Rows, N: z.Columns, K: o.Left.Columns}
	if o.TransposeLeft {
		g.K = o.Left.Rows
	}
	direct := z.Type == dtype.F32 && o.Alpha == 1 && (o.Beta == 0 || o.Beta == 1)
	if direct && o.Left.Type == dtype.F32 {
		d.place(&g, o, 0)
		g.C = d.dense(z, 0)
		if g.Batch = z.Count; g.Batch > 1 {
			g.A.Data, g.B.Data, g.C.Data = rest(o.Left), rest(o.Right), rest(z)
			g.BatchA, g.BatchB, g.BatchC = step(o.Left), step(o.Right), step(z)
		}
		g.Accumulate = o.Beta == 1
		d.table.Gemm32(&g, d.pool.Run)
		return
	}
	var product []float32
	if !direct {
		product = make([]float32, z.Rows*z.Columns)
	}
	for i := range z.Count {
		d.place(&g, o, i)
		if direct {
			g.C, g.Accumulate = d.dense(z, i), o.Beta == 1
		} else {
			g.C = kernel.RowMajor(product, z.Columns)
		}
		d.table.Gemm32(&g, d.pool.Run)
		if !direct {
			d.combine(z, i, product, float32(o.Alpha), float32(o.Beta))
		}
	}
}

// place sets the sources of product i, of one matrix once.
func (d *device) place(g *kernel.Gemm[float32], o op.MatMul, i int) {
	if i == 0 || o.Left.Count > 1 {
		if g.A = d.dense(o.Left, i); o.TransposeLeft {
			g.A = g.A.T()
		}
	}
	if i == 0 || o.Right.Count > 1 {
		if g.B = d.dense(o.Right, i); o.TransposeRight {
			g.B = g.B.T()
		}
	}
}

// rest is everything from the first element of m to the last.
func rest(m op.Matrix) []float32 {
	end := m.Offset + (m.Count-1)*m.MatrixBytes + (m.Rows-1)*m.RowBytes + m.Columns*4
	return view[float32](m.Storage.Bytes()[m.Offset:end])
}

// step is from matrix to matrix, 0 where one serves all.
func step(m op.Matrix) int {
	if m.Count == 1 {
		return 0
	}
	return m.MatrixBytes / 4
}

// combine makes matrix i of z alpha*product + beta*z.
func (d *device) combine(z op.Matrix, i int, product []float32, alpha, beta float32) {
	f := &d.table.F32
	d.chunks(z.Rows, z.Columns, func(begin, end int) {
		buf := make([]float32, z.Columns)
		for r := begin; r < end; r++ {
			row := product[r*z.Columns : (r+1)*z.Columns]
			if alpha != 1 {
				f.VS[kernel.Mul](row, row, alpha)
			}
			if beta != 0 {
				f.Axpy(row, beta, d.floats(z, i, r, buf))
			}
			d.narrow(z.Type, rowBytes(z, i, r), row)
		}
	})
}

// matvec is a product with columns of one element: a vector is a transposed matrix of one row, and the result is one of as many rows.
func (d *device) matvec(o op.MatVec) {
	column := func(v op.Vector) op.Matrix {
		m := matrix(v)
		m.Rows, m.Columns, m.RowBytes = v.Length, 1, v.Type.Size()
		return m
	}
	d.matmul(op.MatMul{
		Left: o.Matrix, Right: column(o.Vector), Result: column(o.Result), TransposeLeft: o.Transpose, Alpha: o.Alpha, Beta: o.Beta,
	})
}

// normalise is the softmax of a row.
func (d *device) normalise(dst, src []float32) {
	f := &d.table.F32
	sum := f.ExpSub(dst, src, f.Reduce[kernel.Max](src))
	f.VS[kernel.Mul](dst, dst, 1/sum)
}

func (d *device) softmax(o op.Softmax) {
	f := &d.table.F32
	d.rows(o.Source, o.Result, func(dst, src []float32, _ int) {
		if !o.Log {
			d.normalise(dst, src)
			return
		}
		high := f.Reduce[kernel.Max](src)
		f.VS[kernel.Sub](dst, src, high)
		sum := f.ExpSub(make([]float32, len(dst)), dst, 0)
		f.VS[kernel.Sub](dst, dst, float32(math.Log(float64(sum))))
	})
}
