//go:build cgo && (linux || darwin)

package rtlib

// #define RT_NO_INLINE
// #include "isthmus_rt.h"
// typedef struct rti_waiter rti_waiter;
// rti_waiter *rti_actor_go(rt_value v, rt_value msg, int32_t joins, uint64_t token, int32_t *status);
// rt_value rti_host_actor(uint64_t id, int64_t capacity);
// rt_value rti_host_generator(uint64_t id);
// int32_t rti_host_take(rt_value self, bool failed, rt_value *batch, uint64_t *id);
// int32_t rti_generator_go(rt_value gen, rt_value *v, uint64_t *id);
// void rti_generator_stepped(rt_value gen, bool yielded);
// enum { RTI_TURN = 1000, RTI_STEP }; // as in run.h
import "C"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/rtfile"
)

// Step is what an actor does with a message, or how a generator makes its next value. The argument is lent; the result's
// count goes to the caller. It runs one at a time: an actor's on goroutines of this package, a generator's also on that of
// who asked.
type Step func(arg rtheap.Value) (rtheap.Value, error)

// hosts are the functions of Go's that objects of type host stand for.
var hosts struct {
	last atomic.Uint64
	by   sync.Map // number -> *Hosted
}

// Hosted is such a function, and what is to be done when nobody has it any more; on a goroutine of its own.
type Hosted struct {
	Step Step
	End  func()
}

func (s *Hosted) enter() uint64 {
	id := hosts.last.Add(1)
	hosts.by.Store(id, s)
	process().SetEndHost(leave)
	return id
}

func leave(id uint64) {
	if s, ok := hosts.by.LoadAndDelete(id); ok {
		if end := s.(*Hosted).End; end != nil {
			go end()
		}
	}
}

//export rtgo_host_end
func rtgo_host_end(id C.uint64_t) {
	guard("rtgo_host_end", false, func() bool {
		leave(uint64(id))
		return true
	})
}

//export rtgo_host_step
func rtgo_host_step(id C.uint64_t, arg, promise C.rt_value) {
	asked := guard("rtgo_host_step", false, func() bool {
		s, ok := hosts.by.Load(uint64(id))
		if !ok {
			return false
		}
		h, v := process(), rtheap.Value(arg)
		if !h.Retain(v) {
			return false
		}
		go s.(*Hosted).do(v, func(r rtheap.Value, err error) {
			h.Release(v)
			Settle(rtheap.Value(promise), r, err)
		})
		return true
	})
	if !asked {
		Settle(rtheap.Value(promise), rtheap.Nil, errGone)
	}
}

// do does a step, and says how it went, whatever the function does: also when it ends its goroutine.
func (s *Hosted) do(arg rtheap.Value, done func(r rtheap.Value, err error)) {
	r, err := rtheap.Nil, errGone
	defer func() {
		if x := recover(); x != nil {
			r, err = rtheap.Nil, &rtfile.Error{Code: rtheap.Panicked, Err: fmt.Errorf("%v", x)}
		}
		done(r, err)
	}()
	r, err = s.Step(arg)
}

//export rtgo_host_turn
func rtgo_host_turn(a C.rt_value) C.int32_t {
	return guard("rtgo_host_turn", 0, func() C.int32_t {
		go turn(rtheap.Value(a))
		return 1
	})
}

// turn gives an actor its messages until there are none.
func turn(a rtheap.Value) {
	h := process()
	var batch [64]C.rt_value
	var left []C.rt_value
	var id C.uint64_t
	failed := false
	said := func(r rtheap.Value, err error) {
		h.Release(r)
		h.Release(rtheap.Value(left[0]))
		left, failed = left[1:], err != nil
	}
	defer func() { // also of a function that ended this goroutine
		for _, msg := range left {
			h.Release(rtheap.Value(msg))
		}
		if failed {
			C.rti_host_take(C.rt_value(a), true, &batch[0], &id)
		}
	}()
	for !failed {
		left = batch[:C.rti_host_take(C.rt_value(a), false, &batch[0], &id)]
		if len(left) == 0 {
			return
		}
		s, ok := hosts.by.Load(uint64(id))
		for failed = !ok; len(left) > 0 && !failed; {
			s.(*Hosted).do(rtheap.Value(left[0]), said)
		}
	}
}

// errGone is of a function that ended its goroutine, or is not there.
var errGone error = &rtfile.Error{Code: rtheap.Panicked, Err: errors.New("the function ended its goroutine")}

// NewActor makes an actor that gives its messages to a Go function. It is the caller's.
func NewActor(s *Hosted, capacity int64) (rtheap.Value, rtheap.Code) {
	id := s.enter()
	v, c := made(func() C.rt_value { return C.rti_host_actor(C.uint64_t(id), C.int64_t(capacity)) })
	if c != rtheap.OK {
		leave(id) // if no object did
	}
	return v, c
}

// NewGenerator makes a generator whose values a Go function makes. It is the caller's.
func NewGenerator(s *Hosted) (rtheap.Value, rtheap.Code) {
	id := s.enter()
	v, c := made(func() C.rt_value { return C.rti_host_generator(C.uint64_t(id)) })
	if c != rtheap.OK {
		leave(id)
	}
	return v, c
}

// SendActor sends msg, which the mailbox counts. TimedOut when ctx ends first.
func SendActor(ctx context.Context, a, msg rtheap.Value) rtheap.Code { return actor(ctx, a, msg, 0) }

// JoinActor waits for the end of a. TimedOut when ctx ends first.
func JoinActor(ctx context.Context, a rtheap.Value) rtheap.Code {
	return actor(ctx, a, rtheap.Nil, 1)
}

func actor(ctx context.Context, a, msg rtheap.Value, joins C.int32_t) rtheap.Code {
	return wait(ctx, a, func(token uint64) (*C.rti_waiter, rtheap.Code) { return tryActor(a, msg, joins, token) })
}

func tryActor(a, msg rtheap.Value, joins C.int32_t, token uint64) (*C.rti_waiter, rtheap.Code) {
	var status C.int32_t
	w := C.rti_actor_go(C.rt_value(a), C.rt_value(msg), joins, C.uint64_t(token), &status)
	if status == C.RTI_TURN {
		go turn(a)
		return nil, rtheap.OK
	}
	return w, rtheap.Code(status)
}

// TrySendActor is SendActor without a wait: TimedOut when the mailbox is full.
func TrySendActor(a, msg rtheap.Value) rtheap.Code {
	_, c := tryActor(a, msg, 0, 0)
	return c
}

// StopActor closes the mailbox.
func StopActor(a rtheap.Value) rtheap.Code {
	return done(func() C.bool { return C.rt_actor_stop(C.rt_value(a)) != 0 })
}

// ActorID is the number of an actor, 0 of what is none.
func ActorID(a rtheap.Value) int64 { return int64(C.rt_actor_id(C.rt_value(a))) }

// ActorAlive reports whether its body has not returned.
func ActorAlive(a rtheap.Value) bool { return C.rt_actor_is_alive(C.rt_value(a)) == 1 }

// ActorPending is how many messages wait, -1 of what is no actor.
func ActorPending(a rtheap.Value) int { return int(C.rt_actor_pending(C.rt_value(a))) }

// NextOf runs a generator until its next value, which is the caller's: IsEmpty when there is none.
func NextOf(g rtheap.Value) (rtheap.Value, rtheap.Code) {
	var r struct {
		v  C.rt_value
		id C.uint64_t
	}
	c := C.rti_generator_go(C.rt_value(g), &r.v, &r.id)
	if c != C.RTI_STEP {
		return rtheap.Value(r.v), rtheap.Code(c)
	}
	v, code := rtheap.Nil, rtheap.OK
	done := func(r rtheap.Value, err error) {
		if v = r; err != nil {
			v, code = rtheap.Nil, codeOf(err)
		}
		C.rti_generator_stepped(C.rt_value(g), C.bool(err == nil))
	}
	if s, ok := hosts.by.Load(uint64(r.id)); ok {
		s.(*Hosted).do(g, done)
	} else {
		done(rtheap.Nil, errGone)
	}
	return v, code
}

// GeneratorDone reports whether a generator has nothing more to give; true also of what is none.
func GeneratorDone(g rtheap.Value) bool { return C.rt_generator_is_done(C.rt_value(g)) != 0 }
