// Package gen writes what hosts of a bridge need from its schema: types, codecs and methods in C, Haskell, Python and Rust.
// Every codec is total and strict, as package wire is, and writes the same bytes.
package gen

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// File is something that was generated.
type File struct {
	Name string // its base name
	Text string
}

// Languages are those that [Generate] knows.
func Languages() []string { return []string{"c", "haskell", "python", "rust"} }

// Generate writes the module of a language for a bridge. Errors: [isthmus.ErrUnsupported] for a language that is not of
// [Languages], [isthmus.ErrInvalid] for a schema of which two things would have one name there.
func Generate(language string, s *schema.Schema) (File, error) {
	if s == nil {
		return File{}, fmt.Errorf("gen: no schema: %w", isthmus.ErrInvalid)
	}
	if err := clash(language, s); err != nil {
		return File{}, err
	}
	w := &writer{s: s}
	switch language {
	case "c":
		return File{s.Name + "_bridge.h", w.c()}, nil
	case "haskell":
		return File{upper(s.Name) + "Bridge.hs", w.haskell()}, nil
	case "python":
		return File{s.Name + "_bridge.py", w.python()}, nil
	case "rust":
		return File{s.Name + "_bridge.rs", w.rust()}, nil
	}
	return File{}, fmt.Errorf("gen: language %q: %w; there are %s", language, isthmus.ErrUnsupported, strings.Join(Languages(), ", "))
}

// clash says which two things of a schema, different by its own names, have one name in the language.
func clash(language string, s *schema.Schema) (err error) {
	of := map[string]string{}
	add := func(scope, name, what string) {
		if first, ok := of[scope+" "+name]; ok && err == nil {
			err = fmt.Errorf("gen: %s and %s would both be %s in %s: %w; rename one", first, what, name, language, isthmus.ErrInvalid)
		}
		of[scope+" "+name] = what
	}
	for _, m := range s.Methods {
		what := "method " + m.Name
		switch language {
		case "c", "rust":
			add("", constant(m.Name), what)
		case "python":
			add("", snake(m.Name), what)
			if m.Kind == schema.Call {
				add("", snake(m.Name)+"_async", what)
			}
		case "haskell":
			add("", "m"+upper(m.Name), what)
		}
	}
	for _, d := range s.Defs {
		for _, f := range d.Fields {
			what := "field " + d.Name + "." + f.Name
			switch language {
			case "python", "rust":
				add(d.Name, snake(f.Name), what)
			case "haskell":
				add("", lower(d.Name)+upper(f.Name), what)
			}
		}
		for _, a := range d.Alts {
			if what := "alternative " + a + " of " + d.Name; language == "c" {
				add(d.Name, snake(a), what)
				add("", constant(d.Name)+"_"+constant(a), what)
			}
		}
	}
	return err
}

type writer struct {
	s *schema.Schema
	b strings.Builder
}

func (w *writer) p(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

// must is the number of fields before which nothing may be missing.
func must(d *schema.Def) int {
	n := len(d.Fields)
	for n > 0 && d.Fields[n-1].Type.Kind == schema.Opt {
		n--
	}
	return n
}

// order is the structs and sums, those that others hold by value first.
func (w *writer) order() []*schema.Def {
	var out []*schema.Def
	done := map[string]bool{}
	var visit func(d *schema.Def)
	visit = func(d *schema.Def) {
		if done[d.Name] {
			return
		}
		done[d.Name] = true
		for _, f := range d.Fields {
			if in := w.s.Def(f.Type.Name); in != nil {
				visit(in)
			}
		}
		out = append(out, d)
	}
	for _, d := range w.s.Defs {
		visit(d)
	}
	return out
}

// composites are the list and option types, inner ones first.
func (w *writer) composites() []schema.Type {
	var out []schema.Type
	done := map[string]bool{}
	var visit func(t schema.Type)
	visit = func(t schema.Type) {
		if t.Elem == nil || done[t.String()] {
			return
		}
		done[t.String()] = true
		visit(*t.Elem)
		out = append(out, t)
	}
	for _, d := range w.s.Defs {
		for _, f := range d.Fields {
			visit(f.Type)
		}
	}
	for _, m := range w.s.Methods {
		visit(m.In)
		visit(m.Out)
	}
	return out
}

func mangle(t schema.Type) string {
	return strings.TrimRight(strings.NewReplacer("<", "_", ">", "").Replace(t.String()), "_")
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// snake is urlPath as url_path.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// constant is urlPath as URL_PATH.
func constant(s string) string { return strings.ToUpper(snake(s)) }

var reserved = map[string][]string{
	"c":      strings.Fields("auto bool break case catch char class const continue default delete do double else enum extern false float for friend goto if inline int long namespace new operator private protected public register restrict return short signed sizeof static struct switch template this throw true try typedef typename union unsigned using virtual void volatile while"),
	"rust":   strings.Fields("as async await box break const continue crate do dyn else enum extern false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof unsafe unsized use virtual where while yield abstract become"),
	"python": strings.Fields("and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case type self"),
}

// name is a name that the language does not have for itself.
func name(language, s string) string {
	if slices.Contains(reserved[language], s) {
		return s + "_"
	}
	return s
}

func quoted(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "    %q\n", line)
	}
	return b.String()
}
