package mpi

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Win is memory of each process of a communicator that the others read and write without its doing: n elements of T in
// each, n as each process said. It is used in epochs only, which are functions' scopes and cannot be left open:
// [Win.Fence], [Win.Lock], [Win.LockAll], and [Win.Access] with [Win.Expose]. It is safe for concurrent use; a process has
// one epoch of a window at a time, but may expose its memory while it accesses that of others.
//
// A slice of its memory that somebody keeps is memory for ever, whatever the library does: see [Win.View].
type Win[T any] struct {
	core *window
	mine []T // this process's part, where it is Go's memory or ours
}

// window is a Win without its element type.
type window struct {
	owned  ffi.Owned[mpic.Handle]
	world  *World
	comm   *Comm
	dt     *datatype
	elem   int   // bytes of an element
	sizes  []int // elements in each process
	shared bool  // the others' memory is this process's too
	memory *winMemory

	mu      sync.Mutex
	access  string // the epoch that is open, "" for none
	exposed string // that the others may have, "" for none
	broken  error  // an epoch whose end was given up
}

// how a window gets its memory
type supply int

const (
	allocated supply = iota
	allocatedShared
	given
	ours // memory of this package's own
)

// Allocate makes a window whose memory MPI allocates, which is the fastest to access; it is zero at first. n may differ
// between the processes, also be 0. It is collective over c. Calls MPI_Win_allocate.
//
// Errors: [isthmus.ErrBounds] in every process when n is negative in one, [isthmus.ErrInvalid] for element types that
// hold pointers, or whose size differs between processes, [*Error] for what the library reports.
func Allocate[T any](ctx context.Context, c *Comm, n int) (*Win[T], error) {
	return newWin[T](ctx, c, "allocate a window", allocated, n, nil)
}

// AllocateShared is [Allocate] for processes that share the memory of one machine: with [Win.View] each can work on the
// others' parts directly. Calls MPI_Win_allocate_shared.
func AllocateShared[T any](ctx context.Context, c *Comm, n int) (*Win[T], error) {
	return newWin[T](ctx, c, "allocate a shared window", allocatedShared, n, nil)
}

// CreateWin makes a window of b, which is lent to it until the window is closed: until then it is used through the window
// only. It is collective over c. Calls MPI_Win_create. Errors: as for [Allocate]; [isthmus.ErrBorrowed] in every process
// when b is in use in one.
//
// With Options.Foreign the processes do not tell each other how long their parts are: what is wrong in one is an error
// there only, places in other processes' parts are not checked here but by the library or not at all, and a process has
// to know that another has prepared its part before it accesses it: call [Barrier] first, as C programs do. Parts have
// displacement units of the size of an element.
func CreateWin[T any](ctx context.Context, c *Comm, b []T) (*Win[T], error) {
	return newWin(ctx, c, "create a window", given, len(b), b)
}

func newWin[T any](ctx context.Context, c *Comm, op string, from supply, n int, b []T) (*Win[T], error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	h, err := c.use(op)
	if err != nil {
		return nil, err
	}
	x := &window{world: c.world, comm: c, elem: mem.SizeOf[T](), shared: from == allocatedShared, memory: &winMemory{}}
	c.watchCall(op)
	p := c.world.newPatient(op, c.owned.Done)
	defer p.end()
	// What is wrong in one process is an error in all of them, so that nobody waits for it.
	mine := int64(n)
	var local error
	if x.dt, local = datatypeOf[T](c.world); local != nil {
		local, mine = fmt.Errorf("mpi: %s: %w", op, local), -1
	} else if n < 0 {
		local, mine = bounds(op, "%d elements", n), -1
	} else if _, err := mem.Mul(n, x.elem); err != nil {
		local, mine = bounds(op, "%d elements of %d bytes", n, x.elem), -1
	} else if from == given {
		if x.memory.loan, err = ffi.LendSlice(b, ffi.Exclusive); err != nil {
			local, mine = fmt.Errorf("mpi: %s: %w", op, err), -1
		}
	}
	if c.world.foreign {
		x.alone(n)
	} else {
		err = x.agree(ctx, p, h, mine)
	}
	if err != nil || local != nil {
		x.memory.loan.Return()
		return nil, errors.Join(local, err)
	}
	if err := x.build(ctx, p, h, from, n, mem.AddrOf(b)); err != nil {
		return nil, err
	}
	x.memory.loan.Watch()
	out := &Win[T]{core: x, mine: b}
	if block := x.memory.block; block != nil && n > 0 {
		if out.mine, err = mem.View[T](block.Bytes()[: n*x.elem : n*x.elem]); err != nil {
			return nil, errors.Join(fmt.Errorf("mpi: %s: %w", op, err), x.owned.Close())
		}
	}
	return out, nil
}

// unknown is the size of another process's part that only that process knows.
const unknown = -1

// alone is agree without the others.
func (x *window) alone(mine int) {
	x.sizes = make([]int, x.comm.size)
	for r := range x.sizes {
		x.sizes[r] = unknown
	}
	x.sizes[x.comm.rank] = mine
}

// agree has all processes know the sizes of all, and fail together.
func (x *window) agree(ctx context.Context, p *patient, h mpic.Handle, mine int64) error {
	cells, at, err := int64s(p.f, 2+2*x.comm.size)
	if err != nil {
		return err
	}
	cells[0], cells[1] = mine, int64(x.elem)
	i64 := uintptr(x.world.lib.ABI.Int64T)
	if err := p.do(ctx, mpic.FnAllgather, at, 2, i64, at+16, 2, i64, uintptr(h)); err != nil {
		return err
	}
	x.sizes = make([]int, x.comm.size)
	for r := range x.sizes {
		n, elem := cells[2+2*r], cells[3+2*r]
		if n < 0 {
			return bounds(p.op, "rank %d has given something that cannot be a window", r)
		}
		if elem != int64(x.elem) {
			return invalid(p.op, "elements have %d bytes here and %d in rank %d", x.elem, elem, r)
		}
		x.sizes[r] = int(n)
	}
	return nil
}

// line is what allocated parts are multiples of. Parts of processes follow one another in shared memory: no two should be
// in one cache line, and with MPICH 4.0.2 data for a part behind one of an odd size landed in another part.
const line = 64

// make has the library make the window and returns where this process's part is.
func (x *window) make(ctx context.Context, p *patient, h mpic.Handle, from supply, n int, b mem.Addr) (mem.Addr, error) {
	w := x.world
	cells, at, err := int64s(p.f, 2) // the address and the window
	if err != nil {
		return 0, err
	}
	size, unit, info := uintptr(n*x.elem), cint(x.elem), uintptr(w.lib.ABI.InfoNull)
	if from < given {
		size = (size + line - 1) &^ (line - 1)
	}
	switch from {
	case allocated:
		err = p.do(ctx, mpic.FnWinAllocate, size, unit, info, uintptr(h), at, at+8)
	case allocatedShared:
		err = p.do(ctx, mpic.FnWinAllocateShared, size, unit, info, uintptr(h), at, at+8)
	default:
		err = p.do(ctx, mpic.FnWinCreate, uintptr(b), size, unit, info, uintptr(h), at+8)
	}
	if err != nil {
		return 0, err
	}
	win := mpic.Handle(cells[1])
	if err := w.do(p.f, p.op, mpic.FnWinSetErrhandler, uintptr(win), uintptr(w.lib.ABI.ErrorsReturn)); err != nil {
		return 0, err
	}
	memory, typ := x.memory, x.dt.typ // not x: what ends a window must not keep it
	class := &ffi.Class[mpic.Handle]{Name: "mpi.Win", Destroy: func(h mpic.Handle) error {
		err := w.free("close a window", mpic.FnWinFree, h)
		if err == nil {
			memory.giveBack(typ, w.strict())
		}
		return err
	}, Backstop: ffi.BackstopReport}
	return mem.Addr(cells[0]), x.owned.Init(class, win, &x.comm.owned)
}

// Close frees the window: all processes of its communicator have to call it. In an epoch it does nothing and returns an
// error that wraps [isthmus.ErrBusy]. It is nil-safe and idempotent. Calls MPI_Win_free.
func (w *Win[T]) Close() error {
	if w == nil || w.core == nil {
		return nil
	}
	return w.core.owned.Close()
}

// Len is how many elements the window has in the process with that rank; 0 for a rank that does not exist, -1 where only
// that process knows: see [Options].
func (w *Win[T]) Len(rank int) int {
	if w == nil || w.core == nil || rank < 0 || rank >= len(w.core.sizes) {
		return 0
	}
	return w.core.sizes[rank]
}

// String describes the window without calling MPI.
func (w *Win[T]) String() string {
	if w == nil || w.core == nil {
		return "mpi.Win(none)"
	}
	x := w.core
	x.mu.Lock()
	defer x.mu.Unlock()
	state := ""
	switch {
	case !x.owned.Live():
		state = ", closed"
	case x.broken != nil:
		state = ", broken"
	case x.access != "":
		state = ", in a " + x.access
	}
	return fmt.Sprintf("mpi.Win(%d x %v in rank %d of %d%s)", x.sizes[x.comm.rank], x.dt.typ, x.comm.rank, len(x.sizes), state)
}

// enter begins an epoch: which of the two states it takes is said by exposure.
func (x *window) enter(op, epoch string, exposure bool) (mpic.Handle, error) {
	h, err := x.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("mpi: %s: window: %w", op, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	state := &x.access
	if exposure {
		state = &x.exposed
	}
	switch {
	case x.broken != nil:
		err = fmt.Errorf("mpi: %s: the window is broken by an epoch whose end was given up: %w: %w", op, isthmus.ErrInvalid, x.broken)
	case *state != "":
		err = fmt.Errorf("mpi: %s: the window is in a %s already: %w", op, *state, isthmus.ErrBusy)
	case x.exposed != "" && epoch != "access epoch":
		err = fmt.Errorf("mpi: %s: the window is in an %s: %w", op, x.exposed, isthmus.ErrBusy)
	case exposure && x.access != "" && x.access != "access epoch":
		err = fmt.Errorf("mpi: %s: the window is in a %s: %w", op, x.access, isthmus.ErrBusy)
	}
	if err != nil {
		x.owned.Done()
		return 0, err
	}
	*state = epoch
	return h, nil
}

// leave ends an epoch. One that did not end well leaves the window broken.
func (x *window) leave(exposure bool, broken error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if exposure {
		x.exposed = ""
	} else {
		x.access = ""
	}
	if broken != nil && x.broken == nil {
		x.broken = broken
	}
}

// rank checks the rank of a process of the window.
func (x *window) rank(op string, r int) error {
	if r < 0 || r >= len(x.sizes) {
		return fmt.Errorf("mpi: %s: rank %d, the window has 0 to %d: %w: %w", op, r, len(x.sizes)-1, isthmus.ErrBounds, ErrRank)
	}
	return nil
}

// section checks n elements from at in the process with rank r.
func (x *window) section(op string, r, at, n int) error {
	if err := x.rank(op, r); err != nil {
		return err
	}
	if x.sizes[r] == unknown && at >= 0 {
		_, err := countOf(op, n)
		return err
	}
	if at < 0 || n > x.sizes[r] || at > x.sizes[r]-n {
		return bounds(op, "%d elements from %d in rank %d, the window has %d there", n, at, r, x.sizes[r])
	}
	_, err := countOf(op, n)
	return err
}
