package peer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

var groupCases = []step{
	{"broadcasts", broadcasts},
	{"gathers", gathers},
	{"all to all", allToAll},
	{"reductions", reductions},
	{"places", places},
	{"scans", scans},
	{"own reductions", ownReductions},
	{"prepared", prepared},
	{"grids", grids},
	{"graphs", graphs},
	{"splits", splits},
	{"two sides", twoSides},
	{"attributes", attributes},
	{"fences", fences},
	{"locks", locks},
	{"posts", posts},
	{"given memory", givenMemory},
	{"shared memory", sharedMemory},
}

// done waits for a request and gives its slice.
func done[T any](ctx context.Context, r *mpi.Request[T], err error) error {
	if err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return err
}

func broadcasts(ctx context.Context, j *job) error {
	for root := range j.c.Size() {
		if err := errors.Join(
			broadcast(ctx, j, root, 1000, num[float64]), broadcast(ctx, j, root, 77, truth), broadcast(ctx, j, root, 1, c64),
			broadcast(ctx, j, root, 30000, num[int32]), broadcast(ctx, j, root, 0, num[uint8]),
		); err != nil {
			return err
		}
		if err := mpi.Barrier(ctx, j.c); err != nil {
			return err
		}
		r, err := mpi.Ibarrier(j.c)
		if err := done(ctx, r, err); err != nil {
			return err
		}
	}
	return nil
}

func broadcast[T comparable](ctx context.Context, j *job, root, n int, of func(int) T) error {
	for i := range 2 {
		b := make([]T, n)
		if root == j.c.Rank() {
			copy(b, data(n, root+i, of))
		}
		var err error
		if i == 0 {
			err = mpi.Bcast(ctx, j.c, b, root)
		} else {
			r, rerr := mpi.Ibcast(j.c, b, root)
			err = done(ctx, r, rerr)
		}
		if err == nil {
			err = same("broadcast", b, data(n, root+i, of))
		}
		if err != nil {
			return fmt.Errorf("from %d: %w", root, err)
		}
	}
	return nil
}

// gapped is a block of r+1 elements for each rank, with one between them.
func gapped(n int) (b mpi.Blocks, size int) {
	for r := range n {
		b.Counts, b.Offsets = append(b.Counts, r+1), append(b.Offsets, size)
		size += r + 2
	}
	return b, size
}

// blocks is a buffer of blocks, each with the data of its seed.
func blocks(b mpi.Blocks, size int, seed func(r int) int) []int64 {
	out := make([]int64, size)
	for r, at := range b.Offsets {
		copy(out[at:], i64(b.Counts[r], seed(r)))
	}
	return out
}

func gathers(ctx context.Context, j *job) error {
	c, n, me := j.c, j.c.Size(), j.c.Rank()
	v, size := gapped(n)
	all := func(k int) []int64 {
		var out []int64
		for r := range n {
			out = append(out, i64(k, r)...)
		}
		return out
	}
	self := func(r int) int { return r }
	for root := range n {
		var whole, parts []int64
		if me == root {
			whole, parts = make([]int64, 5*n), make([]int64, size)
		}
		mine := i64(5, me)
		if root == 1 && me == root { // in place
			copy(whole[5*me:], mine)
			mine = whole[5*me : 5*me+5]
		}
		r, err := mpi.Igather(c, slices.Clone(i64(5, me)), slices.Clone(whole), root)
		if err := errors.Join(
			mpi.Gather(ctx, c, mine, whole, root), mpi.Gatherv(ctx, c, i64(me+1, me), parts, v, root), done(ctx, r, err),
		); err != nil {
			return err
		}
		if me == root {
			if err := errors.Join(same("gather", whole, all(5)), same("gatherv", parts, blocks(v, size, self))); err != nil {
				return err
			}
		}
		back, part := make([]int64, 5), make([]int64, me+1)
		if me != root {
			whole, parts = nil, nil
		}
		if err := errors.Join(mpi.Scatter(ctx, c, whole, back, root), mpi.Scatterv(ctx, c, parts, v, part, root)); err != nil {
			return err
		}
		if err := errors.Join(same("scatter", back, i64(5, me)), same("scatterv", part, i64(me+1, me))); err != nil {
			return err
		}
		r, err = mpi.Iscatter(c, whole, make([]int64, 5), root)
		if err := done(ctx, r, err); err != nil {
			return err
		}
	}
	whole, parts := make([]int64, 5*n), make([]int64, size)
	if err := errors.Join(mpi.Allgather(ctx, c, i64(5, me), whole), mpi.Allgatherv(ctx, c, i64(me+1, me), parts, v)); err != nil {
		return err
	}
	if err := errors.Join(same("allgather", whole, all(5)), same("allgatherv", parts, blocks(v, size, self))); err != nil {
		return err
	}
	copy(whole, make([]int64, 5*n)) // in place
	copy(whole[5*me:], i64(5, me))
	r, err := mpi.Iallgatherv(c, i64(me+1, me), make([]int64, size), v)
	return errors.Join(done(ctx, r, err), mpi.Allgather(ctx, c, whole[5*me:5*me+5], whole), same("in place", whole, all(5)))
}

func allToAll(ctx context.Context, j *job) error {
	c, n, me := j.c, j.c.Size(), j.c.Rank()
	v, size := gapped(n)
	var out, want []float32
	for r := range n {
		out = append(out, data(100, me*n+r, num[float32])...)
		want = append(want, data(100, r*n+me, num[float32])...)
	}
	in := make([]float32, 100*n)
	if err := errors.Join(mpi.Alltoall(ctx, c, out, in), same("all to all", in, want)); err != nil {
		return err
	}
	r, err := mpi.Ialltoall(c, out, make([]float32, 100*n))
	if err := done(ctx, r, err); err != nil {
		return err
	}
	// Rank a sends r+1 elements to rank r, who has room for a+1 from each and receives me+1 from each.
	from := mpi.Blocks{}
	for r := range n {
		from.Counts, from.Offsets = append(from.Counts, me+1), append(from.Offsets, (n-1-r)*(me+2))
	}
	got := make([]int64, n*(me+2))
	sent := blocks(v, size, func(r int) int { return me*10 + r })
	if err := mpi.Alltoallv(ctx, c, sent, v, got, from); err != nil {
		return err
	}
	if err := same("all to all v", got, blocks(from, len(got), func(r int) int { return r*10 + me })); err != nil {
		return err
	}
	ri, err := mpi.Ialltoallv(c, sent, v, slices.Clone(got), from)
	return done(ctx, ri, err)
}

// fold is what a reduction of the ranks' data gives.
func fold[T any](n, count int, of func(int) T, f func(a, b T) T) []T {
	out := data(count, 0, of)
	for r := 1; r < n; r++ {
		for i, v := range data(count, r, of) {
			out[i] = f(out[i], v)
		}
	}
	return out
}

func reduced[T comparable](ctx context.Context, j *job, op mpi.Op, of func(int) T, f func(a, b T) T) error {
	const count = 40
	n, me := j.c.Size(), j.c.Rank()
	want := fold(n, count, of, f)
	in := make([]T, count)
	r, err := mpi.Iallreduce(j.c, data(count, me, of), in, op)
	if err := done(ctx, r, err); err != nil {
		return fmt.Errorf("%v of %T: %w", op, in, err)
	}
	return same(fmt.Sprintf("%v of %T", op, in), in, want)
}

func reductions(ctx context.Context, j *job) error {
	c, n, me := j.c, j.c.Size(), j.c.Rank()
	small := func(v int) int64 { return int64(v % 5) }
	truthOf := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	for _, err := range []error{
		reduced(ctx, j, mpi.Sum, num[int64], func(a, b int64) int64 { return a + b }),
		reduced(ctx, j, mpi.Sum, func(v int) int8 { return int8(v % 5) }, func(a, b int8) int8 { return a + b }),
		reduced(ctx, j, mpi.Sum, num[uint16], func(a, b uint16) uint16 { return a + b }),
		reduced(ctx, j, mpi.Sum, num[float32], func(a, b float32) float32 { return a + b }),
		reduced(ctx, j, mpi.Sum, num[float64], func(a, b float64) float64 { return a + b }),
		reduced(ctx, j, mpi.Sum, c64, func(a, b complex64) complex64 { return a + b }),
		reduced(ctx, j, mpi.Sum, c128, func(a, b complex128) complex128 { return a + b }),
		reduced(ctx, j, mpi.Prod, num[int32], func(a, b int32) int32 { return a * b }),
		reduced(ctx, j, mpi.Prod, num[float64], func(a, b float64) float64 { return a * b }),
		reduced(ctx, j, mpi.Max, num[uint64], func(a, b uint64) uint64 { return max(a, b) }),
		reduced(ctx, j, mpi.Min, num[float32], func(a, b float32) float32 { return min(a, b) }),
		reduced(ctx, j, mpi.LAnd, truth, func(a, b bool) bool { return a && b }),
		reduced(ctx, j, mpi.LOr, truth, func(a, b bool) bool { return a || b }),
		reduced(ctx, j, mpi.LXor, truth, func(a, b bool) bool { return a != b }),
		reduced(ctx, j, mpi.LAnd, small, func(a, b int64) int64 { return truthOf(a != 0 && b != 0) }),
		reduced(ctx, j, mpi.BAnd, num[uint8], func(a, b uint8) uint8 { return a & b }),
		reduced(ctx, j, mpi.BOr, num[int16], func(a, b int16) int16 { return a | b }),
		reduced(ctx, j, mpi.BXor, num[uint32], func(a, b uint32) uint32 { return a ^ b }),
	} {
		if err != nil {
			return err
		}
	}
	add := func(a, b float64) float64 { return a + b }
	want := fold(n, 1000, num[float64], add)
	for root := range n {
		in := make([]float64, 1000)
		send := f64(1000, me)
		if root%2 == 1 && me == root { // in place
			in = send
		}
		if err := mpi.Reduce(ctx, c, send, in, mpi.Sum, root); err != nil {
			return err
		}
		if me == root {
			if err := same("reduce", in, want); err != nil {
				return err
			}
		}
	}
	for _, k := range []int{0, 1, 1000, 60000} { // blocking, in place
		b := f64(k, me)
		if err := errors.Join(mpi.Allreduce(ctx, c, b, b, mpi.Sum), same("allreduce", b, fold(n, k, num[float64], add))); err != nil {
			return err
		}
	}
	in := make([]float64, 250)
	if err := errors.Join(mpi.ReduceScatterBlock(ctx, c, f64(250*n, me), in, mpi.Sum),
		same("reduce and scatter block", in, fold(n, 250*n, num[float64], add)[250*me:250*me+250])); err != nil {
		return err
	}
	var counts []int
	total, at := 0, 0
	for r := range n {
		counts = append(counts, 3*r+1)
		if r == me {
			at = total
		}
		total += counts[r]
	}
	in = make([]float64, counts[me])
	return errors.Join(mpi.ReduceScatter(ctx, c, f64(total, me), in, counts, mpi.Sum),
		same("reduce and scatter", in, fold(n, total, num[float64], add)[at:at+counts[me]]))
}

// places finds where the largest and the smallest are.
func places(ctx context.Context, j *job) error {
	return errors.Join(place(ctx, j, num[float32]), place(ctx, j, num[float64]), place(ctx, j, num[int64]), place(ctx, j, num[int32]), place(ctx, j, num[int16]))
}

func place[T number](ctx context.Context, j *job, of func(int) T) error {
	n, me := j.c.Size(), j.c.Rank()
	mine := func(r int) []mpi.Loc[T] {
		out := make([]mpi.Loc[T], 25)
		for i := range out {
			out[i] = mpi.Loc[T]{Value: of(value(i, r) % 7), Index: int32(r)}
		}
		return out
	}
	least, most := mine(0), mine(0)
	for r := 1; r < n; r++ {
		for i, v := range mine(r) {
			if v.Value < least[i].Value {
				least[i] = v
			}
			if v.Value > most[i].Value {
				most[i] = v
			}
		}
	}
	lo, hi := make([]mpi.Loc[T], 25), make([]mpi.Loc[T], 25)
	if err := errors.Join(mpi.Allreduce(ctx, j.c, mine(me), lo, mpi.MinLoc), mpi.Allreduce(ctx, j.c, mine(me), hi, mpi.MaxLoc)); err != nil {
		return err
	}
	return errors.Join(same("the least", lo, least), same("the most", hi, most))
}

func scans(ctx context.Context, j *job) error {
	c, me := j.c, j.c.Rank()
	add := func(a, b int64) int64 { return a + b }
	in := make([]int64, 60)
	if err := errors.Join(mpi.Scan(ctx, c, i64(60, me), in, mpi.Sum), same("scan", in, fold(me+1, 60, num[int64], add))); err != nil {
		return err
	}
	if err := mpi.Exscan(ctx, c, i64(60, me), in, mpi.Sum); err != nil {
		return err
	}
	if me > 0 {
		if err := same("exclusive scan", in, fold(me, 60, num[int64], add)); err != nil {
			return err
		}
	}
	r, err := mpi.Iscan(c, i64(60, me), in, mpi.Max)
	return done(ctx, r, err)
}

// ownReductions: one reduction, written in Go and in Python, that minds the order of its operands.
func ownReductions(ctx context.Context, j *job) error {
	type matrix = [4]float64
	times := func(a, b matrix) matrix {
		return matrix{a[0]*b[0] + a[1]*b[2], a[0]*b[1] + a[1]*b[3], a[2]*b[0] + a[3]*b[2], a[2]*b[1] + a[3]*b[3]}
	}
	op, err := mpi.NewOp(j.w, func(in, inout []matrix) {
		for i, v := range in {
			inout[i] = times(v, inout[i])
		}
	}, false)
	if err != nil {
		return err
	}
	mine := func(r int) []matrix {
		out := make([]matrix, 50)
		for i := range out {
			v := float64(value(i, r) % 3)
			out[i] = matrix{1, v, v + 1, float64(r)}
		}
		return out
	}
	n, me := j.c.Size(), j.c.Rank()
	want := mine(0)
	var upTo []matrix
	for r := range n {
		if r > 0 {
			for i, v := range mine(r) {
				want[i] = times(want[i], v)
			}
		}
		if r == me {
			upTo = slices.Clone(want)
		}
	}
	in := make([]matrix, 50)
	if err := errors.Join(mpi.Allreduce(ctx, j.c, mine(me), in, op), same("product", in, want)); err != nil {
		return err
	}
	if err := errors.Join(mpi.Scan(ctx, j.c, mine(me), in, op), same("products up to here", in, upTo)); err != nil {
		return err
	}
	r, err := mpi.Ireduce(j.c, mine(me), in, op, 2)
	if err := done(ctx, r, err); err != nil {
		return err
	}
	if me == 2 {
		if err := same("product at one", in, want); err != nil {
			return err
		}
	}
	return op.Close()
}

// prepared collective operations are those of MPI 4, where the library has them.
func prepared(ctx context.Context, j *job) error {
	b, sums := make([]float64, 100), make([]float64, 100)
	p, err := mpi.BcastInit(j.c, b, 1)
	if errors.Is(err, isthmus.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	q, err := mpi.AllreduceInit(j.c, b, sums, mpi.Sum)
	if err != nil {
		return err
	}
	for i := range 4 {
		if j.c.Rank() == 1 {
			copy(b, f64(100, i))
		}
		r, err := p.Start()
		if err := errors.Join(done(ctx, r, err), same("broadcast", b, f64(100, i))); err != nil {
			return err
		}
		if r, err = q.Start(); err != nil {
			return err
		}
		if err := done(ctx, r, nil); err != nil {
			return err
		}
		for k, v := range sums {
			if v != float64(j.c.Size())*b[k] {
				return fmt.Errorf("sum %d is %v", k, v)
			}
		}
	}
	return errors.Join(p.Close(), q.Close())
}
