package ffi

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Borrower is what a [Lease] is part of; it says what it is when it is in another's way.
type Borrower interface {
	// Object describes the borrower. It must not lend or return memory.
	Object() isthmus.Object
}

// Lease is a loan to native code that is part of a larger object, such as a request, and is taken and returned again and
// again without an allocation. While it is out, the table of loans keeps it, and so the object that it is part of, and
// the memory reachable. It does not pin the memory: it lies on the heap, where objects keep their place, or outside.
//
// Its methods must not race with each other; the object sees to that. The zero value is not out.
type Lease struct {
	_  noCopy
	st lent
}

// Take lends b to by until [Lease.Return]. The rules and errors are those of [Lend]; a lease that is out is
// [isthmus.ErrBusy]. Under the race detector a Go access to b that conflicts is reported until Return.
func (l *Lease) Take(b []byte, a Access, by Borrower) error {
	if l == nil || (a != Shared && a != Exclusive) || by == nil {
		return fmt.Errorf("ffi: lease: %v: %w", a, isthmus.ErrInvalid)
	}
	return l.take(b, a, by, true)
}

// TakeLate is Take for native code that has the memory already, because a [Free] said that nobody else had it: it is lent
// even where somebody has lent it since.
func (l *Lease) TakeLate(b []byte, a Access, by Borrower) error {
	if l == nil || (a != Shared && a != Exclusive) || by == nil {
		return fmt.Errorf("ffi: lease: %v: %w", a, isthmus.ErrInvalid)
	}
	return l.take(b, a, by, false)
}

func (l *Lease) take(b []byte, a Access, by Borrower, strict bool) error {
	st := &l.st
	if st.bytes != nil {
		return fmt.Errorf("ffi: lease: it is out: %w", isthmus.ErrBusy)
	}
	if len(b) == 0 {
		return nil
	}
	st.bytes, st.access, st.by = b, a, by
	st.start = uintptr(mem.AddrOf(b))
	st.end = st.start + uintptr(len(b))
	st.left, st.right = nil, nil
	loans.mu.Lock()
	var conflict *lent
	if strict {
		conflict = loans.root.find(st.start, st.end, a)
	}
	if conflict == nil {
		st.enter()
	}
	var err *BorrowedError
	if conflict != nil {
		err = conflict.refuse(len(b), a)
	}
	loans.mu.Unlock()
	if err != nil {
		st.bytes, st.by = nil, nil
		return err
	}
	if a != reserved {
		st.watch.Begin(b, a == Exclusive)
	}
	return nil
}

// Return ends the loan. It does nothing when the lease is not out.
func (l *Lease) Return() {
	if l == nil || l.st.bytes == nil {
		return
	}
	st := &l.st
	st.watch.End() // before the memory is free: the next borrower's access comes after it
	loans.mu.Lock()
	st.exit()
	loans.mu.Unlock()
	st.bytes, st.by = nil, nil
}

// Out reports whether the lease is out.
func (l *Lease) Out() bool { return l != nil && l.st.bytes != nil }

// AnyLent reports whether any memory of the process is lent. Where none is, [Free] has nothing to look for.
func AnyLent() bool { return loans.out.Load() != 0 }

// Free reports whether b could be lent with access a now, with the error that [Lend] would give. It lends nothing.
func Free(b []byte, a Access) error { return free(b, a) }

// Unlent reports whether nobody has any part of b, not by a [Section] either: the error names who has. It is for whoever
// owns the memory; [Free] is for whoever may have it from a section's holder.
func Unlent(b []byte) error { return free(b, reserved) }

func free(b []byte, a Access) error {
	if loans.out.Load() == 0 || len(b) == 0 {
		return nil
	}
	start := uintptr(mem.AddrOf(b))
	loans.mu.Lock()
	defer loans.mu.Unlock()
	if c := loans.root.find(start, start+uintptr(len(b)), a); c != nil {
		return c.refuse(len(b), a)
	}
	return nil
}
