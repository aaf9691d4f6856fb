// Package mem is memory at the native boundary: off-heap blocks with one owner, typed views of bytes, addresses
// lent to C, bytes that C hands out, and the checked arithmetic that lengths from C must pass.
//
// It is internal and unsafe by nature: a wrong [Addr] crashes. Every function states what its caller must know.
package mem

import (
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
)

// Addr is an address outside the Go heap, or of pinned Go memory. It does not keep anything alive.
type Addr uintptr

// pointer turns an address into a pointer.
//
// Preconditions: a is not the address of Go memory that could be collected or moved meanwhile.
func pointer[A ~uintptr](a A) unsafe.Pointer {
	// SAFETY: owner: the caller's contract; lifetime: the callers of this function pass it on in their own
	// preconditions; bounds and alignment: none is claimed here; thread: any. Reading the bits through a pointer
	// keeps vet's rule about uintptr arithmetic for real mistakes.
	return *(*unsafe.Pointer)(unsafe.Pointer(&a))
}

// At returns the T at address a, and nil for address 0.
//
// Preconditions: a is 0, or T-aligned memory of at least T's size that outlives the result and is not Go heap
// memory; T holds no Go pointers.
func At[T any, A ~uintptr](a A) *T {
	// SAFETY: owner, lifetime, bounds, alignment and thread: the preconditions above, which the caller states.
	return (*T)(pointer(a))
}

// Slice returns n elements of type T at address a. The result's capacity is n. It returns nil for n = 0, whatever
// a is.
//
// Preconditions: as for [At], for n elements. Errors: [isthmus.ErrBounds] for a negative n or a size that
// overflows; [isthmus.ErrInvalid] for a nil or misaligned address.
func Slice[T any, A ~uintptr, N Integer](a A, n N) ([]T, error) {
	count, err := Len(n)
	if err != nil {
		return nil, err
	}
	if count == 0 {
		return nil, nil
	}
	var z T
	if a == 0 {
		return nil, fmt.Errorf("mem: nil address for %d elements: %w", count, isthmus.ErrInvalid)
	}
	if uintptr(a)%unsafe.Alignof(z) != 0 {
		return nil, fmt.Errorf("mem: address is not aligned to %d: %w", unsafe.Alignof(z), isthmus.ErrInvalid)
	}
	size, err := Mul(count, int(unsafe.Sizeof(z)))
	if err != nil {
		return nil, err
	}
	if uintptr(a)+uintptr(size) < uintptr(a) {
		return nil, fmt.Errorf("mem: %d bytes run past the address space: %w", size, isthmus.ErrBounds)
	}
	// SAFETY: owner and lifetime: the caller's precondition; bounds: count >= 0, the size and the end were just
	// checked for overflow; alignment: checked above; thread: any.
	return unsafe.Slice((*T)(pointer(a)), count), nil
}

// Clear zeroes n bytes at address a.
//
// Preconditions: a is the address of n bytes outside the Go heap that are the caller's to write; n >= 0.
func Clear(a Addr, n int) {
	// SAFETY: owner, lifetime and bounds: the precondition; alignment: bytes; thread: the owner's.
	clear(unsafe.Slice((*byte)(pointer(a)), n))
}

// AddrOf returns the address of s's first element, and 0 for an empty slice.
//
// Preconditions: s is off-heap, or pinned for as long as the address is used.
func AddrOf[T any](s []T) Addr {
	if len(s) == 0 {
		return 0
	}
	// SAFETY: owner: the caller keeps s; lifetime: the precondition; bounds: the first element of a non-empty
	// slice; thread: any.
	return Addr(unsafe.Pointer(unsafe.SliceData(s)))
}

// AddrOfPtr returns the address that p holds.
//
// Preconditions: p is off-heap, or pinned for as long as the address is used.
func AddrOfPtr[T any](p *T) Addr {
	// SAFETY: owner: the caller keeps p; lifetime: the precondition; bounds: nothing is read; thread: any.
	return Addr(unsafe.Pointer(p))
}

// View returns b's memory as a slice of T. It fails with [isthmus.ErrInvalid] when T holds pointers or b is not
// aligned for it, and with [isthmus.ErrBounds] when b is not a whole number of elements. An empty b gives nil.
func View[T any](b []byte) ([]T, error) {
	var z T
	if !Plain[T]() {
		return nil, fmt.Errorf("mem: view bytes as %T: the type holds pointers: %w", z, isthmus.ErrInvalid)
	}
	size := unsafe.Sizeof(z)
	if len(b) == 0 {
		return nil, nil
	}
	if size == 0 || uintptr(len(b))%size != 0 {
		return nil, fmt.Errorf("mem: view %d bytes as %T of %d: %w", len(b), z, size, isthmus.ErrBounds)
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%unsafe.Alignof(z) != 0 {
		return nil, fmt.Errorf("mem: view bytes as %T: address is not aligned to %d: %w; copy them", z, unsafe.Alignof(z), isthmus.ErrInvalid)
	}
	// SAFETY: owner: b's memory, which the result keeps alive; lifetime: the garbage collector's, or b's owner's
	// when it is off-heap; bounds and alignment: checked above, and T has no pointers; thread: as for b.
	return unsafe.Slice((*T)(p), uintptr(len(b))/size), nil
}

// Bytes returns s's memory as bytes, the inverse of [View]. T must hold no pointers, else it returns nil.
func Bytes[T any](s []T) []byte {
	var z T
	if len(s) == 0 || unsafe.Sizeof(z) == 0 || !Plain[T]() {
		return nil
	}
	// SAFETY: owner: s's memory, which the result keeps alive; lifetime: s's; bounds: s's own size, which exists
	// and so cannot overflow; alignment: bytes need none; thread: as for s.
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(len(s))*unsafe.Sizeof(z))
}

// BytesOfPlain is [Bytes] without asking whether T is plain.
//
// Preconditions: [Plain] has said so of T.
func BytesOfPlain[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	var z T
	// SAFETY: as for Bytes.
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(len(s))*unsafe.Sizeof(z))
}

// SizeOf returns T's size in bytes.
func SizeOf[T any]() int {
	var z T
	return int(unsafe.Sizeof(z))
}

var plainTypes sync.Map // reflect.Type -> bool

// Plain reports whether T holds no Go pointers, so that it may live outside the Go heap and be given to C.
func Plain[T any]() bool {
	switch any((*T)(nil)).(type) {
	case *byte, *int8, *int16, *uint16, *int32, *uint32, *int64, *uint64, *int, *uint, *uintptr, *float32, *float64, *complex64, *complex128, *Addr:
		return true
	}
	t := reflect.TypeFor[T]()
	if v, ok := plainTypes.Load(t); ok {
		return v.(bool)
	}
	ok := plain(t)
	plainTypes.Store(t, ok)
	return ok
}

func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true
	case reflect.Array:
		return t.Len() == 0 || plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// Integer is any integer type that a C length or count can have.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

// Len converts a length from C: negative, or more than an int holds, is [isthmus.ErrBounds].
func Len[N Integer](n N) (int, error) {
	if n < 0 || uint64(n) > math.MaxInt {
		return 0, fmt.Errorf("mem: length %d: %w", n, isthmus.ErrBounds)
	}
	return int(n), nil
}

// To converts n to another integer type, [isthmus.ErrBounds] when the value does not fit.
func To[D, S Integer](n S) (D, error) {
	d := D(n)
	if S(d) != n || (n < 0) != (d < 0) {
		var z D
		return 0, fmt.Errorf("mem: %d does not fit %T: %w", n, z, isthmus.ErrBounds)
	}
	return d, nil
}

// Mul multiplies sizes. A negative factor, or a product that an int does not hold, is [isthmus.ErrBounds].
func Mul(factors ...int) (int, error) {
	product := uint64(1)
	for _, f := range factors {
		if f < 0 {
			return 0, fmt.Errorf("mem: negative size %d: %w", f, isthmus.ErrBounds)
		}
	}
	for _, f := range factors {
		if f == 0 {
			return 0, nil
		}
	}
	for _, f := range factors {
		hi, lo := bits.Mul64(product, uint64(f))
		if hi != 0 || lo > math.MaxInt {
			return 0, fmt.Errorf("mem: product of sizes %v overflows: %w", slices.Clone(factors), isthmus.ErrBounds)
		}
		product = lo
	}
	return int(product), nil
}

// Add adds sizes. A negative one, or a sum that an int does not hold, is [isthmus.ErrBounds].
func Add(terms ...int) (int, error) {
	sum := 0
	for _, t := range terms {
		if t < 0 || sum > math.MaxInt-t {
			return 0, fmt.Errorf("mem: sum of sizes %v: %w", slices.Clone(terms), isthmus.ErrBounds)
		}
		sum += t
	}
	return sum, nil
}

// Copy copies n bytes at a into Go memory.
//
// Preconditions: as for [Slice]; a limit below the true size is a bound, more than limit bytes is
// [isthmus.ErrBounds].
func Copy[A ~uintptr, N Integer](a A, n N, limit int) ([]byte, error) {
	b, err := Slice[byte](a, n)
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("mem: %d bytes from native code, at most %d were expected: %w", len(b), limit, isthmus.ErrBounds)
	}
	return append([]byte(nil), b...), nil
}

// String copies text of a stated length out of native memory, at most limit bytes of it. It trusts nothing: a nil
// address or a negative length gives "", longer text is cut at a rune, NUL bytes at the end are dropped and
// invalid UTF-8 becomes U+FFFD.
//
// Preconditions: when a is not 0 and n is positive, min(n, limit) bytes at a are readable during the call.
func String[A ~uintptr, N Integer](a A, n N, limit int) string {
	if a == 0 || n <= 0 || limit <= 0 {
		return ""
	}
	count := limit
	if uint64(n) < uint64(limit) {
		count = int(n)
	}
	b, err := Slice[byte](a, count)
	if err != nil {
		return ""
	}
	return text(b, uint64(n) > uint64(limit))
}

// CString copies NUL-terminated text out of native memory, reading at most limit bytes. It repairs it like
// [String].
//
// Preconditions: when a is not 0, the bytes at a up to the first NUL, or limit bytes, are readable.
func CString[A ~uintptr](a A, limit int) string {
	if a == 0 {
		return ""
	}
	n := 0
	// SAFETY: owner and lifetime: the caller's precondition; bounds: one byte at a time, never past the first
	// NUL or limit; alignment: bytes; thread: any.
	for n < limit && *(*byte)(unsafe.Add(pointer(a), n)) != 0 {
		n++
	}
	return String(a, n, limit)
}

// text repairs copied native text.
func text(b []byte, cut bool) string {
	if cut {
		for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
			if utf8.RuneStart(b[len(b)-i]) {
				if !utf8.FullRune(b[len(b)-i:]) {
					b = b[:len(b)-i]
				}
				break
			}
		}
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return strings.ToValidUTF8(string(b), string(utf8.RuneError))
}
