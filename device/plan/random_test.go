package plan_test

import (
	"fmt"
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
	switch g.n(0, 30) {
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
	case 28:
		g.window(x, false)
	case 29:
		g.window(x, true)
	case 30:
		g.integer(x)
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
