package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// Mismatch says in what two schemas differ. It wraps [isthmus.ErrVersion].
type Mismatch struct {
	Differences []Difference
}

// Difference is one thing that two sides do not agree on.
type Difference struct {
	Where     string   // such as "Blob.note"
	Host, Lib string   // what each side has there, such as "utf8" and "bytes"; "none" where it has nothing
	Methods   []string // those that reach it
}

// Error names every difference: schema mismatch: Blob.note host=utf8 lib=bytes (methods echo, log).
func (m *Mismatch) Error() string {
	if m == nil || len(m.Differences) == 0 {
		return "schema mismatch"
	}
	var parts []string
	for _, d := range m.Differences {
		part := fmt.Sprintf("%s host=%s lib=%s", d.Where, d.Host, d.Lib)
		if len(d.Methods) > 0 {
			part += " (methods " + strings.Join(d.Methods, ", ") + ")"
		}
		parts = append(parts, part)
	}
	return "schema mismatch: " + strings.Join(parts, "; ") + "; generate the host's module from this library again: isthmus bridge gen"
}

// Unwrap returns [isthmus.ErrVersion].
func (m *Mismatch) Unwrap() error { return isthmus.ErrVersion }

// Accepts says whether a library with this schema serves a host that was generated from host: nil, or a [Mismatch].
//
// Every method of the host must be here, with types that fit: fields and alternatives are the same in name, order and type.
// An extensible struct may have more trailing options on either side, and an open sum more alternatives. Methods that only
// the library has do no harm.
func (s *Schema) Accepts(host *Schema) error {
	if s == nil || host == nil {
		return fmt.Errorf("schema: none: %w", isthmus.ErrInvalid)
	}
	c := comparison{host: host, lib: s, found: map[string]*Difference{}}
	if host.Name != s.Name {
		c.note("", "bridge", host.Name, s.Name)
	}
	for i := range host.Methods {
		h := &host.Methods[i]
		l := s.Method(h.Name)
		switch {
		case l == nil:
			c.note("", "method "+h.Name, h.kindText(), "none")
			continue
		case h.Kind != l.Kind || h.Inline && !l.Inline:
			c.note("", "method "+h.Name, h.kindText(), l.kindText())
			continue
		}
		c.method, c.seen = h.Name, map[string]bool{}
		c.types(h.Name+" argument", h.In, l.In)
		c.types(h.Name+" reply", h.Out, l.Out)
	}
	if len(c.order) == 0 {
		return nil
	}
	m := &Mismatch{}
	for _, where := range c.order {
		m.Differences = append(m.Differences, *c.found[where])
	}
	return m
}

func (m *Method) kindText() string {
	if m.Inline {
		return "inline " + m.Kind.String()
	}
	return m.Kind.String()
}

type comparison struct {
	host, lib *Schema
	method    string
	seen      map[string]bool // types that this method has reached
	found     map[string]*Difference
	order     []string
}

func (c *comparison) note(method, where, host, lib string) {
	d := c.found[where]
	if d == nil {
		d = &Difference{Where: where, Host: host, Lib: lib}
		c.found[where] = d
		c.order = append(c.order, where)
	}
	if method != "" && !slices.Contains(d.Methods, method) {
		d.Methods = append(d.Methods, method)
	}
}

func (c *comparison) types(where string, h, l Type) {
	if h.String() != l.String() {
		c.note(c.method, where, h.String(), l.String())
		return
	}
	for h.Elem != nil {
		h = *h.Elem
	}
	if h.Kind == Named && !c.seen[h.Name] {
		c.seen[h.Name] = true
		c.defs(c.host.Def(h.Name), c.lib.Def(h.Name))
	}
}

func (c *comparison) defs(h, l *Def) {
	if h == nil || l == nil {
		return // Validate refuses a name without a type
	}
	if h.form() != l.form() {
		c.note(c.method, h.Name, h.form(), l.form())
		return
	}
	for i := range max(len(h.Fields), len(l.Fields)) {
		switch {
		case i >= len(h.Fields):
			if f := l.Fields[i]; !h.Open || f.Type.Kind != Opt {
				c.note(c.method, h.Name+"."+f.Name, "none", f.Type.String())
			}
		case i >= len(l.Fields):
			if f := h.Fields[i]; !h.Open || f.Type.Kind != Opt {
				c.note(c.method, h.Name+"."+f.Name, f.Type.String(), "none")
			}
		case h.Fields[i].Name != l.Fields[i].Name:
			c.note(c.method, fmt.Sprintf("%s field %d", h.Name, i), h.Fields[i].Name, l.Fields[i].Name)
			return
		default:
			c.types(h.Name+"."+h.Fields[i].Name, h.Fields[i].Type, l.Fields[i].Type)
		}
	}
	at := func(alts []string, i int) string {
		if i < len(alts) {
			return alts[i]
		}
		return "none"
	}
	for i := range max(len(h.Alts), len(l.Alts)) {
		ha, la := at(h.Alts, i), at(l.Alts, i)
		switch {
		case ha == la:
			c.types(h.Name+"."+ha, Type{Kind: Named, Name: ha}, Type{Kind: Named, Name: la})
		case !h.Open || i < min(len(h.Alts), len(l.Alts)):
			c.note(c.method, fmt.Sprintf("%s alternative %d", h.Name, i), ha, la)
		}
	}
}

func (d *Def) form() string {
	form := "struct"
	if d.Sum {
		form = "sum"
	}
	switch {
	case d.Open && d.Sum:
		return "open sum"
	case d.Open:
		return "extensible struct"
	}
	return form
}

// Follows says whether this schema may follow lock, an earlier one that hosts were generated from: nil when a host of the
// earlier one can use this library, or when Version was counted up; a [Mismatch] otherwise. Adding methods, trailing options
// of extensible structs and alternatives of open sums is fine, and nothing else.
func (s *Schema) Follows(lock *Schema) error {
	if s == nil || lock == nil {
		return fmt.Errorf("schema: none: %w", isthmus.ErrInvalid)
	}
	if s.Version > lock.Version {
		return nil
	}
	if s.Version < lock.Version {
		return fmt.Errorf("schema: version %d follows %d: %w", s.Version, lock.Version, isthmus.ErrVersion)
	}
	// A trailing option or an alternative that went away would leave bytes of an older host unread.
	c := comparison{host: lock, lib: s, found: map[string]*Difference{}}
	for _, old := range lock.Defs {
		now := s.Def(old.Name)
		if now == nil || !old.Open || now.form() != old.form() {
			continue
		}
		for _, f := range old.Fields[min(len(old.Fields), len(now.Fields)):] {
			c.note("", old.Name+"."+f.Name, f.Type.String(), "none")
		}
		for _, a := range old.Alts[min(len(old.Alts), len(now.Alts)):] {
			c.note("", old.Name+"."+a, a, "none")
		}
	}
	if len(c.order) > 0 {
		m := &Mismatch{}
		for _, where := range c.order {
			m.Differences = append(m.Differences, *c.found[where])
		}
		return m
	}
	return s.Accepts(lock)
}
