package langrt

import (
	"fmt"
	"iter"
	"reflect"

	"github.com/isthmus-ffi/isthmus"
)

// deepest is how many containers From and Value.Go follow into each other: what is deeper, or leads back to itself, is
// an error and not the end of the stack.
const deepest = 1000

// From is a copy of x as values, the outermost of which s owns: nil, what [Of] takes, and of any depth slices and arrays
// (an [Array]) and maps (a [Dict], in no order). A Value or a view is taken as it is, and counted by what holds it.
//
// Errors: isthmus.ErrInvalid for what has no such form, or is deeper than a thousand containers.
func From(s *Scope, x any) (Value, error) {
	v, err := from(x, 0)
	if err != nil {
		return Value{}, err
	}
	if s != nil && v.raw().IsHandle() && !s.take(v.raw()) {
		_ = Release(v) // it has just been made
		return Value{}, errEnded("from")
	}
	return v, nil
}

// from returns a value whose count is the caller's.
func from(x any, depth int) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Value{}, nil
	case viewed:
		return x.view(), Retain(x.view())
	case []byte:
		return Of(nil, x)
	}
	if depth > deepest {
		return Value{}, fmt.Errorf("langrt: from: %T is deeper than %d containers: %w", x, deepest, isthmus.ErrInvalid)
	}
	r := reflect.ValueOf(x)
	switch {
	case r.Kind() == reflect.Bool:
		return Bool(r.Bool()), nil
	case r.Kind() == reflect.String:
		return Of(nil, r.String())
	case r.CanInt():
		return number(r.Int())
	case r.CanUint() && r.Kind() != reflect.Uintptr:
		return unsigned(r.Uint())
	case r.CanFloat():
		return Float(nil, r.Float())
	case r.Kind() == reflect.Slice || r.Kind() == reflect.Array:
		return fill(func() (Array, error) { return NewArray(nil, r.Len()) }, func(a Array) error {
			for _, e := range r.Seq2() {
				if err := given(e, depth, a.Push); err != nil {
					return err
				}
			}
			return nil
		})
	case r.Kind() == reflect.Map:
		return fill(func() (Dict, error) { return NewDict(nil, r.Len()) }, func(d Dict) error {
			for k, e := range r.Seq2() {
				err := given(k, depth, func(k Value) error { return given(e, depth, func(v Value) error { return d.Set(k, v) }) })
				if err != nil {
					return err
				}
			}
			return nil
		})
	case (r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface) && !r.IsNil():
		return from(r.Elem().Interface(), depth+1)
	}
	return Value{}, fmt.Errorf("langrt: from: %T has no form as a value: %w", x, isthmus.ErrInvalid)
}

// given has f store e, and lets the count of it go that it was made with.
func given(e reflect.Value, depth int, f func(Value) error) error {
	if !e.CanInterface() {
		return fmt.Errorf("langrt: from: %s is not exported: %w", e.Type(), isthmus.ErrInvalid)
	}
	v, err := from(e.Interface(), depth+1)
	if err != nil {
		return err
	}
	err = f(v)
	_ = Release(v) // it was made here, and whoever counts it keeps it
	return err
}

func fill[T viewed](make func() (T, error), f func(T) error) (Value, error) {
	x, err := make()
	if err != nil {
		return Value{}, err
	}
	if err := f(x); err != nil {
		_ = Release(x.view()) // it has just been made
		return Value{}, err
	}
	return x.view(), nil
}

// Go is a copy of v as Go has it: nil, bool, int64, float64, string, []any of an array or tuple, map[any]any of a
// dictionary. What has no such form, such as an object or a symbol, is its Value, and so is a container as a key. A
// container that v leads to on several ways is one slice or map.
//
// Errors: isthmus.ErrClosed when v, or something in it, is gone; isthmus.ErrInvalid when it leads back to itself, or is
// deeper than a thousand containers.
func (v Value) Go() (any, error) {
	c := copier{}
	return c.copy(v, 0)
}

// copier has the copies of containers, nil of those under way.
type copier map[Value]any

func (c copier) copy(v Value, depth int) (any, error) {
	switch v.Type() {
	case TypeNil:
		return nil, nil
	case TypeBool:
		b, _ := v.Bool()
		return b, nil
	case TypeInt:
		n, _ := v.Int()
		return n, nil
	case TypeFloat:
		return As[float64](v)
	case TypeString:
		return As[string](v)
	case TypeArray, TypeTuple, TypeDict:
		return c.container(v, depth)
	case TypeInvalid:
		return nil, wrong(v, TypeInvalid)
	}
	return v, nil
}

func (c copier) container(v Value, depth int) (x any, err error) {
	switch x, known := c[v]; {
	case known && x == nil:
		return nil, fmt.Errorf("langrt: go: %v leads back to itself: %w", v, isthmus.ErrInvalid)
	case known:
		return x, nil
	case depth > deepest:
		return nil, fmt.Errorf("langrt: go: %v is deeper than %d containers: %w", v, deepest, isthmus.ErrInvalid)
	}
	c[v] = nil
	switch v.Type() {
	case TypeArray:
		x, err = c.list(Array{v}.All(), depth)
	case TypeTuple:
		x, err = c.list(Tuple{v}.All(), depth)
	default:
		x, err = c.dict(Dict{v}, depth)
	}
	c[v] = x
	return x, err
}

func (c copier) dict(d Dict, depth int) (any, error) {
	out := map[any]any{}
	var failed error
	err := d.Walk(func(k, e Value) bool {
		var key, x any = k, nil
		if t := k.Type(); t != TypeArray && t != TypeTuple && t != TypeDict {
			key, failed = c.copy(k, depth+1)
		}
		if failed == nil {
			x, failed = c.copy(e, depth+1)
			out[key] = x
		}
		return failed == nil
	})
	if failed != nil {
		return nil, failed
	}
	return out, err
}

func (c copier) list(all iter.Seq2[int, Value], depth int) (any, error) {
	out := []any{}
	for _, e := range all {
		x, err := c.copy(e, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
