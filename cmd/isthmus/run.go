package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/npy"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

type runCmd struct {
	Program string        `arg:"" help:"StableHLO program: text (.mlir) or portable bytecode; - reads standard input."`
	Device  string        `default:"embedded" placeholder:"NAME" help:"Device: embedded, mps (that, with large products on a Mac's GPU), cpu (after: isthmus plugin install cpu), cuda, or the path of a PJRT plugin."`
	Input   []string      `short:"i" sep:"none" placeholder:"FILE" help:"Arguments in order, .npy or .npz. A .npz gives all its arrays in natural order, FILE.npz:NAME one of them."`
	Random  *uint64       `placeholder:"SEED" help:"Make the arguments that no --input gives: uniform in [0, 1), integers in [0, 10), from this seed."`
	Output  string        `short:"o" placeholder:"DIR" help:"Write the results there as out0.npy, out1.npy, …; a name that ends in .npz makes one file."`
	Repeat  int           `default:"1" placeholder:"N" help:"Execute N times and report the fastest and the median."`
	Limit   *size         `name:"memory-limit" placeholder:"SIZE" help:"The most memory the embedded device may use, such as 512MiB or 2GB."`
	JSON    bool          `name:"json" help:"Print the report as JSON."`
	Trace   string        `placeholder:"FILE" help:"Write every call to the device's plugin as a trace for ui.perfetto.dev."`
	Census  string        `placeholder:"FILE" help:"Write the native objects that are alive after the execution as a profile for go tool pprof."`
	Timeout time.Duration `placeholder:"D" help:"Give up after this time, such as 30s."`
	Verbose bool          `short:"v" help:"Say on standard error what happens, each phase as it begins."`

	ranksFlags `group:"Several processes:"`
}

// Help shows what the flags do together.
func (runCmd) Help() string {
	return `Examples:

    isthmus run model.mlir --input x.npy
    isthmus run model.mlir -i weights.npz -i x.npy -o results
    isthmus run model.mlir -i data.npz:images --device cpu --repeat 100 --json
    isthmus run model.mlir --random 1

The function that runs is @main, or the only public one. Each input must have exactly the type of its argument; bf16 and
the small floats are read as numpy writes them, by their width. With --output the folder is made if it is not there, and
either all results appear in it or none; out0.npy and so on that are there are replaced.

    isthmus run model.mlir --mpi -n 4 --input x{rank}.npy --every-rank

With --mpi the program's replicas run on the ranks of an MPI job, and all_reduce, all_gather, all_to_all, reduce_scatter,
collective_permute and collective_broadcast go between them; the results are those of one process with as many devices, to
the bit. {rank} in the name of an input, an output, a trace or a census is the rank's number; an input without it is every
rank's, a file without it that is written is rank 0's. Rank 0 prints its report.

` + exitCodes
}

// report is what run prints.
type report struct {
	Program  string       `json:"program"`
	Function string       `json:"function,omitempty"`
	Platform string       `json:"platform"`
	Device   string       `json:"device"`
	Inputs   []arrayNote  `json:"inputs"`
	Outputs  []outputNote `json:"outputs"`
	Timing   timing       `json:"timing_ms"`
	Repeat   int          `json:"repeat"`
	Memory   memoryNote   `json:"memory_bytes"`
}

type arrayNote struct {
	Type   string `json:"type"`
	Source string `json:"source"`
}

type outputNote struct {
	Type string `json:"type"`
	summary
	File string `json:"file,omitempty"`
}

// timing is in milliseconds.
type timing struct {
	Load     float64 `json:"load"` // the device: plugin and client
	Read     float64 `json:"read"` // program and inputs, from disk and checked
	Compile  float64 `json:"compile"`
	Transfer float64 `json:"transfer_in"`
	Execute  float64 `json:"execute"` // the fastest
	Median   float64 `json:"execute_median"`
	Fetch    float64 `json:"transfer_out"`
}

type memoryNote struct {
	PeakProcess int64 `json:"peak_process,omitempty"`
	DeviceInUse int64 `json:"device_in_use,omitempty"`
	DevicePeak  int64 `json:"device_peak,omitempty"`
}

func since(t time.Time) float64 { return float64(time.Since(t).Nanoseconds()) / 1e6 }

// Run compiles the program and runs it. The trace of a run that fails is written too.
func (c *runCmd) Run(ctx context.Context, s *streams) error {
	if err := c.ranksFlags.check(c); err != nil {
		return fail(exitUsage, err)
	}
	if c.Timeout < 0 {
		return fail(exitUsage, fmt.Errorf("--timeout %v: must be positive", c.Timeout))
	}
	if c.Ranks > 0 {
		return c.launch(ctx, s)
	}
	if c.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, c.Timeout)
		defer stop()
	}
	if c.MPI {
		return c.rank(ctx, s, c.traced)
	}
	return c.traced(ctx, s)
}

func (c *runCmd) traced(ctx context.Context, s *streams) error {
	if c.Trace == "" {
		return c.run(ctx, s, nil)
	}
	var ran error
	err := atomicfile.Write(c.Trace, 0o666, func(w io.Writer) error {
		t := &used{w: w}
		if ran = c.run(ctx, s, t); !t.used {
			return ran // it failed before there was a plugin, so there is no trace
		}
		return nil
	})
	if ran != nil {
		return ran
	}
	return fail(exitOther, err)
}

// used is a writer that knows whether anything was written.
type used struct {
	w    io.Writer
	used bool
}

func (u *used) Write(p []byte) (int, error) {
	u.used = true
	return u.w.Write(p)
}

func (c *runCmd) run(ctx context.Context, s *streams, trace io.Writer) (err error) {
	if c.Repeat < 1 || c.Repeat > 1e9 {
		return fail(exitUsage, fmt.Errorf("--repeat %d: must be from 1 to a thousand million", c.Repeat))
	}
	if c.Limit != nil && c.Device != target.Embedded {
		return fail(exitUsage, errors.New("--memory-limit is for the embedded device only"))
	}
	if c.Output != "" && !strings.HasSuffix(c.Output, ".npz") {
		if info, err := os.Stat(c.Output); err == nil && !info.IsDir() {
			return fail(exitUsage, fmt.Errorf("--output %s: is a file; name a folder, or a file that ends in .npz", c.Output))
		}
	}
	rep := report{Program: c.Program, Repeat: c.Repeat}
	p := newProgress(s)
	p.verbose = c.Verbose
	defer p.stop()
	defer func() {
		switch {
		case errors.Is(err, context.Canceled):
			err = &interruption{p.now(), err}
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
			err = fail(exitCode(err), fmt.Errorf("--timeout %v has passed while %s: %w", c.Timeout, p.now(), context.DeadlineExceeded))
		}
	}()

	p.phase("reading " + c.Program)
	began := time.Now()
	code, err := readProgram(ctx, c.Program)
	if err != nil {
		return fail(exitProgram, err)
	}
	// The program's own signature gives errors with source positions before a device sees anything. A foreign plugin
	// may know more than this reader, so only for the embedded device is a program that cannot be read the end.
	params, donated, name, err := signature(code, called(c.Program))
	if err != nil {
		if c.Device == target.Embedded {
			return fail(exitProgram, err)
		}
		fmt.Fprintf(s.err, "isthmus: this program cannot be checked here, so %s alone judges it: %v\n", c.Device, err)
		params, donated = nil, nil
	}
	rep.Function = name
	inputs, err := c.inputs(params)
	if err != nil {
		return fail(exitInput, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rep.Timing.Read = since(began)

	p.phase("loading " + c.Device)
	began = time.Now()
	client, stop, err := c.open(ctx, trace)
	if err != nil {
		return fail(exitDevice, err)
	}
	defer func() { err = errors.Join(err, fail(exitOther, stop())) }()
	defer func() { err = errors.Join(err, fail(exitDevice, client.Close())) }()
	device := client.Device()
	if device == nil {
		return fail(exitDevice, fmt.Errorf("%s has no device that this process can use", c.Device))
	}
	rep.Platform, rep.Device = client.Platform(), device.String()
	rep.Timing.Load = since(began)

	p.phase("compiling")
	began = time.Now()
	o := pjrt.CompileOptions{Params: params, Donated: donated}
	o.Replicas, o.Partitions = c.grid()
	exe, err := client.Compile(ctx, pjrt.MLIR(code), o)
	if err != nil {
		return fail(exitProgram, err)
	}
	defer func() { err = errors.Join(err, exe.Close()) }()
	rep.Timing.Compile = since(began)

	outs, err := patiently(ctx, func() ([]npy.Array, error) {
		return c.execute(ctx, p, exe, device, inputs, donated, &rep)
	})
	if err != nil {
		return fail(exitExecute, err)
	}
	if stats, err := device.MemoryStats(); err == nil {
		rep.Memory.DeviceInUse, rep.Memory.DevicePeak = stats.InUse, max(stats.PeakInUse, 0)
	}
	rep.Memory.PeakProcess = peakMemory()

	for _, in := range inputs {
		rep.Inputs = append(rep.Inputs, arrayNote{in.typ().String(), in.source})
	}
	for _, out := range outs {
		rep.Outputs = append(rep.Outputs, outputNote{Type: typeOf(out).String(), summary: summarize(out)})
	}
	if c.Output != "" {
		p.phase("writing " + c.Output)
		files, err := writeOutputs(ctx, c.Output, outs)
		if err != nil {
			return fail(exitOther, err)
		}
		for i, f := range files {
			rep.Outputs[i].File = f
		}
	}
	p.stop()
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(rep)
	}
	rep.print(s.out)
	return nil
}

// open makes the client, with a trace of its calls if there is somewhere to write it. stop ends the trace.
func (c *runCmd) open(ctx context.Context, trace io.Writer) (client *pjrt.Client, stop func() error, err error) {
	p, err := c.plugin(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop = func() error { return nil }
	if trace != nil {
		if p, stop, err = pjrt.Trace(p, trace); err != nil {
			return nil, nil, err
		}
	}
	var o pjrt.ClientOptions
	if c.Limit != nil {
		o.Options = append(o.Options, pjrt.NamedValue{Name: "memory_limit", Value: int64(*c.Limit)})
	}
	if client, err = p.NewClient(ctx, o); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return client, stop, nil
}

// patience is how long a device may take to notice that it is to stop.
const patience = 2 * time.Second

// patiently runs f, and leaves it behind when ctx ended and f did not follow: a plugin may compute in the calling thread,
// where nothing can stop it but the end of this process. What f uses must then not be used again.
func patiently[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.v, r.err
	case <-time.After(patience):
		var zero T
		return zero, ctx.Err()
	}
}

// execute moves the inputs, runs the program and brings the results back.
func (c *runCmd) execute(ctx context.Context, p *progress, exe *pjrt.Executable, device *pjrt.Device, inputs []input, donated []bool, rep *report) (outs []npy.Array, err error) {
	p.phase("moving inputs")
	var args []*pjrt.Buffer
	defer func() {
		for _, a := range args {
			err = errors.Join(err, a.Close())
		}
	}()
	put := func(i int) error {
		b, err := pjrt.PutBytes(ctx, device, inputs[i].typ(), inputs[i].array.Data)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
		if i < len(args) {
			if err := args[i].Close(); err != nil {
				return err
			}
			args[i] = b
		} else {
			args = append(args, b)
		}
		return nil
	}
	began := time.Now()
	for i := range inputs {
		if err := put(i); err != nil {
			return nil, err
		}
	}
	rep.Timing.Transfer = since(began)

	p.phase("executing")
	var results []*pjrt.Buffer
	closeResults := func() {
		for _, r := range results {
			err = errors.Join(err, r.Close())
		}
		results = nil
	}
	defer closeResults()
	times := make([]float64, 0, min(c.Repeat, 1<<16))
	for n := range c.Repeat {
		if n > 0 {
			closeResults()
			for i := range inputs { // a donated argument was used up
				if i < len(donated) && donated[i] {
					if err := put(i); err != nil {
						return nil, err
					}
				}
			}
		}
		began = time.Now()
		if results, err = c.start(ctx, exe, args); err != nil {
			return nil, err
		}
		if t := since(began); len(times) < cap(times) {
			times = append(times, t)
		}
		if c.Repeat > 1 {
			p.phase(fmt.Sprintf("executing, %d of %d", n+1, c.Repeat))
		}
	}
	if c.Census != "" {
		if err := atomicfile.Write(c.Census, 0o666, isthmus.Live().WriteProfile); err != nil {
			return nil, err
		}
	}
	slices.Sort(times)
	rep.Timing.Execute, rep.Timing.Median = times[0], times[len(times)/2]

	p.phase("moving results")
	began = time.Now()
	for i, r := range results {
		data, err := r.Bytes(ctx)
		if err != nil {
			return nil, fmt.Errorf("result %d: %w", i, err)
		}
		a := npy.Array{DType: r.DType(), Data: data}
		for _, d := range r.Dims() {
			a.Shape = append(a.Shape, int64(d))
		}
		outs = append(outs, a)
	}
	rep.Timing.Fetch = since(began)
	return outs, err
}
