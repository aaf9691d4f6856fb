package rtheap

import "sync/atomic"

// Tuples, objects and closures have a number of words that never changes, all nil at first.

func (h *Heap) newFields(t Type, n, aux uint64) (Value, Code) {
	if n > h.maxLen {
		return Nil, BadSize
	}
	return h.newObject(t, n*8, uint32(n), aux, func(blk uint32) {
		for i := range n {
			atomic.StoreUint64(h.word(blk, i), uint64(Nil))
		}
	})
}

func (h *Heap) fields(v Value, t Type) (int64, Code) {
	if s := h.slot(v); s.live(v, t) {
		if n := atomic.LoadUint32(&s.len); s.live(v, t) {
			return int64(n), OK
		}
	}
	return -1, h.refused(v)
}

// field lends word i.
func (h *Heap) field(v Value, t Type, i uint64) (Value, Code) {
	if i > MaxLen {
		if _, code := h.fields(v, t); code != OK {
			return Nil, code
		}
		return Nil, BadIndex
	}
	return h.element(v, t, int64(i))
}

func (h *Heap) setField(v Value, t Type, i uint64, to Value) Code {
	return h.setElement(v, t, int64(min(i, MaxLen)), to)
}

// NewTuple makes a tuple of n nils.
func (h *Heap) NewTuple(n uint64) (Value, Code) { return h.newFields(Tuple, n, 0) }

// TupleLen is the number of elements, -1 for what is no tuple.
func (h *Heap) TupleLen(t Value) (int64, Code) { return h.fields(t, Tuple) }

// TupleGet lends element i.
func (h *Heap) TupleGet(t Value, i uint64) (Value, Code) { return h.field(t, Tuple, i) }

// TupleSet stores v, which the tuple counts, as element i, unless the tuple is frozen.
func (h *Heap) TupleSet(t Value, i uint64, v Value) Code { return h.setField(t, Tuple, i, v) }

// NewObject makes an object of class with n fields, all nil.
func (h *Heap) NewObject(class, n uint32) (Value, Code) {
	return h.newFields(Object, uint64(n), uint64(class))
}

// ObjectClass is the class, -1 for what is no object.
func (h *Heap) ObjectClass(o Value) (int64, Code) {
	c, code := h.aux(o, Object)
	if code != OK {
		return -1, code
	}
	return int64(c), OK
}

// ObjectFields is the number of fields, -1 for what is no object.
func (h *Heap) ObjectFields(o Value) (int64, Code) { return h.fields(o, Object) }

// ObjectGet lends field i.
func (h *Heap) ObjectGet(o Value, i uint32) (Value, Code) { return h.field(o, Object, uint64(i)) }

// ObjectSet stores v, which the object counts, as field i.
func (h *Heap) ObjectSet(o Value, i uint32, v Value) Code { return h.setField(o, Object, uint64(i), v) }

// NewClosure makes a closure of the function at fn, which only C calls, with n captures, all nil.
func (h *Heap) NewClosure(fn uintptr, n uint32) (Value, Code) {
	return h.newFields(Closure, uint64(n), uint64(fn))
}

// ClosureFunc is the function's address, 0 for what is no closure.
func (h *Heap) ClosureFunc(c Value) (uintptr, Code) {
	fn, code := h.aux(c, Closure)
	return uintptr(fn), code
}

// ClosureGet lends capture i.
func (h *Heap) ClosureGet(c Value, i uint32) (Value, Code) { return h.field(c, Closure, uint64(i)) }

// ClosureSet stores v, which the closure counts, as capture i.
func (h *Heap) ClosureSet(c Value, i uint32, v Value) Code {
	return h.setField(c, Closure, uint64(i), v)
}

// aux is what the slot of v says beside block and length.
func (h *Heap) aux(v Value, t Type) (uint64, Code) {
	if s := h.slot(v); s.live(v, t) {
		if a := atomic.LoadUint64(&s.aux); s.live(v, t) {
			return a, OK
		}
	}
	return 0, h.refused(v)
}

// enumBytes is the block of an enum: discriminant and enumeration in one word.
const enumBytes = 8

// NewEnum makes a value of an enumeration. It counts the payload, which may be nil.
func (h *Heap) NewEnum(enum, discriminant uint32, payload Value) (Value, Code) {
	if !h.Retain(payload) {
		return Nil, BadValue
	}
	v, code := h.newObject(Enum, enumBytes, 1, uint64(payload), func(blk uint32) {
		atomic.StoreUint64(h.word(blk, 0), uint64(enum)<<32|uint64(discriminant))
	})
	if code != OK {
		h.Release(payload)
	}
	return v, code
}

func (h *Heap) enum(e Value) (uint64, Code) {
	s := h.slot(e)
	if s.live(e, Enum) {
		w := atomic.LoadUint64(h.word(atomic.LoadUint32(&s.blk), 0))
		if s.live(e, Enum) {
			return w, OK
		}
	}
	return 0, h.refused(e)
}

// EnumDiscriminant tells which of the enumeration's variants e is, -1 for what is no enum.
func (h *Heap) EnumDiscriminant(e Value) (int64, Code) {
	w, code := h.enum(e)
	if code != OK {
		return -1, code
	}
	return int64(uint32(w)), OK
}

// EnumID is the enumeration, -1 for what is no enum.
func (h *Heap) EnumID(e Value) (int64, Code) {
	w, code := h.enum(e)
	if code != OK {
		return -1, code
	}
	return int64(w >> 32), OK
}

// EnumPayload lends the payload.
func (h *Heap) EnumPayload(e Value) (Value, Code) {
	p, code := h.aux(e, Enum)
	if code != OK {
		return Nil, code
	}
	return Value(p), OK
}

// NewUnique makes the one owner of v, whose count it takes over: also when it fails, v is let go.
func (h *Heap) NewUnique(v Value) (Value, Code) {
	if v.IsHandle() && !h.Live(v) || !v.valid() {
		return Nil, BadValue
	}
	u, code := h.newObject(Unique, 0, 0, uint64(v), nil)
	if code != OK {
		h.Release(v)
	}
	return u, code
}

// UniqueGet lends what u owns.
func (h *Heap) UniqueGet(u Value) (Value, Code) {
	v, code := h.aux(u, Unique)
	if code != OK {
		return Nil, code
	}
	return Value(v), OK
}

// UniqueSet has u own v, whose count it takes over, and lets what it owned go. When it fails v stays the caller's.
func (h *Heap) UniqueSet(u, v Value) Code {
	if v.IsHandle() && !h.Live(v) || !v.valid() {
		return BadValue
	}
	s, code := h.write(u, Unique)
	if code != OK {
		return code
	}
	old := Value(atomic.SwapUint64(&s.aux, uint64(v)))
	s.release()
	h.Release(old)
	return OK
}

// NewFloat is f as a value: a word for almost every float, and an object, with one count, for very large, very small and
// special ones.
func (h *Heap) NewFloat(f float64) (Value, Code) {
	if v, ok := Flonum(f); ok {
		return v, OK
	}
	return h.newObject(Float, 0, 0, floatBits(f), nil)
}

// AsFloat is the float that v is.
func (h *Heap) AsFloat(v Value) (float64, Code) {
	if v.IsFlonum() {
		return v.AsFlonum(), OK
	}
	b, code := h.aux(v, Float)
	return bitsFloat(b), code
}
