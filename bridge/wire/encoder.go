package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/isthmus-ffi/isthmus"
)

// Encoder appends messages to a slice. It fails for values that no decoder takes: text that is not UTF-8, a sum without a
// value, nesting that is too deep (a cycle of pointers). The zero value is ready. It is for one goroutine.
type Encoder struct {
	b     []byte
	depth int
	err   error
}

// Reset makes e an encoder that appends to b.
func (e *Encoder) Reset(b []byte) {
	if e != nil {
		*e = Encoder{b: b}
	}
}

// Finish gives what was appended to, or the first error.
func (e *Encoder) Finish() ([]byte, error) {
	if e == nil {
		return nil, nil
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.b, nil
}

// Fail notes an error, unless there is one.
func (e *Encoder) Fail(format string, args ...any) {
	if e != nil && e.err == nil {
		e.err = fmt.Errorf("wire: %s: %w", fmt.Sprintf(format, args...), isthmus.ErrInvalid)
	}
}

// Failed says whether there was an error.
func (e *Encoder) Failed() bool { return e == nil || e.err != nil }

// U8 appends a byte.
func (e *Encoder) U8(v uint8) {
	if e != nil {
		e.b = append(e.b, v)
	}
}

// U16 appends 2 bytes.
func (e *Encoder) U16(v uint16) {
	if e != nil {
		e.b = binary.LittleEndian.AppendUint16(e.b, v)
	}
}

// U32 appends 4 bytes.
func (e *Encoder) U32(v uint32) {
	if e != nil {
		e.b = binary.LittleEndian.AppendUint32(e.b, v)
	}
}

// U64 appends 8 bytes.
func (e *Encoder) U64(v uint64) {
	if e != nil {
		e.b = binary.LittleEndian.AppendUint64(e.b, v)
	}
}

// F32 appends 4 bytes.
func (e *Encoder) F32(v float32) { e.U32(math.Float32bits(v)) }

// F64 appends 8 bytes.
func (e *Encoder) F64(v float64) { e.U64(math.Float64bits(v)) }

// Bool appends 1 or 0. Options begin with one.
func (e *Encoder) Bool(v bool) {
	if v {
		e.U8(1)
	} else {
		e.U8(0)
	}
}

// Count appends the count of a list.
func (e *Encoder) Count(n int) { e.U64(uint64(n)) }

// Bytes appends a length and bytes.
func (e *Encoder) Bytes(p []byte) {
	if e != nil {
		e.U64(uint64(len(p)))
		e.b = append(e.b, p...)
	}
}

// String appends a length and text, which must be valid UTF-8.
func (e *Encoder) String(s string) {
	if e == nil {
		return
	}
	if !utf8.ValidString(s) {
		e.Fail("text of %d bytes is not valid UTF-8", len(s))
		return
	}
	e.U64(uint64(len(s)))
	e.b = append(e.b, s...)
}

// Enter counts a level of nesting, which [Encoder.Leave] ends; false, and an error, when it is one too many.
func (e *Encoder) Enter() bool {
	if e == nil || e.err != nil || e.depth == MaxDepth {
		e.tooDeep()
		return false
	}
	e.depth++
	return true
}

func (e *Encoder) tooDeep() { e.Fail("nested more than %d deep", MaxDepth) } // unless it has failed

// Leave ends a level that [Encoder.Enter] began.
func (e *Encoder) Leave() {
	if e != nil {
		e.depth--
	}
}

// Part begins what has a length; [Encoder.End] with the result ends it.
func (e *Encoder) Part() (at int) {
	if e == nil {
		return 0
	}
	at = len(e.b)
	e.U64(0)
	return at
}

// End ends what [Encoder.Part] began.
func (e *Encoder) End(at int) {
	if e != nil && len(e.b) >= at+8 {
		binary.LittleEndian.PutUint64(e.b[at:], uint64(len(e.b)-at-8))
	}
}

// Raw appends bytes as they are.
func (e *Encoder) Raw(p []byte) {
	if e != nil {
		e.b = append(e.b, p...)
	}
}
