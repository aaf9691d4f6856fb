// Package npy reads and writes numpy's array files: .npy, and .npz archives of them.
//
// An [Array] holds its elements the way package dtype defines them: little-endian, dense, in row-major order, one
// element to a whole number of bytes. Reading converts big-endian and Fortran-ordered files to that. Files of versions
// 1.0, 2.0 and 3.0 are read; version 1.0 is written, byte for byte as numpy writes it.
//
// numpy has descriptors for bool, integers of 8 to 64 bits, f16, f32, f64 and complex numbers. Every other type of
// package dtype (bf16, the f8, f6 and f4 kinds, the 2- and 4-bit integers) is kept as records of one unsigned field
// named as ml_dtypes names the type, for example [('bfloat16', '<u2')]. Python reads it back with
//
//	numpy.load(file).view(ml_dtypes.bfloat16)
//
// What numpy.save itself makes of such an array says only how wide an element is ('<V2'); [Options.Void] then
// names the type.
//
// A file is trusted with nothing: a header may be at most 64 KiB, sizes are checked for overflow, and memory is taken
// only for as much data as the file can hold. Errors name what is wrong and where.
//
// All functions are safe for concurrent use; an [Archive] is too.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// Errors that callers may tell apart; every error of this package about a file's content wraps one of them.
var (
	// ErrFormat says that a file is not what it should be: damaged, truncated or never an array file.
	ErrFormat = errors.New("not a well-formed array file")
	// ErrType says that a file is well-formed but holds elements this module has no type for.
	ErrType = errors.New("element type not supported")
	// ErrTooLarge says that an array exceeds Options.MaxBytes.
	ErrTooLarge = errors.New("array too large")
)

// maxRank is numpy's own limit.
const maxRank = 64

// Array is one array: a type, a shape (row-major), and its elements in the layout that package dtype defines.
// The zero value is invalid.
type Array struct {
	DType dtype.Type
	Shape []int64
	Data  []byte
}

// Options says how to read. The zero value is the default.
type Options struct {
	// Void is the type to give to elements that a file describes only by their width, such as '<V2'.
	// It must be of that width. Zero: such a file is an error.
	Void dtype.Type
	// MaxBytes bounds the data of one array. Zero: an array may be as large as its file when it is not compressed,
	// and 2 GiB when it is.
	MaxBytes int64
}

// Check reports whether the type is one that elements in memory can have, the shape is valid, and the data has
// exactly the length that both say.
func (a Array) Check() error {
	n, err := byteLen(a.DType, a.Shape)
	if err != nil {
		return err
	}
	if n != int64(len(a.Data)) {
		return fmt.Errorf("npy: %s array of shape %v takes %d bytes, its data has %d", a.DType, a.Shape, n, len(a.Data))
	}
	return nil
}

// Len is the number of elements that the shape says; it does not check the shape.
func (a Array) Len() int64 {
	n := int64(1)
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// byteLen is the length of the data of an array of type t and the given shape.
func byteLen(t dtype.Type, shape []int64) (int64, error) {
	if t.Size() == 0 || t == dtype.TF32 {
		return 0, fmt.Errorf("npy: %s: %w", t, ErrType)
	}
	if len(shape) > maxRank {
		return 0, fmt.Errorf("npy: rank %d: numpy has at most %d: %w", len(shape), maxRank, ErrFormat)
	}
	// Overflow is checked over the dimensions that are not 0, so that no part of a shape can wrap.
	n, empty := uint64(t.Size()), false
	for i, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("npy: dimension %d is %d, less than 0: %w", i, d, ErrFormat)
		}
		if d == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > 1<<62 {
			return 0, fmt.Errorf("npy: shape %v of %s: size overflows: %w", shape, t, ErrFormat)
		}
		n = lo
	}
	if empty {
		return 0, nil
	}
	return int64(n), nil
}

// Element is the Go types that elements can be taken from and given as.
type Element interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128
}

func typeOf[T Element]() dtype.Type {
	switch any(*new(T)).(type) {
	case bool:
		return dtype.I1
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
	case uint64:
		return dtype.U64
	case float32:
		return dtype.F32
	case float64:
		return dtype.F64
	case complex64:
		return dtype.C64
	default:
		return dtype.C128
	}
}

// FromSlice makes an array of the type that corresponds to T, with the values (copied) in row-major order.
// A nil shape makes an array without dimensions, of one value.
func FromSlice[T Element](values []T, shape ...int64) (Array, error) {
	a := Array{DType: typeOf[T](), Shape: shape}
	n, err := byteLen(a.DType, shape)
	if err != nil {
		return Array{}, err
	}
	if size := int64(a.DType.Size()); int64(len(values)) != n/size {
		return Array{}, fmt.Errorf("npy: shape %v has %d elements, %d values given", shape, n/size, len(values))
	}
	a.Data, err = binary.Append(make([]byte, 0, n), binary.LittleEndian, values)
	return a, err
}

// Values returns a copy of the elements, in row-major order; T must correspond to the array's type exactly.
func Values[T Element](a Array) ([]T, error) {
	if t := typeOf[T](); t != a.DType {
		return nil, fmt.Errorf("npy: array is of %s, values of %s asked for", a.DType, t)
	}
	if err := a.Check(); err != nil {
		return nil, err
	}
	values := make([]T, len(a.Data)/a.DType.Size())
	_, err := binary.Decode(a.Data, binary.LittleEndian, values)
	return values, err
}
