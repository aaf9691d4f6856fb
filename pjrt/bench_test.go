package pjrt_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/isthmus-ffi/isthmus/pjrt"
)

// BenchmarkExecute is the cost of one execution of the smallest program, with all checks.
func BenchmarkExecute(b *testing.B) {
	c := client(b, real(b, "ISTHMUS_PJRT_CPU"))
	x := compile(b, c, add)
	in := put(b, c, []float32{1, 2, 3, 4}, 4)
	args, ctx := []*pjrt.Buffer{in, in}, context.Background()
	b.Run("outputs=reused", func(b *testing.B) {
		b.ReportAllocs()
		outs := []*pjrt.Buffer{{}}
		for b.Loop() {
			if err := x.ExecuteInto(ctx, args, outs, pjrt.ExecuteOptions{}); err != nil {
				b.Fatal(err)
			}
			if err := outs[0].Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("outputs=fresh", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			outs, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
			if err != nil {
				b.Fatal(err)
			}
			if err := outs[0].Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPut copies to the device and gives the copy up.
func BenchmarkPut(b *testing.B) {
	c := client(b, real(b, "ISTHMUS_PJRT_CPU"))
	for _, n := range []int{1 << 10, 1 << 18} {
		data := make([]float32, n)
		b.Run(fmt.Sprintf("bytes=%d", 4*n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				x, err := pjrt.Put(context.Background(), c.Device(), data, n)
				if err != nil {
					b.Fatal(err)
				}
				if err := x.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGet copies from the device.
func BenchmarkGet(b *testing.B) {
	c := client(b, real(b, "ISTHMUS_PJRT_CPU"))
	for _, n := range []int{1 << 10, 1 << 18} {
		data := make([]float32, n)
		x := put(b, c, data, n)
		b.Run(fmt.Sprintf("bytes=%d", 4*n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				if err := pjrt.GetInto(context.Background(), x, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
