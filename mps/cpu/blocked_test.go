package cpu_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/linalg"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
)

// Blocked factorisations and solves are the unblocked ones, at sizes around the panel's, of matrices of any shape.
func TestBlocked(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []float64 {
		a := make([]float64, n)
		for i := range a {
			a[i] = r.NormFloat64()
		}
		return a
	}
	near := func(what string, got, want []float64) {
		t.Helper()
		for i := range want {
			if d := math.Abs(got[i] - want[i]); !(d <= 1e-9*(1+math.Abs(want[i]))) {
				t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	sizes := []int{1, 2, 47, 48, 49, 95, 97, 150}
	for _, n := range sizes {
		a := random(n * n)
		for i := range n {
			for j := range i {
				a[j*n+i] = a[i*n+j]
			}
			a[i*n+i] = 3 * float64(n)
		}
		want := slices.Clone(a)
		if bad := linalg.Cholesky(want, n, true); bad != 0 {
			t.Fatalf("order %d: minor %d", n, bad)
		}
		got := slices.Clone(a)
		if bad := cpu.Cholesky(got, n); bad != 0 {
			t.Fatalf("order %d: minor %d", n, bad)
		}
		for i := range n {
			near("cholesky", got[i*n:i*n+i+1], want[i*n:i*n+i+1])
		}
		a[(n-1)*n+n-1] = -1
		if bad := cpu.Cholesky(slices.Clone(a), n); bad != n {
			t.Errorf("order %d, not positive at the end: minor %d", n, bad)
		}
		for _, m := range sizes {
			a := random(m * n)
			if m > 1 && n > 1 {
				copy(a[(m-1)*n:], make([]float64, n)) // a row of zeros
			}
			want, got := slices.Clone(a), slices.Clone(a)
			wp, ws := linalg.LU(want, m, n)
			gp, gs := cpu.LU(got, m, n)
			if !slices.Equal(wp, gp) || ws != gs {
				t.Fatalf("lu of %d x %d: pivots %v, singular %d; want %v, %d", m, n, gp, gs, wp, ws)
			}
			near("lu", got, want)
		}
		for _, k := range []int{1, 7, 8, 50} {
			for flags := range 8 {
				lower, unit, transpose := flags&1 > 0, flags&2 > 0, flags&4 > 0
				trans := linalg.None
				if transpose {
					trans = linalg.Transpose
				}
				tri, b := random(n*n), random(n*k)
				for i := range tri {
					tri[i] /= float64(n)
				}
				for i := range n {
					tri[i*n+i] = 2
				}
				want, got := slices.Clone(b), slices.Clone(b)
				linalg.SolveTriangle(tri, want, n, k, true, lower, unit, trans)
				cpu.Solve(tri, got, n, k, lower, unit, transpose)
				near("solve", got, want)
				want = slices.Clone(b)
				linalg.SolveTriangle(tri, want, k, n, false, lower, unit, trans)
				near("solve right", cpu.SolveRight(tri, b, k, n, lower, unit, transpose), want)
			}
		}
	}
}
