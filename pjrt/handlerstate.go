package pjrt

import (
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// TypeID is the number by which a plugin knows a type of user data: handlers ask for the data of an execution by it.
// The zero value is no type.
type TypeID struct {
	id     int64
	plugin *Plugin
	name   string
}

// String returns the type's name.
func (t TypeID) String() string {
	if t.plugin == nil {
		return "pjrt.TypeID(none)"
	}
	return fmt.Sprintf("pjrt.TypeID(%s)", t.name)
}

// RegisterType gives the Go values that handlers get as user data a type of that name. The same name gives the same
// type again. Types live as long as the process. Calls PJRT_FFI_Type_Register.
func (p *Plugin) RegisterType(name string) (TypeID, error) {
	const op = "register type"
	if p == nil || p.table == nil {
		return TypeID{}, invalid(op, "no plugin")
	}
	if name == "" {
		return TypeID{}, invalid(op, "no name")
	}
	p.handlers.mu.Lock()
	defer p.handlers.mu.Unlock()
	return p.registerType(op, name)
}

func (p *Plugin) registerType(op, name string) (TypeID, error) {
	if t, ok := p.handlers.types[name]; ok {
		return t, nil
	}
	deleter, err := values.deleter()
	if err != nil {
		return TypeID{}, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	t := TypeID{plugin: p, name: name}
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.FFITypeRegisterArgs) (err error) {
		info, err := call.New[pjrtc.FFITypeInfo](f)
		if err != nil {
			return err
		}
		info.Deleter = pjrtc.Func(deleter)
		a.TypeInfo, a.TypeNameSize = pjrtc.To(info), uint64(len(name))
		a.TypeName, err = bytesOf(f, name)
		return err
	}, func(a *pjrtc.FFITypeRegisterArgs) error {
		if t.id = a.TypeId; t.id == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave no number: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		return TypeID{}, err
	}
	if p.handlers.types == nil {
		p.handlers.types = map[string]TypeID{}
	}
	p.handlers.types[name] = t
	return t, nil
}

// values are the Go values that plugins hold, by numbers that lead to no memory and are never used again.
var values valueTable

type valueTable struct {
	mu   sync.Mutex
	last uintptr
	live map[uintptr]any
	once sync.Once
	fn   call.Fn
	err  error
}

// deleter is the C function that plugins end values with.
func (t *valueTable) deleter() (call.Fn, error) {
	t.once.Do(func() {
		t.fn, t.err = cb.Static1(func(a mem.Addr) uintptr { t.drop(uintptr(a)); return 0 }, nil)
	})
	return t.fn, t.err
}

func (t *valueTable) add(v any) uintptr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == nil {
		t.live = map[uintptr]any{}
	}
	t.last += 16 // as an address would be
	t.live[t.last] = v
	return t.last
}

func (t *valueTable) get(n uintptr) (any, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.live[n]
	return v, ok
}

// end forgets a value, which need not be there.
func (t *valueTable) end(n uintptr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.live[n]
	delete(t.live, n)
	return ok
}

func (t *valueTable) drop(n uintptr) {
	if !t.end(n) {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: "pjrt.TypeID"}, Err: fmt.Errorf("a value was deleted twice: %w", isthmus.ErrClosed)})
	}
}

// AddUserData gives a Go value to the handlers of the executions that name the context, by [HandlerCall.UserData].
// There is one value of each type. It is held until the context is closed. Calls PJRT_FFI_UserData_Add.
func (c *ExecuteContext) AddUserData(t TypeID, v any) error {
	const op = "add user data"
	switch {
	case c == nil || c.plugin == nil:
		return invalid(op, "no context")
	case t.plugin != c.plugin:
		return invalid(op, "%s is not a type of the context's plugin", t)
	}
	h, err := c.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	n := values.add(v)
	err = askExt(c.plugin, op, func(_ *call.Frame, a *pjrtc.FFIUserDataAddArgs) error {
		a.Context, a.UserData.TypeId, a.UserData.Data = h, t.id, pjrtc.Addr(n)
		return nil
	}, nil)
	if err != nil {
		values.end(n)
		return err
	}
	s := &c.plugin.handlers
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = map[pjrtc.Ptr[pjrtc.ExecuteContext]][]uintptr{}
	}
	s.data[h] = append(s.data[h], n)
	return nil
}

// makeNoData makes the context of executions that bring none. The caller holds the handlers' lock.
func (p *Plugin) makeNoData() error {
	if p.handlers.noData.Load() != 0 {
		return nil
	}
	return unlessUnsupported(ask(p, "execute context", nil, func(a *pjrtc.ExecuteContextCreateArgs) error {
		p.handlers.noData.Store(uintptr(a.Context))
		return nil
	}))
}

// dropUserData ends the values of a context that was destroyed. Plugins that know the type's deleter have done so.
func (p *Plugin) dropUserData(h pjrtc.Ptr[pjrtc.ExecuteContext]) {
	s := &p.handlers
	s.mu.Lock()
	all := s.data[h]
	delete(s.data, h)
	s.mu.Unlock()
	for _, n := range all {
		values.end(n)
	}
}

// UserData is the value of type t that the execution was given. Errors: [isthmus.ErrUnsupported] where the plugin does
// not tell, the plugin's refusal where the execution has none of that type.
func (c *HandlerCall) UserData(t TypeID) (any, error) {
	const op = "user data"
	if c == nil || c.entry == nil {
		return nil, invalid(op, "no call")
	}
	if t.plugin != c.entry.plugin {
		return nil, invalid(op, "%s is not a type of the handler's plugin", t)
	}
	if t.plugin.handlers.noData.Load() == 0 {
		return nil, fmt.Errorf("pjrt: %s: the plugin has no execute contexts: %w", op, isthmus.ErrUnsupported)
	}
	var n uintptr
	err := c.withID(op, t.id, func(f *call.Frame, id pjrtc.Ptr[pjrtc.XLAFFITypeId], api pjrtc.XLAFFITable) (pjrtc.Ptr[pjrtc.XLAFFIError], bool, error) {
		a, err := call.New[pjrtc.XLAFFIExecutionContextGetArgs](f)
		if err != nil {
			return 0, false, err
		}
		a.Ctx, a.TypeId = c.frame.Ctx, id
		e, has := pjrtc.CallXLAFFI(api, pjrtc.XLAFFIExecutionContextGet, f, a)
		n = uintptr(a.Data)
		return e, has, nil
	})
	if err != nil {
		return nil, err
	}
	return valueOf(op, n)
}

// State is what [HandlerOptions].Instantiate made for this place in the program. Errors: [isthmus.ErrNotFound] for a
// handler without.
func (c *HandlerCall) State() (any, error) {
	const op = "handler state"
	if c == nil || c.entry == nil {
		return nil, invalid(op, "no call")
	}
	id := c.entry.stateID.Load()
	if id == 0 {
		return nil, fmt.Errorf("pjrt: %s: %q has no Instantiate: %w", op, c.entry.key.name, isthmus.ErrNotFound)
	}
	var n uintptr
	err := c.withID(op, id, func(f *call.Frame, id pjrtc.Ptr[pjrtc.XLAFFITypeId], api pjrtc.XLAFFITable) (pjrtc.Ptr[pjrtc.XLAFFIError], bool, error) {
		a, err := call.New[pjrtc.XLAFFIStateGetArgs](f)
		if err != nil {
			return 0, false, err
		}
		a.Ctx, a.TypeId, a.Stage = c.frame.Ctx, id, pjrtc.XLAFFIExecutionStageINSTANTIATE
		e, has := pjrtc.CallXLAFFI(api, pjrtc.XLAFFIStateGet, f, a)
		n = uintptr(a.State)
		return e, has, nil
	})
	if err != nil {
		return nil, err
	}
	return valueOf(op, n)
}

func valueOf(op string, n uintptr) (any, error) {
	v, ok := values.get(n)
	if !ok {
		return nil, fmt.Errorf("pjrt: %s: the plugin gives a value that is not there: %w", op, isthmus.ErrClosed)
	}
	return v, nil
}

// withID calls a function of the plugin's FFI that takes a type's number by its address.
func (c *HandlerCall) withID(op string, id int64, f func(*call.Frame, pjrtc.Ptr[pjrtc.XLAFFITypeId], pjrtc.XLAFFITable) (pjrtc.Ptr[pjrtc.XLAFFIError], bool, error)) error {
	if err := c.enter(op); err != nil {
		return err
	}
	defer c.mu.RUnlock()
	if id == 0 {
		return invalid(op, "no type")
	}
	frame := call.Get()
	defer frame.Put()
	t, err := call.New[pjrtc.XLAFFITypeId](frame)
	if err != nil {
		return err
	}
	t.TypeId = id
	api := pjrtc.XLAFFITable(c.frame.Api)
	e, has, err := f(frame, pjrtc.To(t), api)
	switch {
	case err != nil:
		return err
	case !has:
		return fmt.Errorf("pjrt: %s: the plugin's FFI has no such function: %w", op, isthmus.ErrUnsupported)
	case e != 0:
		return fmt.Errorf("pjrt: %s: the plugin has none: %w", op, dropFFIError(api, frame, e))
	}
	return nil
}

// instantiate makes the state of one place in a program.
func (c *HandlerCall) instantiate(h *Handler) error {
	const op = "instantiate"
	if h.opt.Instantiate == nil {
		return nil
	}
	state, err := h.opt.Instantiate(c)
	if err != nil {
		return err
	}
	n := values.add(state)
	err = c.withID(op, c.entry.stateID.Load(), func(f *call.Frame, id pjrtc.Ptr[pjrtc.XLAFFITypeId], api pjrtc.XLAFFITable) (pjrtc.Ptr[pjrtc.XLAFFIError], bool, error) {
		a, err := call.New[pjrtc.XLAFFIStateSetArgs](f)
		if err != nil {
			return 0, false, err
		}
		a.Ctx, a.TypeId, a.Stage, a.State = c.frame.Ctx, id, pjrtc.XLAFFIExecutionStageINSTANTIATE, pjrtc.Addr(n)
		e, has := pjrtc.CallXLAFFI(api, pjrtc.XLAFFIStateSet, f, a)
		return e, has, nil
	})
	if err != nil {
		values.drop(n)
	}
	return err
}

// registerBundle registers a handler with a state. PJRT registers handlers of one stage only, so this goes by the
// plugin's own FFI table, which the plugin shows when it asks a handler for its metadata.
func (p *Plugin) registerBundle(e *handlerEntry, o HandlerOptions) error {
	const op = "register handler"
	if p.handlers.api.Load() == 0 {
		probe := o
		probe.Instantiate = nil
		if _, err := p.newEntry(handlerKey{o.Platform, "isthmus.probe"}, probe); err != nil {
			return err
		}
	}
	api := pjrtc.XLAFFITable(p.handlers.api.Load())
	if _, minor := api.Version(); minor < 3 {
		return fmt.Errorf("pjrt: %s: %q: handlers with a state need the plugin's FFI 0.3, it has 0.%d: %w", op, e.key.name, minor, isthmus.ErrUnsupported)
	}
	t, err := p.registerType(op, "isthmus.state")
	if err != nil {
		return err
	}
	e.stateID.Store(t.id)
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.XLAFFIHandlerRegisterArgs](f)
	if err != nil {
		return err
	}
	if a.Name.Ptr, err = bytesOf(f, e.key.name); err != nil {
		return err
	}
	if a.Platform.Ptr, err = bytesOf(f, e.key.platform); err != nil {
		return err
	}
	a.Name.Len, a.Platform.Len = uint64(len(e.key.name)), uint64(len(e.key.platform))
	a.Bundle.Instantiate, a.Bundle.Execute = pjrtc.Func(e.fn), pjrtc.Func(e.fn)
	if o.CommandBuffer {
		a.Traits = uint32(pjrtc.XLAFFIHANDLERTRAITSCOMMANDBUFFERCOMPATIBLE)
	}
	n, has := pjrtc.CallXLAFFI(api, pjrtc.XLAFFIHandlerRegister, f, a)
	switch {
	case !has:
		return fmt.Errorf("pjrt: %s: the plugin's FFI has no XLA_FFI_Handler_Register: %w", op, isthmus.ErrUnsupported)
	case n != 0:
		return fmt.Errorf("pjrt: %s: the plugin refused %q on %s: %w", op, e.key.name, e.key.platform, dropFFIError(api, f, n))
	}
	return nil
}
