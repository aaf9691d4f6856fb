package mpi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Mode says how a file is opened: one of the first three, and any of the others.
type Mode int

// The modes (MPI-4.1, 14.2.1).
const (
	ReadOnly      Mode = 1 << iota
	WriteOnly          // nothing is read
	ReadWrite          // both
	Create             // the file if it does not exist
	Exclusive          // with Create: it must not exist
	DeleteOnClose      // the file is gone when it is closed
	UniqueOpen         // nobody else has it open
	Sequential         // it is a stream: only the shared position is used
	Append             // positions begin at the end
)

// File is a file that the processes of a communicator read and write together. It holds elements of one type after one
// another, without what Go adds to structs, or what its view says: see [SetView].
//
// It has a position of this process's own, that [Read] and its kin use and move, and one that is shared by all
// processes. It is safe for concurrent use; operations of all processes come one after the other. The zero value is
// closed.
type File struct {
	owned ffi.Owned[mpic.Handle]
	world *World
	comm  *Comm // the file's own, of the same processes
	name  string
	mode  Mode

	collective atomic.Bool // one is under way
	poisoned   atomic.Bool // one was given up
	moving     sync.Mutex  // held while the position is taken for an immediate transfer
	slots      chan struct{}
	mu         sync.Mutex
	seen       fileView
}

// OpenFile opens a file in all processes of the communicator: it is collective, and all give the same mode. The hints
// count where the library heeds them. The caller closes it. Calls MPI_File_open.
//
// Errors, as [*FileError] in every process: [ErrNoSuchFile], which is fs.ErrNotExist too; [ErrFileExists], fs.ErrExist;
// [ErrAccess], fs.ErrPermission; [ErrBadFile] for a name that no file can have, such as a directory's;
// [isthmus.ErrInvalid] for modes that exclude each other.
func (c *Comm) OpenFile(ctx context.Context, name string, mode Mode, hints *Hints) (*File, error) {
	const op = "open a file"
	f := &File{world: c.World(), name: name, mode: mode, slots: make(chan struct{}, fileSlots)}
	local := mode.check(op)
	if name == "" || len(name) > 4095 || strings.ContainsRune(name, 0) {
		local = bounds(op, "a name of %d bytes", len(name))
	}
	ih, done, err := hints.use(c.World(), op)
	if err != nil {
		if c == nil || c.world == nil {
			return nil, err
		}
		local, done = err, func() {}
	}
	own, err := c.create(ctx, making{op: op, name: fmt.Sprintf("file %q", name), fn: mpic.FnCommDup, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		return []uintptr{h}, nil
	}})
	if err != nil {
		done()
		return nil, errors.Join(local, err)
	}
	f.comm = own
	h, err := own.use(op)
	if err != nil {
		done()
		return nil, err
	}
	p := c.world.newPatient(op, func() { done(); own.owned.Done() })
	err = f.open(ctx, p, h, ih, local)
	p.end()
	if err != nil {
		if !p.left {
			err = errors.Join(err, own.Close())
		}
		return nil, f.fail(err)
	}
	return f, nil
}

// open agrees on what is opened, and opens it.
func (f *File) open(ctx context.Context, p *patient, h mpic.Handle, hints uintptr, local error) error {
	w := f.world
	same, err := agree(ctx, p, w, h, local == nil, int64(f.mode))
	if err != nil || local != nil {
		return errors.Join(local, err)
	}
	if !same {
		return invalid(p.op, "the processes open it in different ways, or one of them cannot")
	}
	cells, at, err := int64s(p.f, 1)
	if err != nil {
		return err
	}
	text, err := p.f.Text(f.name)
	if err != nil {
		return err
	}
	cells[0] = int64(w.lib.ABI.FileNull)
	err = p.do(ctx, mpic.FnFileOpen, uintptr(h), uintptr(text), cint(f.mode.native(&w.lib.ABI)), hints, at)
	if p.left {
		return err
	}
	if err == nil && mpic.Handle(cells[0]) == w.lib.ABI.FileNull {
		err = &Error{Op: p.op, Class: ErrFile, Msg: "the library has opened nothing"}
	}
	err = f.blame(err)
	if all, aerr := agree(ctx, p, w, h, err == nil, 0); err == nil && (aerr != nil || !all) {
		// It cannot be closed: that is collective, and the others have nothing to close.
		return errors.Join(&Error{Op: p.op, Class: ErrFile, Msg: "another process could not open it"}, aerr)
	}
	if err != nil {
		return err
	}
	fh := mpic.Handle(cells[0])
	if err := w.do(p.f, p.op, mpic.FnFileSetErrhandler, uintptr(fh), uintptr(w.lib.ABI.ErrorsReturn)); err != nil {
		return err
	}
	own := f.comm
	class := &ffi.Class[mpic.Handle]{Name: "mpi.File", Destroy: func(h mpic.Handle) error {
		return errors.Join(w.free("close a file", mpic.FnFileClose, h), own.Close())
	}, Backstop: ffi.BackstopReport}
	return f.owned.Init(class, fh, &w.owned)
}

// agree reports whether all processes say ok and the same number.
func agree(ctx context.Context, p *patient, w *World, h mpic.Handle, ok bool, same int64) (bool, error) {
	cells, at, err := int64s(p.f, 6)
	if err != nil {
		return false, err
	}
	cells[0], cells[1], cells[2] = int64(flag(ok)), same, -same
	a := &w.lib.ABI
	if err := p.do(ctx, mpic.FnAllreduce, at, at+24, 3, uintptr(a.Int64T), uintptr(a.Min), uintptr(h)); err != nil {
		return false, err
	}
	return cells[3] == 1 && cells[4] == -cells[5], nil
}

// check refuses modes that exclude each other.
func (m Mode) check(op string) error {
	access := m & (ReadOnly | WriteOnly | ReadWrite)
	switch {
	case m < 0 || m >= Append<<1 || (access != ReadOnly && access != WriteOnly && access != ReadWrite):
		return fmt.Errorf("mpi: %s: mode %v; want one of ReadOnly, WriteOnly and ReadWrite: %w: %w", op, m, isthmus.ErrInvalid, ErrAmode)
	case access == ReadOnly && m&(Create|Exclusive) != 0, m&(ReadWrite|Sequential) == ReadWrite|Sequential, m&(Exclusive|Create) == Exclusive:
		return fmt.Errorf("mpi: %s: mode %v excludes itself: %w: %w", op, m, isthmus.ErrInvalid, ErrAmode)
	}
	return nil
}

// native is the library's number.
func (m Mode) native(a *mpic.ABI) int {
	out := 0
	for i, v := range []int{a.ModeRdonly, a.ModeWronly, a.ModeRdwr, a.ModeCreate, a.ModeExcl, a.ModeDeleteOnClose, a.ModeUniqueOpen, a.ModeSequential, a.ModeAppend} {
		if m&(1<<i) != 0 {
			out |= v
		}
	}
	return out
}

// String lists the modes.
func (m Mode) String() string {
	var out []string
	for i, s := range []string{"ReadOnly", "WriteOnly", "ReadWrite", "Create", "Exclusive", "DeleteOnClose", "UniqueOpen", "Sequential", "Append"} {
		if m&(1<<i) != 0 {
			out = append(out, s)
		}
	}
	if len(out) == 0 || m < 0 || m >= Append<<1 {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return strings.Join(out, "|")
}

// DeleteFile deletes a file that no process has open. It is this process's alone. Calls MPI_File_delete. Errors: as
// for [Comm.OpenFile].
func (w *World) DeleteFile(name string, hints *Hints) error {
	const op = "delete a file"
	if name == "" || len(name) > 4095 || strings.ContainsRune(name, 0) {
		return bounds(op, "a name of %d bytes", len(name))
	}
	ih, done, err := hints.use(w, op)
	if err != nil {
		return err
	}
	defer done()
	return w.onPort(op, func() error {
		f := call.Get()
		defer f.Put()
		text, err := f.Text(name)
		if err != nil {
			return err
		}
		x := &File{world: w, name: name}
		return x.fail(x.blame(w.do(f, op, mpic.FnFileDelete, uintptr(text), ih)))
	})
}

// use opens the file for a call.
func (f *File) use(op string) (mpic.Handle, error) {
	if f == nil || f.world == nil || f.comm == nil {
		return 0, invalid(op, "no file")
	}
	h, err := f.owned.Use()
	if err != nil {
		return 0, f.fail(fmt.Errorf("mpi: %s: %w", op, err))
	}
	if f.poisoned.Load() {
		f.owned.Done()
		return 0, f.fail(fmt.Errorf("mpi: %s: an operation of all processes was given up, so they no longer agree on what comes next: %w; close it", op, isthmus.ErrInvalid))
	}
	return h, nil
}

// Name is the name that the file was opened by.
func (f *File) Name() string {
	if f == nil {
		return ""
	}
	return f.name
}

// Mode is how the file was opened.
func (f *File) Mode() Mode {
	if f == nil {
		return 0
	}
	return f.mode
}

// String describes the file without calling MPI.
func (f *File) String() string {
	if f == nil || f.world == nil {
		return "mpi.File(none)"
	}
	state := ""
	if !f.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("mpi.File(%q, %v%s)", f.name, f.mode, state)
}

// Close closes the file: all its processes have to call it, and what they have written is in the file then. While an
// operation is under way it does nothing and returns an error that wraps [isthmus.ErrBusy]. It is nil-safe and
// idempotent. Calls MPI_File_close.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	return f.fail(f.owned.Close())
}

// local makes a call that is this process's alone, of the file and a cell that is an argument or a result.
func (f *File) local(op string, fn mpic.Func, v int64, args func(h, at uintptr) []uintptr) (int64, error) {
	h, err := f.use(op)
	if err != nil {
		return 0, err
	}
	defer f.owned.Done()
	fr := call.Get()
	defer fr.Put()
	cells, at, err := int64s(fr, 1)
	if err != nil {
		return 0, err
	}
	cells[0] = v
	err = f.fail(f.world.do(fr, op, fn, args(uintptr(h), at)...))
	return cells[0], err
}

// all makes a call of all processes, whose numbers have to be the same. What is wrong in one is an error in each.
func (f *File) all(ctx context.Context, op string, fn mpic.Func, local error, same int64, args func(h uintptr) []uintptr) error {
	return f.jointly(ctx, op, local, same, func(p *patient, h uintptr) error { return p.do(ctx, fn, args(h)...) })
}

// jointly is all with several calls.
func (f *File) jointly(ctx context.Context, op string, local error, same int64, calls func(p *patient, h uintptr) error) error {
	h, err := f.use(op)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		f.owned.Done()
		return f.fail(fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx)))
	}
	if err := f.enter(op); err != nil {
		f.owned.Done()
		return err
	}
	p := f.world.newPatient(op, func() { f.collective.Store(false); f.owned.Done() })
	defer p.end()
	ch, err := f.comm.use(op)
	if err != nil {
		return f.fail(err)
	}
	defer f.comm.owned.Done()
	ok, err := agree(ctx, p, f.world, ch, local == nil, same)
	if err == nil && local == nil && !ok {
		err = invalid(op, "the processes disagree, or one of them has an error")
	}
	if err == nil && local == nil {
		err = calls(p, uintptr(h))
	}
	if p.left {
		f.poisoned.Store(true)
	}
	return f.fail(errors.Join(local, err))
}

// enter begins an operation of all processes.
func (f *File) enter(op string) error {
	if !f.collective.CompareAndSwap(false, true) {
		return f.fail(fmt.Errorf("mpi: %s: another operation of all processes is under way: %w; end it first", op, isthmus.ErrBusy))
	}
	return nil
}

// Size is how many bytes the file has. Calls MPI_File_get_size.
func (f *File) Size() (int64, error) {
	return f.local("size", mpic.FnFileGetSize, 0, func(h, at uintptr) []uintptr { return []uintptr{h, at} })
}

// Truncate gives the file a size, which cuts it or makes it longer. It is collective. Calls MPI_File_set_size.
func (f *File) Truncate(ctx context.Context, size int64) error {
	return f.resize(ctx, "truncate", mpic.FnFileSetSize, size)
}

// Preallocate reserves storage for the file up to a size. A file that is longer stays so. It is collective. Calls
// MPI_File_preallocate; with Open MPI, whose function writes over the file's content where the position is, MPI_File_set_size,
// which reserves nothing.
func (f *File) Preallocate(ctx context.Context, size int64) error {
	const op = "preallocate"
	if f == nil || f.world == nil || f.world.lib.Family != mpic.OpenMPI {
		return f.resize(ctx, op, mpic.FnFilePreallocate, size)
	}
	return f.jointly(ctx, op, f.resizable(op, size), size, func(p *patient, h uintptr) error {
		cells, at, err := int64s(p.f, 1)
		if err != nil {
			return err
		}
		err = p.do(ctx, mpic.FnFileGetSize, h, at)
		if berr := p.do(ctx, mpic.FnBarrier, uintptr(f.comm.handle)); err == nil { // all look before one changes it
			err = berr
		}
		if err != nil || cells[0] >= size {
			return err
		}
		return p.do(ctx, mpic.FnFileSetSize, h, uintptr(size))
	})
}

// resizable refuses a size that cannot be.
func (f *File) resizable(op string, size int64) error {
	if size < 0 {
		return bounds(op, "%d bytes", size)
	}
	if f.Mode()&ReadOnly != 0 {
		return f.denied(op)
	}
	return nil
}

func (f *File) resize(ctx context.Context, op string, fn mpic.Func, size int64) error {
	return f.all(ctx, op, fn, f.resizable(op, size), size, func(h uintptr) []uintptr { return []uintptr{h, uintptr(size)} })
}

// Sync brings what this process has written to the storage, and makes visible what the others had brought there
// before. It is collective. Calls MPI_File_sync.
func (f *File) Sync(ctx context.Context) error {
	return f.all(ctx, "sync", mpic.FnFileSync, nil, 0, func(h uintptr) []uintptr { return []uintptr{h} })
}

// SetAtomic asks that what one process writes is seen by the others at once, and as a whole. It is collective. Calls
// MPI_File_set_atomicity.
func (f *File) SetAtomic(ctx context.Context, on bool) error {
	return f.all(ctx, "set atomicity", mpic.FnFileSetAtomicity, nil, int64(flag(on)), func(h uintptr) []uintptr { return []uintptr{h, flag(on)} })
}

// Atomic reports what [File.SetAtomic] has set. Calls MPI_File_get_atomicity.
func (f *File) Atomic() (bool, error) {
	v, err := f.local("atomicity", mpic.FnFileGetAtomicity, 0, func(h, at uintptr) []uintptr { return []uintptr{h, at} })
	return int32(v) != 0, err
}

// SetHints gives the file hints. It is collective. Calls MPI_File_set_info.
func (f *File) SetHints(ctx context.Context, hints *Hints) error {
	const op = "set hints of a file"
	if f == nil || f.world == nil {
		return invalid(op, "no file")
	}
	ih, done, local := hints.use(f.world, op)
	if local == nil {
		defer done()
	}
	return f.all(ctx, op, mpic.FnFileSetInfo, local, 0, func(h uintptr) []uintptr { return []uintptr{h, ih} })
}

// Hints are the hints that the library heeds for the file. The caller closes them. Calls MPI_File_get_info.
func (f *File) Hints() (*Hints, error) {
	const op = "hints of a file"
	h, err := f.use(op)
	if err != nil {
		return nil, err
	}
	defer f.owned.Done()
	return f.world.newHints(op, mpic.FnFileGetInfo, uintptr(h))
}

// Group is the group of the file's processes. The caller closes it. Calls MPI_File_get_group.
func (f *File) Group() (*Group, error) {
	const op = "group of a file"
	h, err := f.use(op)
	if err != nil {
		return nil, err
	}
	defer f.owned.Done()
	return f.world.newGroup(f.comm.parents, op, mpic.FnFileGetGroup, uintptr(h))
}

// whence is the library's number of io.SeekStart and its kin.
func (f *File) whence(op string, n int) (uintptr, error) {
	if f == nil || f.world == nil {
		return 0, invalid(op, "no file")
	}
	a := &f.world.lib.ABI
	switch n {
	case io.SeekStart:
		return cint(a.SeekSet), nil
	case io.SeekCurrent:
		return cint(a.SeekCur), nil
	case io.SeekEnd:
		return cint(a.SeekEnd), nil
	}
	return 0, invalid(op, "whence %d", n)
}

// Move moves this process's position: offset elements of the view, bytes without one, from the start, the position or
// the end as whence says (io.SeekStart and its kin). Calls MPI_File_seek.
func (f *File) Move(offset int64, whence int) error {
	const op = "move"
	n, err := f.whence(op, whence)
	if err != nil {
		return err
	}
	if whence == io.SeekStart && offset < 0 {
		return f.fail(bounds(op, "position %d", offset))
	}
	_, err = f.local(op, mpic.FnFileSeek, 0, func(h, _ uintptr) []uintptr { return []uintptr{h, uintptr(offset), n} })
	return err
}

// MoveShared moves the position that the processes share. It is collective, and all give the same. Calls
// MPI_File_seek_shared.
func (f *File) MoveShared(ctx context.Context, offset int64, whence int) error {
	const op = "move shared"
	n, err := f.whence(op, whence)
	if err == nil && whence == io.SeekStart && offset < 0 {
		err = bounds(op, "position %d", offset)
	}
	return f.all(ctx, op, mpic.FnFileSeekShared, err, offset*4+int64(whence), func(h uintptr) []uintptr { return []uintptr{h, uintptr(offset), n} })
}

// Position is this process's position, in elements of the view, or bytes. Calls MPI_File_get_position.
func (f *File) Position() (int64, error) {
	return f.local("position", mpic.FnFileGetPosition, 0, func(h, at uintptr) []uintptr { return []uintptr{h, at} })
}

// PositionShared is the position that the processes share. Calls MPI_File_get_position_shared.
func (f *File) PositionShared() (int64, error) {
	return f.local("shared position", mpic.FnFileGetPositionShared, 0, func(h, at uintptr) []uintptr { return []uintptr{h, at} })
}

// ByteOffset is the byte of the file where the element of the view is. Calls MPI_File_get_byte_offset.
func (f *File) ByteOffset(at int64) (int64, error) {
	const op = "byte offset"
	if at < 0 || at > math.MaxInt64/8 {
		return 0, f.fail(bounds(op, "element %d", at))
	}
	return f.local(op, mpic.FnFileGetByteOffset, 0, func(h, cell uintptr) []uintptr { return []uintptr{h, uintptr(at), cell} })
}
