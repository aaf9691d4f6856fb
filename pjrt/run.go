package pjrt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// run is one execution. It holds a use of its executable from its beginning until the native work is done, and uses of
// the arguments until the plugin has taken them. Outputs are handles until somebody collects them or gives them up.
type run struct {
	x    *Executable
	h    pjrtc.Ptr[pjrtc.LoadedExecutable]
	args [][]*Buffer // one list for each device
	keep []int
	on   *Device // where a portable program runs

	f      *call.Frame                          // until the plugin has returned, with:
	block  *block                               // the native arguments,
	lists  []pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]] // the output lists,
	events []pjrtc.Ptr[pjrtc.Event]             // and the completion events
	held   int                                  // uses of arguments
	hosts  *hosts                               // callbacks, nil without
	ctx    *ExecuteContext                      // used, or nil

	launched ffi.Event // the plugin has returned
	done     ffi.Event // the work is done, and nothing of it is left but the outputs
	left     atomic.Int64
	errs     []error // of each device

	mu    sync.Mutex
	outs  [][]pjrtc.Ptr[pjrtc.Buffer]
	given bool // nobody wants the outputs
}

// DeviceError is what an execution failed with on one of several devices.
type DeviceError struct {
	Device *Device
	Err    error
}

// Error names the device.
func (e *DeviceError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%s: %v", e.Device, e.Err)
}

// Unwrap gives the error.
func (e *DeviceError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// begin checks an execution and takes what it uses. The caller calls wait or away, once.
func (x *Executable) begin(ctx context.Context, args [][]*Buffer, o *ExecuteOptions) (*run, error) {
	const op = "execute"
	if ctx.Err() != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
	h, err := x.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	r := &run{x: x, h: h, args: args, keep: o.Keep, f: call.Get(), errs: make([]error, len(args))}
	if ctx.Done() != nil {
		// The caller may give up and change its lists before the plugin has taken them.
		r.args, r.keep = make([][]*Buffer, len(args)), slices.Clone(o.Keep)
		for d := range args {
			r.args[d] = slices.Clone(args[d])
		}
	}
	if err := r.enter(o); err != nil {
		r.leave()
		r.f.Put()
		r.end()
		return nil, err
	}
	return r, nil
}

// end gives back what the native work used. It is called once, when the work is done.
func (r *run) end() {
	r.hosts.release()
	if r.ctx != nil {
		r.ctx.owned.Done()
	}
	r.x.owned.Done()
}

// wait runs the execution and waits until it is done, or for ctx. Then the execution goes on, and is looked after.
func (r *run) wait(ctx context.Context) error {
	if ctx.Done() == nil {
		return r.here()
	}
	// The plugin may compute in the thread that calls it, so it is another than the one that can give up.
	go r.away()
	err := r.done.Wait(ctx)
	if r.done.Completed() {
		return r.done.Err()
	}
	r.x.client.reaper.Adopt(&r.done, "pjrt.Execution", nil)
	return fmt.Errorf("pjrt: execute: %w", err)
}

// here is wait on this goroutine.
func (r *run) here() error {
	if err := r.launch(); err != nil {
		return err
	}
	f := call.Get()
	for d, e := range r.events {
		f.Reset()
		r.errs[d] = r.x.client.plugin.finish(f, "execute", e)
	}
	f.Put()
	r.end()
	return r.outcome()
}

// away is wait without anybody who waits.
func (r *run) away() {
	if err := r.launch(); err != nil {
		r.launched.Complete(err)
		r.done.Complete(err)
		return
	}
	r.launched.Complete(nil)
	r.left.Store(int64(len(r.events)))
	for d, e := range r.events {
		if e == 0 {
			r.fired(d, nil)
			continue
		}
		r.x.client.plugin.watch("execute", e, func(err error) { r.fired(d, err) })
	}
}

// fired is called once for each device. It does not block.
func (r *run) fired(d int, err error) {
	r.errs[d] = err
	if r.left.Add(-1) == 0 {
		go r.finish()
	}
}

func (r *run) finish() {
	for d, e := range r.events {
		if e != 0 {
			if err := r.x.client.plugin.events.Destroy(e); err != nil {
				r.errs[d] = errors.Join(r.errs[d], err)
			}
		}
	}
	r.end() // before anyone hears of it, so that who waits may close everything
	r.done.Complete(r.outcome())
}

// outcome joins what the devices and the callbacks failed with.
func (r *run) outcome() error {
	if len(r.errs) == 1 && r.hosts == nil {
		return r.errs[0]
	}
	all := make([]error, 0, len(r.errs)+1)
	for d, err := range r.errs {
		if err != nil && len(r.errs) > 1 {
			err = &DeviceError{r.device(d), err}
		}
		all = append(all, err)
	}
	return errors.Join(append(all, r.hosts.failure())...)
}

// device is where the outputs of list d are.
func (r *run) device(d int) *Device {
	if r.on == nil && d < len(r.x.devices) {
		return r.x.devices[d]
	}
	return r.on
}

// launch has the plugin take the execution, and ends it if the plugin refuses.
func (r *run) launch() error {
	p := r.x.client.plugin
	c := r.claim()
	c.lock()
	for _, b := range c.takes {
		b.viewing.Lock()
	}
	err := do(p, r.f, "execute", &r.block.args)
	for _, b := range c.takes {
		b.viewing.Unlock()
	}
	c.unlock()
	if err == nil {
		if r.x.sig == nil || r.x.sig.donates {
			r.settle()
		}
		err = r.copyOut()
	}
	r.leave()
	r.f.Put()
	r.f, r.block, r.lists = nil, nil, nil
	if err != nil {
		r.end()
		return errors.Join(err, r.hosts.failure())
	}
	return nil
}

// copyOut moves the handles from the frame to Go memory.
func (r *run) copyOut() error {
	r.events = slices.Clone(r.events)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lists {
		list, err := l.Slice(uint64(len(r.x.outputs)))
		if err != nil {
			return err
		}
		r.outs = append(r.outs, slices.Clone(list))
	}
	if r.given {
		r.dropLocked()
	}
	return nil
}

// settle finds out which arguments the execution took, so that they are closed as soon as their uses end. After an
// execution that did not start an argument may be gone too; nobody can tell then why, and it says so when it is used.
func (r *run) settle() {
	sig := r.x.sig
	for _, args := range r.args {
		for i, b := range args {
			if sig != nil && (!sig.donated[i] || slices.Contains(r.keep, i)) {
				continue
			}
			// The use that enter took is still held.
			h, err := b.owned.Use()
			if err != nil {
				continue
			}
			gone, err := r.x.client.plugin.isDeleted(h)
			b.owned.Done()
			if err != nil {
				gone = sig != nil // the plugin cannot tell: a donated argument is gone by its contract
			}
			if gone {
				b.give()
			}
		}
	}
}

// leave ends the uses of the arguments.
func (r *run) leave() {
	for _, args := range r.args {
		for _, b := range args {
			if r.held == 0 {
				return
			}
			b.owned.Done()
			r.held--
		}
	}
}

// giveUp destroys the outputs, those that are there now and those that come later. A device that sees them go may stop
// the work; the others finish it.
func (r *run) giveUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given = true
	r.dropLocked()
}

func (r *run) dropLocked() {
	for _, list := range r.outs {
		for _, b := range list {
			if b != 0 {
				dropWith(r.x.client.plugin.buffers.Destroy)(b)
			}
		}
	}
	r.outs = nil
}

// collect makes the outputs the caller's, once. When one cannot be, none is left.
func (r *run) collect(into [][]*Buffer) error {
	x := r.x
	r.mu.Lock()
	outs := r.outs
	r.outs, r.given = nil, true
	r.mu.Unlock()
	if outs == nil {
		return fmt.Errorf("pjrt: execute: the outputs were given up: %w", isthmus.ErrClosed)
	}
	var failed error
	for d, list := range outs {
		for i, h := range list {
			t := x.outputs[i]
			if !t.DType.Valid() && h != 0 {
				var err error
				if t, err = x.client.plugin.typeOf(h); err != nil {
					failed = errors.Join(failed, err)
				}
			}
			if err := into[d][i].take(x.client, h, r.device(d), t); err != nil {
				failed = errors.Join(failed, fmt.Errorf("pjrt: execute: output %d: %w", i, err))
			}
		}
	}
	if failed != nil {
		for _, list := range into {
			for _, b := range list {
				failed = errors.Join(failed, b.Close())
			}
		}
	}
	return failed
}
