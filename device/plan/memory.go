package plan

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// buffer is memory that one value, or several that follow each other in time, lie in.
type buffer struct {
	slot       int
	size       int64
	start, end int // units it is alive in, both included
	arena      bool
	fixed      bool // an argument or a result: placed by its slot
	donor      int  // for an argument's buffer: which one, if it may be written once dead; else -1
	offset     int64
}

// slot is where a run finds a buffer: an argument, a result, or a part of the arena.
type slot struct {
	arena        bool
	offset, size int64
}

const alignment = 64

// placer gives every value of a program its memory.
type placer struct {
	p       *Program
	time    int
	def     map[*value]int // the unit that makes a value
	last    map[*value]int // the last unit that reads a value
	level   map[*value]int // number of loops around where the value is made
	loops   []*unit        // the loops that are open
	buffers []*buffer
}

// place lays out memory. Time is the number of a unit in the order of execution, blocks of a unit after the unit itself
// and before its end. A value lives from the unit that makes it to the last one that reads it; what is made outside of
// a loop and read inside lives to the loop's end.
func place(p *Program, top *block, fn *stablehlo.Func) {
	m := &placer{p: p, def: map[*value]int{}, last: map[*value]int{}, level: map[*value]int{}}
	for i, v := range top.params {
		b := &buffer{fixed: true, donor: -1, size: v.typ.Size(), slot: m.slot(slot{})}
		if fn.Donated(i) {
			b.donor = i
		}
		v.buf, v.size = b, b.size
		p.argSlot = append(p.argSlot, b.slot)
		m.def[v] = -1
	}
	// Results get their own memory; what makes them writes there if it can.
	p.block.moves = nil
	outs := make([]*value, len(top.results))
	for i, v := range top.results {
		outs[i] = &value{typ: v.typ, size: v.typ.Size(), buf: &buffer{fixed: true, donor: -1, size: v.typ.Size(), slot: m.slot(slot{})}}
		p.outSlot = append(p.outSlot, outs[i].buf.slot)
		p.outDonor = append(p.outDonor, -1)
	}
	for i, v := range top.results {
		w := p.resultViews[i]
		p.block.moves = append(p.block.moves, move{from: w, to: outs[i], copy: copier(w, v.typ.Elem)})
	}
	m.times(p.block)
	m.assign(p.block, outs)
	m.donate(fn)
	m.pack()
}

func (m *placer) slot(s slot) int {
	m.p.slots = append(m.p.slots, s)
	return len(m.p.slots) - 1
}

// times numbers the units and finds the last reader of each value.
func (m *placer) times(b *planned) {
	for _, u := range b.units {
		m.time++
		u.time = m.time
		for _, v := range u.reads {
			m.read(v)
		}
		for _, v := range u.out {
			m.def[v] = u.time
			m.level[v] = len(m.loops)
		}
		if u.ctl != nil {
			loop := u.inst.kind == stablehlo.While
			if loop {
				m.loops = append(m.loops, u)
				for k, v := range u.ctl.state {
					for _, sub := range u.inst.blocks {
						alias(sub.params[k], v)
					}
				}
			}
			for n, sub := range u.blocks {
				m.times(sub)
				if loop && n == 0 {
					m.time++
					m.read(u.ctl.pick.base)
				}
			}
			if loop {
				m.loops = m.loops[:len(m.loops)-1]
			}
			m.time++
			u.end = m.time
			if loop {
				// State and what the loop reads from outside stay to its end.
				for _, v := range u.ctl.state {
					m.extend(v, u.end)
				}
				for _, v := range m.outside(u) {
					m.extend(v, u.end)
				}
			}
			for _, v := range u.out {
				m.extend(v, u.end)
			}
		}
	}
	m.time++
	for _, mv := range b.moves {
		m.read(mv.from.base)
		m.extend(mv.to, m.time)
	}
}

// alias makes a block's parameter the same memory as the state of its loop.
func alias(param, state *value) { param.same = state }

// home is the value whose memory v uses.
func home(v *value) *value {
	for v.same != nil {
		v = v.same
	}
	return v
}

func (m *placer) read(v *value) { m.extend(v, m.time) }

func (m *placer) extend(v *value, t int) {
	v = home(v)
	if v.lit == nil {
		m.last[v] = max(m.last[v], t)
	}
}

// outside lists the values that a loop's blocks read and do not make.
func (m *placer) outside(u *unit) []*value {
	var out []*value
	var walk func(b *planned)
	add := func(v *value) {
		v = home(v)
		if v.lit == nil && m.def[v] < u.time {
			out = append(out, v)
		}
	}
	walk = func(b *planned) {
		for _, x := range b.units {
			for _, v := range x.reads {
				add(v)
			}
			if x.ctl != nil {
				add(x.ctl.pick.base)
			}
			for _, sub := range x.blocks {
				walk(sub)
			}
		}
		for _, mv := range b.moves {
			add(mv.from.base)
		}
	}
	for _, b := range u.blocks {
		walk(b)
	}
	return out
}

// assign gives buffers to what the units of a block make. targets are the values that the block's moves fill.
func (m *placer) assign(b *planned, targets []*value) {
	m.coalesce(b, targets)
	for _, u := range b.units {
		for n, v := range u.out {
			v.size = v.typ.Size()
			if v.buf != nil {
				continue
			}
			if n == 0 {
				for _, w := range u.over {
					w = home(w)
					if f := w.buf; f != nil && !f.fixed && f.size >= v.typ.Size() && m.last[w] <= u.time && f.end <= u.time && m.level[w] == m.level[v] {
						v.buf = f
						break
					}
				}
			}
			if v.buf == nil && u.ctl != nil && u.inst.kind == stablehlo.While {
				// A loop takes over the memory of an operand that nothing reads later.
				mv := u.ctl.init[n]
				w := home(mv.from.base)
				if f := w.buf; f != nil && w.lit == nil && !f.fixed && f.size == v.typ.Size() && m.last[w] <= u.time && f.end <= u.time &&
					mv.from.off == 0 && mv.from.contiguous() && m.level[w] == m.level[v] && once(u.ctl.init, w) {
					v.buf = f
				}
			}
			if v.buf == nil {
				v.buf = &buffer{arena: true, donor: -1, size: v.typ.Size(), start: u.time, end: u.time}
				m.buffers = append(m.buffers, v.buf)
			}
			v.buf.end = max(v.buf.end, m.last[v], u.time)
		}
		if u.ctl == nil {
			continue
		}
		for k, sub := range u.blocks {
			if u.inst.kind == stablehlo.While {
				for n, v := range u.ctl.state {
					p := u.inst.blocks[k].params[n]
					p.buf, p.size = v.buf, v.size
				}
			}
			m.assign(sub, u.out)
		}
		if u.inst.kind == stablehlo.While {
			m.untangle(u)
		}
	}
}

func once(init []move, w *value) bool {
	n := 0
	for _, mv := range init {
		if home(mv.from.base) == w {
			n++
		}
	}
	return n == 1
}

// coalesce lets the units of a block write its results directly where they are wanted, if nothing reads the old value
// there after that.
func (m *placer) coalesce(b *planned, targets []*value) {
	at := map[*value]int{}
	for n, u := range b.units {
		for _, v := range u.out {
			at[v] = n
		}
	}
	wanted := map[*value]int{}
	for k := range b.moves {
		wanted[b.moves[k].from.base]++
	}
	for k, mv := range b.moves {
		v := mv.from.base
		n, here := at[v]
		if !here || v.buf != nil || wanted[v] > 1 || mv.from.off != 0 || !mv.from.contiguous() || v.typ.Size() != mv.to.typ.Size() || v.same != nil {
			continue
		}
		u := b.units[n]
		if !m.free(b, n, u, targets[k], k) {
			continue
		}
		v.buf = mv.to.buf
		v.buf.end = max(v.buf.end, m.last[v])
	}
}

// free reports whether the memory of target is not read in the block from unit n on, other than by unit n itself as an
// operand that it may write over.
func (m *placer) free(b *planned, n int, u *unit, target *value, k int) bool {
	reads := func(v *value) bool { return home(v) == home(target) }
	for j := n; j < len(b.units); j++ {
		x := b.units[j]
		for _, v := range x.reads {
			if reads(v) && (j > n || !slices.ContainsFunc(u.over, reads) || len(u.out) > 1) {
				return false
			}
		}
		if x.ctl != nil && (j > n || x == u) {
			for _, v := range m.outside(x) {
				if reads(v) {
					return false
				}
			}
		}
	}
	for j := range b.moves {
		if j != k && reads(b.moves[j].from.base) {
			return false
		}
	}
	return true
}

// untangle orders the moves at the end of a loop's body: those that read the state of another carried value must see it
// before it is written. They go through memory of their own.
func (m *placer) untangle(u *unit) {
	body := u.blocks[1]
	state := map[*value]int{}
	for k, v := range u.ctl.state {
		state[home(v)] = k
	}
	var first, rest []move
	for k, mv := range body.moves {
		from, isState := state[home(mv.from.base)]
		if !isState || from == k && mv.from.contiguous() && mv.from.off == 0 {
			rest = append(rest, mv)
			continue
		}
		tmp := &value{typ: mv.to.typ, size: mv.to.typ.Size()}
		tmp.buf = &buffer{arena: true, donor: -1, size: tmp.typ.Size(), start: u.time, end: u.end}
		m.buffers = append(m.buffers, tmp.buf)
		first = append(first, move{from: mv.from, to: tmp, copy: mv.copy})
		rest = append(rest, move{from: dense(tmp), to: mv.to, copy: copier(dense(tmp), mv.to.typ.Elem)})
	}
	body.moves = append(first, rest...)
}

// donate lets results take the memory of arguments that the caller gives up: the argument's last reader must come
// before the result is written.
func (m *placer) donate(fn *stablehlo.Func) {
	// Results that are written early by their unit are alive from there; moves at the end write after everything.
	b := m.p.block
	written := make([]int, len(b.moves))
	for k, mv := range b.moves {
		written[k] = m.time
		if v := mv.from.base; v.buf == mv.to.buf {
			written[k] = m.def[v]
		}
	}
	taken := map[int]bool{}
	for i := range fn.Args() {
		if !fn.Donated(i) || taken[i] {
			continue
		}
		v := m.p.params[i]
		want, must := fn.Alias(i)
		for k, mv := range b.moves {
			if must && k != want || m.p.outDonor[k] >= 0 || mv.to.typ.Size() != v.typ.Size() || mv.to.typ.Elem != v.typ.Elem {
				continue
			}
			over := m.last[v] < written[k]
			if !over && m.last[v] == written[k] && written[k] < m.time {
				for _, u := range b.units {
					over = over || u.time == written[k] && slices.Contains(u.over, v)
				}
			}
			if over {
				m.p.outDonor[k] = i
				break
			}
		}
	}
}

// pack gives the buffers of the arena their offsets: in the order of their start, each at the lowest place that is free
// while it lives.
func (m *placer) pack() {
	slices.SortStableFunc(m.buffers, func(a, b *buffer) int { return cmp.Compare(a.start, b.start) })
	type hole struct{ offset, size int64 }
	var free []hole
	var open byEnd
	top := int64(0)
	release := func(b *buffer) {
		h := hole{b.offset, round(b.size)}
		if h.size == 0 {
			return
		}
		at, _ := slices.BinarySearchFunc(free, h, func(x, y hole) int { return cmp.Compare(x.offset, y.offset) })
		free = slices.Insert(free, at, h)
		for k := max(0, at-1); k+1 < len(free) && k <= at; {
			if free[k].offset+free[k].size == free[k+1].offset {
				free[k].size += free[k+1].size
				free = slices.Delete(free, k+1, k+2)
			} else {
				k++
			}
		}
	}
	for _, b := range m.buffers {
		for len(open) > 0 && open[0].end < b.start {
			release(heap.Pop(&open).(*buffer))
		}
		size := round(b.size)
		best := -1
		for k, h := range free {
			if h.size >= size && (best < 0 || h.size < free[best].size) {
				best = k
			}
		}
		switch {
		case size == 0:
			b.offset = 0
		case best >= 0:
			b.offset = free[best].offset
			free[best].offset += size
			if free[best].size -= size; free[best].size == 0 {
				free = slices.Delete(free, best, best+1)
			}
		default:
			if n := len(free); n > 0 && free[n-1].offset+free[n-1].size == top {
				b.offset = free[n-1].offset
				free = free[:n-1]
			} else {
				b.offset = top
			}
			top = b.offset + size
		}
		heap.Push(&open, b)
		b.slot = m.slot(slot{arena: true, offset: b.offset, size: b.size})
	}
	m.p.arenaSize = top
}

// byEnd is a heap of buffers, the one that ends first on top.
type byEnd []*buffer

func (h byEnd) Len() int           { return len(h) }
func (h byEnd) Less(i, j int) bool { return h[i].end < h[j].end }
func (h byEnd) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byEnd) Push(x any)        { *h = append(*h, x.(*buffer)) }

func (h *byEnd) Pop() any {
	last := len(*h) - 1
	b := (*h)[last]
	*h = (*h)[:last]
	return b
}

func round(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }
