package mps

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// float is element j of a row of floats or integers.
func float(t dtype.Type, b []byte, j int) float64 {
	switch t.Size() {
	case 1:
		if t == dtype.I8 {
			return float64(int8(b[j]))
		}
		return float64(b[j])
	case 2:
		v := binary.LittleEndian.Uint16(b[2*j:])
		if t == dtype.I16 {
			return float64(int16(v))
		}
		return dtype.ToFloat64(t, uint64(v))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:])))
}

func putFloat(t dtype.Type, b []byte, j int, v float64) {
	if t == dtype.F32 {
		binary.LittleEndian.PutUint32(b[4*j:], math.Float32bits(float32(v)))
		return
	}
	binary.LittleEndian.PutUint16(b[2*j:], uint16(dtype.FromFloat64(t, v)))
}

// guarded sends the operations one by one and looks at what came of them.
func (b *Batch) guarded(native op.Device, r *Run) error {
	var first error
	for i, o := range b.ops {
		check := func() error { return nil }
		switch o := o.(type) {
		case op.MatMul:
			check = sample(o)
		case op.Random:
			check = func() error { return numbers(o) }
		}
		under, err := native.Submit(context.Background(), []op.Op{o})
		if err == nil {
			err = r.await(under)
		}
		if err == nil {
			err = check()
		}
		if err != nil && first == nil {
			first = fmt.Errorf("operation %d (%v): %w", i, o.Kind(), err)
		}
	}
	return first
}

// at is element (row, column) of matrix i.
func at(m op.Matrix, i, row, column int) float64 {
	if m.Count == 1 {
		i = 0
	}
	begin := m.Offset + i*m.MatrixBytes + row*m.RowBytes
	return float(m.Type, m.Storage.Bytes()[begin:begin+m.Columns*m.Type.Size()], column)
}

// sampled is how many elements of a product are computed again.
const sampled = 16

// sample remembers what a product will be added to, and returns the comparison.
func sample(o op.MatMul) func() error {
	type place struct{ i, row, column int }
	var places [sampled]place
	var before [sampled]float64
	z := o.Result
	for s := range places { // corners first, then places spread by the golden ratio
		p := &places[s]
		switch s {
		case 0:
		case 1:
			*p = place{z.Count - 1, z.Rows - 1, z.Columns - 1}
		default:
			h := uint64(s) * 0x9e3779b97f4a7c15
			*p = place{int(h >> 1 % uint64(z.Count)), int(h >> 17 % uint64(z.Rows)), int(h >> 33 % uint64(z.Columns))}
		}
		if o.Beta != 0 {
			before[s] = o.Beta * at(z, p.i, p.row, p.column)
		}
	}
	return func() error {
		inner := o.Left.Columns
		if o.TransposeLeft {
			inner = o.Left.Rows
		}
		for s, p := range places {
			want, size := before[s], math.Abs(before[s])
			for k := range inner {
				lr, lc, rr, rc := p.row, k, k, p.column
				if o.TransposeLeft {
					lr, lc = lc, lr
				}
				if o.TransposeRight {
					rr, rc = rc, rr
				}
				term := o.Alpha * at(o.Left, p.i, lr, lc) * at(o.Right, p.i, rr, rc)
				want += term
				size += math.Abs(term)
			}
			got := at(z, p.i, p.row, p.column)
			if math.IsNaN(want) || math.IsInf(want, 0) || math.Abs(want) > maxFloat(z.Type) {
				continue // not finite in one order of additions, perhaps in another
			}
			if bound := tolerance(z.Type, inner)*size + tiny(z.Type); !(math.Abs(got-want) <= bound) {
				return fmt.Errorf("%w: element (%d, %d) of matrix %d of a product is %v, and the processor gets %v", ErrNumerics, p.row, p.column, p.i, got, want)
			}
		}
		return nil
	}
}

// tolerance is how far a sum of n products may be off, relative to the sum of their magnitudes: float32 additions, and the rounding of
// the result.
func tolerance(t dtype.Type, n int) float64 {
	eps := 0x1p-24 * float64(n+4)
	switch t {
	case dtype.F16:
		eps += 0x1p-10
	case dtype.BF16:
		eps += 0x1p-7
	}
	return eps
}

// tiny is the least positive number, which a device may take for zero, with room for sums of them.
func tiny(t dtype.Type) float64 {
	if t == dtype.F16 {
		return 0x1p-14
	}
	return 0x1p-120
}

func maxFloat(t dtype.Type) float64 {
	if t == dtype.F16 {
		return 65504
	}
	return math.MaxFloat32 / 2
}

// numbers looks for what is no number in normal random ones.
func numbers(o op.Random) error {
	if o.Distribution != op.Normal || math.Abs(o.A)+8*o.B > maxFloat(o.Result.Type) {
		return nil
	}
	var err error
	b := o.Result.Storage.Bytes()
	eachRow(o.Result, func(i, begin, end int) {
		for j := range o.Result.Columns {
			if v := float(o.Result.Type, b[begin:end], j); err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
				err = fmt.Errorf("%w: element %d of row %d of normal random numbers is %v", ErrNumerics, j, i, v)
			}
		}
	})
	return err
}
