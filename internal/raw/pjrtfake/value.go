package pjrtfake

import (
	"math"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// native writes v.
func (v Value) native(f *Fake, o *object, n *pjrtc.NamedValue) {
	n.SetSize()
	n.Name, n.NameSize, n.ValueSize = f.Text(v.Name), uint64(len(v.Name)), 1
	switch x := v.Value.(type) {
	case string:
		n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKString, uint64(f.Text(x)), uint64(len(x))
	case []byte:
		n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKString, uint64(f.Text(string(x))), uint64(len(x))
	case int64:
		n.Type, n.Value = pjrtc.NamedValueKInt64, uint64(x)
	case []int64:
		n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKInt64List, uint64(List(f, o, x)), uint64(len(x))
	case float32:
		n.Type, n.Value = pjrtc.NamedValueKFloat, uint64(math.Float32bits(x))
	case bool:
		n.Type = pjrtc.NamedValueKBool
		if x {
			n.Value = 1
		}
	default:
		n.Type = 99 // a kind that no client knows
	}
}

// read copies named values of the client's.
func (f *Fake) read(what string, p pjrtc.Ptr[pjrtc.NamedValue], n uint64) []Value {
	in, err := p.Slice(n)
	if err != nil {
		f.violate("%s: %d values: %v", what, n, err)
		return nil
	}
	var out []Value
	for _, v := range in {
		if v.StructSize != pjrtc.NamedValueSize {
			f.violate("%s: a value of %d bytes", what, v.StructSize)
		}
		o := Value{Name: str(v.Name, v.NameSize)}
		switch v.Type {
		case pjrtc.NamedValueKString:
			o.Value = str(pjrtc.Ptr[byte](v.Value), v.ValueSize)
		case pjrtc.NamedValueKInt64:
			o.Value = int64(v.Value)
		case pjrtc.NamedValueKInt64List:
			o.Value = append([]int64{}, array(pjrtc.Ptr[int64](v.Value), v.ValueSize)...)
		case pjrtc.NamedValueKFloat:
			o.Value = math.Float32frombits(uint32(v.Value))
		case pjrtc.NamedValueKBool:
			o.Value = v.Value&0xff == 1
		}
		out = append(out, o)
	}
	return out
}
