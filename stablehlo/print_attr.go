package stablehlo

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// String prints the attribute as MLIR writes it: name = value.
func (e Extra) String() string {
	p := &printer{}
	p.named(mlir.NamedAttr{Name: e.Name, Attr: e.attr})
	return p.b.String()
}

// named prints name = value, or the name alone for an attribute that says something by being there.
func (p *printer) named(a mlir.NamedAttr) {
	if isWord(a.Name) {
		p.b.WriteString(a.Name)
	} else {
		p.quoted(a.Name)
	}
	if _, unit := a.Attr.(mlir.Unit); unit {
		return
	}
	p.b.WriteString(" = ")
	p.attr(a.Attr)
}

// isWord reports whether s can stand without quotes.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '.' && c != '$' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

func (p *printer) quoted(s string) {
	p.b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			p.b.WriteByte('\\')
			p.b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&p.b, "\\%02X", c)
		default:
			p.b.WriteByte(c)
		}
	}
	p.b.WriteByte('"')
}

// symbol prints @name; the parts of a nested name are joined by "::@".
func (p *printer) symbol(s string) {
	for i, part := range strings.Split(s, "::@") {
		if i > 0 {
			p.b.WriteString("::")
		}
		p.b.WriteByte('@')
		if isWord(part) {
			p.b.WriteString(part)
		} else {
			p.quoted(part)
		}
	}
}

func (p *printer) dict(list []mlir.NamedAttr) {
	p.b.WriteByte('{')
	for i, a := range list {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.named(a)
	}
	p.b.WriteByte('}')
}

func (p *printer) attr(a mlir.Attr) {
	switch a := a.(type) {
	case mlir.String:
		p.quoted(string(a))
	case mlir.Bool:
		p.b.WriteString(strconv.FormatBool(bool(a)))
	case mlir.Unit:
		p.b.WriteString("unit")
	case mlir.Int:
		if a.Type.Kind == mlir.Scalar && a.Type.Elem == dtype.U64 {
			p.b.WriteString(strconv.FormatUint(uint64(a.Value), 10))
		} else {
			p.b.WriteString(strconv.FormatInt(a.Value, 10))
		}
		p.b.WriteString(" : " + a.Type.String())
	case mlir.Float:
		p.float(a.Type.Elem, dtype.FromFloat64(a.Type.Elem, a.Value))
		p.b.WriteString(" : " + a.Type.String())
	case mlir.Symbol:
		p.symbol(string(a))
	case mlir.TypeAttr:
		if t, err := liftType(a.Type); err == nil {
			p.b.WriteString(t.String())
		} else {
			p.b.WriteString(a.Type.String())
		}
	case mlir.Array:
		p.b.WriteByte('[')
		for i, e := range a {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.attr(e)
		}
		p.b.WriteByte(']')
	case mlir.Dict:
		p.dict(a)
	case mlir.Ints:
		p.ints(a)
	case mlir.Floats:
		p.b.WriteString("array<" + a.Elem.String())
		for i, v := range a.Values {
			p.b.WriteString([]string{", ", ": "}[b2i(i == 0)])
			p.float(a.Elem, dtype.FromFloat64(a.Elem, v))
		}
		p.b.WriteByte('>')
	case mlir.Dense:
		p.dense(a)
	case mlir.Enum:
		p.b.WriteString("#stablehlo<" + a.Name + " " + a.Value + ">")
	case mlir.Struct:
		p.structure(a)
	case mlir.OpaqueAttr:
		if strings.HasPrefix(a.Text, "#") {
			p.b.WriteString(a.Text)
			return
		}
		// Bytecode has it in a form that only its dialect knows.
		p.b.WriteString("#" + a.Dialect + ".opaque<\"" + hex.EncodeToString([]byte(a.Text)) + "\">")
	default:
		p.b.WriteString("unit")
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *printer) ints(a mlir.Ints) {
	p.b.WriteString("array<" + a.Elem.String())
	for i, v := range a.Values {
		p.b.WriteString([]string{", ", ": "}[b2i(i == 0)])
		switch a.Elem {
		case dtype.I1:
			p.b.WriteString(strconv.FormatBool(v != 0))
		case dtype.U64:
			p.b.WriteString(strconv.FormatUint(uint64(v), 10))
		default:
			p.b.WriteString(strconv.FormatInt(v, 10))
		}
	}
	p.b.WriteByte('>')
}

// list prints [1, 2].
func (p *printer) list(v []int64) {
	p.b.WriteByte('[')
	for i, n := range v {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.b.WriteString(strconv.FormatInt(n, 10))
	}
	p.b.WriteByte(']')
}

func (p *printer) structure(s mlir.Struct) {
	if s.Name == "conv" {
		p.b.WriteString("#stablehlo.conv")
		p.convNumbers(s)
		return
	}
	dialect := "stablehlo"
	if s.Name == "ragged_dot" {
		dialect = "chlo"
	}
	p.b.WriteString("#" + dialect + "." + s.Name + "<")
	first := true
	for _, f := range s.Fields {
		if v, ok := f.Attr.(mlir.Ints); ok && len(v.Values) == 0 && s.Name != "output_operand_alias" && s.Name != "type_extensions" {
			continue
		}
		if !first {
			p.b.WriteString(", ")
		}
		first = false
		p.b.WriteString(f.Name + " = ")
		switch v := f.Attr.(type) {
		case mlir.Ints:
			p.list(v.Values)
		case mlir.Int:
			p.b.WriteString(strconv.FormatInt(v.Value, 10))
		case mlir.Float:
			p.float(dtype.F64, math.Float64bits(v.Value))
		case mlir.Struct:
			if v.Name == "sub_axis_info" {
				pre, _ := v.Field("pre_size").(mlir.Int)
				size, _ := v.Field("size").(mlir.Int)
				fmt.Fprintf(&p.b, "(%d)%d", pre.Value, size.Value)
				continue
			}
			p.attr(v)
		default:
			p.attr(v)
		}
	}
	p.b.WriteByte('>')
}

// convNumbers prints <[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>.
func (p *printer) convNumbers(s mlir.Struct) {
	part := func(names [2]string, letters [2]string, spatial string) {
		at := map[int64]string{}
		for i, n := range names {
			d, _ := s.Field(n).(mlir.Int)
			at[d.Value] = letters[i]
		}
		list, _ := s.Field(spatial).(mlir.Ints)
		for i, d := range list.Values {
			at[d] = strconv.Itoa(i)
		}
		p.b.WriteByte('[')
		for i := range len(list.Values) + 2 {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.b.WriteString(at[int64(i)])
		}
		p.b.WriteByte(']')
	}
	p.b.WriteByte('<')
	part([2]string{"input_batch_dimension", "input_feature_dimension"}, [2]string{"b", "f"}, "input_spatial_dimensions")
	p.b.WriteByte('x')
	part([2]string{"kernel_input_feature_dimension", "kernel_output_feature_dimension"}, [2]string{"i", "o"}, "kernel_spatial_dimensions")
	p.b.WriteString("->")
	part([2]string{"output_batch_dimension", "output_feature_dimension"}, [2]string{"b", "f"}, "output_spatial_dimensions")
	p.b.WriteByte('>')
}

// maxDecimal is how many elements a constant has at most to be printed one by one; a larger one is printed as its
// bytes.
const maxDecimal = 100

func (p *printer) dense(d mlir.Dense) {
	t := d.Type
	size := t.Elem.Size()
	n := int64(0)
	if size > 0 {
		n = int64(len(d.Data) / size)
	}
	switch {
	case p.opts.ElideAbove > 0 && n > int64(p.opts.ElideAbove):
		p.b.WriteString("dense_resource<__elided__>")
	case n == 0:
		p.b.WriteString("dense<>")
	case d.Splat:
		p.b.WriteString("dense<")
		p.element(t.Elem, d.Data)
		p.b.WriteByte('>')
	case n > maxDecimal && t.Elem.Bits() >= 8:
		p.b.WriteString("dense<\"0x")
		var buf [1024]byte
		for data := d.Data; len(data) > 0; {
			m := hex.Encode(buf[:], data[:min(len(data), len(buf)/2)])
			for i := range buf[:m] {
				if buf[i] >= 'a' {
					buf[i] -= 'a' - 'A'
				}
			}
			p.b.Write(buf[:m])
			data = data[m/2:]
		}
		p.b.WriteString("\">")
	default:
		p.b.WriteString("dense<")
		p.nested(t.Elem, t.Dims, d.Data)
		p.b.WriteByte('>')
	}
	p.b.WriteString(" : " + t.String())
}

func (p *printer) nested(elem dtype.Type, dims []int64, data []byte) {
	if len(dims) == 0 {
		p.element(elem, data)
		return
	}
	p.b.WriteByte('[')
	part := len(data) / int(max(dims[0], 1))
	for i := range int(dims[0]) {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.nested(elem, dims[1:], data[i*part:(i+1)*part])
	}
	p.b.WriteByte(']')
}

func (p *printer) element(elem dtype.Type, data []byte) {
	if elem.IsComplex() {
		half := elem.Real().Size()
		p.b.WriteByte('(')
		p.element(elem.Real(), data[:half])
		p.b.WriteByte(',')
		p.element(elem.Real(), data[half:])
		p.b.WriteByte(')')
		return
	}
	switch {
	case elem == dtype.I1:
		p.b.WriteString(strconv.FormatBool(data[0] != 0))
	case elem == dtype.U64:
		p.b.WriteString(strconv.FormatUint(binary.LittleEndian.Uint64(data), 10))
	case elem.IsFloat():
		var full [8]byte
		copy(full[:], data[:elem.Size()])
		p.float(elem, binary.LittleEndian.Uint64(full[:]))
	default:
		p.b.WriteString(strconv.FormatInt(intAt(elem, data[:elem.Size()]), 10))
	}
}

// float prints the number with those bits: in the fewest digits that give it back, or its bits where decimals cannot
// say it.
func (p *printer) float(elem dtype.Type, bits uint64) {
	v := math.Float64frombits(bits)
	if elem != dtype.F64 {
		v = dtype.ToFloat64(elem, bits)
	}
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		for _, width := range []int{32, 64} {
			if elem == dtype.F64 && width == 32 {
				continue
			}
			s := mlir.Decimal(v, width)
			back, err := strconv.ParseFloat(s, 64)
			if err == nil && (elem == dtype.F64 && math.Float64bits(back) == bits || elem != dtype.F64 && dtype.FromFloat64(elem, back) == bits) {
				p.b.WriteString(s)
				return
			}
		}
	}
	fmt.Fprintf(&p.b, "0x%0*X", (elem.Bits()+3)/4, bits)
}
