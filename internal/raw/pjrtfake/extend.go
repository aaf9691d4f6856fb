package pjrtfake

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Func is a function of an extension, for [Fake.Extend]. [On] makes one.
type Func struct {
	*handler
	void bool // it returns nothing
}

// On is a function of an extension that takes one struct with a size. It runs with the fake locked, so it uses
// [Make], [Get], [Destroy], [List], [Fake.Text] and [Fake.Violate], and none of the Fake's other exported methods;
// [Fake.Unlocked] lets it call the client.
func On[A any, P interface {
	*A
	SetSize()
}](serve func(f *Fake, a P) *Failure) Func {
	return Func{handler: &handler{sizeOf[A, P](), func(f *Fake, a mem.Addr) *Failure { return serve(f, P(mem.At[A](a))) }, reflect.TypeFor[A]()}}
}

// Plain is [On] for a struct without a size.
func Plain[A any](serve func(f *Fake, a *A) *Failure) Func {
	return Func{handler: &handler{0, func(f *Fake, a mem.Addr) *Failure { return serve(f, mem.At[A](a)) }, reflect.TypeFor[A]()}}
}

// Void makes f a function that returns nothing.
func Void(f Func) Func {
	f.void = true
	return f
}

type extension struct {
	typ  pjrtc.ExtensionType
	size uint64
	fns  map[string]Func
	fill func(ext mem.Addr)
}

// Extend gives the fake an extension with functions, by their names in C's struct of the extension. Functions that are
// left out are null. It is called before [Fake.Table].
func (f *Fake) Extend(t pjrtc.ExtensionType, fns map[string]Func) {
	f.extensions = append(f.extensions, extension{typ: t, fns: fns})
}

// ExtendWith is [Fake.Extend] with a struct_size (0 is the true one) and a function that fills what else the
// extension's struct holds.
func (f *Fake) ExtendWith(t pjrtc.ExtensionType, size uint64, fns map[string]Func, fill func(ext mem.Addr)) {
	f.extensions = append(f.extensions, extension{t, size, fns, fill})
}

// Point names a function of an extension, as Fail and faults know it.
func Point(t pjrtc.ExtensionType, name string) string {
	return describe(t).Struct + "." + name
}

func describe(t pjrtc.ExtensionType) pjrtc.Extension {
	for _, e := range pjrtc.Extensions() {
		if e.Type == t {
			return e
		}
	}
	return pjrtc.Extension{Struct: fmt.Sprint("extension ", int(t))}
}

// chain builds the extensions. The caller holds mu.
func (f *Fake) chain() error {
	var first, last *pjrtc.ExtensionBase
	link := func(size uint64, t pjrtc.ExtensionType) mem.Addr {
		b := f.block(int(size))
		e := pjrtc.Ptr[pjrtc.ExtensionBase](mem.AddrOf(b)).At()
		e.StructSize, e.Type = size, t
		if last == nil {
			first = e
		} else {
			last.Next = pjrtc.To(e)
		}
		last = e
		return mem.AddrOf(b)
	}
	for _, l := range f.Links {
		a := link(uint64(pjrtc.ExtensionBaseSize+8*l.Fns), l.Type)
		for i := range l.Fns {
			*mem.At[pjrtc.Func](a + mem.Addr(pjrtc.ExtensionBaseSize+8*i)) = pjrtc.Func(fns.fn[0])
		}
		if l.Size != 0 {
			last.StructSize = l.Size
		}
	}
	for _, x := range f.extensions {
		d := describe(x.typ)
		a := link(uint64(max(d.Size, pjrtc.ExtensionBaseSize)), x.typ)
		known := 0
		for _, fn := range d.Funcs {
			serve, ok := x.fns[fn.Name]
			if !ok {
				continue
			}
			known++
			point := Point(x.typ, fn.Name)
			*mem.At[pjrtc.Func](a + mem.Addr(fn.Offset)) = f.cfunc(point, 1, func(p []uintptr) uintptr {
				return uintptr(f.run(point, serve.handler, !serve.void, mem.Addr(p[0]), nil))
			})
		}
		if known != len(x.fns) {
			return fmt.Errorf("pjrtfake: %s has not all of the functions %v", d.Struct, x.fns)
		}
		if x.fill != nil {
			x.fill(a)
		}
		if x.size != 0 {
			last.StructSize = x.size
		}
	}
	if first != nil {
		f.api.ExtensionStart = pjrtc.To(first)
		if f.Cycle {
			last.Next = pjrtc.To(first)
		}
	}
	return nil
}

// Object is an object of an extension's.
type Object = object

// Make makes an object of any kind with a value, for a function of an extension's. A parent that is destroyed first
// is a violation. A nil parent is none.
func Make[T any](f *Fake, kind string, parent *Object, value any) pjrtc.Ptr[T] {
	return pjrtc.Ptr[T](f.make(&object{kind: kind, parent: parent, value: value}).handle)
}

// MakeOwned is [Make] for an object that belongs to its parent: the client does not destroy it.
func MakeOwned[T any](f *Fake, kind string, parent *Object, value any) pjrtc.Ptr[T] {
	return pjrtc.Ptr[T](f.make(&object{kind: kind, owned: true, parent: parent, value: value}).handle)
}

// Get finds an object; a wrong handle is a violation and gives nil. The kinds of the fake's own objects are client,
// device (also its description), memory, topology, executable (loaded), description (an executable that need not be
// loaded), buffer, event.
func Get[T any](f *Fake, what, kind string, h pjrtc.Ptr[T]) *Object { return get(f, what, kind, h) }

// Destroy ends an object, nil if it was no such object.
func Destroy[T any](f *Fake, kind string, h pjrtc.Ptr[T]) *Object { return destroy(f, kind, h) }

// Value is what the object was made with.
func (o *object) Value() any {
	if o == nil {
		return nil
	}
	return o.value
}

// SetValue changes it.
func (o *object) SetValue(v any) { o.value = v }

// Buffer gives the type and the contents of a buffer.
func (o *object) Buffer() (Type, []byte) { return o.typ, o.data }

// Handle is the handle of an object.
func (o *object) Handle() uintptr { return o.handle }

// NewEvent makes an event of a client's that fires as all others do, with err.
func (f *Fake) NewEvent(client *Object, err *Failure) pjrtc.Ptr[pjrtc.Event] {
	return pjrtc.Ptr[pjrtc.Event](f.newEvent(client, err, nil, nil).handle)
}

// NewBuffer makes a buffer on a device.
func (f *Fake) NewBuffer(device *Object, t Type, data []byte) pjrtc.Ptr[pjrtc.Buffer] {
	b, err := f.newBuffer(device.space, t, append([]byte{}, data...))
	if err != nil {
		return 0
	}
	return pjrtc.Ptr[pjrtc.Buffer](b.handle)
}

// Bytes gives C bytes that live until an object of a kind is ended by [Fake.Deleter].
func Bytes[T any](f *Fake, kind, s string) (pjrtc.Ptr[T], pjrtc.Ptr[byte], uint64) {
	o, p, n := f.bytesObject(kind, s)
	return pjrtc.Ptr[T](o), p, n
}

// NewError makes a PJRT_Error.
func (f *Fake) NewError(how *Failure) pjrtc.Ptr[pjrtc.Error] { return f.newError(how) }

// Unlocked runs what calls the client.
func (f *Fake) Unlocked(fn func()) { f.unlocked(fn) }

// Lock and Unlock guard what functions of [Fake.Func] do with objects.
func (f *Fake) Lock() { f.mu.Lock() }

// Unlock is the other half of Lock.
func (f *Fake) Unlock() { f.mu.Unlock() }

// Go runs fn on a goroutine that [Fake.Quiet] and [Fake.Close] wait for.
func (f *Fake) Go(fn func()) { f.calling.Go(fn) }

// Invoke calls a function of the client's with up to six words.
func Invoke(fn pjrtc.Func, args ...uintptr) uintptr { return call.Call(call.Fn(fn), args...) }

// Deleter is a C function of one argument, the handle of an object of a kind, that ends it.
func (f *Fake) Deleter(kind string) pjrtc.Func {
	return f.Func("delete "+kind, 1, func(a []uintptr) uintptr {
		f.mu.Lock()
		defer f.mu.Unlock()
		if p := mem.Addr(a[0]); p == 0 || p != mem.AddrOf(f.big) && p != mem.AddrOf(f.bad) { // those are a fault's
			destroy(f, kind, pjrtc.Ptr[byte](a[0]))
		}
		return 0
	})
}

func (f *Fake) chunkDeleter() pjrtc.Func {
	return f.Func("delete chunk", 2, func(a []uintptr) uintptr {
		f.mu.Lock()
		defer f.mu.Unlock()
		destroy(f, "chunk", pjrtc.Ptr[byte](a[1]))
		return 0
	})
}

// errorMaker is a PJRT_CallbackError*, which callbacks of the client's make errors with.
func (f *Fake) errorMaker() pjrtc.Ptr[pjrtc.Func] {
	return List(f, nil, []pjrtc.Func{f.Func("callback error", 3, func(a []uintptr) uintptr {
		f.mu.Lock()
		defer f.mu.Unlock()
		how := failed(pjrtc.ErrorCode(int32(a[0])), strings.Clone(str(pjrtc.Ptr[byte](a[1]), uint64(a[2]))))
		if how.Code == pjrtc.ErrorCodeOK {
			f.violate("a callback made an error that says ok")
		}
		return uintptr(f.newError(how))
	})})
}

// natives are the C functions of this process, by their names: those of one name serve all fakes.
var natives struct {
	sync.Mutex
	fn map[string]call.Fn
}

// Func is a C function of up to six words that runs serve for the current fake. One name has one C function, however
// many fakes there are.
func (f *Fake) Func(name string, args int, serve func(a []uintptr) uintptr) pjrtc.Func {
	return f.cfunc(name, args, serve)
}

func (f *Fake) cfunc(name string, args int, serve func(a []uintptr) uintptr) pjrtc.Func {
	f.named[name] = serve
	natives.Lock()
	defer natives.Unlock()
	key := fmt.Sprint(name, " ", args)
	if fn := natives.fn[key]; fn != 0 {
		return pjrtc.Func(fn)
	}
	run := func(a ...uintptr) (r uintptr) {
		f := now()
		defer func() {
			if v := recover(); v != nil {
				r = panicked(fmt.Errorf("%s: %v", name, v))
			}
		}()
		f.mu.Lock()
		serve := f.named[name]
		f.mu.Unlock()
		if serve == nil {
			panic("a function of a fake that is gone")
		}
		return serve(a)
	}
	var fn call.Fn
	var err error
	switch args {
	case 1:
		fn, err = cb.Static(func(a uintptr) uintptr { return run(a) })
	case 2:
		fn, err = cb.Static(func(a, b uintptr) uintptr { return run(a, b) })
	case 3:
		fn, err = cb.Static(func(a, b, c uintptr) uintptr { return run(a, b, c) })
	case 4:
		fn, err = cb.Static(func(a, b, c, d uintptr) uintptr { return run(a, b, c, d) })
	case 5:
		fn, err = cb.Static(func(a, b, c, d, e uintptr) uintptr { return run(a, b, c, d, e) })
	case 6:
		fn, err = cb.Static(func(a, b, c, d, e, g uintptr) uintptr { return run(a, b, c, d, e, g) })
	default:
		panic("pjrtfake: functions have one to six arguments")
	}
	if err != nil {
		panic(err)
	}
	if natives.fn == nil {
		natives.fn = map[string]call.Fn{}
	}
	natives.fn[key] = fn
	return pjrtc.Func(fn)
}

func pointerOf[T any](v *T) mem.Addr { return mem.AddrOfPtr(v) }
