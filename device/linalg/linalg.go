// Package linalg factors and solves with dense matrices in plain Go, by LAPACK's unblocked algorithms: the results
// have LAPACK's conventions, such as the signs of reflectors and of singular vectors, because programs written for
// LAPACK can see them.
//
// Matrices are row-major slices without padding. Real matrices are float32 or float64, complex ones complex128. All
// functions are pure and safe for concurrent use on different data.
package linalg

import "math"

// Scalar is an element of a matrix.
type Scalar interface{ float32 | float64 | complex128 }

// Real is a singular value or an eigenvalue of a Hermitian matrix.
type Real interface{ float32 | float64 }

func conj[S Scalar](x S) S {
	if c, ok := any(x).(complex128); ok {
		return any(complex(real(c), -imag(c))).(S)
	}
	return x
}

func re[S Scalar](x S) float64 {
	switch v := any(x).(type) {
	case float32:
		return float64(v)
	case float64:
		return v
	case complex128:
		return real(v)
	}
	return 0
}

func im[S Scalar](x S) float64 {
	if c, ok := any(x).(complex128); ok {
		return imag(c)
	}
	return 0
}

func of[S Scalar](r, i float64) S {
	var zero S
	switch any(zero).(type) {
	case float32:
		return any(float32(r)).(S)
	case float64:
		return any(r).(S)
	}
	return any(complex(r, i)).(S)
}

// size is |re|+|im|, by which LAPACK picks pivots.
func size[S Scalar](x S) float64 { return math.Abs(re(x)) + math.Abs(im(x)) }

// norm is the Euclidean norm.
func norm[S Scalar](x []S) float64 {
	scale := 0.0
	for _, v := range x {
		scale = max(scale, math.Abs(re(v)), math.Abs(im(v)))
	}
	if scale == 0 || math.IsInf(scale, 0) {
		return scale
	}
	sum := 0.0
	for _, v := range x {
		a, b := re(v)/scale, im(v)/scale
		sum += a*a + b*b
	}
	if sum != sum {
		return sum
	}
	return scale * math.Sqrt(sum)
}

// smallest is a power of two whose reciprocal is far from overflow in S, and brings S's smallest number far above it.
func smallest[S Scalar]() float64 {
	var zero S
	if _, ok := any(zero).(float32); ok {
		return 0x1p-102
	}
	return 0x1p-969
}

// rescale multiplies a, where its largest element is so large or so small that a factorisation overflows or loses
// digits, by a power of two, and returns what brings the eigenvalues or singular values back. LAPACK does the same.
func rescale[S Scalar, R Real](a []S) (back R) {
	largest := 0.0
	for _, v := range a {
		largest = max(largest, math.Abs(re(v)), math.Abs(im(v)))
	}
	eps, tiny := machine[R]()
	low := math.Sqrt(float64(tiny)) / float64(eps)
	if largest == 0 || largest-largest != 0 || (low <= largest && largest <= 1/low) {
		return 1
	}
	limit := -math.Ilogb(float64(tiny)) - 22 // so that neither factor overflows
	shift := min(max(-math.Ilogb(largest), -limit), limit)
	for i := range a {
		a[i] *= of[S](math.Ldexp(1, shift), 0)
	}
	return R(math.Ldexp(1, -shift))
}

// reflector makes H = I - tau*v*v^H with v[0] = 1 such that H^H x = (beta, 0, …). It replaces x[1:] by v[1:] and x[0] by
// beta, and returns tau.
func reflector[S Scalar](x []S) (tau S) {
	if len(x) == 0 {
		return tau
	}
	rest := norm(x[1:])
	ar, ai := re(x[0]), im(x[0])
	if rest == 0 && ai == 0 {
		return tau
	}
	if safe := smallest[S](); max(math.Abs(ar), math.Abs(ai), rest) < safe {
		// The reciprocal below would overflow.
		for i := range x {
			x[i] *= of[S](1/safe, 0)
		}
		tau = reflector(x)
		x[0] *= of[S](safe, 0)
		return tau
	}
	beta := -math.Copysign(math.Hypot(math.Hypot(ar, ai), rest), ar)
	tau = of[S]((beta-ar)/beta, -ai/beta)
	scale := of[S](1, 0) / (x[0] - of[S](beta, 0))
	for i := range x[1:] {
		x[1+i] *= scale
	}
	x[0] = of[S](beta, 0)
	return tau
}

// applyLeft replaces the rows row… and columns from lo to hi of a, which has n columns, by (I - tau*v*v^H) times them;
// v[0] counts as 1.
func applyLeft[S Scalar](a []S, n, row, lo, hi int, v []S, tau S) {
	if tau == 0 {
		return
	}
	for j := lo; j < hi; j++ {
		sum := a[row*n+j]
		for i := 1; i < len(v); i++ {
			sum += conj(v[i]) * a[(row+i)*n+j]
		}
		sum *= tau
		a[row*n+j] -= sum
		for i := 1; i < len(v); i++ {
			a[(row+i)*n+j] -= v[i] * sum
		}
	}
}

// applyRight replaces the rows from lo to hi and columns col… of a by them times (I - tau*v*v^H); v[0] counts as 1.
func applyRight[S Scalar](a []S, n, col, lo, hi int, v []S, tau S) {
	if tau == 0 {
		return
	}
	for i := lo; i < hi; i++ {
		row := a[i*n+col:]
		sum := row[0]
		for j := 1; j < len(v); j++ {
			sum += row[j] * v[j]
		}
		sum *= tau
		row[0] -= sum
		for j := 1; j < len(v); j++ {
			row[j] -= sum * conj(v[j])
		}
	}
}

func column[S Scalar](a []S, n, row, col, count int) []S {
	v := make([]S, count)
	for i := range v {
		v[i] = a[(row+i)*n+col]
	}
	return v
}

func setColumn[S Scalar](a []S, n, row, col int, v []S) {
	for i, x := range v {
		a[(row+i)*n+col] = x
	}
}

// LU factors the m by n matrix a in place into P*L*U with partial pivoting: row i was exchanged with row pivots[i].
// singular is the number of the first pivot that is zero, counted from 1, or 0.
func LU[S Scalar](a []S, m, n int) (pivots []int, singular int) {
	pivots = make([]int, min(m, n))
	for j := range pivots {
		p := j
		for i := j + 1; i < m; i++ {
			if size(a[i*n+j]) > size(a[p*n+j]) {
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
		if p != j {
			for k := range n {
				a[j*n+k], a[p*n+k] = a[p*n+k], a[j*n+k]
			}
		}
		for i := j + 1; i < m; i++ {
			f := a[i*n+j] / a[j*n+j]
			a[i*n+j] = f
			for k := j + 1; k < n; k++ {
				a[i*n+k] -= f * a[j*n+k]
			}
		}
	}
	return pivots, singular
}

// Cholesky factors the n by n Hermitian matrix a in place: the lower triangle into L with a = L*L^H, or the upper one
// into U with a = U^H*U. The other triangle is not read or written. bad is the order of the first leading minor that
// is not positive, or 0.
func Cholesky[S Scalar](a []S, n int, lower bool) (bad int) {
	at := func(i, j int) S { // of the lower triangle
		if lower {
			return a[i*n+j]
		}
		return conj(a[j*n+i])
	}
	for j := range n {
		d := re(at(j, j))
		for k := range j {
			x := at(j, k)
			d -= re(x)*re(x) + im(x)*im(x)
		}
		if !(d > 0) {
			a[j*n+j] = of[S](d, 0)
			return j + 1
		}
		d = math.Sqrt(d)
		a[j*n+j] = of[S](d, 0)
		for i := j + 1; i < n; i++ {
			s := at(i, j)
			for k := range j {
				s -= at(i, k) * conj(at(j, k))
			}
			s /= of[S](d, 0)
			if lower {
				a[i*n+j] = s
			} else {
				a[j*n+i] = conj(s)
			}
		}
	}
	return 0
}

// QR factors the m by n matrix a in place into Q*R: R on and above the diagonal, below it the vectors of the
// reflectors H(i) = I - tau[i]*v*v^H whose product is Q.
func QR[S Scalar](a []S, m, n int) (tau []S) {
	tau = make([]S, min(m, n))
	for i := range tau {
		v := column(a, n, i, i, m-i)
		tau[i] = reflector(v)
		setColumn(a, n, i, i, v)
		applyLeft(a, n, i, i+1, n, v, conj(tau[i]))
	}
	return tau
}

// Q replaces the reflectors in the first len(tau) columns of the m by n matrix a, as QR leaves them, by the first n
// columns of their product.
func Q[S Scalar](a []S, m, n int, tau []S) {
	k := len(tau)
	vs := make([][]S, k)
	for i := range vs {
		vs[i] = column(a, n, i, i, m-i)
	}
	for i := range m {
		for j := range n {
			a[i*n+j] = 0
			if i == j {
				a[i*n+j] = of[S](1, 0)
			}
		}
	}
	for i := k - 1; i >= 0; i-- {
		applyLeft(a, n, i, i, n, vs[i], tau[i])
	}
}

// Op says what SolveTriangle does to the triangle first.
type Op uint8

// The operations.
const (
	None Op = iota + 1
	Transpose
	Adjoint
)

// SolveTriangle solves op(a)*x = b, or x*op(a) = b where left is false, in place of the m by n matrix b. Only one
// triangle of the square matrix a is read; unit says that its diagonal counts as ones.
func SolveTriangle[S Scalar](a, b []S, m, n int, left, lower, unit bool, op Op) {
	if len(b) == 0 {
		return // either dimension may still be of any length
	}
	k, other := m, n
	if !left {
		k, other = n, m
	}
	coeff := func(i, j int) S {
		if (op != None) == left { // of the matrix that stands left of the unknowns
			i, j = j, i
		}
		x := a[i*k+j]
		if op == Adjoint {
			x = conj(x)
		}
		return x
	}
	forward := lower == (op == None) == left
	for c := range other {
		at := func(i int) *S {
			if left {
				return &b[i*n+c]
			}
			return &b[c*n+i]
		}
		for step := range k {
			i, lo, hi := step, 0, step
			if !forward {
				i = k - 1 - step
				lo, hi = i+1, k
			}
			s := *at(i)
			for j := lo; j < hi; j++ {
				s -= coeff(i, j) * *at(j)
			}
			if !unit {
				s /= coeff(i, i)
			}
			*at(i) = s
		}
	}
}
