package mpi

import (
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Key is a kind of attribute: a value of type T that a library keeps with a communicator. Each Key is another kind. The
// values are Go's and stay in this process. A Key is safe for concurrent use; its functions must not change any more
// when it is in use.
type Key[T any] struct {
	// Name is in errors.
	Name string
	// Copy gives the value for the copy of a communicator that [Comm.Dup] makes; keep false gives it none. A nil Copy
	// copies no value, as MPI_COMM_NULL_COPY_FN.
	Copy func(v T) (out T, keep bool)
	// Delete is called with a value when it is deleted or replaced, or its communicator is closed.
	Delete func(v T)
}

// attributes are the values that a communicator has.
type attributes struct {
	mu     sync.Mutex
	values map[attribute]attributeValue
}

// attribute is a Key of any type.
type attribute interface {
	copied(v attributeValue) (attributeValue, bool)
	deleted(v attributeValue)
}

// attributeValue is a *T.
type attributeValue any

func (k *Key[T]) copied(v attributeValue) (attributeValue, bool) {
	if k.Copy == nil {
		return nil, false
	}
	out, keep := k.Copy(*v.(*T))
	return &out, keep
}

func (k *Key[T]) deleted(v attributeValue) {
	if k.Delete != nil {
		k.Delete(*v.(*T))
	}
}

// open checks what a method of a Key is called with.
func (k *Key[T]) open(op string, c *Comm) error {
	if k == nil {
		return invalid(op, "no key")
	}
	_, err := c.use(op)
	return err
}

// Set gives the communicator a value; one that it had is deleted. Errors: [isthmus.ErrClosed] for a closed communicator.
func (k *Key[T]) Set(c *Comm, v T) error {
	if err := k.open("set attribute", c); err != nil {
		return err
	}
	defer c.owned.Done()
	a := &c.attributes
	a.mu.Lock()
	if a.values == nil {
		a.values = make(map[attribute]attributeValue)
	}
	old, had := a.values[k]
	a.values[k] = &v
	a.mu.Unlock()
	if had {
		k.deleted(old)
	}
	return nil
}

// Get is the value that the communicator has. Errors: [isthmus.ErrNotFound] when it has none.
func (k *Key[T]) Get(c *Comm) (v T, err error) {
	if err := k.open("attribute", c); err != nil {
		return v, err
	}
	defer c.owned.Done()
	a := &c.attributes
	a.mu.Lock()
	defer a.mu.Unlock()
	x, ok := a.values[k]
	if !ok {
		return v, fmt.Errorf("mpi: attribute %s: %s has none: %w", k.Name, c, isthmus.ErrNotFound)
	}
	return *x.(*T), nil
}

// Remove deletes the value that the communicator has, if any.
func (k *Key[T]) Remove(c *Comm) error {
	if err := k.open("remove attribute", c); err != nil {
		return err
	}
	defer c.owned.Done()
	a := &c.attributes
	a.mu.Lock()
	old, had := a.values[k]
	delete(a.values, k)
	a.mu.Unlock()
	if had {
		k.deleted(old)
	}
	return nil
}

// copyAttributes gives a copy of the communicator the values whose keys copy them.
func (c *Comm) copyAttributes(to *Comm) {
	c.attributes.mu.Lock()
	values := make(map[attribute]attributeValue, len(c.attributes.values))
	for k, v := range c.attributes.values {
		values[k] = v
	}
	c.attributes.mu.Unlock()
	for k, v := range values {
		if x, keep := k.copied(v); keep {
			to.attributes.mu.Lock()
			if to.attributes.values == nil {
				to.attributes.values = make(map[attribute]attributeValue)
			}
			to.attributes.values[k] = x
			to.attributes.mu.Unlock()
		}
	}
}

// clear deletes all values.
func (a *attributes) clear() {
	a.mu.Lock()
	values := a.values
	a.values = nil
	a.mu.Unlock()
	for k, v := range values {
		k.deleted(v)
	}
}

// MaxTag is the largest tag that a message may have. Reads the attribute MPI_TAG_UB.
func (w *World) MaxTag() int {
	if w == nil || w.lib == nil {
		return 0
	}
	if _, err := w.owned.Use(); err != nil {
		return 0
	}
	defer w.owned.Done()
	return w.maxTag()
}

// UniverseSize is how many processes there may be, those of [Comm.Spawn] included; ok is false when the library does not
// say. Reads the attribute MPI_UNIVERSE_SIZE.
func (w *World) UniverseSize() (n int, ok bool) {
	if w == nil || w.lib == nil {
		return 0, false
	}
	return w.attribute(w.lib.ABI.UniverseSize)
}

// AppNumber is the number of this process's program, when several were started together. Reads the attribute
// MPI_APPNUM.
func (w *World) AppNumber() (n int, ok bool) {
	if w == nil || w.lib == nil {
		return 0, false
	}
	return w.attribute(w.lib.ABI.Appnum)
}

// attribute reads a predefined attribute, which is an int.
func (w *World) attribute(key int) (int, bool) {
	if _, err := w.owned.Use(); err != nil || key == mpic.Absent {
		if err == nil {
			w.owned.Done()
		}
		return 0, false
	}
	defer w.owned.Done()
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 1)
	if err != nil {
		return 0, false
	}
	value, err := call.New[uint64](f)
	if err != nil || w.run(f, mpic.FnCommGetAttr, uintptr(w.lib.ABI.CommWorld), cint(key), uintptr(mem.AddrOfPtr(value)), at) != 0 || n[0] == 0 || *value == 0 {
		return 0, false
	}
	// SAFETY: owner: the library, while it is initialised, which Use keeps it; bounds and alignment: the int that the
	// value of a predefined attribute points to (MPI-4.1, 9.1.2); thread: any.
	return int(*mem.At[int32](mem.Addr(*value))), true
}
