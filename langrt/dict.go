package langrt

import (
	"errors"
	"iter"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Dict maps keys to values, and keeps the order in which keys came. A key is any value but nil: strings are compared by
// their bytes, floats by their value (-0 is 0, and NaN is itself), all else by identity. Its methods may be called from
// any goroutine and race with C's.
type Dict struct{ Value }

// NewDict makes an empty dictionary with room for capacity entries, which s owns.
func NewDict(s *Scope, capacity int) (Dict, error) {
	const op = "dict new"
	h, err := heap(op)
	if err != nil {
		return Dict{}, err
	}
	w, code := h.NewDict(int64(capacity))
	v, err := own(s, op, h, w, code)
	return Dict{v}, err
}

// Len is the number of entries.
func (d Dict) Len() (int, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.DictLen(d.raw())
		if code == rtheap.OK {
			return int(n), nil
		}
		return 0, refusal("dict len", d.Value, code)
	}
	return 0, notRunning("dict len", d.Value)
}

// errMissing is what Get says of a key that is not there: a program may ask for those often.
var errMissing = &Error{Op: "dict get", Code: NotFound}

// Get lends the value of key k. It is good while the dictionary holds it: [Retain] it to have it for longer.
//
// Errors: isthmus.ErrNotFound when there is none.
func (d Dict) Get(k Value) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.DictGet(d.raw(), k.raw())
		switch code {
		case rtheap.OK:
			return wrap(v), nil
		case rtheap.NotFound:
			return Value{}, errMissing
		}
		return Value{}, refusalOf("dict get", d.Value, k, code)
	}
	return Value{}, notRunning("dict get", d.Value)
}

// GetText is Get of the string that has this text, which need not be made.
func (d Dict) GetText(key string) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.DictGetText(d.raw(), key)
		switch code {
		case rtheap.OK:
			return wrap(v), nil
		case rtheap.NotFound:
			return Value{}, errMissing
		}
		return Value{}, refusal("dict get", d.Value, code)
	}
	return Value{}, notRunning("dict get", d.Value)
}

// Has reports whether there is an entry of key k.
func (d Dict) Has(k Value) (bool, error) {
	if h := rtheap.Made(); h != nil {
		ok, code := h.DictHas(d.raw(), k.raw())
		if code == rtheap.OK {
			return ok, nil
		}
		return false, refusalOf("dict has", d.Value, k, code)
	}
	return false, notRunning("dict has", d.Value)
}

// Set stores v as the value of key k; the dictionary counts both, and lets an old value go.
func (d Dict) Set(k, v Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.DictSet(d.raw(), k.raw(), v.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalOf("dict set", d.Value, k, code)
	}
	return notRunning("dict set", d.Value)
}

// SetText is Set with a string of this text as the key.
func (d Dict) SetText(key string, v Value) error {
	k, err := NewString(nil, key)
	if err != nil {
		return err
	}
	err = d.Set(k.Value, v)
	return errors.Join(err, Release(k.Value))
}

// Remove lets the entry of key k go.
//
// Errors: isthmus.ErrNotFound when there is none.
func (d Dict) Remove(k Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.DictRemove(d.raw(), k.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalOf("dict remove", d.Value, k, code)
	}
	return notRunning("dict remove", d.Value)
}

// Clear lets all entries go.
func (d Dict) Clear() error {
	if h := rtheap.Made(); h != nil {
		return check("dict clear", d.Value, h.DictClear(d.raw()))
	}
	return notRunning("dict clear", d.Value)
}

// All are the entries, in the order in which their keys came. It ends early when the dictionary is gone, or grew since
// the loop began, which [Dict.Walk] tells.
func (d Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) { _ = d.Walk(yield) }
}

// Walk calls f with each entry, in the order in which their keys came, until f returns false. What f changes it may meet
// or not.
//
// Errors: [Changed] when the dictionary grew, or was cleared, since the walk began.
func (d Dict) Walk(f func(k, v Value) bool) error {
	h := rtheap.Made()
	if h == nil {
		return notRunning("dict walk", d.Value)
	}
	for cursor := uint64(0); ; {
		next, k, v, code := h.DictNext(d.raw(), cursor)
		switch {
		case code == rtheap.NotFound:
			return nil
		case code != rtheap.OK:
			return refusal("dict walk", d.Value, code)
		case f == nil || !f(wrap(k), wrap(v)):
			return nil
		}
		cursor = next
	}
}
