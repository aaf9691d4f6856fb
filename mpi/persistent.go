package mpi

import (
	"fmt"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Persistent is a collective operation that is prepared once and started many times, with the same buffers. Between the
// end of one start and the next the program may use them. It is safe for concurrent use. The zero value is closed.
type Persistent[T any] struct {
	owned  ffi.Owned[*operation]
	c      *Comm
	kind   kind
	dt     *datatype
	user   *userCore
	buf    []T
	lends  []lent
	again  func() collective // does each start anew, where the library's own may not be trusted
	active atomic.Bool
}

// lent is a buffer as each start lends it.
type lent struct {
	b []byte
	a ffi.Access
}

// persist prepares the operation that form makes; b is what its requests give back.
func persist[T any](form func() collective, b []T) (*Persistent[T], error) {
	k := form()
	if k.err == nil {
		if _, err := k.c.world.lib.Fn(k.init); err != nil {
			k.fail(fmt.Errorf("mpi: %s: %w", k.op, err))
		}
	}
	if !k.enter() {
		if k.o != nil {
			k.o.drop()
		}
		return nil, k.err
	}
	defer k.c.collective.Store(false)
	p := &Persistent[T]{c: k.c, kind: k.kind, dt: k.dt, user: k.user, buf: b}
	for _, l := range k.o.loans {
		if l != nil {
			p.lends = append(p.lends, lent{l.Bytes(), l.Access()})
		}
	}
	if k.c.watched != nil {
		k.watchCall("prepare ")
	}
	if (k.init == mpic.FnGatherInit || k.init == mpic.FnScatterInit) && k.c.world.mpich("4.0", "4.1", "4.2") {
		// Of 4.0 these copy when they are prepared what each start should; 4.3 is right (docs/found.md).
		k.o.drop()
		p.again = form
		class := &ffi.Class[*operation]{Name: "mpi.Persistent", Backstop: ffi.BackstopReport, Destroy: func(*operation) error { return nil }}
		return p, p.owned.Init(class, k.o, &k.c.world.owned)
	}
	k.arg(uintptr(k.h), uintptr(k.c.world.lib.ABI.InfoNull), k.o.request())
	if err := k.o.begin(k.init, 0, k.args[:k.n]...); err != nil {
		return nil, err
	}
	for _, l := range k.o.loans {
		l.Return()
	}
	w := k.c.world
	class := &ffi.Class[*operation]{Name: "mpi.Persistent", Backstop: ffi.BackstopReport, Destroy: func(o *operation) error {
		err := w.free("close a persistent "+o.op, mpic.FnRequestFree, w.lib.ABI.GetHandle(o.block.req[:], 0))
		o.drop()
		return err
	}}
	return p, p.owned.Init(class, k.o, &w.owned)
}

// Start starts the operation: all processes of the communicator have to, in the same order as their other collective
// operations. The request gives the slice that is received into back; until then both buffers are lent. Calls MPI_Start.
//
// Errors: [isthmus.ErrBusy] while it is under way; [isthmus.ErrBorrowed] while something else has a buffer.
func (p *Persistent[T]) Start() (*Request[T], error) {
	const op = "start"
	if p == nil || p.c == nil {
		return nil, invalid(op, "no operation")
	}
	proto, err := p.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	if !p.active.CompareAndSwap(false, true) {
		p.owned.Done()
		return nil, fmt.Errorf("mpi: %s: the %s is under way: %w; wait for it first", op, p.kind.op, isthmus.ErrBusy)
	}
	leave := func() { p.active.Store(false); p.owned.Done() }
	if p.again != nil {
		k := p.again()
		if k.o == nil {
			leave()
			return nil, k.err
		}
		k.after(func(err error) error { leave(); return err })
		return request(&k, p.buf)
	}
	k := collective{kind: p.kind, c: p.c}
	if _, k.err = p.c.use(p.kind.op); k.err != nil {
		leave()
		return nil, k.err
	}
	if k.o, k.err = p.c.newOperation(p.kind.op); k.err != nil {
		p.c.owned.Done()
		leave()
		return nil, k.err
	}
	k.o.fixed = true
	var faults uint64
	if p.user != nil {
		faults = p.user.faults.Load()
	}
	k.o.ended = func(err error) error {
		leave()
		if err == nil && p.user != nil {
			err = p.user.since(faults)
		}
		if err == nil && p.dt.bools {
			err = p.dt.validate(p.kind.op, mem.Bytes(p.buf))
		}
		return err
	}
	for i, l := range p.lends {
		if k.err == nil {
			k.o.loans[i], k.err = ffi.Lend(l.b, l.a)
		}
	}
	if k.err != nil {
		k.err = fmt.Errorf("mpi: %s: %w", k.op, k.err)
	}
	if !k.enter() {
		k.o.drop()
		return nil, k.err
	}
	defer p.c.collective.Store(false)
	if p.c.watched != nil {
		k.dt = p.dt
		k.watchCall("start ")
	}
	copy(k.o.block.req[:], proto.block.req[:])
	o := k.o
	o.watch(p.user)
	o.entry.Enter("mpi.Request(" + k.op + ")")
	if err := o.begin(mpic.FnStart, 0, o.request()); err != nil {
		o.entry.Leave()
		return nil, err
	}
	return newRequest(o, p.buf), nil
}

// Close frees the operation. While it is under way it does nothing and returns an error that wraps [isthmus.ErrBusy]. It
// is nil-safe and idempotent. Calls MPI_Request_free.
func (p *Persistent[T]) Close() error {
	if p == nil {
		return nil
	}
	return p.owned.Close()
}

// String describes the operation.
func (p *Persistent[T]) String() string {
	if p == nil || p.c == nil {
		return "mpi.Persistent(none)"
	}
	return fmt.Sprintf("mpi.Persistent(%s on %s)", p.kind.op, p.c)
}
