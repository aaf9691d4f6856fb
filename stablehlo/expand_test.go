package stablehlo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// parseOp makes a program of one line, %r = op, over arguments of the given types, and parses it.
func parseOp(args []string, result, line string) (*stablehlo.Module, error) {
	var list []string
	for i, a := range args {
		list = append(list, fmt.Sprintf("%%x%d: %s", i, a))
	}
	src := fmt.Sprintf("func.func @main(%s) -> %s {\n  %%r = %s\n  return %%r : %s\n}", strings.Join(list, ", "), result, line, result)
	return stablehlo.Parse([]byte(src), stablehlo.Options{})
}

// TestExpandTypes expands every operation of CHLO for every element type that it has, and makes sure that what comes
// out verifies, which Parse does, and prints.
func TestExpandTypes(t *testing.T) {
	const (
		floats    = "f32 f64 f16 bf16"
		complexes = "complex<f32> complex<f64>"
		integers  = "i2 i8 i32 i64 ui8 ui32 ui64"
		predicate = "i1"
	)
	for _, tt := range []struct {
		ops      string
		operands int
		types    string
		result   string // the result's element type where it is another
	}{
		{"acos acosh asin asinh atan atanh conj cosh sinh square tan", 1, floats + " " + complexes, ""},
		{"_asin_acos_kernel", 1, complexes, ""},
		{"square", 1, integers, ""},
		{"bessel_i1e digamma erf erf_inv erfc lgamma", 1, floats, ""},
		{"is_inf is_neg_inf is_pos_inf", 1, floats, "i1"},
		{"next_after polygamma zeta", 2, floats, ""},
		{"mulhi", 2, "i4 i8 i16 i32 i64 ui4 ui8 ui16 ui32 ui64", ""},
		{"broadcast_add broadcast_multiply broadcast_subtract broadcast_divide broadcast_power", 2, floats + " " + complexes, ""},
		{"broadcast_maximum broadcast_minimum broadcast_remainder", 2, floats + " " + integers, ""},
		{"broadcast_and broadcast_or broadcast_xor", 2, integers + " " + predicate, ""},
		{"broadcast_shift_left broadcast_shift_right_arithmetic broadcast_shift_right_logical", 2, integers, ""},
		{"broadcast_atan2 broadcast_next_after broadcast_polygamma broadcast_zeta", 2, floats, ""},
		{"broadcast_complex", 2, "f32", "complex<f32>"},
	} {
		for op := range strings.FieldsSeq(tt.ops) {
			for elem := range strings.FieldsSeq(tt.types) {
				t.Run(op+" "+elem, func(t *testing.T) {
					typ, out := "tensor<2x3x"+elem+">", elem
					if tt.result != "" {
						out = tt.result
					}
					args, names := []string{typ}, "%x0"
					if tt.operands == 2 {
						second := typ
						if strings.HasPrefix(op, "broadcast_") {
							second = "tensor<3x" + elem + ">"
						}
						args, names = append(args, second), "%x0, %x1"
					}
					result := "tensor<2x3x" + out + ">"
					m, err := parseOp(args, result, fmt.Sprintf("\"chlo.%s\"(%s) : (%s) -> %s", op, names, strings.Join(args, ", "), result))
					if err != nil {
						t.Fatal(err)
					}
					if again, err := stablehlo.Parse([]byte(m.String()), stablehlo.Options{}); err != nil || !stablehlo.Equal(m, again) {
						t.Errorf("does not survive printing: %v\n%s", err, m)
					}
				})
			}
		}
	}
}

// TestExpand shows what single operations become.
func TestExpand(t *testing.T) {
	for _, tt := range []struct {
		args         []string
		result, line string
		want         string // the operations, or the error
	}{
		{[]string{"tensor<3xf32>"}, "tensor<2x3xf32>", `stablehlo.broadcast %x0, sizes = [2] : (tensor<3xf32>) -> tensor<2x3xf32>`, "broadcast_in_dim"},
		{nil, "!stablehlo.token", `stablehlo.create_token : !stablehlo.token`, "after_all"},
		{
			[]string{"tensor<2x3xf32>", "tensor<3xf32>"},
			"tensor<2xf32>",
			`stablehlo.dot %x0, %x1 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2xf32>`, "dot_general",
		},
		{
			[]string{"tensor<2x3xf32>", "tensor<3x4xf32>"},
			"tensor<4x2xf32>",
			`stablehlo.einsum %x0, %x1, config = "ab,bc->ca" : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<4x2xf32>`, "dot_general transpose",
		},
		{
			[]string{"tensor<2x3xf32>"},
			"tensor<2xf32>",
			`stablehlo.unary_einsum %x0, config = "ab->a" : (tensor<2x3xf32>) -> tensor<2xf32>`, "constant constant reduce dot_general",
		},
		{
			[]string{"tensor<2x2xf32>"},
			"tensor<2xf32>",
			`stablehlo.unary_einsum %x0, config = "aa->a" : (tensor<2x2xf32>) -> tensor<2xf32>`,
			`2:8: stablehlo.unary_einsum: einsum_config "aa->a" repeats label 'a' in one operand, which is not supported`,
		},
		{
			[]string{"tensor<5x1x5xf32>", "tensor<2xi32>"},
			"tensor<2x1x5xf32>",
			`"stablehlo.torch_index_select"(%x0, %x1) {dim = 0 : i64, batch_dims = 0 : i64} : (tensor<5x1x5xf32>, tensor<2xi32>) -> tensor<2x1x5xf32>`, "gather",
		},
		{
			[]string{"tensor<2xf32>"},
			"tensor<2xf32>",
			`"stablehlo.cross-replica-sum"(%x0) {replica_groups = dense<0> : tensor<1x1xi64>} : (tensor<2xf32>) -> tensor<2xf32>`, "all_reduce",
		},
		{
			[]string{"tensor<2xf32>"},
			"tensor<2xi32>",
			`"chlo.constant_like"(%x0) {value = 3 : i32} : (tensor<2xf32>) -> tensor<2xi32>`, "constant",
		},
		{
			[]string{"tensor<?xf32>"}, "tensor<?xf32>", `chlo.square %x0 : tensor<?xf32> -> tensor<?xf32>`, "multiply",
		},
		{
			[]string{"tensor<?xf32>"},
			"tensor<?xi1>", `chlo.is_inf %x0 : tensor<?xf32> -> tensor<?xi1>`,
			"abs constant get_dimension_size convert reshape concatenate dynamic_broadcast_in_dim compare",
		},
		{[]string{"tensor<2xf32>"}, "tensor<2xf32>", `builtin.unrealized_conversion_cast %x0 : tensor<2xf32> to tensor<2xf32>`, ""},
		{
			[]string{"tensor<2xf32>"},
			"tensor<2xf64>", `builtin.unrealized_conversion_cast %x0 : tensor<2xf32> to tensor<2xf64>`,
			"2:8: builtin.unrealized_conversion_cast: cannot turn tensor<2xf32> into tensor<2xf64>",
		},
		{
			[]string{"tensor<2x3xf32>", "tensor<2xf32>"},
			"tensor<2x3xf32>",
			`"chlo.broadcast_add"(%x0, %x1) : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>`,
			"2:8: chlo.broadcast_add: shapes [2 3] and [2] cannot be broadcast together",
		},
		{
			[]string{"tensor<2x3xf32>", "tensor<2xf32>"},
			"tensor<2x3xf32>",
			`"chlo.broadcast_add"(%x0, %x1) {broadcast_dimensions = array<i64: 0>} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>`,
			"broadcast_in_dim add",
		},
		{
			[]string{"tensor<i1>", "tensor<2x3xf32>", "tensor<3xf32>"},
			"tensor<2x3xf32>",
			`"chlo.broadcast_select"(%x0, %x1, %x2) : (tensor<i1>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>`, "broadcast_in_dim select",
		},
		{
			[]string{"tensor<2x3xf32>", "tensor<1x3xf32>"},
			"tensor<2x3xi1>",
			`"chlo.broadcast_compare"(%x0, %x1) {comparison_direction = #chlo<comparison_direction LT>} : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<2x3xi1>`,
			"broadcast_in_dim compare",
		},
	} {
		t.Run(tt.line, func(t *testing.T) {
			m, err := parseOp(tt.args, tt.result, tt.line)
			var got []string
			if err != nil {
				got = []string{err.Error()}
			} else {
				for _, o := range m.Main().Body.Ops {
					if o.Kind != stablehlo.Return {
						got = append(got, o.String())
					}
				}
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
