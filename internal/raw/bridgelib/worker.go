//go:build cgo && linux && (amd64 || arm64)

package bridgelib

// #cgo noescape bri_bell_wait
// #cgo nocallback bri_bell_wait
// #cgo nocallback bri_linger
// #include "state.h"
import "C"

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"
)

// Workers take calls and casts out of the ring, and run them. One at a time has the watch: it alone takes. Before it runs a
// handler that has been slow it passes the watch on, so that no handler holds up another; one that has been quick it runs with
// the watch in hand, and looks for more when it is done, which spares two wake-ups for each call. When such a one is slow after
// all the watchdog takes the watch from it.
//
// The watch is a word of the ring. NONE: nobody has it, and at least one worker waits for the bell, which a producer rings. An
// even number is that of a worker that takes, an odd one that of a worker that runs a quick handler; no number is used twice.

const (
	watchNone   = C.WATCH_NONE
	watchRung   = C.WATCH_RUNG
	watchClosed = math.MaxUint64 // odd: like that of one that runs
	maxParked   = 1              // of workers that wait for the bell, each with a thread: the same one answers each ring
	maxIdle     = 64             // of workers that wait for another worker
	vigil       = 2 * time.Millisecond
)

type worker struct {
	s      *session
	index  int
	ticket uint64 // of the watch: an even number
	wake   chan bool
	call   Call
	cast   Cast
	lane   *Lane // of what it runs
	quick  bool  // it runs it with the watch in hand
	isCast bool
	told   bool // the last call's host was told that it is done: it slept until then, and does not call again soon
	left   bool
	timed  uint
	ended  uint64 // casts that came in cells, have ended, and are counted still
}

var (
	workers atomic.Uint64 // that there ever were
	// tail is where the ring is taken from next. Whoever has the watch stores it, and reads it when it gets the watch: so
	// everything that the one before did has happened.
	tail atomic.Uint64
)

// SAFETY: owner: C's static memory, and the ring, which is made once and stays; bounds: the fields; cells are indexed with the
// mask that the ring was made with; alignment: C's structs; thread: atomics only.
func (s *session) look() {
	r := C.bri_ring()
	s.mask = uint64(r.mask)
	s.cells = unsafe.Slice((*C.cell)(unsafe.Add(unsafe.Pointer(r), unsafe.Sizeof(*r))), int(s.mask)+1)
	s.watch = (*uint64)(unsafe.Pointer(&r.watch))
	s.bell = (*uint32)(unsafe.Pointer(&r.bell))
	s.head = (*uint64)(unsafe.Pointer(&r.head))
	s.abandoned = (*unsafe.Pointer)(unsafe.Pointer(&r.abandoned))
	s.inFlight = (*uint64)(unsafe.Pointer(&C.bri_state.in_flight))
	s.bytes = (*uint64)(unsafe.Pointer(&C.bri_state.bytes))
}

// pending says whether there is something to take.
func (s *session) pending() bool {
	at := tail.Load()
	return atomic.LoadUint64((*uint64)(&s.cells[at&s.mask].seq)) == at+1 || atomic.LoadPointer(s.abandoned) != nil
}

// open starts the workers.
func (s *session) open() {
	w := s.spare()
	atomic.StoreUint64(s.watch, w.next())
	w.start()
}

// next is a number of the watch that nobody has had.
func (w *worker) next() uint64 {
	w.ticket += 2
	return w.ticket
}

// spare gives a worker that has nothing to do, which must be started.
func (s *session) spare() *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return w
	}
	w := &worker{s: s, ticket: workers.Add(1) << 36}
	w.call.w, w.cast.w = w, w
	if n := len(s.holes); n > 0 {
		w.index = s.holes[n-1]
		s.holes = s.holes[:n-1]
		s.table[w.index] = w
	} else {
		w.index = len(s.table)
		s.table = append(s.table, w)
	}
	return w
}

// start has a spare worker run, with the watch, which has its number.
func (w *worker) start() {
	if w.wake == nil {
		w.wake = make(chan bool, 1)
		go w.run(true, false)
		return
	}
	w.wake <- true
}

// run is the life of a worker. ran: it goes on where a goroutine ended after it had run something.
func (w *worker) run(watching, ran bool) {
	w.left = false
	defer func() {
		if !w.left { // the handler called runtime.Goexit: this goroutine ends, and another goes on
			go w.run(false, true)
		}
	}()
	for {
		if ran {
			for w.after() {
				w.work()
			}
			watching, ran = w.regain(), false
			w.s.Leave(w.lane, 1) // last: when nothing is under way all is settled, or about to be by who has the watch
		}
		switch {
		case !watching:
			watching = w.wait()
		case w.take():
			w.begin()
			w.work()
			ran = true
			continue
		default:
			watching = w.yield()
		}
		if !watching { // it is in no table any more
			w.left = true
			return
		}
	}
}

// yield gives the watch up when there is nothing to take, nor is soon, and waits until it has it again. False: as for wait.
func (w *worker) yield() bool {
	s := w.s
	w.settle()
	if !w.told && bool(C.bri_linger(C.uint64_t(tail.Load()))) {
		return true
	}
	s.parked.Add(1) // before the watch is free: it is never so while nobody waits for the bell
	atomic.StoreUint64(s.watch, watchNone)
	if s.pending() && w.claim() {
		s.parked.Add(-1)
		return true
	}
	for n := s.parked.Load(); n > maxParked; n = s.parked.Load() { // another waits, and does until it has the watch
		if s.parked.CompareAndSwap(n, n-1) {
			return w.rest()
		}
	}
	return w.park()
}

// claim takes the watch when nobody has it.
func (w *worker) claim() bool {
	if v := atomic.LoadUint64(w.s.watch); v != watchNone && v != watchRung {
		return false
	}
	n := w.next()
	return atomic.CompareAndSwapUint64(w.s.watch, watchNone, n) || atomic.CompareAndSwapUint64(w.s.watch, watchRung, n)
}

// park waits for the bell until w has the watch; false: the bridge is closed. Those who call it are counted in parked.
func (w *worker) park() bool {
	s := w.s
	defer s.parked.Add(-1)
	for {
		bell := atomic.LoadUint32(s.bell)
		switch {
		case s.stop.Load():
			return false
		case atomic.LoadUint64(s.watch) == watchRung && w.claim():
			return true
		}
		C.bri_bell_wait(C.uint32_t(bell))
	}
}

// wait is for a worker without the watch: it waits for the bell if nobody does, or else rests. False: it is not needed any
// more.
func (w *worker) wait() bool {
	for n := w.s.parked.Load(); n < maxParked; n = w.s.parked.Load() {
		if w.s.parked.CompareAndSwap(n, n+1) {
			return w.park()
		}
	}
	return w.rest()
}

// rest waits for another worker; false as for wait.
func (w *worker) rest() bool {
	s := w.s
	s.mu.Lock()
	if s.stop.Load() || len(s.idle) >= maxIdle {
		s.table[w.index] = nil
		s.holes = append(s.holes, w.index)
		s.mu.Unlock()
		return false
	}
	s.idle = append(s.idle, w)
	s.mu.Unlock()
	return <-w.wake
}

// release takes a spare worker back.
func (s *session) release(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.wake != nil && !s.stop.Load() {
		s.idle = append(s.idle, w)
		return
	}
	s.table[w.index] = nil
	s.holes = append(s.holes, w.index)
	if w.wake != nil {
		w.wake <- false
	}
}

// pass gives the watch to another.
func (w *worker) pass() {
	s := w.s
	w.settle()
	if s.parked.Load() > 0 { // and nobody stops to, while w has the watch
		atomic.StoreUint64(s.watch, watchNone)
		if s.pending() {
			C.bri_wake()
		}
		return
	}
	other := s.spare()
	atomic.StoreUint64(s.watch, other.next())
	other.start()
}

// settle counts out the casts that have ended.
func (w *worker) settle() {
	if w.ended > 0 {
		atomic.AddUint64(w.s.bytes, -w.ended*uint64(unsafe.Sizeof(C.cell{})))
		atomic.AddUint64(w.s.inFlight, -w.ended)
		w.ended = 0
	}
}

// begin decides whether w keeps the watch while it runs what it has taken.
func (w *worker) begin() {
	s := w.s
	if w.quick = w.lane == nil || w.lane.trust.Load() >= trusted; !w.quick {
		w.pass()
		return
	}
	atomic.StoreUint64(s.watch, w.ticket|1)
	if !s.awake.Load() && !s.awake.Swap(true) {
		s.dog.Reset(vigil)
	}
}

// work runs a call or a cast. Looking at the clock costs as much as a small handler: of quick ones some are timed.
func (w *worker) work() {
	w.timed++
	timed := !w.quick || w.timed%16 == 0
	var began time.Duration
	if timed {
		began = time.Since(w.s.epoch)
	}
	if w.isCast {
		w.s.program.Cast(&w.cast)
	} else {
		w.call.timed = timed
		w.s.program.Call(&w.call)
	}
	switch {
	case !timed:
	case w.isCast:
		w.lane.ran(time.Since(w.s.epoch) - began)
	default:
		w.lane.ran(w.call.ended - began) // without the time to tell the host
	}
}

// after counts out what was run, however it ended. True: a cast that has waited for it is next.
func (w *worker) after() bool {
	more := false
	w.told = !w.isCast && w.call.told
	if w.isCast {
		if w.cast.end(); w.lane != nil {
			more = w.lane.next(&w.cast)
		}
		if !w.quick || w.ended >= w.s.batch || w.lane == nil {
			w.settle()
		}
		if w.lane == nil {
			w.s.strays.Add(-1)
		}
	}
	if more {
		w.s.Leave(w.lane, 1)
	}
	return more
}

// regain takes the watch up again, unless the watchdog has taken it, or it was passed on.
func (w *worker) regain() bool {
	if w.quick {
		was := w.ticket | 1
		if atomic.CompareAndSwapUint64(w.s.watch, was, w.next()) {
			return true
		}
		w.lane.ran(vigil)
	}
	w.settle()
	return false
}

// take takes the next thing that w can run from the ring. What hosts have given up is put away first.
func (w *worker) take() bool {
	s := w.s
	for at := tail.Load(); ; {
		if atomic.LoadPointer(s.abandoned) != nil {
			s.reap()
		}
		c := &s.cells[at&s.mask]
		if atomic.LoadUint64((*uint64)(&c.seq)) != at+1 {
			return false
		}
		got := w.takeCell(c)
		atomic.StoreUint64((*uint64)(&c.seq), at+s.mask+1)
		at++
		tail.Store(at)
		if got {
			return true
		}
	}
}

// SAFETY: the cell is the worker's that has the watch until it stores seq; what is kept of it is copied, or a slot, which is
// Go's now; thread: that worker's.
func (w *worker) takeCell(c *C.cell) bool {
	if c.kind == C.CELL_CAST {
		n := min(int(c.len), C.CELL_BYTES)
		copy(w.cast.small[:], unsafe.Slice((*byte)(unsafe.Pointer(&c.u[0])), C.CELL_BYTES)[:n])
		return w.takeCast(uint32(c.method), n, nil)
	}
	slot := *(**C.slot)(unsafe.Pointer(&c.u[0]))
	if slot.cast != 0 {
		return w.takeCast(uint32(slot.pub.method), 0, slot)
	}
	stage := (*uint32)(unsafe.Pointer(&slot.stage))
	if atomic.LoadUint32((*uint32)(&slot.state)) == C.ABANDONED { // it is in the list, or about to be
		if !atomic.CompareAndSwapUint32(stage, C.IN_RING, C.TAKEN) {
			C.bri_reap(slot)
		}
		return false
	}
	call := &w.call
	call.set(slot, uint32(slot.pub.method), uint64(slot.pub.deadline_ns))
	slot.call = C.uint64_t(w.index + 1)
	if !atomic.CompareAndSwapUint32(stage, C.IN_RING, C.TAKEN) {
		call.set(nil, 0, 0)
		C.bri_reap(slot)
		return false
	}
	w.isCast, w.lane = false, w.s.program.Lane(call.Method, false)
	call.Lane = w.lane
	if w.lane != nil {
		w.lane.Active.Add(1)
	}
	if call.deadline != 0 {
		w.s.expect(call.deadline)
	}
	return true
}

func (w *worker) takeCast(method uint32, n int, slot *C.slot) bool {
	lane := w.s.program.Lane(method, true)
	c := &w.cast
	c.Method, c.Lane, c.slot, c.n = method, lane, slot, uint8(n)
	if lane == nil {
		w.s.strays.Add(1)
	} else if lane.Active.Add(1); !lane.enter(c) {
		return false
	}
	w.isCast, w.lane = true, lane
	return true
}

// reap ends the slots that hosts have abandoned, but those in the ring, which ends them.
//
// SAFETY: owner: the list, of which each slot is Go's alone but for a worker that may look at it under its call's mutex;
// thread: that of the worker with the watch, or of br_deinit.
func (s *session) reap() {
	for slot := (*C.slot)(atomic.SwapPointer(s.abandoned, nil)); slot != nil; {
		next := slot.next
		if !atomic.CompareAndSwapUint32((*uint32)(unsafe.Pointer(&slot.stage)), C.IN_RING, C.REAPED) {
			s.mu.Lock()
			var w *worker
			if slot.call != 0 {
				w = s.table[slot.call-1]
			}
			s.mu.Unlock()
			if w != nil {
				w.call.abandon(slot)
			}
			C.bri_reap(slot)
		}
		slot = next
	}
}

// bark looks whether a handler that was quick is slow, and takes the watch from its worker.
func (s *session) bark() {
	v := atomic.LoadUint64(s.watch)
	switch {
	case s.stop.Load():
		return
	case v <= watchRung && s.seen.Load() == v: // nothing to do
		s.awake.Store(false)
		if atomic.LoadUint64(s.watch) <= watchRung || s.awake.Swap(true) {
			return
		}
	case v > watchRung && v&1 == 1 && s.seen.Load() == v:
		other := s.spare()
		if atomic.CompareAndSwapUint64(s.watch, v, other.next()) {
			other.start()
		} else {
			s.release(other)
		}
	}
	s.seen.Store(v)
	s.dog.Reset(vigil)
}

// Settle waits until what hosts had published before has been taken.
func (s *session) Settle() {
	for d := 20 * time.Microsecond; atomic.LoadUint64(s.head) != tail.Load() || atomic.LoadPointer(s.abandoned) != nil; d = min(2*d, time.Millisecond) {
		C.bri_wake()
		time.Sleep(d)
	}
}

// end has the workers leave, but those that run handlers still, which leave when those end.
func (s *session) end() {
	s.stop.Store(true)
	for began := time.Now(); s.strays.Load() > 0 && time.Since(began) < time.Second; { // nobody else has waited for them
		time.Sleep(10 * time.Microsecond)
	}
	for {
		v := atomic.LoadUint64(s.watch)
		if (v == watchNone || v&1 == 1) && atomic.CompareAndSwapUint64(s.watch, v, watchClosed) {
			break
		}
		time.Sleep(10 * time.Microsecond)
	}
	s.mu.Lock()
	idle, room := s.idle, s.room
	s.idle = nil
	s.mu.Unlock()
	if room != nil {
		C.bri_emitter_wake()
	}
	for _, w := range idle {
		w.wake <- false
	}
	C.bri_bell_all()
	for s.parked.Load() != 0 { // they look at the ring, which is the next generation's soon
		time.Sleep(10 * time.Microsecond)
	}
	s.dog.Stop()
	s.timer.Stop()
}
