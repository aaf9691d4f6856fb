package eval

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// convolution computes convolution and dynamic_conv with every attribute: strides, padding, both dilations, reversal,
// feature groups and batch groups.
func convolution(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, ok := op.Attr.(*stablehlo.ConvAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	lhs, rhs := in[0], in[1]
	rank := len(a.InputSpatial)
	padding := a.Padding
	if op.Kind == stablehlo.DynamicConv {
		p, err := intsOf(in[2])
		if err != nil {
			return nil, fmt.Errorf("padding %w", err)
		}
		if len(p) != 2*rank {
			return nil, fmt.Errorf("padding has %d numbers, want %d", len(p), 2*rank)
		}
		padding = make([][2]int64, rank)
		for d := range padding {
			padding[d] = [2]int64{p[2*d], p[2*d+1]}
		}
	}
	if lhs.Type.Rank() != rank+2 || rhs.Type.Rank() != rank+2 {
		return nil, fmt.Errorf("operands %v and %v for %d spatial dimensions", lhs.Type, rhs.Type, rank)
	}
	c := &conv{r: r, a: a, padding: padding}
	order := func(first int64, spatial []int64, last int64) []int {
		p := []int{int(first)}
		for _, d := range spatial {
			p = append(p, int(d))
		}
		return append(p, int(last))
	}
	lp := order(a.InputBatch, a.InputSpatial, a.InputFeature) // batch, spatial, feature
	rp := append(order(a.KernelInputFeature, nil, a.KernelOutputFeature)[:0], order(0, a.KernelSpatial, 0)[1:rank+1]...)
	rp = append(rp, int(a.KernelInputFeature), int(a.KernelOutputFeature)) // spatial, in, out
	op2 := order(a.OutputBatch, a.OutputSpatial, a.OutputFeature)

	batch, features := lhs.Type.Dims[a.InputBatch], rhs.Type.Dims[a.KernelOutputFeature]
	groups := a.FeatureGroupCount
	if lhs.Type.Dims[a.InputFeature] != rhs.Type.Dims[a.KernelInputFeature]*groups ||
		features%groups != 0 || features%a.BatchGroupCount != 0 || batch%a.BatchGroupCount != 0 {
		return nil, fmt.Errorf("operands %v and %v do not fit %d feature groups and %d batch groups",
			lhs.Type, rhs.Type, groups, a.BatchGroupCount)
	}
	dims := make([]int64, rank+2)
	dims[a.OutputBatch], dims[a.OutputFeature] = batch/a.BatchGroupCount, features
	for d := range rank {
		size := lhs.Type.Dims[a.InputSpatial[d]]
		base := size
		if size > 0 {
			base = (size-1)*a.LHSDilation[d] + 1
		}
		padded := padding[d][0] + base + padding[d][1]
		kernel := rhs.Type.Dims[a.KernelSpatial[d]]
		span := int64(0)
		if kernel > 0 {
			span = (kernel-1)*a.RHSDilation[d] + 1
		}
		var n int64
		if padded >= span && padded > 0 {
			n = (padded-span)/a.WindowStrides[d] + 1
		}
		dims[a.OutputSpatial[d]] = n
		c.in, c.kernel, c.out = append(c.in, size), append(c.kernel, kernel), append(c.out, n)
	}
	c.batch, c.inFeatures = int(batch), int(lhs.Type.Dims[a.InputFeature])
	c.groupIn, c.features = int(rhs.Type.Dims[a.KernelInputFeature]), int(features)
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, lhs.Len()+rhs.Len()+2*out.Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	elem := out.Type.Elem
	switch elem.Kind() {
	case dtype.Float:
		v, err := runConv(c, lhs, rhs, lp, rp, op2, out, asFloats)
		if err != nil {
			return nil, err
		}
		encodeFloats(elem, v, out.Data)
	case dtype.Complex:
		v, err := runConv(c, lhs, rhs, lp, rp, op2, out, asComplexes)
		if err != nil {
			return nil, err
		}
		encodeComplex(elem, v, out.Data)
	default:
		v, err := runConv(c, lhs, rhs, lp, rp, op2, out, asInts)
		if err != nil {
			return nil, err
		}
		if elem == dtype.I1 {
			for i, n := range v {
				v[i] = boolInt(n != 0)
			}
		}
		encodeInts(elem, v, out.Data)
	}
	return out, nil
}

// conv is a convolution in canonical layout: input [batch, spatial…, feature], kernel [spatial…, in, out], result
// [batch, spatial…, feature].
type conv struct {
	r                 *runner
	a                 *stablehlo.ConvAttr
	padding           [][2]int64
	in, kernel, out   []int64 // spatial sizes
	batch, inFeatures int
	groupIn, features int
}

// runConv convolves and returns the result in the layout of out.
func runConv[T number](
	c *conv, lhs, rhs *Tensor, lp, rp, op []int, out *Tensor, decode func(*Tensor) []T,
) ([]T, error) {
	x, _ := permuted(lhs, lp, decode)
	w, _ := permuted(rhs, rp, decode)
	add := addProducts[T]
	if rounded, ok := any(addRounded).(func(dst, ws []T, v T)); ok && out.Type.Elem == dtype.F32 &&
		product(c.kernel)*c.groupIn <= longSum {
		add = rounded
	}
	y, err := convolve(c, x, w, add)
	if err != nil {
		return nil, err
	}
	// y has canonical dimensions; element i of out's row-major order comes from there.
	result := make([]T, len(y))
	step := strides(out.Type.Dims)
	canonical := make([]int64, len(op))
	to := make([]int, len(op))
	for i, d := range op {
		canonical[i], to[i] = out.Type.Dims[d], step[d]
	}
	idx := make([]int, len(op))
	for _, v := range y {
		p := 0
		for d, i := range idx {
			p += i * to[d]
		}
		result[p] = v
		next(idx, canonical)
	}
	return result, nil
}

func convolve[T number](c *conv, x, w []T, add func(dst, ws []T, v T)) ([]T, error) {
	a := c.a
	rank := len(c.in)
	bg := int(a.BatchGroupCount)
	groupBatch := c.batch / bg
	outPlaces, kernelPlaces, inPlaces := product(c.out), product(c.kernel), product(c.in)
	y := make([]T, groupBatch*outPlaces*c.features)
	perGroup := c.features / int(a.FeatureGroupCount) // output features of a feature group
	perBatchGroup := c.features / bg
	inStep := strides(c.in)
	o, k := make([]int, rank), make([]int, rank)
	for b := range groupBatch {
		clear(o)
		for place := range outPlaces {
			if place%256 == 0 {
				if err := c.r.tick(); err != nil {
					return nil, err
				}
			}
			acc := y[(b*outPlaces+place)*c.features:][:c.features]
			clear(k)
			for tap := range kernelPlaces {
				if p := c.tap(o, k, inStep); p >= 0 {
					weights := w[tap*c.groupIn*c.features:][:c.groupIn*c.features]
					for g := range int(a.FeatureGroupCount) {
						for bgi := range bg {
							// Batch group bgi makes its own part of the output features, from its part of the batch.
							lo, hi := max(g*perGroup, bgi*perBatchGroup), min((g+1)*perGroup, (bgi+1)*perBatchGroup)
							if lo >= hi {
								continue
							}
							row := x[((bgi*groupBatch+b)*inPlaces+p)*c.inFeatures+g*c.groupIn:][:c.groupIn]
							for i, v := range row {
								add(acc[lo:hi], weights[i*c.features:][lo:hi], v)
							}
						}
					}
				}
				next(k, c.kernel)
			}
			next(o, c.out)
		}
	}
	return y, nil
}

func addProducts[T number](dst, ws []T, v T) {
	dst = dst[:len(ws)]
	for f, u := range ws {
		dst[f] += v * u
	}
}

// addRounded rounds every product and sum to float32 (see longSum).
func addRounded(dst, ws []float64, v float64) {
	for f, u := range ws {
		p := float32(float32(v) * float32(u))
		dst[f] = float64(float32(dst[f]) + p)
	}
}

// tap is the place in the input that kernel place k meets for output place o, or -1 for padding and dilation holes.
func (c *conv) tap(o, k, step []int) int {
	p := 0
	for d := range o {
		i := int64(k[d])
		if c.a.WindowReversal[d] {
			i = c.kernel[d] - 1 - i
		}
		at := int64(o[d])*c.a.WindowStrides[d] + i*c.a.RHSDilation[d] - c.padding[d][0]
		if at < 0 || at%c.a.LHSDilation[d] != 0 {
			return -1
		}
		at /= c.a.LHSDilation[d]
		if at >= c.in[d] {
			return -1
		}
		p += int(at) * step[d]
	}
	return p
}
