package plan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// long is a program of n operations, each of the last one's result.
func long(n int, t stablehlo.Type, kinds ...stablehlo.Kind) *stablehlo.Module {
	g := &gen{fn: &stablehlo.Func{Name: "main", Results: []stablehlo.Type{t}}, block: &stablehlo.Block{}}
	g.fn.Body = g.block
	x := &stablehlo.Value{Type: t}
	g.block.Args = []*stablehlo.Value{x}
	v := x
	for i := range n {
		switch k := kinds[i%len(kinds)]; k {
		case stablehlo.Transpose:
			v = g.op(k, stablehlo.DimsAttr{Dims: []int64{1, 0}}, t, v)
		case stablehlo.Reverse:
			v = g.op(k, stablehlo.DimsAttr{Dims: []int64{0}}, t, v)
		case stablehlo.Negate:
			v = g.op(k, nil, t, v)
		case stablehlo.DotGeneral:
			v = g.op(k, &stablehlo.DotAttr{LHSContract: []int64{1}, RHSContract: []int64{0}}, t, v, x)
		default:
			v = g.op(k, nil, t, v, x)
		}
	}
	g.add(stablehlo.Return, nil, nil, nil, v)
	return &stablehlo.Module{Funcs: []*stablehlo.Func{g.fn}}
}

// A program of a hundred thousand operations, in one chain, of each kind of step, is planned and run.
func TestLongPrograms(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n /= 10
	}
	square := stablehlo.TensorOf(dtype.F32, 2, 2)
	for name, kinds := range map[string][]stablehlo.Kind{
		"elementwise": {stablehlo.Add, stablehlo.Multiply},
		"unary":       {stablehlo.Negate},
		"views":       {stablehlo.Reverse, stablehlo.Transpose},
		"steps":       {stablehlo.DotGeneral, stablehlo.Reverse},
		"mixed":       {stablehlo.Add, stablehlo.Transpose, stablehlo.DotGeneral, stablehlo.Negate},
	} {
		t.Run(name, func(t *testing.T) {
			m := long(n, square, kinds...)
			p, err := plan.Compile(t.Context(), m, m.Main(), plan.Options{})
			if err != nil {
				t.Fatal(err)
			}
			in := make([]byte, 16)
			if _, err := p.Run(t.Context(), []plan.Arg{{Data: aligned(in)}}, nil); err != nil {
				t.Fatal(err)
			}
			if s := p.Stats(); s.Arena > 1<<20 {
				t.Errorf("%d bytes of temporary memory for a chain of 16-byte values", s.Arena)
			}
		})
	}
}

// Tens of thousands of values that are alive at one time are planned and run.
func TestWideProgram(t *testing.T) {
	const n = 30_000
	one, all := stablehlo.TensorOf(dtype.F32, 1, 2), stablehlo.TensorOf(dtype.F32, n, 2)
	square := stablehlo.TensorOf(dtype.F32, 2, 2)
	g := &gen{fn: &stablehlo.Func{Name: "main", Results: []stablehlo.Type{all}}, block: &stablehlo.Block{}}
	g.fn.Body = g.block
	x, w := &stablehlo.Value{Type: one}, &stablehlo.Value{Type: square, Index: 1}
	g.block.Args = []*stablehlo.Value{x, w}
	parts := make([]*stablehlo.Value, n)
	v := x
	for i := range parts {
		v = g.op(stablehlo.DotGeneral, &stablehlo.DotAttr{LHSContract: []int64{1}, RHSContract: []int64{0}}, one, v, w)
		parts[i] = v
	}
	g.add(stablehlo.Return, nil, nil, nil, g.op(stablehlo.Concatenate, stablehlo.DimAttr{}, all, parts...))
	m := &stablehlo.Module{Funcs: []*stablehlo.Func{g.fn}}
	p, err := plan.Compile(t.Context(), m, m.Main(), plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	identity := aligned([]byte{0, 0, 128, 63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 63})
	got, err := p.Run(t.Context(), []plan.Arg{{Data: aligned([]byte{1, 2, 3, 4, 5, 6, 7, 8})}, {Data: identity}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("\x01\x02\x03\x04\x05\x06\x07\x08", n); string(got[0]) != want {
		t.Errorf("rows differ: first %x, last %x", got[0][:8], got[0][len(got[0])-8:])
	}
}

// Regions nested deeper than the limit are refused with an error, not by the end of the stack.
func TestDeepNesting(t *testing.T) {
	var b strings.Builder
	b.WriteString("func.func @main(%p: tensor<i1>, %x: tensor<f32>) -> tensor<f32> {\n")
	const depth = 400
	for i := range depth {
		fmt.Fprintf(&b, "%%r%d = \"stablehlo.if\"(%%p) ({\n", i)
	}
	b.WriteString("stablehlo.return %x : tensor<f32>\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "}, { stablehlo.return %%x : tensor<f32> }) : (tensor<i1>) -> tensor<f32>\n")
		if i > 0 {
			fmt.Fprintf(&b, "stablehlo.return %%r%d : tensor<f32>\n", i)
		}
	}
	b.WriteString("return %r0 : tensor<f32>\n}\n")
	m, err := stablehlo.Parse([]byte(b.String()), stablehlo.Options{})
	if err != nil {
		t.Skip("the reader refuses such depth:", err)
	}
	p, err := plan.Compile(t.Context(), m, m.Main(), plan.Options{})
	if errors.Is(err, plan.ErrUnsupported) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	x := aligned([]byte{0, 0, 128, 63})
	got, err := p.Run(t.Context(), []plan.Arg{{Data: aligned([]byte{1})}, {Data: x}}, nil)
	if err != nil || string(got[0]) != string(x) {
		t.Fatalf("got %x, %v, want %x", got, err, x)
	}
}

// expiring is a context that is done after it has been asked a number of times.
type expiring struct {
	context.Context
	left int
}

func (e *expiring) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestCompileStopsWhenCancelled(t *testing.T) {
	m := long(10_000, stablehlo.TensorOf(dtype.F32, 2, 2), stablehlo.DotGeneral, stablehlo.Reverse)
	for _, left := range []int{0, 1, 5, 12, 20} {
		p, err := plan.Compile(&expiring{t.Context(), left}, m, m.Main(), plan.Options{})
		if !errors.Is(err, context.Canceled) || p != nil {
			t.Fatalf("asked %d times: program %v, error %v, want context.Canceled", left, p, err)
		}
	}
}

const endless = `
func.func @main(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0:2 = stablehlo.while(%a = %x, %b = %x) : tensor<64x64xf32>, tensor<64x64xf32>
  cond {
    %t = stablehlo.slice %a [0:1, 0:1] : (tensor<64x64xf32>) -> tensor<1x1xf32>
    %u = stablehlo.reshape %t : (tensor<1x1xf32>) -> tensor<f32>
    %v = stablehlo.compare EQ, %u, %u : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %v : tensor<i1>
  } do {
    %c = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
    stablehlo.return %c, %b : tensor<64x64xf32>, tensor<64x64xf32>
  }
  return %0#0 : tensor<64x64xf32>
}`

const bigProduct = `
func.func @main(%x: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> {
  %a = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %b = stablehlo.dot_general %a, %x, contracting_dims = [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  %c = stablehlo.dot_general %b, %x, contracting_dims = [1] x [0] : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %c : tensor<4096x4096xf32>
}`

// A run that is cancelled ends with the context's error and keeps no memory and no goroutine.
func TestRunStopsWhenCancelled(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for name, src := range map[string]string{"endless loop": endless, "large products": bigProduct} {
		t.Run(name, func(t *testing.T) {
			p := compile(t, []byte(src), plan.Options{Workers: pool})
			data := aligned(make([]byte, p.Args()[0].Size()))
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			var mem lender
			got, err := p.Run(ctx, []plan.Arg{{Data: data}}, &mem)
			if !errors.Is(err, context.DeadlineExceeded) || got != nil {
				t.Fatalf("results %d, error %v, want context.DeadlineExceeded", len(got), err)
			}
			if len(mem.lent) > 0 {
				t.Errorf("%d blocks of memory were kept", len(mem.lent))
			}
			for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() { // the context's timer has one too
				if time.Now().After(end) {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// Whichever request for memory is refused, the run fails with that error and gives back what it had.
func TestRunWithoutMemory(t *testing.T) {
	src := `
func.func @main(%x: tensor<64xf32>) -> (tensor<64xf32>, tensor<f32>, tensor<64xf32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %a = stablehlo.sine %x : tensor<64xf32>
  %r = stablehlo.reverse %a, dims = [0] : tensor<64xf32>
  %b = stablehlo.concatenate %r, dim = 0 : (tensor<64xf32>) -> tensor<64xf32>
  return %a, %z, %b : tensor<64xf32>, tensor<f32>, tensor<64xf32>
}`
	p := compile(t, []byte(src), plan.Options{})
	for fail := 1; ; fail++ {
		mem := lender{fail: fail}
		_, err := p.Run(t.Context(), []plan.Arg{{Data: aligned(make([]byte, 256))}}, &mem)
		if err == nil {
			if fail < 4 {
				t.Errorf("the run asked for memory %d times, want 4: temporary memory and three results", fail-1)
			}
			return
		}
		if !errors.Is(err, errNone) || len(mem.lent) > 0 {
			t.Fatalf("request %d refused: error %v, %d blocks kept", fail, err, len(mem.lent))
		}
	}
}
