package ffi

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// Event completes once, with an error or with nil. Any number of goroutines may wait for it, before or after. The
// zero value is an event that has not completed; a nil one answers as if it had, with [isthmus.ErrInvalid]. It is safe
// for concurrent use and must not be copied.
type Event struct {
	_     noCopy
	done  atomic.Bool // set after err, under mu
	mu    sync.Mutex
	err   error
	ch    chan struct{}
	first *watcher
	last  *watcher
	loans []*Loan // returned before anyone hears of the completion
}

// watcher is one OnDone registration.
type watcher struct {
	f          func(error)
	prev, next *watcher
	queued     bool
}

// errNoEvent is what a nil Event has completed with.
var errNoEvent = fmt.Errorf("ffi: nil event: %w", isthmus.ErrInvalid)

// Complete completes the event and wakes everyone; the loans that [Loan.ReturnOn] gave it are over before anyone hears
// of it. Only the first call has an effect; it returns true. It does not block and runs no function of a waiter's, so
// native completion may call it.
func (e *Event) Complete(err error) bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	if e.done.Load() {
		e.mu.Unlock()
		return false
	}
	for _, l := range e.loans {
		l.Return()
	}
	e.loans = nil
	e.err = err
	e.done.Store(true)
	if e.ch != nil {
		close(e.ch)
	}
	list := e.first
	e.first, e.last = nil, nil
	for w := list; w != nil; w = w.next {
		w.queued = false
	}
	e.mu.Unlock()
	if list != nil {
		go runWatchers(list, err)
	}
	return true
}

// runWatchers calls the registered functions in order. One that panics or ends the goroutine is reported and does
// not keep the others from running.
func runWatchers(w *watcher, err error) {
	if w == nil {
		return
	}
	ok := false
	defer func() {
		if !ok {
			cause := fmt.Errorf("%w: the function ended its goroutine", isthmus.ErrPanic)
			if v := recover(); v != nil {
				cause = fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
			}
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "ffi.Event.OnDone"}, Err: cause})
			go runWatchers(w.next, err)
		}
	}()
	for w.f(err); w.next != nil; w.f(err) {
		w = w.next
	}
	ok = true
}

// Completed reports whether the event has completed.
func (e *Event) Completed() bool { return e == nil || e.done.Load() }

// Err returns what the event completed with, and nil while it has not completed.
func (e *Event) Err() error {
	if e == nil {
		return errNoEvent
	}
	if !e.done.Load() {
		return nil
	}
	return e.err
}

// Done returns a channel that is closed when the event completes.
func (e *Event) Done() <-chan struct{} {
	if e == nil {
		c := make(chan struct{})
		close(c)
		return c
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ch == nil {
		e.ch = make(chan struct{})
		if e.done.Load() {
			close(e.ch)
		}
	}
	return e.ch
}

// Wait waits for the event and returns what it completed with, or the context's cause when that ends first. An
// event that has completed wins over a context that has ended. Giving up leaves nothing behind.
func (e *Event) Wait(ctx context.Context) error {
	if e == nil {
		return errNoEvent
	}
	if e.done.Load() {
		return e.err
	}
	if ctx == nil {
		return fmt.Errorf("ffi: wait for an event: nil context: %w", isthmus.ErrInvalid)
	}
	select {
	case <-e.Done():
		return e.err
	case <-ctx.Done():
		if e.done.Load() {
			return e.err
		}
		return context.Cause(ctx)
	}
}

// OnDone has f called once with the event's result, on a goroutine of its own; functions registered on one event
// before it completes are called in order on one goroutine. The result, stop, takes the registration back and
// reports whether f will never be called. A panic of f's is reported and goes no further. A nil f is not called.
func (e *Event) OnDone(f func(error)) (stop func() bool) {
	if f == nil {
		return func() bool { return true }
	}
	w := &watcher{f: f}
	if e == nil {
		go runWatchers(w, errNoEvent)
		return func() bool { return false }
	}
	e.mu.Lock()
	if e.done.Load() {
		e.mu.Unlock()
		go runWatchers(w, e.err)
		return func() bool { return false }
	}
	w.queued, w.prev = true, e.last
	if e.last != nil {
		e.last.next = w
	} else {
		e.first = w
	}
	e.last = w
	e.mu.Unlock()
	return func() bool { return e.remove(w) }
}

// keep holds a loan until the event completes, and returns it at once when it has.
func (e *Event) keep(l *Loan) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done.Load() {
		l.Return()
		return
	}
	e.loans = append(e.loans, l)
}

func (e *Event) remove(w *watcher) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !w.queued {
		return false
	}
	w.queued = false
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		e.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		e.last = w.prev
	}
	w.prev, w.next = nil, nil
	return true
}

// Reaper keeps what must outlive its caller: native work that was given up on, with whatever has to be released
// when it ends at last. The zero value is ready. It is safe for concurrent use and must not be copied.
type Reaper struct {
	_       noCopy
	mu      sync.Mutex
	pending int
	idle    *Event
}

// Adopt has release called once when e completes. What stands for the work in the census until then. A nil e never
// says that the work is over: nothing is released, ever. A nil Reaper does the same and counts nothing.
func (r *Reaper) Adopt(e *Event, what string, release func(error)) {
	if r != nil {
		r.mu.Lock()
		r.pending++
		r.mu.Unlock()
	}
	entry := &isthmus.Entry{}
	entry.Enter(what)
	if e == nil {
		return
	}
	e.OnDone(func(err error) {
		defer r.drop(entry)
		if release != nil {
			release(err)
		}
	})
}

func (r *Reaper) drop(entry *isthmus.Entry) {
	entry.Leave()
	if r == nil {
		return
	}
	r.mu.Lock()
	r.pending--
	idle := r.idle
	if r.pending == 0 {
		r.idle = nil
	} else {
		idle = nil
	}
	r.mu.Unlock()
	if idle != nil {
		idle.Complete(nil)
	}
}

// Pending returns how much work is still out.
func (r *Reaper) Pending() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}

// Wait waits until no adopted work is out, or until ctx ends: then the error is [isthmus.ErrBusy] and the
// context's cause. A nil Reaper does not know: [isthmus.ErrInvalid].
func (r *Reaper) Wait(ctx context.Context) error {
	if r == nil {
		return fmt.Errorf("ffi: wait for a nil reaper: %w", isthmus.ErrInvalid)
	}
	r.mu.Lock()
	if r.pending == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.idle == nil {
		r.idle = &Event{}
	}
	idle, n := r.idle, r.pending
	r.mu.Unlock()
	err := idle.Wait(ctx)
	if err != nil {
		return fmt.Errorf("ffi: waiting for %d detached operations: %w: %w", n, isthmus.ErrBusy, err)
	}
	return nil
}
