package plan_test

import (
	"fmt"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// BenchmarkRun runs programs of the corpus; comparisons with other devices are in bench/device.
func BenchmarkRun(b *testing.B) {
	c, err := corpus.Load()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"attn_block", "convnet_fwd", "mlp_xent_sgd", "softmax", "rnn_scan", "examples/digits", "examples/transformer"} {
		for _, k := range append(c.Cases, c.Examples...) {
			if k.Name != name {
				continue
			}
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("program=%s/workers=%d", name, workers), func(b *testing.B) {
					src, err := k.Bytecode()
					if err != nil {
						b.Fatal(err)
					}
					m, err := stablehlo.Parse(src, stablehlo.Options{})
					if err != nil {
						b.Fatal(err)
					}
					pool := kernel.NewPool(workers)
					defer pool.Close()
					p, err := plan.Compile(b.Context(), m, m.Main(), plan.Options{Workers: pool})
					if err != nil {
						b.Fatal(err)
					}
					in, _, err := k.Arrays()
					if err != nil {
						b.Fatal(err)
					}
					args := arguments(in)
					b.ReportAllocs()
					for b.Loop() {
						if _, err := p.Run(b.Context(), args, nil); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkCompile plans a program that has been read.
func BenchmarkCompile(b *testing.B) {
	c, err := corpus.Load()
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range c.Cases {
		if k.Name != "attn_block_grad" {
			continue
		}
		src, err := k.Bytecode()
		if err != nil {
			b.Fatal(err)
		}
		m, err := stablehlo.Parse(src, stablehlo.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plan.Compile(b.Context(), m, m.Main(), plan.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
