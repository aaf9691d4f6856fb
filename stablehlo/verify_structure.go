package stablehlo

import (
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// many stands for any number in an arity.
const many = -1

// arity is how many operands, results and regions an operation has.
type arity struct{ operands, results, regions int }

func arityOf(k Kind) arity {
	switch k {
	case Constant, Iota, PartitionID, ReplicaID:
		return arity{0, 1, 0}
	case Add, And, Atan2, Compare, Complex, Divide, Maximum, Minimum, Multiply, Or, Power, Remainder, ShiftLeft,
		ShiftRightArithmetic, ShiftRightLogical, Subtract, Xor, Gather, Pad, DynamicBroadcastInDim, DynamicReshape,
		SetDimensionSize, DotGeneral, Convolution, TriangularSolve:
		return arity{2, 1, 0}
	case Clamp, Select, DynamicConv, DynamicGather, RNG:
		return arity{3, 1, 0}
	case RealDynamicSlice:
		return arity{4, 1, 0}
	case DynamicPad, BatchNormInference:
		return arity{5, 1, 0}
	case BatchNormTraining:
		return arity{3, 3, 0}
	case BatchNormGrad:
		return arity{5, 3, 0}
	case Concatenate, DynamicSlice, DynamicUpdateSlice, AfterAll, TupleOp:
		return arity{many, 1, 0}
	case OptimizationBarrier, CollectivePermute, CollectiveBroadcast, Call, Infeed, Recv:
		return arity{many, many, 0}
	case CustomCall, Composite:
		return arity{many, many, many}
	case Outfeed, Send:
		return arity{many, 1, 0}
	case AllGather, AllToAll:
		return arity{many, many, 0}
	case Map:
		return arity{many, 1, 1}
	case AsyncStart:
		return arity{many, 1, 1}
	case AsyncDone:
		return arity{1, many, 0}
	case Reduce, ReduceWindow, Scatter, Sort, AllReduce, CollectiveReduce:
		return arity{many, many, 1}
	case ReduceScatter:
		return arity{1, 1, 1}
	case SelectAndScatter:
		return arity{3, 1, 2}
	case If:
		return arity{1, many, 2}
	case Case:
		return arity{1, many, many}
	case While:
		return arity{many, many, 2}
	case RNGBitGenerator:
		return arity{1, 2, 0}
	case Return:
		return arity{many, 0, 0}
	}
	return arity{1, 1, 0}
}

// structure checks the numbers of operands, results and regions, and that there is the attribute that the kind has.
func (c check) structure() {
	a := arityOf(c.Kind)
	c.require(c.Kind > InvalidKind && c.Kind < numKinds, "is not an operation")
	c.require(a.operands == many || len(c.Operands) == a.operands, "must have %d operands, not %d", a.operands, len(c.Operands))
	c.require(a.results == many || len(c.Results) == a.results, "must have %d results, not %d", a.results, len(c.Results))
	c.require(a.regions == many || len(c.Regions) == a.regions, "must have %d regions, not %d", a.regions, len(c.Regions))
	switch c.Kind {
	case AfterAll, TupleOp, OptimizationBarrier, Call, Composite, CustomCall, Return, Infeed, Outfeed, Send, Recv,
		AsyncStart, AsyncDone, GetTupleElement, If, Case, While:
		return
	}
	for i, x := range c.Operands {
		c.require(x.Type.Kind == Tensor, "operand %d must be a tensor, not %v", i, x.Type)
	}
	for i, x := range c.Results {
		c.require(x.Type.Kind == Tensor, "result %d must be a tensor, not %v", i, x.Type)
	}
}

// class is a set of groups of element types.
type class uint8

const (
	predicate class = 1 << iota
	signed
	unsigned
	floating
	complexNumber
	quantized
	quantizedAxis

	integer    = signed | unsigned
	logical    = predicate | integer
	realOrQ    = floating | quantized
	analytic   = floating | complexNumber | quantized
	arithmetic = integer | floating | complexNumber | quantized
	unquant    = predicate | integer | floating | complexNumber
	anyElem    = unquant | quantized | quantizedAxis
)

func classOf(t Type) class {
	if t.Quant != nil {
		if t.Quant.Axis >= 0 {
			return quantizedAxis
		}
		return quantized
	}
	switch t.Elem.Kind() {
	case dtype.Bool:
		return predicate
	case dtype.Signed:
		return signed
	case dtype.Unsigned:
		return unsigned
	case dtype.Float:
		return floating
	case dtype.Complex:
		return complexNumber
	}
	return 0
}

func (s class) String() string {
	names := []struct {
		c    class
		name string
	}{
		{predicate, "i1"},
		{integer, "integers"},
		{signed, "signed integers"},
		{unsigned, "unsigned integers"},
		{floating, "floating-point numbers"},
		{complexNumber, "complex numbers"},
		{quantized | quantizedAxis, "quantized numbers"},
		{quantized, "numbers quantized per tensor"},
	}
	var list []string
	for _, n := range names {
		if s&n.c == n.c {
			s &^= n.c
			list = append(list, n.name)
		}
	}
	if n := len(list) - 1; n > 0 {
		return strings.Join(list[:n], ", ") + " or " + list[n]
	}
	return strings.Join(list, "")
}

// elem checks that operand i has elements of a class.
func (c check) elem(i int, want class) {
	c.require(classOf(c.in(i))&want != 0, "operand %d must be a tensor of %v, not %v", i, want, c.in(i))
}

func (c check) elemOut(i int, want class) {
	c.require(classOf(c.out(i))&want != 0, "result %d must be a tensor of %v, not %v", i, want, c.out(i))
}

// sameShape checks that all tensors have one shape.
func (c check) sameShape(ts ...Type) {
	for _, t := range ts[1:] {
		c.require(compatibleDims(ts[0].Dims, t.Dims), "shapes must agree, but are %v and %v", ts[0], t)
	}
}

// sameElem checks that all tensors have one element type but for quantization parameters.
func (c check) sameElem(ts ...Type) {
	for _, t := range ts[1:] {
		c.require(sameBase(ts[0], t), "element types must agree, but are those of %v and %v", ts[0], t)
	}
}

// attrOf is the attribute of the operation, which must be of its kind's type.
func attrOf[T Attr](c check) T {
	a, ok := c.Attr.(T)
	c.require(ok, "has no attribute of type %T", a)
	return a
}
