package npy

import (
	"fmt"
	"strconv"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// layout is how a file stores one element.
type layout struct {
	typ dtype.Type
	// swap is the number of bytes in a unit whose bytes stand in big-endian order, 0 when there is nothing to do.
	swap int
}

// codes are numpy's own types: kind and width in bytes.
var codes = map[string]dtype.Type{
	"b1": dtype.I1, "?": dtype.I1,
	"i1": dtype.I8, "i2": dtype.I16, "i4": dtype.I32, "i8": dtype.I64,
	"u1": dtype.U8, "u2": dtype.U16, "u4": dtype.U32, "u8": dtype.U64,
	"f2": dtype.F16, "f4": dtype.F32, "f8": dtype.F64,
	"c8": dtype.C64, "c16": dtype.C128,
}

// names are the types that numpy lacks, as ml_dtypes names them.
var names = map[dtype.Type]string{
	dtype.I2: "int2", dtype.U2: "uint2", dtype.I4: "int4", dtype.U4: "uint4",
	dtype.BF16:     "bfloat16",
	dtype.F4E2M1FN: "float4_e2m1fn", dtype.F6E2M3FN: "float6_e2m3fn", dtype.F6E3M2FN: "float6_e3m2fn",
	dtype.F8E3M4: "float8_e3m4", dtype.F8E4M3: "float8_e4m3", dtype.F8E4M3FN: "float8_e4m3fn",
	dtype.F8E4M3FNUZ: "float8_e4m3fnuz", dtype.F8E4M3B11FNUZ: "float8_e4m3b11fnuz",
	dtype.F8E5M2: "float8_e5m2", dtype.F8E5M2FNUZ: "float8_e5m2fnuz", dtype.F8E8M0FNU: "float8_e8m0fnu",
}

func named(name string) (dtype.Type, bool) {
	for t, n := range names {
		if n == name {
			return t, true
		}
	}
	return dtype.Invalid, false
}

// describe returns the descriptor of t, as it stands in a header.
func describe(t dtype.Type) (string, error) {
	for code, u := range codes {
		if u == t && code != "?" {
			return "'" + order(t.Size()) + code + "'", nil
		}
	}
	name, ok := names[t]
	if !ok {
		return "", fmt.Errorf("npy: %s: %w", t, ErrType)
	}
	return fmt.Sprintf("[('%s', '%su%d')]", name, order(t.Size()), t.Size()), nil
}

// order is the mark of the byte order of elements of the given size: one byte has none.
func order(size int) string {
	if size == 1 {
		return "|"
	}
	return "<"
}

// resolve finds the type of a file's elements from its descriptor.
func resolve(descr any, opts Options) (layout, error) {
	switch d := descr.(type) {
	case string:
		return resolveString(d, opts)
	case list:
		return resolveRecord(d)
	}
	return layout{}, fmt.Errorf("npy: descriptor is neither a string nor a list: %w", ErrFormat)
}

func resolveString(d string, opts Options) (layout, error) {
	if t, ok := named(d); ok {
		return layout{typ: t}, nil
	}
	code, big := d, false
	if code != "" {
		switch code[0] {
		case '>', '!':
			code, big = code[1:], true
		case '<', '|', '=':
			code = code[1:]
		}
	}
	if t, ok := codes[code]; ok {
		return layout{typ: t, swap: swapUnit(t, big)}, nil
	}
	if code == "" || code[0] != 'V' {
		return layout{}, fmt.Errorf("npy: descriptor %.40q: only numbers and predicates are read: %w", d, ErrType)
	}
	width, err := strconv.Atoi(code[1:])
	switch {
	case err != nil:
		return layout{}, fmt.Errorf("npy: descriptor %.40q: no width: %w", d, ErrFormat)
	case !opts.Void.Valid():
		return layout{}, fmt.Errorf("npy: descriptor %.40q names only a width of %d bytes; say which type it is: %w", d, width, ErrType)
	case opts.Void.Size() != width:
		return layout{}, fmt.Errorf("npy: descriptor %.40q is %d bytes wide, %s has %d: %w", d, width, opts.Void, opts.Void.Size(), ErrType)
	}
	return layout{typ: opts.Void, swap: swapUnit(opts.Void, big)}, nil
}

// resolveRecord reads the form in which types that numpy lacks are stored.
func resolveRecord(d list) (layout, error) {
	if len(d) != 1 {
		return layout{}, fmt.Errorf("npy: records of %d fields are not arrays of numbers: %w", len(d), ErrType)
	}
	field, ok := d[0].(tuple)
	if !ok || len(field) != 2 {
		return layout{}, fmt.Errorf("npy: record field is not a pair of a name and a descriptor: %w", ErrType)
	}
	name, ok1 := field[0].(string)
	raw, ok2 := field[1].(string)
	if !ok1 || !ok2 {
		return layout{}, fmt.Errorf("npy: record field is not a pair of strings: %w", ErrType)
	}
	t, ok := named(name)
	if !ok {
		return layout{}, fmt.Errorf("npy: record field %.40q names no type of ml_dtypes: %w", name, ErrType)
	}
	if len(raw) != 3 || raw[1] != 'u' && raw[1] != 'V' && raw[1] != 'i' || int(raw[2]-'0') != t.Size() {
		return layout{}, fmt.Errorf("npy: %s stored as %.40q: want an unsigned field of %d bytes: %w", name, raw, t.Size(), ErrType)
	}
	return layout{typ: t, swap: swapUnit(t, raw[0] == '>')}, nil
}

// swapUnit is the number of bytes that are reversed together: each part of a complex number by itself.
func swapUnit(t dtype.Type, big bool) int {
	if size := t.Real().Size(); big && size > 1 {
		return size
	}
	return 0
}
