package mps

import (
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// storage is memory of a device that a matrix and its views share: either batches have it, or the host does.
type storage struct {
	owned ffi.Owned[op.Storage]
	dev   *Device

	mu   sync.RWMutex // the host's: write to change the bytes or held, read to read them
	held int          // batches that are recorded or under way

	pivots []effect // what LU left here
}

func (d *Device) newStorage(what string, n int) (*storage, error) {
	native, err := d.use(what)
	if err != nil {
		return nil, err
	}
	defer d.owned.Done()
	if n > d.info.Limit {
		return nil, failure(what, isthmus.ErrLimit, "%d bytes; the device has at most %d in one piece", n, d.info.Limit)
	}
	mem, err := native.Alloc(n)
	if err != nil {
		d.note(err)
		return nil, &Error{Op: what, Msg: "the device gave no memory", Err: err}
	}
	s := &storage{dev: d}
	if err := s.owned.Init(d.class, mem, &d.owned); err != nil {
		return nil, &Error{Op: what, Msg: "the device was closed", Err: err}
	}
	return s, nil
}

// hold gives the memory to a batch.
func (s *storage) hold() (op.Storage, error) {
	mem, err := s.owned.Use()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.held++
	s.mu.Unlock()
	return mem, nil
}

// release takes it back from one.
func (s *storage) release() {
	s.mu.Lock()
	s.held--
	s.mu.Unlock()
	s.owned.Done()
}

// host runs f with the bytes, which nobody else writes meanwhile, or says why not.
func (s *storage) host(what string, write bool, f func([]byte)) error {
	if s == nil {
		return failure(what, isthmus.ErrClosed, "no matrix; make one with NewMatrix or MatrixOf")
	}
	mem, err := s.owned.Use()
	if err != nil {
		return failure(what, isthmus.ErrClosed, "its memory was closed")
	}
	defer s.owned.Done()
	if write {
		s.mu.Lock()
		defer s.mu.Unlock()
	} else {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	if s.held > 0 {
		return failure(what, isthmus.ErrBusy, "%d batches hold it; wait for their runs", s.held)
	}
	if write {
		s.pivots = nil
	}
	f(mem.Bytes())
	return nil
}

// close gives the memory back to the device.
func (s *storage) close(what string) error {
	if s == nil {
		return nil
	}
	if err := s.owned.Close(); err != nil {
		return &Error{Op: what, Msg: "batches hold it, or the host copies; wait for their runs", Err: err}
	}
	return nil
}
