package rtheap

import (
	"math"
	"math/bits"
)

// Int is x as a value, false when x does not fit in 61 bits.
func Int(x int64) (Value, bool) { return Value(x << 3), x<<3>>3 == x }

// AsInt is the number that v holds.
func (v Value) AsInt() (int64, bool) { return int64(v) >> 3, v&tagMask == tagInt }

// Bool is b as a value.
func Bool(b bool) Value {
	if b {
		return True
	}
	return False
}

// Symbol is the n-th word that is neither number, float nor handle; n is at least 3.
func Symbol(n uint32) Value { return Value(n)<<3 | tagOther }

// IsHandle reports whether v has the form of a handle: whether it names a live object is another question.
func (v Value) IsHandle() bool { return v&tagMask == tagHandle }

// valid reports whether v has a form that may be stored: the tags 0, 1, 2, 3 and 6.
func (v Value) valid() bool { return 0b01001111>>(v&tagMask)&1 != 0 }

// A double whose exponent is near that of 1 fits in the word: the three bits after the sign are 011 or 100, so they can be
// told from one bit, and the two bits won hold the tag. Ruby calls it flonum. Every other double is boxed, so none loses a
// bit.
const (
	flonumTag  = 2
	flonumZero = Value(0x8000000000000002)
)

// Flonum is f in the word, false when it has to be boxed.
func Flonum(f float64) (Value, bool) {
	b := math.Float64bits(f)
	if top := b >> 60 & 7; top == 3 || top == 4 {
		if v := bits.RotateLeft64(b, 3)&^3 | flonumTag; Value(v) != flonumZero {
			return Value(v), true
		}
		return Nil, false
	}
	if b == 0 {
		return flonumZero, true
	}
	return Nil, false
}

// IsFlonum reports whether v is a float that is not boxed.
func (v Value) IsFlonum() bool { return v&3 == flonumTag }

// AsFlonum is the float of a flonum.
func (v Value) AsFlonum() float64 {
	if v == flonumZero {
		return 0
	}
	// The two bits of the tag come back from the one that tells 011 from 100.
	b := uint64(v)&^3 | 2 - uint64(v)>>63
	return math.Float64frombits(bits.RotateLeft64(b, -3))
}

// handle is the value of the live object in slot i.
func handle(word uint64, i uint32) Value {
	return Value(word&^countMask | uint64(i)<<indexShift | tagHandle)
}

func (v Value) index() uint32 { return uint32(v>>indexShift) & (1<<indexBits - 1) }

func (v Value) kind() Type { return Type(v >> typeShift & (1<<typeBits - 1)) }
