package embedded_test

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// BenchmarkDispatch is the least that an execution costs through the table.
func BenchmarkDispatch(b *testing.B) {
	c := client(b, device.Options{})
	x := compile(b, c, add)
	a := put(b, c, []float32{1, 2, 3, 4}, 4)
	args, outs := []*pjrt.Buffer{a, a}, []*pjrt.Buffer{{}}
	for b.Loop() {
		if err := x.ExecuteInto(b.Context(), args, outs, pjrt.ExecuteOptions{}); err != nil {
			b.Fatal(err)
		}
		if err := outs[0].Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTransfer is a tensor of a million elements to the device and back.
func BenchmarkTransfer(b *testing.B) {
	c := client(b, device.Options{})
	data := make([]float32, 1<<20)
	b.SetBytes(int64(8 * len(data)))
	for b.Loop() {
		v, err := pjrt.Put(b.Context(), c.Device(), data, len(data))
		if err != nil {
			b.Fatal(err)
		}
		if err := pjrt.GetInto(b.Context(), v, data); err != nil {
			b.Fatal(err)
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
