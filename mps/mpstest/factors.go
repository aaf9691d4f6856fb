package mpstest

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// heavy makes the diagonal of square matrices large, so that they are far from singular, and symmetric ones positive definite.
func heavy(m *mps.Matrix, symmetric bool) (tensor, error) {
	a, err := get(m)
	if err != nil {
		return a, err
	}
	for i := range a.count {
		for r := range a.rows {
			for c := range a.columns {
				if r == c {
					*a.at(i, r, c) = float64(a.rows) + 2 + math.Abs(*a.at(i, r, c))
				} else if symmetric && c > r {
					*a.at(i, r, c) = *a.at(i, c, r)
				}
				*a.at(i, r, c) = float64(float32(*a.at(i, r, c)))
			}
		}
	}
	if symmetric { // diagonally dominant
		for i := range a.count {
			for r := range a.rows {
				sum := 0.0
				for c := range a.columns {
					sum += math.Abs(*a.at(i, r, c))
				}
				*a.at(i, r, r) = float64(float32(sum + 1))
			}
		}
	}
	return a, put(m, a)
}

// near holds got to want: a factorisation is right when its factors multiply to what was factored, within roundings of its size.
func near(what string, got, want tensor, size float64) error {
	for i, w := range want.v {
		if off := 8 * eps * float64(want.rows+8) * size; !(math.Abs(got.v[i]-w) <= off) {
			return fmt.Errorf("%s: element %d of the product is %v; %v within %v is right", what, i, got.v[i], w, off)
		}
	}
	return nil
}

func choleskyCase(e *env) error {
	n, count, lower := e.dim(90), 1+e.rand.IntN(2), e.chance(50)
	columns := e.dim(20)
	var x, z, y *mps.Matrix
	if err := e.all([]**mps.Matrix{&x, &z, &y}, dtype.F32, [3]int{count, n, n}, [3]int{count, n, n}, [3]int{count, n, columns}); err != nil {
		return err
	}
	if e.chance(30) {
		z = x
	}
	a, err := heavy(x, true)
	if err != nil {
		return err
	}
	right, err := get(y)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) {
		b.Cholesky(z, x, lower)
		b.SolveCholesky(y, z, y, lower)
	}, z, y); err != nil {
		return err
	}
	got, err := get(z)
	if err != nil {
		return err
	}
	l := triangle(got, !lower, false)
	back := times(l, l.transposed())
	if !lower {
		back = times(l.transposed(), l)
	}
	if err := near(fmt.Sprintf("cholesky of %v", x), back, a, spread(a.v)); err != nil {
		return err
	}
	return solved(fmt.Sprintf("solve cholesky of %v", x), a, y, right)
}

// solved holds a x to right.
func solved(what string, a tensor, x *mps.Matrix, right tensor) error {
	got, err := get(x)
	if err != nil {
		return err
	}
	return near(what, times(a, got), right, spread(a.v)*(spread(got.v)+1)*4)
}

func luCase(e *env) error {
	n, count, transpose := e.dim(90), 1+e.rand.IntN(2), e.chance(50)
	columns := e.dim(20)
	var x, z, y, p *mps.Matrix
	if err := e.all([]**mps.Matrix{&x, &z, &y}, dtype.F32, [3]int{count, n, n}, [3]int{count, n, n}, [3]int{count, n, columns}); err != nil {
		return err
	}
	if err := e.all([]**mps.Matrix{&p}, dtype.U32, [3]int{count, 1, n}); err != nil {
		return err
	}
	if e.chance(30) {
		z = x
	}
	a, err := heavy(x, false)
	if err != nil {
		return err
	}
	for r := range a.rows / 2 { // the rows in another order, so that there is something to pivot
		for i := range a.count {
			for c := range a.columns {
				s, t := a.at(i, r, c), a.at(i, a.rows-1-r, c)
				*s, *t = *t, *s
			}
		}
	}
	if err := put(x, a); err != nil {
		return err
	}
	right, err := get(y)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) {
		b.LU(z, p, x)
		b.SolveLU(y, z, p, y, transpose)
	}, z, p, y); err != nil {
		return err
	}
	got, err := get(z)
	if err != nil {
		return err
	}
	pivots, err := get(p)
	if err != nil {
		return err
	}
	back := times(triangle(got, false, true), triangle(got, true, false))
	for i := range count {
		for r := n - 1; r >= 0; r-- {
			q := int(*pivots.at(i, 0, r))
			if q < r || q >= n {
				return fmt.Errorf("lu of %v: row %d was swapped with %d", x, r, q)
			}
			for c := range n {
				s, t := back.at(i, r, c), back.at(i, q, c)
				*s, *t = *t, *s
			}
		}
	}
	if err := near(fmt.Sprintf("lu of %v", x), back, a, spread(a.v)); err != nil {
		return err
	}
	if transpose {
		a = a.transposed()
	}
	return solved(fmt.Sprintf("solve lu of %v, transposed %v", x, transpose), a, y, right)
}

func solveTriangularCase(e *env) error {
	n, other, count, sources := e.dim(90), e.dim(20), 1+e.rand.IntN(2), 1
	if e.chance(60) {
		sources = count
	}
	opt := mps.SolveOptions{Upper: e.chance(50), Transpose: e.chance(50), Unit: e.chance(30), OnRight: e.chance(50), Alpha: e.factor()}
	shape := [3]int{count, n, other}
	if opt.OnRight {
		shape[1], shape[2] = other, n
	}
	var x, y, z *mps.Matrix
	if err := e.all([]**mps.Matrix{&x, &y, &z}, dtype.F32, [3]int{sources, n, n}, shape, shape); err != nil {
		return err
	}
	if e.chance(30) {
		z = y
	}
	a, err := heavy(x, false)
	if err != nil {
		return err
	}
	if opt.Unit { // ones on the diagonal need small numbers beside it
		for i := range a.v {
			a.v[i] = float64(float32(a.v[i] / float64(2*n)))
		}
		if err := put(x, a); err != nil {
			return err
		}
	}
	right, err := get(y)
	if err != nil {
		return err
	}
	if err := e.do(func(b *mps.Batch) { b.SolveTriangular(z, x, y, opt) }, z); err != nil {
		return err
	}
	got, err := get(z)
	if err != nil {
		return err
	}
	t := triangle(a, opt.Upper, opt.Unit)
	if opt.Transpose {
		t = t.transposed()
	}
	for i := range right.v {
		right.v[i] *= one(opt.Alpha)
	}
	back := times
	if opt.OnRight {
		back = func(x, y tensor) tensor { return times(y, x) }
	}
	return near(fmt.Sprintf("solve triangular %v %+v", y, opt), back(t, got), right, spread(t.v)*(spread(got.v)+1)*4+spread(right.v))
}
