// Package mlir holds MLIR syntax: a generic operation tree, and the parser that reads it from text. The bytecode
// reader makes the same tree. The tree knows nothing of what an operation means; package stablehlo lifts it to a
// typed graph and checks it there.
//
// Both readers deliver one canonical form, whatever was written: operation names as in the generic form
// ("stablehlo.add"), attributes under their generic names ("dot_dimension_numbers"), aliases and resources resolved,
// VHLO upgraded to StableHLO, and the operands, results and their types complete. Nothing in the tree refers to the
// input's memory except [Dense.Data], and then only that of the bytecode reader. The parts of a tree can share memory
// (types, attributes, constants): it is not to be changed.
package mlir

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// Pos is a place in the source. The zero value is unknown (bytecode without locations).
type Pos struct {
	File      string // from a location in the program, or empty for the file being read
	Line, Col int    // 1-based; columns count bytes
}

// String prints file:line:col as far as it is known.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Col)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Error is a syntax error at a place in the source. For bytecode Pos is zero and Offset is the byte where it was found.
type Error struct {
	Pos    Pos
	Offset int
	Msg    string
}

// Error gives the position, where there is one, and what is wrong.
func (e *Error) Error() string {
	if e.Pos.Line != 0 {
		return e.Pos.String() + ": " + e.Msg
	}
	return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg)
}

// Op is one operation.
type Op struct {
	Name     string // with its dialect: "stablehlo.add", "func.func", "chlo.top_k"
	Operands []*Value
	Results  []*Value
	Attrs    []NamedAttr // properties and attributes, merged; each name once
	Regions  []*Region
	Pos      Pos    // in text: of the operation's name, whatever its location says
	Loc      string // what a location gives, for messages: "jit(f)/add at f.py:3:7"; may be empty
}

// Attr returns the attribute of that name, or nil.
func (o *Op) Attr(name string) Attr {
	for _, a := range o.Attrs {
		if a.Name == name {
			return a.Attr
		}
	}
	return nil
}

// Region is a list of blocks; StableHLO regions have one.
type Region struct{ Blocks []*Block }

// Block is a list of operations with its arguments.
type Block struct {
	Args []*Value
	Ops  []*Op
}

// Value is the result of an operation or the argument of a block.
type Value struct {
	Type  Type
	Op    *Op         // the operation that makes it; nil for a block argument
	Index int         // which result or argument
	Attrs []NamedAttr // of a function's argument, unless it has no body: then its arg_attrs has them
	Name  string      // as written, without %; empty in bytecode
	Pos   Pos
}

// NamedAttr is an attribute with its name.
type NamedAttr struct {
	Name string
	Attr Attr
}

// TypeKind tells the forms of Type apart.
type TypeKind uint8

// The kinds of types.
const (
	_        TypeKind = iota
	Tensor            // Elem or Quant, Dims, maybe Bounds
	Unranked          // tensor<*xT>
	Scalar            // an element type by itself: i64 in "7 : i64"
	Index
	Token
	Tuple  // Elems
	Func   // Ins, Elems are the results
	Future // Elems
	Buffer // Elem, Dims: memref in the text
	None
	Opaque // a type of another dialect, Text holds it
)

// Type is an MLIR type as far as StableHLO programs need it.
type Type struct {
	Kind   TypeKind
	Elem   dtype.Type
	Quant  *Quant  // set for a quantized element type; Elem is then its storage type
	Dims   []int64 // -1 is a dynamic dimension
	Bounds []int64 // #stablehlo.bounds: -1 is no bound; nil without
	Ins    []Type
	Elems  []Type
	// Text is the whole of an opaque type. For a tensor it is an encoding that is not known here, or "index" if that
	// is the element type; Elem is then i64.
	Text string
}

// Quant is !quant.uniform<storage<min:max>:expressed:axis, {scale:zero, …}>.
type Quant struct {
	Storage    dtype.Type
	Expressed  dtype.Type
	Min, Max   int64
	Axis       int // -1: per tensor
	Scales     []float64
	ZeroPoints []int64
}

// Attr is one of the attribute types of this package.
type Attr interface{ isAttr() }

// The attributes.
type (
	// String is a string; it need not be UTF-8.
	String string
	// Bool is true or false.
	Bool bool
	// Unit is an attribute that says something by being there.
	Unit struct{}
	// Int is an integer with its type (Scalar or Index); Value is sign- or zero-extended by it.
	Int struct {
		Value int64
		Type  Type
	}
	// Float is a number with its type.
	Float struct {
		Value float64
		Type  Type
	}
	// Symbol is @name; nested references are joined with "::@".
	Symbol string
	// TypeAttr is a type used as an attribute.
	TypeAttr struct{ Type Type }
	// Array is [a, b, …].
	Array []Attr
	// Dict is {a = 1, …}.
	Dict []NamedAttr
	// Ints is array<iN: …>, and dense<…> : tensor<Nxi64> where an operation's format wants an array of integers.
	Ints struct {
		Elem   dtype.Type
		Values []int64
	}
	// Floats is array<f64: …>.
	Floats struct {
		Elem   dtype.Type
		Values []float64
	}
	// Dense is dense<…> : tensor<…>. Data holds the elements as package dtype stores them (little-endian,
	// row-major, one element to a whole number of bytes), or one element if Splat. It may alias the input of the
	// reader, which must not be changed afterwards.
	Dense struct {
		Type  Type
		Data  []byte
		Splat bool
	}
	// Enum is #stablehlo<comparison_direction LT> in all its spellings: Name is the enum ("comparison_direction"),
	// Value the case ("LT").
	Enum struct{ Name, Value string }
	// Struct is #stablehlo.dot<…>, .gather<…>, .scatter<…>, .conv<…>, .channel_handle<…>,
	// .output_operand_alias<…>, .dot_algorithm<…>, .result_accuracy<…>, .type_extensions<…> and the like. Fields have the names of the
	// printed form ("lhs_contracting_dimensions") with Ints, Int, Bool, Enum, TypeAttr or Array values. A convolution's
	// #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]> is given as its fields: input_batch_dimension,
	// input_feature_dimension, input_spatial_dimensions, kernel_input_feature_dimension, … .
	Struct struct {
		Name   string // "dot", "gather", "scatter", "conv", "channel_handle", …
		Fields []NamedAttr
	}
	// OpaqueAttr is an attribute of a dialect that no reader here knows (sdy, tf, mhlo, …): its text, or its bytes in bytecode.
	OpaqueAttr struct {
		Dialect string
		Text    string
	}
)

func (String) isAttr()     {}
func (Bool) isAttr()       {}
func (Unit) isAttr()       {}
func (Int) isAttr()        {}
func (Float) isAttr()      {}
func (Symbol) isAttr()     {}
func (TypeAttr) isAttr()   {}
func (Array) isAttr()      {}
func (Dict) isAttr()       {}
func (Ints) isAttr()       {}
func (Floats) isAttr()     {}
func (Dense) isAttr()      {}
func (Enum) isAttr()       {}
func (Struct) isAttr()     {}
func (OpaqueAttr) isAttr() {}

// Field returns the field of that name, or nil.
func (s Struct) Field(name string) Attr { return lookup(s.Fields, name) }

// Get returns the entry of that name, or nil.
func (d Dict) Get(name string) Attr { return lookup(d, name) }

func lookup(as []NamedAttr, name string) Attr {
	for _, a := range as {
		if a.Name == name {
			return a.Attr
		}
	}
	return nil
}
