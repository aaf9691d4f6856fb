package pjrt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Element is a Go type that is an element type of tensors too. Types without a Go counterpart (bf16, f16, f8…, i4…)
// are moved as bytes, see [PutBytes].
type Element interface {
	~bool | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64 | ~complex64 | ~complex128
}

// DType returns the element type that T stands for.
func DType[T Element]() dtype.Type {
	var z T
	switch any(z).(type) {
	case float32:
		return dtype.F32
	case int32:
		return dtype.I32
	}
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Bool:
		return dtype.I1
	case reflect.Int8:
		return dtype.I8
	case reflect.Int16:
		return dtype.I16
	case reflect.Int32:
		return dtype.I32
	case reflect.Int64:
		return dtype.I64
	case reflect.Uint8:
		return dtype.U8
	case reflect.Uint16:
		return dtype.U16
	case reflect.Uint32:
		return dtype.U32
	case reflect.Uint64:
		return dtype.U64
	case reflect.Float32:
		return dtype.F32
	case reflect.Float64:
		return dtype.F64
	case reflect.Complex64:
		return dtype.C64
	case reflect.Complex128:
		return dtype.C128
	}
	return dtype.Invalid
}

// Type is the type of a tensor: what its elements are and how many there are along each dimension. Data on the host
// is dense, row-major and little-endian, one element to a whole number of bytes, as package dtype says.
type Type struct {
	DType dtype.Type
	Dims  []int // none for a scalar
}

// String returns the type as StableHLO prints it: tensor<2x3xf32>.
func (t Type) String() string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, d := range t.Dims {
		fmt.Fprintf(&b, "%dx", d)
	}
	b.WriteString(t.DType.String() + ">")
	return b.String()
}

// Equal reports whether t and u are the same type.
func (t Type) Equal(u Type) bool { return t.DType == u.DType && slices.Equal(t.Dims, u.Dims) }

// Len is the number of elements. Errors: [isthmus.ErrBounds] for a negative dimension or an overflow.
func (t Type) Len() (int, error) { return mem.Mul(t.Dims...) }

// Size is the number of bytes on the host. Errors: as for Len, also where a dimension is 0 and the others overflow, because
// native code multiplies those for its strides; [isthmus.ErrInvalid] for an invalid element type.
func (t Type) Size() (int, error) {
	if !t.DType.Valid() || t.DType == dtype.TF32 {
		return 0, fmt.Errorf("pjrt: type %s: %w", t, isthmus.ErrInvalid)
	}
	n, err := t.Len()
	if err != nil {
		return 0, err
	}
	if n == 0 {
		full := slices.DeleteFunc(slices.Clone(t.Dims), func(d int) bool { return d == 0 })
		_, err = mem.Mul(append(full, t.DType.Size())...)
		return 0, err
	}
	return mem.Mul(n, t.DType.Size())
}

// native gives PJRT's number of each element type, and the minor version of the API that brought it.
var native = [...]struct {
	typ   pjrtc.BufferType
	since int
}{
	dtype.I1:            {pjrtc.BufferTypePRED, 0},
	dtype.I2:            {pjrtc.BufferTypeS2, 0},
	dtype.I4:            {pjrtc.BufferTypeS4, 0},
	dtype.I8:            {pjrtc.BufferTypeS8, 0},
	dtype.I16:           {pjrtc.BufferTypeS16, 0},
	dtype.I32:           {pjrtc.BufferTypeS32, 0},
	dtype.I64:           {pjrtc.BufferTypeS64, 0},
	dtype.U2:            {pjrtc.BufferTypeU2, 0},
	dtype.U4:            {pjrtc.BufferTypeU4, 0},
	dtype.U8:            {pjrtc.BufferTypeU8, 0},
	dtype.U16:           {pjrtc.BufferTypeU16, 0},
	dtype.U32:           {pjrtc.BufferTypeU32, 0},
	dtype.U64:           {pjrtc.BufferTypeU64, 0},
	dtype.F4E2M1FN:      {pjrtc.BufferTypeF4E2M1FN, 63},
	dtype.F6E2M3FN:      {pjrtc.BufferTypeF6E2M3FN, 114},
	dtype.F6E3M2FN:      {pjrtc.BufferTypeF6E3M2FN, 114},
	dtype.F8E3M4:        {pjrtc.BufferTypeF8E3M4, 55},
	dtype.F8E4M3:        {pjrtc.BufferTypeF8E4M3, 55},
	dtype.F8E4M3FN:      {pjrtc.BufferTypeF8E4M3FN, 0},
	dtype.F8E4M3FNUZ:    {pjrtc.BufferTypeF8E4M3FNUZ, 0},
	dtype.F8E4M3B11FNUZ: {pjrtc.BufferTypeF8E4M3B11FNUZ, 0},
	dtype.F8E5M2:        {pjrtc.BufferTypeF8E5M2, 0},
	dtype.F8E5M2FNUZ:    {pjrtc.BufferTypeF8E5M2FNUZ, 0},
	dtype.F8E8M0FNU:     {pjrtc.BufferTypeF8E8M0FNU, 63},
	dtype.BF16:          {pjrtc.BufferTypeBF16, 0},
	dtype.F16:           {pjrtc.BufferTypeF16, 0},
	dtype.F32:           {pjrtc.BufferTypeF32, 0},
	dtype.F64:           {pjrtc.BufferTypeF64, 0},
	dtype.C64:           {pjrtc.BufferTypeC64, 0},
	dtype.C128:          {pjrtc.BufferTypeC128, 0},
}

// elements is the way back.
var elements = [...]dtype.Type{
	pjrtc.BufferTypePRED:          dtype.I1,
	pjrtc.BufferTypeS2:            dtype.I2,
	pjrtc.BufferTypeS4:            dtype.I4,
	pjrtc.BufferTypeS8:            dtype.I8,
	pjrtc.BufferTypeS16:           dtype.I16,
	pjrtc.BufferTypeS32:           dtype.I32,
	pjrtc.BufferTypeS64:           dtype.I64,
	pjrtc.BufferTypeU2:            dtype.U2,
	pjrtc.BufferTypeU4:            dtype.U4,
	pjrtc.BufferTypeU8:            dtype.U8,
	pjrtc.BufferTypeU16:           dtype.U16,
	pjrtc.BufferTypeU32:           dtype.U32,
	pjrtc.BufferTypeU64:           dtype.U64,
	pjrtc.BufferTypeF4E2M1FN:      dtype.F4E2M1FN,
	pjrtc.BufferTypeF6E2M3FN:      dtype.F6E2M3FN,
	pjrtc.BufferTypeF6E3M2FN:      dtype.F6E3M2FN,
	pjrtc.BufferTypeF8E3M4:        dtype.F8E3M4,
	pjrtc.BufferTypeF8E4M3:        dtype.F8E4M3,
	pjrtc.BufferTypeF8E4M3FN:      dtype.F8E4M3FN,
	pjrtc.BufferTypeF8E4M3FNUZ:    dtype.F8E4M3FNUZ,
	pjrtc.BufferTypeF8E4M3B11FNUZ: dtype.F8E4M3B11FNUZ,
	pjrtc.BufferTypeF8E5M2:        dtype.F8E5M2,
	pjrtc.BufferTypeF8E5M2FNUZ:    dtype.F8E5M2FNUZ,
	pjrtc.BufferTypeF8E8M0FNU:     dtype.F8E8M0FNU,
	pjrtc.BufferTypeBF16:          dtype.BF16,
	pjrtc.BufferTypeF16:           dtype.F16,
	pjrtc.BufferTypeF32:           dtype.F32,
	pjrtc.BufferTypeF64:           dtype.F64,
	pjrtc.BufferTypeC64:           dtype.C64,
	pjrtc.BufferTypeC128:          dtype.C128,
}

// toBufferType converts an element type for this plugin: a type that is newer than the plugin would end the process.
func (p *Plugin) toBufferType(op string, t dtype.Type) (pjrtc.BufferType, error) {
	if int(t) >= len(native) || native[t].typ == 0 {
		return 0, invalid(op, "element type %s", t)
	}
	n := native[t]
	if _, minor := p.table.Version(); minor < n.since {
		return 0, fmt.Errorf("pjrt: %s: element type %s needs API 0.%d, %s: %w", op, t, n.since, p, isthmus.ErrUnsupported)
	}
	return n.typ, nil
}

// fromBufferType converts back; Invalid for a token and for types that this module does not know.
func fromBufferType(t pjrtc.BufferType) dtype.Type {
	if t < 0 || int(t) >= len(elements) {
		return dtype.Invalid
	}
	return elements[t]
}

// toDims converts dimensions that a plugin gave.
func toDims(op string, dims []int64) ([]int, error) {
	out := make([]int, len(dims))
	for i, d := range dims {
		if d < 0 {
			return nil, fmt.Errorf("pjrt: %s: the plugin says dimension %d is %d: %w", op, i, d, isthmus.ErrBounds)
		}
		out[i] = int(d)
	}
	return out, nil
}

// maxRank bounds the number of dimensions.
const maxRank = 1 << 10
