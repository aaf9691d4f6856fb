package eval_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const forever = `
func.func @main() -> tensor<i32> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = stablehlo.while(%a = %z) : tensor<i32>
  cond {
    %t = stablehlo.constant dense<true> : tensor<i1>
    stablehlo.return %t : tensor<i1>
  } do {
    %o = stablehlo.constant dense<1> : tensor<i32>
    %x = stablehlo.add %a, %o : tensor<i32>
    stablehlo.return %x : tensor<i32>
  }
  func.return %r : tensor<i32>
}`

func parse(t *testing.T, src string) *stablehlo.Module {
	t.Helper()
	m, err := stablehlo.Parse([]byte(src), stablehlo.Options{TestOps: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCancelLoop(t *testing.T) {
	m := parse(t, forever)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := eval.Run(ctx, m, m.Main(), nil, eval.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an endless loop ended with %v, want the context's error", err)
	}
}

// A single long operation stops too.
func TestCancelOperation(t *testing.T) {
	m := parse(t, `
func.func @main(%a: tensor<1500x1500xf32>) -> tensor<1500x1500xf32> {
  %r = stablehlo.dot_general %a, %a, contracting_dims = [1] x [0] : (tensor<1500x1500xf32>, tensor<1500x1500xf32>) -> tensor<1500x1500xf32>
  func.return %r : tensor<1500x1500xf32>
}`)
	a, err := eval.NewTensor(dtype.F32, 1500, 1500)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := eval.Run(ctx, m, m.Main(), []eval.Value{a}, eval.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a long product ended with %v, want the context's error", err)
	}
}

// Values that nothing uses any more do not count: a chain of any length needs three tensors at once.
func TestMemoryLimit(t *testing.T) {
	var b strings.Builder
	b.WriteString("func.func @main(%v0: tensor<1000xf32>) -> tensor<1000xf32> {\n")
	last := "%v0"
	for i := range 50 {
		name := "%w" + strings.Repeat("x", i)
		b.WriteString(name + " = stablehlo.add " + last + ", " + last + " : tensor<1000xf32>\n")
		last = name
	}
	b.WriteString("func.return " + last + " : tensor<1000xf32>\n}")
	m := parse(t, b.String())
	a, err := eval.NewTensor(dtype.F32, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eval.Run(t.Context(), m, m.Main(), []eval.Value{a}, eval.Options{MemoryLimit: 8000}); err != nil {
		t.Errorf("two live tensors in the limit of two: %v", err)
	}
	_, err = eval.Run(t.Context(), m, m.Main(), []eval.Value{a}, eval.Options{MemoryLimit: 7999})
	var over *eval.MemoryError
	if !errors.As(err, &over) {
		t.Fatalf("two live tensors in less: %v, want a memory error", err)
	}
	if over.Op != "add" || over.Need != 4000 || over.Live != 4000 || over.Limit != 7999 {
		t.Errorf("the error says %+v", *over)
	}
}

// Loops, calls and branches give back what they took.
func TestMemoryOfLoop(t *testing.T) {
	m := parse(t, `
func.func private @double(%a: tensor<1000xf32>) -> tensor<1000xf32> {
  %r = stablehlo.add %a, %a : tensor<1000xf32>
  func.return %r : tensor<1000xf32>
}
func.func public @main(%a: tensor<1000xf32>) -> tensor<1000xf32> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.constant dense<100> : tensor<i32>
  %o = stablehlo.constant dense<1> : tensor<i32>
  %i, %r = stablehlo.while(%k = %z, %v = %a) : tensor<i32>, tensor<1000xf32>
  cond {
    %c = stablehlo.compare LT, %k, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %x = stablehlo.add %k, %o : tensor<i32>
    %y = func.call @double(%v) : (tensor<1000xf32>) -> tensor<1000xf32>
    %s = stablehlo.reshape %y : (tensor<1000xf32>) -> tensor<10x100xf32>
    %u = stablehlo.reshape %s : (tensor<10x100xf32>) -> tensor<1000xf32>
    stablehlo.return %x, %u : tensor<i32>, tensor<1000xf32>
  }
  func.return %r : tensor<1000xf32>
}`)
	a, err := eval.NewTensor(dtype.F32, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eval.Run(t.Context(), m, m.Main(), []eval.Value{a}, eval.Options{MemoryLimit: 8100}); err != nil {
		t.Errorf("a loop over two tensors: %v", err)
	}
}

func TestArguments(t *testing.T) {
	m := parse(t, `
func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {
  func.return %a : tensor<2xf32>
}`)
	good := tensor(dtype.F32, []int64{2}, []float32{1, 2})
	for _, c := range []struct {
		name string
		args []eval.Value
		want string
	}{
		{"none", nil, "takes 1 arguments, got 0"},
		{"too many", []eval.Value{good, good}, "takes 1 arguments, got 2"},
		{"type", []eval.Value{tensor(dtype.I32, []int64{2}, []int32{1, 2})}, "is tensor<2xi32>, want tensor<2xf32>"},
		{"rank", []eval.Value{tensor(dtype.F32, nil, []float32{1})}, "is tensor<f32>, want tensor<2xf32>"},
		{"size", []eval.Value{tensor(dtype.F32, []int64{3}, []float32{1, 2, 3})}, "is tensor<3xf32>, want tensor<2xf32>"},
		{"short data", []eval.Value{&eval.Tensor{Type: good.Type, Data: good.Data[:7]}}, "has 7 bytes"},
		{"token", []eval.Value{eval.Token{}}, "is a token"},
		{"nothing", []eval.Value{nil}, "is missing"},
		{"nil tensor", []eval.Value{(*eval.Tensor)(nil)}, "is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := eval.Run(t.Context(), m, m.Main(), c.args, eval.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := eval.Run(t.Context(), m, nil, nil, eval.Options{}); err == nil {
		t.Error("no function: no error")
	}
}

func TestErrorNamesPlace(t *testing.T) {
	_, err := program(t, "func.func @main() -> tensor<1xf32> {\n  %0 = stablehlo.custom_call @no_such_target() : () -> tensor<1xf32>\n"+
		"  func.return %0 : tensor<1xf32>\n}", eval.Options{})
	var e *eval.Error
	if !errors.As(err, &e) || !errors.Is(err, eval.ErrUnsupported) || !strings.Contains(err.Error(), "2:") ||
		!strings.Contains(err.Error(), "no_such_target") {
		t.Errorf("error %v, want the line, the target and ErrUnsupported", err)
	}
}

func TestCustomCallHook(t *testing.T) {
	calls := map[string]eval.CustomCall{
		"twice": func(_ context.Context, op *stablehlo.Op, args []eval.Value) ([]eval.Value, error) {
			if op.Kind != stablehlo.CustomCall {
				t.Errorf("called for %v", op)
			}
			return []eval.Value{args[0], args[0]}, nil
		},
		"wrong": func(context.Context, *stablehlo.Op, []eval.Value) ([]eval.Value, error) {
			return []eval.Value{eval.Token{}}, nil
		},
	}
	got, err := program(t, `
func.func @main() -> (tensor<i8>, tensor<i8>) {
  %c = stablehlo.constant dense<5> : tensor<i8>
  %r:2 = stablehlo.custom_call @twice(%c) : (tensor<i8>) -> (tensor<i8>, tensor<i8>)
  func.return %r#0, %r#1 : tensor<i8>, tensor<i8>
}`, eval.Options{CustomCalls: calls})
	if err != nil || show(got) != "tensor<i8> [5]; tensor<i8> [5]" {
		t.Errorf("got %s, %v", show(got), err)
	}
	_, err = program(t, `
func.func @main() -> tensor<i8> {
  %r = stablehlo.custom_call @wrong() : () -> tensor<i8>
  func.return %r : tensor<i8>
}`, eval.Options{CustomCalls: calls})
	if err == nil || !strings.Contains(err.Error(), "result 0 is a token") {
		t.Errorf("a result of the wrong type: %v", err)
	}
}

func TestCheckError(t *testing.T) {
	_, err := program(t, `
func.func @main() {
  %c = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi8>
  check.expect_eq_const %c, dense<[1, 5, 6]> : tensor<3xi8>
  func.return
}`, eval.Options{})
	var check *eval.CheckError
	if !errors.As(err, &check) || check.Count != 2 || len(check.Index) != 1 || check.Index[0] != 1 {
		t.Errorf("got %v, want two differences from index 1 on", err)
	}
}

func TestInfeedOutfeed(t *testing.T) {
	const src = `
func.func @main(%t: !stablehlo.token) -> !stablehlo.token {
  %a, %u = "stablehlo.infeed"(%t) {infeed_config = ""} : (!stablehlo.token) -> (tensor<i8>, !stablehlo.token)
  %b = stablehlo.add %a, %a : tensor<i8>
  %v = "stablehlo.outfeed"(%b, %u) {outfeed_config = ""} : (tensor<i8>, !stablehlo.token) -> !stablehlo.token
  func.return %v : !stablehlo.token
}`
	var wrote []eval.Value
	_, err := program(t, src, eval.Options{
		Infeed: func(context.Context) ([]eval.Value, error) {
			return []eval.Value{tensor(dtype.I8, nil, []int8{21})}, nil
		},
		Outfeed: func(_ context.Context, v []eval.Value) error {
			wrote = append(wrote, v...)
			return nil
		},
	}, eval.Token{})
	if err != nil || show(wrote) != "tensor<i8> [42]" {
		t.Errorf("outfeed got %s, %v", show(wrote), err)
	}
	if _, err := program(t, src, eval.Options{}, eval.Token{}); !errors.Is(err, eval.ErrUnsupported) {
		t.Errorf("without queues: %v, want ErrUnsupported", err)
	}
}

const parallel = `
func.func @sum(%a: tensor<2xi32>) -> tensor<2xi32> {
  %r = "stablehlo.all_reduce"(%a) ({
  ^bb0(%x: tensor<i32>, %y: tensor<i32>):
    %s = stablehlo.add %x, %y : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>} : (tensor<2xi32>) -> tensor<2xi32>
  func.return %r : tensor<2xi32>
}
func.func @fail(%a: tensor<2xi32>) -> tensor<2xi32> {
  %r = stablehlo.custom_call @no_such_target() : () -> tensor<2xi32>
  func.return %r : tensor<2xi32>
}`

func TestRunParallel(t *testing.T) {
	m := parse(t, parallel)
	args := func(v ...int32) []eval.Value { return []eval.Value{tensor(dtype.I32, []int64{2}, v)} }
	sum := m.Func("sum")
	got, err := eval.RunParallel(t.Context(), m,
		[][]eval.Program{{{Func: sum, Args: args(1, 2)}}, {{Func: sum, Args: args(10, 20)}}}, nil, eval.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got {
		if s := show(row[0]); s != "tensor<2xi32> [11 22]" {
			t.Errorf("replica %d has %s", i, s)
		}
	}
	// One process fails while the other waits for it: both end, and the error is the first one.
	_, err = eval.RunParallel(t.Context(), m,
		[][]eval.Program{{{Func: sum, Args: args(1, 2)}}, {{Func: m.Func("fail"), Args: args(1, 2)}}}, nil, eval.Options{})
	if !errors.Is(err, eval.ErrUnsupported) || !strings.Contains(err.Error(), "replica 1") {
		t.Errorf("got %v, want the failure of replica 1", err)
	}
}

func TestStats(t *testing.T) {
	g := newGraph()
	x := g.arg(stablehlo.TensorOf(dtype.F32, 10))
	y := g.op(stablehlo.Negate, nil, []*stablehlo.Value{x}, x.Type)
	z := g.op(stablehlo.Abs, nil, y, x.Type)
	g.opts.Stats = &eval.Stats{}
	g.run(t, z, tensor(dtype.F32, []int64{10}, make([]float32, 10)))
	if got, want := *g.opts.Stats, (eval.Stats{PeakBytes: 80, Operations: 3}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestAsync(t *testing.T) {
	g := newGraph()
	x := g.arg(stablehlo.TensorOf(dtype.I32, 2))
	body := &stablehlo.Block{Args: []*stablehlo.Value{{Type: x.Type}}}
	addOp(body, stablehlo.Return, nil, addOp(body, stablehlo.Negate, nil, body.Args, nil, x.Type), nil)
	future := addOp(g.fn.Body, stablehlo.AsyncStart, nil, []*stablehlo.Value{x}, []*stablehlo.Block{body},
		stablehlo.Type{Kind: stablehlo.Future, Elems: []stablehlo.Type{x.Type}})
	out := g.op(stablehlo.AsyncDone, nil, future, x.Type)
	got, err := g.try(t.Context(), out, tensor(dtype.I32, []int64{2}, []int32{1, -2}))
	if err != nil || show(got) != "tensor<2xi32> [-1 2]" {
		t.Errorf("got %s, %v", show(got), err)
	}
}

// The LAPACK targets work on complex matrices and on batches too.
func TestLapackComplex(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"heevd", `
func.func @main() -> tensor<2x2xf64> {
  %a = stablehlo.constant dense<[[[(2.0, 0.0), (0.0, -1.0)], [(0.0, 1.0), (2.0, 0.0)]], [[(5.0, 0.0), (0.0, 0.0)], [(0.0, 0.0), (4.0, 0.0)]]]> : tensor<2x2x2xcomplex<f64>>
  %v, %w, %i = "stablehlo.custom_call"(%a) {call_target_name = "lapack_zheevd_ffi", mhlo.backend_config = {mode = 86 : ui8, uplo = 76 : ui8}}
    : (tensor<2x2x2xcomplex<f64>>) -> (tensor<2x2x2xcomplex<f64>>, tensor<2x2xf64>, tensor<2xi32>)
  func.return %w : tensor<2x2xf64>
}`, "tensor<2x2xf64> [1 3 4 5]"},
		{"getrf pivots", `
func.func @main() -> (tensor<2xi32>, tensor<i32>) {
  %a = stablehlo.constant dense<[[(1.0, 0.0), (2.0, 0.0)], [(0.0, 3.0), (4.0, 0.0)]]> : tensor<2x2xcomplex<f64>>
  %v, %p, %i = "stablehlo.custom_call"(%a) {call_target_name = "lapack_zgetrf_ffi"}
    : (tensor<2x2xcomplex<f64>>) -> (tensor<2x2xcomplex<f64>>, tensor<2xi32>, tensor<i32>)
  func.return %p, %i : tensor<2xi32>, tensor<i32>
}`, "tensor<2xi32> [2 2]; tensor<i32> [0]"},
		{"potrf of an indefinite matrix", `
func.func @main() -> tensor<i32> {
  %a = stablehlo.constant dense<[[1.0, 2.0], [2.0, 1.0]]> : tensor<2x2xf64>
  %v, %i = "stablehlo.custom_call"(%a) {call_target_name = "lapack_dpotrf_ffi", mhlo.backend_config = {uplo = 76 : ui8}}
    : (tensor<2x2xf64>) -> (tensor<2x2xf64>, tensor<i32>)
  func.return %i : tensor<i32>
}`, "tensor<i32> [2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := program(t, c.src, eval.Options{})
			if err != nil || show(got) != c.want {
				t.Errorf("got %s, %v, want %s", show(got), err, c.want)
			}
		})
	}
}
