package mpi

import (
	"context"
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// A slice that is read into or written is lent to the library until the operation is over, as everywhere. A read says how
// many elements the slice has then: fewer than its length at the end of the file, which is no error; what the others hold
// is undefined. Positions are elements of the view, bytes without one (see [SetView]).
//
// Errors of all of them, as [*FileError]: [isthmus.ErrBounds] for negative positions and slices that are no whole number
// of the view's elements, [ErrReadOnly] and [ErrAccess] for what the mode does not allow, [ErrNoSpace] for a full disk,
// [isthmus.ErrBorrowed] for a slice that is lent to something else, [isthmus.ErrBusy] while another operation of all
// processes is under way, the context's: then the slice stays lent until the library is done, and after an operation of
// all processes the file can only be closed.

// transfer is one read or write.
type transfer struct {
	op    string
	fn    mpic.Func
	read  bool
	all   bool  // of all processes
	at    int64 // where; here: at the position; together: at the shared one
	later bool  // it is started and goes on
}

// The positions that are no number.
const (
	here     = -1
	together = -2
)

// checkTransfer checks a transfer before anything is lent.
func checkTransfer[T any](f *File, b []T, x transfer) (*datatype, error) {
	if f == nil || f.world == nil {
		return nil, invalid(x.op, "no file")
	}
	dt, err := datatypeOf[T](f.world)
	if err != nil {
		return nil, f.fail(fmt.Errorf("mpi: %s: %w", x.op, err))
	}
	v := f.view()
	switch {
	case x.read && f.mode&WriteOnly != 0, !x.read && f.mode&ReadOnly != 0:
		return nil, f.denied(x.op)
	case x.at < together, x.at > math.MaxInt64/int64(max(v.each, v.span, 1)):
		return nil, f.fail(bounds(x.op, "position %d", x.at))
	case f.mode&Sequential != 0 && x.at != together:
		return nil, f.fail(fmt.Errorf("mpi: %s: the file is Sequential: %w; use the shared position", x.op, isthmus.ErrInvalid))
	case len(b)*dt.dense()%v.each != 0:
		return nil, f.fail(bounds(x.op, "%d elements of %d bytes are no whole number of the view's, which have %d", len(b), dt.dense(), v.each))
	}
	return dt, nil
}

// access is how the slice is lent.
func (x transfer) access() ffi.Access {
	if x.read {
		return ffi.Exclusive
	}
	return ffi.Shared
}

// args are the arguments of the call up to the datatype.
func (x transfer) args(h mpic.Handle, b mem.Addr, n int, dt *datatype) []uintptr {
	out := make([]uintptr, 0, 6)
	out = append(out, uintptr(h))
	if x.at >= 0 {
		out = append(out, uintptr(x.at))
	}
	return append(out, uintptr(b), uintptr(n), uintptr(dt.h))
}

// within is how many of n elements a read asks for: those before the file's end. ROMIO counts what lies past it where a
// view has gaps, and Open MPI never ends an immediate read that goes past it. What grows the file meanwhile is not seen, as
// if it came later. The shared position is not known here.
func (f *File) within(x transfer, n int, dt *datatype) int {
	v := f.view()
	gaps := len(v.runs) > 1 || v.extent != int64(v.tile)*int64(v.span)
	if !x.read || x.at == together || n == 0 || !(gaps || x.all || x.later) {
		return n
	}
	at := x.at
	var err error
	if at == here {
		at, err = f.Position()
	}
	size, serr := f.Size()
	if err != nil || serr != nil {
		return n // the call itself will say so
	}
	left := max(v.before(size)-at, 0)
	if left > math.MaxInt64/int64(v.each) {
		return n
	}
	return int(min(int64(n), left*int64(v.each)/int64(max(dt.dense(), 1))))
}

// inOrder is within for a read in the order of ranks: what those before leave of the file.
func (f *File) inOrder(ctx context.Context, p *patient, n int, dt *datatype) (int, error) {
	v := f.view()
	cells, at, err := int64s(p.f, 2+2*f.comm.size)
	if err != nil {
		return 0, err
	}
	// The first process asks for the position before anybody can move it: all wait for what it says.
	pos, err := f.PositionShared()
	if err != nil {
		pos = -1
	}
	size, serr := f.Size()
	ask := int64(n) * int64(dt.dense()) / int64(v.each)
	cells[0], cells[1] = ask, pos
	h, err := f.comm.use(p.op)
	if err != nil {
		return 0, err
	}
	defer f.comm.owned.Done()
	i64 := uintptr(f.world.lib.ABI.Int64T)
	if err := p.do(ctx, mpic.FnAllgather, at, 2, i64, at+16, 2, i64, uintptr(h)); err != nil {
		return 0, err
	}
	pos = cells[3]
	if pos < 0 || serr != nil {
		return n, nil // the call itself will say so
	}
	for r := range f.comm.rank {
		pos += cells[2+2*r]
	}
	left := min(max(v.before(size)-pos, 0), ask)
	return int(left * int64(v.each) / int64(max(dt.dense(), 1))), nil
}

// counted reads a status: how many elements there were.
func (f *File) counted(p *patient, status uintptr, dt *datatype, n int) int {
	for _, t := range []struct {
		h    mpic.Handle
		each int
	}{{dt.h, 1}, {f.world.lib.ABI.Byte, dt.dense()}} { // what is no whole number of elements is counted in bytes
		if f.world.lib.Has(mpic.FnGetCountC) {
			c, at, err := int64s(p.f, 1)
			if err == nil && f.world.do(p.f, p.op, mpic.FnGetCountC, status, uintptr(t.h), at) == nil && c[0] >= 0 && c[0] != int64(f.world.lib.ABI.Undefined) {
				return min(n, int(c[0])/max(t.each, 1))
			}
			continue
		}
		c, at, err := int32s(p.f, 1)
		if err == nil && f.world.do(p.f, p.op, mpic.FnGetCount, status, uintptr(t.h), at) == nil && c[0] >= 0 {
			return min(n, int(c[0])/max(t.each, 1))
		}
	}
	return 0
}

// now does a transfer and waits for it.
func now[T any](ctx context.Context, f *File, b []T, x transfer) (int, error) {
	dt, err := checkTransfer(f, b, x)
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, f.fail(fmt.Errorf("mpi: %s: %w", x.op, context.Cause(ctx)))
	}
	fn, err := f.world.large(x.op, x.fn, len(b))
	if err != nil {
		return 0, f.fail(err)
	}
	h, err := f.use(x.op)
	if err != nil {
		return 0, err
	}
	if x.all {
		if err := f.enter(x.op); err != nil {
			f.owned.Done()
			return 0, err
		}
	}
	loan, err := ffi.LendSlice(b, x.access())
	p := f.world.newPatient(x.op, func() {
		loan.Return()
		if x.all {
			f.collective.Store(false)
		}
		f.owned.Done()
	})
	defer p.end()
	loan.Watch()
	if err != nil {
		return 0, f.fail(fmt.Errorf("mpi: %s: %w", x.op, err))
	}
	_, at, err := int64s(p.f, 5) // a status
	if err != nil {
		return 0, err
	}
	n := f.within(x, len(b), dt)
	if x.read && x.all && x.at == together {
		n, err = f.inOrder(ctx, p, n, dt)
	}
	if err == nil {
		err = p.do(ctx, fn, append(x.args(h, mem.AddrOf(b), n, dt), at)...)
	}
	if err != nil {
		if p.left && x.all {
			f.poisoned.Store(true)
		}
		return 0, f.fail(err)
	}
	n = f.counted(p, at, dt, n)
	loan.Unwatch() // the library is done with what is looked at now
	if x.read {
		err = f.fail(dt.validate(x.op, mem.Bytes(b)[:n*dt.size]))
	}
	return n, err
}

// write is now for what has no count.
func write[T any](ctx context.Context, f *File, b []T, x transfer) error {
	n, err := now(ctx, f, b, x)
	return f.written(err, x.op, n, len(b), len(mem.Bytes(b)))
}

// written is the error of a write of which n of want elements are in the file.
func (f *File) written(err error, op string, n, want, size int) error {
	if err == nil && n < want {
		err = &Error{Op: op, Class: ErrIO, Msg: fmt.Sprintf("%d of %d elements were written", n, want)}
	}
	return f.fail(f.full(err, size))
}

// ReadAt reads the elements from the position at on into b. Calls MPI_File_read_at.
func ReadAt[T any](ctx context.Context, f *File, b []T, at int64) (int, error) {
	return now(ctx, f, b, transfer{op: "read at", fn: mpic.FnFileReadAt, read: true, at: position(at)})
}

// WriteAt writes b from the position at on. Calls MPI_File_write_at.
func WriteAt[T any](ctx context.Context, f *File, b []T, at int64) error {
	return write(ctx, f, b, transfer{op: "write at", fn: mpic.FnFileWriteAt, at: position(at)})
}

// ReadAtAll is [ReadAt] of all processes, each with its own slice and position: the library joins what they read. It is
// collective. Calls MPI_File_read_at_all.
func ReadAtAll[T any](ctx context.Context, f *File, b []T, at int64) (int, error) {
	return now(ctx, f, b, transfer{op: "read at all", fn: mpic.FnFileReadAtAll, read: true, all: true, at: position(at)})
}

// WriteAtAll is [WriteAt] of all processes. It is collective. Calls MPI_File_write_at_all.
func WriteAtAll[T any](ctx context.Context, f *File, b []T, at int64) error {
	return write(ctx, f, b, transfer{op: "write at all", fn: mpic.FnFileWriteAtAll, all: true, at: position(at)})
}

// Read reads the next elements of this process into b, and moves its position. Calls MPI_File_read.
func Read[T any](ctx context.Context, f *File, b []T) (int, error) {
	return now(ctx, f, b, transfer{op: "read", fn: mpic.FnFileRead, read: true, at: here})
}

// Write writes b at the position of this process, and moves it. Calls MPI_File_write.
func Write[T any](ctx context.Context, f *File, b []T) error {
	return write(ctx, f, b, transfer{op: "write", fn: mpic.FnFileWrite, at: here})
}

// ReadAll is [Read] of all processes. It is collective. Calls MPI_File_read_all.
func ReadAll[T any](ctx context.Context, f *File, b []T) (int, error) {
	return now(ctx, f, b, transfer{op: "read all", fn: mpic.FnFileReadAll, read: true, all: true, at: here})
}

// WriteAll is [Write] of all processes. It is collective. Calls MPI_File_write_all.
func WriteAll[T any](ctx context.Context, f *File, b []T) error {
	return write(ctx, f, b, transfer{op: "write all", fn: mpic.FnFileWriteAll, all: true, at: here})
}

// ReadShared reads the next elements that no process has read, and moves the shared position: no two processes get the
// same, in no order. Calls MPI_File_read_shared.
func ReadShared[T any](ctx context.Context, f *File, b []T) (int, error) {
	return now(ctx, f, b, transfer{op: "read shared", fn: mpic.FnFileReadShared, read: true, at: together})
}

// WriteShared writes b where the shared position is, and moves it: what processes write does not overlap. Calls
// MPI_File_write_shared.
func WriteShared[T any](ctx context.Context, f *File, b []T) error {
	return write(ctx, f, b, transfer{op: "write shared", fn: mpic.FnFileWriteShared, at: together})
}

// ReadOrdered is [ReadShared] of all processes in the order of ranks. It is collective. Calls MPI_File_read_ordered.
func ReadOrdered[T any](ctx context.Context, f *File, b []T) (int, error) {
	return now(ctx, f, b, transfer{op: "read ordered", fn: mpic.FnFileReadOrdered, read: true, all: true, at: together})
}

// WriteOrdered is [WriteShared] of all processes in the order of ranks. It is collective. Calls MPI_File_write_ordered.
func WriteOrdered[T any](ctx context.Context, f *File, b []T) error {
	return write(ctx, f, b, transfer{op: "write ordered", fn: mpic.FnFileWriteOrdered, all: true, at: together})
}

// position keeps negative positions from those that are no number.
func position(at int64) int64 {
	if at < 0 {
		return math.MinInt64
	}
	return at
}
