package bytecode

// newest is the newest version of StableHLO whose operations are known.
const newest = "1.20.0"

const funcOp = "func.func"

// opDef is what is known of an operation: its attributes in the order of its encoding, which is that of their names,
// and what becomes of them.
type opDef struct {
	fields []field
	fold   *folding
	vhlo   bool // attributes are brought to the form of StableHLO
}

type field struct {
	name     string
	as       conversion
	drop     rule
	optional bool
	late     bool // not there in older programs of a dialect without versions
}

// conversion is what an attribute of VHLO becomes in StableHLO.
type conversion uint8

const (
	asIs      conversion = iota
	asInts               // array<i64: …> instead of a tensor
	asSymbol             // @name instead of a string
	asSymbols            // a list of them
	asChannel            // #stablehlo.channel_handle, named channel_handle
	asUnit               // there or not, instead of true or false
	folded               // a part of a structure
	discarded
)

// rule says when an attribute states only the default, which StableHLO leaves out.
type rule uint8

const (
	never rule = iota
	ifFalse
	ifZero
	ifOne
	ifMinusOne
	ifEmpty
	ifZeros
	ifOnes
	ifDefault // all precisions are DEFAULT
	ifNoType
	ifNoAccuracy
)

// vhloOps are the operations of VHLO in all their versions.
var vhloOps = map[string]opDef{
	"abs_v1":       {},
	"add_v1":       {},
	"after_all_v1": {},
	"all_gather_v1": {fields: []field{
		{name: "all_gather_dim"},
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "replica_groups"},
		{name: "use_global_device_ids", as: asUnit},
	}},
	"all_gather_v2": {fields: []field{
		{name: "all_gather_dim"},
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "replica_groups"},
		{name: "use_global_device_ids", as: asUnit},
	}},
	"all_reduce_v1": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "replica_groups"},
		{name: "use_global_device_ids", as: asUnit},
	}},
	"all_reduce_v2": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "replica_groups"},
		{name: "use_global_device_ids", as: asUnit},
	}},
	"all_to_all_v1": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "concat_dimension"},
		{name: "replica_groups"},
		{name: "split_count"},
		{name: "split_dimension"},
	}},
	"all_to_all_v2": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "concat_dimension"},
		{name: "replica_groups"},
		{name: "split_count"},
		{name: "split_dimension"},
	}},
	"and_v1":                  {},
	"async_done_v1":           {},
	"async_start_v1":          {},
	"atan2_v1":                {},
	"batch_norm_grad_v1":      {fields: []field{{name: "epsilon"}, {name: "feature_index"}}},
	"batch_norm_inference_v1": {fields: []field{{name: "epsilon"}, {name: "feature_index"}}},
	"batch_norm_training_v1":  {fields: []field{{name: "epsilon"}, {name: "feature_index"}}},
	"bitcast_convert_v1":      {},
	"broadcast_in_dim_v1":     {fields: []field{{name: "broadcast_dimensions", as: asInts}}},
	"broadcast_v1":            {fields: []field{{name: "broadcast_sizes", as: asInts}}},
	"call_v1":                 {fields: []field{{name: "callee", as: asSymbol}}},
	"case_v1":                 {},
	"cbrt_v1":                 {},
	"cbrt_v2":                 {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"ceil_v1":                 {},
	"cholesky_v1":             {fields: []field{{name: "lower", drop: ifFalse}}},
	"clamp_v1":                {},
	"collective_broadcast_v1": {fields: []field{{name: "channel_id", as: asChannel, drop: ifZero}, {name: "replica_groups"}}},
	"collective_broadcast_v2": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "has_dynamic_root", as: asUnit},
		{name: "replica_groups"},
	}},
	"collective_permute_v1": {fields: []field{{name: "channel_id", as: asChannel, drop: ifZero}, {name: "source_target_pairs"}}},
	"collective_reduce_v1": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "has_dynamic_root", as: asUnit},
		{name: "replica_groups"},
		{name: "use_global_device_ids", as: asUnit},
	}},
	"compare_v1": {fields: []field{{name: "compare_type", drop: ifNoType}, {name: "comparison_direction"}}},
	"complex_v1": {},
	"composite_v1": {fields: []field{
		{name: "composite_attributes", drop: ifEmpty},
		{name: "decomposition", as: asSymbol},
		{name: "name"},
		{name: "version", drop: ifZero},
	}},
	"composite_v2": {fields: []field{
		{name: "composite_attributes", drop: ifEmpty},
		{name: "decomposition", as: asSymbol},
		{name: "name"},
		{name: "version", drop: ifZero},
	}},
	"concatenate_v1": {fields: []field{{name: "dimension"}}},
	"constant_v1":    {fields: []field{{name: "value"}}},
	"convert_v1":     {},
	"convolution_v1": {fields: []field{
		{name: "batch_group_count"},
		{name: "feature_group_count"},
		{name: "input_batch_dimension", as: folded},
		{name: "input_feature_dimension", as: folded},
		{name: "input_spatial_dimensions", as: folded},
		{name: "kernel_input_feature_dimension", as: folded},
		{name: "kernel_output_feature_dimension", as: folded},
		{name: "kernel_spatial_dimensions", as: folded},
		{name: "lhs_dilation", as: asInts, drop: ifOnes},
		{name: "output_batch_dimension", as: folded},
		{name: "output_feature_dimension", as: folded},
		{name: "output_spatial_dimensions", as: folded},
		{name: "padding", drop: ifZeros},
		{name: "precision_config", drop: ifDefault},
		{name: "rhs_dilation", as: asInts, drop: ifOnes},
		{name: "window_reversal", as: asInts, drop: ifZeros},
		{name: "window_strides", as: asInts, drop: ifOnes},
	}, fold: &foldConv},
	"cosine_v1":              {},
	"cosine_v2":              {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"count_leading_zeros_v1": {},
	"create_token_v1":        {},
	"cross-replica-sum_v1":   {fields: []field{{name: "replica_groups"}}},
	"custom_call_v1": {fields: []field{
		{name: "api_version", drop: ifOne},
		{name: "backend_config", drop: ifEmpty},
		{name: "call_target_name"},
		{name: "called_computations", as: asSymbols, drop: ifEmpty},
		{name: "has_side_effect", drop: ifFalse},
		{name: "operand_layouts"},
		{name: "output_operand_aliases", drop: ifEmpty},
		{name: "result_layouts"},
	}},
	"custom_call_v2": {fields: []field{
		{name: "api_version", drop: ifOne},
		{name: "backend_config", drop: ifEmpty},
		{name: "call_target_name"},
		{name: "called_computations", as: asSymbols, drop: ifEmpty},
		{name: "has_side_effect", drop: ifFalse},
		{name: "operand_layouts"},
		{name: "output_operand_aliases", drop: ifEmpty},
		{name: "result_layouts"},
		{name: "result_tilings", drop: ifEmpty},
	}},
	"divide_v1": {},
	"dot_general_v1": {fields: []field{
		{name: "lhs_batching_dimensions", as: folded},
		{name: "lhs_contracting_dimensions", as: folded},
		{name: "precision_config", drop: ifDefault},
		{name: "rhs_batching_dimensions", as: folded},
		{name: "rhs_contracting_dimensions", as: folded},
	}, fold: &foldDot},
	"dot_general_v2": {fields: []field{
		{name: "accumulation_type", as: folded},
		{name: "allow_imprecise_accumulation", as: folded},
		{name: "lhs_batching_dimensions", as: folded},
		{name: "lhs_component_count", as: folded},
		{name: "lhs_contracting_dimensions", as: folded},
		{name: "lhs_precision_type", as: folded},
		{name: "num_primitive_operations", as: folded},
		{name: "precision_config", drop: ifDefault},
		{name: "rhs_batching_dimensions", as: folded},
		{name: "rhs_component_count", as: folded},
		{name: "rhs_contracting_dimensions", as: folded},
		{name: "rhs_precision_type", as: folded},
	}, fold: &foldDot},
	"dot_v1": {fields: []field{{name: "precision_config", drop: ifDefault}}},
	"dynamic_broadcast_in_dim_v1": {fields: []field{
		{name: "broadcast_dimensions", as: asInts},
		{name: "known_expanding_dimensions", as: asInts, drop: ifEmpty},
		{name: "known_nonexpanding_dimensions", as: asInts, drop: ifEmpty},
	}},
	"dynamic_conv_v1": {fields: []field{
		{name: "batch_group_count"},
		{name: "feature_group_count"},
		{name: "input_batch_dimension", as: folded},
		{name: "input_feature_dimension", as: folded},
		{name: "input_spatial_dimensions", as: folded},
		{name: "kernel_input_feature_dimension", as: folded},
		{name: "kernel_output_feature_dimension", as: folded},
		{name: "kernel_spatial_dimensions", as: folded},
		{name: "lhs_dilation", as: asInts, drop: ifOnes},
		{name: "output_batch_dimension", as: folded},
		{name: "output_feature_dimension", as: folded},
		{name: "output_spatial_dimensions", as: folded},
		{name: "padding", as: discarded},
		{name: "precision_config", drop: ifDefault},
		{name: "rhs_dilation", as: asInts, drop: ifOnes},
		{name: "window_reversal", as: asInts, drop: ifZeros},
		{name: "window_strides", as: asInts, drop: ifOnes},
	}, fold: &foldConv},
	"dynamic_conv_v2": {fields: []field{
		{name: "batch_group_count"},
		{name: "feature_group_count"},
		{name: "input_batch_dimension", as: folded},
		{name: "input_feature_dimension", as: folded},
		{name: "input_spatial_dimensions", as: folded},
		{name: "kernel_input_feature_dimension", as: folded},
		{name: "kernel_output_feature_dimension", as: folded},
		{name: "kernel_spatial_dimensions", as: folded},
		{name: "lhs_dilation", as: asInts, drop: ifOnes},
		{name: "output_batch_dimension", as: folded},
		{name: "output_feature_dimension", as: folded},
		{name: "output_spatial_dimensions", as: folded},
		{name: "precision_config", drop: ifDefault},
		{name: "rhs_dilation", as: asInts, drop: ifOnes},
		{name: "window_reversal", as: asInts, drop: ifZeros},
		{name: "window_strides", as: asInts, drop: ifOnes},
	}, fold: &foldConv},
	"dynamic_gather_v1": {fields: []field{
		{name: "collapsed_slice_dims", as: folded},
		{name: "index_vector_dim", as: folded},
		{name: "indices_are_sorted", drop: ifFalse},
		{name: "offset_dims", as: folded},
		{name: "start_index_map", as: folded},
	}, fold: &foldGather},
	"dynamic_gather_v2": {fields: []field{
		{name: "collapsed_slice_dims", as: folded},
		{name: "index_vector_dim", as: folded},
		{name: "indices_are_sorted", drop: ifFalse},
		{name: "offset_dims", as: folded},
		{name: "operand_batching_dims", as: folded},
		{name: "start_index_map", as: folded},
		{name: "start_indices_batching_dims", as: folded},
	}, fold: &foldGather},
	"dynamic_iota_v1":          {fields: []field{{name: "iota_dimension"}}},
	"dynamic_pad_v1":           {},
	"dynamic_reshape_v1":       {},
	"dynamic_slice_v1":         {fields: []field{{name: "slice_sizes", as: asInts}}},
	"dynamic_update_slice_v1":  {},
	"einsum_v1":                {fields: []field{{name: "einsum_config"}}},
	"exponential_minus_one_v1": {},
	"exponential_minus_one_v2": {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"exponential_v1":           {},
	"exponential_v2":           {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"fft_v1":                   {fields: []field{{name: "fft_length", as: asInts}, {name: "fft_type"}}},
	"floor_v1":                 {},
	"func_v1": {fields: []field{
		{name: "arg_attrs"},
		{name: "function_type"},
		{name: "res_attrs"},
		{name: "sym_name"},
		{name: "sym_visibility", drop: ifEmpty},
	}},
	"gather_v1": {fields: []field{
		{name: "collapsed_slice_dims", as: folded},
		{name: "index_vector_dim", as: folded},
		{name: "indices_are_sorted", drop: ifFalse},
		{name: "offset_dims", as: folded},
		{name: "slice_sizes", as: asInts},
		{name: "start_index_map", as: folded},
	}, fold: &foldGather},
	"gather_v2": {fields: []field{
		{name: "collapsed_slice_dims", as: folded},
		{name: "index_vector_dim", as: folded},
		{name: "indices_are_sorted", drop: ifFalse},
		{name: "offset_dims", as: folded},
		{name: "operand_batching_dims", as: folded},
		{name: "slice_sizes", as: asInts},
		{name: "start_index_map", as: folded},
		{name: "start_indices_batching_dims", as: folded},
	}, fold: &foldGather},
	"get_dimension_size_v1":   {fields: []field{{name: "dimension"}}},
	"get_tuple_element_v1":    {fields: []field{{name: "index"}}},
	"if_v1":                   {},
	"imag_v1":                 {},
	"infeed_v1":               {fields: []field{{name: "infeed_config", drop: ifEmpty}, {name: "layout", drop: ifEmpty}}},
	"iota_v1":                 {fields: []field{{name: "iota_dimension"}}},
	"is_finite_v1":            {},
	"log_plus_one_v1":         {},
	"log_plus_one_v2":         {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"log_v1":                  {},
	"log_v2":                  {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"logistic_v1":             {},
	"logistic_v2":             {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"map_v1":                  {fields: []field{{name: "dimensions", as: asInts}}},
	"maximum_v1":              {},
	"minimum_v1":              {},
	"multiply_v1":             {},
	"negate_v1":               {},
	"not_v1":                  {},
	"optimization_barrier_v1": {},
	"or_v1":                   {},
	"outfeed_v1":              {fields: []field{{name: "outfeed_config", drop: ifEmpty}}},
	"pad_v1": {fields: []field{
		{name: "edge_padding_high", as: asInts},
		{name: "edge_padding_low", as: asInts},
		{name: "interior_padding", as: asInts},
	}},
	"partition_id_v1":       {},
	"popcnt_v1":             {},
	"power_v1":              {},
	"real_dynamic_slice_v1": {},
	"real_v1":               {},
	"recv_v1": {fields: []field{
		{name: "channel_id", as: folded},
		{name: "channel_type", as: folded},
		{name: "is_host_transfer", drop: ifFalse},
	}, fold: &foldChannel},
	"recv_v2": {fields: []field{
		{name: "channel_id", as: folded},
		{name: "channel_type", as: folded},
		{name: "is_host_transfer", drop: ifFalse},
		{name: "source_target_pairs", drop: ifEmpty},
	}, fold: &foldChannel},
	"reduce_precision_v1": {fields: []field{{name: "exponent_bits"}, {name: "mantissa_bits"}}},
	"reduce_scatter_v1": {fields: []field{
		{name: "channel_id", as: asChannel, drop: ifZero},
		{name: "replica_groups"},
		{name: "scatter_dimension"},
		{name: "use_global_device_ids", as: asUnit},
	}},
	"reduce_v1": {fields: []field{{name: "dimensions", as: asInts}}},
	"reduce_window_v1": {fields: []field{
		{name: "base_dilations", as: asInts, drop: ifOnes},
		{name: "padding", drop: ifZeros},
		{name: "window_dilations", as: asInts, drop: ifOnes},
		{name: "window_dimensions", as: asInts},
		{name: "window_strides", as: asInts, drop: ifOnes},
	}},
	"remainder_v1":          {},
	"replica_id_v1":         {},
	"reshape_v1":            {},
	"return_v1":             {},
	"reverse_v1":            {fields: []field{{name: "dimensions", as: asInts}}},
	"rng_bit_generator_v1":  {fields: []field{{name: "rng_algorithm"}}},
	"rng_v1":                {fields: []field{{name: "rng_distribution"}}},
	"round_nearest_afz_v1":  {},
	"round_nearest_even_v1": {},
	"rsqrt_v1":              {},
	"rsqrt_v2":              {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"scatter_v1": {fields: []field{
		{name: "index_vector_dim", as: folded},
		{name: "indices_are_sorted", drop: ifFalse},
		{name: "inserted_window_dims", as: folded},
		{name: "scatter_dims_to_operand_dims", as: folded},
		{name: "unique_indices", drop: ifFalse},
		{name: "update_window_dims", as: folded},
	}, fold: &foldScatter},
	"scatter_v2": {fields: []field{
		{name: "index_vector_dim", as: folded},
		{name: "indices_are_sorted", drop: ifFalse},
		{name: "input_batching_dims", as: folded},
		{name: "inserted_window_dims", as: folded},
		{name: "scatter_dims_to_operand_dims", as: folded},
		{name: "scatter_indices_batching_dims", as: folded},
		{name: "unique_indices", drop: ifFalse},
		{name: "update_window_dims", as: folded},
	}, fold: &foldScatter},
	"select_and_scatter_v1": {fields: []field{
		{name: "padding", drop: ifZeros},
		{name: "window_dimensions", as: asInts},
		{name: "window_strides", as: asInts, drop: ifOnes},
	}},
	"select_v1": {},
	"send_v1": {fields: []field{
		{name: "channel_id", as: folded},
		{name: "channel_type", as: folded},
		{name: "is_host_transfer", drop: ifFalse},
	}, fold: &foldChannel},
	"send_v2": {fields: []field{
		{name: "channel_id", as: folded},
		{name: "channel_type", as: folded},
		{name: "is_host_transfer", drop: ifFalse},
		{name: "source_target_pairs", drop: ifEmpty},
	}, fold: &foldChannel},
	"set_dimension_size_v1":     {fields: []field{{name: "dimension"}}},
	"shift_left_v1":             {},
	"shift_right_arithmetic_v1": {},
	"shift_right_logical_v1":    {},
	"sign_v1":                   {},
	"sine_v1":                   {},
	"sine_v2":                   {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"slice_v1": {fields: []field{
		{name: "limit_indices", as: asInts},
		{name: "start_indices", as: asInts},
		{name: "strides", as: asInts},
	}},
	"sort_v1":               {fields: []field{{name: "dimension", drop: ifMinusOne}, {name: "is_stable", drop: ifFalse}}},
	"sqrt_v1":               {},
	"sqrt_v2":               {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"subtract_v1":           {},
	"tan_v1":                {},
	"tan_v2":                {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"tanh_v1":               {},
	"tanh_v2":               {fields: []field{{name: "result_accuracy", drop: ifNoAccuracy}}},
	"torch_index_select_v1": {fields: []field{{name: "batch_dims"}, {name: "dim"}}},
	"transpose_v1":          {fields: []field{{name: "permutation", as: asInts}}},
	"triangular_solve_v1": {fields: []field{
		{name: "left_side"},
		{name: "lower"},
		{name: "transpose_a"},
		{name: "unit_diagonal"},
	}},
	"tuple_v1":              {},
	"unary_einsum_v1":       {fields: []field{{name: "einsum_config"}}},
	"uniform_dequantize_v1": {},
	"uniform_quantize_v1":   {},
	"while_v1":              {},
	"xor_v1":                {},
}

// otherOps are the operations of other dialects that programs of mixed dialects have, with their properties.
var otherOps = map[string]*opDef{
	moduleOp:    {fields: []field{{name: "sym_name", optional: true}, {name: "sym_visibility", optional: true}}},
	funcOp:      {fields: []field{{name: "arg_attrs", optional: true}, {name: "function_type"}, {name: "no_inline", optional: true}, {name: "res_attrs", optional: true}, {name: "sym_name"}, {name: "sym_visibility", optional: true}}},
	"func.call": {fields: []field{{name: "arg_attrs", optional: true}, {name: "callee"}, {name: "no_inline", optional: true}, {name: "res_attrs", optional: true}}},

	"chlo.broadcast_add":                    &broadcastOp,
	"chlo.broadcast_and":                    &broadcastOp,
	"chlo.broadcast_atan2":                  &broadcastOp,
	"chlo.broadcast_complex":                &broadcastOp,
	"chlo.broadcast_divide":                 &broadcastOp,
	"chlo.broadcast_maximum":                &broadcastOp,
	"chlo.broadcast_minimum":                &broadcastOp,
	"chlo.broadcast_multiply":               &broadcastOp,
	"chlo.broadcast_next_after":             &broadcastOp,
	"chlo.broadcast_or":                     &broadcastOp,
	"chlo.broadcast_polygamma":              &broadcastOp,
	"chlo.broadcast_power":                  &broadcastOp,
	"chlo.broadcast_remainder":              &broadcastOp,
	"chlo.broadcast_shift_left":             &broadcastOp,
	"chlo.broadcast_shift_right_arithmetic": &broadcastOp,
	"chlo.broadcast_shift_right_logical":    &broadcastOp,
	"chlo.broadcast_subtract":               &broadcastOp,
	"chlo.broadcast_xor":                    &broadcastOp,
	"chlo.broadcast_zeta":                   &broadcastOp,
	"chlo.broadcast_compare": {fields: []field{
		{name: "broadcast_dimensions", optional: true}, {name: "compare_type", optional: true}, {name: "comparison_direction"},
	}},
	"chlo.constant":      {fields: []field{{name: "value"}}},
	"chlo.constant_like": {fields: []field{{name: "value"}}},
	"chlo.top_k":         {fields: []field{{name: "is_stable", optional: true, late: true}, {name: "k"}}},

	"sdy.mesh":                {fields: []field{{name: "mesh"}, {name: "sym_name"}}},
	"sdy.sharding_constraint": {fields: []field{{name: "sharding"}}},
	"sdy.reshard":             {fields: []field{{name: "sharding"}}},
	"sdy.manual_computation":  {fields: []field{{name: "in_shardings"}, {name: "manual_axes"}, {name: "out_shardings"}}},
	"sdy.sharding_group":      {fields: []field{{name: "group_id"}}},
	"sdy.propagation_barrier": {fields: []field{{name: "allowed_direction"}}},
	"sdy.named_computation": {fields: []field{
		{name: "in_shardings", optional: true}, {name: "name"}, {name: "out_shardings", optional: true},
	}},
}

var broadcastOp = opDef{fields: []field{{name: "broadcast_dimensions", optional: true}}}
