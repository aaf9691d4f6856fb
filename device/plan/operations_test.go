package plan_test

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func (g *gen) broadcast(x *stablehlo.Value) {
	t := x.Type
	var dims, at []int64
	total := t.Len()
	grow := func() int64 {
		d := pick(g, []int64{1, 2, 3, 5, 64})
		if total*d > maxElements {
			d = 1
		}
		total *= d
		return d
	}
	for _, d := range t.Dims {
		for len(dims) < 5 && g.chance(4) {
			dims = append(dims, grow())
		}
		at = append(at, int64(len(dims)))
		if d == 1 {
			d = grow()
		}
		dims = append(dims, d)
	}
	for len(dims) < 5 && g.n(0, 1) == 0 {
		dims = append(dims, grow())
	}
	g.op(stablehlo.BroadcastInDim, stablehlo.DimsAttr{Dims: at}, stablehlo.TensorOf(t.Elem, dims...), x)
}

func (g *gen) reshape(x *stablehlo.Value) {
	n := x.Type.Len()
	var dims []int64
	if n == 0 {
		dims = append(g.dims(), 0)
	} else {
		for _, p := range []int64{2, 3, 5, 7, 8, 17, 64} {
			if n%p == 0 && g.n(0, 1) == 0 {
				dims = append(dims, p)
				n /= p
			}
		}
		if n > 1 || g.n(0, 1) == 0 {
			dims = append(dims, n)
		}
		dims = shuffled(g, dims)
	}
	g.op(stablehlo.Reshape, nil, stablehlo.TensorOf(x.Type.Elem, dims...), x)
}

func (g *gen) slice(x *stablehlo.Value) {
	a := &stablehlo.SliceAttr{}
	var dims []int64
	for _, d := range x.Type.Dims {
		lo := int64(g.n(0, int(min(d, 3))))
		hi := max(lo, d-int64(g.n(0, 2)))
		by := int64(g.n(1, 3))
		a.Start, a.Limit, a.Stride = append(a.Start, lo), append(a.Limit, hi), append(a.Stride, by)
		dims = append(dims, (hi-lo+by-1)/by)
	}
	g.op(stablehlo.Slice, a, stablehlo.TensorOf(x.Type.Elem, dims...), x)
}

func (g *gen) reduce(x *stablehlo.Value) {
	e := x.Type.Elem
	if !plainElem(e) {
		return
	}
	kinds := []stablehlo.Kind{stablehlo.Add, stablehlo.Maximum, stablehlo.Minimum}
	if e == dtype.I1 {
		kinds = []stablehlo.Kind{stablehlo.And, stablehlo.Or}
	} else if e.IsInt() {
		kinds = append(kinds, stablehlo.And, stablehlo.Xor, stablehlo.Multiply)
	}
	k := pick(g, kinds)
	if k == stablehlo.Add && e.IsFloat() {
		x = g.whole(x)
		if e.Bits() == 16 && x.Type.Len() > 128 {
			return // sums would be rounded
		}
	}
	over := g.some(x.Type.Rank())
	var kept []int64
	for d, n := range x.Type.Dims {
		if !slices.Contains(over, int64(d)) {
			kept = append(kept, n)
		}
	}
	one := stablehlo.TensorOf(e)
	init := g.like(one)
	if k == stablehlo.Add {
		init = g.whole(init)
	}
	body := g.region([]stablehlo.Type{one, one}, func(args []*stablehlo.Value) []*stablehlo.Value {
		return []*stablehlo.Value{g.op(k, nil, one, args...)}
	})
	g.add(stablehlo.Reduce, stablehlo.DimsAttr{Dims: over}, []stablehlo.Type{stablehlo.TensorOf(e, kept...)}, []*stablehlo.Block{body}, x, init)
}

func (g *gen) dot(x *stablehlo.Value) {
	t := x.Type
	if !plainElem(t.Elem) || t.Elem == dtype.I1 || t.Rank() == 0 || t.Len() > 4096 {
		return
	}
	a := &stablehlo.DotAttr{}
	var dims, free []int64
	for d, n := range t.Dims {
		switch g.n(0, 2) {
		case 0:
			a.LHSBatch = append(a.LHSBatch, int64(d))
		case 1:
			a.LHSContract = append(a.LHSContract, int64(d))
		default:
			free = append(free, n)
		}
	}
	for _, d := range a.LHSBatch {
		dims = append(dims, t.Dims[d])
	}
	out := append(slices.Clone(dims), free...)
	for _, d := range a.LHSContract {
		dims = append(dims, t.Dims[d])
	}
	extra := int64(g.n(1, 4))
	dims, out = append(dims, extra), append(out, extra)
	// The right side has its dimensions in any order.
	perm := shuffled(g, indices(len(dims)))
	at := func(k int) int64 { return int64(slices.Index(perm, int64(k))) }
	for k := range a.LHSBatch {
		a.RHSBatch = append(a.RHSBatch, at(k))
	}
	for k := range a.LHSContract {
		a.RHSContract = append(a.RHSContract, at(len(a.LHSBatch)+k))
	}
	y := g.like(stablehlo.TensorOf(t.Elem, gather(dims, perm)...))
	if t.Elem.IsFloat() {
		x, y = g.whole(x), g.whole(y)
		n := int64(1)
		for _, d := range a.LHSContract {
			n *= t.Dims[d]
		}
		if t.Elem.Bits() == 16 && n > 32 {
			return
		}
	}
	g.op(stablehlo.DotGeneral, a, stablehlo.TensorOf(t.Elem, out...), x, y)
}

func (g *gen) pad(x *stablehlo.Value) {
	a := &stablehlo.PadAttr{}
	var dims []int64
	total := int64(1)
	for _, d := range x.Type.Dims {
		inner := int64(g.n(0, 2))
		if d > 64 {
			inner = 0
		}
		lo, hi := int64(g.n(-3, 3)), int64(g.n(-3, 3))
		n := d + max(d-1, 0)*inner
		if n+lo+hi < 0 {
			lo, hi = 0, 0
		}
		a.Low, a.High, a.Interior = append(a.Low, lo), append(a.High, hi), append(a.Interior, inner)
		dims = append(dims, n+lo+hi)
		total *= n + lo + hi
	}
	if total <= maxElements {
		g.op(stablehlo.Pad, a, stablehlo.TensorOf(x.Type.Elem, dims...), x, g.like(stablehlo.TensorOf(x.Type.Elem)))
	}
}

func (g *gen) concatenate(x *stablehlo.Value) {
	if x.Type.Rank() == 0 {
		return
	}
	d := g.n(0, x.Type.Rank()-1)
	in := []*stablehlo.Value{x}
	dims := slices.Clone(x.Type.Dims)
	for range g.n(0, 2) {
		next := slices.Clone(x.Type.Dims)
		next[d] = int64(g.n(0, 4))
		y := x
		if g.n(0, 1) == 0 {
			y = g.like(stablehlo.TensorOf(x.Type.Elem, next...))
		}
		in = append(in, y)
		dims[d] += y.Type.Dims[d]
	}
	if t := stablehlo.TensorOf(x.Type.Elem, dims...); t.Len() <= maxElements {
		g.op(stablehlo.Concatenate, stablehlo.DimAttr{Dim: int64(d)}, t, in...)
	}
}

func (g *gen) dynamic(x *stablehlo.Value) {
	t := x.Type
	index := stablehlo.TensorOf(pick(g, []dtype.Type{dtype.I32, dtype.I64, dtype.U8}))
	var dims []int64
	for _, d := range t.Dims {
		dims = append(dims, max(0, d-int64(g.n(0, 3))))
	}
	part := stablehlo.TensorOf(t.Elem, dims...)
	update := g.n(0, 1) == 0
	in := []*stablehlo.Value{x}
	if update {
		in = append(in, g.like(part))
	}
	for range t.Dims {
		in = append(in, g.like(index))
	}
	if update {
		g.op(stablehlo.DynamicUpdateSlice, nil, t, in...)
	} else {
		g.op(stablehlo.DynamicSlice, stablehlo.DimsAttr{Dims: dims}, part, in...)
	}
}

// gather takes rows, or scatters them.
func (g *gen) gather(x *stablehlo.Value) {
	t := x.Type
	if t.Rank() == 0 || t.Len() == 0 || !plainElem(t.Elem) {
		return
	}
	d := int64(g.n(0, t.Rank()-1))
	n := int64(g.n(0, 6))
	idx := g.like(stablehlo.TensorOf(dtype.I32, n, 1))
	side := append([]int64{n}, slices.Delete(slices.Clone(t.Dims), int(d), int(d)+1)...)
	window := indices(t.Rank())[1:]
	if g.n(0, 1) == 0 {
		sizes := slices.Clone(t.Dims)
		sizes[d] = 1
		g.op(stablehlo.Gather, &stablehlo.GatherAttr{
			OffsetDims: window, CollapsedSliceDims: []int64{d}, StartIndexMap: []int64{d}, IndexVectorDim: 1, SliceSizes: sizes,
		}, stablehlo.TensorOf(t.Elem, side...), x, idx)
		return
	}
	updates := g.like(stablehlo.TensorOf(t.Elem, side...))
	one := stablehlo.TensorOf(t.Elem)
	body := g.region([]stablehlo.Type{one, one}, func(args []*stablehlo.Value) []*stablehlo.Value {
		if g.n(0, 1) == 0 {
			return args[1:]
		}
		return []*stablehlo.Value{g.op(stablehlo.Maximum, nil, one, args...)}
	})
	g.add(stablehlo.Scatter, &stablehlo.ScatterAttr{
		UpdateWindowDims: window, InsertedWindowDims: []int64{d}, ScatterDimsToOperandDims: []int64{d}, IndexVectorDim: 1,
	}, []stablehlo.Type{t}, []*stablehlo.Block{body}, x, idx, updates)
}

func (g *gen) sort(x *stablehlo.Value) {
	t := x.Type
	if t.Rank() == 0 || !plainElem(t.Elem) || t.Elem == dtype.I1 {
		return
	}
	in := []*stablehlo.Value{x}
	types := []stablehlo.Type{t}
	if g.n(0, 1) == 0 {
		y := g.like(stablehlo.TensorOf(dtype.I32, t.Dims...))
		in, types = append(in, y), append(types, y.Type)
	}
	var args []stablehlo.Type
	for _, u := range types {
		args = append(args, stablehlo.TensorOf(u.Elem), stablehlo.TensorOf(u.Elem))
	}
	a := stablehlo.CompareAttr{Direction: pick(g, []stablehlo.Direction{stablehlo.LT, stablehlo.GT})}
	if t.Elem.IsFloat() {
		a.Type = stablehlo.CompareTotalOrder
	}
	body := g.region(args, func(args []*stablehlo.Value) []*stablehlo.Value {
		return []*stablehlo.Value{g.op(stablehlo.Compare, a, stablehlo.TensorOf(dtype.I1), args[0], args[1])}
	})
	g.add(stablehlo.Sort, &stablehlo.SortAttr{Dim: int64(g.n(0, t.Rank()-1)), Stable: true}, types, []*stablehlo.Block{body}, in...)
}

// loop draws a while loop of a few turns over some values in scope.
func (g *gen) loop() {
	if g.depth >= 2 {
		return
	}
	counter := stablehlo.TensorOf(dtype.I32)
	in := []*stablehlo.Value{g.scalarConst(dtype.I32, 0)}
	for range g.n(1, 4) {
		in = append(in, pick(g, g.vals))
	}
	var types []stablehlo.Type
	for _, v := range in {
		types = append(types, v.Type)
	}
	turns := g.n(0, 4)
	cond := g.region(types, func(args []*stablehlo.Value) []*stablehlo.Value {
		limit := g.scalarConst(dtype.I32, turns)
		return []*stablehlo.Value{g.op(stablehlo.Compare, stablehlo.CompareAttr{Direction: stablehlo.LT}, stablehlo.TensorOf(dtype.I1), args[0], limit)}
	})
	body := g.region(types, func(args []*stablehlo.Value) []*stablehlo.Value {
		next := g.op(stablehlo.Add, nil, counter, args[0], g.scalarConst(dtype.I32, 1))
		for range g.n(0, 5) {
			g.step()
		}
		return append([]*stablehlo.Value{next}, g.results(types[1:])...)
	})
	g.add(stablehlo.While, nil, types, []*stablehlo.Block{cond, body}, in...)
}

// convolution draws a convolution in any layout over new values of the right shapes.
func (g *gen) convolution() {
	spatial := g.n(0, 2)
	groups := int64(pick(g, []int{1, 1, 1, 2, 3}))
	a := &stablehlo.ConvAttr{FeatureGroupCount: groups, BatchGroupCount: 1}
	channels, filter := int64(g.n(1, 3)), groups*int64(g.n(1, 3))
	if g.chance(3) {
		channels = 16 // enough to convolve in place
	}
	batch := int64(g.n(1, 2))
	in, kern, out := []int64{batch, channels * groups}, []int64{channels, filter}, []int64{batch, filter}
	for range spatial {
		n, k := int64(g.n(1, 7)), int64(g.n(1, 3))
		stride, dilate, spread := int64(g.n(1, 2)), int64(g.n(1, 2)), int64(pick(g, []int{1, 1, 2}))
		pad := [2]int64{int64(g.n(-1, 2)), int64(g.n(-1, 2))}
		window := (k-1)*dilate + 1
		room := (n-1)*spread + 1 + pad[0] + pad[1]
		if room < window {
			pad[1] += window - room
			room = window
		}
		a.WindowStrides, a.LHSDilation, a.RHSDilation = append(a.WindowStrides, stride), append(a.LHSDilation, spread), append(a.RHSDilation, dilate)
		a.Padding, a.WindowReversal = append(a.Padding, pad), append(a.WindowReversal, g.chance(4))
		in, kern, out = append(in, n), append(kern, k), append(out, (room-window)/stride+1)
	}
	// layout draws where dimension i goes: channels last, or anywhere.
	layout := func(dims []int64, last ...int64) (at, laid []int64) {
		order := indices(len(dims))[len(last):]
		order = append(order, last...)
		if len(last) == 1 {
			order = append([]int64{0}, append(indices(len(dims))[2:], 1)...)
		}
		if g.n(0, 1) == 0 {
			order = shuffled(g, order)
		}
		at = make([]int64, len(dims))
		for k, d := range order {
			at[d] = int64(k)
		}
		return at, gather(dims, order)
	}
	ia, in := layout(in, 1)
	ka, kern := layout(kern, 0, 1)
	oa, out := layout(out, 1)
	a.InputBatch, a.InputFeature, a.InputSpatial = ia[0], ia[1], ia[2:]
	a.KernelInputFeature, a.KernelOutputFeature, a.KernelSpatial = ka[0], ka[1], ka[2:]
	a.OutputBatch, a.OutputFeature, a.OutputSpatial = oa[0], oa[1], oa[2:]
	e := pick(g, []dtype.Type{dtype.F32, dtype.F32, dtype.F64})
	x, w := g.whole(g.like(stablehlo.TensorOf(e, in...))), g.whole(g.like(stablehlo.TensorOf(e, kern...)))
	g.op(stablehlo.Convolution, a, stablehlo.TensorOf(e, out...), x, w)
}

// window draws a reduction over windows, often a cumulative one, or the gradient of a pooling.
func (g *gen) window(x *stablehlo.Value, scatter bool) {
	t := x.Type
	e := t.Elem
	if !plainElem(e) || e == dtype.I1 || t.Len() > 5000 || e.IsFloat() && e.Bits() == 16 {
		return
	}
	a := &stablehlo.WindowAttr{}
	var out []int64
	total := int64(1)
	busy := g.n(0, t.Rank()) // dimensions before it are left alone
	for d, n := range t.Dims {
		k, by, spread, dilate, pad := int64(1), int64(1), int64(1), int64(1), [2]int64{}
		if d >= busy {
			k, by = int64(g.n(1, 3)), int64(g.n(1, 2))
			pad = [2]int64{int64(g.n(0, 2)), int64(g.n(0, 2))}
			if !scatter {
				spread, dilate = int64(pick(g, []int{1, 1, 2})), int64(pick(g, []int{1, 1, 2}))
			}
		} else if d == busy-1 && !scatter && n > 1 && n < 100 && g.n(0, 1) == 0 {
			k = n // a cumulative reduction
			pad[g.n(0, 1)] = n - 1
		}
		a.Dims, a.Strides, a.Padding = append(a.Dims, k), append(a.Strides, by), append(a.Padding, pad)
		a.BaseDilations, a.WindowDilations = append(a.BaseDilations, spread), append(a.WindowDilations, dilate)
		m := int64(0)
		if n > 0 {
			m = (n-1)*spread + 1
		}
		room, span := m+pad[0]+pad[1], (k-1)*dilate+1
		if room < span {
			out = append(out, 0)
			total = 0
			continue
		}
		out = append(out, (room-span)/by+1)
		total *= out[d]
	}
	if total > 8000 {
		return
	}
	one := stablehlo.TensorOf(e)
	sum := stablehlo.Add
	if !scatter {
		sum = pick(g, []stablehlo.Kind{stablehlo.Add, stablehlo.Maximum, stablehlo.Minimum})
	}
	init := g.whole(g.like(one))
	if e.IsFloat() {
		x = g.whole(x)
	}
	fold := g.region([]stablehlo.Type{one, one}, func(v []*stablehlo.Value) []*stablehlo.Value {
		return []*stablehlo.Value{g.op(sum, nil, one, v...)}
	})
	if !scatter {
		g.add(stablehlo.ReduceWindow, a, []stablehlo.Type{stablehlo.TensorOf(e, out...)}, []*stablehlo.Block{fold}, x, init)
		return
	}
	source := g.whole(g.like(stablehlo.TensorOf(e, out...)))
	dir := pick(g, []stablehlo.Direction{stablehlo.GE, stablehlo.GT, stablehlo.LE, stablehlo.LT})
	choose := g.region([]stablehlo.Type{one, one}, func(v []*stablehlo.Value) []*stablehlo.Value {
		return []*stablehlo.Value{g.op(stablehlo.Compare, stablehlo.CompareAttr{Direction: dir}, stablehlo.TensorOf(dtype.I1), v...)}
	})
	g.add(stablehlo.SelectAndScatter, a, []stablehlo.Type{t}, []*stablehlo.Block{choose, fold}, x, source, init)
}

// integer draws an operation of integers that the common ones leave out.
func (g *gen) integer(x *stablehlo.Value) {
	t := x.Type
	if !t.Elem.IsInt() || t.Elem.Bits() < 8 {
		return
	}
	switch k := pick(g, []stablehlo.Kind{
		stablehlo.Divide, stablehlo.Remainder, stablehlo.ShiftLeft, stablehlo.ShiftRightLogical, stablehlo.ShiftRightArithmetic,
		stablehlo.Power, stablehlo.Not, stablehlo.PopulationCount, stablehlo.CountLeadingZeros,
	}); k {
	case stablehlo.Not, stablehlo.PopulationCount, stablehlo.CountLeadingZeros:
		g.op(k, nil, t, x)
	default:
		g.op(k, nil, t, x, g.like(t))
	}
}

// argmax draws JAX's argmax or argmin.
func (g *gen) argmax(x *stablehlo.Value) {
	t := x.Type
	e := t.Elem
	if t.Rank() == 0 || e != dtype.F32 && e != dtype.F64 && e != dtype.I32 && e != dtype.I64 {
		return
	}
	x = g.whole(x) // which of equal zeros is the value is not specified
	d := g.n(0, t.Rank()-1)
	it := stablehlo.TensorOf(pick(g, []dtype.Type{dtype.I32, dtype.I64}), t.Dims...)
	at := g.op(stablehlo.Iota, stablehlo.DimAttr{Dim: int64(d)}, it)
	one, iOne, p := stablehlo.TensorOf(e), stablehlo.TensorOf(it.Elem), stablehlo.TensorOf(dtype.I1)
	dir, worst := stablehlo.GT, int64(math.MinInt64)
	if g.n(0, 1) == 0 {
		dir, worst = stablehlo.LT, math.MaxInt64
	}
	bits := uint64(worst >> (64 - e.Bits()))
	if e.IsFloat() {
		bits = dtype.FromFloat64(e, math.Inf(int(worst>>63|1)))
	}
	lit := &stablehlo.Literal{Type: one, Splat: true, Data: binary.LittleEndian.AppendUint64(nil, bits)[:e.Size()]}
	init := g.op(stablehlo.Constant, lit, one)
	zero := g.scalarConst(it.Elem, 0)
	body := g.region([]stablehlo.Type{one, iOne, one, iOne}, func(v []*stablehlo.Value) []*stablehlo.Value {
		is := func(d stablehlo.Direction, a, b *stablehlo.Value) *stablehlo.Value {
			return g.op(stablehlo.Compare, stablehlo.CompareAttr{Direction: d}, p, a, b)
		}
		won := is(dir, v[0], v[2])
		if e.IsFloat() {
			won = g.op(stablehlo.Or, nil, p, won, is(stablehlo.NE, v[0], v[0]))
		}
		tie := g.op(stablehlo.And, nil, p, is(stablehlo.EQ, v[0], v[2]), is(stablehlo.LT, v[1], v[3]))
		first := g.op(stablehlo.Or, nil, p, won, tie)
		return []*stablehlo.Value{g.op(stablehlo.Select, nil, one, won, v[0], v[2]), g.op(stablehlo.Select, nil, iOne, first, v[1], v[3])}
	})
	var kept []int64
	for k, n := range t.Dims {
		if k != d {
			kept = append(kept, n)
		}
	}
	g.add(stablehlo.Reduce, stablehlo.DimsAttr{Dims: []int64{int64(d)}}, []stablehlo.Type{stablehlo.TensorOf(e, kept...), stablehlo.TensorOf(it.Elem, kept...)}, []*stablehlo.Block{body}, x, at, init, zero)
}

// results draws values of the types from what is in scope, or makes new ones of the latest of each type.
func (g *gen) results(types []stablehlo.Type) []*stablehlo.Value {
	var out []*stablehlo.Value
	for _, t := range types {
		v := g.like(t)
		if plainElem(t.Elem) && t.Elem != dtype.I1 && g.n(0, 1) == 0 {
			v = g.op(stablehlo.Add, nil, t, v, g.like(t))
		}
		out = append(out, v)
	}
	return out
}

func (g *gen) branch() {
	if g.depth >= 2 {
		return
	}
	var types []stablehlo.Type
	for range g.n(1, 3) {
		types = append(types, pick(g, g.vals).Type)
	}
	kind, pred, n := stablehlo.If, stablehlo.TensorOf(dtype.I1), 2
	if g.n(0, 1) == 0 {
		kind, pred, n = stablehlo.Case, stablehlo.TensorOf(dtype.I32), g.n(1, 3)
	}
	at := g.like(pred)
	var regions []*stablehlo.Block
	for range n {
		regions = append(regions, g.region(nil, func([]*stablehlo.Value) []*stablehlo.Value {
			for range g.n(0, 3) {
				g.step()
			}
			return g.results(types)
		}))
	}
	g.add(kind, nil, types, regions, at)
}
