package mpi

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Request is an operation that goes on while the program does other things. It has the slice that it was given, and gives
// it back from Wait or Test, once; then it may start the next operation, which costs no allocation. A Request that is
// forgotten keeps its slice until the library is done with it; the loss is reported with the place that started it.
//
// It is safe for concurrent use. The zero value has no operation; it must not be copied.
type Request[T any] struct {
	core atomic.Pointer[operation]
	buf  []T // guarded by the operation's lock, as all that follows from it
}

// newRequest hands an operation that has begun to the program.
func newRequest[T any](o *operation, b []T) *Request[T] {
	r := &Request[T]{buf: b}
	o.out = true
	r.core.Store(o)
	runtime.AddCleanup(r, lost, o)
	return r
}

// lost runs when a Request was collected.
func lost(o *operation) {
	o.mu.Lock()
	flying, kept := o.out && !o.over, o.kept
	o.out, o.alone = false, flying || kept
	o.mu.Unlock()
	if flying {
		object, finding := o.Object(), o.world.watch.lost(o)
		o.world.reaper.keep(o) // first: who knows of the loss may close the World, which waits for what is kept
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLostLoan, Object: object, Err: finding})
		return
	}
	if !kept {
		o.entry.Leave()
		o.recycle()
	}
}

// start starts an operation in r, whose last one was waited for.
func (r *Request[T]) start(c *Comm, b []T, m message) error {
	if r == nil {
		return invalid(m.op, "no request")
	}
	if c == nil || c.world == nil {
		return invalid(m.op, "no communicator")
	}
	o := r.core.Load()
	if o == nil {
		var err error
		if o, err = c.take(m.op); err != nil {
			return err
		}
		if !r.core.CompareAndSwap(nil, o) {
			o.recycle()
			o = r.core.Load()
		} else {
			runtime.AddCleanup(r, lost, o)
			c.world.reaper.watch(o)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.out:
		return fmt.Errorf("mpi: %s: the request has a %s already: %w; wait for it first", m.op, o.op, isthmus.ErrBusy)
	case !o.stays || o.world != c.world:
		return fmt.Errorf("mpi: %s: the request was made for another kind of operation: %w", m.op, isthmus.ErrInvalid)
	}
	o.renew(c, m.op)
	m.use, m.owned = o, true
	o.site = isthmus.Here()
	if _, err := start(c, b, m); err != nil {
		return err
	}
	o.out, r.buf = true, b
	return nil
}

// Send starts to send b, as [Isend] does, in a request that was waited for or is new. It allocates nothing. Calls
// MPI_Isend. A request that has an operation is [isthmus.ErrBusy].
func (r *Request[T]) Send(c *Comm, b []T, to, tag int) error {
	return r.start(c, b, message{op: "send", fn: mpic.FnIsend, peer: to, tag: tag, look: 1})
}

// Recv starts to receive into b, as [Irecv] does, in a request that was waited for or is new. It allocates nothing. Calls
// MPI_Irecv.
func (r *Request[T]) Recv(c *Comm, b []T, from, tag int) error {
	return r.start(c, b, message{op: "receive", fn: mpic.FnIrecv, recv: true, peer: from, tag: tag})
}

// operation is r's operation, nil when it has none.
func (r *Request[T]) pending() *operation {
	if r == nil {
		return nil
	}
	return r.core.Load()
}

// Wait waits until the operation is over and gives the slice back, with what was received. When ctx ends first, its
// error is returned and the Request keeps the slice; Wait may be called again. After the slice was given back it is
// [isthmus.ErrClosed].
func (r *Request[T]) Wait(ctx context.Context) ([]T, Status, error) {
	o := r.pending()
	if o == nil {
		return nil, Status{}, invalid("wait", "no request")
	}
	var p patience
	for looks := o.world.spins(); ; looks = p.looks() {
		o.mu.Lock()
		if !o.out {
			o.mu.Unlock()
			return nil, Status{}, o.given()
		}
		o.poll(looks)
		if o.over {
			b, s, err := r.takeBack(o)
			o.mu.Unlock()
			return b, s, err
		}
		if p.round == 0 {
			p = o.patience()
		}
		o.mu.Unlock()
		if err := p.pause(ctx); err != nil {
			return nil, Status{}, o.late(err)
		}
	}
}

// Test gives the slice back if the operation is over; done tells.
func (r *Request[T]) Test() (b []T, s Status, done bool, err error) {
	o := r.pending()
	if o == nil {
		return nil, Status{}, false, invalid("test", "no request")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.out {
		return nil, Status{}, true, o.given()
	}
	o.poll(1)
	if !o.over {
		return nil, Status{}, false, nil
	}
	b, s, err = r.takeBack(o)
	return b, s, true, err
}

// given is the error of a second time.
func (o *operation) given() error {
	return fmt.Errorf("mpi: %s: the request has given its slice back: %w", o.op, isthmus.ErrClosed)
}

// takeBack gives the slice back. The operation's lock is held.
func (r *Request[T]) takeBack(o *operation) ([]T, Status, error) {
	if o.stuck {
		o.out = false
		return nil, Status{}, o.err
	}
	b := r.buf
	r.buf, o.out = nil, false
	if !o.stays {
		o.entry.Leave()
	}
	return b, o.status(), o.err
}

// Cancel asks the library to give the operation up; Wait tells whether it did, by Status.Cancelled. Receives can be
// cancelled; most libraries do not cancel sends. Calls MPI_Cancel.
func (r *Request[T]) Cancel() {
	if o := r.pending(); o != nil {
		o.cancel()
	}
}

// Done is closed when the operation is over. It costs a goroutine for all requests that ask; Wait costs none.
func (r *Request[T]) Done() <-chan struct{} {
	o := r.pending()
	if o == nil {
		c := make(chan struct{})
		close(c)
		return c
	}
	o.mu.Lock()
	if o.done == nil {
		o.done = make(chan struct{})
		if o.over || !o.out {
			close(o.done)
		}
	}
	done := o.done
	o.mu.Unlock()
	o.world.reaper.keep(o)
	return done
}

// String describes the request.
func (r *Request[T]) String() string {
	o := r.pending()
	if o == nil {
		return "mpi.Request(none)"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	state := "in progress"
	if o.over {
		state = "over"
	}
	return fmt.Sprintf("mpi.Request(%s, %s)", o.op, state)
}
