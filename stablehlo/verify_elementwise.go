package stablehlo

import "github.com/isthmus-ffi/isthmus/dtype"

// rules checks what the specification says of the operation's kind.
func (c check) rules() {
	switch c.Kind {
	case Abs:
		c.elem(0, signed|unsigned|floating|complexNumber|quantized)
		want := c.in(0)
		if want.Elem.IsComplex() {
			want = withElem(want, want.Elem.Real())
		}
		c.result(0, want)
	case Negate:
		c.unary(arithmetic)
	case Sign:
		c.unary(arithmetic)
	case Ceil, Floor, RoundNearestAfz, RoundNearestEven:
		c.unary(realOrQ)
	case Cbrt, Cosine, Exponential, ExponentialMinusOne, Log, LogPlusOne, Logistic, Rsqrt, Sine, Sqrt, Tan, Tanh:
		c.unary(analytic)
	case CountLeadingZeros, PopulationCount:
		c.unary(integer)
	case Not:
		c.unary(logical)
	case ReducePrecision:
		a := attrOf[ReducePrecisionAttr](c)
		c.require(a.ExponentBits >= 1, "exponent_bits must be at least 1, not %d", a.ExponentBits)
		c.require(a.MantissaBits >= 0, "mantissa_bits must not be negative, but is %d", a.MantissaBits)
		c.unary(realOrQ)
	case Real, Imag:
		c.elem(0, floating|complexNumber)
		c.result(0, withElem(c.in(0), c.in(0).Elem.Real()))
	case IsFinite:
		c.elem(0, realOrQ)
		c.result(0, withElem(c.in(0), dtype.I1))
	case Convert:
		c.elem(0, unquant)
		c.elemOut(0, unquant)
		c.resultShape(0, c.in(0).Dims)
	case BitcastConvert:
		c.bitcast()
	case UniformQuantize:
		c.elem(0, floating|quantized|quantizedAxis)
		c.elemOut(0, quantized|quantizedAxis)
		c.resultShape(0, c.in(0).Dims)
		from := c.in(0).Elem
		if q := c.in(0).Quant; q != nil {
			from = q.Expressed
		}
		c.require(from == c.out(0).Quant.Expressed, "the result must express %v, not %v", from, c.out(0).Quant.Expressed)
	case UniformDequantize:
		c.elem(0, quantized|quantizedAxis)
		c.result(0, withElem(c.in(0), c.in(0).Quant.Expressed))
	case Add:
		c.binary(anyElem)
	case Divide, Subtract, Remainder, Power:
		c.binary(arithmetic)
	case Multiply, Maximum, Minimum:
		c.binary(arithmetic | predicate)
	case Atan2:
		c.binary(analytic)
	case And, Or, Xor:
		c.binary(logical)
	case ShiftLeft, ShiftRightArithmetic, ShiftRightLogical:
		c.binary(integer)
	case Compare:
		c.compare()
	case Complex:
		c.elem(0, floating)
		c.sameElem(c.in(0), c.in(1))
		c.sameShape(c.in(0), c.in(1))
		elem := dtype.C64
		switch c.in(0).Elem {
		case dtype.F32:
		case dtype.F64:
			elem = dtype.C128
		default:
			c.failf("operands must be of f32 or f64, not %v", c.in(0).Elem)
		}
		c.result(0, withElem(c.in(0), elem))
	case Clamp:
		lo, x, hi := c.in(0), c.in(1), c.in(2)
		c.elem(1, anyElem)
		c.sameElem(x, lo, hi)
		c.require(lo.Rank() == 0 || compatibleDims(lo.Dims, x.Dims), "min must be a scalar or have the shape of operand, but is %v", lo)
		c.require(hi.Rank() == 0 || compatibleDims(hi.Dims, x.Dims), "max must be a scalar or have the shape of operand, but is %v", hi)
		c.result(0, x)
	case Select:
		pred, yes, no := c.in(0), c.in(1), c.in(2)
		c.elem(0, predicate)
		c.require(pred.Rank() == 0 || compatibleDims(pred.Dims, yes.Dims), "pred must be a scalar or have the shape of the other operands, but is %v", pred)
		c.sameElem(yes, no)
		c.sameShape(yes, no)
		c.result(0, yes)
	default:
		c.shapeRules()
	}
}

func (c check) unary(want class) {
	c.elem(0, want)
	c.result(0, c.in(0))
}

func (c check) binary(want class) {
	c.elem(0, want)
	c.sameElem(c.in(0), c.in(1))
	c.sameShape(c.in(0), c.in(1))
	c.result(0, c.in(0))
}

func (c check) compare() {
	a := attrOf[CompareAttr](c)
	x := c.in(0)
	c.elem(0, anyElem)
	c.sameElem(x, c.in(1))
	c.sameShape(x, c.in(1))
	// Programs write SIGNED and FLOAT at will, and the reference lets them: the element type decides.
	c.require(a.Type != CompareTotalOrder || classOf(x)&(floating|complexNumber|quantized) != 0,
		"compare_type TOTALORDER needs floating-point numbers, not %v", x)
	if x.Elem.IsComplex() {
		c.require(a.Direction == EQ || a.Direction == NE, "complex numbers have no order; compare with EQ or NE, not %v", a.Direction)
	}
	c.result(0, withElem(x, dtype.I1))
}

func (c check) bitcast() {
	x, r := c.in(0), c.out(0)
	c.require(x.Elem.IsComplex() == r.Elem.IsComplex(), "cannot reinterpret %v as %v", x, r)
	from, to := x.Elem.Bits(), r.Elem.Bits()
	small, big, ratio := r, x, int64(1)
	if from < to {
		small, big = x, r
	}
	if from != to {
		a, b := small.Elem.Bits(), big.Elem.Bits()
		c.require(b%a == 0, "%v does not hold a whole number of %v", big.Elem, small.Elem)
		ratio = int64(b / a)
		c.require(small.Rank() == big.Rank()+1, "%v must have one dimension more than %v", small, big)
		last := small.Dims[small.Rank()-1]
		c.require(compatibleDim(last, ratio), "the last dimension of %v must be %d", small, ratio)
		c.require(compatibleDims(small.Dims[:big.Rank()], big.Dims), "shapes of %v and %v must agree but for the last dimension", small, big)
		return
	}
	c.resultShape(0, x.Dims)
}
