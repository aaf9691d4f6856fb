package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpicoll"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// ranksFlags are the flags of a program whose replicas and partitions run on the ranks of an MPI job.
type ranksFlags struct {
	MPI        bool `name:"mpi" help:"Run one replica or partition of the program on each rank of an MPI job: under isthmus mpi run, or with --ranks."`
	Ranks      int  `short:"n" placeholder:"N" help:"With --mpi: start N ranks, with the launcher that belongs to the library."`
	Partitions int  `default:"1" placeholder:"P" help:"With --mpi: P partitions of the program; the ranks are replicas of each."`
	EveryRank  bool `help:"With --mpi: print the report of every rank, not of rank 0 alone."`

	world *mpi.World
	peers *mpicoll.Peers
}

// closing is how long a rank that is done waits for the others to be.
const closing = 30 * time.Second

// number replaces {rank} in a file's name by this rank's number.
func (c *runCmd) number(name string) string {
	return strings.ReplaceAll(name, "{rank}", strconv.Itoa(c.world.Comm().Rank()))
}

// check refuses flags that say nothing together.
func (f *ranksFlags) check(c *runCmd) error {
	switch {
	case !f.MPI && (f.Ranks != 0 || f.Partitions != 1 || f.EveryRank):
		return errors.New("--ranks, --partitions and --every-rank are for --mpi only")
	case !f.MPI:
		return nil
	case f.Ranks < 0 || f.Partitions < 1:
		return fmt.Errorf("--ranks %d --partitions %d: must be positive", f.Ranks, f.Partitions)
	case f.Ranks > 0 && f.Ranks%f.Partitions != 0:
		return fmt.Errorf("--ranks %d is no multiple of --partitions %d", f.Ranks, f.Partitions)
	case c.Program == "-":
		return errors.New("--mpi: the ranks cannot all read standard input; name a file")
	case c.Device != target.Embedded:
		return fmt.Errorf("--mpi: %s has no collective operations between processes that a client could carry: XLA makes them inside its plugins (NCCL on GPUs, the fabric on TPUs), "+
			"and its CPU plugin only within one process (Gloo and MPI are in jaxlib, outside the C API); use --device embedded", c.Device)
	}
	return nil
}

// launch starts this command again, as ranks.
func (c *runCmd) launch(ctx context.Context, s *streams) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{self, "run", "--mpi", "--partitions=" + strconv.Itoa(c.Partitions), "--repeat=" + strconv.Itoa(c.Repeat)}
	for _, in := range c.Input {
		args = append(args, "--input="+in)
	}
	text := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	text("output", c.Output)
	text("trace", c.Trace)
	text("census", c.Census)
	if c.Random != nil {
		args = append(args, fmt.Sprintf("--random=%d", *c.Random))
	}
	if c.Limit != nil {
		args = append(args, fmt.Sprintf("--memory-limit=%d", *c.Limit))
	}
	if c.Timeout > 0 {
		args = append(args, "--timeout="+c.Timeout.String())
	}
	for flag, set := range map[string]bool{"--json": c.JSON, "--verbose": c.Verbose, "--every-rank": c.EveryRank} {
		if set {
			args = append(args, flag)
		}
	}
	run := &mpiRun{N: c.Ranks, Verbose: c.Verbose, Program: append(args, "--", c.Program)}
	return run.Run(ctx, s)
}

// rank runs the program as one rank. All ranks come to its end, also those that fail, so that none waits for another in
// vain; rank 0 prints what is to be printed.
func (c *runCmd) rank(ctx context.Context, s *streams, run func(ctx context.Context, s *streams) error) (err error) {
	if c.world, err = mpi.Open(ctx, mpi.Options{}); err != nil {
		return fail(exitDevice, err)
	}
	me, n := c.world.Comm().Rank(), c.world.Comm().Size()
	var out bytes.Buffer
	if n%c.Partitions != 0 {
		err = fail(exitUsage, fmt.Errorf("%d ranks are no multiple of --partitions %d", n, c.Partitions))
	} else if c.peers, err = mpicoll.New(ctx, c.world.Comm()); err != nil {
		err = fail(exitDevice, err)
	}
	if err == nil {
		only := func(name string) string { // a name that says no rank is rank 0's
			if me > 0 && !strings.Contains(name, "{rank}") {
				return ""
			}
			return c.number(name)
		}
		c.Input = slices.Clone(c.Input)
		for i, in := range c.Input {
			c.Input[i] = c.number(in)
		}
		c.Output, c.Trace, c.Census = only(c.Output), only(c.Trace), only(c.Census)
		err = run(ctx, &streams{out: &out, err: s.err, terminal: s.terminal && me == 0})
	}
	if err != nil && n > 1 {
		err = fail(exitCode(err), fmt.Errorf("rank %d: %w", me, err))
	}
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer stop()
	bad := c.peers.Close(end)
	if bad == nil {
		bad = c.print(end, s, out.Bytes(), err == nil)
	}
	if bad == nil {
		bad = c.world.Close(end)
	}
	if bad != nil { // the others are not where they should be
		fmt.Fprintf(s.err, "isthmus: %s\n", printable(errors.Join(err, bad).Error()))
		c.world.Abort(max(exitCode(err), exitOther))
	}
	return err
}

// print prints the reports of the ranks on rank 0.
func (c *runCmd) print(ctx context.Context, s *streams, text []byte, ok bool) error {
	comm := c.world.Comm()
	me := comm.Rank()
	if !ok || me > 0 && !c.EveryRank {
		text = nil
	}
	if c.EveryRank && !c.JSON && len(text) > 0 {
		text = append(fmt.Appendf(nil, "rank %d of %d\n", me, comm.Size()), text...)
	}
	sizes := make([]int64, comm.Size())
	if err := mpi.Allgather(ctx, comm, []int64{int64(len(text))}, sizes); err != nil {
		return err
	}
	blocks := mpi.Blocks{Counts: make([]int, len(sizes))}
	total := 0
	for i, n := range sizes {
		blocks.Counts[i] = int(n)
		total += int(n)
	}
	all := make([]byte, total)
	if err := mpi.Gatherv(ctx, comm, text, all, blocks, 0); err != nil {
		return err
	}
	if me == 0 {
		_, err := s.out.Write(all)
		return err
	}
	return nil
}

// plugin is the device that the program runs on.
func (c *runCmd) plugin(ctx context.Context) (*pjrt.Plugin, error) {
	if c.peers != nil {
		return embedded.Plugin(device.Options{Peers: c.peers})
	}
	return target.Plugin(ctx, c.Device)
}

// grid is how many replicas and partitions the program is compiled for.
func (c *runCmd) grid() (replicas, partitions int) {
	if c.peers == nil {
		return 0, 0
	}
	return c.peers.Processes() / c.Partitions, c.Partitions
}

// start executes the program once on this process's device.
func (c *runCmd) start(ctx context.Context, exe *pjrt.Executable, args []*pjrt.Buffer) ([]*pjrt.Buffer, error) {
	if c.peers == nil {
		return exe.Execute(ctx, args, pjrt.ExecuteOptions{})
	}
	outs, err := exe.ExecuteAll(ctx, [][]*pjrt.Buffer{args}, pjrt.ExecuteOptions{})
	if err != nil {
		return nil, err
	}
	return outs[0], nil
}
