package kernel

import (
	"math"
	"math/bits"
)

// The loops that programs spend most time in are written out; the others go through one function call an element.

func arithmetic[T Number](o *Ops[T]) {
	o.VV[Add], o.VS[Add], o.SV[Add] = addVV[T], addVS[T], func(d []T, a T, b []T) { addVS(d, b, a) }
	o.VV[Sub], o.VS[Sub], o.SV[Sub] = subVV[T], subVS[T], subSV[T]
	o.VV[Mul], o.VS[Mul], o.SV[Mul] = mulVV[T], mulVS[T], func(d []T, a T, b []T) { mulVS(d, b, a) }
	o.VV[Max], o.VS[Max], o.SV[Max] = maxVV[T], maxVS[T], func(d []T, a T, b []T) { maxVS(d, b, a) }
	o.VV[Min], o.VS[Min], o.SV[Min] = minVV[T], minVS[T], func(d []T, a T, b []T) { minVS(d, b, a) }
	compare(o)
	o.SelectVV, o.SelectVS, o.SelectSV = selectVV[T], selectVS[T], selectSV[T]
	o.Fill, o.Iota, o.Transpose = fill[T], iotaOf[T], transpose[T]
	o.ArgMax, o.ArgMin = argMax[T], argMin[T]
}

func addVV[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func addVS[T Number](dst, a []T, b T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b
	}
}

func subVV[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func subVS[T Number](dst, a []T, b T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b
	}
}

func subSV[T Number](dst []T, a T, b []T) {
	b = b[:len(dst)]
	for i := range dst {
		dst[i] = a - b[i]
	}
}

func mulVV[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func mulVS[T Number](dst, a []T, b T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b
	}
}

func divVV[T Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func divVS[T Float](dst, a []T, b T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b
	}
}

func divSV[T Float](dst []T, a T, b []T) {
	b = b[:len(dst)]
	for i := range dst {
		dst[i] = a / b[i]
	}
}

func maxVV[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

func maxVS[T Number](dst, a []T, b T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = max(a[i], b)
	}
}

func minVV[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

func minVS[T Number](dst, a []T, b T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = min(a[i], b)
	}
}

// each sets the three forms of a binary operation from its function of two values.
func each[T any](o *Ops[T], op Binary, f func(a, b T) T) {
	o.VV[op] = func(dst, a, b []T) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = f(a[i], b[i])
		}
	}
	o.VS[op] = func(dst, a []T, b T) {
		a = a[:len(dst)]
		for i := range dst {
			dst[i] = f(a[i], b)
		}
	}
	o.SV[op] = func(dst []T, a T, b []T) {
		b = b[:len(dst)]
		for i := range dst {
			dst[i] = f(a, b[i])
		}
	}
}

// unary makes the loop of a function of one value.
func unary[T any](f func(T) T) func(dst, a []T) {
	return func(dst, a []T) {
		a = a[:len(dst)]
		for i := range dst {
			dst[i] = f(a[i])
		}
	}
}

// wide makes the loop of a function that is computed in float64 and rounded once.
func wide[T Float](f func(float64) float64) func(dst, a []T) {
	return func(dst, a []T) {
		a = a[:len(dst)]
		for i := range dst {
			dst[i] = T(f(float64(a[i])))
		}
	}
}

// floatOps sets every loop of a float type.
func floatOps[T Float](o *Ops[T]) {
	arithmetic(o)
	o.VV[Div], o.VS[Div], o.SV[Div] = divVV[T], divVS[T], divSV[T]
	each(o, Rem, func(a, b T) T { return T(math.Mod(float64(a), float64(b))) })
	each(o, Pow, func(a, b T) T { return T(power(float64(a), float64(b))) })
	each(o, Atan2, func(a, b T) T { return T(atan2(float64(a), float64(b))) })
	u := &o.Unary
	u[Neg] = unary(func(x T) T { return -x })
	u[Abs] = wide[T](math.Abs)
	u[Sign] = unary(signFloat[T])
	u[Sqrt] = wide[T](math.Sqrt)
	u[Rsqrt] = unary(func(x T) T { return 1 / T(math.Sqrt(float64(x))) })
	u[Floor], u[Ceil] = wide[T](math.Floor), wide[T](math.Ceil)
	u[RoundEven], u[RoundAway] = wide[T](math.RoundToEven), wide[T](math.Round)
	for op, f := range map[Unary]func(float64) float64{
		Cbrt: math.Cbrt, Exp: exp, Expm1: math.Expm1, Log: log, Log1p: math.Log1p, Tanh: math.Tanh,
		Logistic: logistic, Sin: math.Sin, Cos: math.Cos, Tan: tan, Erf: math.Erf,
	} {
		u[op] = wide[T](f)
	}
	o.Reduce[Add], o.Reduce[Mul] = sumLanes[T], productLanes[T]
	o.Reduce[Max], o.Reduce[Min] = maxFloat[T], minFloat[T]
	o.Dot, o.Axpy = dotLanes[T], axpy[T]
	o.ExpSub = expSub(o)
}

// exp is math.Exp, which on amd64 overflows below 709.5 already.
func exp(x float64) float64 {
	if x > 709 {
		return math.Exp(709) * math.Exp(x-709)
	}
	return math.Exp(x)
}

// log is math.Log, which on amd64 takes subnormal numbers for normal ones.
func log(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

func signFloat[T Float](x T) T {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // NaN, -0 and +0 stay
}

// logistic keeps relative accuracy for very negative x, where exp(-x) overflows.
func logistic(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

func integerOps[T Integer](o *Ops[T], width int) {
	arithmetic(o)
	each(o, And, func(a, b T) T { return a & b })
	each(o, Or, func(a, b T) T { return a | b })
	each(o, Xor, func(a, b T) T { return a ^ b })
	o.Unary[Not] = unary(func(x T) T { return ^x })
	o.Reduce[Add] = func(x []T) (s T) {
		for _, v := range x {
			s += v
		}
		return s
	}
	o.Reduce[Mul] = func(x []T) T {
		s := T(1)
		for _, v := range x {
			s *= v
		}
		return s
	}
	o.Reduce[And] = func(x []T) T {
		s := ^T(0)
		for _, v := range x {
			s &= v
		}
		return s
	}
	o.Reduce[Or] = func(x []T) (s T) {
		for _, v := range x {
			s |= v
		}
		return s
	}
	o.Reduce[Xor] = func(x []T) (s T) {
		for _, v := range x {
			s ^= v
		}
		return s
	}
	mask := ^uint64(0) >> (64 - width)
	o.Unary[PopCount] = unary(func(x T) T { return T(bits.OnesCount64(uint64(x) & mask)) })
	o.Unary[CountLeadingZeros] = unary(func(x T) T { return T(bits.LeadingZeros64(uint64(x)&mask) - (64 - width)) })
	each(o, ShiftLeft, func(a, b T) T {
		if s := uint64(b) & mask; s < uint64(width) {
			return a << s
		}
		return 0
	})
	each(o, ShiftRightLogical, func(a, b T) T {
		if s := uint64(b) & mask; s < uint64(width) {
			return T(uint64(a) & mask >> s)
		}
		return 0
	})
}

// signedOps sets every loop of a signed integer type.
func signedOps[T Signed](o *Ops[T]) {
	width := 8
	lowest := T(-128)
	for lowest<<1 != 0 { // doubles until only the sign bit is left
		lowest <<= 1
		width++
	}
	integerOps(o, width)
	each(o, Div, func(a, b T) T {
		switch b {
		case 0:
			return -1
		case -1:
			return -a
		}
		return a / b
	})
	each(o, Rem, func(a, b T) T {
		switch b {
		case 0:
			return a
		case -1:
			return 0
		}
		return a % b
	})
	each(o, ShiftRightArithmetic, func(a, b T) T {
		if b < 0 || int(b) >= width {
			return a >> (width - 1)
		}
		return a >> b
	})
	each(o, Pow, powSigned[T])
	o.Unary[Neg] = unary(func(x T) T { return -x })
	o.Unary[Sign] = unary(func(x T) T {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	})
	o.Unary[Abs] = unary(func(x T) T {
		if x < 0 {
			return -x
		}
		return x
	})
	highest := ^lowest
	o.Reduce[Max] = func(x []T) T {
		m := lowest
		for _, v := range x {
			m = max(m, v)
		}
		return m
	}
	o.Reduce[Min] = func(x []T) T {
		m := highest
		for _, v := range x {
			m = min(m, v)
		}
		return m
	}
}

// powSigned is integer power: a negative exponent gives 0, except for the bases 1 and -1.
func powSigned[T Signed](a, b T) T {
	if b < 0 {
		switch {
		case a == 1:
			return 1
		case a == -1:
			return 1 - 2*(-(b % 2))
		}
		return 0
	}
	r := T(1)
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			r *= a
		}
		a *= a
	}
	return r
}

// unsignedOps sets every loop of an unsigned integer type.
func unsignedOps[T Unsigned](o *Ops[T]) {
	width := bits.Len64(uint64(^T(0)))
	integerOps(o, width)
	each(o, Div, func(a, b T) T {
		if b == 0 {
			return ^T(0)
		}
		return a / b
	})
	each(o, Rem, func(a, b T) T {
		if b == 0 {
			return a
		}
		return a % b
	})
	each(o, Pow, func(a, b T) T {
		r := T(1)
		for ; b > 0; b >>= 1 {
			if b&1 != 0 {
				r *= a
			}
			a *= a
		}
		return r
	})
	// Shifting an unsigned value arithmetically copies its top bit, as StableHLO's reference does.
	each(o, ShiftRightArithmetic, func(a, b T) T {
		s := int64(width - 1)
		if uint64(b) < uint64(width) {
			s = int64(b)
		}
		return T(int64(uint64(a)<<(64-width)) >> (64 - width) >> s)
	})
	o.Unary[Neg] = unary(func(x T) T { return -x })
	o.Unary[Abs] = func(dst, a []T) { copy(dst, a[:len(dst)]) }
	o.Unary[Sign] = unary(func(x T) T { return min(x, 1) })
	o.Reduce[Max] = func(x []T) (m T) {
		for _, v := range x {
			m = max(m, v)
		}
		return m
	}
	o.Reduce[Min] = func(x []T) T {
		m := ^T(0)
		for _, v := range x {
			m = min(m, v)
		}
		return m
	}
}

func compare[T Number](o *Ops[T]) {
	v, s := &o.CompareVV, &o.CompareVS
	v[EQ], v[NE] = equalVV[T], func(dst []byte, a, b []T) { equalVV(dst, a, b); invert(dst) }
	v[LT], v[GT] = lessVV[T], func(dst []byte, a, b []T) { lessVV(dst, b, a) }
	v[LE], v[GE] = atMostVV[T], func(dst []byte, a, b []T) { atMostVV(dst, b, a) }
	s[EQ], s[NE] = equalVS[T], func(dst []byte, a []T, b T) { equalVS(dst, a, b); invert(dst) }
	s[LT] = func(dst []byte, a []T, b T) {
		for i, x := range a[:len(dst)] {
			dst[i] = bit(x < b)
		}
	}
	s[LE] = func(dst []byte, a []T, b T) {
		for i, x := range a[:len(dst)] {
			dst[i] = bit(x <= b)
		}
	}
	s[GT] = func(dst []byte, a []T, b T) {
		for i, x := range a[:len(dst)] {
			dst[i] = bit(x > b)
		}
	}
	s[GE] = func(dst []byte, a []T, b T) {
		for i, x := range a[:len(dst)] {
			dst[i] = bit(x >= b)
		}
	}
}

func equalVV[T Number](dst []byte, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = bit(a[i] == b[i])
	}
}

func lessVV[T Number](dst []byte, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = bit(a[i] < b[i])
	}
}

func atMostVV[T Number](dst []byte, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = bit(a[i] <= b[i])
	}
}

func equalVS[T Number](dst []byte, a []T, b T) {
	for i, x := range a[:len(dst)] {
		dst[i] = bit(x == b)
	}
}

func invert(mask []byte) {
	for i := range mask {
		mask[i] ^= 1
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func selectVV[T any](dst []T, mask []byte, a, b []T) {
	mask, a, b = mask[:len(dst)], a[:len(dst)], b[:len(dst)]
	for i := range dst {
		v := b[i]
		if mask[i] != 0 {
			v = a[i]
		}
		dst[i] = v
	}
}

func selectVS[T any](dst []T, mask []byte, a []T, b T) {
	mask, a = mask[:len(dst)], a[:len(dst)]
	for i := range dst {
		v := b
		if mask[i] != 0 {
			v = a[i]
		}
		dst[i] = v
	}
}

func selectSV[T any](dst []T, mask []byte, a T, b []T) {
	mask, b = mask[:len(dst)], b[:len(dst)]
	for i := range dst {
		v := b[i]
		if mask[i] != 0 {
			v = a
		}
		dst[i] = v
	}
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

func iotaOf[T Number](dst []T, start T) {
	for i := range dst {
		dst[i] = start + T(i)
	}
}
