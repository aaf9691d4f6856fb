package mpi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

var directScenarios = map[string]mpitest.Scenario{
	"direct":     directReductions,
	"directlate": directLate,
}

// Small reductions go another way than large ones: both give the same, and the same on all ranks.
func TestSmallReductions(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "direct") })
	}
}

// A small reduction whose last process is late ends with the caller's context, and touches nothing of the caller's then.
func TestSmallReductionDeadline(t *testing.T) { mpitest.Run(t, 2, "directlate") }

// sameAsLarge reduces n elements of T, once by themselves and once as the first of many.
func sameAsLarge[T number](ctx context.Context, c *mpi.Comm, op mpi.Op, n int) error {
	mine := vector[T](c.Rank(), 1000)
	small, large := make([]T, n), make([]T, len(mine))
	if err := mpi.Allreduce(ctx, c, mine[:n], small, op); err != nil {
		return fmt.Errorf("%v of %d %T: %w", op, n, mine, err)
	}
	if err := mpi.Allreduce(ctx, c, mine, large, op); err != nil {
		return err
	}
	if !slices.Equal(small, large[:n]) {
		return fmt.Errorf("%v of %d %T: %v, as the first of many %v", op, n, mine, small, large[:n])
	}
	at := slices.Clone(mine[:n])
	if err := mpi.Allreduce(ctx, c, at, at, op); err != nil || !slices.Equal(at, small) {
		return fmt.Errorf("%v of %d %T in place: %v, want %v, %w", op, n, mine, at, small, err)
	}
	return nil
}

func directReductions(ctx context.Context, w *mpi.World) error {
	dup, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	for _, c := range []*mpi.Comm{w.Comm(), dup} {
		for range 2 {
			for _, n := range []int{1, 2, 3, 7, 8, 16, 31, 32} {
				for _, op := range []mpi.Op{mpi.Sum, mpi.Max, mpi.Min} {
					if err := errors.Join(sameAsLarge[float64](ctx, c, op, n), sameAsLarge[int32](ctx, c, op, n), sameAsLarge[uint16](ctx, c, op, n), sameAsLarge[int8](ctx, c, op, n)); err != nil {
						return err
					}
				}
				if err := errors.Join(sameAsLarge[uint64](ctx, c, mpi.BXor, n), sameAsLarge[int64](ctx, c, mpi.LAnd, n)); err != nil {
					return err
				}
			}
		}
		// To the bit, whatever the rounding.
		x := []float64{0.1 * float64(c.Rank()+1), math.Pi / float64(c.Rank()+1), 1e17, -1e17 * float64(c.Rank())}
		if err := mpi.Allreduce(ctx, c, x, x, mpi.Sum); err != nil {
			return err
		}
		all := make([]float64, len(x)*c.Size())
		if err := mpi.Allgather(ctx, c, x, all); err != nil {
			return err
		}
		for i, v := range all {
			if math.Float64bits(v) != math.Float64bits(x[i%len(x)]) {
				return fmt.Errorf("rank %d has %v, rank %d %v", i/len(x), v, c.Rank(), x[i%len(x)])
			}
		}
		pairs := [][2]int32{{int32(c.Rank()), 1}}
		if err := mpi.Allreduce(ctx, c, pairs, pairs, mpi.Sum); err != nil || pairs[0] != [2]int32{int32(c.Size() * (c.Size() - 1) / 2), int32(c.Size())} {
			return fmt.Errorf("arrays: %v, %w", pairs, err)
		}
	}
	if err := dup.Close(); err != nil {
		return err
	}
	if err := mpi.Allreduce(ctx, dup, []int{1}, make([]int, 1), mpi.Sum); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("on a closed communicator: %v", err)
	}
	return nil
}

func directLate(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	got := []byte{9}
	if err := mpi.Allreduce(ctx, c, []byte{1}, got, mpi.Sum); err != nil || got[0] != 2 {
		return fmt.Errorf("%v, %w", got, err)
	}
	if c.Rank() == 0 {
		short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
		defer stop()
		err := mpi.Allreduce(short, c, []byte{1}, got, mpi.Sum)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Options.Foreign") {
			return fmt.Errorf("alone: %v, want the context's error, and what it may be", err)
		}
		if err := mpi.Allreduce(ctx, c, []byte{1}, got, mpi.Sum); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("after one that was given up: %v", err)
		}
		if err := mpi.Send(ctx, w.Comm(), []byte{1}, 1, 1); err != nil {
			return err
		}
	} else {
		if _, err := mpi.Recv(ctx, w.Comm(), make([]byte, 1), 0, 1); err != nil {
			return err
		}
		if err := mpi.Allreduce(ctx, c, []byte{1}, got, mpi.Sum); err != nil {
			return fmt.Errorf("the late one: %w", err)
		}
	}
	if err := mpi.Barrier(ctx, w.Comm()); err != nil {
		return err
	}
	if !bytes.Equal(got, []byte{2}) {
		return fmt.Errorf("what the program has is %v", got)
	}
	// What was given up ends now that the other has come, and then the communicator can be closed.
	for {
		err := c.Close()
		if !errors.Is(err, isthmus.ErrBusy) || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
