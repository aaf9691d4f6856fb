package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// levels runs f as a subtest for each level of this machine.
func levels(t *testing.T, f func(t *testing.T, k *kernel.Table)) {
	t.Helper()
	for _, l := range kernel.Levels() {
		t.Run(l.String(), func(t *testing.T) {
			k, ok := kernel.ForLevel(l)
			if !ok {
				t.Fatalf("no table for level %v, which Levels lists", l)
			}
			f(t, k)
		})
	}
}

func normal[T kernel.Float](r *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(r.NormFloat64())
	}
	return s
}

// matrix makes a rows x cols view of one of four layouts, with guard places around the elements.
func matrix[T kernel.Float](r *rand.Rand, rows, cols, layout int) kernel.View[T] {
	switch layout {
	case 1: // transposed
		return kernel.View[T]{Data: normal[T](r, rows*cols), RowStride: 1, ColStride: rows}
	case 2: // padded rows
		return kernel.View[T]{Data: normal[T](r, rows*(cols+3)), RowStride: cols + 3, ColStride: 1}
	case 3: // both strided
		return kernel.View[T]{Data: normal[T](r, rows*cols*2), RowStride: cols * 2, ColStride: 2}
	}
	return kernel.RowMajor(normal[T](r, rows*cols), cols)
}

// product is the definition, in float64.
func product[T kernel.Float](g *kernel.Gemm[T], old []T, batch, i, j int) float64 {
	s := 0.0
	if g.Accumulate {
		s = float64(old[batch*g.BatchC+i*g.C.RowStride+j*g.C.ColStride])
	}
	for k := range g.K {
		s += float64(g.A.Data[batch*g.BatchA+i*g.A.RowStride+k*g.A.ColStride]) *
			float64(g.B.Data[batch*g.BatchB+k*g.B.RowStride+j*g.B.ColStride])
	}
	if g.ColBias != nil {
		s += float64(g.ColBias[j])
	}
	if g.RowBias != nil {
		s += float64(g.RowBias[i])
	}
	if g.ReLU {
		s = max(s, 0)
	}
	return s
}

func checkGemm[T kernel.Float](t *testing.T, run func(*kernel.Gemm[T], kernel.Par), g *kernel.Gemm[T], eps float64) {
	t.Helper()
	old := slices.Clone(g.C.Data)
	first := slices.Clone(old)
	data := g.C.Data
	run(g, nil)
	copy(first, data)
	used := make([]bool, len(data))
	for b := range max(1, g.Batch) {
		for i := range g.M {
			for j := range g.N {
				at := b*g.BatchC + i*g.C.RowStride + j*g.C.ColStride
				used[at] = true
				want := product(g, old, b, i, j)
				if got := float64(data[at]); math.Abs(got-want) > eps*(math.Sqrt(float64(g.K))*8+8) {
					t.Fatalf("%dx%dx%d: C[%d,%d] of product %d = %v, want %v", g.M, g.N, g.K, i, j, b, got, want)
				}
			}
		}
	}
	for at, u := range used {
		if !u && data[at] != old[at] {
			t.Fatalf("%dx%dx%d: place %d outside of C was written", g.M, g.N, g.K, at)
		}
	}
	for _, size := range []int{2, 3} {
		p := kernel.NewPool(size)
		copy(data, old)
		run(g, p.Run)
		p.Close()
		if !slices.Equal(data, first) {
			t.Fatalf("%dx%dx%d: result on %d goroutines differs from the serial one", g.M, g.N, g.K, size)
		}
	}
}

func gemmCases[T kernel.Float](t *testing.T, run func(*kernel.Gemm[T], kernel.Par), eps float64) {
	r := rand.New(rand.NewPCG(1, 2))
	shapes := [][3]int{
		{1, 1, 1},
		{0, 3, 2},
		{3, 4, 0},
		{2, 3, 4},
		{1, 300, 70},
		{300, 1, 70},
		{1, 5, 1000},
		{13, 33, 17},
		{14, 32, 64},
		{12, 64, 8},
		{6, 16, 300},
		{31, 65, 257},
		{100, 40, 700},
		{7, 1100, 30},
		{200, 3, 9},
		{3, 700, 90},
		{4, 70, 33},
		{2, 64, 6},
		{200, 4, 100},
		{90, 2, 64},
		{3, 5, 200},
		{64, 64, 64},
		{129, 600, 33},
	}
	for range 30 {
		shapes = append(shapes, [3]int{1 + r.IntN(70), 1 + r.IntN(90), 1 + r.IntN(300)})
	}
	for x, s := range shapes {
		m, n, k := s[0], s[1], s[2]
		g := &kernel.Gemm[T]{
			M: m, N: n, K: k, A: matrix[T](r, m, k, x%4), B: matrix[T](r, k, n, x/2%4), C: matrix[T](r, m, n, x/3%4),
			Accumulate: x%2 == 1, ReLU: x%5 == 4,
		}
		if x%3 == 1 {
			g.ColBias = normal[T](r, n)
		}
		if x%4 == 2 {
			g.RowBias = normal[T](r, m)
		}
		checkGemm(t, run, g, eps)
	}
	for _, s := range [][4]int{{2, 3, 4, 5}, {40, 8, 8, 8}, {3, 130, 70, 130}, {17, 1, 9, 30}} {
		b, m, n, k := s[0], s[1], s[2], s[3]
		checkGemm(t, run, &kernel.Gemm[T]{
			M: m, N: n, K: k, Batch: b, BatchA: m * k, BatchB: 0, BatchC: m*n + 2,
			A: kernel.RowMajor(normal[T](r, b*m*k), k), B: kernel.RowMajor(normal[T](r, k*n), n),
			C: kernel.RowMajor(normal[T](r, b*(m*n+2)), n),
		}, eps)
	}
}

func TestGemm(t *testing.T) {
	levels(t, func(t *testing.T, k *kernel.Table) {
		t.Run("f32", func(t *testing.T) { gemmCases(t, k.Gemm32, 1.0/(1<<20)) })
		t.Run("f64", func(t *testing.T) { gemmCases(t, k.Gemm64, 1.0/(1<<48)) })
	})
}

func TestGemmPacked(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	levels(t, func(t *testing.T, k *kernel.Table) {
		for x, s := range [][3]int{{1, 40, 30}, {30, 1, 20}, {5, 7, 2}, {9, 33, 400}, {70, 600, 800}, {3, 5, 0}} {
			m, n, kk := s[0], s[1], s[2]
			b := matrix[float32](r, kk, n, x%4)
			g := &kernel.Gemm[float32]{
				M: m, N: n, K: kk, A: matrix[float32](r, m, kk, 0), B: b, C: matrix[float32](r, m, n, 0), Batch: 1 + x%2,
			}
			want := slices.Clone(g.C.Data)
			k.Gemm32(g, nil)
			copy(want, g.C.Data)
			clear(g.C.Data)
			g.Packed, g.B = k.PackB32(b, kk, n), kernel.View[float32]{}
			k.Gemm32(g, nil)
			if !slices.Equal(g.C.Data, want) {
				t.Errorf("%dx%dx%d: the packed product differs", m, n, kk)
			}
		}
	})
}

func TestGemmNotANumber(t *testing.T) {
	levels(t, func(t *testing.T, k *kernel.Table) {
		const n = 40
		a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
		a[3*n+5] = float32(math.NaN())
		b[7*n+9] = float32(math.Inf(1))
		k.Gemm32(&kernel.Gemm[float32]{
			M: n, N: n, K: n, A: kernel.RowMajor(a, n), B: kernel.RowMajor(b, n), C: kernel.RowMajor(c, n),
		}, nil)
		for i := range n {
			for j := range n {
				if got, want := c[i*n+j] != c[i*n+j], i == 3 || j == 9; got != want {
					t.Fatalf("C[%d,%d] = %v, want NaN %v", i, j, c[i*n+j], want)
				}
			}
		}
	})
}

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, l := range kernel.Levels() {
		k, _ := kernel.ForLevel(l)
		for _, s := range [][3]int{{8, 8, 8}, {32, 32, 32}, {128, 128, 64}, {512, 512, 512}, {128, 1024, 256}, {3136, 64, 576}, {1, 1024, 1024}, {1024, 1, 1024}} {
			m, n, kk := s[0], s[1], s[2]
			if l == kernel.LevelGo && m*n*kk > 1<<24 {
				continue
			}
			b.Run(fmt.Sprintf("level=%v/dtype=f32/dim=%dx%dx%d", l, m, n, kk), func(b *testing.B) {
				benchGemm(b, k.Gemm32, normal[float32](r, m*kk), normal[float32](r, kk*n), m, n, kk)
			})
			if m >= 512 {
				b.Run(fmt.Sprintf("level=%v/dtype=f64/dim=%dx%dx%d", l, m, n, kk), func(b *testing.B) {
					benchGemm(b, k.Gemm64, normal[float64](r, m*kk), normal[float64](r, kk*n), m, n, kk)
				})
			}
		}
	}
}

func benchGemm[T kernel.Float](b *testing.B, run func(*kernel.Gemm[T], kernel.Par), x, y []T, m, n, k int) {
	g := &kernel.Gemm[T]{
		M: m, N: n, K: k, A: kernel.RowMajor(x, k), B: kernel.RowMajor(y, n), C: kernel.RowMajor(make([]T, m*n), n),
	}
	b.ReportAllocs()
	for b.Loop() {
		run(g, nil)
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
