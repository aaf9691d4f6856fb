package pjrt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Handler is Go code that compiled programs call: stablehlo.custom_call with the handler's name and api_version = 4.
// It is safe for concurrent use.
//
// Plugins keep a registration as long as the process lives. After Close the program's call is an error, until the
// name is registered again.
type Handler struct {
	owned    ffi.Owned[*handlerEntry]
	name     string
	platform string
	opt      HandlerOptions
	f        func(*HandlerCall) error
}

// HandlerOptions says how a handler runs. The zero value serves calls of programs on the host, each on a goroutine of
// its own.
type HandlerOptions struct {
	// Platform is the platform whose programs call the handler, as the plugin names it. "" is "Host". On other
	// platforms arguments are in device memory, which a handler cannot see: only their types and attributes.
	Platform string
	// Inline runs the handler on the plugin's thread. That saves the hand-over between threads, tens of
	// microseconds, but the handler must not end its goroutine: runtime.Goexit, which testing's FailNow calls,
	// then ends the process.
	Inline bool
	// CommandBuffer says that calls may be recorded once and replayed on the device.
	CommandBuffer bool
	// Instantiate makes the state of one place in a program that calls the handler, when the program is loaded on its
	// devices; [HandlerCall.State] gives it to the handler. It sees attributes and no arguments. Where it is set, the
	// handler cannot be registered again under the same name.
	Instantiate func(*HandlerCall) (state any, err error)
}

// handlerKey is what a plugin knows a handler by.
type handlerKey struct{ platform, name string }

// handlerEntry is a C function that a plugin knows for the rest of the process's life, and the handler that it stands
// for at present.
type handlerEntry struct {
	plugin  *Plugin
	key     handlerKey
	current atomic.Pointer[Handler]
	stateID atomic.Int64 // the type of the handler's state, 0 for none
	fn      call.Fn
}

// handlers are a plugin's entries.
type handlers struct {
	mu      sync.Mutex
	entries map[handlerKey]*handlerEntry
	spare   []*handlerEntry // whose registration the plugin refused: C functions are never given back
	class   ffi.Class[*handlerEntry]
	api     atomic.Uintptr // the plugin's XLA_FFI_Api, once it has asked for metadata
	types   map[string]TypeID
	// noData is a context without user data, for executions that bring none: XLA's handlers fault when they ask for
	// user data of an execution without a context. It is made before the first handler and lives as long as the process.
	noData atomic.Uintptr
	data   map[pjrtc.Ptr[pjrtc.ExecuteContext]][]uintptr // the values of each context
}

// RegisterHandler makes f the handler of custom calls to name. f may be called on any number of goroutines at once; its
// error, and a panic in it, become the error of the execution. Calls PJRT_FFI_Register_Handler.
//
// The caller closes the handler. Errors: [isthmus.ErrUnsupported] where the plugin has no FFI extension;
// [isthmus.ErrBusy] while another handler has the name; [isthmus.ErrLimit] after about a thousand names;
// whatever the plugin says, for one that a native handler has the name.
func (p *Plugin) RegisterHandler(name string, f func(*HandlerCall) error, o HandlerOptions) (*Handler, error) {
	const op = "register handler"
	switch {
	case p == nil || p.table == nil:
		return nil, invalid(op, "no plugin")
	case name == "" || strings.ContainsRune(name, 0):
		return nil, invalid(op, "the name is %q", name)
	case f == nil:
		return nil, invalid(op, "%s: no function", name)
	}
	if o.Platform == "" {
		o.Platform = "Host"
	}
	if _, err := p.extensionFunc((*pjrtc.FFIRegisterHandlerArgs)(nil).ExtFunc()); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	h := &Handler{name: name, platform: o.Platform, opt: o, f: f}
	p.handlers.mu.Lock()
	defer p.handlers.mu.Unlock()
	p.handlers.class.Name, p.handlers.class.Backstop = "pjrt.Handler", ffi.BackstopNone // the entry keeps it reachable
	p.handlers.class.Destroy = func(e *handlerEntry) error { e.current.Store(nil); return nil }
	if err := p.makeNoData(); err != nil {
		return nil, err
	}
	key := handlerKey{o.Platform, name}
	e := p.handlers.entries[key]
	switch {
	case e == nil:
		var err error
		if e, err = p.newEntry(key, o); err != nil {
			return nil, err
		}
	case e.current.Load() != nil:
		return nil, fmt.Errorf("pjrt: %s: %q has a handler: %w; close it first", op, name, isthmus.ErrBusy)
	case o.Instantiate != nil || e.stateID.Load() != 0:
		return nil, fmt.Errorf("pjrt: %s: %q: a handler with a state, or after one: %w; use another name", op, name, isthmus.ErrBusy)
	}
	if err := h.owned.Init(&p.handlers.class, e); err != nil {
		return nil, err
	}
	e.current.Store(h)
	return h, nil
}

// newEntry makes a C function and registers it for good.
func (p *Plugin) newEntry(key handlerKey, o HandlerOptions) (*handlerEntry, error) {
	const op = "register handler"
	var e *handlerEntry
	var err error
	if n := len(p.handlers.spare); n > 0 {
		e, p.handlers.spare = p.handlers.spare[n-1], p.handlers.spare[:n-1]
	} else {
		e = &handlerEntry{plugin: p}
		if e.fn, err = cb.Static1(e.serve, nil); err != nil {
			return nil, fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	e.key = key
	if o.Instantiate != nil {
		err = p.registerBundle(e, o)
	} else {
		err = askExt(p, op, func(f *call.Frame, a *pjrtc.FFIRegisterHandlerArgs) (err error) {
			if a.TargetName, err = bytesOf(f, key.name); err != nil {
				return err
			}
			a.TargetNameSize, a.Handler = uint64(len(key.name)), pjrtc.Addr(e.fn)
			a.PlatformName, err = bytesOf(f, key.platform)
			a.PlatformNameSize = uint64(len(key.platform))
			if o.CommandBuffer {
				a.Traits = pjrtc.FFIHANDLERTRAITSCOMMANDBUFFERCOMPATIBLE
			}
			return err
		}, nil)
	}
	if err != nil {
		e.stateID.Store(0)
		p.handlers.spare = append(p.handlers.spare, e)
		return nil, err
	}
	if p.handlers.entries == nil {
		p.handlers.entries = map[handlerKey]*handlerEntry{}
	}
	p.handlers.entries[key] = e
	return e, nil
}

// Name is the name that programs call.
func (h *Handler) Name() string { return orZero(h).name }

// Platform is the platform whose programs call the handler.
func (h *Handler) Platform() string { return orZero(h).platform }

// String returns the name and the platform.
func (h *Handler) String() string {
	if h == nil || h.name == "" {
		return "pjrt.Handler(none)"
	}
	state := ""
	if !h.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Handler(%s on %s%s)", h.name, h.platform, state)
}

// Close ends the handler: calls after it are errors of their executions. While it runs, the error wraps
// [isthmus.ErrBusy]. Close is idempotent and nil-safe.
func (h *Handler) Close() error {
	if h == nil {
		return nil
	}
	return h.owned.Close()
}

// CloseWait is Close that waits for calls in progress; when ctx ends first, its cause is the error.
func (h *Handler) CloseWait(ctx context.Context) error {
	if h == nil {
		return nil
	}
	return h.owned.CloseWait(ctx)
}

// serve is what C calls: any thread, any time.
func (e *handlerEntry) serve(arg mem.Addr) uintptr {
	// SAFETY: owner: the plugin, which keeps the frame alive and unchanged until this function returns; bounds and
	// alignment: it is an XLA_FFI_CallFrame by the contract of a handler; thread: this one, and one goroutine that it
	// waits for.
	frame := pjrtc.Ptr[pjrtc.XLAFFICallFrame](arg).At()
	if frame == nil || frame.StructSize < pjrtc.XLAFFICallFrameSize {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: "pjrt.Handler"}, Err: invalid("custom call", "%s: the plugin's call frame is too short", e.key.name)})
		return 0
	}
	api := pjrtc.XLAFFITable(frame.Api)
	if m := metadataOf(frame); m != nil {
		e.plugin.handlers.api.CompareAndSwap(0, uintptr(api))
		return e.describe(api, m)
	}
	c := &HandlerCall{entry: e, frame: frame, stage: Stage(frame.Stage), host: onHost(e.key.platform)}
	err := e.call(c)
	c.end()
	if err == nil {
		return 0
	}
	return uintptr(nativeError(api, e.key.name, err))
}

func (e *handlerEntry) call(c *HandlerCall) error {
	h := e.current.Load()
	if h == nil {
		return fmt.Errorf("the handler %w", isthmus.ErrClosed)
	}
	if _, err := h.owned.Use(); err != nil {
		return err
	}
	defer h.owned.Done()
	if h.opt.Inline {
		return c.run(h)
	}
	done := make(chan error, 1)
	go func() {
		// What is sent when the goroutine ends in the middle.
		err := fmt.Errorf("it ended its goroutine: %w", isthmus.ErrPanic)
		defer func() { done <- err }()
		err = c.run(h)
	}()
	return <-done
}

// run is the barrier: a panic becomes an error.
func (c *HandlerCall) run(h *Handler) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil && h.opt.Inline {
			cb.End("pjrt: runtime.Goexit in an inline handler: the thread cannot return to C; leave HandlerOptions.Inline off where this may happen")
		}
		if v != nil {
			err = fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
		}
	}()
	if c.stage == StageInstantiate {
		err = c.instantiate(h)
	} else {
		err = h.f(c)
	}
	returned = true
	return err
}

// metadataOf finds the question for the handler's metadata in a call frame.
func metadataOf(frame *pjrtc.XLAFFICallFrame) *pjrtc.XLAFFIMetadata {
	n := 0
	for p := frame.ExtensionStart; p != 0 && n < pjrtc.MaxExtensions; n++ {
		x := p.At()
		if x.Type == pjrtc.XLAFFIExtensionMetadata && x.StructSize >= pjrtc.XLAFFIMetadataExtensionSize {
			return pjrtc.Ptr[pjrtc.XLAFFIMetadataExtension](p).At().Metadata.At()
		}
		p = x.Next
	}
	return nil
}

// handlerMinor is the version of XLA's FFI, 0.handlerMinor, that this module speaks.
const handlerMinor = 3

// describe answers the plugin's question: the version that both speak, and the type of the state.
func (e *handlerEntry) describe(api pjrtc.XLAFFITable, m *pjrtc.XLAFFIMetadata) uintptr {
	if m.StructSize < pjrtc.XLAFFIMetadataSize {
		return uintptr(nativeError(api, e.key.name, invalid("custom call", "the plugin's metadata is too short")))
	}
	_, minor := api.Version()
	m.ApiVersion.MajorVersion, m.ApiVersion.MinorVersion = 0, int32(min(max(minor, 1), handlerMinor))
	m.Traits = 0
	if id := e.stateID.Load(); id != 0 {
		m.StateTypeId.TypeId = id
	}
	return 0
}

// onHost tells whether programs of a platform have their tensors in host memory.
func onHost(platform string) bool {
	return strings.EqualFold(platform, "host") || strings.EqualFold(platform, "cpu")
}

// codeOf is the code that says most about err.
func codeOf(err error) Code {
	var c Code
	if errors.As(err, &c) && c >= Cancelled && c <= Unauthenticated {
		return c
	}
	for _, c := range []Code{Cancelled, DeadlineExceeded, InvalidArgument, NotFound, ResourceExhausted, OutOfRange, Unimplemented} {
		if errors.Is(err, c.sentinel()) {
			return c
		}
	}
	if errors.Is(err, isthmus.ErrClosed) {
		return FailedPrecondition
	}
	if errors.Is(err, isthmus.ErrPanic) {
		return Internal
	}
	return Unknown
}

// nativeError makes the plugin's error of err. The plugin destroys it.
func nativeError(api pjrtc.XLAFFITable, name string, err error) pjrtc.Ptr[pjrtc.XLAFFIError] {
	f := call.Get()
	defer f.Put()
	a, nerr := call.New[pjrtc.XLAFFIErrorCreateArgs](f)
	if nerr == nil {
		msg := fmt.Sprintf("custom call %q: %v", name, err)
		a.Message, nerr = bytesOf(f, strings.ReplaceAll(strings.ToValidUTF8(msg[:min(len(msg), maxText)], "\uFFFD"), "\x00", "\\x00"))
		a.Errc = pjrtc.XLAFFIErrorCode(codeOf(err))
	}
	if nerr == nil {
		if e, has := pjrtc.CallXLAFFI(api, pjrtc.XLAFFIErrorCreate, f, a); has && e != 0 {
			return e
		}
	}
	// There is no way to tell the plugin.
	isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "pjrt.Handler"}, Err: err})
	return 0
}
