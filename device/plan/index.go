package plan

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// indexing is what gather and scatter share: a table of start indices, each of which places a window in an array.
type indexing struct {
	indices   view
	elem      dtype.Type
	positions int64   // number of index vectors
	batch     []int64 // sizes of the dimensions that number them
	indexBy   []int64 // their strides in the indices
	sideBy    []int64 // their strides in the gathered result or in the updates
	vectorBy  int64   // stride of the components of one index vector
	mapTo     []int64 // component k is a start in dimension mapTo[k] of the array
	batchDims []int64 // dimensions of the array that follow a dimension of the indices,
	batchOf   []int   // by its number among batch
	dims      []int64 // of the array
	strides   []int64
	window    []int64 // size of the window in each dimension of the array
	windowBy  []int64 // strides of the window in the result or the updates, 0 where it has size 1
}

// newIndexing lays out an index operation. side is the gathered result or the updates; sideWindow its window
// dimensions; dropped the dimensions of the array that the window lacks there.
func newIndexing(array, indices, side stablehlo.Type, iv view, sideWindow, dropped, batching, indicesBatching, mapTo []int64, vectorDim int64, window []int64) *indexing {
	x := &indexing{
		indices: iv, elem: indices.Elem, positions: 1, mapTo: mapTo, batchDims: batching, dims: array.Dims,
		strides: rowMajor(array.Dims), window: window, windowBy: make([]int64, len(array.Dims)),
	}
	is, ss := rowMajor(indices.Dims), rowMajor(side.Dims)
	if int(vectorDim) < len(is) {
		x.vectorBy = is[vectorDim]
	}
	var sideBatch []int
	for d := range side.Dims {
		if !slices.Contains(sideWindow, int64(d)) {
			sideBatch = append(sideBatch, d)
		}
	}
	where := map[int64]int{}
	for d, n := range indices.Dims {
		if int64(d) == vectorDim {
			continue
		}
		k := len(x.batch)
		where[int64(d)] = k
		x.batch = append(x.batch, n)
		x.indexBy = append(x.indexBy, is[d])
		x.sideBy = append(x.sideBy, ss[sideBatch[k]])
		x.positions *= n
	}
	for _, d := range indicesBatching {
		x.batchOf = append(x.batchOf, where[d])
	}
	k := 0
	for d := range array.Dims {
		if slices.Contains(dropped, int64(d)) || slices.Contains(batching, int64(d)) {
			continue
		}
		x.windowBy[d] = ss[sideWindow[k]]
		k++
	}
	return x
}

// cursor is the place of one index vector.
type cursor struct {
	idx   []int64
	side  int64   // where its window starts in the result or the updates
	start []int64 // where its window starts in the array
}

func (x *indexing) cursor() *cursor {
	return &cursor{idx: make([]int64, len(x.batch)), start: make([]int64, len(x.dims))}
}

// seek moves the cursor to position p.
func (x *indexing) seek(r *run, c *cursor, p int64) {
	for k := len(x.batch) - 1; k >= 0; k-- {
		c.idx[k] = p % x.batch[k]
		p /= x.batch[k]
	}
	at := x.indices.off
	c.side = 0
	for k, i := range c.idx {
		at += i * x.indexBy[k]
		c.side += i * x.sideBy[k]
	}
	clear(c.start)
	table := r.bytes(x.indices.base)
	for k, d := range x.mapTo {
		c.start[d] = intAt(table, x.elem, at+int64(k)*x.vectorBy)
	}
	for k, d := range x.batchDims {
		c.start[d] = c.idx[x.batchOf[k]]
	}
}

// gather schedules a Gather; its operands lie in memory.
func (s *scheduler) gather(i *inst) *unit {
	a := i.attr.(*stablehlo.GatherAttr)
	out := i.out[0]
	src, iv := s.view(i.in[0]), s.view(i.in[1])
	if !src.contiguous() || !iv.contiguous() {
		return nil
	}
	x := newIndexing(i.in[0].typ, i.in[1].typ, out.typ, iv, a.OffsetDims, a.CollapsedSliceDims, a.OperandBatchingDims, a.StartIndicesBatching, a.StartIndexMap, a.IndexVectorDim, a.SliceSizes)
	size := out.typ.Elem.Size()
	elems := int64(1)
	for _, d := range a.SliceSizes {
		elems *= d
	}
	return &unit{out: i.out, reads: []*value{src.base, iv.base}, step: func(r *run) error {
		from, to := r.bytes(src.base)[src.off*int64(size):], r.bytes(out)
		if len(to) == 0 {
			return nil
		}
		per := max(1, grain/4/elems)
		r.pool.Run(int((x.positions+per-1)/per), func(t int) {
			if r.stopped() {
				return
			}
			c := x.cursor()
			idx := make([]int64, len(x.dims))
			for p := int64(t) * per; p < min(x.positions, int64(t+1)*per); p++ {
				x.seek(r, c, p)
				at := int64(0)
				for d := range c.start {
					at += min(max(c.start[d], 0), x.dims[d]-x.window[d]) * x.strides[d]
				}
				copyBox(to, c.side, x.windowBy, from, at, x.strides, x.window, idx, int64(size))
			}
		})
		return r.err()
	}}
}

// copyBox copies a box of elements between two strided arrays. The longest run that is dense on both sides goes by one
// copy. idx is scratch of the box's rank or more.
func copyBox(dst []byte, to int64, dstBy []int64, src []byte, from int64, srcBy, dims, idx []int64, size int64) {
	inner, k := int64(1), len(dims)
	for k > 0 && (dims[k-1] == 1 || dstBy[k-1] == inner && srcBy[k-1] == inner) {
		inner *= dims[k-1]
		k--
	}
	clear(idx)
	for {
		copy(dst[to*size:(to+inner)*size], src[from*size:(from+inner)*size])
		d := k - 1
		for ; d >= 0; d-- {
			idx[d]++
			to += dstBy[d]
			from += srcBy[d]
			if idx[d] < dims[d] {
				break
			}
			to -= dstBy[d] * dims[d]
			from -= srcBy[d] * dims[d]
			idx[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// takesUpdate says whether a scatter's region returns the update, so that scattering stores.
func takesUpdate(region *stablehlo.Block) bool {
	return len(region.Args) == 2 && len(region.Ops) == 1 && len(region.Ops[0].Operands) == 1 && region.Ops[0].Operands[0] == region.Args[1]
}

// scatter schedules a Scatter of one operand whose region stores or is one binary operation.
func (s *scheduler) scatter(i *inst) *unit {
	if len(i.in) != 3 || len(i.captures) > 0 {
		return nil
	}
	a := i.attr.(*stablehlo.ScatterAttr)
	out, upd := i.out[0], i.in[2]
	elem := out.typ.Elem
	src, iv, uv := s.view(i.in[0]), s.view(i.in[1]), s.view(upd)
	if !src.contiguous() || !iv.contiguous() || !uv.contiguous() {
		return nil
	}
	window := make([]int64, len(out.typ.Dims))
	k := 0
	for d := range window {
		window[d] = 1
		if !slices.Contains(a.InsertedWindowDims, int64(d)) && !slices.Contains(a.InputBatchingDims, int64(d)) {
			window[d] = upd.typ.Dims[a.UpdateWindowDims[k]]
			k++
		}
	}
	x := newIndexing(out.typ, i.in[1].typ, upd.typ, iv, a.UpdateWindowDims, a.InsertedWindowDims, a.InputBatchingDims, a.ScatterIndicesBatching, a.ScatterDimsToOperandDims, a.IndexVectorDim, window)
	u := &unit{out: i.out, reads: []*value{src.base, iv.base, uv.base}}
	if src.off == 0 && src.base.lit == nil && src.base.typ.Size() == out.typ.Size() && iv.base != src.base && uv.base != src.base {
		u.over = []*value{src.base}
	}
	kind := simpleBody(i.op.Regions[0])
	t := s.kernels
	switch {
	case takesUpdate(i.op.Regions[0]):
		switch elem.Size() {
		case 1:
			u.step = scatterStep[uint8](x, src, uv, out, nil, nil)
		case 2:
			u.step = scatterStep[uint16](x, src, uv, out, nil, nil)
		case 4:
			u.step = scatterStep[uint32](x, src, uv, out, nil, nil)
		case 8:
			u.step = scatterStep[uint64](x, src, uv, out, nil, nil)
		default:
			return nil
		}
	case kind == stablehlo.InvalidKind || !hasReduce(t, kind, elem):
		return nil
	case half(elem):
		vv, combine := halfCombiner(elem, combiner(&t.F32, binaryOp(kind, elem)))
		u.step = scatterStep(x, src, uv, out, vv, combine)
	default:
		op := binaryOp(kind, elem)
		switch computed(elem) {
		case dtype.F32:
			u.step = scatterStep(x, src, uv, out, t.F32.VV[op], combiner(&t.F32, op))
		case dtype.F64:
			u.step = scatterStep(x, src, uv, out, t.F64.VV[op], combiner(&t.F64, op))
		case dtype.I32:
			u.step = scatterStep(x, src, uv, out, t.I32.VV[op], combiner(&t.I32, op))
		case dtype.I64:
			u.step = scatterStep(x, src, uv, out, t.I64.VV[op], combiner(&t.I64, op))
		case dtype.U32:
			u.step = scatterStep(x, src, uv, out, t.U32.VV[op], combiner(&t.U32, op))
		case dtype.U64:
			u.step = scatterStep(x, src, uv, out, t.U64.VV[op], combiner(&t.U64, op))
		case dtype.U8:
			u.step = scatterStep(x, src, uv, out, t.U8.VV[op], combiner(&t.U8, op))
		case dtype.I8:
			u.step = scatterStep(x, src, uv, out, t.I8.VV[op], combiner(&t.I8, op))
		case dtype.I16:
			u.step = scatterStep(x, src, uv, out, t.I16.VV[op], combiner(&t.I16, op))
		case dtype.U16:
			u.step = scatterStep(x, src, uv, out, t.U16.VV[op], combiner(&t.U16, op))
		default:
			return nil
		}
	}
	return u
}

// halfCombiner makes an operation of single floats one of a half type: each result is rounded.
func halfCombiner(t dtype.Type, op func(a, b float32) float32) (vv func(dst, a, b []uint16), combine func(a, b uint16) uint16) {
	read := func(x uint16) float32 { return float32(dtype.ToFloat64(t, uint64(x))) }
	combine = func(a, b uint16) uint16 { return uint16(dtype.FromFloat64(t, float64(op(read(a), read(b))))) }
	return func(dst, a, b []uint16) {
		for i := range dst {
			dst[i] = combine(a[i], b[i])
		}
	}, combine
}

// scatterStep applies the updates in the order of their indices, so that the result is the same every time. Elements
// outside of the array are skipped.
func scatterStep[T kernel.Number](x *indexing, src, upd view, out *value, vv func(dst, a, b []T), combine func(a, b T) T) step {
	return func(r *run) error {
		dst, from := as[T](r.bytes(out)), as[T](r.bytes(src.base))
		if len(dst) == 0 {
			return nil
		}
		from = from[src.off : src.off+int64(len(dst))]
		if &from[0] != &dst[0] {
			copy(dst, from)
		}
		if len(r.bytes(upd.base)) == 0 {
			return nil
		}
		updates := as[T](r.bytes(upd.base))[upd.off:]
		c := x.cursor()
		rank := len(x.dims)
		idx, dims := make([]int64, rank), make([]int64, rank)
		for p := range x.positions {
			if p&1023 == 0 && r.stopped() {
				break
			}
			x.seek(r, c, p)
			// Cut the window to what lies inside.
			to, at, empty := int64(0), c.side, false
			for d := range dims {
				first, last := int64(0), x.window[d]
				if c.start[d] < 0 {
					first = -c.start[d]
				}
				if over := x.dims[d] - c.start[d]; over < last {
					last = over
				}
				if first >= last || c.start[d] >= x.dims[d] || c.start[d] <= -x.window[d] {
					empty = true
					break
				}
				dims[d] = last - first
				to += (c.start[d] + first) * x.strides[d]
				at += first * x.windowBy[d]
			}
			if empty {
				continue
			}
			inner, k := int64(1), rank
			for k > 0 && (dims[k-1] == 1 || x.windowBy[k-1] == inner && x.strides[k-1] == inner) {
				inner *= dims[k-1]
				k--
			}
			clear(idx)
			for {
				a, b := dst[to:to+inner], updates[at:at+inner]
				switch {
				case vv == nil:
					copy(a, b)
				case inner == 1:
					a[0] = combine(a[0], b[0])
				default:
					vv(a, a, b)
				}
				d := k - 1
				for ; d >= 0; d-- {
					idx[d]++
					to += x.strides[d]
					at += x.windowBy[d]
					if idx[d] < dims[d] {
						break
					}
					to -= x.strides[d] * dims[d]
					at -= x.windowBy[d] * dims[d]
					idx[d] = 0
				}
				if d < 0 {
					break
				}
			}
		}
		return r.err()
	}
}
