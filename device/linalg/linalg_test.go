package linalg_test

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/linalg"
)

// matrix is a reference in complex128 for matrices of any scalar.
type matrix struct {
	m, n int
	v    []complex128
}

func widen[S linalg.Scalar](v []S, m, n int) matrix {
	w := matrix{m, n, make([]complex128, m*n)}
	for i, x := range v {
		switch x := any(x).(type) {
		case float32:
			w.v[i] = complex(float64(x), 0)
		case float64:
			w.v[i] = complex(x, 0)
		case complex128:
			w.v[i] = x
		}
	}
	return w
}

func random[S linalg.Scalar](r *rand.Rand, n int) []S {
	v := make([]S, n)
	for i := range v {
		switch p := any(&v[i]).(type) {
		case *float32:
			*p = float32(r.NormFloat64())
		case *float64:
			*p = r.NormFloat64()
		case *complex128:
			*p = complex(r.NormFloat64(), r.NormFloat64())
		}
	}
	return v
}

func (a matrix) times(b matrix) matrix {
	c := matrix{a.m, b.n, make([]complex128, a.m*b.n)}
	for i := range a.m {
		for j := range b.n {
			for k := range a.n {
				c.v[i*b.n+j] += a.v[i*a.n+k] * b.v[k*b.n+j]
			}
		}
	}
	return c
}

func (a matrix) adjoint() matrix {
	c := matrix{a.n, a.m, make([]complex128, len(a.v))}
	for i := range a.m {
		for j := range a.n {
			c.v[j*a.m+i] = cmplx.Conj(a.v[i*a.n+j])
		}
	}
	return c
}

// keep keeps the elements that hold says, and puts ones on the diagonal if unit.
func (a matrix) keep(unit bool, hold func(i, j int) bool) matrix {
	c := matrix{a.m, a.n, make([]complex128, len(a.v))}
	for i := range a.m {
		for j := range a.n {
			switch {
			case unit && i == j:
				c.v[i*a.n+j] = 1
			case hold(i, j):
				c.v[i*a.n+j] = a.v[i*a.n+j]
			}
		}
	}
	return c
}

func identity(n int) matrix {
	return matrix{n, n, make([]complex128, n*n)}.keep(true, func(int, int) bool { return false })
}

func near(t *testing.T, what string, got, want matrix, tolerance float64) {
	t.Helper()
	if got.m != want.m || got.n != want.n {
		t.Fatalf("%s is %d by %d, want %d by %d", what, got.m, got.n, want.m, want.n)
	}
	for i, x := range got.v {
		if d := cmplx.Abs(x - want.v[i]); !(d <= tolerance) {
			t.Fatalf("%s: element %d is %v, want %v within %v", what, i, x, want.v[i], tolerance)
		}
	}
}

func diagonal[R linalg.Real](v []R, m, n int) matrix {
	d := matrix{m, n, make([]complex128, m*n)}
	for i, x := range v {
		d.v[i*n+i] = complex(float64(x), 0)
	}
	return d
}

func TestFactors(t *testing.T) {
	t.Run("f32", func(t *testing.T) { factors[float32, float32](t, 2e-4) })
	t.Run("f64", func(t *testing.T) { factors[float64, float64](t, 1e-11) })
	t.Run("c128", func(t *testing.T) { factors[complex128, float64](t, 1e-11) })
}

func factors[S linalg.Scalar, R linalg.Real](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range [][2]int{{0, 0}, {1, 1}, {2, 2}, {3, 5}, {5, 3}, {8, 8}, {30, 30}, {40, 7}, {7, 40}} {
		m, n := d[0], d[1]
		t.Run(fmt.Sprintf("%dx%d", m, n), func(t *testing.T) {
			a := random[S](r, m*n)
			want := widen(a, m, n)
			k := min(m, n)
			copied := func() []S { return append([]S(nil), a...) }

			lu := copied()
			pivots, bad := linalg.LU(lu, m, n)
			if bad != 0 {
				t.Errorf("LU: pivot %d is zero", bad)
			}
			w := widen(lu, m, n)
			l := matrix{m, k, make([]complex128, m*k)}
			u := matrix{k, n, make([]complex128, k*n)}
			for i := range m {
				for j := range n {
					if i > j {
						l.v[i*k+j] = w.v[i*n+j]
					} else {
						u.v[i*n+j] = w.v[i*n+j]
					}
				}
			}
			back := l.keep(true, func(i, j int) bool { return i > j }).times(u)
			for i := len(pivots) - 1; i >= 0; i-- {
				for j := range n {
					x, y := &back.v[i*n+j], &back.v[pivots[i]*n+j]
					*x, *y = *y, *x
				}
			}
			near(t, "P*L*U", back, want, tolerance)

			qr := copied()
			tau := linalg.QR(qr, m, n)
			w = widen(qr, m, n).keep(false, func(i, j int) bool { return i <= j })
			q := make([]S, m*m)
			for i := range m {
				copy(q[i*m:(i+1)*m], qr[i*n:][:min(n, m)])
			}
			linalg.Q(q, m, m, tau)
			qw := widen(q, m, m)
			near(t, "Q*R", qw.times(w), want, tolerance)
			near(t, "Q^H*Q", qw.adjoint().times(qw), identity(m), tolerance)

			values, us, vh, ok := linalg.SVD[S, R](copied(), m, n)
			if !ok {
				t.Fatal("SVD does not converge")
			}
			for i := 1; i < len(values); i++ {
				if values[i] > values[i-1] {
					t.Errorf("singular values %v are not descending", values)
				}
			}
			uw, vw := widen(us, m, m), widen(vh, n, n)
			near(t, "U*S*V^H", uw.times(diagonal(values, m, n)).times(vw), want, tolerance)
			near(t, "U^H*U", uw.adjoint().times(uw), identity(m), tolerance)
			near(t, "V^H*V", vw.times(vw.adjoint()), identity(n), tolerance)
		})
	}
}

func TestHermitian(t *testing.T) {
	t.Run("f32", func(t *testing.T) { hermitian[float32, float32](t, 1e-3) })
	t.Run("f64", func(t *testing.T) { hermitian[float64, float64](t, 1e-10) })
	t.Run("c128", func(t *testing.T) { hermitian[complex128, float64](t, 1e-10) })
}

func hermitian[S linalg.Scalar, R linalg.Real](t *testing.T, tolerance float64) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 3, 8, 33} {
		for _, lower := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/lower=%v", n, lower), func(t *testing.T) {
				b := widen(random[S](r, n*n), n, n)
				full := b.times(b.adjoint()) // positive definite
				a := make([]S, n*n)          // one triangle of it, and rubbish in the other
				for i := range n {
					for j := range n {
						x := complex(99, 0)
						if (i >= j) == lower || i == j {
							x = full.v[i*n+j]
						}
						switch p := any(&a[i*n+j]).(type) {
						case *float32:
							*p = float32(real(x))
						case *float64:
							*p = real(x)
						case *complex128:
							*p = x
						}
					}
				}
				c := append([]S(nil), a...)
				if bad := linalg.Cholesky(c, n, lower); bad != 0 {
					t.Fatalf("minor %d is not positive", bad)
				}
				f := widen(c, n, n).keep(false, func(i, j int) bool { return i == j || (i > j) == lower })
				if !lower {
					f = f.adjoint()
				}
				near(t, "L*L^H", f.times(f.adjoint()), full, tolerance)

				values, z, ok := linalg.Eigen[S, R](append([]S(nil), a...), n, lower)
				if !ok {
					t.Fatal("Eigen does not converge")
				}
				for i := 1; i < n; i++ {
					if values[i] < values[i-1] {
						t.Errorf("eigenvalues %v are not ascending", values)
					}
				}
				zw := widen(z, n, n)
				near(t, "Z*W*Z^H", zw.times(diagonal(values, n, n)).times(zw.adjoint()), full, tolerance)
				near(t, "Z^H*Z", zw.adjoint().times(zw), identity(n), tolerance)
			})
		}
	}
}

func TestSolveTriangle(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, left := range []bool{true, false} {
		for _, lower := range []bool{true, false} {
			for _, unit := range []bool{true, false} {
				for _, op := range []linalg.Op{linalg.None, linalg.Transpose, linalg.Adjoint} {
					t.Run(fmt.Sprintf("left=%v/lower=%v/unit=%v/op=%d", left, lower, unit, op), func(t *testing.T) {
						const m, n = 4, 3
						k := n
						if left {
							k = m
						}
						a := random[complex128](r, k*k)
						for i := range k {
							a[i*k+i] += 4
						}
						x := random[complex128](r, m*n)
						tri := widen(a, k, k).keep(unit, func(i, j int) bool { return i == j || (i > j) == lower })
						switch op {
						case linalg.Adjoint:
							tri = tri.adjoint()
						case linalg.Transpose:
							tri = tri.adjoint()
							for i, z := range tri.v {
								tri.v[i] = cmplx.Conj(z)
							}
						}
						want := widen(x, m, n)
						b := want.times(tri)
						if left {
							b = tri.times(want)
						}
						linalg.SolveTriangle(a, b.v, m, n, left, lower, unit, op)
						near(t, "x", b, want, 1e-10)
					})
				}
			}
		}
	}
}

// TestSolveNothing solves for matrices without elements, whose other dimension is huge.
func TestSolveNothing(t *testing.T) {
	for _, left := range []bool{true, false} {
		linalg.SolveTriangle([]float64{}, []float64{}, 1<<40, 0, left, true, false, linalg.None)
		linalg.SolveTriangle([]float64{}, []float64{}, 0, 1<<40, left, true, false, linalg.None)
	}
}

func TestFailures(t *testing.T) {
	if bad := linalg.Cholesky([]float64{1, 2, 2, 1}, 2, true); bad != 2 {
		t.Errorf("Cholesky of an indefinite matrix: %d, want 2", bad)
	}
	if _, bad := linalg.LU([]float64{1, 2, 2, 4}, 2, 2); bad != 2 {
		t.Errorf("LU of a singular matrix: %d, want 2", bad)
	}
	nan := math.NaN()
	if _, _, ok := linalg.Eigen[float64, float64]([]float64{1, nan, nan, nan, 1, nan, nan, nan, 1}, 3, true); ok {
		t.Error("Eigen of NaN converges")
	}
	if _, _, _, ok := linalg.SVD[float64, float64]([]float64{nan, 1, 2, 3, nan, 5, 6, 7, nan}, 3, 3); ok {
		t.Error("SVD of NaN converges")
	}
}

// LAPACK's conventions: R's diagonal has the sign opposite to the column's first element, tau = (beta-alpha)/beta.
func TestQRConvention(t *testing.T) {
	a := []float64{3, 1, 4, 2}
	tau := linalg.QR(a, 2, 2)
	if math.Abs(a[0]+5) > 1e-15 || math.Abs(tau[0]-1.6) > 1e-15 || math.Abs(a[2]-0.5) > 1e-15 {
		t.Errorf("QR gives %v with tau %v, want R[0,0] = -5, v[1] = 0.5, tau[0] = 1.6", a, tau)
	}
}

// A matrix whose elements are anywhere in a type's range is factored as well as any other, and one that holds infinity
// or NaN ends without convergence. Entries of 1e300 beside those of 1e-300 once made the singular values' loop endless.
func TestExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		m, n := 1+r.IntN(6), 1+r.IntN(6)
		extremes[float64, float64](t, r, m, n, 307, 290, 1e-13)
		extremes[complex128, float64](t, r, m, n, 307, 290, 1e-13)
		extremes[float32, float32](t, r, m, n, 38, 34, 1e-4)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for at := range 12 {
			a := random[float64](r, 12)
			a[at] = bad
			if _, _, _, ok := linalg.SVD[float64, float64](a, 4, 3); ok {
				t.Errorf("SVD with %v at %d converges", bad, at)
			}
		}
	}
}

// extremes factors a matrix with elements from 10^-down to 10^up.
func extremes[S linalg.Scalar, R linalg.Real](t *testing.T, r *rand.Rand, m, n, up, down int, bound float64) {
	t.Helper()
	draw := func() float64 { return (r.Float64() - 0.5) * math.Pow(10, float64(r.IntN(up+down)-down)) }
	if r.IntN(2) == 0 {
		power := math.Pow(10, float64(r.IntN(up+down)-down))
		draw = func() float64 { return (r.Float64() - 0.5) * power }
	}
	a, largest := make([]S, m*n), 0.0
	for i := range a {
		switch p := any(&a[i]).(type) {
		case *float32:
			*p = float32(draw())
		case *float64:
			*p = draw()
		case *complex128:
			*p = complex(draw(), draw())
		}
		largest = max(largest, cmplx.Abs(widen(a, m, n).v[i]))
	}
	if largest == 0 {
		return
	}
	values, u, vh, ok := linalg.SVD[S, R](append([]S(nil), a...), m, n)
	if !ok {
		t.Fatalf("the singular values of %v do not converge", a)
	}
	us, want := widen(u, m, m), widen(a, m, n)
	for i := range m {
		for j := range m {
			if j >= len(values) {
				us.v[i*m+j] = 0
			} else {
				us.v[i*m+j] *= complex(float64(values[j])/largest, 0)
			}
		}
	}
	tall := matrix{m, n, make([]complex128, m*n)}
	for i := range m {
		for j := range min(m, n) {
			tall.v[i*n+j] = us.v[i*m+j]
		}
	}
	got := tall.times(widen(vh, n, n))
	for i, w := range want.v {
		w /= complex(largest, 0)
		if !(cmplx.Abs(got.v[i]-w) <= bound) {
			t.Fatalf("%v: U*S*VH differs by %g of the largest element", a, cmplx.Abs(got.v[i]-w))
		}
	}
}
