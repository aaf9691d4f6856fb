package ffi

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
)

// Callback is Go code that native code calls. A panic in it becomes a value that its owner chose, never an unwound
// C frame. Native code holds a number, not an address: when it calls after Close it gets the value for
// [isthmus.ErrClosed] and nothing else happens. Callbacks are bounded in number and their places are used again.
// It is safe for concurrent use.
type Callback struct {
	o Owned[cb.Served]
}

// CallbackOptions describe a callback. Serve is required.
type CallbackOptions struct {
	// Kind names the callback in errors and in the census.
	Kind string
	// Shape is the form of the C function.
	Shape cb.Shape
	// Serve runs for each call, on any number of goroutines at once.
	Serve func(*cb.Args) uintptr
	// Fault makes the value that native code gets when Serve panics (the error is [isthmus.ErrPanic]), or when the
	// callback is closed (it is [isthmus.ErrClosed]). It must not panic. Nil gives 0, and the error is reported.
	Fault func(error) uintptr
	// Isolate: see [cb.Handler].
	Isolate bool
	// Parents are kept alive as long as the callback.
	Parents []Parent
}

// NewCallback registers a callback. Errors: [isthmus.ErrInvalid] for a wrong shape, [isthmus.ErrLimit] when too
// many are registered, [isthmus.ErrClosed] when a parent is closed.
func NewCallback(opt CallbackOptions) (*Callback, error) {
	if opt.Kind == "" {
		opt.Kind = "ffi.Callback"
	}
	if opt.Serve == nil {
		return nil, fmt.Errorf("%s: no function to serve: %w", opt.Kind, isthmus.ErrInvalid)
	}
	c := &Callback{}
	// The handler refers to the state and not to c, so that a forgotten Callback is noticed.
	gate := &callbackGate{}
	served, err := cb.Serve(opt.Shape, cb.Handler{
		Serve: func(a *cb.Args) uintptr {
			if !gate.n.enter() {
				return fault(opt, fmt.Errorf("%s: %w", opt.Kind, isthmus.ErrClosed))
			}
			defer gate.n.leave()
			return opt.Serve(a)
		},
		Fault: func(err error) uintptr {
			return fault(opt, fmt.Errorf("%s: %w", opt.Kind, err))
		},
		Isolate: opt.Isolate,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opt.Kind, err)
	}
	class := &Class[cb.Served]{Name: opt.Kind, Destroy: func(s cb.Served) error {
		s.Release()
		return nil
	}}
	gate.n = &node{}
	if err := c.o.Init(class, served, opt.Parents...); err != nil {
		return nil, err
	}
	gate.n = c.o.parent()
	return c, nil
}

// callbackGate leads from the handler to the node that counts its calls.
type callbackGate struct{ n *node }

func fault(opt CallbackOptions, err error) uintptr {
	if opt.Fault == nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: opt.Kind}, Err: err})
		return 0
	}
	return opt.Fault(err)
}

// Native returns what native code is given: the C function and its user argument. It is for the packages of this
// module.
func (c *Callback) Native() (cb.Served, error) {
	if c == nil {
		return cb.Served{}, fmt.Errorf("ffi: callback: %w", isthmus.ErrClosed)
	}
	s, err := c.o.Use()
	if err != nil {
		return cb.Served{}, err
	}
	c.o.Done()
	return s, nil
}

// Parent lets other objects keep the callback alive: what native code registered it with. A nil callback is no parent.
func (c *Callback) Parent() Parent {
	if c == nil {
		return nil
	}
	return &c.o
}

// Close ends the callback. While it runs, or while an object made with it lives, the error is a [*BusyError].
func (c *Callback) Close() error {
	if c == nil {
		return nil
	}
	return c.o.Close()
}

// CloseWait lets no new call in and waits for those that run; see [Owned.CloseWait].
func (c *Callback) CloseWait(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.o.CloseWait(ctx)
}
