package mpi

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Hints are keys with values that a library may heed, an MPI_Info. They are safe for concurrent use. A nil *Hints is
// none, MPI_INFO_NULL, wherever one is taken.
type Hints struct {
	owned ffi.Owned[mpic.Handle]
	world *World
}

// The longest MPI_MAX_INFO_KEY and MPI_MAX_INFO_VAL of all interfaces.
const (
	maxInfoKey   = 256
	maxInfoValue = 1024
)

// NewHints makes hints of a map. The caller closes them. Calls MPI_Info_create and MPI_Info_set.
func NewHints(w *World, values map[string]string) (*Hints, error) {
	const op = "new hints"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	h, err := w.newHints(op, mpic.FnInfoCreate)
	if err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if err := h.Set(k, values[k]); err != nil {
			_ = h.Close()
			return nil, err
		}
	}
	return h, nil
}

// newHints makes Hints of the handle that a call writes.
func (w *World) newHints(op string, fn mpic.Func, args ...uintptr) (*Hints, error) {
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	f := call.Get()
	defer f.Put()
	cell, err := call.New[uint64](f)
	if err != nil {
		return nil, err
	}
	if err := w.do(f, op, fn, append(args, uintptr(mem.AddrOfPtr(cell)))...); err != nil {
		return nil, err
	}
	h := &Hints{world: w}
	class := &ffi.Class[mpic.Handle]{Name: "mpi.Hints", Destroy: func(h mpic.Handle) error { return w.free("close hints", mpic.FnInfoFree, h) }}
	return h, h.owned.Init(class, mpic.Handle(*cell), &w.owned)
}

// use opens hints for a call; nil ones are MPI_INFO_NULL.
func (h *Hints) use(w *World, op string) (uintptr, func(), error) {
	if h == nil {
		if w == nil || w.lib == nil {
			return 0, nil, invalid(op, "no World")
		}
		return uintptr(w.lib.ABI.InfoNull), func() {}, nil
	}
	if h.world == nil {
		return 0, nil, invalid(op, "no hints")
	}
	v, err := h.owned.Use()
	if err != nil {
		return 0, nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	return uintptr(v), h.owned.Done, nil
}

// key opens the hints for a call about a key.
func (h *Hints) key(op, key string) (f *call.Frame, at, info uintptr, done func(), err error) {
	if h == nil {
		return nil, 0, 0, nil, invalid(op, "no hints")
	}
	if key == "" || len(key) >= maxInfoKey || strings.ContainsRune(key, 0) {
		return nil, 0, 0, nil, bounds(op, "key %q; it may have up to %d bytes, and no NUL", key, maxInfoKey-1)
	}
	info, leave, err := h.use(h.world, op)
	if err != nil {
		return nil, 0, 0, nil, err
	}
	f = call.Get()
	a, err := f.Text(key)
	done = func() { f.Put(); leave() }
	if err != nil {
		done()
		return nil, 0, 0, nil, err
	}
	return f, uintptr(a), info, done, nil
}

// Set gives a key a value. Calls MPI_Info_set.
func (h *Hints) Set(key, value string) error {
	const op = "set hint"
	if value == "" || len(value) >= maxInfoValue || strings.ContainsRune(value, 0) {
		return bounds(op, "a value of %d bytes for %s; it may have 1 to %d, and no NUL", len(value), key, maxInfoValue-1)
	}
	f, k, info, done, err := h.key(op, key)
	if err != nil {
		return err
	}
	defer done()
	v, err := f.Text(value)
	if err != nil {
		return err
	}
	return h.world.do(f, op, mpic.FnInfoSet, info, k, uintptr(v))
}

// Get is the value of a key. Errors: [isthmus.ErrNotFound] when it has none. Calls MPI_Info_get_string or, before MPI 4,
// MPI_Info_get.
func (h *Hints) Get(key string) (string, error) {
	const op = "hint"
	f, k, info, done, err := h.key(op, key)
	if err != nil {
		return "", err
	}
	defer done()
	text, err := call.Slice[byte](f, maxInfoValue+1)
	if err != nil {
		return "", err
	}
	n, _, err := int32s(f, 2)
	if err != nil {
		return "", err
	}
	n[0] = maxInfoValue
	size, found := uintptr(mem.AddrOfPtr(&n[0])), uintptr(mem.AddrOfPtr(&n[1]))
	w := h.world
	if w.lib.Has(mpic.FnInfoGetString) {
		err = w.do(f, op, mpic.FnInfoGetString, info, k, size, uintptr(mem.AddrOf(text)), found)
	} else {
		err = w.do(f, op, mpic.FnInfoGet, info, k, cint(maxInfoValue-1), uintptr(mem.AddrOf(text)), found)
	}
	if err != nil {
		return "", err
	}
	if n[1] == 0 {
		return "", fmt.Errorf("mpi: %s: no %s: %w", op, key, isthmus.ErrNotFound)
	}
	return mem.CString(mem.AddrOf(text), maxInfoValue), nil
}

// Remove deletes a key. Errors: [isthmus.ErrNotFound] when there is none. Calls MPI_Info_delete.
func (h *Hints) Remove(key string) error {
	const op = "remove hint"
	if _, err := h.Get(key); err != nil {
		return err
	}
	f, k, info, done, err := h.key(op, key)
	if err != nil {
		return err
	}
	defer done()
	return h.world.do(f, op, mpic.FnInfoDelete, info, k)
}

// All gives the keys with their values; what cannot be read is left out. Calls MPI_Info_get_nkeys and
// MPI_Info_get_nthkey.
func (h *Hints) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, k := range h.keys() {
			if v, err := h.Get(k); err == nil && !yield(k, v) {
				return
			}
		}
	}
}

// keys are the names of all hints.
func (h *Hints) keys() []string {
	const op = "hints"
	if h == nil {
		return nil
	}
	info, done, err := h.use(h.world, op)
	if err != nil {
		return nil
	}
	defer done()
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 1)
	if err != nil || h.world.do(f, op, mpic.FnInfoGetNkeys, info, at) != nil {
		return nil
	}
	text, err := call.Slice[byte](f, maxInfoKey+1)
	if err != nil {
		return nil
	}
	var out []string
	for i := range n[0] {
		if h.world.do(f, op, mpic.FnInfoGetNthkey, info, uintptr(i), uintptr(mem.AddrOf(text))) == nil {
			out = append(out, mem.CString(mem.AddrOf(text), maxInfoKey))
		}
	}
	return out
}

// Dup makes a copy. The caller closes it. Calls MPI_Info_dup.
func (h *Hints) Dup() (*Hints, error) {
	const op = "copy hints"
	if h == nil {
		return nil, invalid(op, "no hints")
	}
	info, done, err := h.use(h.world, op)
	if err != nil {
		return nil, err
	}
	defer done()
	return h.world.newHints(op, mpic.FnInfoDup, info)
}

// Close frees the hints. It is nil-safe and idempotent. Calls MPI_Info_free.
func (h *Hints) Close() error {
	if h == nil {
		return nil
	}
	return h.owned.Close()
}

// Hints are the hints that the library heeds for the communicator. The caller closes them. Calls MPI_Comm_get_info.
func (c *Comm) Hints() (*Hints, error) {
	const op = "hints of a communicator"
	h, err := c.use(op)
	if err != nil {
		return nil, err
	}
	defer c.owned.Done()
	return c.world.newHints(op, mpic.FnCommGetInfo, uintptr(h))
}
