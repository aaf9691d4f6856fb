package mlir

import (
	"fmt"
	"strings"
)

// form is the syntax of an operation's pretty form, as a list of steps.
type form struct {
	name  string // of the operation
	steps []step
}

type step struct {
	kind byte // first byte of the token: see prettyForm
	text string
	arg  string // of an attribute: its kind
}

// prettyForm returns the syntax of an operation as StableHLO's table gives it, empty if it has none. Tokens:
//
//	%       one operand
//	%*      operands separated by commas, maybe none
//	%,*     operands with a comma behind each
//	$a:k    attribute a in the form k: i64 i32 ui64 ui32 f64 bool str sym ints dense enum (enum.n where its name n is
//	        not the attribute's)
//	!f      a form of its own: see special
//	{}      attributes, if any
//	?       the steps up to ; are there if the first of them is
//	:t      ':' and the types in the form t: see types
//	other   itself
func prettyForm(name string) string {
	dialect, op, _ := strings.Cut(name, ".")
	switch dialect {
	case "stablehlo":
		return stablehloForm(op)
	case "chlo":
		return chloForm(op)
	case "check":
		return checkForm(op)
	}
	switch name {
	case "func.call":
		return "$callee:sym ( %* ) {} :fn"
	case "func.return", "sdy.return":
		return "{} %* {} ? :operands ;"
	case "interpreter.print":
		return "% {} :operands"
	case "interpreter.probe":
		return "% , probe_id = $probe_id:str {} :one"
	case "builtin.unrealized_conversion_cast":
		return "%* !cast"
	case "arith.constant":
		return "{} !constant"
	case "shape.shape_of":
		return "% {} :arrow"
	}
	return ""
}

func stablehloForm(op string) string {
	switch op {
	case "abs", "cbrt", "ceil", "convert", "count_leading_zeros", "cosine", "exponential", "exponential_minus_one",
		"floor", "imag", "log", "log_plus_one", "logistic", "not", "negate", "popcnt", "real", "round_nearest_afz",
		"round_nearest_even", "rsqrt", "sign", "sine", "sqrt", "tan", "tanh", "uniform_dequantize", "uniform_quantize":
		return "% {} :same"
	case "add", "and", "atan2", "divide", "maximum", "minimum", "multiply", "or", "power", "remainder", "shift_left",
		"shift_right_arithmetic", "shift_right_logical", "subtract", "xor":
		return "% , % {} :same"
	case "is_finite", "reshape", "dynamic_reshape", "bitcast_convert", "dynamic_update_slice", "real_dynamic_slice",
		"dynamic_pad":
		return "%* {} :fn"
	case "complex":
		return "%* {} :complex"
	case "clamp":
		return "% , % , % {} :same"
	case "select":
		return "%* {} :select"
	case "compare":
		return "$comparison_direction:enum , % , % ? , $compare_type:enum.comparison_type ; {} :fn"
	case "constant":
		return "!constant"
	case "iota":
		return "dim = $iota_dimension:i64 {} :results"
	case "dynamic_iota":
		return "% , dim = $iota_dimension:i64 {} :fn"
	case "create_token", "replica_id", "partition_id":
		return "{} :results"
	case "after_all":
		return "%* {} :same"
	case "broadcast":
		return "% , sizes = $broadcast_sizes:ints {} :fn"
	case "broadcast_in_dim":
		return "% , dims = $broadcast_dimensions:ints {} :fn"
	case "dynamic_broadcast_in_dim":
		return "% , % , dims = $broadcast_dimensions:ints {} :fn"
	case "transpose":
		return "% , dims = $permutation:ints {} :fn"
	case "reverse":
		return "% , dims = $dimensions:ints {} :same"
	case "slice":
		return "% !slice {} :fn"
	case "dynamic_slice":
		return "% , %,* sizes = $slice_sizes:ints {} :fn"
	case "concatenate":
		return "%,* dim = $dimension:i64 {} :fn"
	case "pad":
		return "% , % , low = $edge_padding_low:ints , high = $edge_padding_high:ints , interior = $interior_padding:ints {} :fn"
	case "get_dimension_size":
		return "% , dim = $dimension:i64 {} :fn"
	case "set_dimension_size":
		return "% , % , dim = $dimension:i64 {} :fn"
	case "dot":
		return "% , % !precision {} :fn"
	case "dot_general":
		return "% , % , !dotdims !precision {} :fn"
	case "convolution":
		return "( %* ) dim_numbers = !convdims , window = { !window } {} :fn"
	case "einsum":
		return "% , % , config = $einsum_config:str {} :fn"
	case "unary_einsum":
		return "% , config = $einsum_config:str {} :fn"
	case "fft":
		return "% , type = $fft_type:enum , length = $fft_length:ints {} :fn"
	case "cholesky":
		return "% ? , lower = $lower:bool ; {} :same"
	case "rng":
		return "% , % , % , distribution = $rng_distribution:enum {} :fn"
	case "rng_bit_generator":
		return "% , algorithm = $rng_algorithm:enum {} :fn"
	case "reduce_precision":
		return "% , format = !format {} :same"
	case "reduce":
		return "!reduce"
	case "while":
		return "!while"
	case "return":
		return "%* {} ? :operands ;"
	case "optimization_barrier":
		return "{} !barrier"
	case "tuple":
		return "%* {} :tuple"
	case "get_tuple_element":
		return "% [ $index:i32 ] {} :fn"
	case "custom_call":
		return "$call_target_name:symstr ( %* ) {} :fn"
	case "composite":
		return "$name:str %* !regions {} :fn"
	}
	return ""
}

func chloForm(op string) string {
	switch op {
	case "broadcast_add", "broadcast_and", "broadcast_atan2", "broadcast_compare", "broadcast_complex", "broadcast_divide",
		"broadcast_maximum", "broadcast_minimum", "broadcast_multiply", "broadcast_next_after", "broadcast_or",
		"broadcast_polygamma", "broadcast_power", "broadcast_remainder", "broadcast_shift_left",
		"broadcast_shift_right_arithmetic", "broadcast_shift_right_logical", "broadcast_subtract", "broadcast_xor",
		"broadcast_zeta", "next_after", "polygamma", "zeta", "mulhi":
		return "% , % {} :arrow"
	case "_asin_acos_kernel", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bessel_i1e", "conj", "cosh", "sinh",
		"tan", "digamma", "erf", "erf_inv", "erfc", "is_inf", "is_neg_inf", "is_pos_inf", "lgamma", "square":
		return "% {} :arrow"
	case "broadcast_select":
		return "% , % , % {} :arrow"
	case "constant":
		return "!constant"
	case "top_k":
		return "( % , k = $k:i64 ? , is_stable = $is_stable:bool ; ) {} :arrow"
	case "scan":
		return "!scan"
	}
	return ""
}

func checkForm(op string) string {
	switch op {
	case "expect_eq":
		return "% , % {} :operandsame"
	case "expect_almost_eq":
		return "% , % ? , tolerance = $tolerance:f64 ; {} :operandsame"
	case "expect_eq_const":
		return "% , $value:dense {}"
	case "expect_almost_eq_const":
		return "% , $value:dense ? , tolerance = $tolerance:f64 ; {}"
	case "expect_close":
		return "% , % , max_ulp_difference = $max_ulp_difference:ui64 " +
			"? , min_ulp_difference = $min_ulp_difference:ui64 ; !close"
	case "expect_serialized_eq":
		return "% , probe_id = $probe_id:str ? , iter = $iteration:ui32 ; {} :operands"
	}
	return ""
}

// compile makes the steps of an operation's pretty form.
func compile(name string) *form {
	f := &form{name: name}
	for _, tok := range strings.Fields(prettyForm(name)) {
		s := step{kind: tok[0], text: tok}
		switch {
		case tok == "?" || tok == ";" || tok == "{}":
		case tok[0] == '%' || tok[0] == ':' || tok[0] == '!':
			s.text = tok[1:]
		case tok[0] == '$':
			var ok bool
			if s.text, s.arg, ok = strings.Cut(tok[1:], ":"); !ok {
				panic(fmt.Sprintf("mlir: form of %s: attribute %s has no kind", name, tok))
			}
			if s.arg == "enum" {
				s.arg = "enum." + s.text
			}
		case isLetter(tok[0]):
			s.kind = 'w'
		default:
			s.kind = ','
		}
		f.steps = append(f.steps, s)
	}
	return f
}
