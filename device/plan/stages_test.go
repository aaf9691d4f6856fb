package plan_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestSteps holds what lowering and fusing leave of small programs.
func TestSteps(t *testing.T) {
	for _, c := range []struct {
		name, args, body string
		steps            int
	}{
		{"constants are folded", "%x: tensor<4xf32>", `
  %a = stablehlo.constant dense<2.0> : tensor<4xf32>
  %b = stablehlo.add %a, %a : tensor<4xf32>
  return %b : tensor<4xf32>`, 0},
		{"an argument is returned", "%x: tensor<4xf32>", `
  %a = stablehlo.reshape %x : (tensor<4xf32>) -> tensor<2x2xf32>
  %b = stablehlo.reshape %a : (tensor<2x2xf32>) -> tensor<4xf32>
  return %b : tensor<4xf32>`, 0},
		{"elementwise operations are one pass", "%x: tensor<4xf32>", `
  %a = stablehlo.sine %x : tensor<4xf32>
  %b = stablehlo.add %a, %x : tensor<4xf32>
  %c = stablehlo.multiply %b, %a : tensor<4xf32>
  return %c : tensor<4xf32>`, 1},
		{"equal operations are one", "%x: tensor<4x4xf32>", `
  %a = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = stablehlo.concatenate %a, %b, dim = 0 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %d = stablehlo.slice %c [0:1, 0:4] : (tensor<8x4xf32>) -> tensor<1x4xf32>
  %e = stablehlo.reshape %d : (tensor<1x4xf32>) -> tensor<4xf32>
  return %e : tensor<4xf32>`, 2},
		{"views cost no pass", "%x: tensor<2x4xf32>", `
  %a = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x4xf32>) -> tensor<4x2xf32>
  %b = stablehlo.reverse %a, dims = [0] : tensor<4x2xf32>
  %d = stablehlo.slice %b [0:4, 0:1] : (tensor<4x2xf32>) -> tensor<4x1xf32>
  %e = stablehlo.reshape %d : (tensor<4x1xf32>) -> tensor<4xf32>
  %f = stablehlo.negate %e : tensor<4xf32>
  return %f : tensor<4xf32>`, 1},
		{"a reduction takes what feeds it", "%x: tensor<4x4xf32>", `
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %a = stablehlo.multiply %x, %x : tensor<4x4xf32>
  %b = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
  return %b : tensor<4xf32>`, 1},
		{"a known branch is its code", "%x: tensor<4xf32>", `
  %p = stablehlo.constant dense<true> : tensor<i1>
  %a = "stablehlo.if"(%p) ({
    %b = stablehlo.negate %x : tensor<4xf32>
    stablehlo.return %b : tensor<4xf32>
  }, {
    stablehlo.return %x : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  return %a : tensor<4xf32>`, 1},
		{"what no result needs is dropped", "%x: tensor<4xf32>", `
  %a = stablehlo.sine %x : tensor<4xf32>
  %b = stablehlo.reverse %x, dims = [0] : tensor<4xf32>
  return %b : tensor<4xf32>`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := fmt.Sprintf("func.func @main(%s) -> tensor<4xf32> {%s\n}", c.args, c.body)
			if got := compile(t, []byte(src), plan.Options{}).Stats(); got.Steps != c.steps {
				t.Errorf("%d steps, want %d", got.Steps, c.steps)
			}
		})
	}
}

// Weights that a loop hands on are not copied into its state.
func TestUnchangingStateIsNotCopied(t *testing.T) {
	p := compile(t, []byte(`
func.func @main(%w: tensor<100000xf32>, %n: tensor<i32>) -> tensor<f32> {
  %i = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0:3 = stablehlo.while(%a = %i, %b = %w, %c = %z) : tensor<i32>, tensor<100000xf32>, tensor<f32>
  cond {
    %t = stablehlo.compare LT, %a, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %t : tensor<i1>
  } do {
    %d = stablehlo.reduce(%b init: %c) applies stablehlo.add across dimensions = [0] : (tensor<100000xf32>, tensor<f32>) -> tensor<f32>
    %e = stablehlo.add %a, %one : tensor<i32>
    stablehlo.return %e, %b, %d : tensor<i32>, tensor<100000xf32>, tensor<f32>
  }
  return %0#2 : tensor<f32>
}`), plan.Options{})
	if s := p.Stats(); s.Arena > 4096 {
		t.Errorf("%d bytes of temporary memory for a loop over scalars", s.Arena)
	}
}

// A donated argument's memory becomes the result's, and is left alone when the caller keeps it.
func TestDonation(t *testing.T) {
	p := compile(t, []byte(`
func.func @main(%x: tensor<4xf32> {tf.aliasing_output = 0 : i32}, %i: tensor<i32>, %u: tensor<1xf32>) -> tensor<4xf32> {
  %0 = stablehlo.dynamic_update_slice %x, %u, %i : (tensor<4xf32>, tensor<1xf32>, tensor<i32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}`), plan.Options{})
	for _, donated := range []bool{true, false} {
		x := aligned(bytes.Repeat([]byte{1}, 16))
		args := []plan.Arg{{Data: x, Donated: donated}, {Data: aligned([]byte{2, 0, 0, 0})}, {Data: aligned([]byte{9, 9, 9, 9})}}
		got, err := p.Run(t.Context(), args, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := append(bytes.Repeat([]byte{1}, 8), 9, 9, 9, 9, 1, 1, 1, 1)
		if !bytes.Equal(got[0], want) {
			t.Errorf("donated %v: got %x, want %x", donated, got[0], want)
		}
		if same := &got[0][0] == &x[0]; same != donated {
			t.Errorf("donated %v: the result has the argument's memory: %v", donated, same)
		}
	}
}

// Functions that call each other twice would grow without end; the compiler refuses them.
func TestCallsThatMultiply(t *testing.T) {
	var b strings.Builder
	b.WriteString("func.func @main(%x: tensor<f32>) -> tensor<f32> {\n%0 = call @f40(%x) : (tensor<f32>) -> tensor<f32>\nreturn %0 : tensor<f32>\n}\n")
	b.WriteString("func.func private @f0(%x: tensor<f32>) -> tensor<f32> {\n%0 = stablehlo.sine %x : tensor<f32>\nreturn %0 : tensor<f32>\n}\n")
	for k := 1; k <= 40; k++ {
		fmt.Fprintf(&b, "func.func private @f%d(%%x: tensor<f32>) -> tensor<f32> {\n", k)
		for n := range 2 {
			fmt.Fprintf(&b, "%%%d = call @f%d(%%x) : (tensor<f32>) -> tensor<f32>\n", n, k-1)
		}
		b.WriteString("%2 = stablehlo.add %0, %1 : tensor<f32>\nreturn %2 : tensor<f32>\n}\n")
	}
	m, err := stablehlo.Parse([]byte(b.String()), stablehlo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Compile(t.Context(), m, m.Main(), plan.Options{}); !errors.Is(err, plan.ErrUnsupported) {
		t.Errorf("error %v, want ErrUnsupported", err)
	}
}

// One program runs on many goroutines at a time, each with its own results.
func TestConcurrentRuns(t *testing.T) {
	pool := kernel.NewPool(3)
	defer pool.Close()
	all, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Cases {
		switch c.Name {
		case "attn_block", "convnet_fwd", "rnn_scan", "argsort", "mlp_fwd", "attn_block_bf16":
		default:
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			src, err := c.Bytecode()
			if err != nil {
				t.Fatal(err)
			}
			in, _, err := c.Arrays()
			if err != nil {
				t.Fatal(err)
			}
			p := compile(t, src, plan.Options{Workers: pool})
			want, err := p.Run(t.Context(), arguments(in), nil)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					args := arguments(in)
					for range 10 {
						got, err := p.Run(t.Context(), args, nil)
						if err != nil {
							t.Error(err)
							return
						}
						for i := range want {
							if !bytes.Equal(got[i], want[i]) {
								t.Errorf("result %d differs beside other runs", i)
								return
							}
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
