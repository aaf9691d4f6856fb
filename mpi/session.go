package mpi

import (
	"context"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// The process sets that every library has.
const (
	WorldSet = "mpi://WORLD" // all processes that were started together
	SelfSet  = "mpi://SELF"  // this process
)

// Session is a view of MPI apart from the World's communicators: it knows sets of processes by name, and makes
// communicators of them that share nothing with others. It is safe for concurrent use. The zero value is closed.
//
// MPI 4 has it; with an older library it is [isthmus.ErrUnsupported].
type Session struct {
	owned ffi.Owned[mpic.Handle]
	world *World
}

// Session opens a session. The caller closes it, after the groups that it gave. Calls MPI_Session_init.
func (w *World) Session(hints *Hints) (*Session, error) {
	const op = "open a session"
	ih, done, err := hints.use(w, op)
	if err != nil {
		return nil, err
	}
	defer done()
	s := &Session{world: w}
	err = w.onPort(op, func() error {
		f := call.Get()
		defer f.Put()
		cells, at, err := int64s(f, 1)
		if err != nil {
			return err
		}
		if err := w.do(f, op, mpic.FnSessionInit, ih, uintptr(w.lib.ABI.ErrorsReturn), at); err != nil {
			return err
		}
		class := &ffi.Class[mpic.Handle]{Name: "mpi.Session", Destroy: func(h mpic.Handle) error {
			return w.free("close a session", mpic.FnSessionFinalize, h)
		}, Backstop: ffi.BackstopReport}
		return s.owned.Init(class, mpic.Handle(cells[0]), &w.owned)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Session) use(op string) (mpic.Handle, error) {
	if s == nil || s.world == nil {
		return 0, invalid(op, "no session")
	}
	h, err := s.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("mpi: %s: session: %w", op, err)
	}
	return h, nil
}

// Sets are the names of the sets of processes. Calls MPI_Session_get_num_psets and MPI_Session_get_nth_pset.
func (s *Session) Sets() ([]string, error) {
	const op = "sets of a session"
	h, err := s.use(op)
	if err != nil {
		return nil, err
	}
	defer s.owned.Done()
	w := s.world
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 2)
	if err != nil {
		return nil, err
	}
	text, err := call.Slice[byte](f, maxSetName+1)
	if err != nil {
		return nil, err
	}
	null := uintptr(w.lib.ABI.InfoNull)
	if err := w.do(f, op, mpic.FnSessionGetNumPsets, uintptr(h), null, at); err != nil {
		return nil, err
	}
	var out []string
	for i := range n[0] {
		n[1] = maxSetName
		if err := w.do(f, op, mpic.FnSessionGetNthPset, uintptr(h), null, uintptr(i), at+4, uintptr(mem.AddrOf(text))); err != nil {
			return nil, err
		}
		out = append(out, mem.CString(mem.AddrOf(text), maxSetName))
	}
	return out, nil
}

// maxSetName is the longest MPI_MAX_PSET_NAME_LEN of all interfaces.
const maxSetName = 1024

// about opens the session for a call about a set.
func (s *Session) about(op, set string, do func(f *call.Frame, h, name uintptr) error) error {
	if set == "" || len(set) >= maxSetName || strings.ContainsRune(set, 0) {
		return bounds(op, "a set's name of %d bytes", len(set))
	}
	h, err := s.use(op)
	if err != nil {
		return err
	}
	defer s.owned.Done()
	f := call.Get()
	defer f.Put()
	name, err := f.Text(set)
	if err != nil {
		return err
	}
	return do(f, uintptr(h), uintptr(name))
}

// SetHints are what the library says of a set, such as its size as mpi_size. The caller closes them. Calls
// MPI_Session_get_pset_info.
func (s *Session) SetHints(set string) (out *Hints, err error) {
	const op = "hints of a set"
	err = s.about(op, set, func(_ *call.Frame, h, name uintptr) error {
		out, err = s.world.newHints(op, mpic.FnSessionGetPsetInfo, h, name)
		return err
	})
	return out, err
}

// Group is the group of a set's processes. The caller closes it, before the session. Calls MPI_Group_from_session_pset.
func (s *Session) Group(set string) (g *Group, err error) {
	const op = "group of a set"
	err = s.about(op, set, func(f *call.Frame, h, name uintptr) error {
		g, err = s.world.groupIn(f, []ffi.Parent{&s.owned}, op, mpic.FnGroupFromSessionPset, h, name)
		return err
	})
	return g, err
}

// maxTagText is the longest MPI_MAX_STRINGTAG_LEN of all interfaces.
const maxTagText = 256

// CreateFrom makes a communicator of the processes of a group, which all call it with the same tag; the tag keeps calls
// at the same time apart. No communicator is needed for it. The caller closes the result, before the session that the group is
// of. Calls MPI_Comm_create_from_group.
func (w *World) CreateFrom(ctx context.Context, g *Group, tag string, hints *Hints) (*Comm, error) {
	const op = "create from a group alone"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	if len(tag) >= maxTagText || strings.ContainsRune(tag, 0) {
		return nil, bounds(op, "a tag of %d bytes", len(tag))
	}
	gh, err := g.use(op)
	if err != nil {
		return nil, err
	}
	if g.Rank() == Undefined {
		g.owned.Done()
		return nil, invalid(op, "this process is not in the group")
	}
	ih, free, err := hints.use(w, op)
	if err != nil {
		g.owned.Done()
		return nil, err
	}
	return w.self.create(ctx, making{op: op, name: "group " + tag, of: g.parents, fn: mpic.FnCommCreateFromGroup, done: func() { free(); g.owned.Done() }, args: func(f *call.Frame, _ uintptr) ([]uintptr, error) {
		t, err := f.Text(tag)
		return []uintptr{uintptr(gh), uintptr(t), ih, uintptr(w.lib.ABI.ErrorsReturn)}, err
	}})
}

// Close ends the session. It is nil-safe and idempotent. Calls MPI_Session_finalize.
func (s *Session) Close() error {
	if s == nil {
		return nil
	}
	return s.owned.Close()
}

// String describes the session.
func (s *Session) String() string {
	if s == nil || s.world == nil {
		return "mpi.Session(none)"
	}
	if !s.owned.Live() {
		return "mpi.Session(closed)"
	}
	return "mpi.Session(open)"
}
