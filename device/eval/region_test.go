package eval_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// A random expression gives the same bits on whole tensors, in the region of a map, where it is compiled for many
// scalars at once, and in a region that a branch around it keeps from being compiled.
func TestRegionEqualsTensors(t *testing.T) {
	binary := []stablehlo.Kind{
		stablehlo.Add, stablehlo.Subtract, stablehlo.Multiply, stablehlo.Divide, stablehlo.Maximum, stablehlo.Minimum,
		stablehlo.Remainder, stablehlo.Power,
	}
	unary := []stablehlo.Kind{stablehlo.Negate, stablehlo.Abs, stablehlo.Sign}
	rapid.Check(t, func(rt *rapid.T) {
		elem := rapid.SampledFrom([]dtype.Type{
			dtype.F32, dtype.F64, dtype.BF16, dtype.F16, dtype.F8E4M3FN, dtype.I4, dtype.I8, dtype.I32, dtype.I64,
		}).Draw(rt, "type")
		n := rapid.IntRange(1, 40).Draw(rt, "elements")
		type node struct {
			kind stablehlo.Kind
			a, b int
		}
		nodes := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) node {
			kind := rapid.SampledFrom(append(unary, binary...)).Draw(rt, "kind")
			return node{kind, rapid.IntRange(0, 99).Draw(rt, "a"), rapid.IntRange(0, 99).Draw(rt, "b")}
		}), 1, 12).Draw(rt, "nodes")
		data := func(name string) *eval.Tensor {
			size := elem.Size()
			raw := rapid.SliceOfN(rapid.Byte(), n*size, n*size).Draw(rt, name)
			if elem == dtype.I4 {
				for i, b := range raw {
					raw[i] = byte(int8(b<<4) >> 4)
				}
			}
			return &eval.Tensor{Type: stablehlo.TensorOf(elem, int64(n)), Data: raw}
		}
		x, y := data("x"), data("y")
		// grow adds the expression to b, over values of type typ, and returns its result.
		grow := func(b *stablehlo.Block, typ stablehlo.Type, values []*stablehlo.Value) *stablehlo.Value {
			for _, e := range nodes {
				in := []*stablehlo.Value{values[e.a%len(values)]}
				for _, k := range binary {
					if k == e.kind {
						in = append(in, values[e.b%len(values)])
					}
				}
				values = append(values, addOp(b, e.kind, nil, in, nil, typ)...)
			}
			return values[len(values)-1]
		}
		run := func(g *graph, out []*stablehlo.Value) []byte {
			got, err := g.try(t.Context(), out, x, y)
			if err != nil {
				rt.Fatal(err)
			}
			return got[0].(*eval.Tensor).Data
		}
		whole := newGraph()
		in := []*stablehlo.Value{whole.arg(x.Type), whole.arg(y.Type)}
		want := run(whole, []*stablehlo.Value{grow(whole.fn.Body, x.Type, in)})
		scalar := stablehlo.TensorOf(elem)
		for _, branch := range []bool{false, true} {
			g := newGraph()
			in := []*stablehlo.Value{g.arg(x.Type), g.arg(y.Type)}
			body := &stablehlo.Block{Args: []*stablehlo.Value{{Type: scalar}, {Type: scalar, Index: 1}}}
			var result *stablehlo.Value
			if branch {
				yes := addOp(body, stablehlo.Constant,
					&stablehlo.Literal{Type: stablehlo.TensorOf(dtype.I1), Data: []byte{1}}, nil, nil, stablehlo.TensorOf(dtype.I1))
				inner, other := &stablehlo.Block{}, &stablehlo.Block{}
				addOp(inner, stablehlo.Return, nil, []*stablehlo.Value{grow(inner, scalar, body.Args)}, nil)
				addOp(other, stablehlo.Return, nil, body.Args[:1], nil)
				result = addOp(body, stablehlo.If, nil, yes, []*stablehlo.Block{inner, other}, scalar)[0]
			} else {
				result = grow(body, scalar, body.Args)
			}
			addOp(body, stablehlo.Return, nil, []*stablehlo.Value{result}, nil)
			out := addOp(g.fn.Body, stablehlo.Map, stablehlo.DimsAttr{Dims: []int64{0}}, in, []*stablehlo.Block{body}, x.Type)
			if got := run(g, out); !bytes.Equal(got, want) {
				rt.Fatalf("branch %v: region gives %x, tensors %x", branch, got, want)
			}
		}
	})
}
