package eval

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/device/linalg"
	"github.com/isthmus-ffi/isthmus/dtype"
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
	out, err := r.out(op, 0, in[0].Type.Dims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, in[0].Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	if in[0].Type.Elem.IsComplex() {
		err = choleskyOf[complex128](r, in[0], out, a.Lower)
	} else {
		err = choleskyOf[float64](r, in[0], out, a.Lower)
	}
	return out, err
}

func choleskyOf[S linalg.Scalar](r *runner, t, out *Tensor, lower bool) error {
	count, n, m, err := matrices(t)
	if err != nil || n != m {
		return fmt.Errorf("operand %v is not square", t.Type)
	}
	v := scalars[S](t)
	for b := range count {
		if err := r.tick(); err != nil {
			return err
		}
		x := v[b*n*n:][:n*n]
		bad := linalg.Cholesky(x, n, lower)
		for i := range n {
			for j := range n {
				switch {
				case (j > i) == lower && i != j:
					x[i*n+j] = 0
				case bad != 0:
					x[i*n+j] = notANumber[S]()
				}
			}
		}
	}
	return setScalars(out, v)
}

func notANumber[S linalg.Scalar]() S {
	var s S
	switch p := any(&s).(type) {
	case *float32:
		*p = float32(math.NaN())
	case *float64:
		*p = math.NaN()
	case *complex128:
		*p = complex(math.NaN(), math.NaN())
	}
	return s
}

// triangularSolve solves op(a) x = b, or x op(a) = b.
func triangularSolve(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.TriangularSolveAttr)
	o := triangleOptions{left: a.LeftSide, lower: a.Lower, unit: a.UnitDiagonal, op: linalg.None}
	switch a.Transpose {
	case stablehlo.TransposeOnly:
		o.op = linalg.Transpose
	case stablehlo.Adjoint:
		o.op = linalg.Adjoint
	}
	done, err := r.scratch(op, in[0].Len()+in[1].Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := r.out(op, 0, in[1].Type.Dims)
	if err != nil {
		return nil, err
	}
	switch in[0].Type.Elem {
	case dtype.C64, dtype.C128:
		err = solve(r, in[0], in[1], out, scalars[complex128](in[0]), o)
	case dtype.F32:
		err = solve(r, in[0], in[1], out, scalars[float32](in[0]), o)
	default:
		err = solve(r, in[0], in[1], out, scalars[float64](in[0]), o)
	}
	return out, err
}
