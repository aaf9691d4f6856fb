package bytecode

import (
	"math"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// Codes of builtin attributes that are locations.
const (
	locCallSite  = 10
	locFile      = 11
	locFused     = 12
	locFusedMeta = 13
	locName      = 14
	locUnknown   = 15
	locFileRange = 22
)

// builtinAttr reads an attribute of MLIR's own dialect.
func (r *reader) builtinAttr(c *cursor) mlir.Attr {
	at := c.p
	code := c.uint()
	switch code {
	case 0:
		return mlir.Array(c.attrs())
	case 1:
		return c.named()
	case 2:
		return mlir.String(c.string())
	case 3:
		s := c.string()
		c.typ()
		return mlir.String(s)
	case 4:
		return mlir.Symbol(c.stringAttr())
	case 5:
		return r.nestedSymbol(c)
	case 6:
		return mlir.TypeAttr{Type: c.typ()}
	case 7:
		return mlir.Unit{}
	case 8:
		return r.intAttr(c)
	case 9:
		return r.floatAttr(c)
	case locCallSite, locFile, locFused, locFusedMeta, locName, locUnknown, locFileRange:
		c.p = c.end
		return mlir.OpaqueAttr{Dialect: "builtin", Text: "loc(?)"}
	case 16:
		return r.resourceAttr(c)
	case 17:
		return r.denseArray(c)
	case 18:
		t := c.typ()
		return r.dense(at, t, c.bytes(c.uint()))
	case 19:
		return r.denseStrings(c)
	case 20:
		r.fail(at, "sparse elements are not supported")
	case 21:
		c.attr()
		return mlir.OpaqueAttr{Dialect: "builtin", Text: "distinct[" + strconv.Itoa(at) + "]<?>"}
	}
	r.fail(at, "attribute %d of builtin is not known", code)
	return nil
}

// nestedSymbol reads @a::@b.
func (r *reader) nestedSymbol(c *cursor) mlir.Attr {
	var b strings.Builder
	b.WriteString(c.stringAttr())
	for range c.count() {
		at := c.p
		s, ok := c.attr().(mlir.Symbol)
		if !ok {
			r.fail(at, "a reference inside a symbol is not one")
		}
		r.charge(at, int64(len(s)))
		b.WriteString("::@" + string(s))
	}
	return mlir.Symbol(b.String())
}

// intAttr reads a number with its type. A number of type i1 is a bool.
func (r *reader) intAttr(c *cursor) mlir.Attr {
	at := c.p
	t := c.typ()
	switch {
	case t.Kind == mlir.Index:
		return mlir.Int{Value: int64(c.apint(64)), Type: t}
	case t.Kind == mlir.Opaque: // an integer of a width that StableHLO does not have
		w, err := strconv.Atoi(strings.TrimLeft(t.Text, "ui"))
		if err != nil || w <= 0 {
			break
		}
		if w > 64 {
			for range c.count() {
				c.int()
			}
			return mlir.OpaqueAttr{Dialect: "builtin", Text: "? : " + t.Text}
		}
		return mlir.Int{Value: extend(c.apint(w), w, t.Text[0] != 'u'), Type: t}
	case t.Kind == mlir.Scalar && t.Quant == nil:
		switch k := t.Elem.Kind(); k {
		case dtype.Bool:
			return mlir.Bool(c.apint(1) != 0)
		case dtype.Signed, dtype.Unsigned:
			w := t.Elem.Bits()
			return mlir.Int{Value: extend(c.apint(w), w, k == dtype.Signed), Type: t}
		}
	}
	r.fail(at, "%s is not the type of an integer", brief(t))
	return nil
}

// extend makes an integer of its low bits.
func extend(v uint64, width int, signed bool) int64 {
	s := 64 - width
	if signed {
		return int64(v<<s) >> s
	}
	return int64(v << s >> s)
}

func (r *reader) floatAttr(c *cursor) mlir.Attr {
	at := c.p
	t := c.typ()
	if t.Kind != mlir.Scalar || t.Quant != nil || !t.Elem.IsFloat() {
		r.fail(at, "%s is not the type of a floating-point number", brief(t))
	}
	bits := c.apint(t.Elem.Bits())
	switch t.Elem {
	case dtype.F64:
		return mlir.Float{Value: math.Float64frombits(bits), Type: t}
	case dtype.F32:
		return mlir.Float{Value: float64(math.Float32frombits(uint32(bits))), Type: t}
	case dtype.TF32: // the upper 19 bits of an f32
		return mlir.Float{Value: float64(math.Float32frombits(uint32(bits) << 13)), Type: t}
	}
	return mlir.Float{Value: dtype.ToFloat64(t.Elem, bits), Type: t}
}

// Enums of StableHLO by their codes; an empty name is no case. VHLO has the same codes.
var (
	comparisonDirection = enum{"comparison_direction", []string{"EQ", "NE", "GE", "GT", "LE", "LT"}}
	comparisonType      = enum{"comparison_type", []string{"NOTYPE", "FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED"}}
	fftType             = enum{"fft_type", []string{"FFT", "IFFT", "RFFT", "IRFFT"}}
	precision           = enum{"precision", []string{"DEFAULT", "HIGH", "HIGHEST"}}
	rngAlgorithm        = enum{"rng_algorithm", []string{"DEFAULT", "THREE_FRY", "PHILOX"}}
	rngDistribution     = enum{"rng_distribution", []string{"", "UNIFORM", "NORMAL"}}
	transposeKind       = enum{"transpose", []string{"TRANSPOSE_INVALID", "NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"}}
	accuracyMode        = enum{"result_accuracy_mode", []string{"DEFAULT", "HIGHEST", "TOLERANCE"}}
)

type enum struct {
	name  string
	cases []string
}

func (e enum) read(c *cursor) mlir.Attr {
	at := c.p
	v := c.uint()
	if v >= uint64(len(e.cases)) || e.cases[v] == "" {
		c.r.fail(at, "%s has no case %d", e.name, v)
	}
	return mlir.Enum{Name: e.name, Value: e.cases[v]}
}

// maxAPIVersion is the newest of custom calls.
const maxAPIVersion = 4

// vhloAttr reads an attribute of VHLO as the attribute of StableHLO that it stands for.
func (r *reader) vhloAttr(c *cursor) mlir.Attr {
	at := c.p
	switch code := c.uint(); code {
	case 1:
		return mlir.Array(c.attrs())
	case 2:
		v := c.uint()
		if v > 1 {
			r.fail(at, "bool is %d", v)
		}
		return mlir.Bool(v == 1)
	case 3:
		return comparisonDirection.read(c)
	case 4:
		return comparisonType.read(c)
	case 5:
		v := c.uint()
		if v > maxAPIVersion {
			r.fail(at, "API version %d of custom calls is not known", v)
		}
		return mlir.Int{Value: int64(v), Type: scalar(dtype.I32)}
	case 6:
		return c.named()
	case 7:
		return fftType.read(c)
	case 8:
		return r.floatAttr(c)
	case 9:
		return r.intAttr(c)
	case 10:
		return outputOperandAlias(c)
	case 11:
		return precision.read(c)
	case 12:
		return rngAlgorithm.read(c)
	case 13:
		return rngDistribution.read(c)
	case 14:
		return mlir.String(c.string())
	case 15:
		t := c.typ()
		return r.dense(at, t, c.bytes(c.uint()))
	case 16:
		return transposeKind.read(c)
	case 17:
		return mlir.TypeAttr{Type: c.typ()}
	case 18:
		return typeExtensions(r, c)
	case 19:
		return accuracyMode.read(c)
	case 20:
		return structOf("result_accuracy", f64("atol", c), f64("rtol", c), i64("ulps", c.int()), mlir.NamedAttr{Name: "mode", Attr: c.attr()})
	case 21:
		return structOf("sub_axis_info", i64("pre_size", c.int()), i64("size", c.int()))
	case 22:
		return axisRef(mlir.String(c.stringAttr()), c)
	case 23:
		mesh := c.attr()
		if s, ok := mesh.(mlir.String); ok {
			mesh = mlir.Symbol(s)
		}
		return structOf("replica_group_mesh_axes", mlir.NamedAttr{Name: "mesh", Attr: mesh}, mlir.NamedAttr{Name: "axes", Attr: c.attr()})
	case 24:
		return structOf("mesh_axis", mlir.NamedAttr{Name: "name", Attr: mlir.String(c.stringAttr())}, i64("size", c.int()))
	case 25:
		s := structOf("mesh", mlir.NamedAttr{Name: "axes", Attr: c.attr()})
		if ids := c.optionalAttr(); ids != nil {
			s.Fields = append(s.Fields, mlir.NamedAttr{Name: "device_ids", Attr: ids})
		}
		return s
	default:
		r.fail(at, "attribute %d of vhlo is not known; StableHLO up to %s is", code, newest)
	}
	return nil
}

func structOf(name string, fields ...mlir.NamedAttr) mlir.Struct {
	return mlir.Struct{Name: name, Fields: fields}
}

func i64(name string, v int64) mlir.NamedAttr {
	return mlir.NamedAttr{Name: name, Attr: mlir.Int{Value: v, Type: i64Type}}
}

func i64s(name string, v []int64) mlir.NamedAttr {
	return mlir.NamedAttr{Name: name, Attr: mlir.Ints{Elem: dtype.I64, Values: v}}
}

func f64(name string, c *cursor) mlir.NamedAttr {
	return mlir.NamedAttr{Name: name, Attr: mlir.Float{Value: math.Float64frombits(c.apint(64)), Type: scalar(dtype.F64)}}
}

func axisRef(name mlir.String, c *cursor) mlir.Attr {
	s := structOf("axis_ref", mlir.NamedAttr{Name: "name", Attr: name})
	if c.uint() != 0 {
		s.Fields = append(s.Fields, mlir.NamedAttr{Name: "sub_axis_info", Attr: c.attr()})
	}
	return s
}

func outputOperandAlias(c *cursor) mlir.Attr {
	return structOf("output_operand_alias", i64s("output_tuple_indices", c.ints()), i64("operand_index", c.int()), i64s("operand_tuple_indices", c.ints()))
}

func typeExtensions(r *reader, c *cursor) mlir.Attr {
	return structOf("type_extensions", i64s("bounds", r.dims(c)))
}

// stablehloAttr reads an attribute of StableHLO itself, which stands in programs of mixed dialects.
func (r *reader) stablehloAttr(c *cursor) mlir.Attr {
	at := c.p
	switch code := c.uint(); code {
	case 1:
		return structOf("channel_handle", i64("handle", c.int()), i64("type", c.int()))
	case 2:
		return comparisonDirection.read(c)
	case 3:
		return comparisonType.read(c)
	case 4:
		return structOf("conv",
			i64("input_batch_dimension", c.int()), i64("input_feature_dimension", c.int()), i64s("input_spatial_dimensions", c.ints()),
			i64("kernel_input_feature_dimension", c.int()), i64("kernel_output_feature_dimension", c.int()), i64s("kernel_spatial_dimensions", c.ints()),
			i64("output_batch_dimension", c.int()), i64("output_feature_dimension", c.int()), i64s("output_spatial_dimensions", c.ints()))
	case 5:
		return structOf("dot", i64s("lhs_batching_dimensions", c.ints()), i64s("rhs_batching_dimensions", c.ints()),
			i64s("lhs_contracting_dimensions", c.ints()), i64s("rhs_contracting_dimensions", c.ints()))
	case 6:
		return fftType.read(c)
	case 7:
		return structOf("gather", i64s("offset_dims", c.ints()), i64s("collapsed_slice_dims", c.ints()), i64s("operand_batching_dims", c.ints()),
			i64s("start_indices_batching_dims", c.ints()), i64s("start_index_map", c.ints()), i64("index_vector_dim", c.int()))
	case 8:
		return precision.read(c)
	case 9:
		return rngAlgorithm.read(c)
	case 10:
		return rngDistribution.read(c)
	case 11:
		return structOf("scatter", i64s("update_window_dims", c.ints()), i64s("inserted_window_dims", c.ints()), i64s("input_batching_dims", c.ints()),
			i64s("scatter_indices_batching_dims", c.ints()), i64s("scatter_dims_to_operand_dims", c.ints()), i64("index_vector_dim", c.int()))
	case 12:
		return transposeKind.read(c)
	case 13:
		return typeExtensions(r, c)
	case 14:
		return outputOperandAlias(c)
	case 15:
		t := func(name string) mlir.NamedAttr {
			return mlir.NamedAttr{Name: name, Attr: mlir.TypeAttr{Type: c.typ()}}
		}
		return structOf("dot_algorithm", t("lhs_precision_type"), t("rhs_precision_type"), t("accumulation_type"),
			i64("lhs_component_count", c.int()), i64("rhs_component_count", c.int()), i64("num_primitive_operations", c.int()),
			mlir.NamedAttr{Name: "allow_imprecise_accumulation", Attr: mlir.Bool(c.int() != 0)})
	case 16:
		return accuracyMode.read(c)
	case 17:
		return structOf("result_accuracy", f64("atol", c), f64("rtol", c), i64("ulps", c.int()), mlir.NamedAttr{Name: "mode", Attr: c.attr()})
	case 18:
		return structOf("replica_group_mesh_axes", mlir.NamedAttr{Name: "mesh", Attr: c.attr()}, mlir.NamedAttr{Name: "axes", Attr: c.attr()})
	case 19:
		return structOf("sub_axis_info", i64("pre_size", c.int()), i64("size", c.int()))
	default:
		r.fail(at, "attribute %d of stablehlo is not supported", code)
	}
	return nil
}
