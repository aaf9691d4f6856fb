package eval

import (
	"fmt"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// rng draws from a distribution. The specification leaves the numbers open; they follow from Options.Seed.
func rng(r *runner, op *stablehlo.Op, in []*Tensor) (*Tensor, error) {
	a, _ := op.Attr.(stablehlo.RNGAttr)
	dims, err := intsOf(in[2])
	if err != nil {
		return nil, fmt.Errorf("shape %w", err)
	}
	if in[0].Len() != 1 || in[1].Len() != 1 {
		return nil, fmt.Errorf("parameters are %v and %v, want scalars", in[0].Type, in[1].Type)
	}
	out, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	elem := out.Type.Elem
	one := newLane(elem, 1)
	switch elem.Kind() {
	case dtype.Float:
		p, q := in[0].floats()[0], in[1].floats()[0]
		for k := range out.Len() {
			if a.Distribution == stablehlo.RNGNormal {
				one.f[0] = p + q*r.rng.NormFloat64()
			} else {
				one.f[0] = p + (q-p)*r.rng.Float64()
				if rounded := roundFloat(elem, one.f[0]); rounded >= q && p < q {
					one.f[0] = p // rounding up to the open end
				}
			}
			one.storeOne(0, out.Data, k)
		}
	case dtype.Complex:
		return nil, fmt.Errorf("of %v: %w", elem, ErrUnsupported)
	default:
		if a.Distribution == stablehlo.RNGNormal {
			return nil, fmt.Errorf("normal distribution of %v: %w", elem, ErrUnsupported)
		}
		lo, hi := in[0].ints()[0], in[1].ints()[0]
		span := uint64(hi - lo)
		for k := range out.Len() {
			one.i[0] = lo
			if span > 0 {
				one.i[0] += int64(r.rng.Uint64N(span))
			}
			one.storeOne(0, out.Data, k)
		}
	}
	return out, nil
}

// rngBitGenerator makes the same bits as XLA does from the same state.
func rngBitGenerator(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, _ := op.Attr.(stablehlo.RNGBitGeneratorAttr)
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	if len(op.Results) != 2 || ts[0].Type.Elem != dtype.U64 {
		return nil, fmt.Errorf("state %v, not of ui64: %w", ts[0].Type, ErrUnsupported)
	}
	var state []uint64
	for _, v := range ts[0].ints() {
		state = append(state, uint64(v))
	}
	next, err := r.out(op, 0, ts[0].Type.Dims)
	if err != nil {
		return nil, err
	}
	if !op.Results[1].Type.Static() {
		return nil, fmt.Errorf("result of unknown shape: %w", ErrUnsupported)
	}
	out, err := r.out(op, 1, op.Results[1].Type.Dims)
	if err != nil {
		return nil, err
	}
	switch {
	case a.Algorithm == stablehlo.RNGThreeFry && len(state) == 2:
		state = threeFryBits(state, out)
	case a.Algorithm != stablehlo.RNGThreeFry && (len(state) == 2 || len(state) == 3):
		state = philoxBits(state, out)
	default:
		return nil, fmt.Errorf("state of %d numbers", len(state))
	}
	v := make([]int64, len(state))
	for i, s := range state {
		v[i] = int64(s)
	}
	encodeInts(dtype.U64, v, next.Data)
	return []Value{next, out}, nil
}

// putBits stores the low bits of v as element k; floats get the bits as they are.
func putBits(t *Tensor, k int, v uint64) {
	if t.Type.Elem.Bits() < 64 {
		v &= 1<<t.Type.Elem.Bits() - 1
	}
	setBits(t, k, v)
}

// threeFry2x32 is 20 rounds of Threefry on two words.
func threeFry2x32(key, x [2]uint32) [2]uint32 {
	rotations := [2][4]int{{13, 15, 26, 6}, {17, 29, 16, 24}}
	ks := [3]uint32{key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA}
	x[0] += ks[0]
	x[1] += ks[1]
	for i := range 5 {
		for _, rot := range rotations[i%2] {
			x[0] += x[1]
			x[1] = bits.RotateLeft32(x[1], rot) ^ x[0]
		}
		x[0] += ks[(i+1)%3]
		x[1] += ks[(i+2)%3] + uint32(i+1)
	}
	return x
}

func words(v uint64) [2]uint32 { return [2]uint32{uint32(v), uint32(v >> 32)} }

// threeFryBits fills out from state (key, counter). 64-bit elements take one block each; narrower ones take half a
// block, where the blocks run over the shape with one dimension halved: the first even one, else the largest.
func threeFryBits(state []uint64, out *Tensor) []uint64 {
	key := words(state[0])
	n := out.Len()
	if out.Type.Elem.Bits() == 64 {
		for k := range n {
			b := threeFry2x32(key, words(state[1]+uint64(k)))
			putBits(out, k, uint64(b[0])|uint64(b[1])<<32)
		}
		return []uint64{state[0], state[1] + uint64(n)}
	}
	dims := out.Type.Dims
	if len(dims) == 0 {
		dims = []int64{1}
	}
	split := -1
	for d, size := range dims {
		if size%2 == 0 {
			split = d
			break
		}
	}
	if split < 0 {
		split = 0
		for d, size := range dims {
			if size > dims[split] {
				split = d
			}
		}
	}
	half := append([]int64(nil), dims...)
	half[split] = (dims[split] + 1) / 2
	step := strides(dims)
	idx := make([]int, len(dims))
	blocks := product(half)
	for k := range blocks {
		b := threeFry2x32(key, words(state[1]+uint64(k)))
		p := 0
		for d, i := range idx {
			if d == split {
				i *= 2
			}
			p += i * step[d]
		}
		putBits(out, p, uint64(b[0]))
		if 2*idx[split]+1 < int(dims[split]) {
			putBits(out, p+step[split], uint64(b[1]))
		}
		next(idx, half)
	}
	return []uint64{state[0], state[1] + uint64(blocks)}
}

// philox4x32 is 10 rounds of Philox on four words.
func philox4x32(x [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		h0, l0 := bits.Mul32(x[0], 0xD2511F53)
		h1, l1 := bits.Mul32(x[2], 0xCD9E8D57)
		x = [4]uint32{h1 ^ x[1] ^ key[0], l1, h0 ^ x[3] ^ key[1], l0}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return x
}

// philoxBits fills out from state (key, counter low, counter high), four 32-bit words a block. Where the state has only
// two numbers, XLA takes the key as the high half of the counter.
func philoxBits(state []uint64, out *Tensor) []uint64 {
	key := words(state[0])
	lo, hi := state[1], state[0]
	if len(state) == 3 {
		hi = state[2]
	}
	per := 4
	if out.Type.Elem.Bits() == 64 {
		per = 2
	}
	n := out.Len()
	blocks := (n + per - 1) / per
	for k := range blocks {
		cl, carry := bits.Add64(lo, uint64(k), 0)
		ch := hi + carry
		a, b := words(cl), words(ch)
		x := philox4x32([4]uint32{a[0], a[1], b[0], b[1]}, key)
		for j := range min(per, n-k*per) {
			if per == 2 {
				putBits(out, 2*k+j, uint64(x[2*j])|uint64(x[2*j+1])<<32)
			} else {
				putBits(out, 4*k+j, uint64(x[j]))
			}
		}
	}
	newLo, carry := bits.Add64(lo, uint64(blocks), 0)
	next := []uint64{state[0], newLo}
	if len(state) == 3 {
		next = append(next, hi+carry)
	}
	return next
}
