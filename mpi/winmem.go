package mpi

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// winMemory is the memory of a window. The library unmaps what it has allocated when the window is freed, and Go code may
// have kept a slice of it. So Go code never has the library's mapping, but a twin of it that stays.
type winMemory struct {
	loan  *ffi.Loan  // of the caller's memory
	block *mem.Block // ours
	key   bufKey     // of the block
	raw   []byte     // the library's, of this process; nobody gets it

	mu    sync.Mutex
	views map[int]*view // of the library's memory, by rank
}

// view is a twin of the memory of one rank.
type view struct {
	twin   *mem.Twin
	closed bool // nobody may touch it
}

// own gives the window memory of this package's own.
func (m *winMemory) own(typ reflect.Type, size int) error {
	var err error
	m.block, m.key, err = blockFor(typ, size)
	return err
}

// see maps the memory of a rank again. strict closes it until somebody opens it.
func (m *winMemory) see(typ reflect.Type, rank int, raw []byte, strict bool) (*view, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.views[rank]; v != nil {
		return v, nil
	}
	over := retired.take(typ, len(raw))
	twin, err := mem.NewTwin(raw, over)
	if err != nil {
		return nil, err
	}
	v := &view{twin: twin}
	if strict {
		if err := v.close(); err != nil {
			return nil, err
		}
	}
	if m.views == nil {
		m.views = map[int]*view{}
	}
	m.views[rank] = v
	return v, nil
}

func (v *view) close() error {
	err := v.twin.Protect(true)
	v.closed = err == nil
	return err
}

func (v *view) open() error {
	if !v.closed {
		return nil
	}
	v.closed = false
	return v.twin.Protect(false)
}

// giveBack ends the memory: the library has none of it any more. strict lets nobody touch what was its.
func (m *winMemory) giveBack(typ reflect.Type, strict bool) {
	m.loan.Return()
	m.mu.Lock()
	defer m.mu.Unlock()
	for r, v := range m.views {
		if v.twin.End(strict) == nil && !strict {
			retired.put(typ, v.twin)
		}
		delete(m.views, r)
	}
	m.raw = nil
	if m.block != nil {
		_ = putBlock(m.key, m.block)
		m.block = nil
	}
}

// retired are the twins of windows that were closed. Their places are used again, for the same types and sizes, when there
// are many: who has kept a slice finds zeros for a while.
var retired retirement

type retirement struct {
	mu    sync.Mutex
	twins map[bufKey][]*mem.Twin
}

// retire is how many ended twins of one kind wait before the first is used again.
const retire = 64

func (r *retirement) put(typ reflect.Type, t *mem.Twin) {
	if len(t.Bytes()) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.twins == nil {
		r.twins = map[bufKey][]*mem.Twin{}
	}
	k := bufKey{typ, len(t.Bytes())}
	r.twins[k] = append(r.twins[k], t)
}

// take gives the one that has waited longest, nil when there are few.
func (r *retirement) take(typ reflect.Type, size int) *mem.Twin {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := bufKey{typ, size}
	l := r.twins[k]
	if len(l) < retire {
		return nil
	}
	t := l[0]
	r.twins[k] = append(l[:0:0], l[1:]...)
	return t
}

// build makes the window, of the first memory of those that suit it that all processes have. The library's own is best,
// if each process can map its part again; else this package's own, which not every library takes.
func (x *window) build(ctx context.Context, p *patient, h mpic.Handle, from supply, n int, b mem.Addr) error {
	if x.world.foreign { // the others make one window, and compare nothing
		state, err := x.try(ctx, p, h, from, n, b)
		if state == notMade && !p.left {
			x.memory.giveBack(x.dt.typ, x.world.strict())
		}
		return err
	}
	ways := []supply{from}
	switch {
	case from == given:
	case x.comm.size == 1:
		ways = []supply{ours, from}
	case from == allocated:
		ways = []supply{from, ours, from}
	}
	for i, way := range ways {
		last := i == len(ways)-1
		state, err := x.try(ctx, p, h, way, n, b)
		if p.left {
			return err // the library may still make it of the memory, which stays as it is
		}
		// Also the barrier: nobody accesses the memory before it is as it should be.
		worst, best, aerr := x.compare(ctx, p, h, state)
		switch {
		case aerr != nil || worst == notMade && best != notMade:
			err = errors.Join(err, aerr, errors.New("the window is lost"))
			x.broken = err
			return err
		case worst == held || worst == loose && last:
			return nil
		case worst == notMade && last:
			x.memory.giveBack(x.dt.typ, x.world.strict())
			return err
		case worst == notMade:
			x.memory.giveBack(x.dt.typ, x.world.strict())
		default:
			if err := x.owned.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// The states of a window that is tried: it is not made; it is made of memory that cannot be mapped again; it is as it should be.
const (
	notMade int64 = iota
	loose
	held
)

// try makes the window of one kind of memory, zeroed.
func (x *window) try(ctx context.Context, p *patient, h mpic.Handle, from supply, n int, b mem.Addr) (int64, error) {
	if from == ours {
		if err := x.memory.own(x.dt.typ, n*x.elem); err != nil {
			return notMade, fmt.Errorf("mpi: %s: %w", p.op, err)
		}
		b = mem.AddrOf(x.memory.block.Bytes())
	}
	addr, err := x.make(ctx, p, h, from, n, b)
	if err != nil {
		return notMade, err
	}
	if from >= given {
		return held, nil
	}
	// SAFETY: owner: the window, which is not closed meanwhile; bounds: what was asked for; thread: this one.
	raw, err := mem.Slice[byte](addr, n*x.elem)
	if err != nil {
		return loose, fmt.Errorf("mpi: %s: %w", p.op, err)
	}
	clear(raw)
	x.memory.raw = raw
	v, err := x.memory.see(x.dt.typ, x.comm.rank, raw, false)
	if err != nil {
		return loose, nil // parts of it are copied
	}
	if !isTwin(v.twin.Bytes(), raw) || x.world.strict() && v.close() != nil {
		delete(x.memory.views, x.comm.rank) // nobody has seen it
		return loose, nil
	}
	return held, nil
}

// compare tells each process the least and the greatest of what all have.
func (x *window) compare(ctx context.Context, p *patient, h mpic.Handle, mine int64) (least, greatest int64, err error) {
	cells, at, err := int64s(p.f, 1+x.comm.size)
	if err != nil {
		return 0, 0, err
	}
	cells[0] = mine
	i64 := uintptr(x.world.lib.ABI.Int64T)
	if err := p.do(ctx, mpic.FnAllgather, at, 1, i64, at+8, 1, i64, uintptr(h)); err != nil {
		return 0, 0, err
	}
	return slices.Min(cells[1:]), slices.Max(cells[1:]), nil
}

// isTwin reports whether two slices are the same memory, which nobody else uses and which is zero.
func isTwin(a, b []byte) bool {
	if len(a) != len(b) || len(a) == 0 {
		return len(a) == len(b)
	}
	last := len(a) - 1
	b[last] = 1
	seen := a[last] == 1
	a[last] = 0
	return seen && b[last] == 0
}

// part is the memory of a rank for Go code, until end.
func (w *Win[T]) part(op string, h mpic.Handle, rank int, write bool) (part []T, end func(), err error) {
	x := w.core
	if w.mine != nil || x.sizes[rank] == 0 {
		return w.mine, func() {}, nil
	}
	x.memory.mu.Lock()
	v := x.memory.views[rank]
	x.memory.mu.Unlock()
	strict := x.world.strict()
	if v == nil {
		var raw []T
		if rank == x.comm.rank {
			raw, err = mem.View[T](x.memory.raw)
		} else if raw, err = sharedPart[T](x, op, h, rank); err == nil {
			v, _ = x.memory.see(x.dt.typ, rank, mem.Bytes(raw), strict) // where it cannot, a copy does
		}
		if err != nil {
			return nil, nil, err
		}
		if v == nil {
			copied := make([]T, len(raw))
			copy(copied, raw)
			return copied, func() {
				if write {
					copy(raw, copied)
				}
			}, nil
		}
	}
	if err := v.open(); err != nil {
		return nil, nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	if part, err = mem.View[T](v.twin.Bytes()); err != nil {
		return nil, nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	return part, func() {
		if strict {
			_ = v.close() // what cannot be closed stays open, as in other modes
		}
	}, nil
}

// sharedPart is a process's part of a shared window. Calls MPI_Win_shared_query.
func sharedPart[T any](x *window, op string, h mpic.Handle, rank int) ([]T, error) {
	p := x.world.newPatient(op, nil)
	defer p.end()
	cells, at, err := int64s(p.f, 3)
	if err != nil {
		return nil, err
	}
	if err := x.world.do(p.f, op, mpic.FnWinSharedQuery, uintptr(h), cint(rank), at, at+8, at+16); err != nil {
		return nil, err
	}
	n := x.sizes[rank]
	if n == unknown {
		n = int(max(0, cells[0])) / max(1, x.elem)
	}
	if cells[0] < int64(n*x.elem) {
		return nil, bounds(op, "rank %d has %d bytes, not %d", rank, cells[0], n*x.elem)
	}
	// SAFETY: owner: the window, which is in use meanwhile; bounds: what the query has said; alignment: the library's
	// allocations are aligned for every basic type; thread: any, while the lock is held.
	return mem.Slice[T](mem.Addr(cells[2]), n)
}
