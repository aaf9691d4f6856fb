package ffi

import (
	"fmt"
	"reflect"
	"runtime"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Section is a part of a slice that is checked out: by any number of readers, or by one writer, whose part overlaps
// nobody else's. What overlaps is an error that names both sides with their places. Sections stand in the table of loans,
// by address, so they also keep out native code that is lent the memory by another way.
//
// The slice of a section may be passed on to whatever lends slices to native code. A writer's Slice is an error while
// native code has a part of it; a Return meanwhile leaves that part to the native code until it is done.
//
// A Section may be checked out again after Return, which allocates nothing. One that is forgotten stays checked out: its
// memory is never collected, and the loss is reported with its place. It is safe for concurrent use. The zero value is
// not out. It must not be copied.
type Section[T any] struct {
	_    noCopy
	mu   sync.Mutex
	core *section // what the table keeps; it does not lead back to the Section
	data []T
}

// section is a Section without its element type.
type section struct {
	mu    sync.Mutex // for whoever runs when the Section is gone
	lease Lease
	out   bool
	write bool
	n     int
	typ   reflect.Type
	site  isthmus.Site
}

// Object describes the section.
func (s *section) Object() isthmus.Object {
	use := "read"
	if s.write {
		use = "written"
	}
	return isthmus.Object{Kind: fmt.Sprintf("ffi.Section(%d of %v, %s)", s.n, s.typ, use), Site: s.site}
}

// Read checks b out for reading and returns it, without spare capacity. Any number of sections may overlap for reading.
//
// Errors: [*BorrowedError] while a part of b is checked out for writing, or lent to native code that writes to it;
// [isthmus.ErrBusy] when s is out; [isthmus.ErrInvalid] for element types that hold Go pointers.
func (s *Section[T]) Read(b []T) ([]T, error) { return s.take(b, false) }

// Write checks b out for reading and writing and returns it, without spare capacity. Errors: as for [Section.Read], where
// any section and any loan of a part is in the way.
func (s *Section[T]) Write(b []T) ([]T, error) { return s.take(b, true) }

func (s *Section[T]) take(b []T, write bool) ([]T, error) {
	if s == nil {
		return nil, fmt.Errorf("ffi: section: nil: %w", isthmus.ErrInvalid)
	}
	if !mem.Plain[T]() {
		return nil, fmt.Errorf("ffi: section of %T: its elements hold Go pointers: %w", b, isthmus.ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.core
	if c == nil {
		c = &section{typ: reflect.TypeFor[T]()}
		s.core = c
		// The argument is what the table keeps: it must not lead back to s.
		runtime.AddCleanup(s, (*section).lost, c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out {
		return nil, fmt.Errorf("ffi: section: it is out, taken at %v: %w; return it first", c.site, isthmus.ErrBusy)
	}
	a := browsed
	if write {
		a = reserved
	}
	c.write, c.n, c.site = write, len(b), isthmus.Here()
	if err := c.lease.take(mem.Bytes(b), a, c, true); err != nil {
		return nil, err
	}
	c.out, s.data = true, b[:len(b):len(b)]
	return s.data, nil
}

// lost runs when a Section was collected.
func (s *section) lost() {
	s.mu.Lock()
	out := s.lease.Out() // one of nothing loses nothing
	s.mu.Unlock()
	if out {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLostLoan, Object: s.Object()})
	}
}

// Slice is the memory that is checked out. Of a writer's section it is [isthmus.ErrBorrowed] while native code has a part
// of it, with the name of that; after Return it is [isthmus.ErrClosed].
func (s *Section[T]) Slice() ([]T, error) {
	if s == nil {
		return nil, fmt.Errorf("ffi: section: %w", isthmus.ErrClosed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.core == nil || !s.core.out {
		return nil, fmt.Errorf("ffi: section: it is not out: %w", isthmus.ErrClosed)
	}
	if s.core.write {
		if err := Free(mem.Bytes(s.data), Exclusive); err != nil {
			return nil, err
		}
	}
	return s.data, nil
}

// Out reports whether the section is out.
func (s *Section[T]) Out() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core != nil && s.core.out
}

// Return ends the section: its slice must not be used any more. It does nothing when the section is not out.
func (s *Section[T]) Return() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.core == nil {
		return
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	s.core.lease.Return()
	s.core.out, s.data = false, nil
	runtime.KeepAlive(s)
}
