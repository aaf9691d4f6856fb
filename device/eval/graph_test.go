package eval_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// graph builds a small function by hand.
type graph struct {
	fn   *stablehlo.Func
	opts eval.Options
}

func newGraph() *graph {
	return &graph{fn: &stablehlo.Func{Name: "main", Body: &stablehlo.Block{}}}
}

func (g *graph) arg(t stablehlo.Type) *stablehlo.Value {
	v := &stablehlo.Value{Type: t, Index: len(g.fn.Body.Args)}
	g.fn.Body.Args = append(g.fn.Body.Args, v)
	return v
}

func (g *graph) op(
	k stablehlo.Kind, attr stablehlo.Attr, in []*stablehlo.Value, results ...stablehlo.Type,
) []*stablehlo.Value {
	return addOp(g.fn.Body, k, attr, in, nil, results...)
}

func addOp(
	b *stablehlo.Block, k stablehlo.Kind, attr stablehlo.Attr, in []*stablehlo.Value, regions []*stablehlo.Block,
	results ...stablehlo.Type,
) []*stablehlo.Value {
	op := &stablehlo.Op{Kind: k, Attr: attr, Operands: in, Regions: regions}
	for i, t := range results {
		op.Results = append(op.Results, &stablehlo.Value{Type: t, Def: op, Index: i})
	}
	b.Ops = append(b.Ops, op)
	return op.Results
}

// finish ends the function with a return of out.
func (g *graph) finish(out []*stablehlo.Value) *stablehlo.Module {
	addOp(g.fn.Body, stablehlo.Return, nil, out, nil)
	for _, v := range out {
		g.fn.Results = append(g.fn.Results, v.Type)
	}
	return &stablehlo.Module{Funcs: []*stablehlo.Func{g.fn}}
}

func (g *graph) try(ctx context.Context, out []*stablehlo.Value, args ...eval.Value) ([]eval.Value, error) {
	m := g.finish(out)
	return eval.Run(ctx, m, g.fn, args, g.opts)
}

func (g *graph) run(t *testing.T, out []*stablehlo.Value, args ...eval.Value) []*eval.Tensor {
	t.Helper()
	values, err := g.try(t.Context(), out, args...)
	if err != nil {
		t.Fatal(err)
	}
	ts := make([]*eval.Tensor, len(values))
	for i, v := range values {
		var ok bool
		if ts[i], ok = v.(*eval.Tensor); !ok {
			t.Fatalf("result %d is %T, want a tensor", i, v)
		}
	}
	return ts
}

// tensor encodes a slice of fixed-size values.
func tensor(elem dtype.Type, dims []int64, values any) *eval.Tensor {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, values); err != nil {
		panic(err)
	}
	return &eval.Tensor{Type: stablehlo.TensorOf(elem, dims...), Data: b.Bytes()}
}

// floats decodes a tensor of floats.
func floats(t *eval.Tensor) []float64 {
	size := t.Type.Elem.Size()
	v := make([]float64, t.Len())
	for i := range v {
		var b [8]byte
		copy(b[:], t.Data[i*size:(i+1)*size])
		v[i] = dtype.ToFloat64(t.Type.Elem, binary.LittleEndian.Uint64(b[:]))
	}
	return v
}

// program runs main of a program in text, with args.
func program(t *testing.T, src string, opts eval.Options, args ...eval.Value) ([]eval.Value, error) {
	t.Helper()
	m, err := stablehlo.Parse([]byte(src), stablehlo.Options{TestOps: true})
	if err != nil {
		t.Fatal(err)
	}
	return eval.Run(t.Context(), m, m.Main(), args, opts)
}

// show prints values as type and elements, for comparison with what a test wants.
func show(values []eval.Value) string {
	var b bytes.Buffer
	for i, v := range values {
		if i > 0 {
			b.WriteString("; ")
		}
		switch v := v.(type) {
		case eval.Token:
			b.WriteString("token")
		case eval.Tuple:
			fmt.Fprintf(&b, "(%s)", show(v))
		case *eval.Tensor:
			fmt.Fprintf(&b, "%v %s", v.Type, elements(v))
		}
	}
	return b.String()
}

func elements(t *eval.Tensor) string {
	elem := t.Type.Elem
	if elem.IsFloat() {
		return fmt.Sprint(floats(t))
	}
	if elem.IsComplex() {
		half := &eval.Tensor{Type: stablehlo.TensorOf(elem.Real(), int64(2*t.Len())), Data: t.Data}
		v := floats(half)
		c := make([]complex128, t.Len())
		for i := range c {
			c[i] = complex(v[2*i], v[2*i+1])
		}
		return fmt.Sprint(c)
	}
	size := elem.Size()
	if elem.Kind() == dtype.Signed {
		v := make([]int64, t.Len())
		for i := range v {
			var b [8]byte
			copy(b[:], t.Data[i*size:])
			v[i] = int64(binary.LittleEndian.Uint64(b[:])<<(64-8*size)) >> (64 - 8*size)
		}
		return fmt.Sprint(v)
	}
	v := make([]uint64, t.Len())
	for i := range v {
		var b [8]byte
		copy(b[:size], t.Data[i*size:])
		v[i] = binary.LittleEndian.Uint64(b[:])
	}
	return fmt.Sprint(v)
}
