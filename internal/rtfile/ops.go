package rtfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// What is to be done with a file. The numbers are those of C's file.c.
type What int32

// What can be done.
const (
	DoRead What = iota
	DoWrite
	DoPrefault
	DoSize
	DoSync
	DoWait
	DoClose
)

// Do asks for an operation on the file v; text is what is written.
func (p *Pool) Do(ctx context.Context, what What, v, text rtheap.Value, offset, n int64, done Done) Op {
	switch what {
	case DoRead:
		return p.Read(ctx, v, offset, n, done)
	case DoWrite:
		return p.Write(ctx, v, offset, text, done)
	case DoPrefault:
		return p.Prefault(ctx, v, offset, n, done)
	case DoSize:
		return p.Size(ctx, v, done)
	case DoSync:
		return p.Sync(ctx, v, done)
	case DoWait:
		return p.Wait(ctx, v, done)
	case DoClose:
		p.Close(v, done)
	default:
		done(rtheap.Nil, failure(rtheap.BadState, nil))
	}
	return Op{}
}

// Read reads n bytes at offset: the result is a string, shorter at the end of the file.
func (p *Pool) Read(ctx context.Context, v rtheap.Value, offset, n int64, done Done) Op {
	return p.ask(ctx, v, done, func(f *file) (*op, error) {
		switch {
		case offset < 0 || n < 0:
			return nil, failure(rtheap.BadIndex, errNegative)
		case !f.mode.reads():
			return nil, failure(rtheap.NotPermitted, errWriteOnly)
		}
		return &op{run: func() (rtheap.Value, error) { return p.read(f, offset, n) }}, nil
	})
}

func (p *Pool) read(f *file, offset, n int64) (rtheap.Value, error) {
	info, err := f.os.Stat()
	if err != nil {
		return rtheap.Nil, failed(err)
	}
	if info.Mode().IsRegular() {
		if offset > info.Size() {
			return rtheap.Nil, failure(rtheap.BadIndex, errPastEnd)
		}
		n = min(n, info.Size()-offset)
	}
	if n >= rtheap.MaxLen {
		return rtheap.Nil, failure(rtheap.BadSize, errTooLong)
	}
	var wrong error
	s, code := p.heap.NewStringWith(uint64(n), func(to []byte) int {
		k, err := f.os.ReadAt(to, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			wrong = err
		}
		return k
	})
	switch {
	case code != rtheap.OK:
		return rtheap.Nil, failure(code, nil)
	case wrong != nil:
		p.heap.Release(s)
		return rtheap.Nil, failed(wrong)
	}
	return s, nil
}

// Write writes the bytes of a string at offset, which an appending file ignores: the result is their number. The string
// is counted until then.
func (p *Pool) Write(ctx context.Context, v rtheap.Value, offset int64, text rtheap.Value, done Done) Op {
	if !p.heap.Retain(text) {
		done(rtheap.Nil, failure(rtheap.BadValue, nil))
		return Op{}
	}
	counted := func(r rtheap.Value, err error) {
		p.heap.Release(text)
		done(r, err)
	}
	return p.ask(ctx, v, counted, func(f *file) (*op, error) {
		b, code := p.heap.Lend(text)
		switch {
		case code != rtheap.OK:
			return nil, failure(code, nil)
		case offset < 0:
			return nil, failure(rtheap.BadIndex, errNegative)
		case !f.mode.writes():
			return nil, failure(rtheap.NotPermitted, errReadOnly)
		}
		return &op{exclusive: true, keep: true, run: func() (rtheap.Value, error) {
			n, err := f.write(b, offset)
			if err != nil {
				f.broken = err
				return rtheap.Nil, failed(fmt.Errorf("%d of %d bytes were written: %w", n, len(b), err))
			}
			r, _ := rtheap.Int(int64(n))
			return r, nil
		}}, nil
	})
}

func (f *file) write(b []byte, offset int64) (int, error) {
	if f.mode&Append != 0 {
		return f.os.Write(b)
	}
	return f.os.WriteAt(b, offset)
}

// Prefault has the system bring n bytes at offset into memory; a negative n is all that follows. The result is whether it
// did: false where it does not know how.
func (p *Pool) Prefault(ctx context.Context, v rtheap.Value, offset, n int64, done Done) Op {
	return p.ask(ctx, v, done, func(f *file) (*op, error) {
		if offset < 0 || n < 0 {
			return nil, failure(rtheap.BadIndex, errNegative)
		}
		return &op{run: func() (rtheap.Value, error) {
			ok, err := f.prefault(offset, n)
			return rtheap.Bool(ok), failed(err)
		}}, nil
	})
}

// Size is the file's length.
func (p *Pool) Size(ctx context.Context, v rtheap.Value, done Done) Op {
	return p.ask(ctx, v, done, func(f *file) (*op, error) {
		return &op{run: func() (rtheap.Value, error) {
			info, err := f.os.Stat()
			if err != nil {
				return rtheap.Nil, failed(err)
			}
			n, _ := rtheap.Int(info.Size())
			return n, nil
		}}, nil
	})
}

// Sync has what was written on the disk: true.
func (p *Pool) Sync(ctx context.Context, v rtheap.Value, done Done) Op {
	return p.ask(ctx, v, done, func(f *file) (*op, error) {
		return &op{exclusive: true, keep: true, run: func() (rtheap.Value, error) {
			if err := f.os.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // a device has no such thing
				return rtheap.Nil, failed(err)
			}
			return rtheap.True, nil
		}}, nil
	})
}

// Wait is true when the file is open.
func (p *Pool) Wait(ctx context.Context, v rtheap.Value, done Done) Op {
	return p.ask(ctx, v, done, func(*file) (*op, error) {
		return &op{keep: true, run: func() (rtheap.Value, error) { return rtheap.True, nil }}, nil
	})
}

// open opens the file. It does not wait for the other end of a pipe.
func (f *file) open() error {
	flags := int(f.mode&access) | nonblock
	for _, m := range []struct {
		mode Mode
		flag int
	}{{Create, os.O_CREATE}, {Exclusive, os.O_EXCL}, {Truncate, os.O_TRUNC}, {Append, os.O_APPEND}} {
		if f.mode&m.mode != 0 {
			flags |= m.flag
		}
	}
	path, perm := f.path, fs.FileMode(0o666)
	if f.mode&Atomic != 0 {
		old, err := os.Stat(path)
		switch {
		case err == nil && old.IsDir():
			return &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
		case err == nil:
			perm = old.Mode().Perm()
		case f.mode&Create == 0:
			return err
		}
		f.temp = filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".part")
		path, flags = f.temp, flags|os.O_CREATE|os.O_EXCL
	}
	file, err := os.OpenFile(path, flags, perm)
	if err != nil {
		return err
	}
	f.os = file
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0:
		err = &fs.PathError{Op: "open", Path: path, Err: errNoPlace}
	}
	if err != nil {
		f.discard()
	}
	return err
}

// close closes the file; an atomic one takes its place if commit says so and every write was done.
func (f *file) close(commit bool) error {
	if f.os == nil {
		return nil
	}
	if f.temp == "" {
		return failed(f.os.Close())
	}
	if !commit || f.broken != nil {
		err := f.broken
		f.discard()
		if err != nil {
			return failed(errors.Join(errBroken, err))
		}
		return nil
	}
	if err := errors.Join(f.os.Sync(), f.os.Close()); err != nil {
		_ = os.Remove(f.temp) // the error that counts is the first
		return failed(err)
	}
	if err := os.Rename(f.temp, f.path); err != nil {
		_ = os.Remove(f.temp)
		return failed(err)
	}
	return failed(syncDir(filepath.Dir(f.path)))
}

func (f *file) discard() {
	_ = f.os.Close() // what was written does not matter
	f.os = nil
	if f.temp != "" {
		_ = os.Remove(f.temp)
	}
}
