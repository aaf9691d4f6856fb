package mlir

import (
	"bytes"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// pretty reads an operation in its own form, whose name w was just read.
func (p *parser) pretty(o *Op, w []byte, at int) {
	f := p.forms[string(w)]
	if f == nil {
		name := string(w)
		switch name {
		case "module":
			name = "builtin.module"
		case "func", "call", "return":
			name = "func." + name
		case "unrealized_conversion_cast":
			name = "builtin." + name
		}
		f = compile(name)
		p.forms[string(w)] = f
	}
	o.Name = f.name
	switch {
	case f.name == "builtin.module":
		p.module(o)
	case f.name == "func.func":
		p.function(o)
	case len(f.steps) > 0:
		p.steps(o, f)
	case bytes.IndexByte(w, '.') < 0:
		p.i = at
		p.want("an operation")
	default:
		switch dialect, _, _ := strings.Cut(f.name, "."); dialect {
		case "stablehlo", "chlo", "func", "builtin", "check", "interpreter":
			p.fail(at, "there is no %s, or only in its generic form, \"%s\"(…) : (…) -> …", f.name, f.name)
		}
		p.foreign(o, at)
	}
}

// steps reads an operation by its form.
func (p *parser) steps(o *Op, f *form) {
	var buf [8]*Value
	vals := buf[:0]
	closed := false // the operands are in o
	closeOperands := func() {
		if !closed {
			p.setOperands(o, vals)
			closed = true
		}
	}
	for i := 0; i < len(f.steps); i++ {
		s := &f.steps[i]
		switch s.kind {
		case '%':
			switch s.text {
			case "":
				vals = append(vals, p.operand())
			case "*":
				vals = p.operandList(vals)
			default:
				for p.peek() == '%' {
					vals = append(vals, p.operand())
					p.expectByte(',')
				}
			}
		case ',':
			p.expect(s.text)
		case 'w':
			p.expectWord(s.text)
		case '$':
			p.formAttr(o, s)
		case '{':
			p.optionalDict(o)
		case '?':
			next := f.steps[i+1]
			if next.kind == ',' && p.at(next.text) || next.kind == ':' && p.peek() == ':' {
				continue
			}
			for f.steps[i].kind != ';' {
				i++
			}
		case ':':
			closeOperands()
			p.expectByte(':')
			p.types(o, s.text)
		case '!':
			closeOperands()
			p.special(o, s.text)
		}
	}
	closeOperands()
}

// formAttr reads an attribute of a form: its type is known, so it is not written.
func (p *parser) formAttr(o *Op, s *step) {
	p.space()
	at := p.i
	var a Attr
	switch kind := s.arg; kind {
	case "i64", "i32", "ui64", "ui32", "f64":
		n, ok := p.number()
		if !ok {
			p.i = n.off
			p.want("a number")
		}
		t, _ := elemType([]byte(kind))
		a = p.numberAttr(n, Type{Kind: Scalar, Elem: t}, true)
	case "bool":
		a = p.fieldValue("b")
	case "str":
		a = String(p.str())
	case "sym":
		a = Symbol(p.symbol())
	case "symstr":
		a = String(p.symbolPart())
	case "ints":
		if p.peek() == '[' {
			a = Ints{dtype.I64, p.intList()}
		} else {
			a = p.attr()
		}
	case "dense":
		a = p.attr()
		if _, ok := a.(Dense); !ok {
			p.fail(at, "expected dense<…>")
		}
	default: // enum.name
		a = p.enumCase(s.arg[len("enum."):])
	}
	p.addAttr(o, s.text, a, at)
}

// types reads the types of an operation in one of the forms that its operands and results can be deduced from.
func (p *parser) types(o *Op, kind string) {
	p.space()
	at := p.i
	switch kind {
	case "fn":
		p.funcType(o)
	case "same": // one type for all, or a function type
		t := p.typ()
		if t.Kind == Func {
			p.applyFunc(o, t, at)
			return
		}
		p.checkOperands(o, repeat(t, len(o.Operands)), at)
		p.setResults(o, []Type{t})
	case "complex": // the type of the result, or a function type
		t := p.typ()
		if t.Kind == Func {
			p.applyFunc(o, t, at)
			return
		}
		if t.Kind != Tensor || !t.Elem.IsComplex() {
			p.fail(at, "expected a tensor of complex elements, found %v", t)
		}
		part := t
		part.Elem = t.Elem.Real()
		p.checkOperands(o, repeat(part, 2), at)
		p.setResults(o, []Type{t})
	case "select": // predicate and value, or a function type
		ts := p.typeList()
		switch {
		case len(ts) == 1 && ts[0].Kind == Func:
			p.applyFunc(o, ts[0], at)
		case len(ts) == 2:
			p.checkOperands(o, []Type{ts[0], ts[1], ts[1]}, at)
			p.setResults(o, ts[1:])
		default:
			p.fail(at, "expected a function type or two types")
		}
	case "tuple": // the type of the result
		t := p.typ()
		if t.Kind != Tuple {
			p.fail(at, "expected a tuple, found %v", t)
		}
		p.checkOperands(o, t.Elems, at)
		p.setResults(o, []Type{t})
	case "results":
		p.setResults(o, p.typeList())
	case "operands":
		p.checkOperands(o, p.typeList(), at)
	case "operandsame":
		p.checkOperands(o, repeat(p.typ(), len(o.Operands)), at)
	case "one": // one operand, one result of its type
		t := p.typ()
		p.checkOperands(o, []Type{t}, at)
		p.setResults(o, []Type{t})
	case "arrow": // types -> types, with or without parentheses
		var ins []Type
		if p.peek() == '(' {
			ins = p.typeParens()
		} else {
			ins = p.typeList()
		}
		p.expect("->")
		outs := p.resultTypes()
		p.checkOperands(o, ins, at)
		p.setResults(o, outs)
	}
}

func (p *parser) applyFunc(o *Op, t Type, at int) {
	p.checkOperands(o, t.Ins, at)
	if len(t.Elems) != 1 {
		p.fail(at, "%s has one result, its type %d", o.Name, len(t.Elems))
	}
	p.setResults(o, t.Elems)
}

func repeat(t Type, n int) []Type {
	ts := make([]Type, n)
	for i := range ts {
		ts[i] = t
	}
	return ts
}
