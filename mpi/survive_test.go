package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// TestSurvivors kills one of four ranks; where the library can, the other three go on. Elsewhere each function that a
// library lacks is named.
func TestSurvivors(t *testing.T) {
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		if l.Family != "openmpi" || l.Name == "openmpi" {
			if out, err := l.Start(t.Context(), 2, "mortal"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			return
		}
		for range min(5, mpitest.Times()) {
			out, err := l.StartWith(t.Context(), 4, "survivors", []string{"--with-ft", "ulfm"})
			if n := strings.Count(out, "went on with 3"); n != 3 {
				t.Fatalf("%d of 3 went on: %v\n%s", n, err, out)
			}
		}
	})
}

// survivors loses rank 1, and goes on with the rest.
func survivors(ctx context.Context) error {
	w, err := mpi.Open(ctx, mpi.Options{FinalizeTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	c := w.Comm()
	all, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	if c.Rank() == 1 {
		time.AfterFunc(20*time.Millisecond, killSelf)
	}
	// Who takes part in an operation with the dead learns of it; who waits for another survivor does by the revocation.
	short, stop := context.WithTimeout(ctx, 4*time.Minute)
	defer stop()
	in := make([]int64, 1000)
	for round := 0; err == nil; round++ {
		some := in[:[]int{1, 400, 1000}[round%3]] // done directly, and not
		if err = mpi.Allreduce(short, all, pattern(0, round, len(some)), some, mpi.Max); err == nil {
			if err := checkPattern(some, 0, round); err != nil {
				return err
			}
		}
	}
	if !errors.Is(err, mpi.ErrProcFailed) && !errors.Is(err, mpi.ErrRevoked) {
		return fmt.Errorf("rank 1 is gone: %w", err)
	}
	if err := all.Revoke(); err != nil {
		return err
	}
	if gone, err := all.Revoked(); err != nil || !gone {
		return fmt.Errorf("revoked: %v, %w", gone, err)
	}
	if _, err := mpi.Recv(short, all, in, mpi.AnySource, 3); !errors.Is(err, mpi.ErrRevoked) {
		return fmt.Errorf("a receive on what was revoked: %v", err)
	}
	left, err := all.Shrink(short)
	if err != nil {
		return err
	}
	// The communicator of all works where the dead have no part; a receive from anybody does when they are acknowledged.
	if _, err := mpi.Recv(short, c, in, mpi.AnySource, 4); !errors.Is(err, mpi.ErrProcFailedPending) && !errors.Is(err, mpi.ErrProcFailed) {
		return fmt.Errorf("a receive from anybody: %w", err)
	}
	if err := bereavedScope(short, c, left); err != nil {
		return err
	}
	dead, err := c.AckFailed()
	if err != nil || dead.Size() != 1 {
		return fmt.Errorf("%d are gone: %w", dead.Size(), err)
	}
	known, err := all.Failed()
	if err != nil || known.Size() != 1 {
		return fmt.Errorf("%d are known to be gone: %w", known.Size(), err)
	}
	if err := errors.Join(dead.Close(), known.Close()); err != nil {
		return err
	}
	bits, err := left.Agree(short, int32(0b1110|left.Rank()))
	if err != nil || bits != 0b1110 {
		return fmt.Errorf("agreed on %b: %w", bits, err)
	}
	sum := make([]int, 1)
	if err := mpi.Allreduce(short, left, []int{1 << c.Rank()}, sum, mpi.Sum); err != nil || sum[0] != 0b1101 {
		return fmt.Errorf("who is left: %b, %w", sum, err)
	}
	fmt.Printf("went on with %d\n", left.Size())
	if err := mpi.Barrier(short, left); err != nil {
		return err
	}
	return errors.Join(left.Close(), all.Close(), w.Close(ctx))
}

// bereavedScope fails in a scope with a receive from anybody, which could be from the dead, and one that is over. What was
// lent is back only when the library has it no more: a message that comes later is not written there.
func bereavedScope(ctx context.Context, c, left *mpi.Comm) error {
	const dead, tag = 1, 5
	in, other := make([]int64, 8), make([]int64, 8)
	if left.Rank() == 0 {
		err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
			return errors.Join(mpi.PostRecv(s, make([]int64, 1), mpi.ProcNull, tag, nil), mpi.PostRecv(s, in, mpi.AnySource, tag, nil))
		})
		if !errors.Is(err, mpi.ErrProcFailedPending) && !errors.Is(err, mpi.ErrProcFailed) {
			return fmt.Errorf("a scope with a receive from anybody: %w", err)
		}
		if errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("a scope with a receive from anybody that was cancelled: %w", err)
		}
		in[0] = -1
	}
	if err := mpi.Barrier(ctx, left); err != nil {
		return err
	}
	switch left.Rank() {
	case 0:
		if _, err := mpi.Recv(ctx, c, other, dead+1, tag); err != nil {
			return fmt.Errorf("what comes after the scope: %w", err)
		}
		if in[0] != -1 || other[0] != 7 {
			return fmt.Errorf("a message went to what a scope had: %d, %d", in[0], other[0])
		}
	case 1:
		return mpi.Send(ctx, c, []int64{7, 0, 0, 0, 0, 0, 0, 0}, 0, tag)
	}
	return nil
}

// mortal asks a library for what it may not have: what it lacks is named.
func mortal(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	_, revoked := c.Revoked()
	dead, failed := c.Failed()
	acked, ack := c.AckFailed()
	bits, agree := c.Agree(ctx, int32(2|c.Rank()))
	if agree == nil && bits != 2 {
		return fmt.Errorf("agreed on %b", bits)
	}
	left, shrink := c.Shrink(ctx)
	for name, err := range map[string]error{
		"MPIX_Comm_is_revoked": revoked, "MPIX_Comm_get_failed": failed, "MPIX_Comm_failure_ack": ack,
		"MPIX_Comm_agree": agree, "MPIX_Comm_shrink": shrink, "MPIX_Comm_revoke": c.Revoke(),
	} {
		fmt.Println(name, err)
		var lib *mpi.Error
		if err != nil && !errors.As(err, &lib) && (!errors.Is(err, isthmus.ErrUnsupported) || !strings.Contains(err.Error(), name)) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return errors.Join(dead.Close(), acked.Close(), left.Close(), c.Close())
}
