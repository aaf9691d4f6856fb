package rtheap

import "sync/atomic"

// What Go asks beside C's operations, so that its strings are copied once.

// NewText makes a string of text's bytes.
func (h *Heap) NewText(text string) (Value, Code) {
	return h.newString(uint64(len(text)), func(to []byte) { copy(to, text) })
}

// StringText is a copy of the bytes, as text.
func (h *Heap) StringText(v Value) (string, Code) {
	b, code := h.lend(v)
	if code != OK {
		return "", code
	}
	text := string(b)
	if !h.slot(v).still(v, String) { // it died meanwhile: what was copied may be another's
		return "", h.refused(v)
	}
	return text, OK
}

// AppendString appends the bytes to to, which stays as it was when v is refused.
func (h *Heap) AppendString(to []byte, v Value) ([]byte, Code) {
	b, code := h.lend(v)
	if code != OK {
		return to, code
	}
	out := append(to, b...)
	if !h.slot(v).still(v, String) {
		return to, h.refused(v)
	}
	return out, OK
}

// ClosureLen is the number of captures, -1 for what is no closure.
func (h *Heap) ClosureLen(c Value) (int64, Code) { return h.fields(c, Closure) }

// DictGetText is DictGet of a string that need not be made.
func (h *Heap) DictGetText(d Value, key string) (Value, Code) {
	v, found := Nil, false
	x := hashOf(h.seed, key)
	code := h.read(d, Dict, func(blk, _ uint32, aux uint64) {
		t := h.table(blk, aux)
		v, found = t.findText(key, x)
	})
	if code == OK && !found {
		code = NotFound
	}
	if code != OK {
		return Nil, code
	}
	return v, OK
}

// findText is find of the string with these bytes; it returns the value.
func (t *table) findText(key string, x uint64) (Value, bool) {
	j, _, found := t.candidates(x, func(j uint64) bool {
		k := Value(atomic.LoadUint64(t.key(j)))
		if !k.IsHandle() || k.kind() != String {
			return false
		}
		b, code := t.h.lend(k)
		return code == OK && string(b) == key && t.h.slot(k).still(k, String)
	})
	if !found {
		return Nil, false
	}
	return Value(atomic.LoadUint64(t.value(j))), true
}
