package kernel

import "math"

// laneBytes is the size of the accumulators of a float reduction: 64 lanes of float32 or 32 of float64, four AVX-512
// registers or eight AVX ones. Element i goes to lane i modulo the number of lanes; at the end the upper half of the
// lanes is folded into the lower one until one is left. The assembly does the same, so all levels agree to the bit.
const laneBytes = 256

// lanesOf returns the number of lanes of a float type.
func lanesOf[T Float]() int {
	if T(1)/3 == T(float32(1)/3) {
		return laneBytes / 4
	}
	return laneBytes / 8
}

// foldTo folds the upper half of the lanes into the lower one until one is left.
func foldTo[T Float](lane []T, f func(a, b T) T) T {
	for h := len(lane) / 2; h > 0; h /= 2 {
		for i := range h {
			lane[i] = f(lane[i], lane[i+h])
		}
	}
	return lane[0]
}

func sumLanes[T Float](x []T) T {
	var acc [laneBytes / 4]T
	lane := acc[:lanesOf[T]()]
	for len(x) >= len(lane) {
		row := x[:len(lane)]
		for i := range lane {
			lane[i] += row[i]
		}
		x = x[len(lane):]
	}
	for i, v := range x {
		lane[i] += v
	}
	return foldTo(lane, func(a, b T) T { return a + b })
}

func productLanes[T Float](x []T) T {
	var acc [laneBytes / 4]T
	lane := acc[:lanesOf[T]()]
	fill(lane, 1)
	for len(x) >= len(lane) {
		row := x[:len(lane)]
		for i := range lane {
			lane[i] *= row[i]
		}
		x = x[len(lane):]
	}
	for i, v := range x {
		lane[i] *= v
	}
	return foldTo(lane, func(a, b T) T { return a * b })
}

func maxFloat[T Float](x []T) T {
	m := T(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func minFloat[T Float](x []T) T {
	m := T(math.Inf(1))
	for _, v := range x {
		m = min(m, v)
	}
	return m
}

func dotLanes[T Float](a, b []T) T {
	b = b[:len(a)]
	var acc [laneBytes / 4]T
	lane := acc[:lanesOf[T]()]
	for len(a) >= len(lane) {
		p, q := a[:len(lane)], b[:len(lane)]
		for i := range lane {
			lane[i] += p[i] * q[i]
		}
		a, b = a[len(lane):], b[len(lane):]
	}
	for i := range a {
		lane[i] += a[i] * b[i]
	}
	return foldTo(lane, func(a, b T) T { return a + b })
}

func axpy[T Float](dst []T, s T, x []T) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += s * x[i]
	}
}

// expSubBlock is how many elements ExpSub handles at a time: they stay in the first-level cache between its steps.
const expSubBlock = 1024

// expSub composes ExpSub from the loops that o has at the time of the call.
func expSub[T Float](o *Ops[T]) func(dst, a []T, m T) T {
	return func(dst, a []T, m T) (sum T) {
		a = a[:len(dst)]
		for len(dst) > 0 {
			n := min(len(dst), expSubBlock)
			d := dst[:n]
			o.VS[Sub](d, a[:n], m)
			o.Unary[Exp](d, d)
			sum += o.Reduce[Add](d)
			dst, a = dst[n:], a[n:]
		}
		return sum
	}
}

func argMax[T Number](x []T) int {
	if len(x) == 0 {
		return -1
	}
	at, best := 0, x[0]
	for i, v := range x {
		if best != best {
			break
		}
		if v > best || v != v {
			at, best = i, v
		}
	}
	return at
}

func argMin[T Number](x []T) int {
	if len(x) == 0 {
		return -1
	}
	at, best := 0, x[0]
	for i, v := range x {
		if best != best {
			break
		}
		if v < best || v != v {
			at, best = i, v
		}
	}
	return at
}

// argBlock is how many elements argByBlocks reduces at a time.
const argBlock = 256

// argByBlocks makes ArgMax or ArgMin from the reduction and the scan: the block that holds the answer is the only one
// scanned.
func argByBlocks[T Number](reduce func(x []T) T, scan func(x []T) int, better func(a, b T) bool) func(x []T) int {
	return func(x []T) int {
		if len(x) <= argBlock {
			return scan(x)
		}
		at := 0
		best := reduce(x[:argBlock])
		for i := argBlock; i < len(x) && best == best; i += argBlock {
			if m := reduce(x[i:min(len(x), i+argBlock)]); better(m, best) || m != m {
				at, best = i, m
			}
		}
		return at + scan(x[at:min(len(x), at+argBlock)])
	}
}
