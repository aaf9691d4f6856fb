package kernel_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

type convCase struct {
	batch, h, w, c, kh, kw, o            int
	strideH, strideW, dilateH, dilateW   int
	padTop, padBottom, padLeft, padRight int
}

func (s convCase) out() (h, w int) {
	return (s.h+s.padTop+s.padBottom-(s.kh-1)*s.dilateH-1)/s.strideH + 1, (s.w+s.padLeft+s.padRight-(s.kw-1)*s.dilateW-1)/s.strideW + 1
}

// pixel is the definition of one output value.
func (s convCase) pixel(input, filter []float32, n, y, x, o int) float64 {
	sum := 0.0
	for i := range s.kh {
		for j := range s.kw {
			iy, ix := y*s.strideH-s.padTop+i*s.dilateH, x*s.strideW-s.padLeft+j*s.dilateW
			if iy < 0 || iy >= s.h || ix < 0 || ix >= s.w {
				continue
			}
			for c := range s.c {
				sum += float64(input[((n*s.h+iy)*s.w+ix)*s.c+c]) * float64(filter[((i*s.kw+j)*s.c+c)*s.o+o])
			}
		}
	}
	return sum
}

func TestConv(t *testing.T) {
	cases := []convCase{
		{1, 9, 11, 4, 3, 3, 5, 1, 1, 1, 1, 1, 1, 1, 1},
		{2, 8, 8, 3, 3, 3, 40, 1, 1, 1, 1, 0, 0, 0, 0},
		{1, 12, 12, 16, 3, 3, 33, 2, 2, 1, 1, 1, 1, 1, 1},
		{2, 10, 10, 6, 3, 3, 7, 1, 1, 2, 2, 2, 2, 2, 2},
		{1, 14, 14, 3, 7, 7, 8, 2, 2, 1, 1, 3, 3, 3, 3},
		{3, 5, 6, 8, 1, 1, 9, 1, 1, 1, 1, 0, 0, 0, 0},
		{1, 3, 3, 2, 3, 3, 2, 1, 1, 1, 1, 4, 4, 4, 4}, // windows outside of the image altogether
		{1, 4, 20, 2, 1, 5, 3, 1, 3, 1, 2, 0, 0, 0, 1},
		{1, 6, 6, 150, 3, 3, 10, 1, 1, 1, 1, 1, 1, 1, 1}, // a row of taps deeper than a block
	}
	r := rand.New(rand.NewPCG(41, 42))
	levels(t, func(t *testing.T, k *kernel.Table) {
		pool := kernel.NewPool(3)
		defer pool.Close()
		for x, s := range cases {
			oh, ow := s.out()
			input := normal[float32](r, s.batch*s.h*s.w*s.c)
			filter := normal[float32](r, s.kh*s.kw*s.c*s.o)
			out, check := guarded[float32](s.batch*oh*ow*s.o, 77)
			c := &kernel.Conv[float32]{
				Batch: s.batch, H: s.h, W: s.w, C: s.c, OutH: oh, OutW: ow, StrideH: s.strideH, StrideW: s.strideW,
				DilateH: s.dilateH, DilateW: s.dilateW, PadTop: s.padTop, PadLeft: s.padLeft,
				Input: input, Output: out, Filter: k.PackFilter32(filter, s.kh, s.kw, s.c, s.o),
			}
			if x%2 == 1 {
				c.Bias, c.ReLU = normal[float32](r, s.o), true
			}
			k.Conv32(c, nil)
			check(t, "Conv32")
			serial := slices.Clone(out)
			k.Conv32(c, pool.Run)
			if !slices.Equal(serial, out) {
				t.Fatalf("case %d: the result on three goroutines differs", x)
			}
			for i, got := range out {
				o, px, py, n := i%s.o, i/s.o%ow, i/s.o/ow%oh, i/s.o/ow/oh
				want := s.pixel(input, filter, n, py, px, o)
				if c.Bias != nil {
					want = max(0, want+float64(c.Bias[o]))
				}
				if math.Abs(float64(got)-want) > 1e-5*math.Sqrt(float64(s.kh*s.kw*s.c)) {
					t.Fatalf("case %d: image %d pixel (%d,%d) channel %d is %v, want %v", x, n, py, px, o, got, want)
				}
			}
		}
	})
}

func BenchmarkConv(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const hw, ci, co = 56, 64, 64
	input, filter, out := normal[float32](r, hw*hw*ci), normal[float32](r, 9*ci*co), make([]float32, hw*hw*co)
	for _, l := range kernel.Levels()[1:] {
		k, _ := kernel.ForLevel(l)
		b.Run("3x3x64x64x56x56/dtype=f32/level="+l.String(), func(b *testing.B) {
			c := &kernel.Conv[float32]{
				Batch: 1, H: hw, W: hw, C: ci, OutH: hw, OutW: hw, StrideH: 1, StrideW: 1, DilateH: 1, DilateW: 1, PadTop: 1, PadLeft: 1,
				Input: input, Output: out, Filter: k.PackFilter32(filter, 3, 3, ci, co),
			}
			b.ReportAllocs()
			for b.Loop() {
				k.Conv32(c, nil)
			}
			b.ReportMetric(2*hw*hw*9*ci*co*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
