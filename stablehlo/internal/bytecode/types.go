package bytecode

import (
	"math"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

func scalar(t dtype.Type) mlir.Type { return mlir.Type{Kind: mlir.Scalar, Elem: t} }

var i64Type = scalar(dtype.I64)

// vhloScalars are the types of VHLO without parameters that are element types, by their code.
var vhloScalars = [...]dtype.Type{
	0: dtype.I1, 2: dtype.BF16, 3: dtype.F16, 4: dtype.F32, 5: dtype.F64, 6: dtype.F8E4M3FN, 7: dtype.F8E5M2,
	10: dtype.I4, 11: dtype.I8, 12: dtype.I16, 13: dtype.I32, 14: dtype.I64,
	15: dtype.U4, 16: dtype.U8, 17: dtype.U16, 18: dtype.U32, 19: dtype.U64,
	27: dtype.F8E4M3FNUZ, 28: dtype.F8E5M2FNUZ, 29: dtype.F8E4M3B11FNUZ, 31: dtype.I2, 32: dtype.U2, 34: dtype.TF32,
	35: dtype.F8E4M3, 36: dtype.F8E3M4, 37: dtype.F4E2M1FN, 38: dtype.F6E2M3FN, 39: dtype.F6E3M2FN, 40: dtype.F8E8M0FNU,
}

// vhloType reads a type of VHLO as the type of StableHLO that it stands for.
func (r *reader) vhloType(c *cursor) mlir.Type {
	at := c.p
	code := c.uint()
	if code < uint64(len(vhloScalars)) && vhloScalars[code] != dtype.Invalid {
		return scalar(vhloScalars[code])
	}
	switch code {
	case 1:
		return r.complexType(c)
	case 8:
		return mlir.Type{Kind: mlir.Func, Ins: c.types(), Elems: c.types()}
	case 9:
		return mlir.Type{Kind: mlir.Index}
	case 20:
		return r.shaped(c, mlir.Tensor, nil)
	case 21:
		return r.shaped(c, mlir.Tensor, c.attr())
	case 22:
		return mlir.Type{Kind: mlir.Token}
	case 23:
		return mlir.Type{Kind: mlir.Tuple, Elems: c.types()}
	case 24:
		return r.uniform(c)
	case 25:
		return r.unranked(c)
	case 26:
		return mlir.Type{Kind: mlir.Opaque, Text: "!shape.witness"}
	case 30:
		return r.uniformPerAxis(c)
	case 33:
		return mlir.Type{Kind: mlir.None}
	case 41:
		return r.shaped(c, mlir.Buffer, nil)
	case 42:
		return mlir.Type{Kind: mlir.Future, Elems: c.types()}
	}
	r.fail(at, "type %d of vhlo is not known; StableHLO up to %s is", code, newest)
	return mlir.Type{}
}

// stablehloType reads a type of StableHLO itself, which stands in programs of mixed dialects.
func (r *reader) stablehloType(c *cursor) mlir.Type {
	at := c.p
	switch code := c.uint(); code {
	case 0:
		return mlir.Type{Kind: mlir.Token}
	case 1:
		return mlir.Type{Kind: mlir.Future, Elems: c.types()}
	default:
		r.fail(at, "type %d of stablehlo is not known", code)
	}
	return mlir.Type{}
}

// quantType reads a type of the dialect quant.
func (r *reader) quantType(c *cursor) mlir.Type {
	at := c.p
	switch code := c.uint(); code {
	case 3:
		return r.uniform(c)
	case 4:
		return r.uniformPerAxis(c)
	default:
		r.fail(at, "type %d of quant is not supported", code)
	}
	return mlir.Type{}
}

// builtinType reads a type of MLIR's own dialect.
func (r *reader) builtinType(c *cursor) mlir.Type {
	at := c.p
	code := c.uint()
	switch code {
	case 0:
		return r.integerType(c)
	case 1:
		return mlir.Type{Kind: mlir.Index}
	case 2:
		return mlir.Type{Kind: mlir.Func, Ins: c.types(), Elems: c.types()}
	case 3, 4, 5, 6:
		return scalar([]dtype.Type{dtype.BF16, dtype.F16, dtype.F32, dtype.F64}[code-3])
	case 7:
		return mlir.Type{Kind: mlir.Opaque, Text: "f80"}
	case 8:
		return mlir.Type{Kind: mlir.Opaque, Text: "f128"}
	case 9:
		return r.complexType(c)
	case 10:
		t := r.shaped(c, mlir.Buffer, nil)
		c.uint() // layout
		return t
	case 11:
		c.uint() // memory space
		t := r.shaped(c, mlir.Buffer, nil)
		c.uint()
		return t
	case 12:
		return mlir.Type{Kind: mlir.None}
	case 13:
		return r.shaped(c, mlir.Tensor, nil)
	case 14:
		return r.shaped(c, mlir.Tensor, c.attr())
	case 15:
		return mlir.Type{Kind: mlir.Tuple, Elems: c.types()}
	case 16:
		return r.opaqueShape(at, "memref", "*x", c.typ(), "")
	case 17:
		c.uint()
		return r.opaqueShape(at, "memref", "*x", c.typ(), "")
	case 18:
		return r.unranked(c)
	case 19, 20:
		if code == 20 {
			c.uint()
		}
		dims := r.dims(c)
		return r.opaqueShape(at, "vector", dimsText(dims), c.typ(), "")
	}
	r.fail(at, "type %d of builtin is not known", code)
	return mlir.Type{}
}

// integerType reads the width and the signedness of an integer. A signless one is what StableHLO calls signed.
func (r *reader) integerType(c *cursor) mlir.Type {
	at := c.p
	v := c.uint()
	width, sign := v>>2, v&3
	prefix := "i"
	if sign == 2 {
		prefix = "ui"
	} else if sign == 3 {
		r.fail(at, "signedness 3 of an integer is not known")
	}
	if width == 0 || width >= 1<<24 {
		r.fail(at, "an integer of %d bits cannot be", width)
	}
	name := prefix + strconv.FormatUint(width, 10)
	if t, err := dtype.Parse(name); err == nil {
		return scalar(t)
	}
	return mlir.Type{Kind: mlir.Opaque, Text: name}
}

func (r *reader) complexType(c *cursor) mlir.Type {
	at := c.p
	switch t := c.typ(); {
	case t.Kind == mlir.Scalar && t.Elem == dtype.F32:
		return scalar(dtype.C64)
	case t.Kind == mlir.Scalar && t.Elem == dtype.F64:
		return scalar(dtype.C128)
	default:
		r.fail(at, "complex numbers of %s are not supported", brief(t))
	}
	return mlir.Type{}
}

// dims reads dimensions. MLIR writes a dynamic one as the smallest integer; the first versions wrote -1.
func (r *reader) dims(c *cursor) []int64 {
	at := c.p
	dims := c.ints()
	for i, d := range dims {
		switch {
		case d == math.MinInt64 || d == -1:
			dims[i] = -1
		case d < 0:
			r.fail(at, "dimension %d is negative", d)
		}
	}
	return dims
}

// shaped reads dimensions and element type.
func (r *reader) shaped(c *cursor, kind mlir.TypeKind, encoding mlir.Attr) mlir.Type {
	at := c.p
	t := mlir.Type{Kind: kind, Dims: r.dims(c)}
	switch a := encoding.(type) {
	case nil:
	case mlir.Struct:
		bounds, ok := a.Field("bounds").(mlir.Ints)
		if !ok || len(bounds.Values) != len(t.Dims) {
			r.fail(at, "%d bounds for %d dimensions", len(bounds.Values), len(t.Dims))
		}
		t.Bounds = bounds.Values
	case mlir.OpaqueAttr:
		t.Text = a.Text
	default:
		r.fail(at, "this encoding of a tensor is not supported")
	}
	at = c.p
	switch e := c.typ(); e.Kind {
	case mlir.Scalar:
		t.Elem, t.Quant = e.Elem, e.Quant
	case mlir.Index:
		t.Elem, t.Text = dtype.I64, "index"
	case mlir.Opaque:
		name := "tensor"
		if kind == mlir.Buffer {
			name = "memref"
		}
		return r.opaqueShape(at, name, dimsText(t.Dims), e, t.Text)
	default:
		r.fail(at, "%s is not an element type", brief(e))
	}
	return t
}

func (r *reader) unranked(c *cursor) mlir.Type {
	at := c.p
	e := c.typ()
	if e.Kind != mlir.Scalar {
		r.fail(at, "%s is not an element type", brief(e))
	}
	return mlir.Type{Kind: mlir.Unranked, Elem: e.Elem, Quant: e.Quant}
}

// opaqueShape is the text of a type that the tree has no form for.
func (r *reader) opaqueShape(at int, name, dims string, elem mlir.Type, encoding string) mlir.Type {
	if elem.Kind != mlir.Opaque && elem.Kind != mlir.Scalar && elem.Kind != mlir.Index {
		r.fail(at, "%s of %s is not supported", name, brief(elem))
	}
	if encoding != "" {
		encoding = ", " + encoding
	}
	return mlir.Type{Kind: mlir.Opaque, Text: name + "<" + dims + elem.String() + encoding + ">"}
}

func dimsText(dims []int64) string {
	var b strings.Builder
	for _, d := range dims {
		if d < 0 {
			b.WriteString("?x")
		} else {
			b.WriteString(strconv.FormatInt(d, 10) + "x")
		}
	}
	return b.String()
}

// quantSigned is the flag of a quantized type whose storage is signed.
const quantSigned = 1

func (r *reader) quantTypes(c *cursor) *mlir.Quant {
	at := c.p
	flags := c.uint()
	storage, expressed := c.typ(), c.typ()
	if storage.Kind != mlir.Scalar || !storage.Elem.IsInt() || expressed.Kind != mlir.Scalar || !expressed.Elem.IsFloat() {
		r.fail(at, "quantized type of %s and %s cannot be", brief(storage), brief(expressed))
	}
	q := &mlir.Quant{Storage: storage.Elem, Expressed: expressed.Elem, Axis: -1}
	if flags&quantSigned == 0 {
		q.Storage = unsigned(q.Storage)
	}
	return q
}

func unsigned(t dtype.Type) dtype.Type {
	if u, err := dtype.Parse("u" + t.String()); err == nil {
		return u
	}
	return t
}

func (r *reader) uniform(c *cursor) mlir.Type {
	q := r.quantTypes(c)
	q.Scales = []float64{math.Float64frombits(c.apint(64))}
	q.ZeroPoints = []int64{c.int()}
	q.Min, q.Max = c.int(), c.int()
	return mlir.Type{Kind: mlir.Scalar, Elem: q.Storage, Quant: q}
}

func (r *reader) uniformPerAxis(c *cursor) mlir.Type {
	at := c.p
	q := r.quantTypes(c)
	axis := c.uint()
	if axis > math.MaxInt32 {
		r.fail(at, "quantized dimension %d cannot be", axis)
	}
	q.Axis = int(axis)
	q.Min, q.Max = c.int(), c.int()
	q.Scales = make([]float64, c.count())
	for i := range q.Scales {
		q.Scales[i] = math.Float64frombits(c.apint(64))
	}
	q.ZeroPoints = c.ints()
	if len(q.Scales) != len(q.ZeroPoints) {
		r.fail(at, "%d scales and %d zero points", len(q.Scales), len(q.ZeroPoints))
	}
	return mlir.Type{Kind: mlir.Scalar, Elem: q.Storage, Quant: q}
}

// brief is a short name of a type for a message: a hostile one can be very long in full.
func brief(t mlir.Type) string {
	switch t.Kind {
	case mlir.Scalar:
		return t.Elem.String()
	case mlir.Tensor, mlir.Buffer, mlir.Unranked:
		return "a tensor"
	case mlir.Tuple:
		return "a tuple"
	case mlir.Func:
		return "a function"
	case mlir.Index:
		return "index"
	case mlir.Token:
		return "a token"
	}
	return "another type"
}
