package mlir

import "github.com/isthmus-ffi/isthmus/dtype"

// module reads @name attributes {…} {region}.
func (p *parser) module(o *Op) {
	if p.peek() == '@' {
		at := p.i
		p.addAttr(o, "sym_name", String(p.symbolPart()), at)
	}
	p.attributesClause(o)
	p.scope(true, func() {
		r := p.region(nil)
		if len(r.Blocks) == 0 {
			r.Blocks = []*Block{{}}
		}
		o.Regions = []*Region{r}
	})
}

// function reads visibility @name(arguments) -> results attributes {…} {region}.
func (p *parser) function(o *Op) {
	for _, w := range []string{"public", "private", "nested"} {
		if p.eatWord(w) {
			o.Attrs = append(o.Attrs, NamedAttr{"sym_visibility", String(w)})
			break
		}
	}
	p.space()
	at := p.i
	p.addAttr(o, "sym_name", String(p.symbolPart()), at)
	p.expectByte('(')
	p.scope(true, func() {
		args := p.funcArgs()
		t := Type{Kind: Func, Ins: make([]Type, len(args))}
		for i, a := range args {
			t.Ins[i] = a.Type
		}
		var resAttrs []Attr
		if p.eat("->") {
			t.Elems, resAttrs = p.funcResults()
		}
		p.addAttr(o, "function_type", TypeAttr{t}, at)
		if resAttrs != nil {
			p.addAttr(o, "res_attrs", Array(resAttrs), at)
		}
		p.attributesClause(o)
		if p.peek() != '{' { // a declaration
			o.Regions = []*Region{{}}
			p.declArgs(o, args, at)
			return
		}
		for _, a := range args {
			if a.Name == "" {
				p.fail(at, "a function with a body has names for its arguments")
			}
		}
		if args == nil {
			args = []*Value{}
		}
		r := p.region(args)
		o.Regions = []*Region{r}
	})
}

// declArgs keeps the attributes of the arguments of a function without a body.
func (p *parser) declArgs(o *Op, args []*Value, at int) {
	some := false
	a := Array{}
	for _, v := range args {
		some = some || len(v.Attrs) > 0
		a = append(a, Dict(v.Attrs))
	}
	if some {
		p.addAttr(o, "arg_attrs", a, at)
	}
}

// funcArgs reads the arguments of a function: a declaration may leave out their names.
func (p *parser) funcArgs() []*Value {
	var vals []*Value
	if p.eatByte(')') {
		return nil
	}
	for {
		if p.peek() == '%' {
			vals = append(vals, p.blockArg(len(vals)))
		} else {
			p.space()
			v := p.arena.value()
			*v = Value{Index: len(vals), Pos: p.pos(p.i), Type: p.typ()}
			p.argTail(v)
			vals = append(vals, v)
		}
		if !p.eatByte(',') {
			p.expectByte(')')
			return vals
		}
	}
}

// funcResults reads the types of the results with their attributes, if any has some.
func (p *parser) funcResults() (ts []Type, attrs []Attr) {
	if p.peek() != '(' {
		return []Type{p.typ()}, nil
	}
	p.i++
	if p.eatByte(')') {
		return nil, nil
	}
	some := false
	for {
		v := Value{Type: p.typ()}
		p.argTail(&v)
		ts = append(ts, v.Type)
		attrs = append(attrs, Dict(v.Attrs))
		some = some || len(v.Attrs) > 0
		if !p.eatByte(',') {
			p.expectByte(')')
			break
		}
	}
	if !some {
		attrs = nil
	}
	return ts, attrs
}

// canonical gives an operation that was read in any form the one shape that both readers deliver.
func (p *parser) canonical(o *Op) {
	if len(o.Attrs) == 0 {
		return
	}
	if len(o.Name) > 4 && (o.Name[:4] == "stab" || o.Name[:4] == "chlo") {
		for i, a := range o.Attrs {
			if d, ok := a.Attr.(Dense); ok && isIntList(a.Name) {
				if v, ok := d.ints(); ok {
					o.Attrs[i].Attr = v
				}
			}
		}
		return
	}
	if o.Name != "func.func" || len(o.Regions) == 0 || len(o.Regions[0].Blocks) == 0 {
		return
	}
	args := o.Regions[0].Blocks[0].Args
	for i, a := range o.Attrs {
		if list, ok := a.Attr.(Array); ok && a.Name == "arg_attrs" && len(list) == len(args) {
			for j, d := range list {
				if d, ok := d.(Dict); ok && len(d) > 0 {
					args[j].Attrs = d
				}
			}
			o.Attrs = append(o.Attrs[:i:i], o.Attrs[i+1:]...)
			return
		}
	}
}

// isIntList tells the attributes that are arrays of integers now and were dense tensors in older programs.
func isIntList(name string) bool {
	switch name {
	case "base_dilations", "broadcast_dimensions", "broadcast_sizes", "dimensions", "edge_padding_high",
		"edge_padding_low", "fft_length", "interior_padding", "known_expanding_dimensions",
		"known_nonexpanding_dimensions", "lhs_dilation", "limit_indices", "permutation", "rhs_dilation", "slice_sizes",
		"start_indices", "strides", "window_dilations", "window_dimensions", "window_reversal", "window_strides":
		return true
	}
	return false
}

// maxSplatList is the longest list of one repeated integer that is written out: longer ones have no use in a program,
// and their text is short.
const maxSplatList = 64

// ints gives the elements of a list of integers; ok is false for what is none.
func (d Dense) ints() (v Ints, ok bool) {
	t := d.Type
	if len(t.Dims) != 1 || t.Quant != nil || !t.Elem.IsInt() && t.Elem != dtype.I1 || d.Splat && t.Dims[0] > maxSplatList {
		return Ints{}, false
	}
	v = Ints{Elem: t.Elem}
	if !d.Splat {
		v.Values = widen(d.Data, t.Elem, int(t.Dims[0]))
		return v, true
	}
	one := widen(d.Data, t.Elem, 1)[0]
	for range t.Dims[0] {
		v.Values = append(v.Values, one)
	}
	return v, true
}
