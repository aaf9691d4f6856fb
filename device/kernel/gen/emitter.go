package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vec = reg.VecVirtual

// elem is an element type that vectors are made of.
type elem struct {
	name     string // F32
	gotype   string // float32
	size     int
	float    bool
	unsigned bool
}

var (
	f32 = elem{"F32", "float32", 4, true, false}
	f64 = elem{"F64", "float64", 8, true, false}
	i32 = elem{"I32", "int32", 4, false, false}
	i64 = elem{"I64", "int64", 8, false, false}
	u32 = elem{"U32", "uint32", 4, false, true}
	u64 = elem{"U64", "uint64", 8, false, true}
	u8  = elem{"U8", "uint8", 1, false, true}
)

// emitter writes the body of one function over vectors of one element type.
type emitter struct {
	zmm bool
	t   elem

	held int // constants that the function being written holds in registers
}

// maxHeld leaves enough of the 32 registers for the work.
const maxHeld = 16

func (e *emitter) level() string {
	if e.zmm {
		return "AVX512"
	}
	return "AVX2"
}

// begin starts a function and returns its full name.
func (e *emitter) begin(name, signature string) string {
	full := name + e.t.name + e.level()
	e.beginAs(full, signature)
	return full
}

func (e *emitter) beginAs(full, signature string) {
	TEXT(full, NOSPLIT, signature)
	e.held = 0
	Pragma("noescape")
}

func (e *emitter) bytes() int {
	if e.zmm {
		return 64
	}
	return 32
}

func (e *emitter) lanes() int { return e.bytes() / e.t.size }

// v is a new vector register.
func (e *emitter) v() vec {
	if e.zmm {
		return ZMM()
	}
	return YMM()
}

// sized is a new register of the given number of bytes, at least an XMM.
func sized(n int) vec {
	switch n {
	case 64:
		return ZMM()
	case 32:
		return YMM()
	}
	return XMM()
}

var constants = map[string]Mem{}

// data is a constant repeated over 64 bytes.
func data(bits uint64, size int) Mem {
	name := fmt.Sprintf("k%d_%0*x", size*8, size*2, bits)
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for at := 0; at < 64; at += size {
		switch size {
		case 1:
			DATA(at, U8(bits))
		case 4:
			DATA(at, U32(bits))
		default:
			DATA(at, U64(bits))
		}
	}
	constants[name] = m
	return m
}

// bits is a constant in all lanes: a register in AVX-512, while there are enough, memory in AVX2. Call it before the
// loop.
func (e *emitter) bits(b uint64) Op {
	if e.zmm && e.held < maxHeld {
		return e.reg(b)
	}
	return data(b, e.t.size)
}

// reg is a constant in a register of its own. Call it before the loop.
func (e *emitter) reg(b uint64) vec {
	e.held++
	r := e.v()
	e.broadcast(data(b, e.t.size), r)
	return r
}

func (e *emitter) broadcast(m Op, r vec) {
	switch e.t.size {
	case 1:
		VPBROADCASTB(m, r)
	case 8:
		VBROADCASTSD(m, r)
	default:
		VBROADCASTSS(m, r)
	}
}

// move copies a constant or register to a new register.
func (e *emitter) move(x Op) vec {
	r := e.v()
	VMOVUPS(x, r)
	return r
}

// stream is a slice that the loop walks along.
type stream struct {
	ptr  reg.Register
	size int
}

func pointer(name string, size int) stream { return stream{Load(Param(name), GP64()), size} }

// native is a stream of the emitter's element type.
func (e *emitter) native(name string) stream { return pointer(name, e.t.size) }

// place is one step of the loop: a vector of elements from index+off on, or the last few of them.
type place struct {
	e     *emitter
	index reg.Register
	off   int
	rem   reg.Register // elements left, in the tail only
	k     reg.OpmaskVirtual
	m     vec // lane mask of the tail in AVX2, for elements of the native size
}

func (p *place) tail() bool { return p.rem != nil }

func (p *place) mem(s stream) Mem {
	return Mem{Base: s.ptr, Index: p.index, Scale: uint8(s.size), Disp: p.off * s.size}
}

// load reads one lane from each element; the register is as wide as the lanes times the stream's element.
func (p *place) load(s stream) vec {
	n := p.e.lanes() * s.size
	r := sized(n)
	m := p.mem(s)
	switch {
	case !p.tail():
		moveBytes(n, m, r)
	case p.e.zmm:
		maskedLoad(s.size, m, p.k, r)
	case s.size == p.e.t.size && s.size >= 4:
		if s.size == 8 {
			VMASKMOVPD(m, p.m, r)
		} else {
			VMASKMOVPS(m, p.m, r)
		}
	default:
		local := p.local()
		zero := YMM()
		VPXOR(zero, zero, zero)
		VMOVDQU(zero, Mem{Base: local})
		p.copyTail(s, local, true)
		moveBytes(n, Mem{Base: local}, r)
	}
	return r
}

// store writes one lane to each element.
func (p *place) store(r vec, s stream) {
	n := p.e.lanes() * s.size
	m := p.mem(s)
	switch {
	case !p.tail():
		moveBytes(n, r, m)
	case p.e.zmm:
		maskedStore(s.size, r, p.k, m)
	case s.size == p.e.t.size && s.size >= 4:
		if s.size == 8 {
			VMASKMOVPD(r, p.m, m)
		} else {
			VMASKMOVPS(r, p.m, m)
		}
	default:
		local := p.local()
		moveBytes(n, r, Mem{Base: local})
		p.copyTail(s, local, false)
	}
}

func (p *place) local() reg.Register {
	base := GP64()
	LEAQ(AllocLocal(32), base)
	return base
}

var labels int

func label(prefix string) string {
	labels++
	return fmt.Sprintf("%s%d", prefix, labels)
}

// copyTail moves the remaining elements between a stream and stack memory one by one: AVX2 has no masks for bytes
// and half words.
func (p *place) copyTail(s stream, local reg.Register, in bool) {
	j, at, loop := GP64(), GP64(), label("copy")
	MOVQ(p.index, at)
	XORQ(j, j)
	Label(loop)
	there := Mem{Base: s.ptr, Index: at, Scale: uint8(s.size), Disp: p.off * s.size}
	here := Mem{Base: local, Index: j, Scale: uint8(s.size)}
	from, to := here, there
	if in {
		from, to = there, here
	}
	switch s.size {
	case 1:
		x := GP8()
		MOVB(from, x)
		MOVB(x, to)
	case 2:
		x := GP16()
		MOVW(from, x)
		MOVW(x, to)
	case 4:
		x := GP32()
		MOVL(from, x)
		MOVL(x, to)
	default:
		x := GP64()
		MOVQ(from, x)
		MOVQ(x, to)
	}
	INCQ(at)
	INCQ(j)
	CMPQ(j, p.rem)
	JNE(LabelRef(loop))
}

func moveBytes(n int, from, to Op) {
	switch n {
	case 4:
		VMOVD(from, to)
	case 8:
		VMOVQ(from, to)
	case 64:
		VMOVUPS(from, to)
	default:
		VMOVUPS(from, to)
	}
}

func maskedLoad(size int, m Mem, k reg.Register, r vec) {
	switch size {
	case 1:
		VMOVDQU8_Z(m, k, r)
	case 2:
		VMOVDQU16_Z(m, k, r)
	case 4:
		VMOVUPS_Z(m, k, r)
	default:
		VMOVUPD_Z(m, k, r)
	}
}

func maskedStore(size int, r vec, k reg.Register, m Mem) {
	switch size {
	case 1:
		VMOVDQU8(r, k, m)
	case 2:
		VMOVDQU16(r, k, m)
	case 4:
		VMOVUPS(r, k, m)
	default:
		VMOVUPD(r, k, m)
	}
}

// sweep emits the loop over n elements: unrolled steps, single steps, then the tail. finish emits the return.
func (e *emitter) sweep(n reg.Register, unroll int, body func(p *place), finish func()) {
	index := GP64()
	rem := GP64()
	XORQ(index, index)
	MOVQ(n, rem)
	step := func(name string, u int) {
		size := uint64(u * e.lanes())
		SUBQ(U32(size), rem)
		JLT(LabelRef(name + "End"))
		Label(name)
		for x := range u {
			body(&place{e: e, index: index, off: x * e.lanes()})
		}
		ADDQ(U32(size), index)
		SUBQ(U32(size), rem)
		JGE(LabelRef(name))
		Label(name + "End")
		ADDQ(U32(size), rem)
	}
	if unroll > 1 {
		step("unrolled", unroll)
	}
	step("single", 1)
	TESTQ(rem, rem)
	JEQ(LabelRef("done"))
	p := &place{e: e, index: index, rem: rem}
	if e.zmm {
		p.k = tailMask(rem)
	} else if e.t.size >= 4 {
		p.m = e.laneMask(rem)
	}
	body(p)
	Label("done")
	finish()
}

func tailMask(rem reg.Register) reg.OpmaskVirtual {
	ones, k := GP64(), K()
	MOVQ(I32(-1), ones)
	BZHIQ(rem, ones, ones)
	KMOVQ(ones, k)
	return k
}

var maskTable *Mem

// laneMask is the AVX2 vector whose first rem lanes are all ones.
func (e *emitter) laneMask(rem reg.Register) vec {
	if maskTable == nil {
		m := GLOBL("laneMask", RODATA|NOPTR)
		for at := range 16 {
			x := U32(0)
			if at < 8 {
				x = 0xffffffff
			}
			DATA(4*at, x)
		}
		maskTable = &m
	}
	base, at, m := GP64(), GP64(), YMM()
	LEAQ(*maskTable, base)
	MOVQ(I32(e.lanes()), at)
	SUBQ(rem, at)
	VMOVUPS(Mem{Base: base, Index: at, Scale: uint8(e.t.size)}, m)
	return m
}

// end emits the return of a function without a result.
func end() {
	VZEROUPPER()
	RET()
}

// scalar broadcasts a scalar parameter.
func (e *emitter) scalar(name string) vec {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := e.v()
	e.broadcast(b.Addr, r)
	return r
}

func length() reg.Register { return Load(Param("n"), GP64()) }
