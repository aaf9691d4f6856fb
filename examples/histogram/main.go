// Histogram counts into one table that is spread over processes: each adds to the parts of the others directly, with
// atomic one-sided operations, and nobody waits for a message.
//
//	isthmus mpi run -n 3 -- go run ./examples/histogram
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/isthmus-ffi/isthmus/mpi"
)

const (
	bins    = 24     // in each process
	samples = 20_000 // of each process
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	w, err := mpi.Open(ctx, mpi.Options{})
	if err != nil {
		return err
	}
	c := w.Comm()
	table, err := mpi.Allocate[int64](ctx, c, bins)
	if err != nil {
		return err
	}
	// Each process adds its samples to whoever has the bin.
	err = table.LockAll(ctx, func(e *mpi.Epoch[int64]) error {
		for bin, n := range count(c.Rank(), c.Size()) {
			if err := e.Accumulate(mpi.Sum, []int64{n}, bin/bins, bin%bins); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if c.Rank() == 0 {
		if err := check(ctx, table, c.Size()); err != nil {
			return err
		}
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if err := table.Close(); err != nil {
		return err
	}
	return w.Close(ctx)
}

// count is the histogram of the samples that a process has: the same for every run.
func count(rank, size int) []int64 {
	random := rand.New(rand.NewPCG(1, uint64(rank)))
	out := make([]int64, bins*size)
	for range samples {
		x := int((random.NormFloat64()/8 + 0.5) * float64(len(out)))
		out[min(max(x, 0), len(out)-1)]++
	}
	return out
}

// check reads the whole table and compares it with what one process alone counts.
func check(ctx context.Context, table *mpi.Win[int64], size int) error {
	got := make([]int64, bins*size)
	err := table.LockAll(ctx, func(e *mpi.Epoch[int64]) error {
		for r := range size {
			if err := e.Get(got[r*bins:(r+1)*bins], r, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	want := make([]int64, len(got))
	for r := range size {
		for bin, n := range count(r, size) {
			want[bin] += n
		}
	}
	for bin, n := range got {
		if n != want[bin] {
			return fmt.Errorf("bin %d has %d, want %d", bin, n, want[bin])
		}
	}
	fmt.Printf("%d samples of %d processes in %d bins, as one process counts them\n", samples*size, size, len(got))
	return nil
}
