package mpi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// maxPortName is the longest MPI_MAX_PORT_NAME of all interfaces.
const maxPortName = 1024

// Spawn starts n processes of a program with arguments and returns the intercommunicator with them, whose other side they
// are; they get it from [World.Parent]. What it starts, and how, counts in the process root alone; nil arguments are
// none. It is collective; the caller closes the result, which waits for the other side to close too. Calls
// MPI_Comm_spawn.
//
// Errors: [*Error] when the program cannot be started, where the library does not abort.
func (c *Comm) Spawn(ctx context.Context, root int, program string, args []string, n int, hints *Hints) (*Comm, error) {
	const op = "spawn"
	if program == "" || n < 1 || n > 1<<20 || strings.ContainsRune(program+strings.Join(args, ""), 0) {
		return nil, invalid(op, "%d processes of %q", n, program)
	}
	if err := c.rooted(op, root); err != nil {
		return nil, err
	}
	ih, done, err := hints.use(c.World(), op)
	if err != nil {
		return nil, err
	}
	return c.create(ctx, making{op: op, name: "the processes of " + program, fn: mpic.FnCommSpawn, kind: disconnected, done: done, more: true, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		name, err := f.Text(program)
		if err != nil {
			return nil, err
		}
		list, err := call.Slice[uintptr](f, len(args)+1)
		if err != nil {
			return nil, err
		}
		for i, a := range args {
			t, err := f.Text(a)
			if err != nil {
				return nil, err
			}
			list[i] = uintptr(t)
		}
		return []uintptr{uintptr(name), uintptr(mem.AddrOf(list)), cint(n), ih, cint(root), h}, nil
	}, after: func(f *call.Frame) (uintptr, error) {
		_, codes, err := int32s(f, n)
		return codes, err
	}})
}

// rooted checks the root of a call on one group.
func (c *Comm) rooted(op string, root int) error {
	if c == nil || c.world == nil {
		return invalid(op, "no communicator")
	}
	if c.remote > 0 {
		return invalid(op, "%s is an intercommunicator", c)
	}
	if root < 0 || root >= c.size {
		return fmt.Errorf("mpi: %s: root %d of %s: %w: %w", op, root, c, isthmus.ErrBounds, ErrRoot)
	}
	return nil
}

// Parent is the intercommunicator with the processes that have started this one by [Comm.Spawn]; nil when none have. Each
// call gives the same one. The caller closes it before the World. Calls MPI_Comm_get_parent.
func (w *World) Parent() (*Comm, error) {
	const op = "parent"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	w.parent.mu.Lock()
	defer w.parent.mu.Unlock()
	if w.parent.asked {
		return w.parent.comm, nil
	}
	c, err := w.make(making{op: op, name: "the parent", fn: mpic.FnCommGetParent, kind: disconnected, args: func(*call.Frame, uintptr) ([]uintptr, error) { return nil, nil }}, 0)
	if err != nil {
		return nil, err
	}
	w.parent.asked, w.parent.comm = true, c
	return c, nil
}

// OpenPort gives a name by which other programs connect to this one. Calls MPI_Open_port.
func (w *World) OpenPort(hints *Hints) (string, error) {
	const op = "open a port"
	ih, done, err := hints.use(w, op)
	if err != nil {
		return "", err
	}
	defer done()
	f := call.Get()
	defer f.Put()
	text, err := call.Slice[byte](f, maxPortName+1)
	if err != nil {
		return "", err
	}
	if err := w.onPort(op, func() error { return w.do(f, op, mpic.FnOpenPort, ih, uintptr(mem.AddrOf(text))) }); err != nil {
		var lib *Error
		if errors.As(err, &lib) && strings.Contains(lib.Msg, "no space for port_name") {
			err = fmt.Errorf("%w; a name lists the transports, so start with fewer, such as UCX_TLS=tcp,self", err)
		}
		return "", err
	}
	return mem.CString(mem.AddrOf(text), maxPortName), nil
}

// ClosePort ends a name that [World.OpenPort] gave. Calls MPI_Close_port.
func (w *World) ClosePort(name string) error {
	const op = "close a port"
	f := call.Get()
	defer f.Put()
	t, err := portName(f, op, name)
	if err != nil {
		return err
	}
	return w.onPort(op, func() error { return w.do(f, op, mpic.FnClosePort, t) })
}

func (w *World) onPort(op string, f func() error) error {
	if w == nil || w.lib == nil {
		return invalid(op, "no World")
	}
	if _, err := w.owned.Use(); err != nil {
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	return f()
}

func portName(f *call.Frame, op, name string) (uintptr, error) {
	if name == "" || len(name) >= maxPortName || strings.ContainsRune(name, 0) {
		return 0, bounds(op, "a port name of %d bytes", len(name))
	}
	t, err := f.Text(name)
	return uintptr(t), err
}

// Accept waits until another program connects to the port and returns the intercommunicator with it. The port and the
// hints count in the process root alone. It is collective; the caller closes the result, which waits for the other side
// to close too. Calls MPI_Comm_accept.
func (c *Comm) Accept(ctx context.Context, root int, port string, hints *Hints) (*Comm, error) {
	return c.meet(ctx, "accept", mpic.FnCommAccept, root, port, hints)
}

// Connect connects to a program that accepts at the port; as [Comm.Accept]. Calls MPI_Comm_connect.
func (c *Comm) Connect(ctx context.Context, root int, port string, hints *Hints) (*Comm, error) {
	return c.meet(ctx, "connect", mpic.FnCommConnect, root, port, hints)
}

func (c *Comm) meet(ctx context.Context, op string, fn mpic.Func, root int, port string, hints *Hints) (*Comm, error) {
	if err := c.rooted(op, root); err != nil {
		return nil, err
	}
	if c.rank == root {
		f := call.Get()
		_, err := portName(f, op, port)
		f.Put()
		if err != nil {
			return nil, err
		}
	}
	ih, done, err := hints.use(c.world, op)
	if err != nil {
		return nil, err
	}
	return c.create(ctx, making{op: op, name: "the other program", fn: fn, kind: disconnected, done: done, args: func(f *call.Frame, h uintptr) ([]uintptr, error) {
		t, err := f.Text(port)
		return []uintptr{uintptr(t), ih, cint(root), h}, err
	}})
}
