// Package dtype names the element types of tensors and converts the small floating-point formats exactly.
//
// A [Type] is one of StableHLO's element types. Its name is the one StableHLO prints (f32, ui8, f8E4M3FN); its
// width is given in bits because some types are narrower than a byte. In memory, and everywhere in this module,
// elements are little-endian and dense in row-major order, one element to a whole number of bytes: an i1, i4 or
// f6 element takes one byte (see [Type.Size]), with the value in the low bits and, for signed integers, the sign
// extended. Packed encodings exist only in program files and are unpacked when they are read.
//
// All functions are pure and safe for concurrent use.
package dtype

import (
	"fmt"
	"slices"
)

// Type is the type of one element. The zero value is invalid.
type Type uint8

// The element types of the StableHLO specification (section Types), and TF32, which names only a precision.
const (
	Invalid Type = iota
	I1           // predicate: one byte, 0 or 1
	I2
	I4
	I8
	I16
	I32
	I64
	U2
	U4
	U8
	U16
	U32
	U64
	F4E2M1FN
	F6E2M3FN
	F6E3M2FN
	F8E3M4
	F8E4M3
	F8E4M3FN
	F8E4M3FNUZ
	F8E4M3B11FNUZ
	F8E5M2
	F8E5M2FNUZ
	F8E8M0FNU
	BF16
	F16
	TF32 // a dot precision, never an element in memory
	F32
	F64
	C64  // complex<f32>: real part first
	C128 // complex<f64>: real part first
	numTypes
)

type info struct {
	name string
	bits int
	kind Kind
}

// Kind groups types by the arithmetic they have.
type Kind uint8

// The kinds of element types.
const (
	_ Kind = iota
	Bool
	Signed
	Unsigned
	Float
	Complex
)

var infos = [numTypes]info{
	Invalid:       {"invalid", 0, 0},
	I1:            {"i1", 1, Bool},
	I2:            {"i2", 2, Signed},
	I4:            {"i4", 4, Signed},
	I8:            {"i8", 8, Signed},
	I16:           {"i16", 16, Signed},
	I32:           {"i32", 32, Signed},
	I64:           {"i64", 64, Signed},
	U2:            {"ui2", 2, Unsigned},
	U4:            {"ui4", 4, Unsigned},
	U8:            {"ui8", 8, Unsigned},
	U16:           {"ui16", 16, Unsigned},
	U32:           {"ui32", 32, Unsigned},
	U64:           {"ui64", 64, Unsigned},
	F4E2M1FN:      {"f4E2M1FN", 4, Float},
	F6E2M3FN:      {"f6E2M3FN", 6, Float},
	F6E3M2FN:      {"f6E3M2FN", 6, Float},
	F8E3M4:        {"f8E3M4", 8, Float},
	F8E4M3:        {"f8E4M3", 8, Float},
	F8E4M3FN:      {"f8E4M3FN", 8, Float},
	F8E4M3FNUZ:    {"f8E4M3FNUZ", 8, Float},
	F8E4M3B11FNUZ: {"f8E4M3B11FNUZ", 8, Float},
	F8E5M2:        {"f8E5M2", 8, Float},
	F8E5M2FNUZ:    {"f8E5M2FNUZ", 8, Float},
	F8E8M0FNU:     {"f8E8M0FNU", 8, Float},
	BF16:          {"bf16", 16, Float},
	F16:           {"f16", 16, Float},
	TF32:          {"tf32", 19, Float},
	F32:           {"f32", 32, Float},
	F64:           {"f64", 64, Float},
	C64:           {"complex<f32>", 64, Complex},
	C128:          {"complex<f64>", 128, Complex},
}

// All lists every type that an element in memory can have.
func All() []Type {
	var all []Type
	for t := Invalid + 1; t < numTypes; t++ {
		if t != TF32 {
			all = append(all, t)
		}
	}
	return all
}

// Parse returns the type that StableHLO writes as name, such as "f32", "ui8" or "complex<f64>".
func Parse(name string) (Type, error) {
	i := slices.IndexFunc(infos[1:], func(i info) bool { return i.name == name })
	if i < 0 {
		return Invalid, fmt.Errorf("dtype: %q is not an element type", name)
	}
	return Type(i + 1), nil
}

func (t Type) info() info {
	if t >= numTypes {
		return infos[Invalid]
	}
	return infos[t]
}

// String returns StableHLO's name of t.
func (t Type) String() string { return t.info().name }

// Valid reports whether t names an element type.
func (t Type) Valid() bool { return t > Invalid && t < numTypes }

// Bits is the width of the value, not of its storage.
func (t Type) Bits() int { return t.info().bits }

// Size is the number of bytes that one element takes in memory; 0 for an invalid type.
func (t Type) Size() int { return (t.info().bits + 7) / 8 }

// Kind tells which arithmetic t has; 0 for an invalid type.
func (t Type) Kind() Kind { return t.info().kind }

// IsInt reports whether t is a signed or unsigned integer; i1 is neither.
func (t Type) IsInt() bool { return t.Kind() == Signed || t.Kind() == Unsigned }

// IsFloat reports whether t is a real floating-point type.
func (t Type) IsFloat() bool { return t.Kind() == Float }

// IsComplex reports whether t is complex.
func (t Type) IsComplex() bool { return t.Kind() == Complex }

// Real returns the type of one part of a complex type, and t itself for every other.
func (t Type) Real() Type {
	switch t {
	case C64:
		return F32
	case C128:
		return F64
	}
	return t
}
