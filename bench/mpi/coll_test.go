package mpi_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// collectives measures each collective operation with blocks of 8 bytes, of as much as goes directly, and of 64 KiB.
func collectives(ctx context.Context, w *mpi.World) error {
	lib, err := dl.Open(os.Getenv(peerEnv))
	if err != nil {
		return err
	}
	native, err := lib.Symbol("collective")
	if err != nil {
		return err
	}
	c := w.Comm()
	for _, n := range []int{1, 500, 8192} {
		for kind, op := range collectiveCases(ctx, c, n) {
			if kind == 0 && n > 1 {
				continue // a barrier has no blocks
			}
			blocks, iters := 60, max(4, min(50, 10_000/n))
			name := fmt.Sprintf("%s-%d", op.name, 8*n)
			if err := (side{name, func(iters int) (time.Duration, error) {
				return time.Duration(call.Call(native, uintptr(kind), uintptr(8*n), uintptr(iters))), nil
			}, repeat(ctx, c, op.once), iters, blocks}).measure(c); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// repeat makes blocks of an operation.
func repeat(ctx context.Context, c *mpi.Comm, once func() error) func(int) (time.Duration, error) {
	return func(iters int) (time.Duration, error) {
		if err := mpi.Barrier(ctx, c); err != nil {
			return 0, err
		}
		start := time.Now()
		for range iters {
			if err := once(); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

type collectiveCase struct {
	name string
	once func() error
}

// collectiveCases are the operations in the order of peer.c, of blocks of n elements.
func collectiveCases(ctx context.Context, c *mpi.Comm, n int) []collectiveCase {
	a, b := make([]float64, n*c.Size()), make([]float64, n*c.Size())
	return []collectiveCase{
		{"barrier", func() error { return mpi.Barrier(ctx, c) }},
		{"bcast", func() error { return mpi.Bcast(ctx, c, a[:n], 0) }},
		{"reduce", func() error { return mpi.Reduce(ctx, c, a[:n], b[:n], mpi.Sum, 0) }},
		{"allreduce", func() error { return mpi.Allreduce(ctx, c, a[:n], b[:n], mpi.Sum) }},
		{"gather", func() error { return mpi.Gather(ctx, c, a[:n], b, 0) }},
		{"scatter", func() error { return mpi.Scatter(ctx, c, a, b[:n], 0) }},
		{"allgather", func() error { return mpi.Allgather(ctx, c, a[:n], b) }},
		{"alltoall", func() error { return mpi.Alltoall(ctx, c, a, b) }},
		{"reducescatter", func() error { return mpi.ReduceScatterBlock(ctx, c, a, b[:n], mpi.Sum) }},
		{"scan", func() error { return mpi.Scan(ctx, c, a[:n], b[:n], mpi.Sum) }},
		{"exscan", func() error { return mpi.Exscan(ctx, c, a[:n], b[:n], mpi.Sum) }},
	}
}
