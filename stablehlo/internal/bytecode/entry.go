package bytecode

import (
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// entry is an attribute or a type in the file, read when it is first used.
type entry struct {
	span
	dialect string
	custom  bool // in its dialect's encoding, otherwise as text
	state   state
	size    int64
}

type attrEntry struct {
	entry
	val mlir.Attr
}

type typeEntry struct {
	entry
	val *mlir.Type
}

type state uint8

const (
	unread state = iota
	reading
	read
)

func (r *reader) readEntries() {
	c := r.cursor(secAttrTypeOffset)
	body := r.cursor(secAttrType)
	nattrs, at := c.count(), c.p
	ntypes := c.uint()
	if ntypes > uint64(c.end-c.p) {
		r.fail(at, "%d types do not fit into %d bytes", ntypes, c.end-c.p)
	}
	r.attrs = make([]attrEntry, nattrs)
	r.types = make([]typeEntry, ntypes)
	r.locs = make([]*location, nattrs)
	group := func(n int, set func(i int, e entry)) {
		for i := 0; i < n; {
			d := r.dialect(c)
			at := c.p
			k := c.count()
			if k > n-i {
				r.fail(at, "%d more attributes or types, of which %d remain", k, n-i)
			}
			for range k {
				v := c.uint()
				set(i, entry{span: body.span(v >> 1), dialect: d, custom: v&1 != 0})
				i++
			}
		}
	}
	group(nattrs, func(i int, e entry) { r.attrs[i].entry = e })
	group(int(ntypes), func(i int, e entry) { r.types[i].entry = e })
	c.done("table of attributes and types")
}

// begin starts to read e; end finishes it. Between them r.size counts the nodes of e.
func (r *reader) begin(at int, e *entry) (outer int64) {
	if e.state == reading {
		r.fail(at, "an attribute or type contains itself")
	}
	r.enter(at)
	e.state = reading
	outer, r.size = r.size, 1
	return outer
}

func (r *reader) end(at int, e *entry, outer int64) {
	r.depth--
	e.state, e.size = read, r.size
	r.size = outer
	r.use(at, e)
}

func (r *reader) use(at int, e *entry) {
	if r.size += e.size; r.size > r.left {
		r.fail(at, "program is out of proportion to its encoding")
	}
}

func (r *reader) attr(at int, i uint64) mlir.Attr {
	if i >= uint64(len(r.attrs)) {
		r.fail(at, "attribute %d of %d", i, len(r.attrs))
	}
	e := &r.attrs[i]
	if e.state == read {
		r.use(at, &e.entry)
		return e.val
	}
	outer := r.begin(at, &e.entry)
	c := &cursor{r: r, p: e.from, end: e.to}
	switch {
	case !e.custom:
		e.val = asmAttr(e.dialect, r.text(&e.entry))
	case e.dialect == "builtin":
		e.val = r.builtinAttr(c)
		c.done("attribute")
	case e.dialect == "vhlo":
		e.val = r.vhloAttr(c)
		c.done("attribute")
	case e.dialect == "stablehlo":
		e.val = r.stablehloAttr(c)
		c.done("attribute")
	default:
		e.val = mlir.OpaqueAttr{Dialect: e.dialect, Text: string(r.data[e.from:e.to])}
	}
	r.end(at, &e.entry, outer)
	return e.val
}

func (r *reader) typ(at int, i uint64) *mlir.Type {
	if i >= uint64(len(r.types)) {
		r.fail(at, "type %d of %d", i, len(r.types))
	}
	e := &r.types[i]
	if e.state == read {
		r.use(at, &e.entry)
		return e.val
	}
	outer := r.begin(at, &e.entry)
	c := &cursor{r: r, p: e.from, end: e.to}
	var t mlir.Type
	switch {
	case !e.custom:
		t = asmType(e.dialect, r.text(&e.entry))
	case e.dialect == "builtin":
		t = r.builtinType(c)
		c.done("type")
	case e.dialect == "vhlo":
		t = r.vhloType(c)
		c.done("type")
	case e.dialect == "stablehlo":
		t = r.stablehloType(c)
		c.done("type")
	case e.dialect == "quant":
		t = r.quantType(c)
		c.done("type")
	default:
		t = mlir.Type{Kind: mlir.Opaque, Text: "!" + e.dialect + ".<bytecode>"}
	}
	e.val = &t
	r.end(at, &e.entry, outer)
	return e.val
}

func (r *reader) text(e *entry) string {
	return strings.TrimSuffix(string(r.data[e.from:e.to]), "\x00")
}

// asmAttr is an attribute that stands as text, as those of dialects do that have no encoding. Of CHLO's there are only
// enums: #chlo<comparison_direction EQ>.
func asmAttr(dialect, text string) mlir.Attr {
	if in, ok := strings.CutPrefix(text, "#chlo<"); ok {
		name, value, ok := strings.Cut(strings.TrimSuffix(in, ">"), " ")
		if ok && !strings.ContainsAny(name+value, " <>") {
			return mlir.Enum{Name: name, Value: value}
		}
	}
	return mlir.OpaqueAttr{Dialect: dialect, Text: text}
}

func asmType(_, text string) mlir.Type {
	if t, err := dtype.Parse(text); err == nil {
		return mlir.Type{Kind: mlir.Scalar, Elem: t}
	}
	return mlir.Type{Kind: mlir.Opaque, Text: text}
}

// The cursor's own forms: an index into a table, then what stands there.

func (c *cursor) attr() mlir.Attr {
	at := c.p
	return c.r.attr(at, c.uint())
}

func (c *cursor) optionalAttr() mlir.Attr {
	at := c.p
	v := c.uint()
	if v&1 == 0 {
		return nil
	}
	return c.r.attr(at, v>>1)
}

func (c *cursor) attrs() []mlir.Attr {
	as := make([]mlir.Attr, c.count())
	for i := range as {
		as[i] = c.attr()
	}
	return as
}

func (c *cursor) typ() mlir.Type {
	at := c.p
	return *c.r.typ(at, c.uint())
}

func (c *cursor) types() []mlir.Type {
	ts := make([]mlir.Type, c.count())
	for i := range ts {
		ts[i] = c.typ()
	}
	return ts
}

// stringAttr reads an attribute that must be a string.
func (c *cursor) stringAttr() string {
	at := c.p
	s, ok := c.attr().(mlir.String)
	if !ok {
		c.r.fail(at, "an attribute that must be a string is not")
	}
	return string(s)
}

// named reads the entries of a dictionary.
func (c *cursor) named() mlir.Dict {
	d := make(mlir.Dict, c.count())
	for i := range d {
		d[i].Name = c.stringAttr()
		d[i].Attr = c.attr()
	}
	return d
}
