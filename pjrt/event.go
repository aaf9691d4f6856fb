package pjrt

import (
	"context"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Event is a plugin's promise that something is done, with an error or without. Any number of goroutines may wait for
// it. It is safe for concurrent use. The zero value is closed.
type Event struct {
	owned  ffi.Owned[pjrtc.Ptr[pjrtc.Event]]
	plugin *Plugin
	op     string
	done   *ffi.Event
	local  bool // there is no native event; something else completes done
	watch  sync.Once
}

// newEvent takes an event over from the plugin. Nobody watches it before somebody waits.
func (c *Client) newEvent(op string, h pjrtc.Ptr[pjrtc.Event]) (*Event, error) {
	e := &Event{plugin: c.plugin, op: op, done: &ffi.Event{}}
	if err := e.owned.Init(&c.plugin.events, h, &c.owned); err != nil {
		return nil, err
	}
	return e, nil
}

// workEvent takes over the event of work that began, and watches it. The plugin uses the memory of the loans until it
// fires: they are out until then, also after an error and whoever closes or forgets what, and over before anyone hears
// of it. No event says that the work is done.
func (p *Plugin) workEvent(op string, h pjrtc.Ptr[pjrtc.Event], loans []*ffi.Loan, parents ...ffi.Parent) (*Event, error) {
	e := &Event{plugin: p, op: op, done: &ffi.Event{}}
	for _, l := range loans {
		l.ReturnOn(e.done)
	}
	if h == 0 {
		e.done.Complete(nil)
		return e, nil
	}
	if err := e.owned.Init(&p.events, h, parents...); err != nil {
		return nil, err
	}
	if err := e.start(); err != nil {
		return nil, err
	}
	return e, nil
}

// Wait waits until the event fires and returns what it carries, an [*Error] or nil, or the context's cause when that
// ends first. It may be called any number of times, before and after the event fires, and also after Close once it
// has fired. Calls PJRT_Event_OnReady or PJRT_Event_Await.
func (e *Event) Wait(ctx context.Context) error {
	if e == nil || e.done == nil {
		return invalid("wait", "no event")
	}
	if !e.done.Completed() {
		if err := e.start(); err != nil {
			return err
		}
	}
	err := e.done.Wait(ctx)
	if err != nil && !e.done.Completed() {
		return fmt.Errorf("pjrt: %s: %w", e.op, err)
	}
	return err
}

// Done returns a channel that is closed when the event has fired. Errors: [isthmus.ErrClosed].
func (e *Event) Done() (<-chan struct{}, error) {
	if e == nil || e.done == nil {
		return nil, invalid("wait", "no event")
	}
	if !e.done.Completed() {
		if err := e.start(); err != nil {
			return nil, err
		}
	}
	return e.done.Done(), nil
}

// Ready reports whether the event has fired. Calls PJRT_Event_IsReady.
func (e *Event) Ready() (bool, error) {
	if e == nil || e.done == nil {
		return false, invalid("event", "nothing")
	}
	if done := e.done.Completed(); done || e.local {
		return done, nil
	}
	h, err := e.owned.Use()
	if err != nil {
		return false, fmt.Errorf("pjrt: %s: %w", e.op, err)
	}
	defer e.owned.Done()
	ready := false
	err = ask(e.plugin, e.op, func(_ *call.Frame, a *pjrtc.EventIsReadyArgs) error { a.Event = h; return nil },
		func(a *pjrtc.EventIsReadyArgs) error { ready = a.IsReady; return nil })
	return ready, err
}

// start has the first waiter begin to watch the native event.
func (e *Event) start() error {
	if e.local {
		return nil
	}
	h, err := e.owned.Use()
	if err != nil {
		if e.done.Completed() {
			return nil
		}
		return fmt.Errorf("pjrt: %s: %w", e.op, err)
	}
	first := false
	e.watch.Do(func() {
		first = true
		e.plugin.watch(e.op, h, func(err error) {
			e.owned.Done() // before anyone hears of it, so that who waits may close everything
			e.done.Complete(err)
		})
	})
	if !first {
		e.owned.Done()
	}
	return nil
}

// watch has fired called once when the event has fired. fired must not block: it may run on the goroutine of all
// signals. The plugin's threads never enter Go.
//
// Preconditions: the event is not destroyed before fired returns.
func (p *Plugin) watch(op string, h pjrtc.Ptr[pjrtc.Event], fired func(error)) {
	if p.table.Has(pjrtc.SlotEventOnReady) {
		s, err := cb.Arm(func(v mem.Addr) {
			if v == 0 {
				fired(nil)
				return
			}
			fired(p.takeError(op, pjrtc.Ptr[pjrtc.Error](v)))
		})
		if err == nil {
			err = ask(p, op, func(_ *call.Frame, a *pjrtc.EventOnReadyArgs) error {
				a.Event, a.Callback, a.UserArg = h, pjrtc.Func(s.Fn), pjrtc.Addr(s.Arg)
				return nil
			}, nil)
			if err == nil || !s.Disarm() {
				return
			}
		}
	}
	go func() { fired(p.await(op, h)) }()
}

// await waits for the native event on this thread.
func (p *Plugin) await(op string, h pjrtc.Ptr[pjrtc.Event]) error {
	return ask(p, op, func(_ *call.Frame, a *pjrtc.EventAwaitArgs) error { a.Event = h; return nil }, nil)
}

// Close gives the event up. What it stands for goes on; the native event is destroyed now, or when it has fired if
// somebody waits. Close is idempotent and nil-safe. Calls PJRT_Event_Destroy.
func (e *Event) Close() error {
	if e == nil {
		return nil
	}
	return e.owned.CloseLater()
}

// String describes the event without touching native memory.
func (e *Event) String() string {
	switch {
	case e == nil || e.done == nil:
		return "pjrt.Event(none)"
	case e.done.Completed():
		return fmt.Sprintf("pjrt.Event(%s, fired)", e.op)
	case !e.local && !e.owned.Live():
		return fmt.Sprintf("pjrt.Event(%s, closed)", e.op)
	}
	return fmt.Sprintf("pjrt.Event(%s)", e.op)
}

// waitOut waits until the event has fired, if it can fire.
func (e *Event) waitOut() {
	if e != nil && e.done != nil && e.start() == nil {
		<-e.done.Done()
	}
}
