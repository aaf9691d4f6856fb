package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// chunk is what the executor hands to a loop at a time: it stays in the first-level cache.
const chunk = 1024

func benchLoop(b *testing.B, name string, bytes, elements int, f func(k *kernel.Table)) {
	for _, l := range kernel.Levels() {
		k, _ := kernel.ForLevel(l)
		b.Run(fmt.Sprintf("%s/level=%v", name, l), func(b *testing.B) {
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			for b.Loop() {
				f(k)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(elements), "ns/elem")
		})
	}
}

func BenchmarkElementwise(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y, d := normal[float32](r, chunk), normal[float32](r, chunk), make([]float32, chunk)
	x64, d64 := normal[float64](r, chunk), make([]float64, chunk)
	m, h := make([]byte, chunk), make([]uint16, chunk)
	for i := range m {
		m[i] = byte(r.IntN(2))
	}
	benchLoop(b, "add/dtype=f32", 12*chunk, chunk, func(k *kernel.Table) { k.F32.VV[kernel.Add](d, x, y) })
	benchLoop(b, "mulscalar/dtype=f32", 8*chunk, chunk, func(k *kernel.Table) { k.F32.VS[kernel.Mul](d, x, 3) })
	benchLoop(b, "div/dtype=f32", 12*chunk, chunk, func(k *kernel.Table) { k.F32.VV[kernel.Div](d, x, y) })
	benchLoop(b, "max/dtype=f32", 12*chunk, chunk, func(k *kernel.Table) { k.F32.VV[kernel.Max](d, x, y) })
	benchLoop(b, "compare/dtype=f32", 9*chunk, chunk, func(k *kernel.Table) { k.F32.CompareVV[kernel.LT](m, x, y) })
	benchLoop(b, "select/dtype=f32", 13*chunk, chunk, func(k *kernel.Table) { k.F32.SelectVV(d, m, x, y) })
	benchLoop(b, "tobf16/dtype=f32", 6*chunk, chunk, func(k *kernel.Table) { k.Convert.F32BF16(h, x) })
	benchLoop(b, "rsqrt/dtype=f32", 8*chunk, chunk, func(k *kernel.Table) { k.F32.Unary[kernel.Rsqrt](d, x) })
	for _, f := range functions {
		benchLoop(b, f.name+"/dtype=f32", 8*chunk, chunk, func(k *kernel.Table) { k.F32.Unary[f.op](d, x) })
	}
	benchLoop(b, "pow/dtype=f32", 12*chunk, chunk, func(k *kernel.Table) { k.F32.VS[kernel.Pow](d, x, 2.5) })
	for _, f := range functions {
		benchLoop(b, f.name+"/dtype=f64", 16*chunk, chunk, func(k *kernel.Table) { k.F64.Unary[f.op](d64, x64) })
	}
	benchLoop(b, "short/n=8", 96, 8, func(k *kernel.Table) { k.F32.VV[kernel.Add](d[:8], x, y) })
}

func BenchmarkReduce(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x, d := normal[float32](r, chunk), make([]float32, chunk)
	big := normal[float32](r, 1<<22)
	var sink float32
	benchLoop(b, "sum/dtype=f32", 4*chunk, chunk, func(k *kernel.Table) { sink += k.F32.Reduce[kernel.Add](x) })
	benchLoop(b, "max/dtype=f32", 4*chunk, chunk, func(k *kernel.Table) { sink += k.F32.Reduce[kernel.Max](x) })
	benchLoop(b, "sum4M/dtype=f32", 4<<22, 1<<22, func(k *kernel.Table) { sink += k.F32.Reduce[kernel.Add](big) })
	benchLoop(b, "argmax/dtype=f32", 4*chunk, chunk, func(k *kernel.Table) { sink += float32(k.F32.ArgMax(x)) })
	benchLoop(b, "expsub/dtype=f32", 8*chunk, chunk, func(k *kernel.Table) { sink += k.F32.ExpSub(d, x, 3) })
}

func BenchmarkLayout(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 1024
	x, d := normal[float32](r, n*n), make([]float32, n*n)
	x64, d64 := normal[float64](r, n*n), make([]float64, n*n)
	benchLoop(b, "transpose1024/dtype=f32", 8*n*n, n*n, func(k *kernel.Table) { k.F32.Transpose(d, n, x, n, n, n) })
	benchLoop(b, "transpose1024/dtype=f64", 16*n*n, n*n, func(k *kernel.Table) { k.F64.Transpose(d64, n, x64, n, n, n) })
	x0, x1 := make([]uint32, chunk), make([]uint32, chunk)
	benchLoop(b, "threefry", 8*chunk, 2*chunk, func(k *kernel.Table) { k.Threefry(1, 2, x0, x1) })
}

func BenchmarkPool(b *testing.B) {
	p := kernel.NewPool(0)
	defer p.Close()
	f := func(int) {}
	b.ReportAllocs()
	for b.Loop() {
		p.Run(16, f)
	}
}
