package mlir

import (
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// structFields names the fields of a struct attribute in their canonical order, each with the form of its value:
// l list of integers, i integer, b bool, f number, t type, s string, a any attribute, x sub-axis. Fields after a "|"
// may be left out and are then empty lists or zeros, and those after a second one are then not there.
func structFields(mnemonic string) string {
	switch mnemonic {
	case "scatter":
		return "|update_window_dims:l inserted_window_dims:l input_batching_dims:l scatter_indices_batching_dims:l " +
			"scatter_dims_to_operand_dims:l index_vector_dim:i"
	case "gather":
		return "|offset_dims:l collapsed_slice_dims:l operand_batching_dims:l start_indices_batching_dims:l " +
			"start_index_map:l index_vector_dim:i"
	case "dot":
		return "|lhs_batching_dimensions:l rhs_batching_dimensions:l lhs_contracting_dimensions:l rhs_contracting_dimensions:l"
	case "ragged_dot":
		return "|lhs_batching_dimensions:l rhs_batching_dimensions:l lhs_contracting_dimensions:l " +
			"rhs_contracting_dimensions:l lhs_ragged_dimensions:l rhs_group_dimensions:l"
	case "channel_handle":
		return "handle:i type:i"
	case "output_operand_alias":
		return "output_tuple_indices:l operand_index:i operand_tuple_indices:l"
	case "dot_algorithm":
		return "lhs_precision_type:t rhs_precision_type:t accumulation_type:t lhs_component_count:i " +
			"rhs_component_count:i num_primitive_operations:i allow_imprecise_accumulation:b"
	case "result_accuracy":
		return "|atol:f rtol:f ulps:i mode:a"
	case "axis_ref":
		return "name:s || sub_axis_info:x"
	case "mesh_axis":
		return "name:s size:i"
	case "mesh":
		return "axes:m || device_ids:a"
	case "replica_group_mesh_axes":
		return "mesh:a axes:a"
	}
	return ""
}

// enumCases names the cases of an enum attribute, separated by spaces.
func enumCases(name string) string {
	switch name {
	case "precision":
		return "DEFAULT HIGH HIGHEST"
	case "result_accuracy_mode":
		return "DEFAULT HIGHEST TOLERANCE"
	case "fft_type":
		return "FFT IFFT RFFT IRFFT"
	case "comparison_direction":
		return "EQ NE GE GT LE LT"
	case "comparison_type":
		return "NOTYPE FLOAT TOTALORDER SIGNED UNSIGNED"
	case "transpose":
		return "TRANSPOSE_INVALID NO_TRANSPOSE TRANSPOSE ADJOINT"
	case "rng_distribution":
		return "UNIFORM NORMAL"
	case "rng_algorithm":
		return "DEFAULT THREE_FRY PHILOX"
	}
	return ""
}

// enumCase reads a case of the enum of that name.
func (p *parser) enumCase(name string) Enum {
	p.space()
	b := p.i
	w := p.word()
	cases := enumCases(name)
	if len(w) > 0 {
		for c := range strings.FieldsSeq(cases) {
			if c == string(w) {
				return Enum{name, c}
			}
		}
	}
	p.i = b
	p.want("one of " + strings.ReplaceAll(cases, " ", ", "))
	return Enum{}
}

// structAttr reads the <…> of #stablehlo.mnemonic<…>, which is a struct or an enum.
func (p *parser) structAttr(mnemonic string, off int) Attr {
	p.enter()
	defer p.leave()
	switch mnemonic {
	case "conv":
		p.expectByte('<')
		a := p.convDims()
		p.expectByte('>')
		return a
	case "bounds":
		p.expectByte('<')
		return Struct{"type_extensions", []NamedAttr{{"bounds", Ints{dtype.I64, p.dimList('>')}}}}
	case "type_extensions":
		p.expectByte('<')
		p.expectWord("bounds")
		p.expectByte('=')
		p.expectByte('[')
		s := Struct{mnemonic, []NamedAttr{{"bounds", Ints{dtype.I64, p.dimList(']')}}}}
		p.expectByte('>')
		return s
	}
	if fields := structFields(mnemonic); fields != "" {
		p.expectByte('<')
		return p.fields(mnemonic, fields)
	}
	if enumCases(mnemonic) != "" {
		p.expectByte('<')
		e := p.enumCase(mnemonic)
		p.expectByte('>')
		return e
	}
	p.fail(off, "%q is not an attribute of StableHLO", mnemonic)
	return nil
}

// fields reads name = value, … up to '>'.
func (p *parser) fields(mnemonic, spec string) Attr {
	specs := strings.Fields(strings.ReplaceAll(spec, "|", " | "))
	vals := make([]Attr, len(specs))
	for p.peek() != '>' {
		b := p.i
		w := string(p.word())
		found := false
		for i, f := range specs {
			name, kind, ok := strings.Cut(f, ":")
			if !ok || name != w {
				continue
			}
			found = true
			if vals[i] != nil {
				p.fail(b, "field %s is given twice", w)
			}
			p.expectByte('=')
			vals[i] = p.fieldValue(kind)
			if name == "mode" && mnemonic == "result_accuracy" {
				if _, ok := vals[i].(Enum); !ok {
					p.fail(b, "mode is not an enum")
				}
			}
		}
		if !found {
			var names []string
			for _, f := range specs {
				if name, _, ok := strings.Cut(f, ":"); ok {
					names = append(names, name)
				}
			}
			p.i = b
			p.want("one of " + strings.Join(names, ", "))
		}
		if !p.eatByte(',') {
			break
		}
	}
	p.expectByte('>')
	s := Struct{Name: mnemonic}
	bars := 0
	for i, f := range specs {
		name, kind, ok := strings.Cut(f, ":")
		if !ok {
			bars++
			continue
		}
		v := vals[i]
		if v == nil {
			switch {
			case bars == 0:
				p.fail(p.i-1, "#stablehlo.%s has no %s", mnemonic, name)
			case bars > 1:
				continue
			}
			switch kind {
			case "l":
				v = Ints{Elem: dtype.I64}
			case "i":
				v = Int{0, i64}
			case "f":
				v = Float{0, Type{Kind: Scalar, Elem: dtype.F64}}
			default:
				v = Enum{"result_accuracy_mode", "DEFAULT"}
			}
		}
		s.Fields = append(s.Fields, NamedAttr{name, v})
	}
	return s
}

func (p *parser) fieldValue(kind string) Attr {
	switch kind {
	case "l":
		p.expectByte('[')
		v := p.dimList(']')
		if len(v) == 0 {
			v = nil
		}
		return Ints{dtype.I64, v}
	case "i":
		return Int{p.integer(), i64}
	case "b":
		if p.eatWord("true") {
			return Bool(true)
		}
		p.expectWord("false")
		return Bool(false)
	case "f":
		n, ok := p.number()
		if !ok {
			p.want("a number")
		}
		return p.numberAttr(n, Type{Kind: Scalar, Elem: dtype.F64}, true)
	case "t":
		return TypeAttr{p.typ()}
	case "s":
		return String(p.str())
	case "x":
		s := Struct{Name: "sub_axis_info"}
		p.expectByte('(')
		s.Fields = append(s.Fields, NamedAttr{"pre_size", Int{p.integer(), i64}})
		p.expectByte(')')
		s.Fields = append(s.Fields, NamedAttr{"size", Int{p.integer(), i64}})
		return s
	case "m": // axes of a mesh: attributes, or their stripped form <…>
		p.expectByte('[')
		a := Array{}
		if p.eatByte(']') {
			return a
		}
		for {
			if p.peek() == '<' {
				a = append(a, p.structAttr("mesh_axis", p.i))
			} else {
				a = append(a, p.attr())
			}
			if !p.eatByte(',') {
				p.expectByte(']')
				return a
			}
		}
	}
	return p.attr()
}

// convDims reads [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], or its raw form, without brackets around it.
func (p *parser) convDims() Attr {
	if p.eatWord("raw") {
		const spec = "|input_batch_dimension:i input_feature_dimension:i input_spatial_dimensions:l " +
			"kernel_input_feature_dimension:i kernel_output_feature_dimension:i kernel_spatial_dimensions:l " +
			"output_batch_dimension:i output_feature_dimension:i output_spatial_dimensions:l"
		a := p.fields("conv", spec)
		p.i-- // the caller reads the '>'
		return a
	}
	s := Struct{Name: "conv"}
	part := func(letters, prefix, first, second string) {
		a, b, spatial := p.convPart(letters)
		s.Fields = append(s.Fields,
			NamedAttr{prefix + first, Int{a, i64}},
			NamedAttr{prefix + second, Int{b, i64}},
			NamedAttr{prefix + "spatial_dimensions", Ints{dtype.I64, spatial}})
	}
	part("bf", "input_", "batch_dimension", "feature_dimension")
	p.expectByte('x')
	part("io", "kernel_", "input_feature_dimension", "output_feature_dimension")
	p.expect("->")
	part("bf", "output_", "batch_dimension", "feature_dimension")
	return s
}

// convPart reads one list: the places of the two letters, and of the spatial dimensions 0, 1, ….
func (p *parser) convPart(letters string) (first, second int64, spatial []int64) {
	p.expectByte('[')
	b := p.i
	first, second = -1, -1
	places := map[int64]int64{}
	for i := int64(0); ; i++ {
		c := p.peek()
		at := p.i
		switch {
		case isDigit(c):
			d := p.uint("a spatial dimension")
			if _, twice := places[d]; twice {
				p.fail(at, "spatial dimension %d is given twice", d)
			}
			places[d] = i
		case c == letters[0] && first < 0:
			first = i
			p.i++
		case c == letters[1] && second < 0:
			second = i
			p.i++
		default:
			p.want("a spatial dimension or one of " + letters[:1] + ", " + letters[1:])
		}
		if !p.eatByte(',') {
			break
		}
	}
	p.expectByte(']')
	if first < 0 || second < 0 {
		p.fail(b, "dimensions %s and %s must both be given", letters[:1], letters[1:])
	}
	for d := range int64(len(places)) {
		place, ok := places[d]
		if !ok {
			p.fail(b, "spatial dimension %d is missing", d)
		}
		spatial = append(spatial, place)
	}
	return first, second, spatial
}
