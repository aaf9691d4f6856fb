package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// threefry writes the 20 rounds of Threefry-2x32 over two slices in place. k2 is the parity word of the key.
func threefry(zmm bool) {
	e := &emitter{zmm: zmm, t: u32}
	full := "threefry" + e.level()
	e.beginAs(full, "func(k0, k1, k2 uint32, x0, x1 *uint32, n int)")
	s0, s1, n := pointer("x0", 4), pointer("x1", 4), length()
	ks := []vec{e.scalar("k0"), e.scalar("k1"), e.scalar("k2")}
	var inject []vec
	for i := range 5 {
		c := e.reg(uint64(i + 1))
		VPADDD(ks[(i+2)%3], c, c)
		inject = append(inject, c)
	}
	e.sweep(n, 1, func(p *place) {
		a := e.iadd(p.load(s0), ks[0])
		b := e.iadd(p.load(s1), ks[1])
		for i := range 5 {
			for _, r := range [][]uint64{{13, 15, 26, 6}, {17, 29, 16, 24}}[i%2] {
				a = e.iadd(a, b)
				if zmm {
					VPROLD(Imm(r), b, b)
					VPXORD(a, b, b)
					continue
				}
				left := e.shift(VPSLLD, VPSLLD, r, b)
				b = e.shift(VPSRLD, VPSRLD, 32-r, b)
				VPOR(left, b, b)
				VPXOR(a, b, b)
			}
			a = e.iadd(a, ks[(i+1)%3])
			b = e.iadd(b, inject[i])
		}
		p.store(a, s0)
		p.store(b, s1)
	}, end)
	bind(e, full, "t.Threefry = threefryOf(NAME)")
}
