package plan

// Lifetime is when a buffer is alive, and how large it is.
type Lifetime struct {
	Start, End int
	Size       int64
}

// PackBuffers gives the offsets that the planner finds, and the size of the arena.
func PackBuffers(lives []Lifetime) (offsets []int64, arena int64) {
	m := &placer{p: &Program{}}
	all := make([]*buffer, len(lives))
	for i, l := range lives {
		all[i] = &buffer{arena: true, start: l.Start, end: l.End, size: l.Size}
	}
	m.buffers = append(m.buffers, all...)
	m.pack()
	for _, b := range all {
		offsets = append(offsets, b.offset)
	}
	return offsets, m.p.arenaSize
}

// ReshapeStrides is reshapeStrides.
var ReshapeStrides = reshapeStrides

// Walk lists the elements that a walk over a view visits, from lo on.
func Walk(dims, strides []int64, src []uint32, off, lo int64, n int) []uint32 {
	w := newWalk(dims, strides)
	dst := make([]uint32, n)
	w.load(bytesOf(dst), bytesOf(src), 4, off, lo, n)
	return dst
}
