package eval

import "math"

// Real transforms of odd lengths with small prime factors are made by passes of sums and differences of pairs, in the
// precision of the element type and in the order of pocketfft's: that is what numpy and the library below XLA compute,
// and where terms cancel only the same order of sums gives the same digits. Other lengths use the general transform.

const maxPrime = 64

// float is the precision of a transform.
type float interface{ float32 | float64 }

// oddFactors are the prime factors of n, ascending; nil for a length that is even, 1, or has a large factor.
func oddFactors(n int) []int {
	if n < 3 || n%2 == 0 {
		return nil
	}
	var f []int
	for d := 3; d*d <= n; d += 2 {
		for n%d == 0 {
			f = append(f, d)
			n /= d
		}
	}
	if n > 1 {
		f = append(f, n)
	}
	if f[len(f)-1] > maxPrime {
		return nil
	}
	return f
}

// turns are the n-th roots of unity as products of two short tables, rounded as pocketfft rounds them.
type turns struct {
	n, shift     int
	fine, coarse []complex128
}

func newTurns(n int) *turns {
	t := &turns{n: n, shift: 1}
	half := (n + 2) / 2
	for 1<<(2*t.shift) < half {
		t.shift++
	}
	size := 1 << t.shift
	t.fine, t.coarse = make([]complex128, size), make([]complex128, (half+size-1)/size)
	const piHi, piLo = 0x1.921fb54442d18p1, 0x1.1a62633145c07p-53
	den := float64(4 * n)
	angle := piHi / den
	angle += (math.FMA(-angle, den, piHi) + piLo) / den // π/(4n), rounded to nearest
	for i := range t.fine {
		t.fine[i] = turn(i, n, angle)
	}
	for i := range t.coarse {
		t.coarse[i] = turn(i*size, n, angle)
	}
	return t
}

// turn is exp(2πi x/n) by octants; angle is π/(4n).
func turn(x, n int, angle float64) complex128 {
	if x == 0 {
		return 1
	}
	x *= 8
	mirror := x >= 4*n
	if mirror {
		x = 8*n - x
	}
	second := x >= 2*n
	if second {
		x -= 2 * n
	}
	var s, c float64
	if x < n {
		s, c = sincosDouble(double{float64(x) * angle, 0})
	} else {
		c, s = sincosDouble(double{float64(2*n-x) * angle, 0})
	}
	if second {
		s, c = c, -s
	}
	if mirror {
		s = -s
	}
	return complex(c, s)
}

func (t *turns) at(k int) (cos, sin float64) {
	sign := 1.0
	if 2*k > t.n {
		k, sign = t.n-k, -1
	}
	a, b := t.fine[k&(1<<t.shift-1)], t.coarse[k>>t.shift]
	c := float64(real(a)*real(b)) - float64(imag(a)*imag(b))
	s := float64(real(a)*imag(b)) + float64(imag(a)*real(b))
	return c, sign * s
}

// angles are cosine and sine of 2πk/n for k < n, from the roots of a multiple of n.
func angles[T float](n int, t *turns) (cos, sin []T) {
	cos, sin = make([]T, n), make([]T, n)
	for k := range n {
		c, s := t.at(k * (t.n / n))
		cos[k], sin[k] = T(c), T(s)
	}
	return cos, sin
}

// pairSums adds, for output l of a pass of length n, the products of the values from 1 on with the cosines, and of
// those with the sines, to the first value: two terms, then four, two and one at a time.
func pairSums[T float](n, l int, cos, sin []T, even, odd func(j int) T) (re, im T) {
	h := (n + 1) / 2
	re = even(0) + T(cos[l]*even(1))
	im = T(sin[l] * odd(1))
	if h > 2 {
		re += T(cos[2*l%n] * even(2))
		im += T(sin[2*l%n] * odd(2))
	}
	j := 3
	for _, group := range []int{4, 2, 1} {
		for ; j+group <= h; j += group {
			var r, i T
			for k := j; k < j+group; k++ {
				r += T(cos[k*l%n] * even(k))
				i += T(sin[k*l%n] * odd(k))
			}
			re += r
			im += i
		}
	}
	return re, im
}

// realForward is the forward transform of n real values, n an odd prime.
func realForward[T float](v []complex128) {
	n := len(v)
	h := (n + 1) / 2
	cos, sin := angles[T](n, newTurns(n))
	sum, diff := make([]T, h), make([]T, h)
	sum[0] = T(real(v[0]))
	total := sum[0]
	for j := 1; j < h; j++ {
		a, b := T(real(v[j])), T(real(v[n-j]))
		sum[j], diff[j] = a+b, b-a
		total += sum[j]
	}
	v[0] = complex(float64(total), 0)
	for l := 1; l < h; l++ {
		re, im := pairSums(n, l, cos, sin, func(j int) T { return sum[j] }, func(j int) T { return diff[j] })
		v[l] = complex(float64(re), float64(im))
		v[n-l] = complex(float64(re), -float64(im))
	}
}

// realBackward computes the real values whose spectrum begins with v[:n/2+1], for an n with the given odd prime factors.
func realBackward[T float](v []complex128, factors []int) {
	n := len(v)
	a, b := make([]T, n), make([]T, n)
	a[0] = T(real(v[0]))
	for k := 1; 2*k <= n; k++ {
		a[2*k-1], a[2*k] = T(real(v[k])), T(imag(v[k]))
	}
	roots := newTurns(n)
	l1 := 1
	for _, ip := range factors {
		ido := n / (l1 * ip)
		p := &backwardPass[T]{ido: ido, ip: ip, l1: l1, in: a, out: b, roots: roots}
		if ip == 3 {
			p.three()
		} else {
			p.general()
		}
		a, b = b, a
		l1 *= ip
	}
	scale := T(1 / float64(n))
	for k := range v {
		v[k] = complex(float64(scale*a[k]), 0)
	}
}

// backwardPass is one factor ip of a backward transform: l1 blocks of ip rows of ido values become ip blocks of l1 rows.
type backwardPass[T float] struct {
	ido, ip, l1 int
	in, out     []T
	roots       *turns // of the whole length
}

func (p *backwardPass[T]) cc(a, b, c int) T  { return p.in[a+p.ido*(b+p.ip*c)] }
func (p *backwardPass[T]) ch(a, b, c int) *T { return &p.out[a+p.ido*(b+p.l1*c)] }

// twist stores (re, im) times the root for column i of row j.
func (p *backwardPass[T]) twist(i, k, j int, re, im T) {
	cos, sin := p.roots.at(j * p.l1 * (i / 2))
	c, s := T(cos), T(sin)
	*p.ch(i, k, j) = T(c*im) + T(s*re)
	*p.ch(i-1, k, j) = T(c*re) - T(s*im)
}

func (p *backwardPass[T]) three() {
	const taur = -0.5
	taui := T(0.86602540378443864676)
	for k := range p.l1 {
		tr := 2 * p.cc(p.ido-1, 1, k)
		cr := p.cc(0, 0, k) + T(taur*tr)
		*p.ch(0, k, 0) = p.cc(0, 0, k) + tr
		ci := T(2 * taui * p.cc(0, 2, k))
		*p.ch(0, k, 2), *p.ch(0, k, 1) = cr+ci, cr-ci
		for i := 2; i < p.ido; i += 2 {
			ic := p.ido - i
			tr, ti := p.cc(i-1, 2, k)+p.cc(ic-1, 1, k), p.cc(i, 2, k)-p.cc(ic, 1, k)
			cr2, ci2 := p.cc(i-1, 0, k)+T(taur*tr), p.cc(i, 0, k)+T(taur*ti)
			*p.ch(i-1, k, 0), *p.ch(i, k, 0) = p.cc(i-1, 0, k)+tr, p.cc(i, 0, k)+ti
			cr3, ci3 := taui*(p.cc(i-1, 2, k)-p.cc(ic-1, 1, k)), taui*(p.cc(i, 2, k)+p.cc(ic, 1, k))
			p.twist(i, k, 1, cr2-ci3, ci2+cr3)
			p.twist(i, k, 2, cr2+ci3, ci2-cr3)
		}
	}
}

func (p *backwardPass[T]) general() {
	n, ido, l1 := p.ip, p.ido, p.l1
	h := (n + 1) / 2
	cos, sin := angles[T](n, p.roots)
	// pairs holds sums of pairs from the front and differences from the back, then their transforms.
	pairs, turned := make([]T, len(p.in)), make([]T, len(p.in))
	at := func(a, b, c int) int { return a + ido*(b+l1*c) }
	for k := range l1 {
		for i := range ido {
			pairs[at(i, k, 0)] = p.cc(i, 0, k)
		}
		for j := 1; j < h; j++ {
			pairs[at(0, k, j)], pairs[at(0, k, n-j)] = 2*p.cc(ido-1, 2*j-1, k), 2*p.cc(0, 2*j, k)
			for i := 1; i <= ido-2; i += 2 {
				ic := ido - i - 2
				pairs[at(i, k, j)] = p.cc(i, 2*j, k) + p.cc(ic, 2*j-1, k)
				pairs[at(i, k, n-j)] = p.cc(i, 2*j, k) - p.cc(ic, 2*j-1, k)
				pairs[at(i+1, k, j)] = p.cc(i+1, 2*j, k) - p.cc(ic+1, 2*j-1, k)
				pairs[at(i+1, k, n-j)] = p.cc(i+1, 2*j, k) + p.cc(ic+1, 2*j-1, k)
			}
		}
	}
	rows := ido * l1
	for ik := range rows {
		for l := 1; l < h; l++ {
			turned[ik+rows*l], turned[ik+rows*(n-l)] = pairSums(n, l, cos, sin,
				func(j int) T { return pairs[ik+rows*j] }, func(j int) T { return pairs[ik+rows*(n-j)] })
		}
		total := pairs[ik]
		for j := 1; j < h; j++ {
			total += pairs[ik+rows*j]
		}
		p.out[ik] = total
	}
	for k := range l1 {
		for j := 1; j < h; j++ {
			a, b := turned[at(0, k, j)], turned[at(0, k, n-j)]
			*p.ch(0, k, j), *p.ch(0, k, n-j) = a-b, a+b
			for i := 1; i <= ido-2; i += 2 {
				re, im := turned[at(i, k, j)], turned[at(i+1, k, j)]
				dr, di := turned[at(i, k, n-j)], turned[at(i+1, k, n-j)]
				p.twist(i+1, k, j, re-di, im+dr)
				p.twist(i+1, k, n-j, re+di, im-dr)
			}
		}
	}
}
