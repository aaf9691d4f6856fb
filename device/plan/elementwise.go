package plan

import (
	"encoding/binary"
	"math"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// operand is a register of a chain, and whether it holds one value for all elements.
type operand struct {
	reg    int
	single bool
}

// instr makes the code of one elementwise operation: dst = op(args). Only the first argument's register may be dst.
type instr func(dst int, args []operand) []micro

// computed is the type that a chain computes an element type in; the small floats compute in f32 and are rounded after
// each operation. Invalid means that a chain cannot hold the type.
func computed(t dtype.Type) dtype.Type {
	switch t {
	case dtype.I1:
		return dtype.U8
	case dtype.BF16, dtype.F16:
		return dtype.F32
	case dtype.F32, dtype.F64, dtype.I8, dtype.I16, dtype.I32, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64:
		return t
	}
	return dtype.Invalid
}

func half(t dtype.Type) bool { return t == dtype.BF16 || t == dtype.F16 }

var unaryOps = map[stablehlo.Kind]kernel.Unary{
	stablehlo.Abs: kernel.Abs, stablehlo.Cbrt: kernel.Cbrt, stablehlo.Ceil: kernel.Ceil, stablehlo.Cosine: kernel.Cos,
	stablehlo.CountLeadingZeros: kernel.CountLeadingZeros, stablehlo.Exponential: kernel.Exp,
	stablehlo.ExponentialMinusOne: kernel.Expm1, stablehlo.Floor: kernel.Floor, stablehlo.Log: kernel.Log,
	stablehlo.LogPlusOne: kernel.Log1p, stablehlo.Logistic: kernel.Logistic, stablehlo.Negate: kernel.Neg,
	stablehlo.Not: kernel.Not, stablehlo.PopulationCount: kernel.PopCount,
	stablehlo.RoundNearestAfz: kernel.RoundAway, stablehlo.RoundNearestEven: kernel.RoundEven,
	stablehlo.Rsqrt: kernel.Rsqrt, stablehlo.Sign: kernel.Sign, stablehlo.Sine: kernel.Sin, stablehlo.Sqrt: kernel.Sqrt,
	stablehlo.Tan: kernel.Tan, stablehlo.Tanh: kernel.Tanh,
}

var binaryOps = map[stablehlo.Kind]kernel.Binary{
	stablehlo.Add: kernel.Add, stablehlo.And: kernel.And, stablehlo.Atan2: kernel.Atan2, stablehlo.Divide: kernel.Div,
	stablehlo.Maximum: kernel.Max, stablehlo.Minimum: kernel.Min, stablehlo.Multiply: kernel.Mul, stablehlo.Or: kernel.Or,
	stablehlo.Power: kernel.Pow, stablehlo.Remainder: kernel.Rem, stablehlo.ShiftLeft: kernel.ShiftLeft,
	stablehlo.ShiftRightArithmetic: kernel.ShiftRightArithmetic, stablehlo.ShiftRightLogical: kernel.ShiftRightLogical,
	stablehlo.Subtract: kernel.Sub, stablehlo.Xor: kernel.Xor,
}

// boolOps are the binary operations on booleans.
var boolOps = map[stablehlo.Kind]kernel.Binary{
	stablehlo.Add: kernel.Or, stablehlo.Maximum: kernel.Or, stablehlo.Or: kernel.Or, stablehlo.And: kernel.And,
	stablehlo.Multiply: kernel.And, stablehlo.Minimum: kernel.And, stablehlo.Xor: kernel.Xor,
}

func binaryOp(k stablehlo.Kind, t dtype.Type) kernel.Binary {
	if t == dtype.I1 {
		return boolOps[k]
	}
	return binaryOps[k]
}

var directions = map[stablehlo.Direction]kernel.Direction{
	stablehlo.EQ: kernel.EQ, stablehlo.NE: kernel.NE, stablehlo.GE: kernel.GE, stablehlo.GT: kernel.GT,
	stablehlo.LE: kernel.LE, stablehlo.LT: kernel.LT,
}

// instrOf returns the code of an elementwise operation, or nil where no chain can hold it.
func instrOf(t *kernel.Table, i *inst) instr {
	if len(i.out) != 1 || i.rows != nil {
		return nil
	}
	to := i.out[0].typ.Elem
	if computed(to) == dtype.Invalid {
		return nil
	}
	for _, v := range i.in {
		if computed(v.typ.Elem) == dtype.Invalid {
			return nil
		}
	}
	switch i.kind {
	case stablehlo.Convert:
		return convertInstr(t, i.in[0].typ.Elem, to)
	case stablehlo.BitcastConvert:
		if from := i.in[0].typ.Elem; from.Size() == to.Size() && !half(from) && !half(to) && from != dtype.I1 && to != dtype.I1 {
			return moveInstr(to.Size())
		}
		return nil
	}
	from := to
	if i.kind == stablehlo.Compare || i.kind == stablehlo.IsFinite {
		from = i.in[0].typ.Elem
	}
	switch computed(from) {
	case dtype.F32:
		return floatInstr(t, &t.F32, i, from)
	case dtype.F64:
		return floatInstr(t, &t.F64, i, from)
	case dtype.I8:
		return instrIn(t, &t.I8, i, from)
	case dtype.I16:
		return instrIn(t, &t.I16, i, from)
	case dtype.I32:
		return instrIn(t, &t.I32, i, from)
	case dtype.I64:
		return instrIn(t, &t.I64, i, from)
	case dtype.U8:
		return instrIn(t, &t.U8, i, from)
	case dtype.U16:
		return instrIn(t, &t.U16, i, from)
	case dtype.U32:
		return instrIn(t, &t.U32, i, from)
	case dtype.U64:
		return instrIn(t, &t.U64, i, from)
	}
	return nil
}

func floatInstr[T kernel.Float](t *kernel.Table, o *kernel.Ops[T], i *inst, from dtype.Type) instr {
	if i.kind == stablehlo.IsFinite {
		inf := T(math.Inf(1))
		abs, less := o.Unary[kernel.Abs], o.CompareVS[kernel.LT]
		return func(dst int, args []operand) []micro {
			a := args[0].reg
			return []micro{func(f *frame) {
				tmp := spare[T](f, 0)
				abs(tmp, reg[T](f, a))
				less(f.regs[dst][:f.n], tmp, inf)
			}}
		}
	}
	return instrIn(t, o, i, from)
}

// instrIn is instrOf for operations computed in one type.
func instrIn[T kernel.Number](t *kernel.Table, o *kernel.Ops[T], i *inst, from dtype.Type) instr {
	switch i.kind {
	case stablehlo.Compare:
		a := i.attr.(stablehlo.CompareAttr)
		if a.Type == stablehlo.CompareTotalOrder && from.IsFloat() {
			return totalOrder(t, from, directions[a.Direction])
		}
		return compareInstr(o, directions[a.Direction])
	case stablehlo.Select:
		return selectInstr(o)
	case stablehlo.Clamp:
		if from == dtype.I1 {
			return nil
		}
		hi, lo := binaryInstr(o, kernel.Max), binaryInstr(o, kernel.Min)
		return func(dst int, args []operand) []micro { // clamp(min, x, max)
			code := hi(dst, []operand{args[1], args[0]})
			return append(code, lo(dst, []operand{{reg: dst}, args[2]})...)
		}
	case stablehlo.Not:
		if from == dtype.I1 {
			xor := o.VS[kernel.Xor]
			return func(dst int, args []operand) []micro {
				a := args[0].reg
				return []micro{func(f *frame) { xor(reg[T](f, dst), reg[T](f, a), 1) }}
			}
		}
	}
	if k, ok := unaryOps[i.kind]; ok {
		if from == dtype.I1 || o.Unary[k] == nil {
			return nil
		}
		fn := o.Unary[k]
		return func(dst int, args []operand) []micro {
			a := args[0].reg
			return []micro{func(f *frame) { fn(reg[T](f, dst), reg[T](f, a)) }}
		}
	}
	if k := binaryOp(i.kind, from); k != 0 && o.VV[k] != nil && o.VS[k] != nil && o.SV[k] != nil {
		return binaryInstr(o, k)
	}
	return nil
}

func binaryInstr[T kernel.Number](o *kernel.Ops[T], k kernel.Binary) instr {
	vv, vs, sv := o.VV[k], o.VS[k], o.SV[k]
	return func(dst int, args []operand) []micro {
		a, b := args[0].reg, args[1].reg
		switch {
		case args[1].single:
			return []micro{func(f *frame) { vs(reg[T](f, dst), reg[T](f, a), scalar[T](f, b)) }}
		case args[0].single:
			return []micro{func(f *frame) { sv(reg[T](f, dst), scalar[T](f, a), reg[T](f, b)) }}
		}
		return []micro{func(f *frame) { vv(reg[T](f, dst), reg[T](f, a), reg[T](f, b)) }}
	}
}

func compareInstr[T kernel.Number](o *kernel.Ops[T], d kernel.Direction) instr {
	swapped := map[kernel.Direction]kernel.Direction{
		kernel.EQ: kernel.EQ, kernel.NE: kernel.NE, kernel.LT: kernel.GT, kernel.GT: kernel.LT, kernel.LE: kernel.GE,
		kernel.GE: kernel.LE,
	}
	vv, vs, sv := o.CompareVV[d], o.CompareVS[d], o.CompareVS[swapped[d]]
	if vv == nil || vs == nil || sv == nil {
		return nil
	}
	return func(dst int, args []operand) []micro {
		a, b := args[0].reg, args[1].reg
		switch {
		case args[1].single:
			return []micro{func(f *frame) { vs(f.regs[dst][:f.n], reg[T](f, a), scalar[T](f, b)) }}
		case args[0].single:
			return []micro{func(f *frame) { sv(f.regs[dst][:f.n], reg[T](f, b), scalar[T](f, a)) }}
		}
		return []micro{func(f *frame) { vv(f.regs[dst][:f.n], reg[T](f, a), reg[T](f, b)) }}
	}
}

// totalOrder compares f32 and f64 by their bits: as signed integers, with the order of the negative ones turned round.
func totalOrder(t *kernel.Table, from dtype.Type, d kernel.Direction) instr {
	switch from {
	case dtype.F32, dtype.BF16, dtype.F16: // widening keeps the order
		return orderedBits(t.I32.CompareVV[d], func(x int32) int32 { return x ^ int32(uint32(x>>31)>>1) })
	case dtype.F64:
		return orderedBits(t.I64.CompareVV[d], func(x int64) int64 { return x ^ int64(uint64(x>>63)>>1) })
	}
	return nil
}

func orderedBits[T int32 | int64](vv func(dst []byte, a, b []T), order func(T) T) instr {
	return func(dst int, args []operand) []micro {
		a, b := args[0], args[1]
		load := func(f *frame, to []T, from operand) {
			if from.single {
				repeat(to, order(scalar[T](f, from.reg)))
				return
			}
			for i, x := range reg[T](f, from.reg) {
				to[i] = order(x)
			}
		}
		return []micro{func(f *frame) {
			x, y := spare[T](f, 0), spare[T](f, 1)
			load(f, x, a)
			load(f, y, b)
			vv(f.regs[dst][:f.n], x, y)
		}}
	}
}

func selectInstr[T kernel.Number](o *kernel.Ops[T]) instr {
	return func(dst int, args []operand) []micro {
		m, a, b := args[0].reg, args[1].reg, args[2].reg
		switch {
		case args[1].single && args[2].single:
			return []micro{func(f *frame) {
				d := reg[T](f, dst)
				o.Fill(d, scalar[T](f, b))
				o.SelectSV(d, f.regs[m][:f.n], scalar[T](f, a), d)
			}}
		case args[2].single:
			return []micro{func(f *frame) {
				o.SelectVS(reg[T](f, dst), f.regs[m][:f.n], reg[T](f, a), scalar[T](f, b))
			}}
		case args[1].single:
			return []micro{func(f *frame) {
				o.SelectSV(reg[T](f, dst), f.regs[m][:f.n], scalar[T](f, a), reg[T](f, b))
			}}
		}
		return []micro{func(f *frame) {
			o.SelectVV(reg[T](f, dst), f.regs[m][:f.n], reg[T](f, a), reg[T](f, b))
		}}
	}
}

func moveInstr(size int) instr {
	return func(dst int, args []operand) []micro {
		a := args[0].reg
		return []micro{func(f *frame) { copy(f.regs[dst][:f.n*size], f.regs[a][:f.n*size]) }}
	}
}

// convertInstr converts between types as they are computed. Narrowing to a half type through f32 would round twice
// from the wider types; those conversions are left to the evaluator.
func convertInstr(t *kernel.Table, from, to dtype.Type) instr {
	if half(to) && from != dtype.F32 && !half(from) && from != dtype.I1 && from.Bits() > 8 {
		return nil
	}
	cf, ct := computed(from), computed(to)
	if to == dtype.I1 {
		return toBool(t, cf, from)
	}
	if cf == ct {
		return moveInstr(ct.Size())
	}
	switch {
	case cf == dtype.F32 && ct == dtype.F64:
		return via(t.Convert.F32F64)
	case cf == dtype.F64 && ct == dtype.F32:
		return via(t.Convert.F64F32)
	case cf == dtype.F32 && ct == dtype.I32:
		return via(t.Convert.F32I32)
	case cf == dtype.I32 && ct == dtype.F32:
		return via(t.Convert.I32F32)
	case cf == dtype.U8 && ct == dtype.F32:
		return via(t.Convert.U8F32)
	case cf == dtype.I8 && ct == dtype.F32:
		return via(t.Convert.I8F32)
	case cf == dtype.I64 && ct == dtype.I32:
		return via(t.Convert.I64I32)
	case cf == dtype.I32 && ct == dtype.I64:
		return via(t.Convert.I32I64)
	case cf == dtype.U8 && ct == dtype.I32:
		return via(t.Convert.U8I32)
	}
	switch cf {
	case dtype.F32:
		return truncate[float32](ct)
	case dtype.F64:
		return truncate[float64](ct)
	case dtype.I8:
		return widen[int8](ct)
	case dtype.I16:
		return widen[int16](ct)
	case dtype.I32:
		return widen[int32](ct)
	case dtype.I64:
		return widen[int64](ct)
	case dtype.U8:
		return widen[uint8](ct)
	case dtype.U16:
		return widen[uint16](ct)
	case dtype.U32:
		return widen[uint32](ct)
	case dtype.U64:
		return widen[uint64](ct)
	}
	return nil
}

func via[D, S any](fn func(dst []D, a []S)) instr {
	return func(dst int, args []operand) []micro {
		a := args[0].reg
		return []micro{func(f *frame) { fn(reg[D](f, dst), reg[S](f, a)) }}
	}
}

func widen[S kernel.Number](to dtype.Type) instr {
	switch to {
	case dtype.F32:
		return via(kernel.Widen[float32, S])
	case dtype.F64:
		return via(kernel.Widen[float64, S])
	case dtype.I8:
		return via(kernel.Widen[int8, S])
	case dtype.I16:
		return via(kernel.Widen[int16, S])
	case dtype.I32:
		return via(kernel.Widen[int32, S])
	case dtype.I64:
		return via(kernel.Widen[int64, S])
	case dtype.U8:
		return via(kernel.Widen[uint8, S])
	case dtype.U16:
		return via(kernel.Widen[uint16, S])
	case dtype.U32:
		return via(kernel.Widen[uint32, S])
	case dtype.U64:
		return via(kernel.Widen[uint64, S])
	}
	return nil
}

func truncate[S kernel.Float](to dtype.Type) instr {
	switch to {
	case dtype.I8:
		return via(kernel.Truncate[int8, S])
	case dtype.I16:
		return via(kernel.Truncate[int16, S])
	case dtype.I32:
		return via(kernel.Truncate[int32, S])
	case dtype.I64:
		return via(kernel.Truncate[int64, S])
	case dtype.U8:
		return via(kernel.Truncate[uint8, S])
	case dtype.U16:
		return via(kernel.Truncate[uint16, S])
	case dtype.U32:
		return via(kernel.Truncate[uint32, S])
	case dtype.U64:
		return via(kernel.Truncate[uint64, S])
	}
	return nil
}

func toBool(t *kernel.Table, cf, from dtype.Type) instr {
	switch cf {
	case dtype.F32:
		return via(t.Convert.F32Bool)
	case dtype.F64:
		return notZero(&t.F64)
	case dtype.I8:
		return notZero(&t.I8)
	case dtype.I16:
		return notZero(&t.I16)
	case dtype.I32:
		return via(t.Convert.I32Bool)
	case dtype.I64:
		return notZero(&t.I64)
	case dtype.U8:
		if from == dtype.I1 {
			return moveInstr(1)
		}
		return notZero(&t.U8)
	case dtype.U16:
		return notZero(&t.U16)
	case dtype.U32:
		return notZero(&t.U32)
	case dtype.U64:
		return notZero(&t.U64)
	}
	return nil
}

func notZero[T kernel.Number](o *kernel.Ops[T]) instr {
	ne := o.CompareVS[kernel.NE]
	return func(dst int, args []operand) []micro {
		a := args[0].reg
		return []micro{func(f *frame) { ne(f.regs[dst][:f.n], reg[T](f, a), 0) }}
	}
}

// widenHalf loads half-precision elements as f32, narrowHalf stores f32 as half precision; roundHalf does both, which
// is how a register takes the value it would have had in memory.
func widenHalf(t *kernel.Table, h dtype.Type, dst, src int) micro {
	fn := t.Convert.BF16F32
	if h == dtype.F16 {
		fn = t.Convert.F16F32
	}
	return func(f *frame) { fn(reg[float32](f, dst), reg[uint16](f, src)) }
}

func narrowHalf(t *kernel.Table, h dtype.Type, dst, src int) micro {
	fn := narrowFn(t, h)
	return func(f *frame) { fn(reg[uint16](f, dst), reg[float32](f, src)) }
}

func narrowFn(t *kernel.Table, h dtype.Type) func([]uint16, []float32) {
	if h == dtype.F16 {
		return t.Convert.F32F16
	}
	return t.Convert.F32BF16
}

func roundHalf(t *kernel.Table, h dtype.Type, r int) micro {
	narrow, widen := narrowFn(t, h), t.Convert.BF16F32
	if h == dtype.F16 {
		widen = t.Convert.F16F32
	}
	return func(f *frame) {
		tmp, x := spare[uint16](f, 0), reg[float32](f, r)
		narrow(tmp, x)
		widen(x, tmp)
	}
}

// exact says whether an operation on half-precision values gives a half-precision value without rounding.
func exact(k stablehlo.Kind) bool {
	switch k {
	case stablehlo.Abs, stablehlo.Negate, stablehlo.Sign, stablehlo.Maximum, stablehlo.Minimum, stablehlo.Select,
		stablehlo.Clamp, stablehlo.Floor, stablehlo.Ceil, stablehlo.RoundNearestAfz, stablehlo.RoundNearestEven:
		return true
	}
	return false
}

// literalInts reads an integer or boolean constant; a splat gives one element.
func literalInts(lit *stablehlo.Literal) []uint64 {
	size := lit.Type.Elem.Size()
	out := make([]uint64, 0, len(lit.Data)/max(size, 1))
	for b := lit.Data; len(b) >= size && size > 0; b = b[size:] {
		var w [8]byte
		copy(w[:], b[:min(size, 8)])
		x := binary.LittleEndian.Uint64(w[:])
		if lit.Type.Elem.Kind() == dtype.Signed && size < 8 {
			shift := 64 - 8*size
			x = uint64(int64(x<<shift) >> shift)
		}
		out = append(out, x)
	}
	return out
}
