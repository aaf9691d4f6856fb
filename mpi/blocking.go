package mpi

import (
	"context"
	"encoding/binary"
	"runtime"
	"strconv"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
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
	if c.poisoned.Load() || c.watched != nil || w.strict() {
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
		if w.received == nil || dt.made {
			x.test.Next = mem.AddrOfPtr(&x.counts)
		}
	}
	x.flag, x.test.Ret, x.test.Spins = 0, 0, w.spins()
	w.short(&x.start)
	if x.flag != 0 && x.start.Failed()|x.test.Failed() == 0 {
		if !m.recv {
			runtime.KeepAlive(b)
			return s, true, true, nil
		}
		if x.test.Next == 0 && !w.received.count(x, dt.size) {
			w.short(&x.counts)
		}
		if x.counts.Failed() == 0 && int(x.count) != w.lib.ABI.Undefined {
			at := w.lib.ABI.Status(x.status[:], 0)
			runtime.KeepAlive(b)
			return Status{Source: at.Source, Tag: at.Tag, Count: int(x.count)}, true, true, nil
		}
	}
	if m.recv && x.test.Next == 0 {
		x.test.Next = mem.AddrOfPtr(&x.counts)
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

// received is where a library's MPI_Status has how many bytes were received: what MPI_Get_count looks at, and returns in one
// call more.
type received struct{ at int }

// count sets the number of elements of the library's own type of size bytes. It reports false where MPI_Get_count has to say
// what it is.
func (r *received) count(x *block, size int) bool {
	n := int(binary.NativeEndian.Uint32(x.status[r.at:]))
	if n%size != 0 {
		return false
	}
	x.count, x.counts.Ret = int32(n/size), 0
	return true
}

// findReceived asks the library to write two numbers into a status, and looks where they are. The standard does not say, so
// nil is an answer too.
func (w *World) findReceived() *received {
	if !w.lib.Has(mpic.FnStatusSetElements) {
		return nil
	}
	f := call.Get()
	defer f.Put()
	status, err := call.Slice[byte](f, 40)
	if err != nil {
		return nil
	}
	var found []int
	for _, n := range []int{0x1234567, 0x2468ace} {
		clear(status)
		if w.run(f, mpic.FnStatusSetElements, uintptr(mem.AddrOf(status)), uintptr(w.lib.ABI.Byte), cint(n)) != 0 {
			return nil
		}
		for at := 0; at < len(status); at += 4 {
			if int(binary.NativeEndian.Uint32(status[at:])) == n {
				found = append(found, at)
			}
		}
	}
	if len(found) != 2 || found[0] != found[1] {
		return nil
	}
	return &received{at: found[0]}
}

// park keeps an operation that is over, and has c in use, for the next blocking call.
func (c *Comm) park(o *operation) {
	if !c.spare.CompareAndSwap(nil, o) {
		c.owned.Done()
		o.recycle()
	}
}

// unpark gives up the operation and the scope that c keeps, and the uses of c that they have, so that c can be closed.
func (c *Comm) unpark() {
	if o := c.spare.Swap(nil); o != nil {
		c.owned.Done()
		o.recycle()
	}
	if s := c.scope.Swap(nil); s != nil {
		c.owned.Done()
		s.frame.Put()
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
