package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	scenarios["sections"] = sections
	scenarios["buf sections"] = bufSections
}

func TestI05Sections(t *testing.T)    { mpitest.Run(t, 2, "sections") }
func TestI05BufSections(t *testing.T) { mpitest.Run(t, 2, "buf sections") }

// sections gives the slices of sections to every kind of operation: what lies inside a writer's is passed on, what a
// reader has may be sent and not received into, and what reaches outside is an error that names the section.
func sections(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	u := make([]int64, 64)
	var write, read mpi.Section[int64]
	in, err := write.Write(u[:16])
	if err != nil {
		return err
	}
	out, err := read.Read(u[32:48])
	if err != nil {
		return err
	}
	win, err := mpi.Allocate[int64](ctx, c, 16)
	if err != nil {
		return err
	}
	rep, err := mpi.RecvInit(c, in, peer, 3)
	if err != nil {
		return err
	}
	// Each form receives into a, and sends what else it needs from its own memory.
	receive := map[string]func(a []int64) error{
		"owned": func(a []int64) error {
			r, err := mpi.Irecv(c, a, peer, 1)
			if err != nil {
				return err
			}
			if _, err := write.Slice(); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "section_test.go") {
				return fmt.Errorf("the writer's slice while a request has it: %v", err)
			}
			if err := mpi.Send(ctx, c, out, peer, 1); err != nil {
				return err
			}
			_, _, err = r.Wait(ctx)
			return err
		},
		"blocking": func(a []int64) error {
			_, err := mpi.SendRecv(ctx, c, out, peer, 2, a, peer, 2)
			return err
		},
		"scope": func(a []int64) error {
			return mpi.Scope(ctx, c, func(s *mpi.Ops) error {
				return errors.Join(mpi.PostRecv(s, a, peer, 4, nil), mpi.PostSend(s, out, peer, 4))
			})
		},
		"collective": func(a []int64) error { return mpi.Allreduce(ctx, c, out[:len(a)], a, mpi.Sum) },
		"immediate collective": func(a []int64) error {
			r, err := mpi.Iallreduce(c, out[:len(a)], a, mpi.Max)
			if err != nil {
				return err
			}
			_, _, err = r.Wait(ctx)
			return err
		},
		"get": func(a []int64) error {
			return win.LockAll(ctx, func(e *mpi.Epoch[int64]) error { return errors.Join(e.Put(out, peer, 0), e.Get(a, c.Rank(), 0)) })
		},
		"repeat": func([]int64) error {
			if err := rep.Start(); err != nil {
				return err
			}
			if err := mpi.Send(ctx, c, out, peer, 3); err != nil {
				return err
			}
			_, err := rep.Wait(ctx)
			return err
		},
	}
	for _, name := range []string{"owned", "blocking", "scope", "collective", "immediate collective", "get", "repeat"} {
		if err := receive[name](in); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := write.Slice(); err != nil {
			return fmt.Errorf("%s: the slice afterwards: %w", name, err)
		}
		// What is not the writer's alone is refused before the library hears of it. All processes refuse, so none waits.
		if name == "repeat" {
			continue
		}
		for what, a := range map[string][]int64{"over the end": u[8:24], "a reader's": u[32:48], "across": u[15:17]} {
			err := receive[name](a)
			var named bool
			if err != nil {
				named = strings.Count(err.Error(), "section_test.go:") >= 2
			}
			if !errors.Is(err, isthmus.ErrBorrowed) || !named {
				return fmt.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
	// Whoever has not the section has not its memory.
	var other mpi.Section[int64]
	if _, err := other.Read(u[15:17]); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("read under a writer: %v", err)
	}
	if _, err := other.Write(u[47:]); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("written under a reader: %v", err)
	}
	write.Return()
	read.Return()
	return errors.Join(rep.Close(), win.Close())
}

func bufSections(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	b, err := mpi.Alloc[float32](100)
	if err != nil {
		return err
	}
	var left, right, all mpi.Section[float32]
	l, err := b.Write(&left, 0, 50)
	if err != nil {
		return err
	}
	r, err := b.Write(&right, 50, 100)
	if err != nil {
		return err
	}
	if _, err := b.Read(&all, 49, 51); !errors.Is(err, isthmus.ErrBorrowed) || strings.Count(err.Error(), "section_test.go:") != 2 {
		return fmt.Errorf("over two writers: %v", err)
	}
	if _, err := b.Slice(); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("the slice while sections are out: %v", err)
	}
	l[0] = float32(c.Rank() + 1)
	if _, err := mpi.SendRecv(ctx, c, l, peer, 1, r, peer, 1); err != nil || r[0] != float32(peer+1) {
		return fmt.Errorf("%v: %v", r[0], err)
	}
	left.Return()
	right.Return()
	if _, err := b.Write(&all, 0, 100); err != nil {
		return err
	}
	if _, err := b.Slice(); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("the slice while all of it is a section: %v", err)
	}
	if err := b.Close(); !errors.Is(err, isthmus.ErrBusy) || !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "section_test.go") {
		return fmt.Errorf("closed while all of it is a section: %v", err)
	}
	all.Return()
	for name, at := range map[string][2]int{"past the end": {0, 101}, "before": {-1, 3}, "backwards": {5, 4}} {
		if _, err := b.Write(&all, at[0], at[1]); !errors.Is(err, isthmus.ErrBounds) {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	if err := b.Close(); err != nil {
		return err
	}
	_, err = b.Read(&all, 0, 1)
	return want(errors.Is(err, isthmus.ErrClosed), "after Close: %v", err)
}
