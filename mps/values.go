package mps

import (
	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// Element is a number of Go that elements are written from and read to.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// typeOf is the element type that is T; float64 has none.
func typeOf[T Element]() dtype.Type {
	var zero T
	switch any(zero).(type) {
	case float32:
		return dtype.F32
	case float64:
		return dtype.F64
	case int8:
		return dtype.I8
	case int16:
		return dtype.I16
	case int32:
		return dtype.I32
	case int64:
		return dtype.I64
	case uint8:
		return dtype.U8
	case uint16:
		return dtype.U16
	case uint32:
		return dtype.U32
	}
	return dtype.U64
}

// Operand is a *[Matrix] or a *[Vector].
type Operand interface{ rows() *Matrix }

func (m *Matrix) rows() *Matrix { return m }

// MatrixOf makes a rows x columns matrix of values, row by row. Of []float64 it is of F32.
func MatrixOf[T Element](d *Device, rows, columns int, values []T) (*Matrix, error) {
	t := typeOf[T]()
	if t == dtype.F64 {
		t = dtype.F32
	}
	m, err := d.NewMatrix(rows, columns, t)
	if err != nil {
		return nil, err
	}
	if err := Write(m, values); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

// VectorOf makes a vector of values.
func VectorOf[T Element](d *Device, values []T) (*Vector, error) {
	m, err := MatrixOf(d, 1, len(values), values)
	if err != nil {
		return nil, err
	}
	return &Vector{Matrix{s: m.s, at: m.at}}, nil
}

// Write copies values, dense, row by row and matrix by matrix, to the elements of a matrix or vector. Integers go to elements of their own
// type, float32 and float64 to F32, F16 and BF16, rounded to nearest. Errors: [isthmus.ErrBounds] for a wrong number of values,
// [isthmus.ErrInvalid] for a type that does not fit, [isthmus.ErrBusy] while a batch holds the memory, [isthmus.ErrClosed].
func Write[T Element](o Operand, values []T) error {
	return transfer("write", o, values, true)
}

// Read copies the elements of a matrix or vector to values, which must have room for all. Types and errors are as for Write; F32 and
// wider reads are exact.
func Read[T Element](o Operand, values []T) error {
	return transfer("read", o, values, false)
}

// Values returns the elements of a matrix or vector in a new slice.
func Values[T Element](o Operand) ([]T, error) {
	var m *Matrix
	if o != nil {
		m = o.rows()
	}
	at := m.place()
	values := make([]T, at.Count*at.Rows*at.Columns)
	if err := Read(o, values); err != nil {
		return nil, err
	}
	return values, nil
}

// Write is the function Write for float32.
func (m *Matrix) Write(values []float32) error { return Write(m, values) }

// Read is the function Read for float32.
func (m *Matrix) Read(values []float32) error { return Read(m, values) }

// Floats is Values for float32.
func (m *Matrix) Floats() ([]float32, error) { return Values[float32](m) }

// Write is the function Write for float32.
func (v *Vector) Write(values []float32) error { return Write(v, values) }

// Read is the function Read for float32.
func (v *Vector) Read(values []float32) error { return Read(v, values) }

// Floats is Values for float32.
func (v *Vector) Floats() ([]float32, error) { return Values[float32](v) }

func transfer[T Element](what string, o Operand, values []T, write bool) error {
	var m *Matrix
	if o != nil {
		m = o.rows()
	}
	s := m.memory()
	if s == nil {
		return failure(what, isthmus.ErrClosed, "no matrix; make one with NewMatrix or MatrixOf")
	}
	at, have := m.at, typeOf[T]()
	if n := at.Count * at.Rows * at.Columns; len(values) != n {
		return failure(what, isthmus.ErrBounds, "%d values, and %v has %d", len(values), m, n)
	}
	if have != at.Type && !(have.IsFloat() && at.Type.IsFloat()) {
		return failure(what, isthmus.ErrInvalid, "values of type %v, and elements of %v; use the same, or convert with Copy", have, at.Type)
	}
	return s.host(what, write, func(b []byte) {
		eachRow(at, func(i, begin, end int) {
			row := values[i*at.Columns : (i+1)*at.Columns]
			switch bytes := b[begin:end]; {
			case have == at.Type && write:
				copy(bytes, mem.Bytes(row))
			case have == at.Type:
				copy(mem.Bytes(row), bytes)
			case write:
				for j, v := range row {
					putFloat(at.Type, bytes, j, float64(v))
				}
			default:
				for j := range row {
					row[j] = T(float(at.Type, bytes, j))
				}
			}
		})
	})
}

// eachRow calls f with the number and the bytes of each row.
func eachRow(at op.Matrix, f func(i, begin, end int)) {
	width := at.Columns * at.Type.Size()
	for i := range at.Count * at.Rows {
		begin := at.Offset + i/at.Rows*at.MatrixBytes + i%at.Rows*at.RowBytes
		f(i, begin, begin+width)
	}
}
