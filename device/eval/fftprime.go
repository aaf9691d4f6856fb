package eval

// Transforms of an odd prime length are made by sums and differences of the pairs x[j], x[n-j], in the precision of the
// element type and in the order that the FFT library below XLA uses: terms of small outputs cancel, and only the same
// order of sums gives the same digits. Longer primes use the general transform.

const maxPrime = 64

// float is the precision of a transform.
type float interface{ float32 | float64 }

func oddPrime(n int) bool {
	if n < 3 || n > maxPrime || n%2 == 0 {
		return false
	}
	for d := 3; d*d <= n; d += 2 {
		if n%d == 0 {
			return false
		}
	}
	return true
}

// angles are cosine and sine of 2πk/n for k < n.
func angles[T float](n int) (cos, sin []T) {
	cos, sin = make([]T, n), make([]T, n)
	for k := range n {
		z := unit(float64(k) / float64(n))
		cos[k], sin[k] = T(real(z)), T(imag(z))
	}
	return cos, sin
}

// primeTransform is the forward transform of v.
func primeTransform[T float](v []complex128) {
	n := len(v)
	h := (n + 1) / 2
	cos, sin := angles[T](n)
	re, im := make([]T, n), make([]T, n) // sums first, then differences from the end
	re[0], im[0] = T(real(v[0])), T(imag(v[0]))
	for j := 1; j < h; j++ {
		a, b, c, d := T(real(v[j])), T(imag(v[j])), T(real(v[n-j])), T(imag(v[n-j]))
		re[j], im[j] = a+c, b+d
		re[n-j], im[n-j] = a-c, b-d
	}
	sr, si := re[0], im[0]
	for j := 1; j < h; j++ {
		sr += re[j]
		si += im[j]
	}
	v[0] = complex(float64(sr), float64(si))
	for l := 1; l < h; l++ {
		// even part er+i*ei from the sums, odd part or+i*oi from the differences; forward: the angle is negative
		er, ei := re[0]+cos[l]*re[1], im[0]+cos[l]*im[1]
		s1 := -sin[l]
		oddR, oddI := s1*im[n-1], s1*re[n-1]
		if h > 2 {
			s2 := -sin[2*l%n]
			er, ei = er+cos[2*l%n]*re[2], ei+cos[2*l%n]*im[2]
			oddR, oddI = oddR+s2*im[n-2], oddI+s2*re[n-2]
		}
		oddR = -oddR
		j := 3
		for ; j < h-1; j += 2 {
			c1, c2 := cos[j*l%n], cos[(j+1)*l%n]
			s1, s2 := -sin[j*l%n], -sin[(j+1)*l%n]
			er += T(re[j]*c1) + T(re[j+1]*c2)
			ei += T(im[j]*c1) + T(im[j+1]*c2)
			oddR -= T(im[n-j]*s1) + T(im[n-j-1]*s2)
			oddI += T(re[n-j]*s1) + T(re[n-j-1]*s2)
		}
		for ; j < h; j++ {
			c1, s1 := cos[j*l%n], -sin[j*l%n]
			er += T(re[j] * c1)
			ei += T(im[j] * c1)
			oddR -= T(im[n-j] * s1)
			oddI += T(re[n-j] * s1)
		}
		v[l] = complex(float64(er+oddR), float64(ei+oddI))
		v[n-l] = complex(float64(er-oddR), float64(ei-oddI))
	}
}

// primeReal is the forward transform of real values.
func primeReal[T float](v []complex128) {
	n := len(v)
	h := (n + 1) / 2
	cos, sin := angles[T](n)
	sum, diff := make([]T, h), make([]T, h)
	sum[0] = T(real(v[0]))
	for j := 1; j < h; j++ {
		a, b := T(real(v[j])), T(real(v[n-j]))
		sum[j], diff[j] = a+b, b-a
	}
	total := sum[0]
	for j := 1; j < h; j++ {
		total += sum[j]
	}
	v[0] = complex(float64(total), 0)
	for l := 1; l < h; l++ {
		re, im := sum[0]+T(cos[l]*sum[1]), T(sin[l]*diff[1])
		if h > 2 {
			re += T(cos[2*l%n] * sum[2])
			im += T(sin[2*l%n] * diff[2])
		}
		j := 3
		for _, group := range []int{4, 2, 1} {
			for ; j+group <= h; j += group {
				var r, i T
				for k := j; k < j+group; k++ {
					r += T(cos[k*l%n] * sum[k])
					i += T(sin[k*l%n] * diff[k])
				}
				re += r
				im += i
			}
		}
		v[l] = complex(float64(re), float64(im))
		v[n-l] = complex(float64(re), -float64(im))
	}
}
