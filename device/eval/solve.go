package eval

import (
	"fmt"
	"math"
	"math/cmplx"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// matrices gives the number of matrices in the last two dimensions, and their sizes.
func matrices(t *Tensor) (count, rows, cols int, err error) {
	n := t.Type.Rank()
	if n < 2 {
		return 0, 0, 0, fmt.Errorf("operand %v is no matrix", t.Type)
	}
	return product(t.Type.Dims[:n-2]), int(t.Type.Dims[n-2]), int(t.Type.Dims[n-1]), nil
}

// cholesky factors each matrix into a triangle and its conjugate transpose. The other triangle of the result is zero;
// a matrix that is not positive definite gives NaN.
func cholesky(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.CholeskyAttr)
	t := in[0]
	count, n, m, err := matrices(t)
	if err != nil || n != m {
		return nil, fmt.Errorf("operand %v is not square", t.Type)
	}
	out, err := r.out(op, 0, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	v := asComplexes(t)
	for b := range count {
		if err := r.tick(); err != nil {
			return nil, err
		}
		x := v[b*n*n:][:n*n]
		// Only one triangle is read; work on the lower one.
		l := make([]complex128, n*n)
		for i := range n {
			for j := range i + 1 {
				if a.Lower {
					l[i*n+j] = x[i*n+j]
				} else {
					l[i*n+j] = cmplx.Conj(x[j*n+i])
				}
			}
		}
		choleskyLower(l, n)
		for i := range n {
			for j := range n {
				if a.Lower {
					x[i*n+j] = l[i*n+j]
				} else {
					x[i*n+j] = cmplx.Conj(l[j*n+i])
				}
			}
		}
	}
	encodeNumbers(out, v)
	return out, nil
}

// encodeNumbers stores complex numbers, or their real parts.
func encodeNumbers(t *Tensor, v []complex128) {
	if t.Type.Elem.IsComplex() {
		encodeComplex(t.Type.Elem, v, t.Data)
		return
	}
	re := make([]float64, len(v))
	for i, z := range v {
		re[i] = real(z)
	}
	encodeFloats(t.Type.Elem, re, t.Data)
}

func choleskyLower(l []complex128, n int) {
	for j := range n {
		d := real(l[j*n+j])
		for k := range j {
			z := l[j*n+k]
			d -= real(z)*real(z) + imag(z)*imag(z)
		}
		if d <= 0 || d != d {
			d = math.NaN()
		}
		d = math.Sqrt(d)
		l[j*n+j] = complex(d, 0)
		for i := j + 1; i < n; i++ {
			s := l[i*n+j]
			for k := range j {
				s -= l[i*n+k] * cmplx.Conj(l[j*n+k])
			}
			l[i*n+j] = complex(real(s)/d, imag(s)/d)
		}
	}
}

// triangularSolve solves op(a) x = b, or x op(a) = b.
func triangularSolve(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	at, _ := op.Attr.(stablehlo.TriangularSolveAttr)
	count, n, m, err := matrices(in[0])
	if err != nil || n != m {
		return nil, fmt.Errorf("operand %v is not square", in[0].Type)
	}
	bcount, rows, cols, err := matrices(in[1])
	if err != nil || bcount != count || (at.LeftSide && rows != n) || (!at.LeftSide && cols != n) {
		return nil, fmt.Errorf("operands %v and %v do not fit", in[0].Type, in[1].Type)
	}
	out, err := r.out(op, 0, in[1].Type.Dims)
	if err != nil {
		return nil, err
	}
	a, b := asComplexes(in[0]), asComplexes(in[1])
	for k := range count {
		if err := r.tick(); err != nil {
			return nil, err
		}
		solveTriangle(a[k*n*n:][:n*n], n, b[k*rows*cols:][:rows*cols], rows, cols, at)
	}
	encodeNumbers(out, b)
	return out, nil
}

// solveTriangle solves in place of b, which is rows by cols.
func solveTriangle(a []complex128, n int, b []complex128, rows, cols int, at stablehlo.TriangularSolveAttr) {
	transposed := at.Transpose == stablehlo.TransposeOnly || at.Transpose == stablehlo.Adjoint
	coeff := func(i, j int) complex128 { // of op(a)
		if transposed {
			i, j = j, i
		}
		z := a[i*n+j]
		if at.Transpose == stablehlo.Adjoint {
			z = cmplx.Conj(z)
		}
		return z
	}
	lower := at.Lower != transposed
	if !at.LeftSide { // x op(a) = b is op(a)^T x^T = b^T
		lower = !lower
	}
	other := cols
	cell := func(i, k int) *complex128 { return &b[i*cols+k] }
	m := coeff
	if !at.LeftSide {
		other = rows
		cell = func(i, k int) *complex128 { return &b[k*cols+i] }
		m = func(i, j int) complex128 { return coeff(j, i) }
	}
	for k := range other {
		for step := range n {
			i := step
			if !lower {
				i = n - 1 - step
			}
			s := *cell(i, k)
			if lower {
				for j := range i {
					s -= m(i, j) * *cell(j, k)
				}
			} else {
				for j := i + 1; j < n; j++ {
					s -= m(i, j) * *cell(j, k)
				}
			}
			if !at.UnitDiagonal {
				d := m(i, i)
				if imag(d) == 0 {
					s = complex(real(s)/real(d), imag(s)/real(d))
				} else {
					s = divComplex(s, d)
				}
			}
			*cell(i, k) = s
		}
	}
}
