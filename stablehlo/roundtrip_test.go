package stablehlo_test

import (
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// TestPrint checks that what programs carry besides operations survives printing, and that the text holds it.
func TestPrint(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string // parts of the printed text
	}{
		{
			"shardings", `module @jit_f attributes {mhlo.num_partitions = 2 : i32} {
  sdy.mesh @mesh = <["x"=2]>
  func.func public @main(%arg0: tensor<8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}]>, jax.buffer_donor = true}) -> (tensor<8xf32> {jax.result_info = "r"}) {
    %0 = stablehlo.add %arg0, %arg0 {sdy.sharding = #sdy.sharding_per_value<[<@mesh, [{"x"}]>]>} : tensor<8xf32>
    %1 = sdy.sharding_constraint %0 <@mesh, [{"x"}]> : tensor<8xf32>
    return %1 : tensor<8xf32>
  }
}`, []string{
				`module @jit_f attributes {mhlo.num_partitions = 2 : i32, sdy.mesh.mesh = `,
				`%arg0: tensor<8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}]>, jax.buffer_donor = true}`,
				`{sdy.sharding = #sdy.sharding_per_value<[<@mesh, [{"x"}]>]>}`, "return %0 : tensor<8xf32>",
			},
		},
		{
			"a computation that is not divided", `func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {
  %0 = sdy.manual_computation(%arg0) in_shardings=[<@mesh, [{"x"}]>] out_shardings=[<@mesh, [{"x"}]>] manual_axes={"x"} (%arg1: tensor<2xf32>) {
    %1 = stablehlo.negate %arg1 : tensor<2xf32>
    sdy.return %1 : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}`, []string{"%0 = stablehlo.negate %arg0 : tensor<2xf32>", "return %0 : tensor<2xf32>"},
		},
		{
			"attributes", `func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {
  %0 = stablehlo.composite "a.b" %arg0 {composite_attributes = {k = 2 : i64, n = "a\00b\"", m = [1, @f, unit, true, array<i32: 1, 2>, 1.5 : bf16, {a, "b c" = 4 : ui64}, tensor<2x!quant.uniform<i8:f32, 0.1>>]}, decomposition = @"odd name", version = 3 : i32} : (tensor<2xf32>) -> tensor<2xf32>
  %1 = stablehlo.exponential %0 {result_accuracy = #stablehlo.result_accuracy<atol = 1.0e-05, ulps = 1, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>} : tensor<2xf32>
  return %1 : tensor<2xf32>
}
func.func private @"odd name"(%arg0: tensor<2xf32>) -> tensor<2xf32> {
  return %arg0 : tensor<2xf32>
}`, []string{
				`"stablehlo.composite"(%arg0) {name = "a.b", decomposition = @"odd name", composite_attributes = {k = 2 : i64, n = "a\00b\"", m = [1 : i64, @f, unit, true, array<i32: 1, 2>, 1.5 : bf16, {a, "b c" = 4 : ui64}, tensor<2x!quant.uniform<i8:f32, 1.0e-01>>]}, version = 3 : i32}`,
				"ulps = 1", "atol = 1.0e-05",
			},
		},
		{
			"numbers", `func.func @main() {
  %0 = stablehlo.constant dense<[0x7FC00001, 0xFF800000, 0x80000000, 0x00000001, 0.1]> : tensor<5xf32>
  %1 = stablehlo.constant dense<[0x7FF0000000000001, 0x8000000000000000, 5.0e-324, 1.7976931348623157e+308]> : tensor<4xf64>
  %2 = stablehlo.constant dense<[(1.0, 0x7FC00000), (-0.0, 3.0)]> : tensor<2xcomplex<f32>>
  %3 = stablehlo.constant dense<[0x7F, 0x01, 448.0]> : tensor<3xf8E4M3FN>
  %4 = stablehlo.constant dense<[-8, 7]> : tensor<2xi4>
  %5 = stablehlo.constant dense<18446744073709551615> : tensor<3xui64>
  %6 = stablehlo.constant dense<> : tensor<0x3xf32>
  %7 = stablehlo.constant dense<[true, false]> : tensor<2xi1>
  %8 = stablehlo.constant dense<3.140625> : tensor<bf16>
  return
}`, []string{
				"dense<[0x7FC00001, 0xFF800000, -0.0, 1.0e-45, 1.0e-01]>", "dense<[0x7FF0000000000001, -0.0, 5.0e-324, 1.7976931348623157e+308]>",
				"dense<[(1.0,0x7FC00000), (-0.0,3.0)]>", "dense<[0x7F, ", "4.48e+02]>", "dense<[-8, 7]>", "dense<18446744073709551615>",
				"dense<> : tensor<0x3xf32>", "dense<[true, false]>", "dense<3.140625>",
			},
		},
		{
			"types", `func.func @main(%a: tensor<?x4xf32, #stablehlo.bounds<8, ?>>, %b: tuple<tensor<f32>, !stablehlo.token>, %c: tensor<2x!quant.uniform<u8<1:255>:f32:0, {0.5:3, 0.25:1}>>) {
  return
}`, []string{"tensor<?x4xf32, #stablehlo.bounds<8, ?>>", "tuple<tensor<f32>, !stablehlo.token>", "tensor<2x!quant.uniform<u8<1:255>:f32:0, {5.0e-01:3, 2.5e-01:1}>>"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := roundTrip(t, []byte(tt.src), stablehlo.Options{}); err != nil {
				t.Fatal(err)
			}
			m, err := stablehlo.Parse([]byte(tt.src), stablehlo.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if text := m.String(); !strings.Contains(text, want) {
					t.Errorf("the text lacks %s:\n%s", want, text)
				}
			}
		})
	}
}

// TestPrintElided leaves out large constants on request.
func TestPrintElided(t *testing.T) {
	m, err := stablehlo.Parse([]byte("func.func @main() {\n  %0 = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>\n  return\n}"), stablehlo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := m.Print(&b, stablehlo.PrintOptions{ElideAbove: 2}); err != nil {
		t.Fatal(err)
	}
	if want := "stablehlo.constant dense_resource<__elided__> : tensor<3xi32>"; !strings.Contains(b.String(), want) {
		t.Errorf("the text lacks %s:\n%s", want, &b)
	}
}

// TestEqual tells programs apart.
func TestEqual(t *testing.T) {
	const base = "func.func @main(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.subtract %x, %y : tensor<2xf32>\n  return %0 : tensor<2xf32>\n}"
	parse := func(src string) *stablehlo.Module {
		m, err := stablehlo.Parse([]byte(src), stablehlo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, tt := range []struct {
		old, new string
		want     bool
	}{
		{"%x", "%other", true},
		{"\n", "\n\n", true},
		{"%x, %y :", "%y, %x :", false},
		{"subtract", "add", false},
		{"@main", "@f", false},
		{"2x", "3x", false},
		{"%y : tensor", "%y {a = 1 : i32} : tensor", false},
		{"func.func", "func.func private", false},
		{"return %0", "return %x", false},
	} {
		if got := stablehlo.Equal(parse(base), parse(strings.ReplaceAll(base, tt.old, tt.new))); got != tt.want {
			t.Errorf("with %q for %q: %v, want %v", tt.new, tt.old, got, tt.want)
		}
	}
}

// TestCaptures lists what regions use from outside.
func TestCaptures(t *testing.T) {
	m, err := stablehlo.Parse([]byte(`func.func @main(%p: tensor<i1>, %x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
  %0 = "stablehlo.if"(%p) ({
    %1 = stablehlo.add %y, %x : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }, {
    %2 = "stablehlo.if"(%p) ({
      stablehlo.return %x : tensor<f32>
    }, {
      stablehlo.return %y : tensor<f32>
    }) : (tensor<i1>) -> tensor<f32>
    stablehlo.return %2 : tensor<f32>
  }) : (tensor<i1>) -> tensor<f32>
  return %0 : tensor<f32>
}`), stablehlo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range m.Main().Body.Ops[0].Captures() {
		got = append(got, v.Name)
	}
	if want := "y x p"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
