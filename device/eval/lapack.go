package eval

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/device/linalg"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// scalars decodes the elements of a float or complex tensor.
func scalars[S linalg.Scalar](t *Tensor) []S {
	v := make([]S, t.Len())
	switch v := any(v).(type) {
	case []complex128:
		copy(v, asComplexes(t))
	case []float64:
		copy(v, asFloats(t))
	case []float32:
		for i, x := range asFloats(t) {
			v[i] = float32(x)
		}
	}
	return v
}

// setScalars stores the elements of a result; nothing verifies that the program gave it a type that holds them.
func setScalars[S linalg.Scalar](t *Tensor, v []S) error {
	kind := dtype.Float
	if _, ok := any(v).([]complex128); ok {
		kind = dtype.Complex
	}
	if t.Len() != len(v) || t.Type.Elem.Kind() != kind {
		return fmt.Errorf("result %v for %d elements", t.Type, len(v))
	}
	switch v := any(v).(type) {
	case []complex128:
		encodeComplex(t.Type.Elem, v, t.Data)
	case []float64:
		encodeFloats(t.Type.Elem, v, t.Data)
	case []float32:
		w := make([]float64, len(v))
		for i, x := range v {
			w[i] = float64(x)
		}
		encodeFloats(t.Type.Elem, w, t.Data)
	}
	return nil
}

// setInts stores a list of integers.
func setInts(t *Tensor, v []int64) error {
	if t.Len() != len(v) || !t.Type.Elem.IsInt() {
		return fmt.Errorf("result %v for %d integers", t.Type, len(v))
	}
	encodeInts(t.Type.Elem, v, t.Data)
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// algebra is one call of a routine over a batch of matrices.
type algebra struct {
	r    *runner
	op   *stablehlo.Op
	a    *stablehlo.CustomCallAttr
	in   []*Tensor
	outs []*Tensor
}

// letter is an option of a LAPACK routine, such as 'L' for uplo.
func (x *algebra) letter(name string, def byte) byte {
	return byte(configInt(x.op, x.a, name, int64(def)))
}

// lapack runs the routines that JAX calls on CPUs: lapack_spotrf_ffi and its like. The element type of the operands
// counts, not the letter in the name.
func (r *runner) lapack(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(a.Target, "lapack_"), "_ffi")
	if len(name) < 2 {
		return nil, fmt.Errorf("target %q: %w", a.Target, ErrUnsupported)
	}
	return r.algebra(op, a, in, name[1:])
}

func (r *runner) algebra(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value, routine string) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	if len(ts) == 0 {
		return nil, fmt.Errorf("has no operands")
	}
	for _, t := range ts {
		if t.Type.Elem.Kind() != dtype.Float && t.Type.Elem.Kind() != dtype.Complex {
			return nil, fmt.Errorf("operand %v: %w", t.Type, ErrUnsupported)
		}
	}
	x := &algebra{r: r, op: op, a: a, in: ts}
	values := make([]Value, len(op.Results))
	for i, v := range op.Results {
		if !v.Type.Static() {
			return nil, fmt.Errorf("result %d of unknown shape: %w", i, ErrUnsupported)
		}
		t, err := r.out(op, i, v.Type.Dims)
		if err != nil {
			return nil, err
		}
		x.outs = append(x.outs, t)
		values[i] = t
	}
	switch ts[0].Type.Elem {
	case dtype.C64, dtype.C128:
		err = runAlgebra[complex128, float64](x, routine)
	case dtype.F64:
		err = runAlgebra[float64, float64](x, routine)
	default:
		err = runAlgebra[float32, float32](x, routine)
	}
	if err != nil {
		return nil, err
	}
	return values, nil
}

func runAlgebra[S linalg.Scalar, R linalg.Real](x *algebra, routine string) error {
	count, m, n, err := matrices(x.in[0])
	if err != nil {
		return err
	}
	want := map[string][2]int{ // operands, results
		"potrf": {1, 2}, "getrf": {1, 3}, "geqrf": {1, 2}, "orgqr": {2, 1}, "ungqr": {2, 1}, "syevd": {1, 3},
		"heevd": {1, 3}, "gesdd": {1, 5}, "gesvd": {1, 5}, "trsm": {2, 1},
	}[routine]
	if want[0] == 0 {
		return fmt.Errorf("target %q: %w", x.a.Target, ErrUnsupported)
	}
	if len(x.in) != want[0] || len(x.outs) != want[1] {
		return fmt.Errorf("target %q has %d operands and %d results, want %d and %d",
			x.a.Target, len(x.in), len(x.outs), want[0], want[1])
	}
	switch routine {
	case "potrf", "syevd", "heevd":
		if m != n {
			return fmt.Errorf("operand %v is not square", x.in[0].Type)
		}
	}
	done, err := x.r.scratch(x.op, x.in[0].Len(), 48) // the matrices, and factors of one to four times their size
	if err != nil {
		return err
	}
	defer done()
	v := scalars[S](x.in[0])
	each := func(f func(b int, a []S) error) error {
		for b := range count {
			if err := x.r.tick(); err != nil {
				return err
			}
			if err := f(b, v[b*m*n:][:m*n]); err != nil {
				return err
			}
		}
		return nil
	}
	switch routine {
	case "potrf":
		lower := x.letter("uplo", 'L') == 'L'
		info := make([]int64, count)
		err := each(func(b int, a []S) error {
			info[b] = int64(linalg.Cholesky(a, n, lower))
			return nil
		})
		return first(err, setScalars(x.outs[0], v), setInts(x.outs[1], info))
	case "getrf":
		var pivots []int64
		info := make([]int64, count)
		err := each(func(b int, a []S) error {
			p, bad := linalg.LU(a, m, n)
			for _, i := range p {
				pivots = append(pivots, int64(i+1))
			}
			info[b] = int64(bad)
			return nil
		})
		return first(err, setScalars(x.outs[0], v), setInts(x.outs[1], pivots), setInts(x.outs[2], info))
	case "geqrf":
		var taus []S
		err := each(func(_ int, a []S) error {
			taus = append(taus, linalg.QR(a, m, n)...)
			return nil
		})
		return first(err, setScalars(x.outs[0], v), setScalars(x.outs[1], taus))
	case "orgqr", "ungqr":
		taus := scalars[S](x.in[1])
		k := len(taus) / max(1, count)
		if k > n || n > m || k*count != len(taus) {
			return fmt.Errorf("operands %v and %v do not fit", x.in[0].Type, x.in[1].Type)
		}
		err := each(func(b int, a []S) error {
			linalg.Q(a, m, n, taus[b*k:][:k])
			return nil
		})
		return first(err, setScalars(x.outs[0], v))
	case "syevd", "heevd":
		return eigen[S, R](x, v, n, each)
	case "gesdd", "gesvd":
		return singular[S, R](x, v, m, n, each)
	}
	return triangle(x, v)
}

func eigen[S linalg.Scalar, R linalg.Real](
	x *algebra, v []S, n int, each func(func(b int, a []S) error) error,
) error {
	lower := x.letter("uplo", 'L') == 'L'
	var values []R
	info := make([]int64, x.outs[2].Len())
	err := each(func(b int, a []S) error {
		w, z, ok := linalg.Eigen[S, R](a, n, lower)
		copy(v[b*n*n:], z)
		values = append(values, w...)
		if b < len(info) {
			info[b] = 1 - boolInt(ok)
		}
		return nil
	})
	return first(err, setScalars(x.outs[0], v), setReals(x.outs[1], values), setInts(x.outs[2], info))
}

func setReals[R linalg.Real](t *Tensor, v []R) error {
	w := make([]float64, len(v))
	for i, r := range v {
		w[i] = float64(r)
	}
	return setScalars(t, w)
}

func singular[S linalg.Scalar, R linalg.Real](
	x *algebra, v []S, m, n int, each func(func(b int, a []S) error) error,
) error {
	var values []R
	var us, vs []S
	info := make([]int64, x.outs[4].Len())
	uRank, vRank := x.outs[2].Type.Rank(), x.outs[3].Type.Rank()
	if uRank < 2 || vRank < 2 {
		return fmt.Errorf("results %v and %v are no matrices", x.outs[2].Type, x.outs[3].Type)
	}
	uCols, vRows := int(x.outs[2].Type.Dims[uRank-1]), int(x.outs[3].Type.Dims[vRank-2])
	if x.letter("mode", 'A') != 'N' && (uCols > m || vRows > n) {
		return fmt.Errorf("results %v and %v for operand %v", x.outs[2].Type, x.outs[3].Type, x.in[0].Type)
	}
	err := each(func(b int, a []S) error {
		w, u, vh, ok := linalg.SVD[S, R](append([]S(nil), a...), m, n)
		values = append(values, w...)
		if x.letter("mode", 'A') != 'N' {
			for i := range m {
				us = append(us, u[i*m:][:uCols]...)
			}
			vs = append(vs, vh[:vRows*n]...)
		}
		if b < len(info) {
			info[b] = 1 - boolInt(ok)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if us != nil {
		if err := first(setScalars(x.outs[2], us), setScalars(x.outs[3], vs)); err != nil {
			return err
		}
	}
	if x.outs[0].Len() == len(v) {
		err = setScalars(x.outs[0], v)
	}
	return first(err, setReals(x.outs[1], values), setInts(x.outs[4], info))
}

func triangle[S linalg.Scalar](x *algebra, a []S) error {
	op := linalg.None
	switch x.letter("trans_x", 'N') {
	case 'T':
		op = linalg.Transpose
	case 'C':
		op = linalg.Adjoint
	}
	return solve(x.r, x.in[0], x.in[1], x.outs[0], a, triangleOptions{
		left: x.letter("side", 'L') == 'L', lower: x.letter("uplo", 'L') == 'L', unit: x.letter("diag", 'N') == 'U', op: op,
	})
}

type triangleOptions struct {
	left, lower, unit bool
	op                linalg.Op
}

// solve solves a batch of triangular systems: a holds ta's elements.
func solve[S linalg.Scalar](r *runner, ta, tb, out *Tensor, a []S, o triangleOptions) error {
	count, rows, n, err := matrices(ta)
	if err != nil || rows != n {
		return fmt.Errorf("operand %v is not square", ta.Type)
	}
	bcount, m, k, err := matrices(tb)
	if err != nil || bcount != count || (o.left && m != n) || (!o.left && k != n) || out.Len() != tb.Len() {
		return fmt.Errorf("operands %v and %v do not fit", ta.Type, tb.Type)
	}
	b := scalars[S](tb)
	for i := range count {
		if err := r.tick(); err != nil {
			return err
		}
		linalg.SolveTriangle(a[i*n*n:][:n*n], b[i*m*k:][:m*k], m, k, o.left, o.lower, o.unit, o.op)
	}
	return setScalars(out, b)
}
