package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// transposes writes the moves of rows x lanes blocks: rows of src become columns of dst.
func transposes() {
	for _, t := range []elem{f32, f64} {
		transpose(&emitter{zmm: true, t: t}, 64/t.size)
		for rows := 32 / t.size; rows >= 2; rows /= 2 {
			transpose(&emitter{t: t}, rows)
		}
	}
}

// transpose writes a move of the given number of rows and blocks*lanes columns; the strides are in elements.
func transpose(e *emitter, rows int) {
	t := e.t
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
		in[i] = e.v()
		VMOVUPS(Mem{Base: at}, in[i])
		if i+1 < rows {
			ADDQ(ss, at)
		}
	}
	next, to := func(int) { ADDQ(ds, dst) }, func() Mem { return Mem{Base: dst} }
	if e.zmm {
		e.storeSquare(in, next, to)
	} else {
		e.storeColumns(in, next, to)
	}
	ADDQ(Imm(uint64(e.bytes())), src)
	DECQ(n)
	JNE(LabelRef("loop"))
	end()
}

// storeSquare stores the columns of as many rows as an AVX-512 register has lanes: first within 128-bit parts, which
// then change places.
func (e *emitter) storeSquare(in []vec, next func(i int), to func() Mem) {
	two := func(f func(ops ...Op), a, b vec) vec {
		d := ZMM()
		f(b, a, d)
		return d
	}
	parts := func(imm uint64, a, b vec) vec {
		d := ZMM()
		VSHUFF32X4(Imm(imm), b, a, d)
		return d
	}
	wide := 16 / e.t.size // columns in a part
	var group [4][]vec    // group g, register c: part p holds column p*wide+c of the rows of the group
	for g := range group {
		r := in[g*wide : (g+1)*wide]
		if e.t.size == 8 {
			group[g] = []vec{two(VUNPCKLPD, r[0], r[1]), two(VUNPCKHPD, r[0], r[1])}
			continue
		}
		l0, h0 := two(VUNPCKLPS, r[0], r[1]), two(VUNPCKHPS, r[0], r[1])
		l1, h1 := two(VUNPCKLPS, r[2], r[3]), two(VUNPCKHPS, r[2], r[3])
		group[g] = []vec{two(VUNPCKLPD, l0, l1), two(VUNPCKHPD, l0, l1), two(VUNPCKLPD, h0, h1), two(VUNPCKHPD, h0, h1)}
	}
	out := make([]vec, len(in))
	for c := range wide {
		a, b := parts(0x88, group[0][c], group[1][c]), parts(0xDD, group[0][c], group[1][c])
		x, y := parts(0x88, group[2][c], group[3][c]), parts(0xDD, group[2][c], group[3][c])
		out[c], out[2*wide+c] = parts(0x88, a, x), parts(0xDD, a, x)
		out[wide+c], out[3*wide+c] = parts(0x88, b, y), parts(0xDD, b, y)
	}
	for i, v := range out {
		VMOVUPS(v, to())
		next(i)
	}
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
