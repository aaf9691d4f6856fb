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

// add makes c += a b, of m x n and k inner, a with rows next to each other, c with rows of ldc.
func (f blocks) add(m, n, k int, a []float64, b kernel.View[float64], c []float64, ldc int) {
	if m > 0 && n > 0 {
		f.table.Gemm64(&kernel.Gemm[float64]{M: m, N: n, K: k, A: kernel.RowMajor(a, k), B: b, C: kernel.RowMajor(c, ldc), Accumulate: true}, f.par)
	}
}

// copied is m x n of rows of lda, next to each other: far apart they would be in each other's way in the caches.
func copied(a []float64, m, n, lda int) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		copy(c[i*n:(i+1)*n], a[i*lda:])
	}
	return c
}

func negated(a []float64) []float64 {
	c := make([]float64, len(a))
	for i, v := range a {
		c[i] = -v
	}
	return c
}

// cholesky is linalg.Cholesky of a lower triangle. Above the diagonal it may write anything.
func (f blocks) cholesky(a []float64, n int) (bad int) {
	for k := 0; k < n && bad == 0; k += panel {
		w, rows := min(panel, n-k), n-k
		p := copied(a[k*n+k:], rows, w, n)
		for j := range w {
			left := p[j*w : j*w+j]
			d := p[j*w+j] - f.table.F64.Dot(left, left)
			if !(d > 0) {
				p[j*w+j], bad = d, k+j+1
				break
			}
			d = math.Sqrt(d)
			p[j*w+j] = d
			for i := j + 1; i < rows; i++ {
				p[i*w+j] = (p[i*w+j] - f.table.F64.Dot(p[i*w:i*w+j], left)) / d
			}
		}
		for i := range rows {
			copy(a[(k+i)*n+k:], p[i*w:i*w+min(i+1, w)])
		}
		neg := negated(p)
		for i := w; i < rows && bad == 0; i += panel { // the lower triangle of what is left, a strip of columns at a time
			right := kernel.View[float64]{Data: p[i*w:], RowStride: 1, ColStride: w}
			f.add(rows-i, min(panel, rows-i), w, neg[i*w:], right, a[(k+i)*n+k+i:], n)
		}
	}
	return bad
}

// lu is linalg.LU.
func (f blocks) lu(a []float64, m, n int) (pivots []int, singular int) {
	pivots = make([]int, min(m, n))
	for k := 0; k < len(pivots); k += panel {
		w, rows := min(panel, len(pivots)-k), m-k
		p := copied(a[k*n+k:], rows, w, n)
		at := func(i int) []float64 { return p[i*w : (i+1)*w] }
		for j := range w {
			best := j
			for i := j + 1; i < rows; i++ {
				if math.Abs(p[i*w+j]) > math.Abs(p[best*w+j]) {
					best = i
				}
			}
			pivots[k+j] = k + best
			if p[best*w+j] == 0 {
				if singular == 0 {
					singular = k + j + 1
				}
				continue
			}
			swap(at(j), at(best))
			row := at(j)
			for i := j + 1; i < rows; i++ {
				r := at(i)
				r[j] /= row[j]
				f.table.F64.Axpy(r[j+1:], -r[j], row[j+1:])
			}
		}
		for j, best := range pivots[k : k+w] { // what is left and right of the panel
			if j += k; best != j {
				swap(a[j*n:j*n+k], a[best*n:best*n+k])
				swap(a[j*n+k+w:(j+1)*n], a[best*n+k+w:(best+1)*n])
			}
		}
		for i := range rows {
			copy(a[(k+i)*n+k:], at(i))
		}
		right := a[k*n+k+w:] // the rows of U there
		if k+w == n {
			break
		}
		for i := 1; i < w; i++ {
			for j := range i {
				f.table.F64.Axpy(right[i*n:i*n+n-k-w], -p[i*w+j], right[j*n:j*n+n-k-w])
			}
		}
		if rows > w {
			f.add(rows-w, n-k-w, w, negated(p[w*w:]), kernel.RowMajor(right, n), right[w*n:], n)
		}
	}
	return pivots, singular
}

func swap(x, y []float64) {
	for i := range x {
		x[i], y[i] = y[i], x[i]
	}
}

// solveRight is linalg.SolveTriangle with the triangle on the right, of order n: the transpose of that on the left.
func (f blocks) solveRight(a, b []float64, m, n int, lower, unit, transpose bool) []float64 {
	x := f.transposed(b, m, n)
	f.solve(a, x, n, m, lower, unit, !transpose)
	return f.transposed(x, n, m)
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
		a, lower = f.transposed(a, m, m), !lower
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
		if end := first + w; lower && end < m {
			f.add(m-end, n, w, negated(copied(a[end*m+first:], m-end, w, m)), known, b[end*n:], n)
		} else if !lower {
			f.add(first, n, w, negated(copied(a[first:], first, w, m)), known, b, n)
		}
	}
}

// transposed is the n x m transpose of a.
func (f blocks) transposed(a []float64, m, n int) []float64 {
	t := make([]float64, n*m)
	f.table.F64.Transpose(t, m, a, n, m, n)
	return t
}
