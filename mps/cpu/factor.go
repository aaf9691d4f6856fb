package cpu

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// double is matrix i of m, dense, in float64: factors are computed in that and rounded once.
func double(m op.Matrix, i int) []float64 {
	a := make([]float64, 0, m.Rows*m.Columns)
	for r := range m.Rows {
		for _, v := range view[float32](rowBytes(m, i, r)) {
			a = append(a, float64(v))
		}
	}
	return a
}

// store rounds the columns from(r) to to(r) of each row.
func store(m op.Matrix, i int, a []float64, columns func(row int) (from, to int)) {
	for r := range m.Rows {
		dst := view[float32](rowBytes(m, i, r))
		from, to := 0, m.Columns
		if columns != nil {
			from, to = columns(r)
		}
		for c := from; c < to; c++ {
			dst[c] = float32(a[r*m.Columns+c])
		}
	}
}

// each runs f for every matrix and returns the first that failed.
func (d *device) each(n int, f func(i int) error) (int, error) {
	if n == 1 {
		return 0, f(0)
	}
	errs := make([]error, n)
	d.pool.Run(n, func(i int) { errs[i] = f(i) })
	for i, err := range errs {
		if err != nil {
			return i, err
		}
	}
	return 0, nil
}

// blocks are for one of n matrices that each runs on.
func (d *device) blocks(n int) blocks {
	if n == 1 {
		return blocks{d.table, d.pool.Run}
	}
	return blocks{d.table, nil}
}

func (d *device) cholesky(o op.Cholesky) (int, error) {
	n := o.Source.Rows
	return d.each(o.Result.Count, func(i int) error {
		a, f := double(o.Source, i), d.blocks(o.Result.Count)
		if !o.Lower {
			a = f.transposed(a, n, n)
		}
		bad := f.cholesky(a, n)
		if !o.Lower {
			a = f.transposed(a, n, n)
		}
		store(o.Result, i, a, func(row int) (int, int) {
			if o.Lower {
				return 0, row + 1
			}
			return row, n
		})
		if bad > 0 {
			return fmt.Errorf("%w: its leading minor of order %d", op.ErrNotPositiveDefinite, bad)
		}
		return nil
	})
}

func (d *device) lu(o op.LU) (int, error) {
	return d.each(o.Result.Count, func(i int) error {
		a := double(o.Source, i)
		pivots, singular := d.blocks(o.Result.Count).lu(a, o.Source.Rows, o.Source.Columns)
		store(o.Result, i, a, nil)
		to := view[uint32](rowBytes(o.Pivots, i, 0))
		for j, p := range pivots {
			to[j] = uint32(p)
		}
		if singular > 0 {
			return fmt.Errorf("%w: its pivot %d of %d is zero", op.ErrSingular, singular, len(pivots))
		}
		return nil
	})
}

func (d *device) solveTriangular(o op.SolveTriangular) {
	x := o.Right
	_, _ = d.each(o.Result.Count, func(i int) error {
		b := double(x, i)
		for j := range b {
			b[j] *= o.Alpha
		}
		if a, f := double(o.Source, i), d.blocks(o.Result.Count); o.OnRight {
			b = f.solveRight(a, b, x.Rows, x.Columns, !o.Upper, o.Unit, o.Transpose)
		} else {
			f.solve(a, b, x.Rows, x.Columns, !o.Upper, o.Unit, o.Transpose)
		}
		store(o.Result, i, b, nil)
		return nil
	})
}

func (d *device) solveCholesky(o op.SolveCholesky) {
	m, n := o.Right.Rows, o.Right.Columns
	_, _ = d.each(o.Result.Count, func(i int) error {
		a, b := double(o.Source, i), double(o.Right, i)
		f := d.blocks(o.Result.Count)
		f.solve(a, b, m, n, o.Lower, false, !o.Lower)
		f.solve(a, b, m, n, o.Lower, false, o.Lower)
		store(o.Result, i, b, nil)
		return nil
	})
}

func (d *device) solveLU(o op.SolveLU) (int, error) {
	m, n := o.Right.Rows, o.Right.Columns
	return d.each(o.Result.Count, func(i int) error {
		pivots := view[uint32](rowBytes(o.Pivots, i, 0))
		for _, p := range pivots {
			if p >= uint32(m) {
				return fmt.Errorf("a pivot of %d in %d rows: %w", p, m, isthmus.ErrBounds)
			}
		}
		a, b := double(o.Source, i), double(o.Right, i)
		swap := func(r int) {
			if p := int(pivots[r]); p != r {
				for c := range n {
					b[r*n+c], b[p*n+c] = b[p*n+c], b[r*n+c]
				}
			}
		}
		f := d.blocks(o.Result.Count)
		if o.Transpose { // A^T = U^T L^T P
			f.solve(a, b, m, n, false, false, true)
			f.solve(a, b, m, n, true, true, true)
			for r := m - 1; r >= 0; r-- {
				swap(r)
			}
		} else {
			for r := range m {
				swap(r)
			}
			f.solve(a, b, m, n, true, true, false)
			f.solve(a, b, m, n, false, false, false)
		}
		store(o.Result, i, b, nil)
		return nil
	})
}
