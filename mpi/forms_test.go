package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func TestImmediateAndPersistentForms(t *testing.T) { mpitest.Run(t, 3, "forms") }

// forms compares the immediate and the persistent form of each collective operation with the blocking one, on a ring of
// three ranks. Each has another result, so that no form can be another operation's.
func forms(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Grid(ctx, []int{3}, []bool{true}, false)
	if err != nil {
		return err
	}
	defer c.Close()
	const n, root = 3, 1
	me := c.Rank()
	atRoot := func(k int) int {
		if me == root {
			return k
		}
		return 0
	}
	counts := []int{2, 1, 3}
	blocks := mpi.Blocks{Counts: counts}
	one, two, six := vector[int64](me, 1), vector[int64](me, 2), vector[int64](me, 6)
	mine := vector[int64](me, counts[me])
	uneven := mpi.Blocks{Counts: []int{1, 2, 3}}
	in := mpi.Blocks{Counts: []int{me + 1, me + 1, me + 1}}
	left, right := (me+n-1)%n, (me+1)%n
	from := mpi.Blocks{Counts: []int{counts[left], counts[right]}}
	to := mpi.Blocks{Counts: []int{counts[me], counts[me]}}
	pieces := []mpi.Piece[int64]{{N: 2, At: 1}, {N: 2, At: 3}}
	places := []mpi.Piece[int64]{{N: 2}, {N: 2, At: 2}}

	type request = *mpi.Request[int64]
	type prepared = *mpi.Persistent[int64]
	for _, f := range []struct {
		name     string
		recv     int
		blocking func([]int64) error
		start    func([]int64) (request, error)
		prepare  func([]int64) (prepared, error)
	}{
		{
			"bcast", 6,
			func(b []int64) error { return mpi.Bcast(ctx, c, b, root) },
			func(b []int64) (request, error) { return mpi.Ibcast(c, b, root) },
			func(b []int64) (prepared, error) { return mpi.BcastInit(c, b, root) },
		},
		{
			"reduce", atRoot(6),
			func(b []int64) error { return mpi.Reduce(ctx, c, six, b, mpi.Sum, root) },
			func(b []int64) (request, error) { return mpi.Ireduce(c, six, b, mpi.Sum, root) },
			func(b []int64) (prepared, error) { return mpi.ReduceInit(c, six, b, mpi.Sum, root) },
		},
		{
			"allreduce", 6,
			func(b []int64) error { return mpi.Allreduce(ctx, c, six, b, mpi.Prod) },
			func(b []int64) (request, error) { return mpi.Iallreduce(c, six, b, mpi.Prod) },
			func(b []int64) (prepared, error) { return mpi.AllreduceInit(c, six, b, mpi.Prod) },
		},
		{
			"scan", 6,
			func(b []int64) error { return mpi.Scan(ctx, c, six, b, mpi.Sum) },
			func(b []int64) (request, error) { return mpi.Iscan(c, six, b, mpi.Sum) },
			func(b []int64) (prepared, error) { return mpi.ScanInit(c, six, b, mpi.Sum) },
		},
		{
			"exscan", 6,
			func(b []int64) error { return mpi.Exscan(ctx, c, six, b, mpi.Sum) },
			func(b []int64) (request, error) { return mpi.Iexscan(c, six, b, mpi.Sum) },
			func(b []int64) (prepared, error) { return mpi.ExscanInit(c, six, b, mpi.Sum) },
		},
		{
			"gather", atRoot(6),
			func(b []int64) error { return mpi.Gather(ctx, c, two, b, root) },
			func(b []int64) (request, error) { return mpi.Igather(c, two, b, root) },
			func(b []int64) (prepared, error) { return mpi.GatherInit(c, two, b, root) },
		},
		{
			"gatherv", atRoot(6),
			func(b []int64) error { return mpi.Gatherv(ctx, c, mine, b, blocks, root) },
			func(b []int64) (request, error) { return mpi.Igatherv(c, mine, b, blocks, root) },
			func(b []int64) (prepared, error) { return mpi.GathervInit(c, mine, b, blocks, root) },
		},
		{
			"scatter", 2,
			func(b []int64) error { return mpi.Scatter(ctx, c, six[:atRoot(6)], b, root) },
			func(b []int64) (request, error) { return mpi.Iscatter(c, six[:atRoot(6)], b, root) },
			func(b []int64) (prepared, error) { return mpi.ScatterInit(c, six[:atRoot(6)], b, root) },
		},
		{
			"scatterv", counts[me],
			func(b []int64) error { return mpi.Scatterv(ctx, c, six[:atRoot(6)], blocks, b, root) },
			func(b []int64) (request, error) { return mpi.Iscatterv(c, six[:atRoot(6)], blocks, b, root) },
			func(b []int64) (prepared, error) { return mpi.ScattervInit(c, six[:atRoot(6)], blocks, b, root) },
		},
		{
			"allgather", 3,
			func(b []int64) error { return mpi.Allgather(ctx, c, one, b) },
			func(b []int64) (request, error) { return mpi.Iallgather(c, one, b) },
			func(b []int64) (prepared, error) { return mpi.AllgatherInit(c, one, b) },
		},
		{
			"allgatherv", 6,
			func(b []int64) error { return mpi.Allgatherv(ctx, c, mine, b, blocks) },
			func(b []int64) (request, error) { return mpi.Iallgatherv(c, mine, b, blocks) },
			func(b []int64) (prepared, error) { return mpi.AllgathervInit(c, mine, b, blocks) },
		},
		{
			"alltoall", 6,
			func(b []int64) error { return mpi.Alltoall(ctx, c, six, b) },
			func(b []int64) (request, error) { return mpi.Ialltoall(c, six, b) },
			func(b []int64) (prepared, error) { return mpi.AlltoallInit(c, six, b) },
		},
		{
			"alltoallv", 3 * (me + 1),
			func(b []int64) error { return mpi.Alltoallv(ctx, c, six, uneven, b, in) },
			func(b []int64) (request, error) { return mpi.Ialltoallv(c, six, uneven, b, in) },
			func(b []int64) (prepared, error) { return mpi.AlltoallvInit(c, six, uneven, b, in) },
		},
		{
			"reduce_scatter", counts[me],
			func(b []int64) error { return mpi.ReduceScatter(ctx, c, six, b, counts, mpi.Sum) },
			func(b []int64) (request, error) { return mpi.IreduceScatter(c, six, b, counts, mpi.Sum) },
			func(b []int64) (prepared, error) { return mpi.ReduceScatterInit(c, six, b, counts, mpi.Sum) },
		},
		{
			"reduce_scatter_block", 2,
			func(b []int64) error { return mpi.ReduceScatterBlock(ctx, c, six, b, mpi.Max) },
			func(b []int64) (request, error) { return mpi.IreduceScatterBlock(c, six, b, mpi.Max) },
			func(b []int64) (prepared, error) { return mpi.ReduceScatterBlockInit(c, six, b, mpi.Max) },
		},
		{
			"neighbor_allgather", 4,
			func(b []int64) error { return mpi.NeighborAllgather(ctx, c, two, b) },
			func(b []int64) (request, error) { return mpi.IneighborAllgather(c, two, b) },
			func(b []int64) (prepared, error) { return mpi.NeighborAllgatherInit(c, two, b) },
		},
		{
			"neighbor_allgatherv", counts[left] + counts[right],
			func(b []int64) error { return mpi.NeighborAllgatherv(ctx, c, mine, b, from) },
			func(b []int64) (request, error) { return mpi.IneighborAllgatherv(c, mine, b, from) },
			func(b []int64) (prepared, error) { return mpi.NeighborAllgathervInit(c, mine, b, from) },
		},
		{
			"neighbor_alltoall", 2,
			func(b []int64) error { return mpi.NeighborAlltoall(ctx, c, two, b) },
			func(b []int64) (request, error) { return mpi.IneighborAlltoall(c, two, b) },
			func(b []int64) (prepared, error) { return mpi.NeighborAlltoallInit(c, two, b) },
		},
		{
			"neighbor_alltoallv", counts[left] + counts[right],
			func(b []int64) error { return mpi.NeighborAlltoallv(ctx, c, six[:2*counts[me]], to, b, from) },
			func(b []int64) (request, error) {
				return mpi.IneighborAlltoallv(c, six[:2*counts[me]], to, b, from)
			},
			func(b []int64) (prepared, error) {
				return mpi.NeighborAlltoallvInit(c, six[:2*counts[me]], to, b, from)
			},
		},
		{
			"neighbor_alltoallw", 4,
			func(b []int64) error { return mpi.NeighborAlltoallw(ctx, c, six, pieces, b, places) },
			func(b []int64) (request, error) { return mpi.IneighborAlltoallw(c, six, pieces, b, places) },
			func(b []int64) (prepared, error) { return mpi.NeighborAlltoallwInit(c, six, pieces, b, places) },
		},
	} {
		// fill is what b holds before the operation: what rank root sends, and elsewhere nothing of an earlier round.
		fill := func(b []int64) []int64 {
			clear(b)
			if f.name == "bcast" && me == root {
				copy(b, six)
			}
			return b
		}
		buf := make([]int64, f.recv)
		p, err := f.prepare(buf)
		native := "MPI_" + string(f.name[0]-'a'+'A') + f.name[1:] + "_init"
		switch {
		case has(w, native) && err != nil:
			return fmt.Errorf("%s, persistent: %w", f.name, err)
		case !has(w, native) && !errors.Is(err, isthmus.ErrUnsupported):
			return fmt.Errorf("%s without %s: %v, %v", f.name, native, p, err)
		}
		for round := range 3 {
			for _, b := range [][]int64{one, two, six, mine} {
				for i := range b {
					b[i] += int64(round)
				}
			}
			want := fill(make([]int64, f.recv))
			if err := f.blocking(want); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			again := func(form string, r request, err error) error {
				if err != nil {
					return fmt.Errorf("%s, %s: %w", f.name, form, err)
				}
				got, _, err := r.Wait(ctx)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", f.name, form, err)
				}
				if f.name == "exscan" && me == 0 { // it is not defined there
					return nil
				}
				return differ(f.name+", "+form, got, want)
			}
			r, err := f.start(fill(make([]int64, f.recv)))
			if err := again("immediate", r, err); err != nil {
				return err
			}
			if p == nil {
				continue
			}
			fill(buf)
			r, err = p.Start()
			if err := again("persistent", r, err); err != nil {
				return err
			}
		}
		if err := p.Close(); err != nil {
			return fmt.Errorf("%s, persistent: %w", f.name, err)
		}
	}
	return nil
}
