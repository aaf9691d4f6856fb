// Package eval runs StableHLO programs plainly: every operation of the specification on every element type, one after
// the other, in the order of the source. It is the oracle that faster executors are tested against, so each operation
// is written to be compared with the specification by eye.
//
// Floating-point operations are computed in float64 and rounded once to their type, integer arithmetic wraps around,
// and the result does not depend on the number of threads. Programs over several devices run one goroutine a device
// (see [RunParallel]).
package eval

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Options change how a program runs. The zero value is the default.
type Options struct {
	// MemoryLimit bounds the bytes of live tensors that the run makes, arguments not included; 0 is no limit.
	MemoryLimit int64

	// CustomCalls are functions for the targets of custom_call, looked up before the ones known here.
	CustomCalls map[string]CustomCall

	// Extern are functions for single custom_call operations of the program, before all others.
	Extern map[*stablehlo.Op]CustomCall

	// Send takes what the send operation hands to the host, and Recv gives what recv wants from it, of these types, by
	// channel; process counts replicas, and in each its partitions. Without them channels join processes only.
	Send func(ctx context.Context, process int, channel int64, values []Value) error
	Recv func(ctx context.Context, process int, channel int64, types []stablehlo.Type) ([]Value, error)

	// Seed starts the generator of the rng operation, whose numbers are not specified. The same seed gives the same
	// numbers.
	Seed uint64

	// Infeed gives what the infeed operation reads, and Outfeed takes what outfeed writes. Without them these
	// operations fail.
	Infeed  func(ctx context.Context) ([]Value, error)
	Outfeed func(ctx context.Context, values []Value) error

	// Stats, if set, is filled in when the run ends.
	Stats *Stats

	// Probe, if set, sees the values that pass interpreter.probe, by its probe_id.
	Probe func(id string, t *Tensor)
}

// CustomCall computes the results of a custom_call from its operands. The results must have the types that op.Results
// name. The operands must not be changed.
type CustomCall func(ctx context.Context, op *stablehlo.Op, args []Value) ([]Value, error)

// Error says which operation failed, and where in the source it stands.
type Error struct {
	Op  *stablehlo.Op
	Err error
}

// Error gives the place of the operation, its name and the cause.
func (e *Error) Error() string {
	if at := e.Op.Pos.String(); at != "" {
		return fmt.Sprintf("eval: %s: %s: %v", at, e.Op, e.Err)
	}
	return fmt.Sprintf("eval: %s: %v", e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrUnsupported is in the chain of an error about something that this package does not implement.
// It is an [isthmus.ErrUnsupported].
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string { return "not supported" }
func (unsupported) Unwrap() error { return isthmus.ErrUnsupported }

// ErrInternal is in the chain of an error that is a fault of this package, with a stack trace. A verified program
// should never cause one.
var ErrInternal = errors.New("eval: internal error")

// Stats tells what a run took.
type Stats struct {
	PeakBytes  int64 // the most bytes of live tensors at one time, arguments not included
	Operations int64 // operations run, those in scalar regions not counted
}

func (s *Stats) record(mem *memory, r *runner) {
	if s != nil {
		s.PeakBytes, s.Operations = mem.peak.Load(), s.Operations+int64(r.ops)
	}
}

// Run calls fn of module m with args as one process, replica 0 and partition 0 if ctx does not say another by [Join]. It
// returns fn's results.
//
// The run stops with ctx's error soon after ctx is done. An error of an operation is an [*Error]; under it may be a
// [*MemoryError] or a [*CheckError].
func Run(
	ctx context.Context, m *stablehlo.Module, fn *stablehlo.Func, args []Value, opts Options,
) (results []Value, err error) {
	if fn == nil {
		return nil, errors.New("eval: no function to run: the module has neither main nor a single public function")
	}
	defer guard(&err)
	mem := &memory{limit: opts.MemoryLimit}
	g, id := joined(ctx)
	r := newRunner(ctx, m, &opts, mem, g, id)
	results, err = r.call(fn, args)
	opts.Stats.record(mem, r)
	return results, err
}

// guard turns a panic into an error: a fault in this package must not end a process that only runs a program.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v\n%s", ErrInternal, p, debug.Stack())
	}
}

// runner is the state of one process of a run.
type runner struct {
	ctx    context.Context
	module *stablehlo.Module
	opts   *Options
	mem    *memory
	grid   *grid
	id     process
	rng    *rand.Rand
	ops    int // operations so far, to look at ctx now and then

	last     map[*stablehlo.Block][][]*stablehlo.Value // values that die after each operation of a block
	programs map[*stablehlo.Block]*program             // compiled scalar regions; nil where not possible
	floats   map[*stablehlo.Op]*stablehlo.Op           // quantized operations with their types made float
}

func newRunner(
	ctx context.Context, m *stablehlo.Module, opts *Options, mem *memory, g *grid, id process,
) *runner {
	return &runner{
		ctx: ctx, module: m, opts: opts, mem: mem, grid: g, id: id,
		rng:      rand.New(rand.NewPCG(opts.Seed, uint64(id.replica)<<32|uint64(id.partition))),
		last:     map[*stablehlo.Block][][]*stablehlo.Value{},
		programs: map[*stablehlo.Block]*program{},
		floats:   map[*stablehlo.Op]*stablehlo.Op{},
	}
}

// call runs fn. Each result carries one reference.
func (r *runner) call(fn *stablehlo.Func, args []Value) ([]Value, error) {
	if len(args) != len(fn.Body.Args) {
		return nil, fmt.Errorf("eval: %s takes %d arguments, got %d", fn.Name, len(fn.Body.Args), len(args))
	}
	for i, a := range args {
		if err := fits(a, fn.Body.Args[i].Type); err != nil {
			return nil, fmt.Errorf("eval: %s: argument %d: %w", fn.Name, i, err)
		}
	}
	return r.block(fn.Body, args, nil)
}

// fits checks that v is a value of type t.
func fits(v Value, t stablehlo.Type) error {
	switch v := v.(type) {
	case *Tensor:
		if v == nil {
			return fmt.Errorf("is missing, want %v", t)
		}
		if t.Kind != stablehlo.Tensor && t.Kind != stablehlo.Buffer {
			return fmt.Errorf("is a tensor, want %v", t)
		}
		if v.Type.Elem != t.Elem || len(v.Type.Dims) != len(t.Dims) {
			return fmt.Errorf("is %v, want %v", v.Type, t)
		}
		for i, d := range t.Dims {
			bound := d == stablehlo.Dynamic
			if !bound && v.Type.Dims[i] != d {
				return fmt.Errorf("is %v, want %v", v.Type, t)
			}
			if bound && t.Bounds != nil && t.Bounds[i] != stablehlo.Dynamic && v.Type.Dims[i] > t.Bounds[i] {
				return fmt.Errorf("is %v, over the bounds of %v", v.Type, t)
			}
		}
		n, err := byteSize(v.Type)
		if err != nil {
			return err
		}
		if int64(len(v.Data)) != n {
			return fmt.Errorf("has %d bytes, but %v takes %d", len(v.Data), v.Type, n)
		}
		return nil
	case Token:
		if t.Kind == stablehlo.Token {
			return nil
		}
		return fmt.Errorf("is a token, want %v", t)
	case Tuple:
		if (t.Kind != stablehlo.Tuple && t.Kind != stablehlo.Future) || len(t.Elems) != len(v) {
			return fmt.Errorf("is a tuple of %d, want %v", len(v), t)
		}
		for i, e := range v {
			if err := fits(e, t.Elems[i]); err != nil {
				return fmt.Errorf("tuple element %d %w", i, err)
			}
		}
		return nil
	}
	return fmt.Errorf("is missing, want %v", t)
}

// frame holds the values of one run of a block.
type frame struct {
	values map[*stablehlo.Value]Value
	parent *frame
}

func (f *frame) get(v *stablehlo.Value) Value {
	for ; f != nil; f = f.parent {
		if x, ok := f.values[v]; ok {
			return x
		}
	}
	return nil
}

// block runs b with args; it may use values of parent. Each result carries one reference.
func (r *runner) block(b *stablehlo.Block, args []Value, parent *frame) ([]Value, error) {
	if len(args) != len(b.Args) {
		return nil, fmt.Errorf("eval: a block takes %d arguments, got %d", len(b.Args), len(args))
	}
	f := &frame{values: make(map[*stablehlo.Value]Value, len(b.Args)+len(b.Ops)), parent: parent}
	for i, a := range b.Args {
		retain(args[i])
		f.values[a] = args[i]
	}
	dying := r.lastUses(b)
	for i, op := range b.Ops {
		if r.ops++; r.ops%64 == 0 {
			if err := r.ctx.Err(); err != nil {
				return nil, fmt.Errorf("eval: stopped before %v: %w", op, err)
			}
		}
		in := make([]Value, len(op.Operands))
		for j, v := range op.Operands {
			if in[j] = f.get(v); in[j] == nil {
				return nil, &Error{op, fmt.Errorf("operand %d is used before it is made", j)}
			}
		}
		if op.Kind == stablehlo.Return {
			for _, v := range in {
				retain(v)
			}
			for _, v := range f.values {
				release(v)
			}
			return in, nil
		}
		out, err := r.run(op, in, f)
		if err != nil {
			var inner *Error
			if errors.As(err, &inner) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return nil, err
			}
			return nil, &Error{op, err}
		}
		if len(out) != len(op.Results) {
			return nil, &Error{op, fmt.Errorf("made %d results, want %d", len(out), len(op.Results))}
		}
		for j, v := range op.Results {
			if err := fits(out[j], v.Type); err != nil {
				return nil, &Error{op, fmt.Errorf("result %d %w", j, err)}
			}
			f.values[v] = out[j]
		}
		for _, v := range dying[i] {
			release(f.values[v])
			delete(f.values, v)
		}
	}
	return nil, errors.New("eval: a block does not end in a return")
}

// lastUses lists, for each operation of b, the values of b that nothing uses afterwards.
func (r *runner) lastUses(b *stablehlo.Block) [][]*stablehlo.Value {
	if l, ok := r.last[b]; ok {
		return l
	}
	at := map[*stablehlo.Value]int{}
	for i, op := range b.Ops {
		for _, v := range op.Results {
			at[v] = i
		}
	}
	for _, v := range b.Args {
		at[v] = 0
	}
	var use func(op *stablehlo.Op, i int)
	use = func(op *stablehlo.Op, i int) {
		for _, v := range op.Operands {
			if _, ok := at[v]; ok {
				at[v] = i
			}
		}
		for _, inner := range op.Regions {
			for _, op := range inner.Ops {
				use(op, i)
			}
		}
	}
	for i, op := range b.Ops {
		use(op, i)
	}
	l := make([][]*stablehlo.Value, len(b.Ops))
	for _, v := range b.Args {
		l[at[v]] = append(l[at[v]], v)
	}
	for _, op := range b.Ops {
		for _, v := range op.Results {
			l[at[v]] = append(l[at[v]], v)
		}
	}
	r.last[b] = l
	return l
}

// alloc makes an accounted tensor of zeros with one reference.
func (r *runner) alloc(op *stablehlo.Op, elem dtype.Type, dims []int64) (*Tensor, error) {
	t := stablehlo.TensorOf(elem, dims...)
	n, err := byteSize(t)
	if err != nil {
		return nil, err
	}
	if err := r.mem.take(op.String(), n); err != nil {
		return nil, err
	}
	a := &allocation{mem: r.mem, size: n}
	a.refs.Store(1)
	return &Tensor{Type: t, Data: make([]byte, n), mem: a}, nil
}

// out makes result i of op, with the dimensions that it turned out to have.
func (r *runner) out(op *stablehlo.Op, i int, dims []int64) (*Tensor, error) {
	typ := op.Results[i].Type
	t, err := r.alloc(op, typ.Elem, dims)
	if err != nil {
		return nil, err
	}
	t.Type.Quant = typ.Quant
	return t, nil
}

// scratch accounts for n elements of working memory of the given width until done is called.
func (r *runner) scratch(op *stablehlo.Op, n, width int) (done func(), err error) {
	bytes := int64(n) * int64(width)
	if err := r.mem.take(op.String(), bytes); err != nil {
		return nil, err
	}
	return func() { r.mem.give(bytes) }, nil
}

// view makes a tensor with t's data and other dimensions or type.
func view(t *Tensor, typ stablehlo.Type, dims []int64) *Tensor {
	retain(t)
	typ.Dims, typ.Bounds = dims, nil
	return &Tensor{Type: typ, Data: t.Data, mem: t.mem}
}

// tick looks at the context; long operations call it every few thousand elements.
func (r *runner) tick() error { return r.ctx.Err() }

func tensors(in []Value) ([]*Tensor, error) {
	ts := make([]*Tensor, len(in))
	for i, v := range in {
		t, ok := v.(*Tensor)
		if !ok {
			return nil, fmt.Errorf("operand %d is not a tensor", i)
		}
		ts[i] = t
	}
	return ts, nil
}

// scalarInt is the value of an integer tensor of one element.
func scalarInt(t *Tensor) (int64, error) {
	if t.Len() != 1 || t.Type.Elem.IsFloat() || t.Type.Elem.IsComplex() {
		return 0, fmt.Errorf("is %v, want one integer", t.Type)
	}
	var v [1]int64
	decodeInts(t.Type.Elem, t.Data, v[:])
	return v[0], nil
}

// intsOf are the values of an integer tensor.
func intsOf(t *Tensor) ([]int64, error) {
	if t.Type.Elem.IsFloat() || t.Type.Elem.IsComplex() {
		return nil, fmt.Errorf("is %v, want integers", t.Type)
	}
	return t.ints(), nil
}
