// Package wire is the byte format of the bridge: little-endian, no padding, no padding bits, one encoding for each value.
//
//	u8..u64, i8..i64, f32, f64   the bytes of the number
//	bool                         one byte, 0 or 1
//	bytes, utf8                  u64 length, then the bytes; utf8 is valid UTF-8
//	list<T>                      u64 count, then the elements
//	opt<T>                       one byte, 0 or 1, then the value if it is 1
//	struct                       its fields in order
//	sum                          one byte, the number of the alternative, then its fields
//	extensible struct            u64 length, then its fields, of which trailing opts may be missing
//	open sum                     one byte, the alternative, then u64 length and its fields
//
// But for the last two it is what the Haskell package store writes for the same types. A decoder is total: whatever the
// bytes are, it gives a value or an [Error], it never reads outside, and what it allocates is at most a fixed multiple of
// the bytes that it has.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/isthmus-ffi/isthmus"
)

// MaxDepth is how deep lists, options, structs and sums may be nested in one message.
const MaxDepth = 64

// Error says which byte of a message is wrong, and why. It wraps [isthmus.ErrInvalid].
type Error struct {
	Offset int    // of the first byte of what is wrong
	Why    string // such as "bool is 7"
}

func (e *Error) Error() string {
	if e == nil {
		return "wire: no error"
	}
	return fmt.Sprintf("wire: byte %d: %s", e.Offset, e.Why)
}

// Unwrap returns [isthmus.ErrInvalid].
func (e *Error) Unwrap() error { return isthmus.ErrInvalid }

// Decoder reads one message. After the first error all reads give zero values, so that callers may look at [Decoder.Finish]
// alone. The zero value is a decoder of an empty message. It is for one goroutine.
type Decoder struct {
	b     []byte
	off   int
	end   int // of the part that may be read
	depth int
	lend  bool
	err   *Error
}

// Reset makes d a decoder of b, which must not change before the message is decoded. Nothing that is decoded refers to b,
// unless d lends ([Decoder.Lend]).
func (d *Decoder) Reset(b []byte) {
	if d != nil {
		*d = Decoder{b: b, end: len(b), lend: d.lend}
	}
}

// Lend has the bytes that are decoded be parts of the message, for good: also after [Decoder.Reset]. Nothing that follows such
// a part in the message is in its capacity. Text is copied all the same.
func (d *Decoder) Lend() {
	if d != nil {
		d.lend = true
	}
}

// own is what is decoded of bytes of the message.
func (d *Decoder) own(p []byte) []byte {
	if d != nil && d.lend && len(p) > 0 {
		return p[:len(p):len(p)]
	}
	return append([]byte(nil), p...)
}

// Fail notes an error at the place where d is, unless there is one.
func (d *Decoder) Fail(format string, args ...any) { d.failAt(d.place(), format, args...) }

func (d *Decoder) place() int {
	if d == nil {
		return 0
	}
	return d.off
}

func (d *Decoder) failAt(off int, format string, args ...any) {
	if d == nil {
		return
	}
	if d.err == nil {
		d.err = &Error{off, fmt.Sprintf(format, args...)}
	}
	d.off = d.end
}

// Failed says whether there was an error.
func (d *Decoder) Failed() bool { return d == nil || d.err != nil }

// Left is how many bytes are left of the message, or of the part that [Decoder.Part] has entered.
func (d *Decoder) Left() int {
	if d == nil {
		return 0
	}
	return d.end - d.off
}

// Finish returns the first error; bytes that are left are one.
func (d *Decoder) Finish() error {
	if d == nil {
		return nil
	}
	if d.err == nil && d.off != d.end {
		d.Fail("%d bytes follow the message", d.end-d.off)
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

var zeros [8]byte

// take gives the next n <= 8 bytes; zeros when they are not there.
func (d *Decoder) take(n int, what string) []byte {
	if d == nil {
		return zeros[:n]
	}
	if d.end-d.off < n {
		d.failAt(d.off, "%s needs %d bytes, %d are left", what, n, d.end-d.off)
		return zeros[:n]
	}
	p := d.b[d.off : d.off+n]
	d.off += n
	return p
}

// U8 reads a byte.
func (d *Decoder) U8() uint8 {
	if d != nil && d.off < d.end {
		d.off++
		return d.b[d.off-1]
	}
	return d.take(1, "u8")[0]
}

// U16 reads 2 bytes.
func (d *Decoder) U16() uint16 {
	if d != nil && d.end-d.off >= 2 {
		d.off += 2
		return binary.LittleEndian.Uint16(d.b[d.off-2:])
	}
	return binary.LittleEndian.Uint16(d.take(2, "u16"))
}

// U32 reads 4 bytes.
func (d *Decoder) U32() uint32 {
	if d != nil && d.end-d.off >= 4 {
		d.off += 4
		return binary.LittleEndian.Uint32(d.b[d.off-4:])
	}
	return binary.LittleEndian.Uint32(d.take(4, "u32"))
}

// U64 reads 8 bytes.
func (d *Decoder) U64() uint64 {
	if d != nil && d.end-d.off >= 8 {
		d.off += 8
		return binary.LittleEndian.Uint64(d.b[d.off-8:])
	}
	return binary.LittleEndian.Uint64(d.take(8, "u64"))
}

// F32 reads 4 bytes; a NaN keeps its bits.
func (d *Decoder) F32() float32 { return math.Float32frombits(d.U32()) }

// F64 reads 8 bytes; a NaN keeps its bits.
func (d *Decoder) F64() float64 { return math.Float64frombits(d.U64()) }

// Bool reads a byte that is 0 or 1.
func (d *Decoder) Bool() bool { return d.flag("bool") }

// Opt says whether the value of an option follows.
func (d *Decoder) Opt() bool { return d.flag("opt") }

func (d *Decoder) flag(what string) bool {
	off := d.place()
	b := d.take(1, what)[0]
	if b > 1 {
		d.failAt(off, "%s is %d", what, b)
	}
	return b == 1
}

// Tag reads the number of an alternative, one of n.
func (d *Decoder) Tag(n int, of string) int {
	off := d.place()
	t := int(d.take(1, of)[0])
	if t >= n && !d.Failed() {
		d.failAt(off, "%s has no alternative %d", of, t)
	}
	if d.Failed() {
		return -1
	}
	return t
}

// Count reads the count of a list whose elements have at least size bytes each, size > 0. The elements fit in the bytes that
// are left, or the count is 0 and d has failed.
func (d *Decoder) Count(size int) int {
	off := d.place()
	n := d.U64()
	if size < 1 {
		size = 1
	}
	if left := uint64(d.Left()); n > left/uint64(size) {
		d.failAt(off, "count %d of at least %d bytes each, %d are left", n, size, left)
		return 0
	}
	return int(n)
}

// Bytes reads bytes into memory of their own, unless d lends.
func (d *Decoder) Bytes() []byte { return d.own(d.raw()) }

// String reads valid UTF-8.
func (d *Decoder) String() string {
	off := d.place()
	p := d.raw()
	if !utf8.Valid(p) {
		d.failAt(off, "utf8 of %d bytes is not valid", len(p))
		return ""
	}
	return string(p)
}

func (d *Decoder) raw() []byte {
	n := d.Count(1)
	if d == nil || n == 0 {
		return nil
	}
	p := d.b[d.off : d.off+n]
	d.off += n
	return p
}

// Enter counts a level of nesting, which [Decoder.Leave] ends; false, and an error, when it is one too many.
func (d *Decoder) Enter() bool {
	if d == nil || d.err != nil || d.depth == MaxDepth {
		d.tooDeep()
		return false
	}
	d.depth++
	return true
}

func (d *Decoder) tooDeep() { d.Fail("nested more than %d deep", MaxDepth) } // unless it has failed

// Leave ends a level that [Decoder.Enter] began.
func (d *Decoder) Leave() {
	if d != nil {
		d.depth--
	}
}

// Part reads a u64 length and confines d to that many bytes, until [Decoder.End] with the result. Where there are fewer,
// d has failed and has nothing left.
func (d *Decoder) Part() (outer int) {
	n := d.Count(1)
	if d == nil {
		return 0
	}
	outer = d.end
	d.end = d.off + n
	return outer
}

// Skip gives the bytes that are left of a part, in memory of their own, unless d lends.
func (d *Decoder) Skip() []byte {
	if d == nil {
		return nil
	}
	p := d.own(d.b[d.off:d.end])
	d.off = d.end
	return p
}

// End leaves a part. Bytes that are left in it are an error, unless rest allows them.
func (d *Decoder) End(outer int, rest bool) {
	if d == nil {
		return
	}
	if d.off != d.end && !rest {
		d.Fail("%d bytes follow what has a length", d.end-d.off)
	}
	if d.off = d.end; d.err == nil {
		d.end = outer
	}
}
