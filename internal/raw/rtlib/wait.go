//go:build cgo && (linux || darwin)

package rtlib

// #define RT_NO_INLINE
// #include "isthmus_rt.h"
// typedef struct rti_waiter rti_waiter;
// rti_waiter *rti_channel_go(rt_value ch, int32_t receive, rt_value *v, uint64_t token, int32_t *status);
// rti_waiter *rti_future_go(rt_value f, rt_value *v, uint64_t token, int32_t *status);
// int32_t rti_go_unpark(rti_waiter *w);
// int32_t isthmus_rt_running(void);
import "C"

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// waits are the goroutines that wait in C's parking lot: a token names each, so C holds no pointer of Go's.
var waits waiting

type waiting struct {
	last atomic.Uint64
	by   sync.Map // token -> chan rtheap.Code
}

func (w *waiting) wake(token uint64, why rtheap.Code) {
	if c, ok := w.by.Load(token); ok {
		select {
		case c.(chan rtheap.Code) <- why:
		default: // it was woken before
		}
	}
}

// attempt tries an operation that may have to wait: with a token that is not 0 it leaves a waiter behind when it does.
type attempt func(token uint64) (w *C.rti_waiter, c rtheap.Code)

// wait does an operation on v as soon as it is possible: no thread waits, only the goroutine. TimedOut when ctx ends first.
func wait(ctx context.Context, v rtheap.Value, try attempt) rtheap.Code {
	if _, c := try(0); c != rtheap.TimedOut {
		return c
	}
	if ctx.Err() != nil {
		return rtheap.TimedOut
	}
	h := process()
	if !h.Retain(v) { // who waits counts what it waits for
		return rtheap.BadHandle
	}
	defer h.Release(v)
	token := waits.last.Add(1)
	woken := make(chan rtheap.Code, 1)
	waits.by.Store(token, woken)
	defer waits.by.Delete(token)
	for {
		w, c := try(token)
		if w == nil {
			return c
		}
		var over bool
		select {
		case <-woken:
		case <-ctx.Done():
			over = true
		}
		switch c := rtheap.Code(C.rti_go_unpark(w)); {
		case c != rtheap.OK && c != rtheap.TimedOut:
			return c
		case over:
			_, c := try(0) // it may have been woken as ctx ended: the wake is not lost
			return c
		}
		select { // of this round
		case <-woken:
		default:
		}
	}
}

// word is memory for a result that C writes.
type word struct{ v C.rt_value }

// Await waits for the future f, which is started if it was not. The result is the caller's. TimedOut when ctx ends first.
func Await(ctx context.Context, f rtheap.Value) (rtheap.Value, rtheap.Code) {
	return get(ctx, f, func(r *word, token C.uint64_t, status *C.int32_t) *C.rti_waiter {
		return C.rti_future_go(C.rt_value(f), &r.v, token, status)
	})
}

// Recv receives from the channel ch. The value is the caller's. TimedOut when ctx ends first.
func Recv(ctx context.Context, ch rtheap.Value) (rtheap.Value, rtheap.Code) {
	return get(ctx, ch, func(r *word, token C.uint64_t, status *C.int32_t) *C.rti_waiter {
		return C.rti_channel_go(C.rt_value(ch), 1, &r.v, token, status)
	})
}

func get(ctx context.Context, v rtheap.Value, ask func(r *word, token C.uint64_t, status *C.int32_t) *C.rti_waiter) (rtheap.Value, rtheap.Code) {
	r := word{C.RT_NIL}
	c := wait(ctx, v, func(token uint64) (*C.rti_waiter, rtheap.Code) {
		var status C.int32_t
		w := ask(&r, C.uint64_t(token), &status)
		return w, rtheap.Code(status)
	})
	return rtheap.Value(r.v), c
}

// Send sends v, which the channel counts for itself. TimedOut when ctx ends first.
func Send(ctx context.Context, ch, v rtheap.Value) rtheap.Code {
	return wait(ctx, ch, func(token uint64) (*C.rti_waiter, rtheap.Code) {
		x, status := C.rt_value(v), C.int32_t(0)
		w := C.rti_channel_go(C.rt_value(ch), 0, &x, C.uint64_t(token), &status)
		return w, rtheap.Code(status)
	})
}

// refusal is why the last call on this thread was refused.
func refusal() rtheap.Code { return rtheap.Code(C.rt_last_error()) }

// made calls C on one thread, where its errors are.
func made(f func() C.rt_value) (rtheap.Value, rtheap.Code) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if v := rtheap.Value(f()); v != rtheap.Nil {
		return v, rtheap.OK
	}
	return rtheap.Nil, refusal()
}

func done(f func() C.bool) rtheap.Code {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if f() {
		return rtheap.OK
	}
	return refusal()
}

// NewPromise makes a future that Complete, Fail or Cancel ends. It is the caller's.
func NewPromise() (rtheap.Value, rtheap.Code) {
	return made(func() C.rt_value { return C.rt_future_new(nil, C.RT_NIL) })
}

// Resolve makes a future that has the result v, which it counts.
func Resolve(v rtheap.Value) (rtheap.Value, rtheap.Code) {
	return made(func() C.rt_value { return C.rt_future_resolve(C.rt_value(v)) })
}

// Complete gives a promise its result, which it counts.
func Complete(f, v rtheap.Value) rtheap.Code {
	return done(func() C.bool { return C.rt_future_complete(C.rt_value(f), C.rt_value(v)) })
}

// Fail ends a promise without a result, for a reason that it counts.
func Fail(f, reason rtheap.Value) rtheap.Code {
	return done(func() C.bool { return C.rt_future_fail(C.rt_value(f), C.rt_value(reason)) })
}

// Cancel ends a future: whoever waits for it gets IsCancelled.
func Cancel(f rtheap.Value) rtheap.Code {
	return done(func() C.bool { return C.rt_future_cancel(C.rt_value(f)) })
}

// StartFuture has the body of f run on one of the library's threads.
func StartFuture(f rtheap.Value) rtheap.Code {
	return done(func() C.bool { return C.rt_future_start(C.rt_value(f)) })
}

// Ready reports whether a wait for f would be over at once.
func Ready(f rtheap.Value) bool { return C.rt_future_is_ready(C.rt_value(f)) == 1 }

// Reason is why f failed, Nil when it did not. It is lent.
func Reason(f rtheap.Value) rtheap.Value { return rtheap.Value(C.rt_future_reason(C.rt_value(f))) }

// NewChannel makes a channel of the given capacity, 0 for the default. It is the caller's.
func NewChannel(capacity int) (rtheap.Value, rtheap.Code) {
	return made(func() C.rt_value {
		if capacity == 0 {
			return C.rt_channel_new()
		}
		return C.rt_channel_new_cap(C.int64_t(capacity))
	})
}

// TrySend sends v if there is room now: TimedOut when there is none.
func TrySend(ch, v rtheap.Value) rtheap.Code {
	return rtheap.Code(C.rt_channel_try_send(C.rt_value(ch), C.rt_value(v)))
}

// TryRecv receives what is there now: TimedOut when nothing is.
func TryRecv(ch rtheap.Value) (rtheap.Value, rtheap.Code) {
	var v C.rt_value
	c := C.rt_channel_try_recv(C.rt_value(ch), &v)
	return rtheap.Value(v), rtheap.Code(c)
}

// CloseChannel ends sending: IsClosed when it was closed before.
func CloseChannel(ch rtheap.Value) rtheap.Code {
	return done(func() C.bool { return C.rt_channel_close(C.rt_value(ch)) })
}

// ChannelClosed reports whether nothing more is sent, true also for what is no channel.
func ChannelClosed(ch rtheap.Value) bool { return C.rt_channel_is_closed(C.rt_value(ch)) != 0 }

// ChannelLen is how many values are in ch, and ChannelCap how many there is room for; -1 for what is no channel.
func ChannelLen(ch rtheap.Value) int { return int(C.rt_channel_len(C.rt_value(ch))) }

// ChannelCap is how many values ch has room for.
func ChannelCap(ch rtheap.Value) int { return int(C.rt_channel_cap(C.rt_value(ch))) }

// Running reports whether the runtime was started and not stopped.
func Running() bool { return C.isthmus_rt_running() != 0 }

// Shutdown stops the runtime: see rt_shutdown. It returns how many objects were alive; TimedOut when bodies were still
// under way after timeout nanoseconds (negative: for ever).
func Shutdown(timeout int64) (int64, rtheap.Code) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if n := int64(C.rt_shutdown(C.int64_t(timeout))); n >= 0 {
		return n, rtheap.OK
	}
	return 0, refusal()
}
