package mlir

import (
	"bytes"
	"encoding/hex"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Dump writes the tree of o in a form that depends on nothing but its meaning: values are numbered, attributes
// sorted, positions left out. Two readers agree on a program if its dumps are equal. Long constants are given by
// their length and a hash.
func Dump(o *Op) string {
	d := dumper{ids: map[*Value]string{}}
	d.op(o, 0)
	return d.b.String()
}

type dumper struct {
	b   bytes.Buffer
	ids map[*Value]string
	n   int
}

func (d *dumper) def(v *Value) string {
	id := "%" + strconv.Itoa(d.n)
	d.n++
	d.ids[v] = id
	return id
}

func (d *dumper) op(o *Op, depth int) {
	indent := strings.Repeat("  ", depth)
	d.b.WriteString(indent)
	for i, r := range o.Results {
		if i > 0 {
			d.b.WriteString(", ")
		}
		d.b.WriteString(d.def(r))
	}
	if len(o.Results) > 0 {
		d.b.WriteString(" = ")
	}
	d.b.WriteString(o.Name + "(")
	for i, v := range o.Operands {
		if i > 0 {
			d.b.WriteString(", ")
		}
		id, ok := d.ids[v]
		if !ok {
			id = "%?"
		}
		d.b.WriteString(id)
	}
	d.b.WriteByte(')')
	if len(o.Attrs) > 0 {
		d.b.WriteByte(' ')
		d.dict(o.Attrs)
	}
	if len(o.Results) > 0 {
		d.b.WriteString(" : ")
		for i, r := range o.Results {
			if i > 0 {
				d.b.WriteString(", ")
			}
			d.b.WriteString(r.Type.String())
		}
	}
	for _, r := range o.Regions {
		d.b.WriteString(" {\n")
		for _, b := range r.Blocks {
			d.b.WriteString(indent + " ^(")
			for i, a := range b.Args {
				if i > 0 {
					d.b.WriteString(", ")
				}
				d.b.WriteString(d.def(a) + ": " + a.Type.String())
				if len(a.Attrs) > 0 {
					d.b.WriteByte(' ')
					d.dict(a.Attrs)
				}
			}
			d.b.WriteString("):\n")
			for _, o := range b.Ops {
				d.op(o, depth+1)
			}
		}
		d.b.WriteString(indent + "}")
	}
	d.b.WriteByte('\n')
}

func (d *dumper) dict(as []NamedAttr) {
	sorted := slices.SortedFunc(slices.Values(as), func(a, b NamedAttr) int { return strings.Compare(a.Name, b.Name) })
	d.b.WriteByte('{')
	for i, a := range sorted {
		if i > 0 {
			d.b.WriteString(", ")
		}
		d.b.WriteString(a.Name)
		if _, ok := a.Attr.(Unit); !ok {
			d.b.WriteString(" = ")
			d.attr(a.Attr)
		}
	}
	d.b.WriteByte('}')
}

func (d *dumper) attr(a Attr) {
	switch a := a.(type) {
	case nil:
		d.b.WriteString("nil")
	case String:
		d.b.WriteString(strconv.Quote(string(a)))
	case Bool:
		d.b.WriteString(strconv.FormatBool(bool(a)))
	case Unit:
		d.b.WriteString("unit")
	case Int:
		d.b.WriteString(strconv.FormatInt(a.Value, 10) + " : " + a.Type.String())
	case Float:
		d.b.WriteString(strconv.FormatFloat(a.Value, 'g', -1, 64) + " : " + a.Type.String())
	case Symbol:
		d.b.WriteString("@" + string(a))
	case TypeAttr:
		d.b.WriteString(a.Type.String())
	case Array:
		d.b.WriteByte('[')
		for i, e := range a {
			if i > 0 {
				d.b.WriteString(", ")
			}
			d.attr(e)
		}
		d.b.WriteByte(']')
	case Dict:
		d.dict(a)
	case Ints:
		d.b.WriteString("array<" + a.Elem.String() + ":")
		for i, v := range a.Values {
			if i > 0 {
				d.b.WriteByte(',')
			}
			d.b.WriteString(" " + strconv.FormatInt(v, 10))
		}
		d.b.WriteByte('>')
	case Floats:
		d.b.WriteString("array<" + a.Elem.String() + ":")
		for i, v := range a.Values {
			if i > 0 {
				d.b.WriteByte(',')
			}
			d.b.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64))
		}
		d.b.WriteByte('>')
	case Dense:
		d.dense(a)
	case Enum:
		d.b.WriteString("#" + a.Name + "<" + a.Value + ">")
	case Struct:
		d.b.WriteString("#" + a.Name + "<")
		for i, f := range a.Fields {
			if i > 0 {
				d.b.WriteString(", ")
			}
			d.b.WriteString(f.Name + " = ")
			d.attr(f.Attr)
		}
		d.b.WriteByte('>')
	case OpaqueAttr:
		d.b.WriteString("#" + a.Dialect + "<" + strconv.Quote(a.Text) + ">")
	}
}

func (d *dumper) dense(a Dense) {
	d.b.WriteString("dense<")
	// Whether equal elements are kept once is the choice of the program's printer.
	if size := a.Type.Elem.Size(); size > 0 && len(a.Data) >= size && bytes.Equal(a.Data[:len(a.Data)-size], a.Data[size:]) {
		a.Data, a.Splat = a.Data[:size], true
	}
	if a.Splat {
		d.b.WriteString("splat ")
	}
	if len(a.Data) <= 64 {
		d.b.WriteString(hex.EncodeToString(a.Data))
	} else {
		h := fnv.New64a()
		h.Write(a.Data)
		d.b.WriteString(strconv.Itoa(len(a.Data)) + " bytes " + strconv.FormatUint(h.Sum64(), 16))
	}
	d.b.WriteString("> : " + a.Type.String())
}
