package mpi

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// laid starts to send or receive what n of l in a row select of b.
func laid[T any](c *Comm, b []T, l *Layout[T], n int, m message) (*operation, error) {
	h, err := l.use(m.op)
	if err != nil {
		return nil, err
	}
	defer l.core.owned.Done()
	if err := l.core.fits(m.op, n, len(b), m.recv); err != nil {
		return nil, err
	}
	use := ffi.Shared
	if m.recv {
		use = ffi.Exclusive
	}
	o, err := lendOn(c, m.op, b, use)
	if err != nil {
		return nil, err
	}
	o.dt, o.nobody, o.env = l.core.dt, m.peer == ProcNull, envelope{mpiwatch.Sends, m.peer, m.tag, n * l.core.size}
	if m.recv {
		o.env.dir = mpiwatch.Receives
	}
	if m.recv {
		o.into = []byte{} // counted; what arrives does not lie in one piece
	}
	peer, err := c.peer(m.op, m.peer, m.recv)
	var tag, comm uintptr
	if err == nil {
		tag, err = c.label(m.op, m.tag, m.recv)
	}
	if err == nil {
		var ch mpic.Handle
		ch, err = c.use(m.op)
		comm = uintptr(ch)
	}
	if err != nil {
		o.drop()
		return nil, err
	}
	defer c.owned.Done()
	if m.owned {
		o.entry.Enter("mpi.Request(" + m.op + ")")
	}
	if err := o.begin(m.fn, m.look, uintptr(mem.AddrOf(b)), cint(n), uintptr(h), peer, tag, comm, o.request()); err != nil {
		if m.owned {
			o.entry.Leave()
		}
		return nil, err
	}
	return o, nil
}

// SendLaid is [Send] of what n of l in a row select of b.
//
// Errors: as for Send; [isthmus.ErrBounds] when the layout reaches outside b.
func SendLaid[T any](ctx context.Context, c *Comm, b []T, l *Layout[T], n, to, tag int) error {
	const op = "send a layout"
	if ctx.Err() != nil {
		return fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	o, err := laid(c, b, l, n, message{op: op, fn: mpic.FnIsend, peer: to, tag: tag, look: spins})
	if err != nil {
		return err
	}
	_, err = complete(ctx, o, false)
	return err
}

// RecvLaid is [Recv] into the elements that n of l in a row select of b; nothing else of b is written. The sender may use
// another layout, or none: only the number of elements has to fit. Status.Count counts elements of T.
//
// Errors: as for Recv; [isthmus.ErrBounds] when the layout reaches outside b; [isthmus.ErrInvalid] when it selects an
// element twice.
func RecvLaid[T any](ctx context.Context, c *Comm, b []T, l *Layout[T], n, from, tag int) (Status, error) {
	const op = "receive a layout"
	if ctx.Err() != nil {
		return Status{}, fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	o, err := laid(c, b, l, n, message{op: op, fn: mpic.FnIrecv, recv: true, peer: from, tag: tag, look: spins})
	if err != nil {
		return Status{}, err
	}
	st, err := complete(ctx, o, true)
	if err == nil {
		err = l.core.dt.validate(op, mem.Bytes(b))
	}
	return st, err
}

// IsendLaid is [Isend] of what n of l in a row select of b.
func IsendLaid[T any](c *Comm, b []T, l *Layout[T], n, to, tag int) (*Request[T], error) {
	o, err := laid(c, b, l, n, message{op: "send a layout", fn: mpic.FnIsend, peer: to, tag: tag, owned: true})
	if err != nil {
		return nil, err
	}
	return newRequest(o, b), nil
}

// IrecvLaid is [Irecv] into the elements that n of l in a row select of b.
//
// Errors: as for [RecvLaid]; [isthmus.ErrUnsupported] for elements with bools, which are checked when all has arrived: use
// RecvLaid.
func IrecvLaid[T any](c *Comm, b []T, l *Layout[T], n, from, tag int) (*Request[T], error) {
	const op = "receive a layout"
	if l != nil && l.core != nil && l.core.dt.bools {
		return nil, fmt.Errorf("mpi: %s: elements with bools: %w; use RecvLaid", op, isthmus.ErrUnsupported)
	}
	o, err := laid(c, b, l, n, message{op: op, fn: mpic.FnIrecv, recv: true, peer: from, tag: tag, owned: true})
	if err != nil {
		return nil, err
	}
	return newRequest(o, b), nil
}
