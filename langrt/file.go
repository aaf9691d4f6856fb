package langrt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/rtfile"
)

// FileMode says how a file is opened.
type FileMode int32

// The modes: one of the first three, and any of the others.
const (
	FileRead      = FileMode(rtfile.Read)
	FileWrite     = FileMode(rtfile.Write)
	FileReadWrite = FileMode(rtfile.ReadWrite)
	FileCreate    = FileMode(rtfile.Create)    // make it if it is not there
	FileExclusive = FileMode(rtfile.Exclusive) // with FileCreate: it must not be there
	FileTruncate  = FileMode(rtfile.Truncate)
	FileAppend    = FileMode(rtfile.Append) // writes go to the end, wherever they are asked for
	// FileAtomic writes beside the file, and takes its place at [File.Close]: others see the old file or the whole new
	// one, also when the process or the machine dies. It begins empty.
	FileAtomic = FileMode(rtfile.Atomic)
	// FilePrefault has the system bring the whole file into memory when it is opened.
	FilePrefault FileMode = 1 << 20
)

// File is a file. What is done with it is done by a few goroutines of the runtime's, in the order in which it was asked
// for, reads beside each other. A file that nobody counts any more is closed; an atomic one leaves the old file.
//
// The methods wait for the result, or until the context ends: then what has not begun is never done, and what has begun
// goes on without them. They wait, too, while very many operations are under way.
type File struct{ Value }

// OpenFile makes a file, which s owns. It does not wait until the file is open: [File.Wait] does, and whatever is done
// with the file.
//
// Errors: isthmus.ErrInvalid for a path or mode that cannot be.
func OpenFile(ctx context.Context, s *Scope, path string, mode FileMode) (File, error) {
	const op = "file open"
	h, err := heap(op)
	if err != nil {
		return File{}, err
	}
	p, err := rtfile.Process()
	if err != nil {
		return File{}, fmt.Errorf("langrt: %s: %w", op, err)
	}
	w, err := p.Open(ctx, path, rtfile.Mode(mode&^FilePrefault), mode&FilePrefault != 0)
	if err != nil {
		return File{}, fileError(op, Value{}, err)
	}
	v, err := own(s, op, h, w, rtheap.OK)
	return File{v}, err
}

// fileError is an error of rtfile's for users.
func fileError(op string, v Value, err error) error {
	var e *rtfile.Error
	if errors.As(err, &e) {
		return &Error{Op: op, Code: Code(e.Code), Value: v, Err: e.Err}
	}
	return &Error{Op: op, Code: IOFailed, Value: v, Err: err}
}

// Wait waits until the file is open.
//
// Errors: isthmus.ErrNotFound, fs.ErrPermission, [IsDirectory], and the system's.
func (f File) Wait(ctx context.Context) error {
	_, err := f.do(ctx, "file wait", rtfile.DoWait, Value{}, 0, 0)
	return err
}

// Read reads at most n bytes at offset: fewer at the end of the file, where there may be none. s owns the string.
//
// Errors: isthmus.ErrBounds past the end, and for a negative offset or length; [Closed]; the system's.
func (f File) Read(ctx context.Context, s *Scope, offset, n int64) (String, error) {
	const op = "file read"
	w, err := f.do(ctx, op, rtfile.DoRead, Value{}, offset, n)
	if err != nil {
		return String{}, err
	}
	v, err := own(s, op, rtheap.Made(), w, rtheap.OK)
	return String{v}, err
}

// Write writes the bytes of text at offset, and returns their number.
//
// Errors: [DiskFull], isthmus.ErrBounds for a negative offset, fs.ErrPermission when the file was not opened for writing,
// [Closed]; the system's.
func (f File) Write(ctx context.Context, offset int64, text String) (int, error) {
	w, err := f.do(ctx, "file write", rtfile.DoWrite, text.Value, offset, 0)
	n, _ := wrap(w).Int()
	return int(n), err
}

// Prefault has the system bring n bytes at offset into memory, through a mapping of the file. It reports whether it did:
// false where the system has no such way.
func (f File) Prefault(ctx context.Context, offset, n int64) (bool, error) {
	w, err := f.do(ctx, "file prefault", rtfile.DoPrefault, Value{}, offset, n)
	return w == rtheap.True, err
}

// Size is the file's length in bytes.
func (f File) Size(ctx context.Context) (int64, error) {
	w, err := f.do(ctx, "file size", rtfile.DoSize, Value{}, 0, 0)
	n, _ := wrap(w).Int()
	return n, err
}

// Sync waits until what was written before is on the disk.
func (f File) Sync(ctx context.Context) error {
	_, err := f.do(ctx, "file sync", rtfile.DoSync, Value{}, 0, 0)
	return err
}

// Close closes the file behind the writes that were asked for; reads that have not begun end with [Cancelled]. An atomic
// file takes the other's place; when Close says that it did not, the old file is still there. Of a file that is closed,
// or gone, Close does nothing.
func (f File) Close() error {
	_, err := f.do(context.Background(), "file close", rtfile.DoClose, Value{}, 0, 0)
	if errors.Is(err, isthmus.ErrClosed) {
		return nil
	}
	return err
}

// do asks for an operation and waits for its result, which is the caller's.
func (f File) do(ctx context.Context, op string, what rtfile.What, text Value, offset, n int64) (rtheap.Value, error) {
	h := rtheap.Made()
	if h == nil {
		return rtheap.Nil, notRunning(op, f.Value)
	}
	p, err := rtfile.Process()
	if err != nil {
		return rtheap.Nil, fmt.Errorf("langrt: %s: %w", op, err)
	}
	if ctx == nil {
		ctx = context.Background()
	}
	r := &result{ready: make(chan struct{})}
	x := p.Do(ctx, what, f.raw(), text.raw(), offset, n, r.done)
	select {
	case <-r.ready:
	case <-ctx.Done():
		x.Cancel()
		if v, ended := r.leave(); ended {
			h.Release(v)
		}
		return rtheap.Nil, &Error{Op: op, Code: Code(contextCode(ctx)), Value: f.Value, Err: context.Cause(ctx)}
	}
	if r.err != nil {
		return rtheap.Nil, fileError(op, f.Value, r.err)
	}
	return r.v, nil
}

func contextCode(ctx context.Context) rtheap.Code {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return rtheap.TimedOut
	}
	return rtheap.IsCancelled
}

// result is what somebody waits for, who may leave.
type result struct {
	mu    sync.Mutex
	ready chan struct{}
	left  bool
	ended bool
	v     rtheap.Value
	err   error
}

func (r *result) done(v rtheap.Value, err error) {
	r.mu.Lock()
	r.v, r.err, r.ended = v, err, true
	left := r.left
	r.mu.Unlock()
	if left {
		rtheap.Made().Release(v)
	}
	close(r.ready)
}

// leave gives up; what has ended by then is the caller's.
func (r *result) leave() (v rtheap.Value, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
	return r.v, r.ended
}
