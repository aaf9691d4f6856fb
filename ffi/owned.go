package ffi

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// Backstop is what happens when an owned object is collected without having been closed.
type Backstop uint8

const (
	// BackstopDestroy reports the leak and destroys the object, children before parents. It is the default.
	BackstopDestroy Backstop = iota
	// BackstopReport reports the leak and destroys nothing: for objects that only a certain thread may destroy.
	BackstopReport
	// BackstopNone notices nothing. It saves about 200 ns and three small allocations the first time that an
	// Owned is used, for objects that a caller reuses or always closes.
	BackstopNone
)

// Class describes one kind of native object. It is made once for each library instance and shared by its objects;
// it must not be changed or copied after its first use.
type Class[H any] struct {
	// Name is the object's kind in errors and in the census, for example pjrt.Buffer.
	Name string
	// Destroy destroys the native object. It is called exactly once for each handle, never while the object is in
	// use and always before the object's parents are destroyed; a result made by [Retry] says that it did not
	// destroy, and allows one more call. It may not refer to the value that owns the handle, may run on any
	// goroutine, and must not close or use the same object. A panic in it becomes an error.
	Destroy func(H) error
	// Backstop says what happens to a forgotten object.
	Backstop Backstop
	// Brief says that most objects are closed soon after they are made. The backstop then takes hold of an object when
	// it has outlived the next garbage collection, or some dozens of younger ones, which makes the others cheaper by
	// 300 ns. A forgotten object is noticed one garbage collection later.
	Brief bool

	young atomic.Uint32 // the number of its nursery, 0 until it has one
}

// Owned owns one native object: a handle H and the duty to destroy it. Embed it by value, call [Owned.Init] when
// native code has handed out the handle, and wrap every use of the handle in [Owned.Use] and [Owned.Done]:
//
//	func (b *Buffer) Size() (int, error) {
//		h, err := b.owned.Use()
//		if err != nil {
//			return 0, err // ErrClosed
//		}
//		defer b.owned.Done()
//		return b.api.size(h), nil
//	}
//
// While a Use is open the object is not destroyed; Close says [isthmus.ErrBusy]. An object made from others names
// them as parents and keeps them alive: closing a parent first is ErrBusy too, with the children's creation sites.
//
// The zero value is inert: Use says [isthmus.ErrClosed], Close does nothing. After Close an Owned may be given a
// new object by Init, which then costs no allocation. All methods except Init are safe for concurrent use; Init
// must happen before the Owned is shared. An Owned must not be copied.
type Owned[H any] struct {
	_  noCopy
	st *state[H]
}

// noCopy makes vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// state is the part of an Owned that outlives it: the census and the backstop refer to it, and it refers to
// nothing of the owner's.
type state[H any] struct {
	h     H // beside the node's word, which is read with it
	class *Class[H]
	node
	watch atomic.Uint32 // unwatched, young or watched
}

func (s *state[H]) destroy() error { return s.class.Destroy(s.h) }
func (s *state[H]) kind() string   { return s.class.Name }

// Parent is an object that others are made from: any [*Owned].
type Parent interface {
	parent() *node
}

func (o *Owned[H]) parent() *node {
	if o == nil || o.st == nil {
		return nil
	}
	return &o.st.node
}

// Init takes ownership of h, whatever it returns: when it fails it has destroyed h. The parents must be alive:
// open, or held open by a Use of the caller's; otherwise the error is [isthmus.ErrClosed]. An Owned that still owns
// an object gives [isthmus.ErrBusy], a nil one [isthmus.ErrInvalid]. A class without Destroy is [isthmus.ErrInvalid]
// too, and the only case in which h lives on.
func (o *Owned[H]) Init(c *Class[H], h H, parents ...Parent) error {
	if c == nil || c.Destroy == nil {
		return fmt.Errorf("ffi: init: a class that cannot destroy: %w", isthmus.ErrInvalid)
	}
	s := o.vacant()
	s.class, s.h = c, h
	err := s.adopt(c.Name, parents)
	switch {
	case err != nil:
	case o == nil:
		err = fmt.Errorf("%s: init of a nil owner: %w", c.Name, isthmus.ErrInvalid)
	case o.st == nil:
		o.st = s
	case o.st != s:
		err = fmt.Errorf("%s: init: the previous object is still owned: %w", c.Name, isthmus.ErrBusy)
	}
	if err != nil {
		err = s.fail(err)
	} else {
		s.word.Add(revive)
		if c.Backstop != BackstopNone && s.watch.Load() == unwatched {
			o.guard(c)
		}
	}
	s.mu.Unlock()
	return err
}

// vacant returns a state that owns nothing, locked: o's, unless it still owns an object.
func (o *Owned[H]) vacant() *state[H] {
	if o != nil && o.st != nil {
		// Under the lock: a last user that destroys the object now may find that it cannot, and leave it open.
		o.st.mu.Lock()
		if o.st.word.Load()&(open|later) == 0 {
			return o.st
		}
		o.st.mu.Unlock()
	}
	s := &state[H]{}
	s.obj = s
	s.word.Store(dead)
	s.mu.Lock()
	return s
}

// protected runs the destroy function and makes an error of a panic.
func (s *state[H]) protected() (err error) {
	defer recovered(&err)
	return s.class.Destroy(s.h)
}

// fail destroys an object that could not be taken over. There is nobody to retry a destroy that fails.
func (s *state[H]) fail(err error) error {
	if derr := s.protected(); derr != nil {
		err = fmt.Errorf("%w; and destroying it: %w", err, derr)
	}
	s.releaseLocked()
	return err
}

// forgotten runs when the Owned was collected.
func (s *state[H]) forgotten() {
	if s.word.Load()&open == 0 {
		return
	}
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemLeak, Object: s.describe()})
	if s.class.Backstop != BackstopDestroy {
		return
	}
	if _, err := s.shut(false); err != nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: s.describe(), Err: err})
	}
}

// Use returns the handle and keeps the object alive until Done. Errors: [isthmus.ErrClosed]. It costs a few
// nanoseconds and allocates nothing. A handle must not be used after Done.
func (o *Owned[H]) Use() (H, error) {
	if o == nil || o.st == nil || !o.st.enter() {
		var zero H
		return zero, o.closed()
	}
	return o.st.h, nil
}

// Enter is Use for callers that say in their own words why not.
func (o *Owned[H]) Enter() (H, bool) {
	if o == nil || o.st == nil || !o.st.enter() {
		var zero H
		return zero, false
	}
	return o.st.h, true
}

// Done ends one successful Use or Enter.
func (o *Owned[H]) Done() {
	if o == nil || o.st == nil {
		return
	}
	o.st.leave()
	// The object must be reachable until the use is over: its cleanup would take it for forgotten.
	runtime.KeepAlive(o)
}

// With calls f with the handle between Use and Done.
func (o *Owned[H]) With(f func(H) error) error {
	h, err := o.Use()
	if err != nil {
		return err
	}
	defer o.Done()
	if f == nil {
		return fmt.Errorf("%s: no function to call: %w", o.st.kind(), isthmus.ErrInvalid)
	}
	return f(h)
}

func (o *Owned[H]) closed() error {
	if o == nil || o.st == nil {
		return fmt.Errorf("ffi: object: %w", isthmus.ErrClosed)
	}
	return fmt.Errorf("%s: %w", o.st.kind(), isthmus.ErrClosed)
}

// Close destroys the object. It is nil-safe and idempotent; of several concurrent calls one destroys and the
// others wait for it and return nil. While the object is used or has live children it does nothing and returns a
// [*BusyError]. A destroy that fails is returned once; the object is gone unless the error says by [Retry] that it
// is not, see [Class].
func (o *Owned[H]) Close() error {
	if o == nil || o.st == nil {
		return nil
	}
	s := o.st
	s.mu.Lock()
	for !s.word.CompareAndSwap(open, dead) {
		if w := s.word.Load(); w != open {
			err := s.notNow(w)
			s.mu.Unlock()
			return err
		}
	}
	err := s.destroyAndUnlock()
	runtime.KeepAlive(o)
	if err != nil {
		err = fmt.Errorf("%s: close: %w", s.kind(), err)
	}
	return err
}

// notNow says why an object cannot be closed, whose word is not just open: it is closed already, or busy.
func (s *state[H]) notNow(w uint64) error {
	if w&open == 0 {
		return nil
	}
	return s.busy("close", w)
}

// destroyAndUnlock is destroyLocked without the way through the interface, for what is closed in a hurry.
func (s *state[H]) destroyAndUnlock() (err error) {
	defer s.destroyed(&err, true)
	return s.class.Destroy(s.h)
}

// CloseLater lets nobody use the object any more and destroys it as soon as the last user and child is gone,
// which may be now. The error is that of a destroy now; a later one is reported.
func (o *Owned[H]) CloseLater() error {
	if o == nil || o.st == nil {
		return nil
	}
	_, err := o.st.shut(false)
	runtime.KeepAlive(o)
	return err
}

// CloseWait is CloseLater, and then waits until the object is destroyed. When ctx ends first it returns the
// context's error; the object is still destroyed by its last user.
func (o *Owned[H]) CloseWait(ctx context.Context) error {
	if o == nil || o.st == nil {
		return nil
	}
	if ctx == nil {
		return fmt.Errorf("%s: close: nil context: %w", o.st.kind(), isthmus.ErrInvalid)
	}
	end, err := o.st.shut(true)
	runtime.KeepAlive(o)
	if err != nil || end == nil {
		return err
	}
	select {
	case <-end.done:
		if end.err != nil {
			return fmt.Errorf("%s: close: %w", o.st.kind(), end.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: close: waiting for its last use: %w", o.st.kind(), context.Cause(ctx))
	}
}

// Disown gives the handle up without destroying it: native code owns it now. Errors: [isthmus.ErrClosed], and a
// [*BusyError] while the object is used or has children.
func (o *Owned[H]) Disown() (H, error) {
	var zero H
	if o == nil || o.st == nil {
		return zero, o.closed()
	}
	s := o.st
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		w := s.word.Load()
		if w&open == 0 {
			return zero, o.closed()
		}
		if w != open {
			return zero, s.busy("disown", w)
		}
		if s.word.CompareAndSwap(w, dead) {
			s.tellLocked(nil)
			s.releaseLocked()
			return s.h, nil
		}
	}
}

// Live reports whether the object may be used. It may be false the next moment.
func (o *Owned[H]) Live() bool {
	return o != nil && o.st != nil && o.st.word.Load()&open != 0
}

// Object describes the object for errors and reports.
func (o *Owned[H]) Object() isthmus.Object {
	if o == nil || o.st == nil {
		return isthmus.Object{Kind: "none"}
	}
	return o.st.describe()
}
