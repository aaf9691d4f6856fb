package mpi

import (
	"context"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// making is a collective call that makes a communicator.
type making struct {
	op, name string
	fn       mpic.Func
	// args writes the arguments but the last, where the library puts the communicator.
	args func(f *call.Frame, h uintptr) ([]uintptr, error)
	more bool
	// after gives an argument after it, if more.
	after func(f *call.Frame) (uintptr, error)
	kind  commKind
	rest  bool   // what is made is for those who are left: c need not work any more
	done  func() // when the call has returned
	site  isthmus.Site
	topo  func(c *Comm) error
	of    []ffi.Parent // what it is of besides the World; as the communicator that it is made with, if nil
}

// create makes the call, which blocks in the library until all processes have come, on a goroutine of its own. When ctx
// ends first, it is left behind: the communicator cannot be used any more, since the processes do not agree. The result is
// nil for a process that is in no new communicator.
func (c *Comm) create(ctx context.Context, m making) (*Comm, error) {
	if m.done == nil {
		m.done = func() {}
	}
	if m.of == nil && c != nil {
		m.of = c.parents
	}
	use := c.use
	if m.rest {
		use = c.useBroken
	}
	h, err := use(m.op)
	if err != nil {
		m.done()
		return nil, err
	}
	var leave func()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if leave, err = c.world.enterWait(m.op); err != nil {
		m.done()
		c.owned.Done()
		return nil, err
	} else if !c.collective.CompareAndSwap(false, true) {
		err = fmt.Errorf("%s: another goroutine is in a collective operation on it: %w", c, isthmus.ErrBusy)
		leave()
	}
	if err != nil {
		m.done()
		c.owned.Done()
		return nil, fmt.Errorf("mpi: %s: %w", m.op, err)
	}
	type result struct {
		c   *Comm
		err error
	}
	done := make(chan result, 1)
	inside := func() {}
	if c.world.watch != nil {
		m.site = isthmus.Here()
		inside = c.watchMaking(m)
	}
	go func() {
		defer inside()
		made, err := c.world.make(m, uintptr(h))
		m.done()
		leave()
		c.collective.Store(false)
		c.owned.Done()
		c.tell(err)
		done <- result{made, err}
	}()
	select {
	case r := <-done:
		return r.c, r.err
	case <-ctx.Done():
		c.poisoned.Store(true)
		return nil, fmt.Errorf("mpi: %s: %w", m.op, context.Cause(ctx))
	}
}

// make makes a communicator by a call.
func (w *World) make(m making, h uintptr) (*Comm, error) {
	f := call.Get()
	defer f.Put()
	args, err := m.args(f, h)
	if err != nil {
		return nil, err
	}
	cell, err := call.New[uint64](f)
	if err != nil {
		return nil, err
	}
	args = append(args, uintptr(mem.AddrOfPtr(cell)))
	if m.more {
		last, err := m.after(f)
		if err != nil {
			return nil, err
		}
		args = append(args, last)
	}
	if err := w.do(f, m.op, m.fn, args...); err != nil {
		return nil, err
	}
	if mpic.Handle(*cell) == w.lib.ABI.CommNull {
		return nil, nil
	}
	made, err := w.newComm(mpic.Handle(*cell), m.name, m.kind, m.of...)
	if err == nil && w.watch != nil && m.kind == freed {
		w.watch.comm(made, mpic.Handle(*cell), m.site)
	}
	if err == nil && m.topo != nil {
		if err = m.topo(made); err != nil {
			_ = made.Close()
			return nil, err
		}
	}
	return made, err
}

// Dup makes a communicator of the same processes whose messages do not meet those of c, with copies of the attributes
// that are copied and with the topology. It is collective; the caller closes the result. Calls MPI_Comm_dup.
func (c *Comm) Dup(ctx context.Context) (*Comm, error) {
	return c.dup(ctx, making{op: "duplicate", fn: mpic.FnCommDup, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		return []uintptr{h}, nil
	}})
}

// DupWithInfo is [Comm.Dup] with the hints of info instead of c's. Calls MPI_Comm_dup_with_info.
func (c *Comm) DupWithInfo(ctx context.Context, info *Hints) (*Comm, error) {
	const op = "duplicate with info"
	ih, done, err := info.use(c.World(), op)
	if err != nil {
		return nil, err
	}
	return c.dup(ctx, making{op: op, fn: mpic.FnCommDupWithInfo, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		return []uintptr{h, ih}, nil
	}, done: done})
}

func (c *Comm) dup(ctx context.Context, m making) (*Comm, error) {
	m.name = "a copy of " + c.title()
	out, err := c.create(ctx, m)
	if err != nil {
		return nil, err
	}
	out.topo = c.topo
	out.hook.Store(c.hook.Load())
	c.copyAttributes(out)
	return out, nil
}

// Split divides the processes: those of one color get a communicator, in which they are ordered by key and then by their
// ranks in c. color is 0 or more, or [Undefined] to be in none: the result is nil then. It is collective; the caller
// closes the result. Calls MPI_Comm_split.
func (c *Comm) Split(ctx context.Context, color, key int) (*Comm, error) {
	const op = "split"
	if color < 0 && color != Undefined {
		return nil, bounds(op, "color %d, want 0 or more, or Undefined", color)
	}
	return c.create(ctx, making{op: op, name: fmt.Sprintf("color %d of %s", color, c.title()), fn: mpic.FnCommSplit, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		if color == Undefined {
			color = c.world.lib.ABI.Undefined
		}
		if _, err := ints(f, op, []int{color, key}); err != nil {
			return nil, err
		}
		return []uintptr{h, cint(color), cint(key)}, nil
	}})
}

// SplitShared divides the processes by the machine, or part of one, whose memory they share, ordered by key. It is
// collective; the caller closes the result. Calls MPI_Comm_split_type with MPI_COMM_TYPE_SHARED.
func (c *Comm) SplitShared(ctx context.Context, key int) (*Comm, error) {
	const op = "split by shared memory"
	return c.create(ctx, making{op: op, name: "shared memory of " + c.title(), fn: mpic.FnCommSplitType, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		if _, err := ints(f, op, []int{key}); err != nil {
			return nil, err
		}
		a := &c.world.lib.ABI
		return []uintptr{h, cint(a.CommTypeShared), cint(key), uintptr(a.InfoNull)}, nil
	}})
}

// Create makes a communicator of a group of c's processes. All processes of c call it, each with a group that is the same
// for all of its members; those that are in none get nil. The caller closes the result. Calls MPI_Comm_create.
func (c *Comm) Create(ctx context.Context, g *Group) (*Comm, error) {
	const op = "create"
	gh, err := g.use(op)
	if err != nil {
		return nil, err
	}
	return c.create(ctx, making{op: op, name: "group of " + c.title(), fn: mpic.FnCommCreate, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		return []uintptr{h, uintptr(gh)}, nil
	}, done: g.owned.Done})
}

// CreateGroup is [Comm.Create] for the members of the group alone: the others do not call it. The tag keeps calls at the
// same time apart. Calls MPI_Comm_create_group.
func (c *Comm) CreateGroup(ctx context.Context, g *Group, tag int) (*Comm, error) {
	const op = "create from a group"
	gh, err := g.use(op)
	if err != nil {
		return nil, err
	}
	if g.Rank() == Undefined {
		g.owned.Done()
		return nil, invalid(op, "this process is not in the group")
	}
	return c.create(ctx, making{op: op, name: "group of " + c.title(), fn: mpic.FnCommCreateGroup, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		t, err := c.label(op, tag, false)
		return []uintptr{h, uintptr(gh), t}, err
	}, done: g.owned.Done})
}

// Intercomm joins c with the processes of another communicator, whose leader has the rank remote in the communicator
// bridge; leader is the rank in c of the process that talks to it, and bridge is used there only. All processes of both
// sides call it with the same tag. The caller closes the result. Calls MPI_Intercomm_create.
func (c *Comm) Intercomm(ctx context.Context, leader int, bridge *Comm, remote, tag int) (*Comm, error) {
	const op = "create an intercommunicator"
	if c == nil || c.world == nil {
		return nil, invalid(op, "no communicator")
	}
	if leader < 0 || leader >= c.size || c.remote > 0 {
		return nil, fmt.Errorf("mpi: %s: leader %d of %s: %w: %w", op, leader, c, isthmus.ErrBounds, ErrRank)
	}
	var bh, r uintptr
	var done func()
	if c.rank == leader {
		h, err := bridge.use(op)
		if err != nil {
			return nil, err
		}
		bh, done = uintptr(h), bridge.owned.Done
		if r, err = bridge.peer(op, remote, false); err != nil {
			done()
			return nil, err
		}
	} else {
		bh = uintptr(c.world.lib.ABI.CommNull)
	}
	return c.create(ctx, making{op: op, name: "intercommunicator of " + c.title(), fn: mpic.FnIntercommCreate, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		t, err := c.label(op, tag, false)
		return []uintptr{h, cint(leader), bh, r, t}, err
	}, done: done})
}

// Merge makes one communicator of both sides of an intercommunicator; the side that says high has the higher ranks. The
// caller closes the result. Calls MPI_Intercomm_merge.
func (c *Comm) Merge(ctx context.Context, high bool) (*Comm, error) {
	const op = "merge"
	if c != nil && c.world != nil && c.remote == 0 {
		return nil, invalid(op, "%s is no intercommunicator", c)
	}
	return c.create(ctx, making{op: op, name: "both sides of " + c.title(), fn: mpic.FnIntercommMerge, args: func(_ *call.Frame, h uintptr) ([]uintptr, error) {
		return []uintptr{h, flag(high)}, nil
	}})
}

// flag is a bool as a C int.
func flag(b bool) uintptr {
	if b {
		return 1
	}
	return 0
}

// RemoteSize is how many processes the other side of an intercommunicator has, 0 for another communicator.
func (c *Comm) RemoteSize() int {
	if c == nil {
		return 0
	}
	return c.remote
}

// Compare says how two communicators relate. Calls MPI_Comm_compare.
func (c *Comm) Compare(other *Comm) (Relation, error) {
	const op = "compare"
	a, err := c.use(op)
	if err != nil {
		return 0, err
	}
	defer c.owned.Done()
	b, err := other.use(op)
	if err != nil {
		return 0, err
	}
	defer other.owned.Done()
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 1)
	if err != nil {
		return 0, err
	}
	if err := c.world.do(f, op, mpic.FnCommCompare, uintptr(a), uintptr(b), at); err != nil {
		return 0, err
	}
	return c.world.relation(n[0]), nil
}

// maxObjectName is the longest MPI_MAX_OBJECT_NAME of all interfaces.
const maxObjectName = 128

// Name is the communicator's name, which tools show. Calls MPI_Comm_get_name.
func (c *Comm) Name() (string, error) {
	const op = "name"
	h, err := c.use(op)
	if err != nil {
		return "", err
	}
	defer c.owned.Done()
	f := call.Get()
	defer f.Put()
	text, err := call.Slice[byte](f, maxObjectName+1)
	if err != nil {
		return "", err
	}
	n, at, err := int32s(f, 1)
	if err != nil {
		return "", err
	}
	if err := c.world.do(f, op, mpic.FnCommGetName, uintptr(h), uintptr(mem.AddrOf(text)), at); err != nil {
		return "", err
	}
	return mem.String(mem.AddrOf(text), max(0, min(n[0], maxObjectName)), maxObjectName), nil
}

// SetName names the communicator; a library may cut names of 64 bytes or more. Calls MPI_Comm_set_name.
func (c *Comm) SetName(name string) error {
	const op = "set name"
	if len(name) >= maxObjectName || strings.ContainsRune(name, 0) {
		return bounds(op, "a name of %d bytes; it may have up to %d, and no NUL", len(name), maxObjectName-1)
	}
	h, err := c.use(op)
	if err != nil {
		return err
	}
	defer c.owned.Done()
	f := call.Get()
	defer f.Put()
	text, err := f.Text(name)
	if err != nil {
		return err
	}
	if err := c.world.do(f, op, mpic.FnCommSetName, uintptr(h), uintptr(text)); err != nil {
		return err
	}
	c.given.Store(&name)
	return nil
}

// title is the name in errors: the one that was given, else where the communicator is from.
func (c *Comm) title() string {
	if c == nil {
		return "none"
	}
	if s := c.given.Load(); s != nil {
		return *s
	}
	return c.name
}
