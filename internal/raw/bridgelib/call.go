//go:build cgo && linux && (amd64 || arm64)

package bridgelib

// #include "bridge.h"
import "C"

import (
	"context"
	"sync"
	"time"
	"unsafe"
)

// Call is a call of a host's, while a worker runs it. It is the worker's: the next one is in the same place.
type Call struct {
	Method uint32
	Lane   *Lane // nil: there is no such method

	w        *worker
	deadline uint64 // of CLOCK_MONOTONIC, 0: none
	timed    bool
	ended    time.Duration // when Done was called, after the session's epoch, if it is timed

	mu      sync.Mutex
	slot    *C.slot // nil when it is the host's again
	told    bool    // its host was told so
	watcher Watcher
}

func (c *Call) set(slot *C.slot, method uint32, deadline uint64) {
	c.mu.Lock()
	c.Method, c.slot, c.deadline, c.watcher, c.told = method, slot, deadline, nil, false
	c.mu.Unlock()
}

// Deadline is when the host gives up; zero: never.
func (c *Call) Deadline() time.Time { return c.w.s.when(c.deadline) }

// Begin lends the call's message, in C's memory, until [Call.Return]; w is told when the host does not wait any more.
// False: the call is over.
//
// SAFETY: owner: the slot, which is Go's while c.slot is set, and mu, which is held until Return, keeps it so; bounds: the
// length is the host's, which may have changed it since br_submit looked, so it is cut to the slot's room; alignment: bytes;
// thread: mu.
func (c *Call) Begin(w Watcher) (request []byte, ok bool) {
	c.mu.Lock()
	if c.slot == nil {
		c.mu.Unlock()
		return nil, false
	}
	c.watcher = w
	n := min(uint64(c.slot.pub.request_len), uint64(c.slot.room))
	return unsafe.Slice((*byte)(buf(c.slot)), int(n)), true
}

// Room lends the memory of the message, which must have been decoded, until [Call.Return]: a reply that was written there
// needs no copy. False: the call is over.
//
// SAFETY: as Begin; a reply in it is read by Done only while c.slot is set, and until then nobody else writes there.
func (c *Call) Room() (empty []byte, ok bool) {
	c.mu.Lock()
	if c.slot == nil {
		c.mu.Unlock()
		return nil, false
	}
	return unsafe.Slice((*byte)(buf(c.slot)), int(c.slot.room))[:0], true
}

// Return ends what Begin or Room has lent.
func (c *Call) Return() { c.mu.Unlock() }

// buf is where a slot's bytes begin.
//
// SAFETY: owner: the slot; bounds: the flexible array behind the struct; alignment: bytes.
func buf(s *C.slot) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(*s)) }

// Done ends the call; later ones do nothing. It says whether this one ended it and the host had not given it up.
func (c *Call) Done(status Status, reply []byte) bool {
	if c.timed {
		c.ended = time.Since(c.w.s.epoch)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slot == nil {
		c.w.s.late.Add(1)
	}
	return c.finish(status, reply)
}

// finish is for holders of mu.
func (c *Call) finish(status Status, reply []byte) bool {
	slot := c.slot
	if slot == nil {
		return false
	}
	c.slot, c.watcher = nil, nil
	got := C.bri_complete(slot, C.int32_t(status), first(reply), C.uint64_t(len(reply)))
	c.told = got == C.TOLD
	return c.told || got == C.BR_OK
}

// abandon takes a slot away that the host has given up.
func (c *Call) abandon(slot *C.slot) {
	var w Watcher
	c.mu.Lock()
	if c.slot == slot {
		w = c.watcher
		c.slot, c.watcher = nil, nil
	}
	c.mu.Unlock()
	if w != nil {
		w.End(context.Canceled)
	}
}

// Cast is a message of a host's.
type Cast struct {
	Method uint32
	Lane   *Lane // nil: there is no such method

	w     *worker
	slot  *C.slot // nil when it came in a cell
	small [C.CELL_BYTES]byte
	n     uint8
}

// Message is the cast's message; it is good until the program returns.
//
// SAFETY: as [Call.Begin]; the slot of a cast is Go's until its end.
func (c *Cast) Message() []byte {
	if c.slot == nil {
		return c.small[:c.n]
	}
	return unsafe.Slice((*byte)(buf(c.slot)), int(min(uint64(c.slot.pub.request_len), uint64(c.slot.room))))
}

// end frees its memory; it counts no longer.
func (c *Cast) end() {
	if c.slot == nil {
		c.w.ended++
		return
	}
	C.bri_cast_done(c.slot)
	c.slot = nil
}

// all are the workers.
func (s *session) all() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*worker(nil), s.table...)
}

// Watchers is [Link.Watchers].
func (s *session) Watchers() (all []Watcher) {
	for _, w := range s.all() {
		if w != nil {
			w.call.mu.Lock()
			if w.call.watcher != nil {
				all = append(all, w.call.watcher)
			}
			w.call.mu.Unlock()
		}
	}
	return all
}

// Finish is [Link.Finish].
func (s *session) Finish(status Status, text string) (n uint64) {
	for _, w := range s.all() {
		if w != nil {
			w.call.mu.Lock()
			if w.call.finish(status, []byte(text)) {
				n++
			}
			w.call.mu.Unlock()
		}
	}
	return n
}

// Drop is [Link.Drop].
func (s *session) Drop(l *Lane) uint64 {
	l.mu.Lock()
	casts := l.waiting[l.first:]
	l.waiting, l.first = nil, 0
	l.mu.Unlock()
	for i := range casts {
		C.bri_cast_done(casts[i].slot)
	}
	s.Leave(l, int64(len(casts)))
	return uint64(len(casts))
}

// expect has the timer look at a call when its deadline passes.
func (s *session) expect(at uint64) {
	if next := s.nearest.Load(); next != 0 && next <= at {
		return
	}
	s.expiry.Lock()
	defer s.expiry.Unlock()
	s.arm(at)
}

// arm is for holders of expiry.
func (s *session) arm(at uint64) {
	if next := s.nearest.Load(); (next == 0 || at < next) && !s.stop.Load() {
		if t := s.when(at); !t.IsZero() {
			s.nearest.Store(at)
			s.timer.Reset(time.Until(t))
		}
	}
}

// sweep ends the calls whose deadline has passed. One timer is for all of them, and is set only when a deadline comes that is
// nearer than those before.
func (s *session) sweep() {
	s.expiry.Lock()
	defer s.expiry.Unlock()
	s.nearest.Store(0) // calls that come from now on wait for expiry, or are seen below
	now, least := uint64(C.bri_now()), uint64(0)
	for _, w := range s.all() {
		if w == nil {
			continue
		}
		c, over := &w.call, Watcher(nil)
		c.mu.Lock()
		switch {
		case c.slot == nil || c.deadline == 0:
		case c.deadline <= now:
			over = c.watcher
			if c.finish(Deadline, []byte("the handler had not replied")) {
				s.deadlines.Add(1)
			}
		case least == 0 || c.deadline < least:
			least = c.deadline
		}
		c.mu.Unlock()
		if over != nil {
			over.End(context.DeadlineExceeded)
		}
	}
	if least != 0 {
		s.arm(least)
	}
}
