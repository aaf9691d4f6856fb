package eval_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestHostileCustomCalls gives custom calls operands and results of any type, which nothing verifies but the calls
// themselves: they compute or refuse, and never run into a fault.
func TestHostileCustomCalls(t *testing.T) {
	targets := []struct {
		name              string
		operands, results int
	}{
		{"lapack_spotrf_ffi", 1, 2},
		{"lapack_sgetrf_ffi", 1, 3},
		{"lapack_sgeqrf_ffi", 1, 2},
		{"lapack_sorgqr_ffi", 2, 1},
		{"lapack_ssyevd_ffi", 1, 3},
		{"lapack_sgesdd_ffi", 1, 5},
		{"lapack_strsm_ffi", 2, 1},
		{"Qr", 1, 2},
		{"mhlo.topk", 1, 2},
		{"stablehlo.dynamic_top_k", 2, 2},
		{"stablehlo.dynamic_rng_bit_generator", 2, 2},
		{"stablehlo.dynamic_reduce_window", 7, 1},
		{"Sharding", 1, 1},
		{"shape_assertion", 1, 0},
		{"check.expect_close", 2, 0},
		{"check.expect_almost_eq", 2, 1},
		{"interpreter.probe", 1, 1},
		{"interpreter.run_parallel", 1, 1},
	}
	types := []struct{ typ, value string }{
		{"tensor<4x4xf32>", "1.0"},
		{"tensor<2x4x4xf32>", "2.0"},
		{"tensor<4xf32>", "1.0"},
		{"tensor<f32>", "1.0"},
		{"tensor<2x3xf32>", "1.0"},
		{"tensor<3x2xf32>", "1.0"},
		{"tensor<0x4xf32>", "1.0"},
		{"tensor<4x4xbf16>", "1.0"},
		{"tensor<5x5xf64>", "1.0"},
		{"tensor<4x4xcomplex<f32>>", "(1.0, 2.0)"},
		{"tensor<i1>", "true"},
		{"tensor<i32>", "3"},
		{"tensor<2xi32>", "-1"},
		{"tensor<2x2xi32>", "1"},
		{"tensor<4xi32>", "2"},
		{"tensor<1xi64>", "2"},
		{"tensor<2xui64>", "1"},
	}
	const rounds = 300
	r := rand.New(rand.NewPCG(1, 2))
	ran, good := 0, 0
	for _, target := range targets {
		for range rounds {
			var constants, operands, ins, outs []string
			for i := range target.operands {
				k := types[r.IntN(2)*r.IntN(len(types))]
				constants = append(constants, fmt.Sprintf("%%a%d = stablehlo.constant dense<%s> : %s", i, k.value, k.typ))
				operands, ins = append(operands, fmt.Sprint("%a", i)), append(ins, k.typ)
			}
			for range target.results {
				outs = append(outs, types[r.IntN(2)*r.IntN(len(types))].typ)
			}
			result := ""
			if target.results > 0 {
				result = fmt.Sprintf("%%r:%d = ", target.results)
			}
			src := fmt.Sprintf("func.func @main() {\n%s\n%sstablehlo.custom_call @%s(%s) {mhlo.backend_config = {mode = %d : ui8}} : (%s) -> (%s)\nreturn\n}",
				strings.Join(constants, "\n"), result, target.name, strings.Join(operands, ", "), "ASN"[r.IntN(3)],
				strings.Join(ins, ", "), strings.Join(outs, ", "))
			m, err := stablehlo.Parse([]byte(src), stablehlo.Options{TestOps: true})
			if err != nil {
				continue // the sides of a check must have one type
			}
			ran++
			_, err = eval.Run(t.Context(), m, m.Main(), nil, eval.Options{MemoryLimit: 64 << 20})
			if errors.Is(err, eval.ErrInternal) {
				t.Fatalf("%v\n%s", err, src)
			}
			if err == nil {
				good++
			}
		}
	}
	t.Logf("%d calls, %d of them right", ran, good)
	if ran < len(targets)*rounds/2 || good == 0 {
		t.Errorf("%d calls ran and %d were right; too few to mean something", ran, good)
	}
}
