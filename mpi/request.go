package mpi

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Status says what was received.
type Status struct {
	Source    int // the rank that sent it
	Tag       int
	Count     int  // elements; -1 where it is no whole number of them
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

	mu   sync.Mutex
	over bool
	err  error
	stat mpic.Status
	got  int
	gone bool // cancelled
	done chan struct{}
	kept bool // by the reaper

	ended func(error) error // what a collective operation does when the library is done with it, or never got it
	fixed bool              // cannot be cancelled, as the standard says of collective operations
}

// block is what the library reads and writes while the operation goes on, in one piece outside Go's heap.
type block struct {
	start  call.Step
	test   call.Step
	status [40]byte
	req    [8]byte
	flag   int32
	count  int32
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
	return o, nil
}

// request is the address of the request, for the function that starts the operation.
func (o *operation) request() uintptr { return uintptr(mem.AddrOf(o.block.req[:])) }

// begin starts the operation and looks after it for a while, in one crossing.
func (o *operation) begin(f mpic.Func, look int64, args ...uintptr) error {
	b := o.block
	if err := o.world.step(&b.start, f, args...); err != nil {
		o.drop()
		return fmt.Errorf("mpi: %s: %w", o.op, err)
	}
	if look > 0 {
		b.start.Next, b.test.Spins = mem.AddrOfPtr(&b.test), look
	}
	o.world.go1(&b.start)
	if code := b.start.Failed(); code != 0 {
		o.drop()
		return o.world.failure(o.op, code)
	}
	if look > 0 {
		o.mu.Lock()
		o.look()
		o.mu.Unlock()
	}
	return nil
}

// drop forgets an operation that the library has not.
func (o *operation) drop() {
	if o.ended != nil {
		_ = o.ended(nil)
	}
	for _, l := range o.loans {
		l.Return()
	}
	o.comm.owned.Done()
	o.frame.Put()
	o.frame, o.block = nil, nil
	o.over = true
}

// poll looks n times whether the library is done. The operation's lock is held.
func (o *operation) poll(n int64) {
	if o.over {
		return
	}
	o.block.test.Spins = n
	o.world.go1(&o.block.test)
	o.look()
}

// look takes what a test has found.
func (o *operation) look() {
	b := o.block
	if code := b.test.Failed(); code != 0 {
		o.finish(o.world.failure(o.op, code))
		return
	}
	if b.flag != 0 {
		o.finish(nil)
	}
}

// finish ends the operation: what it held is free again.
func (o *operation) finish(err error) {
	b, w := o.block, o.world
	o.stat = w.lib.ABI.Status(b.status[:], 0)
	o.got = -1
	if o.into != nil && err == nil {
		f := call.Get()
		n, at, nerr := int32s(f, 2)
		status := uintptr(mem.AddrOf(b.status[:]))
		if nerr == nil && w.run(f, mpic.FnTestCancelled, status, at) == 0 {
			o.gone = n[0] != 0
		}
		if nerr == nil && !o.gone && w.run(f, mpic.FnGetCount, status, uintptr(o.dt.h), at) == 0 && int(n[0]) != w.lib.ABI.Undefined {
			o.got = int(n[0])
		}
		f.Put()
		if !o.gone && o.got > 0 {
			err = o.dt.validate(o.op, o.into[:min(len(o.into), o.got*o.dt.size)])
		}
	}
	if o.ended != nil {
		err = o.ended(err)
	}
	o.err, o.over, o.into = err, true, nil
	for _, l := range o.loans {
		l.Return()
	}
	o.comm.owned.Done()
	o.frame.Put()
	o.frame, o.block = nil, nil
	if o.done != nil {
		close(o.done)
	}
}

// wait waits until the operation is over or ctx ends.
func (o *operation) wait(ctx context.Context) error {
	var p patience
	for {
		o.mu.Lock()
		o.poll(spins)
		over, err := o.over, o.err
		o.mu.Unlock()
		if over {
			return err
		}
		if err := p.pause(ctx); err != nil {
			return fmt.Errorf("mpi: %s: %w", o.op, err)
		}
	}
}

// cancel asks the library to give the operation up. It is over when it says so.
func (o *operation) cancel() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.fixed {
		return
	}
	f := call.Get()
	defer f.Put()
	o.world.run(f, mpic.FnCancel, o.request())
}

// status translates what was received.
func (o *operation) status() Status {
	a := &o.world.lib.ABI
	s := Status{Source: o.stat.Source, Tag: o.stat.Tag, Count: o.got, Cancelled: o.gone}
	if o.nobody || s.Source == a.ProcNull {
		// What the standard says of a message from nobody; some libraries leave the status as it was.
		return Status{Source: ProcNull, Tag: AnyTag}
	}
	return s
}

// reaper keeps the operations that were given up on, until the library is done with them. It is a goroutine while there
// are any.
type reaper struct {
	mu  sync.Mutex
	ops []*operation
	run bool
}

// keep takes over an operation.
func (r *reaper) keep(o *operation) {
	o.mu.Lock()
	if o.kept || o.over {
		o.mu.Unlock()
		return
	}
	o.kept = true
	o.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, o)
	if !r.run {
		r.run = true
		go r.serve()
	}
}

// serve looks after all operations, one look each, less often the longer nothing happens.
func (r *reaper) serve() {
	for pause := 20 * time.Microsecond; ; {
		r.mu.Lock()
		ops := append([]*operation(nil), r.ops...)
		r.mu.Unlock()
		ended := 0
		for _, o := range ops {
			o.mu.Lock()
			o.poll(1)
			over := o.over
			o.mu.Unlock()
			if over {
				ended++
				r.remove(o)
			}
		}
		r.mu.Lock()
		if len(r.ops) == 0 {
			r.run = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if ended > 0 {
			pause = 20 * time.Microsecond
		} else {
			pause = min(2*pause, 2*time.Millisecond)
		}
		time.Sleep(pause)
	}
}

func (r *reaper) remove(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, x := range r.ops {
		if x == o {
			r.ops[i] = r.ops[len(r.ops)-1]
			r.ops = r.ops[:len(r.ops)-1]
			return
		}
	}
}

// drain waits until no operation is kept any more.
func (r *reaper) drain(ctx context.Context, limit time.Duration) error {
	if limit > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
	}
	var p patience
	for {
		r.mu.Lock()
		n := len(r.ops)
		var first string
		if n > 0 {
			first = r.ops[0].entry.Object().String()
		}
		r.mu.Unlock()
		if n == 0 {
			return nil
		}
		if err := p.pause(ctx); err != nil {
			return fmt.Errorf("mpi: close: the library still works on %d requests that were given up, such as %s: %w: %w", n, first, isthmus.ErrBusy, err)
		}
	}
}

// Request is an operation that goes on while the program does other things. It has the slice that it was given, and gives
// it back from Wait or Test, once. A Request that is forgotten keeps its slice until the library is done with it; the
// loss is reported with the place that started it. It is safe for concurrent use.
type Request[T any] struct {
	core *operation
	mu   sync.Mutex
	buf  []T
	back bool
}

// newRequest hands an operation that has begun to the program.
func newRequest[T any](o *operation, b []T) *Request[T] {
	r := &Request[T]{core: o, buf: b}
	runtime.AddCleanup(r, lost, o)
	return r
}

// lost runs when a Request was collected.
func lost(o *operation) {
	o.mu.Lock()
	over := o.over
	o.mu.Unlock()
	if over {
		o.entry.Leave()
		return
	}
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLostLoan, Object: o.entry.Object()})
	o.world.reaper.keep(o)
}

// Wait waits until the operation is over and gives the slice back, with what was received. When ctx ends first, its
// error is returned and the Request keeps the slice; Wait may be called again. After the slice was given back it is
// [isthmus.ErrClosed].
func (r *Request[T]) Wait(ctx context.Context) ([]T, Status, error) {
	if r == nil || r.core == nil {
		return nil, Status{}, invalid("wait", "no request")
	}
	if err := r.core.wait(ctx); err != nil && !r.core.isOver() {
		return nil, Status{}, err
	}
	return r.take()
}

// Test gives the slice back if the operation is over; done tells.
func (r *Request[T]) Test() (b []T, s Status, done bool, err error) {
	if r == nil || r.core == nil {
		return nil, Status{}, false, invalid("test", "no request")
	}
	r.core.mu.Lock()
	r.core.poll(1)
	over := r.core.over
	r.core.mu.Unlock()
	if !over {
		return nil, Status{}, false, nil
	}
	b, s, err = r.take()
	return b, s, true, err
}

// take gives the slice back once.
func (r *Request[T]) take() ([]T, Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.back {
		return nil, Status{}, fmt.Errorf("mpi: %s: the request has given its slice back: %w", r.core.op, isthmus.ErrClosed)
	}
	r.back = true
	b := r.buf
	r.buf = nil
	r.core.entry.Leave()
	return b, r.core.status(), r.core.err
}

// Cancel asks the library to give the operation up; Wait tells whether it did, by Status.Cancelled. Receives can be
// cancelled; most libraries do not cancel sends. Calls MPI_Cancel.
func (r *Request[T]) Cancel() {
	if r != nil && r.core != nil {
		r.core.cancel()
	}
}

// Done is closed when the operation is over. It costs a goroutine for all requests that ask; Wait costs none.
func (r *Request[T]) Done() <-chan struct{} {
	if r == nil || r.core == nil {
		c := make(chan struct{})
		close(c)
		return c
	}
	o := r.core
	o.mu.Lock()
	if o.done == nil {
		o.done = make(chan struct{})
		if o.over {
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
	if r == nil || r.core == nil {
		return "mpi.Request(none)"
	}
	state := "in progress"
	if r.core.isOver() {
		state = "over"
	}
	return fmt.Sprintf("mpi.Request(%s, %s)", r.core.op, state)
}

func (o *operation) isOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}
