package device

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// ExecuteOptions say how to execute. The zero value is the default.
type ExecuteOptions struct {
	// Keep lists arguments that must not be taken, although the program was compiled to.
	Keep []int
	// Device is where a portable program runs.
	Device int

	hosts *pjrtserve.HostTransfers // what the client does for send and recv; nil without
}

// Execution is a run of a program that goes on after Execute returned.
type Execution struct {
	// Outputs are the results, one list a device. They get their content when the run is done. The caller deletes them.
	Outputs [][]*Buffer
	// Done completes when the run is over, with its error, after the outputs are ready.
	Done *ffi.Event

	cancel context.CancelCauseFunc
}

// Cancel stops the run: its outputs and Done complete with cause.
func (e *Execution) Cancel(cause error) {
	if e != nil && e.cancel != nil {
		e.cancel(cause)
	}
}

// run is an execution in progress.
type run struct {
	x       *Executable
	args    [][]*Buffer
	donated []bool
	on      []int // the device of each process
	out     [][]*Buffer
	done    *ffi.Event
	hosts   *pjrtserve.HostTransfers
	link    eval.Link // to the other processes of the program; nil without
	ctx     context.Context
	stop    func()
}

// Execute starts the program, one list of arguments a device, and returns before it is done. It waits for arguments
// that are not ready yet; when one of them fails, so does the run. Arguments that the program was compiled to take are
// deleted at once. When ctx ends, or every output is deleted, the run stops.
//
// Errors: [isthmus.ErrInvalid] for a missing, extra or nil argument, one of another device, type or memory;
// [isthmus.ErrClosed] for one that was deleted. What fails later is the error of Done and of the outputs.
func (x *Executable) Execute(ctx context.Context, args [][]*Buffer, o ExecuteOptions) (*Execution, error) {
	if x == nil {
		return nil, errClosed
	}
	if ctx == nil {
		return nil, invalid("nil context")
	}
	d := x.device
	if err := d.enter(); err != nil {
		return nil, err
	}
	x.handlers.enter()
	r := &run{x: x, args: args, donated: slices.Clone(x.donated), done: &ffi.Event{}, hosts: o.hosts}
	err := r.check(o)
	if err == nil {
		err = r.claim()
	}
	if err == nil && x.joined {
		r.link = d.peers.Begin(x.print)
	}
	if err == nil && x.dynamic {
		// The sizes of the results show only when they are there.
		defer r.over()
		return r.now(ctx)
	}
	if err != nil {
		r.over()
		return nil, err
	}
	if x.light && r.ready() {
		// It is over before anybody could cancel it.
		r.ctx, r.stop = ctx, func() {}
		r.promise(nil)
		r.do()
		return &Execution{Outputs: r.out, Done: r.done, cancel: func(error) {}}, nil
	}
	cancel := r.begin(ctx)
	left := &atomic.Int64{}
	left.Store(int64(len(r.on) * len(x.results)))
	r.promise(func() {
		if left.Add(-1) == 0 {
			r.stop() // nobody wants the results any more
		}
	})
	go r.do()
	return &Execution{Outputs: r.out, Done: r.done, cancel: cancel}, nil
}

// over ends what Execute began.
func (r *run) over() {
	r.x.handlers.leave()
	r.x.device.work.Done()
}

// begin makes the run's context.
func (r *run) begin(ctx context.Context) context.CancelCauseFunc {
	ctx, cancel := context.WithCancelCause(ctx)
	closing := r.x.device.ctx
	unlink := context.AfterFunc(closing, func() { cancel(context.Cause(closing)) })
	r.ctx, r.stop = ctx, func() { unlink(); cancel(nil) }
	return cancel
}

// now runs a program whose results have sizes that are not known before.
func (r *run) now(ctx context.Context) (*Execution, error) {
	cancel := r.begin(ctx)
	defer r.stop()
	results, err := r.compute()
	r.unclaim()
	if err != nil {
		return nil, r.failed(err)
	}
	r.out = make([][]*Buffer, len(r.on))
	for i, list := range results {
		for _, res := range list {
			b := &Buffer{device: r.x.device, ordinal: r.on[i], typ: res.typ, block: res.block}
			b.ready.Complete(nil)
			r.out[i] = append(r.out[i], b)
		}
	}
	r.done.Complete(nil)
	return &Execution{Outputs: r.out, Done: r.done, cancel: cancel}, nil
}

// check compares the arguments with the parameters.
func (r *run) check(o ExecuteOptions) error {
	x := r.x
	r.on = x.on
	if x.options.Portable {
		r.on = []int{o.Device}
		if o.Device < 0 || o.Device >= x.device.devices {
			return invalid("execute on device %d of %d", o.Device, x.device.devices)
		}
	}
	if len(r.args) != len(r.on) {
		return invalid("arguments for %d devices, %s runs on %d", len(r.args), x.name, len(r.on))
	}
	for _, k := range o.Keep {
		if k < 0 || k >= len(x.params) {
			return invalid("argument %d to keep, %s has %d parameters", k, x.name, len(x.params))
		}
		r.donated[k] = false
	}
	for p, list := range r.args {
		if len(list) != len(x.params) {
			return invalid("%d arguments, %s has %d parameters", len(list), x.name, len(x.params))
		}
		for i, b := range list {
			switch {
			case b == nil:
				return invalid("argument %d is missing", i)
			case b.device != x.device:
				return invalid("argument %d belongs to another client", i)
			case b.ordinal != r.on[p]:
				return invalid("argument %d is on device %d, the program runs on device %d", i, b.ordinal, r.on[p])
			case !fits(b.typ, x.params[i]):
				return invalid("argument %d is %v, the parameter %v", i, b.typ, x.params[i])
			}
			if r.donated[i] {
				for j, c := range list {
					if j != i && c == b {
						return invalid("argument %d is donated and is argument %d too", i, j)
					}
				}
			}
		}
	}
	return nil
}

func invalid(format string, a ...any) error {
	return fmt.Errorf("device: execute: %s: %w", fmt.Sprintf(format, a...), isthmus.ErrInvalid)
}

// fits reports whether an argument of type t may be passed for a parameter of type p.
func fits(t, p stablehlo.Type) bool {
	if t.Elem != p.Elem || len(t.Dims) != len(p.Dims) {
		return false
	}
	for i, d := range p.Dims {
		if d == stablehlo.Dynamic {
			if p.Bounds != nil && p.Bounds[i] != stablehlo.Dynamic && t.Dims[i] > p.Bounds[i] {
				return false
			}
		} else if t.Dims[i] != d {
			return false
		}
	}
	return true
}

// claim holds every argument and deletes the donated ones: all or none.
func (r *run) claim() error {
	for p, list := range r.args {
		for i, b := range list {
			b.mu.Lock()
			err := b.gone()
			if err == nil {
				b.holds++
				if r.donated[i] {
					b.deleted, b.taken = true, true
				}
			}
			b.mu.Unlock()
			if err != nil {
				r.revert(p, i)
				return fmt.Errorf("device: execute: argument %d: %w", i, err)
			}
		}
	}
	return nil
}

// revert undoes claim for all arguments before argument i of process p.
func (r *run) revert(p, i int) {
	for q, list := range r.args[:p+1] {
		for j, b := range list {
			if q == p && j == i {
				return
			}
			b.mu.Lock()
			b.holds--
			if r.donated[j] {
				b.deleted, b.taken = false, false
			}
			b.mu.Unlock()
		}
	}
}

// unclaim ends the holds of claim. A donated argument whose memory nobody took is freed by that.
func (r *run) unclaim() {
	for _, list := range r.args {
		for _, b := range list {
			b.unhold()
		}
	}
}

// promise makes the outputs, without content. abandoned is called for each that is deleted before it has it.
func (r *run) promise(abandoned func()) {
	r.out = make([][]*Buffer, len(r.on))
	for i, dev := range r.on {
		r.out[i] = make([]*Buffer, len(r.x.results))
		for k, t := range r.x.results {
			r.out[i][k] = &Buffer{device: r.x.device, ordinal: dev, typ: t, abandoned: abandoned}
		}
	}
}

// ready reports whether all arguments have their content.
func (r *run) ready() bool {
	for _, list := range r.args {
		for _, b := range list {
			if !b.ready.Completed() {
				return false
			}
		}
	}
	return true
}

// do runs the program and settles everything that waits for it.
func (r *run) do() {
	defer r.over()
	defer r.stop()
	results, err := r.compute()
	r.unclaim()
	if err != nil {
		err = r.failed(err)
	}
	for i, list := range r.out {
		for k, b := range list {
			if err != nil {
				b.settle(nil, err)
			} else {
				b.settle(results[i][k].block, nil)
			}
		}
	}
	r.done.Complete(err)
}

func (r *run) failed(err error) error { return stopped(r.ctx, r.x.what, err) }

// result is a result in the device's memory.
type result struct {
	typ   stablehlo.Type
	block *block
}

// compute waits for the arguments and runs the program. A panic of an executor is an error: no input may end the
// process.
func (r *run) compute() (results [][]result, err error) {
	if r.link != nil {
		defer func() { r.link.End(err) }()
	}
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if v := recover(); v != nil {
			stack := make([]byte, 8<<10)
			err = fmt.Errorf("%w: %v; this is a bug of the device, please report it with the program\n%s", isthmus.ErrPanic, v, stack[:runtime.Stack(stack, false)])
		}
	}()
	for _, list := range r.args {
		for i, b := range list {
			if err := b.ready.Wait(r.ctx); err != nil {
				if r.ctx.Err() != nil {
					return nil, err
				}
				return nil, fmt.Errorf("argument %d: %w", i, err)
			}
		}
	}
	if r.ctx.Err() != nil {
		return nil, r.ctx.Err()
	}
	ctx := r.ctx
	if r.link != nil {
		if ctx, err = r.link.Enter(ctx); err != nil {
			return nil, err
		}
		o := r.x.options
		ctx = eval.Join(ctx, eval.Place{
			Replicas: o.Replicas, Partitions: o.Partitions, Process: slices.Index(r.x.all, r.x.device.own()), Ranks: r.x.all, Link: r.link,
		})
	}
	if r.x.program != nil {
		results, err = r.planned(ctx)
	} else {
		results, err = r.evaluated(ctx)
	}
	if err != nil && ctx.Err() != nil && r.ctx.Err() == nil {
		err = context.Cause(ctx) // another process has failed
	}
	return results, err
}

// steal takes the memory of a donated argument if nobody else uses it; nil otherwise.
func (b *Buffer) steal() *block {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.taken || b.holds != 1 || b.shared || cap(b.block.data) == 0 {
		return nil
	}
	m := b.block
	b.block = nil
	return m
}

// memory lends the device's memory to one run and knows which block each piece is. There are a handful. Workers take
// from it too, at the same time.
type memory struct {
	store *store
	name  string

	mu     sync.Mutex
	blocks []*block
}

// Alloc takes a block.
func (m *memory) Alloc(n int64) ([]byte, error) {
	b, err := m.store.take(n, m.name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.blocks = append(m.blocks, b)
	m.mu.Unlock()
	return b.data, nil
}

// Free gives a block back.
func (m *memory) Free(data []byte) { m.disown(data).release() }

// disown takes a block off the list; nil for memory that is not on it.
func (m *memory) disown(data []byte) *block {
	if cap(data) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, b := range m.blocks {
		if &b.data[:1][0] == &data[:1][0] {
			m.blocks = slices.Delete(m.blocks, i, i+1)
			return b
		}
	}
	return nil
}

// planned runs the planned program.
func (r *run) planned(ctx context.Context) ([][]result, error) {
	x := r.x
	m := &memory{store: x.device.store, name: x.what}
	defer func() {
		for _, b := range m.blocks {
			b.release()
		}
	}()
	args := make([]plan.Arg, len(r.args[0]))
	for i, b := range r.args[0] {
		if r.donated[i] {
			if own := b.steal(); own != nil {
				// The block is the run's now; what no result takes is released at the end.
				args[i] = plan.Arg{Data: own.data, Donated: true}
				m.blocks = append(m.blocks, own)
				continue
			}
		}
		b.mu.Lock()
		args[i].Data = b.block.data
		b.mu.Unlock()
	}
	outs, err := x.program.Run(ctx, args, m)
	if err != nil {
		return nil, err
	}
	results := make([]result, len(outs))
	for i, data := range outs {
		own := m.disown(data)
		if own == nil {
			for _, res := range results[:i] {
				res.block.release()
			}
			return nil, fmt.Errorf("result %d is in memory that is not its own: %w", i, isthmus.ErrPanic)
		}
		own.data = own.data[:len(data)]
		results[i] = result{x.results[i], own}
	}
	return [][]result{results}, nil
}

// evaluated runs the program by the evaluator, one process a device.
func (r *run) evaluated(ctx context.Context) ([][]result, error) {
	x, o := r.x, r.x.options
	programs := make([][]eval.Program, o.Replicas)
	for p, list := range r.args {
		args := make([]eval.Value, len(list))
		for i, b := range list {
			b.mu.Lock()
			args[i] = &eval.Tensor{Type: plain(b.typ, x.params[i]), Data: b.block.data}
			b.mu.Unlock()
		}
		row := p / o.Partitions
		programs[row] = append(programs[row], eval.Program{Func: x.main, Args: args})
	}
	opts := eval.Options{MemoryLimit: x.device.store.room(), Extern: x.extern}
	if r.hosts != nil {
		opts.Send, opts.Recv = r.send, r.recv
	}
	limited := func(err error) error {
		var m *eval.MemoryError
		if !errors.As(err, &m) {
			return err
		}
		s := x.device.store.snapshot()
		return fmt.Errorf("%w (%w)", &MemoryError{What: m.Op, Need: m.Need, InUse: s.InUse + m.Live, Limit: s.Limit}, err)
	}
	var values [][]eval.Value
	if len(r.args) == 1 {
		out, err := eval.Run(ctx, x.module, x.main, programs[0][0].Args, opts)
		if err != nil {
			return nil, limited(err)
		}
		values = [][]eval.Value{out}
	} else {
		out, err := eval.RunParallel(ctx, x.module, programs, nil, opts)
		if err != nil {
			return nil, limited(err)
		}
		values = slices.Concat(out...)
	}
	results := make([][]result, len(values))
	var err error
	for p, list := range values {
		for i, v := range list {
			var res result
			if res, err = r.keep(i, v); err != nil {
				break
			}
			results[p] = append(results[p], res)
		}
	}
	if err != nil {
		for _, list := range results {
			for _, res := range list {
				res.block.release()
			}
		}
		return nil, err
	}
	return results, nil
}

// send hands the operands of a send operation to the client, one after the other.
func (r *run) send(_ context.Context, process int, channel int64, values []eval.Value) error {
	total := 0
	for i, v := range values {
		t, ok := v.(*eval.Tensor)
		if !ok {
			return fmt.Errorf("operand %d is no tensor: %w", i, isthmus.ErrUnsupported)
		}
		total += len(t.Data)
	}
	for i, v := range values {
		if err := r.hosts.Send(process, channel, v.(*eval.Tensor).Data, total, i == len(values)-1); err != nil {
			return err
		}
	}
	return nil
}

// recv has the client fill the results of a recv operation.
func (r *run) recv(ctx context.Context, process int, channel int64, types []stablehlo.Type) ([]eval.Value, error) {
	var out []eval.Value
	for i, t := range types {
		if t.Kind != stablehlo.Tensor || !t.Static() {
			return nil, fmt.Errorf("result %d is %v: %w", i, t, isthmus.ErrUnsupported)
		}
		data := make([]byte, t.Size())
		if err := r.hosts.Recv(ctx, process, channel, data); err != nil {
			return nil, err
		}
		out = append(out, &eval.Tensor{Type: t, Data: data})
	}
	return out, nil
}

// plain is the type of an argument as the evaluator wants it: quantized where the parameter is.
func plain(t, param stablehlo.Type) stablehlo.Type {
	t.Quant = param.Quant
	return t
}

// keep copies a value of the evaluator into the device's memory.
func (r *run) keep(i int, v eval.Value) (result, error) {
	t, ok := v.(*eval.Tensor)
	if !ok {
		return result{}, fmt.Errorf("result %d is no tensor: %w", i, isthmus.ErrUnsupported)
	}
	typ := t.Type
	typ.Bounds = nil
	b, err := r.x.device.store.take(int64(len(t.Data)), fmt.Sprintf("execute %s: result %d, %v", r.x.name, i, typ))
	if err != nil {
		return result{}, err
	}
	copy(b.data, t.Data)
	return result{typ, b}, nil
}
