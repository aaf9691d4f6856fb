package mpi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Status says what was received.
type Status struct {
	Source    int // the rank that sent it
	Tag       int
	Count     int  // elements; -1, with an error, where it is no whole number of them
	Cancelled bool // it was not received
}

// operation is one request of the library's, with the off-heap memory that the library writes to.
type operation struct {
	world   *World
	comm    *Comm // in use until the operation is over
	op      string
	frame   *call.Frame
	block   *block
	loans   [2]*ffi.Loan // the buffers; returned when the operation is over
	dt      *datatype    // of the receive buffer, for counts
	nobody  bool         // the peer is ProcNull
	into    []byte       // the receive buffer, validated when it has arrived; nil for a send
	entry   isthmus.Entry
	address mem.Addr // of the buffer
	env     envelope
	place   int    // of a collective operation in its communicator's sequence
	seen    *sight // by the debug layer

	// What an operation of one buffer has instead, so that it can be used again without an allocation.
	lease  ffi.Lease    // of the buffer, while the library has it after the crossing that started it
	held   []byte       // the buffer, until the operation is over
	access ffi.Access   // to it
	site   isthmus.Site // that started it, for a Request
	elem   any          // the *elem[T] of the blocking calls that it is parked for
	brief  bool         // starting it and looking after it are short calls
	stays  bool         // has its frame for good and is used again
	asked  bool         // to be cancelled
	lost   error        // why the library was asked to give it up: a process is gone
	alone  bool         // nobody but the reaper knows it

	mu   sync.Mutex
	over bool
	err  error
	stat mpic.Status
	got  int
	gone bool // cancelled
	done chan struct{}
	kept bool // by the reaper
	out  bool // a Request has it

	large bool  // counts have 64 bits
	stuck bool  // its call threw: what it holds is never given back
	task  *task // a call on a goroutine, of a transfer of a file; nil for a request of the library's

	ended func(error) error // what a collective operation does when the library is done with it, or never got it
	fixed bool              // cannot be cancelled, as the standard says of collective operations
}

// block is what the library reads and writes while the operation goes on, in one piece outside Go's heap.
type block struct {
	start  call.Step
	test   call.Step
	counts call.Step // of what was received; after test
	status [40]byte
	req    [8]byte
	handle uint64 // of a message that is received
	flag   int32
	count  int32
	long   int64
}

// newOperation makes an operation that is not started.
func (c *Comm) newOperation(op string) (*operation, error) {
	o := &operation{world: c.world, comm: c, op: op, frame: call.Get()}
	var err error
	if o.block, err = call.New[block](o.frame); err != nil {
		o.frame.Put()
		return nil, err
	}
	b := o.block
	req, flag, status := uintptr(mem.AddrOf(b.req[:])), uintptr(mem.AddrOfPtr(&b.flag)), uintptr(mem.AddrOf(b.status[:]))
	if err := c.world.step(&b.test, mpic.FnTest, req, flag, status); err != nil {
		o.frame.Put()
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	b.test.Flag = mem.Addr(flag)
	if err := c.world.step(&b.counts, mpic.FnGetCount, status, 0, uintptr(mem.AddrOfPtr(&b.count))); err != nil {
		o.frame.Put()
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	return o, nil
}

// request is the address of the request, for the function that starts the operation.
func (o *operation) request() uintptr { return uintptr(mem.AddrOf(o.block.req[:])) }

// begin starts the operation and looks after it for a while, in one crossing.
func (o *operation) begin(f mpic.Func, look int64, args ...uintptr) error {
	b := o.block
	if !o.world.lib.Has(f) || len(args) > call.MaxStepArgs {
		err := o.world.step(&b.start, f, args...)
		o.drop()
		return fmt.Errorf("mpi: %s: %w", o.op, err)
	}
	b.start.Fn = o.world.lib.Addr(f)
	copy(b.start.Args[:], args) // what is left of a start before is not read
	b.start.Next, b.flag, b.test.Ret, b.test.Next = 0, 0, 0, 0
	if o.into != nil {
		b.counts.Args[1] = uintptr(o.dt.h)
		b.test.Next = mem.AddrOfPtr(&b.counts)
		if o.large {
			if err := o.countLarge(); err != nil {
				o.drop()
				return fmt.Errorf("mpi: %s: %w", o.op, err)
			}
		}
	}
	if look > 0 {
		b.start.Next, b.test.Spins = mem.AddrOfPtr(&b.test), look
	}
	var s *sight
	if o.comm.watched != nil {
		s = o.watchOp()
	}
	if o.brief {
		o.world.short(&b.start)
	} else {
		o.world.go1(&b.start)
	}
	if s != nil {
		o.watchStart(s, b.start.Failed() == 0)
	}
	return o.began(look)
}

// began takes what the crossing that started the operation has found.
func (o *operation) began(look int64) error {
	b := o.block
	if code := b.start.Failed(); code != 0 {
		if x := b.start.Thrown(); x != nil {
			return o.suspect(x)
		}
		o.drop()
		err := o.world.failure(o.op, code)
		o.comm.tell(err)
		return err
	}
	if look > 0 {
		o.look() // nobody else knows of the operation yet
	}
	if !o.over && o.held != nil && !o.lease.Out() {
		// It was free before the call, and the library has it now.
		return o.lease.TakeLate(o.held, o.access, o)
	}
	return nil
}

// Object describes the operation, for whoever finds it in the way.
func (o *operation) Object() isthmus.Object {
	if o.entry.ID() != 0 {
		return o.entry.Object()
	}
	if o.site.Known() {
		return isthmus.Object{Kind: "mpi.Request(" + o.op + ")", Site: o.site}
	}
	return isthmus.Object{Kind: "mpi." + o.op}
}

// drop forgets an operation that the library has not.
func (o *operation) drop() {
	if o.ended != nil {
		_ = o.ended(nil)
	}
	o.letGo()
	o.over = true
}

// watch tells the race detector that the library has the buffers. Of a reduction in Go it may hand them to Go code.
func (o *operation) watch(user *userCore) {
	for _, l := range o.loans {
		if user == nil {
			l.Watch()
		}
	}
}

// letGo gives up what the library does not have any more.
func (o *operation) letGo() {
	for i, l := range o.loans {
		if l != nil {
			l.Return()
			o.loans[i] = nil
		}
	}
	o.lease.Return()
	o.held, o.into = nil, nil
	o.comm.owned.Done()
	if !o.stays {
		o.frame.Put()
		o.frame, o.block = nil, nil
	}
}

// poll looks n times whether the library is done. The operation's lock is held.
func (o *operation) poll(n int64) {
	if o.over {
		return
	}
	if o.task != nil {
		if o.task.done.Load() {
			o.finish(o.task.err)
		}
		return
	}
	o.block.test.Spins = n
	if o.brief {
		o.world.short(&o.block.test)
	} else {
		o.world.go1(&o.block.test)
	}
	o.look()
}

// look takes what a test has found.
func (o *operation) look() {
	b := o.block
	if code := b.test.Failed(); code != 0 {
		if x := b.test.Thrown(); x != nil {
			_ = o.suspect(x)
			return
		}
		err := o.world.failure(o.op, code)
		if !errors.Is(err, ErrProcFailedPending) {
			o.finish(err)
			return
		}
		o.bereave(err)
		return
	}
	if b.flag != 0 {
		o.finish(nil)
	}
}

// bereave gives up a receive from any process that could be from one that is gone. The library has the buffer until it says
// that the receive is over, by the same error.
func (o *operation) bereave(err error) {
	f := call.Get()
	defer f.Put()
	switch {
	case o.lost == nil:
		o.lost, o.asked = err, true
		o.world.run(f, mpic.FnCancel, o.request())
	case o.block.flag != 0:
		o.world.run(f, mpic.FnRequestFree, o.request())
		o.finish(err)
	}
}

// finish ends the operation: what it held is free again.
func (o *operation) finish(err error) {
	b, w, failed := o.block, o.world, err
	o.got = -1
	if o.into != nil && err == nil {
		o.stat = w.lib.ABI.Status(b.status[:], 0)
		if o.asked {
			f := call.Get()
			if n, at, nerr := int32s(f, 1); nerr == nil && w.run(f, mpic.FnTestCancelled, uintptr(mem.AddrOf(b.status[:])), at) == 0 {
				o.gone = n[0] != 0
			}
			f.Put()
		}
		if !o.gone && b.counts.Failed() == 0 {
			if o.got = o.received(); o.got == w.lib.ABI.Undefined {
				o.got, err = -1, o.dt.partial(o.op)
			}
		}
		if o.dt.bools && !o.gone && o.got > 0 && err == nil {
			o.lease.Return() // the library is done with what is looked at now
			err = o.dt.validate(o.op, o.into[:min(len(o.into), o.got*o.dt.size)])
		}
	}
	if o.seen != nil {
		o.watchEnd(failed)
	}
	for _, l := range o.loans {
		l.Unwatch() // the library is done with what is looked at now
	}
	if o.task != nil {
		o.got = o.task.n
	}
	if o.ended != nil {
		err = o.ended(err)
	}
	if o.gone && o.lost != nil {
		err = o.lost
	}
	o.err, o.over = err, true
	if failed != nil {
		o.comm.tell(err)
	}
	o.letGo()
	if o.done != nil {
		close(o.done)
	}
}

// wait waits until the operation is over or ctx ends.
func (o *operation) wait(ctx context.Context) error {
	var p patience
	for looks := o.world.spins(); ; looks = p.looks() {
		o.mu.Lock()
		o.poll(looks)
		over, err := o.over, o.err
		if p.round == 0 && !over {
			p = o.patience()
		}
		o.mu.Unlock()
		if over {
			return err
		}
		if err := p.pause(ctx); err != nil {
			return o.late(err)
		}
	}
}

// patience is how to wait for the operation, whose lock is held.
func (o *operation) patience() patience {
	p := o.world.patienceFor(o)
	p.large = hops(max(len(o.held), len(o.into)))
	return p
}

// late is the error of an operation whose caller waits no longer.
func (o *operation) late(err error) error {
	if o.fixed && (o.env.dir == 0 || o.env.dir == mpiwatch.Collectives) {
		return o.world.late(o.op, err)
	}
	return fmt.Errorf("mpi: %s: %w", o.op, err)
}

// late is the error of a collective operation that the others did not join in time. They have not where they do not use this
// package and nobody has said so.
func (w *World) late(op string, err error) error {
	if w.foreign || !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	return fmt.Errorf("mpi: %s: %w; where programs take part that do not use this package, Options.Foreign has to say so", op, err)
}

// cancel asks the library to give the operation up. It is over when it says so.
func (o *operation) cancel() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.fixed {
		return
	}
	o.asked = true
	f := call.Get()
	defer f.Put()
	o.world.run(f, mpic.FnCancel, o.request())
}

// status translates what was received.
func (o *operation) status() Status {
	a := &o.world.lib.ABI
	s := Status{Source: o.stat.Source, Tag: o.stat.Tag, Count: o.got, Cancelled: o.gone}
	if o.task != nil {
		return Status{Count: o.got}
	}
	if o.nobody || s.Source == a.ProcNull {
		// What the standard says of a message from nobody; some libraries leave the status as it was.
		return Status{Source: ProcNull, Tag: AnyTag}
	}
	return s
}

func (o *operation) isOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// take gives an operation that is used again, from those that are idle.
func (c *Comm) take(op string) (*operation, error) {
	w := c.world
	o := w.idle.one.Swap(nil)
	if o == nil {
		w.idle.mu.Lock()
		if n := len(w.idle.more); n > 0 {
			o, w.idle.more[n-1] = w.idle.more[n-1], nil
			w.idle.more = w.idle.more[:n-1]
		}
		w.idle.mu.Unlock()
	}
	if o == nil {
		var err error
		if o, err = c.newOperation(op); err != nil {
			return nil, err
		}
		o.stays = true
		return o, nil
	}
	o.renew(c, op)
	return o, nil
}

// renew makes an operation that is over ready for the next.
func (o *operation) renew(c *Comm, op string) {
	o.comm, o.op = c, op
	o.over, o.err, o.got, o.gone, o.asked, o.lost, o.nobody, o.brief, o.done = false, nil, 0, false, false, nil, false, false, nil
	if o.large {
		_ = o.countSmall() // every library has the function
	}
}

// recycle takes back an operation that is over and that nobody else knows.
func (o *operation) recycle() {
	if !o.stays {
		return
	}
	o.entry, o.site = isthmus.Entry{}, isthmus.Site{}
	if o.world.idle.one.CompareAndSwap(nil, o) {
		return
	}
	o.world.idle.mu.Lock()
	o.world.idle.more = append(o.world.idle.more, o)
	o.world.idle.mu.Unlock()
}

// idle are the operations that are ready to be used again.
type idle struct {
	one  atomic.Pointer[operation] // most programs have one operation at a time
	mu   sync.Mutex
	more []*operation
}
