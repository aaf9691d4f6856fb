package pjrt_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestSerializedOptions sends ready-made options. XLA ends the process at those that are refused here.
func TestSerializedOptions(t *testing.T) {
	c, _ := fakeClient(t, nil)
	const whole = "\x1a\x04\x20\x01\x28\x01" // one replica, one partition
	for name, w := range map[string]struct {
		options string
		fine    bool
	}{
		"whole":                {whole + "\x62\x01\x00", true},
		"a field of tomorrow":  {whole + "\xfa\x3f\x01x", true},
		"none":                 {"", false},
		"cut":                  {whole[:5], false},
		"no partitions":        {"\x1a\x02\x20\x01", false},
		"negative":             {"\x1a\x0d\x20\x01\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false},
		"no devices":           {"\x1a\x06\x20\x01\x28\x01\x4a\x00", false},
		"devices":              {"\x1a\x0f\x20\x01\x28\x01\x4a\x09\x08\x01\x10\x01\x1a\x03\x0a\x01\x00", true},
		"no device of the one": {"\x1a\x0c\x20\x01\x28\x01\x4a\x06\x08\x01\x10\x01\x1a\x00", false},
		"negative dimension":   {"\x0a\x0e\x10\x0b\x1a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + whole, false},
	} {
		x, err := c.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{Serialized: []byte(w.options)})
		if w.fine != (err == nil) || !w.fine && !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		x.Close()
	}
}

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
		"rich": {
			Partitions: 4, SPMD: true, Shardy: true, AutoSharding: true, MeshShape: []int{2, 2}, MeshIDs: []int{3, 1, 0, 2},
			ShardParams: []bool{true, false, true}, ShardOutputs: []bool{true}, Effort: pjrt.EffortO3, FitEffort: pjrt.EffortO0,
			Profile: []byte("profile"), ProfileVersion: 7, TupledParams: true,
		},
		"layouts": {
			ParamShapes: []pjrt.Shape{shape(dtype.F32, []int{0, 1}, 2, 3), shape(dtype.I8, []int{})},
			ResultShape: &pjrt.Shape{Tuple: []pjrt.Shape{shape(dtype.F32, []int{1, 0}, 2, 3), shape(dtype.I8, []int{0}, 5)}},
		},
		"flag":   {Overrides: []pjrt.Override{{Name: "xla_cpu_enable_fast_math", Value: true}}},
		"text":   {Overrides: []pjrt.Override{{Name: "xla_x", Unlisted: true, Value: "y"}}},
		"number": {Overrides: []pjrt.Override{{Name: "n", Unlisted: true, Value: int64(3)}}},
		"real":   {Overrides: []pjrt.Override{{Name: "f", Unlisted: true, Value: 0.5}}},
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
	raw := []byte("\x1a\x04\x20\x01\x28\x01\x62\x01\x00")
	if got, err := pjrt.Encode(c, pjrt.CompileOptions{Serialized: raw}); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("serialized: %q, %v", got, err)
	}
}

func shape(d dtype.Type, order []int, dims ...int) pjrt.Shape {
	return pjrt.Shape{Type: pjrt.Type{DType: d, Dims: dims}, MinorToMajor: order}
}

// TestCompileOptionsAreRefused gives options that contradict themselves: none reaches a plugin.
func TestCompileOptionsAreRefused(t *testing.T) {
	c, _ := fakeClient(t, func(f *pjrtfake.Fake) { f.Devices = 4 })
	other := client(t, c.Plugin())
	d := c.Devices()
	flag := func(name string, value any) pjrt.CompileOptions {
		return pjrt.CompileOptions{Overrides: []pjrt.Override{{Name: name, Value: value}}}
	}
	for _, test := range []struct {
		name string
		o    pjrt.CompileOptions
		says string
	}{
		{"replicas", pjrt.CompileOptions{Replicas: -1}, "-1 replicas"},
		{"many replicas", pjrt.CompileOptions{Replicas: 1 << 40}, "replicas"},
		{"process", pjrt.CompileOptions{ProcessIndex: 2, ProcessCount: 2}, "process 2 of 2"},
		{"device for two", pjrt.CompileOptions{Device: d[0], Replicas: 2}, "one device"},
		{"two assignments", pjrt.CompileOptions{Device: d[0], AssignmentIDs: [][]int{{0}}}, "exclude"},
		{"few devices", pjrt.CompileOptions{Replicas: 2, Assignment: [][]*pjrt.Device{{d[0]}}}, "2"},
		{"ragged", pjrt.CompileOptions{Replicas: 2, Assignment: [][]*pjrt.Device{{d[0]}, {d[1], d[2]}}}, "replica 1 has 2 devices"},
		{"nil device", pjrt.CompileOptions{Assignment: [][]*pjrt.Device{{nil}}}, "not one of this client's"},
		{"another's device", pjrt.CompileOptions{Device: other.Device()}, "not one of this client's"},
		{"negative device", pjrt.CompileOptions{AssignmentIDs: [][]int{{-1}}}, "-1"},
		{"effort", pjrt.CompileOptions{Effort: 5}, "effort 5"},
		{"precision", pjrt.CompileOptions{Precision: 17}, "precision 17"},
		{"limit", pjrt.CompileOptions{MemoryLimit: -1}, "limit"},
		{"target", pjrt.CompileOptions{Target: []byte{0xff}}, "GpuTargetConfigProto"},
		{"environments", pjrt.CompileOptions{Environments: []byte{0xff}}, "CompilationEnvironmentsProto"},
		{"layout", pjrt.CompileOptions{ParamShapes: []pjrt.Shape{shape(dtype.F32, []int{0, 0}, 2, 3)}}, "no order of 2 dimensions"},
		{"short layout", pjrt.CompileOptions{ResultShape: &pjrt.Shape{Type: pjrt.Type{DType: dtype.F32, Dims: []int{2, 3}}, MinorToMajor: []int{1}}}, "no order"},
		{"tile", pjrt.CompileOptions{ParamShapes: []pjrt.Shape{{Type: pjrt.Type{DType: dtype.F32, Dims: []int{2}}, MinorToMajor: []int{0}, Tiles: [][]int{{0}}}}}, "tile [0]"},
		{"no type", pjrt.CompileOptions{ParamShapes: []pjrt.Shape{{}}}, "invalid"},
		{"misspelt flag", flag("xla_cpu_enable_fast_mat", true), "the nearest is xla_cpu_enable_fast_math"},
		{"no flag", flag("", true), "the nearest is"},
		{"long flag", flag(strings.Repeat("x", 1<<20), true), "the nearest is"},
		{"number for bool", flag("xla_cpu_enable_fast_math", int64(1)), "takes a bool"},
		{"text for bool", flag("xla_cpu_enable_fast_math", "maybe"), "takes a bool"},
		{"bool for text", flag("xla_dump_to", true), "takes a string"},
		{"no such value", flag("xla_step_marker_location", "NOWHERE"), "STEP_MARK_AT_ENTRY"},
		{"too large", flag("xla_backend_optimization_level", int64(1)<<40), "32 bits"},
		{"Go's int", flag("xla_backend_optimization_level", 3), "use a string, bool, int64 or float64"},
		{"twice", pjrt.CompileOptions{Overrides: []pjrt.Override{{Name: "xla_dump_to", Value: "a"}, {Name: "xla_dump_to", Value: "b"}}}, "twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := pjrt.Encode(c, test.o)
			want(t, test.name, err, isthmus.ErrInvalid)
			if err == nil {
				t.Fatalf("encoded as %x", b)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
			if len(err.Error()) > 2<<20 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestFlags gives flags of each type as the plugin wants them, and as text.
func TestFlags(t *testing.T) {
	c, _ := fakeClient(t, nil)
	for name, values := range map[string][2]any{
		"xla_cpu_enable_fast_math":       {true, "true"},
		"xla_backend_optimization_level": {int64(2), "2"},
		"xla_dump_to":                    {"there", "there"},
		"xla_step_marker_location":       {"STEP_MARK_AT_ENTRY", "STEP_MARK_AT_ENTRY"},
	} {
		var seen []string
		for _, v := range values {
			b, err := pjrt.Encode(c, pjrt.CompileOptions{Overrides: []pjrt.Override{{Name: name, Value: v}}})
			if err != nil {
				t.Fatal(err)
			}
			text, err := pjrt.CompileOptionsText(b)
			if err != nil || !strings.Contains(text, name) {
				t.Errorf("%s: %s, %v", name, text, err)
			}
			seen = append(seen, string(b))
		}
		if seen[0] != seen[1] {
			t.Errorf("%s: %q and %q", name, seen[0], seen[1])
		}
	}
	if f := pjrt.Flags(); len(f) < 200 || !slices.IsSorted(f) || !slices.Contains(f, "xla_dump_to") {
		t.Errorf("%d flags", len(f))
	}
	if _, err := pjrt.CompileOptionsText([]byte{0xff}); err == nil {
		t.Error("no options were shown")
	}
}

// TestFlagsReachThePlugin compiles with flags that the plugin checks itself.
func TestFlagsReachThePlugin(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		for _, o := range []pjrt.Override{{Name: "xla_cpu_enable_fast_math", Value: "true"}, {Name: "xla_backend_optimization_level", Value: int64(1)}, {Name: "xla_step_marker_location", Value: "STEP_MARK_AT_ENTRY"}} {
			x, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Overrides: []pjrt.Override{o}, Effort: pjrt.EffortO1})
			if err != nil {
				t.Errorf("%s: %v", o.Name, err)
				continue
			}
			runAdd(t, c, x)
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
		_, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Overrides: []pjrt.Override{{Name: "xla_no_such_flag", Value: true, Unlisted: true}}})
		if err == nil {
			t.Error("the plugin took a flag that it does not have")
		}
		x, err := c.Compile(t.Context(), pjrt.MLIR(`func.func @main(%a: tensor<2x3xf32>) -> tensor<2x3xf32> { return %a : tensor<2x3xf32> }`),
			pjrt.CompileOptions{ParamShapes: []pjrt.Shape{shape(dtype.F32, []int{0, 1}, 2, 3)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestShapesSurvive writes shapes and reads them again.
func TestShapesSurvive(t *testing.T) {
	plain := shape(dtype.F32, nil, 8, 128)
	tiled := shape(dtype.BF16, []int{1, 0}, 100, 300)
	tiled.Tiles, tiled.ElementBits, tiled.MemorySpace = [][]int{{8, 128}, {2, 1}}, 16, 5
	dynamic := shape(dtype.I32, []int{0}, 7)
	dynamic.Dynamic = []bool{true}
	for text, s := range map[string]pjrt.Shape{
		"f32[8,128]": plain,
		"bf16[100,300]{1,0:T(8,128)(2,1)E(16)S(5)}": tiled,
		"s32[<=7]{0}": dynamic,
		"pred[]{}":    shape(dtype.I1, []int{}),
		"(f32[8,128], bf16[100,300]{1,0:T(8,128)(2,1)E(16)S(5)}, ())": {Tuple: []pjrt.Shape{plain, tiled, {Tuple: []pjrt.Shape{}}}},
	} {
		if s.String() != text {
			t.Errorf("printed as %s, want %s", s, text)
		}
		b, err := s.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		again, err := pjrt.ParseShape(b)
		if err != nil || again.String() != text {
			t.Errorf("%s is read as %s, %v", text, again, err)
		}
		if c, err := again.Serialize(); err != nil || !bytes.Equal(b, c) {
			t.Errorf("%s is written as %x, then %x, %v", text, b, c, err)
		}
	}
	var none pjrt.Shape
	if _, err := none.Serialize(); err == nil {
		t.Error("no shape was written")
	}
	if s, err := pjrt.ParseShape([]byte{0xff}); err == nil {
		t.Errorf("garbage is %v", s)
	}
	// What this module does not know survives too: a layout with an index type, field 11.
	odd := []byte{0x10, 11, 0x1a, 1, 3, 0x2a, 5, 0x0a, 1, 0, 0x58, 4}
	s, err := pjrt.ParseShape(odd)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Serialize()
	if err != nil || !bytes.Contains(b, []byte{0x58, 4}) {
		t.Errorf("%x is written as %x, %v", odd, b, err)
	}
}

// FuzzParseShape reads damaged shapes: what is read can be printed and written, or is refused.
func FuzzParseShape(f *testing.F) {
	b, err := shape(dtype.F32, []int{1, 0}, 2, 3).Serialize()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0x10, 13, 0x22, 2, 0x10, 11})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := pjrt.ParseShape(b)
		if err != nil {
			return
		}
		text := s.String()
		if b, err = s.Serialize(); err != nil {
			return
		}
		if again, err := pjrt.ParseShape(b); err != nil || again.String() != text {
			t.Errorf("%s is read again as %s, %v", text, again, err)
		}
	})
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
