package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pick calls the form of an instruction for 4-byte or 8-byte lanes.
func (e *emitter) pick(four, eight func(ops ...Op), ops ...Op) {
	if e.t.size == 8 {
		eight(ops...)
	} else {
		four(ops...)
	}
}

// three calls an instruction of two sources into a new register: dst = a op b.
func (e *emitter) three(four, eight func(ops ...Op), a vec, b Op) vec {
	d := e.v()
	e.pick(four, eight, b, a, d)
	return d
}

func (e *emitter) add(a vec, b Op) vec { return e.three(VADDPS, VADDPD, a, b) }
func (e *emitter) sub(a vec, b Op) vec { return e.three(VSUBPS, VSUBPD, a, b) }
func (e *emitter) mul(a vec, b Op) vec { return e.three(VMULPS, VMULPD, a, b) }
func (e *emitter) div(a vec, b Op) vec { return e.three(VDIVPS, VDIVPD, a, b) }
func (e *emitter) and(a vec, b Op) vec { return e.three(VANDPS, VANDPD, a, b) }
func (e *emitter) or(a vec, b Op) vec  { return e.three(VORPS, VORPD, a, b) }
func (e *emitter) xor(a vec, b Op) vec { return e.three(VXORPS, VXORPD, a, b) }

// andNot is b with the bits of a cleared.
func (e *emitter) andNot(a vec, b Op) vec { return e.three(VANDNPS, VANDNPD, a, b) }

// low and high are the processor's minimum and maximum: b when a lane is NaN or both are zeros.
func (e *emitter) low(a vec, b Op) vec  { return e.three(VMINPS, VMINPD, a, b) }
func (e *emitter) high(a vec, b Op) vec { return e.three(VMAXPS, VMAXPD, a, b) }

// fma is a*b + c with one rounding, into a's register.
func (e *emitter) fma(a, b vec, c Op) vec {
	e.pick(VFMADD213PS, VFMADD213PD, c, b, a)
	return a
}

// addMul is acc + a*b into acc's register; b may be a constant.
func (e *emitter) addMul(acc, a vec, b Op) vec {
	e.pick(VFMADD231PS, VFMADD231PD, b, a, acc)
	return acc
}

// subMul is acc - a*b into acc's register.
func (e *emitter) subMul(acc, a vec, b Op) vec {
	e.pick(VFNMADD231PS, VFNMADD231PD, b, a, acc)
	return acc
}

// mask is the result of a comparison: an opmask in AVX-512, a vector in AVX2.
type mask struct {
	k reg.OpmaskVirtual
	v vec
}

// Predicates of VCMPPS.
const (
	predEQ   = 0
	predUnd  = 3
	predNEU  = 4
	predNLEU = 6
	predEQU  = 8
	predLT   = 17
	predLE   = 18
	predGE   = 29
	predGT   = 30
	predNGEU = 25
)

func (e *emitter) cmp(pred uint64, a vec, b Op) mask {
	if e.zmm {
		k := K()
		e.pick(VCMPPS, VCMPPD, Imm(pred), b, a, k)
		return mask{k: k}
	}
	v := e.v()
	e.pick(VCMPPS, VCMPPD, Imm(pred), b, a, v)
	return mask{v: v}
}

// blend is b where the mask is set and a elsewhere.
func (e *emitter) blend(m mask, a vec, b Op) vec {
	d := e.v()
	if e.zmm {
		e.pick(VBLENDMPS, VBLENDMPD, b, a, m.k, d)
	} else if e.t.size == 8 {
		VBLENDVPD(m.v, b, a, d)
	} else {
		VBLENDVPS(m.v, b, a, d)
	}
	return d
}

// onlyWhere is x where the mask is set and zero elsewhere.
func (e *emitter) onlyWhere(m mask, x Op) vec {
	d := e.v()
	switch {
	case !e.zmm:
		return e.and(m.v, x)
	case e.t.size == 8:
		VMOVUPD_Z(x, m.k, d)
	default:
		VMOVUPS_Z(x, m.k, d)
	}
	return d
}

func (e *emitter) f(x float64) uint64 {
	if e.t.size == 8 {
		return math.Float64bits(x)
	}
	return uint64(math.Float32bits(float32(x)))
}

// c is a float constant in all lanes; call it before the loop.
func (e *emitter) c(x float64) Op { return e.bits(e.f(x)) }

func (e *emitter) signBit() uint64 { return 1 << (8*e.t.size - 1) }

// maximum and minimum have StableHLO's meaning: NaN wins, and -0 is below +0.
func (e *emitter) maximum(a, b vec) vec { return e.extreme(a, b, 5, e.high, e.and) }
func (e *emitter) minimum(a, b vec) vec { return e.extreme(a, b, 4, e.low, e.or) }

func (e *emitter) extreme(a, b vec, rangeImm uint64, pick func(vec, Op) vec, zeros func(vec, Op) vec) vec {
	und := e.cmp(predUnd, a, b)
	if e.zmm {
		d := e.v()
		e.pick(VRANGEPS, VRANGEPD, Imm(rangeImm), b, a, d)
		e.pick(VADDPS, VADDPD, b, a, und.k, d)
		return d
	}
	// both orders differ only for zeros of different sign (and NaN, replaced below)
	d := zeros(pick(a, b), pick(b, a))
	return e.blend(und, d, e.add(a, b))
}

func (e *emitter) round(imm uint64, x vec) vec {
	d := e.v()
	switch {
	case e.zmm:
		e.pick(VRNDSCALEPS, VRNDSCALEPD, Imm(imm), x, d)
	case e.t.size == 8:
		VROUNDPD(Imm(imm), x, d)
	default:
		VROUNDPS(Imm(imm), x, d)
	}
	return d
}

// binary writes the vector-vector, vector-scalar and, unless it commutes, scalar-vector forms of an operation.
func (e *emitter) binary(name string, commutes bool, f func(a, b vec) vec, as ...elem) {
	types := append([]elem{e.t}, as...)
	install := func(form, full, signature string, wrap string) {
		for i, t := range types {
			fn := full
			if i > 0 {
				fn = lower(name) + form + t.name + e.level()
				bound.alias = append(bound.alias, alias{fn, full, fmt.Sprintf(signature, t.gotype)})
			}
			bind(e, fn, fmt.Sprintf("t.%s.%s[%s] = %s(NAME)", t.name, form, name, wrap))
			if form == "VS" && commutes {
				bind(e, fn, fmt.Sprintf("t.%s.SV[%s] = swap(NAME)", t.name, name))
			}
		}
	}
	type form struct{ form, signature, wrap string }
	forms := []form{
		{"VV", "func(dst, a, b *%[1]s, n int)", "vv"},
		{"VS", "func(dst, a *%[1]s, b %[1]s, n int)", "vs"},
	}
	if !commutes {
		forms = append(forms, form{"SV", "func(dst, a *%[1]s, b %[1]s, n int)", "sv"})
	}
	for _, s := range forms {
		full := e.begin(lower(name)+s.form, fmt.Sprintf(s.signature, e.t.gotype))
		dst, a := e.native("dst"), e.native("a")
		var b stream
		var k vec
		if s.form == "VV" {
			b = e.native("b")
		} else {
			k = e.scalar("b")
		}
		e.sweep(length(), 2, func(p *place) {
			x := p.load(a)
			switch s.form {
			case "VV":
				p.store(f(x, p.load(b)), dst)
			case "VS":
				p.store(f(x, k), dst)
			default:
				p.store(f(k, x), dst)
			}
		}, end)
		install(s.form, full, s.signature, s.wrap)
	}
}

func lower(s string) string { return string(s[0]|0x20) + s[1:] }

// unary writes a loop of one operand; prepare loads constants and returns the step.
func (e *emitter) unary(name string, unroll int, prepare func() func(x vec) vec, as ...elem) {
	full := e.begin(lower(name), fmt.Sprintf("func(dst, a *%s, n int)", e.t.gotype))
	dst, a, n := e.native("dst"), e.native("a"), length()
	f := prepare()
	e.sweep(n, unroll, func(p *place) { p.store(f(p.load(a)), dst) }, end)
	bind(e, full, fmt.Sprintf("t.%s.Unary[%s] = un(NAME)", e.t.name, name))
	for _, t := range as {
		fn := lower(name) + t.name + e.level()
		bound.alias = append(bound.alias, alias{fn, full, fmt.Sprintf("func(dst, a *%s, n int)", t.gotype)})
		bind(e, fn, fmt.Sprintf("t.%s.Unary[%s] = un(NAME)", t.name, name))
	}
}

// fixed wraps the VEX instructions, which avo gives a fixed number of operands.
func fixed(f func(a, b, c Op)) func(ops ...Op) {
	return func(ops ...Op) { f(ops[0], ops[1], ops[2]) }
}

// bitwise picks the instruction of a logical operation: AVX-512 has only forms with a lane size.
func (e *emitter) bitwise(vex func(a, b, c Op), d, q func(ops ...Op)) func(a, b vec) vec {
	return func(a, b vec) vec {
		if e.zmm {
			return e.three(d, q, a, b)
		}
		return e.three(fixed(vex), fixed(vex), a, b)
	}
}

func elementwise(zmm bool) {
	for _, t := range []elem{f32, f64} {
		e := &emitter{zmm: zmm, t: t}
		op := func(f func(a vec, b Op) vec) func(a, b vec) vec { return func(a, b vec) vec { return f(a, b) } }
		e.binary("Add", true, op(e.add))
		e.binary("Sub", false, op(e.sub))
		e.binary("Mul", true, op(e.mul))
		e.binary("Div", false, op(e.div))
		e.binary("Max", true, e.maximum)
		e.binary("Min", true, e.minimum)
		e.floatUnary()
		e.axpy()
	}
	for _, t := range []elem{i32, i64} {
		e := &emitter{zmm: zmm, t: t}
		u := u32
		if t.size == 8 {
			u = u64
		}
		op := func(four, eight func(ops ...Op)) func(a, b vec) vec {
			return func(a, b vec) vec { return e.three(four, eight, a, b) }
		}
		e.binary("Add", true, op(VPADDD, VPADDQ), u)
		e.binary("Sub", false, op(VPSUBD, VPSUBQ), u)
		e.binary("And", true, e.bitwise(VPAND, VPANDD, VPANDQ), u)
		e.binary("Or", true, e.bitwise(VPOR, VPORD, VPORQ), u)
		e.binary("Xor", true, e.bitwise(VPXOR, VPXORD, VPXORQ), u)
		e.binary("ShiftLeft", false, op(VPSLLVD, VPSLLVQ), u)
		e.binary("ShiftRightLogical", false, op(VPSRLVD, VPSRLVQ), u)
		if t.size == 4 || zmm {
			e.binary("Mul", true, op(VPMULLD, VPMULLQ), u)
			e.binary("Max", true, op(VPMAXSD, VPMAXSQ))
			e.binary("Min", true, op(VPMINSD, VPMINSQ))
			e.binary("ShiftRightArithmetic", false, op(VPSRAVD, VPSRAVQ), u)
			e.unary("Abs", 2, func() func(vec) vec {
				return func(x vec) vec {
					d := e.v()
					e.pick(VPABSD, VPABSQ, x, d)
					return d
				}
			})
			eu := &emitter{zmm: zmm, t: u}
			eu.binary("Max", true, op(VPMAXUD, VPMAXUQ))
			eu.binary("Min", true, op(VPMINUD, VPMINUQ))
		}
		e.unary("Neg", 2, func() func(vec) vec {
			zero := e.reg(0)
			return func(x vec) vec { return e.three(VPSUBD, VPSUBQ, zero, x) }
		}, u)
		e.unary("Not", 2, func() func(vec) vec {
			ones := e.reg(1<<(8*t.size-1)<<1 - 1)
			return func(x vec) vec { return e.bitwise(VPXOR, VPXORD, VPXORQ)(x, ones) }
		}, u)
	}
	e := &emitter{zmm: zmm, t: u8}
	e.binary("And", true, e.bitwise(VPAND, VPANDD, VPANDQ))
	e.binary("Or", true, e.bitwise(VPOR, VPORD, VPORQ))
	e.binary("Xor", true, e.bitwise(VPXOR, VPXORD, VPXORQ))
	e.binary("Max", true, func(a, b vec) vec { return e.three(VPMAXUB, nil, a, b) })
	e.binary("Min", true, func(a, b vec) vec { return e.three(VPMINUB, nil, a, b) })
	e.unary("Not", 2, func() func(vec) vec {
		ones := e.reg(0xff)
		return func(x vec) vec { return e.bitwise(VPXOR, VPXORD, VPXORQ)(x, ones) }
	})
	for _, t := range []elem{f32, f64, i32, i64, u32, u64} {
		e := &emitter{zmm: zmm, t: t}
		e.compares()
		if t.float {
			e.selects()
		}
	}
}

func (e *emitter) floatUnary() {
	sign := func() Op { return e.bits(e.signBit()) }
	e.unary("Neg", 2, func() func(vec) vec {
		s := sign()
		return func(x vec) vec { return e.xor(x, s) }
	})
	e.unary("Abs", 2, func() func(vec) vec {
		s := e.bits(e.signBit() - 1)
		return func(x vec) vec { return e.and(x, s) }
	})
	e.unary("Sign", 2, func() func(vec) vec {
		s, one, zero := sign(), e.c(1), e.reg(0)
		return func(x vec) vec { return e.blend(e.cmp(predEQU, x, zero), e.or(e.and(x, s), one), x) }
	})
	sqrt := func(x vec) vec {
		d := e.v()
		e.pick(VSQRTPS, VSQRTPD, x, d)
		return d
	}
	e.unary("Sqrt", 2, func() func(vec) vec { return sqrt })
	e.unary("Rsqrt", 2, func() func(vec) vec {
		one := e.reg(e.f(1))
		return func(x vec) vec { return e.div(one, sqrt(x)) }
	})
	for _, r := range []struct {
		name string
		imm  uint64
	}{{"RoundEven", 8}, {"Floor", 9}, {"Ceil", 10}} {
		e.unary(r.name, 2, func() func(vec) vec { return func(x vec) vec { return e.round(r.imm, x) } })
	}
	e.unary("RoundAway", 2, func() func(vec) vec {
		s, one, half := sign(), e.c(1), e.c(0.5)
		abs := e.bits(e.signBit() - 1)
		return func(x vec) vec {
			t := e.round(11, x)
			up := e.onlyWhere(e.cmp(predGE, e.and(e.sub(x, t), abs), half), one)
			return e.add(t, e.or(up, e.and(x, s)))
		}
	})
}

func (e *emitter) axpy() {
	full := e.begin("axpy", fmt.Sprintf("func(dst *%[1]s, s %[1]s, x *%[1]s, n int)", e.t.gotype))
	dst, x, n := e.native("dst"), e.native("x"), length()
	s := e.scalar("s")
	e.sweep(n, 2, func(p *place) {
		d := p.load(dst)
		p.store(e.addMul(d, s, p.load(x)), dst)
	}, end)
	bind(e, full, fmt.Sprintf("t.%s.Axpy = axpyOf(NAME)", e.t.name))
}

// axpy4 writes dst += x[0]*b[0] + ... + x[3]*b[3] over four rows of b, stride apart, in the order of four axpy.
func (e *emitter) axpy4() {
	full := e.begin("axpyRows", fmt.Sprintf("func(dst, x, b *%s, stride, n int)", e.t.gotype))
	dst, x, n := e.native("dst"), Load(Param("x"), GP64()), length()
	stride := Load(Param("stride"), GP64())
	SHLQ(Imm(map[int]uint64{4: 2, 8: 3}[e.t.size]), stride)
	var rows [4]stream
	var s [4]vec
	for i := range rows {
		s[i] = e.v()
		e.broadcast(Mem{Base: x, Disp: i * e.t.size}, s[i])
		if i == 0 {
			rows[0] = e.native("b")
			continue
		}
		next := GP64()
		LEAQ(Mem{Base: rows[i-1].ptr, Index: stride, Scale: 1}, next)
		rows[i] = stream{next, e.t.size}
	}
	e.sweep(n, 2, func(p *place) {
		d := p.load(dst)
		for i, r := range rows {
			e.addMul(d, s[i], p.load(r))
		}
		p.store(d, dst)
	}, end)
	bind(e, full, fmt.Sprintf("t.micro%d.axpyRows = axpyRowsOf(NAME)", 8*e.t.size))
}

// compares writes the six directions, vector-vector and vector-scalar.
func (e *emitter) compares() {
	for i, name := range []string{"EQ", "NE", "LT", "LE", "GT", "GE"} {
		for _, form := range []string{"VV", "VS"} {
			signature := "func(dst *byte, a, b *%[1]s, n int)"
			if form == "VS" {
				signature = "func(dst *byte, a *%[1]s, b %[1]s, n int)"
			}
			full := e.begin("compare"+name+form, fmt.Sprintf(signature, e.t.gotype))
			dst, a := pointer("dst", 1), e.native("a")
			var b stream
			var k vec
			if form == "VV" {
				b = e.native("b")
			} else {
				k = e.scalar("b")
			}
			n := length()
			test := e.test(i)
			ones := e.ones()
			e.sweep(n, 1, func(p *place) {
				x := p.load(a)
				y := k
				if form == "VV" {
					y = p.load(b)
				}
				p.store(e.maskBytes(test(x, y), ones), dst)
			}, end)
			bind(e, full, fmt.Sprintf("t.%s.Compare%s[%s] = cmp%s(NAME)", e.t.name, form, name, form))
		}
	}
}

// test returns the comparison of a direction, numbered as in compares.
func (e *emitter) test(direction int) func(a, b vec) mask {
	if e.t.float {
		pred := []uint64{predEQ, predNEU, predLT, predLE, predGT, predGE}[direction]
		return func(a, b vec) mask { return e.cmp(pred, a, b) }
	}
	if e.zmm {
		pred := []uint64{0, 4, 1, 2, 6, 5}[direction]
		return func(a, b vec) mask {
			k := K()
			if e.t.unsigned {
				e.pick(VPCMPUD, VPCMPUQ, Imm(pred), b, a, k)
			} else {
				e.pick(VPCMPD, VPCMPQ, Imm(pred), b, a, k)
			}
			return mask{k: k}
		}
	}
	bias, ones := data(e.signBit(), e.t.size), data(1<<(8*e.t.size-1)<<1-1, e.t.size)
	return func(a, b vec) mask {
		if e.t.unsigned && direction > 1 {
			a, b = e.xor(a, bias), e.xor(b, bias)
		}
		equal := func() vec { return e.three(VPCMPEQD, VPCMPEQQ, a, b) }
		greater := func(a, b vec) vec { return e.three(VPCMPGTD, VPCMPGTQ, a, b) }
		switch direction {
		case 0:
			return mask{v: equal()}
		case 1:
			return mask{v: e.xor(equal(), ones)}
		case 2:
			return mask{v: greater(b, a)}
		case 3:
			return mask{v: e.xor(greater(a, b), ones)}
		case 4:
			return mask{v: greater(a, b)}
		}
		return mask{v: e.xor(greater(b, a), ones)}
	}
}

// ones is the byte 1 in all bytes of an XMM.
func (e *emitter) ones() Op {
	if e.zmm {
		x := XMM()
		VMOVDQU(data(1, 1), x)
		return x
	}
	return data(1, 1)
}

// maskBytes turns a mask into one byte a lane, 0 or 1.
func (e *emitter) maskBytes(m mask, ones Op) vec {
	x := XMM()
	if e.zmm {
		VMOVDQU8_Z(ones, m.k, x)
		return x
	}
	hi := XMM()
	VEXTRACTI128(Imm(1), m.v, hi)
	VPACKSSDW(hi, m.v.AsX(), x)
	if e.t.size == 8 {
		VPACKSSDW(x, x, x)
	}
	VPACKSSWB(x, x, x)
	VPAND(ones, x, x)
	return x
}

// selects writes the selection loops; other types of the same size use them too.
func (e *emitter) selects() {
	var as []elem
	if e.t.size == 4 {
		as = []elem{i32, u32}
	} else {
		as = []elem{i64, u64}
	}
	for _, form := range []string{"VV", "VS", "SV"} {
		signature := map[string]string{
			"VV": "func(dst *%[1]s, mask *byte, a, b *%[1]s, n int)",
			"VS": "func(dst *%[1]s, mask *byte, a *%[1]s, b %[1]s, n int)",
			"SV": "func(dst *%[1]s, mask *byte, a %[1]s, b *%[1]s, n int)",
		}[form]
		for _, t := range append([]elem{e.t}, as...) {
			u := &emitter{zmm: e.zmm, t: t}
			full := u.begin("select"+form, fmt.Sprintf(signature, t.gotype))
			dst, m := u.native("dst"), pointer("mask", 1)
			var a, b stream
			var ka, kb vec
			if form == "SV" {
				ka = u.scalar("a")
			} else {
				a = u.native("a")
			}
			if form == "VS" {
				kb = u.scalar("b")
			} else {
				b = u.native("b")
			}
			n := length()
			u.sweep(n, 1, func(p *place) {
				bytes := p.load(m)
				x, y := ka, kb
				if x == nil {
					x = p.load(a)
				}
				if y == nil {
					y = p.load(b)
				}
				p.store(u.choose(bytes, x, y), dst)
			}, end)
			bind(u, full, fmt.Sprintf("t.%s.Select%s = sel%s(NAME)", t.name, form, form))
		}
	}
}

// choose is a where the mask byte is not 0, else b.
func (e *emitter) choose(bytes, a, b vec) vec {
	if e.zmm {
		k := K()
		VPTESTMB(bytes, bytes, k)
		return e.blend(mask{k: k}, b, a)
	}
	zero, wide, m := e.v(), e.v(), e.v()
	VPXOR(zero, zero, zero)
	e.pick(VPMOVZXBD, VPMOVZXBQ, bytes, wide)
	e.pick(VPCMPEQD, VPCMPEQQ, wide, zero, m)
	return e.blend(mask{v: m}, a, b)
}
