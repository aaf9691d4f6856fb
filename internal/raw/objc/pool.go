package objc

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// errThread is a message through a pool of another thread.
var errThread = errors.New("the autorelease pool is another thread's")

// Pool is an autorelease pool of the thread that it was made on, for one call of [Runtime.Pool]. Messages are sent through it. It is
// of no use on another thread and after its end: messages are refused then, before anything is called.
type Pool struct {
	rt     *Runtime
	thread uintptr     // 0 when it has ended
	frame  *call.Frame // what arguments point to
}

// Pool calls f with an autorelease pool and drains it after. The goroutine keeps its thread meanwhile.
func (r *Runtime) Pool(f func(*Pool) error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := &Pool{rt: r}
	token, err := p.begin()
	if err != nil {
		return err
	}
	defer func() {
		if p.frame != nil {
			p.frame.Put()
		}
		thread := p.thread
		p.thread, p.frame = 0, nil
		err = errors.Join(err, r.end(thread, token))
	}()
	return f(p)
}

// begin makes the pool, and learns the thread.
func (p *Pool) begin() (token uintptr, err error) {
	r := p.rt
	f := call.Get()
	defer f.Put()
	w, err := call.Raw[call.Wide](f)
	if err != nil {
		return 0, err
	}
	w.Few, w.Thread = 1, 0
	run := func(fn call.Fn, object, sel uintptr) (uintptr, error) {
		w.Fn, w.Ints[0], w.Ints[1] = fn, object, sel
		w.Run()
		if x := w.Thrown(); x != nil {
			return 0, &CallError{"NSAutoreleasePool", "init", x}
		}
		return w.R0, nil
	}
	if r.push != 0 {
		token, err = run(r.push, 0, 0)
	} else if token, err = run(r.send, r.poolClass, r.sel.alloc); err == nil && token != 0 {
		token, err = run(r.send, token, r.sel.init)
	}
	if err != nil {
		return 0, err
	}
	if token == 0 && r.push == 0 {
		return 0, &CallError{"NSAutoreleasePool", "init", ErrNil}
	}
	p.thread = w.At
	return token, nil
}

// end drains a pool.
func (r *Runtime) end(thread, token uintptr) error {
	if r.pop == 0 {
		if _, err := r.raw(thread, token, r.sel.drain); err != nil {
			return &CallError{"NSAutoreleasePool", "drain", err}
		}
		return nil
	}
	f := call.Get()
	defer f.Put()
	f.Call1(r.pop, mem.Addr(token))
	if x := f.Thrown(); x != nil {
		return &CallError{"NSAutoreleasePool", "pop", x}
	}
	return nil
}

// ok reports whether the pool can be used, as far as it can be known here.
func (p *Pool) ok() error {
	if p == nil || p.thread == 0 {
		return fmt.Errorf("objc: the autorelease pool has ended: %w", isthmus.ErrClosed)
	}
	return nil
}

// memory is the frame that lives as long as the pool.
func (p *Pool) memory() *call.Frame {
	if p.frame == nil {
		p.frame = call.Get()
	}
	return p.frame
}
