//go:build cgo && linux && (amd64 || arm64)

package bridgelib

// #include "bridge.h"
import "C"

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Call is a call of a host's, from the ring to its end.
type Call struct {
	Method   uint32
	Deadline time.Time // zero: none
	Value    any       // the program's own

	s    *session
	id   uint64
	mu   sync.Mutex
	slot *C.slot // nil when it is the host's again
}

// Cast is a message of a host's.
type Cast struct {
	Method uint32

	slot  *C.slot // nil when it came in a cell
	small [C.CELL_BYTES]byte
	n     uint8
	ended atomic.Bool
}

// Request is the call's message, in C's memory: use runs on it and it is not kept. False when the call is over.
//
// SAFETY: owner: the slot, which is Go's while c.slot is set, and mu keeps it so while use runs; bounds: the length is the
// host's, which may have changed it since br_submit looked, so it is cut to the slot's room; alignment: bytes; thread: mu.
func (c *Call) Request(use func(request []byte)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slot == nil {
		return false
	}
	n := min(uint64(c.slot.pub.request_len), uint64(c.slot.room))
	use(unsafe.Slice((*byte)(buf(c.slot)), int(n)))
	return true
}

// buf is where a slot's bytes begin.
//
// SAFETY: owner: the slot; bounds: the flexible array behind the struct; alignment: bytes.
func buf(s *C.slot) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(*s)) }

// Done ends the call; later ones do nothing. It says whether this one ended it and the host had not given it up.
func (c *Call) Done(status Status, reply []byte) bool {
	c.mu.Lock()
	slot := c.slot
	c.slot = nil
	won := slot != nil && C.bri_complete(slot, C.int32_t(status), first(reply), C.uint64_t(len(reply))) == C.BR_OK
	c.mu.Unlock()
	if slot != nil {
		c.s.mu.Lock()
		delete(c.s.calls, c.id)
		c.s.mu.Unlock()
	}
	return won
}

// Message is the cast's message; it is good until Done.
//
// SAFETY: as [Call.Request]; the slot of a cast is Go's until Done.
func (c *Cast) Message() []byte {
	if c.slot == nil {
		return c.small[:c.n]
	}
	return unsafe.Slice((*byte)(buf(c.slot)), int(min(uint64(c.slot.pub.request_len), uint64(c.slot.room))))
}

// Done ends the cast, once: its memory is gone and it no longer counts.
func (c *Cast) Done() {
	if !c.ended.Swap(true) {
		C.bri_cast_done(c.slot)
	}
}

// consume is the only one that takes from the ring. It reads C's memory with atomics of Go's: no call into C while it is busy.
//
// SAFETY: owner: the ring is made once and stays; bounds: cells are indexed with the mask that it was made with; alignment:
// C's structs; thread: seq says whose a cell is, and is read and written atomically on both sides.
func (s *session) consume() {
	defer close(s.done)
	r := C.bri_ring()
	mask := uint64(r.mask)
	cells := unsafe.Slice((*C.cell)(unsafe.Add(unsafe.Pointer(r), unsafe.Sizeof(*r))), int(mask)+1)
	sleeping := (*uint32)(unsafe.Pointer(&r.sleeping))
	abandoned := (*unsafe.Pointer)(unsafe.Pointer(&r.abandoned))
	tail := tails
	defer func() { tails = tail }()
	var waiter chan struct{}
	for {
		if waiter == nil {
			select {
			case waiter = <-s.rounds: // what was published before it came is seen in this round
			default:
			}
		}
		stop := s.stop.Load()
		c := &cells[tail&mask]
		worked := false
		for atomic.LoadUint64((*uint64)(&c.seq)) == tail+1 {
			worked = true
			s.take(c)
			atomic.StoreUint64((*uint64)(&c.seq), tail+mask+1)
			tail++
			c = &cells[tail&mask]
		}
		if atomic.LoadPointer(abandoned) != nil {
			worked = true
			for slot := (*C.slot)(atomic.SwapPointer(abandoned, nil)); slot != nil; {
				next := slot.next
				s.reap(slot)
				slot = next
			}
		}
		if worked {
			continue
		}
		if waiter != nil {
			close(waiter)
			waiter = nil
			continue
		}
		if stop {
			return
		}
		atomic.StoreUint32(sleeping, 1)
		if atomic.LoadUint64((*uint64)(&c.seq)) == tail+1 || atomic.LoadPointer(abandoned) != nil || len(s.rounds) > 0 || s.stop.Load() {
			atomic.StoreUint32(sleeping, 0)
			continue
		}
		C.bri_wait()
		atomic.StoreUint32(sleeping, 0)
	}
}

// tails is where the consumer of the last generation stopped; only the consumer touches it, and there is one at a time.
var tails uint64

// round returns when the consumer has seen all that was published before.
func (s *session) round() {
	done := make(chan struct{})
	select {
	case s.rounds <- done:
	case <-s.done:
		return
	}
	C.bri_wake()
	select {
	case <-done:
	case <-s.done:
	}
}

// SAFETY: the cell is the consumer's until it stores seq; what is kept of it is copied, or a slot, which is Go's now.
func (s *session) take(c *C.cell) {
	if c.kind == C.CELL_CAST {
		cast := &Cast{Method: uint32(c.method), n: uint8(min(int(c.len), C.CELL_BYTES))}
		copy(cast.small[:], unsafe.Slice((*byte)(unsafe.Pointer(&c.u[0])), C.CELL_BYTES)[:cast.n])
		s.program.Cast(cast)
		return
	}
	slot := *(**C.slot)(unsafe.Pointer(&c.u[0]))
	if slot.cast != 0 {
		s.program.Cast(&Cast{Method: uint32(slot.pub.method), slot: slot})
		return
	}
	slot.taken = 1
	if slot.reaped != 0 {
		C.bri_reap(slot)
		return
	}
	if atomic.LoadUint32((*uint32)(&slot.state)) == C.ABANDONED {
		return // it is in the list, or about to be
	}
	call := &Call{Method: uint32(slot.pub.method), Deadline: s.when(uint64(slot.pub.deadline_ns)), s: s, slot: slot}
	s.mu.Lock()
	s.last++
	call.id = s.last
	s.calls[call.id] = call
	s.mu.Unlock()
	slot.call = C.uint64_t(call.id)
	s.program.Call(call)
}

// reap ends a slot that the host has abandoned, unless it is in the ring still: then take does.
func (s *session) reap(slot *C.slot) {
	if slot.taken == 0 {
		slot.reaped = 1
		return
	}
	s.mu.Lock()
	call := s.calls[uint64(slot.call)]
	delete(s.calls, uint64(slot.call))
	s.mu.Unlock()
	if call != nil {
		call.mu.Lock() // Done may be looking at the slot
		call.slot = nil
		call.mu.Unlock()
		s.program.Abandoned(call)
	}
	C.bri_reap(slot)
}
