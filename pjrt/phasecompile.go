package pjrt

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// PhaseCompiler runs the phases of a plugin's compiler one by one, so that what lies between them can be kept and
// looked at. It is safe for concurrent use.
type PhaseCompiler struct {
	extObject[pjrtc.PhaseCompiler]
	phases []string
}

// NewPhaseCompiler makes a compiler of phases. Calls PJRT_PhaseCompile_Get_Compiler. The caller closes it. Errors:
// [isthmus.ErrUnsupported] where the plugin has no PhaseCompile extension.
func (p *Plugin) NewPhaseCompiler() (*PhaseCompiler, error) {
	const op = "phase compiler"
	if err := p.needs(op, (*pjrtc.PhaseCompileDestroyCompilerArgs)(nil).ExtFunc(), (*pjrtc.PhaseCompileCBuffersDestroyArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	c := &PhaseCompiler{}
	var h pjrtc.Ptr[pjrtc.PhaseCompiler]
	err := askExt(p, op, nil, func(a *pjrtc.PhaseCompileGetCompilerArgs) error {
		h = a.PhaseCompiler
		return c.take(p, "pjrt.PhaseCompiler", h, p.destroyPhaseCompiler)
	})
	if err != nil {
		return nil, err
	}
	err = askExt(p, "phase names", func(_ *call.Frame, a *pjrtc.PhaseCompileGetPhaseNamesArgs) error { a.PhaseCompiler = h; return nil },
		func(a *pjrtc.PhaseCompileGetPhaseNamesArgs) error {
			names, err := p.takeBuffers("phase names", a.PhaseNames, a.PhaseNamesSizes, a.NumPhaseNames)
			for _, n := range names {
				c.phases = append(c.phases, strings.ToValidUTF8(strings.TrimRight(string(n), "\x00"), "\uFFFD"))
			}
			return err
		})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (p *Plugin) destroyPhaseCompiler(h pjrtc.Ptr[pjrtc.PhaseCompiler]) error {
	return askExt(p, "destroy phase compiler", func(_ *call.Frame, a *pjrtc.PhaseCompileDestroyCompilerArgs) error {
		a.PhaseCompiler = h
		return nil
	}, nil)
}

// takeBuffers copies what a phase compiler allocated and has the plugin free it.
func (p *Plugin) takeBuffers(op string, b pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) ([][]byte, error) {
	out, err := byteLists(op, b, sizes, n)
	if b != 0 || sizes != 0 {
		derr := askExt(p, op, func(_ *call.Frame, a *pjrtc.PhaseCompileCBuffersDestroyArgs) error {
			a.CharBuffers, a.CharBufferSizes, a.NumCharBuffers = b, sizes, n
			return nil
		}, nil)
		if err == nil {
			err = derr
		}
	}
	return out, err
}

// Phases are the names of the phases, in the plugin's order.
func (c *PhaseCompiler) Phases() []string { return slices.Clone(orZero(c).phases) }

// Run runs some phases on programs, each a serialised xla.PjRtPartialProgramProto, for the devices of a topology, and
// returns what they make of it in the same form. Calls PJRT_PhaseCompile_Run_Phase. When ctx ends first, the compiler
// goes on and its result is dropped.
//
// Errors: [isthmus.ErrInvalid] for no phases or no programs; the plugin's.
func (c *PhaseCompiler) Run(ctx context.Context, t *Topology, phases []string, programs [][]byte, o CompileOptions) ([][]byte, error) {
	const op = "run phases"
	switch {
	case c == nil || c.plugin == nil:
		return nil, invalid(op, "no compiler")
	case t == nil || t.plugin != c.plugin:
		return nil, invalid(op, "the topology is not the compiler's plugin's")
	case len(phases) == 0 || len(programs) == 0:
		return nil, invalid(op, "%d phases of %d programs", len(phases), len(programs))
	}
	if err := o.check(op); err != nil {
		return nil, err
	}
	options, err := o.encode(t.client)
	if err != nil {
		return nil, err
	}
	phases, programs = slices.Clone(phases), slices.Clone(programs)
	for i := range programs {
		programs[i] = keep(ctx, programs[i])
	}
	return detach(ctx, op, func() ([][]byte, error) {
		var out [][]byte
		return out, c.with(op, func(h pjrtc.Ptr[pjrtc.PhaseCompiler]) error {
			n, done, err := t.use(op)
			if err != nil {
				return err
			}
			defer done()
			out, err = c.plugin.runPhases(h, n, phases, programs, options)
			return err
		})
	}, func([][]byte) {})
}

func (p *Plugin) runPhases(h pjrtc.Ptr[pjrtc.PhaseCompiler], t pjrtc.Ptr[pjrtc.TopologyDescription], phases []string, programs [][]byte, options []byte) (out [][]byte, err error) {
	const op = "run phases"
	var pin mem.Pin
	defer pin.Unpin()
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.PhaseCompileRunPhaseArgs) (err error) {
		a.PhaseCompiler, a.Topology = h, t
		a.CompileOptions, a.CompileOptionsSize = pjrtc.Ptr[byte](mem.PinSlice(&pin, options)), uint64(len(options))
		names := make([][]byte, len(phases))
		for i, n := range phases {
			names[i] = []byte(n)
		}
		if a.PhasesToRun, a.PhasesToRunSizes, err = lendLists(f, &pin, names); err != nil {
			return err
		}
		a.NumPhasesToRun, a.NumInputPrograms = uint64(len(phases)), uint64(len(programs))
		a.InputPrograms, a.InputProgramsSizes, err = lendLists(f, &pin, programs)
		return err
	}, func(a *pjrtc.PhaseCompileRunPhaseArgs) error {
		out, err = p.takeBuffers(op, a.OutputPrograms, a.OutputProgramsSizes, a.NumOutputPrograms)
		return err
	})
	return out, err
}

// lendLists writes the addresses and sizes of byte strings into the frame. Each is followed by a NUL.
func lendLists(f *call.Frame, pin *mem.Pin, lists [][]byte) (pjrtc.Ptr[pjrtc.Ptr[byte]], pjrtc.Ptr[uint64], error) {
	at, err := call.Slice[pjrtc.Ptr[byte]](f, len(lists))
	if err != nil {
		return 0, 0, err
	}
	sizes, err := call.Slice[uint64](f, len(lists))
	if err != nil {
		return 0, 0, err
	}
	for i, l := range lists {
		at[i] = pjrtc.Ptr[byte](mem.PinSlice(pin, append(slices.Clone(l), 0)))
		sizes[i] = uint64(len(l))
	}
	return pjrtc.ToSlice(at), pjrtc.ToSlice(sizes), nil
}

// String describes the compiler.
func (c *PhaseCompiler) String() string {
	if c == nil {
		return "pjrt.PhaseCompiler(none)"
	}
	return c.describe("pjrt.PhaseCompiler")
}

// Close destroys the compiler. While phases run, the error wraps [isthmus.ErrBusy]. Close is idempotent and nil-safe.
// Calls PJRT_PhaseCompile_Destroy_Compiler.
func (c *PhaseCompiler) Close() error {
	if c == nil {
		return nil
	}
	return c.close()
}
