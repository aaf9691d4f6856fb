//go:build cgo && linux && (amd64 || arm64)

package bridgelib

// #cgo CFLAGS: -O2
// #cgo noescape bri_complete
// #cgo noescape bri_event_push
// #cgo noescape bri_keep
// #cgo nocallback bri_keep
// #cgo nocallback bri_now
// #cgo nocallback bri_wake
// #cgo nocallback bri_emitter_waits
// #cgo nocallback bri_emitter_wait
// #include <stdlib.h>
// #include <string.h>
// #include "bridge.h"
import "C"

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
)

// The one bridge of this process: C functions have no other place to find it.
var (
	mu      sync.Mutex
	program Program
	current atomic.Pointer[session]
)

// session is one generation.
//
// SAFETY: owner of what its pointers point to: C's static memory and the ring, which stay; bounds: one field each; alignment:
// C's structs; thread: atomics only, but the cells, which are those of the worker that has the watch.
type session struct {
	generation uint64
	program    Program
	epoch      time.Time // when CLOCK_MONOTONIC was base
	base       uint64
	deadlines  *atomic.Uint64
	zombies    *atomic.Uint64
	late       *atomic.Uint64

	mask            uint64 // of cells
	cells           []C.cell
	watch, head     *uint64
	bell            *uint32
	abandoned       *unsafe.Pointer
	inFlight, bytes *uint64
	batch           uint64 // of casts that are counted out together

	stop    atomic.Bool
	parked  atomic.Int32 // workers that wait for the bell, or are about to
	strays  atomic.Int32 // casts without a lane
	closing atomic.Bool
	quiet   chan struct{}

	mu    sync.Mutex
	table []*worker // nil where one has left
	holes []int
	idle  []*worker // they wait for another worker
	room  chan struct{}

	dog   *time.Timer
	awake atomic.Bool
	seen  atomic.Uint64 // the watch when the watchdog last looked

	expiry  sync.Mutex
	timer   *time.Timer
	nearest atomic.Uint64 // deadline that the timer waits for; 0: none
}

// Serve makes p the bridge that this library's hosts find. There is one in a process.
func Serve(p Program, d Desc) error {
	mu.Lock()
	defer mu.Unlock()
	if program != nil {
		return fmt.Errorf("bridge: serve: %w: this program serves one already", isthmus.ErrBusy)
	}
	desc := C.br_desc{
		abi: C.BR_ABI_VERSION, little_endian: 1, bridge_version: C.uint32_t(d.Version),
		name: C.CString(d.Name), schema: C.CString(d.Schema), schema_len: C.uint64_t(len(d.Schema)),
		max_request: C.uint64_t(d.MaxRequest), max_reply: C.uint64_t(d.MaxReply),
		max_in_flight: C.uint64_t(d.MaxInFlight), max_bytes: C.uint64_t(d.MaxBytes),
	}
	for i, b := range d.Fingerprint {
		desc.fingerprint[i] = C.uint8_t(b)
	}
	if rc := C.bri_serve(&desc); rc != C.BR_OK {
		return fmt.Errorf("bridge: serve: %w: no memory for a ring of %d", isthmus.ErrLimit, d.MaxInFlight)
	}
	program = p
	return nil
}

// Refuse says why this library serves no bridge, for br_init's error.
func Refuse(why error) {
	text := C.CString(why.Error())
	defer C.free(unsafe.Pointer(text)) // SAFETY: it is C's own memory, for the call
	mu.Lock()
	defer mu.Unlock()
	C.bri_refuse(text)
}

//export brgo_ready
func brgo_ready() C.int32_t {
	mu.Lock()
	defer mu.Unlock()
	if program == nil {
		return 0
	}
	return 1
}

// SAFETY: owner: br_init's caller, which waits; lifetime: the call; bounds: br_init has checked the lengths; alignment: the
// structs'; thread: the caller's. What is kept is copied.
//
//export brgo_open
func brgo_open(generation C.uint64_t, args *C.br_init_args, failure *C.br_error) C.int32_t {
	mu.Lock()
	defer mu.Unlock()
	o := Opening{Generation: uint64(generation), Schema: C.GoStringN(args.schema, C.int(args.schema_len))}
	if args.host != nil {
		o.Host = C.GoStringN(args.host, C.int(C.strnlen(args.host, 256)))
	}
	for i := range o.Fingerprint {
		o.Fingerprint[i] = byte(args.fingerprint[i])
	}
	st := C.br_stats_t{size: C.uint32_t(unsafe.Sizeof(C.br_stats_t{})), version: C.BR_ABI_VERSION}
	C.br_stats(&st)
	o.MaxRequest, o.MaxReply = uint64(st.max_request), uint64(st.max_reply)
	s := &session{
		generation: o.Generation, program: program, epoch: time.Now(), base: uint64(C.bri_now()),
		deadlines: Stats().Deadlines, zombies: Stats().Zombies, late: Stats().Late, quiet: make(chan struct{}, 1), batch: min(uint64(st.max_in_flight)/32, 32),
	}
	s.look()
	s.dog, s.timer = time.AfterFunc(time.Hour, s.bark), time.AfterFunc(time.Hour, s.sweep)
	if status, err := program.Open(o, s); err != nil {
		s.dog.Stop()
		s.timer.Stop()
		text := unsafe.Slice((*byte)(unsafe.Pointer(&failure.text[0])), len(failure.text))
		text[copy(text[:len(text)-1], err.Error())] = 0
		return C.int32_t(status)
	}
	current.Store(s)
	s.open()
	return C.BR_OK
}

// SAFETY: as brgo_open.
//
//export brgo_close
func brgo_close(_, drain C.uint64_t, report *C.br_report) {
	s := current.Load()
	r := s.program.Close(time.Duration(min(uint64(drain), 1<<62)))
	s.end()
	current.Store(nil)
	report.finished, report.closed, report.casts_dropped = C.uint64_t(r.Finished), C.uint64_t(r.Closed), C.uint64_t(r.CastsDropped)
	report.zombies, report.waited_ns = C.uint64_t(r.Zombies), C.uint64_t(r.Waited)
	text := unsafe.Slice((*byte)(unsafe.Pointer(&report.methods[0])), len(report.methods))
	text[copy(text[:len(text)-1], r.Methods)] = 0
}

// SAFETY: owner: br_call_inline_more's caller, which waits; lifetime: the call; bounds: the caller's own n and cap, checked
// against the limits and NULL by br_call_inline_more; more is its own, and NULL or one pointer; alignment: bytes; thread: the
// caller's.
//
//export brgo_inline
func brgo_inline(generation C.uint64_t, method C.uint32_t, request *C.uint8_t, n C.size_t, out *C.uint8_t, capacity C.size_t, length *C.size_t, deadline C.uint64_t, more **C.slot) C.int32_t {
	s := current.Load()
	if s == nil || s.generation != uint64(generation) {
		return C.BR_E_CLOSED
	}
	to := unsafe.Slice((*byte)(unsafe.Pointer(out)), int(capacity))
	reply, status := s.program.Inline(uint32(method), s.generation, unsafe.Slice((*byte)(unsafe.Pointer(request)), int(n)), to, s.when(uint64(deadline)))
	*length = C.size_t(len(reply))
	if len(reply) > len(to) {
		if more != nil {
			if *more = C.bri_keep(generation, method, C.int32_t(status), first(reply), *length); *more != nil {
				return C.int32_t(status)
			}
			reply, status = []byte("there is no memory for the reply, or it is over the limits of what is under way"), Memory
		} else if status == OK {
			return C.BR_E_REPLY_TOO_BIG
		}
		*length = C.size_t(min(len(reply), len(to)))
	}
	if len(reply) > 0 && len(to) > 0 && &reply[0] != &to[0] {
		copy(to, reply)
	}
	return C.int32_t(status)
}

// when is a deadline of the host's clock on Go's.
func (s *session) when(deadline uint64) time.Time {
	if deadline == 0 {
		return time.Time{}
	}
	const most = 1 << 62
	if deadline > s.base+most {
		return time.Time{}
	}
	return s.epoch.Add(time.Duration(deadline - s.base)) // in the past when it is negative
}

// Event is [Link.Event].
func (s *session) Event(method uint32, message []byte, oldest bool) Status {
	drop := C.int32_t(0)
	if oldest {
		drop = 1
	}
	return Status(C.bri_event_push(C.uint64_t(s.generation), C.uint32_t(method), first(message), C.uint64_t(len(message)), drop))
}

// Room is [Link.Room]. One goroutine, and its thread, waits for all.
func (s *session) Room() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room == nil {
		room := make(chan struct{})
		if s.stop.Load() {
			close(room)
			return room
		}
		s.room = room
		was := C.bri_emitter_waits()
		go func() {
			C.bri_emitter_wait(was)
			s.mu.Lock()
			defer s.mu.Unlock()
			close(room)
			s.room = nil
		}()
	}
	return s.room
}

// Quiet is [Link.Quiet].
func (s *session) Quiet() <-chan struct{} {
	s.closing.Store(true)
	return s.quiet
}

// Leave is [Link.Leave].
func (s *session) Leave(l *Lane, n int64) {
	if l == nil {
		return
	}
	switch left := l.Active.Add(-n); {
	case left < 0: // it is a zombie
		s.zombies.Add(uint64(-n))
	case left == 0 && s.closing.Load():
		select {
		case s.quiet <- struct{}{}:
		default:
		}
	}
}

// first is the address of a slice's bytes, for a C function that reads them while it runs.
//
// SAFETY: owner: the caller of C, which keeps the slice; lifetime: the call of C, which keeps nothing; bounds: the length
// goes along; alignment: bytes; thread: the caller's.
func first(p []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(p))) }

// Counters are the numbers of br_stats that Go counts.
type Counters struct{ Panics, DecodeErrors, Deadlines, Running, Zombies, Closed, Inline, OK, Failed, Late *atomic.Uint64 }

// Stats are the counters, in C's memory, where br_stats reads them.
//
// SAFETY: owner: C's static memory; lifetime: the process; bounds: one field each; alignment: uint64_t, which atomic.Uint64
// is too; thread: both sides use atomics only.
func Stats() Counters {
	at := func(p *C.uint64_t) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(p)) }
	st := &C.bri_stats_go
	return Counters{
		at(&st.panics), at(&st.decode_errors), at(&st.deadlines), at(&st.running), at(&st.zombies), at(&st.closed),
		at(&st.inline_calls), at(&st.ok), at(&st.failed), at(&st.late),
	}
}

// Snapshot is what br_stats says, for Go.
func Snapshot() map[string]uint64 {
	st := C.br_stats_t{size: C.uint32_t(unsafe.Sizeof(C.br_stats_t{})), version: C.BR_ABI_VERSION}
	C.br_stats(&st)
	return map[string]uint64{
		"generation": uint64(st.generation), "calls": uint64(st.calls), "inline": uint64(st.inline_calls), "casts": uint64(st.casts),
		"events": uint64(st.events), "ok": uint64(st.ok), "failed": uint64(st.failed), "panics": uint64(st.panics),
		"decode_errors": uint64(st.decode_errors), "deadlines": uint64(st.deadlines), "abandoned": uint64(st.abandoned),
		"late": uint64(st.late), "refused": uint64(st.refused), "closed": uint64(st.closed), "events_dropped": uint64(st.events_dropped),
		"in_flight": uint64(st.in_flight), "bytes": uint64(st.bytes), "peak_in_flight": uint64(st.peak_in_flight),
		"peak_bytes": uint64(st.peak_bytes), "running": uint64(st.running), "zombies": uint64(st.zombies), "slots": uint64(st.slots),
	}
}
