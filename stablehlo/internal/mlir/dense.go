package mlir

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// dense reads the rest of dense<…> : type, from its '<'.
func (p *parser) dense() Attr {
	p.expectByte('<')
	p.space()
	body := p.i
	// The type stands behind the elements and says how to read them, so find their end first.
	if p.peek() == '"' {
		p.skipHex()
	} else {
		n := bytes.IndexByte(p.src[p.i:], '>')
		if n < 0 {
			p.fail(body-1, "dense<…> is not closed")
		}
		p.i += n
	}
	end := p.i
	p.expectByte('>')
	p.expectByte(':')
	p.space()
	at := p.i
	t := p.typ()
	after := p.i
	if t.Kind == Opaque {
		return OpaqueAttr{Dialect: "builtin", Text: string(p.src[body-len("dense<") : after])}
	}
	d := Dense{Type: t}
	n := p.count(t, at)
	p.i = body
	switch c := p.peek(); {
	case p.i == end:
		if n != 0 {
			p.fail(body, "no elements for %v", t)
		}
	case c == '"':
		d.Data, d.Splat = p.hexElements(t, n)
	case c == '[':
		e := elements{t: t.Elem, shape: t.Dims}
		// Each element takes a byte and a separator at least, so this cannot be more than in proportion to the text.
		if size := int64(max(t.Elem.Size(), 1)); n <= int64(end-body) {
			e.data = make([]byte, 0, n*size)
		}
		if len(t.Dims) == 0 {
			p.fail(p.i, "a list of elements for %v, which has one", t)
		}
		p.elements(&e, 0)
		d.Data = e.data
	default:
		e := elements{t: t.Elem}
		p.element(&e)
		d.Data, d.Splat = e.data, true
		if n == 0 {
			d.Data, d.Splat = nil, false
		}
	}
	if p.space(); p.i != end {
		p.want("the end of the elements")
	}
	p.i = after
	return d
}

// skipHex moves past a string without escapes, as fast as its length allows.
func (p *parser) skipHex() {
	b := p.i
	n := bytes.IndexByte(p.src[b+1:], '"')
	if n < 0 {
		p.fail(b, "string has no end")
	}
	p.i = b + n + 2
}

// count returns the number of elements of a static shape.
func (p *parser) count(t Type, at int) int64 {
	if t.Kind != Tensor {
		p.fail(at, "elements have the type of a tensor, found %v", t)
	}
	n := uint64(1)
	over := false
	for _, d := range t.Dims {
		switch {
		case d < 0:
			p.fail(at, "elements have a static shape, found %v", t)
		case d == 0:
			return 0
		}
		hi, lo := bits.Mul64(n, uint64(d))
		over = over || hi != 0 || lo > 1<<62
		n = lo
	}
	if over {
		return 1 << 62
	}
	return int64(n)
}

// elements collects the bytes of a nested list.
type elements struct {
	t     dtype.Type
	shape []int64
	data  []byte
}

// elements reads [a, b, …] of the dimension dim.
func (p *parser) elements(e *elements, dim int) {
	p.enter()
	defer p.leave()
	b := p.i
	p.expectByte('[')
	n := int64(0)
	want := e.shape[dim]
	if p.peek() != ']' {
		for {
			if n == want {
				p.fail(p.i, "more than %d elements in dimension %d", want, dim)
			}
			if dim+1 < len(e.shape) {
				if p.peek() != '[' {
					p.want("a list for each of the type's dimensions")
				}
				p.elements(e, dim+1)
			} else if e.t == dtype.F32 || e.t.Kind() == dtype.Signed {
				n += p.numbers(e, want-n)
				if p.peek() == ']' {
					break
				}
				continue
			} else {
				p.element(e)
			}
			n++
			if !p.eatByte(',') {
				break
			}
		}
	}
	p.expectByte(']')
	if n != want {
		p.fail(b, "%d elements in dimension %d, the type has %d", n, dim, want)
	}
}

// numbers is the loop over the innermost lists of the most frequent types: it reads one to limit elements and the
// commas behind them.
func (p *parser) numbers(e *elements, limit int64) (n int64) {
	for {
		p.element(e)
		n++
		if p.i < len(p.src) && p.src[p.i] == ',' {
			p.i++
		} else if !p.eatByte(',') {
			if p.peek() != ']' {
				p.want("',' or ']'")
			}
			return n
		}
		if n == limit {
			p.space()
			if p.peek() == ']' {
				p.want("an element")
			}
			return n
		}
	}
}

// element reads one element.
func (p *parser) element(e *elements) {
	if e.t.IsComplex() {
		if p.peek() != '(' {
			p.want("a complex element (re, im)")
		}
		p.i++
		p.scalar(e, e.t.Real())
		p.expectByte(',')
		p.scalar(e, e.t.Real())
		p.expectByte(')')
		return
	}
	p.scalar(e, e.t)
}

func (p *parser) scalar(e *elements, t dtype.Type) {
	n, ok := p.number()
	if !ok {
		p.i = n.off
		if t == dtype.I1 {
			if p.eatWord("true") {
				e.data = append(e.data, 1)
				return
			} else if p.eatWord("false") {
				e.data = append(e.data, 0)
				return
			}
			p.want("true or false")
		}
		p.want("an element of type " + t.String())
	}
	var v uint64
	switch t.Kind() {
	case dtype.Float:
		v = p.toFloatBits(n, t)
	case dtype.Bool:
		v = uint64(p.toInt(n, 1, true, false)) & 1
	default:
		v = uint64(p.toInt(n, t.Bits(), t.Kind() == dtype.Signed, false))
	}
	switch t.Size() {
	case 1:
		e.data = append(e.data, byte(v))
	case 2:
		e.data = binary.LittleEndian.AppendUint16(e.data, uint16(v))
	case 4:
		e.data = binary.LittleEndian.AppendUint32(e.data, uint32(v))
	default:
		e.data = binary.LittleEndian.AppendUint64(e.data, v)
	}
}

// hexElements reads "0x…", the bytes of the elements.
func (p *parser) hexElements(t Type, n int64) (data []byte, splat bool) {
	b := p.i
	raw := p.hex()
	size := int64(t.Elem.Size())
	if t.Elem.Bits() == 1 {
		return p.predicates(raw, n, b)
	}
	l := int64(len(raw))
	switch {
	case n == 0 && l == 0:
		return nil, false
	case n <= (1<<62)/max(size, 1) && l == n*size:
	case l == size && n > 0:
		splat = true
	default:
		p.fail(b, "%d bytes for %v, which takes %d elements of %d", l, t, n, size)
	}
	normalize(raw, t.Elem)
	return raw, splat
}

// predicates unpacks i1 elements: one bit each, or one byte for all.
func (p *parser) predicates(raw []byte, n int64, off int) (data []byte, splat bool) {
	l := int64(len(raw))
	switch {
	case l == n:
		for i := range raw {
			raw[i] &= 1
		}
		return raw, false
	case l == (n+7)/8:
		data = make([]byte, n)
		for i := range data {
			data[i] = raw[i/8] >> (i % 8) & 1
		}
		return data, false
	case l == 1 && n > 0:
		raw[0] &= 1
		return raw, true
	}
	p.fail(off, "%d bytes for %d elements of one bit", l, n)
	return nil, false
}

// normalize gives elements that are narrower than a byte the form of package dtype: the sign extended, or the high
// bits zero.
func normalize(data []byte, t dtype.Type) {
	w := t.Bits()
	if w >= 8 {
		return
	}
	for i, c := range data {
		c <<= 8 - w
		if t.Kind() == dtype.Signed {
			data[i] = byte(int8(c) >> (8 - w))
		} else {
			data[i] = c >> (8 - w)
		}
	}
}

// hex reads a string of hexadecimal digits after 0x.
func (p *parser) hex() []byte {
	b := p.i
	p.skipHex()
	s := p.src[b+1 : p.i-1]
	if len(s) < 2 || s[0] != '0' || s[1] != 'x' {
		p.fail(b, "expected a string of hexadecimal digits that starts with 0x")
	}
	s = s[2:]
	if len(s)%2 != 0 {
		p.fail(b, "odd number of hexadecimal digits")
	}
	out := make([]byte, len(s)/2)
	for i := range out {
		hi, lo := s[2*i], s[2*i+1]
		if !isHex(hi) || !isHex(lo) {
			p.fail(b+3+2*i, "%q is not a hexadecimal digit pair", s[2*i:2*i+2])
		}
		out[i] = hexVal(hi)<<4 | hexVal(lo)
	}
	return out
}
