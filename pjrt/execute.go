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

// ExecuteOptions says how to execute. The zero value is the default.
type ExecuteOptions struct {
	// Keep lists arguments, by index, whose memory the program must not reuse although it was compiled to.
	Keep []int
	// Device is where a portable program runs; nil for every other.
	Device *Device
	// LaunchID names the execution in the plugin's traces.
	LaunchID int32
}

// plain reports whether o asks for nothing.
func (o *ExecuteOptions) plain() bool { return o.Keep == nil && o.Device == nil && o.LaunchID == 0 }

// Execute runs the program on one device and waits until it is done. The caller closes the outputs. Calls
// PJRT_LoadedExecutable_Execute.
//
// An argument that the program was compiled to reuse (see [Executable.Donated]) is closed by the call, unless Keep
// names it. When ctx ends first, the execution goes on and what comes of it is destroyed; until then the executable
// cannot be closed. A plugin that computes in the calling thread, as XLA's CPU backend does with small programs, lets
// nobody give up before it is done.
//
// Errors: the plugin's, also those of the running program; [isthmus.ErrInvalid] for a missing, extra or nil argument,
// one of another client or device, and one of another type than the parameter; [isthmus.ErrClosed] for a closed or
// donated one. Arguments are checked before anything runs.
func (x *Executable) Execute(ctx context.Context, args []*Buffer, o ExecuteOptions) ([]*Buffer, error) {
	if x == nil || x.client == nil {
		return nil, invalid("execute", "no executable")
	}
	outs := make([]*Buffer, len(x.outputs))
	for i := range outs {
		outs[i] = &Buffer{}
	}
	if err := x.ExecuteInto(ctx, args, outs, o); err != nil {
		return nil, err
	}
	return outs, nil
}

// ExecuteInto is Execute with outputs that the caller brings: zero or closed buffers, one for each output. Reused ones
// make an execution that allocates nothing.
func (x *Executable) ExecuteInto(ctx context.Context, args, outs []*Buffer, o ExecuteOptions) error {
	const op = "execute"
	if x == nil || x.client == nil {
		return invalid(op, "no executable")
	}
	if x.quick != nil && ctx.Done() == nil && o.plain() {
		if done, err := x.quick.run(x, args, outs); done {
			return err
		}
	}
	if len(x.devices) > 1 || x.replicas*x.partitions > 1 {
		return invalid(op, "%s runs on %d devices; use ExecuteAll", x, max(len(x.devices), x.replicas*x.partitions))
	}
	if err := checkOuts(outs, len(x.outputs)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
	h, err := x.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	r := run{x: x, h: h, n: 1, arg: args, out: outs}
	return r.do(ctx, o)
}

// ExecuteAll runs the program on all its devices: one list of arguments, and gives one list of outputs, for each of
// [Executable.Devices].
func (x *Executable) ExecuteAll(ctx context.Context, args [][]*Buffer, o ExecuteOptions) ([][]*Buffer, error) {
	const op = "execute"
	if x == nil || x.client == nil {
		return nil, invalid(op, "no executable")
	}
	if len(args) != len(x.devices) || len(args) == 0 {
		return nil, invalid(op, "arguments for %d devices, the program runs on %d", len(args), len(x.devices))
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx))
	}
	h, err := x.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	outs := make([][]*Buffer, len(args))
	for d := range outs {
		outs[d] = make([]*Buffer, len(x.outputs))
		for i := range outs[d] {
			outs[d][i] = &Buffer{}
		}
	}
	r := run{x: x, h: h, n: len(args), args: args, outs: outs}
	if err := r.do(ctx, o); err != nil {
		return nil, err
	}
	return outs, nil
}

func checkOuts(outs []*Buffer, n int) error {
	if len(outs) != n {
		return invalid("execute", "%d outputs brought, the program has %d", len(outs), n)
	}
	for i, b := range outs {
		if b == nil {
			return invalid("execute", "output %d is nil", i)
		}
		if b.owned.Live() {
			return fmt.Errorf("pjrt: execute: output %d is still open: %w", i, isthmus.ErrBusy)
		}
		for _, c := range outs[:i] {
			if b == c {
				return invalid("execute", "output %d is given twice", i)
			}
		}
	}
	return nil
}

// run is one execution. It holds a use of its executable from its making until the native work is done.
type run struct {
	x      *Executable
	h      pjrtc.Ptr[pjrtc.LoadedExecutable]
	n      int       // devices
	arg    []*Buffer // the lists of one device, which need no memory of their own
	out    []*Buffer
	args   [][]*Buffer // the lists of several
	outs   [][]*Buffer
	on     *Device                              // where a portable program runs
	block  *block                               // in the frame, as are:
	lists  []pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]] // the output lists
	events []pjrtc.Ptr[pjrtc.Event]
}

// inline is how many arguments and outputs of one device fit into a block.
const inline = 16

// block is the native memory of an execution on one device, made in one piece.
type block struct {
	args    pjrtc.LoadedExecutableExecuteArgs
	options pjrtc.ExecuteOptions
	await   pjrtc.EventAwaitArgs
	destroy pjrtc.EventDestroyArgs
	lists   [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	outs    [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	events  [1]pjrtc.Ptr[pjrtc.Event]
	in, out [inline]pjrtc.Ptr[pjrtc.Buffer]
}

// in and into are the argument and output lists of device d.
func (r *run) in(d int) []*Buffer {
	if r.args == nil {
		return r.arg
	}
	return r.args[d]
}

func (r *run) into(d int) []*Buffer {
	if r.outs == nil {
		return r.out
	}
	return r.outs[d]
}

// do runs it and ends the use of the executable, now or when the work is done.
func (r *run) do(ctx context.Context, o ExecuteOptions) error {
	f := call.Get()
	held, err := r.enter(f, o)
	if err == nil {
		if err = do(r.x.client.plugin, f, "execute", &r.block.args); err == nil && (r.x.sig == nil || r.x.sig.donates) {
			r.settle(o)
		}
	}
	r.leave(held)
	if err != nil {
		f.Put()
		r.x.owned.Done()
		return err
	}
	err, detached := r.await(ctx, f)
	if detached {
		return err
	}
	if err == nil {
		err = r.collect()
	} else {
		r.discard()
	}
	f.Put()
	r.x.owned.Done()
	return err
}

// enter checks every argument, takes a use of it, and writes the native arguments into the frame. held counts the uses
// taken, in order.
func (r *run) enter(f *call.Frame, o ExecuteOptions) (held int, err error) {
	const op = "execute"
	x, n := r.x, r.n
	k, err := call.New[block](f)
	if err != nil {
		return 0, err
	}
	a, opt := &k.args, &k.options
	lists := k.lists[:]
	r.block, r.lists, r.events = k, k.outs[:], k.events[:]
	params := len(r.in(0))
	small := n == 1 && params < inline && len(x.outputs) < inline
	if n > 1 {
		if lists, err = call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, n); err != nil {
			return 0, err
		}
		if r.lists, err = call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, n); err != nil {
			return 0, err
		}
		if r.events, err = call.Slice[pjrtc.Ptr[pjrtc.Event]](f, n); err != nil {
			return 0, err
		}
	}
	if x.sig != nil && params != len(x.sig.params) {
		return 0, invalid(op, "%d arguments, %s has %d parameters", params, x.name, len(x.sig.params))
	}
	for d := range n {
		args := r.in(d)
		if len(args) != params {
			return held, invalid(op, "%d arguments for device %d, %d for the first", len(args), d, params)
		}
		// Longer than needed, so that an empty list has an address too.
		list, out := k.in[:], k.out[:]
		if !small {
			if list, err = call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, params+1); err != nil {
				return held, err
			}
			if out, err = call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, len(x.outputs)+1); err != nil {
				return held, err
			}
		}
		lists[d], r.lists[d] = pjrtc.ToSlice(list), pjrtc.ToSlice(out)
		for i, b := range args {
			if list[i], err = b.enter(); err != nil {
				return held, fmt.Errorf("pjrt: %s: argument %d: %w", op, i, err)
			}
			held++
			if err := r.check(d, i, b, o); err != nil {
				return held, err
			}
		}
	}
	opt.SetSize()
	opt.LaunchId = o.LaunchID
	if len(o.Keep) > 0 {
		keep, err := call.Slice[int64](f, len(o.Keep))
		if err != nil {
			return held, err
		}
		for i, k := range o.Keep {
			if k < 0 || k >= params {
				return held, invalid(op, "argument %d to keep, there are %d", k, params)
			}
			keep[i] = int64(k)
		}
		opt.NonDonatableInputIndices, opt.NumNonDonatableInputIndices = pjrtc.ToSlice(keep), uint64(len(keep))
	}
	a.Executable, a.Options = r.h, pjrtc.To(opt)
	a.ArgumentLists, a.NumDevices, a.NumArgs = pjrtc.ToSlice(lists), uint64(n), uint64(params)
	a.OutputLists, a.DeviceCompleteEvents = pjrtc.ToSlice(r.lists), pjrtc.ToSlice(r.events)
	if o.Device != nil {
		if o.Device.client != x.client {
			return held, invalid(op, "%s belongs to another client", o.Device)
		}
		a.ExecuteDevice, r.on = o.Device.h, o.Device
	}
	return held, nil
}

// check compares an argument with its parameter.
func (r *run) check(d, i int, b *Buffer, o ExecuteOptions) error {
	const op = "execute"
	x := r.x
	if b.client != x.client {
		return invalid(op, "argument %d belongs to another client", i)
	}
	want := o.Device
	if want == nil && d < len(x.devices) {
		want = x.devices[d]
	}
	if want != nil && b.device != want {
		return invalid(op, "argument %d is on %s, the program runs on %s; copy it there", i, b.device, want)
	}
	if x.sig == nil {
		return nil
	}
	if t := x.sig.params[i]; t.DType.Valid() && !t.Equal(b.typ) {
		return invalid(op, "argument %d is %s, the parameter %s", i, b.typ, t)
	}
	if x.sig.donated[i] && !slices.Contains(o.Keep, i) {
		for j, c := range r.in(d) {
			if j != i && c == b {
				return invalid(op, "argument %d is donated and is argument %d too", i, j)
			}
		}
	}
	return nil
}

// settle finds out which arguments the execution took, so that they are closed as soon as their uses end. After an
// execution that did not start an argument may be gone too; nobody can tell then why, and it says so when it is used.
func (r *run) settle(o ExecuteOptions) {
	sig := r.x.sig
	for d := range r.n {
		for i, b := range r.in(d) {
			if sig != nil && (!sig.donated[i] || slices.Contains(o.Keep, i)) {
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

// leave ends the first held uses of the arguments.
func (r *run) leave(held int) {
	for d := range r.n {
		for _, b := range r.in(d) {
			if held == 0 {
				return
			}
			b.owned.Done()
			held--
		}
	}
}

// await waits until all devices are done. detached says that ctx ended first, and that what remains is looked after.
func (r *run) await(ctx context.Context, f *call.Frame) (err error, detached bool) {
	p := r.x.client.plugin
	if ctx.Done() == nil || r.ready(f) {
		for _, e := range r.events {
			if ferr := p.finishIn(f, "execute", e, &r.block.await, &r.block.destroy); ferr != nil && err == nil {
				err = ferr
			}
		}
		return err, false
	}
	left := r.detach()
	if err := left.done.Wait(ctx); left.done.Completed() {
		left.destroyEvents()
		return err, false
	}
	f.Put()
	// Nobody will read the outputs. A device that sees them go may stop the work; the others finish it.
	left.destroyOuts()
	r.x.client.reaper.Adopt(left.done, "pjrt.Execution", func(error) { left.destroy() })
	return fmt.Errorf("pjrt: execute: %w", context.Cause(ctx)), true
}

// ready reports whether every device is done already.
func (r *run) ready(f *call.Frame) bool {
	for _, e := range r.events {
		if e == 0 {
			continue
		}
		a, err := call.New[pjrtc.EventIsReadyArgs](f)
		if err != nil {
			return false
		}
		a.Event = e
		if err := do(r.x.client.plugin, f, "execute", a); err != nil || !a.IsReady {
			return false
		}
	}
	return true
}

// remains is an execution that its caller may give up: what must be looked after, in Go memory.
type remains struct {
	x      *Executable
	events []pjrtc.Ptr[pjrtc.Event]
	outs   []pjrtc.Ptr[pjrtc.Buffer]
	done   *ffi.Event
	left   atomic.Int64
	mu     sync.Mutex
	err    error
}

// detach has the events watched.
func (r *run) detach() *remains {
	m := &remains{x: r.x, done: &ffi.Event{}, outs: r.handles()}
	for _, e := range r.events {
		if e != 0 {
			m.events = append(m.events, e)
		}
	}
	m.left.Store(int64(len(m.events)))
	if len(m.events) == 0 {
		m.done.Complete(nil)
	}
	for _, e := range m.events {
		r.x.client.plugin.watch("execute", e, m.fired)
	}
	return m
}

func (m *remains) fired(err error) {
	m.mu.Lock()
	if m.err == nil {
		m.err = err
	}
	err = m.err
	m.mu.Unlock()
	if m.left.Add(-1) == 0 {
		m.done.Complete(err)
	}
}

func (m *remains) destroyEvents() {
	for _, e := range m.events {
		dropWith(m.x.client.plugin.events.Destroy)(e)
	}
}

// destroy ends an execution that nobody waits for.
func (m *remains) destroy() {
	m.destroyEvents()
	m.destroyOuts()
	m.x.owned.Done()
}

func (m *remains) destroyOuts() {
	for _, b := range m.outs {
		dropWith(m.x.client.plugin.buffers.Destroy)(b)
	}
	m.outs = nil
}

// handles copies the output handles out of the frame.
func (r *run) handles() []pjrtc.Ptr[pjrtc.Buffer] {
	var all []pjrtc.Ptr[pjrtc.Buffer]
	for _, l := range r.lists {
		list, err := l.Slice(uint64(len(r.x.outputs)))
		if err != nil {
			continue
		}
		for _, b := range list {
			if b != 0 {
				all = append(all, b)
			}
		}
	}
	return all
}

// discard destroys the outputs of an execution that failed.
func (r *run) discard() {
	for _, b := range r.handles() {
		dropWith(r.x.client.plugin.buffers.Destroy)(b)
	}
}

// collect makes the outputs the caller's.
func (r *run) collect() error {
	x := r.x
	var failed error
	for d, l := range r.lists {
		list, err := l.Slice(uint64(len(x.outputs)))
		if err != nil {
			return err
		}
		dev := r.on
		if dev == nil && d < len(x.devices) {
			dev = x.devices[d]
		}
		for i, h := range list {
			t := x.outputs[i]
			if !t.DType.Valid() && h != 0 {
				if t, err = x.client.plugin.typeOf(h); err != nil {
					failed = errors.Join(failed, err)
				}
			}
			if err := r.into(d)[i].take(x.client, h, dev, t); err != nil {
				failed = errors.Join(failed, fmt.Errorf("pjrt: execute: output %d: %w", i, err))
			}
		}
	}
	if failed != nil {
		for d := range r.n {
			for _, b := range r.into(d) {
				failed = errors.Join(failed, b.Close())
			}
		}
	}
	return failed
}
