package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() { scenarios["view kept"] = viewKept }

func TestI08ViewOutlivesItsWindow(t *testing.T)      { mpitest.Run(t, 2, "view kept") }
func TestI08ViewOutlivesItsWindowAlone(t *testing.T) { mpitest.Run(t, 1, "view kept") }

// kept opens a window, keeps the slices of all its views, which nobody should, and returns them.
func kept[T any](ctx context.Context, c *mpi.Comm, n int, shared bool, v T) (*mpi.Win[T], [][]T, error) {
	make, ranks := mpi.Allocate[T], []int{c.Rank()}
	if shared {
		make, ranks = mpi.AllocateShared[T], ranks[:0]
		for r := range c.Size() {
			ranks = append(ranks, r)
		}
	}
	win, err := make(ctx, c, n)
	if err != nil {
		return nil, nil, err
	}
	var out [][]T
	for _, r := range ranks {
		if err := win.View(ctx, mpi.LockExclusive, r, func(part []T) error {
			if len(part) != n || cap(part) != n {
				return fmt.Errorf("%d of %d elements", len(part), cap(part))
			}
			part[0], part[n-1] = v, v
			out = append(out, part)
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	return win, out, nil
}

// viewKept uses the slices of views after their windows are closed. They are memory still, and nobody else's; in builds
// that watch everything nobody can touch them.
func viewKept(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	for _, shared := range []bool{false, true} {
		for _, n := range []int{1, 100, 1 << 18} {
			var old [][]float64
			for round := range 3 {
				win, views, err := kept(ctx, c, n, shared, float64(round+1))
				if err != nil {
					return fmt.Errorf("shared %v, %d elements: %w", shared, n, err)
				}
				if err := win.Close(); err != nil {
					return err
				}
				old = append(old, views...)
			}
			other, views, err := kept(ctx, c, n, shared, int64(5))
			if err != nil {
				return err
			}
			old = slices.DeleteFunc(old, func(v []float64) bool { return faults(func() { fill(v, 1e300) }) })
			if len(old) > 0 && mem.RaceEnabled && c.Size() > 1 { // a window of one process is of memory that is never unmapped
				return errors.New("a kept slice can be touched where everything is watched")
			}
			if err := other.View(ctx, mpi.LockShared, c.Rank(), func(part []int64) error {
				if part[0] != 5 || part[n-1] != 5 || n > 2 && slices.Max(part[1:n-1]) != 0 {
					return fmt.Errorf("another window's memory is changed: %v", part[:min(n, 8)])
				}
				return nil
			}); err != nil {
				return err
			}
			if err := other.Close(); err != nil {
				return err
			}
			for _, v := range old {
				if v[0] != 1e300 || v[n-1] != 1e300 {
					return errors.New("a kept slice is somebody else's")
				}
			}
			_ = views
		}
	}
	// So many that places are used again: each window is zero at first all the same.
	for i := range 150 {
		win, err := mpi.Allocate[uint16](ctx, c, 10)
		if err != nil {
			return err
		}
		if err := win.View(ctx, mpi.LockExclusive, c.Rank(), func(part []uint16) error {
			for j := range part {
				if part[j] != 0 {
					return fmt.Errorf("window %d begins with %v", i, part)
				}
				part[j] = 7
			}
			return nil
		}); err != nil {
			return err
		}
		if err := win.Fence(ctx, func(e *mpi.Epoch[uint16]) error { return e.Put([]uint16{9}, (c.Rank()+1)%c.Size(), 3) }); err != nil {
			return err
		}
		if err := win.View(ctx, mpi.LockShared, c.Rank(), func(part []uint16) error {
			return want(part[3] == 9 && part[4] == 7, "window %d has %v", i, part)
		}); err != nil {
			return err
		}
		if err := win.Close(); err != nil {
			return err
		}
	}
	return nil
}

func fill(s []float64, v float64) {
	for i := range s {
		s[i] = v
	}
}

// faults reports whether f touches memory that nobody may touch, which only builds that watch everything have.
func faults(f func()) (yes bool) {
	if !mem.RaceEnabled {
		f()
		return false
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { yes = recover() != nil }()
	f()
	return false
}
