// Package pjrtfake is a PJRT plugin in Go, for tests: it does as it is told. It keeps books on every object, so that
// a test sees what was destroyed twice, used after its end or forgotten, and it can be made to fail, to be late, to
// lack functions and to say nonsense.
//
// One Fake is current at a time: [New] makes it so. Its programs are named, see [Program].
package pjrtfake

import (
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Fake is a plugin. Its exported fields are set before [Fake.Table] and not changed afterwards, but for those that
// say otherwise.
type Fake struct {
	Minor      int          // the API's minor version; 0 is 114
	Major      int          // the API's major version
	StructSize uint64       // the table's; 0 is the true one
	Null       []pjrtc.Slot // functions that the table lacks
	Links      []Link       // the extension chain
	Cycle      bool         // the chain's last link leads back to its first
	Devices    int          // 0 is 2
	Attributes []Value
	Twice      bool // every callback is called twice
	OnCPU      bool // buffers can be read in place
	Strange    bool // and their layout is column-major
	Programs   map[string]*Program

	calling sync.WaitGroup // callbacks in progress
	// Tamper changes what a function returns, as a broken plugin does.
	Tamper map[pjrtc.Slot]func(args mem.Addr)

	mu         sync.Mutex
	fail       map[pjrtc.Slot]*Failure
	objects    map[uintptr]*object
	next       uintptr
	violations []string
	destroyed  map[string]int
	options    []Value // what the last client was made with
	blocks     []*mem.Block
	held       []*object // events that wait for Release
	hold       bool
	views      int
	api        *pjrtc.Api
}

// Link is an extension of the chain.
type Link struct {
	Type pjrtc.ExtensionType
	Size uint64 // 0 is right
	Fns  int    // how many functions follow the head
}

// Value is a named value, of one of PJRT's five kinds: string, int64, []int64, float32, bool. A []byte is a string
// that need not be text.
type Value struct {
	Name  string
	Value any
}

// Failure makes a function fail.
type Failure struct {
	Code  pjrtc.ErrorCode
	Msg   string
	Times int // how often; 0 is always
	// Late makes the function succeed and its event carry the error.
	Late bool
}

// Type is the type of a tensor.
type Type struct {
	Type pjrtc.BufferType
	Dims []int64
}

// Program is what Compile makes of code that is its name.
type Program struct {
	Params  []Type
	Outputs []Type
	Donated []int
	// Optimized is what the plugin shows of the compiled program; "" for nothing.
	Optimized string
	Run       func(args [][]byte) [][]byte // nil makes zeroed outputs
}

// object is anything with a handle. Handles are never reused and lead to no memory, so that every misuse is seen.
type object struct {
	kind   string
	handle uintptr
	dead   bool
	parent *object

	err    *Failure // of an error, and of an event that carries one
	fired  bool     // of an event
	done   chan struct{}
	ready  []func()
	typ    Type // of a buffer
	data   []byte
	taken  bool
	device *object
	prog   *Program // of an executable
	name   string
	id     int
	free   []*object // events that fire when the buffer dies
	refs   int       // external references
}

var (
	current struct {
		sync.Mutex
		fake *Fake
	}
	fns struct {
		sync.Once
		err error
		fn  [pjrtc.NumSlots]call.Fn
	}
)

// New makes a fake and makes it the current one. The caller closes it.
func New() *Fake {
	f := &Fake{
		Programs:  map[string]*Program{},
		fail:      map[pjrtc.Slot]*Failure{},
		objects:   map[uintptr]*object{},
		next:      0x7ffe00000000,
		destroyed: map[string]int{},
	}
	current.Lock()
	current.fake = f
	current.Unlock()
	return f
}

// Close frees the fake's memory. Nothing may use its table any more.
func (f *Fake) Close() {
	f.Release()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.blocks {
		_ = b.Free()
	}
	f.blocks = nil
}

// functions makes the C functions of the process's one fake table.
func functions() error {
	fns.Do(func() {
		for s := range pjrtc.Slot(pjrtc.NumSlots) {
			fns.fn[s], fns.err = cb.Static1(func(a mem.Addr) uintptr {
				current.Lock()
				f := current.fake
				current.Unlock()
				return uintptr(f.serve(s, a))
			}, func(err error) uintptr { panic(err) })
			if fns.err != nil {
				return
			}
		}
	})
	return fns.err
}

// API builds the function table.
func (f *Fake) API() (pjrtc.Ptr[pjrtc.Api], error) {
	if err := functions(); err != nil {
		return 0, err
	}
	api := pjrtc.To(alloc[pjrtc.Api](f))
	f.api = api.At()
	f.api.SetSize()
	if f.StructSize != 0 {
		f.api.StructSize = f.StructSize
	}
	if f.Minor == 0 {
		f.Minor = 114
	}
	if f.Devices == 0 {
		f.Devices = 2
	}
	f.api.PjrtApiVersion.SetSize()
	f.api.PjrtApiVersion.MajorVersion, f.api.PjrtApiVersion.MinorVersion = int32(f.Major), int32(f.Minor)
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		if !slices.Contains(f.Null, s) {
			// SAFETY: owner: the fake; bounds: the slot's offset is inside PJRT_Api; alignment: 8; thread: this one.
			*mem.At[pjrtc.Func](uintptr(api) + s.Offset()) = pjrtc.Func(fns.fn[s])
		}
	}
	f.chain()
	return api, nil
}

// Table builds the function table and reads it as a client does.
func (f *Fake) Table() (*pjrtc.Table, error) {
	api, err := f.API()
	if err != nil {
		return nil, err
	}
	return pjrtc.NewTable(api)
}

func (f *Fake) chain() {
	var first, last *pjrtc.ExtensionBase
	for _, l := range f.Links {
		size := uint64(pjrtc.ExtensionBaseSize + 8*l.Fns)
		b := f.block(int(size))
		e := pjrtc.Ptr[pjrtc.ExtensionBase](mem.AddrOf(b)).At()
		e.StructSize, e.Type = size, l.Type
		for i := range l.Fns {
			*mem.At[pjrtc.Func](mem.AddrOf(b) + mem.Addr(pjrtc.ExtensionBaseSize+8*i)) = pjrtc.Func(fns.fn[0])
		}
		if l.Size != 0 {
			e.StructSize = l.Size
		}
		if last == nil {
			first = e
		} else {
			last.Next = pjrtc.To(e)
		}
		last = e
	}
	if first != nil {
		f.api.ExtensionStart = pjrtc.To(first)
		if f.Cycle {
			last.Next = pjrtc.To(first)
		}
	}
}

// block returns memory outside Go's heap that lives as long as the fake.
func (f *Fake) block(size int) []byte {
	b, err := mem.Alloc(max(size, 8), 64)
	if err != nil {
		panic(err)
	}
	f.blocks = append(f.blocks, b)
	return b.Bytes()
}

func alloc[T any](f *Fake) *T {
	return mem.At[T](mem.AddrOf(f.block(mem.SizeOf[T]())))
}

// text gives C the bytes of s; no NUL but other text follows them.
func (f *Fake) text(s string) pjrtc.Ptr[byte] {
	const after = "not of this text"
	b := f.block(len(s) + len(after))
	copy(b, s+after)
	return pjrtc.Ptr[byte](mem.AddrOf(b))
}

// list gives C an array.
func list[T any](f *Fake, values []T) pjrtc.Ptr[T] {
	b := f.block(len(values) * mem.SizeOf[T]())
	out, err := mem.Slice[T](mem.AddrOf(b), len(values))
	if err != nil {
		panic(err)
	}
	copy(out, values)
	return pjrtc.Ptr[T](mem.AddrOf(b))
}

// Fail makes a function fail from now on; nil makes it work again.
func (f *Fake) Fail(s pjrtc.Slot, how *Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if how == nil {
		delete(f.fail, s)
		return
	}
	f.fail[s] = how
}

// Hold keeps all later events from firing until Release.
func (f *Fake) Hold() {
	f.mu.Lock()
	f.hold = true
	f.mu.Unlock()
}

// Release fires all events that were held, and ends Hold.
func (f *Fake) Release() {
	f.mu.Lock()
	f.hold = false
	held := f.held
	f.held = nil
	f.mu.Unlock()
	for _, e := range held {
		f.fire(e)
	}
}

// Quiet waits until all callbacks have returned.
func (f *Fake) Quiet() { f.calling.Wait() }

// Violations lists what a correct client never does.
func (f *Fake) Violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// Alive counts the live objects of each kind that a client owns.
func (f *Fake) Alive() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for _, o := range f.objects {
		if !o.dead && o.kind != "device" && o.kind != "memory" {
			n[o.kind]++
		}
	}
	return n
}

// Destroyed counts what was destroyed, by kind.
func (f *Fake) Destroyed(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.destroyed[kind]
}

// Views counts how often a buffer was read in place.
func (f *Fake) Views() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.views
}

// Options are what the last client was made with.
func (f *Fake) Options() []Value {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.options)
}

func (f *Fake) violate(format string, a ...any) {
	f.violations = append(f.violations, fmt.Sprintf(format, a...))
}

// make registers an object. The caller holds mu.
func (f *Fake) make(o *object) *object {
	f.next += 64
	o.handle = f.next
	if o.parent != nil && o.parent.dead {
		f.violate("a %s was made from a dead %s", o.kind, o.parent.kind)
	}
	f.objects[o.handle] = o
	return o
}

// get finds the object of a handle; a wrong or dead one is a violation. The caller holds mu.
func get[T any](f *Fake, what, kind string, h pjrtc.Ptr[T]) *object {
	o := f.objects[uintptr(h)]
	switch {
	case o == nil:
		f.violate("%s: %#x is no handle", what, uintptr(h))
	case o.kind != kind:
		f.violate("%s: a %s was passed for a %s", what, o.kind, kind)
		return nil
	case o.dead:
		f.violate("%s: the %s was destroyed", what, kind)
	default:
		for p := o.parent; p != nil; p = p.parent {
			if p.dead {
				f.violate("%s: the %s of the %s was destroyed", what, p.kind, kind)
			}
		}
	}
	return o
}

// destroy ends an object. The caller holds mu.
func destroy[T any](f *Fake, kind string, h pjrtc.Ptr[T]) *object {
	if h == 0 {
		return nil
	}
	o := get(f, "destroy", kind, h)
	if o == nil || o.dead {
		return nil
	}
	for _, c := range f.objects {
		if c.parent == o && !c.dead && c.kind != "device" && c.kind != "memory" && c.kind != "error" {
			f.violate("the %s was destroyed before a %s of it", kind, c.kind)
		}
	}
	if o.refs != 0 {
		f.violate("a %s was destroyed while %d hold it", kind, o.refs)
	}
	o.dead = true
	f.destroyed[kind]++
	return o
}

// newError makes a PJRT_Error. The caller holds mu.
func (f *Fake) newError(how *Failure) pjrtc.Ptr[pjrtc.Error] {
	return pjrtc.Ptr[pjrtc.Error](f.make(&object{kind: "error", err: how}).handle)
}
