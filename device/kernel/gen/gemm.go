package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// gemm writes a register tile of mr rows and two vectors of columns. A is columns of mr contiguous elements, lda apart
// (mr in a packed panel), or, with strided, rows of contiguous elements lda apart.
func (e *emitter) gemm(mr int, strided bool) string {
	name, signature := "gemm", "func(k int, a *%[1]s, lda int, b, c *%[1]s, ldc int, acc bool)"
	if strided {
		name = "gemmRows"
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
	lda := Load(Param("lda"), GP64())
	SHLQ(bytes, lda)
	next := func() { ADDQ(lda, a) }
	if strided {
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
