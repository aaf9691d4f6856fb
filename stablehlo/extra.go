package stablehlo

import (
	"encoding/binary"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// Int returns the attribute's value if it is an integer.
func (e Extra) Int() (int64, bool) {
	n, ok := e.attr.(mlir.Int)
	return n.Value, ok
}

// Float returns the attribute's value if it is a floating-point number.
func (e Extra) Float() (float64, bool) {
	n, ok := e.attr.(mlir.Float)
	return n.Value, ok
}

// Bool returns the attribute's value if it is true, false, or an attribute that says something by being there.
func (e Extra) Bool() (value, ok bool) {
	switch b := e.attr.(type) {
	case mlir.Bool:
		return bool(b), true
	case mlir.Unit:
		return true, true
	}
	return false, false
}

// Text returns the attribute's value if it is a string, the name of a symbol, or the text of an attribute of another
// dialect. It need not be UTF-8.
func (e Extra) Text() (string, bool) {
	switch s := e.attr.(type) {
	case mlir.String:
		return string(s), true
	case mlir.Symbol:
		return string(s), true
	case mlir.OpaqueAttr:
		return s.Text, true
	case mlir.Enum:
		return s.Value, true
	}
	return "", false
}

// Tensor returns the attribute's value if it is a dense tensor.
func (e Extra) Tensor() (*Literal, bool) {
	d, ok := e.attr.(mlir.Dense)
	if !ok {
		return nil, false
	}
	t, err := liftType(d.Type)
	if err != nil {
		return nil, false
	}
	return &Literal{Type: t, Data: d.Data, Splat: d.Splat}, true
}

// Elements returns the attribute's value as elements, the way package dtype stores them, if it is a number, true or
// false, or a list of numbers that says its type. list tells one element from a list of one.
func (e Extra) Elements() (t dtype.Type, data []byte, list, ok bool) {
	put := func(v uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		data = append(data, b[:t.Size()]...)
	}
	float := func(v float64) {
		switch t {
		case dtype.F64:
			put(math.Float64bits(v))
		case dtype.F32:
			put(uint64(math.Float32bits(float32(v))))
		default:
			put(dtype.FromFloat64(t, v))
		}
	}
	switch a := e.attr.(type) {
	case mlir.Bool:
		t, data = dtype.I1, []byte{0}
		if a {
			data[0] = 1
		}
	case mlir.Int:
		if t = a.Type.Elem; a.Type.Kind == mlir.Index {
			t = dtype.I64
		}
		put(uint64(a.Value))
	case mlir.Float:
		t = a.Type.Elem
		float(a.Value)
	case mlir.Ints:
		t, list = a.Elem, true
		for _, v := range a.Values {
			put(uint64(v))
		}
	case mlir.Floats:
		t, list = a.Elem, true
		for _, v := range a.Values {
			float(v)
		}
	case mlir.Dense:
		t, list = a.Type.Elem, true
		n := int64(1)
		if a.Splat {
			for _, d := range a.Type.Dims {
				n *= d
			}
			n = min(n, 1<<20)
		}
		for range n {
			data = append(data, a.Data...)
		}
	}
	return t, data, list, t.Valid() && !t.IsComplex()
}

// Ints returns the attribute's value if it is a list of integers in any of the forms that programs use: array<i64: …>,
// [1, 2], or a dense tensor of rank 0 or 1.
func (e Extra) Ints() ([]int64, bool) {
	switch e.attr.(type) {
	case mlir.Ints, mlir.Array, mlir.Dense:
		return intsOf(e.attr)
	}
	return nil, false
}

// List returns the attribute's elements, without names, if it is a list: [a, b, …].
func (e Extra) List() ([]Extra, bool) {
	a, ok := e.attr.(mlir.Array)
	if !ok {
		return nil, false
	}
	list := make([]Extra, len(a))
	for i, v := range a {
		list[i].attr = v
	}
	return list, true
}

// Dict returns the attribute's entries if it is a dictionary.
func (e Extra) Dict() ([]Extra, bool) {
	d, ok := e.attr.(mlir.Dict)
	if !ok {
		return nil, false
	}
	return extras(d), true
}

// TypeValue returns the attribute's value if it is a type.
func (e Extra) TypeValue() (Type, bool) {
	a, ok := e.attr.(mlir.TypeAttr)
	if !ok {
		return Type{}, false
	}
	t, err := liftType(a.Type)
	return t, err == nil
}

// Find returns the attribute of that name in list, and whether there is one.
func Find(list []Extra, name string) (Extra, bool) {
	for _, e := range list {
		if e.Name == name {
			return e, true
		}
	}
	return Extra{}, false
}

func extras(list []mlir.NamedAttr) []Extra {
	if len(list) == 0 {
		return nil
	}
	out := make([]Extra, len(list))
	for i, a := range list {
		out[i] = Extra{Name: a.Name, attr: a.Attr}
	}
	return out
}

func namedAttrs(list []Extra) []mlir.NamedAttr {
	out := make([]mlir.NamedAttr, len(list))
	for i, e := range list {
		out[i] = mlir.NamedAttr{Name: e.Name, Attr: e.attr}
	}
	return out
}
