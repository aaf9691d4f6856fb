package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	scenarios["kept"] = keptInFlight
	scenarios["finalize"] = finalizeNames
	scenarios["leaving"] = leaving
}

func TestI08NothingInFlightIsCollected(t *testing.T) { mpitest.Run(t, 2, "kept") }
func TestI03FinalizeNamesLostRequests(t *testing.T)  { mpitest.Run(t, 2, "finalize") }
func TestI02LeavingEveryWay(t *testing.T)            { mpitest.Run(t, 2, "leaving") }

// traced is memory whose collection is noticed. It is large enough that a library does not copy it aside.
func traced(gone *atomic.Int32) []int64 {
	b := make([]int64, 1<<17)
	runtime.AddCleanup(&b[0], func(int) { gone.Add(1) }, 0)
	return b
}

// flights are operations that rank 0 starts, which cannot end before rank 1 does its part, and forgets. land is that part.
var flights = map[string]struct {
	start func(ctx context.Context, c *mpi.Comm, b []int64) error
	land  func(ctx context.Context, c *mpi.Comm, b []int64) error
}{
	"lost receive": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error { _, err := mpi.Irecv(c, b, 1, 7); return err },
		land:  func(ctx context.Context, c *mpi.Comm, b []int64) error { return mpi.Send(ctx, c, b, 0, 7) },
	},
	"lost send": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error { _, err := mpi.IsendSync(c, b, 1, 7); return err },
		land:  received,
	},
	"lost in a goroutine that panics": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error {
			done := make(chan error)
			go func() {
				defer func() { _ = recover(); done <- nil }()
				if _, err := mpi.IsendSync(c, b, 1, 7); err != nil {
					panic(err)
				}
				panic("a program's mistake")
			}()
			return <-done
		},
		land: received,
	},
	"lost in a goroutine that ends": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error {
			done := make(chan error)
			go func() {
				defer close(done)
				if _, err := mpi.IsendSync(c, b, 1, 7); err != nil {
					panic(err)
				}
				runtime.Goexit()
			}()
			return <-done
		},
		land: received,
	},
	"send given up": {
		start: func(ctx context.Context, c *mpi.Comm, b []int64) error {
			mine := errors.New("mine")
			short, stop := context.WithCancelCause(ctx)
			go func() {
				// When the library has it: a writer is refused then.
				var s mpi.Section[int64]
				for {
					if _, err := s.Write(b); err != nil {
						stop(mine)
						return
					}
					s.Return()
					runtime.Gosched()
				}
			}()
			err := mpi.SendSync(short, c, b, 1, 7)
			return want(errors.Is(err, mine), "sent: %v", err)
		},
		land: received,
	},
	"wait cancelled": {
		start: func(ctx context.Context, c *mpi.Comm, b []int64) error {
			r, err := mpi.IsendSync(c, b, 1, 7)
			if err != nil {
				return err
			}
			mine := errors.New("mine")
			short, stop := context.WithCancelCause(ctx)
			stop(mine)
			_, _, err = r.Wait(short)
			return want(errors.Is(err, mine), "sent: %v", err)
		},
		land: received,
	},
	"lost collective": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error { _, err := mpi.Ibcast(c, b, 0); return err },
		land: func(ctx context.Context, c *mpi.Comm, b []int64) error {
			if err := mpi.Bcast(ctx, c, b, 0); err != nil {
				return err
			}
			return content(b)
		},
	},
	"lost layout": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error {
			l, err := mpi.Contiguous[int64](c.World(), len(b))
			if err != nil {
				return err
			}
			_, err = mpi.IrecvLaid(c, b, l, 1, 1, 7)
			return errors.Join(err, l.Close())
		},
		land: func(ctx context.Context, c *mpi.Comm, b []int64) error { return mpi.Send(ctx, c, b, 0, 7) },
	},
	"done channel": {
		start: func(_ context.Context, c *mpi.Comm, b []int64) error {
			r, err := mpi.IsendSync(c, b, 1, 7)
			if err == nil {
				_ = r.Done()
			}
			return err
		},
		land: received,
	},
}

func received(ctx context.Context, c *mpi.Comm, b []int64) error {
	if _, err := mpi.Recv(ctx, c, b, 0, 7); err != nil {
		return err
	}
	return content(b)
}

func content(b []int64) error {
	for i, v := range b {
		if v != int64(i)+5 {
			return fmt.Errorf("%d at %d", v, i)
		}
	}
	return nil
}

func keptInFlight(ctx context.Context, w *mpi.World) error {
	old := isthmus.SetReporter(func(isthmus.Report) {}) // losses are what this is about
	defer func() { isthmus.SetReporter(old) }()
	c := w.Comm()
	names := make([]string, 0, len(flights))
	for name := range flights {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := flights[name]
		if c.Rank() == 1 {
			if _, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 98); err != nil { // rank 0 has looked
				return err
			}
			b := make([]int64, 1<<17)
			if err := f.land(ctx, c, b); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		var gone atomic.Int32
		if err := func() error {
			b := traced(&gone)
			for i := range b {
				b[i] = int64(i) + 5
			}
			return f.start(ctx, c, b)
		}(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for range 6 {
			runtime.GC()
			_ = churn()
		}
		if gone.Load() != 0 {
			return fmt.Errorf("%s: the memory was collected while the library has it", name)
		}
		if err := mpi.Send(ctx, c, []byte{1}, 1, 98); err != nil {
			return err
		}
		for gone.Load() == 0 { // and when it has it no more
			runtime.GC()
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: the memory is kept for ever", name)
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

// churn uses memory again that was freed by mistake.
func churn() int64 {
	b := make([]int64, 1<<17)
	for i := range b {
		b[i] = -1
	}
	return b[7]
}

// finalizeNames closes MPI under a request, and under one that was lost: both are named with their places.
func finalizeNames(ctx context.Context, w *mpi.World) error {
	old := isthmus.SetReporter(func(isthmus.Report) {})
	defer func() { isthmus.SetReporter(old) }()
	c := w.Comm()
	if c.Rank() == 1 {
		for tag := range 2 {
			if _, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 98); err != nil {
				return err
			}
			if err := mpi.Send(ctx, c, []byte{1}, 0, tag); err != nil {
				return err
			}
		}
		return nil
	}
	r, err := mpi.Irecv(c, make([]byte, 1), 1, 0)
	if err != nil {
		return err
	}
	for range 2 { // a Close that was refused has changed nothing
		if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) || !strings.Contains(err.Error(), "keep_test.go:") {
			return fmt.Errorf("closed under a request: %v", err)
		}
	}
	if err := mpi.Send(ctx, c, []byte{1}, 1, 98); err != nil {
		return err
	}
	if _, _, err := r.Wait(ctx); err != nil {
		return err
	}
	reported := make(chan isthmus.Report, 1)
	isthmus.SetReporter(func(r isthmus.Report) {
		select {
		case reported <- r:
		default:
		}
	})
	func() {
		if _, err := mpi.Irecv(c, make([]byte, 1000), 1, 1); err != nil {
			panic(err)
		}
	}()
	for lost := false; !lost; {
		runtime.GC()
		select {
		case <-reported:
			lost = true
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	short, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	if err := w.Close(short); !errors.Is(err, isthmus.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "keep_test.go:") {
		return fmt.Errorf("closed under a lost request: %v", err)
	}
	return mpi.Send(ctx, c, []byte{1}, 1, 98) // and the scenario's own Close waits for it
}

// leaving leaves scopes and epochs by a panic and by the goroutine's end, with work under way: what was lent is free
// afterwards, and the communicator and the window go on working.
func leaving(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	// leave runs f, which ends its goroutine one way or the other, and says whether it did.
	leave := func(f func() error) error {
		done := make(chan error, 1)
		go func() {
			defer func() {
				_ = recover()
				done <- nil
			}()
			done <- errors.Join(f(), errors.New("it was not left"))
		}()
		return <-done
	}
	win, err := mpi.Allocate[int64](ctx, c, 4)
	if err != nil {
		return err
	}
	for _, way := range []func(){func() { panic("leaving") }, runtime.Goexit} {
		b := make([]int64, 4)
		places := map[string]func() error{
			"scope": func() error {
				return mpi.Scope(ctx, c, func(s *mpi.Ops) error {
					if err := errors.Join(mpi.PostRecv(s, b, peer, 60, nil), s.Start()); err != nil {
						return err
					}
					way()
					return nil
				})
			},
			"fence": func() error {
				return win.Fence(ctx, func(e *mpi.Epoch[int64]) error {
					if err := e.Get(b, peer, 0); err != nil {
						return err
					}
					way()
					return nil
				})
			},
			"lock": func() error {
				return win.LockAll(ctx, func(e *mpi.Epoch[int64]) error {
					if err := e.Put(b, peer, 0); err != nil {
						return err
					}
					if _, err := e.Rget(make([]int64, 4), peer, 0); err != nil {
						return err
					}
					way()
					return nil
				})
			},
			"view": func() error {
				return win.View(ctx, mpi.LockExclusive, c.Rank(), func([]int64) error { way(); return nil })
			},
		}
		for _, place := range []string{"scope", "fence", "lock", "view"} {
			if err := leave(places[place]); err != nil {
				return fmt.Errorf("%s: %w", place, err)
			}
			r, err := mpi.Irecv(c, b, peer, 61)
			if err != nil {
				return fmt.Errorf("after a %s was left: %w", place, err)
			}
			if err := mpi.Send(ctx, c, []int64{6}, peer, 61); err != nil {
				return err
			}
			if _, _, err := r.Wait(ctx); err != nil || b[0] != 6 {
				return fmt.Errorf("after a %s was left: %v, %v", place, b, err)
			}
			if err := win.Fence(ctx, func(*mpi.Epoch[int64]) error { return nil }); err != nil {
				return fmt.Errorf("after a %s was left: %w", place, err)
			}
		}
	}
	return win.Close()
}
