package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// number is the domain of a computation.
type number interface{ int64 | float64 | complex128 }

// permuted decodes t into a new row-major array whose dimensions are t's in the order of perm.
func permuted[T number](t *Tensor, perm []int, decode func(*Tensor) []T) ([]T, []int64) {
	dims := make([]int64, len(perm))
	step := make([]int, len(perm))
	own := strides(t.Type.Dims)
	for i, d := range perm {
		dims[i], step[i] = t.Type.Dims[d], own[d]
	}
	src := decode(t)
	if slices.IsSorted(perm) {
		return src, dims
	}
	out := make([]T, len(src))
	idx := make([]int, len(dims))
	p := 0
	for to := range out {
		out[to] = src[p]
		for d := len(dims) - 1; d >= 0; d-- {
			idx[d]++
			p += step[d]
			if idx[d] < int(dims[d]) {
				break
			}
			p -= step[d] * idx[d]
			idx[d] = 0
		}
	}
	return out, dims
}

// asFloats, asInts and asComplexes decode a tensor of any type into one domain, as convert does.
func asFloats(t *Tensor) []float64 {
	switch t.Type.Elem.Kind() {
	case dtype.Float:
		return t.floats()
	case dtype.Complex:
		c := t.complexes()
		v := make([]float64, len(c))
		for i, z := range c {
			v[i] = real(z)
		}
		return v
	}
	v := make([]float64, t.Len())
	for i, n := range t.ints() {
		v[i] = intToFloat(t.Type.Elem, dtype.F64, n)
	}
	return v
}

func asInts(t *Tensor) []int64 {
	if t.Type.Elem.IsFloat() {
		v := make([]int64, t.Len())
		for i, x := range t.floats() {
			v[i] = floatToInt(dtype.I64, x)
		}
		return v
	}
	return t.ints()
}

func asComplexes(t *Tensor) []complex128 {
	if t.Type.Elem.IsComplex() {
		return t.complexes()
	}
	v := make([]complex128, t.Len())
	for i, x := range asFloats(t) {
		v[i] = complex(x, 0)
	}
	return v
}

func dotGeneral(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, ok := op.Attr.(*stablehlo.DotAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	lhs, rhs := in[0], in[1]
	free := func(t *Tensor, batch, contract []int64) []int {
		var dims []int
		for d := range t.Type.Dims {
			if !slices.Contains(batch, int64(d)) && !slices.Contains(contract, int64(d)) {
				dims = append(dims, d)
			}
		}
		return dims
	}
	lfree, rfree := free(lhs, a.LHSBatch, a.LHSContract), free(rhs, a.RHSBatch, a.RHSContract)
	var dims []int64
	batch, m, n, k := 1, 1, 1, 1
	for i, d := range a.LHSBatch {
		if lhs.Type.Dims[d] != rhs.Type.Dims[a.RHSBatch[i]] {
			return nil, fmt.Errorf("batch dimensions of %v and %v differ", lhs.Type, rhs.Type)
		}
		dims = append(dims, lhs.Type.Dims[d])
		batch *= int(lhs.Type.Dims[d])
	}
	for _, d := range lfree {
		dims = append(dims, lhs.Type.Dims[d])
		m *= int(lhs.Type.Dims[d])
	}
	for _, d := range rfree {
		dims = append(dims, rhs.Type.Dims[d])
		n *= int(rhs.Type.Dims[d])
	}
	for i, d := range a.LHSContract {
		if lhs.Type.Dims[d] != rhs.Type.Dims[a.RHSContract[i]] {
			return nil, fmt.Errorf("contracting dimensions of %v and %v differ", lhs.Type, rhs.Type)
		}
		k *= int(lhs.Type.Dims[d])
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, lhs.Len()+rhs.Len()+out.Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	order := func(batch []int64, free []int, contract []int64) []int {
		var p []int
		for _, d := range batch {
			p = append(p, int(d))
		}
		p = append(p, free...)
		for _, d := range contract {
			p = append(p, int(d))
		}
		return p
	}
	lp, rp := order(a.LHSBatch, lfree, a.LHSContract), order(a.RHSBatch, rfree, a.RHSContract)
	elem := out.Type.Elem
	s := dotShape{r, batch, m, n, k}
	switch elem.Kind() {
	case dtype.Float:
		x, _ := permuted(lhs, lp, asFloats)
		y, _ := permuted(rhs, rp, asFloats)
		dot := dotPlain[float64]
		switch {
		case elem == dtype.F64 && k > longSum:
			dot = dotExact
		case elem == dtype.F32 && k <= longSum:
			dot = dotFloat32
		}
		z, err := matmul(s, x, y, dot)
		if err != nil {
			return nil, err
		}
		encodeFloats(elem, z, out.Data)
	case dtype.Complex:
		x, _ := permuted(lhs, lp, asComplexes)
		y, _ := permuted(rhs, rp, asComplexes)
		dot := dotPlain[complex128]
		if elem == dtype.C64 && k <= longSum {
			dot = dotComplex64
		}
		z, err := matmul(s, x, y, dot)
		if err != nil {
			return nil, err
		}
		encodeComplex(elem, z, out.Data)
	case dtype.Bool:
		x, _ := permuted(lhs, lp, asInts)
		y, _ := permuted(rhs, rp, asInts)
		z, err := matmul(s, x, y, dotPlain[int64])
		if err != nil {
			return nil, err
		}
		for i, v := range z {
			z[i] = boolInt(v != 0)
		}
		encodeInts(elem, z, out.Data)
	default:
		x, _ := permuted(lhs, lp, asInts)
		y, _ := permuted(rhs, rp, asInts)
		z, err := matmul(s, x, y, dotPlain[int64])
		if err != nil {
			return nil, err
		}
		encodeInts(elem, z, out.Data)
	}
	return out, nil
}

type dotShape struct {
	r              *runner
	batch, m, n, k int
}

// matmul multiplies x [batch, m, k] by y [batch, n, k] into [batch, m, n].
func matmul[T number](s dotShape, x, y []T, dot func(x, y []T) T) ([]T, error) {
	z := make([]T, s.batch*s.m*s.n)
	for b := range s.batch {
		for i := range s.m {
			if err := s.r.tick(); err != nil {
				return nil, err
			}
			row := x[(b*s.m+i)*s.k:][:s.k]
			for j := range s.n {
				z[(b*s.m+i)*s.n+j] = dot(row, y[(b*s.n+j)*s.k:][:s.k])
			}
		}
	}
	return z, nil
}

// longSum is the number of terms above which sums of f32 and f64 are made in twice the precision of their type and
// rounded once. Shorter ones are rounded at each step, as the specification's own interpreter does: where the terms
// cancel, programs that were checked against such sums see the difference. Narrower types are always summed in float64.
const longSum = 64

// dotFloat32 rounds every product and every sum to float32.
func dotFloat32(x, y []float64) float64 {
	var sum float32
	for i, v := range x {
		sum += float32(float32(v) * float32(y[i]))
	}
	return float64(sum)
}

// dotComplex64 rounds every step to float32.
func dotComplex64(x, y []complex128) complex128 {
	var re, im float32
	for i, v := range x {
		p := mulComplex64(v, y[i])
		re += float32(real(p))
		im += float32(imag(p))
	}
	return complex(float64(re), float64(im))
}

// dotPlain sums the products from first to last. For types narrower than the domain the products are exact.
func dotPlain[T number](x, y []T) T {
	var sum T
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// dotExact sums float64 products in twice the precision (Ogita, Rump and Oishi's Dot2).
func dotExact(x, y []float64) float64 {
	var s double
	for i, v := range x {
		p := twoProd(v, y[i])
		t := twoSum(s.hi, p.hi)
		s = double{t.hi, s.lo + (t.lo + p.lo)}
	}
	if sum := s.hi + s.lo; !math.IsNaN(sum) {
		return sum
	}
	return dotPlain(x, y) // an infinity on the way
}
