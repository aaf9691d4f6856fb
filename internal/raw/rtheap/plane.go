package rtheap

import "sync/atomic"

// What futures, channels, generators and actors hold. Their operations are C's (future.c, ring.h, generator.c, actor.c):
// here the collector and the census look.

// ends reports whether objects of type t are more than words.
func ends(t Type) bool {
	return t == Future || t == Generator || t == Actor || t == Channel
}

// The states of a future, in len.
const (
	futureUnstarted = 0 // holds its context, in the block
	futureReady     = 3 // holds its result, in aux
	futureFailed    = 4 // holds the reason, in aux
	futureState     = 7
	futureBytes     = 16
)

func (h *Heap) future(o object, f func(Value)) {
	switch o.len & futureState {
	case futureUnstarted:
		if o.blk != 0 {
			f(Value(atomic.LoadUint64(h.word(o.blk, 0))))
		}
	case futureReady, futureFailed:
		f(Value(o.aux))
	}
}

// The words of a ring: the position of the next value to come, that of the next to go, and the cells, each a stamp and a
// value. len is its capacity, aux its lap.
const (
	ringTail  = 0
	ringHead  = 8
	ringCells = 16

	ringHeld  = 4 // marks in both positions
	ringMarks = 7
	ringUnit  = 8
)

func ringBytes(capacity uint32) uint64 { return 8*ringCells + 16*uint64(capacity) }

// ring gives f what is in a ring. Nothing comes or goes when it is held.
func (h *Heap) ring(o object, f func(Value)) {
	if o.blk == 0 || o.aux < ringUnit || o.aux&(o.aux-1) != 0 {
		return
	}
	tail := atomic.LoadUint64(h.word(o.blk, ringTail)) &^ ringMarks
	at := atomic.LoadUint64(h.word(o.blk, ringHead)) &^ ringMarks
	for n := uint32(0); at != tail && n < o.len; n++ {
		i := (at & (o.aux - 1)) / ringUnit
		if i >= uint64(o.len) {
			return
		}
		if atomic.LoadUint64(h.word(o.blk, ringCells+2*i)) == at+ringUnit {
			f(Value(atomic.LoadUint64(h.word(o.blk, ringCells+2*i+1))))
		}
		if i+1 < uint64(o.len) {
			at += ringUnit
		} else {
			at = at&^(o.aux-1) + o.aux
		}
	}
}

// hold keeps others from putting in and taking out, and waits for those that are at it. Under the slot's lock.
func (h *Heap) hold(o object) {
	if o.blk == 0 {
		return
	}
	atomic.OrUint64(h.word(o.blk, ringTail), ringHeld)
	atomic.OrUint64(h.word(o.blk, ringHead), ringHeld)
	for spins := 0; !h.settled(o); spins++ {
		wait(spins)
	}
}

func (h *Heap) letGo(o object) {
	if o.blk == 0 {
		return
	}
	atomic.AndUint64(h.word(o.blk, ringTail), ^uint64(ringHeld))
	atomic.AndUint64(h.word(o.blk, ringHead), ^uint64(ringHeld))
}

// settled reports whether each cell is full or free as the positions say.
func (h *Heap) settled(o object) bool {
	lap := o.aux
	tail := atomic.LoadUint64(h.word(o.blk, ringTail)) &^ ringMarks
	head := atomic.LoadUint64(h.word(o.blk, ringHead)) &^ ringMarks
	for i := range uint64(o.len) {
		at := tail&^(lap-1) | i*ringUnit // the next position of this cell that is not taken yet
		if at < tail {
			at += lap
		}
		if at-lap >= head && at-lap < tail { // it was filled, and not emptied
			at = at - lap + ringUnit
		}
		if atomic.LoadUint64(h.word(o.blk, ringCells+2*i)) != at {
			return false
		}
	}
	return true
}

// Clear ends every object, however often it is counted, and returns how many there were. No handle from before names an
// object again. Nothing runs that could make new ones.
func (h *Heap) Clear() (n int64) {
	var d dead
	h.each(func(v Value, s *slot) {
		for w := atomic.LoadUint64(&s.word); (w^uint64(v))>>typeShift == 0; w = atomic.LoadUint64(&s.word) {
			if atomic.CompareAndSwapUint64(&s.word, w, (w>>genShift+1)<<genShift) {
				d.push(h, v)
				n++
				break
			}
		}
	})
	d.bury(h)
	return n
}

// A generator: its length has the number of its slots, and its block its state, its context and the slots.
const (
	generatorSlots = 0xffff
	generatorCtx   = 1
	generatorFirst = 2
)

func generatorBytes(length uint32) uint64 {
	return (uint64(length&generatorSlots) + generatorFirst) * 8
}

// generator gives f the context and the slots. What is on the stack of one that has a stack is counted, and by nobody here.
func (h *Heap) generator(o object, f func(Value)) {
	for i := uint64(generatorCtx); i < generatorFirst+uint64(o.len&generatorSlots); i++ {
		f(Value(atomic.LoadUint64(h.word(o.blk, i))))
	}
}

// An actor: its length has the number of messages that wait, its block is the ring that they are in, and its aux says where
// the first is, how large the ring is, and where its record is.
const (
	actorWaiting = 1<<21 - 1
	actorHandler = 1 << 26
	actorCtx     = 1 // the word of the record
)

func mailboxBytes(o object) uint64 {
	if o.blk == 0 {
		return 0
	}
	return 8 << (o.aux >> 32 & 31)
}

// mailbox gives f the messages, and the state of a handler. The context of a body is the body's while it waits: it is not
// given, so it stays.
func (h *Heap) mailbox(o object, f func(Value)) {
	record, head, room := uint32(o.aux), o.aux>>40, uint64(1)<<(o.aux>>32&31)
	if o.blk != 0 {
		for i := range uint64(o.len & actorWaiting) {
			f(Value(atomic.LoadUint64(h.word(o.blk, (head+i)&(room-1)))))
		}
	}
	if o.len&actorHandler != 0 && record != 0 {
		f(Value(atomic.LoadUint64(h.word(record, actorCtx))))
	}
}
