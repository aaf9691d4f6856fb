package cb

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Args are the arguments of one call from C, as integers and addresses; those beyond the shape's count are 0.
type Args [call.MaxArgs]uintptr

// Shape is the form of a C callback: how many arguments, and which of them (from 0) is the user argument.
type Shape struct{ Args, User int }

// Handler is what serves a callback.
type Handler struct {
	// Serve runs for each call. It may run on any number of goroutines at once.
	Serve func(*Args) uintptr
	// Fault makes the value that C gets when Serve panics or ends its goroutine. It must not panic; nil gives 0.
	Fault func(error) uintptr
	// Isolate runs Serve on a goroutine of its own, which costs tens of microseconds for the hand-over between
	// threads. It is for code of a user's that may call runtime.Goexit, as testing's FailNow does: from a Go
	// function that C called, the runtime cannot return to C after that, so without Isolate it ends the process:
	// see [End].
	Isolate bool
}

const (
	servedBits = 16
	// MaxServed is how many callbacks may be served at one time.
	MaxServed = 1<<servedBits - 1
	// maxStatic bounds what this package takes of purego's 2,000 callbacks, which are never given back.
	maxStatic = 1500
)

// Served is a registered handler.
type Served struct {
	Fn    call.Fn // the function to give to native code
	Arg   uintptr // the user argument to give with it
	index uint32
}

type served struct {
	token uintptr
	Handler
}

// handlers is the table that user arguments index. One in a process: the C functions find it without context.
var handlers struct {
	mu    sync.Mutex
	slots [MaxServed + 1]atomic.Pointer[served]
	free  []uint32
	next  uint32
	gen   uint64
}

// Serve registers a handler and returns a C function of the given shape with the user argument that finds it.
// Errors: [isthmus.ErrInvalid] for a shape of no or too many arguments, [isthmus.ErrLimit] when [MaxServed] are
// registered.
func Serve(shape Shape, h Handler) (Served, error) {
	if h.Serve == nil {
		return Served{}, fmt.Errorf("cb: no function to serve: %w", isthmus.ErrInvalid)
	}
	fn, err := entry(shape)
	if err != nil {
		return Served{}, err
	}
	t := &handlers
	t.mu.Lock()
	defer t.mu.Unlock()
	var i uint32
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		if t.next > MaxServed {
			return Served{}, fmt.Errorf("cb: %d callbacks are registered: %w", MaxServed, isthmus.ErrLimit)
		}
		i = t.next
		t.next++
	}
	// A generation counts from 1, so that no token is 0; 48 bits of it last for ever.
	t.gen++
	token := uintptr(t.gen<<servedBits | uint64(i))
	t.slots[i].Store(&served{token: token, Handler: h})
	return Served{Fn: fn, Arg: token, index: i}, nil
}

// Release ends the registration. It reports whether this call did: a second one does nothing. Calls in progress
// go on; later ones are strays.
func (s Served) Release() bool {
	h := handlers.slots[s.index].Load()
	if h == nil || h.token != s.Arg || !handlers.slots[s.index].CompareAndSwap(h, nil) {
		return false
	}
	handlers.mu.Lock()
	handlers.free = append(handlers.free, s.index)
	handlers.mu.Unlock()
	return true
}

// Registered returns how many handlers are registered.
func Registered() int {
	handlers.mu.Lock()
	defer handlers.mu.Unlock()
	return int(handlers.next) - len(handlers.free)
}

// dispatch serves one call from C.
func dispatch(a *Args, user int) uintptr {
	token := a[user]
	h := handlers.slots[token&MaxServed].Load()
	if h == nil || h.token != token {
		stray(token)
		return 0
	}
	return h.run(a)
}

func stray(token uintptr) {
	returns := false
	defer stay(&returns)
	signalStray.Add(1)
	isthmus.Tell(isthmus.Report{
		Problem: isthmus.ProblemStray,
		Object:  isthmus.Object{Kind: "cb.Served"},
		Err:     fmt.Errorf("user argument %#x is not registered: %w", token, isthmus.ErrClosed),
	})
	returns = true
}

// stay ends the process when a function that C called is about to leave by a panic or by runtime.Goexit: C's frames would
// be left with it. It must be deferred itself.
func stay(returns *bool) {
	if !*returns {
		End(recover())
	}
}

// End ends the process because of a panic with v in a function that C called, or of runtime.Goexit where v is nil: by a
// panic on a goroutine of its own with the stack of this one, so that no recover above C's frames hides it. It does not
// return.
func End(v any) {
	if v == nil {
		v = "runtime.Goexit in a function that C called: the thread cannot return to C; set Isolate where this may happen"
	}
	text := fmt.Sprintf("cb: %v\n\n%s", v, debug.Stack())
	go panic(text)
	select {}
}

// run is the barrier: whatever Serve does, C gets a value and no Go frame is unwound through C's.
func (h *Handler) run(a *Args) uintptr {
	if !h.Isolate {
		return h.guarded(a)
	}
	result := make(chan uintptr, 1)
	go func() {
		// Sent by a deferred call of its own, so that it is sent after Goexit too.
		var r uintptr
		defer func() { result <- r }()
		h.guardedInto(a, &r)
	}()
	return <-result
}

func (h *Handler) guarded(a *Args) (r uintptr) {
	returns := false
	defer stay(&returns)
	h.guardedInto(a, &r)
	returns = true
	return r
}

func (h *Handler) guardedInto(a *Args, r *uintptr) {
	ok := false
	defer func() {
		if ok {
			return
		}
		v := recover()
		if v == nil && !h.Isolate {
			End(nil)
		}
		*r = h.fault(panicError(v))
	}()
	*r = h.Serve(a)
	ok = true
}

func (h *Handler) fault(err error) (r uintptr) {
	if h.Fault == nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "cb.Served"}, Err: err})
		return 0
	}
	defer func() {
		if v := recover(); v != nil {
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "cb.Served"}, Err: panicError(v)})
		}
	}()
	return h.Fault(err)
}

// entries are the C functions: one for each shape, made on first use and kept, 21 at most.
var entries struct {
	mu sync.Mutex
	fn map[Shape]call.Fn
}

func entry(s Shape) (call.Fn, error) {
	if s.Args < 1 || s.Args > call.MaxArgs || s.User < 0 || s.User >= s.Args {
		return 0, fmt.Errorf("cb: callback of %d arguments with user argument %d: %w; use 1 to %d", s.Args, s.User, isthmus.ErrInvalid, call.MaxArgs)
	}
	entries.mu.Lock()
	defer entries.mu.Unlock()
	if fn, ok := entries.fn[s]; ok {
		return fn, nil
	}
	u := s.User
	var f any
	switch s.Args {
	case 1:
		f = func(a uintptr) uintptr { return dispatch(&Args{a}, u) }
	case 2:
		f = func(a, b uintptr) uintptr { return dispatch(&Args{a, b}, u) }
	case 3:
		f = func(a, b, c uintptr) uintptr { return dispatch(&Args{a, b, c}, u) }
	case 4:
		f = func(a, b, c, d uintptr) uintptr { return dispatch(&Args{a, b, c, d}, u) }
	case 5:
		f = func(a, b, c, d, e uintptr) uintptr { return dispatch(&Args{a, b, c, d, e}, u) }
	case 6:
		f = func(a, b, c, d, e, g uintptr) uintptr { return dispatch(&Args{a, b, c, d, e, g}, u) }
	}
	fn, err := Static(f)
	if err != nil {
		return 0, err
	}
	if entries.fn == nil {
		entries.fn = make(map[Shape]call.Fn)
	}
	entries.fn[s] = fn
	return fn, nil
}

var statics atomic.Int32

// Static returns a C function for f that lives as long as the process, for the slots of function tables. f's
// arguments and result are integers or addresses, as purego.NewCallback takes them; it has no barrier and must not
// panic. Errors: [isthmus.ErrLimit] after 1,500 of them, because they are never given back.
func Static(f any) (fn call.Fn, err error) {
	if statics.Add(1) > maxStatic {
		statics.Add(-1)
		return 0, fmt.Errorf("cb: %d static callbacks: %w; use Serve for what comes and goes", maxStatic, isthmus.ErrLimit)
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("cb: static callback of type %T: %w: %v", f, isthmus.ErrInvalid, v)
		}
	}()
	call.ExpectCallbacks()
	//isthmus:ignore callback-per-call these live as long as the process by contract, and are counted above
	return call.Fn(purego.NewCallback(f)), nil
}

// Static1 is [Static] for a function of one pointer, the shape of every PJRT slot, behind the barrier of [Serve]:
// fault makes the result when serve panics.
func Static1(serve func(arg mem.Addr) uintptr, fault func(error) uintptr) (call.Fn, error) {
	h := &Handler{Serve: func(a *Args) uintptr { return serve(mem.Addr(a[0])) }, Fault: fault}
	return Static(func(arg uintptr) uintptr { return h.run(&Args{arg}) })
}
