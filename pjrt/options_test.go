package pjrt_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestCompileOptionsAreJaxlibs compares the wire form with jaxlib's own, byte for byte, less the compiler's debug
// options, which jaxlib sends and we leave to the plugin.
func TestCompileOptionsAreJaxlibs(t *testing.T) {
	c, _ := fakeClient(t, func(f *pjrtfake.Fake) { f.Devices = 4 })
	d := c.Devices()
	given := map[string]pjrt.CompileOptions{
		"plain":    {},
		"device":   {Device: d[2]},
		"replicas": {Replicas: 2, Assignment: [][]*pjrt.Device{{d[1]}, {d[3]}}},
		"mesh":     {Replicas: 2, Partitions: 2, SPMD: true, Assignment: [][]*pjrt.Device{{d[0], d[1]}, {d[2], d[3]}}},
		"portable": {Portable: true},
		"flag":     {Overrides: []pjrt.Override{{Name: "xla_cpu_enable_fast_math", Value: true}}},
		"text":     {Overrides: []pjrt.Override{{Name: "xla_x", Unlisted: true, Value: "y"}}},
		"number":   {Overrides: []pjrt.Override{{Name: "n", Unlisted: true, Value: int64(3)}}},
		"real":     {Overrides: []pjrt.Override{{Name: "f", Unlisted: true, Value: 0.5}}},
	}
	text, err := os.ReadFile("testdata/compile_options.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(text)) {
		name, hexed, _ := strings.Cut(strings.TrimSpace(line), " ")
		whole, err := hex.DecodeString(hexed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pjrt.WithoutDebugOptions(whole)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pjrt.Encode(c, given[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, want)
		}
		seen++
	}
	if seen != len(given) {
		t.Errorf("%d of %d compared", seen, len(given))
	}
	raw := []byte("anything")
	if got, err := pjrt.Encode(c, pjrt.CompileOptions{Serialized: raw}); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("serialized: %q, %v", got, err)
	}
}

// TestParamsFromTheProgram reads signatures out of real compiled programs.
func TestParamsFromTheProgram(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, `func.func @main(%a: tensor<f64>, %b: tensor<2x3xbf16> {tf.aliasing_output = 1 : i32}, %c: tensor<0x1xi1>, %d: tensor<4xcomplex<f32>> {jax.buffer_donor = true}, %e: tensor<3xui16>) -> (tensor<f64>, tensor<2x3xbf16>) {
			return %a, %b : tensor<f64>, tensor<2x3xbf16>
		}`)
		want := []pjrt.Type{
			{DType: dtype.F64},
			{DType: dtype.BF16, Dims: []int{2, 3}},
			{DType: dtype.I1, Dims: []int{0, 1}},
			{DType: dtype.C64, Dims: []int{4}},
			{DType: dtype.U16, Dims: []int{3}},
		}
		got, known := x.Params()
		if d := cmp.Diff(want, got); d != "" || !known {
			t.Errorf("known %v (-want +got)\n%s", known, d)
		}
		if d := cmp.Diff([]bool{false, true, false, true, false}, x.Donated()); d != "" {
			t.Errorf("donated (-want +got)\n%s", d)
		}
	})
}

// TestP10Optimized reads the program that the plugin's compiler wrote.
func TestP10Optimized(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		c, _ := fakeClient(t, func(f *pjrtfake.Fake) {
			f.Programs["shown"] = &pjrtfake.Program{Optimized: strings.Repeat("code", 5000)}
		})
		x := compile(t, c, "shown")
		if p, err := x.Optimized(); err != nil || p.Format != "text" || string(p.Code) != strings.Repeat("code", 5000) {
			t.Errorf("got %d bytes of %q, %v", len(p.Code), p.Format, err)
		}
		_, err := compile(t, c, "none").Optimized()
		want(t, "a plugin that shows nothing", err, isthmus.ErrUnsupported)
		var no *pjrt.Executable
		_, err = no.Optimized()
		want(t, "no executable", err, isthmus.ErrInvalid)
	})
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		x := compile(t, client(t, p), add)
		prog, err := x.Optimized()
		if err != nil {
			t.Fatal(err)
		}
		params, _, err := pjrt.ReadHLO(prog.Code, prog.Format == "hlo_with_config")
		if err != nil || len(params) != 2 || params[0].String() != "tensor<4xf32>" {
			t.Errorf("%s: %v, %v", prog.Format, params, err)
		}
	})
}

// FuzzReadHLO reads damaged programs: an error or a signature, never a panic.
func FuzzReadHLO(f *testing.F) {
	shape := []byte{0x10, 11, 0x1a, 2, 2, 3}
	program := append([]byte{0x22, 8, 0x0a, 6}, shape...)
	f.Add(program, false)
	f.Add(append([]byte{0x0a, byte(len(program))}, program...), true)
	f.Add([]byte{0x22, 0, 0x42, 4, 0x0a, 2, 0x10, 0}, false)
	f.Add([]byte{0x22, 0xff, 0xff, 0xff, 0xff, 0x0f}, false)
	f.Add([]byte{0x22, 4, 0x0a, 2, 0x18, 0xff}, false)
	f.Fuzz(func(t *testing.T, b []byte, withConfig bool) {
		params, donated, err := pjrt.ReadHLO(b, withConfig)
		if err == nil && len(params) != len(donated) {
			t.Errorf("%d parameters, %d marks", len(params), len(donated))
		}
	})
}

func TestReadHLO(t *testing.T) {
	program := []byte{0x22, 8, 0x0a, 6, 0x10, 11, 0x1a, 2, 2, 3, 0x92, 0x01, 2, 0x0a, 0}
	params, donated, err := pjrt.ReadHLO(program, false)
	if err != nil || len(params) != 1 || params[0].String() != "tensor<2x3xf32>" || !donated[0] {
		t.Errorf("got %v, %v, %v", params, donated, err)
	}
	for n := range len(program) {
		if n == 10 {
			continue // whole up to here
		}
		if p, _, err := pjrt.ReadHLO(program[:n], false); err == nil {
			t.Errorf("cut at %d: %v", n, p)
		}
	}
}
