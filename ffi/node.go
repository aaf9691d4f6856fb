package ffi

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// A node's word holds everything that decides whether its native object may be used and when it may be destroyed,
// so that each decision is one atomic operation:
//
//	bit 63       open: new users may enter
//	bit 62       later: destroy when the last user and child has left
//	bit 61       dead: there is no native object, or it is being destroyed
//	bits 31..60  live children
//	bits 0..30   users inside
//
// Exactly one of the three top bits is set.
//
// A user adds one and then looks; one that finds the node not open takes its one back. Such a passing count on a
// node that is not open changes nothing but the moment at which the word is seen to be exactly later, and whoever
// sees that ends the node: the compare-and-swap from later to dead has one winner.
//
// A Done too many takes the count below zero for a moment, until it is noticed and put back. The borrow clears the
// top bit that is set and sets those below it, so it can make an open node look closed, and never a dead one open.
const (
	open    = uint64(1) << 63
	later   = uint64(1) << 62
	dead    = uint64(1) << 61
	oneKid  = uint64(1) << 31
	kidMask = (dead - 1) &^ userMask
	// userMask covers the users; with its top bit the count is below zero.
	userMask = oneKid - 1
	negative = oneKid >> 1
	// revive turns dead into open.
	revive = open - dead
)

// node is what every owned object has, whatever the type of its handle.
type node struct {
	word    atomic.Uint64
	mu      sync.Mutex // held while the object ends: a second closer waits for the first
	wait    *ending    // made by a waiting closer
	parents []*node
	inline  [2]*node
	entry   isthmus.Entry
	obj     destroyer
}

// ending tells waiting closers how the object ended.
type ending struct {
	done chan struct{}
	err  error // set before done is closed
}

// destroyer destroys the native object of the state that a node is part of.
type destroyer interface {
	destroy() error
	kind() string
}

// enter counts a user in. It reports false, with nothing counted, when the object is not open.
func (n *node) enter() bool {
	if n.word.Add(1)&open != 0 {
		return true
	}
	n.leave()
	return false
}

// leave counts a user out, and ends the object if it was the last one awaited.
func (n *node) leave() {
	w := n.word.Add(^uint64(0))
	if w == later {
		n.end()
	} else if w&negative != 0 {
		if n.word.Add(1) == later {
			n.end()
		}
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: n.describe(), Err: errDone})
	}
}

var errDone = errors.New("Done without Use")

// addKid counts a child in. It succeeds while the object is alive for sure: open, or with users or children that
// it will wait for.
func (n *node) addKid() bool {
	for {
		w := n.word.Load()
		if w&open == 0 && (w&later == 0 || w&(userMask|kidMask) == 0) {
			return false
		}
		if n.word.CompareAndSwap(w, w+oneKid) {
			return true
		}
	}
}

// adopt counts n into its parents and enters it in the census. When a parent is closed, what was counted stays for
// releaseLocked to take back.
func (n *node) adopt(kind string, parents []Parent) error {
	n.parents = n.inline[:0]
	for _, p := range parents {
		var up *node
		if p != nil {
			up = p.parent()
		}
		if up == nil || !up.addKid() {
			return fmt.Errorf("%s: its parent: %w", kind, isthmus.ErrClosed)
		}
		n.parents = append(n.parents, up)
		n.entry.AddParent(&up.entry)
	}
	n.entry.Enter(kind)
	return nil
}

func (n *node) dropKid() {
	if n.word.Add(^(oneKid - 1)) == later {
		n.end()
	}
}

// end destroys the object if it is exactly waiting for that.
func (n *node) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.endLocked()
}

func (n *node) endLocked() {
	if !n.word.CompareAndSwap(later, dead) {
		return
	}
	if err := n.destroyLocked(); err != nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: n.describe(), Err: err})
	}
}

// destroyLocked runs the destroy function once for a node that nobody can enter any more. A retryable failure
// opens the node again; anything else ends it.
func (n *node) destroyLocked() (err error) {
	defer n.destroyed(&err, false)
	return n.obj.destroy()
}

// destroyed is what follows the destroy function, and gives the lock back if unlock says so. It must be deferred itself.
func (n *node) destroyed(err *error, unlock bool) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
	}
	if n.wait != nil {
		n.tellLocked(*err)
	}
	if *err != nil && retryable(*err) {
		n.word.Add(revive)
	} else {
		n.releaseLocked()
	}
	if unlock {
		n.mu.Unlock()
	}
}

// recovered turns a panic of the destroy function into an error: Close never panics, and a half-run destroy is not run
// again. It must be deferred itself.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
	}
}

// tellLocked wakes waiting closers.
func (n *node) tellLocked(err error) {
	if n.wait != nil {
		n.wait.err = err
		close(n.wait.done)
		n.wait = nil
	}
}

// releaseLocked takes an ended node out of the census and lets its parents go.
func (n *node) releaseLocked() {
	n.entry.Leave()
	for i, p := range n.parents {
		n.parents[i] = nil
		p.dropKid()
	}
	n.parents = n.parents[:0]
}

// shut lets nobody enter any more and ends the object now or when the last user and child leaves. When that is
// still to come and wait is true it returns what will tell.
func (n *node) shut(wait bool) (*ending, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		w := n.word.Load()
		if w&open == 0 {
			break
		}
		if w == open {
			if !n.word.CompareAndSwap(w, dead) {
				continue
			}
			if err := n.destroyLocked(); err != nil {
				return nil, fmt.Errorf("%s: close: %w", n.obj.kind(), err)
			}
			return nil, nil
		}
		if n.word.CompareAndSwap(w, w&^open|later) {
			// The last user may have left between the swap of a passing count and now.
			n.endLocked()
			break
		}
	}
	if !wait || n.word.Load()&later == 0 {
		return nil, nil
	}
	if n.wait == nil {
		n.wait = &ending{done: make(chan struct{})}
	}
	return n.wait, nil
}

func (n *node) describe() isthmus.Object {
	o := n.entry.Object()
	if o.Kind == "" {
		o.Kind = n.obj.kind()
	}
	return o
}

// BusyError says what keeps an object from being closed. It is [isthmus.ErrBusy].
type BusyError struct {
	Op       string
	Object   isthmus.Object
	Users    int              // calls in progress
	Kids     int              // live children
	Children []isthmus.Object // some of the children, oldest first, as far as the census knows them
}

const busyNames = 4

func (n *node) busy(op string, w uint64) error {
	e := &BusyError{Op: op, Object: n.describe(), Users: int(w & userMask), Kids: int(w & kidMask >> 31)}
	if e.Kids > 0 {
		e.Children = n.entry.Children(busyNames)
	}
	return e
}

// Error names the object, its users and its children with the places that made them.
func (e *BusyError) Error() string {
	if e == nil {
		return "<nil>"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %v", e.Object, e.Op, isthmus.ErrBusy)
	sep := ": "
	if e.Users > 0 {
		fmt.Fprintf(&b, "%s%d calls in progress", sep, e.Users)
		sep = ", "
	}
	if e.Kids > 0 {
		fmt.Fprintf(&b, "%s%d live children", sep, e.Kids)
		sep = " ("
		for _, c := range e.Children {
			fmt.Fprintf(&b, "%s%s", sep, c)
			sep = "; "
		}
		if len(e.Children) > 0 {
			if e.Kids > len(e.Children) {
				b.WriteString("; …")
			}
			b.WriteString(")")
		}
		b.WriteString("; close them first")
	}
	return b.String()
}

// Unwrap returns [isthmus.ErrBusy].
func (e *BusyError) Unwrap() error { return isthmus.ErrBusy }

// Retry wraps the error of a destroy function that did not destroy: the object stays alive and open, and its Close
// may be called again. Any other error of a destroy function means that the object is gone.
func Retry(err error) error {
	if err == nil {
		return nil
	}
	return &retryError{err}
}

// retryable reports whether err says that the object was not destroyed.
func retryable(err error) bool {
	if err == nil {
		return false
	}
	_, ok := errors.AsType[*retryError](err)
	return ok
}

type retryError struct{ err error }

func (e *retryError) Error() string {
	return e.err.Error() + " (still open; Close may be called again)"
}
func (e *retryError) Unwrap() error { return e.err }
