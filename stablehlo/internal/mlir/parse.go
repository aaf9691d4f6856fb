package mlir

import (
	"slices"
)

// Options says how to read text. The zero value is the default.
type Options struct {
	// FirstLine is the line number of the first line, for a part of a larger file; 0 is 1.
	FirstLine int
}

// ParseText reads MLIR text: the generic form of every operation, and the forms that StableHLO, CHLO, func, builtin
// and the test dialects check and interpreter print. It returns the builtin.module; operations without one around
// them get one. An error is an *Error with the line and column where the text stops to be right.
//
// The tree does not refer to src. ParseText takes time and memory in proportion to the length of src, whatever it holds.
func ParseText(src []byte, opts Options) (module *Op, err error) {
	p := &parser{
		src:       src,
		firstLine: max(opts.FirstLine, 1),
		attrAlias: map[string]attrAlias{},
		typeAlias: map[string]typeAlias{},
		typeCache: map[string]Type{},
		interned:  map[string]Type{},
		quants:    map[string]*Quant{},
		quantKeys: map[*Quant]int{},
		names:     map[string]string{},
		forms:     map[string]*form{},
		blobs:     map[string][]byte{},
		values:    map[string]binding{},
		locs:      map[string]loc{},
	}
	p.line = p.firstLine
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			module, err = nil, e
		}
	}()
	return p.file(), nil
}

func (p *parser) file() *Op {
	block := &Block{}
	for {
		c := p.peek()
		if c == 0 {
			if p.i < len(p.src) {
				p.want("an operation")
			}
			break
		}
		switch {
		case c == '{' && p.at("{-#"):
			p.fileMetadata()
		case c == '#':
			p.attrAliasDef()
		case c == '!':
			p.typeAliasDef()
		default:
			block.Ops = append(block.Ops, p.op())
		}
	}
	p.resolveLocs()
	if len(block.Ops) == 1 && block.Ops[0].Name == "builtin.module" {
		return block.Ops[0]
	}
	return &Op{Name: "builtin.module", Regions: []*Region{{Blocks: []*Block{block}}}, Pos: Pos{Line: p.firstLine, Col: 1}}
}

func (p *parser) attrAliasDef() {
	at := p.i
	p.i++
	name := p.intern(p.suffix("the name of an alias after #"))
	p.expectByte('=')
	_, attr := p.attrAlias[name]
	_, where := p.locs[name]
	if attr || where {
		p.fail(at, "alias #%s is defined twice", name)
	}
	if p.atWord("loc") {
		p.locs[name] = p.location()
		return
	}
	var a Attr
	e := p.measure(func() { a = p.attr() })
	p.attrAlias[name] = attrAlias{a, e}
}

func (p *parser) typeAliasDef() {
	at := p.i
	p.i++
	name := p.intern(p.suffix("the name of an alias after !"))
	if _, ok := p.typeAlias[name]; ok {
		p.fail(at, "alias !%s is defined twice", name)
	}
	p.expectByte('=')
	var t Type
	e := p.measure(func() { t = p.typ() })
	p.typeAlias[name] = typeAlias{t, e}
}

// A result as an operation binds it: %name or %name:count.
type resultName struct {
	name  string
	count int64
	off   int
}

// op reads one operation.
func (p *parser) op() *Op {
	var buf [4]resultName
	names := buf[:0]
	if p.peek() == '%' {
		for {
			p.space()
			r := resultName{count: 1, off: p.i}
			if p.peek() != '%' {
				p.want("a value")
			}
			p.i++
			r.name = p.intern(p.suffix("the name of a value after %"))
			if p.eatByte(':') {
				if r.count = p.uint("a number of results"); r.count == 0 {
					p.fail(r.off, "a binding has one result at least")
				}
			}
			names = append(names, r)
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte('=')
	}
	p.space()
	o := p.arena.op()
	start := p.i
	if len(names) > 0 {
		start = names[0].off
	}
	first := p.pos(start)
	at := p.i
	o.Pos = p.pos(at)
	base := len(p.offs)
	if p.peek() == '"' {
		raw, escaped := p.rawString()
		if escaped || len(raw) == 0 {
			p.fail(at, "not the name of an operation")
		}
		o.Name = p.intern(raw)
		p.generic(o)
		if o.Name == "builtin.module" {
			if len(o.Regions) != 1 {
				p.fail(at, "builtin.module has one region")
			}
			if len(o.Regions[0].Blocks) == 0 {
				o.Regions[0].Blocks = []*Block{{}}
			}
		}
	} else {
		w := p.word()
		if len(w) == 0 {
			p.i = at
			p.want("an operation")
		}
		p.pretty(o, w, at)
	}
	p.offs = p.offs[:base]
	p.canonical(o)
	p.opLocation(o)
	p.bind(o, names, first, at)
	return o
}

// bind gives the results of o their names.
func (p *parser) bind(o *Op, names []resultName, first Pos, at int) {
	if len(names) == 0 {
		for _, r := range o.Results {
			r.Pos = first
		}
		return
	}
	total := int64(0)
	for _, n := range names {
		if total += n.count; total > int64(len(o.Results)) || total < 0 {
			break
		}
	}
	if total != int64(len(o.Results)) {
		p.fail(names[0].off, "%s has %d results, the names bind another number", o.Name, len(o.Results))
	}
	rest := o.Results
	for _, n := range names {
		vals := rest[:n.count:n.count]
		rest = rest[n.count:]
		pos := first
		pos.Col += n.off - names[0].off
		for _, v := range vals {
			v.Name, v.Pos = n.name, pos
		}
		p.define(n.name, vals, n.off)
	}
}

func (p *parser) define(name string, vals []*Value, off int) {
	if old, ok := p.values[name]; ok {
		p.fail(off, "value %%%s is already defined at %v", name, p.errorPos(old.off))
	}
	p.values[name] = binding{vals, off}
	p.defined = append(p.defined, name)
}

// scope runs f, and then forgets the values it defined. An isolated one does not see the values around it.
func (p *parser) scope(isolated bool, f func()) {
	if isolated {
		values, defined := p.values, p.defined
		p.values, p.defined = map[string]binding{}, nil
		f()
		p.values, p.defined = values, defined
		return
	}
	n := len(p.defined)
	f()
	for _, name := range p.defined[n:] {
		delete(p.values, name)
	}
	p.defined = p.defined[:n]
}

// operand reads %name or %name#index; its place goes on the stack for the check of its type.
func (p *parser) operand() *Value {
	if p.peek() != '%' {
		p.want("a value")
	}
	at := p.i
	p.i++
	name := p.suffix("the name of a value after %")
	b, ok := p.values[string(name)]
	if !ok {
		p.fail(at, "value %%%s is not defined", name)
	}
	i := int64(0)
	if p.i < len(p.src) && p.src[p.i] == '#' {
		p.i++
		i = p.uint("the number of a result")
		if i >= int64(len(b.vals)) {
			p.fail(at, "value %%%s has %d results, there is no number %d", name, len(b.vals), i)
		}
	}
	p.offs = append(p.offs, at)
	return b.vals[i]
}

// operandList reads operands separated by commas, none where none stands.
func (p *parser) operandList(vals []*Value) []*Value {
	if p.peek() != '%' {
		return vals
	}
	for {
		vals = append(vals, p.operand())
		if !p.eatByte(',') {
			return vals
		}
	}
}

// setOperands stores vals and returns where their places start on the stack.
func (p *parser) setOperands(o *Op, vals []*Value) {
	o.Operands = p.arena.pointers(len(vals))
	copy(o.Operands, vals)
}

// checkOperands compares the types of the operands, whose places are the last on the stack, with those written.
func (p *parser) checkOperands(o *Op, ts []Type, at int) {
	if len(ts) != len(o.Operands) {
		p.fail(at, "%s has %d operands and %d operand types", o.Name, len(o.Operands), len(ts))
	}
	offs := p.offs[len(p.offs)-len(o.Operands):]
	for i, v := range o.Operands {
		if !v.Type.Equal(ts[i]) {
			p.fail(offs[i], "%s has the type %v, used here as %v", valueName(v), v.Type, ts[i])
		}
	}
}

func valueName(v *Value) string {
	if v.Name == "" {
		return "the value"
	}
	return "%" + v.Name
}

// setResults makes the results of o.
func (p *parser) setResults(o *Op, ts []Type) {
	o.Results = p.arena.pointers(len(ts))
	for i, t := range ts {
		v := p.arena.value()
		*v = Value{Type: t, Op: o, Index: i}
		o.Results[i] = v
	}
}

// funcType reads (types) -> types and applies it to o.
func (p *parser) funcType(o *Op) {
	p.space()
	at := p.i
	ins := p.typeParens()
	p.expect("->")
	outs := p.resultTypes()
	p.checkOperands(o, ins, at)
	p.setResults(o, outs)
}

// addAttrs joins more attributes to o's.
func (p *parser) addAttrs(o *Op, as []NamedAttr, at int) {
	if len(o.Attrs) == 0 {
		o.Attrs = as
		return
	}
	for _, a := range as {
		if len(o.Attrs) < 1000 && lookup(o.Attrs, a.Name) != nil {
			p.fail(at, "attribute %s is given twice", a.Name)
		}
		o.Attrs = append(o.Attrs, a)
	}
}

func (p *parser) addAttr(o *Op, name string, a Attr, at int) {
	if lookup(o.Attrs, name) != nil {
		p.fail(at, "attribute %s is given twice", name)
	}
	o.Attrs = append(o.Attrs, NamedAttr{name, a})
}

// optionalDict reads {attributes} into o if they stand next.
func (p *parser) optionalDict(o *Op) {
	if p.peek() == '{' {
		at := p.i
		p.addAttrs(o, p.dict(), at)
	}
}

// generic reads (operands)<{properties}>({regions}){attributes} : (types) -> types.
func (p *parser) generic(o *Op) {
	p.expectByte('(')
	var buf [8]*Value
	vals := p.operandList(buf[:0])
	p.expectByte(')')
	p.setOperands(o, vals)
	if p.peek() == '[' {
		p.fail(p.i, "successor blocks are not supported: StableHLO has no branches")
	}
	if p.eatByte('<') {
		p.optionalDict(o)
		p.expectByte('>')
	}
	isolated := isIsolated(o.Name)
	if p.eatByte('(') {
		for {
			p.scope(isolated, func() { o.Regions = append(o.Regions, p.region(nil)) })
			if !p.eatByte(',') {
				break
			}
		}
		p.expectByte(')')
	}
	p.optionalDict(o)
	p.expectByte(':')
	p.funcType(o)
}

// isIsolated tells the operations whose regions do not see the values around them.
func isIsolated(name string) bool {
	return name == "func.func" || name == "builtin.module"
}

// region reads {blocks}. The arguments of the first block are given where they stand elsewhere in the text; its
// caller opens the scope.
func (p *parser) region(args []*Value) *Region {
	p.enter()
	defer p.leave()
	p.expectByte('{')
	r := &Region{}
	var block *Block
	open := func(args []*Value) {
		block = &Block{Args: args}
		r.Blocks = append(r.Blocks, block)
	}
	if args != nil {
		open(args)
	}
	var buf [16]*Op
	ops := buf[:0]
	var labels map[string]bool
	flush := func() {
		if block != nil {
			block.Ops = slices.Clone(ops)
			ops = ops[:0]
		}
	}
	for {
		switch c := p.peek(); c {
		case '}':
			p.i++
			flush()
			return r
		case 0:
			p.want("'}' or an operation")
		case '^':
			at := p.i
			p.i++
			name := string(p.suffix("the label of a block after ^"))
			if labels[name] {
				p.fail(at, "block ^%s is defined twice", name)
			}
			if labels == nil {
				labels = map[string]bool{}
			}
			labels[name] = true
			flush()
			if args != nil && len(r.Blocks) == 1 && len(block.Ops) == 0 {
				p.fail(at, "the first block has its arguments already")
			}
			var vals []*Value
			if p.eatByte('(') {
				vals = p.blockArgs(')')
			}
			p.expectByte(':')
			open(vals)
		default:
			if block == nil {
				open(nil)
			}
			ops = append(ops, p.op())
		}
	}
}

// blockArgs reads %name : type {attributes} loc(…), … up to the closing byte, and defines them.
func (p *parser) blockArgs(closing byte) []*Value {
	vals := []*Value{}
	if p.eatByte(closing) {
		return vals
	}
	for {
		vals = append(vals, p.blockArg(len(vals)))
		if !p.eatByte(',') {
			p.expectByte(closing)
			return vals
		}
	}
}

// blockArg reads %name : type {attributes} loc(…).
func (p *parser) blockArg(index int) *Value {
	if p.peek() != '%' {
		p.want("an argument %name : type")
	}
	at := p.i
	p.i++
	v := p.arena.value()
	*v = Value{Name: p.intern(p.suffix("the name of a value after %")), Index: index, Pos: p.pos(at)}
	p.expectByte(':')
	v.Type = p.typ()
	p.argTail(v)
	s := p.arena.pointers(1)
	s[0] = v
	p.define(v.Name, s, at)
	return v
}

// argTail reads what may follow the type of an argument.
func (p *parser) argTail(v *Value) {
	if p.peek() == '{' {
		v.Attrs = p.dict()
	}
	if p.atWord("loc") {
		p.location()
	}
}
