package mpi

import (
	"context"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Split is an operation of all processes on a file in two halves, between which the program does other things. It has the
// slice until End gives it back. A file has one at a time, and no other operation of all processes meanwhile. It is safe
// for concurrent use.
type Split[T any] struct {
	mu    sync.Mutex
	f     *File
	b     []T
	x     transfer
	end   mpic.Func
	h     mpic.Handle
	dt    *datatype
	n     int      // elements that were asked for
	p     *patient // nil: ended
	loan  *ffi.Loan
	entry isthmus.Entry
}

// begin is the first half.
func begin[T any](ctx context.Context, f *File, b []T, x transfer, end mpic.Func) (*Split[T], error) {
	x.all = true
	dt, err := checkTransfer(f, b, x)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, f.fail(fmt.Errorf("mpi: %s: %w", x.op, context.Cause(ctx)))
	}
	fn, err := f.world.large(x.op, x.fn, len(b))
	if err != nil {
		return nil, f.fail(err)
	}
	h, err := f.use(x.op)
	if err != nil {
		return nil, err
	}
	if err := f.enter(x.op); err != nil {
		f.owned.Done()
		return nil, err
	}
	s := &Split[T]{f: f, b: b, x: x, end: end, h: h, dt: dt, n: f.within(x, len(b), dt)}
	loan, err := ffi.LendSlice(b, x.access())
	s.p = f.world.newPatient(x.op, func() {
		loan.Return()
		f.collective.Store(false)
		f.owned.Done()
	})
	loan.Watch()
	s.loan = loan
	if err != nil {
		err = fmt.Errorf("mpi: %s: %w", x.op, err)
	} else if s.n, err = f.split(ctx, s.p, x, s.n, dt); err == nil {
		err = s.p.do(ctx, fn, x.args(h, mem.AddrOf(b), s.n, dt)...)
	}
	if err != nil {
		if s.p.left {
			f.poisoned.Store(true)
		}
		s.p.end()
		return nil, f.fail(err)
	}
	s.entry.Enter("mpi.Split(" + x.op + ")")
	return s, nil
}

// split is how many elements the first half asks for.
func (f *File) split(ctx context.Context, p *patient, x transfer, n int, dt *datatype) (int, error) {
	if x.read && x.at == together {
		return f.inOrder(ctx, p, n, dt)
	}
	return n, nil
}

// End is the second half: it waits until the operation is over and gives the slice back, with how many elements it has.
// A second call is [isthmus.ErrClosed].
func (s *Split[T]) End(ctx context.Context) ([]T, int, error) {
	const op = "end"
	if s == nil || s.f == nil {
		return nil, 0, invalid(op, "no operation")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.p
	if p == nil {
		return nil, 0, s.f.fail(fmt.Errorf("mpi: %s: it has ended: %w", s.x.op, isthmus.ErrClosed))
	}
	if ctx.Err() != nil {
		return nil, 0, s.f.fail(fmt.Errorf("mpi: %s: %w", s.x.op, context.Cause(ctx)))
	}
	_, status, err := int64s(p.f, 5)
	if err != nil {
		return nil, 0, err
	}
	s.p = nil
	s.entry.Leave()
	defer p.end()
	if err := p.do(ctx, s.end, uintptr(s.h), uintptr(mem.AddrOf(s.b)), status); err != nil {
		if p.left {
			s.f.poisoned.Store(true)
			return nil, 0, s.f.fail(err)
		}
		return s.b, 0, s.f.fail(s.f.full(err, len(mem.Bytes(s.b))))
	}
	n := s.f.counted(p, status, s.dt, s.n)
	s.loan.Unwatch() // the library is done with what is looked at now
	if s.x.read {
		err = s.f.fail(s.dt.validate(s.x.op, mem.Bytes(s.b)[:n*s.dt.size]))
	} else {
		err = s.f.written(nil, s.x.op, n, s.n, len(mem.Bytes(s.b)))
	}
	return s.b, n, err
}

// BeginReadAtAll begins a [ReadAtAll]. Calls MPI_File_read_at_all_begin; End calls MPI_File_read_at_all_end.
func BeginReadAtAll[T any](ctx context.Context, f *File, b []T, at int64) (*Split[T], error) {
	return begin(ctx, f, b, transfer{op: "read at all", fn: mpic.FnFileReadAtAllBegin, read: true, at: position(at)}, mpic.FnFileReadAtAllEnd)
}

// BeginWriteAtAll begins a [WriteAtAll]. Calls MPI_File_write_at_all_begin; End calls MPI_File_write_at_all_end.
func BeginWriteAtAll[T any](ctx context.Context, f *File, b []T, at int64) (*Split[T], error) {
	return begin(ctx, f, b, transfer{op: "write at all", fn: mpic.FnFileWriteAtAllBegin, at: position(at)}, mpic.FnFileWriteAtAllEnd)
}

// BeginReadAll begins a [ReadAll]. Calls MPI_File_read_all_begin; End calls MPI_File_read_all_end.
func BeginReadAll[T any](ctx context.Context, f *File, b []T) (*Split[T], error) {
	return begin(ctx, f, b, transfer{op: "read all", fn: mpic.FnFileReadAllBegin, read: true, at: here}, mpic.FnFileReadAllEnd)
}

// BeginWriteAll begins a [WriteAll]. Calls MPI_File_write_all_begin; End calls MPI_File_write_all_end.
func BeginWriteAll[T any](ctx context.Context, f *File, b []T) (*Split[T], error) {
	return begin(ctx, f, b, transfer{op: "write all", fn: mpic.FnFileWriteAllBegin, at: here}, mpic.FnFileWriteAllEnd)
}

// BeginReadOrdered begins a [ReadOrdered]. Calls MPI_File_read_ordered_begin; End calls MPI_File_read_ordered_end.
func BeginReadOrdered[T any](ctx context.Context, f *File, b []T) (*Split[T], error) {
	return begin(ctx, f, b, transfer{op: "read ordered", fn: mpic.FnFileReadOrderedBegin, read: true, at: together}, mpic.FnFileReadOrderedEnd)
}

// BeginWriteOrdered begins a [WriteOrdered]. Calls MPI_File_write_ordered_begin; End calls MPI_File_write_ordered_end.
func BeginWriteOrdered[T any](ctx context.Context, f *File, b []T) (*Split[T], error) {
	return begin(ctx, f, b, transfer{op: "write ordered", fn: mpic.FnFileWriteOrderedBegin, at: together}, mpic.FnFileWriteOrderedEnd)
}
