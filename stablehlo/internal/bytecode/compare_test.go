package bytecode_test

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// comparer compares two trees but for names and places. lenient also passes over what the way through VHLO loses:
// attributes that state the default, and the type of the channel of a collective operation.
type comparer struct {
	lenient bool
	values  map[*mlir.Value]*mlir.Value
	path    []string
}

// diff says where got differs from want; it is empty if they are the same.
func diff(got, want *mlir.Op, lenient bool) string {
	c := &comparer{lenient: lenient, values: map[*mlir.Value]*mlir.Value{}}
	return c.op(got, want)
}

func (c *comparer) errorf(format string, args ...any) string {
	s := fmt.Sprintf(format, args...)
	return strings.Join(c.path, "/") + ": " + s[:min(len(s), 600)]
}

func (c *comparer) def(a, b *mlir.Value) string {
	if !a.Type.Equal(b.Type) {
		return c.errorf("value of type %v, want %v", a.Type, b.Type)
	}
	if a.Index != b.Index || (a.Op == nil) != (b.Op == nil) {
		return c.errorf("value %d, want %d", a.Index, b.Index)
	}
	c.values[a] = b
	return c.attrs("argument", a.Attrs, b.Attrs)
}

func (c *comparer) op(a, b *mlir.Op) string {
	if a.Name != b.Name {
		return c.errorf("operation %s, want %s", a.Name, b.Name)
	}
	c.path = append(c.path, a.Name)
	if len(a.Operands) != len(b.Operands) || len(a.Results) != len(b.Results) || len(a.Regions) != len(b.Regions) {
		return c.errorf("%d operands, %d results, %d regions; want %d, %d, %d",
			len(a.Operands), len(a.Results), len(a.Regions), len(b.Operands), len(b.Results), len(b.Regions))
	}
	for i, v := range a.Operands {
		if c.values[v] != b.Operands[i] {
			return c.errorf("operand %d is another value", i)
		}
	}
	for i, v := range a.Results {
		if v.Op != a {
			return c.errorf("result %d belongs to another operation", i)
		}
		if s := c.def(v, b.Results[i]); s != "" {
			return s
		}
	}
	// The forms of Shardy's operations are known to neither reader.
	if s := c.attrs(a.Name, a.Attrs, b.Attrs); s != "" && !strings.HasPrefix(a.Name, "sdy.") {
		return s
	}
	for i, g := range a.Regions {
		h := b.Regions[i]
		if len(g.Blocks) != len(h.Blocks) {
			return c.errorf("region %d has %d blocks, want %d", i, len(g.Blocks), len(h.Blocks))
		}
		for j, bl := range g.Blocks {
			if s := c.block(bl, h.Blocks[j]); s != "" {
				return s
			}
		}
	}
	c.path = c.path[:len(c.path)-1]
	return ""
}

func (c *comparer) block(a, b *mlir.Block) string {
	if len(a.Args) != len(b.Args) || len(a.Ops) != len(b.Ops) {
		return c.errorf("block of %d arguments and %d operations, want %d and %d", len(a.Args), len(a.Ops), len(b.Args), len(b.Ops))
	}
	for i, v := range a.Args {
		if s := c.def(v, b.Args[i]); s != "" {
			return s
		}
	}
	for i, o := range a.Ops {
		if s := c.op(o, b.Ops[i]); s != "" {
			return s
		}
	}
	return ""
}

func (c *comparer) attrs(op string, a, b []mlir.NamedAttr) string {
	a, b = c.normal(op, a), c.normal(op, b)
	names := func(as []mlir.NamedAttr) (ns []string) {
		for _, a := range as {
			ns = append(ns, a.Name)
		}
		return ns
	}
	if !slices.Equal(names(a), names(b)) {
		return c.errorf("attributes %v, want %v", names(a), names(b))
	}
	for i := range a {
		if !same(a[i].Attr, b[i].Attr) {
			return c.errorf("attribute %s is %#v, want %#v", a[i].Name, a[i].Attr, b[i].Attr)
		}
	}
	return ""
}

// normal sorts attributes, and drops those that state the default if the comparison is lenient.
func (c *comparer) normal(op string, as []mlir.NamedAttr) []mlir.NamedAttr {
	out := []mlir.NamedAttr{}
	for _, a := range as {
		if c.lenient && isDefault(op, a) {
			continue
		}
		if s, ok := a.Attr.(mlir.Struct); ok && c.lenient && s.Name == "channel_handle" && op != "stablehlo.send" && op != "stablehlo.recv" {
			a.Attr = s.Field("handle")
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b mlir.NamedAttr) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func isDefault(op string, a mlir.NamedAttr) bool {
	ints := func(v int64) bool {
		switch a := a.Attr.(type) {
		case mlir.Ints:
			return !slices.ContainsFunc(a.Values, func(x int64) bool { return x != v })
		case mlir.Dense:
			return !slices.ContainsFunc(a.Data, func(x byte) bool { return int64(x) != 0 })
		}
		return false
	}
	empty := func() bool {
		v := reflect.ValueOf(a.Attr)
		return (v.Kind() == reflect.Slice || v.Kind() == reflect.String) && v.Len() == 0
	}
	if s, ok := a.Attr.(mlir.Struct); ok && s.Name == "result_accuracy" {
		mode, _ := s.Field("mode").(mlir.Enum)
		return mode.Value == "DEFAULT"
	}
	switch op + " " + a.Name {
	case "stablehlo.convolution window_strides", "stablehlo.convolution lhs_dilation", "stablehlo.convolution rhs_dilation",
		"stablehlo.reduce_window window_strides", "stablehlo.reduce_window base_dilations", "stablehlo.reduce_window window_dilations",
		"stablehlo.select_and_scatter window_strides":
		return ints(1)
	case "stablehlo.convolution padding", "stablehlo.convolution window_reversal", "stablehlo.reduce_window padding", "stablehlo.select_and_scatter padding":
		return ints(0)
	case "stablehlo.convolution precision_config", "stablehlo.dot_general precision_config", "stablehlo.dot precision_config":
		for _, p := range a.Attr.(mlir.Array) {
			if p != mlir.Attr(mlir.Enum{Name: "precision", Value: "DEFAULT"}) {
				return false
			}
		}
		return true
	case "stablehlo.custom_call api_version":
		return a.Attr.(mlir.Int).Value == 1
	case "stablehlo.sort dimension":
		return a.Attr.(mlir.Int).Value == -1
	case "stablehlo.composite version":
		return a.Attr.(mlir.Int).Value == 0
	case "stablehlo.custom_call backend_config", "stablehlo.custom_call called_computations", "stablehlo.custom_call output_operand_aliases",
		"stablehlo.custom_call operand_layouts", "stablehlo.custom_call result_layouts", "stablehlo.composite composite_attributes",
		"stablehlo.infeed infeed_config", "stablehlo.outfeed outfeed_config", "stablehlo.infeed layout":
		return empty()
	case "stablehlo.sort is_stable", "stablehlo.gather indices_are_sorted", "stablehlo.scatter indices_are_sorted", "stablehlo.scatter unique_indices",
		"stablehlo.dynamic_gather indices_are_sorted", "stablehlo.custom_call has_side_effect", "stablehlo.cholesky lower",
		"stablehlo.send is_host_transfer", "stablehlo.recv is_host_transfer":
		return a.Attr == mlir.Attr(mlir.Bool(false))
	}
	return false
}

// same compares attributes. Dictionaries have no order, and a constant may be a splat in one tree only.
func same(a, b mlir.Attr) bool {
	switch a := a.(type) {
	case mlir.Dense:
		b, ok := b.(mlir.Dense)
		return ok && a.Type.Equal(b.Type) && sameData(a, b)
	case mlir.Dict:
		b, ok := b.(mlir.Dict)
		return ok && sameNamed(a, b)
	case mlir.Struct:
		b, ok := b.(mlir.Struct)
		return ok && a.Name == b.Name && sameNamed(a.Fields, b.Fields)
	case mlir.Array:
		b, ok := b.(mlir.Array)
		return ok && slices.EqualFunc(a, b, same)
	case mlir.Ints:
		b, ok := b.(mlir.Ints)
		return ok && a.Elem == b.Elem && slices.Equal(a.Values, b.Values)
	case mlir.TypeAttr:
		b, ok := b.(mlir.TypeAttr)
		return ok && a.Type.Equal(b.Type)
	case mlir.Int:
		b, ok := b.(mlir.Int)
		return ok && a.Value == b.Value && a.Type.Equal(b.Type)
	case mlir.Float:
		b, ok := b.(mlir.Float)
		return ok && (a.Value == b.Value || a.Value != a.Value && b.Value != b.Value) && a.Type.Equal(b.Type)
	case mlir.OpaqueAttr: // text in one tree may be bytes in the other
		b, ok := b.(mlir.OpaqueAttr)
		return ok && a.Dialect == b.Dialect && (a.Text == b.Text || a.Dialect == "sdy")
	case mlir.Floats:
		b, ok := b.(mlir.Floats)
		return ok && a.Elem == b.Elem && slices.Equal(a.Values, b.Values)
	}
	return a == b
}

func sameNamed(a, b []mlir.NamedAttr) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		i := slices.IndexFunc(b, func(y mlir.NamedAttr) bool { return x.Name == y.Name })
		if i < 0 || !same(x.Attr, b[i].Attr) {
			return false
		}
	}
	return true
}

func sameData(a, b mlir.Dense) bool {
	if a.Splat == b.Splat {
		return bytes.Equal(a.Data, b.Data)
	}
	if b.Splat {
		a, b = b, a
	}
	size := len(a.Data)
	if size == 0 || len(b.Data)%size != 0 || size != max(a.Type.Elem.Size(), dtype.I8.Size()) {
		return false
	}
	for d := b.Data; len(d) > 0; d = d[size:] {
		if !bytes.Equal(d[:size], a.Data) {
			return false
		}
	}
	return true
}
