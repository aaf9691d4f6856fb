package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/mps/metal"
	"github.com/isthmus-ffi/isthmus/mps/mpstest"
)

type mpsCmd struct {
	Rounds int    `default:"20" help:"How often each operation is tried."`
	Seed   uint64 `default:"1" help:"Of shapes and numbers."`
	CPU    bool   `name:"cpu" help:"Try the processor, not the GPU."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// mpsReport is what to send us from a Mac.
type mpsReport struct {
	Isthmus, Go, System string
	Metal               *metal.Report `json:",omitempty"`
	Error               string        `json:",omitempty"` // why there is no Metal
	Device              string        `json:",omitempty"` // whose numbers follow
	Operations          []mpsOperation
}

type mpsOperation struct {
	Name   string
	Rounds int
	Error  string `json:",omitempty"`
}

// Run examines Metal and compares every operation with float64.
func (c *mpsCmd) Run(ctx context.Context, s *streams) error {
	if c.Rounds < 1 || c.Rounds > 1_000_000 {
		return fail(exitUsage, fmt.Errorf("mps: %d rounds; 1 to 1000000", c.Rounds))
	}
	r := mpsReport{Isthmus: version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Operations: []mpsOperation{}}
	p := newProgress(s)
	defer p.stop()
	p.phase("looking at Metal")
	var backend mps.Backend = metal.Options{}
	if c.CPU {
		backend = cpu.Options{}
	} else {
		var err error
		r.Metal, err = metal.Examine(ctx)
		switch {
		case errors.Is(err, isthmus.ErrUnsupported) && runtime.GOOS != "darwin":
			r.Error = fmt.Sprintf("mps: Metal is only on macOS, and this is %s; isthmus mps --cpu tries the same operations on the processor", r.System)
		case err != nil:
			r.Error = err.Error()
		}
	}
	if r.Error == "" {
		p.phase("comparing every operation with float64")
		if err := c.try(ctx, backend, &r); err != nil {
			r.Error = err.Error()
		}
	}
	if ctx.Err() != nil { // what was cut off is not wrong
		return &interruption{p.now(), ctx.Err()}
	}
	p.stop()
	var err error
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(r)
	} else {
		err = r.write(s.out)
	}
	if err == nil && r.Error != "" {
		return fail(exitDevice, errors.New(r.Error))
	}
	if n := r.failed(); err == nil && n > 0 {
		return fail(exitOther, fmt.Errorf("mps: %d of %d operations are wrong", n, len(r.Operations)))
	}
	return err
}

func (c *mpsCmd) try(ctx context.Context, backend mps.Backend, r *mpsReport) error {
	dev, err := mps.Open(ctx, mps.Options{Backend: backend})
	if err != nil {
		return err
	}
	r.Device = dev.Backend() + ", " + dev.Name()
	for _, o := range mpstest.Check(ctx, dev, mpstest.Options{Seed: c.Seed, Rounds: c.Rounds}) {
		n := mpsOperation{Name: o.Name, Rounds: o.Rounds}
		if o.Err != nil {
			n.Error = o.Err.Error()
		}
		r.Operations = append(r.Operations, n)
	}
	return errors.Join(context.Cause(ctx), dev.Close())
}

func (r *mpsReport) failed() (n int) {
	for _, o := range r.Operations {
		if o.Error != "" {
			n++
		}
	}
	return n
}

func (r *mpsReport) write(w io.Writer) error {
	out := &sticky{w: w}
	line := func(what, format string, args ...any) {
		fmt.Fprintf(out, "%-17s %s\n", what, printable(fmt.Sprintf(format, args...)))
	}
	line("isthmus", "%s, %s, %s", r.Isthmus, r.Go, r.System)
	if m := r.Metal; m != nil {
		line("GPU", "%s, unified memory: %v, a buffer has at most %d bytes", m.GPU, m.Unified, m.Limit)
		line("runtime", "%s, %s", m.Runtime, m.Library)
		for what, list := range map[string][]string{"methods": m.Methods, "kernels": m.Kernels} {
			if len(list) == 0 {
				line(what, "all as expected")
			}
			for _, l := range list {
				line(what, "%s", l)
			}
		}
		if m.Uncaught == "" {
			line("exceptions", "become errors")
		} else {
			line("exceptions", "%s", m.Uncaught)
		}
	}
	if r.Device != "" {
		line("numbers", "%s", r.Device)
	}
	for _, o := range r.Operations {
		switch {
		case o.Error != "":
			line("  "+o.Name, "WRONG: %s", o.Error)
		case o.Rounds == 0:
			line("  "+o.Name, "not supported")
		default:
			line("  "+o.Name, "right, %d times", o.Rounds)
		}
	}
	return out.err
}

// doctorMetal asks another process: an assertion of Metal's ends the process it is in.
func doctorMetal(ctx context.Context) finding {
	f := finding{What: "metal", Fix: "please send us what isthmus mps prints"}
	if runtime.GOOS != "darwin" {
		return finding{What: "metal", Detail: "only on macOS: method types, exceptions and numbers of the GPU were left out; package mps computes on the processor here"}
	}
	self, err := os.Executable()
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	cmd := exec.Command(self, "mps", "--rounds", "3", "--json")
	cmd.Env = os.Environ()
	var out strings.Builder
	cmd.Stdout = &out
	err = mpilaunch.Run(ctx, cmd, 5*time.Second)
	var r mpsReport
	switch jerr := json.Unmarshal([]byte(out.String()), &r); {
	case jerr != nil:
		f.Detail = errors.Join(err, jerr).Error()
	case r.Error != "":
		f.Detail = r.Error
	case r.failed() > 0 || !r.Metal.OK():
		f.Detail = fmt.Sprintf("%s: operations that are wrong: %d of %d, methods that differ: %d, kernels that do not compile: %d %s",
			r.Device, r.failed(), len(r.Operations), len(r.Metal.Methods), len(r.Metal.Kernels), r.Metal.Uncaught)
	default:
		return finding{What: "metal", OK: true, Detail: fmt.Sprintf("%s, operations that are right: %d", r.Device, len(r.Operations))}
	}
	return f
}
