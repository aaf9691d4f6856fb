package mlir

import (
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// special reads the parts of pretty forms that have code of their own in StableHLO too.
func (p *parser) special(o *Op, kind string) {
	p.space()
	at := p.i
	switch kind {
	case "constant":
		p.constant(o)
	case "slice":
		p.sliceRanges(o)
	case "precision":
		p.precision(o)
	case "dotdims":
		p.dotDims(o)
	case "convdims":
		p.addAttr(o, "dimension_numbers", p.convDims(), at)
	case "window":
		p.window(o)
	case "format": // e5m10
		w := string(p.word())
		e, m, ok := strings.Cut(strings.TrimPrefix(w, "e"), "m")
		exponent, err1 := strconv.ParseUint(e, 10, 31)
		mantissa, err2 := strconv.ParseUint(m, 10, 31)
		if !ok || w[0] != 'e' || err1 != nil || err2 != nil {
			p.fail(at, "expected a format like e5m10")
		}
		i32 := Type{Kind: Scalar, Elem: dtype.I32}
		p.addAttr(o, "exponent_bits", Int{int64(exponent), i32}, at)
		p.addAttr(o, "mantissa_bits", Int{int64(mantissa), i32}, at)
	case "barrier":
		if p.eatByte('(') {
			p.expectByte(')')
			return
		}
		p.setOperands(o, p.operandList(nil))
		if len(o.Operands) == 0 {
			p.want("a value or ()")
		}
		p.expectByte(':')
		ts := p.typeList()
		p.checkOperands(o, ts, at)
		p.setResults(o, ts)
	case "regions":
		if p.eatByte('(') {
			for {
				p.scope(false, func() { o.Regions = append(o.Regions, p.region(nil)) })
				if !p.eatByte(',') {
					break
				}
			}
			p.expectByte(')')
		}
	case "close": // : attributes type, type
		p.expectByte(':')
		p.optionalDict(o)
		p.checkOperands(o, p.typeList(), at)
	case "cast": // : types to types
		if p.eatByte(':') {
			p.checkOperands(o, p.typeList(), at)
		}
		p.expectWord("to")
		p.setResults(o, p.typeList())
		p.optionalDict(o)
	case "reduce":
		p.reduce(o)
	case "while":
		p.while(o)
	case "scan":
		p.scan(o)
	}
}

// constant reads {attributes} value, or the rest of the generic form, which is written where the types differ.
func (p *parser) constant(o *Op) {
	if p.peek() == '(' {
		p.generic(o)
		return
	}
	p.optionalDict(o)
	p.space()
	at := p.i
	a := p.attr()
	var t Type
	switch a := a.(type) {
	case Dense:
		t = a.Type
	case Int:
		t = a.Type
	case Float:
		t = a.Type
	case Bool:
		t = Type{Kind: Scalar, Elem: dtype.I1}
	default:
		p.fail(at, "expected dense<…> : type")
	}
	if _, ok := a.(Dense); !ok && o.Name != "arith.constant" {
		p.fail(at, "expected dense<…> : type")
	}
	p.addAttr(o, "value", a, at)
	p.setResults(o, []Type{t})
}

// sliceRanges reads [start:limit:stride, …], where a stride of 1 may be left out.
func (p *parser) sliceRanges(o *Op) {
	at := p.i
	var start, limit, stride []int64
	p.expectByte('[')
	if !p.eatByte(']') {
		for {
			start = append(start, p.integer())
			p.expectByte(':')
			limit = append(limit, p.integer())
			step := int64(1)
			if p.eatByte(':') {
				step = p.integer()
			}
			stride = append(stride, step)
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte(']')
	}
	p.addAttr(o, "start_indices", Ints{dtype.I64, start}, at)
	p.addAttr(o, "limit_indices", Ints{dtype.I64, limit}, at)
	p.addAttr(o, "strides", Ints{dtype.I64, stride}, at)
}

// precision reads , precision = [DEFAULT, DEFAULT] and , algorithm = <…>, both optional.
func (p *parser) precision(o *Op) {
	if !p.eatByte(',') {
		return
	}
	p.space()
	at := p.i
	if p.eatWord("precision") {
		p.expectByte('=')
		p.expectByte('[')
		a := Array{}
		if !p.eatByte(']') {
			for {
				a = append(a, p.enumCase("precision"))
				if !p.eatByte(',') {
					break
				}
			}
			p.expectByte(']')
		}
		p.addAttr(o, "precision_config", a, at)
		if o.Name != "stablehlo.dot_general" || !p.eatByte(',') {
			return
		}
	}
	p.space()
	at = p.i
	if o.Name != "stablehlo.dot_general" || !p.eatWord("algorithm") {
		p.want("precision or algorithm")
	}
	p.expectByte('=')
	p.space()
	p.addAttr(o, "algorithm", p.structAttr("dot_algorithm", p.i), at)
}

// dotDims reads batching_dims = [0] x [0], contracting_dims = [1] x [1]; the first may be left out.
func (p *parser) dotDims(o *Op) {
	at := p.i
	var dims [4][]int64
	pair := func(i int) {
		p.expectByte('=')
		dims[i] = p.intList()
		p.expectByte('x')
		dims[i+1] = p.intList()
	}
	if p.eatWord("batching_dims") {
		pair(0)
		p.expectByte(',')
	}
	p.expectWord("contracting_dims")
	pair(2)
	p.addAttr(o, "dot_dimension_numbers", Struct{"dot", []NamedAttr{
		{"lhs_batching_dimensions", Ints{dtype.I64, dims[0]}},
		{"rhs_batching_dimensions", Ints{dtype.I64, dims[1]}},
		{"lhs_contracting_dimensions", Ints{dtype.I64, dims[2]}},
		{"rhs_contracting_dimensions", Ints{dtype.I64, dims[3]}},
	}}, at)
}

// window reads stride = […], pad = [[…], …], lhs_dilate = […], rhs_dilate = […], reverse = […], each optional.
func (p *parser) window(o *Op) {
	for {
		p.space()
		at := p.i
		w := string(p.word())
		name := ""
		switch w {
		case "":
			return
		case "stride":
			name = "window_strides"
		case "lhs_dilate":
			name = "lhs_dilation"
		case "rhs_dilate":
			name = "rhs_dilation"
		case "pad":
			name = "padding"
		case "reverse":
			name = "window_reversal"
		default:
			p.i = at
			p.want("one of stride, pad, lhs_dilate, rhs_dilate, reverse")
		}
		p.expectByte('=')
		var a Attr
		switch w {
		case "pad":
			a = p.windowPad()
		case "reverse":
			a = Ints{dtype.I1, p.boolList()}
		default:
			a = Ints{dtype.I64, p.intList()}
		}
		p.addAttr(o, name, a, at)
		if !p.eatByte(',') {
			return
		}
	}
}

func (p *parser) windowPad() Attr {
	p.expectByte('[')
	e := elements{t: dtype.I64, shape: []int64{2}}
	n := int64(0)
	if !p.eatByte(']') {
		for {
			p.elements(&e, 0)
			n++
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte(']')
	}
	return Dense{Type: Type{Kind: Tensor, Elem: dtype.I64, Dims: []int64{n, 2}}, Data: e.data}
}

// boolList reads [true, false, …], where numbers stand for what is not zero too.
func (p *parser) boolList() []int64 {
	p.expectByte('[')
	var v []int64
	if p.eatByte(']') {
		return nil
	}
	for {
		switch {
		case p.eatWord("true"):
			v = append(v, 1)
		case p.eatWord("false"):
			v = append(v, 0)
		default:
			n := p.integer()
			if n != 0 {
				n = 1
			}
			v = append(v, n)
		}
		if !p.eatByte(',') {
			p.expectByte(']')
			return v
		}
	}
}

// reduce reads (%a init: %b), … applies op across dimensions = […] : type, or the same without applies and with
// reducer(%c: type, %d: type) … {region} behind it.
func (p *parser) reduce(o *Op) {
	var ins, inits []*Value
	var inOffs, initOffs []int
	for {
		p.expectByte('(')
		ins = append(ins, p.operand())
		inOffs = append(inOffs, p.offs[len(p.offs)-1])
		p.expectWord("init")
		p.expectByte(':')
		inits = append(inits, p.operand())
		initOffs = append(initOffs, p.offs[len(p.offs)-1])
		p.expectByte(')')
		if !p.eatByte(',') {
			break
		}
	}
	p.setOperands(o, append(ins, inits...))
	copy(p.offs[len(p.offs)-len(o.Operands):], append(inOffs, initOffs...))
	inner := ""
	p.space()
	innerAt := p.i
	if p.eatWord("applies") {
		p.space()
		innerAt = p.i
		inner = p.intern(p.word())
		switch inner {
		case "stablehlo.add", "stablehlo.multiply", "stablehlo.maximum", "stablehlo.minimum", "stablehlo.and",
			"stablehlo.or", "stablehlo.xor":
		default:
			p.i = innerAt
			p.want("a commutative operation of two operands after applies")
		}
	}
	if inner != "" && len(ins) != 1 {
		p.fail(innerAt, "an operation that applies to one input, not %d", len(ins))
	}
	p.expectWord("across")
	p.expectWord("dimensions")
	p.expectByte('=')
	p.space()
	at := p.i
	p.addAttr(o, "dimensions", Ints{dtype.I64, p.intList()}, at)
	p.optionalDict(o)
	p.expectByte(':')
	p.funcType(o)
	if inner != "" {
		o.Regions = []*Region{p.appliedRegion(o, inner)}
		return
	}
	p.expectWord("reducer")
	p.scope(false, func() {
		var elems, accs []*Value
		for p.eatByte('(') {
			elems = append(elems, p.blockArg(len(elems)))
			p.expectByte(',')
			accs = append(accs, p.blockArg(len(accs)))
			p.expectByte(')')
		}
		for i, v := range accs {
			v.Index = len(elems) + i
		}
		args := append(elems, accs...)
		if args == nil {
			p.want("arguments of the reducer (%a: type, %b: type)")
		}
		o.Regions = []*Region{p.region(args)}
	})
}

// appliedRegion is the body that "applies op" stands for.
func (p *parser) appliedRegion(o *Op, inner string) *Region {
	pos := o.Pos
	t := Type{Kind: Tensor, Elem: o.Operands[0].Type.Elem, Quant: o.Operands[0].Type.Quant}
	args := p.arena.pointers(2)
	for i := range args {
		args[i] = p.arena.value()
		*args[i] = Value{Type: t, Index: i, Pos: pos}
	}
	op := p.arena.op()
	*op = Op{Name: inner, Operands: slices.Clone(args), Pos: pos}
	p.setResults(op, []Type{t})
	ret := p.arena.op()
	*ret = Op{Name: "stablehlo.return", Operands: op.Results, Pos: pos}
	return &Region{Blocks: []*Block{{Args: args, Ops: []*Op{op, ret}}}}
}

// while reads (%arg = %init, …) : types attributes {…} cond {region} do {region}.
func (p *parser) while(o *Op) {
	type arg struct {
		name string
		off  int
	}
	var args []arg
	var vals []*Value
	p.expectByte('(')
	if !p.eatByte(')') {
		for {
			if p.peek() != '%' {
				p.want("an argument %name = %value")
			}
			at := p.i
			p.i++
			args = append(args, arg{p.intern(p.suffix("the name of a value after %")), at})
			p.expectByte('=')
			vals = append(vals, p.operand())
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte(')')
	}
	p.setOperands(o, vals)
	var ts []Type
	p.space()
	at := p.i
	if len(vals) > 0 {
		p.expectByte(':')
		ts = p.typeList()
	}
	p.checkOperands(o, ts, at)
	p.setResults(o, ts)
	p.attributesClause(o)
	for _, word := range []string{"cond", "do"} {
		p.expectWord(word)
		p.scope(false, func() {
			vals := make([]*Value, len(args))
			for i, a := range args {
				v := p.arena.value()
				*v = Value{Type: ts[i], Name: a.name, Index: i, Pos: o.Pos}
				vals[i] = v
				s := vals[i : i+1 : i+1]
				p.define(a.name, s, a.off)
			}
			o.Regions = append(o.Regions, p.region(vals))
		})
	}
}

// attributesClause reads attributes {…} if it stands next.
func (p *parser) attributesClause(o *Op) {
	if p.eatWord("attributes") {
		if p.peek() != '{' {
			p.want("'{'")
		}
		p.optionalDict(o)
	}
}

// scan reads (%a, …) inits (%b, …) dimension=N attributes {…} {region} : type.
func (p *parser) scan(o *Op) {
	p.expectByte('(')
	vals := p.operandList(nil)
	n := len(vals)
	p.expectByte(')')
	p.expectWord("inits")
	p.expectByte('(')
	vals = p.operandList(vals)
	p.expectByte(')')
	p.setOperands(o, vals)
	p.expectWord("dimension")
	p.expectByte('=')
	p.space()
	at := p.i
	dim := p.integer()
	p.attributesClause(o)
	p.addAttr(o, "dimension", Int{dim, i64}, at)
	p.scope(false, func() { o.Regions = append(o.Regions, p.region(nil)) })
	p.expectByte(':')
	p.funcType(o)
	carries := len(vals) - n
	outs := len(o.Results) - carries
	if outs < 0 {
		p.fail(at, "%d results for %d carried values", len(o.Results), carries)
	}
	p.addAttr(o, "operandSegmentSizes", Ints{dtype.I32, []int64{int64(n), int64(carries)}}, at)
	p.addAttr(o, "resultSegmentSizes", Ints{dtype.I32, []int64{int64(outs), int64(carries)}}, at)
}
