package cpu

import (
	"math"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/linalg"
)

// panel is how many columns are factored at a time; what is right of them is then a matrix product.
const panel = 48

// blocks factors dense matrices of float64, most of it by matrix products. par is nil where the workers are busy with other matrices.
type blocks struct {
	table *kernel.Table
	par   kernel.Par
}

// minus makes c -= a b, of m x n and k inner, where a and c have rows of lda and ldc. a is copied with its signs turned.
func (f blocks) minus(m, n, k int, a []float64, lda int, b kernel.View[float64], c []float64, ldc int) {
	if m == 0 || n == 0 {
		return
	}
	neg := make([]float64, m*k)
	for i := range m {
		for j, v := range a[i*lda:][:k] {
			neg[i*k+j] = -v
		}
	}
	f.table.Gemm64(&kernel.Gemm[float64]{
		M: m, N: n, K: k, A: kernel.RowMajor(neg, k), B: b, C: kernel.RowMajor(c, ldc), Accumulate: true,
	}, f.par)
}

// cholesky is linalg.Cholesky of a lower triangle. Above the diagonal it may write anything.
func (f blocks) cholesky(a []float64, n int) (bad int) {
	for k := 0; k < n; k += panel {
		w := min(panel, n-k)
		for j := k; j < k+w; j++ {
			left := a[j*n+k : j*n+j]
			d := a[j*n+j] - f.table.F64.Dot(left, left)
			if !(d > 0) {
				a[j*n+j] = d
				return j + 1
			}
			d = math.Sqrt(d)
			a[j*n+j] = d
			for i := j + 1; i < n; i++ {
				a[i*n+j] = (a[i*n+j] - f.table.F64.Dot(a[i*n+k:i*n+j], left)) / d
			}
		}
		for j := k + w; j < n; j += panel { // the lower triangle of what is left, a strip of columns at a time
			right := kernel.View[float64]{Data: a[j*n+k:], RowStride: 1, ColStride: n}
			f.minus(n-j, min(panel, n-j), w, a[j*n+k:], n, right, a[j*n+j:], n)
		}
	}
	return 0
}

// lu is linalg.LU.
func (f blocks) lu(a []float64, m, n int) (pivots []int, singular int) {
	least := min(m, n)
	pivots = make([]int, least)
	for k := 0; k < least; k += panel {
		w := min(panel, least-k)
		for j := k; j < k+w; j++ {
			p := j
			for i := j + 1; i < m; i++ {
				if math.Abs(a[i*n+j]) > math.Abs(a[p*n+j]) {
					p = i
				}
			}
			pivots[j] = p
			if a[p*n+j] == 0 {
				if singular == 0 {
					singular = j + 1
				}
				continue
			}
			if p != j { // whole rows: those of the columns before, and those that are still to come
				x, y := a[j*n:][:n], a[p*n:][:n]
				for c := range x {
					x[c], y[c] = y[c], x[c]
				}
			}
			row := a[j*n+j+1 : j*n+k+w]
			for i := j + 1; i < m; i++ {
				v := a[i*n+j] / a[j*n+j]
				a[i*n+j] = v
				f.table.F64.Axpy(a[i*n+j+1:i*n+k+w], -v, row)
			}
		}
		right := k + w
		if right == n {
			break
		}
		for i := k + 1; i < k+w; i++ { // the rows of U right of the panel
			for j := k; j < i; j++ {
				f.table.F64.Axpy(a[i*n+right:i*n+n], -a[i*n+j], a[j*n+right:j*n+n])
			}
		}
		if right < m {
			f.minus(m-right, n-right, w, a[right*n+k:], n, kernel.RowMajor(a[k*n+right:], n), a[right*n+right:], n)
		}
	}
	return pivots, singular
}

// solve is linalg.SolveTriangle with the triangle on the left: by rows of the right sides where there are several, panel by panel.
func (f blocks) solve(a, b []float64, m, n int, lower, unit, transpose bool) {
	if n < 8 {
		trans := linalg.None
		if transpose {
			trans = linalg.Transpose
		}
		linalg.SolveTriangle(a, b, m, n, true, lower, unit, trans)
		return
	}
	if transpose { // the other triangle of the transposed matrix
		a, lower = transposed(a, m), !lower
	}
	row := func(i int) []float64 { return b[i*n : (i+1)*n] }
	for done := 0; done < m; done += panel {
		w := min(panel, m-done)
		first := done
		if !lower {
			first = m - done - w
		}
		for s := range w {
			i, from, to := first+s, first, first+s
			if !lower {
				i = first + w - 1 - s
				from, to = i+1, first+w
			}
			for j := from; j < to; j++ {
				f.table.F64.Axpy(row(i), -a[i*m+j], row(j))
			}
			if !unit {
				for c, v := range row(i) {
					b[i*n+c] = v / a[i*m+i]
				}
			}
		}
		known := kernel.RowMajor(b[first*n:], n)
		if lower {
			f.minus(m-first-w, n, w, a[min((first+w)*m+first, len(a)):], m, known, b[(first+w)*n:], n)
		} else {
			f.minus(first, n, w, a[first:], m, known, b, n)
		}
	}
}

func transposed(a []float64, n int) []float64 {
	t := make([]float64, n*n)
	for i := range n {
		for j := range n {
			t[j*n+i] = a[i*n+j]
		}
	}
	return t
}
