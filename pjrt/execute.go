package pjrt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// ExecuteOptions says how to execute. The zero value is the default.
type ExecuteOptions struct {
	// Keep lists arguments, by index, whose memory the program must not reuse although it was compiled to.
	Keep []int
	// Device is where a portable program runs; nil for every other.
	Device *Device
	// LaunchID names the execution in the plugin's traces, the same on all processes of one launch; 0 is none.
	LaunchID int32
	// Context carries user data to the program's custom calls; nil for none.
	Context *ExecuteContext
	// CallLocation is the place in the program's source, file:line, that the plugin names in its errors.
	CallLocation string
	// Tasks are the processes that take part, with the incarnation that each is expected to be.
	Tasks []Task
	// Send takes what the program's send operations give to the host, and Recv gives what its receive operations want.
	Send []SendHandler
	Recv []RecvHandler
	// RowMajor has the plugin bring what Send takes into row-major order.
	RowMajor bool
}

// Task is a process of a launch: its number, and the number of its start.
type Task struct {
	ID          int32
	Incarnation int64
}

// plain reports whether o asks for nothing.
func (o *ExecuteOptions) plain() bool {
	return o.Keep == nil && o.Device == nil && o.LaunchID == 0 && o.Context == nil && o.CallLocation == "" &&
		o.Tasks == nil && o.Send == nil && o.Recv == nil && !o.RowMajor
}

// Execute runs the program on one device and waits until it is done. The caller closes the outputs. Calls
// PJRT_LoadedExecutable_Execute.
//
// An argument that the program was compiled to reuse (see [Executable.Donated]) is closed by the call, unless Keep
// names it. When ctx ends first, the execution goes on and what comes of it is destroyed; until then the executable
// cannot be closed, and until the plugin has taken the arguments they cannot either. A context that cannot end costs
// less: the plugin is called on the caller's own goroutine. An execution that takes the memory of an argument waits until
// the plugin has taken the others that use it.
//
// Errors: the plugin's, also those of the running program; [isthmus.ErrInvalid] for a missing, extra or nil argument,
// one of another client or device, and one of another type than the parameter; [isthmus.ErrClosed] for a closed or
// donated one. Arguments are checked before anything runs. When the device has no memory left, the garbage collector
// runs, and an execution that has taken no argument's memory and has no callbacks is tried once more.
func (x *Executable) Execute(ctx context.Context, args []*Buffer, o ExecuteOptions) ([]*Buffer, error) {
	if x == nil || x.client == nil {
		return nil, invalid("execute", "no executable")
	}
	outs := newBuffers(len(x.outputs))
	if err := x.ExecuteInto(ctx, args, outs, o); err != nil {
		return nil, err
	}
	return outs, nil
}

func newBuffers(n int) []*Buffer {
	list := make([]*Buffer, n)
	for i := range list {
		list[i] = &Buffer{}
	}
	return list
}

// ExecuteInto is Execute with outputs that the caller brings: zero or closed buffers, one for each output. Reused ones
// make an execution that allocates nothing.
func (x *Executable) ExecuteInto(ctx context.Context, args, outs []*Buffer, o ExecuteOptions) error {
	if x == nil || x.client == nil {
		return invalid("execute", "no executable")
	}
	if x.quick != nil && ctx.Done() == nil && o.plain() {
		if done, err := x.quick.run(x, args, outs); done {
			if err != nil && errors.Is(err, ResourceExhausted) {
				err = relieve(x.quick.device, err, func() error { return x.executeOn1(ctx, args, outs, o) })
			}
			return err
		}
	}
	return x.executeOn1(ctx, args, outs, o)
}

// executeOn1 is ExecuteInto in the general way.
func (x *Executable) executeOn1(ctx context.Context, args, outs []*Buffer, o ExecuteOptions) error {
	if err := x.one(); err != nil {
		return err
	}
	return x.execute(ctx, [][]*Buffer{args}, [][]*Buffer{outs}, &o)
}

// one refuses a program that runs on several devices.
func (x *Executable) one() error {
	if len(x.devices) > 1 || x.replicas*x.partitions > 1 {
		return invalid("execute", "%s runs on %d devices; use ExecuteAll", x, max(len(x.devices), x.replicas*x.partitions))
	}
	return nil
}

// ExecuteAll runs the program on all its devices: one list of arguments, and gives one list of outputs, for each of
// [Executable.Devices]. Errors: those of Execute; what a device failed with is a [*DeviceError]. When one fails the
// others are waited for, and no outputs are left of any.
func (x *Executable) ExecuteAll(ctx context.Context, args [][]*Buffer, o ExecuteOptions) ([][]*Buffer, error) {
	if err := x.all(args); err != nil {
		return nil, err
	}
	outs := make([][]*Buffer, len(args))
	for d := range outs {
		outs[d] = newBuffers(len(x.outputs))
	}
	if err := x.execute(ctx, args, outs, &o); err != nil {
		return nil, err
	}
	return outs, nil
}

// all refuses lists that are not one for each device.
func (x *Executable) all(args [][]*Buffer) error {
	if x == nil || x.client == nil {
		return invalid("execute", "no executable")
	}
	if len(args) != len(x.devices) || len(args) == 0 {
		return invalid("execute", "arguments for %d devices, the program runs on %d", len(args), len(x.devices))
	}
	return nil
}

// execute runs the program and waits for it, or for ctx.
func (x *Executable) execute(ctx context.Context, args, outs [][]*Buffer, o *ExecuteOptions) error {
	for _, list := range outs {
		if err := checkOuts(list, len(x.outputs)); err != nil {
			return err
		}
	}
	once := func() error {
		r, err := x.begin(ctx, args, o)
		if err != nil {
			return err
		}
		if err := r.wait(ctx); err != nil {
			r.giveUp()
			return err
		}
		return r.collect(outs)
	}
	err := once()
	if err != nil && errors.Is(err, ResourceExhausted) && len(o.Send)+len(o.Recv) == 0 && x.untouched(args, o) {
		dev := o.Device
		if dev == nil && len(x.devices) > 0 {
			dev = x.devices[0]
		}
		err = relieve(dev, err, once)
	}
	return err
}

// untouched reports whether an execution that failed took the memory of no argument.
func (x *Executable) untouched(args [][]*Buffer, o *ExecuteOptions) bool {
	for _, list := range args {
		for i, b := range list {
			if x.sig != nil && (!x.sig.donated[i] || slices.Contains(o.Keep, i)) {
				continue
			}
			if gone, err := b.Deleted(); gone || err != nil {
				return false
			}
		}
	}
	return true
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

// inline is how many arguments and outputs of one device fit into a block.
const inline = 16

// block is the native memory of an execution on one device, made in one piece.
type block struct {
	args    pjrtc.LoadedExecutableExecuteArgs
	options pjrtc.ExecuteOptions
	lists   [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	outs    [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]
	events  [1]pjrtc.Ptr[pjrtc.Event]
	in, out [inline]pjrtc.Ptr[pjrtc.Buffer]
}

// enter checks every argument, takes a use of it, and writes the native arguments into the frame. It returns an error
// with the uses that it took in r.held.
func (r *run) enter(o *ExecuteOptions) (err error) {
	const op = "execute"
	x, f, n := r.x, r.f, len(r.args)
	k, err := call.New[block](f)
	if err != nil {
		return err
	}
	a, opt := &k.args, &k.options
	lists := k.lists[:]
	r.block, r.lists, r.events = k, k.outs[:], k.events[:]
	params := len(r.args[0])
	small := n == 1 && params < inline && len(x.outputs) < inline
	if n > 1 {
		if lists, err = call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, n); err != nil {
			return err
		}
		if r.lists, err = call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, n); err != nil {
			return err
		}
		if r.events, err = call.Slice[pjrtc.Ptr[pjrtc.Event]](f, n); err != nil {
			return err
		}
	}
	if x.sig != nil && params != len(x.sig.params) {
		return invalid(op, "%d arguments, %s has %d parameters", params, x.name, len(x.sig.params))
	}
	for d, args := range r.args {
		if len(args) != params {
			return invalid(op, "%d arguments for device %d, %d for the first", len(args), d, params)
		}
		// Longer than needed, so that an empty list has an address too.
		list, out := k.in[:], k.out[:]
		if !small {
			if list, err = call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, params+1); err != nil {
				return err
			}
			if out, err = call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, len(x.outputs)+1); err != nil {
				return err
			}
		}
		lists[d], r.lists[d] = pjrtc.ToSlice(list), pjrtc.ToSlice(out)
		for i, b := range args {
			if list[i], err = b.enter(); err != nil {
				return fmt.Errorf("pjrt: %s: argument %d: %w", op, i, err)
			}
			r.held++
			if err := r.check(d, i, b, o); err != nil {
				return err
			}
		}
	}
	if err := r.options(opt, params, o); err != nil {
		return err
	}
	a.Executable, a.Options = r.h, pjrtc.To(opt)
	a.ArgumentLists, a.NumDevices, a.NumArgs = pjrtc.ToSlice(lists), uint64(n), uint64(params)
	a.OutputLists, a.DeviceCompleteEvents = pjrtc.ToSlice(r.lists), pjrtc.ToSlice(r.events)
	if o.Device != nil {
		if o.Device.client != x.client {
			return invalid(op, "%s belongs to another client", o.Device)
		}
		a.ExecuteDevice, r.on = o.Device.h, o.Device
	}
	return nil
}

// check compares an argument with its parameter.
func (r *run) check(d, i int, b *Buffer, o *ExecuteOptions) error {
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
		for j, c := range r.args[d] {
			if j != i && c == b {
				return invalid(op, "argument %d is donated and is argument %d too", i, j)
			}
		}
	}
	return nil
}
