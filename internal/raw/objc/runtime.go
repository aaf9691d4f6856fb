// Package objc sends messages to Objective-C objects: on Apple's runtime and on GNU's, without cgo.
//
// What can go wrong is an error. An object that a message should give and does not is [ErrNil]; an exception is an
// [isthmus.Exception]; a method that is not there, or has other types than the facts say ([Table]), is refused before it is called.
// An [Object] owns one reference, released exactly once. What a message leaves to an autorelease pool lives as long as the [Pool]
// that it was sent in, which stays on its thread.
package objc

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Runtime is the Objective-C runtime of the process, with the Foundation framework.
type Runtime struct {
	name string
	objc *dl.Library

	send, sendStret                            call.Fn
	getClass, registerName, className, superOf call.Fn
	getMethod, getEncoding, objectClass        call.Fn
	push, pop                                  call.Fn // or the class of pools
	allocatePair, registerPair, addMethod      call.Fn

	poolClass uintptr
	sel       struct {
		alloc, init, retain, release, drain                           uintptr
		utf8, length, name, reason, text, domain, code, count, object uintptr
		fromUTF8, fromObjects                                         uintptr
	}
	stringClass, arrayClass uintptr
	globalBlock             uintptr

	abandoned atomic.Int64

	mu  sync.Mutex
	sys map[string]uintptr // selectors by name
}

// libraries are where a system's runtime is.
type libraries struct {
	cxx, objc, foundation []string
}

// one is the runtime: a process has one.
var one struct {
	sync.Mutex
	rt *Runtime
}

// Open loads the runtime and Foundation, once. Errors: [isthmus.ErrUnsupported] where exceptions cannot be stopped,
// [isthmus.ErrNotFound] where there is no runtime.
func Open() (*Runtime, error) {
	one.Lock()
	defer one.Unlock()
	if one.rt != nil {
		return one.rt, nil
	}
	if call.Trampoline != "assembly" || runtime.GOOS == "windows" {
		return nil, fmt.Errorf("objc: open on %s/%s: %w", runtime.GOOS, runtime.GOARCH, isthmus.ErrUnsupported)
	}
	r, err := open(system())
	if err != nil {
		return nil, fmt.Errorf("objc: open: %w", err)
	}
	one.rt = r
	return r, nil
}

func open(l libraries) (*Runtime, error) {
	if _, err := dl.Open(l.cxx...); err != nil {
		return nil, err
	}
	lib, err := dl.Open(l.objc...)
	if err != nil {
		return nil, err
	}
	foundation, err := dl.Open(l.foundation...)
	if err != nil {
		return nil, err
	}
	if !call.Guarded() {
		return nil, fmt.Errorf("there is no barrier against exceptions: %w", isthmus.ErrUnsupported)
	}
	r := &Runtime{name: "GNU", objc: lib, sys: map[string]uintptr{}}
	for name, to := range map[string]*call.Fn{
		"objc_getClass": &r.getClass, "sel_registerName": &r.registerName, "class_getName": &r.className, "class_getSuperclass": &r.superOf,
		"class_getInstanceMethod": &r.getMethod, "method_getTypeEncoding": &r.getEncoding, "objc_allocateClassPair": &r.allocatePair,
		"objc_registerClassPair": &r.registerPair, "class_addMethod": &r.addMethod,
	} {
		if *to, err = lib.Symbol(name); err != nil {
			return nil, err
		}
	}
	if err := r.entries(); err != nil {
		return nil, err
	}
	for name, to := range map[string]*uintptr{
		"alloc": &r.sel.alloc, "init": &r.sel.init, "retain": &r.sel.retain, "release": &r.sel.release, "drain": &r.sel.drain,
		"UTF8String": &r.sel.utf8, "length": &r.sel.length, "name": &r.sel.name, "reason": &r.sel.reason, "localizedDescription": &r.sel.text,
		"domain": &r.sel.domain, "code": &r.sel.code, "count": &r.sel.count, "objectAtIndex:": &r.sel.object,
		"stringWithUTF8String:": &r.sel.fromUTF8, "arrayWithObjects:count:": &r.sel.fromObjects,
	} {
		if *to, err = r.selector(name); err != nil {
			return nil, err
		}
	}
	for name, to := range map[string]*uintptr{"NSAutoreleasePool": &r.poolClass, "NSString": &r.stringClass, "NSArray": &r.arrayClass} {
		if *to = r.class(name); *to == 0 {
			return nil, fmt.Errorf("%s has no class %s: %w", foundation.Path(), name, isthmus.ErrNotFound)
		}
	}
	r.globalBlock = r.class("NSObject")
	if a, err := lib.Symbol("_NSConcreteGlobalBlock"); err == nil {
		r.globalBlock = uintptr(a)
	}
	var thrown uintptr
	if a, err := lib.Symbol("objc_ehtype_vtable"); err == nil {
		thrown = uintptr(a) + 16 // after the two words that head it
	}
	call.GuardObjects(r.send, r.sel.retain, thrown, r.describe)
	return r, nil
}

// entries finds how messages are sent and pools are made: by the functions that Apple's runtime has, or by GNU's.
func (r *Runtime) entries() error {
	optional := func(name string) call.Fn {
		a, err := r.objc.Symbol(name)
		if err != nil {
			return 0
		}
		return a
	}
	r.objectClass = optional("object_getClass")
	r.push, r.pop = optional("objc_autoreleasePoolPush"), optional("objc_autoreleasePoolPop")
	if r.push == 0 || r.pop == 0 {
		r.push, r.pop = 0, 0
	}
	if r.send = optional("objc_msgSend"); r.send != 0 {
		r.name = "Apple"
		if r.sendStret = optional("objc_msgSend_stret"); r.sendStret == 0 {
			r.sendStret = r.send
		}
		return nil
	}
	find, err := r.objc.Symbol("objc_msg_lookup")
	if err != nil {
		return err
	}
	r.send, r.sendStret = call.SendBy(find)
	return nil
}

// Name says which runtime it is: "Apple" has Apple's entry points, "GNU" GNU's.
func (r *Runtime) Name() string { return r.name }

// Entry is objc_msgSend, or what has its contract: for measurements beside it.
func (r *Runtime) Entry() call.Fn { return r.send }

// Path is the runtime's library.
func (r *Runtime) Path() string { return r.objc.Path() }

// text makes a call with a C string as its argument at place i of args.
func text(fn call.Fn, s string, i int, args ...uintptr) uintptr {
	f := call.Get()
	defer f.Put()
	a, err := f.Text(s)
	if err != nil {
		return 0
	}
	args = slices.Insert(args, i, uintptr(a))
	return f.Call(fn, args...)
}

// class finds a class by name, 0 if there is none.
func (r *Runtime) class(name string) uintptr { return text(r.getClass, name, 0) }

// selector registers a name, once.
func (r *Runtime) selector(name string) (uintptr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sys[name]; s != 0 {
		return s, nil
	}
	s := text(r.registerName, name, 0)
	if s == 0 {
		return 0, fmt.Errorf("objc: selector %q cannot be registered: %w", name, isthmus.ErrLimit)
	}
	r.sys[name] = s
	return s, nil
}

// classOf is the class of an object that is not nil.
func (r *Runtime) classOf(object uintptr) uintptr {
	if r.objectClass != 0 {
		return call.Call1(r.objectClass, mem.Addr(object))
	}
	// SAFETY: owner: whoever has the reference, the caller; lifetime: the caller's; bounds and alignment: an object begins with its
	// class in GNU's runtime; thread: any, it does not change.
	return *mem.At[uintptr](object)
}

// raw sends a message of up to four integer arguments, on this thread only if thread is not 0.
func (r *Runtime) raw(thread, object, sel uintptr, args ...uintptr) (uintptr, error) {
	return r.rawOr(false, thread, object, sel, args...)
}

// errQuiet is an exception that nobody wants to know.
var errQuiet = errors.New("an exception while an exception was looked at")

// rawOr is raw, and if quiet leaves an exception alone.
func (r *Runtime) rawOr(quiet bool, thread, object, sel uintptr, args ...uintptr) (uintptr, error) {
	f := call.Get()
	defer f.Put()
	w, err := call.Raw[call.Wide](f)
	if err != nil {
		return 0, err
	}
	w.Fn, w.Few, w.Thread = r.send, 1, thread
	w.Ints[0], w.Ints[1] = object, sel
	copy(w.Ints[2:6], args)
	if !w.Run() {
		return 0, errThread
	}
	if quiet {
		if w.Drop() {
			return 0, errQuiet
		}
	} else if x := w.Thrown(); x != nil {
		return 0, x
	}
	return w.R0, nil
}

// release gives one reference back, in a pool: what the object's end leaves to a pool must have one.
func (r *Runtime) release(name string, id uintptr) error {
	return r.Pool(func(p *Pool) error {
		if _, err := r.raw(p.thread, id, r.sel.release); err != nil {
			return &CallError{name, "release", err}
		}
		return nil
	})
}

// Abandoned is how many objects were left as an exception of their initialiser left them: alive, for ever.
func (r *Runtime) Abandoned() int { return int(r.abandoned.Load()) }
