package mpi

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Immediate transfers are calls of the functions that wait, on goroutines of their own. The libraries' immediate functions
// are not used: when the disk is full MPICH's never end and Open MPI's read address zero, and a read past the file's end
// never ends with Open MPI (docs/found.md). A process's part of a collective transfer does not wait for the others: the
// standard lets it.

// fileSlots is how many immediate transfers of a file are under way at once; each has a thread.
const fileSlots = 8

// task is a call on a goroutine.
type task struct {
	done atomic.Bool
	err  error // and n: written before done
	n    int   // elements
}

// startFile starts a transfer.
func startFile[T any](f *File, b []T, x transfer, kind string) (*operation, error) {
	x.later = true
	dt, err := checkTransfer(f, b, x)
	if err != nil {
		return nil, err
	}
	fn, err := f.world.large(x.op, x.fn, len(b))
	if err != nil {
		return nil, f.fail(err)
	}
	if _, err := f.world.lib.Fn(fn); err != nil {
		return nil, f.fail(fmt.Errorf("mpi: %s: %w", x.op, err))
	}
	h, err := f.use(x.op)
	if err != nil {
		return nil, err
	}
	n, err := f.reserve(&x, len(b), dt)
	if err != nil {
		f.owned.Done()
		return nil, err
	}
	o, err := lendOn(f.comm, x.op, b, x.access())
	if err != nil {
		f.owned.Done()
		return nil, f.fail(err)
	}
	t := &task{}
	o.dt, o.fixed, o.task = dt, true, t
	o.ended = func(err error) error {
		switch {
		case err == nil && x.read:
			err = dt.validate(x.op, mem.Bytes(b)[:t.n*dt.size])
		case !x.read:
			err = f.written(err, x.op, t.n, len(b), len(mem.Bytes(b)))
		}
		f.owned.Done()
		return f.fail(err)
	}
	o.entry.Enter(kind)
	go func() {
		f.slots <- struct{}{}
		defer func() { <-f.slots }()
		t.n, t.err = f.transfer(x, fn, h, mem.AddrOf(b), n, dt)
		t.done.Store(true)
	}()
	return o, nil
}

// reserve gives a transfer its place in the file, and moves the position past it; n is how many elements it has.
func (f *File) reserve(x *transfer, size int, dt *datatype) (int, error) {
	if x.at != here {
		return f.within(*x, size, dt), nil
	}
	f.moving.Lock()
	defer f.moving.Unlock()
	at, err := f.Position()
	if err != nil {
		return 0, err
	}
	x.at = at
	n := f.within(*x, size, dt)
	v := f.view()
	return n, f.Move(at+int64(n)*int64(dt.dense())/int64(v.each), io.SeekStart)
}

// transfer makes the call.
func (f *File) transfer(x transfer, fn mpic.Func, h mpic.Handle, b mem.Addr, n int, dt *datatype) (int, error) {
	p := f.world.newPatient(x.op, nil)
	defer p.end()
	_, at, err := int64s(p.f, 5) // a status
	if err != nil {
		return 0, err
	}
	if err := f.world.do(p.f, x.op, fn, append(x.args(h, b, n, dt), at)...); err != nil {
		return 0, err
	}
	return f.counted(p, at, dt, n), nil
}

// later starts a transfer; the request has b.
func later[T any](f *File, b []T, x transfer) (*Request[T], error) {
	o, err := startFile(f, b, x, "mpi.Request("+x.op+")")
	if err != nil {
		return nil, err
	}
	return newRequest(o, b), nil
}

// IreadAt is an immediate [ReadAt]. The Status that Wait gives counts the elements. Calls MPI_File_read_at.
func IreadAt[T any](f *File, b []T, at int64) (*Request[T], error) {
	return later(f, b, transfer{op: "read at", fn: mpic.FnFileReadAt, read: true, at: position(at)})
}

// IwriteAt is an immediate [WriteAt]. Calls MPI_File_write_at.
func IwriteAt[T any](f *File, b []T, at int64) (*Request[T], error) {
	return later(f, b, transfer{op: "write at", fn: mpic.FnFileWriteAt, at: position(at)})
}

// IreadAtAll is an immediate [ReadAtAll]. Calls MPI_File_read_at.
func IreadAtAll[T any](f *File, b []T, at int64) (*Request[T], error) {
	return later(f, b, transfer{op: "read at all", fn: mpic.FnFileReadAt, read: true, at: position(at)})
}

// IwriteAtAll is an immediate [WriteAtAll]. Calls MPI_File_write_at.
func IwriteAtAll[T any](f *File, b []T, at int64) (*Request[T], error) {
	return later(f, b, transfer{op: "write at all", fn: mpic.FnFileWriteAt, at: position(at)})
}

// Iread is an immediate [Read]: the position has moved when it returns. Calls MPI_File_read_at.
func Iread[T any](f *File, b []T) (*Request[T], error) {
	return later(f, b, transfer{op: "read", fn: mpic.FnFileReadAt, read: true, at: here})
}

// Iwrite is an immediate [Write]: the position has moved when it returns. Calls MPI_File_write_at.
func Iwrite[T any](f *File, b []T) (*Request[T], error) {
	return later(f, b, transfer{op: "write", fn: mpic.FnFileWriteAt, at: here})
}

// IreadAll is an immediate [ReadAll]. Calls MPI_File_read_at.
func IreadAll[T any](f *File, b []T) (*Request[T], error) {
	return later(f, b, transfer{op: "read all", fn: mpic.FnFileReadAt, read: true, at: here})
}

// IwriteAll is an immediate [WriteAll]. Calls MPI_File_write_at.
func IwriteAll[T any](f *File, b []T) (*Request[T], error) {
	return later(f, b, transfer{op: "write all", fn: mpic.FnFileWriteAt, at: here})
}

// IreadShared is an immediate [ReadShared]. Calls MPI_File_read_shared.
func IreadShared[T any](f *File, b []T) (*Request[T], error) {
	return later(f, b, transfer{op: "read shared", fn: mpic.FnFileReadShared, read: true, at: together})
}

// IwriteShared is an immediate [WriteShared]. Calls MPI_File_write_shared.
func IwriteShared[T any](f *File, b []T) (*Request[T], error) {
	return later(f, b, transfer{op: "write shared", fn: mpic.FnFileWriteShared, at: together})
}
