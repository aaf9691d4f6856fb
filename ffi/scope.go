package ffi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// Scope is a stretch of a program that lends memory to native work and is not left before all of it is back: what
// is on loan in a scope does not outlive it. Use [Within]. It is safe for concurrent use.
type Scope struct {
	_      noCopy
	mu     sync.Mutex
	closed bool
	loans  []*Loan
	work   []scopeWork
}

type scopeWork struct {
	event  *Event
	what   string
	cancel func()
}

// ScopeOptions are the options of [Within]. The zero value is the default.
type ScopeOptions struct {
	// Grace is how long to wait for work after it was asked to stop; 0 is 5 seconds, negative is no limit.
	Grace time.Duration
}

const defaultGrace = 5 * time.Second

// Within runs f in a new scope and then leaves the scope: it waits for all work that was added and for all loans
// that the work uses. When f fails or panics, or ctx ends, the work is asked to stop. Work that does not end within
// the grace time after that is reported, its loans stay out and pinned until it ends, and the error, which is
// [isthmus.ErrBorrowed], names them. A loan that no work uses goes back before the wait. Loans may be returned by
// hand before that; then no work may be using them.
func Within(ctx context.Context, opt ScopeOptions, f func(*Scope) error) (err error) {
	if ctx == nil || f == nil {
		return fmt.Errorf("ffi: within: nil context or function: %w", isthmus.ErrInvalid)
	}
	s := &Scope{}
	finished := false
	defer func() {
		if !finished {
			// f panicked: leave, and let the panic go on.
			if lerr := s.leave(ctx, opt, true); lerr != nil {
				isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLate, Object: isthmus.Object{Kind: "ffi.Scope"}, Err: lerr})
			}
		}
	}()
	ferr := f(s)
	finished = true
	return errors.Join(ferr, s.leave(ctx, opt, ferr != nil))
}

// Lend lends b within the scope; see the function [Lend]. After the scope is left it is [isthmus.ErrClosed].
func (s *Scope) Lend(b []byte, a Access) (*Loan, error) {
	if s == nil {
		return nil, fmt.Errorf("ffi: lend in a nil scope: %w", isthmus.ErrClosed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("ffi: lend in a scope that was left: %w", isthmus.ErrClosed)
	}
	l, err := Lend(b, a)
	if err != nil {
		return nil, err
	}
	s.loans = append(s.loans, l)
	return l, nil
}

// Add makes native work part of the scope: leaving waits for e, and the loans given stay out at least until it
// completes. cancel, which may be nil, asks the work to stop; it must not block, and may be called at most once,
// also after the work has ended. After the scope is left, or with a loan that was returned, the error is
// [isthmus.ErrClosed], and nothing is added; nor is it for a nil e, which is [isthmus.ErrInvalid].
func (s *Scope) Add(what string, e *Event, cancel func(), uses ...*Loan) error {
	if s == nil {
		return fmt.Errorf("ffi: add %s to a nil scope: %w", what, isthmus.ErrClosed)
	}
	if e == nil {
		return fmt.Errorf("ffi: add %s to a scope: it has no event to wait for: %w", what, isthmus.ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("ffi: add %s to a scope that was left: %w", what, isthmus.ErrClosed)
	}
	for _, l := range uses {
		if l.Returned() {
			return fmt.Errorf("ffi: add %s to a scope: a loan that it uses was returned: %w", what, isthmus.ErrClosed)
		}
	}
	for _, l := range uses {
		l.lentTo(e)
	}
	s.work = append(s.work, scopeWork{e, what, cancel})
	return nil
}

func (s *Scope) leave(ctx context.Context, opt ScopeOptions, stop bool) error {
	s.mu.Lock()
	s.closed = true
	work, all := s.work, s.loans
	s.mu.Unlock()
	for _, l := range all {
		if !l.working() {
			l.Return()
		}
	}
	ask := sync.OnceFunc(func() {
		for _, w := range work {
			if w.cancel != nil && !w.event.Completed() {
				w.cancel()
			}
		}
	})
	limit, end := graceful(ctx, opt.Grace, stop, ask)
	defer end()
	var late []string
	for _, w := range work {
		if !w.event.Completed() {
			if err := w.event.Wait(limit); !w.event.Completed() {
				late = append(late, fmt.Sprintf("%s (%v)", w.what, err))
			}
		}
	}
	if late == nil {
		// The work is done; its loans go back here and not on the events' goroutines, so that they are back when
		// Within returns.
		for _, l := range all {
			l.Return()
		}
		return nil
	}
	var out []string
	for _, l := range all {
		if l.settle(); !l.Returned() {
			out = append(out, l.Object().String())
		}
	}
	err := fmt.Errorf("ffi: leave scope: %w: work has not ended: %q, still lent: %q; the memory stays pinned", isthmus.ErrBorrowed, late, out)
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLate, Object: isthmus.Object{Kind: "ffi.Scope"}, Err: err})
	return err
}

// graceful returns a context that ends the grace time after the work was asked to stop: now if stop is true, else
// when ctx ends.
func graceful(ctx context.Context, grace time.Duration, stop bool, ask func()) (context.Context, func()) {
	if grace == 0 {
		grace = defaultGrace
	}
	limit, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var mu sync.Mutex
	var timer *time.Timer
	begin := func() {
		ask()
		mu.Lock()
		defer mu.Unlock()
		if grace > 0 && timer == nil {
			timer = time.AfterFunc(grace, func() {
				cancel(fmt.Errorf("it was asked to stop %v ago", grace))
			})
		}
	}
	if stop {
		begin()
	}
	off := context.AfterFunc(ctx, begin)
	return limit, func() {
		off()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel(nil)
	}
}
