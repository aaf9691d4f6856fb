package rtheap

import (
	"runtime"
	"sync/atomic"
	"time"
)

// live reports whether v names the live object of type t that s holds: generation and type agree, and v is a handle.
func (s *slot) live(v Value, t Type) bool {
	return (atomic.LoadUint64(&s.word)^uint64(v))>>typeShift == 0 && v&(typeMask|tagMask) == Value(t)<<typeShift|tagHandle
}

// still is live after bytes of the object were read: they were its own. Elsewhere than on amd64 the processor may do the
// look at the slot before those reads; it does not do them after the store that adding nothing is.
func (s *slot) still(v Value, t Type) bool {
	if runtime.GOARCH != "amd64" {
		atomic.AddUint32(&s.lock, 0)
	}
	return s.live(v, t)
}

// Live reports whether v names a live object, of any type.
func (h *Heap) Live(v Value) bool {
	return v&tagMask == tagHandle && v&typeMask != 0 && (atomic.LoadUint64(&h.slot(v).word)^uint64(v))>>typeShift == 0
}

// TypeOf is the type of a live object, 0 for anything else.
func (h *Heap) TypeOf(v Value) Type {
	if !h.Live(v) {
		return 0
	}
	return v.kind()
}

// refused says why v is not the live object of type t that was wanted, and counts the misuse.
func (h *Heap) refused(v Value) Code {
	h.misuses.Add(1)
	if h.Live(v) {
		return BadType
	}
	return BadHandle
}

// made puts an object that is complete but for its word into slot i, with one count, the caller's.
func (h *Heap) made(i uint32, t Type, blk, n uint32, aux uint64) Value {
	s := h.slotAt(i)
	atomic.StoreUint32(&s.blk, blk)
	atomic.StoreUint32(&s.len, n)
	atomic.StoreUint64(&s.aux, aux)
	atomic.StoreUint32(&s.meta, 0)
	word := s.word&^(1<<genShift-1) | uint64(t)<<typeShift | 1
	atomic.StoreUint64(&s.word, word)
	return handle(word, i)
}

// newObject makes an object of type t with a block of n bytes, none for 0. fill writes the block, which may hold anything.
func (h *Heap) newObject(t Type, n uint64, length uint32, aux uint64, fill func(blk uint32)) (Value, Code) {
	var blk uint32
	if n > 0 {
		if blk = h.takeBlock(n); blk == 0 {
			return Nil, NoMemory
		}
		if fill != nil {
			fill(blk)
		}
	}
	i := h.takeSlot()
	if i == 0 {
		h.giveBlock(blk, n)
		return Nil, NoMemory
	}
	return h.made(i, t, blk, length, aux), OK
}

// Retain counts v once more: false when it is no live object. A value that is no handle needs no count: true.
func (h *Heap) Retain(v Value) bool {
	if v&tagMask != tagHandle {
		return v.valid()
	}
	s := h.slot(v)
	for v&typeMask != 0 {
		w := atomic.LoadUint64(&s.word)
		if (w^uint64(v))>>typeShift != 0 {
			break
		}
		if w&countMask == maxCount || atomic.CompareAndSwapUint64(&s.word, w, w+1) {
			return true
		}
	}
	return false
}

// Release lets one count of v go, and frees the object at the last: false when v is no live object, as after the last.
// A value that is no handle has none to let go: true.
func (h *Heap) Release(v Value) bool {
	if v&tagMask != tagHandle {
		return v.valid()
	}
	switch dead, ok := h.drop(v); {
	case !ok:
		h.misuses.Add(1)
		return false
	case dead:
		h.bury(v)
	}
	return true
}

// drop lets one count go. At the last the slot has its next generation, and its end is the caller's to make.
func (h *Heap) drop(v Value) (dead, ok bool) {
	s := h.slot(v)
	for v&typeMask != 0 {
		w := atomic.LoadUint64(&s.word)
		if (w^uint64(v))>>typeShift != 0 {
			return false, false
		}
		switch n := w & countMask; n {
		case maxCount:
			return false, true
		case 1:
			if atomic.CompareAndSwapUint64(&s.word, w, (w>>genShift+1)<<genShift) {
				return true, true
			}
		default:
			if atomic.CompareAndSwapUint64(&s.word, w, w-1) {
				return false, true
			}
		}
	}
	return false, false
}

// bury frees a dead object, and what only it held.
func (h *Heap) bury(v Value) {
	var d dead
	d.push(h, v)
	d.bury(h)
}

// dead are objects that have their next generation and wait for their end. They are linked through their slots, so
// neither the depth of a structure nor a lack of memory matters.
type dead struct{ next uint32 }

func (d *dead) push(h *Heap, v Value) {
	s := h.slot(v)
	atomic.StoreUint32(&s.meta, uint32(v.kind()))
	atomic.StoreUint64(&s.word, atomic.LoadUint64(&s.word)|uint64(d.next))
	d.next = v.index()
}

// bury ends them, and what only they held, one after the other.
func (d *dead) bury(h *Heap) {
	release := func(v Value) {
		if v&tagMask == tagHandle {
			if last, _ := h.drop(v); last {
				d.push(h, v)
			}
		}
	}
	for d.next != 0 {
		i := d.next
		s := h.slotAt(i)
		d.next = uint32(s.word & countMask)
		t := Type(s.meta)
		if t != String && t != Float && t != Enum { // those are never written
			s.acquire() // whoever wrote when it died is done after this
			s.release()
		}
		o := s.object()
		size := o.size(t)
		if t == File && h.EndFile != nil {
			h.EndFile(o.aux)
		}
		if end := h.endHost.Load(); t == Host && end != nil {
			(*end)(o.aux)
		}
		if end := h.end.Load(); end != nil && ends(t) {
			size = (*end)(t, i)
			o = s.object() // what it did not keep
		} else {
			h.contents(o, t, release)
		}
		h.giveBlock(o.blk, size)
		gen := s.word >> genShift
		atomic.StoreUint64(&s.word, gen<<genShift)
		if gen != 0 { // after its last generation a slot is never used again
			h.giveSlot(i)
		}
	}
}

// object is what a slot says of its object: together they are right only if nobody wrote meanwhile.
type object struct {
	blk, len uint32
	aux      uint64
}

func (s *slot) object() object {
	return object{atomic.LoadUint32(&s.blk), atomic.LoadUint32(&s.len), atomic.LoadUint64(&s.aux)}
}

// size is that of the block, in bytes.
func (o object) size(t Type) uint64 {
	switch t {
	case Array:
		return o.aux * 8
	case Tuple, Object, Closure:
		return uint64(o.len) * 8
	case Dict:
		if o.blk != 0 {
			return 16 << uint8(o.aux)
		}
	case String:
		return uint64(o.len) + 1
	case Enum:
		return enumBytes
	case Future:
		if o.blk != 0 {
			return futureBytes
		}
	case Channel:
		return ringBytes(o.len)
	case Generator:
		return generatorBytes(o.len)
	case Actor:
		return mailboxBytes(o)
	}
	return 0
}

// contents gives f every value that an object of type t holds.
func (h *Heap) contents(o object, t Type, f func(Value)) {
	switch t {
	case Array, Tuple, Object, Closure:
		h.words(o.blk, uint64(o.len), f)
	case Dict:
		h.entries(o.blk, o.aux, f)
	case Enum, Unique:
		f(Value(o.aux))
	case Future:
		h.future(o, f)
	case Channel:
		h.ring(o, f)
	case Generator:
		h.generator(o, f)
	case Actor:
		h.mailbox(o, f)
	}
}

func (h *Heap) words(blk uint32, n uint64, f func(Value)) {
	for i := range n {
		f(Value(atomic.LoadUint64(h.word(blk, i))))
	}
}

// acquire takes the slot's lock for a write. Whoever holds it is done in a moment, unless it lost its processor.
func (s *slot) acquire() {
	for spins := 0; ; spins++ {
		if l := atomic.LoadUint32(&s.lock); l&1 == 0 && atomic.CompareAndSwapUint32(&s.lock, l, l|1) {
			return
		}
		wait(spins)
	}
}

// release lets the lock go, and counts the write.
func (s *slot) release() { atomic.StoreUint32(&s.lock, s.lock+1) }

// wait passes the time of someone who found a lock held for the spins-th time.
func wait(spins int) {
	switch {
	case spins < 16:
	case spins < 64:
		runtime.Gosched()
	default:
		time.Sleep(20 * time.Microsecond)
	}
}

// write locks the slot of v for a write: the object is alive, of type t and not frozen.
func (h *Heap) write(v Value, t Type) (*slot, Code) {
	s := h.slot(v)
	if !s.live(v, t) {
		return nil, h.refused(v)
	}
	s.acquire()
	if !s.live(v, t) {
		s.release()
		return nil, h.refused(v)
	}
	if s.meta&frozen != 0 {
		s.release()
		return nil, IsFrozen
	}
	return s, OK
}

// read calls f until the object that s holds did not change meanwhile: nothing that f saw is half of a write. f gets the
// block, the length and aux as they were together.
func (h *Heap) read(v Value, t Type, f func(blk, n uint32, aux uint64)) Code {
	s := h.slot(v)
	for spins := 0; ; spins++ {
		l := atomic.LoadUint32(&s.lock)
		if !s.live(v, t) {
			return h.refused(v)
		}
		if l&1 == 0 {
			blk, n, aux := atomic.LoadUint32(&s.blk), atomic.LoadUint32(&s.len), atomic.LoadUint64(&s.aux)
			if atomic.LoadUint32(&s.lock) == l && s.live(v, t) {
				f(blk, n, aux)
				if atomic.LoadUint32(&s.lock) == l && s.live(v, t) {
					return OK
				}
			}
		}
		wait(spins)
	}
}
