package rtheap

import (
	"bytes"
	"math"
	"math/bits"
	"sync/atomic"
)

// A dictionary keeps its entries in the order in which they came, and finds them through a table of marks. Both share a
// block of 16n bytes, n a power of two: n marks of 32 bits, then 3n/4 entries of two words, key and value.
//
//	mark: 0 is free; otherwise [upper bits of the hash][number of the entry + 1, log2 n bits]
//	aux:  [entries used, those removed included][times it was rebuilt][log2 n]
//	len:  entries that are there
//
// At most three quarters of the table are used, so a look-up ends soon, as a rule in the line of memory where it began. A
// removed entry has the key hole; rebuilding drops it.
const (
	minTable   = 3 // log2
	rebuilt    = 1 << 8
	rebuiltEnd = 1<<24 - 1
)

type table struct {
	h    *Heap
	blk  uint32
	lg   uint8
	used uint32
	gen  uint32 // times it was rebuilt
}

func (h *Heap) table(blk uint32, aux uint64) table {
	return table{h, blk, uint8(aux), uint32(aux >> 32), uint32(aux>>8) & rebuiltEnd}
}

func (t *table) aux() uint64 { return uint64(t.used)<<32 | uint64(t.gen)<<8 | uint64(t.lg) }

// size is the number of marks of the table, 0 of a dictionary that never had an entry.
func (t *table) size() uint64 {
	if t.blk == 0 {
		return 0
	}
	return 1 << t.lg
}

// room is how many entries it may have.
func (t *table) room() uint64 { return t.size() / 4 * 3 }

func (t *table) at(i uint64) *uint32    { return t.h.half(t.blk, i) }
func (t *table) key(j uint64) *uint64   { return t.h.word(t.blk, t.size()/2+2*j) }
func (t *table) value(j uint64) *uint64 { return t.h.word(t.blk, t.size()/2+2*j+1) }

// mark is that of entry j, whose key has the hash x.
func (t *table) mark(x, j uint64) uint32 { return uint32(x>>32)&^uint32(t.size()-1) | uint32(j+1) }

// candidates calls same with each entry whose mark is that of the hash x, until it says yes; at is the mark that has the
// entry, or that would. It ends whatever it reads: a writer may be at it.
func (t *table) candidates(x uint64, same func(entry uint64) bool) (entry, at uint64, found bool) {
	n := t.size()
	if n == 0 {
		return 0, 0, false
	}
	mask := n - 1
	i := x & mask
	for range n {
		w := atomic.LoadUint32(t.at(i))
		if w == 0 {
			break
		}
		if (w^uint32(x>>32))&^uint32(mask) == 0 {
			if j := uint64(w-1) & mask; same(j) {
				return j, i, true
			}
		}
		i = (i + 1) & mask
	}
	return 0, i, false
}

// find returns the entry of key k, whose hash is x, and the mark that has it or that would.
func (t *table) find(k Value, x uint64) (entry, at uint64, found bool) {
	return t.candidates(x, func(j uint64) bool { return t.h.same(Value(atomic.LoadUint64(t.key(j))), k) })
}

// NewDict makes an empty dictionary with room for n entries.
func (h *Heap) NewDict(n int64) (Value, Code) {
	if n < 0 || uint64(n) > h.maxLen/4 {
		return Nil, BadSize
	}
	if n == 0 {
		return h.newObject(Dict, 0, 0, 0, nil)
	}
	lg := max(minTable, bits.Len64((uint64(n)*4+2)/3-1))
	t := table{h: h, lg: uint8(lg)}
	return h.newObject(Dict, 16<<lg, 0, t.aux(), func(blk uint32) { h.wipe(blk, 1<<lg/2) })
}

func (h *Heap) wipe(blk uint32, n uint64) {
	for i := range n {
		atomic.StoreUint64(h.word(blk, i), 0)
	}
}

// DictLen is the number of entries, -1 for what is no dictionary.
func (h *Heap) DictLen(d Value) (int64, Code) { return h.fields(d, Dict) }

// keyOf is k as dictionaries compare it, and its hash: strings by their bytes, floats by their value (so -0 is 0, and NaN
// is itself), all else by identity.
func (h *Heap) keyOf(k Value) (Value, uint64, Code) {
	switch {
	case k == Nil || !k.valid():
		return k, 0, BadKey
	case !k.IsHandle():
		return k, h.hashWord(uint64(k)), OK
	case k.kind() == String:
		s := h.slot(k)
		if x := atomic.LoadUint64(&s.aux); x != 0 && s.live(k, String) {
			return k, x, OK
		}
		b, code := h.lend(k)
		if code != OK {
			return k, 0, BadValue
		}
		x := h.hashBytes(b)
		if !s.still(k, String) {
			return k, 0, BadValue
		}
		// Whoever is here has the same; the slot may be another's by now only if the caller's key was let go under it.
		atomic.CompareAndSwapUint64(&s.aux, 0, x)
		return k, x, OK
	case k.kind() == Float:
		f, code := h.AsFloat(k)
		switch {
		case code != OK:
			return k, 0, BadValue
		case f == 0:
			return flonumZero, h.hashWord(uint64(flonumZero)), OK
		case math.IsNaN(f):
			f = math.NaN()
		}
		return k, h.hashWord(floatBits(f)), OK
	case !h.Live(k):
		return k, 0, BadValue
	}
	return k, h.hashWord(uint64(k)), OK
}

// same reports whether two keys are equal.
func (h *Heap) same(a, b Value) bool {
	if a == b {
		return true
	}
	if a&b&tagMask != tagHandle || a.kind() != b.kind() {
		return false
	}
	switch a.kind() {
	case String:
		x, c := h.lend(a)
		y, e := h.lend(b)
		return c == OK && e == OK && bytes.Equal(x, y) && h.slot(a).still(a, String) && h.slot(b).still(b, String)
	case Float:
		x, c := h.AsFloat(a)
		y, e := h.AsFloat(b)
		return c == OK && e == OK && (x == y || x != x && y != y)
	}
	return false
}

// DictGet lends the value of key k; NotFound, and nil, when there is none.
func (h *Heap) DictGet(d, k Value) (Value, Code) {
	if v, ok := h.glance(d, k); ok {
		return v, OK
	}
	v, found, code := h.lookUp(d, k)
	switch {
	case code != OK:
		return Nil, code
	case !found:
		return Nil, NotFound
	}
	return v, OK
}

// DictHas reports whether there is an entry of key k.
func (h *Heap) DictHas(d, k Value) (bool, Code) {
	_, found, code := h.lookUp(d, k)
	return found && code == OK, code
}

// glance is lookUp where that is easy: the key is a number, or the very string, it is near where it should be, and nobody
// writes. Otherwise it does not know.
func (h *Heap) glance(d, k Value) (Value, bool) {
	var x uint64
	switch {
	case k&tagMask == tagInt:
		x = h.hashWord(uint64(k))
	case k.IsHandle() && k.kind() == String:
		of := h.slot(k)
		if x = atomic.LoadUint64(&of.aux); x == 0 || !of.live(k, String) {
			return Nil, false
		}
	default:
		return Nil, false
	}
	s := h.slot(d)
	l := atomic.LoadUint32(&s.lock)
	if l&1 != 0 || !s.live(d, Dict) {
		return Nil, false
	}
	blk, aux := atomic.LoadUint32(&s.blk), atomic.LoadUint64(&s.aux)
	if blk == 0 || atomic.LoadUint32(&s.lock) != l || !s.live(d, Dict) {
		return Nil, false
	}
	n := uint64(1) << (aux & 63)
	mask := n - 1
	for i, end := x&mask, x&mask+8; i < min(end, n); i++ {
		w := atomic.LoadUint32(h.half(blk, i))
		if w == 0 {
			break
		}
		if (w^uint32(x>>32))&^uint32(mask) != 0 {
			continue
		}
		j := n/2 + 2*(uint64(w-1)&mask)
		if Value(atomic.LoadUint64(h.word(blk, j))) == k {
			v := Value(atomic.LoadUint64(h.word(blk, j+1)))
			return v, atomic.LoadUint32(&s.lock) == l && s.live(d, Dict)
		}
	}
	return Nil, false
}

func (h *Heap) lookUp(d, k Value) (v Value, found bool, code Code) {
	k, x, bad := h.keyOf(k)
	code = h.read(d, Dict, func(blk, _ uint32, aux uint64) {
		found = false
		if t := h.table(blk, aux); bad == OK {
			var j uint64
			if j, _, found = t.find(k, x); found {
				v = Value(atomic.LoadUint64(t.value(j)))
			}
		}
	})
	if code == OK {
		code = bad
	}
	return v, found, code
}

// DictSet stores v as the value of key k; the dictionary counts both, and lets an old value go.
func (h *Heap) DictSet(d, k, v Value) Code {
	k, x, code := h.keyOf(k)
	if code != OK {
		if live := h.fieldsCode(d); live != OK {
			return live
		}
		return code
	}
	if !h.Retain(k) {
		return BadValue
	}
	if !h.Retain(v) {
		h.Release(k)
		return BadValue
	}
	s, code := h.write(d, Dict)
	if code != OK {
		h.Release(k)
		h.Release(v)
		return code
	}
	t := h.table(s.blk, s.aux)
	j, at, found := t.find(k, x)
	if found {
		v = Value(atomic.SwapUint64(t.value(j), uint64(v)))
	} else {
		if uint64(t.used) == t.room() {
			if code = h.rebuild(s, &t); code == OK {
				_, at, _ = t.find(k, x)
			}
		}
		if code == OK {
			j = uint64(t.used)
			atomic.StoreUint64(t.key(j), uint64(k))
			atomic.StoreUint64(t.value(j), uint64(v))
			atomic.StoreUint32(t.at(at), t.mark(x, j))
			t.used++
			atomic.StoreUint64(&s.aux, t.aux())
			atomic.StoreUint32(&s.len, s.len+1)
		}
	}
	s.release()
	if found || code != OK {
		h.Release(k)
		h.Release(v) // the old one, or v when it was not stored
	}
	return code
}

func (h *Heap) fieldsCode(d Value) Code {
	_, code := h.fields(d, Dict)
	return code
}

// rebuild gives a locked dictionary a table that has no removed entries and is at most half full.
func (h *Heap) rebuild(s *slot, t *table) Code {
	lg := max(minTable, bits.Len64(max(uint64(s.len)*2, 1)-1))
	if uint64(2)<<lg > h.maxLen {
		return BadSize
	}
	blk := h.takeBlock(16 << lg)
	if blk == 0 {
		return NoMemory
	}
	h.wipe(blk, 1<<lg/2)
	n := table{h: h, blk: blk, lg: uint8(lg), gen: (t.gen + 1) & rebuiltEnd}
	for j := range uint64(t.used) {
		k := Value(*t.key(j))
		if k == hole {
			continue
		}
		_, x, _ := h.keyOf(k) // it is counted, so it lives
		i := x & (n.size() - 1)
		for *n.at(i) != 0 {
			i = (i + 1) & (n.size() - 1)
		}
		e := uint64(n.used)
		atomic.StoreUint64(n.key(e), uint64(k))
		atomic.StoreUint64(n.value(e), *t.value(j))
		atomic.StoreUint32(n.at(i), n.mark(x, e))
		n.used++
	}
	old := *t
	*t = n
	atomic.StoreUint32(&s.blk, n.blk)
	atomic.StoreUint64(&s.aux, n.aux())
	h.giveBlock(old.blk, 16*old.size())
	return OK
}

// DictRemove lets the entry of key k go; NotFound when there is none.
func (h *Heap) DictRemove(d, k Value) Code {
	k, x, bad := h.keyOf(k)
	s, code := h.write(d, Dict)
	if code != OK {
		return code
	}
	if bad != OK {
		s.release()
		return bad
	}
	t := h.table(s.blk, s.aux)
	j, _, found := t.find(k, x)
	if !found {
		s.release()
		return NotFound
	}
	key, v := Value(*t.key(j)), Value(*t.value(j))
	atomic.StoreUint64(t.key(j), uint64(hole))
	atomic.StoreUint64(t.value(j), uint64(Nil))
	atomic.StoreUint32(&s.len, s.len-1)
	s.release()
	h.Release(key)
	h.Release(v)
	return OK
}

// DictClear lets all entries go.
func (h *Heap) DictClear(d Value) Code {
	s, code := h.write(d, Dict)
	if code != OK {
		return code
	}
	was := s.object()
	t := table{h: h, gen: (h.table(was.blk, was.aux).gen + 1) & rebuiltEnd}
	atomic.StoreUint32(&s.len, 0)
	atomic.StoreUint32(&s.blk, 0)
	atomic.StoreUint64(&s.aux, t.aux())
	s.release()
	h.entries(was.blk, was.aux, func(v Value) { h.Release(v) })
	h.giveBlock(was.blk, was.size(Dict))
	return OK
}

// entries gives f every key and value of the dictionary that has this block.
func (h *Heap) entries(blk uint32, aux uint64, f func(Value)) {
	t := h.table(blk, aux)
	for j := range min(uint64(t.used), t.room()) {
		if k := Value(atomic.LoadUint64(t.key(j))); k != hole {
			f(k)
			f(Value(atomic.LoadUint64(t.value(j))))
		}
	}
}

// DictNext lends the entry at the cursor, 0 at first, and returns the cursor of the one after it. NotFound is the end;
// Changed when the dictionary was rebuilt since the cursor was made.
func (h *Heap) DictNext(d Value, cursor uint64) (next uint64, k, v Value, code Code) {
	var end Code
	code = h.read(d, Dict, func(blk, _ uint32, aux uint64) {
		t := h.table(blk, aux)
		at := uint64(uint32(cursor))
		k, v, end = Nil, Nil, NotFound
		if cursor != 0 && uint32(cursor>>32) != t.gen {
			end = Changed
			return
		}
		for ; blk != 0 && at < uint64(t.used) && at < t.room(); at++ {
			if k = Value(atomic.LoadUint64(t.key(at))); k != hole {
				v, end = Value(atomic.LoadUint64(t.value(at))), OK
				next = uint64(t.gen)<<32 | (at + 1)
				return
			}
		}
		k = Nil
	})
	if code == OK {
		code = end
	}
	return next, k, v, code
}
