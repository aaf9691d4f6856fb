package plan_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// gen draws a random program. What it draws is exact: integers, and floats through operations that round once, so
// that two executors must agree to the bit. Sums and products of floats are drawn over small whole numbers. Draws are
// uniform from a seed: rapid draws the seed and the number of steps, as its own numbers are mostly small ones.
type gen struct {
	rand  *rand.Rand
	fn    *stablehlo.Func
	block *stablehlo.Block
	vals  []*stablehlo.Value // in scope
	depth int
}

var (
	elems = []dtype.Type{
		dtype.F32, dtype.F32, dtype.F32, dtype.I32, dtype.I32, dtype.I1, dtype.F64, dtype.BF16, dtype.F16, dtype.I8,
		dtype.I16, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64, dtype.C64, dtype.F8E4M3FN, dtype.I4,
	}
	sizes = []int64{1, 2, 3, 2, 3, 4, 5, 7, 8, 17, 33, 64, 0, 1, 1025, 2050}
)

const maxElements = 40000

func pick[T any](g *gen, list []T) T { return list[g.rand.IntN(len(list))] }

func shuffled[T any](g *gen, list []T) []T {
	list = slices.Clone(list)
	g.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (g *gen) n(lo, hi int) int  { return lo + g.rand.IntN(hi-lo+1) }
func (g *gen) chance(k int) bool { return g.n(0, k-1) == k-1 }

func (g *gen) dims() []int64 {
	dims := []int64{}
	total := int64(1)
	for range g.n(0, 4) {
		d := pick(g, sizes)
		if total*max(d, 1) > maxElements/4 {
			d = 2
		}
		total *= max(d, 1)
		dims = append(dims, d)
	}
	return dims
}

func (g *gen) op(k stablehlo.Kind, attr stablehlo.Attr, t stablehlo.Type, in ...*stablehlo.Value) *stablehlo.Value {
	return g.add(k, attr, []stablehlo.Type{t}, nil, in...)[0]
}

func (g *gen) add(k stablehlo.Kind, attr stablehlo.Attr, types []stablehlo.Type, regions []*stablehlo.Block, in ...*stablehlo.Value) []*stablehlo.Value {
	op := &stablehlo.Op{Kind: k, Attr: attr, Operands: in, Regions: regions}
	for i, t := range types {
		op.Results = append(op.Results, &stablehlo.Value{Type: t, Def: op, Index: i})
	}
	g.block.Ops = append(g.block.Ops, op)
	g.vals = append(g.vals, op.Results...)
	return op.Results
}

// region draws operations in a block of its own; finish makes its results.
func (g *gen) region(args []stablehlo.Type, finish func(args []*stablehlo.Value) []*stablehlo.Value) *stablehlo.Block {
	block, vals := g.block, g.vals
	g.block, g.vals = &stablehlo.Block{}, slices.Clone(vals)
	for i, t := range args {
		g.block.Args = append(g.block.Args, &stablehlo.Value{Type: t, Index: i})
	}
	g.vals = append(g.vals, g.block.Args...)
	g.depth++
	out := finish(g.block.Args)
	g.depth--
	g.add(stablehlo.Return, nil, nil, nil, out...)
	made := g.block
	g.block, g.vals = block, vals
	return made
}

// constant draws a constant, often a splat.
func (g *gen) constant(t stablehlo.Type) *stablehlo.Value {
	lit := &stablehlo.Literal{Type: t, Splat: t.Len() > 64 || g.n(0, 1) == 0}
	one := stablehlo.TensorOf(t.Elem)
	if lit.Splat {
		lit.Data = g.data(one)
	} else {
		lit.Data = g.data(t)
	}
	return g.op(stablehlo.Constant, lit, t)
}

// small is a whole number of an element type.
func small(e dtype.Type, x int) []byte {
	size := e.Size()
	b := make([]byte, size)
	bits := uint64(x)
	switch {
	case e.IsComplex():
		part := small(e.Real(), x)
		return append(part, small(e.Real(), 1)...)
	case e.IsFloat():
		bits = dtype.FromFloat64(e, float64(x))
	case e == dtype.I1:
		bits = uint64(x) & 1
	}
	for i := range b {
		b[i] = byte(bits >> (8 * i))
	}
	return b
}

// data is elements of a type: a pattern from one drawn number, so that drawing and shrinking stay cheap.
func (g *gen) data(t stablehlo.Type) []byte {
	seed := uint32(g.n(0, 1000))
	low, span := -3, 7
	if t.Elem.Kind() == dtype.Unsigned {
		low = 0
	}
	out := make([]byte, 0, t.Size())
	for range t.Len() {
		seed = seed*1664525 + 1013904223
		out = append(out, small(t.Elem, low+int(seed>>16)%span)...)
	}
	return out
}

func (g *gen) scalarConst(e dtype.Type, x int) *stablehlo.Value {
	t := stablehlo.TensorOf(e)
	return g.op(stablehlo.Constant, &stablehlo.Literal{Type: t, Data: small(e, x), Splat: true}, t)
}

// like finds or makes a value of a type.
func (g *gen) like(t stablehlo.Type) *stablehlo.Value {
	var same, shape []*stablehlo.Value
	for _, v := range g.vals {
		if v.Type.Equal(t) {
			same = append(same, v)
		} else if slices.Equal(v.Type.Dims, t.Dims) && convertible(v.Type.Elem, t.Elem) {
			shape = append(shape, v)
		}
	}
	if len(same) > 0 && !g.chance(4) {
		return pick(g, same)
	}
	if len(shape) > 0 && g.n(0, 1) == 0 {
		return g.op(stablehlo.Convert, nil, t, pick(g, shape))
	}
	if g.n(0, 1) == 0 && t.Elem.Bits() >= 8 && !t.Elem.IsComplex() && len(t.Dims) > 0 {
		d := g.n(0, len(t.Dims)-1)
		if (t.Dims[d] < 100 || t.Elem.Bits() >= 32) && t.Elem != dtype.F8E4M3FN {
			return g.op(stablehlo.Iota, stablehlo.DimAttr{Dim: int64(d)}, t)
		}
	}
	return g.constant(t)
}

// convertible says whether a conversion gives the same everywhere: from a float it may only be to a float that holds
// it, as what is out of range is not specified.
func convertible(from, to dtype.Type) bool {
	switch {
	case from.IsComplex() || to.IsComplex():
		return from == to
	case from.IsFloat():
		return to == dtype.I1 || to.IsFloat() && to.Bits() >= from.Bits() && from.Bits() >= 16
	case to.IsFloat():
		return to == dtype.F64 || from.Bits() <= 8 && to.Bits() >= 32
	}
	return true
}

// whole rounds floats to whole numbers from -2 to 2, over which sums are exact; of the zeros to the positive one, as
// the sign of a sum of negative zeros depends on where a sum starts.
func (g *gen) whole(v *stablehlo.Value) *stablehlo.Value {
	e := v.Type.Elem
	if !e.IsFloat() {
		return v
	}
	v = g.op(stablehlo.RoundNearestEven, nil, v.Type, v)
	v = g.op(stablehlo.Clamp, nil, v.Type, g.scalarConst(e, -2), v, g.scalarConst(e, 2))
	zero := g.op(stablehlo.Constant, &stablehlo.Literal{Type: v.Type, Data: small(e, 0), Splat: true}, v.Type)
	return g.op(stablehlo.Add, nil, v.Type, v, zero)
}

func plainElem(e dtype.Type) bool { return !e.IsComplex() && e.Bits() != 4 && e != dtype.F8E4M3FN }

func (g *gen) step() {
	x := pick(g, g.vals)
	if n := len(g.vals); g.n(0, 1) == 0 {
		x = g.vals[n-1-g.n(0, min(3, n-1))] // chains grow from the latest
	}
	t := x.Type
	e := t.Elem
	numeric := plainElem(e)
	switch g.n(0, 27) {
	case 0, 1, 2, 3:
		if e == dtype.F8E4M3FN {
			return
		}
		kinds := []stablehlo.Kind{stablehlo.Add, stablehlo.Subtract, stablehlo.Multiply, stablehlo.Maximum, stablehlo.Minimum}
		if !numeric {
			kinds = kinds[:2]
		}
		if e.IsInt() || e == dtype.I1 {
			kinds = append(kinds, stablehlo.And, stablehlo.Or, stablehlo.Xor)
		}
		if e == dtype.I1 {
			kinds = slices.DeleteFunc(kinds, func(k stablehlo.Kind) bool { return k == stablehlo.Subtract })
		}
		in := []*stablehlo.Value{x, g.like(t)}
		if g.n(0, 1) == 0 {
			in[0], in[1] = in[1], in[0]
		}
		g.op(pick(g, kinds), nil, t, in...)
	case 4, 5:
		if numeric && e != dtype.I1 && e.Kind() != dtype.Unsigned {
			g.op(pick(g, []stablehlo.Kind{stablehlo.Negate, stablehlo.Abs, stablehlo.Sign}), nil, t, x)
		} else if e == dtype.I1 {
			g.op(stablehlo.Not, nil, t, x)
		}
	case 6:
		if numeric {
			typ := stablehlo.NoCompareType
			if e.IsFloat() && g.n(0, 1) == 0 {
				typ = stablehlo.CompareTotalOrder
			}
			d := pick(g, []stablehlo.Direction{stablehlo.EQ, stablehlo.NE, stablehlo.LT, stablehlo.GE, stablehlo.GT, stablehlo.LE})
			g.op(stablehlo.Compare, stablehlo.CompareAttr{Direction: d, Type: typ}, stablehlo.TensorOf(dtype.I1, t.Dims...), x, g.like(t))
		}
	case 7:
		pt := stablehlo.TensorOf(dtype.I1, t.Dims...)
		if g.n(0, 1) == 0 {
			pt = stablehlo.TensorOf(dtype.I1)
		}
		g.op(stablehlo.Select, nil, t, g.like(pt), x, g.like(t))
	case 8:
		if numeric && e != dtype.I1 {
			bound := t
			if g.n(0, 1) == 0 {
				bound = stablehlo.TensorOf(e)
			}
			g.op(stablehlo.Clamp, nil, t, g.like(bound), x, g.like(bound))
		}
	case 9:
		to := pick(g, elems)
		if convertible(e, to) {
			g.op(stablehlo.Convert, nil, stablehlo.TensorOf(to, t.Dims...), x)
		}
	case 10, 11:
		g.broadcast(x)
	case 12:
		g.reshape(x)
	case 13:
		perm := shuffled(g, indices(t.Rank()))
		g.op(stablehlo.Transpose, stablehlo.DimsAttr{Dims: perm}, stablehlo.TensorOf(e, gather(t.Dims, perm)...), x)
	case 14:
		g.slice(x)
	case 15:
		g.op(stablehlo.Reverse, stablehlo.DimsAttr{Dims: g.some(t.Rank())}, t, x)
	case 16, 17:
		g.reduce(x)
	case 18:
		g.dot(x)
	case 19:
		g.pad(x)
	case 20:
		g.concatenate(x)
	case 21:
		g.dynamic(x)
	case 22:
		g.gather(x)
	case 23:
		g.sort(x)
	case 24:
		g.loop()
	case 25:
		g.branch()
	case 26:
		g.convolution()
	case 27:
		g.argmax(x)
	}
}

func indices(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

func gather(dims, at []int64) []int64 {
	out := make([]int64, len(at))
	for i, d := range at {
		out[i] = dims[d]
	}
	return out
}

// some draws a subset of the dimensions, in order.
func (g *gen) some(rank int) []int64 {
	out := []int64{}
	for d := range rank {
		if g.n(0, 1) == 0 {
			out = append(out, int64(d))
		}
	}
	return out
}

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

// argmax draws JAX's argmax or argmin.
func (g *gen) argmax(x *stablehlo.Value) {
	t := x.Type
	e := t.Elem
	if t.Rank() == 0 || e != dtype.F32 && e != dtype.F64 && e != dtype.I32 && e != dtype.I64 {
		return
	}
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

// donors are argument attributes that the parser has read: the ways to say that an argument is given up.
func donors(t *testing.T, results int) (donor []stablehlo.Extra, alias [][]stablehlo.Extra) {
	t.Helper()
	read := func(attr string) []stablehlo.Extra {
		m, err := stablehlo.Parse(fmt.Appendf(nil, "func.func @main(%%a: tensor<f32> {%s}) -> tensor<f32> { return %%a : tensor<f32> }", attr), stablehlo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Main().ArgAttrs[0]
	}
	for k := range results {
		alias = append(alias, read(fmt.Sprintf("tf.aliasing_output = %d : i32", k)))
	}
	return read("jax.buffer_donor = true"), alias
}

// program draws a whole program and its arguments.
func program(rt *rapid.T, donor []stablehlo.Extra, alias [][]stablehlo.Extra) (*stablehlo.Module, [][]byte) {
	seed := rapid.Uint64().Draw(rt, "seed")
	steps := rapid.IntRange(1, 40).Draw(rt, "steps")
	g := &gen{rand: rand.New(rand.NewPCG(seed, 0)), fn: &stablehlo.Func{Name: "main"}, block: &stablehlo.Block{}}
	g.fn.Body = g.block
	var args [][]byte
	for i := range g.n(1, 4) {
		t := stablehlo.TensorOf(pick(g, elems), g.dims()...)
		if i > 0 && g.n(0, 1) == 0 {
			t = g.vals[0].Type
		}
		v := &stablehlo.Value{Type: t, Index: i}
		g.block.Args = append(g.block.Args, v)
		g.vals = append(g.vals, v)
		args = append(args, g.data(t))
	}
	for range steps {
		g.step()
	}
	var out []*stablehlo.Value
	for range g.n(1, 8) {
		if g.n(0, 1) == 0 {
			out = append(out, pick(g, g.vals))
		} else {
			out = append(out, g.vals[len(g.vals)-1-g.n(0, min(5, len(g.vals)-1))])
		}
	}
	for _, v := range out {
		g.fn.Results = append(g.fn.Results, v.Type)
	}
	taken := map[int]bool{}
	for i := range g.block.Args {
		var attr []stablehlo.Extra
		switch g.n(0, 2) {
		case 0:
			attr = donor
		case 1:
			k := g.n(0, len(out)-1)
			if !taken[k] && out[k].Type.Equal(g.block.Args[i].Type) {
				taken[k] = true
				attr = alias[k]
			}
		}
		g.fn.ArgAttrs = append(g.fn.ArgAttrs, attr)
	}
	g.add(stablehlo.Return, nil, nil, nil, out...)
	return &stablehlo.Module{Funcs: []*stablehlo.Func{g.fn}}, args
}
