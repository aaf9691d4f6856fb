package linalg

// Eigen finds the eigenvalues of the n by n Hermitian matrix a, of which one triangle is read, in ascending order, and
// the eigenvectors as columns of vectors. a is overwritten. ok is false where the iteration does not converge, which
// only NaN and infinity cause.
func Eigen[S Scalar, R Real](a []S, n int, lower bool) (values []R, vectors []S, ok bool) {
	for i := range n {
		for j := range i {
			if !lower {
				a[i*n+j] = conj(a[j*n+i])
			}
			a[j*n+i] = of[S](0, 0) // not read, and of no influence on the scale
		}
	}
	back := rescale[S, R](a)
	d, e, vs, taus := tridiagonal[S, R](a, n)
	z := identity[S](n)
	ok = implicitQL(d, e, z, n)
	for i := range d {
		d[i] *= back
	}
	for i := len(vs) - 1; i >= 0; i-- {
		applyLeft(z, n, i+1, 0, n, vs[i], taus[i])
	}
	return d, z, ok
}

// tridiagonal reduces the Hermitian matrix a, of which the lower triangle is read, to Q*T*Q^H with T real: d is T's
// diagonal, e the one beside it, and Q the product of the reflectors with vectors vs, the i-th from row i+1 on.
func tridiagonal[S Scalar, R Real](a []S, n int) (d, e []R, vs [][]S, taus []S) {
	d, e = make([]R, n), make([]R, max(n-1, 0))
	for i := range e {
		m := n - 1 - i
		v := column(a, n, i+1, i, m)
		tau := reflector(v)
		e[i] = R(re(v[0]))
		if tau != 0 {
			v[0] = of[S](1, 0)
			at := func(p, q int) S {
				if p < q {
					return conj(a[(i+1+q)*n+i+1+p])
				}
				if p == q {
					return of[S](re(a[(i+1+p)*n+i+1+p]), 0)
				}
				return a[(i+1+p)*n+i+1+q]
			}
			w := make([]S, m)
			var dot S
			for p := range w {
				for q := range v {
					w[p] += at(p, q) * v[q]
				}
				w[p] *= tau
				dot += conj(w[p]) * v[p]
			}
			half := of[S](-0.5, 0) * tau * dot
			for p := range w {
				w[p] += half * v[p]
			}
			for p := range w {
				for q := range p + 1 {
					a[(i+1+p)*n+i+1+q] -= v[p]*conj(w[q]) + w[p]*conj(v[q])
				}
			}
		}
		d[i] = R(re(a[i*n+i]))
		vs, taus = append(vs, v), append(taus, tau)
	}
	if n > 0 {
		d[n-1] = R(re(a[n*n-1]))
	}
	return d, e, vs, taus
}

// symmetric2 finds the eigenvalues of [[a, b], [b, c]], the larger in magnitude first, and its unit eigenvector.
func symmetric2[R Real](a, b, c R) (rt1, rt2, cs, sn R) {
	sm, df := a+c, a-c
	tb := b + b
	big, small := a, c
	if abs(a) <= abs(c) {
		big, small = c, a
	}
	rt := hypot(df, tb)
	sgn1 := R(1)
	switch {
	case sm < 0:
		rt1, sgn1 = 0.5*(sm-rt), -1
		rt2 = big/rt1*small - b/rt1*b
	case sm > 0:
		rt1 = 0.5 * (sm + rt)
		rt2 = big/rt1*small - b/rt1*b
	default:
		rt1, rt2 = 0.5*rt, -0.5*rt
	}
	sgn2 := R(1)
	if df >= 0 {
		cs = df + rt
	} else {
		cs, sgn2 = df-rt, -1
	}
	switch {
	case abs(cs) > abs(tb):
		ct := -tb / cs
		sn = 1 / sqrt(1+ct*ct)
		cs = ct * sn
	case tb == 0:
		cs, sn = 1, 0
	default:
		tn := -cs / tb
		cs = 1 / sqrt(1+tn*tn)
		sn = tn * cs
	}
	if sgn1 == sgn2 {
		cs, sn = -sn, cs
	}
	return rt1, rt2, cs, sn
}

// implicitQL finds the eigenvalues of the tridiagonal matrix (d, e) and multiplies its rotations into the columns of z
// (LAPACK's steqr). d becomes ascending.
func implicitQL[S Scalar, R Real](d, e []R, z []S, n int) bool {
	eps, tiny := machine[R]()
	left := 30 * n // iterations
	for l1 := 0; l1 < n; {
		if l1 > 0 {
			e[l1-1] = 0
		}
		m := l1
		for ; m < n-1; m++ {
			t := abs(e[m])
			if t == 0 {
				break
			}
			if t <= sqrt(abs(d[m]))*sqrt(abs(d[m+1]))*eps {
				e[m] = 0
				break
			}
		}
		l, end := l1, m
		l1 = m + 1
		if abs(d[end]) < abs(d[l]) {
			l, end = end, l
		}
		var ok bool
		if end >= l {
			ok = sweepQL(d, e, z, n, l, end, eps, tiny, &left)
		} else {
			ok = sweepQR(d, e, z, n, l, end, eps, tiny, &left)
		}
		if !ok {
			return false
		}
	}
	for i := range n { // selection sort moves each vector at most once
		k := i
		for j := i + 1; j < n; j++ {
			if d[j] < d[k] {
				k = j
			}
		}
		if k != i {
			d[i], d[k] = d[k], d[i]
			for r := range n {
				z[r*n+i], z[r*n+k] = z[r*n+k], z[r*n+i]
			}
		}
	}
	return true
}

func sweepQL[S Scalar, R Real](d, e []R, z []S, n, l, end int, eps, tiny R, left *int) bool {
	for l <= end {
		m := l
		for ; m < end; m++ {
			if e[m]*e[m] <= eps*eps*abs(d[m])*abs(d[m+1])+tiny {
				break
			}
		}
		if m < end {
			e[m] = 0
		}
		p := d[l]
		if m == l {
			l++
			continue
		}
		if m == l+1 {
			rt1, rt2, c, s := symmetric2(d[l], e[l], d[l+1])
			rotateColumns(z, n, l, []rotation[R]{{c, s}}, true)
			d[l], d[l+1], e[l] = rt1, rt2, 0
			l += 2
			continue
		}
		if *left--; *left < 0 || p != p {
			return false
		}
		g := (d[l+1] - p) / (2 * e[l])
		r := hypot(g, 1)
		g = d[m] - p + e[l]/(g+sign(r, g))
		s, c := R(1), R(1)
		p = 0
		rots := make([]rotation[R], m-l)
		for i := m - 1; i >= l; i-- {
			f, b := s*e[i], c*e[i]
			c, s, r = givens(g, f)
			if i != m-1 {
				e[i+1] = r
			}
			g = d[i+1] - p
			r = (d[i]-g)*s + 2*c*b
			p = s * r
			d[i+1] = g + p
			g = c*r - b
			rots[i-l] = rotation[R]{c, -s}
		}
		rotateColumns(z, n, l, rots, true)
		d[l] -= p
		e[l] = g
	}
	return true
}

func sweepQR[S Scalar, R Real](d, e []R, z []S, n, l, end int, eps, tiny R, left *int) bool {
	for l >= end {
		m := l
		for ; m > end; m-- {
			if e[m-1]*e[m-1] <= eps*eps*abs(d[m])*abs(d[m-1])+tiny {
				break
			}
		}
		if m > end {
			e[m-1] = 0
		}
		p := d[l]
		if m == l {
			l--
			continue
		}
		if m == l-1 {
			rt1, rt2, c, s := symmetric2(d[l-1], e[l-1], d[l])
			rotateColumns(z, n, l-1, []rotation[R]{{c, s}}, false)
			d[l-1], d[l], e[l-1] = rt1, rt2, 0
			l -= 2
			continue
		}
		if *left--; *left < 0 || p != p {
			return false
		}
		g := (d[l-1] - p) / (2 * e[l-1])
		r := hypot(g, 1)
		g = d[m] - p + e[l-1]/(g+sign(r, g))
		s, c := R(1), R(1)
		p = 0
		rots := make([]rotation[R], l-m)
		for i := m; i < l; i++ {
			f, b := s*e[i], c*e[i]
			c, s, r = givens(g, f)
			if i != m {
				e[i-1] = r
			}
			g = d[i] - p
			r = (d[i+1]-g)*s + 2*c*b
			p = s * r
			d[i] = g + p
			g = c*r - b
			rots[i-m] = rotation[R]{c, s}
		}
		rotateColumns(z, n, m, rots, false)
		d[l] -= p
		e[l-1] = g
	}
	return true
}
