package mpi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// AnySource and AnyTag receive from any rank and with any tag; what was received says which. ProcNull is no process: a
// message to it is not sent, one from it is empty.
const (
	AnySource = -1
	AnyTag    = -2
	ProcNull  = -3
)

// Comm is a group of processes that exchange messages among themselves only. Its methods that are collective have to be
// called by all its processes in the same order. It is safe for concurrent use as far as that goes. The zero value is
// closed.
type Comm struct {
	owned      ffi.Owned[mpic.Handle]
	scope      atomic.Pointer[Ops]       // left, for the next; it has the communicator in use
	handle     mpic.Handle               // what owned owns; it is for who has the communicator in use
	spare      atomic.Pointer[operation] // over, for the next blocking call; it has the communicator in use
	world      *World
	name       string
	rank, size int
	remote     int                    // processes of the other group, of an intercommunicator; else 0
	predefined bool                   // MPI's own: never freed
	collective atomic.Bool            // the turn for collective operations
	direct     *direct                // small collective operations; of who has the turn
	beside     atomic.Uint64          // the handle of their communicator
	poisoned   atomic.Bool            // a collective operation was given up: the processes no longer agree on what comes next
	topo       *topology              // of the processes; nil: none
	given      atomic.Pointer[string] // the name that SetName gave
	attributes attributes
	watched    *watched // by the debug layer; nil: not
	hook       atomic.Pointer[func(error)]
	parents    []ffi.Parent // what else it is of: a session
	threw      atomic.Bool  // the library threw an exception; poisoned too
}

// commKind is how a communicator ends.
type commKind int

const (
	freed        commKind = iota // by MPI_Comm_free
	predefined                   // with MPI
	disconnected                 // by MPI_Comm_disconnect: its other side is another program
)

// newComm makes a Comm of a handle, whose errors it has returned.
func (w *World) newComm(h mpic.Handle, name string, kind commKind, parents ...ffi.Parent) (*Comm, error) {
	c := &Comm{world: w, parents: parents, handle: h, name: name, predefined: kind == predefined}
	f := call.Get()
	defer f.Put()
	if w.lib.Has(mpic.FnCommSetErrhandler) {
		if err := w.do(f, name, mpic.FnCommSetErrhandler, uintptr(h), uintptr(w.lib.ABI.ErrorsReturn)); err != nil {
			return nil, err
		}
	}
	n, _, err := int32s(f, 4)
	if err != nil {
		return nil, err
	}
	at := func(i int) uintptr { return uintptr(mem.AddrOfPtr(&n[i])) }
	if err := w.do(f, name, mpic.FnCommRank, uintptr(h), at(0)); err != nil {
		return nil, err
	}
	if err := w.do(f, name, mpic.FnCommSize, uintptr(h), at(1)); err != nil {
		return nil, err
	}
	if kind != predefined && w.lib.Has(mpic.FnCommTestInter) {
		if err := w.do(f, name, mpic.FnCommTestInter, uintptr(h), at(2)); err != nil {
			return nil, err
		}
		if n[2] != 0 {
			if err := w.do(f, name, mpic.FnCommRemoteSize, uintptr(h), at(3)); err != nil {
				return nil, err
			}
		}
	}
	c.rank, c.size, c.remote = int(n[0]), int(n[1]), int(n[3])
	class := &w.comms
	switch kind {
	case predefined:
		class = &ffi.Class[mpic.Handle]{Name: name, Destroy: func(mpic.Handle) error { return nil }, Backstop: ffi.BackstopReport}
	case disconnected:
		class = &ffi.Class[mpic.Handle]{Name: "mpi.Comm", Destroy: func(h mpic.Handle) error {
			return w.free("disconnect", mpic.FnCommDisconnect, h)
		}, Backstop: ffi.BackstopReport}
	}
	return c, c.owned.Init(class, h, append(slices.Clone(parents), &w.owned)...)
}

// freeComm frees a communicator of ours.
func (w *World) freeComm(h mpic.Handle) error {
	return w.free("close a communicator", mpic.FnCommFree, h)
}

// World is what the communicator belongs to.
func (c *Comm) World() *World {
	if c == nil {
		return nil
	}
	return c.world
}

// Rank is this process's number in the communicator, from 0; -1 for a nil or zero Comm.
func (c *Comm) Rank() int {
	if c == nil || c.world == nil {
		return -1
	}
	return c.rank
}

// Size is how many processes the communicator has; 0 for a nil or zero Comm.
func (c *Comm) Size() int {
	if c == nil {
		return 0
	}
	return c.size
}

// String describes the communicator without calling MPI.
func (c *Comm) String() string {
	if c == nil || c.world == nil {
		return "mpi.Comm(none)"
	}
	state := ""
	if !c.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("mpi.Comm(%s, rank %d of %d%s)", c.title(), c.rank, c.size, state)
}

// Close frees the communicator: all its processes have to call it. While a request or a call uses it, it does nothing
// and returns an error that wraps [isthmus.ErrBusy]. It is nil-safe and idempotent. What World gives is closed with the
// World. Calls MPI_Comm_free.
func (c *Comm) Close() error {
	if c == nil || c.predefined {
		return nil
	}
	c.unpark()
	c.leaveDirect()
	live := c.owned.Live()
	err := c.owned.Close()
	if live && !c.owned.Live() {
		c.attributes.clear()
		err = errors.Join(err, c.closeDirect())
	}
	return err
}

// use opens the communicator for one operation.
func (c *Comm) use(op string) (mpic.Handle, error) {
	h, err := c.useBroken(op)
	if err != nil {
		return 0, err
	}
	if c.threw.Load() {
		c.owned.Done()
		return 0, fmt.Errorf("mpi: %s: %s: an operation on it ended in a %w; end the process", op, c, isthmus.ErrException)
	}
	if c.poisoned.Load() {
		c.owned.Done()
		return 0, fmt.Errorf("mpi: %s: %s: a collective operation on it was given up, so its processes no longer agree on what comes next: %w; close it", op, c, isthmus.ErrInvalid)
	}
	return h, nil
}

// useBroken is use for what repairs a communicator.
func (c *Comm) useBroken(op string) (mpic.Handle, error) {
	if c == nil || c.world == nil {
		return 0, invalid(op, "no communicator")
	}
	h, err := c.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("mpi: %s: %s: %w", op, c, err)
	}
	return h, nil
}

// peer translates a rank for the library: what is no rank of the other side is an error here and not there.
func (c *Comm) peer(op string, rank int, anyToo bool) (uintptr, error) {
	n := c.size
	if c.remote > 0 {
		n = c.remote
	}
	switch {
	case rank == ProcNull:
		return cint(c.world.lib.ABI.ProcNull), nil
	case rank == AnySource && anyToo:
		return cint(c.world.lib.ABI.AnySource), nil
	case rank < 0 || rank >= n:
		return 0, fmt.Errorf("mpi: %s: rank %d, %s has 0 to %d: %w: %w", op, rank, c, n-1, isthmus.ErrBounds, ErrRank)
	}
	return cint(rank), nil
}

// label translates a tag.
func (c *Comm) label(op string, tag int, anyToo bool) (uintptr, error) {
	switch {
	case tag == AnyTag && anyToo:
		return cint(c.world.lib.ABI.AnyTag), nil
	case tag < 0 || tag > c.world.maxTag():
		return 0, fmt.Errorf("mpi: %s: tag %d, want 0 to %d: %w: %w", op, tag, c.world.maxTag(), isthmus.ErrBounds, ErrTag)
	}
	return cint(tag), nil
}

// maxTag is the largest tag, the attribute MPI_TAG_UB; the standard promises 32767.
func (w *World) maxTag() int {
	if n := w.tagLimit.Load(); n > 0 {
		return int(n)
	}
	limit := 32767
	f := call.Get()
	defer f.Put()
	if n, at, err := int32s(f, 4); err == nil {
		value, verr := call.New[uint64](f)
		if verr == nil && w.run(f, mpic.FnCommGetAttr, uintptr(w.lib.ABI.CommWorld), cint(w.lib.ABI.TagUb), uintptr(mem.AddrOfPtr(value)), at) == 0 && n[0] != 0 && *value != 0 {
			// SAFETY: owner: the library, while it is initialised; bounds and alignment: the int that the attribute's value
			// points to (MPI-4.1, 9.1.2); thread: any.
			limit = int(*mem.At[int32](mem.Addr(*value)))
		}
	}
	w.tagLimit.Store(int64(limit))
	return limit
}

// Processor is the name of the machine that this process runs on. Calls MPI_Get_processor_name.
func (w *World) Processor() (string, error) {
	if w == nil || w.lib == nil {
		return "", invalid("processor", "no World")
	}
	if _, err := w.owned.Use(); err != nil {
		return "", fmt.Errorf("mpi: processor: %w", err)
	}
	defer w.owned.Done()
	f := call.Get()
	defer f.Put()
	text, err := call.Slice[byte](f, 256)
	if err != nil {
		return "", err
	}
	n, at, err := int32s(f, 1)
	if err != nil {
		return "", err
	}
	if err := w.do(f, "processor", mpic.FnGetProcessorName, uintptr(mem.AddrOf(text)), at); err != nil {
		return "", err
	}
	return strings.TrimSpace(mem.String(mem.AddrOf(text), max(0, min(n[0], 255)), 256)), nil
}
