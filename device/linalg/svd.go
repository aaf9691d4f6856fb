package linalg

import "math"

// SVD factors the m by n matrix a, which it overwrites, into U*diag(values)*VH with values descending. U is m by m and
// VH n by n; a caller that wants the economic form takes the first columns and rows. ok is false where the iteration
// does not converge, which only NaN and infinity cause.
func SVD[S Scalar, R Real](a []S, m, n int) (values []R, u, vh []S, ok bool) {
	if m < n {
		t := make([]S, m*n)
		for i := range m {
			for j := range n {
				t[j*m+i] = conj(a[i*n+j])
			}
		}
		// a^H = V S U^H
		values, v, uh, ok := SVD[S, R](t, n, m)
		return values, adjoint(uh, m), adjoint(v, n), ok
	}
	back := rescale[S, R](a)
	d, e, left, tauq, right, taup := bidiagonal[S, R](a, m, n)
	ub, vb := identity[S](n), identity[S](n)
	ok = bidiagonalQR(d, e, vb, ub, n)
	for i := range d {
		d[i] *= back
	}
	u = make([]S, m*m)
	for i := range m {
		if i < n {
			copy(u[i*m:], ub[i*n:][:n])
		} else {
			u[i*m+i] = of[S](1, 0)
		}
	}
	for i := len(left) - 1; i >= 0; i-- {
		applyLeft(u, m, i, 0, m, left[i], tauq[i])
	}
	for i := len(right) - 1; i >= 0; i-- {
		applyRight(vb, n, i+1, 0, n, right[i], conj(taup[i]))
	}
	return d, u, vb, ok
}

func adjoint[S Scalar](a []S, n int) []S {
	t := make([]S, len(a))
	for i := range n {
		for j := range n {
			t[j*n+i] = conj(a[i*n+j])
		}
	}
	return t
}

// bidiagonal reduces a, m by n with m >= n, to Q*B*P^H with B real and upper bidiagonal (LAPACK's gebd2).
func bidiagonal[S Scalar, R Real](a []S, m, n int) (d, e []R, left [][]S, tauq []S, right [][]S, taup []S) {
	d, e = make([]R, n), make([]R, max(n-1, 0))
	for i := range n {
		v := column(a, n, i, i, m-i)
		tau := reflector(v)
		d[i] = R(re(v[0]))
		left, tauq = append(left, v), append(tauq, tau)
		applyLeft(a, n, i, i+1, n, v, conj(tau))
		if i == n-1 {
			break
		}
		w := make([]S, n-1-i)
		for j := range w {
			w[j] = conj(a[i*n+i+1+j])
		}
		tau = reflector(w)
		e[i] = R(re(w[0]))
		right, taup = append(right, w), append(taup, tau)
		applyRight(a, n, i+1, i+1, m, w, tau)
	}
	return d, e, left, tauq, right, taup
}

// smallest2 is the smaller singular value of [[f, g], [0, h]] (LAPACK's las2).
func smallest2[R Real](f, g, h R) R {
	fa, ga, ha := abs(f), abs(g), abs(h)
	lo, hi := min(fa, ha), max(fa, ha)
	if lo == 0 {
		return 0
	}
	as, at := 1+lo/hi, (hi-lo)/hi
	if ga < hi {
		au := (ga / hi) * (ga / hi)
		return lo * (2 / (sqrt(as*as+au) + sqrt(at*at+au)))
	}
	au := hi / ga
	if au == 0 {
		return lo * hi / ga
	}
	c := 1 / (sqrt(1+(as*au)*(as*au)) + sqrt(1+(at*au)*(at*au)))
	return 2 * (lo * c * au)
}

// triangle2 is the singular value decomposition of [[f, g], [0, h]] (LAPACK's lasv2).
func triangle2[R Real](f, g, h R) (smin, smax, snr, csr, snl, csl R) {
	eps, _ := machine[R]()
	ft, ht := f, h
	fa, ha := abs(f), abs(h)
	pmax := 1
	swap := ha > fa
	if swap {
		pmax = 3
		ft, ht, fa, ha = ht, ft, ha, fa
	}
	ga := abs(g)
	var clt, crt, slt, srt R
	small := true
	switch {
	case ga == 0:
		smin, smax, clt, crt = ha, fa, 1, 1
		small = false
	case ga > fa:
		pmax = 2
		if fa/ga < eps {
			small = false
			smax = ga
			if ha > 1 {
				smin = fa / (ga / ha)
			} else {
				smin = fa / ga * ha
			}
			clt, slt, srt, crt = 1, ht/g, 1, ft/g
		}
	}
	if small {
		dd := fa - ha
		l := dd / fa
		if dd == fa {
			l = 1
		}
		m := g / ft
		t := 2 - l
		mm, tt := m*m, t*t
		s := sqrt(tt + mm)
		r := abs(m)
		if l != 0 {
			r = sqrt(l*l + mm)
		}
		a := 0.5 * (s + r)
		smin, smax = ha/a, fa*a
		switch {
		case mm != 0:
			t = (m/(s+t) + m/(r+l)) * (1 + a)
		case l == 0:
			t = sign(2, ft) * sign(1, g)
		default:
			t = g/sign(dd, ft) + m/t
		}
		l = sqrt(t*t + 4)
		crt, srt = 2/l, t/l
		clt = (crt + srt*m) / a
		slt = ht / ft * srt / a
	}
	if swap {
		csl, snl, csr, snr = srt, crt, slt, clt
	} else {
		csl, snl, csr, snr = clt, slt, crt, srt
	}
	var t R
	switch pmax {
	case 1:
		t = sign(1, csr) * sign(1, csl) * sign(1, f)
	case 2:
		t = sign(1, snr) * sign(1, csl) * sign(1, g)
	default:
		t = sign(1, snr) * sign(1, snl) * sign(1, h)
	}
	return sign(smin, t*sign(1, f)*sign(1, h)), sign(smax, t), snr, csr, snl, csl
}

// bidiagonalQR finds the singular values of the upper bidiagonal matrix (d, e), descending, and multiplies its rotations
// into the rows of vt and the columns of u (LAPACK's bdsqr).
func bidiagonalQR[S Scalar, R Real](d, e []R, vt, u []S, n int) bool {
	if n == 0 {
		return true
	}
	eps, tiny := machine[R]()
	tol := R(math.Max(10, math.Min(100, math.Pow(float64(eps), -0.125)))) * eps
	lowest := abs(d[0])
	for i, mu := 1, lowest; i < n && lowest != 0; i++ {
		mu = abs(d[i]) * (mu / (mu + abs(e[i-1])))
		lowest = min(lowest, mu)
	}
	lowest /= sqrt(R(n))
	thresh := max(tol*lowest, 6*(R(n)*(R(n)*tiny)))
	if thresh != thresh { // with infinity or NaN; then nothing is ever negligible
		return false
	}
	left := 6 * n * n
	b := &bidiagonalState[S, R]{d: d, e: e, vt: vt, u: u, n: n, thresh: thresh}
	oldll, oldm, down := -1, -1, true
	for m := n - 1; m > 0; {
		if left < 0 || d[m] != d[m] {
			return false
		}
		smax := abs(d[m])
		ll := m - 1
		for ; ll >= 0; ll-- {
			if abs(e[ll]) <= thresh {
				e[ll] = 0
				break
			}
			smax = max(smax, abs(d[ll]), abs(e[ll]))
		}
		if ll == m-1 {
			m--
			continue
		}
		ll++
		if ll == m-1 {
			smin, smax, snr, csr, snl, csl := triangle2(d[m-1], e[m-1], d[m])
			d[m-1], e[m-1], d[m] = smax, 0, smin
			rotateRows(vt, n, m-1, []rotation[R]{{csr, snr}}, false)
			rotateColumns(u, n, m-1, []rotation[R]{{csl, snl}}, false)
			m -= 2
			continue
		}
		if ll > oldm || m < oldll {
			down = abs(d[ll]) >= abs(d[m])
		}
		smin, split := b.split(ll, m, down, tol)
		if split {
			continue
		}
		oldll, oldm = ll, m
		shift := R(0)
		if R(n)*tol*(smin/smax) > max(eps, 0.01*tol) {
			var end R
			if down {
				end, shift = abs(d[ll]), smallest2(d[m-1], e[m-1], d[m])
			} else {
				end, shift = abs(d[m]), smallest2(d[ll], e[ll], d[ll+1])
			}
			if end > 0 && (shift/end)*(shift/end) < eps {
				shift = 0
			}
		}
		left -= m - ll
		switch {
		case shift == 0 && down:
			b.zeroShiftDown(ll, m)
		case shift == 0:
			b.zeroShiftUp(ll, m)
		case down:
			b.shiftDown(ll, m, shift)
		default:
			b.shiftUp(ll, m, shift)
		}
	}
	b.finish()
	return true
}

type bidiagonalState[S Scalar, R Real] struct {
	d, e   []R
	vt, u  []S
	n      int
	thresh R
}

// split looks for an entry beside the diagonal that is negligible, clears it and says so; else it gives a lower bound of
// the singular values.
func (b *bidiagonalState[S, R]) split(ll, m int, down bool, tol R) (smin R, found bool) {
	d, e := b.d, b.e
	if down {
		if abs(e[m-1]) <= tol*abs(d[m]) {
			e[m-1] = 0
			return 0, true
		}
		mu := abs(d[ll])
		smin = mu
		for i := ll; i < m; i++ {
			if abs(e[i]) <= tol*mu {
				e[i] = 0
				return 0, true
			}
			mu = abs(d[i+1]) * (mu / (mu + abs(e[i])))
			smin = min(smin, mu)
		}
		return smin, false
	}
	if abs(e[ll]) <= tol*abs(d[ll]) {
		e[ll] = 0
		return 0, true
	}
	mu := abs(d[m])
	smin = mu
	for i := m - 1; i >= ll; i-- {
		if abs(e[i]) <= tol*mu {
			e[i] = 0
			return 0, true
		}
		mu = abs(d[i]) * (mu / (mu + abs(e[i])))
		smin = min(smin, mu)
	}
	return smin, false
}

func (b *bidiagonalState[S, R]) apply(ll int, rows, columns []rotation[R], backwards bool) {
	rotateRows(b.vt, b.n, ll, rows, backwards)
	rotateColumns(b.u, b.n, ll, columns, backwards)
}

func (b *bidiagonalState[S, R]) zeroShiftDown(ll, m int) {
	d, e := b.d, b.e
	cs, oldcs := R(1), R(1)
	var sn, oldsn, r R
	rows, columns := make([]rotation[R], m-ll), make([]rotation[R], m-ll)
	for i := ll; i < m; i++ {
		cs, sn, r = givens(d[i]*cs, e[i])
		if i > ll {
			e[i-1] = oldsn * r
		}
		oldcs, oldsn, d[i] = givens(oldcs*r, d[i+1]*sn)
		rows[i-ll], columns[i-ll] = rotation[R]{cs, sn}, rotation[R]{oldcs, oldsn}
	}
	h := d[m] * cs
	d[m], e[m-1] = h*oldcs, h*oldsn
	b.apply(ll, rows, columns, false)
	if abs(e[m-1]) <= b.thresh {
		e[m-1] = 0
	}
}

func (b *bidiagonalState[S, R]) zeroShiftUp(ll, m int) {
	d, e := b.d, b.e
	cs, oldcs := R(1), R(1)
	var sn, oldsn, r R
	rows, columns := make([]rotation[R], m-ll), make([]rotation[R], m-ll)
	for i := m; i > ll; i-- {
		cs, sn, r = givens(d[i]*cs, e[i-1])
		if i < m {
			e[i] = oldsn * r
		}
		oldcs, oldsn, d[i] = givens(oldcs*r, d[i-1]*sn)
		columns[i-ll-1], rows[i-ll-1] = rotation[R]{cs, -sn}, rotation[R]{oldcs, -oldsn}
	}
	h := d[ll] * cs
	d[ll], e[ll] = h*oldcs, h*oldsn
	b.apply(ll, rows, columns, true)
	if abs(e[ll]) <= b.thresh {
		e[ll] = 0
	}
}

func (b *bidiagonalState[S, R]) shiftDown(ll, m int, shift R) {
	d, e := b.d, b.e
	f := (abs(d[ll]) - shift) * (sign(1, d[ll]) + shift/d[ll])
	g := e[ll]
	rows, columns := make([]rotation[R], m-ll), make([]rotation[R], m-ll)
	for i := ll; i < m; i++ {
		cr, sr, r := givens(f, g)
		if i > ll {
			e[i-1] = r
		}
		f = cr*d[i] + sr*e[i]
		e[i] = cr*e[i] - sr*d[i]
		g = sr * d[i+1]
		d[i+1] *= cr
		cl, sl, r := givens(f, g)
		d[i] = r
		f = cl*e[i] + sl*d[i+1]
		d[i+1] = cl*d[i+1] - sl*e[i]
		if i < m-1 {
			g = sl * e[i+1]
			e[i+1] *= cl
		}
		rows[i-ll], columns[i-ll] = rotation[R]{cr, sr}, rotation[R]{cl, sl}
	}
	e[m-1] = f
	b.apply(ll, rows, columns, false)
	if abs(e[m-1]) <= b.thresh {
		e[m-1] = 0
	}
}

func (b *bidiagonalState[S, R]) shiftUp(ll, m int, shift R) {
	d, e := b.d, b.e
	f := (abs(d[m]) - shift) * (sign(1, d[m]) + shift/d[m])
	g := e[m-1]
	rows, columns := make([]rotation[R], m-ll), make([]rotation[R], m-ll)
	for i := m; i > ll; i-- {
		cr, sr, r := givens(f, g)
		if i < m {
			e[i] = r
		}
		f = cr*d[i] + sr*e[i-1]
		e[i-1] = cr*e[i-1] - sr*d[i]
		g = sr * d[i-1]
		d[i-1] *= cr
		cl, sl, r := givens(f, g)
		d[i] = r
		f = cl*e[i-1] + sl*d[i-1]
		d[i-1] = cl*d[i-1] - sl*e[i-1]
		if i > ll+1 {
			g = sl * e[i-2]
			e[i-2] *= cl
		}
		columns[i-ll-1], rows[i-ll-1] = rotation[R]{cr, -sr}, rotation[R]{cl, -sl}
	}
	e[ll] = f
	if abs(e[ll]) <= b.thresh {
		e[ll] = 0
	}
	b.apply(ll, rows, columns, true)
}

// finish makes the singular values positive and sorts them.
func (b *bidiagonalState[S, R]) finish() {
	n := b.n
	for i, x := range b.d {
		if x < 0 || (x == 0 && math.Signbit(float64(x))) {
			b.d[i] = -x
			for j := range n {
				b.vt[i*n+j] = -b.vt[i*n+j]
			}
		}
	}
	for i := range n {
		k := i
		for j := i + 1; j < n; j++ {
			if b.d[j] > b.d[k] {
				k = j
			}
		}
		if k == i {
			continue
		}
		b.d[i], b.d[k] = b.d[k], b.d[i]
		for j := range n {
			b.vt[i*n+j], b.vt[k*n+j] = b.vt[k*n+j], b.vt[i*n+j]
			b.u[j*n+i], b.u[j*n+k] = b.u[j*n+k], b.u[j*n+i]
		}
	}
}
