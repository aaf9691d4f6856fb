package pjrtc

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Ptr is the address of a C object of type T. The zero value is the null pointer. It is a word, not a Go pointer: it
// keeps nothing alive, and points to memory outside Go's heap or to memory that its maker holds still.
type Ptr[T any] uintptr

// Addr is a pointer without a type, void*.
type Addr uintptr

// Func is the address of a C function.
type Func uintptr

// opaque is the inside of a struct that only the plugin knows.
type opaque struct{}

// At returns the object that p points to, nil for null.
//
// Preconditions: p is null, or the address of a live T, aligned for it, outside Go's heap or held still by its owner.
func (p Ptr[T]) At() *T { return mem.At[T](p) }

// Slice returns the n objects from p on. A null p with a length, a misaligned p and a length that cannot be are
// errors; the length 0 gives nil.
//
// Preconditions: as for [Ptr.At], for n objects.
func (p Ptr[T]) Slice(n uint64) ([]T, error) { return mem.Slice[T](p, n) }

// To returns the address of v.
//
// Preconditions: *v is outside Go's heap, or its owner keeps it alive and unmoved while the address is in use.
func To[T any](v *T) Ptr[T] { return Ptr[T](mem.AddrOfPtr(v)) }

// ToSlice returns the address of the first element of s, null for an empty slice.
//
// Preconditions: as for [To].
func ToSlice[T any](s []T) Ptr[T] { return Ptr[T](mem.AddrOf(s)) }

func unknownName(enum string, v int32) string { return fmt.Sprintf("%s(%d)", enum, v) }

// Layout is the shape of one struct, by C names.
type Layout struct {
	Name   string
	Size   uintptr
	Fields []Field
}

// Field is a named field and its offset.
type Field struct {
	Name   string
	Offset uintptr
}

// Extension describes a known kind of extension. Struct is "" where the kind has no functions or is no longer used.
type Extension struct {
	Type   ExtensionType
	Name   string
	Struct string
	Size   uintptr
	Funcs  []ExtensionFunc
}

// ExtensionFunc is a function of an extension's own table. Args is the C name of its only argument, or "" where it
// takes others. Returns tells whether it returns a PJRT_Error.
type ExtensionFunc struct {
	Name    string
	Offset  uintptr
	Args    string
	Returns bool
}

// Extensions lists the known kinds of extensions.
func Extensions() []Extension { return extensions }

// String returns the C name of s.
func (s Slot) String() string {
	if s < 0 || s >= NumSlots {
		return fmt.Sprintf("Slot(%d)", int(s))
	}
	return slotNames[s]
}

// Offset is the place of s in PJRT_Api, in bytes.
func (s Slot) Offset() uintptr { return firstSlot + 8*uintptr(s) }

// Since is the minor version of the API that brought s as this module calls it; 0 for what was there before 0.54, the
// oldest version that this module knows.
func (s Slot) Since() int {
	if s < 0 || s >= NumSlots {
		return 0
	}
	return int(slotSince[s])
}

// FieldSince is the minor version that brought a field, by its C name such as PJRT_ExecuteOptions.context; 0 for what
// was there before, and for a struct that came as a whole.
func FieldSince(field string) int { return int(fieldSince[field]) }

// Since is the minor version that brought an element type, 0 for what was there before.
func (v BufferType) Since() int { return int(typeSince[v]) }

// ReturnsError reports whether the function returns a PJRT_Error; the others return nothing.
func (s Slot) ReturnsError() bool { return s >= 0 && s < NumSlots && slotReturnsError[s] }

// Tiled is the tiled form of a layout's union.
func (l *BufferMemoryLayout) Tiled() *BufferMemoryLayoutTiled {
	// SAFETY: owner and lifetime: l's own memory, which is off-heap; bounds: the union is as large as its larger
	// member, which this is; alignment: it stands at offset 16; thread: l's user.
	return mem.At[BufferMemoryLayoutTiled](mem.AddrOf(l.Value[:]))
}

// Strides is the strided form of a layout's union.
func (l *BufferMemoryLayout) Strides() *BufferMemoryLayoutStrides {
	// SAFETY: as for Tiled; this member is the smaller one.
	return mem.At[BufferMemoryLayoutStrides](mem.AddrOf(l.Value[:]))
}
