package schema

import (
	"fmt"
	"math"
	"reflect"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/wire"
)

// codec is how one Go type is written and read. Those of types that refer to themselves are in the table before they are
// complete, so the functions are called through the struct.
type codec struct {
	put func(e *wire.Encoder, v reflect.Value)
	get func(d *wire.Decoder, v reflect.Value)
	min int // bytes on the wire
}

// Codec writes and reads messages of one Go type. Any number of goroutines may use it.
type Codec struct {
	c *codec // by reflection
	g Generated
	t reflect.Type
}

// Codec makes the codec of a Go type: one that was generated, if there is one ([Builder.Use]), or one by reflection.
func (b *Builder) Codec(t reflect.Type) (*Codec, error) {
	typ, err := b.Type(t)
	if err != nil {
		return nil, err
	}
	s := b.schema()
	g, ok := b.generated[t]
	if !ok {
		return &Codec{c: b.codec(s, t), t: t}, nil
	}
	if g.print != s.print(typ) {
		return nil, fmt.Errorf("schema: %s: %w: what it holds has changed since its codec was generated: isthmus bridge gen --lang go", t, isthmus.ErrVersion)
	}
	return &Codec{g: g, t: t}, nil
}

// Append appends the message of a value, which v points to, to dst. It fails for what no decoder takes.
func (c *Codec) Append(dst []byte, v any) ([]byte, error) {
	return c.AppendWith(&wire.Encoder{}, dst, v)
}

// AppendWith is [Codec.Append] with an encoder that is used again.
func (c *Codec) AppendWith(e *wire.Encoder, dst []byte, v any) ([]byte, error) {
	e.Reset(dst)
	if c == nil || e == nil || !c.put(e, v) {
		return nil, fmt.Errorf("schema: encode %T: %w", v, isthmus.ErrInvalid)
	}
	return e.Finish()
}

// Decode reads a message into the value that v points to, which is zero. It gives a value or a [wire.Error], whatever the
// bytes.
func (c *Codec) Decode(msg []byte, v any) error { return c.DecodeWith(&wire.Decoder{}, msg, v) }

// DecodeWith is [Codec.Decode] with a decoder that is used again.
func (c *Codec) DecodeWith(d *wire.Decoder, msg []byte, v any) error {
	d.Reset(msg)
	if c == nil || d == nil || !c.get(d, v) {
		return fmt.Errorf("schema: decode into %T: %w", v, isthmus.ErrInvalid)
	}
	return d.Finish()
}

func (c *Codec) put(e *wire.Encoder, v any) bool {
	if c.g.put != nil {
		return c.g.put(e, v)
	}
	p, ok := c.value(v)
	if ok {
		c.c.put(e, p)
	}
	return ok
}

func (c *Codec) get(d *wire.Decoder, v any) bool {
	if c.g.get != nil {
		return c.g.get(d, v)
	}
	p, ok := c.value(v)
	if ok {
		c.c.get(d, p)
	}
	return ok
}

// value is what v points to, when it is of the codec's type.
func (c *Codec) value(v any) (reflect.Value, bool) {
	p := reflect.ValueOf(v)
	if c.c == nil || p.Kind() != reflect.Pointer || p.IsNil() || p.Type().Elem() != c.t {
		return reflect.Value{}, false
	}
	return p.Elem(), true
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
	c.put = nested(def.Open, put)
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
