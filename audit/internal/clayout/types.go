// Package clayout reads C declarations in Go, with their macros and the files that they include, and says how a C compiler
// for a platform lays them out. It takes any text: what it does not understand has no layout, and says why.
package clayout

import (
	"fmt"
	"runtime"
	"strings"
)

type kind uint8

const (
	unknown kind = iota
	integer
	float
	pointer
	array
	record // struct or union
	function
	void
)

// Type is a C type.
type Type struct {
	kind        kind
	name        string
	size, align int64 // of an array: its elements'
	signed      bool
	elem        *Type
	n           int64 // elements of an array; -1 where the brackets are empty
	bad         string
	complete    bool
	union       bool
	fields      []Field

	params   []*Type // of a function
	result   *Type
	variadic bool
	declared bool // params are known
}

// Signature is what a function takes and gives, arrays and functions among its parameters being pointers. ok is false where
// its declaration does not say.
func (t *Type) Signature() (params []*Type, result *Type, variadic, ok bool) {
	if t == nil || t.kind != function || !t.declared {
		return nil, nil, false, false
	}
	return t.params, t.result, t.variadic, true
}

// Void reports whether the type is void.
func (t *Type) Void() bool { return t != nil && t.kind == void }

// Field is a member of a struct or union.
type Field struct {
	Name   string // empty for a struct or union without a name, whose members are the outer one's
	Type   *Type
	Offset int64 // of its first byte
	Bits   int64 // of a bit-field, otherwise 0
	First  int64 // the first bit of a bit-field, counted from Offset
}

// End is the offset after its last byte.
func (f *Field) End() int64 {
	if f.Bits > 0 {
		return f.Offset + (f.First+f.Bits+7)/8
	}
	return f.Offset + f.Type.Size()
}

const maxSize = 1 << 40

// why says why the type has no layout, or nothing.
func (t *Type) why() string {
	switch {
	case t == nil:
		return "it is not known"
	case t.bad != "":
		return t.bad
	case t.kind == array:
		return t.elem.why()
	case t.kind == record && !t.complete:
		return t.name + " is declared and not defined"
	case t.kind == unknown:
		return t.name + " is not known"
	case t.kind == function:
		return "a function has no size"
	}
	return ""
}

// Err is nil where the type has a layout.
func (t *Type) Err() error {
	if w := t.why(); w != "" {
		return fmt.Errorf("clayout: %s", w)
	}
	return nil
}

// String is the type's name as C has it.
func (t *Type) String() string {
	switch {
	case t == nil:
		return "unknown"
	case t.kind == pointer && t.elem != nil && t.elem.kind == function:
		return "pointer to a function"
	case t.kind == pointer:
		return t.elem.String() + "*"
	case t.kind == array && t.n < 0:
		return t.elem.String() + "[]"
	case t.kind == array:
		return fmt.Sprintf("%s[%d]", t.elem, t.n)
	}
	return t.name
}

// Size is the number of bytes of a value.
func (t *Type) Size() int64 {
	switch t.kind {
	case array:
		if t.n <= 0 {
			return 0
		}
		return t.n * t.elem.Size()
	case void:
		return 1 // as the GNU dialect has it
	}
	return t.size
}

// Align is what the address of a value is a multiple of.
func (t *Type) Align() int64 {
	switch {
	case t.align > 0:
		return t.align
	case t.kind == array:
		return t.elem.Align()
	}
	return 1
}

// Fields are the members of a struct or union, in their order, with those of inner ones without a name.
func (t *Type) Fields() []Field {
	if t == nil || t.kind != record {
		return nil
	}
	return t.fields
}

// Union reports whether t is a union.
func (t *Type) Union() bool { return t != nil && t.kind == record && t.union }

// Record reports whether t is a struct or union.
func (t *Type) Record() bool { return t != nil && t.kind == record }

// Pointer reports whether t is a pointer.
func (t *Type) Pointer() bool { return t != nil && t.kind == pointer }

// Float reports whether t is a floating-point number.
func (t *Type) Float() bool { return t != nil && t.kind == float }

// Integer reports whether t is an integer, and whether it has a sign.
func (t *Type) Integer() (signed, ok bool) {
	return t != nil && t.signed, t != nil && t.kind == integer
}

// Elem is what an array or pointer is of, and how many.
func (t *Type) Elem() (*Type, int64) {
	if t == nil {
		return nil, 0
	}
	return t.elem, t.n
}

// model is what a platform's C has.
type model struct {
	ptr, long, wchar    int64
	longDouble, ldAlign int64
	align8              int64 // of what has eight bytes
	microsoft           bool  // bit-fields as Microsoft's compilers have them
	anonymous           bool  // bit-fields without a name align their struct
}

// models are those whose Go there is.
func modelOf(goos, goarch string) (model, bool) {
	m := model{ptr: 8, long: 8, wchar: 4, longDouble: 16, ldAlign: 16, align8: 8}
	switch goarch {
	case "amd64", "ppc64le", "ppc64", "riscv64", "loong64", "mips64", "mips64le":
	case "s390x":
		m.ldAlign = 8
	case "arm64":
		m.anonymous = goos != "darwin" && goos != "ios"
		if !m.anonymous {
			m.longDouble, m.ldAlign = 8, 8
		}
	case "386":
		m.ptr, m.long, m.longDouble, m.ldAlign, m.align8 = 4, 4, 12, 4, 4
	case "arm":
		m.ptr, m.long, m.longDouble, m.ldAlign = 4, 4, 8, 8
		m.anonymous = true
	case "mips", "mipsle":
		m.ptr, m.long, m.longDouble, m.ldAlign = 4, 4, 8, 8
	default:
		return m, false
	}
	if goos == "windows" {
		m.long, m.wchar, m.microsoft, m.anonymous, m.align8 = 4, 2, true, false, 8
	}
	return m, true
}

// member is a field before it has its place.
type member struct {
	name   string
	t      *Type
	bits   int64 // -1 for none
	packed bool
	align  int64
}

// attrs are the attributes that change a layout.
type attrs struct {
	packed bool
	align  int64
}

func (a *attrs) add(b attrs) {
	a.packed = a.packed || b.packed
	a.align = max(a.align, b.align)
}

func up(n, to int64) int64 { return (n + to - 1) / to * to }

// lay gives the members of a struct or union their places.
func (p *Program) lay(t *Type, members []member, a attrs, pack int64) {
	t.complete = true
	t.align = 1
	var at, most int64          // in bits
	var unit, left int64 = 0, 0 // Microsoft's: bytes of the current unit, bits that are free in it
	most = 0
	for _, m := range members {
		if w := m.t.why(); w != "" {
			t.bad = fmt.Sprintf("%s, of field %s of %s", w, m.name, t.name)
			return
		}
		size, own := m.t.Size(), m.t.Align()
		packed := (a.packed || m.packed)
		align := own
		if packed {
			align = 1
		}
		align = max(align, m.align)
		if pack > 0 {
			align = min(align, pack)
		}
		if t.union {
			at, left = 0, 0
		}
		f := Field{Name: m.name, Type: m.t, Offset: 0}
		switch {
		case m.bits < 0:
			left = 0
			at = up(at, align*8)
			f.Offset = at / 8
			at += size * 8
			t.align = max(t.align, align)
		case p.m.microsoft:
			if m.bits == 0 {
				if left > 0 || unit > 0 && t.union {
					at = up(at, align*8)
				}
				left, unit = 0, 0
				continue
			}
			if left < m.bits || unit != size {
				at = up(at, align*8)
				unit, left = size, size*8
				f.Offset, f.First = at/8, 0
				at += size * 8
			} else {
				f.Offset = at/8 - unit
				f.First = unit*8 - left
			}
			left -= m.bits
			f.Bits = m.bits
			t.align = max(t.align, align)
		case m.bits == 0:
			at = up(at, own*8)
			most = max(most, at)
			if p.m.anonymous {
				t.align = max(t.align, own)
			}
			continue
		default:
			if m.align > 0 {
				at = up(at, align*8)
			}
			unit := own * 8
			if !packed && pack == 0 && (at+m.bits+unit-1)/unit-at/unit > size/own {
				at = up(at, unit)
			}
			f.Offset, f.First, f.Bits = at/8, at%8, m.bits
			at += m.bits
			if pack > 0 {
				align = min(own, pack) // of a packed one too, as GCC has it
			}
			if m.name != "" || p.m.anonymous {
				t.align = max(t.align, align)
			}
		}
		most = max(most, at)
		switch {
		case m.bits >= 0 && m.name == "": // it only takes room
		case m.name == "" && m.t.kind == record:
			for _, inner := range m.t.fields {
				inner.Offset += f.Offset
				t.fields = append(t.fields, inner)
			}
		default:
			t.fields = append(t.fields, f)
		}
		if most/8 > maxSize {
			t.bad = t.name + " is too large"
			return
		}
	}
	t.align = max(t.align, a.align)
	t.size = up(most, t.align*8) / 8
}

// Describe writes the layout for a reader.
func (t *Type) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d bytes, alignment %d\n", t, t.Size(), t.Align())
	at := int64(0)
	for _, f := range t.Fields() {
		if f.Offset > at && !t.union {
			fmt.Fprintf(&b, "  %6d  %4d bytes of padding\n", at, f.Offset-at)
		}
		if f.Bits > 0 {
			fmt.Fprintf(&b, "  %6d  %s %s : %d, bit %d\n", f.Offset, f.Type, f.Name, f.Bits, f.First)
		} else {
			fmt.Fprintf(&b, "  %6d  %s %s\n", f.Offset, f.Type, f.Name)
		}
		at = max(at, f.End())
	}
	if at < t.Size() && !t.union {
		fmt.Fprintf(&b, "  %6d  %4d bytes of padding\n", at, t.Size()-at)
	}
	return b.String()
}

// SystemInclude lists where the headers of a system lie on it.
func SystemInclude(goos, goarch string) []string {
	if goos != runtime.GOOS || goarch != runtime.GOARCH || goos == "windows" {
		return nil
	}
	triple := map[string]string{
		"amd64": "x86_64-linux-gnu", "386": "i386-linux-gnu", "arm64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf", "riscv64": "riscv64-linux-gnu",
		"ppc64le": "powerpc64le-linux-gnu", "s390x": "s390x-linux-gnu",
	}[goarch]
	return []string{"/usr/local/include", "/usr/include/" + triple, "/usr/include"}
}
