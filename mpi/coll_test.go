package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// collScenarios are what ranks run for the tests of collective operations.
var collScenarios = map[string]mpitest.Scenario{
	"collectives": collectives,
	"reductions":  reductions,
	"inplace":     inPlace,
	"collwrong":   collWrong,
	"collended":   collEnded,
	"userop":      userOp,
	"immediate":   immediate,
	"comms":       comms,
	"groups":      groups,
	"grids":       grids,
	"attributes":  attributesAndHints,
	"persistent":  persistent,
	"forms":       forms,
	"tools":       tools,
	"spawn":       spawn,
	"connect":     connect,
}

func TestCollectives(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "collectives") })
	}
}

func TestReductions(t *testing.T)         { mpitest.Run(t, 3, "reductions") }
func TestInPlace(t *testing.T)            { mpitest.Run(t, 3, "inplace") }
func TestCollectiveErrors(t *testing.T)   { mpitest.Run(t, 2, "collwrong") }
func TestCollectiveDeadline(t *testing.T) { mpitest.Run(t, 2, "collended") }
func TestUserOp(t *testing.T)             { mpitest.Run(t, 3, "userop") }
func TestCommunicators(t *testing.T) {
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "comms") })
	}
}

func TestGroups(t *testing.T)               { mpitest.Run(t, 3, "groups") }
func TestTopologies(t *testing.T)           { mpitest.Run(t, 4, "grids") }
func TestAttributesAndHints(t *testing.T)   { mpitest.Run(t, 2, "attributes") }
func TestPersistentCollective(t *testing.T) { mpitest.Run(t, 2, "persistent") }
func TestTools(t *testing.T)                { mpitest.Run(t, 1, "tools") }

func TestImmediateCollective(t *testing.T) { mpitest.Run(t, 3, "immediate") }

// number is what the tests reduce: every process knows what every other one has.
type number interface {
	~int8 | ~int32 | ~int64 | ~uint16 | ~uint64 | ~float32 | ~float64
}

func value[T number](rank, i int) T { return T((rank+1)*3 + i%7) }

func vector[T number](rank, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = value[T](rank, i)
	}
	return out
}

func differ[T comparable](what string, got, want []T) error {
	if slices.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("%s of %T: %v, want %v", what, got, got, want)
}

// collectives compares each operation with what Go makes of the same values, for lengths that all ranks draw alike.
func collectives(ctx context.Context, w *mpi.World) error {
	rng := rand.New(rand.NewPCG(5, 7))
	for round := range 12 {
		n := rng.IntN(40)
		if round == 0 {
			n = 0
		}
		counts := make([]int, w.Comm().Size())
		for i := range counts {
			counts[i] = rng.IntN(6)
		}
		root := rng.IntN(len(counts))
		if err := errors.Join(each[float64](ctx, w, n, root, counts), each[int32](ctx, w, n, root, counts), each[uint16](ctx, w, n, root, counts)); err != nil {
			return fmt.Errorf("%d elements, root %d, counts %v: %w", n, root, counts, err)
		}
	}
	return mpi.Barrier(ctx, w.Comm())
}

func each[T number](ctx context.Context, w *mpi.World, n, root int, counts []int) error {
	c := w.Comm()
	me, size := c.Rank(), c.Size()
	var errs []error
	check := func(what string, err error, got, want []T) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
			return
		}
		errs = append(errs, differ(what, got, want))
	}
	mine := vector[T](me, n)
	var all, sum, before, upTo []T
	sum, before, upTo = make([]T, n), make([]T, n), make([]T, n)
	for r := range size {
		v := vector[T](r, n)
		all = append(all, v...)
		for i, x := range v {
			sum[i] += x
			if r < me {
				before[i] += x
			}
			if r <= me {
				upTo[i] += x
			}
		}
	}
	atRoot := func(v []T) []T {
		if me == root {
			return v
		}
		return nil
	}
	room := func(n int) []T {
		if me == root {
			return make([]T, n)
		}
		return nil
	}

	b := slices.Clone(mine)
	err := mpi.Bcast(ctx, c, b, root)
	check("bcast", err, b, vector[T](root, n))
	got := room(n)
	err = mpi.Reduce(ctx, c, mine, got, mpi.Sum, root)
	check("reduce", err, got, atRoot(sum))
	got = make([]T, n)
	err = mpi.Allreduce(ctx, c, mine, got, mpi.Sum)
	check("allreduce", err, got, sum)
	got = make([]T, n)
	err = mpi.Scan(ctx, c, mine, got, mpi.Sum)
	check("scan", err, got, upTo)
	got = make([]T, n)
	err = mpi.Exscan(ctx, c, mine, got, mpi.Sum)
	if me == 0 {
		clear(got)
	}
	check("exscan", err, got, before)
	got = room(n * size)
	err = mpi.Gather(ctx, c, mine, got, root)
	check("gather", err, got, atRoot(all))
	got = make([]T, n*size)
	err = mpi.Allgather(ctx, c, mine, got)
	check("allgather", err, got, all)
	got = make([]T, n)
	err = mpi.Scatter(ctx, c, atRoot(all), got, root)
	check("scatter", err, got, mine)

	// Blocks of different lengths, with gaps of one element, in the reverse order.
	total := 0
	offsets := make([]int, size)
	for i := size - 1; i >= 0; i-- {
		offsets[i] = total
		total += counts[i] + 1
	}
	spread := make([]T, total)
	var dense []T
	for r := range size {
		copy(spread[offsets[r]:], vector[T](r, counts[r]))
		dense = append(dense, vector[T](r, counts[r])...)
	}
	mine = vector[T](me, counts[me])
	blocks := mpi.Blocks{Counts: counts, Offsets: offsets}
	got = room(total)
	err = mpi.Gatherv(ctx, c, mine, got, blocks, root)
	check("gatherv", err, got, atRoot(spread))
	got = make([]T, len(dense))
	err = mpi.Allgatherv(ctx, c, mine, got, mpi.Blocks{Counts: counts})
	check("allgatherv", err, got, dense)
	got = make([]T, total)
	err = mpi.Allgatherv(ctx, c, mine, got, blocks)
	check("allgatherv with offsets", err, got, spread)
	got = make([]T, counts[me])
	err = mpi.Scatterv(ctx, c, atRoot(spread), blocks, got, root)
	check("scatterv", err, got, mine)

	// All to all: what r sends to me is value(r, me*n+i).
	send, recv, want := vector[T](me, n*size), make([]T, n*size), []T{}
	for r := range size {
		want = append(want, vector[T](r, n*size)[me*n:(me+1)*n]...)
	}
	err = mpi.Alltoall(ctx, c, send, recv)
	check("alltoall", err, recv, want)
	// With blocks: r sends counts[(r+s)%size] elements to s.
	out, in := mpi.Blocks{}, mpi.Blocks{}
	send, want = nil, nil
	for s := range size {
		m := counts[(me+s)%size]
		out.Counts, in.Counts = append(out.Counts, m), append(in.Counts, m)
		send = append(send, vector[T](me, m)...)
		want = append(want, vector[T](s, m)...)
	}
	recv = make([]T, len(want))
	err = mpi.Alltoallv(ctx, c, send, out, recv, in)
	check("alltoallv", err, recv, want)

	whole := make([]T, n*size)
	for r := range size {
		for i, x := range vector[T](r, n*size) {
			whole[i] += x
		}
	}
	recv = make([]T, n)
	err = mpi.ReduceScatterBlock(ctx, c, vector[T](me, n*size), recv, mpi.Sum)
	check("reduce scatter block", err, recv, whole[me*n:(me+1)*n])
	whole, at := make([]T, len(dense)), 0
	for r := range size {
		for i, x := range vector[T](r, len(dense)) {
			whole[i] += x
		}
	}
	for _, m := range counts[:me] {
		at += m
	}
	recv = make([]T, counts[me])
	err = mpi.ReduceScatter(ctx, c, vector[T](me, len(dense)), recv, counts, mpi.Sum)
	check("reduce scatter", err, recv, whole[at:at+counts[me]])
	return errors.Join(errs...)
}

type point [3]float64

func reduces[T comparable](ctx context.Context, c *mpi.Comm, op mpi.Reduction, f func(rank int) T, want T) error {
	got := make([]T, 1)
	if err := mpi.Allreduce(ctx, c, []T{f(c.Rank())}, got, op); err != nil {
		return err
	}
	if got[0] != want {
		return fmt.Errorf("%v of %T: %v, want %v", op, want, got[0], want)
	}
	return nil
}

// reductions runs on three ranks.
func reductions(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	err := errors.Join(
		reduces(ctx, c, mpi.Prod, func(r int) int64 { return int64(r + 2) }, 24),
		reduces(ctx, c, mpi.Max, func(r int) float32 { return float32(r) }, 2),
		reduces(ctx, c, mpi.Min, func(r int) int8 { return int8(-r) }, -2),
		reduces(ctx, c, mpi.LAnd, func(r int) bool { return r != 1 }, false),
		reduces(ctx, c, mpi.LOr, func(r int) bool { return r == 1 }, true),
		reduces(ctx, c, mpi.LXor, func(r int) bool { return r > 0 }, false),
		reduces(ctx, c, mpi.LAnd, func(r int) uint32 { return uint32(r + 1) }, 1),
		reduces(ctx, c, mpi.BAnd, func(r int) uint8 { return 0xf0 | uint8(1)<<r }, 0xf0),
		reduces(ctx, c, mpi.BOr, func(r int) uint64 { return 1 << r }, 7),
		reduces(ctx, c, mpi.BXor, func(r int) int16 { return int16(r) }, 3),
		reduces(ctx, c, mpi.Sum, func(r int) complex128 { return complex(float64(r), 1) }, 3+3i),
		reduces(ctx, c, mpi.Sum, func(r int) complex64 { return complex(float32(r), 1) }, 3+3i),
		reduces(ctx, c, mpi.Sum, func(r int) int { return r }, 3),
		reduces(ctx, c, mpi.Sum, func(r int) celsius { return celsius(r) }, 3),
		reduces(ctx, c, mpi.Sum, func(r int) point { return point{float64(r), 1, 2} }, point{3, 3, 6}),
		reduces(ctx, c, mpi.MaxLoc, func(r int) mpi.Loc[float64] { return mpi.Loc[float64]{Value: float64(r % 2), Index: int32(10 * r)} }, mpi.Loc[float64]{Value: 1, Index: 10}),
		reduces(ctx, c, mpi.MinLoc, func(r int) mpi.Loc[float32] { return mpi.Loc[float32]{Value: 5, Index: int32(7 - r)} }, mpi.Loc[float32]{Value: 5, Index: 5}),
		reduces(ctx, c, mpi.MinLoc, func(r int) mpi.Loc[int32] { return mpi.Loc[int32]{Value: int32(-r), Index: int32(r)} }, mpi.Loc[int32]{Value: -2, Index: 2}),
		reduces(ctx, c, mpi.MaxLoc, func(r int) mpi.Loc[int64] { return mpi.Loc[int64]{Value: int64(r), Index: int32(r)} }, mpi.Loc[int64]{Value: 2, Index: 2}),
		reduces(ctx, c, mpi.MaxLoc, func(r int) mpi.Loc[int16] { return mpi.Loc[int16]{Value: int16(r), Index: int32(r)} }, mpi.Loc[int16]{Value: 2, Index: 2}),
	)
	if err != nil {
		return err
	}
	// Points of a scattered reduction are three of the library's elements each.
	got := make([]point, c.Rank()+1)
	send := make([]point, 6)
	for i := range send {
		send[i] = point{float64(i), 1, 0}
	}
	if err := mpi.ReduceScatter(ctx, c, send, got, []int{1, 2, 3}, mpi.Sum); err != nil {
		return err
	}
	first := []int{0, 1, 3}[c.Rank()]
	if want := (point{float64(3 * first), 3, 0}); got[0] != want {
		return fmt.Errorf("reduce scatter of points: %v, want %v", got[0], want)
	}
	for name, err := range map[string]error{
		"sum of bools":        mpi.Allreduce(ctx, c, []bool{true}, make([]bool, 1), mpi.Sum),
		"bits of floats":      mpi.Allreduce(ctx, c, []float64{1}, make([]float64, 1), mpi.BAnd),
		"maximum of complex":  mpi.Allreduce(ctx, c, []complex128{1}, make([]complex128, 1), mpi.Max),
		"location of numbers": mpi.Allreduce(ctx, c, []float64{1}, make([]float64, 1), mpi.MaxLoc),
		"sum of structs":      mpi.Allreduce(ctx, c, []particle{{}}, make([]particle, 1), mpi.Sum),
		"none":                mpi.Allreduce(ctx, c, []int{1}, make([]int, 1), nil),
		"zero":                mpi.Allreduce(ctx, c, []int{1}, make([]int, 1), mpi.Op(0)),
	} {
		if !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	return nil
}

// inPlace runs on three ranks.
func inPlace(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	var errs []error
	check := func(what string, err error, got []int32, want ...int32) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
			return
		}
		errs = append(errs, differ(what, got, want))
	}
	b := []int32{int32(me + 1), 10}
	err := mpi.Allreduce(ctx, c, b, b, mpi.Sum)
	check("allreduce", err, b, 6, 30)
	b = []int32{int32(me + 1)}
	err = mpi.Scan(ctx, c, b, b, mpi.Prod)
	check("scan", err, b, []int32{1, 2, 6}[me])
	b = []int32{int32(me + 1)}
	if me == 1 {
		err = mpi.Reduce(ctx, c, b, b, mpi.Sum, 1)
		check("reduce", err, b, 6)
	} else {
		errs = append(errs, mpi.Reduce(ctx, c, b, nil, mpi.Sum, 1))
	}
	all := make([]int32, 6)
	part := all[2*me : 2*me+2]
	part[0], part[1] = int32(me), int32(me+10)
	err = mpi.Allgather(ctx, c, part, all)
	check("allgather", err, all, 0, 10, 1, 11, 2, 12)
	clear(all)
	part[0], part[1] = int32(me), int32(me+10)
	err = mpi.Allgatherv(ctx, c, part, all, mpi.Blocks{Counts: []int{2, 2, 2}})
	check("allgatherv", err, all, 0, 10, 1, 11, 2, 12)
	clear(all)
	part[0], part[1] = int32(me), int32(me+10)
	if me == 2 {
		err = mpi.Gather(ctx, c, part, all, 2)
		check("gather", err, all, 0, 10, 1, 11, 2, 12)
		err = mpi.Scatter(ctx, c, all, part, 2)
		check("scatter", err, all, 0, 10, 1, 11, 2, 12)
	} else {
		err = errors.Join(mpi.Gather(ctx, c, part, nil, 2), mpi.Scatter(ctx, c, nil, part, 2))
		check("gather and scatter", err, part, int32(me), int32(me+10))
	}
	b = []int32{int32(10 * me), int32(10*me + 1), int32(10*me + 2)}
	err = mpi.Alltoall(ctx, c, b, b)
	check("alltoall", err, b, int32(me), int32(10+me), int32(20+me))
	b = []int32{1, 2, 3}
	err = mpi.ReduceScatterBlock(ctx, c, b, b[:1], mpi.Sum)
	check("reduce scatter block", err, b[:1], int32(3*(me+1)))
	return errors.Join(errs...)
}

// collWrong runs on two ranks.
func collWrong(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	b, d := make([]int32, 4), make([]int32, 4)
	var none *mpi.Comm
	for name, e := range map[string]struct{ err, want error }{
		"root too large":        {mpi.Bcast(ctx, c, b, 2), isthmus.ErrBounds},
		"root below 0":          {mpi.Bcast(ctx, c, b, -1), mpi.ErrRoot},
		"lengths":               {mpi.Allreduce(ctx, c, b, d[:3], mpi.Sum), isthmus.ErrBounds},
		"gather too small":      {mpi.Gather(ctx, c, b, d, c.Rank()), isthmus.ErrBounds},
		"allgather too small":   {mpi.Allgather(ctx, c, b, d), isthmus.ErrBounds},
		"not divisible":         {mpi.Alltoall(ctx, c, b[:3], d[:3]), isthmus.ErrBounds},
		"counts":                {mpi.Allgatherv(ctx, c, b[:1], d, mpi.Blocks{Counts: []int{1}}), isthmus.ErrBounds},
		"negative count":        {mpi.Allgatherv(ctx, c, b[:1], d, mpi.Blocks{Counts: []int{1, -1}}), isthmus.ErrBounds},
		"block outside":         {mpi.Allgatherv(ctx, c, b[:1], d, mpi.Blocks{Counts: []int{1, 1}, Offsets: []int{0, 4}}), isthmus.ErrBounds},
		"huge offset":           {mpi.Allgatherv(ctx, c, b[:1], d, mpi.Blocks{Counts: []int{1, 1}, Offsets: []int{0, 1<<63 - 1}}), isthmus.ErrBounds},
		"blocks overlap":        {mpi.Allgatherv(ctx, c, b[:2], d, mpi.Blocks{Counts: []int{2, 2}, Offsets: []int{1, 0}}), isthmus.ErrInvalid},
		"own block":             {mpi.Allgatherv(ctx, c, b[:3], d, mpi.Blocks{Counts: []int{2, 2}}), isthmus.ErrBounds},
		"buffers overlap":       {mpi.Allreduce(ctx, c, b[:3], b[1:], mpi.Sum), isthmus.ErrBorrowed},
		"pointers":              {mpi.Bcast(ctx, c, []string{"x"}, 0), isthmus.ErrInvalid},
		"no communicator":       {mpi.Barrier(ctx, none), isthmus.ErrInvalid},
		"zero communicator":     {mpi.Barrier(ctx, &mpi.Comm{}), isthmus.ErrInvalid},
		"no topology":           {mpi.NeighborAllgather(ctx, c, b, d), isthmus.ErrInvalid},
		"no topology, blocks":   {mpi.NeighborAlltoallv(ctx, c, b, mpi.Blocks{}, d, mpi.Blocks{}), isthmus.ErrInvalid},
		"reduce scatter length": {mpi.ReduceScatter(ctx, c, b, d[:2], []int{2, 3}, mpi.Sum), isthmus.ErrBounds},
		"no communicator, v":    {mpi.Gatherv(ctx, none, b, d, mpi.Blocks{}, 0), isthmus.ErrInvalid},
		"no communicator, rs":   {mpi.ReduceScatter(ctx, none, b, d, nil, mpi.Sum), isthmus.ErrInvalid},
		"no communicator, ag":   {mpi.Allgather(ctx, none, b, d), isthmus.ErrInvalid},
		"no communicator, sc":   {mpi.Scatter(ctx, none, b, d, 0), isthmus.ErrInvalid},
	} {
		if !errors.Is(e.err, e.want) {
			return fmt.Errorf("%s: %v, want %v", name, e.err, e.want)
		}
	}
	if r, err := mpi.Iallreduce(c, b, d[:1], mpi.Sum); r != nil || !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("immediate: %v, %v", r, err)
	}
	ended, stop := context.WithCancel(ctx)
	stop()
	if err := mpi.Barrier(ended, c); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("an ended context: %v", err)
	}
	// None of these has reached the library: the processes still agree.
	if err := mpi.Allreduce(ctx, c, b, d, mpi.Sum); err != nil {
		return err
	}
	// Two goroutines at once: one of them waits for rank 1, which waits for a message.
	if c.Rank() == 0 {
		first := make(chan error, 1)
		go func() { first <- mpi.Barrier(ctx, c) }()
		for {
			r, err := mpi.Ibarrier(c)
			if errors.Is(err, isthmus.ErrBusy) {
				break // as it must be while the other goroutine waits
			}
			if err != nil {
				return fmt.Errorf("a second collective operation: %v", err)
			}
			// The other goroutine has not begun: this one counts, and rank 1 does one more.
			if err := mpi.Send(ctx, c, []byte{1}, 1, 1); err != nil {
				return err
			}
			if _, _, err := r.Wait(ctx); err != nil {
				return err
			}
			select {
			case err := <-first:
				if !errors.Is(err, isthmus.ErrBusy) {
					return fmt.Errorf("a barrier that rank 1 was not in: %v", err)
				}
				// It came while this one was being started, and was refused: try again.
				go func() { first <- mpi.Barrier(ctx, c) }()
			default:
				runtime.Gosched()
			}
		}
		if err := mpi.Send(ctx, c, []byte{0}, 1, 1); err != nil {
			return err
		}
		return <-first
	}
	for more := []byte{1}; ; {
		if _, err := mpi.Recv(ctx, c, more, 0, 1); err != nil {
			return err
		}
		if more[0] == 0 {
			return mpi.Barrier(ctx, c)
		}
		r, err := mpi.Ibarrier(c)
		if err != nil {
			return err
		}
		if _, _, err := r.Wait(ctx); err != nil {
			return err
		}
	}
}

// collEnded runs on two ranks: rank 1 comes late to an operation that rank 0 has given up.
func collEnded(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	late, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	defer late.Close()
	sum, b := make([]float64, 1000), make([]float64, 1000)
	if c.Rank() == 0 {
		soon, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
		defer stop()
		if err := mpi.Allreduce(soon, late, b, sum, mpi.Sum); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Options.Foreign") {
			return fmt.Errorf("an operation that nobody joins: %v", err)
		}
		if err := mpi.Barrier(ctx, late); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("after one was given up: %v", err)
		}
		if err := mpi.Bcast(ctx, c, sum, 0); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("the buffer of an operation that was given up: %v", err)
		}
		if err := late.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("closing under an operation: %v", err)
		}
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if c.Rank() == 1 {
		if err := mpi.Allreduce(ctx, late, b, sum, mpi.Sum); err != nil {
			return err
		}
	}
	for {
		if err := late.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// userOp runs on three ranks.
func userOp(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	// Multiplying matrices does not commute.
	type matrix [4]int64
	times := func(in, inout []matrix) {
		for i, a := range in {
			b := inout[i]
			inout[i] = matrix{a[0]*b[0] + a[1]*b[2], a[0]*b[1] + a[1]*b[3], a[2]*b[0] + a[3]*b[2], a[2]*b[1] + a[3]*b[3]}
		}
	}
	op, err := mpi.NewOp(w, times, false)
	if err != nil {
		return err
	}
	defer op.Close()
	mine := []matrix{{1, int64(c.Rank()), 0, 1}, {1, 2, int64(c.Rank()), 3}}
	want := []matrix{{1, 0, 0, 1}, {1, 2, 0, 3}}
	for r := 1; r < 3; r++ {
		next := []matrix{{1, int64(r), 0, 1}, {1, 2, int64(r), 3}}
		times(want, next)
		want = next
	}
	got := make([]matrix, 2)
	if err := mpi.Allreduce(ctx, c, mine, got, op); err != nil {
		return err
	}
	if err := differ("product", got, want); err != nil {
		return err
	}
	if err := mpi.Allreduce(ctx, c, []int32{1}, make([]int32, 1), op); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("a reduction of other elements: %v", err)
	}
	// One that panics on every process: each gets an error, nobody hangs, and the communicator goes on.
	var told atomic.Int32
	before := isthmus.SetReporter(func(r isthmus.Report) {
		if r.Problem == isthmus.ProblemPanic {
			told.Add(1)
		}
	})
	defer func() { isthmus.SetReporter(before) }()
	bad, err := mpi.NewOp(w, func(_, _ []int32) { panic("no") }, true)
	if err != nil {
		return err
	}
	r, err := mpi.Iallreduce(c, []int32{1}, make([]int32, 1), bad)
	if err != nil {
		return err
	}
	if err := bad.Close(); !errors.Is(err, isthmus.ErrBusy) {
		// It may be over already: then it is closed.
		if _, _, done, _ := r.Test(); !done || err != nil {
			return fmt.Errorf("closing a reduction in use: %v", err)
		}
	}
	_, _, rerr := r.Wait(ctx)
	if told.Load() > 0 && !errors.Is(rerr, isthmus.ErrPanic) {
		return fmt.Errorf("after %d panics: %v", told.Load(), rerr)
	}
	reports := make([]int32, 1)
	if err := mpi.Allreduce(ctx, c, []int32{told.Load()}, reports, mpi.Sum); err != nil || reports[0] == 0 {
		return fmt.Errorf("%d panics in all: %v", reports[0], err)
	}
	if err := bad.Close(); err != nil {
		return err
	}
	if err := mpi.Allreduce(ctx, c, []int32{1}, make([]int32, 1), bad); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("a closed reduction: %v", err)
	}
	if _, err := mpi.NewOp(w, func(_, _ []string) {}, true); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("a reduction of strings: %v", err)
	}
	return nil
}

// immediate runs on three ranks.
func immediate(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me := c.Rank()
	var sums, roots []*mpi.Request[int64]
	for i := range 20 {
		s, err := mpi.Iallreduce(c, []int64{int64(me + i)}, make([]int64, 1), mpi.Sum)
		if err != nil {
			return err
		}
		b, err := mpi.Ibcast(c, []int64{int64(100*me + i)}, i%3)
		if err != nil {
			return err
		}
		sums, roots = append(sums, s), append(roots, b)
	}
	bar, err := mpi.Ibarrier(c)
	if err != nil {
		return err
	}
	runtime.GC()
	bar.Cancel() // which does nothing to a collective operation
	if _, _, err := bar.Wait(ctx); err != nil {
		return err
	}
	for i := range sums {
		s, _, err := sums[i].Wait(ctx)
		if err != nil || s[0] != int64(3+3*i) {
			return fmt.Errorf("sum %d: %v, %v", i, s, err)
		}
		b, _, err := roots[i].Wait(ctx)
		if err != nil || b[0] != int64(100*(i%3)+i) {
			return fmt.Errorf("broadcast %d: %v, %v", i, b, err)
		}
	}
	send, recv := []int64{int64(me)}, make([]int64, 3)
	r, err := mpi.Igather(c, send, recv, 1)
	if me != 1 {
		if err == nil {
			_, _, err = r.Wait(ctx)
		}
		return err
	}
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, recv, mpi.ProcNull, 0); err == nil {
		if _, _, done, err := r.Test(); !done || err != nil {
			return fmt.Errorf("the buffer of a gather is free: %v", err)
		}
		return nil
	}
	got, _, err := r.Wait(ctx)
	if err != nil {
		return err
	}
	return differ("gather", got, []int64{0, 1, 2})
}
