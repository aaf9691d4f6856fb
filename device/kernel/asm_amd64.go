package kernel

// These functions make a loop of the table from an assembly function: they check the lengths by slicing, once, and
// skip empty slices, which have no first element to point to.

func vv[T any](f func(dst, a, b *T, n int)) func(dst, a, b []T) {
	return func(dst, a, b []T) {
		if n := len(dst); n > 0 {
			a, b = a[:n], b[:n]
			f(&dst[0], &a[0], &b[0], n)
		}
	}
}

func vs[T any](f func(dst, a *T, b T, n int)) func(dst, a []T, b T) {
	return func(dst, a []T, b T) {
		if n := len(dst); n > 0 {
			a = a[:n]
			f(&dst[0], &a[0], b, n)
		}
	}
}

// swap is vs with the operands the other way round, for operations that commute.
func swap[T any](f func(dst, a *T, b T, n int)) func(dst []T, a T, b []T) {
	return func(dst []T, a T, b []T) {
		if n := len(dst); n > 0 {
			b = b[:n]
			f(&dst[0], &b[0], a, n)
		}
	}
}

// sv is for functions that compute b op a; the scalar comes last in all assembly.
func sv[T any](f func(dst, a *T, b T, n int)) func(dst []T, a T, b []T) { return swap(f) }

func un[T any](f func(dst, a *T, n int)) func(dst, a []T) { return convert(f) }

func convert[D, S any](f func(dst *D, a *S, n int)) func(dst []D, a []S) {
	return func(dst []D, a []S) {
		if n := len(dst); n > 0 {
			a = a[:n]
			f(&dst[0], &a[0], n)
		}
	}
}

func cmpVV[T any](f func(dst *byte, a, b *T, n int)) func(dst []byte, a, b []T) {
	return func(dst []byte, a, b []T) {
		if n := len(dst); n > 0 {
			a, b = a[:n], b[:n]
			f(&dst[0], &a[0], &b[0], n)
		}
	}
}

func cmpVS[T any](f func(dst *byte, a *T, b T, n int)) func(dst []byte, a []T, b T) {
	return func(dst []byte, a []T, b T) {
		if n := len(dst); n > 0 {
			a = a[:n]
			f(&dst[0], &a[0], b, n)
		}
	}
}

func selVV[T any](f func(dst *T, mask *byte, a, b *T, n int)) func(dst []T, mask []byte, a, b []T) {
	return func(dst []T, mask []byte, a, b []T) {
		if n := len(dst); n > 0 {
			mask, a, b = mask[:n], a[:n], b[:n]
			f(&dst[0], &mask[0], &a[0], &b[0], n)
		}
	}
}

func selVS[T any](f func(dst *T, mask *byte, a *T, b T, n int)) func(dst []T, mask []byte, a []T, b T) {
	return func(dst []T, mask []byte, a []T, b T) {
		if n := len(dst); n > 0 {
			mask, a = mask[:n], a[:n]
			f(&dst[0], &mask[0], &a[0], b, n)
		}
	}
}

func selSV[T any](f func(dst *T, mask *byte, a T, b *T, n int)) func(dst []T, mask []byte, a T, b []T) {
	return func(dst []T, mask []byte, a T, b []T) {
		if n := len(dst); n > 0 {
			mask, b = mask[:n], b[:n]
			f(&dst[0], &mask[0], a, &b[0], n)
		}
	}
}

func axpyOf[T any](f func(dst *T, s T, x *T, n int)) func(dst []T, s T, x []T) {
	return func(dst []T, s T, x []T) {
		if n := len(dst); n > 0 {
			x = x[:n]
			f(&dst[0], s, &x[0], n)
		}
	}
}

func axpyRowsOf[T any](f func(dst, x, b *T, stride, n int)) func(dst, x, b []T, stride int) {
	return func(dst, x, b []T, stride int) {
		if n := len(dst); n > 0 {
			x, b = x[:4], b[:3*stride+n]
			f(&dst[0], &x[0], &b[0], stride, n)
		}
	}
}

func dotOf[T any](f func(x, y *T, n int) T) func(a, b []T) T {
	return func(a, b []T) (r T) {
		if n := len(a); n > 0 {
			b = b[:n]
			r = f(&a[0], &b[0], n)
		}
		return r
	}
}

func reduceOf[T any](f func(x *T, n int) T, empty T) func(x []T) T {
	return func(x []T) T {
		if len(x) == 0 {
			return empty
		}
		return f(&x[0], len(x))
	}
}

// trigVector is the most lanes of a vector of the trigonometric loops.
const trigVector = 16

// trig completes a trigonometric loop, which stops at a vector with an argument too large for its reduction: those
// arguments go through exact, the rest of the vector through the loop again.
func trig(f func(dst, a *float32, n int) int, exact func(dst, a []float32)) func(dst, a []float32) {
	return func(dst, a []float32) {
		a = a[:len(dst)]
		for len(dst) > 0 {
			done := f(&dst[0], &a[0], len(dst))
			dst, a = dst[done:], a[done:]
			if len(dst) == 0 {
				return
			}
			var in, small, out [trigVector]float32
			n := copy(in[:], a)
			for i, x := range in[:n] {
				if x >= -trigLimit && x <= trigLimit {
					small[i] = x
				}
			}
			f(&out[0], &small[0], n)
			for i, x := range in[:n] {
				if !(x >= -trigLimit && x <= trigLimit) {
					exact(out[i:i+1], in[i:i+1])
				}
			}
			copy(dst[:n], out[:n])
			dst, a = dst[n:], a[n:]
		}
	}
}

// trigLimit is what the assembly compares with.
const trigLimit = 1e5

func threefryOf(f func(k0, k1, k2 uint32, x0, x1 *uint32, n int)) func(k0, k1 uint32, x0, x1 []uint32) {
	return func(k0, k1 uint32, x0, x1 []uint32) {
		if n := len(x0); n > 0 {
			x1 = x1[:n]
			f(k0, k1, k0^k1^threefryParity, &x0[0], &x1[0], n)
		}
	}
}

// tile makes a register tile of mr x nr places from assembly functions.
func tile[T Float](columns func(k int, a *T, lda int, b, c *T, ldc int, acc bool),
	rows func(k int, a *T, lda int, b, c *T, ldc int, acc bool), copyRows func(dst, src *T, stride, k int), mr, nr int,
) micro[T] {
	kc, nc := 384, 512
	if lanesOf[T]() == laneBytes/8 {
		kc, nc = 256, 384
	}
	return micro[T]{
		mr: mr, nr: nr, kc: kc, nc: nc,
		run: func(k int, a []T, lda int, b, c []T, ldc int, acc bool) {
			a, b, c = a[:(k-1)*lda+mr], b[:k*nr], c[:(mr-1)*ldc+nr]
			columns(k, &a[0], lda, &b[0], &c[0], ldc, acc)
		},
		runRows: func(k int, a []T, lda int, b, c []T, ldc int, acc bool) {
			a, b, c = a[:(mr-1)*lda+k], b[:k*nr], c[:(mr-1)*ldc+nr]
			rows(k, &a[0], lda, &b[0], &c[0], ldc, acc)
		},
		packRows: func(dst, src []T, stride, k int) {
			dst, src = dst[:k*nr], src[:(k-1)*stride+nr]
			copyRows(&dst[0], &src[0], stride, k)
		},
	}
}
