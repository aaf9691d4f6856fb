package pjrtfake

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// newEvent makes an event that fires now, or at Release while events are held. The caller holds mu.
func (f *Fake) newEvent(parent *object, err *Failure) *object {
	e := f.make(&object{kind: "event", parent: parent, err: err, done: make(chan struct{})})
	if f.hold {
		f.held = append(f.held, e)
		return e
	}
	e.fired = true
	close(e.done)
	return e
}

// fire fires an event that was held: it wakes those in Await and calls the callbacks, on a goroutine as a plugin does
// on a thread of its own.
func (f *Fake) fire(e *object) {
	f.mu.Lock()
	if e.fired {
		f.mu.Unlock()
		return
	}
	e.fired = true
	ready := e.ready
	e.ready = nil
	close(e.done)
	f.mu.Unlock()
	for _, r := range ready {
		f.calling.Go(r)
	}
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
	if f.Twice {
		call.Call(call.Fn(fn), 0, uintptr(arg))
	}
}

// serve is every function of the table.
func (f *Fake) serve(s pjrtc.Slot, a mem.Addr) pjrtc.Ptr[pjrtc.Error] {
	h := handlers[s]
	f.mu.Lock()
	if h == nil {
		defer f.mu.Unlock()
		return f.newError(&Failure{Code: pjrtc.ErrorCodeUNIMPLEMENTED, Msg: s.String() + " is not in the fake"})
	}
	// SAFETY: owner: the caller of the slot; bounds: every argument struct begins with its size, or is larger.
	if size := *mem.At[uint64](a); size != h.size {
		f.violate("%s: struct_size is %d, want %d", s, size, h.size)
	}
	if how := f.fail[s]; how != nil && !how.Late {
		if how.Times > 0 {
			if how.Times--; how.Times == 0 {
				delete(f.fail, s)
			}
		}
		defer f.mu.Unlock()
		if !s.ReturnsError() {
			return 0
		}
		return f.newError(how)
	}
	if s == pjrtc.SlotEventAwait {
		e := get(f, "await", "event", mem.At[pjrtc.EventAwaitArgs](a).Event)
		f.mu.Unlock()
		if e == nil {
			return 0
		}
		<-e.done
		f.mu.Lock()
		defer f.mu.Unlock()
		if e.err != nil {
			return f.newError(e.err)
		}
		return 0
	}
	if s == pjrtc.SlotEventOnReady {
		args := mem.At[pjrtc.EventOnReadyArgs](a)
		e := get(f, "on ready", "event", args.Event)
		fn, arg := args.Callback, args.UserArg
		if e != nil && !e.fired {
			e.ready = append(e.ready, func() { f.onReady(e, fn, arg) })
			f.mu.Unlock()
			return 0
		}
		f.mu.Unlock()
		if e != nil {
			f.onReady(e, fn, arg) // inside the registering call, as plugins may
		}
		return 0
	}
	defer f.mu.Unlock()
	if how := h.serve(f, a); how != nil {
		return f.newError(how)
	}
	if tamper := f.Tamper[s]; tamper != nil {
		tamper(a)
	}
	return 0
}

// late takes the failure that an event of a function's should carry. The caller holds mu.
func (f *Fake) late(s pjrtc.Slot) *Failure {
	if how := f.fail[s]; how != nil && how.Late {
		return how
	}
	return nil
}
