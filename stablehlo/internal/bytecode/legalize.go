package bytecode

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// folding says which attributes of VHLO are the parts of one structure in StableHLO.
type folding struct {
	attr, name string
	fields     []part
}

type part struct {
	vhlo, name string
	list       bool // of integers, otherwise one integer
}

func lists(names ...string) []part {
	ps := make([]part, len(names))
	for i, n := range names {
		ps[i] = part{n, n, true}
	}
	return ps
}

func number(name string) part { return part{name, name, false} }

var (
	foldDot = folding{"dot_dimension_numbers", "dot", lists(
		"lhs_batching_dimensions", "rhs_batching_dimensions", "lhs_contracting_dimensions", "rhs_contracting_dimensions")}
	foldGather = folding{"dimension_numbers", "gather", append(lists(
		"offset_dims", "collapsed_slice_dims", "operand_batching_dims", "start_indices_batching_dims", "start_index_map"),
		number("index_vector_dim"))}
	foldScatter = folding{"scatter_dimension_numbers", "scatter", append(lists(
		"update_window_dims", "inserted_window_dims", "input_batching_dims", "scatter_indices_batching_dims", "scatter_dims_to_operand_dims"),
		number("index_vector_dim"))}
	foldConv = folding{"dimension_numbers", "conv", []part{
		number("input_batch_dimension"), number("input_feature_dimension"), lists("input_spatial_dimensions")[0],
		number("kernel_input_feature_dimension"), number("kernel_output_feature_dimension"), lists("kernel_spatial_dimensions")[0],
		number("output_batch_dimension"), number("output_feature_dimension"), lists("output_spatial_dimensions")[0],
	}}
	foldChannel = folding{"channel_handle", "channel_handle", []part{{"channel_id", "handle", false}, {"channel_type", "type", false}}}
)

// legalize gives the attributes of an operation of VHLO the names and forms that StableHLO's have.
func (r *reader) legalize(at int, op string, def *opDef, in []mlir.NamedAttr) []mlir.NamedAttr {
	out := make([]mlir.NamedAttr, 0, len(in)+2)
	for _, a := range in {
		f := def.field(a.Name)
		if f == nil {
			out = append(out, a)
			continue
		}
		if f.as == folded || f.as == discarded || r.isDefault(f.drop, a.Attr) {
			continue
		}
		switch f.as {
		case asInts:
			a.Attr = r.ints(at, a.Name, a.Attr)
		case asSymbol:
			a.Attr = r.symbol(at, a.Name, a.Attr)
		case asSymbols:
			list, ok := a.Attr.(mlir.Array)
			if !ok {
				r.fail(at, "attribute %s of %s is not a list", a.Name, op)
			}
			names := make(mlir.Array, len(list))
			for i, s := range list {
				names[i] = r.symbol(at, a.Name, s)
			}
			a.Attr = names
		case asChannel:
			a = mlir.NamedAttr{Name: "channel_handle", Attr: structOf("channel_handle", i64("handle", r.number(at, a.Name, a.Attr)), i64("type", 0))}
		case asUnit:
			b, ok := a.Attr.(mlir.Bool)
			if !ok {
				r.fail(at, "attribute %s of %s is not true or false", a.Name, op)
			}
			if !b {
				continue
			}
			a.Attr = mlir.Unit{}
		}
		out = append(out, a)
	}
	if def.fold != nil {
		out = append(out, mlir.NamedAttr{Name: def.fold.attr, Attr: r.fold(at, op, def.fold, in)})
	}
	switch op {
	case "stablehlo.dot_general":
		if a := r.dotAlgorithm(at, in); a != nil {
			out = append(out, mlir.NamedAttr{Name: "algorithm", Attr: a})
		}
	case "stablehlo.custom_call":
		out = dropLayouts(out)
	}
	return out
}

func (d *opDef) field(name string) *field {
	for i := range d.fields {
		if d.fields[i].name == name {
			return &d.fields[i]
		}
	}
	return nil
}

func find(as []mlir.NamedAttr, name string) mlir.Attr {
	for _, a := range as {
		if a.Name == name {
			return a.Attr
		}
	}
	return nil
}

func (r *reader) fold(at int, op string, f *folding, in []mlir.NamedAttr) mlir.Attr {
	s := mlir.Struct{Name: f.name, Fields: make([]mlir.NamedAttr, len(f.fields))}
	for i, p := range f.fields {
		a := find(in, p.vhlo)
		switch {
		case p.list && a == nil: // batching dimensions, before they were
			s.Fields[i] = i64s(p.name, nil)
		case p.list:
			s.Fields[i] = mlir.NamedAttr{Name: p.name, Attr: r.ints(at, p.vhlo, a)}
		case a == nil:
			r.fail(at, "%s has no attribute %s", op, p.vhlo)
		default:
			s.Fields[i] = i64(p.name, r.number(at, p.vhlo, a))
		}
	}
	return s
}

// dotAlgorithm returns nil where the program does not ask for an algorithm: its parts have the type none.
func (r *reader) dotAlgorithm(at int, in []mlir.NamedAttr) mlir.Attr {
	isNone := func(a mlir.Attr) bool {
		t, ok := a.(mlir.TypeAttr)
		return a == nil || ok && t.Type.Kind == mlir.None
	}
	types := []string{"lhs_precision_type", "rhs_precision_type", "accumulation_type"}
	numbers := []string{"lhs_component_count", "rhs_component_count", "num_primitive_operations"}
	const imprecise = "allow_imprecise_accumulation"
	none := 0
	for _, n := range append(append([]string{imprecise}, types...), numbers...) {
		if isNone(find(in, n)) {
			none++
		}
	}
	if none == 1+len(types)+len(numbers) {
		return nil
	}
	if none > 0 {
		r.fail(at, "algorithm of stablehlo.dot_general is given in part")
	}
	s := mlir.Struct{Name: "dot_algorithm"}
	for _, n := range types {
		a, ok := find(in, n).(mlir.TypeAttr)
		if !ok {
			r.fail(at, "attribute %s is not a type", n)
		}
		s.Fields = append(s.Fields, mlir.NamedAttr{Name: n, Attr: a})
	}
	for _, n := range numbers {
		s.Fields = append(s.Fields, i64(n, r.number(at, n, find(in, n))))
	}
	b, ok := find(in, imprecise).(mlir.Bool)
	if !ok {
		r.fail(at, "attribute %s is not true or false", imprecise)
	}
	s.Fields = append(s.Fields, mlir.NamedAttr{Name: imprecise, Attr: b})
	return s
}

// dropLayouts drops the two lists of layouts if both are empty: one alone is no default.
func dropLayouts(as []mlir.NamedAttr) []mlir.NamedAttr {
	const operands, results = "operand_layouts", "result_layouts"
	for _, n := range []string{operands, results} {
		if l, ok := find(as, n).(mlir.Array); !ok || len(l) > 0 {
			return as
		}
	}
	out := as[:0]
	for _, a := range as {
		if a.Name != operands && a.Name != results {
			out = append(out, a)
		}
	}
	return out
}

func (r *reader) number(at int, name string, a mlir.Attr) int64 {
	n, ok := a.(mlir.Int)
	if !ok {
		r.fail(at, "attribute %s is not an integer", name)
	}
	return n.Value
}

func (r *reader) symbol(at int, name string, a mlir.Attr) mlir.Attr {
	s, ok := a.(mlir.String)
	if !ok {
		r.fail(at, "attribute %s is not a name", name)
	}
	return mlir.Symbol(s)
}

// isDefault reports whether a states only the default, by the rule of its operation.
func (r *reader) isDefault(rule rule, a mlir.Attr) bool {
	switch rule {
	case ifFalse:
		return a == mlir.Attr(mlir.Bool(false))
	case ifZero:
		return isInt(a, 0)
	case ifOne:
		return isInt(a, 1)
	case ifMinusOne:
		return isInt(a, -1)
	case ifEmpty:
		switch a := a.(type) {
		case mlir.String:
			return a == ""
		case mlir.Array:
			return len(a) == 0
		case mlir.Dict:
			return len(a) == 0
		case mlir.Dense:
			return len(a.Data) == 0
		}
	case ifZeros:
		return allAre(a, 0)
	case ifOnes:
		return allAre(a, 1)
	case ifDefault:
		list, ok := a.(mlir.Array)
		for _, p := range list {
			if e, isEnum := p.(mlir.Enum); !isEnum || e.Value != "DEFAULT" {
				return false
			}
		}
		return ok
	case ifNoType:
		e, ok := a.(mlir.Enum)
		return ok && e.Value == "NOTYPE"
	case ifNoAccuracy:
		s, ok := a.(mlir.Struct)
		return ok && isDefaultAccuracy(s)
	}
	return false
}

func isInt(a mlir.Attr, v int64) bool {
	n, ok := a.(mlir.Int)
	return ok && n.Value == v
}

// maxWindow bounds the bytes that allAre looks at: no list of one entry a dimension is as long.
const maxWindow = 1 << 12

// allAre reports whether a is a constant of at least one element, all of value v.
func allAre(a mlir.Attr, v int64) bool {
	d, ok := a.(mlir.Dense)
	if !ok || len(d.Data) == 0 || len(d.Data) > maxWindow || d.Type.Elem.IsFloat() || d.Type.Elem.IsComplex() {
		return false
	}
	size := d.Type.Elem.Size()
	for b := d.Data; len(b) >= size; b = b[size:] {
		if extend(littleEndian(b[:size]), d.Type.Elem.Bits(), d.Type.Elem.Kind() == dtype.Signed) != v {
			return false
		}
	}
	return true
}

func isDefaultAccuracy(s mlir.Struct) bool {
	atol, _ := s.Field("atol").(mlir.Float)
	rtol, _ := s.Field("rtol").(mlir.Float)
	ulps, _ := s.Field("ulps").(mlir.Int)
	mode, _ := s.Field("mode").(mlir.Enum)
	return atol.Value == 0 && rtol.Value == 0 && ulps.Value == 0 && mode.Value == "DEFAULT"
}

// argAttrs hands the attributes of a function's arguments to the values that they belong to; a declaration has no such
// values and keeps the list. Lists of attributes in which nothing stands are dropped.
func (r *reader) argAttrs(at int, o *mlir.Op) {
	var args []*mlir.Value
	body := len(o.Regions) == 1 && len(o.Regions[0].Blocks) > 0
	if body {
		args = o.Regions[0].Blocks[0].Args
	}
	out := make([]mlir.NamedAttr, 0, len(o.Attrs))
	for _, a := range o.Attrs {
		if a.Name != "arg_attrs" && a.Name != "res_attrs" {
			out = append(out, a)
			continue
		}
		list := r.dicts(at, a)
		some := slices.ContainsFunc(list, func(d mlir.Dict) bool { return len(d) > 0 })
		switch {
		case !some:
		case a.Name == "res_attrs" || !body:
			out = append(out, a)
		case len(list) != len(args):
			r.fail(at, "attributes for %d arguments of a function of %d", len(list), len(args))
		default:
			for i, d := range list {
				if len(d) > 0 {
					args[i].Attrs = d
				}
			}
		}
	}
	o.Attrs = out
}

func (r *reader) dicts(at int, a mlir.NamedAttr) []mlir.Dict {
	list, ok := a.Attr.(mlir.Array)
	ds := make([]mlir.Dict, len(list))
	for i, d := range list {
		var isDict bool
		ds[i], isDict = d.(mlir.Dict)
		ok = ok && isDict
	}
	if !ok {
		r.fail(at, "attribute %s is not a list of dictionaries", a.Name)
	}
	return ds
}
