package pjrtserve

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// The version of XLA's FFI that handlers see.
const (
	ffiMajor = 0
	ffiMinor = 3
)

// registry holds what was registered with the process: handlers and types.
type registry struct {
	mu       sync.Mutex
	handlers map[string]*handler // by target
	types    map[string]int64    // by name
	deleters map[int64]call.Fn   // by id
	runs     atomic.Int64

	api lazy[mem.Addr]
}

// handler is the functions of one target; all but execute may be null.
type handler struct {
	target                                    string
	instantiate, prepare, initialize, execute call.Fn
	state                                     int64 // the type of its state, 0 without
}

// isHost reports whether a platform's name means this one: XLA calls it by several.
func isHost(platform string) bool {
	switch strings.ToLower(platform) {
	case "cpu", "host", "isthmus":
		return true
	}
	return false
}

func (r *registry) register(platform string, h *handler) error {
	if h.target == "" || h.execute == 0 {
		return invalid("a handler needs a name and a function")
	}
	if !isHost(platform) {
		return unimplemented("handlers for the platform %q; this one is cpu", platform)
	}
	for _, fn := range []call.Fn{h.execute, h.instantiate, h.prepare, h.initialize} {
		if fn == 0 {
			continue
		}
		if err := h.ask(fn); err != nil {
			return fmt.Errorf("handler %q: %w", h.target, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.handlers[h.target]; old != nil {
		if *old == *h {
			return nil
		}
		return fail(pjrtc.ErrorCodeALREADYEXISTS, "the target %q has another handler", h.target)
	}
	if r.handlers == nil {
		r.handlers = map[string]*handler{}
	}
	r.handlers[h.target] = h
	return nil
}

// ask has a handler say for which version it was built, and what type its state has.
func (h *handler) ask(fn call.Fn) error {
	f := call.Get()
	defer f.Put()
	frame, err := newFrame(f, pjrtc.XLAFFIExecutionStageEXECUTE, 0)
	if err != nil {
		return err
	}
	m, err := call.New[pjrtc.XLAFFIMetadata](f)
	if err != nil {
		return err
	}
	m.SetSize()
	m.ApiVersion.SetSize()
	ext, err := call.New[pjrtc.XLAFFIMetadataExtension](f)
	if err != nil {
		return err
	}
	ext.ExtensionBase.StructSize = pjrtc.XLAFFIMetadataExtensionSize
	ext.ExtensionBase.Type = pjrtc.XLAFFIExtensionMetadata
	ext.Metadata = pjrtc.To(m)
	frame.ExtensionStart = pjrtc.Ptr[pjrtc.XLAFFIExtensionBase](mem.AddrOfPtr(ext))
	if err := ffiResult(f.Call1(fn, mem.AddrOfPtr(frame))); err != nil {
		return err
	}
	if v := m.ApiVersion; v.MajorVersion != ffiMajor || v.MinorVersion > ffiMinor {
		return unimplemented("it was built for version %d.%d of XLA's FFI; this plugin has %d.%d", v.MajorVersion, v.MinorVersion, ffiMajor, ffiMinor)
	}
	if m.StateTypeId.TypeId != 0 {
		h.state = m.StateTypeId.TypeId
	}
	return nil
}

// typeID registers a type: id 0 asks for a number, another one must be the name's.
func (r *registry) typeID(name string, id int64, deleter call.Fn) (int64, error) {
	if name == "" {
		return 0, invalid("the type has no name")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.types == nil {
		r.types, r.deleters = map[string]int64{}, map[int64]call.Fn{}
	}
	known, ok := r.types[name]
	switch {
	case ok && id != 0 && id != known:
		return 0, invalid("the type %q has the number %d, not %d", name, known, id)
	case ok:
		return known, nil
	}
	if id == 0 {
		for id = int64(len(r.types)) + 1; r.taken(id); id++ {
		}
	} else if r.taken(id) {
		return 0, fail(pjrtc.ErrorCodeALREADYEXISTS, "the number %d is another type's", id)
	}
	r.types[name], r.deleters[id] = id, deleter
	return id, nil
}

func (r *registry) taken(id int64) bool { _, ok := r.deleters[id]; return ok }

// drop destroys a value of a registered type.
func (r *registry) drop(id int64, value uintptr) {
	r.mu.Lock()
	deleter := r.deleters[id]
	r.mu.Unlock()
	if deleter != 0 && value != 0 {
		call.Call(deleter, value)
	}
}

// ffiError is an XLA_FFI_Error.
type ffiError struct {
	err  error
	heap heap
}

// ffiResult is the error that a handler returned, which belongs to the caller.
func ffiResult(h uintptr) error {
	if h == 0 {
		return nil
	}
	e, err := take[*ffiError](kindFFIError, h)
	if err != nil {
		return invalid("a handler returned %#x, which is no XLA_FFI_Error", h)
	}
	e.heap.free()
	return e.err
}

// registerType numbers a type. What is known of it, perhaps nothing, has two forms.
func registerType[I any](r *registry, name string, id *int64, info pjrtc.Ptr[I], deleterOf func(*I) call.Fn) (err error) {
	var deleter call.Fn
	if info != 0 {
		i, err := at(info)
		if err != nil {
			return err
		}
		deleter = deleterOf(i)
	}
	*id, err = r.typeID(name, *id, deleter)
	return err
}

// spanText reads a text that C gives.
func spanText(s pjrtc.XLAFFIByteSpan) (string, error) { return readText(s.Ptr, s.Len) }

func (s *shared) ffiExtension() {
	r := &s.ffi
	extend(s, func(_ *Server, a *pjrtc.FFITypeRegisterArgs) error {
		name, err := readText(a.TypeName, a.TypeNameSize)
		if err != nil {
			return err
		}
		return registerType(r, name, &a.TypeId, a.TypeInfo, func(i *pjrtc.FFITypeInfo) call.Fn { return call.Fn(i.Deleter) })
	})
	extend(s, func(_ *Server, a *pjrtc.FFIUserDataAddArgs) error {
		c, err := get[*executeContext](kindContext, a.Context)
		if err != nil {
			return err
		}
		return c.add(a.UserData.TypeId, uintptr(a.UserData.Data))
	})
	extend(s, func(_ *Server, a *pjrtc.FFIRegisterHandlerArgs) error {
		name, err := readText(a.TargetName, a.TargetNameSize)
		if err != nil {
			return err
		}
		platform, err := readText(a.PlatformName, a.PlatformNameSize)
		if err != nil {
			return err
		}
		return r.register(platform, &handler{target: name, execute: call.Fn(a.Handler)})
	})
}

// executeContext is a PJRT_ExecuteContext: values that a client gives to the handlers of one execution, by type.
type executeContext struct {
	mu   sync.Mutex
	data map[int64]uintptr
}

func (c *executeContext) add(id int64, value uintptr) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.data[id]; ok {
		return fail(pjrtc.ErrorCodeALREADYEXISTS, "the context has a value of type %d", id)
	}
	if c.data == nil {
		c.data = map[int64]uintptr{}
	}
	c.data[id] = value
	return nil
}

func (c *executeContext) get(id int64) (uintptr, bool) {
	if c == nil {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.data[id]
	return v, ok
}

// ffiOn adds a function of XLA_FFI_Api and says where its address goes.
func ffiOn[A any, P interface {
	*A
	SetSize()
}](s *shared, name string, at func(*pjrtc.XLAFFIApi) *pjrtc.Func, answers answers, serve func(a P) error) {
	n := s.function(entry{name: name, size: sizeOf[A](), answers: answers, serve: func(_ *Server, a mem.Addr) error {
		// SAFETY: as in on.
		return serve(P(mem.At[A](a)))
	}})
	s.ffiAPI = append(s.ffiAPI, ffiFunction{n, at})
}

type ffiFunction struct {
	number pjrtc.Slot
	at     func(*pjrtc.XLAFFIApi) *pjrtc.Func
}

// buildFFI makes the XLA_FFI_Api that handlers are given, of the C functions that fn gives.
func (s *shared) buildFFI(fn func(pjrtc.Slot) (pjrtc.Func, error)) error {
	_, err := s.ffi.api.get(func() (mem.Addr, error) {
		cell, _, err := grab(mem.SizeOf[pjrtc.XLAFFIApi]())
		if err != nil {
			return 0, err
		}
		// SAFETY: owner: the process, for ever; bounds: as many bytes were made; alignment: 64; thread: this one, and
		// constant after.
		api := mem.At[pjrtc.XLAFFIApi](cell.addr)
		api.SetSize()
		api.ApiVersion.SetSize()
		api.ApiVersion.MajorVersion, api.ApiVersion.MinorVersion = ffiMajor, ffiMinor
		for _, f := range s.ffiAPI {
			if *f.at(api), err = fn(f.number); err != nil {
				return 0, err
			}
		}
		return cell.addr, nil
	})
	return err
}

// ffiSlots are the functions of XLA_FFI_Api.
func (s *shared) ffiSlots() {
	r := &s.ffi
	ffiOn(s, "XLA_FFI_Error_Create", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIErrorCreate }, answersFFIError, func(a *pjrtc.XLAFFIErrorCreateArgs) error {
		// The result is the error that was asked for, as it is.
		return fmt.Errorf("%w", &Error{Code: pjrtc.ErrorCode(a.Errc), Msg: mem.CString(a.Message, maxMessage)})
	})
	ffiOn(s, "XLA_FFI_Error_GetMessage", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIErrorGetMessage }, answersNothing, func(a *pjrtc.XLAFFIErrorGetMessageArgs) error {
		a.Message = 0
		e, err := get[*ffiError](kindFFIError, a.Error)
		if err != nil {
			return err
		}
		a.Message, _, err = e.heap.text("message", e.err.Error())
		return err
	})
	ffiOn(s, "XLA_FFI_Error_Destroy", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIErrorDestroy }, answersNothing, func(a *pjrtc.XLAFFIErrorDestroyArgs) error {
		e, err := take[*ffiError](kindFFIError, a.Error)
		if err == nil {
			e.heap.free()
		}
		return err
	})
	ffiOn(s, "XLA_FFI_Handler_Register", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIHandlerRegister }, answersFFIError, func(a *pjrtc.XLAFFIHandlerRegisterArgs) error {
		name, err := spanText(a.Name)
		if err != nil {
			return err
		}
		platform, err := spanText(a.Platform)
		if err != nil {
			return err
		}
		b := a.Bundle
		return r.register(platform, &handler{
			target: name, instantiate: call.Fn(b.Instantiate), prepare: call.Fn(b.Prepare), initialize: call.Fn(b.Initialize),
			execute: call.Fn(b.Execute),
		})
	})
	ffiOn(s, "XLA_FFI_Stream_Get", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIStreamGet }, answersFFIError, func(*pjrtc.XLAFFIStreamGetArgs) error {
		return unimplemented("this device has no streams")
	})
	ffiOn(s, "XLA_FFI_Type_Register", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFITypeRegister }, answersFFIError, func(a *pjrtc.XLAFFITypeRegisterArgs) error {
		name, err := spanText(a.Name)
		if err != nil {
			return err
		}
		id, err := at(a.TypeId)
		if err != nil {
			return err
		}
		return registerType(r, name, &id.TypeId, a.TypeInfo, func(i *pjrtc.XLAFFITypeInfo) call.Fn { return call.Fn(i.Deleter) })
	})
	ffiOn(s, "XLA_FFI_ExecutionContext_Get", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIExecutionContextGet }, answersFFIError, func(a *pjrtc.XLAFFIExecutionContextGetArgs) error {
		c, err := getCall(a.Ctx)
		if err != nil {
			return err
		}
		id, err := at(a.TypeId)
		if err != nil {
			return err
		}
		v, ok := c.context.get(id.TypeId)
		if !ok {
			return fail(pjrtc.ErrorCodeNOTFOUND, "the execution was given no value of type %d", id.TypeId)
		}
		a.Data = pjrtc.Addr(v)
		return nil
	})
	ffiOn(s, "XLA_FFI_State_Set", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIStateSet }, answersFFIError, func(a *pjrtc.XLAFFIStateSetArgs) error {
		c, err := getCall(a.Ctx)
		if err != nil {
			return err
		}
		id, err := at(a.TypeId)
		if err != nil {
			return err
		}
		return c.setState(a.Stage, callState{id.TypeId, uintptr(a.State)})
	})
	ffiOn(s, "XLA_FFI_State_Get", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIStateGet }, answersFFIError, func(a *pjrtc.XLAFFIStateGetArgs) error {
		c, err := getCall(a.Ctx)
		if err != nil {
			return err
		}
		id, err := at(a.TypeId)
		if err != nil {
			return err
		}
		v, err := c.state(a.Stage, id.TypeId)
		a.State = pjrtc.Addr(v)
		return err
	})
	ffiOn(s, "XLA_FFI_DeviceMemory_Allocate", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIDeviceMemoryAllocate }, answersFFIError, func(a *pjrtc.XLAFFIDeviceMemoryAllocateArgs) error {
		c, err := getCall(a.Ctx)
		if err != nil {
			return err
		}
		at, err := c.allocate(a.Size, a.Alignment)
		a.Data = pjrtc.Addr(at)
		return err
	})
	ffiOn(s, "XLA_FFI_DeviceMemory_Free", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIDeviceMemoryFree }, answersFFIError, func(a *pjrtc.XLAFFIDeviceMemoryFreeArgs) error {
		c, err := getCall(a.Ctx)
		if err != nil {
			return err
		}
		return c.release(mem.Addr(a.Data))
	})
	ffiOn(s, "XLA_FFI_ThreadPool_Schedule", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIThreadPoolSchedule }, answersFFIError, func(a *pjrtc.XLAFFIThreadPoolScheduleArgs) error {
		if _, err := getCall(a.Ctx); err != nil {
			return err
		}
		if a.Task == 0 {
			return invalid("no task")
		}
		go call.Call(call.Fn(a.Task), uintptr(a.Data))
		return nil
	})
	ffiOn(s, "XLA_FFI_ThreadPool_NumThreads", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIThreadPoolNumThreads }, answersFFIError, func(a *pjrtc.XLAFFIThreadPoolNumThreadsArgs) error {
		c, err := getCall(a.Ctx)
		if err != nil {
			return err
		}
		n, err := at(a.NumThreads)
		if err != nil {
			return err
		}
		*n = int64(c.Workers)
		return nil
	})
	ffiOn(s, "XLA_FFI_Future_Create", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIFutureCreate }, answersFFIError, func(a *pjrtc.XLAFFIFutureCreateArgs) (err error) {
		a.Future, err = give[pjrtc.Ptr[pjrtc.XLAFFIFuture]](kindFuture, &ffi.Event{})
		return err
	})
	ffiOn(s, "XLA_FFI_Future_SetAvailable", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIFutureSetAvailable }, answersFFIError, func(a *pjrtc.XLAFFIFutureSetAvailableArgs) error {
		return settle(a.Future, nil)
	})
	ffiOn(s, "XLA_FFI_Future_SetError", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIFutureSetError }, answersFFIError, func(a *pjrtc.XLAFFIFutureSetErrorArgs) error {
		cause := ffiResult(uintptr(a.Error))
		if cause == nil {
			return invalid("no error")
		}
		return settle(a.Future, cause)
	})
	ffiOn(s, "XLA_FFI_RunId_Get", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIRunIdGet }, answersFFIError, func(a *pjrtc.XLAFFIRunIdGetArgs) error {
		c, err := getCall(a.Ctx)
		if err == nil {
			a.RunId = c.RunID
		}
		return err
	})
	ffiOn(s, "XLA_FFI_DeviceOrdinal_Get", func(p *pjrtc.XLAFFIApi) *pjrtc.Func { return &p.XLAFFIDeviceOrdinalGet }, answersFFIError, func(a *pjrtc.XLAFFIDeviceOrdinalGetArgs) error {
		c, err := getCall(a.Ctx)
		if err == nil {
			a.DeviceOrdinal = int32(c.Device)
		}
		return err
	})
}

func settle(h pjrtc.Ptr[pjrtc.XLAFFIFuture], cause error) error {
	e, err := get[*ffi.Event](kindFuture, h)
	if err != nil {
		return err
	}
	if !e.Complete(cause) {
		return fail(pjrtc.ErrorCodeFAILEDPRECONDITION, "the future has completed already")
	}
	return nil
}

// await waits for a handler that goes on after it returned.
func await(ctx context.Context, h pjrtc.Ptr[pjrtc.XLAFFIFuture]) error {
	e, err := get[*ffi.Event](kindFuture, h)
	if err != nil {
		return err
	}
	// The handler uses the arguments until it is done: giving up earlier would take them away.
	err = e.Wait(context.WithoutCancel(ctx))
	_, _ = take[*ffi.Event](kindFuture, h)
	return err
}
