package eval_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// rng_bit_generator makes XLA's bits for every algorithm, width and kind of shape, counters that overflow included.
func TestRNGBitGenerator(t *testing.T) {
	data, err := os.ReadFile("testdata/rng.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Algorithm, DType, Bits string
		Shape                  []int64
		State, Next            []string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s/%v", c.Algorithm, c.DType, c.Shape), func(t *testing.T) {
			elem, err := dtype.Parse(c.DType)
			if err != nil {
				t.Fatal(err)
			}
			numbers := func(list []string) []uint64 {
				v := make([]uint64, len(list))
				for i, s := range list {
					if v[i], err = strconv.ParseUint(s, 10, 64); err != nil {
						t.Fatal(err)
					}
				}
				return v
			}
			algorithm := map[string]stablehlo.RNGAlgorithm{
				"THREE_FRY": stablehlo.RNGThreeFry, "PHILOX": stablehlo.RNGPhilox, "DEFAULT": stablehlo.RNGDefault,
			}[c.Algorithm]
			g := newGraph()
			state := g.arg(stablehlo.TensorOf(dtype.U64, 2))
			out := g.op(stablehlo.RNGBitGenerator, stablehlo.RNGBitGeneratorAttr{Algorithm: algorithm},
				[]*stablehlo.Value{state}, state.Type, stablehlo.TensorOf(elem, c.Shape...))
			got := g.run(t, out, tensor(dtype.U64, []int64{2}, numbers(c.State)))
			want, err := hex.DecodeString(c.Bits)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got[1].Data); d != "" {
				t.Errorf("bits (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tensor(dtype.U64, []int64{2}, numbers(c.Next)).Data, got[0].Data); d != "" {
				t.Errorf("state (-want +got):\n%s", d)
			}
		})
	}
}

// rng follows its seed and its distribution's parameters.
func TestRNG(t *testing.T) {
	draw := func(d stablehlo.RNGDistribution, seed uint64, a, b float32) []float64 {
		g := newGraph()
		scalar := stablehlo.TensorOf(dtype.F32)
		p, q, shape := g.arg(scalar), g.arg(scalar), g.arg(stablehlo.TensorOf(dtype.I64, 1))
		out := g.op(stablehlo.RNG, stablehlo.RNGAttr{Distribution: d}, []*stablehlo.Value{p, q, shape},
			stablehlo.TensorOf(dtype.F32, 20000))
		g.opts = eval.Options{Seed: seed}
		r := g.run(t, out, tensor(dtype.F32, nil, []float32{a}), tensor(dtype.F32, nil, []float32{b}),
			tensor(dtype.I64, []int64{1}, []int64{20000}))
		return floats(r[0])
	}
	mean := func(v []float64) (m, s float64) {
		for _, x := range v {
			m += x / float64(len(v))
		}
		for _, x := range v {
			s += (x - m) * (x - m) / float64(len(v))
		}
		return m, math.Sqrt(s)
	}
	u := draw(stablehlo.RNGUniform, 1, 2, 6)
	for _, x := range u {
		if x < 2 || x >= 6 {
			t.Fatalf("uniform in [2, 6) gave %v", x)
		}
	}
	if m, s := mean(u); math.Abs(m-4) > 0.05 || math.Abs(s-4/math.Sqrt(12)) > 0.05 {
		t.Errorf("uniform in [2, 6): mean %v and deviation %v", m, s)
	}
	if m, s := mean(draw(stablehlo.RNGNormal, 1, -1, 3)); math.Abs(m+1) > 0.1 || math.Abs(s-3) > 0.1 {
		t.Errorf("normal around -1 by 3: mean %v and deviation %v", m, s)
	}
	if d := cmp.Diff(u, draw(stablehlo.RNGUniform, 1, 2, 6)); d != "" {
		t.Error("the same seed gave other numbers")
	}
	if cmp.Equal(u, draw(stablehlo.RNGUniform, 2, 2, 6)) {
		t.Error("another seed gave the same numbers")
	}
}
