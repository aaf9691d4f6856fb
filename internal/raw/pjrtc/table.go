package pjrtc

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Table is a plugin's PJRT_Api, read once and checked. It is immutable and safe for concurrent use.
type Table struct {
	fns            [NumSlots]Func
	api            Ptr[Api]
	major, minor   int
	extensionStart Ptr[ExtensionBase]
	via            Interceptor // nil for most tables
}

// Interceptor stands before a table: it sees every call.
type Interceptor interface {
	// Call makes a call, or answers for it.
	//
	// Preconditions: as for [Call].
	Call(s Slot, f *call.Frame, a mem.Addr) uintptr
	// Fn is a C function that does the same, for those that are called by address.
	Fn(s Slot) call.Fn
	// Steps is [Table.Steps].
	Steps(f *call.Frame, steps []Step) (ran int, last uintptr)
}

// Intercept is t with i before it and another extension chain.
func (t *Table) Intercept(i Interceptor, extensions Ptr[ExtensionBase]) *Table {
	n := *t
	n.via, n.extensionStart = i, extensions
	return &n
}

// Intercepted reports whether an [Interceptor] stands before the table.
func (t *Table) Intercepted() bool { return t.via != nil }

// API is the plugin's own table.
func (t *Table) API() Ptr[Api] { return t.api }

// Args is the argument struct of a slot.
type Args interface {
	Slot() Slot
	SetSize()
}

// minimumSize is the part of PJRT_Api that must be there: the header, the version and the first function.
const minimumSize = firstSlot + 8

const (
	// oldest is the minor version of the oldest pinned header.
	oldest = 54
	// rearranged added a function in the middle; the next version moved it to the end, says the API's change log.
	rearranged = 56
)

// NewTable reads the table at api. Functions past the table's own struct_size, null ones, and those that an older API
// had with other structs are missing.
//
// Preconditions: api is null, or points to a PJRT_Api that lives as long as the process: at least its struct_size,
// and as many bytes as that says.
// Errors: [isthmus.ErrInvalid] for a null or too short table, [isthmus.ErrVersion] for another major version
// and for minor versions whose table is in another order.
func NewTable(api Ptr[Api]) (*Table, error) {
	if api == 0 {
		return nil, fmt.Errorf("the function table is null: %w", isthmus.ErrInvalid)
	}
	if api%8 != 0 {
		return nil, fmt.Errorf("the function table is misaligned: %w", isthmus.ErrInvalid)
	}
	// SAFETY: owner: the plugin, for the process's life; bounds: fields are read only inside the struct_size that
	// the table states; alignment: checked; thread: any, the table is constant.
	size := *mem.At[uint64](api)
	if size < minimumSize || size > 1<<16 {
		return nil, fmt.Errorf("the function table says it has %d bytes, want %d to %d: %w; this is not a PJRT plugin of a known kind", size, minimumSize, 1<<16, isthmus.ErrInvalid)
	}
	a := api.At()
	t := &Table{api: api, major: int(a.PjrtApiVersion.MajorVersion), minor: int(a.PjrtApiVersion.MinorVersion), extensionStart: a.ExtensionStart}
	if t.major != 0 {
		return nil, fmt.Errorf("PJRT API %d.%d, this module speaks 0.x: %w", t.major, t.minor, isthmus.ErrVersion)
	}
	if t.minor < oldest || t.minor == rearranged {
		return nil, fmt.Errorf("PJRT API 0.%d has its functions in another order; this module knows 0.%d and all after 0.%d: %w", t.minor, oldest, rearranged, isthmus.ErrVersion)
	}
	for s := range Slot(NumSlots) {
		if s.Offset()+8 <= uintptr(size) && t.minor >= int(slotChanged[s]) {
			// SAFETY: as above; the offset is within struct_size.
			t.fns[s] = *mem.At[Func](uintptr(api) + s.Offset())
		}
	}
	for s, end := range ends {
		if t.fns[end] == 0 {
			t.fns[s] = 0
		}
	}
	return t, nil
}

// ends are functions that make something, and those that end it. Without the second the first could only leak: it is
// missing too. Functions without which there is no plugin at all are not here.
var ends = map[Slot]Slot{
	SlotTopologyDescriptionCreate:               SlotTopologyDescriptionDestroy,
	SlotTopologyDescriptionDeserialize:          SlotTopologyDescriptionDestroy,
	SlotClientCreateBuffersForAsyncHostToDevice: SlotAsyncHostToDeviceTransferManagerDestroy,
	SlotDeviceCreateAsyncTrackingEvent:          SlotAsyncTrackingEventDestroy,
	SlotExecuteContextCreate:                    SlotExecuteContextDestroy,
	SlotClientDmaMap:                            SlotClientDmaUnmap,
	SlotClientCreateAliasBuffer:                 SlotClientFulfillAliasBuffer,
	SlotEventCreate:                             SlotEventSet,
	SlotBufferIncreaseExternalReferenceCount:    SlotBufferDecreaseExternalReferenceCount,
}

// EndedBy is the function that ends what s makes, for those that are missing without it.
func (s Slot) EndedBy() (Slot, bool) {
	end, ok := ends[s]
	return end, ok
}

// Step is one call of [Table.Steps].
type Step struct {
	Slot Slot
	Arg  mem.Addr
	Need mem.Addr // 0, or a word that must not be 0
}

// Steps makes calls one after the other, as [call.Frame.Chain] does in one crossing, for a table with an interceptor
// before it: it stops after the first that returns an error, or before one whose need is not there.
//
// Preconditions: as for [Call], for each step.
func (t *Table) Steps(f *call.Frame, steps ...Step) (ran int, last uintptr) {
	if t.via != nil {
		return t.via.Steps(f, steps)
	}
	return t.OneByOne(f, steps)
}

// OneByOne is [Table.Steps] with a crossing for each call.
func (t *Table) OneByOne(f *call.Frame, steps []Step) (ran int, last uintptr) {
	for i := range steps {
		s := &steps[i]
		// SAFETY: owner: the caller, for the call; bounds and alignment: a word of an argument struct.
		if last != 0 || s.Need != 0 && *mem.At[uintptr](s.Need) == 0 {
			break
		}
		last = t.Invoke(s.Slot, f, s.Arg)
		ran++
	}
	return ran, last
}

// Version is the version of the PJRT API that the plugin was built with.
func (t *Table) Version() (major, minor int) { return t.major, t.minor }

// Has reports whether the plugin has the function.
func (t *Table) Has(s Slot) bool { return s >= 0 && s < NumSlots && t.fns[s] != 0 }

// Missing lists the functions that the plugin lacks.
func (t *Table) Missing() []Slot {
	var m []Slot
	for s := range Slot(NumSlots) {
		if !t.Has(s) {
			m = append(m, s)
		}
	}
	return m
}

// Fn is the function's address, for call.Frame.Chain.
func (t *Table) Fn(s Slot) call.Fn {
	if t.via != nil {
		return t.via.Fn(s)
	}
	return call.Fn(t.fns[s])
}

// Invoke calls a function with its argument struct as it is.
//
// Preconditions: as for [Call].
func (t *Table) Invoke(s Slot, f *call.Frame, a mem.Addr) uintptr {
	if t.via != nil {
		return t.via.Call(s, f, a)
	}
	return f.Call1(call.Fn(t.fns[s]), a)
}

// Call sets the size of a and calls its function. Functions that return nothing give 0. After a call that ended with an
// exception the result is no error, and [call.Frame.Thrown] is asked first.
//
// Preconditions: [Table.Has] of a's slot; a and all it points to are in f, or off-heap, or pinned.
func Call[A any, P interface {
	*A
	Args
}](t *Table, f *call.Frame, a P) Ptr[Error] {
	a.SetSize()
	s := a.Slot()
	r := t.Invoke(s, f, mem.AddrOfPtr((*A)(a)))
	if !slotReturnsError[s] {
		return 0
	}
	return Ptr[Error](r)
}

// MaxExtensions bounds the extension chain: a longer one is an error.
const MaxExtensions = 256

// ErrChain says that the extension chain is broken.
var ErrChain = errors.New("broken extension chain")

// Link is one extension of a plugin's chain.
type Link struct {
	Type ExtensionType
	Base Ptr[ExtensionBase]
	Size uintptr
}

// Chain walks the extensions that the table announces, in their order, unknown kinds included.
//
// Preconditions: each link is a PJRT_Extension_Base that lives as long as the process.
// Errors: [ErrChain] for a cycle, a chain longer than [MaxExtensions], a misaligned link and one that says it is
// shorter than its own head. The links before the broken one are returned too.
func (t *Table) Chain() ([]Link, error) {
	var links []Link
	seen := map[Ptr[ExtensionBase]]bool{}
	for p := t.extensionStart; p != 0; {
		switch {
		case seen[p]:
			return links, fmt.Errorf("%w: link %d leads back to an earlier one", ErrChain, len(links))
		case len(links) == MaxExtensions:
			return links, fmt.Errorf("%w: more than %d links", ErrChain, MaxExtensions)
		case p%8 != 0:
			return links, fmt.Errorf("%w: link %d is misaligned", ErrChain, len(links))
		}
		seen[p] = true
		// SAFETY: owner: the plugin, for the process's life; bounds: the head that every extension has; alignment:
		// checked; thread: any, the chain is constant.
		e := p.At()
		if e.StructSize < ExtensionBaseSize || e.StructSize > 1<<16 {
			return links, fmt.Errorf("%w: link %d of type %d says it has %d bytes", ErrChain, len(links), int32(e.Type), e.StructSize)
		}
		links = append(links, Link{Type: e.Type, Base: p, Size: uintptr(e.StructSize)})
		p = e.Next
	}
	return links, nil
}

// Func returns the function at offset in the extension's own table, 0 where the plugin's table ends before it.
func (l Link) Func(offset uintptr) Func {
	if offset < ExtensionBaseSize || offset%8 != 0 || offset+8 > l.Size {
		return 0
	}
	// SAFETY: owner: the plugin, for the process's life; bounds: inside the struct_size that the link states;
	// alignment: checked; thread: any.
	return *mem.At[Func](uintptr(l.Base) + offset)
}

// ExtFunc is a function of an extension: which extension, where its address stands in the extension's struct, and
// whether it returns a PJRT_Error; the others return nothing.
type ExtFunc struct {
	Type    ExtensionType
	Offset  uintptr
	Name    string
	Returns bool
}

// ExtArgs is the argument struct of an extension's function. Few of them have no struct_size, and no SetSize.
type ExtArgs interface{ ExtFunc() ExtFunc }

// CallExt sets the size of a, where it has one, and calls the function e of the link. Functions that return nothing
// give 0. Of exceptions the same is true as for [Call].
//
// Preconditions: fn is l.Func of e's offset in the link of e's extension, and not 0; a and all it points to are in f,
// or off-heap, or pinned.
func CallExt[A any](fn Func, e ExtFunc, f *call.Frame, a *A) Ptr[Error] {
	if s, ok := any(a).(interface{ SetSize() }); ok {
		s.SetSize()
	}
	r := f.Call1(call.Fn(fn), mem.AddrOfPtr(a))
	if !e.Returns {
		return 0
	}
	return Ptr[Error](r)
}
