package expand

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

type value = *mlir.Value

// builder collects operations in order. Its methods are named as the operations and infer the result's type, so that
// a decomposition reads like the formula it computes.
type builder struct {
	ops []*mlir.Op
	pos mlir.Pos
}

// failure carries an error out of a decomposition: what an operation asks for cannot be expressed.
type failure struct{ err error }

func failf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (b *builder) emit(op *mlir.Op, results ...mlir.Type) []value {
	op.Pos = b.pos
	for i, t := range results {
		op.Results = append(op.Results, &mlir.Value{Type: t, Op: op, Index: i, Pos: b.pos})
	}
	b.ops = append(b.ops, op)
	return op.Results
}

// op makes an operation with one result. It is called some thousand times here: inlined, with the two below, it makes
// programs a megabyte larger.
//
//go:noinline
func (b *builder) op(name string, t mlir.Type, attrs []mlir.NamedAttr, operands ...value) value {
	return b.emit(&mlir.Op{Name: name, Operands: operands, Attrs: attrs}, t)[0]
}

// region makes a region of one block; body returns what it yields.
func (b *builder) region(args []mlir.Type, body func(b *builder, args []value) []value) *mlir.Region {
	block := &mlir.Block{}
	for i, t := range args {
		block.Args = append(block.Args, &mlir.Value{Type: t, Index: i, Pos: b.pos})
	}
	inner := &builder{pos: b.pos}
	inner.emit(&mlir.Op{Name: "stablehlo.return", Operands: body(inner, block.Args)})
	block.Ops = inner.ops
	return &mlir.Region{Blocks: []*mlir.Block{block}}
}

func tensor(elem dtype.Type, dims ...int64) mlir.Type {
	return mlir.Type{Kind: mlir.Tensor, Elem: elem, Dims: dims}
}

// withElem is t with another element type.
func withElem(t mlir.Type, elem dtype.Type) mlir.Type {
	t.Elem, t.Quant = elem, nil
	return t
}

//go:noinline
func (b *builder) same(name string, x value) value {
	return b.op("stablehlo."+name, x.Type, nil, x)
}

//go:noinline
func (b *builder) two(name string, x, y value) value {
	return b.op("stablehlo."+name, x.Type, nil, x, y)
}

func (b *builder) abs(x value) value {
	if x.Type.Elem.IsComplex() {
		return b.op("stablehlo.abs", withElem(x.Type, x.Type.Elem.Real()), nil, x)
	}
	return b.same("abs", x)
}

func (b *builder) real(x value) value { return b.part("real", x) }
func (b *builder) imag(x value) value { return b.part("imag", x) }

func (b *builder) part(name string, x value) value {
	return b.op("stablehlo."+name, withElem(x.Type, x.Type.Elem.Real()), nil, x)
}

func (b *builder) complex(re, im value) value {
	elem := dtype.C64
	if re.Type.Elem == dtype.F64 {
		elem = dtype.C128
	}
	return b.op("stablehlo.complex", withElem(re.Type, elem), nil, re, im)
}

func (b *builder) neg(x value) value      { return b.same("negate", x) }
func (b *builder) exp(x value) value      { return b.same("exponential", x) }
func (b *builder) expm1(x value) value    { return b.same("exponential_minus_one", x) }
func (b *builder) log(x value) value      { return b.same("log", x) }
func (b *builder) log1p(x value) value    { return b.same("log_plus_one", x) }
func (b *builder) sqrt(x value) value     { return b.same("sqrt", x) }
func (b *builder) sine(x value) value     { return b.same("sine", x) }
func (b *builder) cosine(x value) value   { return b.same("cosine", x) }
func (b *builder) tan(x value) value      { return b.same("tan", x) }
func (b *builder) floor(x value) value    { return b.same("floor", x) }
func (b *builder) sign(x value) value     { return b.same("sign", x) }
func (b *builder) add(x, y value) value   { return b.two("add", x, y) }
func (b *builder) sub(x, y value) value   { return b.two("subtract", x, y) }
func (b *builder) mul(x, y value) value   { return b.two("multiply", x, y) }
func (b *builder) div(x, y value) value   { return b.two("divide", x, y) }
func (b *builder) rem(x, y value) value   { return b.two("remainder", x, y) }
func (b *builder) pow(x, y value) value   { return b.two("power", x, y) }
func (b *builder) max(x, y value) value   { return b.two("maximum", x, y) }
func (b *builder) min(x, y value) value   { return b.two("minimum", x, y) }
func (b *builder) and(x, y value) value   { return b.two("and", x, y) }
func (b *builder) or(x, y value) value    { return b.two("or", x, y) }
func (b *builder) atan2(x, y value) value { return b.two("atan2", x, y) }
func (b *builder) isFinite(x value) value {
	return b.op("stablehlo.is_finite", withElem(x.Type, dtype.I1), nil, x)
}
func (b *builder) srl(x, y value) value { return b.two("shift_right_logical", x, y) }
func (b *builder) sra(x, y value) value { return b.two("shift_right_arithmetic", x, y) }
func (b *builder) not(x value) value    { return b.same("not", x) }
func (b *builder) clamp(lo, x, hi value) value {
	return b.op("stablehlo.clamp", x.Type, nil, lo, x, hi)
}

func (b *builder) sel(pred, yes, no value) value {
	return b.op("stablehlo.select", yes.Type, nil, pred, yes, no)
}

func (b *builder) cmp(direction string, x, y value) value {
	return b.compare(direction, "", x, y)
}

func (b *builder) compare(direction, order string, x, y value) value {
	attrs := []mlir.NamedAttr{{Name: "comparison_direction", Attr: mlir.Enum{Name: "comparison_direction", Value: direction}}}
	if order != "" {
		attrs = append(attrs, mlir.NamedAttr{Name: "compare_type", Attr: mlir.Enum{Name: "comparison_type", Value: order}})
	}
	return b.op("stablehlo.compare", withElem(x.Type, dtype.I1), attrs, x, y)
}

func (b *builder) convert(x value, elem dtype.Type) value {
	if x.Type.Elem == elem {
		return x
	}
	return b.op("stablehlo.convert", withElem(x.Type, elem), nil, x)
}

func (b *builder) bitcast(x value, elem dtype.Type) value {
	return b.op("stablehlo.bitcast_convert", withElem(x.Type, elem), nil, x)
}

func ints(list ...int64) mlir.Ints {
	if list == nil {
		list = []int64{}
	}
	return mlir.Ints{Elem: dtype.I64, Values: list}
}

func (b *builder) broadcastInDim(x value, t mlir.Type, dims []int64) value {
	return b.op("stablehlo.broadcast_in_dim", t, []mlir.NamedAttr{{Name: "broadcast_dimensions", Attr: ints(dims...)}}, x)
}

func (b *builder) transpose(x value, perm []int64) value {
	t := x.Type
	t.Dims = make([]int64, len(perm))
	for i, p := range perm {
		t.Dims[i] = x.Type.Dims[p]
	}
	return b.op("stablehlo.transpose", t, []mlir.NamedAttr{{Name: "permutation", Attr: ints(perm...)}}, x)
}

func (b *builder) reshape(x value, dims ...int64) value {
	t := x.Type
	t.Dims = dims
	return b.op("stablehlo.reshape", t, nil, x)
}

func (b *builder) slice(x value, start, limit []int64) value {
	t := x.Type
	t.Dims = make([]int64, len(start))
	for i := range start {
		t.Dims[i] = limit[i] - start[i]
	}
	return b.op("stablehlo.slice", t, []mlir.NamedAttr{
		{Name: "start_indices", Attr: ints(start...)},
		{Name: "limit_indices", Attr: ints(limit...)},
		{Name: "strides", Attr: ints(slices.Repeat([]int64{1}, len(start))...)},
	}, x)
}

// like is a constant of x's type, every element v.
func (b *builder) like(v float64, x value) value {
	return b.splat(x, encode(x.Type.Elem, v))
}

// likeInt is a constant of x's integer type, every element v.
func (b *builder) likeInt(v int64, x value) value {
	return b.splat(x, binary.LittleEndian.AppendUint64(nil, uint64(v))[:x.Type.Elem.Size()])
}

// splat is a constant of x's type with one element repeated. A dimension that x does not know is read from x.
func (b *builder) splat(x value, elem []byte) value {
	if static(x.Type) {
		t := withElem(x.Type, x.Type.Elem)
		return b.op("stablehlo.constant", t, []mlir.NamedAttr{{Name: "value", Attr: mlir.Dense{Type: t, Data: elem, Splat: true}}})
	}
	t := tensor(x.Type.Elem)
	c := b.op("stablehlo.constant", t, []mlir.NamedAttr{{Name: "value", Attr: mlir.Dense{Type: t, Data: elem, Splat: true}}})
	return b.op("stablehlo.dynamic_broadcast_in_dim", x.Type,
		[]mlir.NamedAttr{{Name: "broadcast_dimensions", Attr: ints()}}, c, b.shape(x))
}

func static(t mlir.Type) bool {
	for _, d := range t.Dims {
		if d < 0 {
			return false
		}
	}
	return true
}

// shape is the shape of x as a tensor<rank x i64>.
func (b *builder) shape(x value) value {
	if len(x.Type.Dims) == 0 {
		return b.constant(tensor(dtype.I64, 0))
	}
	var parts []value
	for i, d := range x.Type.Dims {
		part := value(nil)
		if d >= 0 {
			part = b.constant(tensor(dtype.I64), d)
		} else {
			size := b.op("stablehlo.get_dimension_size", tensor(dtype.I32),
				[]mlir.NamedAttr{{Name: "dimension", Attr: scalar(int64(i))}}, x)
			part = b.convert(size, dtype.I64)
		}
		parts = append(parts, b.reshape(part, 1))
	}
	return b.concat(0, parts...)
}

func (b *builder) concat(dim int64, parts ...value) value {
	t := parts[0].Type
	t.Dims = slices.Clone(t.Dims)
	for _, p := range parts[1:] {
		t.Dims[dim] += p.Type.Dims[dim]
	}
	return b.op("stablehlo.concatenate", t, []mlir.NamedAttr{{Name: "dimension", Attr: scalar(dim)}}, parts...)
}

func scalar(v int64) mlir.Int {
	return mlir.Int{Value: v, Type: mlir.Type{Kind: mlir.Scalar, Elem: dtype.I64}}
}

// constant is a tensor of integers.
func (b *builder) constant(t mlir.Type, elems ...int64) value {
	var data []byte
	for _, v := range elems {
		data = append(data, binary.LittleEndian.AppendUint64(nil, uint64(v))[:t.Elem.Size()]...)
	}
	return b.op("stablehlo.constant", t, []mlir.NamedAttr{{Name: "value", Attr: mlir.Dense{Type: t, Data: data}}})
}

// encode is the element of type t that is nearest to v.
func encode(t dtype.Type, v float64) []byte {
	var bits uint64
	switch {
	case t.IsComplex():
		return append(encode(t.Real(), v), make([]byte, t.Real().Size())...)
	case t.IsFloat():
		bits = dtype.FromFloat64(t, v)
	default:
		bits = uint64(int64(v))
	}
	return binary.LittleEndian.AppendUint64(nil, bits)[:t.Size()]
}

// maxFinite is the largest finite value of x's type.
func (b *builder) maxFinite(x value) value {
	switch x.Type.Elem {
	case dtype.F64:
		return b.like(math.MaxFloat64, x)
	case dtype.F32:
		return b.like(math.MaxFloat32, x)
	case dtype.F16:
		return b.like(65504, x)
	case dtype.BF16:
		return b.like(0x1.fep127, x)
	}
	failf("element type %v is not supported", x.Type.Elem)
	return nil
}

// smallestNormal is the least positive value of x's type that has all its digits.
func (b *builder) smallestNormal(x value) value {
	switch x.Type.Elem {
	case dtype.F64:
		return b.like(0x1p-1022, x)
	case dtype.F32, dtype.BF16:
		return b.like(0x1p-126, x)
	case dtype.F16:
		return b.like(0x1p-14, x)
	}
	failf("element type %v is not supported", x.Type.Elem)
	return nil
}

// smallest is the least positive value of x's type.
func (b *builder) smallest(x value) value {
	switch x.Type.Elem {
	case dtype.F64:
		return b.like(0x1p-1074, x)
	case dtype.F32:
		return b.like(0x1p-149, x)
	}
	failf("element type %v is not supported", x.Type.Elem)
	return nil
}

func (b *builder) inf(x value) value    { return b.like(math.Inf(1), x) }
func (b *builder) negInf(x value) value { return b.like(math.Inf(-1), x) }
func (b *builder) nan(x value) value    { return b.like(math.NaN(), x) }

// poly is a polynomial by Horner's rule, the highest power first.
func (b *builder) poly(x value, coefficients []float64) value {
	p := b.like(coefficients[0], x)
	for _, c := range coefficients[1:] {
		p = b.add(b.mul(p, x), b.like(c, x))
	}
	return p
}

func intOfWidth(bits int) dtype.Type {
	switch bits {
	case 8:
		return dtype.I8
	case 16:
		return dtype.I16
	case 32:
		return dtype.I32
	case 64:
		return dtype.I64
	}
	failf("no integer type has %d bits", bits)
	return dtype.Invalid
}
