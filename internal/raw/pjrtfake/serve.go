package pjrtfake

import (
	"reflect"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// handler is one function of the table.
type handler struct {
	size  uint64
	serve func(f *Fake, a mem.Addr) *Failure
	typ   reflect.Type // of its argument
}

// handlers are the functions of the table.
var handlers = func() map[pjrtc.Slot]*handler {
	m := map[pjrtc.Slot]*handler{}
	for _, group := range [][]entry{
		errorSlots, eventSlots, clientSlots, deviceSlots, memorySlots, topologySlots, executableSlots, executeSlots,
		bufferSlots, rawSlots, transferSlots,
	} {
		for _, e := range group {
			m[e.slot] = e.handler
		}
	}
	return m
}()

type entry struct {
	slot pjrtc.Slot
	*handler
}

// on describes a function. It runs with the fake locked.
func on[A any, P interface {
	*A
	pjrtc.Args
}](serve func(f *Fake, a P) *Failure) entry {
	return entry{P(new(A)).Slot(), &handler{sizeOf[A, P](), func(f *Fake, a mem.Addr) *Failure { return serve(f, P(mem.At[A](a))) }, reflect.TypeFor[A]()}}
}

// sizeOf is the struct_size of A.
func sizeOf[A any, P interface {
	*A
	SetSize()
}]() uint64 {
	var zero A
	P(&zero).SetSize()
	return *mem.At[uint64](mem.AddrOfPtr(&zero)) // every sized struct begins with its size
}

// serve is every function of the table.
func (f *Fake) serve(s pjrtc.Slot, a mem.Addr) pjrtc.Ptr[pjrtc.Error] {
	h := handlers[s]
	if h == nil {
		h = &handler{serve: func(*Fake, mem.Addr) *Failure {
			return failed(pjrtc.ErrorCodeUNIMPLEMENTED, s.String()+" is not in the fake")
		}}
	}
	return f.run(s.String(), h, s.ReturnsError(), a, f.Tamper[s])
}

// run is every function, of the table and of extensions.
func (f *Fake) run(point string, h *handler, returns bool, a mem.Addr, tamper func(mem.Addr)) pjrtc.Ptr[pjrtc.Error] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[point]++
	if h.size != 0 {
		// SAFETY: owner: the caller of the function; bounds: every argument struct begins with its size, or is larger.
		if size := *mem.At[uint64](a); size != h.size {
			f.violate("%s: struct_size is %d, want %d", point, size, h.size)
		}
	}
	if how := f.fail[point]; how != nil && !how.Late {
		if how.Times > 0 {
			if how.Times--; how.Times == 0 {
				delete(f.fail, point)
			}
		}
		return f.result(how, returns)
	}
	if how := f.faults[point]; how != NoFault {
		if result, done := f.faulty(how, point, h, returns, a); done {
			return result
		}
	}
	if how := h.serve(f, a); how != nil {
		return f.result(how, returns)
	}
	if tamper != nil {
		tamper(a)
	}
	return 0
}

// late takes the failure that an event of a function's should carry. The caller holds mu.
func (f *Fake) late(s pjrtc.Slot) *Failure {
	if how := f.fail[s.String()]; how != nil && how.Late {
		return how
	}
	return nil
}

// values gives C a list of named values that lives as long as o.
func (f *Fake) values(o *object, in []Value) pjrtc.Ptr[pjrtc.NamedValue] {
	out := make([]pjrtc.NamedValue, len(in))
	for i, v := range in {
		v.native(f, o, &out[i])
	}
	return List(f, o, out)
}
