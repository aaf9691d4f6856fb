package cpu

import (
	"math"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// squares is the sum of squares, in float32 unless that overflows or loses everything.
func (d *device) squares(x []float32) float64 {
	s := float64(d.table.F32.Dot(x, x))
	if s > 1e-30 && s < 1e30 {
		return s
	}
	s = 0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

func (d *device) rmsNorm(o op.RMSNorm) {
	weight := d.optional(o.Weight)
	d.rows(o.Source, o.Result, func(dst, src []float32, _ int) {
		d.scale(dst, src, d.squares(src)/float64(len(src))+o.Epsilon, weight)
	})
}

// scale makes dst src / sqrt(square) * weight.
func (d *device) scale(dst, src []float32, square float64, weight []float32) {
	f := &d.table.F32
	f.VS[kernel.Mul](dst, src, float32(1/math.Sqrt(square)))
	if weight != nil {
		f.VV[kernel.Mul](dst, dst, weight)
	}
}

func (d *device) layerNorm(o op.LayerNorm) {
	f := &d.table.F32
	weight, bias := d.optional(o.Weight), d.optional(o.Bias)
	d.rows(o.Source, o.Result, func(dst, src []float32, _ int) {
		sum := 0.0
		for _, v := range src {
			sum += float64(v)
		}
		f.VS[kernel.Sub](dst, src, float32(sum/float64(len(src))))
		d.scale(dst, dst, d.squares(dst)/float64(len(src))+o.Epsilon, weight)
		if bias != nil {
			f.VV[kernel.Add](dst, dst, bias)
		}
	})
}

func (d *device) neuron(o op.Neuron) {
	f := &d.table.F32
	bias := d.optional(o.Bias)
	d.rows(o.Source, o.Result, func(dst, src []float32, _ int) {
		if o.Alpha != 1 {
			f.VS[kernel.Mul](dst, src, float32(o.Alpha))
			src = dst
		}
		if bias != nil {
			f.VV[kernel.Add](dst, src, bias)
			src = dst
		}
		switch o.Function {
		case op.Identity:
			copy(dst, src)
		case op.ReLU:
			f.VS[kernel.Max](dst, src, 0)
		case op.Sigmoid:
			f.Unary[kernel.Logistic](dst, src)
		case op.Tanh:
			f.Unary[kernel.Tanh](dst, src)
		case op.SiLU:
			gate := make([]float32, len(dst))
			f.Unary[kernel.Logistic](gate, src)
			d.gated(dst, src, gate)
		case op.GELU: // x/2 + x/2 erf(x/sqrt 2)
			gate := make([]float32, len(dst))
			f.VS[kernel.Mul](gate, src, math.Sqrt2/2)
			f.Unary[kernel.Erf](gate, gate)
			f.VS[kernel.Add](gate, gate, 1)
			f.VS[kernel.Mul](gate, gate, 0.5)
			d.gated(dst, src, gate)
		}
	})
}

// gated is src times a gate that is zero at minus infinity, where so is the product.
func (d *device) gated(dst, src, gate []float32) {
	d.table.F32.VS[kernel.Max](dst, src, -math.MaxFloat32)
	d.table.F32.VV[kernel.Mul](dst, dst, gate)
}

func (d *device) rope(o op.RoPE) {
	half := o.Head / 2
	turns := make([]float32, o.Source.Rows*2*half) // for each row the cosines, then the sines
	d.chunks(o.Source.Rows, 32*half, func(begin, end int) {
		for r := begin; r < end; r++ {
			for i := range half {
				angle := float64(o.First+r) * math.Pow(o.Base, -2*float64(i)/float64(o.Head))
				s, c := math.Sincos(angle)
				turns[2*r*half+i], turns[(2*r+1)*half+i] = float32(c), float32(s)
			}
		}
	})
	d.rows(o.Source, o.Result, func(dst, src []float32, r int) {
		cos, sin := turns[2*r*half:(2*r+1)*half], turns[(2*r+1)*half:(2*r+2)*half]
		for h := 0; h < len(src); h += o.Head {
			for i := range half {
				a, b := h+2*i, h+2*i+1
				if o.Halves {
					a, b = h+i, h+i+half
				}
				x, y := src[a], src[b]
				dst[a], dst[b] = x*cos[i]-y*sin[i], x*sin[i]+y*cos[i]
			}
		}
	})
}

// larger puts NaN above all numbers.
func larger(x, y float32) bool { return x > y || x != x && y == y }

// topK keeps the largest so far in order.
func (d *device) topK(o op.TopK) {
	m := o.Source
	d.chunks(m.Count*m.Rows, m.Columns, func(begin, end int) {
		buf := make([]float32, m.Columns)
		for n := begin; n < end; n++ {
			i, r := n/m.Rows, n%m.Rows
			best, at := make([]float32, 0, o.K+1), make([]uint32, 0, o.K+1)
			for c, v := range d.floats(m, i, r, buf) {
				p := len(best)
				for p > 0 && larger(v, best[p-1]) {
					p--
				}
				if p == o.K {
					continue
				}
				best, at = append(best, 0), append(at, 0)
				copy(best[p+1:], best[p:])
				copy(at[p+1:], at[p:])
				best[p], at[p] = v, uint32(c)
				best, at = best[:min(len(best), o.K)], at[:min(len(at), o.K)]
			}
			d.narrow(o.Values.Type, rowBytes(o.Values, i, r), best)
			copy(view[uint32](rowBytes(o.Indices, i, r)), at)
		}
	})
}

func (d *device) sum(o op.Sum) {
	t := d.table
	switch o.Result.Type {
	case dtype.F32, dtype.F16, dtype.BF16:
		z := o.Result
		d.chunks(z.Count*z.Rows, z.Columns, func(begin, end int) {
			sum, buf := make([]float32, z.Columns), make([]float32, z.Columns)
			for n := begin; n < end; n++ {
				i, r := n/z.Rows, n%z.Rows
				d.widen(sum, z.Type, rowBytes(o.Sources[0], i, r))
				for _, m := range o.Sources[1:] {
					t.F32.VV[kernel.Add](sum, sum, d.floats(m, i, r, buf))
				}
				d.narrow(z.Type, rowBytes(z, i, r), sum)
			}
		})
	case dtype.I8, dtype.U8:
		sumInts(d, o, t.U8.VV[kernel.Add])
	case dtype.I16, dtype.U16:
		sumInts(d, o, t.U16.VV[kernel.Add])
	case dtype.I32, dtype.U32:
		sumInts(d, o, t.U32.VV[kernel.Add])
	case dtype.I64, dtype.U64:
		sumInts(d, o, t.U64.VV[kernel.Add])
	}
}

// sumInts adds integers, of which the sign makes no difference.
func sumInts[T kernel.Unsigned](d *device, o op.Sum, add func(dst, a, b []T)) {
	z := o.Result
	d.chunks(z.Count*z.Rows, z.Columns, func(begin, end int) {
		sum := make([]T, z.Columns)
		for n := begin; n < end; n++ {
			i, r := n/z.Rows, n%z.Rows
			copy(sum, view[T](rowBytes(o.Sources[0], i, r)))
			for _, m := range o.Sources[1:] {
				add(sum, sum, view[T](rowBytes(m, i, r)))
			}
			copy(rowBytes(z, i, r), mem.Bytes(sum))
		}
	})
}
