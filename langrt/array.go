package langrt

import (
	"iter"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Array is a list of values that grows. Its methods may be called from any goroutine and race with C's: a write is
// atomic, and a read gives a value that was in the array during the call.
type Array struct{ Value }

// NewArray makes an empty array with room for capacity elements, which s owns.
func NewArray(s *Scope, capacity int) (Array, error) {
	const op = "array new"
	h, err := heap(op)
	if err != nil {
		return Array{}, err
	}
	w, code := h.NewArray(int64(capacity))
	v, err := own(s, op, h, w, code)
	return Array{v}, err
}

// ArrayOf makes an array of elems, each of which it counts.
func ArrayOf(s *Scope, elems ...Value) (Array, error) {
	a, err := NewArray(nil, len(elems))
	if err != nil {
		return Array{}, err
	}
	for _, v := range elems {
		if err := a.Push(v); err != nil {
			_ = Release(a.Value) // it has just been made
			return Array{}, err
		}
	}
	return finished(s, "array of", a)
}

// finished gives s what was made and filled outside of it.
func finished[T viewed](s *Scope, op string, x T) (T, error) {
	if v := x.view(); s != nil && !s.take(v.raw()) {
		_ = Release(v) // it has just been made
		var none T
		return none, errEnded(op)
	}
	return x, nil
}

// viewed are the types that embed a Value.
type viewed interface{ view() Value }

func (v Value) view() Value { return v }

// Len is the number of elements.
func (a Array) Len() (int, error) {
	w := a.raw()
	if h := rtheap.Made(); h != nil {
		n, code := h.ArrayLen(w)
		if code == rtheap.OK {
			return int(n), nil
		}
		return 0, refusal("array len", a.Value, code)
	}
	return 0, notRunning("array len", a.Value)
}

// Get lends element i; a negative i counts from the end. The element is good while the array holds it: [Retain] it to
// have it for longer.
//
// Errors: isthmus.ErrBounds.
func (a Array) Get(i int) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.ArrayGet(a.raw(), int64(i))
		if code == rtheap.OK {
			return wrap(v), nil
		}
		return Value{}, refusalAt("array get", a.Value, int64(i), code)
	}
	return Value{}, notRunning("array get", a.Value)
}

// Set stores v, which the array counts, as element i, and lets the old one go; a negative i counts from the end.
func (a Array) Set(i int, v Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.ArraySet(a.raw(), int64(i), v.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalAt("array set", a.Value, int64(i), code)
	}
	return notRunning("array set", a.Value)
}

// Push stores v, which the array counts, after the last element.
func (a Array) Push(v Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.ArrayPush(a.raw(), v.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalOf("array push", a.Value, v, code)
	}
	return notRunning("array push", a.Value)
}

// Pop takes the last element out, which s owns then.
//
// Errors: [Empty].
func (a Array) Pop(s *Scope) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.ArrayPop(a.raw())
		if code != rtheap.OK {
			return Value{}, refusal("array pop", a.Value, code)
		}
		return own(s, "array pop", h, v, code)
	}
	return Value{}, notRunning("array pop", a.Value)
}

// Clear lets all elements go and keeps the room.
func (a Array) Clear() error {
	if h := rtheap.Made(); h != nil {
		return check("array clear", a.Value, h.ArrayClear(a.raw()))
	}
	return notRunning("array clear", a.Value)
}

// All are the elements with their indexes, as they are when the loop comes to them; it ends early when the array is gone.
func (a Array) All() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		for i := 0; ; i++ {
			if n, err := a.Len(); err != nil || i >= n {
				return
			}
			v, err := a.Get(i)
			if err != nil || !yield(i, v) {
				return
			}
		}
	}
}

// Tuple is a fixed number of values.
type Tuple struct{ Value }

// NewTuple makes a tuple of n nils, which s owns.
func NewTuple(s *Scope, n int) (Tuple, error) {
	const op = "tuple new"
	h, err := heap(op)
	if err != nil {
		return Tuple{}, err
	}
	w, code := h.NewTuple(uint64(n)) // a negative n is too large
	v, err := own(s, op, h, w, code)
	return Tuple{v}, err
}

// TupleOf makes a tuple of elems, each of which it counts.
func TupleOf(s *Scope, elems ...Value) (Tuple, error) {
	t, err := NewTuple(nil, len(elems))
	if err != nil {
		return Tuple{}, err
	}
	for i, v := range elems {
		if err := t.Set(i, v); err != nil {
			_ = Release(t.Value) // it has just been made
			return Tuple{}, err
		}
	}
	return finished(s, "tuple of", t)
}

// Len is the number of elements.
func (t Tuple) Len() (int, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.TupleLen(t.raw())
		if code == rtheap.OK {
			return int(n), nil
		}
		return 0, refusal("tuple len", t.Value, code)
	}
	return 0, notRunning("tuple len", t.Value)
}

// Get lends element i.
//
// Errors: isthmus.ErrBounds.
func (t Tuple) Get(i int) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.TupleGet(t.raw(), uint64(i)) // a negative i is out of range
		if code == rtheap.OK {
			return wrap(v), nil
		}
		return Value{}, refusalAt("tuple get", t.Value, int64(i), code)
	}
	return Value{}, notRunning("tuple get", t.Value)
}

// Set stores v, which the tuple counts, as element i.
//
// Errors: isthmus.ErrBounds; [Frozen] once it is.
func (t Tuple) Set(i int, v Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.TupleSet(t.raw(), uint64(i), v.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalAt("tuple set", t.Value, int64(i), code)
	}
	return notRunning("tuple set", t.Value)
}

// All are the elements with their indexes; it ends early when the tuple is gone.
func (t Tuple) All() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		n, _ := t.Len()
		for i := range n {
			v, err := t.Get(i)
			if err != nil || !yield(i, v) {
				return
			}
		}
	}
}
