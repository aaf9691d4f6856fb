package mpibench

import (
	"context"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// collectives are the shapes in which all ranks take part. Their size is what one rank sends to one other.
func collectives() []Shape {
	columns := []string{"Avg Latency(us)", "Min Latency(us)", "Max Latency(us)", "Iterations"}
	shape := func(name, help string, run func(context.Context, *job, int) error) Shape {
		return Shape{Name: name, Help: help, Ranks: 2, group: true, columns: columns, iterations: 1000, run: run}
	}
	floats := func(s Shape) Shape { s.floats = true; return s }
	none := shape("barrier", "all wait for all", func(ctx context.Context, j *job, _ int) error {
		return j.loop(nil, func(int) error { return mpi.Barrier(ctx, j.c) }, nil)
	})
	none.none = true
	return []Shape{
		none,
		shape("bcast", "rank 0 sends to all", bcast),
		shape("gather", "rank 0 receives from all", gather),
		shape("scatter", "rank 0 deals out", scatter),
		shape("allgather", "all receive from all", allgather),
		shape("alltoall", "each sends a part to each", alltoall),
		floats(shape("reduce", "rank 0 gets the sum", reduce)),
		floats(shape("allreduce", "all get the sum", allreduce)),
		floats(shape("reduce_scatter", "each gets a part of the sum", reduceScatter)),
	}
}

// apart has a barrier before each measured call, so that ranks are not carried over by the one before.
func (j *job) apart(ctx context.Context, before, f, after func(i int) error) error {
	for i := range j.skip + j.n {
		if j.Validate && before != nil {
			if err := before(i); err != nil {
				return err
			}
		}
		if err := mpi.Barrier(ctx, j.c); err != nil {
			return err
		}
		n, skip := j.n, j.skip
		j.n, j.skip = 1, 0
		if i < skip {
			j.n, j.skip = 0, 1
		}
		err := j.loop(nil, func(int) error { return f(i) }, nil)
		j.n, j.skip = n, skip
		if err != nil {
			return err
		}
		if j.Validate && after != nil {
			if err := after(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func bcast(ctx context.Context, j *job, size int) error {
	end, err := j.buffers(size, 0)
	if err != nil {
		return err
	}
	defer end()
	return j.apart(ctx, func(i int) error {
		if clear(j.out); j.c.Rank() == 0 {
			j.stamp(j.out, i, 0)
		}
		return nil
	}, func(int) error { return mpi.Bcast(ctx, j.c, j.out, 0) },
		func(i int) error { j.check(j.out, i, 0); return nil })
}

// parts checks blocks of size bytes, one of each rank.
func (j *job) parts(i, size int) {
	for r := range len(j.in) / max(1, size) {
		j.check(j.in[r*size:(r+1)*size], i, r)
	}
}

func gather(ctx context.Context, j *job, size int) error {
	all := 0
	if j.c.Rank() == 0 {
		all = size * j.c.Size()
	}
	end, err := j.buffers(size, all)
	if err != nil {
		return err
	}
	defer end()
	return j.apart(ctx, func(i int) error { j.stamp(j.out, i, j.c.Rank()); return nil },
		func(int) error { return mpi.Gather(ctx, j.c, j.out, j.in, 0) },
		func(i int) error { j.parts(i, size); return nil })
}

func scatter(ctx context.Context, j *job, size int) error {
	all := 0
	if j.c.Rank() == 0 {
		all = size * j.c.Size()
	}
	end, err := j.buffers(all, size)
	if err != nil {
		return err
	}
	defer end()
	return j.apart(ctx, func(i int) error {
		for r := range len(j.out) / size {
			j.stamp(j.out[r*size:(r+1)*size], i, r)
		}
		return nil
	}, func(int) error { return mpi.Scatter(ctx, j.c, j.out, j.in, 0) },
		func(i int) error { j.check(j.in, i, j.c.Rank()); return nil })
}

func allgather(ctx context.Context, j *job, size int) error {
	end, err := j.buffers(size, size*j.c.Size())
	if err != nil {
		return err
	}
	defer end()
	return j.apart(ctx, func(i int) error { j.stamp(j.out, i, j.c.Rank()); return nil },
		func(int) error { return mpi.Allgather(ctx, j.c, j.out, j.in) },
		func(i int) error { j.parts(i, size); return nil })
}

func alltoall(ctx context.Context, j *job, size int) error {
	end, err := j.buffers(size*j.c.Size(), size*j.c.Size())
	if err != nil {
		return err
	}
	defer end()
	return j.apart(ctx, func(i int) error {
		for r := range j.c.Size() {
			j.stamp(j.out[r*size:(r+1)*size], i, j.c.Rank())
		}
		return nil
	}, func(int) error { return mpi.Alltoall(ctx, j.c, j.out, j.in) },
		func(i int) error { j.parts(i, size); return nil })
}

// summed is a reduction of n floats of which at are received, from those of the place first.
func summed(ctx context.Context, j *job, n, at, first int, f func(out, in []float32) error) error {
	out, in := make([]float32, n), make([]float32, at)
	if j.Alloc {
		a, err := mpi.Alloc[float32](n + at)
		if err != nil {
			return err
		}
		defer a.Close()
		s, err := a.Slice()
		if err != nil {
			return err
		}
		out, in = s[:n:n], s[n:]
	}
	ranks := j.c.Size()
	return j.apart(ctx, func(i int) error {
		for k := range out {
			out[k] = float(k, i, j.c.Rank())
		}
		return nil
	}, func(int) error { return f(out, in) }, func(i int) error {
		for k, v := range in {
			if v != float(first+k, i, 0)*float32(ranks)+float32(ranks*(ranks-1)/2) {
				j.bad = true
			}
		}
		return nil
	})
}

func reduce(ctx context.Context, j *job, size int) error {
	n := size / 4
	at := 0
	if j.c.Rank() == 0 {
		at = n
	}
	return summed(ctx, j, n, at, 0, func(out, in []float32) error { return mpi.Reduce(ctx, j.c, out, in, mpi.Sum, 0) })
}

func allreduce(ctx context.Context, j *job, size int) error {
	return summed(ctx, j, size/4, size/4, 0, func(out, in []float32) error { return mpi.Allreduce(ctx, j.c, out, in, mpi.Sum) })
}

func reduceScatter(ctx context.Context, j *job, size int) error {
	n := size / 4
	return summed(ctx, j, n*j.c.Size(), n, n*j.c.Rank(), func(out, in []float32) error {
		return mpi.ReduceScatterBlock(ctx, j.c, out, in, mpi.Sum)
	})
}
