package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	for name, f := range map[string]mpitest.Scenario{
		"win fence": winFence, "win lock": winLock, "win pscw": winPSCW, "win shared": winShared, "win given": winGiven,
		"win wrong": winWrong, "win panic": winPanic, "win late": winLate, "win bools": winBools,
	} {
		scenarios[name] = f
	}
}

func TestWinFence(t *testing.T)      { mpitest.Run(t, 3, "win fence") }
func TestWinLock(t *testing.T)       { mpitest.Run(t, 3, "win lock") }
func TestWinPSCW(t *testing.T)       { mpitest.Run(t, 3, "win pscw") }
func TestWinShared(t *testing.T)     { mpitest.Run(t, 3, "win shared") }
func TestWinGiven(t *testing.T)      { mpitest.Run(t, 2, "win given") }
func TestWinWrong(t *testing.T)      { mpitest.Run(t, 2, "win wrong") }
func TestWinPanic(t *testing.T)      { mpitest.Run(t, 2, "win panic") }
func TestWinLate(t *testing.T)       { mpitest.Run(t, 2, "win late") }
func TestWinBools(t *testing.T)      { mpitest.Run(t, 2, "win bools") }
func TestWinFenceAlone(t *testing.T) { mpitest.Run(t, 1, "win fence") }

// winFence has each rank put to the next, read from the one before, and add to everybody.
func winFence(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	n, me := c.Size(), c.Rank()
	win, err := mpi.Allocate[int64](ctx, c, 10+me) // sizes differ
	if err != nil {
		return err
	}
	if win.Len(n-1) != 10+n-1 || win.Len(n) != 0 || win.Len(-1) != 0 {
		return fmt.Errorf("lengths: %v", win)
	}
	next, prev := (me+1)%n, (me+n-1)%n
	out := []int64{int64(me), int64(me * 10)}
	if err := win.Fence(ctx, func(e *mpi.Epoch[int64]) error { return e.Put(out, next, 3) }); err != nil {
		return err
	}
	old := make([]int64, 2)
	in := make([]int64, 2)
	if err := win.Fence(ctx, func(e *mpi.Epoch[int64]) error {
		return errors.Join(e.Get(in, next, 3), e.Put(nil, next, win.Len(next)))
	}); err != nil {
		return err
	}
	if !slices.Equal(in, out) {
		return fmt.Errorf("read %v, want %v", in, out)
	}
	if err := win.Fence(ctx, func(e *mpi.Epoch[int64]) error {
		for r := range n {
			if err := e.Accumulate(mpi.Sum, []int64{1, int64(me)}, r, 0); err != nil {
				return err
			}
		}
		return e.GetAccumulate(mpi.Replace, []int64{-1, -2}, old, next, 3)
	}); err != nil {
		return err
	}
	if !slices.Equal(old, out) {
		return fmt.Errorf("replaced %v, want %v", old, out)
	}
	if err := win.View(ctx, mpi.LockShared, me, func(mine []int64) error {
		wants := make([]int64, 10+me)
		wants[0], wants[1], wants[3], wants[4] = int64(n), int64(n*(n-1)/2), -1, -2
		return want(slices.Equal(mine, wants), "rank %d has %v, want %v; before is %d", me, mine, wants, prev)
	}); err != nil {
		return err
	}
	return win.Close()
}

// winLock counts with every atomic operation, from several goroutines' worth of epochs, and compares with the sum.
func winLock(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	n, me := c.Size(), c.Rank()
	win, err := mpi.Allocate[int32](ctx, c, 4)
	if err != nil {
		return err
	}
	const rounds = 20
	seen := make([]bool, n*rounds)
	for range rounds {
		if err := win.Lock(ctx, mpi.LockShared, 0, func(e *mpi.Epoch[int32]) error {
			was, err := e.FetchAndOp(ctx, mpi.Sum, 1, 0, 0)
			if err != nil {
				return err
			}
			if was < 0 || int(was) >= len(seen) || seen[was] {
				return fmt.Errorf("ticket %d", was)
			}
			seen[was] = true
			for { // a lock-free addition
				cur, err := e.FetchAndOp(ctx, mpi.NoOp, 0, 0, 1)
				if err != nil {
					return err
				}
				if got, err := e.CompareAndSwap(ctx, cur, cur+int32(me), 0, 1); err != nil || got == cur {
					return err
				}
			}
		}); err != nil {
			return err
		}
		// A plain read and write are atomic together under the exclusive lock.
		if err := win.Lock(ctx, mpi.LockExclusive, 0, func(e *mpi.Epoch[int32]) error {
			v := make([]int32, 1)
			if err := errors.Join(e.Get(v, 0, 2), e.Flush(ctx, 0)); err != nil {
				return err
			}
			v[0] += 2
			return e.Put(v, 0, 2)
		}); err != nil {
			return err
		}
	}
	if err := win.LockAll(ctx, func(e *mpi.Epoch[int32]) error {
		b := []int32{int32(me + 1)}
		for r := range n {
			if err := errors.Join(e.Accumulate(mpi.Sum, b, r, 3), e.FlushLocal(ctx, r)); err != nil {
				return err
			}
		}
		b[0] = 0 // free again
		return errors.Join(e.FlushAll(ctx), e.FlushLocalAll(ctx))
	}); err != nil {
		return err
	}
	if err := win.Fence(ctx, func(*mpi.Epoch[int32]) error { return nil }); err != nil {
		return err
	}
	var late *mpi.Epoch[int32]
	var req *mpi.Request[int32]
	buf := make([]int32, 4)
	if err := win.LockAll(ctx, func(e *mpi.Epoch[int32]) error {
		late = e
		r, err := e.Rget(buf, 0, 0)
		if err != nil {
			return err
		}
		if err := e.Get(buf, 0, 0); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("a slice that a request has: %v", err)
		}
		req = r // its end is the epoch's, at the latest
		s, err := e.Rput([]int32{}, 0, 4)
		if err != nil {
			return err
		}
		_, _, err = s.Wait(ctx)
		return err
	}); err != nil {
		return err
	}
	got, _, err := req.Wait(ctx)
	if err != nil {
		return err
	}
	total := int32(n * (n + 1) / 2)
	wants := []int32{int32(n * rounds), int32(rounds * n * (n - 1) / 2), int32(2 * n * rounds), total}
	if !slices.Equal(got, wants) {
		return fmt.Errorf("rank 0 has %v, want %v", got, wants)
	}
	if err := late.Put(buf, 0, 0); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("after the epoch: %v", err)
	}
	if err := late.FlushAll(ctx); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("flush after the epoch: %v", err)
	}
	return win.Close()
}

// winPSCW has each rank exposed to the one before and access the next, with nobody else involved.
func winPSCW(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	n, me := c.Size(), c.Rank()
	win, err := mpi.Allocate[float64](ctx, c, 2)
	if err != nil {
		return err
	}
	next, prev := (me+1)%n, (me+n-1)%n
	for round := range 5 {
		if err := win.Expose(ctx, []int{prev}, func() error {
			return win.Access(ctx, []int{next}, func(e *mpi.Epoch[float64]) error {
				if err := e.Put([]float64{0}, prev, 0); n > 2 && !errors.Is(err, mpi.ErrRank) {
					return fmt.Errorf("put to who is no target: %v", err)
				}
				return e.Put([]float64{float64(me), float64(round)}, next, 0)
			})
		}); err != nil {
			return err
		}
		if err := win.View(ctx, mpi.LockExclusive, me, func(mine []float64) error {
			return want(mine[0] == float64(prev) && mine[1] == float64(round), "round %d: %v", round, mine)
		}); err != nil {
			return err
		}
	}
	return win.Close()
}

// winShared works on the neighbours' memory directly.
func winShared(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	n, me := c.Size(), c.Rank()
	win, err := mpi.AllocateShared[uint16](ctx, c, me+1)
	if err != nil {
		return err
	}
	for r := range n {
		if err := win.View(ctx, mpi.LockExclusive, r, func(part []uint16) error {
			if len(part) != r+1 {
				return fmt.Errorf("rank %d has %d elements", r, len(part))
			}
			for i := range part {
				part[i] += uint16(i + me)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := win.Fence(ctx, func(*mpi.Epoch[uint16]) error { return nil }); err != nil {
		return err
	}
	if err := win.View(ctx, mpi.LockShared, (me+1)%n, func(part []uint16) error {
		for i, v := range part {
			if int(v) != n*i+n*(n-1)/2 {
				return fmt.Errorf("%v", part)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return win.Close()
}

// winGiven makes a window of the caller's memory, which is lent for as long.
func winGiven(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	b := make([]int64, 8)
	win, err := mpi.CreateWin(ctx, c, b)
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, b[7:], 1-me, 0); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("sent while it is a window: %v", err)
	}
	if err := win.Fence(ctx, func(e *mpi.Epoch[int64]) error { return e.Put([]int64{int64(me) + 5}, 1-me, 7) }); err != nil {
		return err
	}
	if err := win.View(ctx, mpi.LockShared, 1-me, func([]int64) error { return nil }); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("another process's memory: %v", err)
	}
	if err := win.Close(); err != nil {
		return err
	}
	if b[7] != int64(1-me)+5 {
		return fmt.Errorf("%v", b)
	}
	if err := win.Fence(ctx, func(*mpi.Epoch[int64]) error { return nil }); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("after Close: %v", err)
	}
	l, err := mpi.Irecv(c, b, 1-me, 3) // free again
	if err != nil {
		return err
	}
	// Rank 0 gives a slice that is in use: an error in both, and nobody hangs.
	give := make([]int64, 8)
	if me == 0 {
		give = b
	}
	_, err = mpi.CreateWin(ctx, c, give)
	if is := map[bool]error{true: isthmus.ErrBorrowed, false: isthmus.ErrBounds}[me == 0]; !errors.Is(err, is) {
		return fmt.Errorf("a window of memory in use: %v", err)
	}
	if err := mpi.Send(ctx, c, []int64{1}, 1-me, 3); err != nil {
		return err
	}
	_, _, err = l.Wait(ctx)
	return err
}

func winWrong(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	if _, err := mpi.Allocate[int](ctx, c, 1-2*me); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("a negative size in rank 1: %v", err)
	}
	if _, err := mpi.Allocate[string](ctx, c, 1); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("strings: %v", err)
	}
	win, err := mpi.Allocate[float32](ctx, c, 4)
	if err != nil {
		return err
	}
	b := make([]float32, 4)
	err = win.Fence(ctx, func(e *mpi.Epoch[float32]) error {
		for name, x := range map[string]struct {
			err error
			is  error
		}{
			"past the end":   {e.Put(b, 0, 1), isthmus.ErrBounds},
			"before":         {e.Get(b, 0, -1), isthmus.ErrBounds},
			"overflow":       {e.Get(b, 0, 1<<63-1), isthmus.ErrBounds},
			"rank 2":         {e.Put(b, 2, 0), mpi.ErrRank},
			"rank -1":        {e.Accumulate(mpi.Sum, b, -1, 0), mpi.ErrRank},
			"bits of floats": {e.Accumulate(mpi.BAnd, b, 0, 0), mpi.ErrOp},
			"no op":          {e.Accumulate(mpi.Op(77), b, 0, 0), mpi.ErrOp},
			"lengths":        {e.GetAccumulate(mpi.Sum, b, b[:3], 0, 0), isthmus.ErrBounds},
			"same slice":     {e.GetAccumulate(mpi.Sum, b, b, 0, 0), isthmus.ErrBorrowed},
			"flush":          {e.FlushAll(ctx), isthmus.ErrInvalid},
			"close":          {win.Close(), isthmus.ErrBusy},
			"world":          {w.Close(ctx), isthmus.ErrBusy},
			"view":           {win.View(ctx, mpi.LockExclusive, me, func([]float32) error { return nil }), isthmus.ErrBusy},
			"fence":          {win.Fence(ctx, func(*mpi.Epoch[float32]) error { return nil }), isthmus.ErrBusy},
			"expose":         {win.Expose(ctx, []int{0}, nil), isthmus.ErrBusy},
		} {
			if !errors.Is(x.err, x.is) {
				return fmt.Errorf("%s: %v is not %v", name, x.err, x.is)
			}
		}
		if _, err := e.Rput(b, 0, 0); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("a request in a fence epoch: %v", err)
		}
		if _, err := e.FetchAndOp(ctx, mpi.Sum, 1, 0, 0); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("fetch in a fence epoch: %v", err)
		}
		if _, err := e.CompareAndSwap(ctx, 1, 2, 0, 0); !errors.Is(err, mpi.ErrType) {
			return fmt.Errorf("compare floats: %v", err)
		}
		// What was put is lent until the epoch ends.
		if err := e.Put(b[:2], 1-me, 0); err != nil {
			return err
		}
		if _, err := mpi.Irecv(c, b, 1-me, 0); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("received into what is being put: %v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := win.Lock(ctx, 0, 0, nil); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("no mode: %v", err)
	}
	if err := win.Access(ctx, []int{0, 0}, nil); !errors.Is(err, mpi.ErrRank) {
		return fmt.Errorf("a rank twice: %v", err)
	}
	return win.Close()
}

// winPanic panics in an epoch: it is closed all the same, and the window goes on working.
func winPanic(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	win, err := mpi.Allocate[int8](ctx, c, 2)
	if err != nil {
		return err
	}
	b := []int8{int8(me + 1)}
	func() {
		defer func() { _ = recover() }()
		_ = win.Fence(ctx, func(e *mpi.Epoch[int8]) error {
			if err := e.Put(b, 1-me, 0); err != nil {
				return err
			}
			panic("in an epoch")
		})
	}()
	if err := win.View(ctx, mpi.LockExclusive, me, func(mine []int8) error {
		return want(mine[0] == int8(2-me), "%v", mine)
	}); err != nil {
		return err
	}
	fail := errors.New("mine")
	if err := win.LockAll(ctx, func(*mpi.Epoch[int8]) error { return fail }); !errors.Is(err, fail) {
		return fmt.Errorf("f's error: %v", err)
	}
	return win.Close()
}

// winLate has rank 0 wait in a fence for rank 1, which does not come in time: the deadline ends the wait, and the window
// is broken but not the program.
func winLate(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	win, err := mpi.Allocate[int](ctx, c, 1)
	if err != nil {
		return err
	}
	nothing := func(*mpi.Epoch[int]) error { return nil }
	if c.Rank() == 0 {
		short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
		defer stop()
		if err := win.Fence(short, nothing); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("a fence alone: %v", err)
		}
		if err := win.Fence(ctx, nothing); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("after that: %v", err)
		}
		if err := win.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("closing what the library works on: %v", err)
		}
		if err := mpi.Send(ctx, c, []byte{1}, 1, 0); err != nil {
			return err
		}
	} else {
		if _, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 0); err != nil {
			return err
		}
		// Comes at last: rank 0's call ends. The closing fence meets nobody.
		short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
		defer stop()
		_ = win.Fence(short, nothing)
	}
	w.Abort(0) // a broken window cannot be closed in order
	return nil
}

func winBools(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	type flagged struct {
		On bool
		N  int32
	}
	win, err := mpi.Allocate[flagged](ctx, c, 3)
	if err != nil {
		return err
	}
	if err := win.Fence(ctx, func(e *mpi.Epoch[flagged]) error { return e.Put([]flagged{{true, int32(me)}}, 1-me, 1) }); err != nil {
		return err
	}
	got := make([]flagged, 3)
	if err := win.Lock(ctx, mpi.LockShared, me, func(e *mpi.Epoch[flagged]) error { return e.Get(got, me, 0) }); err != nil {
		return err
	}
	if (got[1] != flagged{true, int32(1 - me)}) || got[0] != (flagged{}) {
		return fmt.Errorf("%v", got)
	}
	if err := win.Fence(ctx, func(e *mpi.Epoch[flagged]) error {
		if err := e.Accumulate(mpi.Sum, got, 0, 0); !errors.Is(err, mpi.ErrOp) {
			return fmt.Errorf("the sum of structs: %v", err)
		}
		return nil
	}); err != nil {
		return err
	}
	return win.Close()
}
