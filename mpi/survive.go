package mpi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Some libraries go on when a process is gone, where their launcher is asked not to end the others: user-level failure
// mitigation (ULFM), of Open MPI 5 with mpiexec --with-ft ulfm. What the lost process had a part in fails with
// [ErrProcFailed]; who sees it revokes the communicator, so that the others see it too, and all that are left make a new
// one. In other libraries, and without the launcher's help, what follows is [isthmus.ErrUnsupported] or fails as the
// library says; the launcher ends the job there.

// mortal reports whether the launcher was asked for that, which all processes of the job are told.
func mortal(getenv func(string) string) bool {
	switch strings.ToLower(getenv("OMPI_MCA_mpi_ft_enable")) {
	case "", "0", "f", "false", "disabled", "no", "n":
		return false
	}
	return true
}

// Revoke ends all operations on the communicator, under way or to come, in all its processes, by [ErrRevoked]; but for
// [Comm.Shrink] and [Comm.Agree]. It does not wait for the others. Calls MPIX_Comm_revoke.
func (c *Comm) Revoke() error {
	const op = "revoke"
	h, err := c.useBroken(op)
	if err != nil {
		return err
	}
	defer c.owned.Done()
	f := call.Get()
	defer f.Put()
	if beside := c.beside.Load(); beside != 0 {
		if err := c.world.do(f, op, mpic.FnXCommRevoke, uintptr(beside)); err != nil {
			return err
		}
	}
	return c.world.do(f, op, mpic.FnXCommRevoke, uintptr(h))
}

// Revoked tells whether the communicator was revoked, as far as this process knows. Calls MPIX_Comm_is_revoked.
func (c *Comm) Revoked() (bool, error) {
	const op = "ask whether it is revoked"
	h, err := c.useBroken(op)
	if err != nil {
		return false, err
	}
	defer c.owned.Done()
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 1)
	if err != nil {
		return false, err
	}
	err = c.world.do(f, op, mpic.FnXCommIsRevoked, uintptr(h), at)
	return n[0] != 0, err
}

// Shrink makes a communicator of the processes that are left, in the same order. It works on a revoked communicator, and on
// one whose collective operation was given up. All that are left call it; the caller closes the result. Calls
// MPIX_Comm_shrink.
func (c *Comm) Shrink(ctx context.Context) (*Comm, error) {
	return c.create(ctx, making{op: "shrink", name: "what is left of " + c.title(), fn: mpic.FnXCommShrink, rest: true, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		return []uintptr{h}, nil
	}})
}

// Agree combines the bits of all processes that are left by and, and gives all of them the same result, whoever fails
// meanwhile. The error wraps [ErrProcFailed] when a process failed that not all have acknowledged, see [Comm.AckFailed];
// the result is right then too. Calls MPIX_Comm_agree.
func (c *Comm) Agree(ctx context.Context, bits int32) (int32, error) {
	const op = "agree"
	h, err := c.useBroken(op)
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		c.owned.Done()
		return 0, fmt.Errorf("mpi: %s: %w", op, context.Cause(ctx))
	}
	p := c.world.newPatient(op, c.owned.Done)
	defer p.end()
	n, at, err := int32s(p.f, 1)
	if err != nil {
		return 0, err
	}
	n[0] = bits
	err = p.do(ctx, mpic.FnXCommAgree, uintptr(h), at)
	if p.left || err != nil && !errors.Is(err, ErrProcFailed) {
		return 0, err
	}
	return n[0], err
}

// Failed is the group of the processes that this one knows to be gone. The caller closes it. Calls MPIX_Comm_get_failed.
func (c *Comm) Failed() (*Group, error) {
	const op = "ask who failed"
	h, err := c.useBroken(op)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	return c.world.newGroup(c.parents, op, mpic.FnXCommGetFailed, uintptr(h))
}

// AckFailed acknowledges the processes that this one knows to be gone, and gives their group: receives from [AnySource] go on
// without them, and [Comm.Agree] does not fail for them. The caller closes the group. Calls MPIX_Comm_failure_ack and
// MPIX_Comm_failure_get_acked.
func (c *Comm) AckFailed() (*Group, error) {
	const op = "acknowledge who failed"
	h, err := c.useBroken(op)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	f := call.Get()
	defer f.Put()
	if err := c.world.do(f, op, mpic.FnXCommFailureAck, uintptr(h)); err != nil {
		return nil, err
	}
	return c.world.groupIn(f, c.parents, op, mpic.FnXCommFailureGetAcked, uintptr(h))
}
