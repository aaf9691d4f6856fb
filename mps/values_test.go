package mps_test

import (
	"math"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

func values[T mps.Element](t *testing.T, o mps.Operand) []T {
	t.Helper()
	v, err := mps.Values[T](o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestValues(t *testing.T) {
	d := open(t, mps.Options{})
	m := zeros(t, d, mps.Layout{Type: dtype.F32, Rows: 2, Columns: 3, Count: 2, RowBytes: 20, MatrixBytes: 60})
	if err := m.Write([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}); err != nil {
		t.Fatal(err)
	}
	v, err := m.View(1, 1, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := values[float32](t, v), []float32{5, 6, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if v, err = v.Matrices(1, 1); err != nil {
		t.Fatal(err)
	}
	if err := mps.Write(v, []float64{0.1, -1}); err != nil {
		t.Fatal(err)
	}
	if got, want := values[float64](t, m), []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, float64(float32(0.1)), -1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	rows, err := v.Vectors()
	if err != nil {
		t.Fatal(err)
	}
	if last, err := rows.View(1, 1); err != nil || last.Len() != 1 || values[float32](t, last)[0] != -1 {
		t.Errorf("%v, %v", last, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	is(t, v.Read(make([]float32, 2)), isthmus.ErrClosed)
	if got := values[float32](t, rows); len(got) != 2 { // a view of a view is its own
		t.Errorf("%v", got)
	}

	for _, typ := range []dtype.Type{dtype.F16, dtype.BF16} {
		h := zeros(t, d, mps.Layout{Type: typ, Rows: 1, Columns: 5})
		in := []float32{1, 1.0001, -2.5, float32(math.Inf(1)), 1e30}
		if err := h.Write(in); err != nil {
			t.Fatal(err)
		}
		for i, got := range values[float32](t, h) {
			if want := float32(dtype.ToFloat64(typ, dtype.FromFloat64(typ, float64(in[i])))); got != want {
				t.Errorf("%v of %v is %v, want %v", typ, in[i], got, want)
			}
		}
	}
	n := of(t, d, 2, 2, int64(math.MinInt64), -1, 0, math.MaxInt64)
	if got := values[int64](t, n); got[0] != math.MinInt64 || got[3] != math.MaxInt64 {
		t.Errorf("%v", got)
	}
	is(t, n.Read(make([]float32, 4)), isthmus.ErrInvalid)
	is(t, mps.Write(n, make([]int32, 4)), isthmus.ErrInvalid)
	is(t, mps.Write(m, make([]int32, 12)), isthmus.ErrInvalid)
	is(t, m.Read(make([]float32, 11)), isthmus.ErrBounds)
	is(t, m.Write(make([]float32, 13)), isthmus.ErrBounds)
	is(t, mps.Write[float32](nil, nil), isthmus.ErrClosed)
	is(t, mps.Write((*mps.Matrix)(nil), []float32{}), isthmus.ErrClosed)
	_, err = mps.Values[float32]((*mps.Vector)(nil))
	is(t, err, isthmus.ErrClosed)
}

// A solver follows pivots without looking: it takes those that LU wrote, and only as long as nobody else has written there.
func TestPivotsComeFromLU(t *testing.T) {
	d := open(t, mps.Options{})
	a := []float32{0, 2, 1, 1}
	x := of(t, d, 2, 2, a...)
	f, y := of[float32](t, d, 2, 2, 0, 0, 0, 0), of[float32](t, d, 2, 1, 4, 3)
	p := of[uint32](t, d, 1, 2, 1<<31, 1<<31)
	factor := func(b *mps.Batch) error { b.LU(f, p, x); return nil }
	solve := func(b *mps.Batch) error { b.SolveLU(y, f, p, y, false); return nil }
	is(t, d.Do(t.Context(), solve), isthmus.ErrInvalid)
	if err := d.Do(t.Context(), factor); err != nil {
		t.Fatal(err)
	}
	if err := d.Do(t.Context(), solve); err != nil {
		t.Fatal(err)
	}
	if got := values[float32](t, y); got[0] != 1 || got[1] != 2 {
		t.Errorf("%v", got)
	}
	if err := d.Do(t.Context(), func(b *mps.Batch) error { b.Bits(p, 1); return solve(b) }); err == nil {
		t.Error("pivots that the batch itself had overwritten")
	}
	if err := d.Do(t.Context(), solve); err != nil { // that batch was not sent
		t.Error(err)
	}
	err := d.Do(t.Context(), func(b *mps.Batch) error {
		if err := solve(b); err != nil {
			return err
		}
		return d.Do(t.Context(), func(b *mps.Batch) error { b.Bits(p, 1); return nil }) // sent first
	})
	is(t, err, isthmus.ErrInvalid)
	if err := d.Do(t.Context(), factor); err != nil {
		t.Fatal(err)
	}
	if err := mps.Write(p, []uint32{9, 9}); err != nil {
		t.Fatal(err)
	}
	is(t, d.Do(t.Context(), solve), isthmus.ErrInvalid)

	tall := of[float32](t, d, 4, 2, 1, 2, 3, 4, 5, 6, 7, 8)
	z := of[float32](t, d, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0)
	if err := d.Do(t.Context(), func(b *mps.Batch) error { b.LU(z, p, tall); return nil }); err != nil {
		t.Fatal(err)
	}
	is(t, d.Do(t.Context(), solve), isthmus.ErrInvalid) // pivots up to 3, and two rows
}

// What is no number goes through operations as their documentation says, in every type of float.
func TestNoNumbers(t *testing.T) {
	d := open(t, mps.Options{})
	inf, nan := math.Inf(1), math.NaN()
	tests := map[string]struct {
		f        func(b *mps.Batch, z, x *mps.Matrix)
		in, want []float64
	}{
		"softmax":            {func(b *mps.Batch, z, x *mps.Matrix) { b.Softmax(z, x) }, []float64{-inf, 0, 0, -inf}, []float64{0, 0.5, 0.5, 0}},
		"softmax of nan":     {func(b *mps.Batch, z, x *mps.Matrix) { b.Softmax(z, x) }, []float64{1, nan, 2, 3}, []float64{nan, nan, nan, nan}},
		"softmax of inf":     {func(b *mps.Batch, z, x *mps.Matrix) { b.Softmax(z, x) }, []float64{1, inf, 2, 3}, []float64{nan, nan, nan, nan}},
		"softmax of nothing": {func(b *mps.Batch, z, x *mps.Matrix) { b.Softmax(z, x) }, []float64{-inf, -inf, -inf, -inf}, []float64{nan, nan, nan, nan}},
		"rms norm of zeros":  {func(b *mps.Batch, z, x *mps.Matrix) { b.RMSNorm(z, x, nil, 0) }, []float64{0, 0, 0, 0}, []float64{nan, nan, nan, nan}},
		"rms norm, epsilon":  {func(b *mps.Batch, z, x *mps.Matrix) { b.RMSNorm(z, x, nil, 1e-5) }, []float64{0, 0, 0, 0}, []float64{0, 0, 0, 0}},
		"layer norm":         {func(b *mps.Batch, z, x *mps.Matrix) { b.LayerNorm(z, x, nil, nil, 0) }, []float64{3, 3, 3, 3}, []float64{nan, nan, nan, nan}},
		"relu":               {func(b *mps.Batch, z, x *mps.Matrix) { b.Neuron(z, x, nil, mps.ReLU, 0) }, []float64{-inf, nan, inf, -1}, []float64{0, nan, inf, 0}},
		"gelu":               {func(b *mps.Batch, z, x *mps.Matrix) { b.Neuron(z, x, nil, mps.GELU, 0) }, []float64{-inf, nan, inf, 0}, []float64{0, nan, inf, 0}},
		"silu":               {func(b *mps.Batch, z, x *mps.Matrix) { b.Neuron(z, x, nil, mps.SiLU, 0) }, []float64{-inf, nan, inf, 0}, []float64{0, nan, inf, 0}},
		"sum":                {func(b *mps.Batch, z, x *mps.Matrix) { b.Sum(z, x, x) }, []float64{-inf, nan, inf, 1}, []float64{-inf, nan, inf, 2}},
		"top-k": {func(b *mps.Batch, z, x *mps.Matrix) {
			b.TopK(zeros(t, d, mps.Layout{Type: dtype.U32, Rows: 1, Columns: 4}), z, x, 4)
		}, []float64{1, nan, 3, -inf}, []float64{nan, 3, 1, -inf}},
	}
	for name, test := range tests {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
			t.Run(name+" "+typ.String(), func(t *testing.T) {
				x, z := zeros(t, d, mps.Layout{Type: typ, Rows: 1, Columns: 4}), zeros(t, d, mps.Layout{Type: typ, Rows: 1, Columns: 4})
				if err := mps.Write(x, test.in); err != nil {
					t.Fatal(err)
				}
				if err := d.Do(t.Context(), func(b *mps.Batch) error { test.f(b, z, x); return nil }); err != nil {
					t.Fatal(err)
				}
				got, err := mps.Values[float64](z)
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range test.want {
					if got[i] != w && !(math.IsNaN(got[i]) && math.IsNaN(w)) {
						t.Errorf("%v, want %v", got, test.want)
						break
					}
				}
			})
		}
	}
}

// Random numbers are those of Philox as it was published (Random123's known answers), the same for one seed, and distributed as said.
func TestRandom(t *testing.T) {
	d := open(t, mps.Options{})
	bits := zeros(t, d, mps.Layout{Type: dtype.U32, Rows: 1, Columns: 4})
	const n = 1 << 16
	uniform, normal := zeros(t, d, mps.Layout{Type: dtype.F32, Rows: 4, Columns: n / 4}), zeros(t, d, mps.Layout{Type: dtype.F32, Rows: 4, Columns: n / 4})
	again := zeros(t, d, mps.Layout{Type: dtype.F32, Rows: n / 4, Columns: 2, Count: 2})
	if err := d.Do(t.Context(), func(b *mps.Batch) error {
		b.Bits(bits, 0)
		b.Uniform(uniform, 7, -1, 3)
		b.Normal(normal, 8, 5, 2)
		b.Normal(again, 8, 5, 2)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, want := values[uint32](t, bits), []uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}; !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if !slices.Equal(values[float32](t, normal), values[float32](t, again)) {
		t.Error("one seed gives other numbers in another shape")
	}
	var buckets [64]float64
	for _, v := range values[float64](t, uniform) {
		if v < -1 || v >= 3 {
			t.Fatalf("%v is not from -1 to below 3", v)
		}
		buckets[int((v+1)*16)]++
	}
	chi := 0.0
	for _, c := range buckets {
		chi += (c - n/64) * (c - n/64) / (n / 64)
	}
	if chi > 120 { // of 63 degrees of freedom: one seed in a hundred thousand
		t.Errorf("uniform numbers are not: chi-squared is %v", chi)
	}
	var moments [5]float64
	for _, v := range values[float64](t, normal) {
		for k := range moments {
			moments[k] += math.Pow((v-5)/2, float64(k)) / n
		}
	}
	for k, want := range []float64{1, 0, 1, 0, 3} {
		if math.Abs(moments[k]-want) > 0.1 {
			t.Errorf("moment %d of normal numbers is %v, want %v", k, moments[k], want)
		}
	}
}
