package pjrtserve

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// kind is what a handle stands for.
type kind uint8

const (
	_ kind = iota
	kindClient
	kindDevice
	kindDescription
	kindMemory
	kindLoaded
	kindExecutable
	kindBuffer
	kindEvent
	kindTopology
	kindContext
	kindManager
	kindAlias
	kindTracking
	kindPromise
	kindLayout
	kindRuntimeABI
	kindExecutableABI
	kindMemoryKind
	kindPhases
	kindFFIError
	kindFFICall
	kindFuture
	kindStream
	kindBytes // the last
)

func (k kind) String() string {
	switch k {
	case kindClient:
		return "PJRT_Client"
	case kindDevice:
		return "PJRT_Device"
	case kindDescription:
		return "PJRT_DeviceDescription"
	case kindMemory:
		return "PJRT_Memory"
	case kindLoaded:
		return "PJRT_LoadedExecutable"
	case kindExecutable:
		return "PJRT_Executable"
	case kindBuffer:
		return "PJRT_Buffer"
	case kindEvent:
		return "PJRT_Event"
	case kindTopology:
		return "PJRT_TopologyDescription"
	case kindContext:
		return "PJRT_ExecuteContext"
	case kindManager:
		return "PJRT_AsyncHostToDeviceTransferManager"
	case kindAlias:
		return "PJRT_FulfillAliasBufferCallback"
	case kindTracking:
		return "PJRT_AsyncTrackingEvent"
	case kindPromise:
		return "callback data"
	case kindLayout:
		return "PJRT_Layouts_MemoryLayout"
	case kindRuntimeABI:
		return "PJRT_RuntimeAbiVersion"
	case kindExecutableABI:
		return "PJRT_ExecutableAbiVersion"
	case kindMemoryKind:
		return "PJRT_MemoryDescription"
	case kindPhases:
		return "PJRT_PhaseCompiler"
	case kindFFIError:
		return "XLA_FFI_Error"
	case kindFFICall:
		return "XLA_FFI_ExecutionContext"
	case kindFuture:
		return "XLA_FFI_Future"
	case kindStream:
		return "PJRT_CopyToDeviceStream"
	case kindBytes:
		return "serialized bytes"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A handle is a number: a mark that makes it no address, the generation of its slot, the slot. A generation is used
// once, so that a handle that was destroyed is never taken for a later one.
const (
	handleMark  = 0x5
	markShift   = 60
	slotBits    = 24
	genBits     = markShift - slotBits
	chunkSlots  = 1 << 12
	chunkCount  = 1 << (slotBits - 12)
	handleTaken = "there are too many objects"
)

// object is what a handle leads to.
type object struct {
	handle uintptr
	kind   kind
	value  any
}

type slot struct {
	obj atomic.Pointer[object]
	gen uint64 // under handles.mu
}

// handles is the process's table of objects: C gives handles without saying which table they are of.
type handles struct {
	chunks [chunkCount]atomic.Pointer[[chunkSlots]slot]
	mu     sync.Mutex
	free   []uint32
	next   uint32
	live   [kindBytes + 1]int
}

// add makes a handle for v.
func (h *handles) add(k kind, v any) (uintptr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var i uint32
	if n := len(h.free); n > 0 {
		i, h.free = h.free[n-1], h.free[:n-1]
	} else {
		if h.next == 1<<slotBits {
			return 0, unavailable(handleTaken)
		}
		i = h.next
		h.next++
		if i%chunkSlots == 0 {
			h.chunks[i/chunkSlots].Store(new([chunkSlots]slot))
		}
	}
	s := &h.chunks[i/chunkSlots].Load()[i%chunkSlots]
	s.gen++
	o := &object{handle: handleMark<<markShift | uintptr(s.gen&(1<<genBits-1))<<slotBits | uintptr(i), kind: k, value: v}
	s.obj.Store(o)
	h.live[k]++
	return o.handle, nil
}

// at is the slot that a handle names, nil for a number that names none.
func (h *handles) at(n uintptr) *slot {
	if n>>markShift != handleMark {
		return nil
	}
	i := n & (1<<slotBits - 1)
	c := h.chunks[i/chunkSlots].Load()
	if c == nil {
		return nil
	}
	return &c[i%chunkSlots]
}

// get finds the object of a handle of the given kind.
func (h *handles) get(k kind, n uintptr) (*object, error) {
	s := h.at(n)
	if s == nil {
		return nil, h.wrong(k, n, nil)
	}
	o := s.obj.Load()
	if o == nil || o.handle != n || o.kind != k {
		return nil, h.wrong(k, n, o)
	}
	return o, nil
}

// wrong says what is wrong with a handle.
func (h *handles) wrong(k kind, n uintptr, o *object) error {
	switch {
	case n == 0:
		return invalid("the %s is null", k)
	case n>>markShift != handleMark:
		return invalid("%#x is no %s of this plugin", n, k)
	case o == nil || o.handle != n:
		return invalid("the %s was destroyed, or never was one", k)
	}
	return invalid("a %s was passed for a %s", o.kind, k)
}

// remove ends a handle; exactly one caller gets the object.
func (h *handles) remove(k kind, n uintptr) (*object, error) {
	o, err := h.get(k, n)
	if err != nil {
		return nil, err
	}
	if !h.at(n).obj.CompareAndSwap(o, nil) {
		return nil, h.wrong(k, n, nil)
	}
	h.mu.Lock()
	h.live[k]--
	if h.at(n).gen < 1<<genBits-1 { // a slot whose generations are used up rests for ever
		h.free = append(h.free, uint32(n&(1<<slotBits-1)))
	}
	h.mu.Unlock()
	return o, nil
}

// census counts the live objects by kind.
func (h *handles) census() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]int{}
	for k, n := range h.live {
		if n > 0 {
			out[kind(k).String()] = n
		}
	}
	return out
}

// get finds the value of a handle.
func get[T any, H ~uintptr](k kind, n H) (T, error) {
	o, err := world().handles.get(k, uintptr(n))
	if err != nil {
		var zero T
		return zero, err
	}
	return o.value.(T), nil
}

// give makes a handle for v.
func give[H ~uintptr](k kind, v any) (H, error) {
	n, err := world().handles.add(k, v)
	return H(n), err
}

// take ends a handle and returns its value.
func take[T any, H ~uintptr](k kind, n H) (T, error) {
	o, err := world().handles.remove(k, uintptr(n))
	if err != nil {
		var zero T
		return zero, err
	}
	return o.value.(T), nil
}

// object is what a number leads to, of any kind; nil for nothing.
func (h *handles) object(n uintptr) *object {
	s := h.at(n)
	if s == nil {
		return nil
	}
	return s.obj.Load()
}
