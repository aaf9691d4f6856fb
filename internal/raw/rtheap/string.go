package rtheap

import (
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func floatBits(f float64) uint64 { return math.Float64bits(f) }
func bitsFloat(b uint64) float64 { return math.Float64frombits(b) }

// NewString makes a string of b's bytes, which need not be text.
func (h *Heap) NewString(b []byte) (Value, Code) {
	return h.newString(uint64(len(b)), func(to []byte) { copy(to, b) })
}

// newString makes a string of n bytes that fill writes. A NUL follows them.
func (h *Heap) newString(n uint64, fill func([]byte)) (Value, Code) {
	if n >= h.maxLen {
		return Nil, BadSize
	}
	return h.newObject(String, n+1, uint32(n), 0, func(blk uint32) {
		b := h.bytes(blk, n+1)
		fill(b[:n])
		b[n] = 0
	})
}

// StringLen is the number of bytes, -1 for what is no string.
func (h *Heap) StringLen(v Value) (int64, Code) { return h.fields(v, String) }

// StringAddr is the address of the bytes, 0 for what is no string: they stay until the last count is let go, and the
// address stays mapped.
func (h *Heap) StringAddr(v Value) (uintptr, Code) {
	s := h.slot(v)
	if s.live(v, String) {
		if blk := atomic.LoadUint32(&s.blk); s.live(v, String) {
			return uintptr(mem.AddrOfPtr(h.word(blk, 0))), OK
		}
	}
	return 0, h.refused(v)
}

// StringBytes is a copy of the bytes.
func (h *Heap) StringBytes(v Value) ([]byte, Code) {
	b, code := h.lend(v)
	if code != OK {
		return nil, code
	}
	out := append([]byte{}, b...)
	if !h.slot(v).still(v, String) { // it died meanwhile: what was copied may be another's
		return nil, h.refused(v)
	}
	return out, OK
}

// lend is the bytes of a string while the caller, or somebody else, counts it.
func (h *Heap) lend(v Value) ([]byte, Code) {
	s := h.slot(v)
	if s.live(v, String) {
		blk, n := atomic.LoadUint32(&s.blk), atomic.LoadUint32(&s.len)
		if s.live(v, String) {
			return h.bytes(blk, uint64(n)), OK
		}
	}
	return nil, h.refused(v)
}

// Concat makes a string of a's bytes and then b's.
func (h *Heap) Concat(a, b Value) (Value, Code) {
	// Both are counted meanwhile: their bytes stay.
	for i, v := range [2]Value{a, b} {
		if v.kind() != String || !v.IsHandle() || !h.Retain(v) {
			if i == 1 {
				h.Release(a)
			}
			return Nil, h.refused(v)
		}
	}
	x, _ := h.lend(a)
	y, _ := h.lend(b)
	v, code := h.newString(uint64(len(x))+uint64(len(y)), func(to []byte) { copy(to[copy(to, x):], y) })
	h.Release(a)
	h.Release(b)
	return v, code
}

// The hash is that of wyhash's kind: products of 128 bits, folded, with the heap's seed in each.
const (
	hash0 = 0xa0761d6478bd642f
	hash1 = 0xe7037ed1a0b428db
	hash2 = 0x8ebc6af09c88c6e3
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashWord hashes a value that is a word.
func (h *Heap) hashWord(w uint64) uint64 { return fold(fold(w^hash0, h.seed^hash1), w^hash2) }

// hashBytes hashes the bytes of a string. It is not 0.
func (h *Heap) hashBytes(b []byte) uint64 { return hashOf(h.seed, b) }

func hashOf[T string | []byte](seed uint64, b T) uint64 {
	x := seed ^ uint64(len(b))
	for ; len(b) > 16; b = b[16:] {
		x = fold(load(b)^hash1, load(b[8:])^x)
	}
	var last [16]byte
	copy(last[:], b)
	x = fold(load(last[:])^hash1, load(last[8:])^x)
	return max(fold(x^hash0, seed^hash2), 1)
}

// load is the first eight bytes.
func load[T string | []byte](b T) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
