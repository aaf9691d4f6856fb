//go:build !isthmus_portable

package mpi_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() { scenarios["view strict"] = viewStrict }

func TestI08StrictViewFaults(t *testing.T) { mpitest.Run(t, 2, "view strict") }

// viewStrict uses the slice of a view between views in a strict mode: it faults, while the window goes on.
func viewStrict(ctx context.Context, w *mpi.World) error {
	defer isthmus.SetCheck(isthmus.SetCheck(isthmus.CheckPanic))
	c := w.Comm()
	win, views, err := kept(ctx, c, 100, true, int32(3))
	if err != nil {
		return err
	}
	touch := func(b []int32) (faulted bool) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() { faulted = recover() != nil }()
		b[5] = 1
		return
	}
	for r, v := range views {
		if !touch(v) {
			return fmt.Errorf("the memory of rank %d is used out of a view", r)
		}
	}
	if err := win.Fence(ctx, func(e *mpi.Epoch[int32]) error { return e.Put([]int32{4}, 1-c.Rank(), 1) }); err != nil {
		return err
	}
	if err := win.View(ctx, mpi.LockExclusive, c.Rank(), func(part []int32) error {
		part[2] = 8
		return want(part[1] == 4 && part[99] == 3, "%v", part)
	}); err != nil {
		return err
	}
	if err := win.Close(); err != nil {
		return err
	}
	for r, v := range views {
		if !touch(v) {
			return fmt.Errorf("the memory of rank %d is used when the window is closed", r)
		}
	}
	return nil
}
