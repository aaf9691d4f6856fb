package mpi

import (
	"context"
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// patient is a sequence of calls that may wait for other processes and that have no form that is started and tested. It
// has the memory that the calls use. When the caller gives up, a goroutine goes on waiting, and what the calls hold is
// held until they have ended.
type patient struct {
	world *World
	op    string
	f     *call.Frame
	left  bool   // a goroutine has the frame
	held  func() // ends what is held when a call that was left has ended
}

// newPatient makes a sequence of calls. Its end is called once.
func (w *World) newPatient(op string, held func()) *patient {
	return &patient{world: w, op: op, f: call.Get(), held: held}
}

// end gives everything back, unless a call goes on.
func (p *patient) end() {
	if p.left {
		return
	}
	p.f.Put()
	if p.held != nil {
		p.held()
	}
}

// do makes one call. When ctx ends first, the call goes on and p is left to it.
func (p *patient) do(ctx context.Context, fn mpic.Func, args ...uintptr) error {
	if p.left {
		return fmt.Errorf("mpi: %s: a call before this one was given up: %w", p.op, context.Cause(ctx))
	}
	if p.world.watch != nil {
		defer p.world.inside(p.op)()
	}
	leave := func() {}
	if !ends(fn) { // what has begun is brought to its end
		var err error
		if leave, err = p.world.enterWait(p.op); err != nil {
			return err
		}
	}
	if ctx.Done() == nil {
		defer leave()
		return p.world.do(p.f, p.op, fn, args...)
	}
	over := make(chan error, 1)
	go func() {
		defer leave()
		over <- p.world.do(p.f, p.op, fn, args...)
	}()
	if err, ok := overBefore(ctx, over); ok {
		return err
	}
	p.left = true
	f, held := p.f, p.held
	go func() {
		<-over
		f.Put()
		if held != nil {
			held()
		}
	}()
	return fmt.Errorf("mpi: %s: %w", p.op, context.Cause(ctx))
}

// overBefore waits for the end of a call, which over brings, or of ctx. Both at once: what the library did counts.
func overBefore(ctx context.Context, over <-chan error) (err error, ok bool) {
	select {
	case err := <-over:
		return err, true
	case <-ctx.Done():
	}
	select {
	case err := <-over:
		return err, true
	default:
		return nil, false
	}
}

// maxWaits is how many calls of a process wait in C at once where Options do not say.
const maxWaits = 256

// enterWait lets a call wait in C, where it takes one of the system's threads, and says when it is over. More than Options
// allow are refused and not queued: what is in the queue may be what those before it wait for, here or in another process.
func (w *World) enterWait(op string) (leave func(), err error) {
	if n := w.waits.Add(1); n > w.maxWaits {
		w.waits.Add(-1)
		return nil, fmt.Errorf("mpi: %s: %d calls of this process wait in the library already, each on a thread of its own: %w; see Options.MaxWaits", op, n-1, isthmus.ErrLimit)
	}
	return func() { w.waits.Add(-1) }, nil
}

// ends reports whether a call ends an epoch.
func ends(fn mpic.Func) bool {
	switch fn {
	case mpic.FnWinUnlock, mpic.FnWinUnlockAll, mpic.FnWinComplete, mpic.FnWinWait, mpic.FnWinFree:
		return true
	}
	return false
}

// closing is how long the end of an epoch may last after its context has ended: it has to be closed whatever happened in
// it, and the other processes may need a moment to come.
const closing = 2 * time.Second

// overtime is ctx, and some time after it.
func overtime(ctx context.Context) (context.Context, func()) {
	if ctx.Done() == nil {
		return ctx, func() {}
	}
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(closing, func() { cancel(context.Cause(ctx)) })
	})
	return out, func() { stop(); cancel(nil) }
}

// int64s is space for n C integers of 64 bits in a frame, which are as wide as MPI_Aint, MPI_Offset and the widest handle,
// and their address.
func int64s(f *call.Frame, n int) ([]int64, uintptr, error) {
	s, err := call.Slice[int64](f, max(n, 1))
	if err != nil {
		return nil, 0, err
	}
	return s, uintptr(mem.AddrOf(s)), nil
}

// lendOn makes an operation on c that is not started and that b is lent to. Without an error it has c in use.
func lendOn[T any](c *Comm, op string, b []T, use ffi.Access) (*operation, error) {
	if _, err := c.use(op); err != nil {
		return nil, err
	}
	o, err := c.newOperation(op)
	if err != nil {
		c.owned.Done()
		return nil, err
	}
	if o.loans[0], err = ffi.LendSlice(b, use); err != nil {
		o.drop()
		return nil, fmt.Errorf("mpi: %s: %w", op, c.world.overlap(op, err))
	}
	o.watch(nil)
	return o, nil
}

// countOf checks a number of elements: MPI's functions without _c take a C int.
func countOf(op string, n int) (int, error) {
	if n > 1<<31-1 {
		return 0, bounds(op, "%d elements; use at most 2147483647 at once", n)
	}
	return n, nil
}
