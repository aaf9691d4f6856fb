package pjrtserve

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Version is the API version that the table announces.
const (
	Major = 0
	Minor = 114
)

// Server serves one backend. It lives as long as the process, as its table does.
type Server struct {
	backend Backend
	heap    heap // what belongs to the plugin
}

// New makes a server.
func New(b Backend) *Server { return &Server{backend: b} }

// shared is what all servers of the process have in common, because C finds it without saying whose it is.
type shared struct {
	handles   handles
	failures  failures
	entries   [maxFunctions]entry
	functions pjrtc.Slot // how many of them there are
	members   []member
	ffiAPI    []ffiFunction
	ffi       registry
	last      mem.Addr // see raise

	once sync.Once
	err  error
	fns  [maxFunctions]call.Fn // those that need no server

	lists struct {
		mu   sync.Mutex
		live map[mem.Addr]*heap // by address, see giveList
	}

	memories     memories
	memoryTable  lazy[mem.Addr]
	errorTable   lazy[mem.Addr]
	bytesDeleter lazy[pjrtc.Func]
	laterFn      lazy[pjrtc.Func]

	chunkDeleter  lazy[pjrtc.Func]
	callbackError lazy[pjrtc.Func]
	shapeDeleter  lazy[pjrtc.Func]
}

// state is the process's one shared state, see world.
var state struct {
	shared
	ready sync.Once
}

func world() *shared {
	state.ready.Do(state.shared.build)
	return &state.shared
}

// build fills in the functions.
func (s *shared) build() {
	s.errorSlots()
	s.pluginSlots()
	s.eventSlots()
	s.clientSlots()
	s.deviceSlots()
	s.memorySlots()
	s.executableSlots()
	s.loadedSlots()
	s.bufferSlots()
	s.hostSlots()
	s.topologySlots()
	s.transferSlots()
	s.streamSlots()
	s.refusedSlots()
	s.functions = pjrtc.NumSlots
	s.layoutExtension()
	s.abiExtension()
	s.streamExtension()
	s.memoryExtension()
	s.phaseExtension()
	s.shardingExtension()
	s.ffiExtension()
	s.ffiSlots()
	p, err := mem.Pages(cellBytes)
	if err == nil {
		s.last = p
	}
}

// lazy is a value that is made on first use.
type lazy[T any] struct {
	once sync.Once
	v    T
	err  error
}

func (l *lazy[T]) get(f func() (T, error)) (T, error) {
	l.once.Do(func() { l.v, l.err = f() })
	return l.v, l.err
}

// on sets the function for a slot: the one that takes A.
func on[A any, P interface {
	*A
	pjrtc.Args
}](s *shared, serve func(s *Server, a P) error) {
	slot := P(nil).Slot()
	e := entry{name: slot.String(), size: sizeOf[A](), serve: func(s *Server, a mem.Addr) error {
		// SAFETY: owner: the C caller, for the call; bounds: Dispatch has checked the size that the struct states;
		// alignment: checked there; thread: the caller's, and by the API nobody else uses the struct meanwhile.
		return serve(s, P(mem.At[A](a)))
	}}
	if !slot.ReturnsError() {
		e.answers = answersNothing
	}
	s.entries[slot] = e
}

// Dispatch serves one call of C's: slot says which function, a is the address of its argument struct. Numbers after the
// slots' are functions of extensions. The result is an error for the functions that return one, else 0.
//
// Preconditions: as the PJRT API states for what a leads to. What can be checked is checked; a fault at an address that
// does not exist becomes an error; an address that exists and is not what it should be cannot be told.
func (s *Server) Dispatch(slot pjrtc.Slot, a mem.Addr) uintptr {
	w := world()
	err := w.serve(s, slot, a)
	if err == nil {
		return 0
	}
	return w.answer(slot, err)
}

// answer makes the error that a function returns.
func (s *shared) answer(slot pjrtc.Slot, err error) uintptr {
	if slot < 0 || slot >= s.functions {
		return uintptr(s.raise(err))
	}
	e := &s.entries[slot]
	if e.answers == answersNothing {
		return 0
	}
	var own *Error
	if errors.As(err, &own) && own == err {
		// The function's name says which of many calls went wrong.
		err = &Error{Code: own.Code, Msg: e.name + ": " + own.Msg, Payload: own.Payload}
	}
	if e.answers == answersFFIError {
		n, err := give[uintptr](kindFFIError, &ffiError{err: err})
		if err != nil {
			return 0 // an execution that has no room for an error fails for that
		}
		return n
	}
	return uintptr(s.raise(err))
}

func (s *shared) serve(srv *Server, slot pjrtc.Slot, a mem.Addr) (err error) {
	if slot < 0 || slot >= s.functions {
		return unimplemented("there is no function %d", int(slot))
	}
	e := &s.entries[slot]
	// A fault at an address that C gave is a panic from here on, and that an error.
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
	}()
	if a == 0 || a%8 != 0 {
		return invalid("the argument struct is null or misaligned")
	}
	// SAFETY: owner: the C caller; bounds: every argument struct begins with its size; alignment: checked.
	if size := *mem.At[uint64](a); e.size > 0 && size < e.size {
		return invalid("Unexpected %s_Args size: expected %d, got %d. Check installed software versions.", e.name, e.size, size)
	}
	return e.serve(srv, a)
}

// recovered is the error for a panic: a fault at a bad address is the caller's, all else is ours.
func recovered(v any) error {
	if e, ok := v.(interface{ Addr() uintptr }); ok {
		return invalid("a pointer in the arguments leads to no memory (address %#x)", e.Addr())
	}
	return &Error{Code: pjrtc.ErrorCodeINTERNAL, Msg: fmt.Sprintf("panic: %v", v)}
}

// needsServer lists the functions whose arguments name no object that would tell whose they are.
var needsServer = map[pjrtc.Slot]bool{
	pjrtc.SlotPluginInitialize: true, pjrtc.SlotPluginAttributes: true, pjrtc.SlotClientCreate: true,
	pjrtc.SlotTopologyDescriptionCreate: true, pjrtc.SlotTopologyDescriptionDeserialize: true,
}

// function makes the C function of a slot.
func function(srv *Server, slot pjrtc.Slot) (call.Fn, error) {
	return cb.Static1(func(a mem.Addr) uintptr { return srv.Dispatch(slot, a) },
		func(err error) uintptr { return world().answer(slot, err) })
}

// API builds the function table for C. A process can have some hundred of them; each takes a handful of callbacks
// that are never given back.
func (s *Server) API() (pjrtc.Ptr[pjrtc.Api], error) {
	w := world()
	w.once.Do(func() {
		for slot := range w.functions {
			if !needsServer[slot] {
				if w.fns[slot], w.err = function(nil, slot); w.err != nil {
					return
				}
			}
		}
	})
	if w.err != nil {
		return 0, w.err
	}
	return s.APIOf(func(slot pjrtc.Slot) (pjrtc.Func, error) {
		if !needsServer[slot] {
			return pjrtc.Func(w.fns[slot]), nil
		}
		fn, err := function(s, slot)
		return pjrtc.Func(fn), err
	})
}

// APIOf builds a function table of the given C functions, which lead to [Server.Dispatch] of this server.
func (s *Server) APIOf(fn func(pjrtc.Slot) (pjrtc.Func, error)) (pjrtc.Ptr[pjrtc.Api], error) {
	p, err := mem.Pages(mem.SizeOf[pjrtc.Api]())
	if err != nil {
		return 0, err
	}
	// SAFETY: owner: the process, for ever; bounds: as many bytes were made; alignment: pages; thread: this one, and
	// constant after.
	api := mem.At[pjrtc.Api](p)
	api.SetSize()
	api.PjrtApiVersion.SetSize()
	api.PjrtApiVersion.MajorVersion, api.PjrtApiVersion.MinorVersion = Major, Minor
	for slot := range pjrtc.Slot(pjrtc.NumSlots) {
		f, err := fn(slot)
		if err != nil {
			return 0, err
		}
		// SAFETY: as above; the slot's offset is inside PJRT_Api.
		*mem.At[pjrtc.Func](p + mem.Addr(slot.Offset())) = f
	}
	if err := world().buildFFI(fn); err != nil {
		return 0, err
	}
	if api.ExtensionStart, err = world().announce(fn); err != nil {
		return 0, err
	}
	return pjrtc.Ptr[pjrtc.Api](p), nil
}

// Table builds the function table and reads it as a client does.
func (s *Server) Table() (*pjrtc.Table, error) {
	api, err := s.API()
	if err != nil {
		return nil, fmt.Errorf("pjrtserve: table: %w", err)
	}
	return pjrtc.NewTable(api)
}

// Live counts the objects that C has not destroyed yet, by kind: those of every server of the process.
func Live() map[string]int {
	live := world().handles.census()
	if n := world().failures.count(); n > 0 {
		live["PJRT_Error"] = n
	}
	return live
}

func (s *shared) pluginSlots() {
	on(s, func(*Server, *pjrtc.PluginInitializeArgs) error { return nil })
	on(s, func(s *Server, a *pjrtc.PluginAttributesArgs) error {
		l, err := once(&s.heap, "attributes", func() (list[pjrtc.NamedValue], error) { return named(&s.heap, s.backend.Attributes()) })
		a.Attributes, a.NumAttributes = l.at, l.n
		return err
	})
}

// refusedSlots answers for the functions that are not here: by name.
func (s *shared) refusedSlots() {
	for slot := range pjrtc.Slot(pjrtc.NumSlots) {
		if s.entries[slot].serve == nil {
			s.entries[slot] = entry{name: slot.String(), serve: func(*Server, mem.Addr) error {
				return unimplemented("this plugin does not have the function")
			}}
		}
	}
}

func unavailable(format string, a ...any) error {
	return fail(pjrtc.ErrorCodeRESOURCEEXHAUSTED, format, a...)
}

// readValues reads named values that C gave.
func readValues(at pjrtc.Ptr[pjrtc.NamedValue], n uint64) ([]Value, error) {
	const most = 1 << 16
	if n > most {
		return nil, invalid("%d named values", n)
	}
	in, err := at.Slice(n)
	if err != nil {
		return nil, err
	}
	out := make([]Value, len(in))
	for i, v := range in {
		name, err := readText(v.Name, v.NameSize)
		if err != nil {
			return nil, err
		}
		out[i].Name = name
		switch v.Type {
		case pjrtc.NamedValueKString:
			if out[i].Value, err = readText(pjrtc.Ptr[byte](v.Value), v.ValueSize); err != nil {
				return nil, err
			}
		case pjrtc.NamedValueKInt64:
			out[i].Value = int64(v.Value)
		case pjrtc.NamedValueKInt64List:
			if v.ValueSize > most {
				return nil, invalid("value %q is a list of %d", name, v.ValueSize)
			}
			values, err := pjrtc.Ptr[int64](v.Value).Slice(v.ValueSize)
			if err != nil {
				return nil, err
			}
			out[i].Value = append([]int64{}, values...)
		case pjrtc.NamedValueKFloat:
			out[i].Value = math.Float32frombits(uint32(v.Value))
		case pjrtc.NamedValueKBool:
			out[i].Value = byte(v.Value) != 0
		default:
			return nil, invalid("value %q is of type %d", name, int32(v.Type))
		}
	}
	return out, nil
}

// maxText bounds a text that C gives, but for programs.
const maxText = 1 << 20

func readText(at pjrtc.Ptr[byte], n uint64) (string, error) {
	if n > maxText {
		return "", invalid("a text of %d bytes", n)
	}
	b, err := at.Slice(n)
	return string(b), err
}

// at is a struct that C points to: null, misaligned and wrapping addresses are errors, one without memory is a fault
// that becomes an error.
func at[T any](p pjrtc.Ptr[T]) (*T, error) {
	one, err := p.Slice(1)
	if err != nil {
		return nil, err
	}
	return &one[0], nil
}

func floatBits(f float32) uint32 { return math.Float32bits(f) }
