package embedded_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const add = `func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %a, %b : tensor<4xf32>
  return %0 : tensor<4xf32>
}`

func TestAdd(t *testing.T) {
	p, err := embedded.Plugin(device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	outs, err := x.Execute(t.Context(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := pjrt.Get[float32](t.Context(), outs[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != float32(2*(i+1)) {
			t.Errorf("element %d is %v", i, v)
		}
	}
	for _, v := range []interface{ Close() error }{outs[0], a, x, c} {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}
