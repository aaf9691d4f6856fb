package gen

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode"

	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// doc is the lines of a comment, without what no compiler wants in one.
func (w *writer) doc(key string) []string {
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar: // controls, and marks of direction
			return -1
		}
		return r
	}, w.s.Docs[key]))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// and puts a line of facts below a comment.
func and(lines []string, fact string) []string {
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return append(lines, fact)
}

// typeDoc is the comment of a type, with what the schema says of it.
func (w *writer) typeDoc(d *schema.Def) []string {
	fact := fmt.Sprintf("It has at least %d bytes on the wire.", w.s.MinSize(schema.Type{Kind: schema.Named, Name: d.Name}))
	switch {
	case d.Sum && d.Open:
		fact += " Newer sides may have more alternatives."
	case d.Open:
		fact += " Newer sides may have more fields behind the last, which older ones pass over."
	}
	return and(w.doc(d.Name), fact)
}

// methodDoc is the comment of a method, with its line in the schema.
func (w *writer) methodDoc(m *schema.Method) []string {
	return and(w.doc(m.Name), strings.TrimSpace(m.Line()))
}

// rangeOf is what a number can be, for languages whose types do not say it.
func rangeOf(t schema.Type) string {
	switch k := t.Kind; {
	case k >= schema.U8 && k <= schema.U64:
		return fmt.Sprintf("%s: 0 to %d", k, uint64(math.MaxUint64)>>(64-8<<(k-schema.U8)))
	case k >= schema.I8 && k <= schema.I64:
		most := int64(math.MaxInt64) >> (64 - 8<<(k-schema.I8))
		return fmt.Sprintf("%s: %d to %d", k, -most-1, most)
	case k == schema.F32:
		return "f32: rounded to single precision"
	case k == schema.Opt || k == schema.List:
		return rangeOf(*t.Elem)
	}
	return ""
}

// lines writes a comment, line by line.
func (w *writer) lines(lines []string, first, other string, escape func(string) string) {
	for i, l := range lines {
		lead := other
		if i == 0 {
			lead = first
		}
		w.p("%s\n", strings.TrimRight(lead+escape(l), " "))
	}
}

// commentC writes a comment in C.
func (w *writer) commentC(indent string, lines []string) {
	if len(lines) == 0 {
		return
	}
	body := strings.Join(lines, "\n"+indent+" * ")
	body = strings.NewReplacer("*/", "* /", "/*", "/ *").Replace(strings.ReplaceAll(body, " * \n", " *\n"))
	w.p("%s/* %s */\n", indent, body)
}

// What haddock would take for markup: characters, a first character of a line, and a name in quotes.
var (
	markup = regexp.MustCompile("[\\\\/\"@<`#]|^[>$]")
	linked = regexp.MustCompile(`'([^' ]+)'`)
)

// commentHaskell writes a comment that haddock reads: mark is | before what it is of, ^ behind.
func (w *writer) commentHaskell(indent, mark string, lines []string) {
	w.lines(lines, indent+"-- "+mark+" ", indent+"-- ", func(s string) string {
		return linked.ReplaceAllString(markup.ReplaceAllString(s, `\$0`), `\'$1\'`)
	})
}

// commentPython writes a comment that Sphinx reads.
func (w *writer) commentPython(indent string, lines []string) {
	w.lines(lines, indent+"#: ", indent+"#: ", func(s string) string { return s })
}

// docstring is what documents a function or class in Python.
func docstring(indent string, lines []string) string {
	text := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.Join(lines, "\n"))
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\n", "\n"+indent), "\n"+indent+"\n", "\n\n")
	end := ""
	if len(lines) > 1 {
		end = "\n" + indent
	}
	return fmt.Sprintf("%s\"\"\"%s%s\"\"\"\n", indent, text, end)
}

// commentRust writes a comment that rustdoc reads. Nothing in it is an example that would be compiled.
func (w *writer) commentRust(indent string, lines []string) {
	w.lines(lines, indent+"/// ", indent+"/// ", func(s string) string { return strings.ReplaceAll(strings.TrimLeft(s, " "), "```", "") })
}
