package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

var crowdScenarios = map[string]mpitest.Scenario{
	"crowd": crowd,
}

// A thousand goroutines wait for messages on a handful of threads.
func TestManyWaitersFewThreads(t *testing.T) { mpitest.Run(t, 2, "crowd") }

// Calls that wait in C have a thread each: there is a limit to them.
func TestWaitsInCAreBounded(t *testing.T) { mpitest.Run(t, 2, "waits in c") }

// osThreads is how many the system says that this process has, 0 where it does not.
func osThreads() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "Threads:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(v))
			return n
		}
	}
	return 0
}

func crowd(ctx context.Context, w *mpi.World) error {
	const n = 1000
	c := w.Comm()
	peer := 1 - c.Rank()
	before := osThreads()
	errs := make(chan error, n)
	for i := range n {
		go func() {
			b := make([]int, 1)
			_, err := mpi.Recv(ctx, c, b, peer, i)
			if err == nil && b[0] != i {
				err = fmt.Errorf("waiter %d got %d", i, b[0])
			}
			errs <- err
		}()
	}
	// Each looks for its message again and again meanwhile.
	for range 50 {
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
	}
	most := osThreads()
	for i := range n {
		if err := mpi.Send(ctx, c, []int{i}, peer, i); err != nil {
			return err
		}
	}
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	few := n / 5         // the scheduler starts some when a call lasts, as all do on a busy machine
	if mem.RaceEnabled { // calls are slower still
		few = n / 2
	}
	if most = max(most, osThreads()); most > before+few {
		return fmt.Errorf("%d threads before, %d with %d waiters", before, most, n)
	}
	return nil
}

func waitsInC(ctx context.Context) (err error) {
	const limit, n = 3, 6
	w, err := mpi.Open(ctx, mpi.Options{MaxWaits: limit})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			w.Abort(1)
		}
		err = errors.Join(err, w.Close(ctx))
	}()
	c := w.Comm()
	var comms [n]*mpi.Comm
	for i := range comms {
		if comms[i], err = c.Dup(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, comms[i].Close()) }()
	}
	again := func(i int) error {
		d, err := comms[i].Dup(ctx)
		return errors.Join(err, d.Close())
	}
	let := make([]bool, n)
	if c.Rank() == 1 {
		if _, err := mpi.Recv(ctx, c, let, 0, 1); err != nil {
			return err
		}
		for i, in := range let {
			if in {
				err = errors.Join(err, again(i))
			}
		}
		return err
	}
	type result struct {
		i   int
		err error
	}
	all := make(chan result, n)
	for i := range n {
		let[i] = true
		go func() { all <- result{i, again(i)} }()
	}
	// The other process has not come: those that are let in wait, and only those that are refused return.
	for range n - limit {
		r := <-all
		if !errors.Is(r.err, isthmus.ErrLimit) {
			return fmt.Errorf("%d calls wait, and one more: %v", limit, r.err)
		}
		let[r.i] = false
	}
	if err := mpi.Send(ctx, c, let, 1, 1); err != nil {
		return err
	}
	for range limit {
		r := <-all
		err = errors.Join(err, r.err)
	}
	return err
}
