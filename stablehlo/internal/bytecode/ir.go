package bytecode

import "github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"

// Bits of the byte that says which parts an operation has.
const (
	hasAttrs = 1 << iota
	hasResults
	hasOperands
	hasSuccessors
	hasRegions
	hasUseLists
	hasProperties
)

// scope numbers the values of an isolated region and the regions inside it. Values of a nested region go out of scope
// with it.
type scope struct{ values []*mlir.Value }

// undefined is the index of a value that an operand names before it is defined.
const undefined = -1

// regionState is the region that is being read.
type regionState struct {
	scope  *scope
	next   int    // number of the next value to be defined
	parent string // name of the operation around it
}

const moduleOp = "builtin.module"

// module reads the IR section: a block that holds the module. What is not in a module is put in one, as MLIR does.
func (r *reader) module() *mlir.Op {
	c := r.cursor(secIR)
	at := c.p
	b := &mlir.Block{}
	r.block(c, b, &regionState{scope: &scope{}})
	c.done("program")
	if len(b.Ops) == 1 && b.Ops[0].Name == moduleOp {
		return b.Ops[0]
	}
	if len(b.Args) > 0 {
		r.fail(at, "the program is not a module")
	}
	return &mlir.Op{Name: moduleOp, Regions: []*mlir.Region{{Blocks: []*mlir.Block{b}}}}
}

func (r *reader) region(c *cursor, sc *scope, parent string) *mlir.Region {
	at := c.p
	r.enter(at)
	defer func() { r.depth-- }()
	g := &mlir.Region{}
	nblocks := c.count()
	if nblocks == 0 {
		return g
	}
	at = c.p
	nvalues := c.uint()
	r.declare(at, nvalues, "values")
	base := len(sc.values)
	sc.values = append(sc.values, make([]*mlir.Value, nvalues)...)
	st := &regionState{scope: sc, next: base, parent: parent}
	blocks := make([]mlir.Block, nblocks)
	g.Blocks = make([]*mlir.Block, nblocks)
	r.declare(at, uint64(nblocks), "blocks")
	for i := range blocks {
		g.Blocks[i] = &blocks[i]
		r.block(c, &blocks[i], st)
	}
	for i, v := range sc.values[base:] {
		if v != nil && v.Index == undefined {
			r.fail(at, "value %d is used and never defined", base+i)
		}
	}
	clear(sc.values[base:])
	sc.values = sc.values[:base]
	return g
}

// declare takes note of things that will follow, each of which takes a byte of its own at least.
func (r *reader) declare(at int, n uint64, what string) {
	if n > uint64(len(r.data))-r.declared {
		r.fail(at, "%d %s do not fit into the file", n, what)
	}
	r.declared += n
}

func (r *reader) block(c *cursor, b *mlir.Block, st *regionState) {
	at := c.p
	h := c.uint()
	if h&1 != 0 {
		at := c.p
		n := c.count()
		r.size = int64(n)
		b.Args = make([]*mlir.Value, n)
		for i := range b.Args {
			at := c.p
			t, hasLoc := c.uint(), true
			if r.format >= formatElidedLocations {
				t, hasLoc = t>>1, t&1 != 0
			}
			v := r.define(at, st, r.typ(at, t))
			v.Op, v.Index = nil, i
			if hasLoc {
				v.Pos = c.location().pos
			}
			b.Args[i] = v
		}
		r.charge(at, r.size)
		if r.format >= formatUseLists && c.byte() != 0 {
			c.useLists(len(b.Args))
		}
	}
	n := h >> 1
	r.declare(at, n, "operations")
	b.Ops = make([]*mlir.Op, 0, n)
	for range n {
		if o := r.op(c, st); o != nil {
			b.Ops = append(b.Ops, o)
		}
	}
}

// useLists skips the order in which MLIR had the uses of some of n values; there is no number where n is 1.
func (c *cursor) useLists(n int) {
	lists := 1
	if n > 1 {
		lists = c.count()
	}
	for range lists {
		if n > 1 {
			c.uint()
		}
		at := c.p
		k := c.uint() >> 1
		if k > uint64(c.end-c.p) {
			c.r.fail(at, "%d uses do not fit into %d bytes", k, c.end-c.p)
		}
		for range k {
			c.uint()
		}
	}
}

// newValue returns a value from a batch.
func (r *reader) newValue() *mlir.Value {
	if len(r.values) == 0 {
		r.values = make([]mlir.Value, 32)
	}
	v := &r.values[0]
	r.values = r.values[1:]
	return v
}

// define makes the next value of a region, or completes it where an operand named it already.
func (r *reader) define(at int, st *regionState, t *mlir.Type) *mlir.Value {
	if st.next >= len(st.scope.values) {
		r.fail(at, "more values than the region declares")
	}
	slot := &st.scope.values[st.next]
	if *slot == nil {
		*slot = r.newValue()
	}
	st.next++
	(*slot).Type = *t
	return *slot
}

func (r *reader) operand(c *cursor, sc *scope) *mlir.Value {
	at := c.p
	i := c.uint()
	if i >= uint64(len(sc.values)) {
		r.fail(at, "value %d of %d", i, len(sc.values))
	}
	if sc.values[i] == nil {
		v := r.newValue()
		v.Index = undefined
		sc.values[i] = v
	}
	return sc.values[i]
}

// op reads an operation. It returns nil for a cast between types that are now the same, whose results become its
// operands: writers of mixed dialects put such casts between VHLO and the rest.
func (r *reader) op(c *cursor, st *regionState) *mlir.Op {
	at := c.p
	i := c.uint()
	if i >= uint64(len(r.ops)) {
		r.fail(at, "operation name %d of %d", i, len(r.ops))
	}
	name := &r.ops[i]
	if name.err != "" {
		r.fail(at, "%s", name.err)
	}
	o := &mlir.Op{Name: name.name}
	mask := c.byte()
	r.size = 1
	l := c.location()
	o.Pos, o.Loc = l.pos, l.name
	r.opAttrs(c, o, name, mask)
	var types []*mlir.Type
	if mask&hasResults != 0 {
		types = make([]*mlir.Type, c.count())
		for i := range types {
			at := c.p
			types[i] = r.typ(at, c.uint())
		}
	}
	if mask&hasOperands != 0 {
		o.Operands = make([]*mlir.Value, c.count())
		for i := range o.Operands {
			o.Operands[i] = r.operand(c, st.scope)
		}
	}
	if mask&hasSuccessors != 0 && c.count() != 0 {
		r.fail(at, "%s has successors; control flow between blocks is not supported", o.Name)
	}
	if r.format >= formatUseLists && mask&hasUseLists != 0 {
		c.useLists(len(types))
	}
	r.charge(at, r.size+int64(len(types)+len(o.Operands)))
	if o.Name == castOp && mask&hasRegions == 0 && foldCast(o, types, st) {
		return nil
	}
	o.Results = make([]*mlir.Value, len(types))
	for i, t := range types {
		v := r.define(at, st, t)
		v.Op, v.Index = o, i
		o.Results[i] = v
	}
	if mask&hasRegions != 0 {
		r.regions(c, o, st)
	}
	switch o.Name {
	case "stablehlo.return":
		if st.parent == funcOp {
			o.Name = "func.return"
		}
	case funcOp:
		r.argAttrs(at, o)
	}
	return o
}

// regions reads the regions of o. Isolated ones have their own numbers of values, and from format 2 a section.
func (r *reader) regions(c *cursor, o *mlir.Op, st *regionState) {
	at := c.p
	v := c.uint()
	sc := st.scope
	in := c
	n, isolated := v>>1, v&1 != 0
	if isolated {
		sc = &scope{}
		if r.format >= formatRegionSections {
			id, s := c.section()
			if id != secIR {
				r.fail(at, "regions are in section %d", id)
			}
			in = &cursor{r: r, p: s.from, end: s.to}
		}
	}
	r.declare(at, n, "regions")
	o.Regions = make([]*mlir.Region, n)
	for i := range o.Regions {
		o.Regions[i] = r.region(in, sc, o.Name)
	}
	if in != c {
		in.done("regions")
	}
}

const castOp = "builtin.unrealized_conversion_cast"

// foldCast makes the results of a cast its operands, if nothing depends on the cast itself.
func foldCast(o *mlir.Op, types []*mlir.Type, st *regionState) bool {
	if len(types) != len(o.Operands) || st.next+len(types) > len(st.scope.values) {
		return false
	}
	for i, t := range types {
		if st.scope.values[st.next+i] != nil || o.Operands[i].Index == undefined || !t.Equal(o.Operands[i].Type) {
			return false
		}
	}
	for _, v := range o.Operands {
		st.scope.values[st.next] = v
		st.next++
	}
	return true
}

// opAttrs reads the attributes of o: a dictionary, and from format 5 the properties in the operation's own encoding.
func (r *reader) opAttrs(c *cursor, o *mlir.Op, name *opName, mask byte) {
	at := c.p
	var dict mlir.Dict
	if mask&hasAttrs != 0 {
		d, ok := c.attr().(mlir.Dict)
		if !ok {
			r.fail(at, "attributes of %s are not a dictionary", o.Name)
		}
		dict = d
	}
	attrs := []mlir.NamedAttr(dict)
	if mask&hasProperties != 0 {
		attrs = append(r.properties(c, o.Name, name), attrs...)
	}
	if name.def != nil && name.def.vhlo {
		attrs = r.legalize(at, o.Name, name.def, attrs)
	}
	o.Attrs = attrs
}

func (r *reader) properties(c *cursor, op string, name *opName) []mlir.NamedAttr {
	at := c.p
	if !name.registered {
		switch d := c.attr().(type) {
		case mlir.Dict:
			return append([]mlir.NamedAttr(nil), d...)
		default:
			r.fail(at, "properties of %s are not a dictionary", op)
		}
	}
	i := c.uint()
	if i >= uint64(len(r.props)) {
		r.fail(at, "properties %d of %d", i, len(r.props))
	}
	s := r.props[i]
	if name.def == nil {
		return []mlir.NamedAttr{{Name: "properties", Attr: mlir.OpaqueAttr{Dialect: "builtin", Text: string(r.data[s.from:s.to])}}}
	}
	p := &cursor{r: r, p: s.from, end: s.to}
	attrs := make([]mlir.NamedAttr, 0, len(name.def.fields)+2)
	fields := name.def.fields
	if len(fields) > 0 && fields[0].late && p.len() < len(fields) {
		fields = fields[1:]
	}
	for _, f := range fields {
		if f.optional {
			if a := p.optionalAttr(); a != nil {
				attrs = append(attrs, mlir.NamedAttr{Name: f.name, Attr: a})
			}
			continue
		}
		attrs = append(attrs, mlir.NamedAttr{Name: f.name, Attr: p.attr()})
	}
	p.done("properties of " + op)
	return attrs
}
