package clayout

import (
	"fmt"
	"slices"
)

// ignored are words of a declaration that change no layout.
var ignored = map[string]bool{
	"const": true, "volatile": true, "restrict": true, "__restrict": true, "__restrict__": true, "register": true, "static": true, "extern": true,
	"inline": true, "__inline": true, "__inline__": true, "_Noreturn": true, "__extension__": true, "_Thread_local": true, "__thread": true, "auto": true,
	"constexpr": true, "__const": true, "__const__": true, "__volatile__": true, "__volatile": true, "_Nonnull": true, "_Nullable": true,
	"__cdecl": true, "__stdcall": true, "__fastcall": true, "__forceinline": true, "noreturn": true, "__unaligned": true, "__ptr64": true,
}

var basic = map[string]bool{
	"void": true, "char": true, "short": true, "int": true, "long": true, "float": true, "double": true, "signed": true, "unsigned": true,
	"__signed__": true, "__signed": true, "_Bool": true, "_Complex": true, "__complex__": true, "__int128": true, "__int128_t": true, "__uint128_t": true,
	"_Float16": true, "__int64": true, "__int32": true, "_Float128": true, "__float128": true,
}

// isType reports whether a type begins here.
func (x *parser) isType() bool {
	t := x.at(0)
	if t.kind != 'a' {
		return false
	}
	switch t.text {
	case "struct", "union", "enum", "const", "volatile", "_Atomic", "typeof", "__typeof__", "__extension__":
		return true
	}
	return basic[t.text] || x.p.typedefs[t.text] != nil
}

// typeName reads a type as it stands in a cast.
func (x *parser) typeName() *Type {
	base, _, _ := x.specifiers()
	if base == nil {
		return &Type{name: "?"}
	}
	_, t := x.declarator(base)
	return t
}

// specifiers reads what stands before the names that a declaration declares. It returns nil where there is no type.
func (x *parser) specifiers() (base *Type, typedef bool, a attrs) {
	count := map[string]int{}
	for x.i < len(x.t) {
		if b, ok := x.attribute(); ok {
			a.add(b)
			continue
		}
		if x.pragma() {
			continue
		}
		t := x.at(0)
		if t.kind != 'a' {
			break
		}
		switch {
		case t.text == "typedef":
			typedef = true
			x.i++
			continue
		case ignored[t.text]:
			x.i++
			continue
		case basic[t.text]:
			if base != nil {
				return base, typedef, a
			}
			count[t.text]++
			count[""]++
			x.i++
			continue
		case t.text == "_Atomic":
			x.i++
			if x.accept("(") {
				base = x.typeName()
				x.to(")")
			}
			continue
		}
		if base != nil || count[""] > 0 {
			break
		}
		switch t.text {
		case "struct", "union":
			base = x.record(t.text == "union")
			continue
		case "enum":
			base = x.enum()
			continue
		case "typeof", "__typeof__", "__typeof":
			x.i++
			if x.accept("(") {
				base = &Type{name: "typeof"}
				if x.isType() {
					base = x.typeName()
				}
				x.to(")")
			}
			continue
		}
		x.i++
		if known := x.p.typedefs[t.text]; known != nil {
			base = known
			continue
		}
		// A word that is not known is a type that is not, or a macro that is not: then a type follows.
		next := x.at(0)
		switch {
		case next.kind == 'a' && (x.isType() || x.at(1).kind == 'a' || ignored[next.text] || next.text == "typedef"):
		case next.text == "(":
			x.skip() // MACRO(...)
			if n := x.at(0); n.kind != 'a' {
				return nil, typedef, a
			}
		default:
			base = &Type{name: t.text}
		}
	}
	if base == nil && count[""] > 0 {
		base = x.p.basic(count)
	}
	return base, typedef, a
}

func (p *Program) basic(n map[string]int) *Type {
	unsigned := n["unsigned"] > 0
	name := func(s string) string {
		if unsigned {
			return "unsigned " + s
		}
		return s
	}
	complex := int64(1)
	if n["_Complex"]+n["__complex__"] > 0 {
		complex = 2
	}
	flt := func(name string, size, align int64) *Type {
		return &Type{kind: float, name: name, size: size * complex, align: align}
	}
	switch {
	case n["void"] > 0:
		return &Type{kind: void, name: "void", size: 1, align: 1}
	case n["_Bool"] > 0:
		return p.integer("_Bool", 1, false)
	case n["char"] > 0:
		return p.integer(name("char"), 1, !unsigned)
	case n["short"] > 0:
		return p.integer(name("short"), 2, !unsigned)
	case n["_Float16"] > 0:
		return flt("_Float16", 2, 2)
	case n["_Float128"]+n["__float128"] > 0:
		return flt("_Float128", 16, 16)
	case n["float"] > 0:
		return flt("float", 4, 4)
	case n["double"] > 0 && n["long"] > 0:
		return flt("long double", p.m.longDouble, p.m.ldAlign)
	case n["double"] > 0 || complex == 2:
		return flt("double", 8, p.m.align8)
	case n["__int128"]+n["__int128_t"]+n["__uint128_t"] > 0:
		return &Type{kind: integer, name: "__int128", size: 16, align: 16, signed: !unsigned}
	case n["__int64"] > 0 || n["long"] > 1:
		return p.integer(name("long long"), 8, !unsigned)
	case n["long"] > 0:
		return p.integer(name("long"), p.m.long, !unsigned)
	}
	return p.integer(name("int"), 4, !unsigned)
}

// tag finds or makes the type of a tag.
func (p *Program) tag(word, name string, k kind) *Type {
	key := word + " " + name
	if name == "" {
		return &Type{kind: k, name: word + noTag}
	}
	t := p.tags[key]
	if t == nil {
		t = &Type{kind: k, name: key}
		p.tags[key] = t
	}
	return t
}

func (x *parser) record(union bool) *Type {
	word := x.peek()
	x.i++
	a := x.attributes()
	name := ""
	if t := x.at(0); t.kind == 'a' {
		name = t.text
		x.i++
		if n := x.at(0); n.kind == 'a' && x.at(1).text == "{" { // struct EXPORT name {
			name = n.text
			x.i++
		}
	}
	t := x.p.tag(word, name, record)
	t.union = union
	if x.peek() != "{" {
		return t
	}
	if t.complete { // it was read before
		t = &Type{kind: record, name: t.name, union: union}
	}
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > maxDepth {
		x.skip()
		t.bad = t.name + " is too deep"
		return t
	}
	x.accept("{")
	var members []member
	for x.i < len(x.t) && x.peek() != "}" {
		start := x.i
		if x.pragma() || x.accept(";") {
			continue
		}
		if s := x.peek(); s == "_Static_assert" || s == "static_assert" {
			x.i++
			x.skip()
			continue
		}
		before := len(members)
		x.declaration(&members)
		if x.i == start {
			x.i++
		}
		if len(members) == before && x.t[start].kind == 'a' && x.t[x.i-1].text == ";" && !x.understood(start) {
			members = append(members, member{t: &Type{bad: "the declaration " + short(x.t[start:x.i]) + " is not understood"}, bits: -1})
		}
	}
	x.accept("}")
	a.add(x.attributes())
	x.p.lay(t, members, a, x.p.pack)
	if old := x.p.tags[t.name]; old != nil && old != t && old.bad != "" {
		*old = *t
	}
	return t
}

// understood reports whether a declaration in a struct that made no member rightly made none: struct s { enum e {A}; }.
func (x *parser) understood(start int) bool {
	return slices.Contains([]string{"enum", "struct", "union", "_Static_assert", "__extension__"}, x.t[start].text)
}

func short(t []token) string {
	s := join(t)
	if len(s) > 60 {
		s = s[:60] + "..."
	}
	return s
}

func (x *parser) enum() *Type {
	x.i++
	a := x.attributes()
	name := ""
	if t := x.at(0); t.kind == 'a' {
		name = t.text
		x.i++
	}
	t := x.p.tag("enum", name, integer)
	if !t.complete {
		t.size, t.align, t.complete = 4, 4, true
	}
	var fixed *Type
	if x.peek() == ":" && (x.at(1).kind == 'a') { // enum e : uint8_t
		x.i++
		if fixed, _, _ = x.specifiers(); fixed != nil && fixed.why() == "" {
			t.size, t.align, t.signed = fixed.size, fixed.align, fixed.signed
		}
	}
	if !x.accept("{") {
		return t
	}
	if name == "" {
		t.name = fmt.Sprintf("enum %d%s", len(x.p.enums), noTag)
	}
	next, known := int64(0), true
	low, high := int64(0), int64(0)
	var list []string
	for x.i < len(x.t) && x.peek() != "}" {
		start := x.i
		item := x.at(0)
		if item.kind == 'a' {
			x.i++
			for {
				if _, ok := x.attribute(); !ok {
					break
				}
			}
			if x.accept("=") {
				next, known = x.expression()
			}
			if known {
				x.p.consts[item.text] = next
				low, high = min(low, next), max(high, next)
				next++
			}
			list = append(list, item.text)
		}
		for x.i < len(x.t) && x.peek() != "," && x.peek() != "}" { // what was not understood
			if s := x.peek(); s == "(" || s == "{" || s == "[" {
				x.skip()
			} else {
				x.i++
			}
		}
		x.accept(",")
		if x.i == start {
			x.i++
		}
	}
	x.accept("}")
	a.add(x.attributes())
	x.p.enums[t.name] = list
	if fixed != nil {
		return t
	}
	t.signed = low < 0
	switch {
	case a.packed && low >= -1<<7 && (high < 1<<7 || low >= 0 && high < 1<<8):
		t.size = 1
	case a.packed && low >= -1<<15 && (high < 1<<15 || low >= 0 && high < 1<<16):
		t.size = 2
	case !x.p.m.microsoft && (low < -1<<31 || high >= 1<<32 || low < 0 && high >= 1<<31):
		t.size = 8
	}
	t.align = x.p.integer("", t.size, false).align
	return t
}

// declarator reads a name with what makes another type of base. The name is empty where there is none.
func (x *parser) declarator(base *Type) (string, *Type) {
	x.depth++
	defer func() { x.depth-- }()
	for x.i < len(x.t) {
		switch s := x.peek(); {
		case s == "*" || s == "^":
			x.i++
			base = &Type{kind: pointer, name: "pointer", size: x.p.m.ptr, align: x.p.m.ptr, elem: base}
			continue
		case ignored[s]:
			x.i++
			continue
		}
		if _, ok := x.attribute(); ok {
			continue
		}
		break
	}
	if x.depth > maxDepth {
		return "", &Type{bad: "a declaration is too deep"}
	}
	if x.peek() == "(" && x.nested() {
		open := x.i
		x.skip()
		outer := x.suffix(base)
		end := x.i
		x.i = open + 1
		name, t := x.declarator(outer)
		x.i = max(end, x.i)
		return name, t
	}
	name := ""
	if t := x.at(0); t.kind == 'a' {
		name = t.text
		x.i++
	}
	return name, x.suffix(base)
}

// nested reports whether the bracket here is around a declarator, and not around parameters.
func (x *parser) nested() bool {
	for n := 1; ; n++ {
		t := x.at(n)
		switch {
		case t.text == "*" || t.text == "^" || t.text == "(":
			return true
		case ignored[t.text]:
			continue
		case t.kind == 'a':
			return t.text == "__attribute__" || !basic[t.text] && x.p.typedefs[t.text] == nil && t.text != "struct" && t.text != "enum" && t.text != "union"
		}
		return false
	}
}

// parameters reads those of a function, which are all the tokens there are.
func (x *parser) parameters() (list []*Type, variadic, ok bool) {
	for x.i < len(x.t) {
		if x.accept("...") {
			return list, true, x.i == len(x.t)
		}
		base, _, _ := x.specifiers()
		if base == nil {
			return nil, false, false
		}
		_, t := x.declarator(base)
		for {
			if _, more := x.attribute(); !more {
				break
			}
		}
		switch {
		case t.kind == void && len(list) == 0 && x.i == len(x.t):
			return nil, false, true
		case t.kind == array || t.kind == function:
			t = &Type{kind: pointer, name: "pointer", size: x.p.m.ptr, align: x.p.m.ptr, elem: t.decayed()}
		}
		list = append(list, t)
		if !x.accept(",") && x.i < len(x.t) {
			return nil, false, false
		}
	}
	return list, false, len(list) > 0 // f() says nothing
}

// decayed is what a parameter of this type points to.
func (t *Type) decayed() *Type {
	if t.kind == array {
		return t.elem
	}
	return t
}

// suffix reads the brackets behind a name.
func (x *parser) suffix(base *Type) *Type {
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > maxDepth {
		return &Type{bad: "a declaration is too deep"}
	}
	switch x.peek() {
	case "[":
		if x.at(1).text == "[" {
			return base
		}
		x.i++
		n, ok := int64(-1), true
		start := x.i
		for ignored[x.peek()] {
			x.i++
		}
		if x.peek() != "]" {
			n, ok = x.expression()
		}
		text := x.t[start:min(x.i, len(x.t))]
		x.to("]")
		elem := x.suffix(base)
		t := &Type{kind: array, elem: elem, n: n}
		switch {
		case !ok:
			if len(text) == 0 && start < len(x.t) {
				text = x.t[start : start+1]
			}
			t.bad = "the length " + short(text) + " of an array is not known"
		case elem.why() == "" && (n > maxSize || n < -1 || n > 0 && elem.Size() > maxSize/n):
			t.bad = "an array is too large"
		}
		return t
	case "(":
		t := &Type{kind: function, name: "function"}
		start := x.i + 1
		x.skip()
		t.result = x.suffix(base)
		inner := &parser{p: x.p, t: x.t[start:max(x.i-1, start)], depth: x.depth}
		t.params, t.variadic, t.declared = inner.parameters()
		return t
	}
	return base
}
