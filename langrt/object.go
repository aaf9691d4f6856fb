package langrt

import "github.com/isthmus-ffi/isthmus/internal/raw/rtheap"

// Object is a value of a class with a fixed number of fields.
type Object struct{ Value }

// NewObject makes an object of a class with fields, all nil, which s owns.
func NewObject(s *Scope, class uint32, fields int) (Object, error) {
	const op = "object new"
	h, err := heap(op)
	if err != nil {
		return Object{}, err
	}
	if fields < 0 || fields > rtheap.MaxLen {
		return Object{}, refusalAt(op, Value{}, int64(fields), rtheap.BadSize)
	}
	w, code := h.NewObject(class, uint32(fields))
	v, err := own(s, op, h, w, code)
	return Object{v}, err
}

// Class is the object's class.
func (o Object) Class() (uint32, error) {
	if h := rtheap.Made(); h != nil {
		c, code := h.ObjectClass(o.raw())
		if code == rtheap.OK {
			return uint32(c), nil
		}
		return 0, refusal("object class", o.Value, code)
	}
	return 0, notRunning("object class", o.Value)
}

// Len is the number of fields.
func (o Object) Len() (int, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.ObjectFields(o.raw())
		if code == rtheap.OK {
			return int(n), nil
		}
		return 0, refusal("object len", o.Value, code)
	}
	return 0, notRunning("object len", o.Value)
}

// Get lends field i.
//
// Errors: isthmus.ErrBounds.
func (o Object) Get(i int) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.ObjectGet(o.raw(), index(i))
		if code == rtheap.OK {
			return wrap(v), nil
		}
		return Value{}, refusalAt("object get", o.Value, int64(i), code)
	}
	return Value{}, notRunning("object get", o.Value)
}

// Set stores v, which the object counts, as field i.
//
// Errors: isthmus.ErrBounds; [Frozen] once it is.
func (o Object) Set(i int, v Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.ObjectSet(o.raw(), index(i), v.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalAt("object set", o.Value, int64(i), code)
	}
	return notRunning("object set", o.Value)
}

// index is i as C has it: one that does not fit is out of range there too.
func index(i int) uint32 {
	if i < 0 || i > rtheap.MaxLen {
		return 1<<32 - 1
	}
	return uint32(i)
}

// Func is a C function that a closure has. Go cannot call it, for nobody knows its arguments; it can put it into another
// closure. The zero Func is none.
type Func struct{ fn uint64 }

// IsNil reports whether f is no function.
func (f Func) IsNil() bool { return f == Func{} }

// Closure is a C function and the values that it captured.
type Closure struct{ Value }

// NewClosure makes a closure of f with captures, all nil, which s owns.
func NewClosure(s *Scope, f Func, captures int) (Closure, error) {
	const op = "closure new"
	h, err := heap(op)
	if err != nil {
		return Closure{}, err
	}
	if captures < 0 || captures > rtheap.MaxLen {
		return Closure{}, refusalAt(op, Value{}, int64(captures), rtheap.BadSize)
	}
	w, code := h.NewClosure(uintptr(f.fn), uint32(captures))
	v, err := own(s, op, h, w, code)
	return Closure{v}, err
}

// Func is the closure's function.
func (c Closure) Func() (Func, error) {
	if h := rtheap.Made(); h != nil {
		fn, code := h.ClosureFunc(c.raw())
		if code == rtheap.OK {
			return Func{uint64(fn)}, nil
		}
		return Func{}, refusal("closure func", c.Value, code)
	}
	return Func{}, notRunning("closure func", c.Value)
}

// Len is the number of captures.
func (c Closure) Len() (int, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.ClosureLen(c.raw())
		if code == rtheap.OK {
			return int(n), nil
		}
		return 0, refusal("closure len", c.Value, code)
	}
	return 0, notRunning("closure len", c.Value)
}

// Get lends capture i.
//
// Errors: isthmus.ErrBounds.
func (c Closure) Get(i int) (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.ClosureGet(c.raw(), index(i))
		if code == rtheap.OK {
			return wrap(v), nil
		}
		return Value{}, refusalAt("closure get", c.Value, int64(i), code)
	}
	return Value{}, notRunning("closure get", c.Value)
}

// Set stores v, which the closure counts, as capture i.
//
// Errors: isthmus.ErrBounds; [Frozen] once it is.
func (c Closure) Set(i int, v Value) error {
	if h := rtheap.Made(); h != nil {
		code := h.ClosureSet(c.raw(), index(i), v.raw())
		if code == rtheap.OK {
			return nil
		}
		return refusalAt("closure set", c.Value, int64(i), code)
	}
	return notRunning("closure set", c.Value)
}

// Enum is a variant of an enumeration, with a payload. It never changes.
type Enum struct{ Value }

// NewEnum makes a variant of enumeration id, which s owns. It counts the payload, which may be nil.
func NewEnum(s *Scope, id, discriminant uint32, payload Value) (Enum, error) {
	const op = "enum new"
	h, err := heap(op)
	if err != nil {
		return Enum{}, err
	}
	w, code := h.NewEnum(id, discriminant, payload.raw())
	if code != rtheap.OK {
		return Enum{}, refusalOf(op, Value{}, payload, code)
	}
	v, err := own(s, op, h, w, code)
	return Enum{v}, err
}

// ID is the enumeration.
func (e Enum) ID() (uint32, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.EnumID(e.raw())
		if code == rtheap.OK {
			return uint32(n), nil
		}
		return 0, refusal("enum id", e.Value, code)
	}
	return 0, notRunning("enum id", e.Value)
}

// Discriminant tells which of the enumeration's variants e is.
func (e Enum) Discriminant() (uint32, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.EnumDiscriminant(e.raw())
		if code == rtheap.OK {
			return uint32(n), nil
		}
		return 0, refusal("enum discriminant", e.Value, code)
	}
	return 0, notRunning("enum discriminant", e.Value)
}

// Payload lends the payload.
func (e Enum) Payload() (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.EnumPayload(e.raw())
		if code == rtheap.OK {
			return wrap(v), nil
		}
		return Value{}, refusal("enum payload", e.Value, code)
	}
	return Value{}, notRunning("enum payload", e.Value)
}

// Unique is the one owner of a value.
type Unique struct{ Value }

// NewUnique makes the owner of v, which s owns. It takes the caller's count of v over, out of s if it is there: v is
// lent to the caller from then on. When it fails v stays as it was.
func NewUnique(s *Scope, v Value) (Unique, error) {
	const op = "unique new"
	h, err := heap(op)
	if err != nil {
		return Unique{}, err
	}
	if !h.Retain(v.raw()) { // NewUnique lets it go when it fails
		return Unique{}, refusalOf(op, Value{}, v, rtheap.BadValue)
	}
	w, code := h.NewUnique(v.raw())
	u, err := own(s, op, h, w, code)
	if err == nil {
		handOver(s, h, v)
	}
	return Unique{u}, err
}

// handOver lets the count of v go that the caller, or its scope, had: somebody else counts v.
func handOver(s *Scope, h *rtheap.Heap, v Value) {
	if s.owns(v.raw()) {
		_ = s.Keep(v) // it is there, and the scope has not ended: the caller is in it
	}
	h.Release(v.raw())
}

// Get lends what u owns.
func (u Unique) Get() (Value, error) {
	if h := rtheap.Made(); h != nil {
		v, code := h.UniqueGet(u.raw())
		if code == rtheap.OK {
			return wrap(v), nil
		}
		return Value{}, refusal("unique get", u.Value, code)
	}
	return Value{}, notRunning("unique get", u.Value)
}

// Set has u own v and lets what it owned go. It takes the caller's count of v over, out of s if it is there. When it
// fails v stays as it was.
func (u Unique) Set(s *Scope, v Value) error {
	h := rtheap.Made()
	if h == nil {
		return notRunning("unique set", u.Value)
	}
	if !h.Retain(v.raw()) {
		return refusalOf("unique set", u.Value, v, rtheap.BadValue)
	}
	if code := h.UniqueSet(u.raw(), v.raw()); code != rtheap.OK {
		h.Release(v.raw())
		return refusalOf("unique set", u.Value, v, code)
	}
	handOver(s, h, v)
	return nil
}
