package rtheap

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// Count is how many live objects of a type a site made, and the bytes of their blocks.
type Count struct {
	Type    Type
	Site    uint32 // 0: not known
	Objects int64
	Bytes   int64
}

// Census counts the live objects by type and site, the most numerous first. Objects that come or go meanwhile may be
// counted or not.
func (h *Heap) Census() []Count {
	type key struct {
		t    Type
		site uint32
	}
	counts := map[key]*Count{}
	h.each(func(v Value, s *slot) {
		k := key{v.kind(), atomic.LoadUint32(&s.meta) >> siteShift}
		c := counts[k]
		if c == nil {
			c = &Count{Type: k.t, Site: k.site}
			counts[k] = c
		}
		c.Objects++
		if size := s.object().size(v.kind()); size > 0 {
			c.Bytes += unit << classOf(size)
		}
	})
	out := make([]Count, 0, len(counts))
	for _, c := range counts {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Site, b.Site))
	})
	return out
}

// Objects is the number of live objects.
func (h *Heap) Objects() (n int64) {
	h.each(func(Value, *slot) { n++ })
	return n
}

// each calls f for every live object.
func (h *Heap) each(f func(Value, *slot)) {
	h.mu.Lock()
	end := h.slotNext
	h.mu.Unlock()
	for i := uint32(1); i < end; i++ {
		s := h.slotAt(i)
		if w := atomic.LoadUint64(&s.word); w&typeMask != 0 {
			f(handle(w, i), s)
		}
	}
}

// holds reports whether the collector knows what objects of type t hold, and ends them.
func holds(t Type) bool { return freezes(t) || ends(t) }

// freezes reports whether objects of type t can be frozen: they hold values, and nothing else. A future, a channel, a
// generator and an actor are made to change; what comes out of them is another matter.
func freezes(t Type) bool { return t <= Enum && t != String || t == Unique }

// Collect frees objects that only hold each other, and returns how many. It works beside the program: what is in use
// while it looks is left for the next time.
//
// As CPython's: an object that is counted more often than other objects hold it is held by the program, and so is what it
// leads to. The rest is looked at again with the slots locked, so that nothing in it changes, and what is then still
// counted by nothing but itself dies together.
func (h *Heap) Collect() int {
	inside := map[Value]int64{} // how often other objects hold it
	var all []Value
	h.each(func(v Value, s *slot) {
		all = append(all, v)
		h.peek(v, s, func(c Value) {
			if c.IsHandle() {
				inside[c]++
			}
		})
	})
	reached := map[Value]bool{}
	var stack []Value
	reach := func(v Value) {
		if v.IsHandle() && !reached[v] {
			reached[v] = true
			stack = append(stack, v)
		}
	}
	from := func(within map[Value]bool) { // what the stack leads to, within a set
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			h.peek(v, h.slot(v), func(c Value) {
				if within == nil || within[c] {
					reach(c)
				}
			})
		}
	}
	for _, v := range all {
		if int64(atomic.LoadUint64(&h.slot(v).word)&countMask) > inside[v] || !holds(v.kind()) && v.kind() != String && v.kind() != Float {
			reach(v)
		}
	}
	from(nil)
	suspects := map[Value]bool{}
	for _, v := range all {
		if !reached[v] {
			suspects[v] = true
		}
	}
	if len(suspects) == 0 {
		return 0
	}
	// Nothing changes inside from here on. No operation holds the lock of one slot while it waits for another's.
	locked := make([]Value, 0, len(suspects))
	rings := map[Value]object{}
	for v := range suspects {
		s := h.slot(v)
		s.acquire()
		locked = append(locked, v)
		if v.kind() == Channel && s.live(v, Channel) {
			rings[v] = s.object()
			h.hold(rings[v])
		}
	}
	clear(inside)
	for v := range suspects {
		s := h.slot(v)
		if !s.live(v, v.kind()) {
			delete(suspects, v)
			continue
		}
		if holds(v.kind()) {
			h.contents(s.object(), v.kind(), func(c Value) { inside[c]++ })
		}
	}
	clear(reached)
	for v := range suspects {
		if int64(atomic.LoadUint64(&h.slot(v).word)&countMask) != inside[v] {
			reach(v)
		}
	}
	from(suspects)
	var d dead
	n := 0
	for v := range suspects {
		s := h.slot(v)
		if w := uint64(v)&^countMask | uint64(inside[v]); !reached[v] && atomic.CompareAndSwapUint64(&s.word, w, (w>>genShift+1)<<genShift) {
			n++
			d.push(h, v)
		}
	}
	for _, o := range rings {
		h.letGo(o)
	}
	for _, v := range locked {
		h.slot(v).release()
	}
	d.bury(h)
	return n
}

// peek gives f what v holds, or held a moment ago; nothing when v is being written: then it is in use, and so is what it
// holds.
func (h *Heap) peek(v Value, s *slot, f func(Value)) {
	if !holds(v.kind()) {
		return
	}
	l := atomic.LoadUint32(&s.lock)
	o := s.object()
	if s.live(v, v.kind()) && atomic.LoadUint32(&s.lock) == l {
		h.contents(o, v.kind(), f) // what is in the block may be another's by now: words are read, and none is followed
	}
}

// Freeze makes v, and all that it leads to, refuse writes: false when v is no live object or no value.
func (h *Heap) Freeze(v Value) Code {
	if !v.IsHandle() {
		if !v.valid() {
			return BadValue
		}
		return OK
	}
	if !h.Live(v) {
		return h.refused(v)
	}
	for stack := []Value{v}; len(stack) > 0; {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s := h.slot(v)
		if !v.IsHandle() || !freezes(v.kind()) || !s.live(v, v.kind()) {
			continue
		}
		s.acquire()
		// Whoever lets the last count go meanwhile writes the type there, which is never what was read.
		for m := atomic.LoadUint32(&s.meta); s.live(v, v.kind()) && m&frozen == 0; m = atomic.LoadUint32(&s.meta) {
			if atomic.CompareAndSwapUint32(&s.meta, m, m|frozen) {
				h.contents(s.object(), v.kind(), func(c Value) { stack = append(stack, c) })
				break
			}
		}
		s.release()
	}
	return OK
}
