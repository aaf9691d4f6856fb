package mpi

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// serveThread is the thread that initialises and finalises the library.
func serveThread(work <-chan func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for f := range work {
		if f == nil {
			return
		}
		f()
	}
}

// onMain has the main thread run f.
func (w *World) onMain(f func()) {
	done := make(chan struct{})
	w.main <- func() { defer close(done); f() }
	<-done
}

// go1 runs a sequence of calls as the library takes them.
func (w *World) go1(s *call.Step) {
	switch {
	case w.funneled:
		w.onMain(s.Run)
	case w.threads == ThreadSerialized:
		w.serial.Lock()
		defer w.serial.Unlock()
		s.Run()
	default:
		s.Run()
	}
}

// short is go1 for calls that wait for nobody. Where processes share processors they may wait all the same, for the library's
// own locks, or because the library lets others run.
func (w *World) short(s *call.Step) {
	if w.roomy && w.multiple {
		s.RunShort()
		return
	}
	w.go1(s)
}

// step prepares one call of a function that the library has.
func (w *World) step(s *call.Step, f mpic.Func, args ...uintptr) error {
	fn, err := w.lib.Fn(f)
	if err != nil {
		return err
	}
	if len(args) > call.MaxStepArgs {
		return fmt.Errorf("%v with %d arguments: %w", f, len(args), isthmus.ErrBounds)
	}
	*s = call.Step{Fn: fn}
	if copy(s.Args[:], args) <= 6 {
		s.Few = 1
	}
	return nil
}

// run makes one call that does not wait for others and returns its code. A function that the library lacks gives -1.
func (w *World) run(f *call.Frame, fn mpic.Func, args ...uintptr) int32 {
	s, err := call.New[call.Step](f)
	if err != nil || w.step(s, fn, args...) != nil {
		return -1
	}
	w.go1(s)
	if x := s.Thrown(); x != nil {
		_ = w.threw(fn.String(), x)
	}
	return s.Failed()
}

// threw is the error for an exception of the library's. It is reported too, since not all callers pass errors on.
func (w *World) threw(op string, x *isthmus.Exception) error {
	err := fmt.Errorf("mpi: %s: the library threw a %w; what it was doing is half done: end the process", op, x)
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemException, Object: isthmus.Object{Kind: "mpi.World"}, Err: err})
	return err
}

// do is run with the error that the code means.
func (w *World) do(f *call.Frame, op string, fn mpic.Func, args ...uintptr) error {
	s, err := call.New[call.Step](f)
	if err != nil {
		return err
	}
	if err := w.step(s, fn, args...); err != nil {
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	w.go1(s)
	if x := s.Thrown(); x != nil {
		return w.threw(op, x)
	}
	if code := s.Failed(); code != 0 {
		return w.failure(op, code)
	}
	return nil
}

// int32s is space for n C ints in a frame, and their addresses.
func int32s(f *call.Frame, n int) ([]int32, uintptr, error) {
	s, err := call.Slice[int32](f, max(n, 1))
	if err != nil {
		return nil, 0, err
	}
	return s, uintptr(mem.AddrOf(s)), nil
}

// cint is a Go int as an argument of type int, which was checked to be one.
func cint(n int) uintptr { return uintptr(uint32(int32(n))) }

// spins is how often a wait looks before it lets others run: some 10 microseconds, and several times that in libraries whose
// looks take long. Where processes share processors, the one that is waited for may need this one: crowdedSpins then.
const (
	spins        = 200
	crowdedSpins = 20
)

// spins is how often a wait looks in one crossing.
func (w *World) spins() int64 {
	if w.roomy {
		return spins
	}
	return crowdedSpins
}

// patience paces a wait: looks in C, then Gosched, then sched_yield, then sleeps that grow. With more ranks than cores the one that sleeps
// lets the others come to where they are waited for.
type patience struct {
	round int
	watch *watcher // nil: nobody is told
	about awaited
	stuck *stuck
	roomy bool
	large int    // rounds more before it sleeps, of what is copied piece by piece, each when somebody looks
	crowd *crowd // nil: nobody counts
}

// crowd is who waits in a process, beyond the first moments.
type crowd struct{ yielding, asleep atomic.Int32 }

// maxYielding is how many goroutines of a process give up their processor at once. The system's call for that takes a thread
// while others run, so of a crowd most sleep.
const maxYielding = 4

// yield lets other processes run. It reports false, and has not, where enough goroutines do.
func (c *crowd) yield() bool {
	if c == nil {
		osYield()
		return true
	}
	defer c.yielding.Add(-1)
	if c.yielding.Add(1) > maxYielding {
		return false
	}
	osYield()
	return true
}

// looks is how often to look in the next crossing: who has slept does not spin.
func (p *patience) looks() int64 {
	switch {
	case p.round > 64 && p.large == 0:
		return 2
	case p.roomy:
		return spins
	}
	return crowdedSpins
}

// largeMessage is from how many bytes on a message goes in many pieces in some libraries, such as Open MPI 5 where it copies
// through shared memory: who slept between two of them made 16 MiB take fifty times as long. hops is about how many.
const largeMessage = 1 << 20

func hops(bytes int) int {
	if bytes < largeMessage {
		return 0
	}
	return min(bytes>>14, 1<<12)
}

// patience is how to wait in this World.
func (w *World) patience() patience {
	return patience{roomy: w.roomy, crowd: &w.crowd}
}

// pause lets others run. It returns the context's error when it has ended.
func (p *patience) pause(ctx context.Context) error {
	p.round++
	switch {
	case p.round <= 4, p.roomy && p.round <= 32:
		runtime.Gosched()
	case p.round <= 64+p.large && p.crowd.yield(): // a large message takes some 100 microseconds: who sleeps meanwhile is late
	default:
		p.round = max(p.round, 65+p.large)
		if p.watch != nil {
			if err := p.notice(); err != nil {
				return err
			}
		}
		d := min(50*time.Microsecond<<min((p.round-64-p.large)/64, 5), time.Millisecond)
		if p.large > 0 {
			d = 50 * time.Microsecond
		}
		if c := p.crowd; c != nil {
			defer c.asleep.Add(-1)
			d = max(d, time.Duration(c.asleep.Add(1))*10*time.Microsecond) // each looks less often, the more there are
		}
		if done := ctx.Done(); done != nil && p.round&63 == 0 {
			select {
			case <-done:
				return context.Cause(ctx)
			case <-time.After(d):
				return nil
			}
		}
		time.Sleep(d)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
