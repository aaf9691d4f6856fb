package mlir

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// Equal reports whether t and u are the same type.
func (t Type) Equal(u Type) bool {
	if t.Kind != u.Kind || t.Elem != u.Elem || t.Text != u.Text || !equalInts(t.Dims, u.Dims) || !equalInts(t.Bounds, u.Bounds) {
		return false
	}
	if t.Quant != u.Quant && (t.Quant == nil || u.Quant == nil || !t.Quant.equal(u.Quant)) {
		return false
	}
	return equalTypes(t.Ins, u.Ins) && equalTypes(t.Elems, u.Elems)
}

func equalInts(a, b []int64) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

func equalTypes(a, b []Type) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.EqualFunc(a, b, Type.Equal))
}

func (q *Quant) equal(r *Quant) bool {
	return q.Storage == r.Storage && q.Expressed == r.Expressed && q.Min == r.Min && q.Max == r.Max && q.Axis == r.Axis &&
		slices.Equal(q.Scales, r.Scales) && slices.Equal(q.ZeroPoints, r.ZeroPoints)
}

// String returns the type as MLIR writes it.
func (t Type) String() string { return string(t.append(nil, appendQuant)) }

// append writes t to b, and the quantized types in it with quant.
func (t Type) append(b []byte, quant func([]byte, *Quant) []byte) []byte {
	switch t.Kind {
	case Tensor, Buffer, Unranked:
		if t.Kind == Buffer {
			b = append(b, "memref<"...)
		} else {
			b = append(b, "tensor<"...)
		}
		if t.Kind == Unranked {
			b = append(b, "*x"...)
		}
		for _, d := range t.Dims {
			if d < 0 {
				b = append(b, "?x"...)
			} else {
				b = append(strconv.AppendInt(b, d, 10), 'x')
			}
		}
		b = t.appendElem(b, quant)
		if t.Bounds != nil {
			b = append(b, ", #stablehlo.bounds<"...)
			for i, d := range t.Bounds {
				if i > 0 {
					b = append(b, ", "...)
				}
				if d < 0 {
					b = append(b, '?')
				} else {
					b = strconv.AppendInt(b, d, 10)
				}
			}
			b = append(b, '>')
		}
		if t.Text != "" && t.Text != "index" {
			b = append(append(b, ", "...), t.Text...)
		}
		return append(b, '>')
	case Scalar:
		return t.appendElem(b, quant)
	case Index:
		return append(b, "index"...)
	case Token:
		return append(b, "!stablehlo.token"...)
	case Tuple:
		return append(appendTypes(append(b, "tuple<"...), t.Elems, quant), '>')
	case Future:
		return append(appendTypes(append(b, "!stablehlo.future<"...), t.Elems, quant), '>')
	case Func:
		b = append(appendTypes(append(b, '('), t.Ins, quant), ") -> "...)
		if len(t.Elems) == 1 && t.Elems[0].Kind != Func {
			return t.Elems[0].append(b, quant)
		}
		return append(appendTypes(append(b, '('), t.Elems, quant), ')')
	case None:
		return append(b, "none"...)
	case Opaque:
		return append(b, t.Text...)
	}
	return append(b, "<invalid type>"...)
}

func appendTypes(b []byte, ts []Type, quant func([]byte, *Quant) []byte) []byte {
	for i, t := range ts {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = t.append(b, quant)
	}
	return b
}

func (t Type) appendElem(b []byte, quant func([]byte, *Quant) []byte) []byte {
	switch {
	case t.Quant != nil:
		return quant(b, t.Quant)
	case t.Text == "index":
		return append(b, "index"...)
	}
	return append(b, t.Elem.String()...)
}

// String returns the type as MLIR writes it: !quant.uniform<storage<min:max>:expressed:axis, {scale:zero, …}>.
func (q *Quant) String() string { return string(appendQuant(nil, q)) }

func appendQuant(b []byte, q *Quant) []byte {
	b = append(b, "!quant.uniform<"...)
	b = append(b, quantStorage(q.Storage)...)
	if lo, hi := quantRange(q.Storage); q.Min != lo || q.Max != hi {
		b = strconv.AppendInt(append(b, '<'), q.Min, 10)
		b = append(strconv.AppendInt(append(b, ':'), q.Max, 10), '>')
	}
	b = append(append(b, ':'), q.Expressed.String()...)
	if q.Axis >= 0 {
		b = append(strconv.AppendInt(append(b, ':'), int64(q.Axis), 10), ", {"...)
	} else {
		b = append(b, ", "...)
	}
	for i, s := range q.Scales {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, Decimal(s, 64)...)
		if i < len(q.ZeroPoints) && q.ZeroPoints[i] != 0 {
			b = strconv.AppendInt(append(b, ':'), q.ZeroPoints[i], 10)
		}
	}
	if q.Axis >= 0 {
		b = append(b, '}')
	}
	return append(b, '>')
}

// quantStorage is the name of a storage type inside !quant, where unsigned ones are written u8.
func quantStorage(t dtype.Type) string { return strings.Replace(t.String(), "ui", "u", 1) }

// quantRange is the range of a storage type where none is written; one of floats has none.
func quantRange(t dtype.Type) (lo, hi int64) {
	switch t.Kind() {
	case dtype.Unsigned:
		return 0, 1<<min(t.Bits(), 62) - 1
	case dtype.Signed:
		return -1 << (t.Bits() - 1), 1<<(t.Bits()-1) - 1
	}
	return 0, 0
}

// Decimal prints a finite number in the fewest digits that give it back, always with a point, as MLIR wants it.
func Decimal(v float64, bits int) string {
	s := strconv.FormatFloat(v, 'e', -1, bits)
	if i := strings.IndexByte(s, 'e'); i >= 0 && !strings.Contains(s[:i], ".") {
		s = s[:i] + ".0" + s[i:]
	}
	return strings.TrimSuffix(s, "e+00")
}

// elemType gives the element type of a name as MLIR writes it, where si8 is another spelling of i8.
func elemType(name []byte) (dtype.Type, bool) {
	if len(name) > 2 && name[0] == 's' && name[1] == 'i' && isDigit(name[2]) {
		name = name[1:]
	}
	switch string(name) {
	case "f32":
		return dtype.F32, true
	case "i32":
		return dtype.I32, true
	case "i1":
		return dtype.I1, true
	case "i64":
		return dtype.I64, true
	case "f64":
		return dtype.F64, true
	}
	t, err := dtype.Parse(string(name))
	return t, err == nil
}

// typ reads a type. Large ones are shared if they are equal, so that a comparison costs no more than the text did.
func (p *parser) typ() Type {
	at, size := p.i, p.size
	t := p.typeText()
	if p.i-at < 100 && p.size-size < 20 {
		return t
	}
	key := t.append(nil, p.quantKey)
	if old, ok := p.interned[string(key)]; ok {
		return old
	}
	p.interned[string(key)] = t
	return t
}

// quantKey stands for a quantized type, which can be long, in the key of a type that has it.
func (p *parser) quantKey(b []byte, q *Quant) []byte {
	return strconv.AppendInt(append(b, '#'), int64(p.quantKeys[q]), 10)
}

func (p *parser) typeText() Type {
	p.node(1)
	c := p.peek()
	switch c {
	case 't':
		const prefix = "tensor<"
		if p.at(prefix) {
			p.i += len(prefix)
			// Programs write few types very often.
			window := p.src[p.i:min(p.i+64, len(p.src))]
			end := bytes.IndexByte(window, '>')
			if end >= 0 {
				if t, ok := p.typeCache[string(window[:end])]; ok {
					p.i += end + 1
					return t
				}
			}
			b := p.i
			t := p.shaped(Tensor)
			if end >= 0 && p.i == b+end+1 {
				p.typeCache[string(window[:end])] = t
			}
			return t
		}
	case '(':
		p.enter()
		defer p.leave()
		ins := p.typeParens()
		p.expect("->")
		return Type{Kind: Func, Ins: ins, Elems: p.resultTypes()}
	case '!':
		return p.dialectType()
	}
	b := p.i
	w := p.word()
	switch string(w) {
	case "tensor", "memref", "tuple", "complex", "vector":
		if p.peek() != '<' {
			p.want("'<'")
		}
	case "index":
		return Type{Kind: Index}
	case "none":
		return Type{Kind: None}
	case "":
		p.want("a type")
	}
	switch string(w) {
	case "tensor":
		p.i++
		return p.shaped(Tensor)
	case "memref":
		p.i++
		return p.shaped(Buffer)
	case "tuple":
		p.i++
		return Type{Kind: Tuple, Elems: p.typesUntil('>')}
	case "vector":
		p.balanced()
		return Type{Kind: Opaque, Text: string(p.src[b:p.i])}
	}
	p.i = b
	return Type{Kind: Scalar, Elem: p.elem()}
}

// elem reads an element type: f32, ui8, complex<f64>.
func (p *parser) elem() dtype.Type {
	p.space()
	b := p.i
	w := p.word()
	if string(w) == "complex" {
		p.expectByte('<')
		e := p.i
		switch p.elem() {
		case dtype.F32:
			p.expectByte('>')
			return dtype.C64
		case dtype.F64:
			p.expectByte('>')
			return dtype.C128
		}
		p.fail(e, "the parts of a complex type are f32 or f64")
	}
	t, ok := elemType(w)
	if !ok {
		if len(w) == 0 {
			p.want("an element type")
		}
		p.fail(b, "%s is not an element type of StableHLO", clip(w))
	}
	return t
}

// shaped reads dimensions, element type and encoding up to the closing '>'.
func (p *parser) shaped(kind TypeKind) Type {
	p.enter()
	defer p.leave()
	t := Type{Kind: kind}
	if p.eatByte('*') {
		if kind != Tensor {
			p.fail(p.i-1, "only a tensor can be without rank")
		}
		p.expectByte('x')
		t.Kind = Unranked
	} else {
		t.Dims = p.dims()
		p.node(len(t.Dims))
	}
	b := p.i
	switch c := p.peek(); {
	case c == '!':
		e := p.dialectType()
		switch e.Kind {
		case Scalar:
			t.Elem, t.Quant, t.Text = e.Elem, e.Quant, e.Text
		case Opaque:
			p.opaqueShaped(&t, b)
			return t
		default:
			p.fail(b, "a tensor of %v cannot be", e)
		}
	case p.eatWord("index"):
		t.Elem, t.Text = dtype.I64, "index"
	default:
		if t.Elem = p.elem(); t.Elem == dtype.TF32 {
			p.fail(b, "tf32 is a precision, not the type of an element")
		}
	}
	if p.eatByte(',') {
		e := p.i
		a := p.attr()
		if s, ok := a.(Struct); ok && s.Name == "type_extensions" {
			bounds, _ := s.Field("bounds").(Ints)
			if len(bounds.Values) != len(t.Dims) {
				p.fail(e, "%d bounds for %d dimensions", len(bounds.Values), len(t.Dims))
			}
			t.Bounds = bounds.Values
		} else {
			for p.eatByte(',') { // the layout and memory space of a memref
				p.attr()
			}
			t.Text = strings.TrimSpace(string(p.src[e:p.i]))
		}
	}
	p.expectByte('>')
	return t
}

// opaqueShaped makes t, whose element type of another dialect was just read, a type of which only the text is known.
func (p *parser) opaqueShaped(t *Type, elem int) {
	text := []byte("tensor<")
	for _, d := range t.Dims {
		if d < 0 {
			text = append(text, "?x"...)
		} else {
			text = append(strconv.AppendInt(text, d, 10), 'x')
		}
	}
	if p.eatByte(',') {
		p.attr()
	}
	p.expectByte('>')
	*t = Type{Kind: Opaque, Text: string(append(text, bytes.TrimSpace(p.src[elem:p.i])...))}
}

// maxRank bounds the dimensions of a type; programs have up to ten or so.
const maxRank = 256

// dims reads the dimensions in front of an element type, each with an x behind it.
func (p *parser) dims() []int64 {
	var buf [8]int64
	dims := buf[:0]
	for {
		c := p.peek()
		if c == '?' {
			p.i++
			dims = append(dims, -1)
		} else if isDigit(c) {
			dims = append(dims, p.uint("a dimension"))
		} else {
			break
		}
		if p.i >= len(p.src) || p.src[p.i] != 'x' {
			p.want("'x' after a dimension")
		}
		if len(dims) > maxRank {
			p.fail(p.i, "a type with more than %d dimensions", maxRank)
		}
		p.i++
	}
	return slices.Clone(dims)
}

// typesUntil reads types separated by commas up to the closing byte.
func (p *parser) typesUntil(closing byte) []Type {
	p.enter()
	defer p.leave()
	var ts []Type
	if p.eatByte(closing) {
		return nil
	}
	for {
		ts = append(ts, p.typ())
		if !p.eatByte(',') {
			p.expectByte(closing)
			return ts
		}
	}
}

// typeParens reads (type, …).
func (p *parser) typeParens() []Type {
	p.expectByte('(')
	return p.typesUntil(')')
}

// typeList reads type, … without brackets.
func (p *parser) typeList() []Type {
	ts := []Type{p.typ()}
	for p.eatByte(',') {
		ts = append(ts, p.typ())
	}
	return ts
}

// resultTypes reads what stands after ->: one type, or a list in parentheses.
func (p *parser) resultTypes() []Type {
	if p.peek() == '(' {
		return p.typeParens()
	}
	return []Type{p.typ()}
}

// dialectType reads an alias or a type of a dialect.
func (p *parser) dialectType() Type {
	b := p.i
	p.i++
	w := p.suffix("the name of a type after !")
	if p.i >= len(p.src) || p.src[p.i] != '<' {
		if a, ok := p.typeAlias[string(w)]; ok {
			p.expand(a.extent)
			return a.typ
		}
		switch {
		case string(w) == "stablehlo.token":
			return Type{Kind: Token}
		case bytes.IndexByte(w, '.') < 0:
			p.fail(b, "type alias !%s is not defined", w)
		}
		return Type{Kind: Opaque, Text: string(p.src[b:p.i])}
	}
	switch string(w) {
	case "quant.uniform":
		if t, ok := p.quant(); ok {
			return t
		}
	case "stablehlo.future":
		p.i++
		return Type{Kind: Future, Elems: p.typesUntil('>')}
	case "stablehlo":
		if at := p.i; p.eat("<token>") {
			return Type{Kind: Token}
		} else if p.eat("<future<") {
			t := Type{Kind: Future, Elems: p.typesUntil('>')}
			p.expectByte('>')
			return t
		} else {
			p.i = at
		}
	}
	p.balanced()
	return Type{Kind: Opaque, Text: string(p.src[b:p.i])}
}

// quant reads the body of !quant.uniform; ok is false, and nothing read, for the forms that StableHLO does not have
// (blocks along several axes).
func (p *parser) quant() (t Type, ok bool) {
	start := p.i
	p.i++
	q := &Quant{Axis: -1}
	b := p.i
	w := p.word()
	name := string(w)
	if strings.HasPrefix(name, "u") && !strings.HasPrefix(name, "ui") {
		name = "ui" + name[1:]
	}
	storage, known := elemType([]byte(name))
	if !known || !storage.IsInt() && !storage.IsFloat() {
		p.fail(b, "%q is not a storage type of a quantized type", clip(w))
	}
	q.Storage = storage
	q.Min, q.Max = quantRange(storage)
	if p.eatByte('<') {
		b := p.i
		q.Min = p.integer()
		p.expectByte(':')
		q.Max = p.integer()
		if q.Min > q.Max {
			p.fail(b, "the range of the storage is empty")
		}
		p.expectByte('>')
	}
	p.expectByte(':')
	q.Expressed = p.elem()
	if p.eatByte(':') {
		if p.peek() == '{' {
			p.i = start
			return Type{}, false
		}
		q.Axis = int(min(p.uint("an axis"), 1<<20))
	}
	p.expectByte(',')
	if q.Axis < 0 {
		p.quantParam(q)
	} else {
		p.expectByte('{')
		for {
			p.quantParam(q)
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte('}')
	}
	p.expectByte('>')
	key := q.String()
	if old, ok := p.quants[key]; ok {
		q = old
	} else {
		p.quants[key] = q
		p.quantKeys[q] = len(p.quants)
	}
	return Type{Kind: Scalar, Elem: q.Storage, Quant: q}, true
}

// quantParam reads scale or scale:zeroPoint.
func (p *parser) quantParam(q *Quant) {
	n, ok := p.number()
	if !ok {
		p.want("a scale")
	}
	q.Scales = append(q.Scales, dtype.ToFloat64(dtype.F64, p.toFloatBits(n, dtype.F64)))
	zero := int64(0)
	if p.eatByte(':') {
		zero = p.integer()
	}
	q.ZeroPoints = append(q.ZeroPoints, zero)
}
