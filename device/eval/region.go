package eval

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// program is a region of elementwise operations on scalars, as a list of steps over registers. It computes many
// independent instances of the region at once, one in each place of its lanes.
type program struct {
	types   []dtype.Type // of the registers
	args    []int
	results []int
	steps   []step
	consts  []constReg
	free    []freeReg
}

type step struct {
	compute elementOp
	dst     int
	src     []int
}

type constReg struct {
	reg  int
	data []byte
}

// freeReg is a value from outside of the region.
type freeReg struct {
	reg   int
	value *stablehlo.Value
}

// compile returns the program of b, or nil where b does more than arithmetic on scalars.
func (r *runner) compile(b *stablehlo.Block) *program {
	if p, ok := r.programs[b]; ok {
		return p
	}
	c := &compiler{p: &program{}, regs: map[*stablehlo.Value]int{}}
	p := c.p
	for _, a := range b.Args {
		p.args = append(p.args, c.reg(a))
	}
	if p.results = c.block(b, 0); p.results == nil || c.failed {
		p = nil
	}
	r.programs[b] = p
	return p
}

type compiler struct {
	p      *program
	regs   map[*stablehlo.Value]int
	failed bool
}

// reg makes a register for v.
func (c *compiler) reg(v *stablehlo.Value) int {
	if v.Type.Kind != stablehlo.Tensor || v.Type.Rank() != 0 || v.Type.Quant != nil {
		c.failed = true
	}
	c.p.types = append(c.p.types, v.Type.Elem)
	c.regs[v] = len(c.p.types) - 1
	return len(c.p.types) - 1
}

// use returns the register of v; a value that the region does not make is a free one.
func (c *compiler) use(v *stablehlo.Value) int {
	if reg, ok := c.regs[v]; ok {
		return reg
	}
	reg := c.reg(v)
	c.p.free = append(c.p.free, freeReg{reg, v})
	return reg
}

// maxInline bounds how deep calls inside of a region are followed.
const maxInline = 16

// block adds the steps of b and returns the registers of its results; nil where it cannot.
func (c *compiler) block(b *stablehlo.Block, depth int) []int {
	for _, op := range b.Ops {
		if c.failed || depth > maxInline {
			return nil
		}
		src := make([]int, len(op.Operands))
		in := make([]dtype.Type, len(op.Operands))
		for i, v := range op.Operands {
			src[i] = c.use(v)
			in[i] = c.p.types[src[i]]
		}
		switch op.Kind {
		case stablehlo.Return:
			return src
		case stablehlo.Call:
			results := c.call(op, src, depth)
			if results == nil {
				return nil
			}
			for i, v := range op.Results {
				c.regs[v] = results[i]
			}
			continue
		}
		if len(op.Results) != 1 || len(op.Regions) > 0 {
			return nil
		}
		dst := c.reg(op.Results[0])
		switch op.Kind {
		case stablehlo.Constant:
			l, ok := op.Attr.(*stablehlo.Literal)
			if !ok {
				return nil
			}
			c.p.consts = append(c.p.consts, constReg{dst, l.Data})
			continue
		case stablehlo.Reshape, stablehlo.BroadcastInDim, stablehlo.OptimizationBarrier:
			c.p.steps = append(c.p.steps, step{func(dst *lane, src []*lane, n int) { dst.copyAll(src[0], n) }, dst, src})
			continue
		}
		if len(in) == 0 {
			return nil
		}
		compute, err := elementwise(op, in, op.Results[0].Type.Elem)
		if err != nil || compute == nil {
			return nil
		}
		c.p.steps = append(c.p.steps, step{compute, dst, src})
	}
	return nil
}

func (c *compiler) call(op *stablehlo.Op, args []int, depth int) []int {
	a, ok := op.Attr.(stablehlo.CallAttr)
	if !ok || a.Callee == nil || len(a.Callee.Body.Args) != len(args) {
		return nil
	}
	// A function that is called twice would meet its values again: they get new registers.
	outer := c.regs
	c.regs = map[*stablehlo.Value]int{}
	for i, v := range a.Callee.Body.Args {
		c.regs[v] = args[i]
	}
	results := c.block(a.Callee.Body, depth+1)
	c.regs = outer
	return results
}

// machine runs a region on scalars, up to n instances at a time. The caller fills args, calls run and reads results.
type machine struct {
	args    []*lane
	results []*lane
	p       *program
	regs    []*lane
	src     [][]*lane
	wide    bool // keep sums in float64 without rounding

	r     *runner // for a region that is no program
	block *stablehlo.Block
	frame *frame
}

// machine prepares the region b for n instances.
func (r *runner) machine(b *stablehlo.Block, f *frame, n int) (*machine, error) {
	m := &machine{r: r, block: b, frame: f}
	m.p = r.compile(b)
	if m.p == nil {
		for _, a := range b.Args {
			m.args = append(m.args, newLane(a.Type.Elem, n))
		}
		for _, v := range b.Terminator().Operands {
			m.results = append(m.results, newLane(v.Type.Elem, n))
		}
		return m, nil
	}
	m.regs = make([]*lane, len(m.p.types))
	for i, t := range m.p.types {
		m.regs[i] = newLane(t, n)
	}
	for _, s := range m.p.steps {
		src := make([]*lane, len(s.src))
		for i, reg := range s.src {
			src[i] = m.regs[reg]
		}
		m.src = append(m.src, src)
	}
	for _, k := range m.p.consts {
		one := newLane(m.p.types[k.reg], 1)
		one.load(k.data, 0, 1)
		m.regs[k.reg].fill(one, n)
	}
	for _, v := range m.p.free {
		t, ok := f.get(v.value).(*Tensor)
		if !ok || t.Len() != 1 {
			return nil, fmt.Errorf("a region uses a value from outside that is not a scalar: %w", ErrUnsupported)
		}
		one := newLane(t.Type.Elem, 1)
		one.load(t.Data, 0, 1)
		m.regs[v.reg].fill(one, n)
	}
	for _, reg := range m.p.args {
		m.args = append(m.args, m.regs[reg])
	}
	for _, reg := range m.p.results {
		m.results = append(m.results, m.regs[reg])
	}
	return m, nil
}

// keepWide makes sums of floats in float64, to be rounded at the end by the caller, if the region only adds its two
// arguments.
func (m *machine) keepWide() {
	if m.p == nil || len(m.p.steps) != 1 || len(m.p.args) != 2 || len(m.block.Ops) != 2 {
		return
	}
	if k := m.block.Ops[0].Kind; k == stablehlo.Add && slices.Equal(m.p.results, []int{m.p.steps[0].dst}) {
		m.wide = true
	}
}

// run computes the first n instances.
func (m *machine) run(n int) error {
	if m.p != nil {
		for i, s := range m.p.steps {
			dst := m.regs[s.dst]
			s.compute(dst, m.src[i], n)
			if !m.wide {
				dst.round(n)
			}
		}
		return nil
	}
	for k := range n {
		args := make([]Value, len(m.args))
		for i, a := range m.args {
			t := &Tensor{Type: m.block.Args[i].Type, Data: make([]byte, a.typ.Size())}
			a.storeOne(k, t.Data, 0)
			args[i] = t
		}
		out, err := m.r.block(m.block, args, m.frame)
		if err != nil {
			return err
		}
		for i, v := range out {
			t, ok := v.(*Tensor)
			if !ok || t.Len() != 1 || t.Type.Elem != m.results[i].typ {
				return fmt.Errorf("a region returns %v, want a scalar", v)
			}
			m.results[i].loadOne(k, t.Data, 0)
			release(v)
		}
	}
	return nil
}
