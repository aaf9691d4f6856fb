package plan

import (
	"cmp"
	"slices"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// convolution is a convolution of floats as matrix products: for a tile of output positions, the inputs under the window
// are gathered into the rows of a matrix, which is multiplied by the kernel.
type convolution struct {
	in, kern, out  *value
	inOff, kernOff int64
	a              *stablehlo.ConvAttr

	groups           int
	channels, filter int // input channels and output features of a group
	taps             []tap
	depth            int // channels * taps: the length of a row

	positions  int     // batch * output spatial size
	outDims    []int64 // batch, then output spatial sizes
	outStrides []int64 // of those
	inDims     []int64 // input spatial sizes
	inStrides  []int64
	inBatch    int64
	inChannel  int64
	outChannel int64

	// The kernel as a matrix depth x filter, in the order of its memory.
	channelBy, tapBy int // where channel c of tap t stands in a row: c*channelBy + t*tapBy
	kernRow, kernCol int
	kernGroup        int
	depthwise        bool
}

// tap is one position of the window: what it adds to the input coordinates.
type tap struct{ at []int64 }

// plansConv says whether a convolution has a step of its own.
func (s *scheduler) plansConv(i *inst) bool {
	a := i.attr.(*stablehlo.ConvAttr)
	return floating(i.out[0].typ.Elem) && sameElem(i) && a.BatchGroupCount <= 1 &&
		i.out[0].typ.Len() > 0 && i.in[0].typ.Len() > 0 && i.in[1].typ.Len() > 0
}

// needConv makes sure that a convolution's kernel is a matrix: one whose dimensions lie in another order is transposed.
func (s *scheduler) needConv(i *inst, insert func(*inst) *value, replace func(int, *value)) {
	a := *i.attr.(*stablehlo.ConvAttr)
	v := i.in[1]
	if !s.plansConv(i) {
		return // the evaluator reads it as it is
	}
	n := int64(len(a.KernelSpatial))
	perm := append(slices.Clone(a.KernelSpatial), a.KernelInputFeature, a.KernelOutputFeature)
	if kernelMatrix(&a, v.typ.Dims) {
		return
	}
	t := stablehlo.TensorOf(v.typ.Elem)
	for _, d := range perm {
		t.Dims = append(t.Dims, v.typ.Dims[d])
	}
	replace(1, insert(&inst{
		kind: stablehlo.Transpose,
		attr: stablehlo.DimsAttr{Dims: perm},
		in:   []*value{v},
		out:  []*value{{typ: t}},
	}))
	a.KernelSpatial = make([]int64, n)
	for k := range n {
		a.KernelSpatial[k] = k
	}
	a.KernelInputFeature, a.KernelOutputFeature = n, n+1
	i.attr = &a
}

// kernelMatrix says whether the channels and the spatial dimensions of a kernel are together the rows of a matrix, and
// the channels are not between spatial dimensions.
func kernelMatrix(a *stablehlo.ConvAttr, dims []int64) bool {
	strides := rowMajor(dims)
	rows := append(slices.Clone(a.KernelSpatial), a.KernelInputFeature)
	slices.Sort(rows)
	var d, by []int64
	for _, k := range rows {
		d, by = append(d, dims[k]), append(by, strides[k])
	}
	at := slices.Index(rows, a.KernelInputFeature)
	return len(newWalk(d, by).dims) == 1 && (at == 0 || at == len(rows)-1 || dims[a.KernelInputFeature] == 1)
}

// conv schedules a convolution, or returns nil where the evaluator must do it. Its operands lie in memory.
func (s *scheduler) conv(i *inst) *unit {
	a := i.attr.(*stablehlo.ConvAttr)
	in, kern, out := i.in[0], i.in[1], i.out[0]
	if !s.plansConv(i) {
		return nil
	}
	iv, kv := s.view(in), s.view(kern)
	if !iv.contiguous() || !kv.contiguous() {
		return nil
	}
	if u := s.imageConv(i, iv, kv); u != nil {
		return u
	}
	c := &convolution{in: iv.base, kern: kv.base, out: out, inOff: iv.off, kernOff: kv.off, a: a, groups: int(max(a.FeatureGroupCount, 1))}
	is, ks, os := rowMajor(in.typ.Dims), rowMajor(kern.typ.Dims), rowMajor(out.typ.Dims)
	c.channels = int(kern.typ.Dims[a.KernelInputFeature])
	c.filter = int(kern.typ.Dims[a.KernelOutputFeature]) / c.groups
	spatial := len(a.InputSpatial)
	c.inBatch, c.inChannel = is[a.InputBatch], is[a.InputFeature]
	c.outChannel = os[a.OutputFeature]
	c.outDims = []int64{out.typ.Dims[a.OutputBatch]}
	c.outStrides = []int64{os[a.OutputBatch]}
	ntaps := 1
	for d := range spatial {
		c.inDims = append(c.inDims, in.typ.Dims[a.InputSpatial[d]])
		c.inStrides = append(c.inStrides, is[a.InputSpatial[d]])
		c.outDims = append(c.outDims, out.typ.Dims[a.OutputSpatial[d]])
		c.outStrides = append(c.outStrides, os[a.OutputSpatial[d]])
		ntaps *= int(kern.typ.Dims[a.KernelSpatial[d]])
	}
	c.positions = 1
	for _, d := range c.outDims {
		c.positions *= int(d)
	}
	c.depth = c.channels * ntaps
	// The rows of the kernel matrix: channel and spatial dimensions, the slowest in memory first. They must be one
	// run of memory with one stride.
	type dim struct {
		spatial      int // -1: channel
		size, stride int64
	}
	rows := []dim{{-1, kern.typ.Dims[a.KernelInputFeature], ks[a.KernelInputFeature]}}
	for d := range spatial {
		rows = append(rows, dim{d, kern.typ.Dims[a.KernelSpatial[d]], ks[a.KernelSpatial[d]]})
	}
	slices.SortStableFunc(rows, func(x, y dim) int { return cmp.Compare(y.stride, x.stride) })
	var dims, strides []int64
	for _, r := range rows {
		dims, strides = append(dims, r.size), append(strides, r.stride)
	}
	w := newWalk(dims, strides)
	if len(w.dims) > 1 {
		return nil
	}
	c.kernRow, c.kernCol = int(w.strides[0]), int(ks[a.KernelOutputFeature])
	c.kernGroup = c.filter * c.kernCol
	if len(w.dims) == 1 && w.dims[0] == 1 {
		c.kernRow = 1
	}
	// The taps, in the order of the spatial rows; channel position by where its row stands among them.
	var order []dim
	channelAt := 0
	inner := 1
	for k := len(rows) - 1; k >= 0; k-- {
		if rows[k].spatial < 0 {
			channelAt = inner
		}
		inner *= int(rows[k].size)
	}
	c.channelBy = channelAt
	for _, r := range rows {
		if r.spatial >= 0 {
			order = append(order, r)
		}
	}
	idx := make([]int64, len(order))
	for range ntaps {
		at := make([]int64, spatial)
		for k, o := range order {
			j := idx[k]
			if a.WindowReversal != nil && a.WindowReversal[o.spatial] {
				j = o.size - 1 - j
			}
			at[o.spatial] = j*a.RHSDilation[o.spatial] - a.Padding[o.spatial][0]
		}
		c.taps = append(c.taps, tap{at})
		for k := len(order) - 1; k >= 0; k-- {
			if idx[k]++; idx[k] < order[k].size {
				break
			}
			idx[k] = 0
		}
	}
	switch channelAt {
	case 1: // channels innermost: taps are runs of channels
		c.tapBy = c.channels
	case ntaps: // channels outermost
		c.tapBy = 1
	default: // channels between spatial dimensions: no one stride for taps
		if c.channels > 1 {
			return nil
		}
		c.tapBy = 1
	}
	c.depthwise = c.channels == 1 && c.filter == 1 && c.groups > 1 && c.inChannel == 1 && c.outChannel == 1 && c.kernCol == 1
	u := &unit{out: i.out, reads: []*value{c.in, c.kern}}
	if out.typ.Elem == dtype.F32 {
		u.step = convStep(c, &s.kernels.F32, s.kernels.Gemm32)
	} else {
		u.step = convStep(c, &s.kernels.F64, s.kernels.Gemm64)
	}
	return u
}

func convStep[T kernel.Float](c *convolution, o *kernel.Ops[T], gemm func(*kernel.Gemm[T], kernel.Par)) step {
	tile := min(max(32, (1<<15)/c.depth), 1024, c.positions)
	tasks := (c.positions + tile - 1) / tile
	return func(r *run) error {
		in, kern, out := as[T](r.bytes(c.in))[c.inOff:], as[T](r.bytes(c.kern))[c.kernOff:], as[T](r.bytes(c.out))
		r.pool.Run(tasks, func(t int) {
			if r.stopped() {
				return
			}
			lo := t * tile
			n := min(tile, c.positions-lo)
			if c.depthwise {
				c.each(lo, n, func(p int, at int64, base int64, pos []int64) {
					depthwise(c, o, in, kern, out, at, base, pos)
				})
				return
			}
			var zero T
			tmp, err := r.borrow(int64(n*c.depth) * int64(sizeOf(zero)))
			if err != nil {
				r.fail(err)
				return
			}
			defer r.giveBack(tmp)
			rows := as[T](tmp.b)
			outAt := make([]int64, n)
			for g := range c.groups {
				patches(c, rows, in[int64(g*c.channels)*c.inChannel:], lo, n, outAt)
				product := &kernel.Gemm[T]{
					M: n, N: c.filter, K: c.depth,
					A: kernel.RowMajor(rows, c.depth),
					B: kernel.View[T]{Data: kern[g*c.kernGroup:], RowStride: c.kernRow, ColStride: c.kernCol},
				}
				// Output positions that follow each other at one distance are the rows of one matrix.
				for p := 0; p < n; {
					q, by := p+1, int64(1)
					if q < n {
						by = outAt[q] - outAt[p]
						for q < n && outAt[q]-outAt[q-1] == by {
							q++
						}
					}
					one := *product
					one.M = q - p
					one.A.Data = rows[p*c.depth:]
					one.C = kernel.View[T]{
						Data:      out[outAt[p]+int64(g*c.filter)*c.outChannel:],
						RowStride: int(by), ColStride: int(c.outChannel),
					}
					if by < 0 {
						q = p + 1
						one.M, one.C.RowStride = 1, 1
					}
					gemm(&one, nil)
					p = q
				}
			}
		})
		return r.err()
	}
}

func sizeOf[T kernel.Float](x T) int {
	if _, ok := any(x).(float32); ok {
		return 4
	}
	return 8
}

// each calls f for output positions lo to lo+n-1 with the place in the output, the place of the batch in the input, and
// the input coordinates of the window's corner before padding.
func (c *convolution) each(lo, n int, f func(p int, at, base int64, pos []int64)) {
	idx := make([]int64, len(c.outDims))
	c.unravel(lo, idx)
	pos := make([]int64, len(c.outDims)-1)
	for p := range n {
		at := int64(0)
		for k, x := range idx {
			at += x * c.outStrides[k]
		}
		for k := range pos {
			pos[k] = idx[k+1] * c.a.WindowStrides[k]
		}
		f(p, at, idx[0]*c.inBatch, pos)
		for k := len(idx) - 1; k >= 0; k-- {
			if idx[k]++; idx[k] < c.outDims[k] {
				break
			}
			idx[k] = 0
		}
	}
}

// unravel turns the number of an output position into its indices.
func (c *convolution) unravel(p int, idx []int64) {
	rest := int64(p)
	for k := len(c.outDims) - 1; k >= 0; k-- {
		idx[k] = rest % c.outDims[k]
		rest /= c.outDims[k]
	}
}

// place returns where in the input a tap of the window at pos reads; ok is false in the padding and between dilated
// elements.
func (c *convolution) place(pos []int64, t tap) (at int64, ok bool) {
	for k, p := range pos {
		x, in := c.coordinate(k, p+t.at[k])
		if !in {
			return 0, false
		}
		at += x * c.inStrides[k]
	}
	return at, true
}

// coordinate turns a coordinate in the dilated and padded input into one in the input.
func (c *convolution) coordinate(k int, x int64) (int64, bool) {
	if d := c.a.LHSDilation[k]; d != 1 {
		if x < 0 || x%d != 0 {
			return 0, false
		}
		x /= d
	}
	return x, uint64(x) < uint64(c.inDims[k])
}

// patches stores the inputs under the windows of output positions lo to lo+n-1 as rows, and where each position lies
// in the output in outAt. Positions that differ in the innermost spatial dimension only are one strip: of each tap, the
// strip is filled at once.
func patches[T kernel.Float](c *convolution, rows, in []T, lo, n int, outAt []int64) {
	last := len(c.inDims) - 1
	idx := make([]int64, len(c.outDims))
	if last < 0 { // no spatial dimension
		c.each(lo, n, func(p int, at, base int64, pos []int64) {
			outAt[p] = at
			patch(c, rows[p*c.depth:(p+1)*c.depth], in[base:], pos)
		})
		return
	}
	width := c.outDims[last+1]
	stride, dilation := c.a.WindowStrides[last], c.a.LHSDilation[last]
	for p := 0; p < n; {
		c.unravel(lo+p, idx)
		strip := int(min(int64(n-p), width-idx[last+1]))
		at := int64(0)
		for k, x := range idx {
			at += x * c.outStrides[k]
		}
		for j := range strip {
			outAt[p+j] = at + int64(j)*c.outStrides[last+1]
		}
		base := idx[0] * c.inBatch
		for k, t := range c.taps {
			from, inside := base, true
			for d := range last {
				x, ok := c.coordinate(d, idx[d+1]*c.a.WindowStrides[d]+t.at[d])
				if !ok {
					inside = false
					break
				}
				from += x * c.inStrides[d]
			}
			x := idx[last+1]*stride + t.at[last]
			if c.channels == 1 && dilation == 1 {
				column := rows[p*c.depth+k*c.tapBy:]
				if !inside {
					from = -1
				}
				fillColumn(column, in, c.depth, strip, from, x, stride, c.inStrides[last], c.inDims[last])
				continue
			}
			for j := range strip {
				row := rows[(p+j)*c.depth:][:c.depth]
				src := int64(-1)
				if inside {
					y, ok := x, uint64(x) < uint64(c.inDims[last])
					if dilation != 1 {
						y, ok = c.coordinate(last, x)
					}
					if ok {
						src = from + y*c.inStrides[last]
					}
				}
				x += stride
				fill(c, row, in, k, src)
			}
		}
		p += strip
	}
}

// fillColumn stores one tap of a strip of n positions, by apart in dst: the elements of a line of the input, pitch
// apart, at coordinates x, x+stride, …; zeros outside of its size, or everywhere where from is negative.
func fillColumn[T kernel.Float](dst, in []T, by, n int, from, x, stride, pitch, size int64) {
	first, end := 0, 0
	if from >= 0 {
		if x < 0 {
			first = int(min(int64(n), (-x+stride-1)/stride))
		}
		end = max(first, int(min(int64(n), (size-x+stride-1)/stride)))
	}
	at := 0
	for range first {
		dst[at] = 0
		at += by
	}
	src := from + (x+int64(first)*stride)*pitch
	for range end - first {
		dst[at] = in[src]
		at += by
		src += stride * pitch
	}
	for range n - end {
		dst[at] = 0
		at += by
	}
}

// fill stores the channels of tap k in a row: from src on, or zeros where src is negative.
func fill[T kernel.Float](c *convolution, row, in []T, k int, src int64) {
	switch {
	case c.channels == 1:
		var x T
		if src >= 0 {
			x = in[src]
		}
		row[k*c.tapBy] = x
	case c.channelBy == 1:
		dst := row[k*c.tapBy:][:c.channels]
		switch {
		case src < 0:
			clear(dst)
		case c.inChannel == 1:
			copy(dst, in[src:])
		default:
			for j := range dst {
				dst[j] = in[src+int64(j)*c.inChannel]
			}
		}
	default:
		for j := range c.channels {
			var x T
			if src >= 0 {
				x = in[src+int64(j)*c.inChannel]
			}
			row[k*c.tapBy+j*c.channelBy] = x
		}
	}
}

// patch stores the inputs under the window at pos as a row.
func patch[T kernel.Float](c *convolution, row, in []T, pos []int64) {
	for k, t := range c.taps {
		at, ok := c.place(pos, t)
		if !ok {
			at = -1
		}
		fill(c, row, in, k, at)
	}
}

// depthwise computes one output position where every channel has a filter of its own.
func depthwise[T kernel.Float](c *convolution, o *kernel.Ops[T], in, kern, out []T, at, base int64, pos []int64) {
	dst := out[at : at+int64(c.groups)]
	clear(dst)
	var tmp [256]T
	for k, t := range c.taps {
		from, ok := c.place(pos, t)
		if !ok {
			continue
		}
		x := in[base+from:][:c.groups]
		w := kern[k*c.kernRow:][:c.groups]
		for j := 0; j < len(dst); j += len(tmp) {
			n := min(len(tmp), len(dst)-j)
			o.VV[kernel.Mul](tmp[:n], x[j:j+n], w[j:j+n])
			o.VV[kernel.Add](dst[j:j+n], dst[j:j+n], tmp[:n])
		}
	}
}
