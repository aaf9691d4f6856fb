package mps

import (
	"fmt"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// Layout is the shape and place of elements. Only Type, Rows and Columns must be given.
type Layout struct {
	Type          dtype.Type // F32, F16, BF16, or an integer of 8 bits or more
	Rows, Columns int
	Count         int // matrices of this shape; 0 is 1
	RowBytes      int // from row to row, a multiple of the element's size; 0 is dense
	MatrixBytes   int // from matrix to matrix, a multiple of RowBytes; 0 is dense
}

// Matrix is one matrix or several of one shape in memory of a device, or a view of a part of them. Elements are row-major. It is safe
// for concurrent use; while a batch holds it, reading, writing and closing it are [isthmus.ErrBusy].
type Matrix struct {
	s    *storage
	at   op.Matrix // without Storage
	view bool
	gone atomic.Bool // a view that was closed
}

// NewMatrix makes a rows x columns matrix of zeros.
func (d *Device) NewMatrix(rows, columns int, t dtype.Type) (*Matrix, error) {
	return d.NewMatrices(Layout{Type: t, Rows: rows, Columns: columns})
}

// NewMatrices makes matrices of zeros. Errors: [isthmus.ErrInvalid] and [isthmus.ErrBounds] for a layout that breaks a rule, which is
// named, [isthmus.ErrLimit] for more than the device has, [isthmus.ErrClosed].
func (d *Device) NewMatrices(l Layout) (*Matrix, error) {
	const what = "new matrix"
	at, n, err := l.resolve(what)
	if err != nil {
		return nil, err
	}
	s, err := d.newStorage(what, n)
	if err != nil {
		return nil, err
	}
	return &Matrix{s: s, at: at}, nil
}

// element says whether matrices can have elements of type t.
func element(t dtype.Type) bool {
	return t == dtype.F32 || t == dtype.F16 || t == dtype.BF16 || t.IsInt() && t.Bits() >= 8
}

func (l Layout) resolve(what string) (at op.Matrix, bytes int, err error) {
	if !element(l.Type) {
		return at, 0, failure(what, isthmus.ErrInvalid, "elements of type %v; use F32, F16, BF16, or integers of 8 bits and more", l.Type)
	}
	if l.Count == 0 {
		l.Count = 1
	}
	if l.Rows < 1 || l.Columns < 1 || l.Count < 1 {
		return at, 0, failure(what, isthmus.ErrInvalid, "%d matrices of %d x %d; each must be at least 1", l.Count, l.Rows, l.Columns)
	}
	size := l.Type.Size()
	row, err := mem.Mul(l.Columns, size)
	if err != nil {
		return at, 0, failure(what, isthmus.ErrBounds, "a row of %d columns of %d bytes overflows", l.Columns, size)
	}
	if l.RowBytes == 0 {
		l.RowBytes = row
	}
	if l.RowBytes < row || l.RowBytes%size != 0 {
		return at, 0, failure(what, isthmus.ErrInvalid, "rows %d bytes apart; at least the %d bytes of one, and a multiple of the element's %d", l.RowBytes, row, size)
	}
	whole, err := mem.Mul(l.Rows, l.RowBytes)
	if err != nil {
		return at, 0, failure(what, isthmus.ErrBounds, "%d rows %d bytes apart overflow", l.Rows, l.RowBytes)
	}
	if l.MatrixBytes == 0 {
		l.MatrixBytes = whole
	}
	if l.MatrixBytes < whole || l.MatrixBytes%l.RowBytes != 0 {
		return at, 0, failure(what, isthmus.ErrInvalid, "matrices %d bytes apart; at least the %d bytes of one, and a multiple of the %d from row to row", l.MatrixBytes, whole, l.RowBytes)
	}
	if bytes, err = mem.Mul(l.Count, l.MatrixBytes); err != nil {
		return at, 0, failure(what, isthmus.ErrBounds, "%d matrices %d bytes apart overflow", l.Count, l.MatrixBytes)
	}
	return op.Matrix{
		Type: l.Type, RowBytes: l.RowBytes, Rows: l.Rows, Columns: l.Columns, Count: l.Count, MatrixBytes: l.MatrixBytes,
	}, bytes, nil
}

// Rows is the number of rows; like the other methods about the shape it is 0 of a nil or zero Matrix.
func (m *Matrix) Rows() int { return m.place().Rows }

// Columns is the number of columns.
func (m *Matrix) Columns() int { return m.place().Columns }

// Count is the number of matrices.
func (m *Matrix) Count() int { return m.place().Count }

// Type is the element type.
func (m *Matrix) Type() dtype.Type { return m.place().Type }

// Layout is the shape and place.
func (m *Matrix) Layout() Layout {
	at := m.place()
	return Layout{Type: at.Type, Rows: at.Rows, Columns: at.Columns, Count: at.Count, RowBytes: at.RowBytes, MatrixBytes: at.MatrixBytes}
}

// String is the shape, for messages.
func (m *Matrix) String() string { return describe(m.place()) }

func describe(at op.Matrix) string {
	if at.Count > 1 {
		return fmt.Sprintf("%d x %d x %d %v", at.Count, at.Rows, at.Columns, at.Type)
	}
	return fmt.Sprintf("%d x %d %v", at.Rows, at.Columns, at.Type)
}

func (m *Matrix) place() op.Matrix {
	if m == nil {
		return op.Matrix{}
	}
	return m.at
}

// memory is where the elements are, or nil.
func (m *Matrix) memory() *storage {
	if m == nil || m.gone.Load() {
		return nil
	}
	return m.s
}

// View is the rows x columns part of each matrix that begins at (row, column). It shares the memory: Close of the matrix that the
// memory was made for ends it, Close of the view ends only the view. Errors: [isthmus.ErrBounds], [isthmus.ErrClosed].
func (m *Matrix) View(row, column, rows, columns int) (*Matrix, error) {
	const what = "view"
	if s := m.memory(); s == nil || !s.owned.Live() {
		return nil, failure(what, isthmus.ErrClosed, "no matrix, or its memory was closed")
	}
	at := m.at
	if !within(row, rows, at.Rows) || !within(column, columns, at.Columns) {
		return nil, failure(what, isthmus.ErrBounds, "%d x %d from (%d, %d) of a matrix of %d x %d", rows, columns, row, column, at.Rows, at.Columns)
	}
	at.Offset += row*at.RowBytes + column*at.Type.Size()
	at.Rows, at.Columns = rows, columns
	return &Matrix{s: m.s, at: at, view: true}, nil
}

// Matrices is a view of count matrices from the one numbered first.
func (m *Matrix) Matrices(first, count int) (*Matrix, error) {
	const what = "matrices"
	if s := m.memory(); s == nil || !s.owned.Live() {
		return nil, failure(what, isthmus.ErrClosed, "no matrix, or its memory was closed")
	}
	at := m.at
	if !within(first, count, at.Count) {
		return nil, failure(what, isthmus.ErrBounds, "%d from number %d of %d matrices", count, first, at.Count)
	}
	at.Offset += first * at.MatrixBytes
	at.Count = count
	return &Matrix{s: m.s, at: at, view: true}, nil
}

// Vectors is a view of the rows of one matrix as vectors. Several matrices are [isthmus.ErrInvalid].
func (m *Matrix) Vectors() (*Vector, error) {
	const what = "vectors"
	if s := m.memory(); s == nil || !s.owned.Live() {
		return nil, failure(what, isthmus.ErrClosed, "no matrix, or its memory was closed")
	}
	at := m.at
	if at.Count != 1 {
		return nil, failure(what, isthmus.ErrInvalid, "of %d matrices; take one with Matrices", at.Count)
	}
	at.Count, at.Rows, at.MatrixBytes = at.Rows, 1, at.RowBytes
	return &Vector{Matrix{s: m.s, at: at, view: true}}, nil
}

// within reports whether n > 0 things from the one numbered i are among size.
func within(i, n, size int) bool { return i >= 0 && n >= 1 && i <= size && n <= size-i }

// Close gives the memory back, or ends the view. While a batch holds it the error is [isthmus.ErrBusy]. It is nil-safe and idempotent.
func (m *Matrix) Close() error {
	if m == nil {
		return nil
	}
	if m.view {
		m.gone.Store(true)
		return nil
	}
	return m.s.close("close matrix")
}

// Vector is one vector or several of one length in memory of a device, or a view of a part of them. What holds for [Matrix] holds for it.
type Vector struct{ m Matrix } // of one row

// NewVector makes a vector of zeros.
func (d *Device) NewVector(length int, t dtype.Type) (*Vector, error) {
	return d.NewVectors(1, length, t)
}

// NewVectors makes count vectors of zeros. Errors: as for NewMatrices.
func (d *Device) NewVectors(count, length int, t dtype.Type) (*Vector, error) {
	const what = "new vector"
	if count < 1 {
		return nil, failure(what, isthmus.ErrInvalid, "%d vectors; at least 1", count)
	}
	at, n, err := Layout{Type: t, Rows: 1, Columns: length, Count: count}.resolve(what)
	if err != nil {
		return nil, err
	}
	s, err := d.newStorage(what, n)
	if err != nil {
		return nil, err
	}
	return &Vector{Matrix{s: s, at: at}}, nil
}

// Len is the number of elements of one vector.
func (v *Vector) Len() int { return v.rows().Columns() }

// Count is the number of vectors.
func (v *Vector) Count() int { return v.rows().Count() }

// Type is the element type.
func (v *Vector) Type() dtype.Type { return v.rows().Type() }

// View is the length elements of each vector from the one numbered first.
func (v *Vector) View(first, length int) (*Vector, error) {
	m, err := v.rows().View(0, first, 1, length)
	if err != nil {
		return nil, err
	}
	return &Vector{Matrix{s: m.s, at: m.at, view: true}}, nil
}

// Close gives the memory back, or ends the view.
func (v *Vector) Close() error { return v.rows().Close() }

func (v *Vector) rows() *Matrix {
	if v == nil {
		return nil
	}
	return &v.m
}
