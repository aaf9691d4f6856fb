package eval

import (
	"fmt"
	"math"
	"math/cmplx"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// elementOp computes n elements of an elementwise operation: dst[k] from src[...][k]. It leaves results unrounded.
type elementOp func(dst *lane, src []*lane, n int)

var floatUnary = map[stablehlo.Kind]func(float64) float64{
	stablehlo.Abs:                 math.Abs,
	stablehlo.Cbrt:                cbrt,
	stablehlo.Ceil:                math.Ceil,
	stablehlo.Cosine:              cos,
	stablehlo.Exponential:         exp,
	stablehlo.ExponentialMinusOne: math.Expm1,
	stablehlo.Floor:               math.Floor,
	stablehlo.Log:                 log,
	stablehlo.LogPlusOne:          math.Log1p,
	stablehlo.Logistic:            func(x float64) float64 { return 1 / (1 + exp(-x)) },
	stablehlo.Negate:              func(x float64) float64 { return -x },
	stablehlo.Real:                func(x float64) float64 { return x },
	stablehlo.Imag:                func(float64) float64 { return 0 },
	stablehlo.RoundNearestAfz:     math.Round,
	stablehlo.RoundNearestEven:    math.RoundToEven,
	stablehlo.Rsqrt:               func(x float64) float64 { return 1 / math.Sqrt(x) },
	stablehlo.Sign:                signFloat,
	stablehlo.Sine:                sin,
	stablehlo.Sqrt:                math.Sqrt,
	stablehlo.Tan:                 tan,
	stablehlo.Tanh:                tanh,
}

var floatBinary = map[stablehlo.Kind]func(a, b float64) float64{
	stablehlo.Add:       func(a, b float64) float64 { return a + b },
	stablehlo.Atan2:     atan2,
	stablehlo.Divide:    func(a, b float64) float64 { return a / b },
	stablehlo.Maximum:   maxFloat,
	stablehlo.Minimum:   minFloat,
	stablehlo.Multiply:  func(a, b float64) float64 { return a * b },
	stablehlo.Power:     pow,
	stablehlo.Remainder: remFloat,
	stablehlo.Subtract:  func(a, b float64) float64 { return a - b },
}

var complexUnary = map[stablehlo.Kind]func(complex128) complex128{
	stablehlo.Cbrt:                cbrtComplex,
	stablehlo.Cosine:              cosComplex,
	stablehlo.Exponential:         expComplex,
	stablehlo.ExponentialMinusOne: expm1Complex,
	stablehlo.Log:                 logComplex,
	stablehlo.LogPlusOne:          log1pComplex,
	stablehlo.Logistic:            func(z complex128) complex128 { return divComplex(1, 1+expComplex(-z)) },
	stablehlo.Negate:              func(z complex128) complex128 { return -z },
	stablehlo.Rsqrt:               rsqrtComplex,
	stablehlo.Sign:                signComplex,
	stablehlo.Sine:                sinComplex,
	stablehlo.Sqrt:                sqrtComplex,
	stablehlo.Tan:                 tanComplex,
	stablehlo.Tanh:                tanhComplex,
}

var complexBinary = map[stablehlo.Kind]func(a, b complex128) complex128{
	stablehlo.Add:      func(a, b complex128) complex128 { return a + b },
	stablehlo.Atan2:    atan2Complex,
	stablehlo.Divide:   divComplex,
	stablehlo.Maximum:  func(a, b complex128) complex128 { return pickComplex(a, b, lessComplex(b, a)) },
	stablehlo.Minimum:  func(a, b complex128) complex128 { return pickComplex(a, b, lessComplex(a, b)) },
	stablehlo.Multiply: mulComplex,
	stablehlo.Power:    powComplex,
	stablehlo.Subtract: func(a, b complex128) complex128 { return a - b },
}

func signFloat(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // zero of either sign, or NaN
}

// maxFloat is IEEE 754-2019 maximum: NaN wins, and +0 is above -0.
func maxFloat(a, b float64) float64 {
	switch {
	case a != a:
		return a
	case b != b:
		return b
	}
	return math.Max(a, b)
}

func minFloat(a, b float64) float64 {
	switch {
	case a != a:
		return a
	case b != b:
		return b
	}
	return math.Min(a, b)
}

// remFloat is C's fmod: exact, with the sign of a.
func remFloat(a, b float64) float64 {
	if math.IsInf(b, 0) && !math.IsInf(a, 0) {
		return a
	}
	return math.Mod(a, b)
}

// elementwise returns the computation of op, which maps elements of the types in to elements of type out; nil if op is
// not elementwise. Quantized types are not its business.
func elementwise(op *stablehlo.Op, in []dtype.Type, out dtype.Type) (elementOp, error) {
	k := op.Kind
	var t dtype.Type
	if len(in) > 0 {
		t = in[0]
	}
	switch k {
	case stablehlo.Convert:
		return convertOp(t, out), nil
	case stablehlo.Compare:
		a, ok := op.Attr.(stablehlo.CompareAttr)
		if !ok {
			return nil, fmt.Errorf("eval: compare: has no attributes")
		}
		return compareOp(a, t), nil
	case stablehlo.Select:
		return selectOp, nil
	case stablehlo.Clamp:
		return clampOp(t), nil
	case stablehlo.Complex:
		return func(dst *lane, src []*lane, n int) {
			for k := range n {
				dst.c[k] = complex(src[0].f[k], src[1].f[k])
			}
		}, nil
	case stablehlo.IsFinite:
		return func(dst *lane, src []*lane, n int) {
			for k, x := range src[0].f[:n] {
				dst.i[k] = 1
				if math.IsInf(x, 0) || x != x {
					dst.i[k] = 0
				}
			}
		}, nil
	case stablehlo.ReducePrecision:
		a, ok := op.Attr.(stablehlo.ReducePrecisionAttr)
		if !ok {
			return nil, fmt.Errorf("eval: reduce_precision: has no attributes")
		}
		return reducePrecisionOp(t, a), nil
	}
	switch t.Kind() {
	case dtype.Float:
		if k == stablehlo.Imag && out == t {
			return func(dst *lane, _ []*lane, n int) { clear(dst.f[:n]) }, nil
		}
		if f := floatUnary[k]; f != nil {
			return func(dst *lane, src []*lane, n int) {
				for k, x := range src[0].f[:n] {
					dst.f[k] = f(x)
				}
			}, nil
		}
		if f := floatBinary[k]; f != nil {
			return func(dst *lane, src []*lane, n int) {
				a, b := src[0].f[:n], src[1].f[:n]
				for k := range a {
					dst.f[k] = f(a[k], b[k])
				}
			}, nil
		}
	case dtype.Complex:
		return complexOp(k, t), nil
	case dtype.Bool, dtype.Signed, dtype.Unsigned:
		if f := intUnary(k, t); f != nil {
			return func(dst *lane, src []*lane, n int) {
				for k, x := range src[0].i[:n] {
					dst.i[k] = f(x)
				}
			}, nil
		}
		if f := intBinary(k, t); f != nil {
			return func(dst *lane, src []*lane, n int) {
				a, b := src[0].i[:n], src[1].i[:n]
				for k := range a {
					dst.i[k] = f(a[k], b[k])
				}
			}, nil
		}
	}
	return nil, nil
}

func complexOp(k stablehlo.Kind, t dtype.Type) elementOp {
	switch k {
	case stablehlo.Real:
		return func(dst *lane, src []*lane, n int) {
			for k, z := range src[0].c[:n] {
				dst.f[k] = real(z)
			}
		}
	case stablehlo.Imag:
		return func(dst *lane, src []*lane, n int) {
			for k, z := range src[0].c[:n] {
				dst.f[k] = imag(z)
			}
		}
	case stablehlo.Abs:
		return func(dst *lane, src []*lane, n int) {
			for k, z := range src[0].c[:n] {
				dst.f[k] = cmplx.Abs(z)
			}
		}
	}
	if k == stablehlo.Multiply && t == dtype.C64 {
		return func(dst *lane, src []*lane, n int) {
			a, b := src[0].c[:n], src[1].c[:n]
			for k := range a {
				dst.c[k] = mulComplex64(a[k], b[k])
			}
		}
	}
	if f := complexUnary[k]; f != nil {
		return func(dst *lane, src []*lane, n int) {
			for k, z := range src[0].c[:n] {
				dst.c[k] = f(z)
			}
		}
	}
	if f := complexBinary[k]; f != nil {
		return func(dst *lane, src []*lane, n int) {
			a, b := src[0].c[:n], src[1].c[:n]
			for k := range a {
				dst.c[k] = f(a[k], b[k])
			}
		}
	}
	return nil
}

func selectOp(dst *lane, src []*lane, n int) {
	for k, p := range src[0].i[:n] {
		from := src[2]
		if p != 0 {
			from = src[1]
		}
		dst.copyOne(k, from, k)
	}
}

func clampOp(t dtype.Type) elementOp {
	switch t.Kind() {
	case dtype.Float:
		return func(dst *lane, src []*lane, n int) {
			for k, x := range src[1].f[:n] {
				dst.f[k] = minFloat(maxFloat(x, src[0].f[k]), src[2].f[k])
			}
		}
	case dtype.Complex:
		return func(dst *lane, src []*lane, n int) {
			for k, x := range src[1].c[:n] {
				lo, hi := src[0].c[k], src[2].c[k]
				x = pickComplex(x, lo, !lessComplex(x, lo))
				dst.c[k] = pickComplex(x, hi, !lessComplex(hi, x))
			}
		}
	}
	lo, hi := intBinary(stablehlo.Maximum, t), intBinary(stablehlo.Minimum, t)
	return func(dst *lane, src []*lane, n int) {
		for k, x := range src[1].i[:n] {
			dst.i[k] = hi(lo(x, src[0].i[k]), src[2].i[k])
		}
	}
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// ordered answers a comparison from less and equal; both are false for unordered values.
func ordered(d stablehlo.Direction, less, equal bool) bool {
	switch d {
	case stablehlo.EQ:
		return equal
	case stablehlo.NE:
		return !equal
	case stablehlo.LT:
		return less
	case stablehlo.LE:
		return less || equal
	}
	return false
}

func compareOp(a stablehlo.CompareAttr, t dtype.Type) elementOp {
	d := a.Direction
	// x > y is y < x: only one order is needed, also with NaN.
	swap := d == stablehlo.GT || d == stablehlo.GE
	switch d {
	case stablehlo.GT:
		d = stablehlo.LT
	case stablehlo.GE:
		d = stablehlo.LE
	}
	sides := func(src []*lane) (*lane, *lane) {
		if swap {
			return src[1], src[0]
		}
		return src[0], src[1]
	}
	switch t.Kind() {
	case dtype.Float:
		if a.Type == stablehlo.CompareTotalOrder {
			return func(dst *lane, src []*lane, n int) {
				x, y := sides(src)
				for k := range n {
					p, q := totalOrder(x.f[k]), totalOrder(y.f[k])
					dst.i[k] = boolInt(ordered(d, p < q, p == q))
				}
			}
		}
		return func(dst *lane, src []*lane, n int) {
			x, y := sides(src)
			for k := range n {
				p, q := x.f[k], y.f[k]
				dst.i[k] = boolInt(ordered(d, p < q, p == q))
			}
		}
	case dtype.Complex:
		return func(dst *lane, src []*lane, n int) {
			x, y := sides(src)
			for k := range n {
				p, q := x.c[k], y.c[k]
				dst.i[k] = boolInt(ordered(d, lessComplex(p, q), p == q))
			}
		}
	case dtype.Unsigned:
		return func(dst *lane, src []*lane, n int) {
			x, y := sides(src)
			for k := range n {
				p, q := uint64(x.i[k]), uint64(y.i[k])
				dst.i[k] = boolInt(ordered(d, p < q, p == q))
			}
		}
	}
	return func(dst *lane, src []*lane, n int) {
		x, y := sides(src)
		for k := range n {
			p, q := x.i[k], y.i[k]
			dst.i[k] = boolInt(ordered(d, p < q, p == q))
		}
	}
}

// totalOrder maps a float to an integer in IEEE 754 total order: -NaN, -Inf, …, -0, +0, …, +Inf, NaN.
func totalOrder(x float64) int64 {
	b := int64(math.Float64bits(x))
	if b < 0 {
		b ^= math.MaxInt64
	}
	return b
}

func reducePrecisionOp(t dtype.Type, a stablehlo.ReducePrecisionAttr) elementOp {
	width := t.Bits()
	man := map[dtype.Type]int{
		dtype.F64: 52, dtype.F32: 23, dtype.BF16: 7, dtype.F16: 10, dtype.F8E5M2: 2, dtype.F8E5M2FNUZ: 2,
		dtype.F8E4M3: 3, dtype.F8E4M3FN: 3, dtype.F8E4M3FNUZ: 3, dtype.F8E4M3B11FNUZ: 3, dtype.F8E3M4: 4,
		dtype.F4E2M1FN: 1, dtype.F6E2M3FN: 3, dtype.F6E3M2FN: 2,
	}[t]
	return func(dst *lane, src []*lane, n int) {
		for k, x := range src[0].f[:n] {
			if x != x {
				dst.f[k] = x
				if a.MantissaBits == 0 {
					dst.f[k] = math.Copysign(math.Inf(1), x)
				}
				continue
			}
			b := reduceBits(dtype.FromFloat64(t, x), width, man, a)
			dst.f[k] = dtype.ToFloat64(t, b)
		}
	}
}

// reduceBits rounds the encoding b of a float with the given width and mantissa to fewer mantissa and exponent bits.
func reduceBits(b uint64, width, man int, a stablehlo.ReducePrecisionAttr) uint64 {
	if cut := man - a.MantissaBits; cut > 0 {
		last := uint64(1) << cut
		bias := last>>1 - 1 + b>>cut&1
		b = (b + bias) &^ (last - 1)
	}
	exp := width - 1 - man
	if a.ExponentBits < exp {
		sign := b & (1 << (width - 1))
		field := (uint64(1)<<exp - 1) << man
		bias := uint64(1)<<(exp-1) - 1
		reduced := uint64(1)<<(a.ExponentBits-1) - 1
		e := b & field
		switch {
		case e > (bias+reduced)<<man:
			b = sign | field
		case e <= (bias-reduced)<<man:
			b = sign
		}
	}
	return b
}
