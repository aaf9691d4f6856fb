package linalg

import "math"

// machine gives LAPACK's constants of a type: relative precision (half a unit in the last place of 1) and the smallest
// number whose reciprocal does not overflow.
func machine[R Real]() (eps, tiny R) {
	var zero R
	if _, ok := any(zero).(float32); ok {
		return R(math.Ldexp(1, -24)), R(math.Ldexp(1, -126))
	}
	return R(math.Ldexp(1, -53)), R(math.Ldexp(1, -1022))
}

func abs[R Real](x R) R {
	if x < 0 {
		return -x
	}
	return x
}

func sqrt[R Real](x R) R { return R(math.Sqrt(float64(x))) }

// sign is |a| with the sign of b.
func sign[R Real](a, b R) R { return R(math.Copysign(float64(a), float64(b))) }

func hypot[R Real](a, b R) R { return R(math.Hypot(float64(a), float64(b))) }

// givens makes a rotation with c*f + s*g = r and -s*f + c*g = 0 (LAPACK's lartg).
func givens[R Real](f, g R) (c, s, r R) {
	switch {
	case g == 0:
		return 1, 0, f
	case f == 0:
		return 0, sign(1, g), abs(g)
	}
	d := hypot(f, g)
	r = sign(d, f)
	return abs(f) / d, g / r, r
}

// rotation is one plane rotation of neighbours.
type rotation[R Real] struct{ c, s R }

// rotateRows applies rotation k to the rows first+k and first+k+1 of a, from the first to the last or backwards.
func rotateRows[S Scalar, R Real](a []S, n, first int, rots []rotation[R], backwards bool) {
	for k := range rots {
		if backwards {
			k = len(rots) - 1 - k
		}
		c, s := of[S](float64(rots[k].c), 0), of[S](float64(rots[k].s), 0)
		x, y := a[(first+k)*n:][:n], a[(first+k+1)*n:][:n]
		for j := range x {
			t := y[j]
			y[j] = c*t - s*x[j]
			x[j] = s*t + c*x[j]
		}
	}
}

// rotateColumns applies rotation k to the columns first+k and first+k+1 of a, which has n columns.
func rotateColumns[S Scalar, R Real](a []S, n, first int, rots []rotation[R], backwards bool) {
	if n == 0 {
		return
	}
	rows := len(a) / n
	for k := range rots {
		if backwards {
			k = len(rots) - 1 - k
		}
		c, s := of[S](float64(rots[k].c), 0), of[S](float64(rots[k].s), 0)
		for i := range rows {
			row := a[i*n+first+k:]
			t := row[1]
			row[1] = c*t - s*row[0]
			row[0] = s*t + c*row[0]
		}
	}
}

func identity[S Scalar](n int) []S {
	a := make([]S, n*n)
	for i := range n {
		a[i*n+i] = of[S](1, 0)
	}
	return a
}
