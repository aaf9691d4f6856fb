package pjrt_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/pjrt"
)

// XLA tells how the parameters and outputs of a partitioned program are spread.
func TestP37Shardings(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{Options: []pjrt.NamedValue{{Name: "cpu_device_count", Value: int64(4)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, c) })
	x, err := c.Compile(t.Context(), pjrt.MLIR(`module {
  func.func @main(%a: tensor<4x4xf32> {mhlo.sharding = "{devices=[2,2]<=[4]}"}, %b: tensor<4x4xf32> {mhlo.sharding = "{replicated}"})
      -> (tensor<4x4xf32> {mhlo.sharding = "{devices=[2,1,2]<=[2,2]T(1,0) last_tile_dim_replicate}"}) {
    %0 = stablehlo.add %a, %b : tensor<4x4xf32>
    return %0 : tensor<4x4xf32>
  } }`), pjrt.CompileOptions{Partitions: 4, SPMD: true})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	params, err := x.ParamShardings()
	if err != nil {
		t.Fatal(err)
	}
	outs, err := x.OutputShardings()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, s := range append(params, outs...) {
		got = append(got, s.String())
	}
	if d := cmp.Diff([]string{"{devices=[2,2]0,1,2,3}", "{replicated}", "{devices=[2,1,2]0,2,1,3 last_tile_dim_replicate}"}, got); d != "" {
		t.Error(d)
	}
}
