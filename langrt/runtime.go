package langrt

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Options are the limits of the runtime. The zero value leaves everything as it is; at the first start that is all that
// the machine gives.
type Options struct {
	// MaxBytes limits the memory of objects, what is kept for the next ones included. Default: three quarters of the
	// machine's memory.
	MaxBytes uint64
	// MaxObjects limits how many objects are alive at once, to within some hundreds. Default and most: 2^28.
	MaxObjects uint32
	// AddressSpace is what is reserved for data, in bytes. It takes no memory. Only the first start of the process heeds
	// it. Default and most: 64 GiB, or what the system gives.
	AddressSpace uint64
}

// Start starts the process's runtime, if it does not run, and sets its limits. Nobody has to call it: the first thing
// that is made starts the runtime with the limits that the machine has. There is one runtime in a process, for its Go and
// its C code.
//
// Errors: isthmus.ErrLimit when the system gives no address space, isthmus.ErrUnsupported where it is not known how to
// ask for it.
func Start(o Options) error {
	if _, err := rtheap.ProcessWith(rtheap.Limits{Data: o.AddressSpace, Slots: o.MaxObjects, Bytes: o.MaxBytes}); err != nil {
		return fmt.Errorf("langrt: start: %w", err)
	}
	return restart()
}

// Shutdown stops the runtime, in Go and in C, and frees all that is alive: it returns how many objects that were, which
// somebody forgot. Every wait ends with [NotRunning], and what did not begin never does. It waits for the functions of C's
// that are under way, but not longer than the timeout (negative: for ever). No Value from before names an object again.
// [Start] starts the runtime anew.
//
// Errors: [TimedOut] when functions were still under way: nothing was freed, and it may be called again. isthmus.ErrClosed
// when the runtime does not run; isthmus.ErrUnsupported without cgo, where nothing has to be stopped.
func Shutdown(timeout time.Duration) (int64, error) {
	const op = "shutdown"
	if err := running(op); err != nil {
		return 0, err
	}
	n, code := shutdown(int64(timeout))
	return n, check(op, Value{}, code)
}

// heap is the process's, which it starts.
func heap(op string) (*rtheap.Heap, error) {
	if h := rtheap.Made(); h != nil {
		return h, nil
	}
	h, err := rtheap.Process()
	if err != nil {
		return nil, fmt.Errorf("langrt: %s: %w", op, err)
	}
	return h, nil
}

// Objects is how many objects are alive, whoever made them.
func Objects() int64 {
	if h := rtheap.Made(); h != nil {
		return h.Objects()
	}
	return 0
}

// Bytes is the memory that objects have taken, what is kept for the next ones included.
func Bytes() uint64 {
	if h := rtheap.Made(); h != nil {
		return h.Used()
	}
	return 0
}

// Misuses is how often an operation of Go's was refused because a Value was no live object of the type that it wanted.
// In a program without defects it stays 0.
func Misuses() int64 {
	if h := rtheap.Made(); h != nil {
		return h.Misuses()
	}
	return 0
}

// Count is a line of the census: live objects of one type that one site made.
type Count struct {
	Type    Type
	Site    string // the place that made them, as C's RT_SITE has it: file:line; empty when it is not known
	Objects int64
	Bytes   int64 // of their data
}

// Census counts the live objects by type and site, the most numerous first. It takes about a millisecond for a million
// objects; those that come or go meanwhile may be counted or not.
func Census() []Count {
	h := rtheap.Made()
	if h == nil {
		return nil
	}
	var out []Count
	for _, c := range h.Census() {
		out = append(out, Count{Type(c.Type), h.SiteText(c.Site), c.Objects, c.Bytes})
	}
	return out
}

// Collect frees objects that only hold each other, such as an array that holds itself, and returns how many. All else
// goes when its last count does, so a program without cycles need not call it. It works beside the rest of the program
// and takes about a microsecond for each live object.
func Collect() int {
	if h := rtheap.Made(); h != nil {
		return h.Collect()
	}
	return 0
}

// Freeze makes v, and all that it leads to, refuse writes for ever, in Go and in C. Frozen objects may be shared between
// actors.
func Freeze(v Value) error {
	h, err := heap("freeze")
	if err != nil {
		return err
	}
	return check("freeze", v, h.Freeze(v.raw()))
}

// Retain counts v once more; the caller has to [Release] that count. What a Get lent is kept so. A value that is no
// object needs no count.
func Retain(v Value) error {
	h := rtheap.Made()
	if w := v.raw(); h == nil || !h.Retain(w) {
		return notAlive("retain", v)
	}
	return nil
}

// Release lets one count of v go. With the last the object is gone, and what only it held. A value that is no object has
// none to let go.
//
// Errors: isthmus.ErrClosed when the object is gone, as after the last Release.
func Release(v Value) error {
	h := rtheap.Made()
	if w := v.raw(); h == nil || !h.Release(w) {
		return notAlive("release", v)
	}
	return nil
}

// notAlive is the error of Retain and Release, which also accept what is no object.
func notAlive(op string, v Value) error {
	switch w := v.raw(); {
	case w.IsHandle():
		return refusal(op, v, rtheap.BadHandle)
	case !w.Valid():
		return refusal(op, v, rtheap.BadValue)
	}
	return nil
}

// Counted is how many count v: containers, scopes, and whoever has retained it. It is for tests and debuggers. 0 of what
// is no live object.
func Counted(v Value) int64 {
	if h := rtheap.Made(); h != nil {
		return h.Count(v.raw())
	}
	return 0
}

// Ref is a count of a value that the garbage collector lets go if nobody else does: for a value that a Go object has for
// as long as it lives. It costs a small Go object; values that live for a time that the program knows are better off in
// a [Scope].
type Ref struct{ held *held }

type held struct{ v atomic.Uint64 } // the value, nil when it was let go

// Hold returns a Ref that has a count of its own of v.
func Hold(v Value) (*Ref, error) {
	if err := Retain(v); err != nil {
		return nil, err
	}
	r := &Ref{&held{}}
	r.held.v.Store(v.Word())
	runtime.AddCleanup(r, func(h *held) { _ = h.close() }, r.held) // it was counted, so it is there
	return r, nil
}

// Value is what r holds, nil after Close.
func (r *Ref) Value() Value {
	if r == nil || r.held == nil {
		return Value{}
	}
	return FromWord(r.held.v.Load())
}

// Close lets the value go. Again it does nothing.
func (r *Ref) Close() error {
	if r == nil || r.held == nil {
		return nil
	}
	return r.held.close()
}

func (h *held) close() error { return Release(FromWord(h.v.Swap(uint64(rtheap.Nil)))) }
