package pjrtlayer

import (
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// callbacks knows the threads that run a client's callback. The number saves a look at the map when there are none.
type callbacks struct {
	n  atomic.Int32
	mu sync.Mutex
	on map[int]int
}

func (b *callbacks) enter() (leave func()) {
	id := threadID()
	b.mu.Lock()
	if b.on == nil {
		b.on = map[int]int{}
	}
	b.on[id]++
	b.mu.Unlock()
	b.n.Add(1)
	return func() {
		b.n.Add(-1)
		b.mu.Lock()
		if b.on[id]--; b.on[id] == 0 {
			delete(b.on, id)
		}
		b.mu.Unlock()
	}
}

// inside reports whether the calling thread runs a callback.
func (b *callbacks) inside() bool {
	if b.n.Load() == 0 {
		return false
	}
	id := threadID()
	b.mu.Lock()
	defer b.mu.Unlock()
	return id != 0 && b.on[id] > 0
}

// mayBlock sees to it that a call that may wait is not made on a thread of the plugin's.
func (l *Layer) mayBlock(c *layer.Call) {
	if l.callbacks.inside() {
		c.Report(layer.WrongThread, c.Object(0), "this call may wait, and runs inside a callback, on a thread that the plugin needs")
	}
}

// userEvent is an event that the client made: whether it was set.
type userEvent struct{ set bool }

func (l *Layer) eventHooks() {
	fire := func(c *layer.Call, _ bool) { l.eng.Fire(c, c.Object(0)) } // an error is the event's own
	l.slots[pjrtc.SlotEventAwait].Before = func(c *layer.Call) {
		if o := c.Object(0); o != nil && !o.Fired() {
			l.mayBlock(c)
		}
	}
	l.slots[pjrtc.SlotEventAwait].After = fire
	l.slots[pjrtc.SlotEventIsReady].After = func(c *layer.Call, failed bool) {
		if a := args[pjrtc.EventIsReadyArgs](c); a != nil && !failed && a.IsReady {
			l.eng.Fire(c, c.Object(0))
		}
	}
	l.slots[pjrtc.SlotEventError].Before = func(c *layer.Call) {
		if o := c.Object(0); o != nil && !o.Fired() && !l.ready(o) {
			c.Refuse(layer.OutOfOrder, o, "the event has not completed; wait, or ask PJRT_Event_IsReady before")
		}
	}
	l.slots[pjrtc.SlotEventCreate].After = func(c *layer.Call, _ bool) {
		if o := c.Object(0); o != nil {
			o.Lock()
			o.API = &userEvent{}
			o.Unlock()
		}
	}
	l.slots[pjrtc.SlotEventSet].Before = func(c *layer.Call) {
		o := c.Object(0)
		if o == nil {
			return
		}
		o.Lock()
		u, _ := o.API.(*userEvent)
		again := u != nil && u.set
		if u != nil {
			u.set = true
		}
		o.Unlock()
		switch {
		case u == nil:
			c.Refuse(layer.OutOfOrder, o, "only an event of PJRT_Event_Create can be set")
		case again:
			c.Refuse(layer.OutOfOrder, o, "the event was set before")
		}
	}
	l.slots[pjrtc.SlotEventOnReady].Before = l.beforeOnReady
	l.slots[pjrtc.SlotEventOnReady].After = l.afterOnReady
}

// ready asks the plugin itself.
func (l *Layer) ready(o *layer.Object) bool {
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.EventIsReadyArgs](f)
	if err != nil || !l.real.Has(a.Slot()) {
		return true // nobody can tell
	}
	a.Event = pjrtc.Ptr[pjrtc.Event](o.Addr())
	return l.failed(f, pjrtc.Call(l.real, f, a)) || a.IsReady
}

// registration is a callback of a client's with one of ours before it.
type registration struct {
	served cb.Served
	fn     pjrtc.Func
	arg    pjrtc.Addr
}

// beforeOnReady puts a function of ours before the client's callback. Without room for it the callback is not seen.
func (l *Layer) beforeOnReady(c *layer.Call) {
	a, o := args[pjrtc.EventOnReadyArgs](c), c.Object(0)
	if a == nil || o == nil {
		return
	}
	if a.Callback == 0 {
		c.Refuse(layer.NullArgument, o, "callback is null")
		return
	}
	r := &registration{fn: a.Callback, arg: a.UserArg}
	name, site := c.Func, c.Site
	var once sync.Once
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(in *cb.Args) uintptr {
		once.Do(func() { r.served.Release() })
		call := layer.Call{Engine: l.eng, Func: name, Site: site}
		if in[0] != 0 {
			call.Add(l.kinds.errors, in[0], nil, false)
		}
		l.eng.Fire(&call, o)
		defer l.callbacks.enter()()
		return callBack(r, in[0])
	}})
	if err != nil {
		return
	}
	r.served = s
	a.Callback, a.UserArg = pjrtc.Func(s.Fn), pjrtc.Addr(s.Arg)
	c.Data = r
}

func callBack(r *registration, e uintptr) uintptr {
	return call.Call(call.Fn(r.fn), e, uintptr(r.arg))
}

func (l *Layer) afterOnReady(c *layer.Call, failed bool) {
	r, _ := c.Data.(*registration)
	a := args[pjrtc.EventOnReadyArgs](c)
	if r == nil || a == nil {
		return
	}
	a.Callback, a.UserArg = r.fn, r.arg // the struct is the caller's
	if failed {
		r.served.Release()
	}
}
