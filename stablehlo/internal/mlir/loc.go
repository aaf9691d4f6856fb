package mlir

import (
	"strconv"
	"strings"
)

// loc is what a location says: where in the producer's source, and in which named scope.
type loc struct {
	text  string
	alias string // not defined yet when it was read
}

type pendingLoc struct {
	op   *Op
	name string
	off  int
}

// opLocation reads loc(…) behind an operation if it stands there.
func (p *parser) opLocation(o *Op) {
	if p.peek() != 'l' || !p.atWord("loc") {
		return
	}
	at := p.i
	l := p.location()
	if l.alias != "" {
		p.pending = append(p.pending, pendingLoc{o, l.alias, at})
		return
	}
	o.Loc = l.text
}

// location reads loc(…).
func (p *parser) location() loc {
	p.expectWord("loc")
	p.expectByte('(')
	l := p.locBody()
	p.expectByte(')')
	return l
}

func (p *parser) locBody() loc {
	p.enter()
	defer p.leave()
	p.node(1)
	switch c := p.peek(); {
	case c == '#':
		p.i++
		w := p.suffix("the name of an alias after #")
		if l, ok := p.locs[string(w)]; ok {
			return l
		}
		return loc{alias: p.intern(w)}
	case c == '"':
		return p.namedLoc()
	case p.eatWord("unknown"):
		return loc{}
	case p.eatWord("callsite"):
		p.expectByte('(')
		callee := p.locBody()
		p.expectWord("at")
		p.locBody()
		p.expectByte(')')
		return callee
	case p.eatWord("fused"):
		if p.peek() == '<' {
			p.balanced()
		}
		p.expectByte('[')
		var first loc
		for i := 0; ; i++ {
			l := p.locBody()
			if i == 0 || first.text == "" && first.alias == "" {
				first = l
			}
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte(']')
		return first
	case p.eatWord("loc"):
		p.expectByte('(')
		l := p.locBody()
		p.expectByte(')')
		return l
	}
	p.want("a location")
	return loc{}
}

// namedLoc reads "file":line:col, with a range behind it or not, "name" or "name"(location).
func (p *parser) namedLoc() loc {
	s := p.str()
	switch {
	case p.eatByte(':'):
		line := p.uint("a line")
		var b strings.Builder
		b.WriteString(s)
		b.WriteByte(':')
		b.WriteString(strconv.FormatInt(line, 10))
		if p.eatByte(':') {
			b.WriteByte(':')
			b.WriteString(strconv.FormatInt(p.uint("a column"), 10))
		}
		if p.eatWord("to") {
			if p.peek() != ':' {
				p.uint("a line")
			}
			p.expectByte(':')
			p.uint("a column")
		}
		return loc{text: b.String()}
	case p.eatByte('('):
		inner := p.locBody()
		p.expectByte(')')
		if inner.text != "" && len(inner.text) < 1000 {
			s += " at " + inner.text
		}
	}
	return loc{text: s}
}

// resolveLocs fills in the locations whose aliases stand behind their uses.
func (p *parser) resolveLocs() {
	for _, l := range p.pending {
		name := l.name
		for range 100 { // an alias can name another one
			r, ok := p.locs[name]
			if !ok {
				p.fail(l.off, "location alias #%s is not defined", name)
			}
			if r.alias == "" {
				l.op.Loc = r.text
				break
			}
			name = r.alias
		}
	}
}
