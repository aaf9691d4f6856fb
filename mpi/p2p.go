package mpi

import (
	"context"
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// message is one send or receive on its way to the library.
type message struct {
	op    string
	fn    mpic.Func
	recv  bool
	peer  int
	tag   int
	look  int64      // how often to look for its end in the crossing that starts it
	owned bool       // by a Request
	use   *operation // of a Request that starts again; nil takes an idle one
}

// start lends b and starts the operation. With an error the library has nothing of b.
func start[T any](c *Comm, b []T, m message) (*operation, error) {
	h, err := c.use(m.op)
	if err != nil {
		return nil, err
	}
	dt, err := datatypeOf[T](c.world)
	if err != nil {
		c.owned.Done()
		return nil, fmt.Errorf("mpi: %s: %w", m.op, err)
	}
	var peer, tag uintptr
	if m.fn, err = c.world.large(m.op, m.fn, len(b)); err == nil {
		if peer, err = c.peer(m.op, m.peer, m.recv); err == nil {
			tag, err = c.label(m.op, m.tag, m.recv)
		}
	}
	o := m.use
	if err == nil && o == nil {
		o, err = c.take(m.op)
	}
	if err != nil {
		c.owned.Done()
		return nil, err
	}
	o.large = len(b) > math.MaxInt32
	o.dt, o.nobody, o.env = dt, m.peer == ProcNull, envelope{mpiwatch.Sends, m.peer, m.tag, len(b)}
	if m.recv {
		o.env.dir = mpiwatch.Receives
	}
	if c.watched != nil && !o.site.Known() {
		o.site = isthmus.Here()
	}
	if err = lendTo(o, b, m); err == nil {
		n, typ := dt.args(len(b), m.recv)
		err = o.begin(m.fn, m.look, uintptr(o.address), n, typ, peer, tag, uintptr(h), o.request())
	}
	if err != nil && m.use == nil {
		o.recycle()
	}
	return o, err
}

// lendTo lends the buffer to the operation. What may be over when the crossing that starts it returns is only asked for:
// nobody else can be let in between, and what is not over is lent then. It gives the operation up with an error.
func lendTo[T any](o *operation, b []T, m message) error {
	o.hold(mem.BytesOfPlain(b), mem.AddrOf(b), m.recv)
	var err error
	switch {
	case m.look > 0 && !o.world.strict():
		err = ffi.Free(o.held, o.access)
	default:
		err = o.lease.Take(o.held, o.access, o)
	}
	if err != nil {
		w, op := o.world, o.op
		o.drop()
		return fmt.Errorf("mpi: %s: %w", op, w.overlap(op, err))
	}
	return nil
}

// hold notes the buffer of an operation.
func (o *operation) hold(b []byte, at mem.Addr, recv bool) {
	o.held, o.access, o.address, o.into = b, ffi.Shared, at, nil
	if recv {
		o.access, o.into = ffi.Exclusive, b
		if b == nil {
			o.into = []byte{}
		}
	}
	o.brief = len(b) <= maxShort
}

// strict says that each buffer is lent before the library gets it: then another goroutine that uses it during the call is
// found too.
func (w *World) strict() bool {
	return mem.RaceEnabled || w.watch != nil || isthmus.CurrentCheck() >= isthmus.CheckPanic
}

// complete waits for an operation of a blocking call. When ctx ends, the library keeps the buffer for as long as it
// needs it, and the caller gets the context's error.
func complete(ctx context.Context, o *operation, cancellable bool) (Status, error) {
	if !o.over {
		if err := o.wait(ctx); err != nil && !o.isOver() {
			if cancellable {
				o.cancel()
			}
			o.abandon()
			return Status{}, err
		}
	}
	s, err := o.status(), o.err
	o.recycle()
	return s, err
}

// abandon leaves an operation that nobody waits for any more to the reaper.
func (o *operation) abandon() {
	o.mu.Lock()
	o.alone = true
	o.entry.Enter("mpi." + o.op)
	o.mu.Unlock()
	o.world.reaper.keep(o)
}

// Send sends b to the process with rank to and returns when b may be used again, which may be before it was received.
// Calls MPI_Isend and MPI_Test.
//
// Errors: [isthmus.ErrBounds] for a rank or tag that does not exist, [isthmus.ErrInvalid] for an element type that holds
// pointers, [isthmus.ErrBorrowed] while something writes to b, [*Error] for what the library reports, the context's when it
// ends first: b stays lent then until the library is done.
func Send[T any](ctx context.Context, c *Comm, b []T, to, tag int) error {
	return sendAs(ctx, c, b, to, tag, "send", mpic.FnIsend)
}

// SendSync is Send that returns when the receiver has begun to receive. Calls MPI_Issend.
func SendSync[T any](ctx context.Context, c *Comm, b []T, to, tag int) error {
	return sendAs(ctx, c, b, to, tag, "synchronous send", mpic.FnIssend)
}

// SendReady is Send to a process that is known to wait for the message already; otherwise the result is undefined, as
// the standard has it. Calls MPI_Irsend.
func SendReady[T any](ctx context.Context, c *Comm, b []T, to, tag int) error {
	return sendAs(ctx, c, b, to, tag, "ready send", mpic.FnIrsend)
}

func sendAs[T any](ctx context.Context, c *Comm, b []T, to, tag int, op string, fn mpic.Func) error {
	if ctx.Err() != nil {
		return fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	_, err := blocking(ctx, c, b, message{op: op, fn: fn, peer: to, tag: tag, look: spins})
	return err
}

// Recv receives into b a message of the process with rank from, or [AnySource], with the tag, or [AnyTag]. The message
// may be shorter than b: the status says how long it is. Calls MPI_Irecv and MPI_Test.
//
// Errors: as for [Send]; [ErrTruncate] for a message that is longer than b; [ErrType] for one that ends within an element.
func Recv[T any](ctx context.Context, c *Comm, b []T, from, tag int) (Status, error) {
	const op = "receive"
	if ctx.Err() != nil {
		return Status{}, fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	return blocking(ctx, c, b, message{op: op, fn: mpic.FnIrecv, recv: true, peer: from, tag: tag, look: spins})
}

// Isend starts to send b, which belongs to the request until it gives it back. Calls MPI_Isend.
func Isend[T any](c *Comm, b []T, to, tag int) (*Request[T], error) {
	return isend(c, b, to, tag, "send", mpic.FnIsend)
}

// IsendSync is Isend that is over when the receiver has begun to receive. Calls MPI_Issend.
func IsendSync[T any](c *Comm, b []T, to, tag int) (*Request[T], error) {
	return isend(c, b, to, tag, "synchronous send", mpic.FnIssend)
}

func isend[T any](c *Comm, b []T, to, tag int, op string, fn mpic.Func) (*Request[T], error) {
	r := &Request[T]{}
	if err := r.start(c, b, message{op: op, fn: fn, peer: to, tag: tag, look: 1}); err != nil {
		return nil, err
	}
	return r, nil
}

// Irecv starts to receive into b, which belongs to the request until it gives it back. Calls MPI_Irecv.
func Irecv[T any](c *Comm, b []T, from, tag int) (*Request[T], error) {
	r := &Request[T]{}
	if err := r.Recv(c, b, from, tag); err != nil {
		return nil, err
	}
	return r, nil
}

// SendRecv sends out and receives into in at once, so that processes that exchange do not wait for one another in a
// circle. The slices must not overlap. Calls MPI_Isend and MPI_Irecv.
func SendRecv[S, R any](ctx context.Context, c *Comm, out []S, to, sendTag int, in []R, from, recvTag int) (Status, error) {
	const op = "send and receive"
	if ctx.Err() != nil {
		return Status{}, fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	r, err := start(c, in, message{op: op, fn: mpic.FnIrecv, recv: true, peer: from, tag: recvTag})
	if err != nil {
		return Status{}, err
	}
	s, err := start(c, out, message{op: op, fn: mpic.FnIsend, peer: to, tag: sendTag, look: spins})
	if err != nil {
		// Nothing was sent: the receive is given up.
		r.cancel()
		r.abandon()
		return Status{}, err
	}
	_, serr := complete(ctx, s, false)
	st, rerr := complete(ctx, r, true)
	if serr != nil {
		return st, serr
	}
	return st, rerr
}
