package langrt

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/rtfile"
)

// Future is a value that is there later, in Go and in C alike. Whoever waits for one in Go waits as a goroutine: no
// thread is held. Any number may wait, and all get the result.
type Future struct{ Value }

// Go runs f on a goroutine of its own, and makes the future of its result, which s owns. The result's count, of a value
// that f made with a nil scope, goes to the future. An error of f's, and a panic, is the error that awaits get; in C they
// get its code, and its text as the reason.
func Go(s *Scope, f func() (Value, error)) (Future, error) {
	p, w, err := promise(s, "future go")
	if err != nil {
		return Future{}, err
	}
	go run(w, f)
	return p, nil
}

// run runs a body and ends its promise, whatever the body does.
func run(promise rtheap.Value, f func() (Value, error)) {
	v, err := Value{}, error(&Error{Op: "future", Code: Defect, Err: errors.New("its function ended the goroutine")})
	defer func() {
		if x := recover(); x != nil {
			err = &Error{Op: "future", Code: Defect, Err: fmt.Errorf("%v", x)}
			v = Value{}
		}
		settle(promise, v.raw(), coded(err))
	}()
	v, err = f()
}

// coded is an error with the code that C gets.
func coded(err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return &rtfile.Error{Code: rtheap.Code(e.Code), Err: err}
	case errors.Is(err, context.Canceled):
		return &rtfile.Error{Code: rtheap.IsCancelled, Err: err}
	}
	return &rtfile.Error{Code: rtheap.HasFailed, Err: err}
}

// promise makes a promise that s owns, and a count of it for who ends it.
func promise(s *Scope, op string) (Future, rtheap.Value, error) {
	if err := plane(op); err != nil {
		return Future{}, rtheap.Nil, err
	}
	h, err := heap(op)
	if err != nil {
		return Future{}, rtheap.Nil, err
	}
	w, code := newPromise()
	if code == rtheap.OK && !h.Retain(w) {
		code = rtheap.NotStarted // it was shut down in between
	}
	v, err := own(s, op, h, w, code)
	if err != nil {
		if code == rtheap.OK {
			h.Release(w)
		}
		return Future{}, rtheap.Nil, err
	}
	return Future{v}, w, nil
}

// NewPromise makes a future that [Future.Complete], [Future.Fail] or [Future.Cancel] ends, which s owns.
func NewPromise(s *Scope) (Future, error) {
	p, w, err := promise(s, "promise new")
	if err == nil {
		rtheap.Made().Release(w)
	}
	return p, err
}

// Resolved makes a future that has the result v, which it counts; s owns the future.
func Resolved(s *Scope, v Value) (Future, error) {
	const op = "future resolve"
	if err := plane(op); err != nil {
		return Future{}, err
	}
	h, err := heap(op)
	if err != nil {
		return Future{}, err
	}
	w, code := resolved(v)
	x, err := own(s, op, h, w, code)
	return Future{x}, err
}

// Await waits for the result, which s owns. A function of C's that was not started yet is started.
//
// Errors: the context's; that of the function in Go; [Failed] with C's reason; [Cancelled]; isthmus.ErrClosed when the
// runtime stops, or the future is gone.
func (f Future) Await(ctx context.Context, s *Scope) (Value, error) {
	const op = "future await"
	if ctx == nil {
		ctx = context.Background()
	}
	w, code := await(ctx, f.Value)
	switch {
	case code == rtheap.OK:
		return own(s, op, rtheap.Made(), w, code)
	case code == rtheap.TimedOut:
		return Value{}, &Error{Op: op, Code: Code(contextCode(ctx)), Value: f.Value, Err: context.Cause(ctx)}
	}
	return Value{}, &Error{Op: op, Code: Code(code), Value: f.Value, Err: f.reason()}
}

// reason is what the future says of its failure, nil when it says nothing.
func (f Future) reason() error {
	v := futureReason(f.Value)
	if v.IsNil() {
		return nil
	}
	if text, err := (String{v}).Text(); err == nil {
		return errors.New(text)
	}
	return errors.New(v.String())
}

// Start has the function of C's that a future waits to run begin. Others have begun.
func (f Future) Start() error { return check("future start", f.Value, startFuture(f.Value)) }

// Ready reports whether an Await would end at once.
func (f Future) Ready() bool { return futureReady(f.Value) }

// Complete gives a promise its result, which it counts.
//
// Errors: [BadState] when it has one, or is no promise.
func (f Future) Complete(v Value) error {
	return check("future complete", f.Value, complete(f.Value, v))
}

// Fail ends a promise without a result. Awaits get [Failed], and the text of reason.
func (f Future) Fail(reason error) error {
	const op = "future fail"
	if reason == nil {
		reason = isthmus.ErrInvalid
	}
	text, err := NewString(nil, reason.Error())
	if err != nil {
		return err
	}
	code := failFuture(f.Value, text.Value)
	return errors.Join(check(op, f.Value, code), Release(text.Value))
}

// Cancel ends a future: awaits get [Cancelled]. A function that has begun goes on, and its result is let go.
//
// Errors: [BadState] when it has ended.
func (f Future) Cancel() error { return check("future cancel", f.Value, cancelFuture(f.Value)) }

// AwaitAll waits for all futures: the results in the same order, which s owns, or the first error there is.
func AwaitAll(ctx context.Context, s *Scope, futures ...Future) ([]Value, error) {
	out := make([]Value, 0, len(futures))
	for _, f := range futures { // started first, so that they run beside each other
		_ = f.Start() // a promise is not, and what is no future is told below
	}
	for _, f := range futures {
		v, err := f.Await(ctx, nil)
		if err != nil {
			for _, v := range out {
				_ = Release(v) // it was just given to us
			}
			return nil, err
		}
		out = append(out, v)
	}
	for i, v := range out {
		if err := s.Take(v); err != nil {
			for _, v := range out[i:] {
				_ = Release(v)
			}
			return nil, err
		}
	}
	return out, nil
}

// AwaitAny waits for the first result, which s owns, and says which future it is of; the others go on. When all fail, it
// is the last error.
func AwaitAny(ctx context.Context, s *Scope, futures ...Future) (int, Value, error) {
	if len(futures) == 0 {
		return -1, Value{}, &Error{Op: "future await any", Code: Empty}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		i   int
		v   Value
		err error
	}
	ends := make(chan end, len(futures))
	for i, f := range futures {
		go func() {
			v, err := f.Await(ctx, nil)
			ends <- end{i, v, err}
		}()
	}
	for n := 1; ; n++ {
		e := <-ends
		if e.err == nil {
			go func() { // those that ended at the same time are let go
				for range len(futures) - n {
					_ = Release((<-ends).v)
				}
			}()
			if err := s.Take(e.v); err != nil {
				return -1, Value{}, errors.Join(err, Release(e.v))
			}
			return e.i, e.v, nil
		}
		if n == len(futures) {
			return -1, Value{}, e.err
		}
	}
}
