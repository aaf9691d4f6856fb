package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// laneBytes is the size of all accumulators together, as in package kernel.
const laneBytes = 256

// reduction writes a fold of one slice, or with dot of the products of two.
func (e *emitter) reduction(name, op string, identity uint64, f func(a, b vec) vec, dot bool) {
	signature := fmt.Sprintf("func(x *%[1]s, n int) %[1]s", e.t.gotype)
	if dot {
		signature = fmt.Sprintf("func(x, y *%[1]s, n int) %[1]s", e.t.gotype)
	}
	full := e.begin(name, signature)
	x := e.native("x")
	var y stream
	if dot {
		y = e.native("y")
	}
	n := length()
	id := e.reg(identity)
	regs := laneBytes / e.bytes()
	acc := make([]vec, regs)
	for i := range acc {
		acc[i] = e.v()
		VMOVAPS(id, acc[i])
	}
	index, rem := GP64(), GP64()
	XORQ(index, index)
	MOVQ(n, rem)
	into := func(i int, v vec) { VMOVAPS(v, acc[i]) }
	step := func(p *place, i int) {
		if dot {
			e.addMul(acc[i], p.load(x), p.load(y))
			return
		}
		v := p.load(x)
		switch {
		case !p.tail() || identity == 0:
		case e.zmm:
			v = e.blend(mask{k: p.k}, id, v)
		default:
			v = e.blend(mask{v: p.m}, id, v)
		}
		into(i, f(acc[i], v))
	}
	block := uint64(laneBytes / e.t.size)
	SUBQ(U32(block), rem)
	JLT(LabelRef("rest"))
	Label("block")
	for i := range acc {
		step(&place{e: e, index: index, off: i * e.lanes()}, i)
	}
	ADDQ(U32(block), index)
	SUBQ(U32(block), rem)
	JGE(LabelRef("block"))
	Label("rest")
	ADDQ(U32(block), rem)
	// the rest: whole vectors, then a part of one, each into its own accumulator
	for i := range acc {
		off := i * e.lanes()
		next := fmt.Sprintf("next%d", i)
		CMPQ(rem, U32(uint64(e.lanes())))
		JLT(LabelRef(fmt.Sprintf("part%d", i)))
		step(&place{e: e, index: index, off: off}, i)
		SUBQ(U32(uint64(e.lanes())), rem)
		JMP(LabelRef(next))
		Label(fmt.Sprintf("part%d", i))
		TESTQ(rem, rem)
		JEQ(LabelRef("fold"))
		p := &place{e: e, index: index, off: off, rem: rem}
		if e.zmm {
			p.k = tailMask(rem)
		} else {
			p.m = e.laneMask(rem)
		}
		step(p, i)
		XORQ(rem, rem)
		Label(next)
	}
	Label("fold")
	for h := regs / 2; h > 0; h /= 2 {
		for i := range h {
			into(i, f(acc[i], acc[i+h]))
		}
	}
	r := e.foldRegister(acc[0], f)
	if e.t.float {
		Store(r, ReturnIndex(0))
	} else if e.t.size == 4 {
		g := GP32()
		VMOVD(r, g)
		Store(g, ReturnIndex(0))
	} else {
		g := GP64()
		VMOVQ(r, g)
		Store(g, ReturnIndex(0))
	}
	VZEROUPPER()
	RET()
	switch {
	case dot:
		bind(e, full, fmt.Sprintf("t.%s.Dot = dotOf(NAME)", e.t.name))
	default:
		bind(e, full, fmt.Sprintf("t.%s.Reduce[%s] = reduceOf(NAME, t.%s.Reduce[%s](nil))", e.t.name, op, e.t.name, op))
	}
}

// foldRegister folds the lanes of one register in halves; the result is in lane 0 of an XMM.
func (e *emitter) foldRegister(a vec, f func(a, b vec) vec) reg.Register {
	y := a
	ye := &emitter{zmm: false, t: e.t}
	if e.zmm {
		lo, hi := YMM(), YMM()
		VEXTRACTF64X4(Imm(1), a, hi)
		VEXTRACTF64X4(Imm(0), a, lo)
		y = e.narrowFold(ye, lo, hi)
	}
	hi, lo := XMM(), XMM()
	VEXTRACTF128(Imm(1), y, hi)
	VMOVAPS(y.AsX(), lo)
	x := e.narrowFold(ye, lo, hi)
	half := XMM()
	VPERMILPD(Imm(1), x, half)
	x = e.narrowFold(ye, x, half)
	if e.t.size == 4 {
		one := XMM()
		VPERMILPS(Imm(1), x, one)
		x = e.narrowFold(ye, x, one)
	}
	return x
}

// foldNarrow is the operation on YMM or XMM registers, set while a reduction is written.
var foldNarrow func(ye *emitter, a, b vec) vec

func (e *emitter) narrowFold(ye *emitter, a, b vec) vec { return foldNarrow(ye, a, b) }

// narrow3 is three for a and b of any width.
func narrow3(size int, four, eight func(ops ...Op), a, b vec) vec {
	d := sized(int(a.Size()))
	if size == 8 {
		eight(b, a, d)
	} else {
		four(b, a, d)
	}
	return d
}

func reductions(zmm bool) {
	for _, t := range []elem{f32, f64} {
		e := &emitter{zmm: zmm, t: t}
		simple := func(four, eight func(ops ...Op)) func(a, b vec) vec {
			foldNarrow = func(_ *emitter, a, b vec) vec { return narrow3(t.size, four, eight, a, b) }
			return func(a, b vec) vec { return e.three(four, eight, a, b) }
		}
		e.reduction("sum", "Add", 0, simple(VADDPS, VADDPD), false)
		e.reduction("dot", "", 0, simple(VADDPS, VADDPD), true)
		e.reduction("product", "Mul", e.f(1), simple(VMULPS, VMULPD), false)
		extreme := func(pick4, pick8, zeros4, zeros8 func(ops ...Op)) {
			foldNarrow = func(_ *emitter, a, b vec) vec {
				und, sum := sized(int(a.Size())), narrow3(t.size, VADDPS, VADDPD, a, b)
				d := narrow3(t.size, zeros4, zeros8, narrow3(t.size, pick4, pick8, a, b), narrow3(t.size, pick4, pick8, b, a))
				r := sized(int(a.Size()))
				if t.size == 8 {
					VCMPPD(Imm(predUnd), b, a, und)
					VBLENDVPD(und, sum, d, r)
				} else {
					VCMPPS(Imm(predUnd), b, a, und)
					VBLENDVPS(und, sum, d, r)
				}
				return r
			}
		}
		extreme(VMAXPS, VMAXPD, VANDPS, VANDPD)
		e.reduction("max", "Max", e.f(math.Inf(-1)), e.maximum, false)
		extreme(VMINPS, VMINPD, VORPS, VORPD)
		e.reduction("min", "Min", e.f(math.Inf(1)), e.minimum, false)
	}
	e := &emitter{zmm: zmm, t: i32}
	simple := func(four func(ops ...Op)) func(a, b vec) vec {
		foldNarrow = func(_ *emitter, a, b vec) vec { return narrow3(4, four, four, a, b) }
		return func(a, b vec) vec { return e.three(four, four, a, b) }
	}
	e.reduction("sum", "Add", 0, simple(VPADDD), false)
	e.reduction("product", "Mul", 1, simple(VPMULLD), false)
	e.reduction("max", "Max", 1<<31, simple(VPMAXSD), false)
	e.reduction("min", "Min", 1<<31-1, simple(VPMINSD), false)
}
