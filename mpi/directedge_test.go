package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// Up to the length to which operations are done directly, and beyond it, they give the same.
func TestOperationsOfAllLengths(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "directedge") })
	}
}

func directEdge(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	for _, n := range []int{1, 33, 499, 500, 501, 8192, 40} {
		for root := range c.Size() {
			if err := edgeRooted(ctx, c, n, root); err != nil {
				return fmt.Errorf("%d elements, root %d: %w", n, root, err)
			}
		}
		if err := errors.Join(edgeAll(ctx, c, n), edgeInPlace(ctx, c, n)); err != nil {
			return fmt.Errorf("%d elements: %w", n, err)
		}
	}
	return edgeShapes(ctx, c)
}

// block is what a process sends to another.
func block(from, to, n int) []int64 {
	b := make([]int64, n)
	for i := range b {
		b[i] = int64(from+1)<<40 + int64(to)<<20 + int64(i)
	}
	return b
}

// blocks are what all processes send to one, or one to all.
func blocks(size, n int, of func(rank int) []int64) []int64 {
	out := make([]int64, 0, size*n)
	for r := range size {
		out = append(out, of(r)...)
	}
	return out
}

// sum is what the processes before the last reduce.
func sum(last, to, n int) []int64 {
	out := make([]int64, n)
	for r := range last {
		for i, v := range block(r, to, n) {
			out[i] += v
		}
	}
	return out
}

// got compares, and sees that what was sent is as it was.
func got(what string, err error, have, want, sent, was []int64) error {
	if err != nil || !slices.Equal(have, want) {
		return fmt.Errorf("%s: wrong, or %w", what, err)
	}
	if !slices.Equal(sent, was) {
		return fmt.Errorf("%s changed what was sent", what)
	}
	return nil
}

func edgeRooted(ctx context.Context, c *mpi.Comm, n, root int) error {
	me, size := c.Rank(), c.Size()
	b := block(me, 0, n)
	if err := got("broadcast", mpi.Bcast(ctx, c, b, root), b, block(root, 0, n), nil, nil); err != nil {
		return err
	}
	mine, to, many, want := block(me, 0, n), []int64(nil), []int64(nil), []int64(nil)
	if me == root {
		to, want = make([]int64, n), sum(size, 0, n)
	}
	if err := got("reduce", mpi.Reduce(ctx, c, mine, to, mpi.Sum, root), to, want, mine, block(me, 0, n)); err != nil {
		return err
	}
	if want = nil; me == root {
		many, want = make([]int64, size*n), blocks(size, n, func(r int) []int64 { return block(r, 0, n) })
	}
	if err := got("gather", mpi.Gather(ctx, c, mine, many, root), many, want, mine, block(me, 0, n)); err != nil {
		return err
	}
	if me == root {
		many = blocks(size, n, func(r int) []int64 { return block(root, r, n) })
	}
	b = make([]int64, n)
	return got("scatter", mpi.Scatter(ctx, c, many, b, root), b, block(root, me, n), nil, nil)
}

func edgeAll(ctx context.Context, c *mpi.Comm, n int) error {
	me, size := c.Rank(), c.Size()
	mine, dealt := block(me, 0, n), blocks(size, n, func(r int) []int64 { return block(me, r, n) })
	was, all := slices.Clone(dealt), blocks(size, n, func(r int) []int64 { return block(r, 0, n) })
	to, many := make([]int64, n), make([]int64, size*n)
	before := sum(me, 0, n)
	untouched := block(7, 7, n)
	if me == 0 {
		before = slices.Clone(untouched) // nothing comes
	}
	return errors.Join(
		got("allreduce", mpi.Allreduce(ctx, c, mine, to, mpi.Sum), to, sum(size, 0, n), mine, block(me, 0, n)),
		got("allgather", mpi.Allgather(ctx, c, mine, many), many, all, mine, block(me, 0, n)),
		got("all to all", mpi.Alltoall(ctx, c, dealt, many), many, blocks(size, n, func(r int) []int64 { return block(r, me, n) }), dealt, was),
		got("reduce and scatter", mpi.ReduceScatterBlock(ctx, c, dealt, to, mpi.Sum), to, sum(size, me, n), dealt, was),
		got("scan", mpi.Scan(ctx, c, mine, to, mpi.Sum), to, sum(me+1, 0, n), mine, block(me, 0, n)),
		got("exclusive scan", mpi.Exscan(ctx, c, mine, untouched, mpi.Sum), untouched, before, mine, block(me, 0, n)),
		got("max", mpi.Allreduce(ctx, c, mine, to, mpi.Max), to, block(size-1, 0, n), mine, block(me, 0, n)),
	)
}

func edgeInPlace(ctx context.Context, c *mpi.Comm, n int) error {
	me, size := c.Rank(), c.Size()
	a, b, s, e := block(me, 0, n), block(me, 0, n), block(me, 0, n), block(me, 0, n)
	root := size - 1
	var to, want []int64
	if me == root {
		to, want = b, sum(size, 0, n)
	}
	many := make([]int64, size*n)
	copy(many[me*n:], a)
	dealt := blocks(size, n, func(r int) []int64 { return block(me, r, n) })
	before := sum(me, 0, n)
	if me == 0 {
		before = block(me, 0, n)
	}
	return errors.Join(
		got("reduce in place", mpi.Reduce(ctx, c, b, to, mpi.Sum, root), to, want, nil, nil),
		got("allgather in place", mpi.Allgather(ctx, c, many[me*n:(me+1)*n], many), many, blocks(size, n, func(r int) []int64 { return block(r, 0, n) }), nil, nil),
		got("all to all in place", mpi.Alltoall(ctx, c, dealt, dealt), dealt, blocks(size, n, func(r int) []int64 { return block(r, me, n) }), nil, nil),
		got("allreduce in place", mpi.Allreduce(ctx, c, a, a, mpi.Sum), a, sum(size, 0, n), nil, nil),
		got("scan in place", mpi.Scan(ctx, c, s, s, mpi.Sum), s, sum(me+1, 0, n), nil, nil),
		got("exclusive scan in place", mpi.Exscan(ctx, c, e, e, mpi.Sum), e, before, nil, nil),
	)
}

// edgeShapes are types with something special about them.
func edgeShapes(ctx context.Context, c *mpi.Comm) error {
	me, size := c.Rank(), c.Size()
	const n = 100
	gaps, flags := make([]gap, n), make([]bool, n*10)
	for i := range gaps {
		gaps[i] = gap{int32(me), int64(i)}
	}
	for i := range flags {
		flags[i] = i%size == me
	}
	all, set := make([]gap, n*size), make([]bool, size*len(flags))
	if err := errors.Join(mpi.Allgather(ctx, c, gaps, all), mpi.Allgather(ctx, c, flags, set)); err != nil {
		return err
	}
	for i, v := range all {
		if v != (gap{int32(i / n), int64(i % n)}) {
			return fmt.Errorf("element %d with a gap is %v", i, v)
		}
	}
	for i, v := range set {
		if v != (i%len(flags)%size == i/len(flags)) {
			return fmt.Errorf("bool %d is %v", i, v)
		}
	}
	// To the bit, whatever the rounding.
	x := make([]float64, n)
	for i := range x {
		x[i] = 0.1 * float64((me+1)*(i+1)) * []float64{1, 1e17, -1e17}[(me+i)%3]
	}
	y := make([]float64, n)
	if err := mpi.Allreduce(ctx, c, x, y, mpi.Sum); err != nil {
		return err
	}
	if err := mpi.Allreduce(ctx, c, x, x, mpi.Sum); err != nil || !slices.Equal(x, y) {
		return fmt.Errorf("in place it is another sum: %w", err)
	}
	other := slices.Clone(y)
	if err := mpi.Bcast(ctx, c, other, 0); err != nil || !slices.Equal(other, y) {
		return fmt.Errorf("another process has another sum: %w", err)
	}
	return nil
}
