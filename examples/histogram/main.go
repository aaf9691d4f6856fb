// Histogram counts into one table that is spread over processes: each adds to the parts of the others directly, with
// atomic one-sided operations, and nobody waits for a message.
//
//	go run ./examples/histogram
//
// Started alone, it starts itself with three ranks.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"

	"github.com/isthmus-ffi/isthmus/internal/ranks"
	"github.com/isthmus-ffi/isthmus/mpi"
)

const (
	bins    = 24     // in each process
	samples = 20_000 // of each process
)

func main() {
	n := flag.Int("ranks", 3, "`ranks` to start, where no launcher has started this")
	flag.Parse()
	if err := start(context.Background(), os.Stdout, *n); err != nil {
		log.Fatal(err)
	}
}

// start is a rank, or starts the ranks.
func start(ctx context.Context, out io.Writer, n int) error {
	if n < 1 {
		return fmt.Errorf("%d ranks", n)
	}
	if !ranks.Launched() {
		return ranks.Start(ctx, n, out)
	}
	w, err := ranks.Open(ctx)
	if err != nil {
		return err
	}
	if err := run(ctx, w, out); err != nil { // the others wait for this rank
		fmt.Fprintln(os.Stderr, "histogram: rank", w.Comm().Rank(), err)
		w.Abort(1)
	}
	return w.Close(ctx)
}

func run(ctx context.Context, w *mpi.World, out io.Writer) error {
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
		if err := check(ctx, out, table, c.Size()); err != nil {
			return err
		}
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	return table.Close()
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
func check(ctx context.Context, out io.Writer, table *mpi.Win[int64], size int) error {
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
	_, err = fmt.Fprintf(out, "%d samples of %d processes in %d bins, as one process counts them\n", samples*size, size, len(got))
	return err
}
