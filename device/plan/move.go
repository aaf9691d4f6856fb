package plan

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// box is a rectangular part of a dense array of the same rank: the place of element (0, …) and the strides.
type box struct {
	dims, strides []int64
}

// paste stores a view at a box of dst that starts at element at, row by row. Strides of the box may be any.
func paste(r *run, m *copying, dst []byte, at int64, b box) {
	if m.n == 0 {
		return
	}
	var small [maxWalk]int64
	idx := small[:]
	if len(b.dims) > len(idx) {
		idx = make([]int64, len(b.dims))
	}
	copyBox(dst, at, b.strides, r.bytes(m.view.base), m.view.off, m.view.strides, b.dims, idx, int64(m.size))
}

func (s *scheduler) concatenate(i *inst) *unit {
	out := i.out[0]
	dim := i.attr.(stablehlo.DimAttr).Dim
	strides := rowMajor(out.typ.Dims)
	u := &unit{out: i.out}
	var parts []*copying
	var ats []int64
	at := int64(0)
	for _, v := range i.in {
		w := s.view(v)
		u.reads = append(u.reads, w.base)
		parts = append(parts, copier(w, v.typ.Elem))
		ats = append(ats, at)
		at += v.typ.Dims[dim] * strides[dim]
	}
	u.step = func(r *run) error {
		dst := r.bytes(out)
		for k, p := range parts {
			if r.stopped() {
				break
			}
			paste(r, p, dst, ats[k], box{p.view.dims, strides})
		}
		return r.err()
	}
	return u
}

func (s *scheduler) pad(i *inst) *unit {
	out := i.out[0]
	a := i.attr.(*stablehlo.PadAttr)
	w, fill := s.view(i.in[0]), s.view(i.in[1])
	strides := rowMajor(out.typ.Dims)
	// Negative padding cuts the operand; interior padding spreads it.
	part := view{base: w.base, off: w.off, dims: slices.Clone(w.dims), strides: slices.Clone(w.strides)}
	at := int64(0)
	spread := slices.Clone(strides)
	for d := range w.dims {
		step := a.Interior[d] + 1
		first, last := int64(0), w.dims[d]-1
		if a.Low[d] < 0 {
			first = (-a.Low[d] + step - 1) / step
		}
		if limit := out.typ.Dims[d] - 1 - a.Low[d]; last*step > limit {
			last = floorDiv(limit, step)
		}
		part.dims[d] = max(0, last-first+1)
		part.off += first * part.strides[d]
		at += (a.Low[d] + first*step) * strides[d]
		spread[d] = strides[d] * step
	}
	m := copier(part, out.typ.Elem)
	fills := copier(view{base: fill.base, off: fill.off, dims: out.typ.Dims, strides: make([]int64, len(out.typ.Dims))}, out.typ.Elem)
	whole := m.n == out.typ.Len()
	return &unit{out: i.out, reads: []*value{w.base, fill.base}, step: func(r *run) error {
		dst := r.bytes(out)
		if !whole {
			fills.run(r, dst)
		}
		paste(r, m, dst, at, box{part.dims, spread})
		return r.err()
	}}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// starts reads the start indices of a dynamic slice, moved so that the slice is inside of the operand.
type starts struct {
	views []view
	elem  []dtype.Type
	most  []int64 // the greatest start of each dimension
}

func (s *scheduler) starts(in []*value, dims, sizes []int64) (starts, []*value) {
	var st starts
	var reads []*value
	for d, v := range in {
		w := s.view(v)
		st.views = append(st.views, w)
		st.elem = append(st.elem, v.typ.Elem)
		st.most = append(st.most, dims[d]-sizes[d])
		reads = append(reads, w.base)
	}
	return st, reads
}

func (st *starts) at(r *run, d int) int64 {
	w := st.views[d]
	return min(max(intAt(r.bytes(w.base), st.elem[d], w.off), 0), st.most[d])
}

// intAt reads an integer; one above the range of int64 reads as the greatest.
func intAt(b []byte, t dtype.Type, i int64) int64 {
	switch t {
	case dtype.I32:
		return int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
	case dtype.I64:
		return int64(binary.LittleEndian.Uint64(b[8*i:]))
	case dtype.U64:
		return int64(min(binary.LittleEndian.Uint64(b[8*i:]), math.MaxInt64))
	case dtype.U32:
		return int64(binary.LittleEndian.Uint32(b[4*i:]))
	}
	size := int64(t.Size())
	return int64(literalInts(&stablehlo.Literal{Type: stablehlo.TensorOf(t), Data: b[i*size : (i+1)*size]})[0])
}

func (s *scheduler) dynamicSlice(i *inst) *unit {
	out := i.out[0]
	w := s.view(i.in[0])
	st, reads := s.starts(i.in[1:], i.in[0].typ.Dims, out.typ.Dims)
	elem := out.typ.Elem
	part := view{base: w.base, dims: out.typ.Dims, strides: w.strides}
	shape := copier(part, elem)
	return &unit{out: i.out, reads: append(reads, w.base), step: func(r *run) error {
		off := w.off
		for d := range st.views {
			off += st.at(r, d) * w.strides[d]
		}
		shape.runAt(r, r.bytes(out), off)
		return r.err()
	}}
}

func (s *scheduler) dynamicUpdateSlice(i *inst) *unit {
	out := i.out[0]
	w := s.view(i.in[0])
	upd := s.view(i.in[1])
	st, reads := s.starts(i.in[2:], out.typ.Dims, i.in[1].typ.Dims)
	whole := copier(w, out.typ.Elem)
	m := copier(upd, out.typ.Elem)
	strides := rowMajor(out.typ.Dims)
	u := &unit{out: i.out, reads: append(reads, w.base, upd.base)}
	if w.off == 0 && w.base.lit == nil && w.base.typ.Size() == out.typ.Size() && upd.base != w.base && !slices.Contains(reads, w.base) {
		u.over = []*value{w.base}
	}
	u.step = func(r *run) error {
		dst := r.bytes(out)
		at := int64(0)
		for d := range st.views {
			at += st.at(r, d) * strides[d]
		}
		if src := r.bytes(w.base); len(dst) > 0 && &src[w.off*int64(m.size)] != &dst[0] {
			whole.run(r, dst)
		}
		paste(r, m, dst, at, box{m.view.dims, strides})
		return r.err()
	}
	return u
}

// iota schedules an Iota that was too large to be a constant.
func (s *scheduler) iota(i *inst) *unit {
	out := i.out[0]
	dim := i.attr.(stablehlo.DimAttr).Dim
	n := out.typ.Dims[dim]
	inner := int64(1)
	for _, d := range out.typ.Dims[dim+1:] {
		inner *= d
	}
	u := &unit{out: i.out}
	t := s.kernels
	switch out.typ.Elem {
	case dtype.F32:
		u.step = iotaStep(&t.F32, n, inner, out)
	case dtype.F64:
		u.step = iotaStep(&t.F64, n, inner, out)
	case dtype.I8:
		u.step = iotaStep(&t.I8, n, inner, out)
	case dtype.I16:
		u.step = iotaStep(&t.I16, n, inner, out)
	case dtype.I32:
		u.step = iotaStep(&t.I32, n, inner, out)
	case dtype.I64:
		u.step = iotaStep(&t.I64, n, inner, out)
	case dtype.U8:
		u.step = iotaStep(&t.U8, n, inner, out)
	case dtype.U16:
		u.step = iotaStep(&t.U16, n, inner, out)
	case dtype.U32:
		u.step = iotaStep(&t.U32, n, inner, out)
	case dtype.U64:
		u.step = iotaStep(&t.U64, n, inner, out)
	default:
		return nil
	}
	return u
}

func iotaStep[T kernel.Number](o *kernel.Ops[T], n, inner int64, out *value) step {
	return func(r *run) error {
		dst := as[T](r.bytes(out))
		if len(dst) == 0 {
			return nil
		}
		period := n * inner
		if inner == 1 {
			o.Iota(dst[:n], 0)
		} else {
			for k := range n {
				var v [1]T
				o.Iota(v[:], T(k))
				o.Fill(dst[k*inner:(k+1)*inner], v[0])
			}
		}
		for at := period; at < int64(len(dst)); at += period {
			copy(dst[at:at+period], dst[:period])
		}
		return r.err()
	}
}
