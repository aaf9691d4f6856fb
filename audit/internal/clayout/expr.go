package clayout

import (
	"strconv"
	"strings"
)

// binary are the operators between two values, by how tightly they bind.
var binary = map[string]int{
	"||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}

// expression evaluates a constant expression. ok is false for what is none.
func (x *parser) expression() (v int64, ok bool) {
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > maxDepth {
		return 0, false
	}
	v, ok = x.sum(1)
	if !ok || !x.accept("?") {
		return v, ok
	}
	a, ok1 := x.expression()
	if !x.accept(":") {
		return 0, false
	}
	b, ok2 := x.expression()
	if v != 0 {
		return a, ok1
	}
	return b, ok2
}

func (x *parser) sum(level int) (int64, bool) {
	v, ok := x.unary()
	for ok {
		op := x.peek()
		bind := binary[op]
		if bind < level || bind == 0 {
			break
		}
		x.i++
		w, ok2 := x.sum(bind + 1)
		if !ok2 {
			return 0, false
		}
		if v, ok = apply(op, v, w); !ok {
			return 0, false
		}
	}
	return v, ok
}

func apply(op string, v, w int64) (int64, bool) {
	is := func(b bool) (int64, bool) {
		if b {
			return 1, true
		}
		return 0, true
	}
	switch op {
	case "+":
		return v + w, true
	case "-":
		return v - w, true
	case "*":
		return v * w, true
	case "/", "%":
		if w == 0 {
			return 0, false
		}
		if op == "/" {
			return v / w, true
		}
		return v % w, true
	case "<<", ">>":
		if w < 0 || w > 63 {
			return 0, false
		}
		if op == "<<" {
			return v << w, true
		}
		return v >> w, true
	case "&":
		return v & w, true
	case "|":
		return v | w, true
	case "^":
		return v ^ w, true
	case "==":
		return is(v == w)
	case "!=":
		return is(v != w)
	case "<":
		return is(v < w)
	case ">":
		return is(v > w)
	case "<=":
		return is(v <= w)
	case ">=":
		return is(v >= w)
	case "&&":
		return is(v != 0 && w != 0)
	case "||":
		return is(v != 0 || w != 0)
	}
	return 0, false
}

func (x *parser) unary() (int64, bool) {
	x.depth++
	defer func() { x.depth-- }()
	if x.i >= len(x.t) || x.depth > maxDepth {
		return 0, false
	}
	t := x.t[x.i]
	x.i++
	switch t.kind {
	case '0':
		return number(t.text)
	case '\'':
		return character(t.text)
	case 'a':
		switch t.text {
		case "sizeof", "_Alignof", "alignof", "__alignof__", "__alignof":
			return x.sizeof(t.text == "sizeof")
		case "true":
			return 1, true
		case "false":
			return 0, true
		}
		if x.zero {
			return 0, true // as in #if
		}
		v, ok := x.p.consts[t.text]
		return v, ok
	}
	switch t.text {
	case "-", "+", "!", "~":
		v, ok := x.unary()
		switch t.text {
		case "-":
			v = -v
		case "~":
			v = ^v
		case "!":
			if v == 0 {
				return 1, ok
			}
			return 0, ok
		}
		return v, ok
	case "(":
		if !x.zero && x.isType() {
			to := x.typeName()
			if !x.accept(")") {
				return 0, false
			}
			v, ok := x.unary()
			return to.convert(v), ok
		}
		v, ok := x.expression()
		return v, ok && x.accept(")")
	}
	return 0, false
}

// convert is what v becomes in an integer type.
func (t *Type) convert(v int64) int64 {
	if t.kind != integer || t.size >= 8 || t.size <= 0 {
		return v
	}
	shift := 64 - 8*t.size
	if t.signed {
		return v << shift >> shift
	}
	return int64(uint64(v) << shift >> shift)
}

func (x *parser) sizeof(size bool) (int64, bool) {
	paren := x.accept("(")
	if !paren || !x.isType() {
		return 0, false // of an expression
	}
	t := x.typeName()
	if !x.accept(")") || t.why() != "" {
		return 0, false
	}
	if size {
		return t.Size(), true
	}
	return t.Align(), true
}

func number(s string) (int64, bool) {
	s = strings.ReplaceAll(strings.TrimRight(strings.ToLower(s), "ul"), "'", "")
	v, err := strconv.ParseUint(s, 0, 64)
	return int64(v), err == nil && !strings.Contains(s, "_")
}

func character(s string) (int64, bool) {
	r, _, rest, err := strconv.UnquoteChar(strings.TrimSuffix(s[1:], "'"), '\'')
	if err != nil || rest != "" {
		if s == `'\0'` {
			return 0, true
		}
		return 0, false
	}
	return int64(r), true
}
