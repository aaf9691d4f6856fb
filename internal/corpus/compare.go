package corpus

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// Compare returns an error that names the first output, and the element in it, that is out of tolerance.
func (c *Case) Compare(got, want []npy.Array) error {
	if len(got) != len(want) {
		return fmt.Errorf("corpus: %s: %d outputs, want %d", c.Name, len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) || len(g.Data) != len(w.Data) {
			return fmt.Errorf("corpus: %s: output %d is %s %v of %d bytes, want %s %v of %d", c.Name, i, g.DType, g.Shape, len(g.Data), w.DType, w.Shape, len(w.Data))
		}
	}
	got = c.align(got, want)
	for i := range want {
		if err := c.compare(got[i], want[i]); err != nil {
			return fmt.Errorf("corpus: %s (%s): output %d: %w", c.Name, c.Class, i, err)
		}
	}
	return nil
}

func (c *Case) compare(got, want npy.Array) error {
	tol := c.tolerances[want.DType]
	if !want.DType.IsFloat() && !want.DType.IsComplex() {
		if bytes.Equal(got.Data, want.Data) {
			return nil
		}
		size := want.DType.Size()
		for i := 0; i < len(want.Data); i += size {
			if !bytes.Equal(got.Data[i:i+size], want.Data[i:i+size]) {
				return fmt.Errorf("element %d of %s %v is bytes % x, want % x", i/size, want.DType, want.Shape, got.Data[i:i+size], want.Data[i:i+size])
			}
		}
	}
	g, w := floats(got), floats(want)
	scale := 1.0
	for _, v := range w {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i := range w {
		bound := tol.relative*math.Abs(w[i]) + tol.absolute*scale
		switch diff := math.Abs(g[i] - w[i]); {
		case math.IsNaN(w[i]) && math.IsNaN(g[i]), g[i] == w[i] && (bound > 0 || math.Signbit(g[i]) == math.Signbit(w[i])):
		case math.IsInf(w[i], 0) || !(diff <= bound) || bound == 0:
			return fmt.Errorf("value %d of %s %v is %v, want %v within %.3g", i, want.DType, want.Shape, g[i], w[i], bound)
		}
	}
	return nil
}

// floats returns the values of a float or complex array, the two parts of a complex element one after the other.
func floats(a npy.Array) []float64 {
	t := a.DType.Real()
	size := t.Size()
	out := make([]float64, len(a.Data)/size)
	for i := range out {
		var code uint64
		for j := size - 1; j >= 0; j-- {
			code = code<<8 | uint64(a.Data[i*size+j])
		}
		out[i] = dtype.ToFloat64(t, code)
	}
	return out
}

// align gives the vectors of a decomposition, which are determined only up to their signs, the signs of the wanted ones.
func (c *Case) align(got, want []npy.Array) []npy.Array {
	var columns, rows int // which outputs hold the vectors as columns, and their partners as rows
	switch c.Class {
	case "eigenvectors":
		columns, rows = 1, -1
	case "singularvectors":
		columns, rows = 0, 2
	default:
		return got
	}
	got = slices.Clone(got)
	g, w := floats(got[columns]), floats(want[columns])
	n, m := int(want[columns].Shape[0]), int(want[columns].Shape[1])
	flip := make([]bool, m)
	for j := range m {
		dot := 0.0
		for i := range n {
			dot += g[i*m+j] * w[i*m+j]
		}
		flip[j] = dot < 0
	}
	got[columns] = negate(got[columns], func(i int) bool { return flip[i%m] })
	if rows >= 0 {
		width := int(want[rows].Shape[1])
		got[rows] = negate(got[rows], func(i int) bool { return i/width < m && flip[i/width] })
	}
	return got
}

// negate returns a with the sign bits of the chosen elements flipped.
func negate(a npy.Array, chosen func(int) bool) npy.Array {
	size := a.DType.Size()
	a.Data = bytes.Clone(a.Data)
	for i := range len(a.Data) / size {
		if chosen(i) {
			a.Data[(i+1)*size-1] ^= 0x80
		}
	}
	return a
}
