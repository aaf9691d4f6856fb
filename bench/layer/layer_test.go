//go:build linux

// Package layer_test measures what the validation layer and the trace add to a dispatch: the same program on the same
// plugin, in blocks that alternate in random order. Run: go test -run - -bench . ./bench/layer
package layer_test

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/isthmus-ffi/isthmus/pjrt"
)

const add = `func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %y : tensor<4xf32>
  return %0 : tensor<4xf32>
}`

const (
	rounds = 60
	calls  = 2000
)

// side is one way to the plugin.
type side struct {
	name string
	x    *pjrt.Executable
	args []*pjrt.Buffer
	outs []*pjrt.Buffer
	took []float64
}

func newSide(b *testing.B, name string, p *pjrt.Plugin) *side {
	b.Helper()
	ctx := context.Background()
	c, err := p.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	x, err := c.Compile(ctx, pjrt.MLIR(add), pjrt.CompileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	in, err := pjrt.Put(ctx, c.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		for _, f := range []func() error{in.Close, x.Close, c.Close} {
			if err := f(); err != nil {
				b.Error(err)
			}
		}
	})
	return &side{name: name, x: x, args: []*pjrt.Buffer{in, in}, outs: []*pjrt.Buffer{{}}}
}

func (s *side) block(b *testing.B) {
	ctx := context.Background()
	began := processor(b)
	for range calls {
		if err := s.x.ExecuteInto(ctx, s.args, s.outs, pjrt.ExecuteOptions{}); err != nil {
			b.Fatal(err)
		}
		if err := s.outs[0].Close(); err != nil {
			b.Fatal(err)
		}
	}
	s.took = append(s.took, float64((processor(b)-began).Nanoseconds())/calls)
}

// processor is the time that this thread has computed, which others on the machine do not add to.
func processor(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDispatch executes, waits and destroys the output, on the plain plugin and behind each layer. The figures are
// medians of the blocks; the ratios are to the plain plugin.
func BenchmarkDispatch(b *testing.B) {
	path := os.Getenv("ISTHMUS_PJRT_CPU")
	if path == "" {
		b.Skip("ISTHMUS_PJRT_CPU is not set; it names an XLA CPU plugin")
	}
	p, err := pjrt.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	checked, v, err := pjrt.Validate(p)
	if err != nil {
		b.Fatal(err)
	}
	traced, stop, err := pjrt.Trace(p, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	sides := []*side{newSide(b, "plain", p), newSide(b, "validated", checked), newSide(b, "traced", traced)}
	for _, s := range sides {
		s.block(b)
		s.took = nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		for range rounds {
			for _, i := range rand.Perm(len(sides)) {
				sides[i].block(b)
			}
		}
	}
	if err := stop(); err != nil {
		b.Error(err)
	}
	if n := v.Found(); n > 0 {
		b.Errorf("%d findings", n)
	}
	base := 0.0
	for _, s := range sides {
		slices.Sort(s.took)
		m := s.took[len(s.took)/2]
		b.ReportMetric(m, s.name+"-ns")
		if s.name == "plain" {
			base = m
			continue
		}
		b.ReportMetric(m/base, s.name+"-ratio")
	}
}
