package plan

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// view is how a value is read out of memory: element (i, j, …) of it is element off + i*strides[0] + j*strides[1] + …
// of base. Strides may be zero or negative.
type view struct {
	base    *value
	off     int64
	dims    []int64
	strides []int64
}

// dense is the view of a value that lies in memory in row-major order.
func dense(v *value) view {
	return view{base: v, dims: v.typ.Dims, strides: rowMajor(v.typ.Dims)}
}

func rowMajor(dims []int64) []int64 {
	strides := make([]int64, len(dims))
	n := int64(1)
	for i := len(dims) - 1; i >= 0; i-- {
		strides[i] = n
		n *= dims[i]
	}
	return strides
}

// contiguous reports whether the view is a dense run of base's elements.
func (w view) contiguous() bool {
	n := int64(1)
	for i := len(w.dims) - 1; i >= 0; i-- {
		if w.dims[i] != 1 {
			if w.strides[i] != n {
				return false
			}
			n *= w.dims[i]
		}
	}
	return true
}

// isView says whether an operation only moves elements in a way that a view can follow.
func isView(k stablehlo.Kind) bool {
	switch k {
	case stablehlo.BroadcastInDim, stablehlo.Reshape, stablehlo.Reverse, stablehlo.Slice, stablehlo.Transpose:
		return true
	}
	return false
}

// view returns how v is read. Values that are not views of others, and views that were asked to be in memory, are
// their own base.
func (s *scheduler) view(v *value) view {
	if v.lit != nil && v.lit.Splat {
		return view{base: v, dims: v.typ.Dims, strides: make([]int64, len(v.typ.Dims))}
	}
	if v.def == nil || !isView(v.def.kind) || s.dense[v] {
		return dense(v)
	}
	if w, ok := s.views[v]; ok {
		return w
	}
	w, ok := compose(s.view(v.def.in[0]), v.def, v.typ.Dims)
	if !ok {
		// A reshape that no strides can express: it has to be in memory. Its operand is copied in order, so the
		// result is the operand's copy under another shape.
		s.dense[v] = true
		w = dense(v)
	}
	s.views[v] = w
	return w
}

func compose(in view, op *inst, dims []int64) (view, bool) {
	out := view{base: in.base, off: in.off, dims: dims}
	switch op.kind {
	case stablehlo.Reshape:
		var ok bool
		out.strides, ok = reshapeStrides(in.dims, in.strides, dims)
		return out, ok
	case stablehlo.BroadcastInDim:
		out.strides = make([]int64, len(dims))
		for i, d := range op.attr.(stablehlo.DimsAttr).Dims {
			if in.dims[i] != 1 {
				out.strides[d] = in.strides[i]
			}
		}
	case stablehlo.Transpose:
		out.strides = make([]int64, len(dims))
		for i, d := range op.attr.(stablehlo.DimsAttr).Dims {
			out.strides[i] = in.strides[d]
		}
	case stablehlo.Slice:
		a := op.attr.(*stablehlo.SliceAttr)
		out.strides = make([]int64, len(dims))
		for i := range dims {
			out.off += a.Start[i] * in.strides[i]
			out.strides[i] = in.strides[i] * a.Stride[i]
		}
	case stablehlo.Reverse:
		out.strides = slices.Clone(in.strides)
		for _, d := range op.attr.(stablehlo.DimsAttr).Dims {
			if dims[d] > 0 {
				out.off += (dims[d] - 1) * in.strides[d]
			}
			out.strides[d] = -in.strides[d]
		}
	}
	return out, true
}

// reshapeStrides finds strides that read the same elements in the same order under other dimensions, if there are any.
func reshapeStrides(from, strides, to []int64) ([]int64, bool) {
	if slices.Contains(from, 0) {
		return rowMajor(to), true
	}
	w := newWalk(from, strides)
	out := make([]int64, len(to))
	// Each merged dimension of the walk must be split exactly by a run of the new ones, from the innermost on.
	k := len(w.dims) - 1
	left := w.dims[k]
	stride := w.strides[k]
	for i := len(to) - 1; i >= 0; i-- {
		if to[i] == 1 {
			continue
		}
		for left == 1 && k > 0 {
			k--
			left, stride = w.dims[k], w.strides[k]
		}
		if left%to[i] != 0 {
			return nil, false
		}
		out[i] = stride
		stride *= to[i]
		left /= to[i]
	}
	return out, left == 1 && k == 0
}
