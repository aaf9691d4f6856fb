package plan

import (
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// control is what an operation with blocks of its own needs at run time.
type control struct {
	state []*value // While: one a carried value, shared by the parameters of both blocks and the results
	init  []move   // While: operands to state
	pick  view     // If, Case: the index; While: the condition's result
	index *value
}

// while schedules a loop. Its state lives at fixed places: the parameters of the condition and of the body and the
// results of the loop are the same memory, and the body writes the next state there directly where it can.
func (s *scheduler) while(i *inst) (*unit, error) {
	cond, body := i.blocks[0], i.blocks[1]
	c := &control{}
	u := &unit{out: i.out, ctl: c}
	for k, v := range i.in {
		w := s.view(v)
		u.reads = append(u.reads, w.base)
		c.state = append(c.state, i.out[k])
		c.init = append(c.init, move{from: w, to: i.out[k], copy: copier(w, v.typ.Elem)})
	}
	pc, err := s.schedule(cond)
	if err != nil {
		return nil, err
	}
	pb, err := s.schedule(body)
	if err != nil {
		return nil, err
	}
	for k, v := range body.results {
		w := s.view(v)
		pb.moves = append(pb.moves, move{from: w, to: i.out[k], copy: copier(w, v.typ.Elem)})
	}
	c.index = cond.results[0]
	c.pick = s.view(c.index)
	u.blocks = []*planned{pc, pb}
	u.step = func(r *run) error {
		for _, m := range c.init {
			m.run(r)
		}
		for {
			if err := r.block(pc); err != nil {
				return err
			}
			if r.bytes(c.pick.base)[c.pick.off] == 0 {
				return nil
			}
			if err := r.block(pb); err != nil {
				return err
			}
		}
	}
	return u, nil
}

// branch schedules If and Case. Each branch leaves its results at the places of the operation's.
func (s *scheduler) branch(i *inst) (*unit, error) {
	c := &control{index: i.in[0], pick: s.view(i.in[0])}
	u := &unit{out: i.out, ctl: c, reads: []*value{c.pick.base}}
	for _, b := range i.blocks {
		p, err := s.schedule(b)
		if err != nil {
			return nil, err
		}
		for k, v := range b.results {
			w := s.view(v)
			p.moves = append(p.moves, move{from: w, to: i.out[k], copy: copier(w, v.typ.Elem)})
		}
		u.blocks = append(u.blocks, p)
	}
	isIf := i.kind == stablehlo.If
	elem := i.in[0].typ.Elem
	u.step = func(r *run) error {
		n := intAt(r.bytes(c.pick.base), elem, c.pick.off)
		switch {
		case isIf:
			n = 1 - n&1
		case n < 0 || n >= int64(len(u.blocks)):
			n = int64(len(u.blocks)) - 1
		}
		return r.block(u.blocks[n])
	}
	return u, nil
}

// run stores the view where it belongs, unless it is there.
func (m *move) run(r *run) {
	dst := r.bytes(m.to)
	if len(dst) == 0 || m.there(r, dst) {
		return
	}
	m.copy.run(r, dst)
}

func (m *move) there(r *run, dst []byte) bool {
	if !m.from.contiguous() {
		return false
	}
	src := r.bytes(m.from.base)
	return &src[m.from.off*int64(m.copy.size)] == &dst[0]
}
