package pjrtfake

import (
	"fmt"
	"maps"
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
	Links      []Link       // the extension chain; what Extend adds comes after
	Cycle      bool         // the chain's last link leads back to its first
	Devices    int          // 0 is 2
	Attributes []Value
	Twice      bool  // every callback is called twice
	OnCPU      bool  // buffers can be read in place
	Strange    bool  // and their layout is column-major
	Limit      int64 // bytes of device memory; 0 is no limit
	Programs   map[string]*Program
	// DeviceAttributes are those of each device and of its description.
	DeviceAttributes []Value
	// TopologyAttributes are those of each topology.
	TopologyAttributes []Value
	// KV is what making a client does with its key-value store.
	KV []KV
	// OnKV runs while a client is made, after KV, and may call CallKV. Its error is the plugin's.
	OnKV func(*Fake) error
	// Tamper changes what a function returns, as a broken plugin does.
	Tamper map[pjrtc.Slot]func(args mem.Addr)

	calling sync.WaitGroup // callbacks and executions in progress

	mu         sync.Mutex
	fail       map[string]*Failure
	faults     map[string]Fault
	waited     func() // when somebody waits for an event that never fires
	injected   int
	eventFault Fault // of the events that are being made
	big        []byte
	bad        []byte
	objects    map[uintptr]*object
	next       uintptr
	violations []string
	destroyed  map[string]int
	options    []Value // what the last client was made with
	calls      map[string]int
	kv         kvCallbacks
	runs       []Run
	running    []*execution
	held       []func() // what waits for Release
	hold       bool
	views      int
	used, peak int64
	allocs     int64
	extensions []extension
	named      map[string]func(a []uintptr) uintptr
	memory
	api *pjrtc.Api
}

// Link is an extension of the chain whose functions do nothing of use.
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
	Code    pjrtc.ErrorCode
	Msg     string
	Payload []Value // strings
	Times   int     // how often; 0 is always
	// Late makes the function succeed and its event carry the error.
	Late bool
}

// Type is the type of a tensor.
type Type struct {
	Type pjrtc.BufferType
	Dims []int64
}

var (
	current struct {
		sync.Mutex
		fake *Fake
		made uintptr
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
		fail:      map[string]*Failure{},
		faults:    map[string]Fault{},
		objects:   map[uintptr]*object{},
		next:      0x7f0000000000 << 8,
		destroyed: map[string]int{},
		calls:     map[string]int{},
		named:     map[string]func([]uintptr) uintptr{},
	}
	current.Lock()
	defer current.Unlock()
	current.fake = f
	// A handle of one fake is none of another's.
	current.made++
	f.next += current.made << 30
	return f
}

func now() *Fake {
	current.Lock()
	defer current.Unlock()
	return current.fake
}

// Close fires what is held and frees the fake's memory. Nothing may use its table any more.
func (f *Fake) Close() {
	f.Release()
	f.Quiet()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memory.free()
}

// functions makes the C functions of the process's one fake table.
func functions() error {
	fns.Do(func() {
		for s := range pjrtc.Slot(pjrtc.NumSlots) {
			fns.fn[s], fns.err = cb.Static1(func(a mem.Addr) uintptr { return uintptr(now().serve(s, a)) }, panicked)
			if fns.err != nil {
				return
			}
		}
	})
	return fns.err
}

// panicked makes a panic of the fake's own a violation and not the end of the process.
func panicked(err error) uintptr {
	f := now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.violate("the fake panicked: %v", err)
	return uintptr(f.newError(failed(pjrtc.ErrorCodeINTERNAL, err.Error())))
}

// API builds the function table.
func (f *Fake) API() (pjrtc.Ptr[pjrtc.Api], error) {
	if err := functions(); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
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
	return api, f.chain()
}

// Table builds the function table and reads it as a client does.
func (f *Fake) Table() (*pjrtc.Table, error) {
	api, err := f.API()
	if err != nil {
		return nil, err
	}
	return pjrtc.NewTable(api)
}

// Dispatch calls a function of the fake's table as a plain C caller does.
func (f *Fake) Dispatch(s pjrtc.Slot, a mem.Addr) pjrtc.Ptr[pjrtc.Error] {
	return pjrtc.Ptr[pjrtc.Error](call.Call1(fns.fn[s], a))
}

// Fail makes a function fail from now on; nil makes it work again.
func (f *Fake) Fail(s pjrtc.Slot, how *Failure) { f.FailAt(s.String(), how) }

// FailAt is [Fake.Fail] for any [Point].
func (f *Fake) FailAt(point string, how *Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if how == nil {
		delete(f.fail, point)
		return
	}
	f.fail[point] = how
}

// Hold keeps all later asynchronous work from being done, and its events from firing, until Release.
func (f *Fake) Hold() {
	f.mu.Lock()
	f.hold = true
	f.mu.Unlock()
}

// Release does all work that was held, in order, and ends Hold.
func (f *Fake) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = false
	held := f.held
	f.held = nil
	for _, run := range held {
		run()
	}
}

// Drop forgets all work that is held: its events never fire.
func (f *Fake) Drop() {
	f.mu.Lock()
	f.held = nil
	f.mu.Unlock()
}

// Quiet waits until all callbacks have returned and all executions have ended.
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
		if !o.dead && !o.owned {
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

// Calls counts how often a function was called, by its [Point].
func (f *Fake) Calls(point string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[point]
}

// Called counts the calls of every function that was called.
func (f *Fake) Called() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

// Views counts how often a buffer was read in place.
func (f *Fake) Views() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.views
}

// Options are what the last client or topology was made with.
func (f *Fake) Options() []Value {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.options)
}

// Runs are the executions so far, one for each device.
func (f *Fake) Runs() []Run {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.runs)
}

func (f *Fake) violate(format string, a ...any) {
	f.violations = append(f.violations, fmt.Sprintf(format, a...))
}

// Violate adds to the violations. It is for functions given to [Fake.Extend].
func (f *Fake) Violate(format string, a ...any) { f.violate(format, a...) }

// unlocked runs what calls the client back. The caller holds mu.
func (f *Fake) unlocked(fn func()) {
	f.mu.Unlock()
	defer f.mu.Lock()
	fn()
}
