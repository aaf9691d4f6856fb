package stablehlo

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// maxList bounds lists of integers that attributes hold, so that a splat of a hostile shape stays small.
const maxList = 1 << 20

// attrs reads the attributes of one operation and remembers which it read; the others are extra.
type attrs struct {
	l    *lifter
	op   *mlir.Op
	used []string
}

func (a *attrs) get(name string) mlir.Attr {
	a.used = append(a.used, name)
	return a.op.Attr(name)
}

func (a *attrs) errorf(format string, args ...any) { a.l.errorf(a.op.Pos, a.op.Name, format, args...) }

// extra returns the attributes that nobody asked for.
func (a *attrs) extra() []Extra {
	var out []Extra
	for _, x := range a.op.Attrs {
		if !slices.Contains(a.used, x.Name) {
			out = append(out, Extra{Name: x.Name, attr: x.Attr})
		}
	}
	return out
}

func (a *attrs) int(name string, absent int64) int64 {
	switch v := a.get(name).(type) {
	case nil:
		return absent
	case mlir.Int:
		return v.Value
	default:
		a.errorf("attribute %s must be an integer", name)
		return absent
	}
}

func (a *attrs) needInt(name string) int64 {
	if a.op.Attr(name) == nil {
		a.errorf("attribute %s is missing", name)
	}
	return a.int(name, 0)
}

func (a *attrs) bool(name string, absent bool) bool {
	switch v := a.get(name).(type) {
	case nil:
		return absent
	case mlir.Bool:
		return bool(v)
	case mlir.Unit:
		return true
	case mlir.Int:
		return v.Value != 0
	default:
		a.errorf("attribute %s must be true or false", name)
		return absent
	}
}

func (a *attrs) string(name string) string {
	switch v := a.get(name).(type) {
	case nil:
	case mlir.String:
		return string(v)
	default:
		a.errorf("attribute %s must be a string", name)
	}
	return ""
}

func (a *attrs) symbol(name string) string {
	switch v := a.get(name).(type) {
	case mlir.Symbol:
		return string(v)
	case nil:
		a.errorf("attribute %s is missing", name)
	default:
		a.errorf("attribute %s must name a function", name)
	}
	return ""
}

// enum returns the case that the attribute names, in upper or lower case as the dialect has it.
func (a *attrs) enum(name string) string {
	switch v := a.get(name).(type) {
	case nil:
	case mlir.Enum:
		return v.Value
	case mlir.String:
		return string(v)
	default:
		a.errorf("attribute %s must be one of its cases", name)
	}
	return ""
}

// ints returns a list; nil where the attribute is absent.
func (a *attrs) ints(name string) []int64 {
	v := a.get(name)
	if v == nil {
		return nil
	}
	list, ok := intsOf(v)
	if !ok {
		a.errorf("attribute %s must be a list of integers", name)
	}
	return list
}

func (a *attrs) needInts(name string) []int64 {
	if a.op.Attr(name) == nil {
		a.errorf("attribute %s is missing", name)
	}
	return a.ints(name)
}

// filled returns a list of n entries: the attribute's, or absent for each where there is none.
func (a *attrs) filled(name string, n int, absent int64) []int64 {
	list := a.ints(name)
	if list == nil {
		return slices.Repeat([]int64{absent}, n)
	}
	return list
}

// pairs returns the rows of a matrix of two columns; n rows of zeros where the attribute is absent.
func (a *attrs) pairs(name string, n int) [][2]int64 {
	rows := a.rows(name)
	if rows == nil {
		return make([][2]int64, n)
	}
	out := make([][2]int64, len(rows))
	for i, r := range rows {
		if len(r) != 2 {
			a.errorf("attribute %s must be a matrix of two columns", name)
			return make([][2]int64, n)
		}
		out[i] = [2]int64{r[0], r[1]}
	}
	return out
}

// rows returns a matrix by its rows; nil where the attribute is absent.
func (a *attrs) rows(name string) [][]int64 {
	v := a.get(name)
	if v == nil {
		return nil
	}
	switch v := v.(type) {
	case mlir.Dense:
		if len(v.Type.Dims) == 2 {
			flat, ok := intsOf(v)
			if !ok {
				break
			}
			rows, cols := v.Type.Dims[0], v.Type.Dims[1]
			if rows < 0 || cols < 0 || rows > maxList || (cols == 0 && len(flat) > 0) {
				break
			}
			out := make([][]int64, rows)
			for i := range out {
				out[i] = flat[int64(i)*cols : (int64(i)+1)*cols : (int64(i)+1)*cols]
			}
			return out
		}
		if len(v.Type.Dims) == 1 && v.Type.Dims[0] == 0 {
			return [][]int64{}
		}
	case mlir.Array:
		out := make([][]int64, len(v))
		for i, r := range v {
			list, ok := intsOf(r)
			if !ok {
				a.errorf("attribute %s must be a matrix of integers", name)
				return nil
			}
			out[i] = list
		}
		return out
	case mlir.Ints: // the parser may have flattened a matrix of two columns
		if len(v.Values)%2 == 0 {
			out := make([][]int64, len(v.Values)/2)
			for i := range out {
				out[i] = v.Values[2*i : 2*i+2 : 2*i+2]
			}
			return out
		}
	}
	a.errorf("attribute %s must be a matrix of integers", name)
	return nil
}

// accuracy checks result_accuracy, which is kept as it is: how exact a result must be is up to the device.
func (a *attrs) accuracy() {
	v := a.op.Attr("result_accuracy")
	if v == nil {
		return
	}
	s, ok := v.(mlir.Struct)
	if ok {
		_, atol := s.Field("atol").(mlir.Float)
		_, rtol := s.Field("rtol").(mlir.Float)
		_, ulps := s.Field("ulps").(mlir.Int)
		mode, isEnum := s.Field("mode").(mlir.Enum)
		ok = s.Name == "result_accuracy" && atol && rtol && ulps && isEnum && mode.Name == "result_accuracy_mode"
	}
	if !ok {
		a.errorf("attribute result_accuracy must be a #stablehlo.result_accuracy")
	}
}

// fields reads the fields of a structured attribute.
type fields struct {
	a    *attrs
	name string
	s    mlir.Struct
	ok   bool
}

func (a *attrs) fields(name string) fields {
	v := a.get(name)
	s, ok := v.(mlir.Struct)
	if !ok {
		if v == nil {
			a.errorf("attribute %s is missing", name)
		} else {
			a.errorf("attribute %s must be a #stablehlo attribute with fields", name)
		}
	}
	return fields{a: a, name: name, s: s, ok: ok}
}

func (f fields) ints(name string) []int64 {
	v := f.s.Field(name)
	if v == nil {
		return nil
	}
	list, ok := intsOf(v)
	if !ok {
		f.a.errorf("%s of attribute %s must be a list of integers", name, f.name)
	}
	return list
}

func (f fields) int(name string, absent int64) int64 {
	switch v := f.s.Field(name).(type) {
	case nil:
		return absent
	case mlir.Int:
		return v.Value
	default:
		f.a.errorf("%s of attribute %s must be an integer", name, f.name)
		return absent
	}
}

func (f fields) bool(name string) bool {
	switch v := f.s.Field(name).(type) {
	case nil:
		return false
	case mlir.Bool:
		return bool(v)
	case mlir.Int:
		return v.Value != 0
	default:
		f.a.errorf("%s of attribute %s must be true or false", name, f.name)
		return false
	}
}

func (f fields) elem(name string) dtype.Type {
	if t, ok := f.s.Field(name).(mlir.TypeAttr); ok && t.Type.Elem.Valid() {
		return t.Type.Elem
	}
	f.a.errorf("%s of attribute %s must be an element type", name, f.name)
	return dtype.Invalid
}

// intsOf reads a list of integers in any of its forms.
func intsOf(a mlir.Attr) ([]int64, bool) {
	switch v := a.(type) {
	case mlir.Ints:
		if v.Values == nil {
			return []int64{}, true
		}
		return v.Values, true
	case mlir.Dense:
		return denseInts(v)
	case mlir.Array:
		out := make([]int64, len(v))
		for i, e := range v {
			switch e := e.(type) {
			case mlir.Int:
				out[i] = e.Value
			case mlir.Bool:
				if e {
					out[i] = 1
				}
			default:
				return nil, false
			}
		}
		return out, true
	}
	return nil, false
}

func denseInts(d mlir.Dense) ([]int64, bool) {
	e := d.Type.Elem
	if d.Type.Quant != nil || !(e.IsInt() || e == dtype.I1) {
		return nil, false
	}
	n, ok := product(d.Type.Dims)
	if !ok || n > maxList {
		return nil, false
	}
	stored, size := n, int64(e.Size())
	if d.Splat {
		stored = 1
	}
	if int64(len(d.Data)) != stored*size {
		return nil, false
	}
	out := make([]int64, n)
	for i := range out {
		at := int64(i) * size
		if d.Splat {
			at = 0
		}
		out[i] = intAt(e, d.Data[at:at+size])
	}
	return out, true
}

// intAt decodes one element of an integer type.
func intAt(e dtype.Type, b []byte) int64 {
	signed := e.Kind() == dtype.Signed
	switch len(b) {
	case 1:
		if signed {
			return int64(int8(b[0]))
		}
		return int64(b[0])
	case 2:
		v := binary.LittleEndian.Uint16(b)
		if signed {
			return int64(int16(v))
		}
		return int64(v)
	case 4:
		v := binary.LittleEndian.Uint32(b)
		if signed {
			return int64(int32(v))
		}
		return int64(v)
	}
	return int64(binary.LittleEndian.Uint64(b))
}

// product multiplies sizes; ok is false if one is negative or the result does not fit.
func product(dims []int64) (n int64, ok bool) {
	n = 1
	for _, d := range dims {
		if d == 0 {
			n = 0
		}
	}
	for _, d := range dims {
		if d < 0 {
			return 0, false
		}
		if n != 0 && d > math.MaxInt64/n {
			return 0, false
		}
		n *= d
	}
	return n, true
}

func bools(ints []int64) []bool {
	out := make([]bool, len(ints))
	for i, n := range ints {
		out[i] = n != 0
	}
	return out
}
