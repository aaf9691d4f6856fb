package mlir

import "strings"

// foreign reads an operation of a dialect whose forms are not known here (sdy, mostly): values are operands, brackets
// with arguments and a block behind them are regions, and all else up to the types is kept as text.
func (p *parser) foreign(o *Op, at int) {
	dialect, _, _ := strings.Cut(o.Name, ".")
	var text []string
	var vals []*Value
	typed := false
loop:
	for {
		p.space()
		b := p.i
		switch c := p.peek(); {
		case c == ':' && !p.at("::"):
			p.i++
			typed = true
			break loop
		case c == '%':
			vals = append(vals, p.operand())
		case c == '(':
			p.i++
			if p.peek() == '%' && p.argAhead() {
				p.scope(false, func() { o.Regions = append(o.Regions, p.region(p.blockArgs(')'))) })
				continue
			}
			vals = p.operandList(vals)
			p.expectByte(')')
		case c == '{':
			if len(text) > 0 && strings.HasSuffix(text[len(text)-1], "=") {
				text = append(text, string(p.balanced()))
			} else {
				p.optionalDict(o)
			}
		case c == '<' || c == '[':
			text = append(text, string(p.balanced()))
		case c == '@':
			s := p.symbol()
			if len(text) == 0 && lookup(o.Attrs, "sym_name") == nil {
				p.addAttr(o, "sym_name", String(s), b)
			} else {
				text = append(text, string(p.src[b:p.i]))
			}
		case c == ',' || c == '=' || c == '-' || c == '>':
			p.i++
			text = append(text, string(c))
		case c == '"':
			p.rawString()
			text = append(text, string(p.src[b:p.i]))
		case c == '#':
			p.i++
			p.suffix("the name of an attribute after #")
			if p.i < len(p.src) && p.src[p.i] == '<' {
				p.balanced()
			}
			text = append(text, string(p.src[b:p.i]))
		case isDigit(c):
			p.number()
			text = append(text, string(p.src[b:p.i]))
		case p.atWord("loc"):
			break loop
		case c == '_' || isLetter(c):
			w := p.word()
			if strings.Contains(string(w), ".") || p.bareOp(w) {
				p.i = b // the next operation
				break loop
			}
			text = append(text, string(w))
		default:
			break loop
		}
	}
	p.setOperands(o, vals)
	if len(text) > 0 {
		p.addAttr(o, dialect, OpaqueAttr{Dialect: dialect, Text: strings.Join(text, " ")}, at)
	}
	if !typed {
		p.setResults(o, nil)
		return
	}
	p.space()
	typeAt := p.i
	ts := p.typeList()
	if len(ts) == 1 && ts[0].Kind == Func {
		p.checkOperands(o, ts[0].Ins, typeAt)
		p.setResults(o, ts[0].Elems)
		return
	}
	if p.eat("->") {
		p.checkOperands(o, ts, typeAt)
		p.setResults(o, p.resultTypes())
		return
	}
	if len(ts) != 1 { // one type may be that of all
		p.checkOperands(o, ts, typeAt)
	}
	p.setResults(o, ts)
}

// bareOp tells the operations that are written without a dialect.
func (p *parser) bareOp(w []byte) bool {
	switch string(w) {
	case "return", "call", "module", "func":
		return true
	}
	return false
}

// argAhead tells (%name : type …) from (%name, …).
func (p *parser) argAhead() bool {
	b := p.i
	p.i++
	p.suffix("the name of a value after %")
	ok := p.peek() == ':'
	p.i = b
	return ok
}
