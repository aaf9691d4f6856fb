package langrt

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Scalar are Go's types that a value can be: see [Of] and [As].
type Scalar interface {
	bool | int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64 | float32 | float64 | string | []byte
}

// View are the types of values in this package.
type View interface {
	Value | String | Array | Tuple | Dict | Object | Closure | Enum | Unique | File | Future | Channel | Actor | Generator
}

// Of is x as a value: a number, a float, a bool or a string, which s owns if it is an object.
//
// Errors: isthmus.ErrBounds when a number is outside [MinInt] to [MaxInt].
func Of[T Scalar](s *Scope, x T) (Value, error) {
	switch x := any(x).(type) {
	case bool:
		return Bool(x), nil
	case string:
		v, err := NewString(s, x)
		return v.Value, err
	case []byte:
		v, err := NewBytes(s, x)
		return v.Value, err
	case float64:
		return Float(s, x)
	case float32:
		return Float(s, float64(x))
	case int:
		return number(int64(x))
	case int8:
		return number(int64(x))
	case int16:
		return number(int64(x))
	case int32:
		return number(int64(x))
	case int64:
		return number(x)
	case uint8:
		return number(int64(x))
	case uint16:
		return number(int64(x))
	case uint32:
		return number(int64(x))
	case uint:
		return unsigned(uint64(x))
	case uint64:
		return unsigned(x)
	}
	panic("langrt: a scalar without a case") // the type set has no other
}

func number(x int64) (Value, error) {
	if v, ok := rtheap.Int(x); ok {
		return wrap(v), nil
	}
	return Value{}, &Error{Op: "of", Code: BadSize, Detail: fmt.Sprintf("%d, which has more than 61 bits", x)}
}

func unsigned(x uint64) (Value, error) {
	if x > MaxInt {
		return Value{}, &Error{Op: "of", Code: BadSize, Detail: fmt.Sprintf("%d, which has more than 61 bits", x)}
	}
	return number(int64(x))
}

// As is the number, float, bool, text or view that v is: As[int64](v), As[string](v), As[Array](v). A number is no float
// and a float no number; bytes and text are copies.
//
// Errors: isthmus.ErrInvalid when v is something else, isthmus.ErrClosed when it is an object that is gone,
// isthmus.ErrBounds when the number does not fit T.
func As[T Scalar | View](v Value) (T, error) {
	var x T
	switch p := any(&x).(type) {
	case *Value:
		if *p = v; v.Type() == TypeInvalid {
			return x, wrong(v, TypeInvalid)
		}
	case *bool:
		b, ok := v.Bool()
		if *p = b; !ok {
			return x, wrong(v, TypeBool)
		}
	case *string:
		text, err := String{v}.Text()
		*p = text
		return x, err
	case *[]byte:
		b, err := String{v}.Bytes()
		*p = b
		return x, err
	case *float64:
		f, ok := v.Float()
		if *p = f; !ok {
			return x, wrong(v, TypeFloat)
		}
	case *float32:
		f, ok := v.Float()
		if *p = float32(f); !ok {
			return x, wrong(v, TypeFloat)
		}
	case *int:
		return x, within(v, p, math.MinInt, math.MaxInt)
	case *int8:
		return x, within(v, p, math.MinInt8, math.MaxInt8)
	case *int16:
		return x, within(v, p, math.MinInt16, math.MaxInt16)
	case *int32:
		return x, within(v, p, math.MinInt32, math.MaxInt32)
	case *int64:
		return x, within(v, p, math.MinInt64, math.MaxInt64)
	case *uint:
		return x, within(v, p, 0, math.MaxInt64)
	case *uint8:
		return x, within(v, p, 0, math.MaxUint8)
	case *uint16:
		return x, within(v, p, 0, math.MaxUint16)
	case *uint32:
		return x, within(v, p, 0, math.MaxUint32)
	case *uint64:
		return x, within(v, p, 0, math.MaxInt64)
	case *String:
		*p = String{v}
		return x, is(v, TypeString)
	case *Array:
		*p = Array{v}
		return x, is(v, TypeArray)
	case *Tuple:
		*p = Tuple{v}
		return x, is(v, TypeTuple)
	case *Dict:
		*p = Dict{v}
		return x, is(v, TypeDict)
	case *Object:
		*p = Object{v}
		return x, is(v, TypeObject)
	case *Closure:
		*p = Closure{v}
		return x, is(v, TypeClosure)
	case *Enum:
		*p = Enum{v}
		return x, is(v, TypeEnum)
	case *Unique:
		*p = Unique{v}
		return x, is(v, TypeUnique)
	case *Future:
		*p = Future{v}
		return x, is(v, TypeFuture)
	case *Actor:
		*p = Actor{v}
		return x, is(v, TypeActor)
	case *Generator:
		*p = Generator{v}
		return x, is(v, TypeGenerator)
	case *Channel:
		*p = Channel{v}
		return x, is(v, TypeChannel)
	case *File:
		*p = File{v}
		return x, is(v, TypeFile)
	}
	return x, nil
}

func within[T int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64](v Value, to *T, low, high int64) error {
	n, ok := v.Int()
	if !ok {
		return wrong(v, TypeInt)
	}
	if n < low || n > high {
		return &Error{Op: "as", Code: OutOfRange, Value: v, Detail: fmt.Sprintf("as %T", *to)}
	}
	*to = T(n)
	return nil
}

func is(v Value, t Type) error {
	if v.Type() == t {
		return nil
	}
	return wrong(v, t)
}

func wrong(v Value, want Type) error {
	code := WrongType
	if v.Type() == TypeInvalid {
		code = NoObject
	}
	return &Error{Op: "as " + want.String(), Code: code, Value: v}
}
