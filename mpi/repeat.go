package mpi

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Repeat is an operation that is prepared once and started again and again. Its slice is lent to the library from Start
// until Wait or Test says that it is over. It is safe for concurrent use. The zero value is closed.
type Repeat[T any] struct {
	owned ffi.Owned[*operation]
	o     *operation
	buf   []T
}

// SendInit prepares sends of b. The caller closes it. Calls MPI_Send_init.
func SendInit[T any](c *Comm, b []T, to, tag int) (*Repeat[T], error) {
	return prepareAgain(c, b, message{op: "persistent send", fn: mpic.FnSendInit, peer: to, tag: tag})
}

// SendSyncInit prepares synchronous sends, as [SendSync]. Calls MPI_Ssend_init.
func SendSyncInit[T any](c *Comm, b []T, to, tag int) (*Repeat[T], error) {
	return prepareAgain(c, b, message{op: "persistent synchronous send", fn: mpic.FnSsendInit, peer: to, tag: tag})
}

// RecvInit prepares receives into b. The caller closes it. Calls MPI_Recv_init.
func RecvInit[T any](c *Comm, b []T, from, tag int) (*Repeat[T], error) {
	return prepareAgain(c, b, message{op: "persistent receive", fn: mpic.FnRecvInit, recv: true, peer: from, tag: tag})
}

// prepared is an operation that is started many times, before the library has it, and arguments of it.
type prepared struct {
	o               *operation
	peer, tag, comm uintptr
}

// prepare makes an operation of elements of T, for m.fn, from any rank with any tag if wild is set. The library must have
// those functions as well. Without an error c is in use.
func prepare[T any](c *Comm, m message, wild bool, also ...mpic.Func) (a prepared, err error) {
	h, err := c.use(m.op)
	if err != nil {
		return a, err
	}
	defer func() {
		if err != nil {
			c.owned.Done()
		}
	}()
	a.comm = uintptr(h)
	dt, err := datatypeOf[T](c.world)
	if err != nil {
		return a, fmt.Errorf("mpi: %s: %w", m.op, err)
	}
	for _, fn := range append(also, m.fn) {
		if _, err := c.world.lib.Fn(fn); err != nil {
			return a, fmt.Errorf("mpi: %s: %w", m.op, err)
		}
	}
	if a.peer, err = c.peer(m.op, m.peer, wild); err != nil {
		return a, err
	}
	if a.tag, err = c.label(m.op, m.tag, wild); err != nil {
		return a, err
	}
	if a.o, err = c.newOperation(m.op); err != nil {
		return a, err
	}
	a.o.stays, a.o.over, a.o.dt, a.o.nobody, a.o.access = true, true, dt, m.peer == ProcNull, ffi.Shared
	a.o.env = envelope{dir: mpiwatch.Sends, peer: m.peer, tag: m.tag}
	if m.recv {
		a.o.access, a.o.env.dir = ffi.Exclusive, mpiwatch.Receives
	}
	return a, nil
}

func prepareAgain[T any](c *Comm, b []T, m message) (*Repeat[T], error) {
	if _, err := count(m.op, b); err != nil {
		return nil, err
	}
	a, err := prepare[T](c, m, m.recv)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	o := a.o
	o.env.n = len(b)
	f := call.Get()
	defer f.Put()
	// The library keeps the address, and uses it between Start and the end only. The slice is on the heap: the Repeat
	// has it.
	p := &Repeat[T]{o: o, buf: b}
	n, typ := o.dt.args(len(b), m.recv)
	if err := c.world.do(f, m.op, m.fn, uintptr(mem.AddrOf(b)), n, typ, a.peer, a.tag, a.comm, o.request()); err != nil {
		o.frame.Put()
		return nil, err
	}
	class := &ffi.Class[*operation]{Name: "mpi.Repeat", Destroy: freeRequest, Backstop: ffi.BackstopReport}
	if err := p.owned.Init(class, o, &c.owned); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", m.op, err)
	}
	return p, nil
}

// freeRequest frees a persistent request that is not under way.
func freeRequest(o *operation) error {
	f := call.Get()
	defer f.Put()
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.world.do(f, "close", mpic.FnRequestFree, o.request())
	o.frame.Put()
	o.frame, o.block = nil, nil
	return err
}

func (p *Repeat[T]) pending() *operation {
	if p == nil {
		return nil
	}
	return p.o
}

// Start starts the operation. Errors: [isthmus.ErrBusy] while it is under way, [isthmus.ErrBorrowed] while another has the
// slice. Calls MPI_Start.
func (p *Repeat[T]) Start() error {
	const op = "start"
	if p == nil || p.o == nil {
		return invalid(op, "no operation")
	}
	o := p.o
	if _, err := p.owned.Use(); err != nil { // until it is over
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.out {
		p.owned.Done()
		return fmt.Errorf("mpi: %s: the %s is under way: %w; wait for it first", op, o.op, isthmus.ErrBusy)
	}
	if _, err := o.comm.owned.Use(); err != nil {
		p.owned.Done()
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	o.renew(o.comm, o.op)
	o.site = isthmus.Site{}
	if o.comm.watched != nil {
		o.site = isthmus.Here()
	}
	o.ended = func(err error) error { p.owned.Done(); return err }
	if err := lendTo(o, p.buf, message{recv: o.access == ffi.Exclusive}); err != nil { // undoes all of it
		return err
	}
	if err := o.begin(mpic.FnStart, 0, o.request()); err != nil {
		return err
	}
	o.out = true
	return nil
}

// StartAll starts all of ps. When one fails, those before it go on, and the error says which it was.
func StartAll[T any](ps ...*Repeat[T]) error {
	for i, p := range ps {
		if err := p.Start(); err != nil {
			return fmt.Errorf("mpi: start all, number %d: %w", i, err)
		}
	}
	return nil
}

// Wait waits until the operation is over: then the slice may be used, and Start be called again. When ctx ends first, the
// library keeps the slice. An operation that is not under way is [isthmus.ErrClosed].
func (p *Repeat[T]) Wait(ctx context.Context) (Status, error) {
	if p == nil || p.o == nil {
		return Status{}, invalid("wait", "no operation")
	}
	pause := p.o.world.patienceFor(p.o)
	for {
		if s, done, err := p.test(spins); done {
			return s, err
		}
		if err := pause.pause(ctx); err != nil {
			return Status{}, fmt.Errorf("mpi: %s: %w", p.o.op, err)
		}
	}
}

// Test is Wait that does not wait; done tells.
func (p *Repeat[T]) Test() (s Status, done bool, err error) {
	if p == nil || p.o == nil {
		return Status{}, false, invalid("test", "no operation")
	}
	return p.test(1)
}

func (p *Repeat[T]) test(n int64) (Status, bool, error) {
	o := p.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.out {
		return Status{}, true, fmt.Errorf("mpi: %s: it was not started: %w", o.op, isthmus.ErrClosed)
	}
	o.poll(n)
	if !o.over {
		return Status{}, false, nil
	}
	o.out = false
	return o.status(), true, o.err
}

// Slice is the slice of the operation. While it is under way, the error wraps [isthmus.ErrBorrowed].
func (p *Repeat[T]) Slice() ([]T, error) {
	if p == nil {
		return nil, invalid("slice", "no operation")
	}
	if err := ffi.Free(mem.Bytes(p.buf), ffi.Exclusive); err != nil {
		return nil, fmt.Errorf("mpi: slice: %w", err)
	}
	return p.buf, nil
}

// Cancel asks the library to give up what was started; Wait tells whether it did.
func (p *Repeat[T]) Cancel() {
	if o := p.pending(); o != nil {
		o.cancel()
	}
}

// Close frees the operation. While it is under way it does nothing and returns [isthmus.ErrBusy]. It is nil-safe and
// idempotent. Calls MPI_Request_free.
func (p *Repeat[T]) Close() error {
	if p == nil || p.o == nil {
		return nil
	}
	return p.owned.Close()
}
