package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// operations are rounds of which each checks what it received.
var operations = map[string]func(ctx context.Context, c *mpi.Comm, round int) error{
	"small": func(ctx context.Context, c *mpi.Comm, round int) error { return passOn(ctx, c, round, 10) },
	"large": func(ctx context.Context, c *mpi.Comm, round int) error { return passOn(ctx, c, round, 1<<17) },
	"owned": func(ctx context.Context, c *mpi.Comm, round int) error {
		right, left := neighbours(c)
		r, err := mpi.Irecv(c, make([]int64, 1<<14), left, 1)
		if err != nil {
			return err
		}
		s, err := mpi.Isend(c, pattern(c.Rank(), round, 1<<14), right, 1)
		if err != nil {
			return err
		}
		in, _, err := r.Wait(ctx)
		if err != nil {
			return err
		}
		if _, _, err = s.Wait(ctx); err != nil {
			return err
		}
		return checkPattern(in, left, round)
	},
	"allreduce": func(ctx context.Context, c *mpi.Comm, round int) error {
		in := make([]int64, 1<<10)
		if err := mpi.Allreduce(ctx, c, pattern(0, round, len(in)), in, mpi.Max); err != nil {
			return err
		}
		return checkPattern(in, 0, round)
	},
	"direct": func(ctx context.Context, c *mpi.Comm, round int) error {
		in := make([]int64, []int{8, 500}[round%2])
		if err := mpi.Allreduce(ctx, c, pattern(c.Rank(), round, len(in)), in, mpi.Max); err != nil {
			return err
		}
		return checkPattern(in, c.Size()-1, round)
	},
	"partitioned": func(ctx context.Context, c *mpi.Comm, round int) error {
		const parts, n = 4, 1 << 12
		right, left := neighbours(c)
		in := make([]int64, n)
		r, err := mpi.RecvPartitioned(c, in, parts, left, 1)
		if err != nil {
			return err
		}
		s, err := mpi.SendPartitioned(c, pattern(c.Rank(), round, n), parts, right, 1)
		if err != nil {
			return err
		}
		if err := errors.Join(r.Start(), s.Start()); err != nil {
			return err
		}
		for i := range parts {
			if err := s.Ready(parts - 1 - i); err != nil {
				return err
			}
		}
		if err := r.Wait(ctx); err != nil {
			return err
		}
		if err := s.Wait(ctx); err != nil {
			return err
		}
		return errors.Join(checkPattern(in, left, round), r.Close(), s.Close())
	},
	"file": func(ctx context.Context, c *mpi.Comm, round int) error {
		const n = 1 << 9
		if round == 0 {
			f, err := c.OpenFile(ctx, os.Getenv("FAULT_DIR")+"/file", mpi.ReadWrite|mpi.Create, nil)
			if err != nil {
				return err
			}
			rounds.file = f
		}
		at := func(rank int) int64 { return int64(rank) * n * 8 }
		_, left := neighbours(c)
		if err := mpi.WriteAtAll(ctx, rounds.file, pattern(c.Rank(), round, n), at(c.Rank())); err != nil {
			return err
		}
		if err := errors.Join(rounds.file.Sync(ctx), mpi.Barrier(ctx, c), rounds.file.Sync(ctx)); err != nil {
			return err
		}
		in := make([]int64, n)
		if k, err := mpi.ReadAtAll(ctx, rounds.file, in, at(left)); err != nil || k != n {
			return fmt.Errorf("read %d elements: %w", k, err)
		}
		return errors.Join(checkPattern(in, left, round), mpi.Barrier(ctx, c)) // nobody writes while another reads
	},
	"broadcast": func(ctx context.Context, c *mpi.Comm, round int) error {
		root := round % c.Size()
		in := make([]int64, 1<<15)
		if c.Rank() == root {
			in = pattern(root, round, len(in))
		}
		if err := mpi.Bcast(ctx, c, in, root); err != nil {
			return err
		}
		return checkPattern(in, root, round)
	},
	"barrier": func(ctx context.Context, c *mpi.Comm, _ int) error { return mpi.Barrier(ctx, c) },
	"synchronous": func(ctx context.Context, c *mpi.Comm, round int) error {
		right, left := neighbours(c)
		sent := make(chan error, 1)
		go func() { sent <- mpi.SendSync(ctx, c, pattern(c.Rank(), round, 100), right, 1) }()
		in := make([]int64, 100)
		_, err := mpi.Recv(ctx, c, in, left, 1)
		if err := errors.Join(err, <-sent); err != nil {
			return err
		}
		return checkPattern(in, left, round)
	},
	"scope": func(ctx context.Context, c *mpi.Comm, round int) error {
		right, left := neighbours(c)
		in, out := make([]int64, 1<<13), pattern(c.Rank(), round, 1<<13)
		if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
			return errors.Join(mpi.PostRecv(s, in, left, 1, nil), mpi.PostSend(s, out, right, 1))
		}); err != nil {
			return err
		}
		return checkPattern(in, left, round)
	},
	"repeated": func(ctx context.Context, c *mpi.Comm, round int) error {
		right, left := neighbours(c)
		in, out := make([]int64, 1<<12), pattern(c.Rank(), round, 1<<12)
		r, err := mpi.RecvInit(c, in, left, 1)
		if err != nil {
			return err
		}
		s, err := mpi.SendInit(c, out, right, 1)
		if err != nil {
			return err
		}
		if err := mpi.StartAll(r, s); err != nil {
			return err
		}
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
		if _, err := s.Wait(ctx); err != nil {
			return err
		}
		return errors.Join(checkPattern(in, left, round), r.Close(), s.Close())
	},
	"probe": func(ctx context.Context, c *mpi.Comm, round int) error {
		right, left := neighbours(c)
		s, err := mpi.Isend(c, pattern(c.Rank(), round, 1+round%5000), right, 1)
		if err != nil {
			return err
		}
		m, err := mpi.Mprobe[int64](ctx, c, left, mpi.AnyTag)
		if err != nil {
			return err
		}
		in := make([]int64, m.Status().Count)
		if _, err := m.Recv(ctx, in); err != nil {
			return err
		}
		if _, _, err := s.Wait(ctx); err != nil {
			return err
		}
		if len(in) != 1+round%5000 {
			return fmt.Errorf("%d elements in round %d: not what was sent", len(in), round)
		}
		return checkPattern(in, left, round)
	},
	"allgather": func(ctx context.Context, c *mpi.Comm, round int) error {
		const n = 1 << 10
		in := make([]int64, n*c.Size())
		if err := mpi.Allgather(ctx, c, pattern(c.Rank(), round, n), in); err != nil {
			return err
		}
		for r := range c.Size() {
			if err := checkPattern(in[r*n:][:n], r, round); err != nil {
				return err
			}
		}
		return nil
	},
	"alltoall": func(ctx context.Context, c *mpi.Comm, round int) error {
		const n = 1 << 10
		var out []int64
		for range c.Size() {
			out = append(out, pattern(c.Rank(), round, n)...)
		}
		in := make([]int64, n*c.Size())
		if err := mpi.Alltoall(ctx, c, out, in); err != nil {
			return err
		}
		for r := range c.Size() {
			if err := checkPattern(in[r*n:][:n], r, round); err != nil {
				return err
			}
		}
		return nil
	},
	"immediate": func(ctx context.Context, c *mpi.Comm, round int) error {
		root := round % c.Size()
		in := make([]int64, 1<<12)
		if c.Rank() == root {
			in = pattern(root, round, len(in))
		}
		b, err := mpi.Ibcast(c, in, root)
		if err != nil {
			return err
		}
		r, err := mpi.Iallreduce(c, pattern(0, round, 64), make([]int64, 64), mpi.Max)
		if err != nil {
			return err
		}
		in, _, err = b.Wait(ctx)
		if err != nil {
			return err
		}
		most, _, err := r.Wait(ctx)
		if err != nil {
			return err
		}
		return errors.Join(checkPattern(in, root, round), checkPattern(most, 0, round))
	},
	"reduce": func(ctx context.Context, c *mpi.Comm, round int) error {
		root := round % c.Size()
		in := make([]int64, 1<<12)
		if err := mpi.Reduce(ctx, c, pattern(0, round, len(in)), in, mpi.Min, root); err != nil || c.Rank() != root {
			return err
		}
		return checkPattern(in, 0, round)
	},
	"split": func(ctx context.Context, c *mpi.Comm, round int) error {
		d, err := c.Split(ctx, round%2, -c.Rank())
		if err != nil {
			return err
		}
		in := make([]int64, 8)
		err = mpi.Allreduce(ctx, d, pattern(0, round, len(in)), in, mpi.Max)
		if err != nil {
			return err
		}
		return errors.Join(checkPattern(in, 0, round), d.Close())
	},
	"window": func(ctx context.Context, c *mpi.Comm, round int) error {
		if round == 0 {
			w, err := mpi.Allocate[int64](ctx, c, 1<<10)
			if err != nil {
				return err
			}
			rounds.window = w
		}
		return overWindow(ctx, c, rounds.window, round)
	},
	"lock": func(ctx context.Context, c *mpi.Comm, round int) error {
		if round == 0 {
			w, err := mpi.Allocate[int64](ctx, c, 2)
			if err != nil {
				return err
			}
			rounds.window = w
		}
		// Each adds one to a counter of its own in every process, which only grows by that.
		for r := range c.Size() {
			if err := rounds.window.Lock(ctx, mpi.LockShared, r, func(e *mpi.Epoch[int64]) error {
				return e.Accumulate(mpi.Sum, []int64{1}, r, 0)
			}); err != nil {
				return err
			}
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		return rounds.window.View(ctx, mpi.LockShared, c.Rank(), func(mine []int64) error {
			if least := int64((round + 1) * c.Size()); mine[0] < least || mine[0] > least+int64(c.Size()) {
				return fmt.Errorf("counted %d in round %d: not what was sent", mine[0], round)
			}
			return nil
		})
	},
}

// rounds is what operations keep from one round to the next.
var rounds struct {
	window *mpi.Win[int64]
	file   *mpi.File
}

// overWindow puts to the right, and looks at what has come from the left.
func overWindow(ctx context.Context, c *mpi.Comm, w *mpi.Win[int64], round int) error {
	right, left := neighbours(c)
	if err := w.Fence(ctx, func(e *mpi.Epoch[int64]) error {
		return e.Put(pattern(c.Rank(), round, w.Len(right)), right, 0)
	}); err != nil {
		return err
	}
	if err := w.View(ctx, mpi.LockShared, c.Rank(), func(mine []int64) error { return checkPattern(mine, left, round) }); err != nil {
		return err
	}
	return mpi.Barrier(ctx, c) // nobody puts while another looks
}
