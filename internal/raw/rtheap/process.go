package rtheap

import "sync/atomic"

// ProcessWith is Process for whoever may set its limits: all of them when this call makes the heap, else those of bytes
// and slots. A limit that is 0 stays as it is.
func ProcessWith(l Limits) (*Heap, error) {
	process.Do(func() {
		h, err := New(l)
		process.heap.Store(h)
		process.err = err
	})
	h, err := process.heap.Load(), process.err
	if err == nil {
		h.limitTo(l)
	}
	return h, err
}

// limitTo changes what the heap may take from now on; what it took it keeps.
func (h *Heap) limitTo(l Limits) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.Bytes > 0 {
		h.limit = l.Bytes
	}
	if l.Slots > 0 {
		h.slotEnd = uint32(min(uint64(l.Slots), h.mask/slotBytes+1))
	}
}

// Used is the number of bytes in blocks that were taken, those in magazines included.
func (h *Heap) Used() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used
}

// Misuses is how often an operation of Go's was refused because a word named no live object of the right type.
func (h *Heap) Misuses() int64 { return h.misuses.Load() }

// Count is how many count v, 0 for what is no live object.
func (h *Heap) Count(v Value) int64 {
	if v.IsHandle() && v&typeMask != 0 {
		if w := atomic.LoadUint64(&h.slot(v).word); (w^uint64(v))>>typeShift == 0 {
			return int64(w & countMask)
		}
	}
	return 0
}

// Index is the number of the slot that v would be in.
func (v Value) Index() uint32 { return v.index() }

// Kind is the type that a handle says it has, live or not; 0 for what is no handle.
func (v Value) Kind() Type {
	if !v.IsHandle() {
		return 0
	}
	return v.kind()
}

// Valid reports whether v has a form that may be stored.
func (v Value) Valid() bool { return v.valid() }
