package pjrt

import (
	"fmt"
	"math"
	"reflect"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// maxAttrDepth bounds how deep dictionaries of attributes may nest.
const maxAttrDepth = 32

// Attrs copies the attributes of the call, the custom_call's backend_config. A value is a bool, an integer or float of
// Go's type of that size, a string, a slice of one of these numbers or bools, or a map[string]any again. Values of the
// small floats (bf16, f16, f8…) are float32.
func (c *HandlerCall) Attrs() (map[string]any, error) {
	const op = "attributes"
	if err := c.enter(op); err != nil {
		return nil, err
	}
	defer c.mu.RUnlock()
	return readAttrs(op, &c.frame.Attrs, 0)
}

// Attr is one attribute of the call as a T, such as int64, float32, string, []int64 or map[string]any. Errors:
// [isthmus.ErrNotFound] when there is none of that name, [isthmus.ErrInvalid] when it has another type.
func Attr[T any](c *HandlerCall, name string) (T, error) {
	var zero T
	all, err := c.Attrs()
	if err != nil {
		return zero, err
	}
	v, ok := all[name]
	if !ok {
		return zero, fmt.Errorf("pjrt: attribute %q: %w", name, isthmus.ErrNotFound)
	}
	x, ok := v.(T)
	if !ok {
		return zero, invalid("attribute", "%q is a %T, want a %s", name, v, reflect.TypeFor[T]())
	}
	return x, nil
}

// readAttrs copies a dictionary.
//
// Preconditions: it belongs to a call in progress.
func readAttrs(op string, a *pjrtc.XLAFFIAttrs, depth int) (map[string]any, error) {
	if a.StructSize < pjrtc.XLAFFIAttrsSize || a.Size < 0 || a.Size > maxValues || depth > maxAttrDepth {
		return nil, invalid(op, "the plugin's dictionary is malformed")
	}
	kinds, err := a.Types.Slice(uint64(a.Size))
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	names, err := a.Names.Slice(uint64(a.Size))
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	values, err := a.Attrs.Slice(uint64(a.Size))
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	out := make(map[string]any, len(kinds))
	for i, k := range kinds {
		if names[i] == 0 || values[i] == 0 {
			return nil, invalid(op, "the plugin's attribute %d is null", i)
		}
		name := text(names[i].At().Ptr, names[i].At().Len)
		if out[name], err = readAttr(op, k, values[i], depth); err != nil {
			return nil, fmt.Errorf("%w (attribute %q)", err, name)
		}
	}
	return out, nil
}

func readAttr(op string, k pjrtc.XLAFFIAttrType, at pjrtc.Addr, depth int) (any, error) {
	switch k {
	case pjrtc.XLAFFIAttrTypeSTRING:
		s := pjrtc.Ptr[pjrtc.XLAFFIByteSpan](at).At()
		b, err := mem.Copy(s.Ptr, s.Len, maxValues)
		return string(b), err
	case pjrtc.XLAFFIAttrTypeSCALAR:
		s := pjrtc.Ptr[pjrtc.XLAFFIScalar](at).At()
		all, err := readNumbers(op, primitive[int64(s.Dtype)], s.Value, 1)
		if err != nil {
			return nil, err
		}
		return reflect.ValueOf(all).Index(0).Interface(), nil
	case pjrtc.XLAFFIAttrTypeARRAY:
		s := pjrtc.Ptr[pjrtc.XLAFFIArray](at).At()
		return readNumbers(op, primitive[int64(s.Dtype)], s.Data, s.Size)
	case pjrtc.XLAFFIAttrTypeDICTIONARY:
		return readAttrs(op, pjrtc.Ptr[pjrtc.XLAFFIAttrs](at).At(), depth+1)
	}
	return nil, fmt.Errorf("pjrt: %s: kind %d is not known: %w", op, int(k), isthmus.ErrUnsupported)
}

// readNumbers copies n numbers of an element type into a slice of Go's type for it.
func readNumbers(op string, t dtype.Type, at pjrtc.Addr, n uint64) (any, error) {
	switch t {
	case dtype.I1:
		b, err := copyNumbers[byte](op, at, n)
		out := make([]bool, len(b))
		for i := range b {
			out[i] = b[i] != 0
		}
		return out, err
	case dtype.I8:
		return copyNumbers[int8](op, at, n)
	case dtype.I16:
		return copyNumbers[int16](op, at, n)
	case dtype.I32:
		return copyNumbers[int32](op, at, n)
	case dtype.I64:
		return copyNumbers[int64](op, at, n)
	case dtype.U8:
		return copyNumbers[uint8](op, at, n)
	case dtype.U16:
		return copyNumbers[uint16](op, at, n)
	case dtype.U32:
		return copyNumbers[uint32](op, at, n)
	case dtype.U64:
		return copyNumbers[uint64](op, at, n)
	case dtype.F32:
		b, err := copyNumbers[uint32](op, at, n)
		return floats(b, func(x uint32) float32 { return math.Float32frombits(x) }), err
	case dtype.F64:
		b, err := copyNumbers[uint64](op, at, n)
		return floats(b, math.Float64frombits), err
	}
	if t.IsFloat() && t.Bits() == 16 {
		b, err := copyNumbers[uint16](op, at, n)
		return floats(b, func(x uint16) float32 { return float32(dtype.ToFloat64(t, uint64(x))) }), err
	}
	if t.IsFloat() && t.Bits() <= 8 {
		b, err := copyNumbers[uint8](op, at, n)
		return floats(b, func(x uint8) float32 { return float32(dtype.ToFloat64(t, uint64(x))) }), err
	}
	return nil, fmt.Errorf("pjrt: %s: numbers of type %s: %w", op, t, isthmus.ErrUnsupported)
}

func floats[B, F any](bits []B, f func(B) F) []F {
	out := make([]F, len(bits))
	for i, b := range bits {
		out[i] = f(b)
	}
	return out
}

func copyNumbers[T mem.Integer](op string, at pjrtc.Addr, n uint64) ([]T, error) {
	out, err := numbers(op, pjrtc.Ptr[T](at), n, maxValues)
	if out == nil {
		out = []T{}
	}
	return out, err
}
