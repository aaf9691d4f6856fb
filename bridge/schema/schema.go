// Package schema says what crosses a bridge: types, methods, and the text that both sides must agree on.
//
// Go types are the source. A [Builder] walks them and makes a [Schema]; its canonical [Schema.Text] holds every type that a
// method reaches, so that a change of a nested field changes the fingerprint. Hosts are generated from the text and carry it
// along; at init both sides compare ([Schema.Accepts]), and a difference is refused with a message that names it.
package schema

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/bridge/wire"
)

// Kind is the kind of a type. The zero value is invalid.
type Kind uint8

// The kinds.
const (
	invalid Kind = iota
	U8
	U16
	U32
	U64
	I8
	I16
	I32
	I64
	F32
	F64
	Bool
	Bytes // any bytes
	UTF8  // valid UTF-8
	List  // of Elem
	Opt   // Elem or nothing
	Named // a struct or a sum, by name
)

var kindNames = [...]string{"invalid", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "bytes", "utf8", "list", "opt", "named"}

// String is the name in the schema's text.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Type is the type of a field, an element, a request or a reply. The zero value is no type: the reply of a cast.
type Type struct {
	Kind Kind
	Elem *Type  // of a List or an Opt
	Name string // of a Named
}

// String is the type in the schema's text, such as list<opt<u32>>; - for no type.
func (t Type) String() string {
	switch t.Kind {
	case invalid:
		return "-"
	case Named:
		return t.Name
	case List, Opt:
		if t.Elem == nil {
			return t.Kind.String() + "<>"
		}
		return t.Kind.String() + "<" + t.Elem.String() + ">"
	}
	return t.Kind.String()
}

// Field is a field of a struct.
type Field struct {
	Name string
	Type Type
}

// Def is a struct or a sum.
type Def struct {
	Name string
	// Sum says that it is one of Alts, which are names of structs, and not Fields.
	Sum    bool
	Fields []Field
	Alts   []string
	// Open is true of a sum that may get more alternatives, and of a struct that may get more trailing options, while sides
	// that do not know them are in use.
	Open bool
}

// MethodKind is how a method is used. The zero value is invalid.
type MethodKind uint8

// The kinds of methods.
const (
	noMethod MethodKind = iota
	Call                // the host asks, Go replies
	Cast                // the host tells
	Event               // Go tells those hosts that have subscribed
)

// String is the kind in the schema's text.
func (k MethodKind) String() string {
	switch k {
	case Call:
		return "call"
	case Cast:
		return "cast"
	case Event:
		return "event"
	}
	return fmt.Sprintf("MethodKind(%d)", uint8(k))
}

// Method is something that hosts call, tell or hear.
type Method struct {
	Name   string
	Kind   MethodKind
	Inline bool // of a Call: it may run on the caller's thread
	In     Type // what crosses: of an Event, from Go to the host
	Out    Type // the reply of a Call
}

// Schema is all that crosses one bridge. Defs and Methods are sorted by name.
type Schema struct {
	Name    string // of the bridge
	Version uint32 // counted up by whoever makes a change that breaks hosts
	Defs    []*Def
	Methods []Method
	// Docs are comments for those who use it, which do not cross: of a type and of a method by its name, of a field by
	// TYPE.FIELD.
	Docs map[string]string
}

// Def finds a struct or sum, nil when there is none.
func (s *Schema) Def(name string) *Def {
	if s == nil {
		return nil
	}
	for _, d := range s.Defs {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// Method finds a method, nil when there is none.
func (s *Schema) Method(name string) *Method {
	if s == nil {
		return nil
	}
	for i := range s.Methods {
		if s.Methods[i].Name == name {
			return &s.Methods[i]
		}
	}
	return nil
}

// MinSize is the least number of bytes that a value of the type has on the wire.
func (s *Schema) MinSize(t Type) int { return s.minSize(t, map[string]bool{}) }

func (s *Schema) minSize(t Type, under map[string]bool) int {
	switch t.Kind {
	case U8, I8, Bool, Opt:
		return 1
	case U16, I16:
		return 2
	case U32, I32, F32:
		return 4
	case U64, I64, F64, Bytes, UTF8, List:
		return 8
	case Named:
		d := s.Def(t.Name)
		if d == nil || under[t.Name] {
			return 0
		}
		if d.Open {
			if d.Sum {
				return 9
			}
			return 8
		}
		under[t.Name] = true
		defer delete(under, t.Name)
		if d.Sum {
			least := -1
			for _, a := range d.Alts {
				if n := s.minSize(Type{Kind: Named, Name: a}, under); least < 0 || n < least {
					least = n
				}
			}
			return 1 + max(least, 0)
		}
		n := 0
		for _, f := range d.Fields {
			n += s.minSize(f.Type, under)
		}
		return n
	}
	return 0
}

// MaxDepth is how deep a message may be nested.
const MaxDepth = wire.MaxDepth
