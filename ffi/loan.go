package ffi

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Access is how lent memory is used. The zero value is invalid.
type Access uint8

const (
	accessInvalid Access = iota
	// Shared memory is only read, by any number of borrowers.
	Shared
	// Exclusive memory is written by one borrower and touched by nobody else.
	Exclusive
	// held memory stays where it is and is not touched, so it is in nobody's way.
	held
	// reserved memory is a writer's [Section]: only what lies wholly inside it may be lent, to whoever the writer passes
	// its slice to.
	reserved
	// browsed memory is a reader's section.
	browsed
)

// String returns shared or exclusive.
func (a Access) String() string {
	switch a {
	case Shared, browsed:
		return "shared"
	case Exclusive, reserved:
		return "exclusive"
	case held:
		return "held"
	default:
		return fmt.Sprintf("Access(%d)", uint8(a))
	}
}

// Loan is memory that is lent, to native code or to a part of the program, until [Loan.Return]. The memory is
// pinned and kept alive for that time whatever its owner does. A Loan that is forgotten is never returned: its
// memory stays lent and the loss is reported with the place that lent it. Loans are safe for concurrent use.
type Loan struct {
	_  noCopy
	st *lent
}

// lent is one loan in the table. The table keeps it, and by it the memory and the pin, reachable.
type lent struct {
	start, end uintptr
	maxEnd     uintptr // the largest end in this subtree
	prio       uint32
	seq        uint64 // in the order of lending
	left       *lent
	right      *lent

	mu     sync.Mutex
	back   bool     // returned
	users  []*Event // native work that uses the memory
	bytes  []byte
	access Access
	pin    mem.Pin
	owner  *node    // the region that it is a section of, or nil
	by     Borrower // of a lease; else nil
	watch  mem.Watch
	entry  isthmus.Entry
}

// The loans of the process, by address. Memory belongs to the process, and two borrowers that do not know of each
// other are exactly those that must be kept apart, so there is one table.
var loans struct {
	mu   sync.Mutex
	root *lent
	rand uint32
	seq  uint64
	out  atomic.Int64 // how many are in the table
}

// enter puts st into the table, whose lock is held.
func (st *lent) enter() {
	loans.rand = loans.rand*1664525 + 1013904223
	loans.seq++
	st.prio, st.seq, st.maxEnd = loans.rand, loans.seq, st.end
	loans.root = loans.root.insert(st)
	loans.out.Add(1)
}

// exit takes st out of the table, whose lock is held.
func (st *lent) exit() {
	loans.root = loans.root.remove(st)
	loans.out.Add(-1)
}

// object describes the loan, or the object that its lease is part of.
func (st *lent) object() isthmus.Object {
	if st.by != nil {
		return st.by.Object()
	}
	return st.entry.Object()
}

// Lend lends b's memory. Any number of Shared loans may overlap; an Exclusive one overlaps none. The error is
// then a [*BorrowedError], which names the loan in the way. Loans are compared by address in the whole process, so
// slices of one array conflict however they were made. An empty b is lent without conflict.
//
// The Go side keeps to the same rule: do not write b while it is lent, nor read it while the loan is Exclusive.
func Lend(b []byte, a Access) (*Loan, error) { return lend(b, a, nil) }

// LendSlice lends the memory of a slice whose elements hold no pointers; other element types are
// [isthmus.ErrInvalid].
func LendSlice[T any](s []T, a Access) (*Loan, error) {
	if !mem.Plain[T]() {
		return nil, fmt.Errorf("ffi: lend %T: its elements hold Go pointers: %w", s, isthmus.ErrInvalid)
	}
	return lend(mem.Bytes(s), a, nil)
}

// lend takes over one child count of owner when it succeeds.
func lend(b []byte, a Access, owner *node) (*Loan, error) {
	if a != Shared && a != Exclusive && (a != held || owner == nil) {
		return nil, fmt.Errorf("ffi: lend: %v: %w", a, isthmus.ErrInvalid)
	}
	st := &lent{bytes: b, access: a, owner: owner}
	st.start = uintptr(mem.PinSlice(&st.pin, b))
	st.end = st.start + uintptr(len(b))
	st.entry.Enter("ffi.Loan")
	if owner != nil {
		st.entry.AddParent(&owner.entry)
	}
	if a == held {
		l := &Loan{st: st}
		runtime.AddCleanup(l, (*lent).lost, st)
		return l, nil
	}
	loans.mu.Lock()
	conflict := loans.root.find(st.start, st.end, a)
	if conflict == nil && len(b) > 0 {
		st.enter()
	}
	var err *BorrowedError
	if conflict != nil {
		err = conflict.refuse(len(b), a)
	}
	loans.mu.Unlock()
	if err != nil {
		st.entry.Leave()
		st.pin.Unpin()
		return nil, err
	}
	if a == Shared {
		// Whoever the borrower is, nobody may write. An exclusive borrower may be Go code: see Watch.
		st.watch.Begin(b, false)
	}
	l := &Loan{st: st}
	// The argument is the loan's state alone: it must not lead back to l.
	runtime.AddCleanup(l, (*lent).lost, st)
	return l, nil
}

// lost runs when a Loan was collected.
func (st *lent) lost() {
	st.mu.Lock()
	back := st.back
	st.mu.Unlock()
	if !back {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLostLoan, Object: st.entry.Object()})
	}
}

// Bytes returns the lent memory, nil after Return. It must not be used after Return.
func (l *Loan) Bytes() []byte {
	if l == nil || l.st == nil {
		return nil
	}
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	return l.st.bytes
}

// Watch says that the borrower of an Exclusive loan is native code, not Go: under the race detector a Go access to the
// memory is then reported as a data race until Return, as a write to Shared memory is in any case. It does nothing
// without the detector, and must not race with Return.
func (l *Loan) Watch() {
	if mem.RaceEnabled && l != nil && l.st != nil && l.st.access == Exclusive {
		l.st.mu.Lock()
		defer l.st.mu.Unlock()
		if !l.st.back {
			l.st.watch.Begin(l.st.bytes, true)
		}
	}
}

// Unwatch says that the borrower does not use the memory for now, or not any more, before the loan is returned: Go code may.
// Watch begins it again. Like Watch it is for the race detector only.
func (l *Loan) Unwatch() {
	if mem.RaceEnabled && l != nil && l.st != nil {
		l.st.mu.Lock()
		defer l.st.mu.Unlock()
		l.st.watch.End()
	}
}

// Access returns how the memory is lent.
func (l *Loan) Access() Access {
	if l == nil || l.st == nil {
		return accessInvalid
	}
	return l.st.access
}

// Returned reports whether the loan is over.
func (l *Loan) Returned() bool {
	if l == nil || l.st == nil {
		return true
	}
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	return l.st.back
}

// Object describes the loan.
func (l *Loan) Object() isthmus.Object {
	if l == nil || l.st == nil {
		return isthmus.Object{Kind: "ffi.Loan"}
	}
	return l.st.entry.Object()
}

// Return ends the loan: the borrower is done. It is nil-safe and idempotent, and quick enough for the goroutine
// that completes native work.
func (l *Loan) Return() {
	if l == nil || l.st == nil {
		return
	}
	// The lock is held to the end: whoever finds the loan over finds the memory free.
	st := l.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.back {
		return
	}
	st.back = true
	st.watch.End() // before the memory is free: the next borrower's access comes after it
	if len(st.bytes) > 0 && st.access != held {
		loans.mu.Lock()
		st.exit()
		loans.mu.Unlock()
	}
	st.bytes = nil
	st.pin.Unpin()
	st.entry.Leave()
	if st.owner != nil {
		st.owner.dropKid()
	}
	runtime.KeepAlive(l)
}

// ReturnOn returns the loan when e completes, before anyone who waits for e hears of it: the memory is lent to native
// work that e stands for, whatever its callers wait for. A nil e never says that the work is over: the loan stays out
// until [Loan.Return].
func (l *Loan) ReturnOn(e *Event) {
	if e != nil {
		e.keep(l)
	}
}

// lentTo notes that the work of e uses the memory.
func (l *Loan) lentTo(e *Event) {
	if l == nil || l.st == nil {
		return
	}
	l.st.mu.Lock()
	l.st.users = append(l.st.users, e)
	l.st.mu.Unlock()
}

// working reports whether work that was noted is still going on.
func (l *Loan) working() bool {
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	for _, e := range l.st.users {
		if !e.Completed() {
			return true
		}
	}
	return false
}

// settle returns the loan as soon as no work uses it any more, which may be now.
func (l *Loan) settle() {
	l.st.mu.Lock()
	users := l.st.users
	l.st.mu.Unlock()
	for _, e := range users {
		if !e.Completed() {
			e.OnDone(func(error) { l.settle() })
			return
		}
	}
	l.Return()
}

// Lent returns how many loans of non-empty memory are out in the process.
func Lent() int {
	loans.mu.Lock()
	defer loans.mu.Unlock()
	return loans.root.count()
}

// refuse is the error for whoever wants n bytes that the loan excludes. The table's lock is held.
func (st *lent) refuse(n int, a Access) *BorrowedError {
	return &BorrowedError{Bytes: n, Want: a.public(), Have: st.access.public(), By: st.object(), At: isthmus.Here()}
}

// public is the access as callers know it.
func (a Access) public() Access {
	switch a {
	case reserved:
		return Exclusive
	case browsed:
		return Shared
	}
	return a
}

func (a Access) reads() bool { return a == Shared || a == browsed }

// BorrowedError says which loan is in the way of another. It is [isthmus.ErrBorrowed].
type BorrowedError struct {
	Bytes int            // the size asked for
	Want  Access         // the access asked for
	Have  Access         // the access of the loan in the way
	By    isthmus.Object // the loan in the way
	At    isthmus.Site   // where it was asked for
}

// Error names both sides.
func (e *BorrowedError) Error() string {
	if e == nil {
		return "<nil>"
	}
	at := ""
	if e.At.Known() {
		at = " at " + e.At.String()
	}
	return fmt.Sprintf("ffi: lend %d bytes %s%s: %v: overlaps the %s %s; return that first", e.Bytes, e.Want, at, isthmus.ErrBorrowed, e.Have, e.By)
}

// Unwrap returns [isthmus.ErrBorrowed].
func (e *BorrowedError) Unwrap() error { return isthmus.ErrBorrowed }

// The table is a treap by start address that knows the largest end of every subtree, so that an overlap is found
// in logarithmic time.

// less orders loans by start and then by age, which makes equal starts distinct.
func (st *lent) less(o *lent) bool {
	if st.start != o.start {
		return st.start < o.start
	}
	return st.seq < o.seq
}

func (st *lent) update() {
	st.maxEnd = st.end
	if st.left != nil {
		st.maxEnd = max(st.maxEnd, st.left.maxEnd)
	}
	if st.right != nil {
		st.maxEnd = max(st.maxEnd, st.right.maxEnd)
	}
}

// split divides t into what comes before k and the rest.
func (st *lent) split(k *lent) (before, after *lent) {
	if st == nil {
		return nil, nil
	}
	if st.less(k) {
		b, a := st.right.split(k)
		st.right = b
		st.update()
		return st, a
	}
	b, a := st.left.split(k)
	st.left = a
	st.update()
	return b, st
}

func merge(a, b *lent) *lent {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.prio > b.prio:
		a.right = merge(a.right, b)
		a.update()
		return a
	default:
		b.left = merge(a, b.left)
		b.update()
		return b
	}
}

func (st *lent) insert(n *lent) *lent {
	if st == nil {
		return n
	}
	if n.prio > st.prio {
		n.left, n.right = st.split(n)
		n.update()
		return n
	}
	if n.less(st) {
		st.left = st.left.insert(n)
	} else {
		st.right = st.right.insert(n)
	}
	st.update()
	return st
}

func (st *lent) remove(n *lent) *lent {
	if st == nil {
		return nil
	}
	if st == n {
		m := merge(n.left, n.right)
		n.left, n.right = nil, nil
		return m
	}
	if n.less(st) {
		st.left = st.left.remove(n)
	} else {
		st.right = st.right.remove(n)
	}
	st.update()
	return st
}

// find returns a loan of [start,end) that excludes access a.
func (st *lent) find(start, end uintptr, a Access) *lent {
	if st == nil || start >= end || st.maxEnd <= start {
		return nil
	}
	if c := st.left.find(start, end, a); c != nil {
		return c
	}
	if st.start >= end {
		return nil
	}
	if st.end > start && st.excludes(start, end, a) {
		return st
	}
	return st.right.find(start, end, a)
}

// excludes reports whether the loan, which overlaps [start,end), excludes access a to it.
func (st *lent) excludes(start, end uintptr, a Access) bool {
	if a.reads() && st.access.reads() {
		return false
	}
	passedOn := st.access == reserved && (a == Shared || a == Exclusive) && start >= st.start && end <= st.end
	return !passedOn
}

func (st *lent) count() int {
	if st == nil {
		return 0
	}
	return 1 + st.left.count() + st.right.count()
}
