package mpi

import (
	"context"
	"runtime"
	"strconv"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// maxShort is the size of messages up to which a call of the library is taken for short: what it copies in it, it copies in
// less time than the scheduler gives a goroutine.
const maxShort = 64 << 10

// elem is the datatype of T. That an operation keeps it as an any saves looking T up: the type tells which it is.
type elem[T any] struct{ dt *datatype }

// blocking makes a send or receive and waits for its end.
//
// In the ordinary case nothing of b is lent in the process, and the library is done in the crossing that starts the
// operation: then all that the call does is to check its arguments, to write them where the library finds them, and to
// read the status. The operation for that is the one that the communicator keeps.
func blocking[T any](ctx context.Context, c *Comm, b []T, m message) (Status, error) {
	if c != nil {
		if o := c.spare.Swap(nil); o != nil {
			s, over, started, err := try(c, o, b, m)
			switch {
			case over:
				c.park(o)
				return s, err
			case !started:
				c.park(o)
			case err != nil:
				return s, err
			default:
				return complete(ctx, o, m.recv)
			}
		}
	}
	o, err := start(c, b, m)
	if err != nil {
		return Status{}, err
	}
	s, err := complete(ctx, o, m.recv)
	equip[T](c)
	return s, err
}

// try makes the call in the ordinary case, with an operation that has the communicator in use. In another case it has not
// started, or is under way with its buffer lent and has to be waited for.
func try[T any](c *Comm, o *operation, b []T, m message) (s Status, over, started bool, err error) {
	w := c.world
	e, ok := o.elem.(*elem[T])
	if !ok {
		d, err := datatypeOf[T](w)
		if err != nil {
			return s, false, false, nil // said there, as all that is wrong
		}
		if e, ok = d.elem.(*elem[T]); !ok {
			return s, false, false, nil
		}
		o.elem = e
	}
	if c.poisoned.Load() || w.strict() {
		return s, false, false, nil
	}
	dt := e.dt
	x := o.block
	x.start.Fn = w.lib.Addr(m.fn)
	if len(b) > maxShort/dt.size || m.peer == ProcNull || dt.bools || x.start.Fn == 0 {
		return s, false, false, nil
	}
	peer, perr := c.peer(m.op, m.peer, m.recv)
	tag, terr := c.label(m.op, m.tag, m.recv)
	if perr != nil || terr != nil {
		return s, false, false, nil
	}
	if ffi.AnyLent() {
		access := ffi.Shared
		if m.recv {
			access = ffi.Exclusive
		}
		if ffi.Free(mem.Bytes(b), access) != nil {
			return s, false, false, nil
		}
	}
	n, typ := dt.args(len(b), m.recv)
	a := &x.start.Args
	a[0], a[1], a[2], a[3], a[4], a[5], a[6] = uintptr(mem.AddrOf(b)), n, typ, peer, tag, uintptr(c.handle), o.request()
	x.start.Next, x.test.Next = mem.AddrOfPtr(&x.test), 0
	if m.recv {
		x.counts.Args[1] = uintptr(dt.h)
		x.test.Next = mem.AddrOfPtr(&x.counts)
	}
	x.flag, x.test.Ret, x.test.Spins = 0, 0, spins
	w.short(&x.start)
	if x.flag != 0 && x.start.Failed()|x.test.Failed() == 0 && (!m.recv || (x.counts.Failed() == 0 && int(x.count) != w.lib.ABI.Undefined)) {
		if m.recv {
			at := w.lib.ABI.Status(x.status[:], 0)
			s = Status{Source: at.Source, Tag: at.Tag, Count: int(x.count)}
		}
		runtime.KeepAlive(b)
		return s, true, true, nil
	}
	// From here on it is an operation as any other.
	o.renew(c, m.op)
	o.dt = dt
	o.hold(mem.Bytes(b), mem.AddrOf(b), m.recv)
	if err = o.began(spins); err != nil {
		o.recycle()
	}
	return s, false, true, err
}

// equip gives the communicator an operation to keep, for elements of T.
func equip[T any](c *Comm) {
	if c.spare.Load() != nil {
		return
	}
	dt, err := datatypeOf[T](c.world)
	if err != nil {
		return
	}
	if _, err := c.owned.Use(); err != nil {
		return
	}
	o, err := c.take("")
	if err != nil {
		c.owned.Done()
		return
	}
	o.over, o.elem = true, dt.elem
	c.park(o)
}

// park keeps an operation that is over, and has c in use, for the next blocking call.
func (c *Comm) park(o *operation) {
	if !c.spare.CompareAndSwap(nil, o) {
		c.owned.Done()
		o.recycle()
	}
}

// unpark gives up the operation that c keeps, and the use of c that it has, so that c can be closed.
func (c *Comm) unpark() {
	if o := c.spare.Swap(nil); o != nil {
		c.owned.Done()
		o.recycle()
	}
}

// roomy reports whether this machine has a processor for each of the job's processes that it runs. Launchers tell how many
// there are; of a process that Open MPI has bound they tell that it has its processors to itself.
func roomy(getenv func(string) string, size int) bool {
	local := size
	for _, name := range []string{"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"} {
		if n, err := strconv.Atoi(getenv(name)); err == nil && n > 0 {
			local = n
			break
		}
	}
	return local <= runtime.NumCPU() || (getenv("OMPI_MCA_orte_bound_at_launch") != "" && getenv("OMPI_MCA_mpi_oversubscribe") == "0")
}
