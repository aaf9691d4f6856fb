package objc

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// ref is a reference that an Object owns.
type ref uintptr

// Object owns one reference to an Objective-C object, and knows that its class is as the facts say. The zero value owns nothing:
// messages to it are [isthmus.ErrClosed]. It is made by messages ([Pool.Object], [Pool.New]), must not be copied, and is safe for
// concurrent use as far as the native object is.
type Object struct {
	owned ffi.Owned[ref]
	kind  *Kind
}

// Class is a class of the runtime, verified.
type Class struct {
	id   uintptr
	kind *Kind
}

// Close releases the object, on whatever thread, inside a pool. It is nil-safe and idempotent. While a message is under way the error
// is [isthmus.ErrBusy].
func (o *Object) Close() error {
	if o == nil {
		return nil
	}
	return o.owned.Close()
}

// Abandon gives up the reference and does not release it: the object stays, for ever ([Runtime.Abandoned]). It is for what an exception
// left in a state in which its end would end the process.
func (o *Object) Abandon() {
	if o == nil || o.kind == nil {
		return
	}
	if _, err := o.owned.Disown(); err == nil {
		o.kind.table.rt.abandoned.Add(1)
	}
}

// Supports says why a method of the object cannot be called, or nil.
func (o *Object) Supports(row Row) error {
	if o == nil || o.kind == nil {
		return fmt.Errorf("objc: no object: %w", isthmus.ErrClosed)
	}
	_, err := o.kind.method(row, false)
	return err
}

// init gives o a reference that is ours.
func (o *Object) init(t *Table, name string, id uintptr) error {
	o.kind = t.kind(name, t.rt.classOf(id), false)
	return o.owned.Init(&o.kind.owner, ref(id))
}

// Create makes into the owner of what a C function without arguments returns: a reference that is ours, or nil, which is [ErrNil].
//
// Preconditions: fn is such a function.
func (p *Pool) Create(into *Object, t *Table, class, name string, fn call.Fn) error {
	if err := p.ok(); err != nil {
		return err
	}
	f := call.Get()
	defer f.Put()
	id := f.Call(fn)
	if x := f.Thrown(); x != nil {
		return &CallError{class, name, x}
	}
	if id == 0 {
		return &CallError{class, name, ErrNil}
	}
	return into.init(t, class, id)
}
