package mpi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Publish lets other programs find a port, see [World.OpenPort], by the name of a service. It needs a name server: that of
// the launcher (Open MPI's prte or ompi-server, MPICH's hydra_nameserver). Calls MPI_Publish_name.
//
// Errors: [*Error] with the class MPI_ERR_SERVICE, which is [isthmus.ErrUnsupported] too, where there is no name server.
func (w *World) Publish(service, port string, hints *Hints) error {
	return w.service("publish", mpic.FnPublishName, service, port, hints)
}

// Unpublish takes back what [World.Publish] has said. Calls MPI_Unpublish_name.
func (w *World) Unpublish(service, port string, hints *Hints) error {
	return w.service("unpublish", mpic.FnUnpublishName, service, port, hints)
}

func (w *World) service(op string, fn mpic.Func, service, port string, hints *Hints) error {
	return w.named(op, service, hints, func(f *call.Frame, name, ih uintptr) error {
		p, err := portName(f, op, port)
		if err != nil {
			return err
		}
		return w.do(f, op, fn, name, ih, p)
	})
}

// Lookup is the port that another program has published. Errors: [isthmus.ErrNotFound] for a service that nobody has
// published, as far as the library tells that from a missing name server. Calls MPI_Lookup_name.
func (w *World) Lookup(service string, hints *Hints) (port string, err error) {
	const op = "look up"
	err = w.named(op, service, hints, func(f *call.Frame, name, ih uintptr) error {
		text, err := call.Slice[byte](f, maxPortName+1)
		if err != nil {
			return err
		}
		if err := w.do(f, op, mpic.FnLookupName, name, ih, uintptr(mem.AddrOf(text))); err != nil {
			return err
		}
		port = mem.CString(mem.AddrOf(text), maxPortName)
		return nil
	})
	return port, err
}

func (w *World) named(op, service string, hints *Hints, do func(f *call.Frame, name, ih uintptr) error) error {
	if service == "" || len(service) >= maxPortName || strings.ContainsRune(service, 0) {
		return bounds(op, "a service name of %d bytes", len(service))
	}
	ih, done, err := hints.use(w, op)
	if err != nil {
		return err
	}
	defer done()
	f := call.Get()
	defer f.Put()
	name, err := f.Text(service)
	if err != nil {
		return err
	}
	err = w.onPort(op, func() error { return do(f, uintptr(name), ih) })
	var e *Error
	if errors.As(err, &e) && op != "look up" && e.Class != ErrArg {
		err = fmt.Errorf("%w: %w; the launcher needs a name server", err, isthmus.ErrUnsupported)
	}
	return err
}

// Join makes an intercommunicator of this process and the one at the other end of the connection, which calls Join too and
// may belong to another program. The connection is not used by others meanwhile, and stays open. The caller closes the
// result, which waits for the other side to close too. Calls MPI_Comm_join.
func (w *World) Join(ctx context.Context, conn *net.TCPConn) (*Comm, error) {
	const op = "join"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	if conn == nil {
		return nil, invalid(op, "no connection")
	}
	file, err := conn.File() // its own descriptor, which waits
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	fd := int(file.Fd())
	return w.self.create(ctx, making{op: op, name: "the process at " + conn.RemoteAddr().String(), fn: mpic.FnCommJoin, kind: disconnected, done: func() { _ = file.Close() }, args: func(*call.Frame, uintptr) ([]uintptr, error) {
		return []uintptr{cint(fd)}, nil
	}})
}
