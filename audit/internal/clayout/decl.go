package clayout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Config says for which platform to read, and where included files lie.
type Config struct {
	GOOS, GOARCH string
	Include      []string
	Define       map[string]string // macros
}

// Program is what was read. It is not for several goroutines at once.
type Program struct {
	Notes    []string // what was not read, and why
	c        Config
	m        model
	macros   map[string]*macro
	once     map[string]bool
	blind    bool // a header was not found
	included int
	spent    int
	out      []token

	tags     map[string]*Type // "struct s"
	typedefs map[string]*Type
	funcs    map[string]*Type
	consts   map[string]int64
	enums    map[string][]string // the constants of "enum e"
	packs    []int64
	pack     int64
}

// New makes a program without declarations. ok is false for a platform that is not known.
func New(c Config) (p *Program, ok bool) {
	m, ok := modelOf(c.GOOS, c.GOARCH)
	if !ok {
		return nil, false
	}
	p = &Program{
		c: c, m: m, macros: map[string]*macro{}, once: map[string]bool{}, tags: map[string]*Type{}, typedefs: map[string]*Type{},
		funcs: map[string]*Type{}, consts: map[string]int64{}, enums: map[string][]string{},
	}
	for name, text := range predefined(c, m) {
		p.macros[name] = &macro{body: lex(text)}
	}
	for name, text := range c.Define {
		p.macros[name] = &macro{body: lex(text)}
	}
	for name, t := range map[string]struct {
		size   int64
		signed bool
	}{
		"size_t": {m.ptr, false}, "ssize_t": {m.ptr, true}, "ptrdiff_t": {m.ptr, true}, "intptr_t": {m.ptr, true}, "uintptr_t": {m.ptr, false},
		"int8_t": {1, true}, "int16_t": {2, true}, "int32_t": {4, true}, "int64_t": {8, true}, "intmax_t": {8, true},
		"uint8_t": {1, false}, "uint16_t": {2, false}, "uint32_t": {4, false}, "uint64_t": {8, false}, "uintmax_t": {8, false}, "wchar_t": {m.wchar, true},
		"char16_t": {2, false}, "char32_t": {4, false}, "off_t": {m.long, true}, "time_t": {max(m.long, m.ptr), true}, "off64_t": {8, true},
		"mode_t": {4, false}, "pid_t": {4, true}, "uid_t": {4, false}, "gid_t": {4, false}, "socklen_t": {4, false}, "clock_t": {m.long, true},
	} {
		p.typedefs[name] = p.integer(name, t.size, t.signed)
	}
	p.typedefs["max_align_t"] = &Type{kind: float, name: "max_align_t", size: 2 * m.ldAlign, align: m.ldAlign}
	p.typedefs["va_list"] = &Type{kind: unknown, name: "va_list"}
	p.typedefs["__builtin_va_list"] = p.typedefs["va_list"]
	return p, true
}

func predefined(c Config, m model) map[string]string {
	d := map[string]string{
		"__STDC__": "1", "__STDC_VERSION__": "201710L", "__GNUC__": "4", "__GNUC_MINOR__": "2", "__CHAR_BIT__": "8", "CHAR_BIT": "8",
		"INT_MAX": "2147483647", "UINT_MAX": "4294967295U", "CHAR_MAX": "127", "UCHAR_MAX": "255", "SHRT_MAX": "32767", "USHRT_MAX": "65535",
		"INT8_MAX": "127", "INT16_MAX": "32767", "INT32_MAX": "2147483647", "INT64_MAX": "9223372036854775807LL", "UINT8_MAX": "255",
		"UINT16_MAX": "65535", "UINT32_MAX": "4294967295U", "UINT64_MAX": "18446744073709551615ULL", "INT_MIN": "(-2147483647-1)",
		"INT32_MIN": "(-2147483647-1)", "__SIZEOF_POINTER__": fmt.Sprint(m.ptr), "__SIZEOF_LONG__": fmt.Sprint(m.long), "__SIZEOF_INT__": "4",
		"__BYTE_ORDER__": "1234", "__ORDER_LITTLE_ENDIAN__": "1234", "__ORDER_BIG_ENDIAN__": "4321", "__PTRDIFF_TYPE__": "long", "__SIZE_TYPE__": "size_t",
		"bool": "_Bool", "__bool_true_false_are_defined": "1", "_GNU_SOURCE": "1",
	}
	switch c.GOOS {
	case "linux", "android":
		d["__linux__"], d["__unix__"], d["__ELF__"], d["linux"] = "1", "1", "1", "1"
	case "darwin", "ios":
		d["__APPLE__"], d["__MACH__"] = "1", "1"
	case "windows":
		d["_WIN32"], d["__MINGW32__"] = "1", "1"
		if m.ptr == 8 {
			d["_WIN64"] = "1"
		}
	case "freebsd":
		d["__FreeBSD__"] = "14"
	case "openbsd":
		d["__OpenBSD__"] = "1"
	case "netbsd":
		d["__NetBSD__"] = "1"
	}
	switch c.GOARCH {
	case "amd64":
		d["__x86_64__"], d["__amd64__"] = "1", "1"
	case "386":
		d["__i386__"] = "1"
	case "arm64":
		d["__aarch64__"] = "1"
	case "arm":
		d["__arm__"] = "1"
	case "riscv64":
		d["__riscv"], d["__riscv_xlen"] = "1", "64"
	case "ppc64", "s390x", "mips", "mips64":
		d["__BYTE_ORDER__"] = "4321"
	}
	if m.ptr == 8 && m.long == 8 {
		d["__LP64__"], d["_LP64"] = "1", "1"
	}
	return d
}

func (p *Program) integer(name string, size int64, signed bool) *Type {
	t := &Type{kind: integer, name: name, size: size, align: size, signed: signed}
	if size == 8 {
		t.align = p.m.align8
	}
	return t
}

// Add reads a text that stands in the folder of file.
func (p *Program) Add(file, text string) {
	p.out = nil
	p.include(file, text, 0)
	x := &parser{p: p, t: p.out}
	x.top()
	p.out = nil
}

// Lookup finds a type by its name: "struct s", "union u", "enum e", or a typedef, or a tag alone where no typedef has its name.
func (p *Program) Lookup(name string) *Type {
	name = strings.Join(strings.Fields(name), " ")
	if t := p.tags[name]; t != nil {
		return t
	}
	if t := p.typedefs[name]; t != nil {
		return t
	}
	for _, word := range []string{"struct ", "union ", "enum "} {
		if t := p.tags[word+name]; t != nil {
			return t
		}
	}
	return nil
}

// Func is the type of a function that is declared or defined, or nil.
func (p *Program) Func(name string) *Type { return p.funcs[name] }

// Const is the value of a constant: of an enum, or a macro that has one.
func (p *Program) Const(name string) (int64, bool) {
	if v, ok := p.consts[name]; ok {
		return v, true
	}
	m := p.macros[name]
	if m == nil || m.function || len(m.body) == 0 {
		return 0, false
	}
	x := parser{p: p, t: p.expand([]token{{kind: 'a', text: name}}, 0)}
	v, ok := x.expression()
	return v, ok && x.i == len(x.t)
}

// Enum lists the constants of an enum, by its tag or typedef, in their order.
func (p *Program) Enum(name string) []string {
	if t := p.Lookup(name); t != nil {
		return p.enums[t.name]
	}
	return nil
}

// Macros lists the macros without parameters.
func (p *Program) Macros() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.macros)) {
		if !p.macros[name].function {
			out = append(out, name)
		}
	}
	return out
}

// Records lists the names of the structs and unions that have a layout: typedefs, and tags that no typedef has.
func (p *Program) Records() []string {
	named := map[*Type]bool{}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(p.typedefs)) {
		if t := p.typedefs[n]; t.kind == record && t.why() == "" {
			named[t] = true
			out = append(out, n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(p.tags)) {
		if t := p.tags[n]; t.kind == record && t.why() == "" && !named[t] {
			out = append(out, n)
		}
	}
	return out
}

type parser struct {
	p     *Program
	t     []token
	i     int
	depth int
	zero  bool // unknown words are 0, as in #if
}

func (x *parser) peek() string {
	if x.i < len(x.t) && x.t[x.i].kind != '"' {
		return x.t[x.i].text
	}
	return ""
}

func (x *parser) at(n int) token {
	if x.i+n < len(x.t) {
		return x.t[x.i+n]
	}
	return token{}
}

func (x *parser) accept(s string) bool {
	if x.i < len(x.t) && x.t[x.i].text == s && x.t[x.i].kind != '#' {
		x.i++
		return true
	}
	return false
}

// skip passes a bracket that opens here and all in it.
func (x *parser) skip() {
	nest := 0
	for x.i < len(x.t) {
		if x.t[x.i].kind == '.' {
			switch x.t[x.i].text {
			case "(", "{", "[":
				nest++
			case ")", "}", "]":
				nest--
			}
		}
		x.i++
		if nest <= 0 {
			return
		}
	}
}

// top reads declarations to the end.
func (x *parser) top() {
	for x.i < len(x.t) {
		start := x.i
		switch {
		case x.pragma():
		case x.accept(";"), x.accept("}"), x.accept("__extension__"):
		case x.peek() == "extern" && x.at(1).kind == '"':
			x.i += 2
			x.accept("{")
		case x.peek() == "_Static_assert" || x.peek() == "static_assert":
			x.i++
			x.skip()
		default:
			x.declaration(nil)
		}
		if x.i == start {
			x.i++
		}
	}
}

func (x *parser) pragma() bool {
	if x.i < len(x.t) && x.t[x.i].kind == '#' {
		x.p.setPack(x.t[x.i].text)
		x.i++
		return true
	}
	if x.peek() == "_Pragma" && x.at(1).text == "(" {
		if s := x.at(2); s.kind == '"' {
			if rest, ok := strings.CutPrefix(strings.Trim(s.text, `"`), "pack"); ok {
				x.p.setPack(join(lex(rest)))
			}
		}
		x.i++
		x.skip()
		return true
	}
	return false
}

// setPack does what #pragma pack says.
func (p *Program) setPack(args string) {
	t := lex(args)
	if len(t) < 2 || t[0].text != "(" {
		return
	}
	t = t[1:]
	for len(t) > 0 && t[0].text != ")" {
		switch {
		case t[0].text == "push":
			if len(p.packs) < 1000 {
				p.packs = append(p.packs, p.pack)
			}
		case t[0].text == "pop":
			if n := len(p.packs); n > 0 {
				p.pack, p.packs = p.packs[n-1], p.packs[:n-1]
			}
		case t[0].kind == '0':
			if v, ok := number(t[0].text); ok && v >= 0 && v <= 16 {
				p.pack = v
			}
		}
		t = t[1:]
		if len(t) > 0 && t[0].text == "," {
			t = t[1:]
		}
		if len(t) > 0 && t[0].text == ")" {
			return
		}
	}
	p.pack = 0 // pack()
}

// declaration reads one. Of a struct it adds the members; at the top it adds types.
func (x *parser) declaration(members *[]member) {
	base, typedef, a := x.specifiers()
	if base == nil {
		x.recover()
		return
	}
	if members != nil && (x.peek() == ";" || x.peek() == "}") {
		if base.kind == record && strings.HasSuffix(base.name, noTag) { // struct { ... };
			*members = append(*members, member{t: base, bits: -1, packed: a.packed, align: a.align})
		}
		x.accept(";")
		return
	}
	for x.peek() != ";" && x.i < len(x.t) {
		start := x.i
		name, t := x.declarator(base)
		own := a
		bits := int64(-1)
		if members != nil && x.accept(":") {
			v, ok := x.expression()
			if !ok || v < 0 || v > 128 {
				t, v = &Type{name: name, bad: "the width of bit-field " + name + " is not known"}, 1
			}
			bits = v
		}
		for {
			if b, ok := x.attribute(); ok {
				own.add(b)
				continue
			}
			if x.peek() == "__asm__" || x.peek() == "asm" || x.peek() == "__asm" {
				x.i++
				x.skip()
				continue
			}
			break
		}
		switch {
		case members != nil:
			if name != "" || bits >= 0 {
				*members = append(*members, member{name: name, t: t, bits: bits, packed: own.packed, align: own.align})
			}
		case !typedef && name != "" && t.kind == function:
			x.p.funcs[name] = t
		case typedef && name != "":
			if own.align > 0 && t.why() == "" {
				c := *t
				c.align = own.align
				t = &c
			}
			if old := x.p.typedefs[name]; old == nil || old.why() != "" || t.why() == "" {
				if t.kind == record && strings.HasSuffix(t.name, noTag) {
					x.p.rename(t, name)
				}
				x.p.typedefs[name] = t
			}
		}
		if x.peek() == "=" {
			for x.i < len(x.t) && x.peek() != "," && x.peek() != ";" {
				if s := x.peek(); s == "(" || s == "{" || s == "[" {
					x.skip()
				} else {
					x.i++
				}
			}
		}
		if x.peek() == "{" && members == nil { // the body of a function
			x.skip()
			return
		}
		if !x.accept(",") && x.peek() != ";" || x.i == start {
			x.recover()
			return
		}
	}
	x.accept(";")
}

const noTag = " without a tag"

// rename gives a struct without a tag the name of its typedef.
func (p *Program) rename(t *Type, name string) {
	if list, ok := p.enums[t.name]; ok {
		p.enums[name] = list
	}
	t.name = name
}

// recover goes on behind the declaration, or before the brace that ends what is around it.
func (x *parser) recover() {
	for x.i < len(x.t) {
		switch s := x.peek(); s {
		case ";":
			x.i++
			return
		case "}":
			return
		case "{":
			x.skip()
			return
		case "(", "[":
			x.skip()
		default:
			if x.t[x.i].kind == '#' {
				return
			}
			x.i++
		}
	}
}

// attributes reads the attributes that stand here.
func (x *parser) attributes() (a attrs) {
	for {
		b, ok := x.attribute()
		if !ok {
			return a
		}
		a.add(b)
	}
}

// attribute reads an attribute where one stands.
func (x *parser) attribute() (a attrs, ok bool) {
	switch x.peek() {
	case "__attribute__", "__attribute", "__declspec":
		x.i++
	case "_Alignas", "alignas":
		x.i++
		if !x.accept("(") {
			return a, true
		}
		if x.isType() {
			a.align = x.typeName().Align()
		} else if v, ok := x.expression(); ok {
			a.align = power(v)
		}
		x.to(")")
		return a, true
	case "[":
		if x.at(1).text != "[" {
			return a, false
		}
		x.skip()
		return a, true
	default:
		return a, false
	}
	nest := 0
	for x.i < len(x.t) {
		t := x.t[x.i]
		x.i++
		switch strings.Trim(t.text, "_") {
		case "(":
			nest++
		case ")":
			nest--
		case "packed", "gcc_struct":
			a.packed = a.packed || strings.Trim(t.text, "_") == "packed"
		case "aligned", "align":
			a.align = x.p.m.ldAlign
			if x.accept("(") {
				if x.isType() {
					a.align = x.typeName().Align()
				} else if v, ok := x.expression(); ok {
					a.align = power(v)
				}
				x.to(")")
			}
		}
		if nest <= 0 {
			break
		}
	}
	return a, true
}

// power is v where it can be an alignment.
func power(v int64) int64 {
	if v > 0 && v <= 1<<28 && v&(v-1) == 0 {
		return v
	}
	return 0
}

// to goes behind the next bracket of this kind that closes.
func (x *parser) to(end string) {
	for x.i < len(x.t) {
		switch s := x.peek(); s {
		case end:
			x.i++
			return
		case "(", "{", "[":
			x.skip()
		case ";", "}":
			return
		default:
			x.i++
		}
	}
}
