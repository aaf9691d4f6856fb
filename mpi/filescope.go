package mpi

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// fileInScope is a transfer that a scope waits for.
type fileInScope struct {
	o  *operation
	st *Status
}

// PostReadAt begins a [ReadAt] in a scope: b must not be touched until the scope is left, or [Ops.Wait] has returned nil. st,
// which may be nil, then says how many elements were read. Calls MPI_File_read_at.
func PostReadAt[T any](s *Ops, f *File, b []T, at int64, st *Status) error {
	return postFile(s, f, b, transfer{op: "read at", fn: mpic.FnFileReadAt, read: true, at: position(at)}, st)
}

// PostWriteAt begins a [WriteAt] in a scope: b must not be written until the scope is left, or [Ops.Wait] has returned
// nil. Calls MPI_File_write_at.
func PostWriteAt[T any](s *Ops, f *File, b []T, at int64) error {
	return postFile(s, f, b, transfer{op: "write at", fn: mpic.FnFileWriteAt, at: position(at)}, nil)
}

func postFile[T any](s *Ops, f *File, b []T, x transfer, st *Status) error {
	if s == nil || s.c == nil || s.left {
		return fmt.Errorf("mpi: %s: post in a scope that was left: %w", x.op, isthmus.ErrClosed)
	}
	if err := s.clash(&posted{held: mem.Bytes(b), access: x.access(), recv: x.read}); err != nil {
		return s.fail(f.fail(fmt.Errorf("mpi: %s: %w", x.op, err)))
	}
	o, err := startFile(f, b, x, "mpi.Scope, "+x.op)
	if err != nil {
		return s.fail(err)
	}
	s.files = append(s.files, fileInScope{o, st})
	return nil
}

// finishFiles waits for the transfers. With the context's error, those that are left are under way.
func (s *Ops) finishFiles(ctx context.Context) error {
	var first error
	for len(s.files) > 0 {
		x := s.files[0]
		err := x.o.wait(ctx)
		if err != nil && !x.o.isOver() {
			return s.fail(err)
		}
		x.o.entry.Leave()
		if err == nil && x.st != nil {
			*x.st = x.o.status()
		}
		if err != nil && first == nil {
			first = s.fail(err)
		}
		s.files[0] = fileInScope{}
		s.files = s.files[1:]
	}
	s.files = nil
	return first
}
