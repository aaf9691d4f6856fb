package peer_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// mine has f look at this process's part of a window.
func mine[T any](ctx context.Context, j *job, w *mpi.Win[T], f func(part []T) error) error {
	return w.View(ctx, mpi.LockExclusive, j.c.Rank(), f)
}

func fences(ctx context.Context, j *job) error {
	n, me := j.c.Size(), j.c.Rank()
	w, err := mpi.Allocate[float64](ctx, j.c, 40)
	if err != nil {
		return err
	}
	next := (me + 1) % n
	got, old := make([]float64, 10), make([]float64, 5)
	if err := errors.Join(
		w.Fence(ctx, func(*mpi.Epoch[float64]) error { return nil }),
		w.Fence(ctx, func(e *mpi.Epoch[float64]) error { return e.Put(f64(10, me), next, 5) }),
		w.Fence(ctx, func(e *mpi.Epoch[float64]) error { return e.Get(got, j.peer, 5) }),
		same("get", got, f64(10, (j.peer+n-1)%n)),
		w.Fence(ctx, func(e *mpi.Epoch[float64]) error {
			for r := range n {
				if err := e.Accumulate(mpi.Sum, f64(5, me), r, 20); err != nil {
					return err
				}
			}
			return nil
		}),
		w.Fence(ctx, func(e *mpi.Epoch[float64]) error { return e.GetAccumulate(mpi.Replace, f64(5, me+50), old, next, 20) }),
		same("what was there", old, fold(n, 5, num[float64], func(a, b float64) float64 { return a + b })),
		mine(ctx, j, w, func(part []float64) error { return same("put", part[20:25], f64(5, (me+n-1)%n+50)) }),
	); err != nil {
		return err
	}
	return errors.Join(mpi.Barrier(ctx, j.c), w.Close())
}

func locks(ctx context.Context, j *job) error {
	n, me := j.c.Size(), j.c.Rank()
	w, err := mpi.Allocate[int32](ctx, j.c, 112) // a swap of 8 bytes ends the target in Open MPI 4.1 (docs/found.md)
	if err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, j.c); err != nil { // all parts are zeroed
		return err
	}
	// A counter in rank 0, one in the last rank, and a lock made of compare and swap in rank 1.
	for i := range 20 {
		if err := w.LockAll(ctx, func(e *mpi.Epoch[int32]) error {
			v, err := e.FetchAndOp(ctx, mpi.Sum, 1, 0, 0)
			if err != nil || v < 0 || v >= int32(n*20) {
				return fmt.Errorf("counted %d, %w", v, err)
			}
			if _, err := e.FetchAndOp(ctx, mpi.Sum, int32(i), n-1, 1); err != nil {
				return err
			}
			return e.FlushAll(ctx)
		}); err != nil {
			return err
		}
	}
	for range 5 {
		if err := w.LockAll(ctx, func(e *mpi.Epoch[int32]) error {
			for {
				if old, err := e.CompareAndSwap(ctx, 0, int32(me+1), 1, 2); err != nil || old == 0 {
					break
				}
			}
			b := []int32{0}
			if err := errors.Join(e.Get(b, 1, 3), e.Flush(ctx, 1)); err != nil {
				return err
			}
			b[0]++
			if err := errors.Join(e.Put(b, 1, 3), e.Flush(ctx, 1)); err != nil {
				return err
			}
			old, err := e.CompareAndSwap(ctx, int32(me+1), 0, 1, 2)
			return errors.Join(err, is(old == int32(me+1), "the lock was %d's", old-1))
		}); err != nil {
			return err
		}
	}
	if err := w.Lock(ctx, mpi.LockExclusive, j.peer, func(e *mpi.Epoch[int32]) error { return e.Put(data(10, me, num[int32]), j.peer, 10) }); err != nil {
		return err
	}
	var r *mpi.Request[int32]
	if err := w.Lock(ctx, mpi.LockShared, j.peer, func(e *mpi.Epoch[int32]) (err error) {
		r, err = e.Rget(make([]int32, 10), j.peer, 10)
		if err != nil {
			return err
		}
		b, _, err := r.Wait(ctx)
		return errors.Join(err, same("what was put", b, data(10, me, num[int32])))
	}); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, j.c); err != nil {
		return err
	}
	if err := mine(ctx, j, w, func(part []int32) error {
		return errors.Join(same("from the peer", part[10:20], data(10, j.peer, num[int32])),
			is(me != 0 || part[0] == int32(20*n), "counted %d", part[0]), is(me != n-1 || part[1] == int32(190*n), "summed %d", part[1]),
			is(me != 1 || part[3] == int32(5*n), "locked %d", part[3]))
	}); err != nil {
		return err
	}
	return errors.Join(mpi.Barrier(ctx, j.c), w.Close())
}

// posts: each exposes its memory to its peer, and accesses the peer's.
func posts(ctx context.Context, j *job) error {
	me := j.c.Rank()
	w, err := mpi.Allocate[float32](ctx, j.c, 32) // whole cache lines: MPICH 4.0 mislays data behind others
	if err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, j.c); err != nil {
		return err
	}
	for i := range 3 {
		if err := w.Expose(ctx, []int{j.peer}, func() error {
			return w.Access(ctx, []int{j.peer}, func(e *mpi.Epoch[float32]) error {
				return e.Put(data(10, me+i, num[float32]), j.peer, 10*i)
			})
		}); err != nil {
			return err
		}
	}
	for i := range 3 {
		if err := mine(ctx, j, w, func(part []float32) error {
			return same("put", part[10*i:10*i+10], data(10, j.peer+i, num[float32]))
		}); err != nil {
			return err
		}
	}
	return errors.Join(mpi.Barrier(ctx, j.c), w.Close())
}

// givenMemory is a window of memory that there is already; it is longer in higher ranks.
func givenMemory(ctx context.Context, j *job) error {
	n, me := j.c.Size(), j.c.Rank()
	b := i64(10+me, me)
	w, err := mpi.CreateWin(ctx, j.c, b)
	if err != nil {
		return err
	}
	last := make([]int64, 10+n-1)
	if err := w.Fence(ctx, func(e *mpi.Epoch[int64]) error { return e.Get(last, n-1, 0) }); err != nil {
		return err
	}
	return errors.Join(same("the last", last, i64(10+n-1, n-1)), w.Close())
}

func sharedMemory(ctx context.Context, j *job) error {
	me := j.c.Rank()
	w, err := mpi.AllocateShared[int32](ctx, j.c, 16)
	if err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, j.c); err != nil {
		return err
	}
	if err := mine(ctx, j, w, func(part []int32) error { copy(part, data(16, me, num[int32])); return nil }); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, j.c); err != nil {
		return err
	}
	if err := w.View(ctx, mpi.LockShared, j.peer, func(part []int32) error {
		return same("the peer's part", part[:16], data(16, j.peer, num[int32]))
	}); err != nil {
		return err
	}
	return errors.Join(mpi.Barrier(ctx, j.c), w.Close())
}
