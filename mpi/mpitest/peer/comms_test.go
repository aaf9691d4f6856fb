package peer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// grids: neighbours on a torus.
func grids(ctx context.Context, j *job) error {
	dims, err := j.w.Dims(j.c.Size(), 0, 0)
	if err != nil {
		return err
	}
	g, err := j.c.Grid(ctx, dims, []bool{true, false}, false)
	if err != nil {
		return err
	}
	me := g.Rank()
	at, err := g.Coords(me)
	if err != nil || at[0] != me/dims[1] || at[1] != me%dims[1] {
		return fmt.Errorf("at %v of %v, %w", at, dims, err)
	}
	var from []int
	for d := range dims {
		a, b, err := g.Shift(d, 1)
		if err != nil {
			return err
		}
		from = append(from, a, b)
	}
	in := slices.Repeat([]int64{-1}, 4*3)
	want := slices.Clone(in)
	for i, r := range from {
		if r >= 0 {
			copy(want[3*i:], i64(3, r))
		}
	}
	if err := errors.Join(mpi.NeighborAllgather(ctx, g, i64(3, me), in), same("neighbours", in, want)); err != nil {
		return err
	}
	r, err := mpi.IneighborAllgather(g, i64(3, me), slices.Clone(in))
	if err := done(ctx, r, err); err != nil {
		return err
	}
	// To the neighbour i go the data of 10*me+i. It has this process on its other side.
	var out []int64
	for i := range 4 {
		out = append(out, i64(3, 10*me+i)...)
	}
	for i, r := range from {
		if r >= 0 {
			copy(want[3*i:], i64(3, 10*r+i^1))
		}
	}
	if from[0] == from[1] && from[0] >= 0 { // two edges to one neighbour, whose order libraries differ in: compare as a set
		want = nil
	}
	if err := mpi.NeighborAlltoall(ctx, g, out, in); err != nil {
		return err
	}
	if want != nil {
		if err := same("from neighbours", in, want); err != nil {
			return err
		}
	}
	rows, err := g.SubGrid(ctx, false, true)
	if err != nil {
		return err
	}
	sum := []int64{0}
	if err := mpi.Allreduce(ctx, rows, []int64{int64(me)}, sum, mpi.Sum); err != nil {
		return err
	}
	expect := int64(0)
	for k := range dims[1] {
		expect += int64(at[0]*dims[1] + k)
	}
	return errors.Join(is(sum[0] == expect, "row sum %d, want %d", sum[0], expect), rows.Close(), g.Close())
}

// graphs: a ring in which each process also hears the one before the last.
func graphs(ctx context.Context, j *job) error {
	n, me := j.c.Size(), j.c.Rank()
	from := []mpi.Edge{{Rank: (me + n - 1) % n, Weight: 1}, {Rank: (me + n - 2) % n, Weight: 2}}
	to := []mpi.Edge{{Rank: (me + 1) % n, Weight: 1}, {Rank: (me + 2) % n, Weight: 2}}
	g, err := j.c.DistGraph(ctx, from, to, nil, false)
	if err != nil {
		return err
	}
	in := make([]float64, 20)
	if err := mpi.NeighborAllgather(ctx, g, f64(10, me), in); err != nil {
		return err
	}
	if err := same("ring", in, append(f64(10, from[0].Rank), f64(10, from[1].Rank)...)); err != nil {
		return err
	}
	got := make([]float64, 8)
	if err := mpi.NeighborAlltoallv(ctx, g, append(f64(3, me), f64(5, me+100)...), mpi.Blocks{Counts: []int{3, 5}},
		got, mpi.Blocks{Counts: []int{3, 5}}); err != nil {
		return err
	}
	if err := same("ring v", got, append(f64(3, from[0].Rank), f64(5, from[1].Rank+100)...)); err != nil {
		return err
	}
	a, b := g.Neighbours()
	return errors.Join(is(slices.Equal(a, from) && slices.Equal(b, to), "%v %v", a, b), g.Close())
}

// splits: parts of the communicator, and their groups.
func splits(ctx context.Context, j *job) error {
	n, me := j.c.Size(), j.c.Rank()
	half, err := j.c.Split(ctx, me%2, -me) // the other way round; one of each language where there are two of each
	if err != nil {
		return err
	}
	all := make([]int64, half.Size())
	if err := mpi.Allgather(ctx, half, []int64{int64(me)}, all); err != nil {
		return err
	}
	for i := range all {
		if all[i] != int64(n-1-(n-1-me)%2-2*i) {
			return fmt.Errorf("half of %d: %v", me, all)
		}
	}
	none, err := j.c.Split(ctx, map[bool]int{true: mpi.Undefined, false: 7}[me == 0], 0)
	if err != nil || (none == nil) != (me == 0) {
		return fmt.Errorf("no part: %v, %w", none, err)
	}
	whole, err := j.c.Group()
	if err != nil {
		return err
	}
	g, err := whole.Include(n-1, 0)
	if err != nil {
		return err
	}
	at, err := g.Translate(whole, 0, 1)
	if err != nil || at[0] != n-1 || at[1] != 0 {
		return fmt.Errorf("%v, %w", at, err)
	}
	made, err := j.c.Create(ctx, g)
	if err != nil {
		return err
	}
	var ends *mpi.Comm
	if me == 0 || me == n-1 {
		if ends, err = j.c.CreateGroup(ctx, g, 5); err != nil {
			return err
		}
		b := []int64{int64(me)}
		if err := errors.Join(mpi.Bcast(ctx, ends, b, 0), mpi.Bcast(ctx, made, b, 1)); err != nil || b[0] != int64(n-1) && me != 0 {
			return fmt.Errorf("ends: %v, %w", b, err)
		}
		if r, err := ends.Compare(made); err != nil || r != mpi.Congruent {
			return fmt.Errorf("%v, %w", r, err)
		}
	}
	near, err := j.c.SplitShared(ctx, 0)
	if err != nil || near.Size() != n {
		return fmt.Errorf("%v, %w", near, err)
	}
	return errors.Join(half.Close(), none.Close(), made.Close(), ends.Close(), near.Close(), g.Close(), whole.Close())
}

// twoSides: Go on one side of an intercommunicator, Python on the other.
func twoSides(ctx context.Context, j *job) error {
	n, me := j.c.Size(), j.c.Rank()
	side, err := j.c.Split(ctx, 0, 0)
	if err != nil {
		return err
	}
	remote := slices.Index(j.py, true)
	inter, err := side.Intercomm(ctx, 0, j.c, remote, 3)
	if err != nil {
		return err
	}
	if inter.RemoteSize() != n/2 || inter.Size() != n/2 {
		return fmt.Errorf("%v: %d", inter, inter.RemoteSize())
	}
	b := make([]float64, 10)
	if _, err := mpi.SendRecv(ctx, inter, f64(10, 1), inter.Rank(), 1, b, inter.Rank(), 1); err != nil {
		return err
	}
	if err := same("across", b, f64(10, 2)); err != nil {
		return err
	}
	sum := make([]int64, 4)
	if err := mpi.Allreduce(ctx, inter, i64(4, inter.Rank()), sum, mpi.Sum); err != nil {
		return err
	}
	if err := same("the others' sum", sum, fold(n/2, 4, func(v int) int64 { return int64(v) * 3 }, func(a, b int64) int64 { return a + b })); err != nil {
		return err
	}
	all := make([]int64, 2*(n/2))
	if err := mpi.Allgather(ctx, inter, []int64{int64(me)}, all[:n/2*2]); err != nil {
		return err
	}
	for i := range n / 2 {
		if all[2*i] != int64(remote+i) || all[2*i+1] != -1 {
			return fmt.Errorf("gathered %v", all)
		}
	}
	root := mpi.ProcNull
	if inter.Rank() == 0 {
		root = mpi.Root
	}
	if err := mpi.Bcast(ctx, inter, f64(20, 5), root); err != nil { // from Go to all of Python, and back
		return err
	}
	c := make([]float64, 20)
	if err := errors.Join(mpi.Bcast(ctx, inter, c, n/2-1), same("broadcast", c, f64(20, 6)), mpi.Barrier(ctx, inter)); err != nil {
		return err
	}
	one, err := inter.Merge(ctx, true)
	if err != nil {
		return err
	}
	return errors.Join(is(one.Size() == n && one.Rank() == n/2+inter.Rank(), "%v", one), one.Close(), inter.Close(), side.Close())
}

// attributes: what hangs on communicators stays in its process; names and hints are the library's.
func attributes(ctx context.Context, j *job) error {
	var copied, gone int
	key := &mpi.Key[string]{
		Name: "note", Copy: func(v string) (string, bool) { copied++; return v + "'", true }, Delete: func(string) { gone++ },
	}
	if err := errors.Join(key.Set(j.c, "a"), j.c.SetName("peers")); err != nil {
		return err
	}
	d, err := j.c.Dup(ctx)
	if err != nil {
		return err
	}
	if v, err := key.Get(d); err != nil || v != "a'" {
		return fmt.Errorf("%q, %w", v, err)
	}
	if name, err := j.c.Name(); err != nil || name != "peers" {
		return fmt.Errorf("%q, %w", name, err)
	}
	hints, err := mpi.NewHints(j.w, map[string]string{"mpi_assert_no_any_tag": "true"})
	if err != nil {
		return err
	}
	e, err := j.c.DupWithInfo(ctx, hints)
	if err != nil {
		return err
	}
	b := []int64{0}
	if err := errors.Join(mpi.Allreduce(ctx, e, []int64{1}, b, mpi.Sum), hints.Close(), d.Close(), e.Close(), key.Remove(j.c)); err != nil {
		return err
	}
	return is(copied == 2 && gone == 3 && b[0] == int64(j.c.Size()), "%d copied, %d gone", copied, gone)
}
