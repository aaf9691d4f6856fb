package pjrt

import (
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

// TransformStage is the place in XLA's compilation where a transform runs.
type TransformStage int

// The stages: before and after the operations are put in an order. The zero value is invalid.
const (
	PreScheduler TransformStage = iota + 1
	PostScheduler
)

// String returns the stage's name.
func (s TransformStage) String() string {
	switch s {
	case PreScheduler:
		return "pre-scheduler"
	case PostScheduler:
		return "post-scheduler"
	}
	return fmt.Sprintf("transform stage %d", int(s))
}

// Transform is Go code that rewrites every program that a plugin compiles. It is safe for concurrent use.
type Transform struct {
	owned ffi.Owned[*transformEntry]
	name  string
	stage TransformStage
	f     func([]byte) ([]byte, error)
}

type transformKey struct {
	stage TransformStage
	name  string
}

// transformEntry is what a plugin holds of a transform: C functions and a struct that live as long as the process,
// since a compilation may be in the middle of them. A name that is registered again gets its entry back.
type transformEntry struct {
	plugin    *Plugin
	key       transformKey
	current   atomic.Pointer[Transform]
	callbacks *mem.Block
}

// transforms are a plugin's entries.
type transforms struct {
	mu      sync.Mutex
	entries map[transformKey]*transformEntry
	class   ffi.Class[*transformEntry]
}

// RegisterTransform makes f rewrite every program that the plugin compiles from now on. f gets a serialised
// HloModuleProto and returns the new one, or nil for no change; it may be called on any number of goroutines at once.
// Its error, and a panic in it, become the error of the compilation. Calls PJRT_Register_Xla_Transform.
//
// The caller closes the transform. Errors: [isthmus.ErrUnsupported] where the plugin has no XlaTransform extension,
// [isthmus.ErrBusy] while the name is in use at that stage.
func (p *Plugin) RegisterTransform(name string, stage TransformStage, f func(module []byte) ([]byte, error)) (*Transform, error) {
	const op = "register transform"
	switch {
	case p == nil || p.table == nil:
		return nil, invalid(op, "no plugin")
	case name == "" || strings.ContainsRune(name, 0):
		return nil, invalid(op, "the name is %q", name)
	case stage != PreScheduler && stage != PostScheduler:
		return nil, invalid(op, "%s: use PreScheduler or PostScheduler", stage)
	case f == nil:
		return nil, invalid(op, "%s: no function", name)
	}
	// Without the way back, nothing is registered.
	if _, err := p.extensionFunc((*pjrtc.ClearXlaTransformArgs)(nil).ExtFunc()); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	t := &Transform{name: name, stage: stage, f: f}
	p.transforms.mu.Lock()
	defer p.transforms.mu.Unlock()
	key := transformKey{stage, name}
	e := p.transforms.entries[key]
	if e != nil && e.current.Load() != nil {
		return nil, fmt.Errorf("pjrt: %s: %q is registered: %w; close it first", op, name, isthmus.ErrBusy)
	}
	if e == nil {
		var err error
		if e, err = p.newTransformEntry(key); err != nil {
			return nil, fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	e.current.Store(t)
	err := askExt(p, op, func(f *call.Frame, a *pjrtc.RegisterXlaTransformArgs) (err error) {
		a.Name, err = bytesOf(f, name)
		a.NameSize, a.Stage = uint64(len(name)), stage.native()
		a.Callbacks = pjrtc.Ptr[pjrtc.XlaTransformCallbacks](mem.AddrOf(e.callbacks.Bytes()))
		return err
	}, nil)
	if err == nil {
		p.transforms.class.Name, p.transforms.class.Backstop = "pjrt.Transform", ffi.BackstopNone // the entry keeps it reachable
		p.transforms.class.Destroy = (*transformEntry).clear
		err = t.owned.Init(&p.transforms.class, e)
	}
	if err != nil {
		e.current.Store(nil)
		return nil, err
	}
	return t, nil
}

func (s TransformStage) native() pjrtc.XlaTransformPipelineStage {
	if s == PostScheduler {
		return pjrtc.XlaTransformPipelineStageKPostScheduler
	}
	return pjrtc.XlaTransformPipelineStageKPreScheduler
}

func (p *Plugin) newTransformEntry(key transformKey) (*transformEntry, error) {
	e := &transformEntry{plugin: p, key: key}
	transform, err := cb.Static(func(_, args uintptr) uintptr {
		// SAFETY: owner: the plugin, which keeps the struct for this call; bounds and alignment: it is a
		// PJRT_XlaTransform_Args by the contract of a transform; thread: this one, which waits for the Go function.
		e.serve(pjrtc.Ptr[pjrtc.XlaTransformArgs](args).At())
		return 0
	})
	if err != nil {
		return nil, err
	}
	// Nothing is freed when the plugin has dropped its registration: the entry is kept.
	done, err := nothing()
	if err != nil {
		return nil, err
	}
	if e.callbacks, err = mem.Alloc(mem.SizeOf[pjrtc.XlaTransformCallbacks](), 16); err != nil {
		return nil, err
	}
	c := pjrtc.Ptr[pjrtc.XlaTransformCallbacks](mem.AddrOf(e.callbacks.Bytes())).At()
	c.Version, c.Dtor, c.TransformHloModule = 1, pjrtc.Func(done), pjrtc.Func(transform)
	if p.transforms.entries == nil {
		p.transforms.entries = map[transformKey]*transformEntry{}
	}
	p.transforms.entries[key] = e
	return e, nil
}

// nothing is a C function of one argument that does nothing.
var nothing = sync.OnceValues(func() (call.Fn, error) {
	return cb.Static(func(uintptr) uintptr { return 0 })
})

// clear takes the registration back.
func (e *transformEntry) clear() error {
	const op = "clear transform"
	e.plugin.transforms.mu.Lock()
	defer e.plugin.transforms.mu.Unlock()
	err := askExt(e.plugin, op, func(f *call.Frame, a *pjrtc.ClearXlaTransformArgs) (err error) {
		a.Name, err = bytesOf(f, e.key.name)
		a.NameSize, a.Stage = uint64(len(e.key.name)), e.key.stage.native()
		a.Callbacks = pjrtc.Ptr[pjrtc.XlaTransformCallbacks](mem.AddrOf(e.callbacks.Bytes()))
		return err
	}, func(a *pjrtc.ClearXlaTransformArgs) error {
		if !a.Cleared {
			return fmt.Errorf("pjrt: %s: the plugin knows no %q: %w", op, e.key.name, isthmus.ErrNotFound)
		}
		return nil
	})
	e.current.Store(nil)
	return err
}

// serve is what C calls, on any thread.
func (e *transformEntry) serve(a *pjrtc.XlaTransformArgs) {
	if a == nil || a.StructSize < pjrtc.XlaTransformArgsSize {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: "pjrt.Transform"}, Err: invalid("transform", "%s: the plugin's arguments are too short", e.key.name)})
		return
	}
	a.Changed, a.Header.HasError = false, false
	t := e.current.Load()
	if t == nil {
		return // it was closed while this compilation was on its way here
	}
	if _, err := t.owned.Use(); err != nil {
		return
	}
	defer t.owned.Done()
	module, err := mem.Copy(a.HloModule.Data, a.HloModule.Size, maxProgram)
	var out []byte
	if err == nil {
		out, err = isolated(func() ([]byte, error) { return t.f(module) })
	}
	r := &nativeResult{}
	if err == nil && out != nil {
		a.TransformedHloModule.Data, err = r.bytes(out)
		a.TransformedHloModule.Size, a.Changed = uint64(len(out)), err == nil
	}
	if err != nil {
		text := fmt.Sprintf("transform %q: %v", e.key.name, err)
		a.Header.HasError, a.Header.Code = true, pjrtc.ErrorCode(codeOf(err))
		if a.Header.ErrorMsg.Data, err = r.bytes([]byte(text)); err == nil {
			a.Header.ErrorMsg.Size = uint64(len(text))
		}
	}
	a.Header.Data, a.Header.CleanupFn = r.give()
}

// Name is the name that the transform was registered by.
func (t *Transform) Name() string { return orZero(t).name }

// Stage is the place where it runs.
func (t *Transform) Stage() TransformStage { return orZero(t).stage }

// String returns the name and the stage.
func (t *Transform) String() string {
	if t == nil || t.name == "" {
		return "pjrt.Transform(none)"
	}
	state := ""
	if !t.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Transform(%s, %s%s)", t.name, t.stage, state)
}

// Close takes the transform back. While it runs, the error wraps [isthmus.ErrBusy]: the plugin cannot be asked to
// forget a transform from within it. Close is idempotent and nil-safe.
// Calls PJRT_Clear_Xla_Transform.
func (t *Transform) Close() error {
	if t == nil {
		return nil
	}
	return t.owned.Close()
}

// isolated runs f on a goroutine of its own; a panic in it and the end of its goroutine become errors.
func isolated[T any](f func() (T, error)) (v T, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = fmt.Errorf("it ended its goroutine: %w", isthmus.ErrPanic) // what stays when the goroutine ends in the middle
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", isthmus.ErrPanic, r)
			}
		}()
		v, err = f()
	}()
	<-done
	return v, err
}

// nativeResult is memory that a callback gives to native code, until that calls the clean-up function.
type nativeResult struct{ blocks []*mem.Block }

// alloc gives n bytes.
func (r *nativeResult) alloc(n int) ([]byte, error) {
	b, err := mem.Alloc(max(n, 8), 16)
	if err != nil {
		return nil, err
	}
	r.blocks = append(r.blocks, b)
	return b.Bytes(), nil
}

// bytes copies b.
func (r *nativeResult) bytes(b []byte) (pjrtc.Ptr[byte], error) {
	m, err := r.alloc(len(b) + 1)
	if err != nil {
		return 0, err
	}
	copy(m, b)
	return pjrtc.ToSlice(m), nil
}

// give hands the memory over. Without any there is nothing to clean up.
func (r *nativeResult) give() (data pjrtc.Addr, cleanup pjrtc.Func) {
	if len(r.blocks) == 0 {
		return 0, 0
	}
	fn, err := cleanUp()
	if err != nil {
		return 0, 0 // the memory stays for ever
	}
	return pjrtc.Addr(values.add(r)), pjrtc.Func(fn)
}

// cleanUp is the C function that frees a nativeResult.
var cleanUp = sync.OnceValues(func() (call.Fn, error) {
	return cb.Static1(func(n mem.Addr) uintptr {
		if r, ok := values.get(uintptr(n)); ok {
			for _, b := range r.(*nativeResult).blocks {
				_ = b.Free() // it is freed once, here
			}
		}
		values.drop(uintptr(n))
		return 0
	}, nil)
})
