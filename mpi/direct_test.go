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
	"directmore": directMore,
	"directgone": directGone,
	"directnone": directNone,
	"directedge": directEdge,
}

// Small reductions go another way than large ones: both give the same, and the same on all ranks.
func TestSmallReductions(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "direct") })
	}
}

// A small reduction whose last process is late ends with the caller's context, and touches nothing of the caller's then.
func TestSmallReductionDeadline(t *testing.T) { mpitest.Run(t, 2, "directlate") }

// The other small operations take what large ones take, and refuse what they refuse.
func TestSmallOperations(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "directmore") })
	}
}

// Each kind that waits for another process ends with the caller's context, and touches nothing of the caller's then.
func TestSmallOperationsDeadline(t *testing.T) { mpitest.Run(t, 2, "directgone") }

// Where the library has no communicator left for small operations, they are done as large ones are. Open MPI has more than the test makes.
func TestSmallOperationsWithoutACommunicator(t *testing.T) {
	mpitest.Run(t, 2, "directnone")
}

func directNone(ctx context.Context, w *mpi.World) error {
	all := []*mpi.Comm{w.Comm()}
	for range 5000 { // more than MPICH has
		c, err := w.Comm().Dup(ctx)
		if err != nil {
			break
		}
		all = append(all, c)
	}
	last, got := all[len(all)-1], make([]int32, 1)
	for range 2 {
		if err := mpi.Barrier(ctx, last); err != nil {
			return err
		}
		if err := mpi.Allreduce(ctx, last, []int32{1}, got, mpi.Sum); err != nil {
			return err
		}
		if got[0] != int32(last.Size()) {
			return fmt.Errorf("%d of %d", got[0], last.Size())
		}
	}
	var err error
	for _, c := range all[1:] {
		err = errors.Join(err, c.Close())
	}
	return err
}

// sameAsLarge reduces n elements of T, once by themselves and once as the first of many.
func sameAsLarge[T number](ctx context.Context, c *mpi.Comm, op mpi.Op, n int) error {
	mine := vector[T](c.Rank(), 5000)
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
			for _, n := range []int{1, 2, 3, 7, 8, 31, 32, 33, 500} {
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
	return closeWhenFree(ctx, c)
}

// gap has bytes between its fields that are not sent.
type gap struct {
	A int32
	B int64
}

func directMore(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me, size := c.Rank(), c.Size()
	of := func(rank int) gap { return gap{int32(rank + 1), -int64(rank) << 40} }
	all := make([]gap, size)
	for r := range all {
		all[r] = of(r)
	}
	for root := range size {
		// In place, with gaps, from and to each root.
		b := []gap{of(me)}
		if err := mpi.Bcast(ctx, c, b, root); err != nil || b[0] != of(root) {
			return fmt.Errorf("broadcast of %d: %v, %w", root, b, err)
		}
		got := make([]gap, size)
		got[me] = of(me)
		var at []gap
		if me == root {
			at = got
		}
		if err := mpi.Gather(ctx, c, got[me:me+1], at, root); err != nil || me == root && !slices.Equal(got, all) {
			return fmt.Errorf("gather to %d in place: %v, %w", root, got, err)
		}
		mine := []gap{{}}
		if me == root {
			mine = got[me : me+1]
		}
		if err := mpi.Scatter(ctx, c, at, mine, root); err != nil || mine[0] != of(me) || me == root && !slices.Equal(got, all) {
			return fmt.Errorf("scatter from %d in place: %v, %w", root, mine, err)
		}
		// One process's pairs are another's numbers: whether they go directly cannot depend on it.
		if root == me {
			if err := mpi.Bcast(ctx, c, [][2]int32{{7, int32(root)}}, root); err != nil {
				return err
			}
			continue
		}
		flat := []int32{0, 0}
		if err := mpi.Bcast(ctx, c, flat, root); err != nil || flat[0] != 7 || flat[1] != int32(root) {
			return fmt.Errorf("pairs as numbers: %v, %w", flat, err)
		}
	}
	got := make([]gap, size)
	got[me] = of(me)
	if err := mpi.Allgather(ctx, c, got[me:me+1], got); err != nil || !slices.Equal(got, all) {
		return fmt.Errorf("allgather in place: %v, %w", got, err)
	}
	x, want := make([]int32, size), make([]int32, size)
	for r := range x {
		x[r], want[r] = int32(10*me+r), int32(10*r+me)
	}
	if err := mpi.Alltoall(ctx, c, x, x); err != nil || !slices.Equal(x, want) {
		return fmt.Errorf("all to all in place: %v, want %v, %w", x, want, err)
	}
	sum := int32(0)
	for r := range size {
		sum += int32(10*me + r)
	}
	if err := mpi.ReduceScatterBlock(ctx, c, want, want[:1], mpi.Sum); err != nil || want[0] != sum {
		return fmt.Errorf("reduce and scatter in place: %v, want %d, %w", want, sum, err)
	}
	y := []int64{int64(me + 1)}
	if err := mpi.Scan(ctx, c, y, y, mpi.Sum); err != nil || y[0] != int64((me+1)*(me+2)/2) {
		return fmt.Errorf("scan in place: %v, %w", y, err)
	}
	y, before := []int64{int64(me + 1)}, int64(me*(me+1)/2)
	if me == 0 {
		before = 1 // nothing is written
	}
	if err := mpi.Exscan(ctx, c, y, y, mpi.Sum); err != nil || y[0] != before {
		return fmt.Errorf("exclusive scan in place: %v, want %d, %w", y, before, err)
	}
	// What others use is refused before anything is sent: the processes still agree.
	lent := make([]int32, size)
	r, err := mpi.Irecv(c, lent, me, 9)
	if err != nil {
		return err
	}
	if err := mpi.Allgather(ctx, c, []int32{1}, lent); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("into a buffer that is lent: %v", err)
	}
	three := make([]int32, 3)
	if err := mpi.Scan(ctx, c, three[:2], three[1:], mpi.Sum); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("buffers that overlap: %v", err)
	}
	if err := mpi.Send(ctx, c, make([]int32, size), me, 9); err != nil {
		return err
	}
	if _, _, err := r.Wait(ctx); err != nil {
		return err
	}
	if err := directWrong(ctx, c); err != nil {
		return err
	}
	return directAtOnce(ctx, c)
}

// directWrong has the processes disagree about what they do.
func directWrong(ctx context.Context, c *mpi.Comm) error {
	// Bytes that are no bools.
	if c.Rank() == 0 {
		if err := mpi.Bcast(ctx, c, []uint8{1, 2}, 0); err != nil {
			return err
		}
	} else {
		b := make([]bool, 2)
		if err := mpi.Bcast(ctx, c, b, 0); !errors.Is(err, isthmus.ErrInvalid) || !b[0] {
			return fmt.Errorf("2 as a bool: %v, %v", b, err)
		}
	}
	// What does not come stays as it was.
	b := []int32{5, 6}
	if c.Rank() == 0 {
		b = b[:1]
	} else {
		b[0] = 0
	}
	if err := mpi.Bcast(ctx, c, b, 0); err != nil || b[0] != 5 || len(b) > 1 && b[1] != 6 {
		return fmt.Errorf("less than was expected: %v, %w", b, err)
	}
	return errors.Join(directTooMuch(ctx, c, 2), directTooMuch(ctx, c, 999))
}

// directTooMuch has rank 0 send more than n elements: an error, after which the communicator is of no use.
func directTooMuch(ctx context.Context, c *mpi.Comm, n int) error {
	d, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	if c.Rank() == 0 {
		n++
	}
	if err := mpi.Bcast(ctx, d, make([]int32, n), 0); c.Rank() == 0 && err != nil || c.Rank() > 0 && !errors.Is(err, mpi.ErrTruncate) {
		return fmt.Errorf("more than was expected: %v", err)
	}
	// Of several messages, what is wrong with one of them is said.
	e, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	if err := mpi.Allgather(ctx, e, make([]int32, n), make([]int32, n*c.Size())); c.Rank() == 0 && err != nil || c.Rank() > 0 && !errors.Is(err, mpi.ErrTruncate) {
		return fmt.Errorf("more than was expected from one of several: %v", err)
	}
	return errors.Join(mpi.Barrier(ctx, c), closeWhenFree(ctx, d), closeWhenFree(ctx, e))
}

// directAtOnce has goroutines use communicators of their own.
func directAtOnce(ctx context.Context, c *mpi.Comm) error {
	const n = 3
	errs := make(chan error, n)
	for range n {
		d, err := c.Dup(ctx)
		if err != nil {
			return err
		}
		go func() {
			all := make([]int, d.Size())
			for i := range 30 {
				root := i % d.Size()
				sum := []int{0}
				err := errors.Join(mpi.Allgather(ctx, d, []int{i + d.Rank()}, all), mpi.Reduce(ctx, d, all[:1], sum, mpi.Sum, root))
				if err == nil && (all[d.Size()-1] != i+d.Size()-1 || d.Rank() == root && sum[0] != i*d.Size()) {
					err = fmt.Errorf("round %d: %v, %v", i, all, sum)
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- d.Close()
		}()
	}
	var err error
	for range n {
		err = errors.Join(err, <-errs)
	}
	return err
}

func directGone(ctx context.Context, w *mpi.World) error {
	return errors.Join(directGoneWith(ctx, w, 1), directGoneWith(ctx, w, 500))
}

func directGoneWith(ctx context.Context, w *mpi.World, n int) error {
	was := block(7, 7, 2*n)
	a, b := block(1, 1, 2*n), slices.Clone(was)
	for _, k := range []struct {
		name string
		do   func(ctx context.Context, c *mpi.Comm) error
	}{
		{"barrier", func(ctx context.Context, c *mpi.Comm) error { return mpi.Barrier(ctx, c) }},
		{"broadcast", func(ctx context.Context, c *mpi.Comm) error { return mpi.Bcast(ctx, c, b[:n], 1) }},
		{"reduce", func(ctx context.Context, c *mpi.Comm) error { return mpi.Reduce(ctx, c, a[:n], b[:n], mpi.Sum, 0) }},
		{"gather", func(ctx context.Context, c *mpi.Comm) error { return mpi.Gather(ctx, c, a[:n], b, 0) }},
		{"scatter", func(ctx context.Context, c *mpi.Comm) error { return mpi.Scatter(ctx, c, a, b[:n], 1) }},
		{"allgather", func(ctx context.Context, c *mpi.Comm) error { return mpi.Allgather(ctx, c, a[:n], b) }},
		{"all to all", func(ctx context.Context, c *mpi.Comm) error { return mpi.Alltoall(ctx, c, a, b) }},
		{"reduce and scatter", func(ctx context.Context, c *mpi.Comm) error { return mpi.ReduceScatterBlock(ctx, c, a, b[:n], mpi.Sum) }},
	} {
		c, err := w.Comm().Dup(ctx)
		if err != nil {
			return err
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		if c.Rank() == 0 {
			copy(b, was)
			for wait, begun := 5*time.Millisecond, false; !begun; wait *= 2 {
				short, stop := context.WithTimeout(ctx, wait)
				err := k.do(short, c)
				stop()
				if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(b, was) {
					return fmt.Errorf("%s of %d alone: %v, %v", k.name, n, b, err)
				}
				begun = strings.Contains(err.Error(), "Options.Foreign") // or it was over before
			}
			if err := mpi.Barrier(ctx, c); !errors.Is(err, isthmus.ErrInvalid) {
				return fmt.Errorf("after a %s that was given up: %v", k.name, err)
			}
		}
		if err := mpi.Barrier(ctx, w.Comm()); err != nil {
			return err
		}
		if c.Rank() == 1 {
			if err := k.do(ctx, c); err != nil {
				return fmt.Errorf("the late %s: %w", k.name, err)
			}
		}
		if err := errors.Join(closeWhenFree(ctx, c), mpi.Barrier(ctx, w.Comm())); err != nil {
			return err
		}
		if c.Rank() == 0 && !slices.Equal(b, was) {
			return fmt.Errorf("what the program has after the late %s is %v", k.name, b)
		}
	}
	return nil
}

// closeWhenFree closes a communicator that an operation which was given up still uses.
func closeWhenFree(ctx context.Context, c *mpi.Comm) error {
	for {
		err := c.Close()
		if !errors.Is(err, isthmus.ErrBusy) || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
