package isthmus

import (
	"compress/gzip"
	"io"
	"runtime"
)

// WriteProfile writes c as a profile that `go tool pprof` reads: one sample for each kind and place, with its stack, and
// the number of objects as its value. Objects without a known place count under their kind alone. The kind is the label
// "kind" of the sample and the innermost frame of its stack.
func (c Census) WriteProfile(w io.Writer) error {
	p := profile{strings: map[string]int{"": 0}, table: []string{""}, functions: map[string]uint64{}, locations: map[location]uint64{}}
	type group struct {
		kind string
		site Site
	}
	counts := map[group]int{}
	var order []group
	for _, o := range c {
		g := group{o.Kind, o.Site}
		if counts[g] == 0 {
			order = append(order, g)
		}
		counts[g]++
	}
	var out message
	out.nested(1, p.valueType("objects", "count"))
	for _, g := range order {
		frames := append([]runtime.Frame{{Function: g.kind}}, g.site.Frames()...)
		var ids []uint64
		for _, f := range frames {
			ids = append(ids, p.location(&f))
		}
		var s, label message
		s.packed(1, ids)
		s.packed(2, []uint64{uint64(counts[g])})
		label.number(1, uint64(p.text("kind")))
		label.number(2, uint64(p.text(g.kind)))
		s.nested(3, label)
		out.nested(2, s)
	}
	out = append(out, p.out...)
	for _, s := range p.table {
		out.nested(6, message(s))
	}
	z := gzip.NewWriter(w)
	if _, err := z.Write(out); err != nil {
		return err
	}
	return z.Close()
}

// profile collects the tables of a profile: see profile.proto of github.com/google/pprof.
type profile struct {
	out       message
	table     []string
	strings   map[string]int
	functions map[string]uint64
	locations map[location]uint64
}

type location struct {
	function uint64
	line     int
}

func (p *profile) text(s string) int {
	i, ok := p.strings[s]
	if !ok {
		i = len(p.table)
		p.strings[s], p.table = i, append(p.table, s)
	}
	return i
}

func (p *profile) valueType(name, unit string) message {
	var m message
	m.number(1, uint64(p.text(name)))
	m.number(2, uint64(p.text(unit)))
	return m
}

func (p *profile) function(f *runtime.Frame) uint64 {
	key := f.Function + "\x00" + f.File
	id, ok := p.functions[key]
	if !ok {
		id = uint64(len(p.functions) + 1)
		p.functions[key] = id
		var m message
		m.number(1, id)
		m.number(2, uint64(p.text(f.Function)))
		m.number(4, uint64(p.text(f.File)))
		p.out.nested(5, m)
	}
	return id
}

func (p *profile) location(f *runtime.Frame) uint64 {
	l := location{p.function(f), f.Line}
	id, ok := p.locations[l]
	if !ok {
		id = uint64(len(p.locations) + 1)
		p.locations[l] = id
		var m, line message
		line.number(1, l.function)
		line.number(2, uint64(l.line))
		m.number(1, id)
		m.nested(4, line)
		p.out.nested(4, m)
	}
	return id
}

// message is a protocol buffer in the making.
type message []byte

func (m *message) varint(v uint64) {
	for ; v >= 0x80; v >>= 7 {
		*m = append(*m, byte(v)|0x80)
	}
	*m = append(*m, byte(v))
}

func (m *message) number(field int, v uint64) {
	m.varint(uint64(field) << 3)
	m.varint(v)
}

func (m *message) nested(field int, b message) {
	m.varint(uint64(field)<<3 | 2)
	m.varint(uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) packed(field int, values []uint64) {
	var b message
	for _, v := range values {
		b.varint(v)
	}
	m.nested(field, b)
}
