package mpi

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

const (
	directRanks = 8    // how many processes do something directly at most
	directBytes = 4000 // how much one sends another, gaps left out: with its header no more than Open MPI's eager limit of 4096
)

// direct is how few processes do a collective operation of little: each sends what others need of it to each of them, looks
// for what they have sent, and reduces it in the order of ranks, in one crossing. The result of a reduction is the same
// everywhere, to the bit. The libraries' collective operations that wait in C take about as long, and keep a thread and a
// processor until the last process has come; those that are started and tested take up to fifty times as long.
//
// Whether an operation is done so follows from what all processes know alike: the communicator's size, the count, the bytes
// of the type, and the reduction. The messages are copies, so the library has no memory of the caller's, and they go through
// a communicator of their own, since those of the program may ask for any tag; each kind of operation has its tag.
type direct struct {
	c     *Comm
	comm  mpic.Handle        // of its own; 0: the library has none to give
	plans [directKinds]*plan // the last of each kind
	used  bool               // has the communicator in use
}

// directly does a collective operation of few elements between few processes: n in a block. send and recv are those of the
// public function; a broadcast's are one. op is nil where nothing is reduced. done is false when it is to be done in another way,
// which then also says what is wrong with the arguments.
func directly[T any](ctx context.Context, c *Comm, what directKind, send, recv []T, n, root int, op Reduction) (done bool, err error) {
	standard, ok := op.(Op)
	if !ok && what.reduces() || c == nil || c.world == nil || c.world.foreign || c.world.mortal || c.size < 2 || c.size > directRanks || c.remote > 0 || n > directBytes ||
		n < 1 && what != directBarrier || uint(root) >= uint(c.size) || ctx.Err() != nil || c.poisoned.Load() {
		return false, nil
	}
	if !c.collective.CompareAndSwap(false, true) {
		return true, c.taken(what.String()) // the other way might find the turn free, and the other processes would not take it
	}
	done, err = inTurn(ctx, c, what, send, recv, n, root, standard)
	c.collective.Store(false)
	return done, err
}

// inTurn is directly for who has the communicator's turn for collective operations.
func inTurn[T any](ctx context.Context, c *Comm, what directKind, send, recv []T, n, root int, op Op) (done bool, err error) {
	w := c.world
	var p *plan
	if d := c.direct; d != nil && d.used {
		if p = d.plans[what]; p != nil {
			if _, ok := p.elem.(*elem[T]); !ok || p.n != n || p.root != root || p.op != op {
				p = nil
			}
		}
	}
	seen := false
	if p == nil {
		if p, seen, err = prepareDirect[T](ctx, c, what, n, root, op); p == nil {
			return err != nil, err
		}
	}
	if p.gives && len(send) != p.send || p.takes && len(recv) != p.recv {
		return false, nil
	}
	var in, out []byte
	if p.gives {
		in = mem.BytesOfPlain(send)
	}
	if p.takes {
		out = mem.BytesOfPlain(recv)
	}
	if at, to := mem.AddrOf(in), mem.AddrOf(out); at < to+mem.Addr(len(out)) && to < at+mem.Addr(len(in)) && at-to != mem.Addr(p.apart) {
		return false, nil
	}
	if ffi.AnyLent() {
		if err := errors.Join(ffi.Free(in, ffi.Shared), ffi.Free(out, ffi.Exclusive)); err != nil {
			return true, fmt.Errorf("mpi: %v: %w", what, w.overlap(what.String(), err))
		}
	}
	if c.watched != nil && !seen {
		p.place = what.see(c, p.key, n)
	}
	if p.keep {
		copy(p.data[p.to:], out)
	}
	copy(p.data[p.from:], in)
	if p.self >= 0 {
		copy(p.data[p.self:p.self+p.stride], p.data[p.from+c.rank*p.stride:])
	}
	*p.flag, p.test.Ret, p.test.Spins, p.last.Ret = 0, 0, w.spins(), notReached
	w.short(p.first)
	if *p.flag == 0 || p.last.Failed() != 0 {
		if err := p.wait(ctx); err != nil {
			return true, err
		}
	}
	result := p.data[p.to : p.to+len(out)]
	if p.takes && p.dt.bools {
		err = p.dt.validate(what.String(), result)
	}
	copy(out, result)
	return true, err
}

// prepareDirect makes the plan for n elements of T, nil for what is not done directly. seen says that the debug layer has
// seen the operation.
func prepareDirect[T any](ctx context.Context, c *Comm, what directKind, n, root int, op Op) (p *plan, seen bool, err error) {
	w := c.world
	dt, err := datatypeOf[T](w)
	if err != nil || n*dt.sent > directBytes || !w.lib.Has(mpic.FnCommIdup) {
		return nil, false, nil
	}
	var r reduction
	if what.reduces() {
		if r, err = op.bind(w, dt.typ); err != nil || op > BXor || dt.bools || !w.lib.Has(mpic.FnReduceLocal) {
			return nil, false, nil
		}
	}
	place := 0
	if c.direct == nil {
		if c.watched != nil {
			place, seen = what.see(c, what.key(dt.typ, root, op), n), true
		}
		if err := c.openDirect(ctx, what.String(), place); err != nil {
			return nil, seen, err
		}
	}
	d := c.direct
	if d.comm == 0 {
		return nil, false, nil
	}
	if !d.used {
		if _, err := c.use(what.String()); err != nil {
			return nil, seen, err
		}
		d.used = true
	}
	if p, err = d.makePlan(dt, r, what, n, root, op); p != nil {
		p.place = place
	}
	return p, seen, err
}

// openDirect makes the communicator for direct operations: all processes do, since all make the operation, which has that
// place for the debug layer. Where the library has no communicator to give, which it tells all processes, nothing is done
// directly.
func (c *Comm) openDirect(ctx context.Context, op string, place int) error {
	h, err := c.use(op)
	if err != nil {
		return err
	}
	o, err := c.newOperation(op)
	if err != nil {
		c.owned.Done()
		return err
	}
	o.fixed = true
	d := &direct{c: c}
	if c.watched != nil {
		o.place, o.env.dir, o.site = place, mpiwatch.Collectives, isthmus.Here()
	}
	b := o.block
	o.ended = func(err error) error { d.comm = mpic.Handle(b.handle); return err }
	if err = o.begin(mpic.FnCommIdup, spins, uintptr(h), uintptr(mem.AddrOfPtr(&b.handle)), o.request()); err == nil {
		_, err = complete(ctx, o, false)
	}
	switch {
	case err == nil:
	case !o.isOver():
		c.poisoned.Store(true)
		return err
	case !errors.Is(err, ErrOther) && !errors.Is(err, ErrIntern):
		return err
	default: // MPICH has some two thousand to give, Open MPI 65,000; all processes are told when there is none left
		d.comm = 0
	}
	c.direct = d
	c.beside.Store(uint64(d.comm))
	return nil
}

// wait goes on with an operation that was not over in its first crossing. When it cannot be brought to an end, the processes
// no longer agree on what comes next.
func (p *plan) wait(ctx context.Context) error {
	c, w, op := p.of.c, p.of.c.world, p.what.String()
	t := w.patienceFor(p)
	for {
		done, err := p.look()
		if done {
			return nil
		}
		if err == nil {
			if err = t.pause(ctx); err != nil {
				err = w.late(op, err)
			}
		}
		if err != nil {
			c.poisoned.Store(true)
			c.direct = nil
			if errors.Is(err, isthmus.ErrException) {
				c.distrust() // and stays in use
			} else {
				go p.rest()
			}
			c.tell(err)
			return err
		}
		p.test.Spins = t.looks()
		w.short(p.test)
	}
}

// needs says who is waited for.
func (p *plan) needs(w *mpiwatch.Wait) {
	w.Call = p.what.String()
	if x := p.of.c.watched; x != nil && x.t.client != nil {
		w.Needs = append(w.Needs, mpiwatch.Need{Dir: mpiwatch.Collectives, Comm: x.id, At: p.place, Call: w.Call})
	}
}

// look tells how far the operation is.
func (p *plan) look() (done bool, err error) {
	w, op := p.of.c.world, p.what.String()
	if *p.flag != 0 && p.last.Failed() == 0 {
		return true, nil
	}
	if e := p.first.Thrown(); e != nil {
		return false, w.threw(op, e)
	}
	for s := p.first; ; s = mem.At[call.Step](s.Next) {
		if code := s.Failed(); code != 0 {
			if s == p.test && p.requests > 1 {
				_, code = w.firstFailure(p.statuses, p.requests, code)
			}
			return false, w.failure(op, code)
		}
		if s == p.last || s == p.test && *p.flag == 0 {
			return false, nil
		}
	}
}

// rest waits for the messages of an operation that was given up. The memory and the communicator stay the library's until it
// is done with them, and for ever where it says that it failed.
func (p *plan) rest() {
	c := p.of.c
	if p.test.Failed() != 0 {
		c.owned.Done()
		return
	}
	t := c.world.patience()
	for *p.flag == 0 && p.test.Failed() == 0 && t.pause(context.Background()) == nil {
		p.test.Spins = 1
		c.world.go1(p.test)
	}
	if p.test.Thrown() != nil {
		c.distrust()
		return
	}
	if p.test.Failed() == 0 && *p.flag != 0 {
		p.of.forget()
	}
	c.owned.Done()
}

// forget gives back the memory of the plans, which the library has no part of any more.
func (d *direct) forget() {
	for _, p := range d.plans {
		if p != nil {
			p.frame.Put()
		}
	}
}

// leaveDirect gives up the use of c that direct operations have, so that it can be closed.
func (c *Comm) leaveDirect() {
	if !c.collective.CompareAndSwap(false, true) {
		return // one is under way, and Close will say so
	}
	if d := c.direct; d != nil && d.used {
		d.used = false
		c.owned.Done()
	}
	c.collective.Store(false)
}

// closeDirect frees the communicator of direct operations, after c: all processes close c.
func (c *Comm) closeDirect() error {
	d := c.direct
	if d == nil {
		return nil
	}
	c.direct = nil
	d.forget()
	if d.comm == 0 {
		return nil
	}
	return c.world.free("close a communicator", mpic.FnCommFree, d.comm)
}
