package mpibench

import (
	"context"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// oneSided are the shapes in which rank 0 accesses a window of rank 1, in one epoch of a lock, with a flush after each
// access, or after a window of them.
func oneSided() []Shape {
	latency := func(name, help string, run func(context.Context, *job, int) error) Shape {
		return Shape{Name: name, Help: help, Ranks: 2, Exactly: true, columns: []string{"Latency (us)"}, iterations: 10000, run: run}
	}
	bandwidth := func(name, help string, run func(context.Context, *job, int) error) Shape {
		return Shape{Name: name, Help: help, Ranks: 2, Exactly: true, columns: []string{"Bandwidth (MB/s)"}, iterations: 100, run: run}
	}
	put := func(e *mpi.Epoch[byte], b []byte, at int) error { return e.Put(b, 1, at) }
	get := func(e *mpi.Epoch[byte], b []byte, at int) error { return e.Get(b, 1, at) }
	acc := func(e *mpi.Epoch[byte], b []byte, at int) error { return e.Accumulate(mpi.BXor, b, 1, at) }
	return []Shape{
		latency("put_latency", "a put and a flush", access(1, put, false)),
		latency("get_latency", "a get and a flush", access(1, get, true)),
		latency("acc_latency", "an accumulate and a flush", access(1, acc, false)),
		bandwidth("put_bw", "a window of puts and a flush", access(0, put, false)),
		bandwidth("get_bw", "a window of gets and a flush", access(0, get, true)),
		latency("fop_latency", "a fetch and add of 8 bytes", fetchAndAdd),
		latency("cas_latency", "a compare and swap of 4 bytes", compareAndSwap),
	}
}

// access measures accesses of a window, many at once, or Config.Window.
func access(many int, f func(e *mpi.Epoch[byte], b []byte, at int) error, reads bool) func(context.Context, *job, int) error {
	return func(ctx context.Context, j *job, size int) error {
		n := many
		if n == 0 {
			n = j.Window
		}
		end, err := j.buffers(n*size, 0)
		if err != nil {
			return err
		}
		defer end()
		w, err := mpi.Allocate[byte](ctx, j.c, n*size)
		if err != nil {
			return err
		}
		defer w.Close()
		me := j.c.Rank()
		if reads && me == 1 && j.Validate {
			if err := w.View(ctx, mpi.LockExclusive, 1, func(part []byte) error { j.stamp(part, 0, 1); return nil }); err != nil {
				return err
			}
		}
		if err := mpi.Barrier(ctx, j.c); err != nil {
			return err
		}
		last := j.skip + j.n - 1
		if me == 0 {
			if err := w.Lock(ctx, mpi.LockShared, 1, func(e *mpi.Epoch[byte]) error {
				return j.loop(func(i int) error {
					if reads {
						clear(j.out)
					} else {
						j.stamp(j.out, i, 0)
					}
					return nil
				}, func(int) error {
					for k := range n {
						if err := f(e, j.out[k*size:(k+1)*size], k*size); err != nil {
							return err
						}
					}
					return e.Flush(ctx, 1)
				}, func(int) error {
					if reads {
						j.check(j.out, 0, 1)
					}
					return nil
				})
			}); err != nil {
				return err
			}
		}
		if err := mpi.Barrier(ctx, j.c); err != nil {
			return err
		}
		if me == 1 && !reads && j.Validate {
			return w.View(ctx, mpi.LockShared, 1, func(part []byte) error { j.arrived(part, many == 1, last); return nil })
		}
		return nil
	}
}

// arrived checks what is in the window in the end: the last put, or, of accumulates, all of them.
func (j *job) arrived(part []byte, one bool, last int) {
	if one && j.Shape == "acc_latency" {
		for i, v := range part {
			var want byte
			for k := range last + 1 {
				want ^= pattern(i, k, 0)
			}
			if v != want {
				j.bad = true
				return
			}
		}
		return
	}
	j.check(part, last, 0)
}

func fetchAndAdd(ctx context.Context, j *job, _ int) error {
	return atomics(ctx, j, func(e *mpi.Epoch[int64], i int) error {
		old, err := e.FetchAndOp(ctx, mpi.Sum, 1, 1, 0)
		j.bad = j.bad || old != int64(i)
		return err
	})
}

// compareAndSwap swaps 4 bytes: Open MPI 4.1 cannot swap 8.
func compareAndSwap(ctx context.Context, j *job, _ int) error {
	return atomics(ctx, j, func(e *mpi.Epoch[int32], i int) error {
		old, err := e.CompareAndSwap(ctx, int32(i), int32(i+1), 1, 0)
		j.bad = j.bad || old != int32(i)
		return err
	})
}

func atomics[T any](ctx context.Context, j *job, f func(e *mpi.Epoch[T], i int) error) error {
	w, err := mpi.Allocate[T](ctx, j.c, 1)
	if err != nil {
		return err
	}
	defer w.Close()
	if j.c.Rank() == 0 {
		if err := w.Lock(ctx, mpi.LockShared, 1, func(e *mpi.Epoch[T]) error {
			return j.loop(nil, func(i int) error { return f(e, i) }, nil)
		}); err != nil {
			return err
		}
	}
	return mpi.Barrier(ctx, j.c)
}
