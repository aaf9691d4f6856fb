package schema

import (
	"fmt"
	"math"
	"reflect"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/wire"
)

// Appender is implemented by structs whose codec was generated.
type Appender interface{ AppendWire(e *wire.Encoder) }

// Reader is implemented by pointers to structs whose codec was generated.
type Reader interface{ ReadWire(d *wire.Decoder) }

// codec is how one Go type is written and read. Those of types that refer to themselves are in the table before they are
// complete, so the functions are called through the struct.
type codec struct {
	put func(e *wire.Encoder, v reflect.Value)
	get func(d *wire.Decoder, v reflect.Value)
	min int // bytes on the wire
}

// Codec writes and reads messages of one Go type. Any number of goroutines may use it.
type Codec struct {
	c *codec
	t reflect.Type
}

// Codec makes the codec of a Go type.
func (b *Builder) Codec(t reflect.Type) (*Codec, error) {
	if _, err := b.Type(t); err != nil {
		return nil, err
	}
	s := &Schema{}
	for _, d := range b.defs {
		s.Defs = append(s.Defs, d)
	}
	return &Codec{b.codec(s, t), t}, nil
}

// Append appends the message of a value, which v points to, to dst. It fails for what no decoder takes.
func (c *Codec) Append(dst []byte, v any) ([]byte, error) {
	p := reflect.ValueOf(v)
	if c == nil || p.Kind() != reflect.Pointer || p.IsNil() || p.Type().Elem() != c.t {
		return nil, fmt.Errorf("schema: encode %T: %w", v, isthmus.ErrInvalid)
	}
	e := wire.NewEncoder(dst)
	c.c.put(e, p.Elem())
	return e.Finish()
}

// Decode reads a message into the value that v points to. It gives a value or a [wire.Error], whatever the bytes.
func (c *Codec) Decode(msg []byte, v any) error {
	p := reflect.ValueOf(v)
	if c == nil || p.Kind() != reflect.Pointer || p.IsNil() || p.Type().Elem() != c.t {
		return fmt.Errorf("schema: decode into %T: %w", v, isthmus.ErrInvalid)
	}
	d := wire.NewDecoder(msg)
	c.c.get(d, p.Elem())
	return d.Finish()
}

func (b *Builder) codec(s *Schema, t reflect.Type) *codec {
	if c := b.codecs[t]; c != nil {
		return c
	}
	if b.codecs == nil {
		b.codecs = map[reflect.Type]*codec{}
	}
	c := &codec{}
	b.codecs[t] = c
	typ, _ := b.Type(t) // Codec has asked before
	c.min = s.MinSize(typ)
	switch typ.Kind {
	case Bytes:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.Bytes(v.Bytes()) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetBytes(d.Bytes()) }
	case List:
		b.list(c, b.codec(s, t.Elem()), t)
	case Opt:
		elem := b.codec(s, t.Elem())
		c.put = func(e *wire.Encoder, v reflect.Value) {
			if e.Bool(!v.IsNil()); !v.IsNil() && e.Enter() {
				elem.put(e, v.Elem())
				e.Leave()
			}
		}
		c.get = func(d *wire.Decoder, v reflect.Value) {
			if d.Opt() && d.Enter() {
				p := reflect.New(t.Elem())
				elem.get(d, p.Elem())
				v.Set(p)
				d.Leave()
			}
		}
	case Named:
		if sum := b.sums[t]; sum != nil {
			b.sum(c, s, sum)
		} else {
			b.record(c, s, t)
		}
	default:
		scalar(c, typ.Kind)
	}
	return c
}

func scalar(c *codec, k Kind) {
	switch k {
	case U8:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U8(uint8(v.Uint())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetUint(uint64(d.U8())) }
	case U16:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U16(uint16(v.Uint())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetUint(uint64(d.U16())) }
	case U32:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U32(uint32(v.Uint())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetUint(uint64(d.U32())) }
	case U64:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U64(v.Uint()) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetUint(d.U64()) }
	case I8:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U8(uint8(v.Int())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetInt(int64(int8(d.U8()))) }
	case I16:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U16(uint16(v.Int())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetInt(int64(int16(d.U16()))) }
	case I32:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U32(uint32(v.Int())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetInt(int64(int32(d.U32()))) }
	case I64:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U64(uint64(v.Int())) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetInt(int64(d.U64())) }
	case F32:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.U32(float32bits(v)) }
		c.get = func(d *wire.Decoder, v reflect.Value) { setFloat32bits(v, d.U32()) }
	case F64:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.F64(v.Float()) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetFloat(d.F64()) }
	case Bool:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.Bool(v.Bool()) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetBool(d.Bool()) }
	case UTF8:
		c.put = func(e *wire.Encoder, v reflect.Value) { e.String(v.String()) }
		c.get = func(d *wire.Decoder, v reflect.Value) { v.SetString(d.String()) }
	}
}

// A NaN on its way through float64 would lose the bit that says that it signals.
func float32bits(v reflect.Value) uint32 {
	return math.Float32bits(v.Convert(reflect.TypeFor[float32]()).Interface().(float32))
}

func setFloat32bits(v reflect.Value, bits uint32) {
	v.Set(reflect.ValueOf(math.Float32frombits(bits)).Convert(v.Type()))
}

func (b *Builder) list(c, elem *codec, t reflect.Type) {
	c.put = func(e *wire.Encoder, v reflect.Value) {
		n := v.Len()
		e.Count(n)
		if n == 0 || !e.Enter() {
			return
		}
		for i := 0; i < n && !e.Failed(); i++ {
			elem.put(e, v.Index(i))
		}
		e.Leave()
	}
	c.get = func(d *wire.Decoder, v reflect.Value) {
		n := d.Count(elem.min)
		if n == 0 || !d.Enter() {
			return
		}
		list := reflect.MakeSlice(t, n, n)
		for i := 0; i < n && !d.Failed(); i++ {
			elem.get(d, list.Index(i))
		}
		v.Set(list)
		d.Leave()
	}
}

func (b *Builder) record(c *codec, s *Schema, t reflect.Type) {
	type part struct {
		at int
		c  *codec
	}
	var parts []part
	def := b.defs[t.Name()]
	for i := range t.NumField() {
		if t.Field(i).Type != reflect.TypeFor[Extensible]() {
			parts = append(parts, part{i, b.codec(s, t.Field(i).Type)})
		}
	}
	must := len(def.Fields) // before which nothing may be missing
	for must > 0 && def.Fields[must-1].Type.Kind == Opt {
		must--
	}
	put := func(e *wire.Encoder, v reflect.Value) {
		for _, p := range parts {
			p.c.put(e, v.Field(p.at))
		}
	}
	get := func(d *wire.Decoder, v reflect.Value) {
		for i, p := range parts {
			if d.Failed() || def.Open && i >= must && d.Left() == 0 {
				return
			}
			p.c.get(d, v.Field(p.at))
		}
	}
	if _, ok := reflect.Zero(t).Interface().(Appender); ok {
		put = func(e *wire.Encoder, v reflect.Value) { v.Interface().(Appender).AppendWire(e) }
	} else {
		put = nested(def.Open, put)
	}
	if _, ok := reflect.New(t).Interface().(Reader); ok {
		c.get = func(d *wire.Decoder, v reflect.Value) { v.Addr().Interface().(Reader).ReadWire(d) }
	} else {
		c.get = func(d *wire.Decoder, v reflect.Value) {
			if !d.Enter() {
				return
			}
			if def.Open {
				outer := d.Part()
				get(d, v)
				d.End(outer, true)
			} else {
				get(d, v)
			}
			d.Leave()
		}
	}
	c.put = put
}

func nested(open bool, put func(*wire.Encoder, reflect.Value)) func(*wire.Encoder, reflect.Value) {
	return func(e *wire.Encoder, v reflect.Value) {
		if !e.Enter() {
			return
		}
		if open {
			at := e.Part()
			put(e, v)
			e.End(at)
		} else {
			put(e, v)
		}
		e.Leave()
	}
}

func (b *Builder) sum(c *codec, s *Schema, sum *sum) {
	tags := map[reflect.Type]int{}
	var alts []*codec
	for i, a := range sum.alts {
		tags[a] = i
		alts = append(alts, b.codec(s, a))
	}
	c.put = func(e *wire.Encoder, v reflect.Value) {
		if v.IsNil() {
			e.Fail("a %s without a value", sum.name)
			return
		}
		in := v.Elem()
		tag, ok := tags[in.Type()]
		switch {
		case ok && sum.unknown == nil:
			e.U8(uint8(tag))
			alts[tag].put(e, in)
		case ok:
			e.U8(uint8(tag))
			at := e.Part()
			alts[tag].put(e, in)
			e.End(at)
		case sum.unknown != nil && in.Type() == sum.unknown:
			u := in.Convert(reflect.TypeFor[Unknown]()).Interface().(Unknown)
			if int(u.Tag) < len(alts) {
				e.Fail("alternative %d of %s is known", u.Tag, sum.name)
			}
			e.U8(u.Tag)
			e.Bytes(u.Data)
		default:
			e.Fail("%s is no alternative of %s", in.Type(), sum.name)
		}
	}
	c.get = func(d *wire.Decoder, v reflect.Value) {
		n := len(alts)
		if sum.unknown != nil {
			n = 256
		}
		tag := d.Tag(n, sum.name)
		switch {
		case tag < 0:
			return
		case tag >= len(alts):
			u := reflect.ValueOf(Unknown{uint8(tag), d.Bytes()})
			v.Set(u.Convert(sum.unknown))
			return
		}
		p := reflect.New(sum.alts[tag])
		if sum.unknown != nil {
			outer := d.Part()
			alts[tag].get(d, p.Elem())
			d.End(outer, false)
		} else {
			alts[tag].get(d, p.Elem())
		}
		v.Set(p.Elem())
	}
}
