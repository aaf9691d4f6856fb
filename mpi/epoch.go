package mpi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// LockMode is how an epoch of [Win.Lock] excludes others. The zero value is invalid.
type LockMode int

// The modes.
const (
	LockShared    LockMode = iota + 1 // any number of processes at once; what they do to one place has to be atomic or reading
	LockExclusive                     // one process at a time
)

// String returns the name in the standard.
func (m LockMode) String() string {
	switch m {
	case LockShared:
		return "MPI_LOCK_SHARED"
	case LockExclusive:
		return "MPI_LOCK_EXCLUSIVE"
	}
	return fmt.Sprintf("LockMode(%d)", int(m))
}

// Epoch is the time in which a process accesses the memory of others. Slices that are given to its methods are lent until
// it ends, or until a flush: they are neither written meanwhile, nor read if the operation writes to them. It is safe for
// concurrent use. After the function that it was given to has returned it is [isthmus.ErrClosed].
type Epoch[T any] struct {
	x       *window
	h       mpic.Handle
	targets []int // that it may access; nil for all
	passive bool  // a lock's: the targets take no part, and there are flushes and requests

	mu   sync.RWMutex // held for reading by operations
	over bool

	pendMu  sync.Mutex
	pending []pending
}

// pending is an operation that was issued and not completed.
type pending struct {
	rank  int
	loans [2]*ffi.Loan
	check []byte     // of bools, that the operation writes to
	req   *operation // that has the loans
}

// Fence is an epoch of all processes at once, which all call it: f runs between two fences, and what it did is done
// everywhere when Fence returns. When f fails or panics the closing fence is made all the same. Calls MPI_Win_fence.
//
// Errors: those of f and of the fences; [isthmus.ErrBusy] in another epoch; when ctx ends before the others come, its
// error: the window is broken then, and what was lent stays lent until the library is done.
func (w *Win[T]) Fence(ctx context.Context, f func(e *Epoch[T]) error) error {
	const op = "fence"
	if w == nil || w.core == nil {
		return invalid(op, "no window")
	}
	a := &w.core.world.lib.ABI
	return w.run(ctx, op, "fence epoch", f, &Epoch[T]{}, []step{{mpic.FnWinFence, cint(0)}}, []step{{mpic.FnWinFence, cint(a.ModeNosucceed)}})
}

// Lock is an epoch of this process alone with one other, or with itself. Everything is done there when Lock returns.
// Calls MPI_Win_lock and MPI_Win_unlock.
//
// Errors: as for [Win.Fence]; [isthmus.ErrBounds] for a rank that does not exist.
func (w *Win[T]) Lock(ctx context.Context, mode LockMode, rank int, f func(e *Epoch[T]) error) error {
	const op = "lock"
	kind, err := w.lockArgs(op, mode, rank)
	if err != nil {
		return err
	}
	return w.run(ctx, op, "lock epoch", f, &Epoch[T]{targets: []int{rank}, passive: true},
		[]step{{mpic.FnWinLock, kind, cint(rank), 0}}, []step{{mpic.FnWinUnlock, cint(rank)}})
}

func (w *Win[T]) lockArgs(op string, mode LockMode, rank int) (uintptr, error) {
	if w == nil || w.core == nil {
		return 0, invalid(op, "no window")
	}
	a := &w.core.world.lib.ABI
	switch mode {
	case LockShared:
		return cint(a.LockShared), w.core.rank(op, rank)
	case LockExclusive:
		return cint(a.LockExclusive), w.core.rank(op, rank)
	}
	return 0, invalid(op, "%v", mode)
}

// LockAll is [Win.Lock] in the shared mode with all processes at once. Calls MPI_Win_lock_all and MPI_Win_unlock_all.
func (w *Win[T]) LockAll(ctx context.Context, f func(e *Epoch[T]) error) error {
	const op = "lock all"
	if w == nil || w.core == nil {
		return invalid(op, "no window")
	}
	return w.run(ctx, op, "lock epoch", f, &Epoch[T]{passive: true}, []step{{mpic.FnWinLockAll, 0}}, []step{{mpic.FnWinUnlockAll}})
}

// Access is an epoch with the processes of targets, each of which calls [Win.Expose] with this one among its origins.
// Calls MPI_Win_start and MPI_Win_complete.
func (w *Win[T]) Access(ctx context.Context, targets []int, f func(e *Epoch[T]) error) error {
	const op = "access"
	g, free, err := w.group(op, targets)
	if err != nil {
		return err
	}
	defer free()
	return w.run(ctx, op, "access epoch", f, &Epoch[T]{targets: slices.Clone(targets)}, []step{{mpic.FnWinStart, uintptr(g), 0}}, []step{{mpic.FnWinComplete}})
}

// Expose lets the processes of origins, each of which calls [Win.Access], access this one's memory, and returns when all
// of them are done. f, which may be nil, runs meanwhile; it may call [Win.Access] itself. Calls MPI_Win_post and
// MPI_Win_wait.
func (w *Win[T]) Expose(ctx context.Context, origins []int, f func() error) error {
	const op = "expose"
	g, free, err := w.group(op, origins)
	if err != nil {
		return err
	}
	defer free()
	return w.core.within(ctx, op, "exposure epoch", true, []step{{mpic.FnWinPost, uintptr(g), 0}}, []step{{mpic.FnWinWait}}, func(mpic.Handle) error {
		if f == nil {
			return nil
		}
		return f()
	}, nil)
}

// View has f work on the part of the window that the process with that rank has, directly: its own, or in a shared window
// any. The memory is locked meanwhile, so that no epoch of [Win.Lock] with it is in the way; mode [LockShared] is for
// reading. Calls MPI_Win_lock, MPI_Win_sync and MPI_Win_unlock.
//
// part must not be used after f has returned. Who does still touches memory of this type and nothing else: part is a
// mapping of its own, which stays when the library unmaps its one, and has zeros, or in time another window's elements,
// when the window is closed. In a strict check mode or under the race detector nobody may touch it between views: such a
// use faults at its line. Where the memory cannot be mapped a second time, the window is made of memory of this package's,
// which is never unmapped either; of a shared one part is then a copy, written back at the end in the mode LockExclusive.
//
// Errors: those of f; [isthmus.ErrInvalid] for another process's part in a window that is not shared; as for [Win.Lock].
func (w *Win[T]) View(ctx context.Context, mode LockMode, rank int, f func(part []T) error) error {
	const op = "view"
	kind, err := w.lockArgs(op, mode, rank)
	if err != nil {
		return err
	}
	x := w.core
	if rank != x.comm.rank && !x.shared {
		return invalid(op, "the memory of rank %d in a window that is not shared; use Get, or AllocateShared", rank)
	}
	return x.within(ctx, op, "lock epoch", false,
		[]step{{mpic.FnWinLock, kind, cint(rank), 0}, {mpic.FnWinSync}}, []step{{mpic.FnWinSync}, {mpic.FnWinUnlock, cint(rank)}},
		func(h mpic.Handle) error {
			x.memory.loan.Unwatch() // it is Go code's meanwhile
			defer x.memory.loan.Watch()
			part, end, err := w.part(op, h, rank, mode == LockExclusive)
			if err != nil {
				return err
			}
			defer end()
			if err := x.dt.validate(op, mem.Bytes(part)); err != nil {
				return err
			}
			return f(part)
		}, nil)
}

// step is a call on the window; the window is the last argument of each, but of those where it is the only one.
type step []any

// run runs f in an epoch that accesses others.
func (w *Win[T]) run(ctx context.Context, op, epoch string, f func(*Epoch[T]) error, e *Epoch[T], open, shut []step) error {
	if f == nil {
		return invalid(op, "no function")
	}
	x := w.core
	e.x = x
	return x.within(ctx, op, epoch, false, open, shut, func(h mpic.Handle) error {
		e.h = h
		return f(e)
	}, e.shut)
}

// within opens an epoch, runs f and closes the epoch, whatever becomes of f. before runs before the epoch is closed, and
// returns what runs when it is closed.
func (x *window) within(ctx context.Context, op, epoch string, exposure bool, open, shut []step, f func(mpic.Handle) error, before func(context.Context) (func() error, error)) (err error) {
	if ctx.Err() != nil {
		return fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	h, err := x.enter(op, epoch, exposure)
	if err != nil {
		return err
	}
	p := x.world.newPatient(op, x.owned.Done)
	for i, s := range open {
		if err := p.do(ctx, s[0].(mpic.Func), s.args(h)...); err != nil {
			if p.left || i > 0 {
				x.leave(exposure, err)
			} else {
				x.leave(exposure, nil)
			}
			p.end()
			return err
		}
	}
	defer func() {
		// Also when f panics or ends its goroutine.
		late, stop := overtime(ctx)
		defer stop()
		var done func() error
		var serr error
		if before != nil {
			done, serr = before(late)
		}
		for _, s := range shut {
			serr = errors.Join(serr, p.do(late, s[0].(mpic.Func), s.args(h)...))
			if p.left {
				break
			}
		}
		if done != nil && !p.left {
			serr = errors.Join(serr, done())
		}
		var broken error
		if p.left {
			broken = serr
		}
		x.leave(exposure, broken)
		p.end()
		err = errors.Join(err, serr)
	}()
	return f(h)
}

func (s step) args(h mpic.Handle) []uintptr {
	out := make([]uintptr, 0, len(s))
	for _, a := range s[1:] {
		switch a := a.(type) {
		case uintptr:
			out = append(out, a)
		case int:
			out = append(out, cint(a))
		}
	}
	return append(out, uintptr(h))
}

// group makes a group of ranks of the window's communicator. Calls MPI_Comm_group and MPI_Group_incl.
func (w *Win[T]) group(op string, ranks []int) (g mpic.Handle, free func(), err error) {
	if w == nil || w.core == nil {
		return 0, nil, invalid(op, "no window")
	}
	x := w.core
	for i, r := range ranks {
		if err := x.rank(op, r); err != nil {
			return 0, nil, err
		}
		if slices.Contains(ranks[:i], r) {
			return 0, nil, fmt.Errorf("mpi: %s: rank %d twice: %w: %w", op, r, isthmus.ErrInvalid, ErrRank)
		}
	}
	c, err := x.comm.use(op)
	if err != nil {
		return 0, nil, err
	}
	defer x.comm.owned.Done()
	p := x.world.newPatient(op, nil)
	defer p.end()
	cells, at, err := int64s(p.f, 2)
	if err != nil {
		return 0, nil, err
	}
	list, listAt, err := int32s(p.f, len(ranks))
	if err != nil {
		return 0, nil, err
	}
	for i, r := range ranks {
		list[i] = int32(r)
	}
	if err := x.world.do(p.f, op, mpic.FnCommGroup, uintptr(c), at); err != nil {
		return 0, nil, err
	}
	err = x.world.do(p.f, op, mpic.FnGroupIncl, uintptr(cells[0]), cint(len(ranks)), listAt, at+8)
	ferr := x.world.do(p.f, op, mpic.FnGroupFree, at)
	if err = errors.Join(err, ferr); err != nil {
		return 0, nil, err
	}
	g = mpic.Handle(cells[1])
	if len(ranks) == 0 {
		return g, func() {}, nil // MPI_GROUP_EMPTY
	}
	return g, func() { _ = x.world.free(op, mpic.FnGroupFree, g) }, nil
}

// shut lets no operation in any more and waits for those of requests. What it returns runs when the epoch is closed.
func (e *Epoch[T]) shut(ctx context.Context) (func() error, error) {
	e.mu.Lock()
	e.over = true
	e.mu.Unlock()
	err := e.requests(ctx, -1)
	return func() error { return e.complete(-1) }, err
}

// requests waits for the requests that access a rank, -1 for all.
func (e *Epoch[T]) requests(ctx context.Context, rank int) error {
	e.pendMu.Lock()
	list := slices.Clone(e.pending)
	e.pendMu.Unlock()
	var err error
	for _, p := range list {
		if p.req != nil && (rank < 0 || p.rank == rank) {
			if werr := p.req.wait(ctx); werr != nil && !p.req.isOver() {
				err = errors.Join(err, werr)
			}
		}
	}
	return err
}

// complete gives back what operations with a rank, -1 for all, have lent.
func (e *Epoch[T]) complete(rank int) error {
	e.pendMu.Lock()
	var done []pending
	e.pending = slices.DeleteFunc(e.pending, func(p pending) bool {
		if rank >= 0 && p.rank != rank {
			return false
		}
		done = append(done, p)
		return true
	})
	e.pendMu.Unlock()
	var err error
	for _, p := range done {
		for _, l := range p.loans {
			l.Unwatch() // the library is done with what is looked at now
		}
		if p.check != nil {
			err = errors.Join(err, e.x.dt.validate("get", p.check))
		}
		for _, l := range p.loans {
			l.Return()
		}
	}
	return err
}
