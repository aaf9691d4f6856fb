package layer

import (
	"fmt"
	"strings"
	"unicode"
)

// Kind is a kind of object, by its place in [Spec.Kinds]. 0 is none.
type Kind uint8

// Act is what a call does with an object.
type Act uint8

const (
	_ Act = iota
	// Use needs the object alive.
	Use
	// Destroy ends it.
	Destroy
	// Delete takes its contents; the object itself remains.
	Delete
	// Create makes it, for the caller to destroy.
	Create
	// Borrow gives the caller an object that belongs to another one.
	Borrow
	// Nested is no object but a struct that begins with its size.
	Nested
	// Seen is left to the functions of the API's own, [Func.Before] and [Func.After].
	Seen
	// Retain takes one more count of it, in an API that counts: see [Counted].
	Retain
)

// Op is what a function does with one of its arguments.
type Op struct {
	Act      Act
	Field    string
	Kind     Kind
	Null     bool    // it may be null
	Contents bool    // its contents are used
	Loose    bool    // it may end while the call runs
	Off      uintptr // in the argument struct
	Count    uintptr // where the length of a list stands, 0 for a single object
	From     int     // the op whose object this one belongs to, -1 for none
	Root     bool    // it belongs to that object's root
	Deleter  uintptr // where the function that destroys it stands, 0 for none
	Size     uintptr // of a nested struct
}

// Func is a function of the API.
type Func struct {
	Name  string
	ID    int     // the front end's own number
	Size  uintptr // of the argument struct, which begins with its size; 0 for one that does not
	Least uintptr // the size that the objects in it need at least
	Void  bool    // it returns nothing
	Spent bool    // what it destroys is gone when it fails too
	Last  bool    // it ends all objects: those that somebody has to end himself are leaks
	// Records says that the call makes, ends or deletes objects, so that the place that makes it is worth knowing.
	Records bool
	Ops     []Op
	// Before and After see to what the ops do not say. Either may be nil; Before may refuse.
	Before func(*Call)
	After  func(c *Call, failed bool)
}

// Field is a field of an argument struct.
type Field struct {
	Name   string
	Offset uintptr
}

// Struct is the layout of an argument struct.
type Struct struct {
	Size   uintptr
	Fields []Field
}

// Spec is what an API's functions do with objects.
type Spec struct {
	Prefix string // of the API's C names and of the rules' ids, such as PJRT_ and pjrt
	Kinds  []string
	Funcs  map[string]*Func
}

// Kind finds a kind by its name.
func (s *Spec) Kind(name string) Kind {
	for i, k := range s.Kinds {
		if k == name {
			return Kind(i)
		}
	}
	return 0
}

func (s *Spec) kind(name string) Kind {
	if k := s.Kind(name); k != 0 {
		return k
	}
	s.Kinds = append(s.Kinds, name)
	return Kind(len(s.Kinds) - 1)
}

// Parse reads a spec: see the head of a .spec file for its language. layout finds a struct by the name that a line or a
// nested field gives. size is the size that a nested struct states.
func Parse(text string, layout func(name string) (Struct, bool)) (*Spec, error) {
	s := &Spec{Kinds: []string{""}, Funcs: map[string]*Func{}}
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, ":")
		f, err := s.parse(name, strings.Fields(rest), layout)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n+1, name, err)
		}
		if s.Funcs[name] != nil {
			return nil, fmt.Errorf("line %d: %s stands twice", n+1, name)
		}
		s.Funcs[name] = f
	}
	return s, nil
}

func (s *Spec) parse(name string, words []string, layout func(string) (Struct, bool)) (*Func, error) {
	args, ok := layout(name)
	if !ok {
		return nil, fmt.Errorf("there is no such struct")
	}
	at := func(field string) (uintptr, error) {
		for _, f := range args.Fields {
			if f.Name == field {
				return f.Offset, nil
			}
		}
		return 0, fmt.Errorf("there is no field %s", field)
	}
	f := &Func{Name: name}
	if _, err := at("struct_size"); err == nil {
		f.Size, f.Least = args.Size, 8
	}
	for _, w := range words {
		if w == "spent" {
			f.Spent = true
			continue
		}
		if w == "void" {
			f.Void = true
			continue
		}
		if w == "last" {
			f.Last = true
			continue
		}
		op, more, err := s.op(f, w)
		if err != nil {
			return nil, err
		}
		if op.Off, err = at(op.Field); err != nil {
			return nil, err
		}
		if more.count != "" {
			if op.Count, err = at(more.count); err != nil {
				return nil, err
			}
		}
		if more.deleter != "" {
			if op.Deleter, err = at(more.deleter); err != nil {
				return nil, err
			}
		}
		if op.Act == Nested {
			l, ok := layout(more.kind)
			if !ok {
				return nil, fmt.Errorf("there is no struct %s", more.kind)
			}
			op.Size = l.Size
		} else {
			op.Kind = s.kind(more.kind)
		}
		if f.Size != 0 && (op.Act == Use && !op.Null || op.Act == Destroy || op.Act == Delete) {
			f.Least = max(f.Least, op.Off+8)
		}
		f.Records = f.Records || op.Act == Create || op.Act == Destroy || op.Act == Delete || op.Act == Seen
		f.Ops = append(f.Ops, op)
	}
	return f, nil
}

type more struct{ count, kind, deleter string }

// op reads one word of a line.
func (s *Spec) op(f *Func, w string) (Op, more, error) {
	op, m := Op{Act: Use, From: -1}, more{}
	acts := map[byte]Act{'-': Destroy, '~': Delete, '+': Create, '=': Borrow, '%': Nested, '*': Seen, '&': Retain}
	if a, ok := acts[w[0]]; ok {
		op.Act, w = a, w[1:]
	}
	field, kind, ok := strings.Cut(w, ":")
	if !ok {
		return op, m, fmt.Errorf("%q has no kind", w)
	}
	if i := strings.IndexByte(field, '['); i >= 0 {
		field, m.count = field[:i], strings.TrimSuffix(field[i+1:], "]")
	}
	if strings.HasSuffix(field, "?") {
		field, op.Null = strings.TrimSuffix(field, "?"), true
	}
	op.Field = field
	i := strings.IndexFunc(kind, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if i < 0 {
		m.kind = kind
		return op, m, nil
	}
	m.kind, kind = kind[:i], kind[i:]
	for kind != "" {
		switch {
		case kind[0] == '!':
			op.Contents, kind = true, kind[1:]
		case kind[0] == '@':
			op.Loose, kind = true, kind[1:]
		case kind[0] == '^':
			m.deleter, kind = kind[1:], ""
		case kind[0] == '<':
			kind = kind[1:]
			if op.Root = strings.HasPrefix(kind, "<"); op.Root {
				kind = kind[1:]
			}
			for j := range f.Ops {
				if f.Ops[j].Field == kind {
					op.From = j
				}
			}
			if op.From < 0 {
				return op, m, fmt.Errorf("%s belongs to %s, which does not stand before it", field, kind)
			}
			kind = ""
		default:
			return op, m, fmt.Errorf("%s: what is %q?", field, kind)
		}
	}
	return op, m, nil
}
