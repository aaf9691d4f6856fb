package bridge

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of one call. It makes a channel only when a handler asks for one, and has no timer: the bridge
// ends it, at the deadline, when the host gives the call up, when the bridge closes, and when the handler has returned. It is
// not used again, because a handler may keep it.
type callContext struct {
	deadline time.Time

	mu    sync.Mutex
	err   error
	done  chan struct{}
	after map[*func()]struct{}
}

// End ends the context; only the first time counts.
func (c *callContext) End(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}

func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *callContext) Value(any) any { return nil }

// AfterFunc is what package context asks for, so that a context derived from this one needs no goroutine.
func (c *callContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[*func()]struct{}{}
	}
	c.after[&f] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.after[&f]
		delete(c.after, &f)
		return waits
	}
}

var _ context.Context = (*callContext)(nil)
