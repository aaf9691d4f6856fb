package kernel

import (
	"math"
	"math/bits"
)

// Key is an unsigned integer whose order is that of the value it was made from.
type Key interface{ uint32 | uint64 }

// Order says how sort keys are made from values.
type Order struct {
	// Descending turns the order round; equal elements still keep their order.
	Descending bool
	// Normalize gives -0 the key of +0 and all NaN one key, above everything else, as JAX's comparators do. Without
	// it floats are in IEEE 754's total order: -NaN, -Inf, ..., -0, +0, ..., +Inf, NaN.
	Normalize bool
}

func (o Order) flip32() uint32 {
	if o.Descending {
		return ^uint32(0)
	}
	return 0
}

func (o Order) flip64() uint64 {
	if o.Descending {
		return ^uint64(0)
	}
	return 0
}

// KeysF32 stores the sort keys of floats.
func KeysF32(dst []uint32, a []float32, o Order) {
	a = a[:len(dst)]
	flip := o.flip32()
	for i, x := range a {
		b := math.Float32bits(x)
		if o.Normalize {
			if x == 0 {
				b = 0
			} else if x != x {
				b = 0x7fc00000
			}
		}
		dst[i] = b ^ (uint32(int32(b)>>31) | 1<<31) ^ flip
	}
}

// KeysF64 stores the sort keys of floats.
func KeysF64(dst []uint64, a []float64, o Order) {
	a = a[:len(dst)]
	flip := o.flip64()
	for i, x := range a {
		b := math.Float64bits(x)
		if o.Normalize {
			if x == 0 {
				b = 0
			} else if x != x {
				b = 0x7ff8 << 48
			}
		}
		dst[i] = b ^ (uint64(int64(b)>>63) | 1<<63) ^ flip
	}
}

// ValuesF32 stores the floats that keys were made from; with Normalize, the normalized ones.
func ValuesF32(dst []float32, keys []uint32, o Order) {
	keys = keys[:len(dst)]
	flip := o.flip32()
	for i, k := range keys {
		k ^= flip
		dst[i] = math.Float32frombits(k ^ (^uint32(int32(k)>>31) | 1<<31))
	}
}

// ValuesF64 stores the floats that keys were made from; with Normalize, the normalized ones.
func ValuesF64(dst []float64, keys []uint64, o Order) {
	keys = keys[:len(dst)]
	flip := o.flip64()
	for i, k := range keys {
		k ^= flip
		dst[i] = math.Float64frombits(k ^ (^uint64(int64(k)>>63) | 1<<63))
	}
}

// KeysInt stores the sort keys of integers of up to the key's width.
func KeysInt[K Key, T Integer](dst []K, a []T, o Order) {
	a = a[:len(dst)]
	var sign, flip K
	if lowest, _ := limits[T](); lowest != 0 {
		sign = 1 << (bits.Len64(uint64(^K(0))) - 1)
	}
	if o.Descending {
		flip = ^flip
	}
	for i, x := range a {
		dst[i] = K(x) ^ sign ^ flip
	}
}

// ValuesInt stores the integers that keys were made from.
func ValuesInt[K Key, T Integer](dst []T, keys []K, o Order) {
	keys = keys[:len(dst)]
	var sign, flip K
	if lowest, _ := limits[T](); lowest != 0 {
		sign = 1 << (bits.Len64(uint64(^K(0))) - 1)
	}
	if o.Descending {
		flip = ^flip
	}
	for i, k := range keys {
		dst[i] = T(k ^ sign ^ flip)
	}
}

// Radix sizes. Few elements take insertion; a middling number digits whose counters fit beside the data; many the
// widest digits whose counters stay in the first-level cache.
const (
	insertionMax = 48
	wideDigitMin = 4096
	wideDigit    = 11
	narrowDigit  = 8
)

// SortKeys sorts keys ascending and moves index, unless it is nil, along with them; equal keys keep their order. tmp
// must be as long as keys and tmpIndex as long as index; what they hold afterwards is unspecified. The time is linear
// in the number of keys.
func SortKeys[K Key](keys []K, index []int32, tmp []K, tmpIndex []int32) {
	n := len(keys)
	tmp = tmp[:n]
	if index != nil {
		index, tmpIndex = index[:n], tmpIndex[:n]
	}
	if n <= insertionMax {
		insertionSort(keys, index)
		return
	}
	digit := narrowDigit
	if n >= wideDigitMin {
		digit = wideDigit
	}
	var counters [1 << wideDigit]int32
	width := bits.Len64(uint64(^K(0)))
	all, any := ^K(0), K(0) // bits that are one in all keys, and in any: digits without difference are left out
	for _, k := range keys {
		all &= k
		any |= k
	}
	from, to, fromIndex, toIndex := keys, tmp, index, tmpIndex
	for shift := 0; shift < width; shift += digit {
		count := counters[:1<<min(digit, width-shift)]
		mask := K(len(count) - 1)
		if (all^any)>>shift&mask == 0 {
			continue
		}
		clear(count)
		for _, k := range from {
			count[k>>shift&mask]++
		}
		var at int32
		for i, c := range count {
			count[i] = at
			at += c
		}
		scatter(to, from, toIndex, fromIndex, count, shift)
		from, to, fromIndex, toIndex = to, from, toIndex, fromIndex
	}
	if &from[0] != &keys[0] {
		copy(keys, from)
		copy(index, fromIndex)
	}
}

// scatter moves every key to the next place of its digit.
func scatter[K Key](to, from []K, toIndex, fromIndex, count []int32, shift int) {
	mask := K(len(count) - 1)
	if fromIndex == nil {
		for _, k := range from {
			d := k >> shift & mask
			to[count[d]] = k
			count[d]++
		}
		return
	}
	fromIndex = fromIndex[:len(from)]
	for i, k := range from {
		d := k >> shift & mask
		at := count[d]
		count[d] = at + 1
		to[at] = k
		toIndex[at] = fromIndex[i]
	}
}

func insertionSort[K Key](keys []K, index []int32) {
	for i := 1; i < len(keys); i++ {
		k := keys[i]
		j := i
		if index == nil {
			for ; j > 0 && keys[j-1] > k; j-- {
				keys[j] = keys[j-1]
			}
			keys[j] = k
			continue
		}
		x := index[i]
		for ; j > 0 && keys[j-1] > k; j-- {
			keys[j], index[j] = keys[j-1], index[j-1]
		}
		keys[j], index[j] = k, x
	}
}
