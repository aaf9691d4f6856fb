package mpi

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Partitioned is a message whose slice goes in equal partitions, each when it is ready: several goroutines fill it, or take
// from it, without waiting for one another. It is prepared once and started many times. Between Start and the end each
// partition belongs to the program or to the library: one that is sent is the program's until [Partitioned.Ready], one that is
// received from when it has arrived on, and then to read. It is safe for concurrent use. The zero value is closed.
//
// MPI 4 has it; with an older library it is [isthmus.ErrUnsupported].
type Partitioned[T any] struct {
	owned ffi.Owned[*operation]
	o     *operation
	buf   []T
	each  int // elements in a partition
	recv  bool
	parts []partition // guarded by the operation's lock
}

type partition struct {
	lease ffi.Lease
	done  bool // it was made ready, or has arrived
}

// SendPartitioned prepares sends of b in n partitions to the process with rank to. The caller closes it. Calls
// MPI_Psend_init.
//
// Errors: as for [Send]; [isthmus.ErrBounds] when b cannot be divided.
func SendPartitioned[T any](c *Comm, b []T, n, to, tag int) (*Partitioned[T], error) {
	return partitioned(c, b, n, message{op: "partitioned send", fn: mpic.FnPsendInit, peer: to, tag: tag})
}

// RecvPartitioned prepares receives into b in n partitions, which need not be as many as are sent, from the process with
// rank from. The caller closes it. Calls MPI_Precv_init.
func RecvPartitioned[T any](c *Comm, b []T, n, from, tag int) (*Partitioned[T], error) {
	return partitioned(c, b, n, message{op: "partitioned receive", fn: mpic.FnPrecvInit, recv: true, peer: from, tag: tag})
}

func partitioned[T any](c *Comm, b []T, n int, m message) (*Partitioned[T], error) {
	if n < 1 || n > 1<<31-1 || len(b)%n != 0 {
		return nil, bounds(m.op, "%d elements in %d partitions", len(b), n)
	}
	a, err := prepare[T](c, m, false, mpic.FnPready, mpic.FnPreadyRange, mpic.FnParrived)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	o, w := a.o, c.world
	o.fixed, o.env.n = true, len(b)
	p := &Partitioned[T]{o: o, buf: b, each: len(b) / n, recv: m.recv, parts: make([]partition, n)}
	f := call.Get()
	defer f.Put()
	if err := w.do(f, m.op, m.fn, uintptr(mem.AddrOf(b)), cint(n), uintptr(p.each), uintptr(o.dt.h), a.peer, a.tag, a.comm, uintptr(w.lib.ABI.InfoNull), o.request()); err != nil {
		o.frame.Put()
		return nil, err
	}
	class := &ffi.Class[*operation]{Name: "mpi.Partitioned", Destroy: freeRequest, Backstop: ffi.BackstopReport}
	if err := p.owned.Init(class, o, &c.owned); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", m.op, err)
	}
	return p, nil
}

func (p *Partitioned[T]) pending() *operation {
	if p == nil {
		return nil
	}
	return p.o
}

// Len is how many partitions there are.
func (p *Partitioned[T]) Len() int {
	if p == nil {
		return 0
	}
	return len(p.parts)
}

// span is the elements of a partition.
func (p *Partitioned[T]) span(i int) []T { return p.buf[i*p.each : (i+1)*p.each : (i+1)*p.each] }

// check refuses partitions that do not exist, and calls of the other side's.
func (p *Partitioned[T]) check(op string, i int, recv bool) error {
	if p == nil || p.o == nil {
		return invalid(op, "no operation")
	}
	if p.recv != recv {
		return invalid(op, "it is of a %s", p.o.op)
	}
	if i < 0 || i >= len(p.parts) {
		return bounds(op, "partition %d, there are 0 to %d", i, len(p.parts)-1)
	}
	return nil
}

// Start begins to send or to receive. Errors: [isthmus.ErrBusy] while it is under way, [isthmus.ErrBorrowed] while another has
// part of the slice that is received into. Calls MPI_Start.
func (p *Partitioned[T]) Start() error {
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
	o.ended = func(err error) error {
		for i := range p.parts {
			p.parts[i].lease.Return()
		}
		p.owned.Done()
		if err == nil && p.recv {
			err = o.dt.validate(o.op, mem.Bytes(p.buf))
		}
		return err
	}
	for i := range p.parts {
		p.parts[i].done = false
		if !p.recv {
			continue
		}
		if err := p.parts[i].lease.Take(mem.Bytes(p.span(i)), ffi.Exclusive, o); err != nil {
			o.drop()
			return fmt.Errorf("mpi: %s: partition %d: %w", op, i, err)
		}
	}
	if err := o.begin(mpic.FnStart, 0, o.request()); err != nil {
		return err
	}
	o.out = true
	return nil
}

// Ready gives a partition to the library to be sent: it must not be written until the operation is over. Errors:
// [isthmus.ErrBusy] for one that is ready already, [isthmus.ErrClosed] before Start, [isthmus.ErrBorrowed] while somebody
// writes to it, [isthmus.ErrInvalid] of a receive. Calls MPI_Pready.
func (p *Partitioned[T]) Ready(i int) error { return p.ReadyRange(i, i) }

// ReadyRange is [Partitioned.Ready] of the partitions first to last. When one cannot be, none is. Calls MPI_Pready_range.
func (p *Partitioned[T]) ReadyRange(first, last int) error {
	const op = "ready"
	if err := p.check(op, first, false); err != nil {
		return err
	}
	if err := p.check(op, last, false); err != nil {
		return err
	}
	if last < first {
		return bounds(op, "partitions %d to %d", first, last)
	}
	o := p.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.out || o.over {
		return fmt.Errorf("mpi: %s: the %s was not started: %w", op, o.op, isthmus.ErrClosed)
	}
	for i := first; i <= last; i++ {
		if p.parts[i].done {
			return fmt.Errorf("mpi: %s: partition %d is ready already: %w", op, i, isthmus.ErrBusy)
		}
	}
	giveUp := func(end int) {
		for i := first; i < end; i++ {
			p.parts[i].lease.Return()
			p.parts[i].done = false
		}
	}
	for i := first; i <= last; i++ {
		if err := p.parts[i].lease.Take(mem.Bytes(p.span(i)), ffi.Shared, o); err != nil {
			giveUp(i)
			return fmt.Errorf("mpi: %s: partition %d: %w", op, i, err)
		}
		p.parts[i].done = true
	}
	f := call.Get()
	defer f.Put()
	r := uintptr(o.world.lib.ABI.GetHandle(o.block.req[:], 0))
	var err error
	if first == last {
		err = o.world.do(f, op, mpic.FnPready, cint(first), r)
	} else {
		err = o.world.do(f, op, mpic.FnPreadyRange, cint(first), cint(last), r)
	}
	if err != nil {
		giveUp(last + 1)
	}
	return err
}

// Arrived reports whether a partition has arrived: it may be read then, and be written when the operation is over. Errors:
// [isthmus.ErrClosed] before Start, [isthmus.ErrInvalid] of a send. Calls MPI_Parrived.
func (p *Partitioned[T]) Arrived(i int) (bool, error) {
	const op = "arrived"
	if err := p.check(op, i, true); err != nil {
		return false, err
	}
	o := p.o
	o.mu.Lock()
	defer o.mu.Unlock()
	x := &p.parts[i]
	switch {
	case x.done || (o.out && o.over):
		return true, nil
	case !o.out:
		return false, fmt.Errorf("mpi: %s: the %s was not started: %w", op, o.op, isthmus.ErrClosed)
	}
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 1)
	if err != nil {
		return false, err
	}
	if err := o.world.do(f, op, mpic.FnParrived, uintptr(o.world.lib.ABI.GetHandle(o.block.req[:], 0)), cint(i), at); err != nil || n[0] == 0 {
		return false, err
	}
	b := mem.Bytes(p.span(i))
	x.done = true
	x.lease.Return()
	if err := o.dt.validate(op, b); err != nil {
		return true, err
	}
	return true, x.lease.TakeLate(b, ffi.Shared, o)
}

// Part is a partition's elements: to write, of one that is sent and not ready; to read, of one that has arrived. Errors:
// [isthmus.ErrBorrowed] of any other, while the operation is under way.
func (p *Partitioned[T]) Part(i int) ([]T, error) {
	const op = "partition"
	if p == nil || p.o == nil {
		return nil, invalid(op, "no operation")
	}
	if err := p.check(op, i, p.recv); err != nil {
		return nil, err
	}
	p.o.mu.Lock()
	defer p.o.mu.Unlock()
	if p.o.out && !p.o.over && p.parts[i].done != p.recv {
		why := "was given to the library to be sent"
		if p.recv {
			why = "has not arrived"
		}
		return nil, fmt.Errorf("mpi: %s: partition %d %s: %w", op, i, why, isthmus.ErrBorrowed)
	}
	return p.span(i), nil
}

// Wait waits until all partitions are sent or have arrived: then the slice is the program's, and Start may be called again.
// When ctx ends first, the library keeps what it has. One that is not under way is [isthmus.ErrClosed].
func (p *Partitioned[T]) Wait(ctx context.Context) error {
	const op = "wait"
	if p == nil || p.o == nil {
		return invalid(op, "no operation")
	}
	pause := p.o.world.patience()
	for {
		if done, err := p.test(spins); done {
			return err
		}
		if err := pause.pause(ctx); err != nil {
			return fmt.Errorf("mpi: %s: %w", p.o.op, err)
		}
	}
}

// Test is Wait that does not wait; done tells.
func (p *Partitioned[T]) Test() (done bool, err error) {
	if p == nil || p.o == nil {
		return false, invalid("test", "no operation")
	}
	return p.test(1)
}

func (p *Partitioned[T]) test(n int64) (bool, error) {
	o := p.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.out {
		return true, fmt.Errorf("mpi: %s: it was not started: %w", o.op, isthmus.ErrClosed)
	}
	o.poll(n)
	if !o.over {
		return false, nil
	}
	o.out = false
	return true, o.err
}

// Close frees the operation. While it is under way it does nothing and returns [isthmus.ErrBusy]. It is nil-safe and
// idempotent. Calls MPI_Request_free.
func (p *Partitioned[T]) Close() error {
	if p == nil || p.o == nil {
		return nil
	}
	return p.owned.Close()
}
