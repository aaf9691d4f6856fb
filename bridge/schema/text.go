package schema

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// format is the first line of every schema's text: a change of the wire counts it up.
const format = "isthmus-bridge 1"

// Limits of a schema that is parsed: it may come from a host.
const (
	maxText  = 1 << 20
	maxNames = 4096
	maxAlts  = 256
)

var (
	typeName   = regexp.MustCompile(`^[A-Z][A-Za-z0-9_]{0,63}$`)
	memberName = regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,63}$`)
)

// Text is the schema in its canonical form: one line a type and one a method, sorted, so that the order of registration
// does not matter. [Parse] reads it.
func (s *Schema) Text() string {
	if s == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nbridge %s %d\n", format, s.Name, s.Version)
	for _, d := range s.Defs {
		b.WriteString(d.line())
	}
	for i := range s.Methods {
		b.WriteString(s.Methods[i].Line())
	}
	return b.String()
}

func (d *Def) line() string {
	var b strings.Builder
	if d.Sum {
		if d.Open {
			b.WriteString("open ")
		}
		fmt.Fprintf(&b, "sum %s", d.Name)
		for _, a := range d.Alts {
			b.WriteString(" " + a)
		}
	} else {
		if d.Open {
			b.WriteString("extensible ")
		}
		fmt.Fprintf(&b, "struct %s", d.Name)
		for _, f := range d.Fields {
			fmt.Fprintf(&b, " %s:%s", f.Name, f.Type)
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// Line is the method in the schema's text.
func (m *Method) Line() string {
	if m == nil {
		return ""
	}
	inline := ""
	if m.Inline {
		inline = "inline "
	}
	if m.Kind == Call {
		return fmt.Sprintf("%scall %s %s %s\n", inline, m.Name, m.In, m.Out)
	}
	return fmt.Sprintf("%s %s %s\n", m.Kind, m.Name, m.In)
}

// Print is 16 bytes that stand for a text: the first of its SHA-256.
type Print [16]byte

// String is the print in hexadecimal digits.
func (p Print) String() string { return fmt.Sprintf("%x", p[:]) }

func printOf(text string) Print {
	sum := sha256.Sum256([]byte(text))
	return Print(sum[:16])
}

// Fingerprint is the print of the whole text.
func (s *Schema) Fingerprint() Print { return printOf(s.Text()) }

// MethodPrint is the print of a method and every type that it reaches; zero when there is no such method.
func (s *Schema) MethodPrint(name string) Print {
	m := s.Method(name)
	if m == nil {
		return Print{}
	}
	text := format + "\n" + m.Line()
	for _, name := range s.reach(m) {
		if d := s.Def(name); d != nil {
			text += d.line()
		}
	}
	return printOf(text)
}

// reach is the sorted names of all structs and sums that a method can carry.
func (s *Schema) reach(m *Method) []string {
	seen := map[string]bool{}
	var walk func(t Type)
	walk = func(t Type) {
		if t.Elem != nil {
			walk(*t.Elem)
		}
		d := s.Def(t.Name)
		if d == nil || seen[t.Name] {
			return
		}
		seen[t.Name] = true
		for _, f := range d.Fields {
			walk(f.Type)
		}
		for _, a := range d.Alts {
			walk(Type{Kind: Named, Name: a})
		}
	}
	walk(m.In)
	walk(m.Out)
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// ID is the number by which hosts name a method at the C boundary: it depends on the name alone, so that it stays when
// methods are added.
func (m *Method) ID() uint32 {
	if m == nil {
		return 0
	}
	return MethodID(m.Name)
}

// MethodID is the number of the method of that name, never 0. [Schema.Validate] refuses two names with one number.
func MethodID(name string) uint32 {
	sum := sha256.Sum256([]byte(name))
	return uint32(sum[0]) | uint32(sum[1])<<8 | uint32(sum[2])<<16 | uint32(sum[3])<<24 | 1
}

// Parse reads the text of a schema; what [Schema.Text] would not write is an error, with its line. It is total and bounded:
// the text may come from a host.
func Parse(text string) (*Schema, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("schema: %d bytes of text: %w; at most %d", len(text), isthmus.ErrLimit, maxText)
	}
	bad := func(n int, why string, args ...any) error {
		return fmt.Errorf("schema: line %d: %s: %w", n+1, fmt.Sprintf(why, args...), isthmus.ErrInvalid)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != format {
		if strings.HasPrefix(lines[0], "isthmus-bridge ") {
			return nil, fmt.Errorf("schema: it is of format %.32q: %w; this side has %q", lines[0], isthmus.ErrVersion, format)
		}
		return nil, bad(0, "it begins with %.32q, not with %q", lines[0], format)
	}
	s := &Schema{}
	for n, line := range lines[1:] {
		n++
		words := strings.Split(line, " ")
		if n == 1 {
			v, err := strconv.ParseUint(words[len(words)-1], 10, 32)
			if len(words) != 3 || words[0] != "bridge" || err != nil {
				return nil, bad(n, "%.64q is not: bridge NAME VERSION", line)
			}
			s.Name, s.Version = words[1], uint32(v)
			continue
		}
		mark := ""
		switch words[0] {
		case "open", "extensible", "inline":
			mark, words = words[0], words[1:]
		}
		if len(words) < 2 {
			return nil, bad(n, "%.64q has no name", line)
		}
		name, rest := words[1], words[2:]
		types := func(want int) ([]Type, error) {
			if len(rest) != want {
				return nil, bad(n, "%.64q has %d types, want %d", line, len(rest), want)
			}
			var ts []Type
			for _, w := range rest {
				t, err := parseType(w, 0)
				if err != nil {
					return nil, bad(n, "%v", err)
				}
				ts = append(ts, t)
			}
			return ts, nil
		}
		switch key := mark + " " + words[0]; key {
		case " struct", "extensible struct":
			d := &Def{Name: name, Open: mark != ""}
			for _, w := range rest {
				f, t, ok := strings.Cut(w, ":")
				if !ok {
					return nil, bad(n, "%.64q is not NAME:TYPE", w)
				}
				typ, err := parseType(t, 0)
				if err != nil {
					return nil, bad(n, "%v", err)
				}
				d.Fields = append(d.Fields, Field{f, typ})
			}
			s.Defs = append(s.Defs, d)
		case " sum", "open sum":
			s.Defs = append(s.Defs, &Def{Name: name, Sum: true, Alts: rest, Open: mark != ""})
		case " call", "inline call":
			ts, err := types(2)
			if err != nil {
				return nil, err
			}
			s.Methods = append(s.Methods, Method{Name: name, Kind: Call, Inline: mark != "", In: ts[0], Out: ts[1]})
		case " cast", " event":
			ts, err := types(1)
			if err != nil {
				return nil, err
			}
			kind := Cast
			if words[0] == "event" {
				kind = Event
			}
			s.Methods = append(s.Methods, Method{Name: name, Kind: kind, In: ts[0]})
		default:
			return nil, bad(n, "%.64q is nothing that a schema has", line)
		}
		if len(s.Defs)+len(s.Methods) > maxNames {
			return nil, fmt.Errorf("schema: %w: more than %d names", isthmus.ErrLimit, maxNames)
		}
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Text() != text {
		return nil, fmt.Errorf("schema: the text is not in its canonical form, sorted and with single spaces: %w", isthmus.ErrInvalid)
	}
	return s, nil
}

func parseType(text string, depth int) (Type, error) {
	if depth > MaxDepth {
		return Type{}, fmt.Errorf("a type is nested more than %d deep", MaxDepth)
	}
	for k := U8; k <= UTF8; k++ {
		if kindNames[k] == text {
			return Type{Kind: k}, nil
		}
	}
	for _, k := range []Kind{List, Opt} {
		if in, ok := strings.CutPrefix(text, kindNames[k]+"<"); ok {
			in, ok = strings.CutSuffix(in, ">")
			if !ok {
				return Type{}, fmt.Errorf("%.64q does not end with >", text)
			}
			elem, err := parseType(in, depth+1)
			if err != nil {
				return Type{}, err
			}
			return Type{Kind: k, Elem: &elem}, nil
		}
	}
	if !typeName.MatchString(text) {
		return Type{}, fmt.Errorf("%.64q is no type", text)
	}
	return Type{Kind: Named, Name: text}, nil
}

// Validate says what is wrong with a schema: names that are no identifiers or double, types that are missing, lists whose
// elements have no bytes, and what the text could not hold.
func (s *Schema) Validate() error {
	if s == nil {
		return fmt.Errorf("schema: none: %w", isthmus.ErrInvalid)
	}
	bad := func(why string, args ...any) error {
		return fmt.Errorf("schema: %s: %w", fmt.Sprintf(why, args...), isthmus.ErrInvalid)
	}
	if !memberName.MatchString(s.Name) {
		return bad("the bridge's name %.64q is not a lower-case identifier", s.Name)
	}
	defs := map[string]*Def{}
	for _, d := range s.Defs {
		if defs[d.Name] != nil {
			return bad("type %s is there twice", d.Name)
		}
		if !typeName.MatchString(d.Name) {
			return bad("%.64q is not the name of a type: an upper-case identifier of at most 64 letters", d.Name)
		}
		defs[d.Name] = d
	}
	var known func(where string, t Type) error
	known = func(where string, t Type) error {
		switch t.Kind {
		case Named:
			if defs[t.Name] == nil {
				return bad("%s: there is no type %.64q", where, t.Name)
			}
		case List, Opt:
			if t.Elem == nil {
				return bad("%s: %s of nothing", where, t.Kind)
			}
			if t.Kind == List && s.MinSize(*t.Elem) == 0 {
				return bad("%s: the elements of %s have no bytes, so that a count could be anything; give them a field", where, t)
			}
			return known(where, *t.Elem)
		case invalid:
			return bad("%s has no type", where)
		}
		return nil
	}
	for _, d := range s.Defs {
		names := map[string]bool{}
		for _, f := range d.Fields {
			if !memberName.MatchString(f.Name) {
				return bad("%s.%.64q: the name of a field is a lower-case identifier", d.Name, f.Name)
			}
			if names[f.Name] {
				return bad("%s.%s is there twice", d.Name, f.Name)
			}
			names[f.Name] = true
			if err := known(d.Name+"."+f.Name, f.Type); err != nil {
				return err
			}
		}
		if d.Sum && (len(d.Alts) == 0 || len(d.Alts) > maxAlts) {
			return bad("sum %s has %d alternatives; 1 to %d", d.Name, len(d.Alts), maxAlts)
		}
		for _, a := range d.Alts {
			if names[a] {
				return bad("sum %s has %s twice", d.Name, a)
			}
			names[a] = true
			if alt := defs[a]; alt == nil || alt.Sum {
				return bad("sum %s: %.64q is not a struct of this schema", d.Name, a)
			}
		}
		if err := s.finite(d, nil); err != nil {
			return err
		}
	}
	methods, ids := map[string]bool{}, map[uint32]string{}
	for i := range s.Methods {
		m := &s.Methods[i]
		if !memberName.MatchString(m.Name) {
			return bad("the method's name %.64q is not a lower-case identifier", m.Name)
		}
		if methods[m.Name] {
			return bad("method %s is there twice", m.Name)
		}
		methods[m.Name] = true
		if other := ids[m.ID()]; other != "" {
			return bad("methods %s and %s have the same number by chance; rename one", other, m.Name)
		}
		ids[m.ID()] = m.Name
		if err := known(m.Name, m.In); err != nil {
			return err
		}
		if m.Kind == Call {
			if err := known(m.Name, m.Out); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(s.Defs, func(a, b *Def) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Methods, func(a, b Method) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// finite refuses structs that hold themselves without an option, list or sum between.
func (s *Schema) finite(d *Def, under []string) error {
	if slices.Contains(under, d.Name) {
		return fmt.Errorf("schema: struct %s holds itself (%s): %w; put an option or a list between", d.Name, strings.Join(append(under, d.Name), " > "), isthmus.ErrInvalid)
	}
	if len(under) > MaxDepth {
		return fmt.Errorf("schema: struct %s is nested more than %d deep: %w", under[0], MaxDepth, isthmus.ErrInvalid)
	}
	for _, f := range d.Fields {
		if in := s.Def(f.Type.Name); in != nil && !in.Sum {
			if err := s.finite(in, append(slices.Clip(under), d.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}
