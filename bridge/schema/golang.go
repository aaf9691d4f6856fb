package schema

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/isthmus-ffi/isthmus"
)

// Extensible marks a struct to which trailing options may be added while older hosts are in use:
//
//	type Blob struct {
//		_    schema.Extensible
//		Data []byte
//	}
type Extensible struct{}

// Unknown is an alternative of an open sum that this side does not know. Programs give a type of their own with it as the
// underlying type, so that it can belong to the sum's interface.
type Unknown struct {
	Tag  uint8
	Data []byte
}

// Builder makes a schema, and codecs, from Go types. Sums come first, then the types of methods. The zero value is ready.
// It is for one goroutine until the last codec is made.
type Builder struct {
	defs   map[string]*Def
	types  map[string]reflect.Type // whose name it is
	sums   map[reflect.Type]*sum
	codecs map[reflect.Type]*codec

	generated map[reflect.Type]Generated
}

type sum struct {
	name    string
	alts    []reflect.Type
	unknown reflect.Type // nil unless it is open
}

// Sum says that the values of the interface type are those of the alternatives: values of struct types that implement it.
// The order is part of the wire. Where unknown is not nil the sum is open: its type has [Unknown] as the underlying type, and
// holds what newer hosts send.
func (b *Builder) Sum(iface reflect.Type, unknown any, alts ...any) error {
	if iface == nil || iface.Kind() != reflect.Interface || iface.Name() == "" {
		return fmt.Errorf("schema: sum %v: %w: it is not a named interface type", iface, isthmus.ErrInvalid)
	}
	if b.sums[iface] != nil {
		return fmt.Errorf("schema: sum %s: %w: it is registered already", iface, isthmus.ErrInvalid)
	}
	s := &sum{name: iface.Name()}
	for _, a := range alts {
		t := reflect.TypeOf(a)
		if t == nil || t.Kind() != reflect.Struct || !t.Implements(iface) {
			return fmt.Errorf("schema: sum %s: %w: %T is not a struct that implements it", iface, isthmus.ErrInvalid, a)
		}
		s.alts = append(s.alts, t)
	}
	if unknown != nil {
		s.unknown = reflect.TypeOf(unknown)
		if !s.unknown.ConvertibleTo(reflect.TypeFor[Unknown]()) || !s.unknown.Implements(iface) {
			return fmt.Errorf("schema: sum %s: %w: %T is not schema.Unknown by another name that implements it", iface, isthmus.ErrInvalid, unknown)
		}
	}
	if b.sums == nil {
		b.sums = map[reflect.Type]*sum{}
	}
	b.sums[iface] = s
	return nil
}

// Type gives the schema's type of a Go type, and notes what it holds. int, uint, maps, arrays, channels, functions, generic
// and unexported types are refused, with the path to them.
func (b *Builder) Type(t reflect.Type) (Type, error) { return b.typ(t, fmt.Sprint(t), 0) }

var scalars = map[reflect.Kind]Kind{
	reflect.Uint8: U8, reflect.Uint16: U16, reflect.Uint32: U32, reflect.Uint64: U64,
	reflect.Int8: I8, reflect.Int16: I16, reflect.Int32: I32, reflect.Int64: I64,
	reflect.Float32: F32, reflect.Float64: F64, reflect.Bool: Bool, reflect.String: UTF8,
}

func (b *Builder) typ(t reflect.Type, path string, depth int) (Type, error) {
	refuse := func(why string) (Type, error) {
		return Type{}, fmt.Errorf("schema: %s: %w: %s", path, isthmus.ErrInvalid, why)
	}
	if t == nil {
		return refuse("it has no type")
	}
	if depth > MaxDepth {
		return refuse("its type is nested too deep")
	}
	if k, ok := scalars[t.Kind()]; ok {
		return Type{Kind: k}, nil
	}
	switch t.Kind() {
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		return refuse(fmt.Sprintf("%s has another size on other machines; use one with a size, such as int64", t))
	case reflect.Slice, reflect.Pointer:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return Type{Kind: Bytes}, nil
		}
		elem, err := b.typ(t.Elem(), path, depth+1)
		if err != nil {
			return Type{}, err
		}
		if t.Kind() == reflect.Slice {
			return Type{Kind: List, Elem: &elem}, nil
		}
		return Type{Kind: Opt, Elem: &elem}, nil
	case reflect.Struct, reflect.Interface:
	case reflect.Map:
		return refuse(fmt.Sprintf("%s has no order; use a slice of structs", t))
	case reflect.Array:
		return refuse(fmt.Sprintf("%s has no place on the wire; use a slice, or fields", t))
	default:
		return refuse(fmt.Sprintf("%s cannot cross", t))
	}
	name := t.Name()
	if !typeName.MatchString(name) {
		return refuse(fmt.Sprintf("%s has no name that every host could use; declare a type with an exported name", t))
	}
	switch other := b.types[name]; {
	case other == t:
		return Type{Kind: Named, Name: name}, nil
	case other != nil:
		return refuse(fmt.Sprintf("%s and %s have the same name", qualified(t), qualified(other)))
	}
	if b.defs == nil {
		b.defs, b.types = map[string]*Def{}, map[string]reflect.Type{}
	}
	d := &Def{Name: name}
	b.defs[name], b.types[name] = d, t
	if t.Kind() == reflect.Interface {
		s := b.sums[t]
		if s == nil {
			return refuse(fmt.Sprintf("%s is not registered as a sum", t))
		}
		d.Sum, d.Open = true, s.unknown != nil
		for _, a := range s.alts {
			alt, err := b.typ(a, path+" > "+a.Name(), depth+1)
			if err != nil {
				return Type{}, err
			}
			d.Alts = append(d.Alts, alt.Name)
		}
		return Type{Kind: Named, Name: name}, nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == reflect.TypeFor[Extensible]() {
			if i != 0 {
				return refuse("schema.Extensible comes first")
			}
			d.Open = true
			continue
		}
		if !f.IsExported() || f.Anonymous {
			return refuse(fmt.Sprintf("field %s is not exported, or embedded: it could not cross", f.Name))
		}
		ft, err := b.typ(f.Type, path+"."+f.Name, depth+1)
		if err != nil {
			return Type{}, err
		}
		d.Fields = append(d.Fields, Field{FieldName(f.Name), ft})
	}
	return Type{Kind: Named, Name: name}, nil
}

// FieldName is a Go name as the schema has it: ID is id, URLPath is urlPath.
func FieldName(s string) string {
	r := []rune(s)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

func qualified(t reflect.Type) string { return strings.TrimPrefix(t.PkgPath()+"."+t.Name(), ".") }

// Schema is what the builder has seen, with the methods.
func (b *Builder) Schema(name string, version uint32, methods []Method) (*Schema, error) {
	s := &Schema{Name: name, Version: version, Methods: append([]Method(nil), methods...)}
	if b != nil {
		for _, d := range b.defs {
			s.Defs = append(s.Defs, d)
		}
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}
