package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
)

// Attention by blocks is attention, at sizes around the blocks', and with keys that a row does not see: whatever their values are,
// numbers or not, they take no part, and a row that sees none is zeros.
func TestAttentionBlocks(t *testing.T) {
	d, err := mps.Open(t.Context(), mps.Options{Backend: cpu.Options{Workers: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r := rand.New(rand.NewPCG(9, 10))
	const width, columns = 5, 3
	for _, rows := range []int{1, 65, 200} {
		for _, keys := range []int{1, 257, 700} {
			for flags := range 8 {
				causal, masked, spoilt := flags&1 > 0, flags&2 > 0, flags&4 > 0
				if causal && keys < rows {
					continue
				}
				typ, heads := dtype.F32, 1+r.IntN(2)
				if r.IntN(3) == 0 {
					typ = dtype.F16
				}
				t.Run(fmt.Sprintf("%dx%d %v causal %v mask %v spoilt %v", rows, keys, typ, causal, masked, spoilt), func(t *testing.T) {
					fill := func(count, rows, columns int, f func(i int) float64) (*mps.Matrix, []float64) {
						m, err := d.NewMatrices(mps.Layout{Type: typ, Count: count, Rows: rows, Columns: columns})
						if err != nil {
							t.Fatal(err)
						}
						t.Cleanup(func() {
							if err := m.Close(); err != nil {
								t.Error(err)
							}
						})
						v := make([]float64, count*rows*columns)
						for i := range v {
							v[i] = f(i)
						}
						if err := mps.Write(m, v); err != nil {
							t.Fatal(err)
						}
						if v, err = mps.Values[float64](m); err != nil {
							t.Fatal(err)
						}
						return m, v
					}
					normal := func(int) float64 { return r.NormFloat64() }
					hidden := func(row, key int) bool {
						return causal && key > row+keys-rows || masked && (row%7 == 3 || key%5 == 2 || row%3 == 0 && key < 300)
					}
					opt := mps.AttentionOptions{Scale: 0.7, Causal: causal}
					var mask []float64
					if masked {
						opt.Mask, mask = fill(1, rows, keys, func(i int) float64 {
							if hidden(i/keys, i%keys) {
								return math.Inf(-1)
							}
							return r.NormFloat64()
						})
					}
					q, qv := fill(heads, rows, width, normal)
					k, kv := fill(1, keys, width, normal)
					v, vv := fill(1, keys, columns, func(i int) float64 {
						if key := i / columns; spoilt && (key == keys-1 || key%5 == 2) {
							return []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i%3]
						}
						return r.NormFloat64()
					})
					z, _ := fill(heads, rows, columns, normal)
					if err := d.Do(t.Context(), func(b *mps.Batch) error { b.Attention(z, q, k, v, opt); return nil }); err != nil {
						t.Fatal(err)
					}
					got, err := mps.Values[float64](z)
					if err != nil {
						t.Fatal(err)
					}
					for i, g := range got {
						head, row, c := i/(rows*columns), i/columns%rows, i%columns
						sum, want := 0.0, 0.0
						for key := range keys {
							if hidden(row, key) {
								continue
							}
							s := 0.0
							for j := range width {
								s += qv[(head*rows+row)*width+j] * kv[key*width+j]
							}
							if s *= 0.7; masked {
								s += mask[row*keys+key]
							}
							sum += math.Exp(s)
							want += math.Exp(s) * vv[key*columns+c]
						}
						if sum != 0 {
							want /= sum
						}
						bound := 1e-4
						if typ == dtype.F16 {
							bound = 2e-3
						}
						if !(math.Abs(g-want) <= bound*(1+math.Abs(want)) || g == want || math.IsNaN(g) && math.IsNaN(want)) {
							t.Fatalf("row %d, column %d of head %d is %v, want %v", row, c, head, g, want)
						}
					}
				})
			}
		}
	}
}
