// Package pjrtlayer watches a PJRT plugin from between it and its client: package layer with the spec of the PJRT C API,
// pjrt.spec, and with what a spec cannot say: executions and their outputs, donation, events, and host memory. It also
// writes every call into a trace.
//
// A Layer has two front ends. [Layer.Table] is for clients in this process that call by [pjrtc.Call]: their calls come
// here in Go, without a detour through C. [Layer.APIOf] and [Layer.Dispatch] are a function table in C for everyone else.
// Functions of extensions are always C functions, since every client calls them by address.
//
// Errors of the layer's own are made by package pjrtserve, whose errors any client can read: by the plugin's functions,
// which the layer answers for them, and by the function table that each error begins with.
package pjrtlayer

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
)

// Options says what a layer does. One that does nothing is an error.
type Options struct {
	// Report gets the findings, on the goroutine of the call that broke a rule; nil for no checks.
	Report func(*isthmus.Finding)
	// Trace gets the calls, as a trace for Perfetto and for Chrome; nil for no trace.
	Trace io.Writer
	// Initialized says that PJRT_Plugin_Initialize was called already.
	Initialized bool
}

// Layer stands before one plugin. It lives as long as the process, as its tables do. It is safe for concurrent use.
type Layer struct {
	real   *pjrtc.Table
	table  *pjrtc.Table  // real with the layer before it
	eng    *layer.Engine // nil without checks
	tracer *tracer       // nil without a trace
	own    *pjrtserve.Server
	slots  [pjrtc.NumSlots]*layer.Func
	exts   map[string]*layer.Func
	kinds  kinds
	// argument is what an execution does with its arguments.
	argument layer.Op

	initialized atomic.Bool
	callbacks   callbacks

	mu       sync.Mutex
	stubs    map[pjrtc.Slot]call.Fn
	deleters map[deleter]call.Fn
}

// aboveLayer is how many frames a call has in the layer and in pjrtc.
const aboveLayer = 3

// kinds are the kinds that code here knows.
type kinds struct{ client, errors, event, buffer, loaded layer.Kind }

// New makes a layer before the plugin of a table.
func New(t *pjrtc.Table, o Options) (*Layer, error) {
	if o.Report == nil && o.Trace == nil {
		return nil, fmt.Errorf("pjrtlayer: neither checks nor a trace: %w", isthmus.ErrInvalid)
	}
	spec, err := Spec()
	if err != nil {
		return nil, err
	}
	l := &Layer{real: t, own: pjrtserve.New(nil), exts: map[string]*layer.Func{}, stubs: map[pjrtc.Slot]call.Fn{}, deleters: map[deleter]call.Fn{}}
	l.table = t.Intercept(l, 0)
	l.initialized.Store(o.Initialized || !t.Has(pjrtc.SlotPluginInitialize))
	l.kinds = kinds{spec.Kind("Client"), spec.Kind("Error"), spec.Kind("Event"), spec.Kind("Buffer"), spec.Kind("LoadedExecutable")}
	l.argument = layer.Op{Act: layer.Use, Field: "an argument", Kind: l.kinds.buffer, Contents: true}
	for name, f := range spec.Funcs {
		own := *f
		own.ID = -1
		l.exts[name] = &own
	}
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		f := l.exts[s.String()]
		if f == nil {
			return nil, fmt.Errorf("pjrtlayer: the spec lacks %s", s)
		}
		f.ID = int(s)
		l.slots[s] = f
	}
	if o.Trace != nil {
		l.tracer = newTracer(o.Trace, spec)
	}
	if o.Report != nil {
		l.eng = layer.New(spec, o.Report)
		// Made where no call returns them: given to a callback, or by functions that extensions share.
		for _, k := range []string{"CopyToDeviceStream", "RawBuffer", "MultiSliceConfig"} {
			l.eng.Adopt(spec.Kind(k))
		}
		l.hooks()
		l.memoryHooks()
	}
	return l, nil
}

// Engine is the book of the objects, nil without checks.
func (l *Layer) Engine() *layer.Engine { return l.eng }

// Close ends the trace: what is called later is not in it. The layer goes on with its checks.
func (l *Layer) Close() error {
	if l.tracer == nil {
		return nil
	}
	return l.tracer.close()
}

// Call makes a call for a client in this process.
func (l *Layer) Call(s pjrtc.Slot, f *call.Frame, a mem.Addr) uintptr {
	return l.through(l.slots[s], f, a, 0)
}

// Steps makes several calls. A call that is followed by the wait for its event and the event's end crosses once, as it
// would without the layer: the event lives inside the crossing, where nobody can misuse it, so it is not entered.
func (l *Layer) Steps(f *call.Frame, steps []pjrtc.Step) (ran int, last uintptr) {
	whole := len(steps) == 3 && steps[1].Slot == pjrtc.SlotEventAwait && steps[2].Slot == pjrtc.SlotEventDestroy && steps[1].Arg == steps[2].Arg && steps[1].Need != 0
	if !whole || l.eng == nil || l.tracer != nil || l.real.Intercepted() {
		return l.table.OneByOne(f, steps)
	}
	var c layer.Call
	c.Site = isthmus.HereAbove(aboveLayer)
	l.begin(&c, l.slots[steps[0].Slot], steps[0].Arg)
	if c.Refused != nil {
		return 1, l.refuse(&c)
	}
	ran, last, err := f.Chain(call.Pair{Fn: l.real.Fn(steps[0].Slot), Arg: steps[0].Arg},
		call.Pair{Fn: l.real.Fn(steps[1].Slot), Arg: steps[1].Arg, Need: steps[1].Need}, call.Pair{Fn: l.real.Fn(steps[2].Slot), Arg: steps[2].Arg})
	if err != nil { // more calls than a chain takes, which these are not
		return 0, 0
	}
	// SAFETY: owner: the caller, for the call; bounds and alignment: a word of an argument struct; thread: the caller's.
	event := mem.At[uintptr](steps[1].Need)
	kept := *event
	if ran == 3 {
		*event = 0
	}
	failed := ran == 1 && last != 0
	l.eng.After(&c, failed)
	switch {
	case f.Threw(): // the client asks the frame; there is no error to enter
		return ran, last
	case failed:
		l.finish(&c, last)
		return ran, last
	case ran == 3 && last != 0:
		c.Add(l.kinds.errors, last, nil, false)
	}
	l.finish(&c, 0)
	*event = kept
	if ran == 2 { // the wait gave an error, and the event is there still
		var w layer.Call
		l.begin(&w, l.slots[pjrtc.SlotEventAwait], steps[1].Arg)
		l.eng.After(&w, true)
		l.finish(&w, last)
	}
	return ran, last
}

// invoke makes the call itself.
func (l *Layer) invoke(fn *layer.Func, f *call.Frame, a mem.Addr, ext call.Fn) uintptr {
	if ext != 0 {
		return f.Call1(ext, a)
	}
	return l.real.Invoke(pjrtc.Slot(fn.ID), f, a)
}

// through takes one call through the layer. ext is the function of an extension, 0 for one of the table.
func (l *Layer) through(fn *layer.Func, f *call.Frame, a mem.Addr, ext call.Fn) uintptr {
	if l.eng == nil {
		return l.traced(fn, f, a, ext)
	}
	var c layer.Call
	if fn.Records {
		c.Site = isthmus.HereAbove(aboveLayer)
	}
	l.begin(&c, fn, a)
	if c.Refused != nil {
		return l.refuse(&c)
	}
	var r uintptr
	if o := c.Object(0); o != nil && o.Own() {
		r = uintptr(l.own.Dispatch(pjrtc.Slot(fn.ID), a))
	} else {
		r = l.traced(fn, f, a, ext)
	}
	if f.Threw() { // the client asks the frame; there is no error to enter
		l.eng.After(&c, true)
		return r
	}
	if fn.Void {
		r = 0
	}
	l.eng.After(&c, r != 0)
	l.finish(&c, r)
	return r
}

func (l *Layer) begin(c *layer.Call, fn *layer.Func, a mem.Addr) {
	l.eng.Before(c, fn, a)
	if c.Refused != nil {
		return
	}
	if !l.initialized.Load() && fn.ID != int(pjrtc.SlotPluginInitialize) && fn.ID != int(pjrtc.SlotPluginAttributes) && (len(fn.Ops) == 0 || fn.Ops[0].Kind != l.kinds.errors) {
		l.initialized.Store(true) // said once
		c.Report(layer.OutOfOrder, nil, "PJRT_Plugin_Initialize was not called before")
	}
	l.sameClient(c)
}

// sameClient sees to it that what is given to a client is the client's.
func (l *Layer) sameClient(c *layer.Call) {
	ops := c.Func.Ops
	if len(ops) < 2 || ops[0].Kind != l.kinds.client {
		return
	}
	for i := 1; i < len(ops); i++ {
		if o := c.Object(i); o != nil && ops[i].Act == layer.Use {
			l.checkClient(c, ops[i].Field, o, c.Object(0))
		}
	}
}

func (l *Layer) checkClient(c *layer.Call, field string, o, client *layer.Object) {
	if client == nil {
		return
	}
	if r := o.Root(); r != client && r.Kind() == l.kinds.client {
		c.Report(wrongClient, o, "%s belongs to client #%d, the call is for #%d", field, r.ID(), client.ID())
	}
}

// refuse answers a call that must not be made.
func (l *Layer) refuse(c *layer.Call) uintptr {
	if c.Func.Void {
		return 0
	}
	r := uintptr(pjrtserve.Raise(&pjrtserve.Error{Code: pjrtc.ErrorCodeINVALIDARGUMENT, Msg: "isthmus layer: " + c.Refused.Error()}))
	if r != 0 {
		c.AddOwn(l.kinds.errors, r)
	}
	return r
}

// finish enters the error that a call returned, and puts functions of the layer's own where the plugin's would go round
// it.
func (l *Layer) finish(c *layer.Call, r uintptr) {
	if r != 0 {
		switch o := c.Object(0); {
		case o == nil || !o.Own():
			c.Add(l.kinds.errors, r, nil, false)
		case r != o.Addr():
			c.AddOwn(l.kinds.errors, r)
		}
		return
	}
	for i := range c.Func.Ops {
		if op := &c.Func.Ops[i]; op.Deleter != 0 && op.Deleter+8 <= c.Size {
			// SAFETY: owner: the caller of the slot, for the call; bounds: inside the size that the struct states;
			// alignment: a field of a struct that Before has checked; thread: the caller's.
			at := mem.At[pjrtc.Func](uintptr(c.Args) + op.Deleter)
			if *at != 0 {
				*at = pjrtc.Func(l.deleter(call.Fn(*at), op))
			}
		}
	}
}

// deleter is a function of the plugin's that destroys objects of a kind.
type deleter struct {
	fn   call.Fn
	kind layer.Kind
}

// deleter gives the function that stands before one of the plugin's. Without room for it the plugin's own remains, and
// what it destroys is not seen.
func (l *Layer) deleter(fn call.Fn, op *layer.Op) call.Fn {
	d := deleter{fn, op.Kind}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.deleters[d]; s != 0 {
		return s
	}
	name := l.eng.Spec.Kinds[op.Kind] + "'s deleter"
	s, err := cb.Static1(func(a mem.Addr) uintptr {
		if l.eng.End(d.kind, uintptr(a), name) {
			call.Call1(d.fn, a)
		}
		return 0
	}, fault)
	if err != nil {
		return fn
	}
	l.deleters[d] = s
	return s
}

// fault is what C gets after a panic of the layer's own: it is reported, and the call has failed.
func fault(err error) uintptr {
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "pjrtlayer"}, Err: err})
	return uintptr(pjrtserve.Raise(fmt.Errorf("isthmus layer: %w", err)))
}

// Fn is a C function for a slot, for who calls by address. It is made on first use and kept.
func (l *Layer) Fn(s pjrtc.Slot) call.Fn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if fn := l.stubs[s]; fn != 0 {
		return fn
	}
	fn, err := cb.Static1(func(a mem.Addr) uintptr { return l.Dispatch(s, a) }, faultOf(l.slots[s]))
	if err != nil {
		return l.real.Fn(s) // unseen is better than not at all
	}
	l.stubs[s] = fn
	return fn
}

func faultOf(f *layer.Func) func(error) uintptr {
	if f.Void {
		return func(err error) uintptr { _ = fault(err); return 0 }
	}
	return fault
}

// Dispatch serves a call of C's.
func (l *Layer) Dispatch(s pjrtc.Slot, a mem.Addr) uintptr {
	f := call.Get()
	defer f.Put()
	r := l.Call(s, f, a)
	if x := f.Thrown(); x != nil {
		return faultOf(l.slots[s])(x)
	}
	return r
}

// Table is the plugin's table with the layer before it, for clients in this process.
func (l *Layer) Table() (*pjrtc.Table, error) {
	chain, err := l.chain()
	if err != nil {
		return nil, err
	}
	return l.real.Intercept(l, chain), nil
}

// APIOf builds the plugin's table with the layer before it, for C. fn gives the C functions, which lead to
// [Layer.Dispatch]; those that the plugin lacks are null here too, and those that this module does not know are the
// plugin's own.
func (l *Layer) APIOf(fn func(pjrtc.Slot) (pjrtc.Func, error)) (pjrtc.Ptr[pjrtc.Api], error) {
	chain, err := l.chain()
	if err != nil {
		return 0, err
	}
	api := l.real.API()
	// SAFETY: owner: the plugin, for the process's life; bounds: NewTable has checked the size; alignment: checked there;
	// thread: any, the table is constant.
	size := api.At().StructSize
	p, err := mem.Pages(int(max(size, pjrtc.ApiSize)))
	if err != nil {
		return 0, err
	}
	from, err := mem.Slice[byte](api, size)
	if err != nil {
		return 0, err
	}
	to, err := mem.Slice[byte](p, size)
	if err != nil {
		return 0, err
	}
	copy(to, from)
	out := pjrtc.Ptr[pjrtc.Api](p)
	out.At().ExtensionStart = chain
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		if !l.real.Has(s) {
			continue
		}
		f, err := fn(s)
		if err != nil {
			return 0, err
		}
		// SAFETY: owner: the process, for ever; bounds: a slot that the table has is inside its size; alignment: pages;
		// thread: this one, and constant after.
		*mem.At[pjrtc.Func](p + mem.Addr(s.Offset())) = f
	}
	return out, nil
}

// API is [Layer.APIOf] with C functions made here.
func (l *Layer) API() (pjrtc.Ptr[pjrtc.Api], error) {
	return l.APIOf(func(s pjrtc.Slot) (pjrtc.Func, error) { return pjrtc.Func(l.Fn(s)), nil })
}

// chain copies the plugin's extensions, with functions of the layer's own for those in the spec.
func (l *Layer) chain() (pjrtc.Ptr[pjrtc.ExtensionBase], error) {
	links, err := l.real.Chain()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", err, isthmus.ErrInvalid)
	}
	known := pjrtc.Extensions()
	var first pjrtc.Ptr[pjrtc.ExtensionBase]
	var last *pjrtc.ExtensionBase
	for _, link := range links {
		p, err := mem.Pages(int(link.Size))
		if err != nil {
			return 0, err
		}
		from, err := mem.Slice[byte](link.Base, link.Size)
		if err != nil {
			return 0, err
		}
		to, err := mem.Slice[byte](p, link.Size)
		if err != nil {
			return 0, err
		}
		copy(to, from)
		base := pjrtc.Ptr[pjrtc.ExtensionBase](p)
		base.At().Next = 0
		if t := int(link.Type); t >= 0 && t < len(known) {
			for _, f := range known[t].Funcs {
				fn := extFunc(l.specOf(), known[t], f)
				real := link.Func(f.Offset)
				if fn == nil || real == 0 {
					continue
				}
				stub, err := l.extStub(l.exts[fn.Name], call.Fn(real))
				if err != nil {
					return 0, err
				}
				// SAFETY: owner: the process, for ever; bounds: link.Func has checked the offset; alignment: it too;
				// thread: this one, and constant after.
				*mem.At[pjrtc.Func](p + mem.Addr(f.Offset)) = pjrtc.Func(stub)
			}
		}
		if last == nil {
			first = base
		} else {
			last.Next = base
		}
		last = base.At()
	}
	return first, nil
}

func (l *Layer) specOf() *layer.Spec {
	s, _ := Spec() // New has read it
	return s
}

func (l *Layer) extStub(fn *layer.Func, real call.Fn) (call.Fn, error) {
	return cb.Static1(func(a mem.Addr) uintptr {
		f := call.Get()
		defer f.Put()
		return l.through(fn, f, a, real)
	}, faultOf(fn))
}
