package eval

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// fft transforms the last dimensions, in complex128, for any length.
func fft(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, ok := op.Attr.(stablehlo.FFTAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	t := in[0]
	rank, n := t.Type.Rank(), len(a.Length)
	if n == 0 || n > rank {
		return nil, fmt.Errorf("fft_length %v for operand %v", a.Length, t.Type)
	}
	first := rank - n
	dims := append([]int64(nil), t.Type.Dims...)
	if a.Type == stablehlo.FFTInverseReal || a.Type == stablehlo.FFTReal {
		dims[rank-1] = a.Length[n-1]
	}
	for i, l := range a.Length {
		want := l
		if a.Type == stablehlo.FFTInverseReal && i == n-1 {
			want = l/2 + 1
			if l == 0 {
				want = 0
			}
		}
		if t.Type.Dims[first+i] != want {
			return nil, fmt.Errorf("fft_length %v for operand %v", a.Length, t.Type)
		}
	}
	outDims := append([]int64(nil), dims...)
	if a.Type == stablehlo.FFTReal {
		outDims[rank-1] = 0
		if dims[rank-1] > 0 {
			outDims[rank-1] = dims[rank-1]/2 + 1
		}
	}
	out, err := r.out(op, 0, outDims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, product(dims)+t.Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	v := asComplexes(t)
	inverse := a.Type == stablehlo.FFTInverse || a.Type == stablehlo.FFTInverseReal
	narrow := t.Type.Elem == dtype.F32 || t.Type.Elem == dtype.C64
	along := func(d int, shape []int64) error {
		p := newTransform(int(shape[d]))
		if d == rank-1 {
			p.odd = oddTransform(a.Type, int(shape[d]), narrow)
		}
		return r.transformAlong(p, v, shape, d, inverse)
	}
	switch a.Type {
	case stablehlo.FFTInverseReal:
		for d := first; d < rank-1; d++ {
			if err := along(d, t.Type.Dims); err != nil {
				return nil, err
			}
		}
		v = hermitian(v, int(t.Type.Dims[rank-1]), int(dims[rank-1]))
		if err := along(rank-1, dims); err != nil {
			return nil, err
		}
	default:
		for d := rank - 1; d >= first; d-- {
			if err := along(d, dims); err != nil {
				return nil, err
			}
		}
	}
	if a.Type == stablehlo.FFTReal {
		v = firstOf(v, int(dims[rank-1]), int(outDims[rank-1]))
	}
	if out.Type.Elem.Kind() == dtype.Float {
		re := make([]float64, len(v))
		for i, z := range v {
			re[i] = real(z)
		}
		encodeFloats(out.Type.Elem, re, out.Data)
		return out, nil
	}
	encodeComplex(out.Type.Elem, v, out.Data)
	return out, nil
}

// hermitian completes rows of half spectra to rows of n values: the rest are conjugates of the first.
func hermitian(v []complex128, half, n int) []complex128 {
	if half == 0 || n == 0 {
		return nil
	}
	rows := len(v) / half
	out := make([]complex128, rows*n)
	for row := range rows {
		src, dst := v[row*half:][:half], out[row*n:][:n]
		copy(dst, src)
		// The imaginary parts of the first and the middle value do not count.
		dst[0] = complex(real(src[0]), 0)
		if n%2 == 0 {
			dst[n/2] = complex(real(src[n/2]), 0)
		}
		for k := half; k < n; k++ {
			z := src[n-k]
			dst[k] = complex(real(z), -imag(z))
		}
	}
	return out
}

// firstOf keeps the first m of each row of n.
func firstOf(v []complex128, n, m int) []complex128 {
	if n == 0 {
		return nil
	}
	rows := len(v) / n
	out := make([]complex128, 0, rows*m)
	for row := range rows {
		out = append(out, v[row*n:][:m]...)
	}
	return out
}

// oddTransform is the transform along the last dimension of a real type of transform, or nil for the general one.
func oddTransform(kind stablehlo.FFTType, n int, narrow bool) func([]complex128) {
	factors := oddFactors(n)
	switch {
	case kind == stablehlo.FFTReal && len(factors) == 1 && narrow:
		return realForward[float32]
	case kind == stablehlo.FFTReal && len(factors) == 1:
		return realForward[float64]
	case kind == stablehlo.FFTInverseReal && factors != nil:
		return func(v []complex128) {
			// transformAlong conjugates the input of an inverse.
			for k, z := range v {
				v[k] = complex(real(z), -imag(z))
			}
			if narrow {
				realBackward[float32](v, factors)
			} else {
				realBackward[float64](v, factors)
			}
		}
	}
	return nil
}

func (r *runner) transformAlong(p *transform, v []complex128, dims []int64, d int, inverse bool) error {
	n := int(dims[d])
	if n == 0 || len(v) == 0 {
		return nil
	}
	step := strides(dims)[d]
	row := make([]complex128, n)
	for o := range product(dims[:d]) {
		if err := r.tick(); err != nil {
			return err
		}
		for inner := range step {
			base := o*n*step + inner
			for k := range row {
				row[k] = v[base+k*step]
				if inverse {
					row[k] = complex(real(row[k]), -imag(row[k]))
				}
			}
			p.run(row)
			for k, z := range row {
				if inverse && p.odd == nil {
					z = complex(real(z)/float64(n), -imag(z)/float64(n))
				}
				v[base+k*step] = z
			}
		}
	}
	return nil
}

// transform is a forward transform of one length: powers of two by splitting in halves, short lengths by the
// definition, others as a convolution with a chirp (Bluestein).
type transform struct {
	n       int
	root    []complex128 // root[k] = exp(-2πi k/n)
	inner   *transform   // of a power of two at least 2n-1, for Bluestein
	chirp   []complex128
	kernel  []complex128
	scratch []complex128
	odd     func([]complex128) // instead, for a real transform of an odd length
}

const shortTransform = 32

func newTransform(n int) *transform {
	t := &transform{n: n}
	if n == 0 {
		return t
	}
	if n&(n-1) == 0 || n <= shortTransform {
		t.root = roots(n)
		t.scratch = make([]complex128, n)
		return t
	}
	m := 1 << bits.Len(uint(2*n-2))
	t.inner = newTransform(m)
	t.chirp = make([]complex128, n)
	for k := range n {
		// exp(-πi k²/n), with k² reduced so that the angle is accurate
		t.chirp[k] = unit(-k*k%(2*n), 2*n)
	}
	t.kernel = make([]complex128, m)
	for k := range n {
		c := complex(real(t.chirp[k]), -imag(t.chirp[k]))
		t.kernel[k] = c
		if k > 0 {
			t.kernel[m-k] = c
		}
	}
	t.inner.run(t.kernel)
	t.scratch = make([]complex128, m)
	return t
}

// unit is exp(2πi num/den), each part rounded almost as well as can be: the angle is reduced to an eighth of a turn in
// integers, and its rounding error corrected.
func unit(num, den int) complex128 {
	num = (num%den + den) % den
	quarter := (4*num + den/2) / den // nearest quarter turn
	rest := 4*num - quarter*den      // of den quarter turns, at most an eighth of a turn either way
	a := float64(rest) / float64(den)
	low := math.FMA(-a, float64(den), float64(rest)) / float64(den)
	const halfPiHi, halfPiLo = 0x1.921fb54442d18p0, 0x1.1a62633145c07p-54
	p := twoProd(a, halfPiHi)
	p = quick(p.hi, p.lo+a*halfPiLo+low*halfPiHi)
	s, c := sincosDouble(p)
	switch quarter % 4 {
	case 1:
		s, c = c, -s
	case 2:
		s, c = -s, -c
	case 3:
		s, c = -c, s
	}
	return complex(c, s)
}

// sincosDouble sums the Taylor series of both functions for |x| <= pi/4 in double-double.
func sincosDouble(x double) (sin, cos float64) {
	s, c := x, double{1, 0}
	term := x
	for k := 2; k < 30; k++ {
		term = term.mul(x)
		f := float64(k)
		q := term.hi / f
		term = quick(q, (math.FMA(-q, f, term.hi)+term.lo)/f)
		next := term
		if k%4 >= 2 {
			next = double{-term.hi, -term.lo}
		}
		if k%2 == 0 {
			c = c.add(next)
		} else {
			s = s.add(next)
		}
	}
	return s.hi, c.hi
}

func roots(n int) []complex128 {
	w := make([]complex128, n)
	for k := range w {
		w[k] = unit(-k, n)
	}
	return w
}

func (t *transform) run(v []complex128) {
	n := t.n
	switch {
	case t.odd != nil:
		t.odd(v)
	case n&(n-1) == 0:
		t.halves(v)
	case n <= shortTransform:
		for k := range n {
			var sum complex128
			for j, z := range v {
				sum += z * t.root[j*k%n]
			}
			t.scratch[k] = sum
		}
		copy(v, t.scratch)
	default:
		clear(t.scratch)
		for k, z := range v {
			t.scratch[k] = z * t.chirp[k]
		}
		t.inner.run(t.scratch)
		for k := range t.scratch {
			z := t.scratch[k] * t.kernel[k]
			t.scratch[k] = complex(real(z), -imag(z))
		}
		t.inner.run(t.scratch)
		scale := 1 / float64(len(t.scratch))
		for k := range v {
			z := t.scratch[k]
			v[k] = complex(real(z)*scale, -imag(z)*scale) * t.chirp[k]
		}
	}
}

// halves is the iterative transform of a power of two.
func (t *transform) halves(v []complex128) {
	n := t.n
	shift := 64 - bits.TrailingZeros(uint(n))
	if n == 1 {
		return
	}
	for i := range v {
		if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
			v[i], v[j] = v[j], v[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, every := size/2, n/size
		for base := 0; base < n; base += size {
			for k := range half {
				x, y := v[base+k], v[base+k+half]*t.root[k*every]
				v[base+k], v[base+k+half] = x+y, x-y
			}
		}
	}
}
