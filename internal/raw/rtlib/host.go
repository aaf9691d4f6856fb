//go:build cgo && (linux || darwin)

package rtlib

// #define RT_NO_INLINE
// #include "isthmus_rt.h"
// typedef struct rti_waiter rti_waiter;
// rti_waiter *rti_actor_go(rt_value v, rt_value msg, int32_t joins, uint64_t token, int32_t *status);
// rt_value rti_host_actor(uint64_t id, int64_t capacity);
// rt_value rti_host_generator(uint64_t id);
// int32_t rti_generator_go(rt_value gen, rt_value *v);
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
// count goes to the caller. It runs on a goroutine of its own, one at a time.
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
		go func() {
			r, err := rtheap.Nil, errGone
			defer func() {
				if x := recover(); x != nil {
					r, err = rtheap.Nil, &rtfile.Error{Code: rtheap.Panicked, Err: fmt.Errorf("%v", x)}
				}
				h.Release(v)
				Settle(rtheap.Value(promise), r, err)
			}()
			r, err = s.(*Hosted).Step(v)
		}()
		return true
	})
	if !asked {
		Settle(rtheap.Value(promise), rtheap.Nil, errGone)
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
	return wait(ctx, a, func(token uint64) (*C.rti_waiter, rtheap.Code) {
		var status C.int32_t
		w := C.rti_actor_go(C.rt_value(a), C.rt_value(msg), joins, C.uint64_t(token), &status)
		return w, rtheap.Code(status)
	})
}

// TrySendActor is SendActor without a wait: TimedOut when the mailbox is full.
func TrySendActor(a, msg rtheap.Value) rtheap.Code {
	return rtheap.Code(C.rt_actor_try_send(C.rt_value(a), C.rt_value(msg)))
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
	r := word{C.RT_NIL}
	c := rtheap.Code(C.rti_generator_go(C.rt_value(g), &r.v))
	return rtheap.Value(r.v), c
}

// GeneratorDone reports whether a generator has nothing more to give; true also of what is none.
func GeneratorDone(g rtheap.Value) bool { return C.rt_generator_is_done(C.rt_value(g)) != 0 }
