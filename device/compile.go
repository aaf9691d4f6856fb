package device

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// CompileOptions say how to compile. The zero value compiles for the first device.
type CompileOptions struct {
	// Name is the executable's name; "" is the module's.
	Name string
	// Replicas is how many copies of the program run at once on different data, Partitions how many devices share the
	// work of each copy. 0 is 1.
	Replicas, Partitions int
	// Assignment gives the device of each replica (first index) and partition (second). nil is the first devices.
	Assignment [][]int
	// Portable leaves the device open: each execution names its own.
	Portable bool
	// Evaluator runs the program by the plain evaluator, whatever the device's options say.
	Evaluator bool
	// TestOps allows the operations of the check and interpreter dialects.
	TestOps bool
}

// Stats are figures about an executable.
type Stats struct {
	Engine     string // "plan" or "eval"
	Why        string // why the evaluator runs it, where it was not asked for
	Operations int    // of the program, calls inlined; 0 where the evaluator runs it
	Steps      int    // after folding and fusing
	Evaluated  int    // steps that the evaluator runs
	Arguments  int64  // bytes
	Results    int64  // bytes
	Aliased    int64  // bytes of results that take the memory of donated arguments
	Temporary  int64  // bytes of working memory of an execution
	Constants  int64  // bytes
}

// Executable is a compiled program. It is immutable and safe for concurrent use.
type Executable struct {
	device   *Device
	name     string
	code     []byte
	module   *stablehlo.Module
	main     *stablehlo.Func
	program  *plan.Program // nil where the evaluator runs it
	options  CompileOptions
	print    string
	what     string // what an execution is called in errors
	on       []int  // the devices of this process, replica by replica; nil for a portable one
	all      []int  // the devices of all processes
	joined   bool   // it runs in several processes
	stats    Stats
	params   []stablehlo.Type
	results  []stablehlo.Type
	donated  []bool
	extern   map[*stablehlo.Op]eval.CustomCall // custom calls with handlers of clients
	handlers *handlers                         // nil without
	alias    []int                             // the result that parameter i may become, or -1
	dynamic  bool                              // the types of results are known only after a run
	light    bool                              // takes so little time that starting a goroutine is worse
}

// maxProcesses bounds replicas times partitions.
const maxProcesses = maxDevices

// Compile reads a program, text or bytecode, and plans it. It stops soon after ctx ends.
//
// Errors: a [*stablehlo.Error] with the place in the source, or several of them; [isthmus.ErrUnsupported] for what no
// executor can run; the context's cause.
func (d *Device) Compile(ctx context.Context, code []byte, o CompileOptions) (*Executable, error) {
	const what = "compile"
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.work.Done()
	if ctx == nil {
		return nil, fmt.Errorf("device: %s: nil context: %w", what, isthmus.ErrInvalid)
	}
	ctx, stop := d.join(ctx)
	defer stop()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("device: %s: %w", what, context.Cause(ctx))
	}
	if err := o.complete(d.devices, d.own()); err != nil {
		return nil, err
	}
	x := &Executable{device: d, code: slices.Clone(code), options: o, all: slices.Concat(o.Assignment...)}
	x.joined = d.peers != nil && len(x.all) > 1
	if d.peers != nil && !o.Portable && !slices.Contains(x.all, d.own()) {
		return nil, fmt.Errorf("device: %s: the program is for the devices %v; this process has device %d of %d: %w", what, x.all, d.own(), d.devices, isthmus.ErrInvalid)
	}
	var err error
	if x.module, err = stablehlo.Parse(x.code, stablehlo.Options{TestOps: o.TestOps}); err != nil {
		return nil, fmt.Errorf("device: %s: %w", what, err)
	}
	if x.main = x.module.Main(); x.main == nil {
		return nil, fmt.Errorf("device: %s: the program has %d functions, none of them main or the only public one: %w", what, len(x.module.Funcs), isthmus.ErrInvalid)
	}
	if x.name = o.Name; x.name == "" {
		x.name = x.module.Name
	}
	if x.name == "" {
		x.name = x.main.Name
	}
	if err := x.signature(); err != nil {
		return nil, fmt.Errorf("device: %s: %s: %w", what, x.name, err)
	}
	if err := x.bind(); err != nil {
		return nil, fmt.Errorf("device: %s: %s: %w", what, x.name, err)
	}
	if err := x.plan(ctx); err != nil {
		x.handlers.leave()
		return nil, stopped(ctx, what+": "+x.name, err)
	}
	x.print, x.what = x.hash(), "execute: "+x.name
	switch {
	case o.Portable:
	case d.peers != nil:
		x.on = []int{d.own()}
	default:
		x.on = x.all
	}
	return x, nil
}

// complete fills in the defaults and refuses what cannot be.
// own is the only device of this process, or -1.
func (o *CompileOptions) complete(devices, own int) error {
	o.Replicas, o.Partitions = max(o.Replicas, 1), max(o.Partitions, 1)
	n := o.Replicas * o.Partitions
	if o.Replicas > maxProcesses || o.Partitions > maxProcesses || n > devices {
		return fmt.Errorf("device: compile: %d replicas of %d partitions for %d devices: %w; make a client with more devices", o.Replicas, o.Partitions, devices, isthmus.ErrInvalid)
	}
	if o.Assignment == nil && n == 1 && own >= 0 {
		o.Assignment = [][]int{{own}}
	}
	if o.Assignment == nil {
		for r := range o.Replicas {
			row := make([]int, o.Partitions)
			for p := range row {
				row[p] = r*o.Partitions + p
			}
			o.Assignment = append(o.Assignment, row)
		}
	}
	seen := map[int]bool{}
	if len(o.Assignment) != o.Replicas {
		return fmt.Errorf("device: compile: devices are assigned to %d replicas of %d: %w", len(o.Assignment), o.Replicas, isthmus.ErrInvalid)
	}
	for r, row := range o.Assignment {
		if len(row) != o.Partitions {
			return fmt.Errorf("device: compile: replica %d has %d devices for %d partitions: %w", r, len(row), o.Partitions, isthmus.ErrInvalid)
		}
		for _, id := range row {
			if id < 0 || id >= devices || seen[id] {
				return fmt.Errorf("device: compile: replica %d is assigned device %d, which does not exist or is assigned twice: %w", r, id, isthmus.ErrInvalid)
			}
			seen[id] = true
		}
	}
	return nil
}

// signature reads the types of parameters and results, and which parameters may be overwritten.
func (x *Executable) signature() error {
	for i, a := range x.main.Args() {
		if err := checkType(a.Type); err != nil && !dynamic(a.Type) {
			return fmt.Errorf("parameter %d: %w", i, err)
		}
		x.params = append(x.params, a.Type)
		x.donated = append(x.donated, x.main.Donated(i))
		to, ok := x.main.Alias(i)
		if !ok {
			to = -1
		} else if to < 0 || to >= len(x.main.Results) {
			return fmt.Errorf("parameter %d may become result %d of %d: %w", i, to, len(x.main.Results), isthmus.ErrInvalid)
		}
		x.alias = append(x.alias, to)
		if !dynamic(a.Type) {
			x.stats.Arguments += a.Type.Size()
			if to >= 0 {
				x.stats.Aliased += a.Type.Size()
			}
		}
	}
	for i, t := range x.main.Results {
		if dynamic(t) {
			x.dynamic = true
		} else if err := checkType(t); err != nil {
			return fmt.Errorf("result %d: %w", i, err)
		} else {
			x.stats.Results += t.Size()
		}
		x.results = append(x.results, t)
	}
	return nil
}

// dynamic reports whether t is a tensor whose size is known only when the program runs.
func dynamic(t stablehlo.Type) bool { return t.Kind == stablehlo.Tensor && !t.Static() }

// plan makes the planned program where that is wanted and possible.
func (x *Executable) plan(ctx context.Context) error {
	o := x.options
	x.stats.Engine = "eval"
	switch {
	case x.device.oracle || o.Evaluator:
		return nil
	case o.Replicas*o.Partitions > 1 && !x.joined:
		x.stats.Why = fmt.Sprintf("%d replicas of %d partitions", o.Replicas, o.Partitions)
		return nil
	}
	p, err := plan.Compile(ctx, x.module, x.main, plan.Options{Workers: workers{x.device.pool}, Extern: x.extern, Joined: x.joined, Accelerator: x.device.faster})
	if errors.Is(err, plan.ErrUnsupported) {
		x.stats.Why = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	s := p.Stats()
	x.program = p
	x.stats.Engine, x.stats.Operations, x.stats.Steps, x.stats.Evaluated = "plan", s.Operations, s.Steps, s.Evaluated
	x.stats.Temporary, x.stats.Constants = s.Arena, s.Constants
	x.light = s.Steps <= lightSteps && s.Arena+x.stats.Arguments+x.stats.Results <= lightBytes && !heavy(x.module) && !x.joined
	return nil
}

const (
	lightSteps = 16
	lightBytes = 32 << 10
)

// heavy reports whether the program has operations whose work does not show in the size of its values.
func heavy(m *stablehlo.Module) bool {
	for _, f := range m.Funcs {
		for _, op := range f.Body.Ops {
			switch op.Kind {
			case stablehlo.While, stablehlo.CustomCall, stablehlo.DotGeneral, stablehlo.Convolution, stablehlo.Sort, stablehlo.FFT,
				stablehlo.Cholesky, stablehlo.TriangularSolve, stablehlo.ReduceWindow, stablehlo.SelectAndScatter:
				return true
			}
			if len(op.Regions) > 0 && op.Kind != stablehlo.Reduce {
				return true
			}
		}
	}
	return false
}

// hash identifies the program, the options and this version.
func (x *Executable) hash() string {
	h := fnv.New128a()
	fmt.Fprintf(h, "isthmus device %s\x00%s\x00%d %d %v %v %v\x00", Version, x.name, x.options.Replicas, x.options.Partitions,
		x.options.Assignment, x.options.Portable, x.stats.Engine)
	h.Write(x.code)
	return hex.EncodeToString(h.Sum(nil))
}

// Name is the program's name.
func (x *Executable) Name() string {
	if x == nil {
		return ""
	}
	return x.name
}

// Code is the program as it was compiled. It must not be changed.
func (x *Executable) Code() []byte {
	if x == nil {
		return nil
	}
	return x.code
}

// Fingerprint identifies the program, its options and the version of the device.
func (x *Executable) Fingerprint() string {
	if x == nil {
		return ""
	}
	return x.print
}

// Options are what the executable was compiled with, defaults filled in. They must not be changed.
func (x *Executable) Options() CompileOptions {
	if x == nil {
		return CompileOptions{}
	}
	return x.options
}

// Stats are figures about the executable.
func (x *Executable) Stats() Stats {
	if x == nil {
		return Stats{}
	}
	return x.stats
}

// Params are the types of the parameters. They must not be changed.
func (x *Executable) Params() []stablehlo.Type {
	if x == nil {
		return nil
	}
	return x.params
}

// Results are the types of the results, which may have dynamic dimensions. They must not be changed.
func (x *Executable) Results() []stablehlo.Type {
	if x == nil {
		return nil
	}
	return x.results
}

// Donated tells which arguments an execution takes away, so that results may use their memory. It must not be changed.
func (x *Executable) Donated() []bool {
	if x == nil {
		return nil
	}
	return x.donated
}

// Alias is the result that parameter i may share its memory with, or -1.
func (x *Executable) Alias(i int) int {
	if x == nil || i < 0 || i >= len(x.alias) {
		return -1
	}
	return x.alias[i]
}

// Assigned are the devices that the executable runs on, replica by replica, of all processes. They must not be changed.
func (x *Executable) Assigned() []int {
	if x == nil {
		return nil
	}
	return x.all
}

// Devices are the devices of this process that the executable runs on, replica by replica. None for a portable one. They
// must not be changed.
func (x *Executable) Devices() []int {
	if x == nil {
		return nil
	}
	return x.on
}
