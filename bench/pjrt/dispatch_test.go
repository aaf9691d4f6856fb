// Package pjrt_test compares package pjrt with the same calls in plain C, in one process, in blocks that alternate in
// random order. Run: go test -run - -bench . ./bench/pjrt
package pjrt_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

const add = `func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %y : tensor<4xf32>
  return %0 : tensor<4xf32>
}`

// options is the CompileOptionsProto that package pjrt sends for the first device.
const options = "\x1a\x24\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x20\x01\x28\x01\x4a\x09\x08\x01\x10\x01\x1a\x03\x0a\x01\x00\x62\x01\x00\x92\x01\x01\x00\xb8\x01\x01"

// floor builds and sets up the C side. It returns a caller of its functions.
func floor(b *testing.B) func(name string, args ...uintptr) {
	b.Helper()
	plugin := os.Getenv("ISTHMUS_PJRT_CPU")
	cc, err := exec.LookPath("cc")
	if plugin == "" || err != nil {
		b.Skip("needs ISTHMUS_PJRT_CPU and a C compiler")
	}
	so := filepath.Join(b.TempDir(), "floor.so")
	out, err := exec.Command(cc, "-O2", "-fPIC", "-shared", "-I../../internal/raw/pjrtc/headers/0.114", "-o", so, "testdata/floor.c").CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	lib, err := dl.Open(so)
	if err != nil {
		b.Fatal(err)
	}
	p, err := dl.Open(plugin)
	if err != nil {
		b.Fatal(err)
	}
	get, err := p.Symbol("GetPjrtApi")
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, args ...uintptr) {
		fn, err := lib.Symbol(name)
		if err != nil {
			b.Fatal(err)
		}
		if r := call.Call(fn, args...); int32(r) != 0 {
			b.Fatalf("%s: %d", name, int32(r))
		}
	}
	var pin mem.Pin
	defer pin.Unpin()
	code, opts := mem.PinSlice(&pin, []byte(add)), mem.PinSlice(&pin, []byte(options))
	run("floor_setup", call.Call1(get, 0), uintptr(code), uintptr(len(add)), uintptr(opts), uintptr(len(options)))
	return run
}

func open(b *testing.B) (*pjrt.Client, *pjrt.Executable) {
	b.Helper()
	p, err := pjrt.Load(os.Getenv("ISTHMUS_PJRT_CPU"))
	if err != nil {
		b.Fatal(err)
	}
	c, err := p.NewClient(context.Background(), pjrt.ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	x, err := c.Compile(context.Background(), pjrt.MLIR(add), pjrt.CompileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { x.Close(); c.Close() })
	return c, x
}

// compare alternates blocks of n rounds of each way until the benchmark's time is over, and reports the medians.
func compare(b *testing.B, n int, ways []string, f []func(n int)) {
	samples := make([][]float64, len(f))
	for b.Loop() {
		for _, i := range rand.Perm(len(f)) {
			f[i](3) // settle: the block before was another's
			t := time.Now()
			f[i](n)
			samples[i] = append(samples[i], float64(time.Since(t).Nanoseconds())/float64(n))
		}
	}
	median := func(s []float64) float64 {
		slices.Sort(s)
		return s[len(s)/2]
	}
	floor := median(samples[0])
	b.ReportMetric(floor, "ns/C")
	for i := 1; i < len(f); i++ {
		b.ReportMetric(median(samples[i]), "ns/"+ways[i])
		b.ReportMetric(median(samples[i])/floor, "x-C/"+ways[i])
	}
}

func BenchmarkDispatch(b *testing.B) {
	run := floor(b)
	c, x := open(b)
	ctx := context.Background()
	in, err := pjrt.Put(ctx, c.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	args, outs := []*pjrt.Buffer{in, in}, []*pjrt.Buffer{{}}
	compare(b, 200, []string{"C", "reused", "fresh"}, []func(int){
		func(n int) { run("floor_execute", uintptr(n)) },
		func(n int) {
			for range n {
				if err := x.ExecuteInto(ctx, args, outs, pjrt.ExecuteOptions{}); err != nil {
					b.Fatal(err)
				}
				outs[0].Close()
			}
		},
		func(n int) {
			for range n {
				o, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
				if err != nil {
					b.Fatal(err)
				}
				o[0].Close()
			}
		},
	})
}

func BenchmarkTransfers(b *testing.B) {
	run := floor(b)
	c, _ := open(b)
	ctx := context.Background()
	for _, floats := range []int{1 << 10, 1 << 18} {
		data := make([]float32, floats)
		n := max(1, 1<<16/floats)
		b.Run(fmt.Sprintf("put/bytes=%d", 4*floats), func(b *testing.B) {
			into := &pjrt.Buffer{}
			compare(b, n, []string{"C", "fresh", "reused"}, []func(int){
				func(n int) { run("floor_put", uintptr(n), uintptr(floats)) },
				func(n int) {
					for range n {
						x, err := pjrt.Put(ctx, c.Device(), data, floats)
						if err != nil {
							b.Fatal(err)
						}
						x.Close()
					}
				},
				func(n int) {
					for range n {
						if err := pjrt.PutInto(ctx, into, c.Device(), data, floats); err != nil {
							b.Fatal(err)
						}
						into.Close()
					}
				},
			})
		})
		b.Run(fmt.Sprintf("get/bytes=%d", 4*floats), func(b *testing.B) {
			x, err := pjrt.Put(ctx, c.Device(), data, floats)
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			compare(b, n, []string{"C", "Go"}, []func(int){
				func(n int) { run("floor_get", uintptr(n), uintptr(floats)) },
				func(n int) {
					for range n {
						if err := pjrt.GetInto(ctx, x, data); err != nil {
							b.Fatal(err)
						}
					}
				},
			})
		})
	}
}
