package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// gemm writes a register tile of mr rows and two vectors of columns. A is a packed panel or, with strided, rows of
// contiguous elements lda apart.
func (e *emitter) gemm(mr int, strided bool) string {
	name, signature := "gemm", "func(k int, a, b, c *%s, ldc int, acc bool)"
	if strided {
		name, signature = "gemmRows", "func(k int, a *%[1]s, lda int, b, c *%[1]s, ldc int, acc bool)"
	}
	full := fmt.Sprintf("%s%s%s", name, e.t.name, e.level())
	e.beginAs(full, fmt.Sprintf(signature, e.t.gotype))
	k, a, b := Load(Param("k"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	bytes := Imm(map[int]uint64{4: 2, 8: 3}[e.t.size])
	SHLQ(bytes, ldc)
	row := GP64()
	MOVQ(c, row)
	for range mr { // the tile of C is needed at the end: ask for it now
		PREFETCHT0(Mem{Base: row})
		PREFETCHT0(Mem{Base: row, Disp: 2*e.bytes() - 1})
		ADDQ(ldc, row)
	}
	element := func(r int) Mem { return Mem{Base: a, Disp: e.t.size * r} }
	next := func() { ADDQ(U32(uint64(e.t.size*mr)), a) }
	if strided {
		lda := Load(Param("lda"), GP64())
		SHLQ(bytes, lda)
		three, a5 := GP64(), GP64()
		LEAQ(Mem{Base: lda, Index: lda, Scale: 2}, three)
		LEAQ(Mem{Base: a, Index: lda, Scale: 4}, a5)
		ADDQ(lda, a5)
		element = func(r int) Mem {
			base := a
			if r >= 5 {
				base, r = a5, r-5
			}
			switch r {
			case 0:
				return Mem{Base: base}
			case 3:
				return Mem{Base: base, Index: three, Scale: 1}
			}
			return Mem{Base: base, Index: lda, Scale: uint8(r)}
		}
		next = func() {
			ADDQ(Imm(uint64(e.t.size)), a)
			ADDQ(Imm(uint64(e.t.size)), a5)
		}
	}
	sum := make([]vec, 2*mr)
	for i := range sum {
		sum[i] = e.v()
		if e.zmm {
			VXORPS(sum[i].AsY(), sum[i].AsY(), sum[i].AsY())
		} else {
			VXORPS(sum[i], sum[i], sum[i])
		}
	}
	Label("loop")
	b0, b1 := e.v(), e.v()
	VMOVUPS(Mem{Base: b}, b0)
	VMOVUPS(Mem{Base: b, Disp: e.bytes()}, b1)
	for r := range mr {
		x := e.v()
		e.broadcast(element(r), x)
		e.addMul(sum[2*r], b0, x)
		e.addMul(sum[2*r+1], b1, x)
	}
	next()
	ADDQ(U32(uint64(2*e.bytes())), b)
	DECQ(k)
	JNE(LabelRef("loop"))
	acc := Load(Param("acc"), GP8())
	TESTB(acc, acc)
	JEQ(LabelRef("store"))
	MOVQ(c, row)
	for r := range mr {
		e.pick(VADDPS, VADDPD, Mem{Base: row}, sum[2*r], sum[2*r])
		e.pick(VADDPS, VADDPD, Mem{Base: row, Disp: e.bytes()}, sum[2*r+1], sum[2*r+1])
		ADDQ(ldc, row)
	}
	Label("store")
	for r := range mr {
		VMOVUPS(sum[2*r], Mem{Base: c})
		VMOVUPS(sum[2*r+1], Mem{Base: c, Disp: e.bytes()})
		ADDQ(ldc, c)
	}
	end()
	return full
}

// packRows writes the copy of k rows of two vectors, src rows stride apart, to a dense panel.
func (e *emitter) packRows() string {
	full := e.begin("packRows", fmt.Sprintf("func(dst, src *%s, stride, k int)", e.t.gotype))
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, k := Load(Param("stride"), GP64()), Load(Param("k"), GP64())
	SHLQ(Imm(map[int]uint64{4: 2, 8: 3}[e.t.size]), stride)
	Label("loop")
	x, y := e.v(), e.v()
	VMOVUPS(Mem{Base: src}, x)
	VMOVUPS(Mem{Base: src, Disp: e.bytes()}, y)
	VMOVUPS(x, Mem{Base: dst})
	VMOVUPS(y, Mem{Base: dst, Disp: e.bytes()})
	ADDQ(stride, src)
	ADDQ(U32(uint64(2*e.bytes())), dst)
	DECQ(k)
	JNE(LabelRef("loop"))
	end()
	return full
}

func gemms(zmm bool) {
	for _, t := range []elem{f32, f64} {
		e := &emitter{zmm: zmm, t: t}
		mr := 6
		if zmm {
			mr = 8
		}
		defer e.axpy4() // after the tile is bound: it is a part of it
		packed, rows, pack := e.gemm(mr, false), e.gemm(mr, true), e.packRows()
		bind(e, packed, fmt.Sprintf("t.micro%d = tile(NAME, %s, %s, %d, %d)", 8*t.size, rows, pack, mr, 2*e.lanes()))
	}
}

// transposes writes the moves of rows x lanes blocks: rows of src become columns of dst. They use AVX2 only.
func transposes() {
	for _, t := range []elem{f32, f64} {
		for rows := 32 / t.size; rows >= 2; rows /= 2 {
			transpose(t, rows)
		}
	}
}

// transpose writes a move of the given number of rows and blocks*lanes columns; the strides are in elements.
func transpose(t elem, rows int) {
	e := &emitter{zmm: false, t: t}
	signature := "func(dst *%[1]s, dstStride int, src *%[1]s, srcStride, blocks int)"
	full := fmt.Sprintf("transpose%sx%d", t.name, rows)
	TEXT(full, NOSPLIT, fmt.Sprintf(signature, t.gotype))
	for _, u := range map[int][]elem{4: {i32, u32}, 8: {i64, u64}}[t.size] {
		name := fmt.Sprintf("transpose%sx%d", u.name, rows)
		bound.alias = append(bound.alias, alias{name, full, fmt.Sprintf(signature, u.gotype)})
	}
	Pragma("noescape")
	dst, ds := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, ss := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n := Load(Param("blocks"), GP64())
	shift := Imm(map[int]uint64{4: 2, 8: 3}[t.size])
	SHLQ(shift, ds)
	SHLQ(shift, ss)
	at := GP64()
	Label("loop")
	MOVQ(src, at)
	in := make([]vec, rows)
	for i := range in {
		in[i] = YMM()
		VMOVUPS(Mem{Base: at}, in[i])
		if i+1 < rows {
			ADDQ(ss, at)
		}
	}
	e.storeColumns(in, func(i int) { ADDQ(ds, dst) }, func() Mem { return Mem{Base: dst} })
	ADDQ(Imm(32), src)
	DECQ(n)
	JNE(LabelRef("loop"))
	end()
}

// storeColumns stores each column of the rows; after a column it calls next.
func (e *emitter) storeColumns(in []vec, next func(i int), to func() Mem) {
	two := func(f func(ops ...Op), a, b vec) vec {
		d := YMM()
		f(b, a, d)
		return d
	}
	imm := func(f func(ops ...Op), i uint64, a, b vec) vec {
		d := YMM()
		f(Imm(i), b, a, d)
		return d
	}
	perm := func(i uint64, a, b vec) vec {
		d := YMM()
		VPERM2F128(Imm(i), b, a, d)
		return d
	}
	hi := func(a vec) vec {
		d := XMM()
		VEXTRACTF128(Imm(1), a, d)
		return d
	}
	out := func(i int, f func(m Mem)) {
		f(to())
		next(i)
	}
	switch {
	case e.t.size == 8 && len(in) == 4:
		l0, h0 := two(VUNPCKLPD, in[0], in[1]), two(VUNPCKHPD, in[0], in[1])
		l1, h1 := two(VUNPCKLPD, in[2], in[3]), two(VUNPCKHPD, in[2], in[3])
		for i, v := range []vec{perm(0x20, l0, l1), perm(0x20, h0, h1), perm(0x31, l0, l1), perm(0x31, h0, h1)} {
			out(i, func(m Mem) { VMOVUPD(v, m) })
		}
	case e.t.size == 8 && len(in) == 2:
		l, h := two(VUNPCKLPD, in[0], in[1]), two(VUNPCKHPD, in[0], in[1])
		for i, v := range []vec{l.AsX().(vec), h.AsX().(vec), hi(l), hi(h)} {
			out(i, func(m Mem) { VMOVUPD(v, m) })
		}
	case len(in) == 2:
		l, h := two(VUNPCKLPS, in[0], in[1]), two(VUNPCKHPS, in[0], in[1])
		lh, hh := hi(l), hi(h)
		i := 0
		for _, v := range []vec{l.AsX().(vec), h.AsX().(vec), lh, hh} {
			out(i, func(m Mem) { VMOVLPS(v, m) })
			out(i+1, func(m Mem) { VMOVHPS(v, m) })
			i += 2
		}
	case len(in) == 4:
		c := e.quads(two, imm, in)
		for i, v := range c {
			out(i, func(m Mem) { VMOVUPS(v.AsX(), m) })
		}
		for i, v := range c {
			out(4+i, func(m Mem) { VEXTRACTF128(Imm(1), v, m) })
		}
	default:
		a, b := e.quads(two, imm, in[:4]), e.quads(two, imm, in[4:])
		for i := range a {
			out(i, func(m Mem) { VMOVUPS(perm(0x20, a[i], b[i]), m) })
		}
		for i := range a {
			out(4+i, func(m Mem) { VMOVUPS(perm(0x31, a[i], b[i]), m) })
		}
	}
}

// quads transposes 4 rows of 8 within halves: result i holds columns i and i+4.
func (e *emitter) quads(two func(func(ops ...Op), vec, vec) vec, imm func(func(ops ...Op), uint64, vec, vec) vec, in []vec) [4]vec {
	l0, h0 := two(VUNPCKLPS, in[0], in[1]), two(VUNPCKHPS, in[0], in[1])
	l1, h1 := two(VUNPCKLPS, in[2], in[3]), two(VUNPCKHPS, in[2], in[3])
	return [4]vec{imm(VSHUFPS, 0x44, l0, l1), imm(VSHUFPS, 0xEE, l0, l1), imm(VSHUFPS, 0x44, h0, h1), imm(VSHUFPS, 0xEE, h0, h1)}
}
