package mlir

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// maxDepth bounds the nesting of regions, attributes and types, so that no input can exhaust the stack.
const maxDepth = 500

// parser reads one source. It works on the bytes directly, without a token list: MLIR's tokens depend on the place
// where they stand ("2x3xf32" is three dimensions in a type), and constants are most of a large program.
//
// A syntax error ends the parse by a panic with *Error, which parseFile recovers.
type parser struct {
	src []byte
	i   int

	firstLine int
	// The cursor of pos: it only moves forward, so that all positions together cost one pass.
	line, lineStart, lineOff int

	depth   int
	deepest int // nesting of the attribute or type in progress, aliases included
	nodes   int // attributes and types so far, with aliases counted as if written out
	size    int // of the attribute or type in progress, in the same count

	attrAlias map[string]attrAlias
	typeAlias map[string]typeAlias
	typeCache map[string]Type // by the text between tensor< and >
	interned  map[string]Type // large ones, by the text they print as with quantKey
	quants    map[string]*Quant
	quantKeys map[*Quant]int
	names     map[string]string
	forms     map[string]*form
	blobs     map[string][]byte
	blobsRead bool

	values  map[string]binding
	defined []string // names in the order of their definition, for leaving a region
	offs    []int    // stack of operand places

	locs    map[string]loc
	pending []pendingLoc

	arena arena
}

type attrAlias struct {
	attr Attr
	extent
}

type typeAlias struct {
	typ Type
	extent
}

// extent is how large an attribute or type is with its aliases written out.
type extent struct{ size, depth int }

type binding struct {
	vals []*Value
	off  int
}

// fail ends the parse with an error at the byte off.
func (p *parser) fail(off int, format string, args ...any) {
	panic(&Error{Pos: p.errorPos(off), Offset: off, Msg: fmt.Sprintf(format, args...)})
}

// want ends the parse with an error at the current place that says what was expected there.
func (p *parser) want(what string) {
	p.space()
	p.fail(p.i, "expected %s, found %s", what, p.found())
}

// found describes what stands at the current place.
func (p *parser) found() string {
	if p.i >= len(p.src) {
		return "the end of the input"
	}
	rest := p.src[p.i:min(p.i+40, len(p.src))]
	n := 0
	for n < len(rest) && isIdent(rest[n]) {
		n++
	}
	if n == 0 {
		n = 1
		for n < len(rest) && n < 2 && isIdent(rest[0]) {
			n++
		}
		if rest[0] == '%' || rest[0] == '@' || rest[0] == '#' || rest[0] == '!' || rest[0] == '^' {
			for n < len(rest) && isIdent(rest[n]) {
				n++
			}
		}
	}
	return fmt.Sprintf("%q", rest[:n])
}

func (p *parser) errorPos(off int) Pos {
	off = min(off, len(p.src))
	return Pos{
		Line: p.firstLine + bytes.Count(p.src[:off], []byte{'\n'}),
		Col:  off - bytes.LastIndexByte(p.src[:off], '\n'),
	}
}

// pos returns the position of the byte off, which is not before that of the call before.
func (p *parser) pos(off int) Pos {
	if off < p.lineOff {
		return p.errorPos(off)
	}
	for s := p.src[p.lineOff:off]; ; {
		n := bytes.IndexByte(s, '\n')
		if n < 0 {
			break
		}
		p.line++
		p.lineOff += n + 1
		p.lineStart = p.lineOff
		s = s[n+1:]
	}
	p.lineOff = off
	return Pos{Line: p.line, Col: off - p.lineStart + 1}
}

// space skips white space and comments.
func (p *parser) space() {
	for p.i < len(p.src) {
		switch c := p.src[p.i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			p.i++
		case c == '/' && p.i+1 < len(p.src) && p.src[p.i+1] == '/':
			n := bytes.IndexByte(p.src[p.i:], '\n')
			if n < 0 {
				p.i = len(p.src)
				return
			}
			p.i += n
		default:
			return
		}
	}
}

// peek skips space and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.src) {
		if c := p.src[p.i]; c > ' ' && c != '/' {
			return c
		}
	}
	p.space()
	if p.i >= len(p.src) {
		return 0
	}
	return p.src[p.i]
}

// at reports whether t stands next.
func (p *parser) at(t string) bool {
	p.space()
	return len(p.src)-p.i >= len(t) && string(p.src[p.i:p.i+len(t)]) == t
}

func (p *parser) eat(t string) bool {
	if p.at(t) {
		p.i += len(t)
		return true
	}
	return false
}

func (p *parser) eatByte(c byte) bool {
	if p.peek() == c && c != 0 {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(t string) {
	if !p.eat(t) {
		p.want(fmt.Sprintf("%q", t))
	}
}

func (p *parser) expectByte(c byte) {
	if !p.eatByte(c) {
		p.want(fmt.Sprintf("%q", string(c)))
	}
}

// atWord reports whether the whole word w stands next.
func (p *parser) atWord(w string) bool {
	return p.at(w) && (p.i+len(w) >= len(p.src) || !isIdent(p.src[p.i+len(w)]))
}

func (p *parser) eatWord(w string) bool {
	if p.atWord(w) {
		p.i += len(w)
		return true
	}
	return false
}

func (p *parser) expectWord(w string) {
	if !p.eatWord(w) {
		p.want(fmt.Sprintf("%q", w))
	}
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isIdent(c byte) bool  { return isLetter(c) || isDigit(c) || c == '_' || c == '.' || c == '$' }
func isHex(c byte) bool    { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// word reads an identifier: a letter or _, then letters, digits, _, $ and dots. It is empty where none stands.
func (p *parser) word() []byte {
	c := p.peek()
	if !isLetter(c) && c != '_' {
		return nil
	}
	b := p.i
	for p.i < len(p.src) && isIdent(p.src[p.i]) {
		p.i++
	}
	return p.src[b:p.i]
}

// suffix reads what stands after a sigil: digits, or an identifier that may hold - as well.
func (p *parser) suffix(what string) []byte {
	b := p.i
	if p.i < len(p.src) && isDigit(p.src[p.i]) {
		for p.i < len(p.src) && isDigit(p.src[p.i]) {
			p.i++
		}
		return p.src[b:p.i]
	}
	for p.i < len(p.src) && (isIdent(p.src[p.i]) || p.src[p.i] == '-' && !(p.i+1 < len(p.src) && p.src[p.i+1] == '>')) {
		p.i++
	}
	if p.i == b {
		p.fail(b, "expected %s", what)
	}
	return p.src[b:p.i]
}

// intern returns b as a string that is shared with every other of that content.
func (p *parser) intern(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	s := string(b)
	p.names[s] = s
	return s
}

// rawString reads a quoted string and returns what stands between the quotes.
func (p *parser) rawString() (s []byte, escaped bool) {
	if p.peek() != '"' {
		p.want("a string")
	}
	b := p.i
	p.i++
	for {
		n := bytes.IndexAny(p.src[p.i:], "\"\\\n")
		if n < 0 {
			p.fail(b, "string has no end")
		}
		p.i += n
		switch p.src[p.i] {
		case '"':
			p.i++
			return p.src[b+1 : p.i-1], escaped
		case '\\':
			escaped = true
			p.i += 2
			if p.i > len(p.src) {
				p.fail(b, "string has no end")
			}
		default:
			p.fail(b, "string has no end in its line")
		}
	}
}

// str reads a quoted string with its escapes: \" \\ \n \t and two hexadecimal digits.
func (p *parser) str() string {
	p.space()
	b := p.i + 1
	raw, escaped := p.rawString()
	if !escaped {
		return string(raw)
	}
	var s strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			s.WriteByte(c)
			continue
		}
		i++ // rawString has seen that a byte follows
		switch c := raw[i]; {
		case c == '"' || c == '\\':
			s.WriteByte(c)
		case c == 'n':
			s.WriteByte('\n')
		case c == 't':
			s.WriteByte('\t')
		case isHex(c) && i+1 < len(raw) && isHex(raw[i+1]):
			s.WriteByte(hexVal(c)<<4 | hexVal(raw[i+1]))
			i++
		default:
			p.fail(b+i-1, "unknown escape \\%c in a string", c)
		}
	}
	return s.String()
}

func hexVal(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	default:
		return c | 0x20 - 'a' + 10
	}
}

// symbol reads @name or @"name" and nested references @a::@b.
func (p *parser) symbol() string {
	first := p.symbolPart()
	if !p.nestedAhead() {
		return first
	}
	var s strings.Builder
	s.WriteString(first)
	for p.nestedAhead() {
		p.i += 2
		s.WriteString("::@")
		s.WriteString(p.symbolPart())
	}
	return s.String()
}

func (p *parser) nestedAhead() bool {
	return p.i+2 < len(p.src) && string(p.src[p.i:p.i+3]) == "::@"
}

func (p *parser) symbolPart() string {
	if p.peek() != '@' {
		p.want("a symbol name")
	}
	p.i++
	if p.i < len(p.src) && p.src[p.i] == '"' {
		return p.str()
	}
	return p.intern(p.suffix("a symbol name after @"))
}

// number is a literal as written: its digits are converted where the type is known.
type number struct {
	off   int
	text  []byte // with its sign
	float bool   // has a point or is inf or nan
	hex   bool
	neg   bool
}

// number reads an integer or floating-point literal; ok is false, and nothing read, where none stands.
func (p *parser) number() (n number, ok bool) {
	c := p.peek()
	n.off = p.i
	i := p.i
	if c == '-' || c == '+' {
		n.neg = c == '-'
		i++
	}
	s := p.src
	if i < len(s) && !isDigit(s[i]) {
		// inf and nan are not MLIR's, which writes their bits, but older printers did.
		if rest := s[i:]; len(rest) >= 3 && (string(rest[:3]) == "inf" || string(rest[:3]) == "nan") && (len(rest) == 3 || !isIdent(rest[3])) {
			n.float = true
			p.i = i + 3
			n.text = s[n.off:p.i]
			return n, true
		}
		return n, false
	}
	if i >= len(s) {
		return n, false
	}
	if s[i] == '0' && i+2 < len(s) && s[i+1] == 'x' && isHex(s[i+2]) {
		n.hex = true
		for i += 2; i < len(s) && isHex(s[i]); i++ {
		}
	} else {
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i < len(s) && s[i] == '.' {
			n.float = true
			for i++; i < len(s) && isDigit(s[i]); i++ {
			}
			// MLIR has an exponent only behind a point.
			if i < len(s) && s[i]|0x20 == 'e' {
				j := i + 1
				if j < len(s) && (s[j] == '+' || s[j] == '-') {
					j++
				}
				if j < len(s) && isDigit(s[j]) {
					for i = j; i < len(s) && isDigit(s[i]); i++ {
					}
				}
			}
		}
	}
	p.i = i
	n.text = s[n.off:i]
	return n, true
}

// uint reads a decimal number without sign.
func (p *parser) uint(what string) int64 {
	if !isDigit(p.peek()) {
		p.want(what)
	}
	b := p.i
	var v int64
	for p.i < len(p.src) && isDigit(p.src[p.i]) {
		d := int64(p.src[p.i] - '0')
		if v > (math.MaxInt64-d)/10 {
			p.fail(b, "%s is too large", what)
		}
		v = v*10 + d
		p.i++
	}
	return v
}

// integer reads a 64-bit integer with an optional sign.
func (p *parser) integer() int64 {
	n, ok := p.number()
	if !ok || n.float {
		p.i = n.off
		p.want("an integer")
	}
	return p.toInt(n, 64, true, true)
}

// enter counts one level of nesting; leave takes it back.
func (p *parser) enter() {
	p.depth++
	p.reach(0)
}

// reach notes that what stands here is nested that much further.
func (p *parser) reach(depth int) {
	depth += p.depth
	if depth > maxDepth {
		p.fail(p.i, "nested more than %d levels deep", maxDepth)
	}
	p.deepest = max(p.deepest, depth)
}

func (p *parser) leave() { p.depth-- }

// node counts n attributes or types. Aliases can make a small file stand for a huge one, so what is counted is the
// expanded size, and it stays in proportion to the input.
func (p *parser) node(n int) {
	p.nodes += n
	p.size += n
	if p.nodes > 1<<20 && p.nodes > 4*len(p.src) {
		p.fail(p.i, "attributes and types are too large once their aliases are expanded")
	}
}

// measure calls f, which reads an attribute or type at the top of the file, and returns its extent.
func (p *parser) measure(f func()) extent {
	p.size, p.deepest = 0, 0
	f()
	return extent{p.size, p.deepest - p.depth}
}

// expand counts an alias at its use.
func (p *parser) expand(e extent) {
	p.node(e.size)
	p.reach(e.depth)
}

// balanced skips bracketed text whose opening bracket stands next, and returns it with its brackets.
func (p *parser) balanced() []byte {
	b := p.i
	var stack []byte
	for p.i < len(p.src) {
		switch c := p.src[p.i]; c {
		case '<', '(', '[', '{':
			stack = append(stack, c)
		case '>', ')', ']', '}':
			if c == '>' && p.src[p.i-1] == '-' {
				break
			}
			open := c - 2 // [ ] and { } and < > are two apart, ( ) one
			if c == ')' {
				open = '('
			}
			if len(stack) == 0 || stack[len(stack)-1] != open {
				p.fail(p.i, "%q closes nothing here", string(c))
			}
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				p.i++
				return p.src[b:p.i]
			}
		case '"':
			p.rawString()
			continue
		}
		p.i++
	}
	p.fail(b, "%q is not closed", string(p.src[b]))
	return nil
}
