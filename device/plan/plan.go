// Package plan is the fast executor of the embedded device. [Compile] turns a verified StableHLO function into a
// [Program]; [Program.Run] executes it on memory that the caller lends.
//
// A program goes through these stages, each in a file of its own:
//
//	lower     calls and composites inlined, identities dropped, constants folded, equal values shared
//	rows      softmax and norms, as frameworks write them, become one instruction where an accelerator takes them
//	fuse      chains of elementwise operations, with the broadcasts, slices and transposes they read through, become
//	          one pass over memory; a reduction takes the chain that feeds it into its own pass
//	schedule  the rest becomes one step an operation: matrix products, convolutions, copies, gathers, loops
//	memory    each value that must exist in memory gets a place in one arena by its lifetime; loop state, updates of
//	          slices and donated arguments are written in place where nothing reads the old value any more
//
// A fused chain runs as a chunk machine: instructions over registers of a thousand elements, which stay in the
// first-level cache, each instruction one loop of package kernel. No machine code is made at run time.
//
// Results do not depend on the number of workers, to the bit: work is cut by the shapes alone, and what is cut is put
// together in order.
//
// Operations that have no fast form yet run through package eval, one at a time. A program that the plan cannot hold
// at all (dynamic shapes, tuples, communication) is refused by Compile with [ErrUnsupported]; the device evaluates it.
package plan

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// ErrUnsupported is wrapped by the error of Compile for a program that only the evaluator can run.
var ErrUnsupported = errors.New("not supported by the planned executor")

func unsupported(op *stablehlo.Op, format string, args ...any) error {
	return fmt.Errorf("plan: %v: %s: %s: %w", op.Pos, op.Kind, fmt.Sprintf(format, args...), ErrUnsupported)
}

// Options say how to compile. The zero value is the default.
type Options struct {
	// Kernels are the loops to use; nil is the fastest that the machine runs.
	Kernels *kernel.Table
	// Workers run the program; nil runs it on the calling goroutine alone. The pool must outlive the program's runs.
	Workers Pool
	// Extern are functions for single custom_call operations of the program.
	Extern map[*stablehlo.Op]eval.CustomCall
	// Joined says that the program runs in several processes of the operating system: the context of each run has been
	// given to it by [eval.Join]. Otherwise operations between processes are [ErrUnsupported].
	Joined bool
	// Accelerator is asked for each product of float32 matrices, and a [RowAccelerator] for operations on rows; nil is none.
	Accelerator Accelerator
}

// Accelerator computes matrix products elsewhere than on the workers, such as on a GPU. It is safe for concurrent use.
type Accelerator interface {
	// Gemm32 computes g, which has no epilogue and nothing packed or accumulated, as [kernel.Table.Gemm32] does, and reports true; or
	// does nothing and reports false where the workers should. An error ends the run. g's memory is the accelerator's until it
	// returns, no longer.
	Gemm32(ctx context.Context, g *kernel.Gemm[float32]) (bool, error)
}

// Pool runs f(0) to f(n-1), on as many goroutines as it has, and returns when all have returned.
type Pool interface {
	Run(n int, f func(i int))
}

// Program is a compiled function. It is immutable and safe for concurrent runs.
type Program struct {
	kernels *kernel.Table
	pool    Pool
	args    []stablehlo.Type
	results []stablehlo.Type

	block     *planned
	slots     []slot
	argSlot   []int
	outSlot   []int // the slot that result i is in
	outDonor  []int // the argument whose memory result i takes when it is donated, or -1
	arenaSize int64
	stats     Stats

	scratches sync.Pool // of *scratchMem: memory of steps, which ask for the same sizes each time

	params      []*value
	resultViews []view
}

// Stats describe a compiled program.
type Stats struct {
	Operations int   // of the program, calls inlined
	Steps      int   // after folding and fusing
	Evaluated  int   // steps that run through package eval
	Arena      int64 // bytes of temporary memory of a run
	Constants  int64 // bytes of constants
}

// Stats returns figures about the program.
func (p *Program) Stats() Stats { return p.stats }

// Args are the types of the arguments.
func (p *Program) Args() []stablehlo.Type { return p.args }

// Results are the types of the results.
func (p *Program) Results() []stablehlo.Type { return p.results }

// Compile plans fn, a function of the verified module m. It checks ctx between stages and while it folds constants.
func Compile(ctx context.Context, m *stablehlo.Module, fn *stablehlo.Func, opts Options) (*Program, error) {
	if opts.Kernels == nil {
		opts.Kernels = kernel.Best()
	}
	if opts.Workers == nil {
		opts.Workers = serial{}
	}
	l := &lowering{ctx: ctx, module: m, joined: opts.Joined, shared: map[string]*inst{}}
	top, err := l.function(fn)
	if err != nil {
		return nil, err
	}
	prune(top)
	s := &scheduler{ctx: ctx, kernels: opts.Kernels, module: m, extern: opts.Extern}
	if opts.Accelerator != nil {
		s.elsewhere = opts.Accelerator.Gemm32
	}
	if a, ok := opts.Accelerator.(RowAccelerator); ok {
		s.rows = a.Rows32
		if group(top, a.TakesRows) {
			recount(top)
		}
	}
	return s.program(top, fn, l, opts)
}

type serial struct{}

func (serial) Run(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}
