package rtheap

import "sync/atomic"

// NewArray makes an empty array with room for n elements: one count, the caller's.
func (h *Heap) NewArray(n int64) (Value, Code) {
	if n < 0 || uint64(n) > h.maxLen {
		return Nil, BadSize
	}
	if n == 0 {
		return h.newObject(Array, 0, 0, 0, nil)
	}
	c := room(uint64(n))
	return h.newObject(Array, c*8, 0, c, nil)
}

// room is how many words the block for n words has.
func room(n uint64) uint64 { return unit / 8 << classOf(n*8) }

// ArrayLen is the number of elements, -1 for what is no array.
func (h *Heap) ArrayLen(a Value) (int64, Code) {
	s := h.slot(a)
	if s.live(a, Array) {
		if n := atomic.LoadUint32(&s.len); s.live(a, Array) {
			return int64(n), OK
		}
	}
	return -1, h.refused(a)
}

// ArrayGet lends element i; a negative i counts from the end.
func (h *Heap) ArrayGet(a Value, i int64) (Value, Code) { return h.element(a, Array, i) }

// element lends element i of an array or tuple: a word that was there during the call.
func (h *Heap) element(a Value, t Type, i int64) (Value, Code) {
	s := h.slot(a)
	for s.live(a, t) {
		blk := atomic.LoadUint32(&s.blk)
		n := int64(atomic.LoadUint32(&s.len))
		at := i
		if at < 0 {
			at += n
		}
		if uint64(at) >= uint64(n) {
			if s.live(a, t) {
				return Nil, BadIndex
			}
			break
		}
		v := Value(atomic.LoadUint64(h.word(blk, uint64(at))))
		if s.live(a, t) && atomic.LoadUint32(&s.blk) == blk {
			return v, OK
		}
	}
	return Nil, h.refused(a)
}

// ArraySet stores v, which the array counts, as element i, and lets the old one go.
func (h *Heap) ArraySet(a Value, i int64, v Value) Code { return h.setElement(a, Array, i, v) }

func (h *Heap) setElement(a Value, t Type, i int64, v Value) Code {
	if !h.Retain(v) {
		return BadValue
	}
	s, code := h.write(a, t)
	if code == OK {
		n := int64(s.len)
		if i < 0 {
			i += n
		}
		if uint64(i) < uint64(n) {
			v = Value(atomic.SwapUint64(h.word(s.blk, uint64(i)), uint64(v)))
		} else {
			code = BadIndex
		}
		s.release()
	}
	h.Release(v) // the old one, or v when it was not stored
	return code
}

// ArrayPush stores v, which the array counts, after the last element. The handle stays the same when the array grows.
func (h *Heap) ArrayPush(a, v Value) Code {
	if !h.Retain(v) {
		return BadValue
	}
	s, code := h.write(a, Array)
	if code == OK {
		n := uint64(s.len)
		if n == s.aux {
			code = h.grow(s)
		}
		if code == OK {
			atomic.StoreUint64(h.word(s.blk, n), uint64(v))
			atomic.StoreUint32(&s.len, uint32(n)+1)
		}
		s.release()
	}
	if code != OK {
		h.Release(v)
	}
	return code
}

// grow gives a locked array a block of twice the size.
func (h *Heap) grow(s *slot) Code {
	n, c := uint64(s.len), max(8, s.aux*2)
	if n == h.maxLen {
		return BadSize
	}
	blk := h.takeBlock(c * 8)
	if blk == 0 {
		return NoMemory
	}
	for i := range n {
		atomic.StoreUint64(h.word(blk, i), *h.word(s.blk, i))
	}
	old, was := s.blk, s.aux
	atomic.StoreUint32(&s.blk, blk)
	atomic.StoreUint64(&s.aux, c)
	h.giveBlock(old, was*8)
	return OK
}

// ArrayPop takes the last element out; its count is the caller's.
func (h *Heap) ArrayPop(a Value) (Value, Code) {
	s, code := h.write(a, Array)
	if code != OK {
		return Nil, code
	}
	defer s.release()
	n := uint64(s.len)
	if n == 0 {
		return Nil, IsEmpty
	}
	v := Value(atomic.LoadUint64(h.word(s.blk, n-1)))
	atomic.StoreUint32(&s.len, uint32(n)-1)
	return v, OK
}

// ArrayClear lets all elements go and keeps the room.
func (h *Heap) ArrayClear(a Value) Code {
	s, code := h.write(a, Array)
	if code != OK {
		return code
	}
	// The elements are let go without the lock: their end may take as long as it likes.
	blk, n, room := s.blk, uint64(s.len), s.aux
	atomic.StoreUint32(&s.len, 0)
	atomic.StoreUint32(&s.blk, 0)
	atomic.StoreUint64(&s.aux, 0)
	s.release()
	h.words(blk, n, func(v Value) { h.Release(v) })
	if s, code := h.write(a, Array); code == OK {
		if s.aux == 0 {
			atomic.StoreUint32(&s.blk, blk)
			atomic.StoreUint64(&s.aux, room)
			blk = 0
		}
		s.release()
	}
	h.giveBlock(blk, room*8)
	return OK
}
