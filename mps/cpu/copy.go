package cpu

import (
	"encoding/binary"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

func (d *device) copy(o op.Copy) {
	x, z := o.Source, o.Result
	if o.Transpose && x.Type != z.Type { // converted first, as rows
		size := z.Type.Size()
		dense := op.Matrix{
			Storage: &storage{bytes: mem.Bytes(make([]uint64, (x.Count*x.Rows*x.Columns*size+7)/8))}, Type: z.Type,
			RowBytes: x.Columns * size, Rows: x.Rows, Columns: x.Columns, Count: x.Count, MatrixBytes: x.Rows * x.Columns * size,
		}
		d.copy(op.Copy{Source: x, Result: dense})
		x = dense
	}
	if !o.Transpose {
		d.chunks(z.Count*z.Rows, z.Columns, func(begin, end int) {
			wide, buf := make([]int64, z.Columns), make([]float32, z.Columns)
			for n := begin; n < end; n++ {
				i, r := n/z.Rows, n%z.Rows
				d.convert(z.Type, rowBytes(z, i, r), x.Type, rowBytes(x, i, r), wide, buf)
			}
		})
		return
	}
	for i := range z.Count {
		switch t := d.table; z.Type.Size() {
		case 1:
			transpose(d, z, x, i, t.U8.Transpose)
		case 2:
			transpose(d, z, x, i, t.U16.Transpose)
		case 4:
			transpose(d, z, x, i, t.U32.Transpose)
		case 8:
			transpose(d, z, x, i, t.U64.Transpose)
		}
	}
}

// transpose works in bands of rows of x.
func transpose[T any](d *device, z, x op.Matrix, i int, f func(dst []T, dstStride int, src []T, srcStride, rows, cols int)) {
	size := x.Type.Size()
	dst, src := view[T](span(z, i)), view[T](span(x, i))
	to, from := z.RowBytes/size, x.RowBytes/size
	d.chunks(x.Rows, x.Columns, func(begin, end int) {
		f(dst[begin:], to, src[begin*from:], from, end-begin, x.Columns)
	})
}

// convert stores a row of type xt as one of type zt. wide and buf are room for as many elements.
func (d *device) convert(zt dtype.Type, z []byte, xt dtype.Type, x []byte, wide []int64, buf []float32) {
	switch {
	case zt == xt:
		copy(z, x)
	case xt.IsFloat() && zt.IsFloat():
		d.widen(buf, xt, x)
		d.narrow(zt, z, buf)
	case xt.IsFloat():
		d.widen(buf, xt, x)
		truncate(zt, z, buf)
	case zt.IsFloat():
		signed(wide, xt, x)
		for j, v := range wide {
			f := float64(v)
			if xt == dtype.U64 {
				f = float64(uint64(v))
			}
			if zt == dtype.F32 {
				buf[j] = float32(v)
				if xt == dtype.U64 {
					buf[j] = float32(uint64(v))
				}
			} else {
				binary.LittleEndian.PutUint16(z[2*j:], uint16(dtype.FromFloat64(zt, f)))
			}
		}
		if zt == dtype.F32 {
			copy(view[float32](z), buf)
		}
	default:
		signed(wide, xt, x)
		switch zt.Size() {
		case 1:
			kernel.Widen(z, wide)
		case 2:
			kernel.Widen(view[uint16](z), wide)
		case 4:
			kernel.Widen(view[uint32](z), wide)
		case 8:
			copy(view[int64](z), wide)
		}
	}
}

func truncate(t dtype.Type, dst []byte, src []float32) {
	switch t {
	case dtype.I8:
		kernel.Truncate(view[int8](dst), src)
	case dtype.I16:
		kernel.Truncate(view[int16](dst), src)
	case dtype.I32:
		kernel.Truncate(view[int32](dst), src)
	case dtype.I64:
		kernel.Truncate(view[int64](dst), src)
	case dtype.U8:
		kernel.Truncate(dst, src)
	case dtype.U16:
		kernel.Truncate(view[uint16](dst), src)
	case dtype.U32:
		kernel.Truncate(view[uint32](dst), src)
	case dtype.U64:
		kernel.Truncate(view[uint64](dst), src)
	}
}

// signed is integers as int64; those of U64 keep their bits.
func signed(dst []int64, t dtype.Type, src []byte) {
	switch t {
	case dtype.I8:
		kernel.Widen(dst, view[int8](src))
	case dtype.I16:
		kernel.Widen(dst, view[int16](src))
	case dtype.I32:
		kernel.Widen(dst, view[int32](src))
	case dtype.U8:
		kernel.Widen(dst, src)
	case dtype.U16:
		kernel.Widen(dst, view[uint16](src))
	case dtype.U32:
		kernel.Widen(dst, view[uint32](src))
	case dtype.I64, dtype.U64:
		copy(dst, view[int64](src))
	}
}
