package mpi

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// look is a question for a message, asked until there is one.
type look struct {
	step, count call.Step
	status      [40]byte
	message     [8]byte
	flag, n     int32
}

// probe asks up to n times, and as long as ctx allows if wait is true.
func probe[T any](ctx context.Context, c *Comm, op string, from, tag int, matched, wait bool) (s Status, m mpic.Handle, seen *sight, found bool, err error) {
	h, err := c.use(op)
	if err != nil {
		return Status{}, 0, nil, false, err
	}
	defer c.owned.Done()
	w := c.world
	dt, err := datatypeOf[T](w)
	if err != nil {
		return Status{}, 0, nil, false, fmt.Errorf("mpi: %s: %w", op, err)
	}
	peer, err := c.peer(op, from, true)
	if err != nil {
		return Status{}, 0, nil, false, err
	}
	label, err := c.label(op, tag, true)
	if err != nil {
		return Status{}, 0, nil, false, err
	}
	f := call.Get()
	defer f.Put()
	k, err := call.New[look](f)
	if err != nil {
		return Status{}, 0, nil, false, err
	}
	flag, status := uintptr(mem.AddrOfPtr(&k.flag)), uintptr(mem.AddrOf(k.status[:]))
	if matched {
		err = w.step(&k.step, mpic.FnImprobe, peer, label, uintptr(h), flag, uintptr(mem.AddrOf(k.message[:])), status)
	} else {
		err = w.step(&k.step, mpic.FnIprobe, peer, label, uintptr(h), flag, status)
	}
	if err == nil {
		err = w.step(&k.count, mpic.FnGetCount, status, uintptr(dt.h), uintptr(mem.AddrOfPtr(&k.n)))
	}
	if err != nil {
		return Status{}, 0, nil, false, fmt.Errorf("mpi: %s: %w", op, err)
	}
	k.step.Flag, k.step.Next = mem.Addr(flag), mem.AddrOfPtr(&k.count)
	p := w.patience()
	if w.watch != nil {
		p = w.patienceFor(probing{c, op, from, tag})
	}
	for {
		k.step.Spins = 1
		if wait {
			k.step.Spins = spins
		}
		if matched && c.watched != nil {
			seen = c.watched.probe(k, from)
		} else {
			w.go1(&k.step)
		}
		if code := k.step.Failed(); code != 0 {
			return Status{}, 0, nil, false, w.failure(op, code)
		}
		if k.flag != 0 {
			break
		}
		if !wait {
			return Status{}, 0, nil, false, nil
		}
		if err := p.pause(ctx); err != nil {
			return Status{}, 0, nil, false, fmt.Errorf("mpi: %s: %w", op, err)
		}
	}
	st := w.lib.ABI.Status(k.status[:], 0)
	s = Status{Source: st.Source, Tag: st.Tag, Count: int(k.n)}
	if k.count.Failed() != 0 || int(k.n) == w.lib.ABI.Undefined {
		s.Count = -1
	}
	if from == ProcNull || s.Source == w.lib.ABI.ProcNull {
		s = Status{Source: ProcNull, Tag: AnyTag}
	}
	return s, w.lib.ABI.GetHandle(k.message[:], 0), seen, true, nil
}

// Probe waits until a message of the process with rank from, or [AnySource], with the tag, or [AnyTag], can be received, and
// says how many elements of T it has. Another goroutine may receive it first: see [Mprobe]. Calls MPI_Iprobe.
func Probe[T any](ctx context.Context, c *Comm, from, tag int) (Status, error) {
	s, _, _, _, err := probe[T](ctx, c, "probe", from, tag, false, true)
	return s, err
}

// Iprobe is Probe that does not wait; found tells. Calls MPI_Iprobe.
func Iprobe[T any](c *Comm, from, tag int) (s Status, found bool, err error) {
	s, _, _, found, err = probe[T](context.Background(), c, "probe", from, tag, false, false)
	return s, found, err
}

// Message is a message that was matched and waits to be received, by nobody else. It is received once, or dropped by Close.
// It is safe for concurrent use.
type Message[T any] struct {
	owned  ffi.Owned[mpic.Handle]
	mu     sync.Mutex
	comm   *Comm
	status Status
	seen   *sight // by the debug layer
}

// Mprobe waits for a message as [Probe] does and takes it out of the queue: only [Message.Recv] gets it. Calls MPI_Improbe.
func Mprobe[T any](ctx context.Context, c *Comm, from, tag int) (*Message[T], error) {
	m, _, err := mprobe[T](ctx, c, from, tag, true)
	return m, err
}

// Improbe is Mprobe that does not wait: found tells. Calls MPI_Improbe.
func Improbe[T any](c *Comm, from, tag int) (m *Message[T], found bool, err error) {
	return mprobe[T](context.Background(), c, from, tag, false)
}

func mprobe[T any](ctx context.Context, c *Comm, from, tag int, wait bool) (*Message[T], bool, error) {
	s, h, seen, found, err := probe[T](ctx, c, "matched probe", from, tag, true, wait)
	if err != nil || !found {
		return nil, false, err
	}
	m := &Message[T]{comm: c, status: s, seen: seen}
	class := &ffi.Class[mpic.Handle]{Name: "mpi.Message", Destroy: func(mpic.Handle) error { return nil }, Backstop: ffi.BackstopReport}
	if err := m.owned.Init(class, h, &c.owned); err != nil {
		return nil, false, fmt.Errorf("mpi: matched probe: %w", err)
	}
	return m, true, nil
}

// Status says who sent the message and how many elements it has.
func (m *Message[T]) Status() Status {
	if m == nil {
		return Status{}
	}
	return m.status
}

// Recv receives the message into b. It may be called once; after that it is [isthmus.ErrClosed]. When ctx ends first, the
// library keeps b until it is done. Calls MPI_Imrecv.
func (m *Message[T]) Recv(ctx context.Context, b []T) (Status, error) {
	const op = "receive a matched message"
	if m == nil || m.comm == nil {
		return Status{}, invalid(op, "no message")
	}
	if ctx.Err() != nil {
		return Status{}, fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.owned.Live() {
		return Status{}, fmt.Errorf("mpi: %s: it was received: %w", op, isthmus.ErrClosed)
	}
	c := m.comm
	if _, err := c.use(op); err != nil {
		return Status{}, err
	}
	o, err := ready(m, op, b)
	if err != nil {
		c.owned.Done()
		return Status{}, err
	}
	if err := lendTo(o, b, message{op: op, recv: true, look: spins}); err != nil { // gives the communicator back too
		o.recycle()
		return Status{}, err
	}
	h, err := m.owned.Disown()
	if err != nil {
		o.drop()
		o.recycle()
		return Status{}, fmt.Errorf("mpi: %s: %w", op, err)
	}
	o.block.handle = uint64(h)
	n, typ := o.dt.args(len(b), true)
	err = o.begin(mpic.FnImrecv, spins, uintptr(o.address), n, typ, uintptr(mem.AddrOfPtr(&o.block.handle)), o.request())
	if err != nil {
		o.recycle()
		return Status{}, err
	}
	return complete(ctx, o, false)
}

// Close receives the message and drops it, if it was not received. It is nil-safe and idempotent.
func (m *Message[T]) Close() error {
	if m == nil || !m.owned.Live() {
		return nil
	}
	_, err := m.Recv(context.Background(), make([]T, max(0, m.status.Count)))
	if errors.Is(err, ErrTruncate) || errors.Is(err, isthmus.ErrClosed) {
		return nil
	}
	return err
}

// ready makes the operation that receives m.
func ready[T any](m *Message[T], op string, b []T) (*operation, error) {
	dt, err := datatypeOf[T](m.comm.world)
	if err != nil {
		return nil, err
	}
	if _, err := count(op, b); err != nil {
		return nil, err
	}
	if !m.comm.world.lib.Has(mpic.FnImrecv) {
		_, err := m.comm.world.lib.Fn(mpic.FnImrecv)
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	o, err := m.comm.take(op)
	if err != nil {
		return nil, err
	}
	o.dt, o.nobody, o.seen = dt, m.status.Source == ProcNull, m.seen
	o.env = envelope{mpiwatch.Receives, m.status.Source, m.status.Tag, len(b)}
	if m.comm.watched != nil {
		o.site = isthmus.Here()
	}
	return o, nil
}
