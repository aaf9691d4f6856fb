package mpi

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
)

// OnError has f called with each error that the library reports for an operation on the communicator, beside being returned
// to whoever waits: what an error handler is for. f runs on a goroutine of its own, never within a call of the library's, so
// it may use the communicator; a panic of f's is reported. A copy that [Comm.Dup] makes has the same f. A nil f ends it.
//
// Errors never end the job: the library is told to return them, MPI_ERRORS_RETURN.
func (c *Comm) OnError(f func(err error)) {
	if c == nil {
		return
	}
	if f == nil {
		c.hook.Store(nil)
		return
	}
	c.hook.Store(&f)
}

// tell calls the hook with an error of the library's.
func (c *Comm) tell(err error) {
	f := c.hook.Load()
	if f == nil || err == nil || !(errors.As(err, new(*Error)) || errors.Is(err, isthmus.ErrException)) {
		return
	}
	go func() {
		defer func() {
			if r := recover(); r != nil {
				isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "mpi.Comm.OnError"}, Err: fmt.Errorf("the hook: %v: %w", r, isthmus.ErrPanic)})
			}
		}()
		(*f)(err)
	}()
}

// suspect ends an operation whose call threw: nobody knows what the library still does with the buffers, so they stay lent,
// and the communicator in use, until the process ends.
func (o *operation) suspect(x *isthmus.Exception) error {
	if o.held != nil && !o.lease.Out() {
		_ = o.lease.TakeLate(o.held, o.access, o)
	}
	o.comm.distrust()
	o.err = fmt.Errorf("%w; its memory stays lent", o.world.threw(o.op, x))
	o.over, o.stays, o.stuck = true, false, true
	if o.done != nil {
		close(o.done)
	}
	o.comm.tell(o.err)
	return o.err
}

// distrust refuses all further use of the communicator.
func (c *Comm) distrust() {
	c.threw.Store(true)
	c.poisoned.Store(true)
}

// suspect is that of an operation for all that is posted in a scope.
func (s *Ops) suspect(x *isthmus.Exception) error {
	s.lendAll()
	s.c.distrust()
	s.stuck = true
	err := fmt.Errorf("%w; its memory stays lent", s.c.world.threw("scope", x))
	s.c.tell(err)
	return s.fail(err)
}
