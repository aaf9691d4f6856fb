package mpi

import (
	"context"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Replace and NoOp are operations of [Epoch.Accumulate] and its kin only: the new value takes the old one's place, or the
// old one stays, which makes [Epoch.FetchAndOp] an atomic store with the value before, or an atomic load.
const (
	Replace Op = -1 - iota
	NoOp
)

// access is one operation on the memory of another process.
type access struct {
	op    string
	rank  int
	at, n int
}

// open lets one operation into the epoch. The caller calls e.mu.RUnlock when it has issued it.
func (e *Epoch[T]) open(a access) error {
	if e == nil || e.x == nil {
		return invalid(a.op, "no epoch")
	}
	e.mu.RLock()
	err := e.check(a)
	if err != nil {
		e.mu.RUnlock()
	}
	return err
}

func (e *Epoch[T]) check(a access) error {
	if e.over {
		return fmt.Errorf("mpi: %s: the epoch: %w", a.op, isthmus.ErrClosed)
	}
	if err := e.x.section(a.op, a.rank, a.at, a.n); err != nil {
		return err
	}
	if e.targets != nil && !slices.Contains(e.targets, a.rank) {
		return fmt.Errorf("mpi: %s: rank %d is not of this epoch: %w: %w", a.op, a.rank, isthmus.ErrInvalid, ErrRank)
	}
	return nil
}

// issue lends the slices and makes the call. build makes its arguments of the datatype.
func (e *Epoch[T]) issue(a access, read, write []T, fn mpic.Func, build func(dt uintptr) []uintptr) error {
	if err := e.open(a); err != nil {
		return err
	}
	defer e.mu.RUnlock()
	if a.n == 0 {
		return nil
	}
	p, err := e.lend(a, read, write)
	if err != nil {
		return err
	}
	f := call.Get()
	defer f.Put()
	if err := e.x.world.do(f, a.op, fn, build(uintptr(e.x.dt.h))...); err != nil {
		p.giveBack()
		return err
	}
	e.pendMu.Lock()
	e.pending = append(e.pending, p)
	e.pendMu.Unlock()
	return nil
}

func (p *pending) giveBack() {
	for _, l := range p.loans {
		l.Return()
	}
}

func (e *Epoch[T]) lend(a access, read, write []T) (pending, error) {
	p := pending{rank: a.rank}
	var err error
	if p.loans[0], err = ffi.LendSlice(read, ffi.Shared); err == nil {
		p.loans[1], err = ffi.LendSlice(write, ffi.Exclusive)
	}
	if err != nil {
		p.giveBack()
		return p, fmt.Errorf("mpi: %s: %w", a.op, err)
	}
	p.loans[1].Watch()
	if e.x.dt.bools && write != nil {
		p.check = mem.Bytes(write)
	}
	return p, nil
}

// Put writes b to the elements from at of the process with that rank. b is lent until the epoch ends or is flushed. Calls
// MPI_Put.
//
// Errors: [isthmus.ErrBounds] for what is not in the window, before the library sees it; [isthmus.ErrBorrowed] while
// something writes to b; [isthmus.ErrClosed] after the epoch.
func (e *Epoch[T]) Put(b []T, rank, at int) error {
	return e.issue(access{"put", rank, at, len(b)}, b, nil, mpic.FnPut, func(dt uintptr) []uintptr {
		return e.span(mem.AddrOf(b), dt, rank, at, len(b))
	})
}

// Get reads the elements from at of the process with that rank into b, which has them when the epoch has ended or was
// flushed, and is lent until then. Calls MPI_Get. Errors: as for Put.
func (e *Epoch[T]) Get(b []T, rank, at int) error {
	return e.issue(access{"get", rank, at, len(b)}, nil, b, mpic.FnGet, func(dt uintptr) []uintptr {
		return e.span(mem.AddrOf(b), dt, rank, at, len(b))
	})
}

// span is the arguments of a transfer of n elements.
func (e *Epoch[T]) span(b mem.Addr, dt uintptr, rank, at, n int) []uintptr {
	return []uintptr{uintptr(b), cint(n), dt, cint(rank), uintptr(at), cint(n), dt, uintptr(e.h)}
}

// atomic is op and the datatype for it, and how many of that an element has.
func (e *Epoch[T]) atomic(name string, op Op) (reduction, error) {
	if e == nil || e.x == nil {
		return reduction{}, invalid(name, "no epoch")
	}
	a := &e.x.world.lib.ABI
	r := reduction{dt: e.x.dt.h, per: 1}
	switch op {
	case Replace:
		r.op = a.Replace
	case NoOp:
		r.op = a.NoOp
	default:
		var err error
		if r, err = op.bind(e.x.world, e.x.dt.typ); err != nil {
			return r, fmt.Errorf("mpi: %s: %w", name, err)
		}
		if r.dt == 0 {
			r.dt = e.x.dt.h
		}
	}
	return r, nil
}

// Accumulate combines b with the elements from at of the process with that rank, each atomically: any number of processes
// may do so at once. op is one of the standard's reductions or [Replace]. Calls MPI_Accumulate. Errors: as for Put;
// [ErrOp] for an operation that the standard does not define for T.
func (e *Epoch[T]) Accumulate(op Op, b []T, rank, at int) error {
	const name = "accumulate"
	r, err := e.atomic(name, op)
	if err != nil {
		return err
	}
	return e.issue(access{name, rank, at, len(b)}, b, nil, mpic.FnAccumulate, func(uintptr) []uintptr {
		n := cint(len(b) * r.per)
		return []uintptr{uintptr(mem.AddrOf(b)), n, uintptr(r.dt), cint(rank), uintptr(at), n, uintptr(r.dt), uintptr(r.op), uintptr(e.h)}
	})
}

// GetAccumulate is Accumulate that reads the elements as they were before into old, as many as b has. With [NoOp] it is an
// atomic Get, and b's values are not used. Calls MPI_Get_accumulate.
func (e *Epoch[T]) GetAccumulate(op Op, b, old []T, rank, at int) error {
	const name = "get and accumulate"
	r, err := e.atomic(name, op)
	if err != nil {
		return err
	}
	if len(b) != len(old) {
		return bounds(name, "%d elements for %d old ones", len(b), len(old))
	}
	return e.issue(access{name, rank, at, len(b)}, b, old, mpic.FnGetAccumulate, func(uintptr) []uintptr {
		n, dt := cint(len(b)*r.per), uintptr(r.dt)
		return []uintptr{uintptr(mem.AddrOf(b)), n, dt, uintptr(mem.AddrOf(old)), n, dt, cint(rank), uintptr(at), n, dt, uintptr(r.op), uintptr(e.h)}
	})
}

// FetchAndOp combines v atomically with the element at of the process with that rank and returns the element as it was
// before, at once. It needs an epoch of a lock. Calls MPI_Fetch_and_op and MPI_Win_flush.
//
// Errors: as for Accumulate; [isthmus.ErrInvalid] in a fence or access epoch, whose operations end with it: use
// GetAccumulate there.
func (e *Epoch[T]) FetchAndOp(ctx context.Context, op Op, v T, rank, at int) (T, error) {
	const name = "fetch and op"
	r, err := e.atomic(name, op)
	if err != nil {
		var zero T
		return zero, err
	}
	return e.swap(ctx, access{name, rank, at, 1}, []T{v}, func(in []T, old mem.Addr) (mpic.Func, []uintptr) {
		if r.per != 1 {
			n, dt := cint(r.per), uintptr(r.dt)
			return mpic.FnGetAccumulate, []uintptr{uintptr(mem.AddrOf(in)), n, dt, uintptr(old), n, dt, cint(rank), uintptr(at), n, dt, uintptr(r.op), uintptr(e.h)}
		}
		if !r.basic(e.x) {
			dt := uintptr(r.dt)
			return mpic.FnGetAccumulate, []uintptr{uintptr(mem.AddrOf(in)), 1, dt, uintptr(old), 1, dt, cint(rank), uintptr(at), 1, dt, uintptr(r.op), uintptr(e.h)}
		}
		return mpic.FnFetchAndOp, []uintptr{uintptr(mem.AddrOf(in)), uintptr(old), uintptr(r.dt), cint(rank), uintptr(at), uintptr(r.op), uintptr(e.h)}
	})
}

// basic reports whether the operation is on one of the library's own datatypes, which MPI_Fetch_and_op takes.
func (r reduction) basic(x *window) bool { return r.dt != x.dt.h || !x.dt.made }

// CompareAndSwap puts next atomically in the place of the element at of the process with that rank, if that is old, and
// returns the element as it was before, at once: it was swapped if that is old. T is an integer or bool type. It needs an
// epoch of a lock. Calls MPI_Compare_and_swap and MPI_Win_flush. Errors: as for FetchAndOp.
func (e *Epoch[T]) CompareAndSwap(ctx context.Context, old, next T, rank, at int) (T, error) {
	const name = "compare and swap"
	var zero T
	if e == nil || e.x == nil {
		return zero, invalid(name, "no epoch")
	}
	if !BAnd.takes(e.x.dt.typ.Kind()) && !LAnd.takes(e.x.dt.typ.Kind()) {
		return zero, fmt.Errorf("mpi: %s: elements of type %v, want integers or bools: %w: %w", name, e.x.dt.typ, isthmus.ErrInvalid, ErrType)
	}
	return e.swap(ctx, access{name, rank, at, 1}, []T{next, old}, func(in []T, was mem.Addr) (mpic.Func, []uintptr) {
		return mpic.FnCompareAndSwap, []uintptr{uintptr(mem.AddrOf(in)), uintptr(mem.AddrOf(in[1:])), uintptr(was), uintptr(e.x.dt.h), cint(rank), uintptr(at), uintptr(e.h)}
	})
}

// swap makes an operation on one element and waits for it.
func (e *Epoch[T]) swap(ctx context.Context, a access, in []T, build func(in []T, old mem.Addr) (mpic.Func, []uintptr)) (T, error) {
	var zero T
	if err := e.open(a); err != nil {
		return zero, err
	}
	defer e.mu.RUnlock()
	if !e.passive {
		return zero, invalid(a.op, "in an epoch that has no flush; use GetAccumulate")
	}
	if ctx.Err() != nil {
		return zero, fmt.Errorf("mpi: %s: %w", a.op, context.Cause(ctx))
	}
	if _, err := e.x.owned.Use(); err != nil {
		return zero, err
	}
	p := e.x.world.newPatient(a.op, e.x.owned.Done)
	defer p.end()
	cells, err := call.Slice[T](p.f, len(in)+1)
	if err != nil {
		return zero, err
	}
	copy(cells, in)
	old := cells[len(in):]
	fn, args := build(cells[:len(in)], mem.AddrOf(old))
	if err := e.x.world.do(p.f, a.op, fn, args...); err != nil {
		return zero, err
	}
	if err := p.do(ctx, mpic.FnWinFlush, cint(a.rank), uintptr(e.h)); err != nil {
		return zero, err
	}
	if err := e.x.dt.validate(a.op, mem.Bytes(old)); err != nil {
		return zero, err
	}
	return old[0], nil
}

// Flush waits until all operations with the process of that rank are done there; their slices are free again. It needs an
// epoch of a lock. Calls MPI_Win_flush.
func (e *Epoch[T]) Flush(ctx context.Context, rank int) error {
	return e.flush(ctx, "flush", rank, mpic.FnWinFlush)
}

// FlushLocal waits until the slices of all operations with the process of that rank are free again, those that read have
// read. It needs an epoch of a lock. Calls MPI_Win_flush_local.
func (e *Epoch[T]) FlushLocal(ctx context.Context, rank int) error {
	return e.flush(ctx, "local flush", rank, mpic.FnWinFlushLocal)
}

// FlushAll is Flush with all processes. It needs [Win.LockAll] or [Win.Lock]. Calls MPI_Win_flush_all.
func (e *Epoch[T]) FlushAll(ctx context.Context) error {
	return e.flush(ctx, "flush", -1, mpic.FnWinFlushAll)
}

// FlushLocalAll is FlushLocal with all processes. Calls MPI_Win_flush_local_all.
func (e *Epoch[T]) FlushLocalAll(ctx context.Context) error {
	return e.flush(ctx, "local flush", -1, mpic.FnWinFlushLocalAll)
}

func (e *Epoch[T]) flush(ctx context.Context, op string, rank int, fn mpic.Func) error {
	if e == nil || e.x == nil {
		return invalid(op, "no epoch")
	}
	// Operations that others issue meanwhile stay pending: exclusive, so that there are none.
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.passive {
		return invalid(op, "in an epoch that is not a lock's; its end completes what was done in it")
	}
	args := []uintptr{uintptr(e.h)}
	if rank >= 0 || fn == mpic.FnWinFlush || fn == mpic.FnWinFlushLocal {
		if err := e.check(access{op: op, rank: rank}); err != nil {
			return err
		}
		args = []uintptr{cint(rank), uintptr(e.h)}
	} else if e.over {
		return fmt.Errorf("mpi: %s: the epoch: %w", op, isthmus.ErrClosed)
	}
	if _, err := e.x.owned.Use(); err != nil {
		return err
	}
	p := e.x.world.newPatient(op, e.x.owned.Done)
	defer p.end()
	if err := p.do(ctx, fn, args...); err != nil {
		return err
	}
	return e.complete(rank)
}

// Rput is Put whose request owns b and gives it back when b may be used again, which says nothing about the target. It
// needs an epoch of a lock, whose end waits for it. Calls MPI_Rput.
func (e *Epoch[T]) Rput(b []T, rank, at int) (*Request[T], error) {
	return e.request(access{"request to put", rank, at, len(b)}, b, ffi.Shared, mpic.FnRput)
}

// Rget is Get whose request owns b and gives it back with what was read. It needs an epoch of a lock, whose end waits for
// it. Calls MPI_Rget.
func (e *Epoch[T]) Rget(b []T, rank, at int) (*Request[T], error) {
	return e.request(access{"request to get", rank, at, len(b)}, b, ffi.Exclusive, mpic.FnRget)
}

func (e *Epoch[T]) request(a access, b []T, use ffi.Access, fn mpic.Func) (*Request[T], error) {
	if err := e.open(a); err != nil {
		return nil, err
	}
	defer e.mu.RUnlock()
	if !e.passive {
		return nil, invalid(a.op, "in an epoch that is not a lock's")
	}
	if use == ffi.Exclusive && e.x.dt.bools {
		return nil, fmt.Errorf("mpi: %s: elements with bools: %w; use Get", a.op, isthmus.ErrUnsupported)
	}
	o, err := lendOn(e.x.comm, a.op, b, use)
	if err != nil {
		return nil, err
	}
	args := append(e.span(mem.AddrOf(b), uintptr(e.x.dt.h), a.rank, a.at, a.n), o.request())
	o.entry.Enter("mpi.Request(" + a.op + ")")
	if err := o.begin(fn, 0, args...); err != nil {
		o.entry.Leave()
		return nil, err
	}
	e.pendMu.Lock()
	e.pending = append(e.pending, pending{rank: a.rank, req: o})
	e.pendMu.Unlock()
	return newRequest(o, b), nil
}
