package pjrtserve

import (
	"errors"
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// phaseCompiler is a PJRT_PhaseCompiler.
type phaseCompiler struct{ heap heap }

// A phase makes a program of another form.
type phase struct {
	name, from, to string
	run            func(c *client, code, options []byte) ([]byte, error)
}

const executableFormat = "isthmus executable"

// phases are the steps of a compilation: check a program and write it in its plain form, then compile it.
var phases = []phase{
	{"check", "mlir", "mlir", func(c *client, code, options []byte) ([]byte, error) {
		return c.server.backend.Normalize(Program{"mlir", code})
	}},
	{"compile", "mlir", executableFormat, func(c *client, code, options []byte) ([]byte, error) {
		x, err := c.build(Program{"mlir", code}, options)
		if err != nil {
			return nil, err
		}
		defer x.b.Close()
		return x.serialize(), nil
	}},
}

// partial is a PjRtPartialProgramProto: a program between two phases.
type partial struct {
	code     []byte
	format   string
	producer string
	next     []string
	name     string
}

func (p partial) write() []byte {
	var m message
	m.bytes(1, p.code)
	m.bytes(2, []byte(p.format))
	m.bytes(3, []byte(p.producer))
	for _, n := range p.next {
		m.bytes(4, []byte(n))
	}
	m.bytes(5, []byte("1"))
	m.bytes(6, []byte(p.name))
	return m
}

func readPartial(b []byte) (partial, error) {
	var p partial
	err := fields(b, func(f field) error {
		if f.wire != 2 {
			return nil
		}
		switch f.id {
		case 1:
			p.code = f.bytes
		case 2:
			p.format = string(f.bytes)
		case 3:
			p.producer = string(f.bytes)
		case 4:
			p.next = append(p.next, string(f.bytes))
		case 6:
			p.name = string(f.bytes)
		}
		return nil
	})
	return p, err
}

// readList reads texts that C lists with their sizes.
func readList(at pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n, most uint64) ([][]byte, error) {
	if n > maxItems {
		return nil, invalid("a list of %d", n)
	}
	texts, err := at.Slice(n)
	if err != nil {
		return nil, err
	}
	lengths, err := sizes.Slice(n)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, n)
	for i, t := range texts {
		if lengths[i] > most {
			return nil, invalid("item %d has %d bytes", i, lengths[i])
		}
		b, err := t.Slice(lengths[i])
		if err != nil {
			return nil, err
		}
		out[i] = slices.Clone(b)
	}
	return out, nil
}

// giveList gives C texts with their sizes, until it hands the list's address to the function that destroys it.
func (s *shared) giveList(texts [][]byte) (at pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64, err error) {
	h := &heap{}
	defer func() {
		if err != nil {
			h.free()
		}
	}()
	var all []pjrtc.Ptr[byte]
	var lengths []uint64
	for _, t := range texts {
		l, err := listOf(h, append(slices.Clone(t), 0))
		if err != nil {
			return 0, 0, 0, err
		}
		all, lengths = append(all, l.at), append(lengths, uint64(len(t)))
	}
	a, err := listOf(h, all)
	if err != nil {
		return 0, 0, 0, err
	}
	b, err := listOf(h, lengths)
	if err != nil {
		return 0, 0, 0, err
	}
	s.keepList(mem.Addr(a.at), h)
	return a.at, b.at, a.n, nil
}

// keepList keeps memory that C gives back by its address alone.
func (s *shared) keepList(at mem.Addr, h *heap) {
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	if s.lists.live == nil {
		s.lists.live = map[mem.Addr]*heap{}
	}
	s.lists.live[at] = h
}

func (s *shared) dropList(at mem.Addr) {
	s.lists.mu.Lock()
	h := s.lists.live[at]
	delete(s.lists.live, at)
	s.lists.mu.Unlock()
	if h != nil {
		h.free()
	}
}

// runPhases runs phases on one program.
func (c *client) runPhases(p partial, names [][]byte, options []byte) (partial, error) {
	for _, name := range names {
		i := slices.IndexFunc(phases, func(f phase) bool { return f.name == string(name) })
		if i < 0 {
			return p, fail(pjrtc.ErrorCodeNOTFOUND, "there is no phase %q; there are check and compile", name)
		}
		f := phases[i]
		if p.format != f.from {
			return p, invalid("phase %s takes a program in the format %q, not %q", f.name, f.from, p.format)
		}
		code, err := f.run(c, p.code, options)
		if err != nil {
			return p, err
		}
		p.code, p.format, p.producer, p.next = code, f.to, f.name, nil
		for _, after := range phases[i+1:] {
			p.next = append(p.next, after.name)
		}
	}
	return p, nil
}

func (s *shared) phaseExtension() {
	extend(s, func(_ *Server, a *pjrtc.PhaseCompileGetCompilerArgs) (err error) {
		a.PhaseCompiler, err = give[pjrtc.Ptr[pjrtc.PhaseCompiler]](kindPhases, &phaseCompiler{})
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.PhaseCompileDestroyCompilerArgs) error {
		p, err := take[*phaseCompiler](kindPhases, a.PhaseCompiler)
		if err == nil {
			p.heap.free()
		}
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.PhaseCompileGetPhaseNamesArgs) error {
		if _, err := get[*phaseCompiler](kindPhases, a.PhaseCompiler); err != nil {
			return err
		}
		var names [][]byte
		for _, f := range phases {
			names = append(names, []byte(f.name))
		}
		var err error
		a.PhaseNames, a.PhaseNamesSizes, a.NumPhaseNames, err = s.giveList(names)
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.PhaseCompileRunPhaseArgs) error {
		if _, err := get[*phaseCompiler](kindPhases, a.PhaseCompiler); err != nil {
			return err
		}
		t, err := getTopology(a.Topology)
		if err != nil {
			return err
		}
		programs, err := readList(a.InputPrograms, a.InputProgramsSizes, a.NumInputPrograms, maxProgram)
		if err != nil {
			return err
		}
		names, err := readList(a.PhasesToRun, a.PhasesToRunSizes, a.NumPhasesToRun, maxText)
		if err != nil {
			return err
		}
		options, err := readText(a.CompileOptions, a.CompileOptionsSize)
		if err != nil {
			return err
		}
		b, err := t.server.backend.NewClient([]Value{{DeviceCount, int64(len(t.devices))}})
		if err != nil {
			return err
		}
		c := &client{server: t.server, backend: b}
		for i, code := range programs {
			p, err1 := readPartial(code)
			if err1 == nil {
				p, err1 = c.runPhases(p, names, []byte(options))
			}
			programs[i], err = p.write(), errors.Join(err, err1)
		}
		if err = errors.Join(err, b.Close()); err != nil {
			return err
		}
		a.OutputPrograms, a.OutputProgramsSizes, a.NumOutputPrograms, err = s.giveList(programs)
		return err
	})
	extend(s, func(_ *Server, a *pjrtc.PhaseCompileCBuffersDestroyArgs) error {
		s.dropList(mem.Addr(a.CharBuffers))
		return nil
	})
}
