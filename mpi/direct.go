package mpi

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

const (
	directRanks = 8   // how many processes reduce directly at most
	directBytes = 256 // how much of each
)

// direct is how few processes reduce little: each sends what it has to all others, looks for what they have sent, and
// reduces all of it in the order of ranks, in one crossing. The result is the same everywhere, to the bit. The libraries'
// collective operations that wait in C take about as long, and keep a thread and a processor until the last process has
// come; those that are started and tested take twice as long.
//
// Whether a reduction is made so follows from what all processes know alike: the communicator's size, the count, the type
// and the operation. The messages are copies, so the library has no memory of the caller's, and they go through a
// communicator of their own, since those of the program may ask for any tag.
type direct struct {
	c     *Comm
	comm  mpic.Handle // of its own
	frame *call.Frame
	x     *directBlock
	elem  any  // the *elem[T] that the steps were made for
	op    Op   // and the operation
	n     int  // and the elements
	used  bool // has the communicator in use
	last  *call.Step
	place int // of the reduction in the communicator's sequence, for the debug layer
}

// directBlock is what the library reads and writes.
type directBlock struct {
	data   [directRanks][directBytes]byte
	starts [2 * (directRanks - 1)]call.Step
	test   call.Step
	sums   [directRanks - 1]call.Step
	reqs   [2 * (directRanks - 1) * 8]byte
	flag   int32
}

// reduceDirectly makes an allreduce of few elements between few processes. done is false when it is to be made in another
// way, which then also says what is wrong with the arguments.
func reduceDirectly[T any](ctx context.Context, c *Comm, send, recv []T, op Op) (done bool, err error) {
	if c == nil || c.world == nil || c.world.foreign || c.size < 2 || c.size > directRanks || c.remote > 0 || op < Sum || op > BXor ||
		len(send) != len(recv) || len(send) == 0 || len(send) > directBytes || ctx.Err() != nil || c.poisoned.Load() {
		return false, nil
	}
	if !c.collective.CompareAndSwap(false, true) {
		return false, nil
	}
	d := c.direct
	ok := false
	if d != nil {
		_, ok = d.elem.(*elem[T])
	}
	first := d == nil
	if !ok || d.op != op || d.n != len(send) || !d.used {
		if d, err = prepareDirect[T](ctx, c, op, len(send)); d == nil || err != nil {
			c.collective.Store(false)
			return err != nil, err
		}
	}
	in, out := mem.BytesOfPlain(send), mem.BytesOfPlain(recv)
	if at, to := mem.AddrOf(in), mem.AddrOf(out); at != to && at < to+mem.Addr(len(out)) && to < at+mem.Addr(len(in)) {
		c.collective.Store(false)
		return false, nil
	}
	if ffi.AnyLent() && (ffi.Free(in, ffi.Shared) != nil || ffi.Free(out, ffi.Exclusive) != nil) {
		c.collective.Store(false)
		return false, nil
	}
	x := d.x
	if c.watched != nil && !first {
		d.place = watchDirect[T](c, op, len(send))
	}
	copy(x.data[c.rank][:], in)
	x.flag, x.test.Ret, x.test.Spins, d.last.Ret = 0, 0, c.world.spins(), notReached
	c.world.short(&x.starts[0])
	if d.last.Failed() != 0 {
		if err := d.wait(ctx); err != nil {
			c.collective.Store(false)
			return true, err
		}
	}
	copy(out, x.data[0][:])
	c.collective.Store(false)
	return true, nil
}

// watchDirect has the debug layer see a reduction that is about to begin, and gives its place.
func watchDirect[T any](c *Comm, op Op, n int) int {
	return c.watched.call(sigKey{op: "allreduce", red: op.String(), typ: reflect.TypeFor[T]()}, n)
}

// notReached is the result of a step that has not run.
const notReached = 1<<32 - 1

// prepareDirect makes the steps for n elements of T. It gives nil for what is not reduced directly. The communicator's turn
// for collective operations is the caller's.
func prepareDirect[T any](ctx context.Context, c *Comm, op Op, n int) (*direct, error) {
	w := c.world
	dt, err := datatypeOf[T](w)
	if err != nil || dt.bools || n*dt.size > directBytes || !w.lib.Has(mpic.FnReduceLocal) || !w.lib.Has(mpic.FnCommIdup) {
		return nil, nil
	}
	r, err := op.bind(w, reflect.TypeFor[T]())
	if err != nil {
		return nil, nil
	}
	if c.direct == nil {
		place := 0
		if c.watched != nil {
			place = watchDirect[T](c, op, n)
		}
		if err := c.openDirect(ctx, place); err != nil {
			return nil, err
		}
	}
	d := c.direct
	if !d.used {
		if _, err := c.use("allreduce"); err != nil {
			return nil, err
		}
		d.used = true
	}
	x := d.x
	count, h := cint(n*r.per), uintptr(r.dt)
	req := func(i int) uintptr { return uintptr(mem.AddrOf(x.reqs[:])) + uintptr(i)*w.lib.ABI.HandleSize }
	i, steps := 0, make([]*call.Step, 0, len(x.starts)+1+len(x.sums))
	add := func(s *call.Step, fn mpic.Func, args ...uintptr) {
		if err == nil {
			err = w.step(s, fn, args...)
		}
		steps = append(steps, s)
	}
	for _, fn := range []mpic.Func{mpic.FnIrecv, mpic.FnIsend} {
		for p := range c.size {
			if p == c.rank {
				continue
			}
			data := p
			if fn == mpic.FnIsend {
				data = c.rank
			}
			add(&x.starts[i], fn, uintptr(mem.AddrOf(x.data[data][:])), count, h, cint(p), 0, uintptr(d.comm), req(i))
			i++
		}
	}
	add(&x.test, mpic.FnTestall, cint(i), req(0), uintptr(mem.AddrOfPtr(&x.flag)), uintptr(w.lib.ABI.StatusesIgnore))
	x.test.Flag = mem.AddrOfPtr(&x.flag)
	for p := range c.size - 1 {
		add(&x.sums[p], mpic.FnReduceLocal, uintptr(mem.AddrOf(x.data[p+1][:])), uintptr(mem.AddrOf(x.data[0][:])), count, h, uintptr(r.op))
	}
	if err != nil {
		return nil, fmt.Errorf("mpi: allreduce: %w", err)
	}
	for j, s := range steps[1:] {
		steps[j].Next = mem.AddrOfPtr(s)
	}
	d.elem, d.op, d.n, d.last = dt.elem, op, n, steps[len(steps)-1]
	return d, nil
}

// openDirect makes the communicator for direct reductions: all processes do, since all make the reduction, which has that
// place for the debug layer.
func (c *Comm) openDirect(ctx context.Context, place int) error {
	const op = "allreduce"
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
	d := &direct{c: c, frame: call.Get(), place: place}
	if c.watched != nil {
		o.place, o.env.dir, o.site = place, mpiwatch.Collectives, isthmus.Here()
	}
	b := o.block
	o.ended = func(err error) error { d.comm = mpic.Handle(b.handle); return err }
	if d.x, err = call.New[directBlock](d.frame); err != nil {
		o.drop()
		d.frame.Put()
		return err
	}
	if err = o.begin(mpic.FnCommIdup, spins, uintptr(h), uintptr(mem.AddrOfPtr(&b.handle)), o.request()); err == nil {
		_, err = complete(ctx, o, false)
	}
	if err != nil {
		if !o.isOver() {
			c.poisoned.Store(true)
		}
		d.frame.Put()
		return err
	}
	c.direct = d
	c.beside.Store(uint64(d.comm))
	return nil
}

// wait goes on with a reduction that was not over in its first crossing. When it cannot be brought to an end, the processes
// no longer agree on what comes next.
func (d *direct) wait(ctx context.Context) error {
	const op = "allreduce"
	w := d.c.world
	p := w.patienceFor(d)
	for {
		done, err := d.look()
		if done {
			return nil
		}
		if err == nil {
			if err = p.pause(ctx); err != nil {
				err = w.late(op, err)
			}
		}
		if err != nil {
			d.c.poisoned.Store(true)
			d.c.direct = nil
			if errors.Is(err, isthmus.ErrException) {
				d.c.distrust() // and stays in use
			} else {
				go d.rest()
			}
			d.c.tell(err)
			return err
		}
		d.x.test.Spins = p.looks()
		w.short(&d.x.test)
	}
}

// needs says who is waited for.
func (d *direct) needs(w *mpiwatch.Wait) {
	w.Call = "allreduce"
	if x := d.c.watched; x != nil && x.t.client != nil {
		w.Needs = append(w.Needs, mpiwatch.Need{Dir: mpiwatch.Collectives, Comm: x.id, At: d.place, Call: w.Call})
	}
}

// look tells how far the reduction is.
func (d *direct) look() (done bool, err error) {
	const op = "allreduce"
	x, w := d.x, d.c.world
	if d.last.Failed() == 0 {
		return true, nil
	}
	if e := x.starts[0].Thrown(); e != nil {
		return false, w.threw(op, e)
	}
	for s := &x.starts[0]; s != nil && s != d.last; s = mem.At[call.Step](s.Next) {
		if code := s.Failed(); code != 0 {
			return false, w.failure(op, code)
		}
		if s == &x.test && x.flag == 0 {
			return false, nil
		}
	}
	return false, w.failure(op, d.last.Failed())
}

// rest waits for the messages of a reduction that was given up. The memory and the communicator stay the library's until it
// is done with them, and for ever where it says that it failed.
func (d *direct) rest() {
	if d.x.test.Failed() != 0 {
		d.c.owned.Done()
		return
	}
	p := d.c.world.patience()
	for d.x.flag == 0 && d.x.test.Failed() == 0 && p.pause(context.Background()) == nil {
		d.x.test.Spins = 1
		d.c.world.go1(&d.x.test)
	}
	if d.x.test.Thrown() != nil {
		d.c.distrust()
		return
	}
	d.c.owned.Done()
}

// leaveDirect gives up the use of c that direct reductions have, so that it can be closed.
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

// closeDirect frees the communicator of direct reductions, after c: all processes close c.
func (c *Comm) closeDirect() error {
	d := c.direct
	if d == nil {
		return nil
	}
	c.direct = nil
	d.frame.Put()
	return c.world.free("close a communicator", mpic.FnCommFree, d.comm)
}
