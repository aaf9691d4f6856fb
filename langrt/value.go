package langrt

import (
	"fmt"
	"math"
	"strconv"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Value is a value of the runtime: nil, a number, a float, a bool, a symbol, or a handle of an object in the heap that Go
// and C share. It is a word, so it is comparable and free to copy: equal Values are the same number or the same object.
// The zero Value is nil.
//
// A handle is checked whenever it is used. One of an object that is gone gives [isthmus.ErrClosed], one of an object of
// another type [isthmus.ErrInvalid]; neither is ever mistaken for a later object, so a Value that was kept too long, or
// that came from C as any word at all, is an error and no more.
type Value struct {
	w rtheap.Value // the word of C's, with nil's bits flipped, so that the zero Value is nil
}

func wrap(w rtheap.Value) Value   { return Value{w ^ rtheap.Nil} }
func (v Value) raw() rtheap.Value { return v.w ^ rtheap.Nil }

// FromWord is the value that C has as this rt_value. Any word is safe to use as a Value: each use is checked. No count
// comes with it: what C gives away as its own is released here, or put into a scope with [Scope.Take].
func FromWord(w uint64) Value { return wrap(rtheap.Value(w)) }

// Word is the value as C has it, an rt_value. No count goes with it.
func (v Value) Word() uint64 { return uint64(v.raw()) }

// The numbers that are values.
const (
	MinInt = -1 << 60
	MaxInt = 1<<60 - 1
)

// invalid is a word that is no value, which every operation refuses.
const invalid = rtheap.Value(7)

// Nil is the value nil, which is also the zero Value.
func Nil() Value { return Value{} }

// Int is a number of [MinInt] to [MaxInt] as a value. Another number gives a Value that is none, which whatever it is
// given to refuses with [isthmus.ErrInvalid].
func Int(x int64) Value {
	if v, ok := rtheap.Int(x); ok {
		return wrap(v)
	}
	return wrap(invalid)
}

// Bool is b as a value.
func Bool(b bool) Value { return wrap(rtheap.Bool(b)) }

// Symbol is the n-th value that is neither nil, bool, number, float nor object: a language's own constant. The first
// three are nil, true and false.
func Symbol(n uint32) Value { return wrap(rtheap.Symbol(n)) }

// Float is f as a value that s owns. Almost every float is a word and needs no memory; the very large, very small and
// special ones are objects. Equal floats that are objects are not the same Value, but the same key of a [Dict].
func Float(s *Scope, f float64) (Value, error) {
	if v, ok := rtheap.Flonum(f); ok {
		return wrap(v), nil
	}
	const op = "float"
	h, err := heap(op)
	if err != nil {
		return Value{}, err
	}
	w, code := h.NewFloat(f)
	return own(s, op, h, w, code)
}

// IsNil reports whether v is nil.
func (v Value) IsNil() bool { return v == Value{} }

// Int is the number that v is, and whether it is one.
func (v Value) Int() (int64, bool) { return v.raw().AsInt() }

// Bool is the bool that v is, and whether it is one.
func (v Value) Bool() (b, ok bool) {
	w := v.raw()
	return w == rtheap.True, w == rtheap.True || w == rtheap.False
}

// Float is the float that v is, and whether it is one.
func (v Value) Float() (float64, bool) {
	w := v.raw()
	if w.IsFlonum() {
		return w.AsFlonum(), true
	}
	if h := rtheap.Made(); h != nil && w.Kind() == rtheap.Float {
		f, code := h.AsFloat(w)
		return f, code == rtheap.OK
	}
	return 0, false
}

// Symbol is the number of the symbol that v is, and whether it is one.
func (v Value) Symbol() (uint32, bool) {
	if n := v.Word() >> 3; v.Word()&7 == 3 && n <= math.MaxUint32 {
		return uint32(n), true
	}
	return 0, false
}

// Type is the type of v; [TypeInvalid] of an object that is gone, and of a word that is no value.
func (v Value) Type() Type {
	w := v.raw()
	switch {
	case w.IsHandle():
		if h := rtheap.Made(); h != nil {
			return Type(h.TypeOf(w))
		}
		return TypeInvalid
	case w == rtheap.Nil:
		return TypeNil
	case w == rtheap.True || w == rtheap.False:
		return TypeBool
	case w.IsFlonum():
		return TypeFloat
	case !w.Valid():
		return TypeInvalid
	case w&7 == 0:
		return TypeInt
	}
	return TypeSymbol
}

// Live reports whether v is a value: not a handle of an object that is gone, and not a word that is none.
func (v Value) Live() bool { return v.Type() != TypeInvalid }

// String is v for people: what it is if it is short, and else its type and place.
func (v Value) String() string {
	switch v.Type() {
	case TypeNil:
		return "nil"
	case TypeBool:
		b, _ := v.Bool()
		return strconv.FormatBool(b)
	case TypeInt:
		n, _ := v.Int()
		return strconv.FormatInt(n, 10)
	case TypeFloat:
		f, _ := v.Float()
		return strconv.FormatFloat(f, 'g', -1, 64)
	case TypeSymbol:
		n, _ := v.Symbol()
		return fmt.Sprintf("symbol %d", n)
	case TypeString:
		if h := rtheap.Made(); h != nil {
			if n, code := h.StringLen(v.raw()); code == rtheap.OK && n <= 40 {
				if b, code := h.StringBytes(v.raw()); code == rtheap.OK {
					return strconv.Quote(string(b))
				}
			}
		}
	case TypeInvalid:
		if w := v.raw(); w.IsHandle() {
			if k := Type(w.Kind()); k.String() != "unknown" {
				return fmt.Sprintf("%s %d (gone)", k, w.Index())
			}
		}
		return fmt.Sprintf("%#x (no value)", v.Word())
	}
	return fmt.Sprintf("%s %d", v.Type(), v.raw().Index())
}

// Type says what a value is.
type Type uint8

// The types. Those of objects have the numbers that C has: see enum rt_type.
const (
	TypeInvalid   Type = 0
	TypeString         = Type(rtheap.String)
	TypeArray          = Type(rtheap.Array)
	TypeDict           = Type(rtheap.Dict)
	TypeTuple          = Type(rtheap.Tuple)
	TypeObject         = Type(rtheap.Object)
	TypeClosure        = Type(rtheap.Closure)
	TypeEnum           = Type(rtheap.Enum)
	TypeFuture         = Type(rtheap.Future)
	TypeGenerator      = Type(rtheap.Generator)
	TypeActor          = Type(rtheap.Actor)
	TypeUnique         = Type(rtheap.Unique)
	TypeChannel        = Type(rtheap.Channel)
	TypeFile           = Type(rtheap.File)
	TypeFloat          = Type(rtheap.Float)
	TypeHost           = Type(rtheap.Host) // a function of Go's that an actor or generator has

	TypeNil    Type = 0xf0
	TypeBool   Type = 0xf1
	TypeInt    Type = 0xf2
	TypeSymbol Type = 0xf3
)

// String is the type's name.
func (t Type) String() string {
	switch t {
	case TypeInvalid:
		return "invalid"
	case TypeNil:
		return "nil"
	case TypeBool:
		return "bool"
	case TypeInt:
		return "int"
	case TypeSymbol:
		return "symbol"
	}
	return rtheap.Type(t).String()
}
