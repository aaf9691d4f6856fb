package pjrtfake

import (
	"runtime"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

var errorSlots = []entry{
	on(func(f *Fake, a *pjrtc.ErrorDestroyArgs) *Failure { destroy(f, "error", a.Error); return nil }),
	on(func(f *Fake, a *pjrtc.ErrorMessageArgs) *Failure {
		e := get(f, "message", "error", a.Error)
		if e == nil || e.err == nil || e.fault == FailNoMessage {
			return nil
		}
		a.Message, a.MessageSize = List(f, e, []byte(e.err.Msg)), uint64(len(e.err.Msg))
		switch e.fault {
		case FailBadText:
			a.Message = List(f, e, f.garbage())
		case FailHugeText:
			a.Message, a.MessageSize = pjrtc.Ptr[byte](addr(f.huge())), 1<<62
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ErrorGetCodeArgs) *Failure {
		if e := get(f, "code", "error", a.Error); e != nil && e.err != nil {
			if e.fault == FailTwice {
				return failed(pjrtc.ErrorCodeUNKNOWN, "the code cannot be read")
			}
			a.Code = e.err.Code
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ErrorForEachPayloadArgs) *Failure {
		e := get(f, "payloads", "error", a.Error)
		if e == nil || a.Visitor == 0 {
			return bad
		}
		for _, p := range e.err.Payload {
			v, _ := p.Value.(string)
			key, value := List(f, e, []byte(p.Name)), List(f, e, []byte(v))
			f.unlocked(func() {
				call.Call(call.Fn(a.Visitor), uintptr(key), uintptr(len(p.Name)), uintptr(value), uintptr(len(v)), uintptr(a.UserArg))
			})
		}
		return nil
	}),
}

var eventSlots = []entry{
	on(func(f *Fake, a *pjrtc.EventDestroyArgs) *Failure { destroy(f, "event", a.Event); return nil }),
	on(func(f *Fake, a *pjrtc.EventIsReadyArgs) *Failure {
		e := get(f, "is ready", "event", a.Event)
		if e == nil {
			return bad
		}
		a.IsReady = e.fired
		return nil
	}),
	on(func(f *Fake, a *pjrtc.EventErrorArgs) *Failure {
		e := get(f, "error", "event", a.Event)
		if e == nil {
			return bad
		}
		if !e.fired {
			f.violate("the error of an event was asked for before it fired")
		}
		return e.err
	}),
	on(func(f *Fake, a *pjrtc.EventAwaitArgs) *Failure {
		e := get(f, "await", "event", a.Event)
		if e == nil {
			return bad
		}
		f.waitFor(e)
		f.unlocked(func() { <-e.done })
		return e.err
	}),
	on(func(f *Fake, a *pjrtc.EventOnReadyArgs) *Failure {
		e := get(f, "on ready", "event", a.Event)
		if e == nil || a.Callback == 0 {
			return bad
		}
		fn, arg := a.Callback, a.UserArg
		if !e.fired {
			e.ready = append(e.ready, func() { f.onReady(e, fn, arg) })
			f.waitFor(e)
			return nil
		}
		if e.fault == EarlyEvent {
			done := make(chan struct{})
			f.calling.Go(func() {
				defer close(done)
				runtime.LockOSThread() // so the thread ends with the goroutine: nobody else has used it
				f.onReady(e, fn, arg)
			})
			f.unlocked(func() { <-done })
			return nil
		}
		f.unlocked(func() { f.onReady(e, fn, arg) }) // inside the registering call, as plugins may
		return nil
	}),
	on(func(f *Fake, a *pjrtc.EventCreateArgs) *Failure {
		fault := f.eventFault
		if fault == LateEvent || fault == NeverEvent {
			f.eventFault = NoFault // it is the client's to fire
		}
		e := f.event(nil)
		e.set, f.eventFault = true, fault
		a.Event = pjrtc.Ptr[pjrtc.Event](e.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.EventSetArgs) *Failure {
		e := get(f, "set", "event", a.Event)
		switch {
		case e == nil:
			return bad
		case !e.set:
			f.violate("an event was set that is the plugin's")
			return invalid("not an event of the caller's")
		case e.fired:
			f.violate("an event was set twice")
			return failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "set twice")
		}
		f.complete(e, status(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize))
		return nil
	}),
}

// event makes an event that has not fired.
func (f *Fake) event(parent *object) *object {
	e := f.make(&object{kind: "event", parent: parent, done: make(chan struct{}), fault: f.eventFault})
	if f.eventFault != NoFault {
		f.injected++
	}
	return e
}

// waitFor tells a test that somebody waits for an event that never fires.
func (f *Fake) waitFor(e *object) {
	if fn := f.waited; fn != nil && e.fault == NeverEvent && !e.fired {
		f.waited = nil
		f.unlocked(fn)
	}
}

// newEvent makes an event that fires when act has been done: now, or at Release while work is held, and not before
// what it depends on is there. late is the error that it carries besides act's. The caller holds mu, also in act.
func (f *Fake) newEvent(parent *object, late *Failure, deps []*object, act func() *Failure) *object {
	e := f.event(parent)
	f.later(deps, func() {
		err := late
		if act != nil {
			if other := act(); other != nil {
				err = other
			}
		}
		f.complete(e, err)
	})
	return e
}

// later does work now, or at Release, and not before the contents of deps are there.
func (f *Fake) later(deps []*object, run func()) {
	if f.hold {
		f.held = append(f.held, func() { f.when(deps, run) })
		return
	}
	f.when(deps, run)
}

func (f *Fake) when(deps []*object, run func()) {
	for _, b := range deps {
		if b.pending {
			b.waiters = append(b.waiters, func() { f.when(deps, run) })
			return
		}
	}
	run()
}

// settle says that the contents of a buffer are there, or will never be.
func (f *Fake) settle(b *object, err *Failure) {
	if !b.pending {
		return
	}
	b.pending, b.err = false, err
	waiters := b.waiters
	b.waiters = nil
	for _, w := range waiters {
		w()
	}
}

// complete fires an event: it wakes those in Await and calls the callbacks, each on a goroutine as a plugin does on a
// thread of its own.
func (f *Fake) complete(e *object, err *Failure) {
	if e.fired {
		return
	}
	if e.fault == FailedEvent && err == nil {
		err = failed(pjrtc.ErrorCodeINTERNAL, "injected in an event")
	}
	e.fired, e.err = true, err
	close(e.done)
	for _, r := range e.ready {
		f.calling.Go(r)
	}
	e.ready = nil
}

// onReady calls the callback with an error of its own, as the callback destroys it.
func (f *Fake) onReady(e *object, fn pjrtc.Func, arg pjrtc.Addr) {
	err := pjrtc.Ptr[pjrtc.Error](0)
	f.mu.Lock()
	if e.err != nil {
		err = f.newError(e.err)
	}
	f.mu.Unlock()
	call.Call(call.Fn(fn), uintptr(err), uintptr(arg))
	if f.Twice || e.fault == TwiceEvent {
		call.Call(call.Fn(fn), 0, uintptr(arg))
	}
}
