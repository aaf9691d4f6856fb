package kernel

import "golang.org/x/sys/cpu"

// machineLevels returns the assembly levels that the processor and the operating system support.
func machineLevels() []Level {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA || !x.HasBMI2 {
		return nil
	}
	if !x.HasAVX512F || !x.HasAVX512DQ || !x.HasAVX512BW || !x.HasAVX512VL {
		return []Level{LevelAVX2}
	}
	return []Level{LevelAVX2, LevelAVX512}
}

// setMachine puts the assembly of a level, over that of the levels below, into a table.
func (t *Table) setMachine(l Level) {
	if l >= LevelAVX2 {
		bindAVX2(t)
		bindTransposes(t)
	}
	if l >= LevelAVX512 {
		bindAVX512(t)
	}
	if l >= LevelAVX2 {
		bindPower(t)
		bindArg(&t.F32)
		bindArg(&t.F64)
		bindArg(&t.I32)
	}
	t.Convert.F32Bool = func(dst []uint8, a []float32) { t.F32.CompareVS[NE](dst, a, 0) }
	t.Convert.I32Bool = func(dst []uint8, a []int32) { t.I32.CompareVS[NE](dst, a, 0) }
}

// bindArg builds the positions of extremes on the reductions of the level.
func bindArg[T Number](o *Ops[T]) {
	o.ArgMax = argByBlocks(o.Reduce[Max], argMax[T], func(a, b T) bool { return a > b })
	o.ArgMin = argByBlocks(o.Reduce[Min], argMin[T], func(a, b T) bool { return a < b })
}

// blocks is a transposing move: n blocks of columns of as many rows as its place in a list says.
type blocks[T any] func(dst *T, dstStride int, src *T, srcStride, n int)

func bindTransposes(t *Table) {
	t.F32.Transpose = transposeWith([]blocks[float32]{transposeF32x8, transposeF32x4, transposeF32x2}, 8)
	t.I32.Transpose = transposeWith([]blocks[int32]{transposeI32x8, transposeI32x4, transposeI32x2}, 8)
	t.U32.Transpose = transposeWith([]blocks[uint32]{transposeU32x8, transposeU32x4, transposeU32x2}, 8)
	t.F64.Transpose = transposeWith([]blocks[float64]{transposeF64x4, transposeF64x2}, 4)
	t.I64.Transpose = transposeWith([]blocks[int64]{transposeI64x4, transposeI64x2}, 4)
	t.U64.Transpose = transposeWith([]blocks[uint64]{transposeU64x4, transposeU64x2}, 4)
}

// transposeWith makes a transpose from moves of lanes, lanes/2, ... rows and blocks of lanes columns. Squares are
// visited so that the lines of dst being written stay in the first-level cache.
func transposeWith[T any](move []blocks[T], lanes int) func(dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	return func(dst []T, dstStride int, src []T, srcStride, rows, cols int) {
		if rows <= 0 || cols <= 0 {
			return
		}
		src = src[:(rows-1)*srcStride+cols]
		dst = dst[:(cols-1)*dstStride+rows]
		const square = 64
		for j0 := 0; j0 < cols; j0 += square {
			j1 := min(cols, j0+square)
			n := (j1 - j0) / lanes
			i := 0
			if n > 0 {
				for x, h := 0, lanes; x < len(move); x, h = x+1, h/2 {
					for ; i+h <= rows; i += h {
						move[x](&dst[j0*dstStride+i], dstStride, &src[i*srcStride+j0], srcStride, n)
					}
				}
			}
			transposeSmall(dst, dstStride, src, srcStride, i, rows, j0, j0+n*lanes)
			transposeSmall(dst, dstStride, src, srcStride, 0, rows, j0+n*lanes, j1)
		}
	}
}
