package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// conversion writes one loop between types; the emitter's type is the wider one, which sets the lanes.
func (e *emitter) conversion(name string, dst, src int, dstType, srcType string, prepare func() func(x vec) vec) {
	full := "convert" + name + e.level()
	e.beginAs(full, fmt.Sprintf("func(dst *%s, a *%s, n int)", dstType, srcType))
	d, a, n := pointer("dst", dst), pointer("a", src), length()
	f := prepare()
	e.sweep(n, 1, func(p *place) { p.store(f(p.load(a)), d) }, end)
	bind(e, full, fmt.Sprintf("t.Convert.%s = convert(NAME)", name))
}

func conversions(zmm bool) {
	e := &emitter{zmm: zmm, t: f32}
	w := &emitter{zmm: zmm, t: f64}
	// to is an instruction from one register to another of the destination's width.
	to := func(e *emitter, n int, f func(x, y Op)) func() func(x vec) vec {
		return func() func(x vec) vec {
			return func(x vec) vec {
				d := sized(n * e.lanes())
				f(x, d)
				return d
			}
		}
	}
	any2 := func(f func(ops ...Op)) func(x, y Op) { return func(x, y Op) { f(x, y) } }
	w.conversion("F32F64", 8, 4, "float64", "float32", to(w, 8, any2(VCVTPS2PD)))
	narrow := any2(VCVTPD2PS)
	if !zmm {
		narrow = any2(VCVTPD2PSY)
	}
	w.conversion("F64F32", 4, 8, "float32", "float64", to(w, 4, narrow))
	e.conversion("I32F32", 4, 4, "float32", "int32", to(e, 4, any2(VCVTDQ2PS)))
	e.conversion("F32I32", 4, 4, "int32", "float32", func() func(x vec) vec {
		limit, ones := e.c(0x1p31), e.bits(0xffffffff)
		return func(x vec) vec {
			d := e.v()
			VCVTTPS2DQ(x, d) // 0x80000000 when out of range
			d = e.xor(d, e.onlyWhere(e.cmp(predGE, x, limit), ones))
			return e.onlyWhere(e.cmp(7, x, x), d)
		}
	})
	e.conversion("U8F32", 4, 1, "float32", "uint8", func() func(x vec) vec {
		return func(x vec) vec {
			d := e.v()
			VPMOVZXBD(x, d)
			VCVTDQ2PS(d, d)
			return d
		}
	})
	e.conversion("I8F32", 4, 1, "float32", "int8", func() func(x vec) vec {
		return func(x vec) vec {
			d := e.v()
			VPMOVSXBD(x, d)
			VCVTDQ2PS(d, d)
			return d
		}
	})
	e.conversion("U8I32", 4, 1, "int32", "uint8", to(e, 4, any2(VPMOVZXBD)))
	w.conversion("I32I64", 8, 4, "int64", "int32", to(w, 8, any2(VPMOVSXDQ)))
	w.conversion("I64I32", 4, 8, "int32", "int64", func() func(x vec) vec {
		return func(x vec) vec {
			d := sized(4 * w.lanes())
			if zmm {
				VPMOVQD(x, d)
				return d
			}
			hi := XMM()
			VEXTRACTI128(Imm(1), x, hi)
			VSHUFPS(Imm(0x88), hi, x.AsX(), d)
			return d
		}
	})
	e.conversion("BF16F32", 4, 2, "float32", "uint16", func() func(x vec) vec {
		return func(x vec) vec {
			d := e.v()
			VPMOVZXWD(x, d)
			return e.shift(VPSLLD, VPSLLD, 16, d)
		}
	})
	e.conversion("F32BF16", 2, 4, "uint16", "float32", func() func(x vec) vec {
		one, round, quiet := e.bits(1), e.bits(0x7fff), e.bits(0x40)
		return func(x vec) vec {
			top := e.shift(VPSRLD, VPSRLD, 16, x)
			r := e.iadd(e.iadd(x, round), e.and(top, one))
			r = e.shift(VPSRLD, VPSRLD, 16, r)
			r = e.blend(e.cmp(predUnd, x, x), r, e.or(top, quiet))
			d := sized(2 * e.lanes())
			if zmm {
				VPMOVDW(r, d)
				return d
			}
			hi := XMM()
			VEXTRACTI128(Imm(1), r, hi)
			VPACKUSDW(hi, r.AsX(), d)
			return d
		}
	})
	e.conversion("F16F32", 4, 2, "float32", "uint16", to(e, 4, any2(VCVTPH2PS)))
	e.conversion("F32F16", 2, 4, "uint16", "float32", to(e, 2, func(x, y Op) { VCVTPS2PH(Imm(0), x, y) }))
}
