package clayout

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// macro is what #define defines.
type macro struct {
	function bool
	params   []string // the last may be ...
	body     []token
}

// Bounds, so that no text takes for ever.
const (
	maxIncludes = 2000
	maxDepth    = 60
	maxTokens   = 1 << 20
	maxFile     = 16 << 20
)

// include reads a text and the files that it includes.
func (p *Program) include(file, text string, depth int) {
	var pending []token
	flush := func() {
		p.out = append(p.out, p.expand(pending, 0)...)
		pending = nil
	}
	type state struct {
		taken, now, outer bool   // a branch was taken; this one is; what is around is
		lacks             string // what #ifndef asked for
	}
	var ifs []state
	on := true
	for line := range strings.Lines(plain(text)) {
		if len(p.out)+len(pending) > maxTokens {
			p.note("the text is too long")
			break
		}
		trimmed := strings.TrimSpace(line)
		if !strings.HasPrefix(trimmed, "#") {
			if on {
				pending = append(pending, lex(line)...)
			}
			continue
		}
		t := lex(trimmed[1:])
		if len(t) == 0 || t[0].kind != 'a' {
			continue
		}
		word, t := t[0].text, t[1:]
		switch word {
		case "if", "ifdef", "ifndef":
			flush()
			is := false
			if on {
				switch word {
				case "if":
					is = p.condition(t)
				default:
					is = len(t) > 0 && p.defined(t[0].text) == (word == "ifdef")
				}
			}
			s := state{taken: is, now: is, outer: on}
			if word == "ifndef" && len(t) > 0 {
				s.lacks = t[0].text
			}
			ifs = append(ifs, s)
			on = on && is
		case "elif", "else", "elifdef", "elifndef":
			flush()
			if len(ifs) == 0 {
				continue
			}
			s := &ifs[len(ifs)-1]
			is := !s.taken && s.outer
			if is {
				switch word {
				case "elif":
					is = p.condition(t)
				case "elifdef", "elifndef":
					is = len(t) > 0 && p.defined(t[0].text) == (word == "elifdef")
				}
			}
			s.taken, s.now = s.taken || is, is
			on = s.outer && is
		case "endif":
			flush()
			if len(ifs) > 0 {
				on = ifs[len(ifs)-1].outer
				ifs = ifs[:len(ifs)-1]
			}
		}
		if !on {
			continue
		}
		switch word {
		case "define":
			flush()
			_, rest, _ := strings.Cut(trimmed, "define")
			p.define(strings.TrimSpace(rest))
			// A header that is not here may define what this is in place of.
			if m := len(ifs) - 1; p.blind && m >= 0 && len(t) > 0 && ifs[m].lacks == t[0].text {
				p.macros[t[0].text] = &macro{body: lex("value_not_known")}
			}
		case "undef":
			flush()
			if len(t) > 0 {
				delete(p.macros, t[0].text)
			}
		case "pragma":
			flush()
			switch {
			case len(t) > 0 && t[0].text == "pack":
				p.out = append(p.out, token{kind: '#', text: join(t[1:])})
			case len(t) > 0 && t[0].text == "once":
				p.once[file] = true
			}
		case "include", "include_next", "import":
			flush()
			p.includeFile(file, strings.TrimSpace(trimmed[1:]), t, word == "include_next", depth)
		}
	}
	flush()
}

func join(t []token) string {
	var b strings.Builder
	for i, x := range t {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(x.text)
	}
	return b.String()
}

// own are headers whose types are built in: those that come with compilers.
var own = []string{"stddef.h", "stdint.h", "stdbool.h", "stdarg.h", "stdalign.h", "stdnoreturn.h", "float.h", "limits.h", "iso646.h", "stdatomic.h", "inttypes.h"}

func (p *Program) includeFile(from, line string, t []token, next bool, depth int) {
	_, what, _ := strings.Cut(line, " ")
	what = strings.TrimSpace(what)
	if i := strings.IndexAny(line, "\"<"); i >= 0 && (len(t) == 0 || t[0].kind != 'a') {
		what = line[i:]
	} else if e := p.expand(t, 0); len(e) > 0 {
		what = strings.ReplaceAll(join(e), " ", "")
	}
	name, quoted := "", false
	switch {
	case strings.HasPrefix(what, `"`):
		name, _, _ = strings.Cut(what[1:], `"`)
		quoted = true
	case strings.HasPrefix(what, "<"):
		name, _, _ = strings.Cut(what[1:], ">")
	}
	if name == "" {
		return
	}
	if !quoted && slices.Contains(own, name) {
		return
	}
	var dirs []string
	if quoted && from != "" {
		dirs = append(dirs, filepath.Dir(from))
	}
	for _, d := range append(dirs, p.c.Include...) {
		path := filepath.Join(d, filepath.FromSlash(name))
		if p.once[path] {
			return
		}
		if next && path == from {
			continue
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if depth >= maxDepth || p.included >= maxIncludes {
			p.note("too many files are included")
			return
		}
		p.included++
		p.include(path, string(b), depth+1)
		return
	}
	p.blind = true
	if !standard[name] {
		p.note(name + " is not here")
	}
}

// standard are headers without types that mirrors are made of, and whose absence is not worth a word.
var standard = map[string]bool{
	"stdlib.h": true, "stdio.h": true, "string.h": true, "strings.h": true, "errno.h": true, "assert.h": true, "math.h": true, "ctype.h": true,
	"dlfcn.h": true, "unistd.h": true, "signal.h": true, "wchar.h": true, "locale.h": true, "sys/types.h": true,
}

func (p *Program) note(s string) {
	if !slices.Contains(p.Notes, s) && len(p.Notes) < 50 {
		p.Notes = append(p.Notes, s)
	}
}

func (p *Program) define(s string) {
	n := 0
	for n < len(s) && letter(s[n]) {
		n++
	}
	name := s[:n]
	if name == "" || digit(name[0]) {
		return
	}
	m := &macro{}
	rest := s[n:]
	if strings.HasPrefix(rest, "(") {
		inside, after, ok := strings.Cut(rest[1:], ")")
		if !ok {
			return
		}
		m.function = true
		for param := range strings.SplitSeq(inside, ",") {
			if param = strings.TrimSpace(param); param != "" {
				m.params = append(m.params, strings.TrimSpace(param))
			}
		}
		rest = after
	}
	m.body = lex(rest)
	p.macros[name] = m
}

func (p *Program) defined(name string) bool {
	return p.macros[name] != nil
}

// condition evaluates what follows #if.
func (p *Program) condition(t []token) bool {
	var in []token
	for i := 0; i < len(t); i++ {
		switch {
		case t[i].text == "defined":
			j := i + 1
			paren := j < len(t) && t[j].text == "("
			if paren {
				j++
			}
			v := "0"
			if j < len(t) && p.defined(t[j].text) {
				v = "1"
			}
			if paren {
				j++
			}
			in = append(in, token{kind: '0', text: v})
			i = j
		case strings.HasPrefix(t[i].text, "__has_") && i+1 < len(t) && t[i+1].text == "(":
			for i < len(t) && t[i].text != ")" {
				i++
			}
			in = append(in, token{kind: '0', text: "0"})
		default:
			in = append(in, t[i])
		}
	}
	x := parser{p: p, t: p.expand(in, 0), zero: true}
	v, ok := x.expression()
	return ok && v != 0
}

// expand replaces macros, as far as the bounds allow.
func (p *Program) expand(in []token, depth int) []token {
	if depth > maxDepth {
		return in
	}
	var out []token
	stack := [][]token{in}
	pop := func() (token, bool) {
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(*top) == 0 {
				stack = stack[:len(stack)-1]
				continue
			}
			t := (*top)[0]
			*top = (*top)[1:]
			return t, true
		}
		return token{}, false
	}
	peek := func() string {
		for i := len(stack) - 1; i >= 0; i-- {
			if len(stack[i]) > 0 {
				return stack[i][0].text
			}
		}
		return ""
	}
	for {
		t, ok := pop()
		if !ok {
			return out
		}
		m := p.macros[t.text]
		if t.kind != 'a' || m == nil || t.hide.has(t.text) || p.spent > maxTokens || m.function && peek() != "(" {
			out = append(out, t)
			continue
		}
		body := m.body
		if m.function {
			pop() // (
			var args [][]token
			var arg []token
			nest := 0
			for {
				a, ok := pop()
				if !ok {
					break
				}
				if nest == 0 && (a.text == ")" || a.text == ",") && a.kind == '.' {
					if a.text == "," && len(args)+1 == len(m.params) && strings.HasSuffix(m.params[len(m.params)-1], "...") {
						arg = append(arg, a) // all that is left is one argument
						continue
					}
					args = append(args, arg)
					arg = nil
					if a.text == ")" {
						break
					}
					continue
				}
				switch a.text {
				case "(":
					nest++
				case ")":
					nest--
				}
				arg = append(arg, a)
			}
			body = p.substitute(m, args, depth)
		}
		repl := make([]token, len(body))
		for i, b := range body {
			if b.kind == 'a' {
				h := b.hide
				for x := t.hide; x != nil; x = x.next {
					h = &hidden{x.name, h}
				}
				b.hide = &hidden{t.text, h}
			}
			repl[i] = b
		}
		p.spent += len(repl) + 1
		stack = append(stack, repl)
	}
}

func (p *Program) substitute(m *macro, args [][]token, depth int) []token {
	index := func(t token) int {
		if t.kind != 'a' {
			return -1
		}
		for i, name := range m.params {
			if t.text == name || t.text == "__VA_ARGS__" && strings.HasSuffix(name, "...") || name == t.text+"..." {
				return i
			}
		}
		return -1
	}
	argument := func(i int) []token {
		if i < len(args) {
			return args[i]
		}
		return nil
	}
	var out []token
	for i := 0; i < len(m.body); i++ {
		t := m.body[i]
		pasted := i > 0 && m.body[i-1].text == "##" || i+1 < len(m.body) && m.body[i+1].text == "##"
		switch n := index(t); {
		case t.text == "#" && i+1 < len(m.body) && index(m.body[i+1]) >= 0:
			out = append(out, token{kind: '"', text: `"` + join(argument(index(m.body[i+1]))) + `"`})
			i++
		case n >= 0 && pasted:
			out = append(out, argument(n)...)
		case n >= 0:
			out = append(out, p.expand(argument(n), depth+1)...)
		case t.text == "##" && len(out) > 0 && i+1 < len(m.body):
			i++
			next := []token{m.body[i]}
			if n := index(m.body[i]); n >= 0 {
				next = argument(n)
			}
			if len(next) > 0 {
				last := &out[len(out)-1]
				if glued := lex(last.text + next[0].text); len(glued) > 0 {
					*last = glued[0]
				}
				out = append(out, next[1:]...)
			}
		default:
			out = append(out, t)
		}
		if len(out) > maxTokens {
			return out
		}
	}
	return out
}
