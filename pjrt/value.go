package pjrt

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// NamedValue is an option or an attribute: a name and a string, int64, []int64, float32 or bool.
type NamedValue struct {
	Name  string
	Value any
}

// String returns name=value.
func (v NamedValue) String() string {
	if s, ok := v.Value.(string); ok {
		return fmt.Sprintf("%s=%q", v.Name, s)
	}
	return fmt.Sprintf("%s=%v", v.Name, v.Value)
}

// maxValues bounds how many values, and numbers in one value, a plugin may hand out.
const maxValues = 1 << 20

// toNative writes values into the frame, as C structs.
func toNative(f *call.Frame, op string, values []NamedValue) (pjrtc.Ptr[pjrtc.NamedValue], error) {
	out, err := call.Slice[pjrtc.NamedValue](f, len(values))
	if err != nil {
		return 0, err
	}
	for i, v := range values {
		n := &out[i]
		n.SetSize()
		if n.Name, err = bytesOf(f, v.Name); err != nil {
			return 0, err
		}
		n.NameSize, n.ValueSize = uint64(len(v.Name)), 1
		switch x := v.Value.(type) {
		case string:
			s, err := bytesOf(f, x)
			if err != nil {
				return 0, err
			}
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKString, uint64(s), uint64(len(x))
		case int64:
			n.Type, n.Value = pjrtc.NamedValueKInt64, uint64(x)
		case []int64:
			l, err := call.Slice[int64](f, len(x))
			if err != nil {
				return 0, err
			}
			copy(l, x)
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKInt64List, uint64(pjrtc.ToSlice(l)), uint64(len(x))
		case float32:
			n.Type, n.Value = pjrtc.NamedValueKFloat, uint64(math.Float32bits(x))
		case bool:
			n.Type = pjrtc.NamedValueKBool
			if x {
				n.Value = 1
			}
		default:
			return 0, invalid(op, "option %q is a %T; use a string, int64, []int64, float32 or bool", v.Name, v.Value)
		}
	}
	return pjrtc.ToSlice(out), nil
}

// fromNative copies n values that a plugin owns. Kinds that are not known are left out.
func fromNative(op string, p pjrtc.Ptr[pjrtc.NamedValue], n uint64) ([]NamedValue, error) {
	if n > maxValues {
		return nil, fmt.Errorf("pjrt: %s: the plugin says there are %d values: %w", op, n, isthmus.ErrBounds)
	}
	in, err := p.Slice(n)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	out := make([]NamedValue, 0, len(in))
	for i := range in {
		v := NamedValue{Name: text(in[i].Name, in[i].NameSize)}
		switch in[i].Type {
		case pjrtc.NamedValueKString:
			v.Value = text(pjrtc.Ptr[byte](in[i].Value), in[i].ValueSize)
		case pjrtc.NamedValueKInt64:
			v.Value = int64(in[i].Value)
		case pjrtc.NamedValueKInt64List:
			if in[i].ValueSize > maxValues {
				return nil, fmt.Errorf("pjrt: %s: %q has %d numbers: %w", op, v.Name, in[i].ValueSize, isthmus.ErrBounds)
			}
			l, err := pjrtc.Ptr[int64](in[i].Value).Slice(in[i].ValueSize)
			if err != nil {
				return nil, fmt.Errorf("pjrt: %s: %q: %w", op, v.Name, err)
			}
			v.Value = append([]int64{}, l...)
		case pjrtc.NamedValueKFloat:
			v.Value = math.Float32frombits(uint32(in[i].Value))
		case pjrtc.NamedValueKBool:
			v.Value = in[i].Value&0xff != 0
		default:
			continue
		}
		out = append(out, v)
	}
	return out, nil
}

// bytesOf copies s into the frame; the empty string has an address too.
func bytesOf(f *call.Frame, s string) (pjrtc.Ptr[byte], error) {
	a, err := f.Text(s)
	return pjrtc.Ptr[byte](a), err
}

// numbers copies n numbers that a plugin owns.
func numbers[T mem.Integer](op string, p pjrtc.Ptr[T], n uint64, limit uint64) ([]T, error) {
	if n > limit {
		return nil, fmt.Errorf("pjrt: %s: the plugin says there are %d values, at most %d can be: %w", op, n, limit, isthmus.ErrBounds)
	}
	s, err := p.Slice(n)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return append([]T(nil), s...), nil
}
