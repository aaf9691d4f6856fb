package mlir

import (
	"bytes"
	"encoding/binary"

	"github.com/isthmus-ffi/isthmus/dtype"
)

var i64 = Type{Kind: Scalar, Elem: dtype.I64}

// attr reads an attribute.
func (p *parser) attr() Attr {
	p.node(1)
	c := p.peek()
	switch {
	case c == '"':
		s := p.str()
		p.optionalType()
		return String(s)
	case c == '@':
		return Symbol(p.symbol())
	case c == '#':
		return p.hashAttr()
	case c == '[':
		p.enter()
		defer p.leave()
		p.i++
		a := Array{}
		if p.eatByte(']') {
			return a
		}
		for {
			a = append(a, p.attr())
			if !p.eatByte(',') {
				p.expectByte(']')
				return a
			}
		}
	case c == '{':
		return Dict(p.dict())
	case c == '(' || c == '!':
		return TypeAttr{p.typ()}
	case isDigit(c) || c == '-' || c == '+':
		n, ok := p.number()
		if !ok {
			p.want("a number")
		}
		t, typed := p.optionalType()
		return p.numberAttr(n, t, typed)
	}
	b := p.i
	w := p.word()
	switch string(w) {
	case "true":
		return Bool(true)
	case "false":
		return Bool(false)
	case "unit":
		return Unit{}
	case "dense":
		return p.dense()
	case "dense_resource":
		return p.denseResource()
	case "array":
		return p.array()
	case "inf", "nan":
		p.i = b
		n, _ := p.number()
		t, typed := p.optionalType()
		return p.numberAttr(n, t, typed)
	case "loc":
		p.i = b
		p.location()
		return OpaqueAttr{Dialect: "builtin", Text: string(p.src[b:p.i])}
	case "affine_map", "affine_set", "sparse", "strided", "distinct", "opaque":
		if p.peek() == '[' {
			p.balanced()
		}
		if p.peek() != '<' {
			p.want("'<'")
		}
		p.balanced()
		p.optionalType()
		return OpaqueAttr{Dialect: "builtin", Text: string(p.src[b:p.i])}
	case "":
		p.want("an attribute")
	}
	if _, ok := elemType(w); !ok {
		switch string(w) {
		case "tensor", "memref", "tuple", "complex", "vector", "index", "none":
		default:
			p.i = b
			p.want("an attribute")
		}
	}
	p.i = b
	return TypeAttr{p.typ()}
}

// optionalType reads ": type" if it stands next.
func (p *parser) optionalType() (Type, bool) {
	if p.peek() != ':' || p.at("::") {
		return Type{}, false
	}
	p.i++
	return p.typ(), true
}

// numberAttr gives a literal its type; without one, integers are i64 and others f64.
func (p *parser) numberAttr(n number, t Type, typed bool) Attr {
	switch {
	case !typed && n.float:
		t = Type{Kind: Scalar, Elem: dtype.F64}
	case !typed:
		t = i64
	}
	switch {
	case t.Kind == Index:
		return Int{p.toInt(n, 64, true, true), t}
	case t.Kind != Scalar || t.Quant != nil || t.Elem.IsComplex():
		p.fail(n.off, "a number cannot have the type %v", t)
	case t.Elem.IsFloat():
		return Float{dtype.ToFloat64(t.Elem, p.toFloatBits(n, t.Elem)), t}
	case t.Elem == dtype.I1:
		return Bool(p.toInt(n, 1, true, false) != 0)
	}
	return Int{p.toInt(n, t.Elem.Bits(), t.Elem.Kind() == dtype.Signed, false), t}
}

// array reads the rest of array<type: …>, from its '<'.
func (p *parser) array() Attr {
	p.expectByte('<')
	b := p.i
	t := p.elem()
	if t.IsComplex() {
		p.fail(b, "an array has integers or real numbers")
	}
	list := p.eatByte(':')
	e := elements{t: t}
	if list && p.peek() != '>' {
		for {
			p.scalar(&e, t)
			if !p.eatByte(',') {
				break
			}
		}
	}
	p.expectByte('>')
	n := len(e.data) / t.Size()
	if t.IsFloat() {
		f := Floats{Elem: t}
		if n > 0 {
			f.Values = make([]float64, n)
		}
		for i := range f.Values {
			f.Values[i] = dtype.ToFloat64(t, rawElement(e.data, t, i))
		}
		return f
	}
	return Ints{Elem: t, Values: widen(e.data, t, n)}
}

// rawElement returns the bits of an element, zero-extended.
func rawElement(data []byte, t dtype.Type, i int) uint64 {
	switch size := t.Size(); size {
	case 1:
		return uint64(data[i])
	case 2:
		return uint64(binary.LittleEndian.Uint16(data[2*i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(data[4*i:]))
	default:
		return binary.LittleEndian.Uint64(data[8*i:])
	}
}

// widen gives n integer elements as int64.
func widen(data []byte, t dtype.Type, n int) []int64 {
	if n == 0 {
		return nil
	}
	v := make([]int64, n)
	shift := 64 - 8*t.Size()
	for i := range v {
		v[i] = int64(rawElement(data, t, i))
		if t.Kind() == dtype.Signed {
			v[i] = v[i] << shift >> shift
		}
	}
	return v
}

// intList reads [1, 2, …].
func (p *parser) intList() []int64 {
	p.expectByte('[')
	var v []int64
	if p.eatByte(']') {
		return nil
	}
	for {
		v = append(v, p.integer())
		if !p.eatByte(',') {
			p.expectByte(']')
			return v
		}
	}
}

// dimList reads a list of sizes where ? is -1, up to the closing byte.
func (p *parser) dimList(closing byte) []int64 {
	v := []int64{}
	if p.eatByte(closing) {
		return v
	}
	for {
		if p.eatByte('?') {
			v = append(v, -1)
		} else {
			v = append(v, p.integer())
		}
		if !p.eatByte(',') {
			p.expectByte(closing)
			return v
		}
	}
}

// dict reads {name = attribute, …}.
func (p *parser) dict() []NamedAttr {
	p.enter()
	defer p.leave()
	p.expectByte('{')
	as := []NamedAttr{}
	if p.eatByte('}') {
		return as
	}
	var seen map[string]bool // once there are many
	for {
		p.space()
		b := p.i
		var name string
		if p.peek() == '"' {
			name = p.str()
		} else {
			w := p.word()
			if len(w) == 0 {
				p.want("the name of an attribute")
			}
			name = p.intern(w)
		}
		if len(as) < 16 {
			if lookup(as, name) != nil {
				p.fail(b, "attribute %s is given twice", name)
			}
		} else {
			if seen == nil {
				seen = map[string]bool{}
				for _, a := range as {
					seen[a.Name] = true
				}
			}
			if seen[name] {
				p.fail(b, "attribute %s is given twice", name)
			}
			seen[name] = true
		}
		var a Attr = Unit{}
		if p.eatByte('=') {
			a = p.attr()
		}
		as = append(as, NamedAttr{name, a})
		if !p.eatByte(',') {
			p.expectByte('}')
			return as
		}
	}
}

// hashAttr reads an alias or an attribute of a dialect.
func (p *parser) hashAttr() Attr {
	p.enter()
	defer p.leave()
	b := p.i
	p.i++
	w := p.suffix("the name of an attribute after #")
	if p.i >= len(p.src) || p.src[p.i] != '<' {
		if a, ok := p.attrAlias[string(w)]; ok {
			p.expand(a.extent)
			return a.attr
		}
		if bytes.IndexByte(w, '.') < 0 {
			if _, ok := p.locs[string(w)]; ok {
				return OpaqueAttr{Dialect: "builtin", Text: "loc"}
			}
			p.fail(b, "attribute alias #%s is not defined", w)
		}
		dialect, _, _ := bytes.Cut(w, []byte{'.'})
		return OpaqueAttr{Dialect: p.intern(dialect), Text: string(p.src[b:p.i])}
	}
	dialect, mnemonic, pretty := bytes.Cut(w, []byte{'.'})
	if d := string(dialect); d == "stablehlo" || d == "chlo" {
		if pretty {
			return p.structAttr(string(mnemonic), b)
		}
		p.i++
		p.space()
		m := p.word()
		if len(m) == 0 {
			p.want("the name of an attribute")
		}
		name := string(m)
		if p.peek() == '<' {
			a := p.structAttr(name, b)
			p.expectByte('>')
			return a
		}
		if enumCases(name) == "" {
			p.fail(b, "%q is not an attribute of StableHLO", m)
		}
		e := p.enumCase(p.intern(m))
		p.expectByte('>')
		return e
	}
	if string(w) == "complex.number" {
		return p.complexNumber()
	}
	p.balanced()
	p.optionalType()
	return OpaqueAttr{Dialect: p.intern(dialect), Text: string(p.src[b:p.i])}
}

// complexNumber reads the <:f32 1.0, 2.0> : complex<f32> of #complex.number, as an element of a tensor.
func (p *parser) complexNumber() Attr {
	p.expectByte('<')
	p.expectByte(':')
	p.space()
	b := p.i
	e := elements{t: dtype.C64}
	if t := p.elem(); t == dtype.F64 {
		e.t = dtype.C128
	} else if t != dtype.F32 {
		p.fail(b, "the parts of a complex number are f32 or f64")
	}
	p.scalar(&e, e.t.Real())
	p.expectByte(',')
	p.scalar(&e, e.t.Real())
	p.expectByte('>')
	p.space()
	b = p.i
	if t, ok := p.optionalType(); ok && (t.Kind != Scalar || t.Elem != e.t) {
		p.fail(b, "a complex number of type %v with parts of %v", t, e.t.Real())
	}
	return Dense{Type: Type{Kind: Tensor, Elem: e.t}, Data: e.data, Splat: true}
}
