package pjrt

import (
	"context"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Execution is a program under way. It is safe for concurrent use. The zero value is closed.
type Execution struct {
	owned ffi.Owned[*run]
	r     *run
	mu    sync.Mutex
	outs  [][]*Buffer
}

// executions is the class of what [Executable.Start] gives: ending one gives up what nobody took.
func executions() ffi.Class[*run] {
	return ffi.Class[*run]{Name: "pjrt.Execution", Destroy: func(r *run) error {
		r.giveUp()
		if !r.done.Completed() {
			r.x.client.reaper.Adopt(&r.done, "pjrt.Execution", nil)
		}
		return nil
	}}
}

// Start is [Executable.Execute] that does not wait: neither for the program nor for the plugin, which may compute in
// the thread that calls it. Arguments are checked before Start returns; they stay in use, and cannot be closed, until
// the plugin has taken them, which is when Outputs has its answer. ctx is for Start itself and does not end the
// execution. The caller closes the execution.
func (x *Executable) Start(ctx context.Context, args []*Buffer, o ExecuteOptions) (*Execution, error) {
	if x == nil || x.client == nil {
		return nil, invalid("execute", "no executable")
	}
	if err := x.one(); err != nil {
		return nil, err
	}
	return x.start(ctx, [][]*Buffer{append([]*Buffer(nil), args...)}, &o)
}

// StartAll is Start on all devices of the program: one list of arguments for each of [Executable.Devices].
func (x *Executable) StartAll(ctx context.Context, args [][]*Buffer, o ExecuteOptions) (*Execution, error) {
	if err := x.all(args); err != nil {
		return nil, err
	}
	lists := make([][]*Buffer, len(args))
	for d := range lists {
		lists[d] = append([]*Buffer(nil), args[d]...)
	}
	return x.start(ctx, lists, &o)
}

func (x *Executable) start(ctx context.Context, args [][]*Buffer, o *ExecuteOptions) (*Execution, error) {
	kept := *o
	kept.Keep = append([]int(nil), o.Keep...)
	r, err := x.begin(ctx, args, &kept)
	if err != nil {
		return nil, err
	}
	e := &Execution{r: r}
	if err := e.owned.Init(&x.client.plugin.executions, r, &x.owned); err != nil {
		// Only our own invariants fail here: the execution runs, and what comes of it is destroyed.
		go r.away()
		return nil, err
	}
	go r.away()
	return e, nil
}

// Outputs gives the outputs of the first device as soon as the plugin has taken the execution; see AllOutputs.
func (e *Execution) Outputs(ctx context.Context) ([]*Buffer, error) {
	all, err := e.AllOutputs(ctx)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// AllOutputs gives the outputs, a list for each device, as soon as the plugin has taken the execution. They may have no
// content yet, and may be arguments of other executions all the same. When the execution fails they carry its error.
// The caller closes them; a second call gives the same. Errors: why the plugin refused; [isthmus.ErrClosed] after
// Close; the context's cause.
func (e *Execution) AllOutputs(ctx context.Context) ([][]*Buffer, error) {
	const op = "outputs"
	if e == nil {
		return nil, invalid(op, "no execution")
	}
	r, err := e.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer e.owned.Done()
	if err := r.launched.Wait(ctx); err != nil {
		if r.launched.Completed() {
			return nil, err
		}
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.outs == nil {
		outs := make([][]*Buffer, len(r.args))
		for d := range outs {
			outs[d] = newBuffers(len(r.x.outputs))
		}
		if err := r.collect(outs); err != nil {
			return nil, err
		}
		e.outs = outs
	}
	return e.outs, nil
}

// Wait waits until all devices are done and returns what they failed with, or the context's cause when that ends first.
// Of several devices each failure is a [*DeviceError]. It may be called any number of times, also after Close.
func (e *Execution) Wait(ctx context.Context) error {
	if e == nil || e.r == nil {
		return invalid("wait", "no execution")
	}
	err := e.r.done.Wait(ctx)
	if err != nil && !e.r.done.Completed() {
		return fmt.Errorf("pjrt: execute: %w", err)
	}
	return err
}

// Done returns a channel that is closed when all devices are done; nil for no execution.
func (e *Execution) Done() <-chan struct{} {
	if e == nil || e.r == nil {
		return nil
	}
	return e.r.done.Done()
}

// Errs is what each device failed with, in the order of [Executable.Devices], or nil while the execution is not done. A
// plugin that refused the whole execution failed on none: Wait tells.
func (e *Execution) Errs() []error {
	if e == nil || e.r == nil || !e.r.done.Completed() {
		return nil
	}
	return append([]error(nil), e.r.errs...)
}

// Close gives the execution up: outputs that nobody took are destroyed, now or when they come. It does not wait; until
// the work is done the executable cannot be closed. Close is idempotent and nil-safe.
func (e *Execution) Close() error {
	if e == nil {
		return nil
	}
	return e.owned.Close()
}

// String describes the execution without touching native memory.
func (e *Execution) String() string {
	switch {
	case e == nil || e.r == nil:
		return "pjrt.Execution(none)"
	case e.r.done.Completed():
		return fmt.Sprintf("pjrt.Execution(%s, done)", e.r.x.name)
	}
	return fmt.Sprintf("pjrt.Execution(%s)", e.r.x.name)
}

// ExecuteContext carries user data to the custom calls of the executions that name it. It is safe for concurrent use.
// The zero value is closed.
type ExecuteContext struct {
	owned  ffi.Owned[pjrtc.Ptr[pjrtc.ExecuteContext]]
	plugin *Plugin
}

// NewExecuteContext makes a context for executions. The caller closes it. Calls PJRT_ExecuteContext_Create.
func (p *Plugin) NewExecuteContext() (*ExecuteContext, error) {
	const op = "execute context"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	if !p.table.Has(pjrtc.SlotExecuteContextDestroy) {
		return nil, fmt.Errorf("pjrt: %s: %w", op, p.lacks(pjrtc.SlotExecuteContextDestroy))
	}
	var h pjrtc.Ptr[pjrtc.ExecuteContext]
	err := ask(p, op, nil, func(a *pjrtc.ExecuteContextCreateArgs) error {
		if h = a.Context; h == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave none: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c := &ExecuteContext{plugin: p}
	if err := c.owned.Init(&p.contexts, h); err != nil {
		return nil, err
	}
	return c, nil
}

// Close destroys the context. While an execution uses it, it does nothing and returns an error that wraps
// [isthmus.ErrBusy]. Close is idempotent and nil-safe. Calls PJRT_ExecuteContext_Destroy.
func (c *ExecuteContext) Close() error {
	if c == nil {
		return nil
	}
	return c.owned.Close()
}

// String describes the context.
func (c *ExecuteContext) String() string {
	if c == nil || c.plugin == nil {
		return "pjrt.ExecuteContext(none)"
	}
	return fmt.Sprintf("pjrt.ExecuteContext(%s)", c.plugin.name)
}

func (p *Plugin) destroyContext(h pjrtc.Ptr[pjrtc.ExecuteContext]) error {
	defer p.dropUserData(h)
	return ask(p, "destroy execute context", func(_ *call.Frame, a *pjrtc.ExecuteContextDestroyArgs) error { a.Context = h; return nil }, nil)
}
