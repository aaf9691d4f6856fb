package cpu

import (
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// view is bytes as elements. The offsets that package mps lets through are aligned, and so is all storage.
func view[T any](b []byte) []T {
	v, err := mem.View[T](b)
	if err != nil {
		panic(err)
	}
	return v
}

// index is which matrix of m serves number i of a result.
func index(m op.Matrix, i int) int {
	if m.Count == 1 {
		return 0
	}
	return i
}

// rowBytes is row r of matrix i.
func rowBytes(m op.Matrix, i, r int) []byte {
	begin := m.Offset + index(m, i)*m.MatrixBytes + r*m.RowBytes
	return m.Storage.Bytes()[begin : begin+m.Columns*m.Type.Size()]
}

// span is all of matrix i, gaps between its rows included.
func span(m op.Matrix, i int) []byte {
	begin := m.Offset + index(m, i)*m.MatrixBytes
	return m.Storage.Bytes()[begin : begin+(m.Rows-1)*m.RowBytes+m.Columns*m.Type.Size()]
}

// matrix is vectors as matrices of one row.
func matrix(v op.Vector) op.Matrix {
	return op.Matrix{
		Storage: v.Storage, Type: v.Type, Offset: v.Offset, RowBytes: v.VectorBytes, Rows: 1, Columns: v.Length, Count: v.Count, MatrixBytes: v.VectorBytes,
	}
}

// widen stores the elements of b, of type t, as float32.
func (d *device) widen(dst []float32, t dtype.Type, b []byte) {
	switch t {
	case dtype.F32:
		copy(dst, view[float32](b))
	case dtype.F16:
		d.table.Convert.F16F32(dst, view[uint16](b))
	case dtype.BF16:
		d.table.Convert.BF16F32(dst, view[uint16](b))
	case dtype.I8:
		kernel.Widen(dst, view[int8](b))
	case dtype.I16:
		kernel.Widen(dst, view[int16](b))
	}
}

// narrow is the reverse for floats.
func (d *device) narrow(t dtype.Type, b []byte, src []float32) {
	switch t {
	case dtype.F32:
		copy(view[float32](b), src)
	case dtype.F16:
		d.table.Convert.F32F16(view[uint16](b), src)
	case dtype.BF16:
		d.table.Convert.F32BF16(view[uint16](b), src)
	}
}

// floats is row r of matrix i as float32: the memory itself where it is that, else buf.
func (d *device) floats(m op.Matrix, i, r int, buf []float32) []float32 {
	b := rowBytes(m, i, r)
	if m.Type == dtype.F32 {
		return view[float32](b)
	}
	buf = buf[:m.Columns]
	d.widen(buf, m.Type, b)
	return buf
}

// optional is the elements of a vector as float32, nil of one that is not there.
func (d *device) optional(v op.Vector) []float32 {
	if v.Storage == nil {
		return nil
	}
	return d.floats(matrix(v), 0, 0, make([]float32, v.Length))
}

// dense is matrix i as float32 in memory where it may be used: itself where it is that, else a copy.
func (d *device) dense(m op.Matrix, i int) kernel.View[float32] {
	if m.Type == dtype.F32 {
		return kernel.View[float32]{Data: view[float32](span(m, i)), RowStride: m.RowBytes / 4, ColStride: 1}
	}
	data := make([]float32, m.Rows*m.Columns)
	d.chunks(m.Rows, m.Columns, func(begin, end int) {
		for r := begin; r < end; r++ {
			d.widen(data[r*m.Columns:(r+1)*m.Columns], m.Type, rowBytes(m, i, r))
		}
	})
	return kernel.RowMajor(data, m.Columns)
}

// grain is how many elements are worth a task, and few enough that the garbage collector waits for assembly no longer than it should.
const grain = 1 << 14

// chunks splits n rows of the given width among the workers.
func (d *device) chunks(n, width int, f func(begin, end int)) {
	each := max(1, grain/max(width, 1))
	d.pool.Run((n+each-1)/each, func(i int) { f(i*each, min(n, (i+1)*each)) })
}

// rows calls f for each row of each matrix of source and result, which have one type: with the source's elements, and a place for as many of the result's.
func (d *device) rows(source, result op.Matrix, f func(dst, src []float32, row int)) {
	d.chunks(result.Count*result.Rows, result.Columns, func(begin, end int) {
		var in, out []float32
		if result.Type != dtype.F32 {
			in, out = make([]float32, source.Columns), make([]float32, result.Columns)
		}
		for n := begin; n < end; n++ {
			i, r := n/result.Rows, n%result.Rows
			src, to := d.floats(source, i, r, in), rowBytes(result, i, r)
			dst := out
			if result.Type == dtype.F32 {
				dst = view[float32](to)
			}
			f(dst, src, r)
			if result.Type != dtype.F32 {
				d.narrow(result.Type, to, dst)
			}
		}
	})
}
