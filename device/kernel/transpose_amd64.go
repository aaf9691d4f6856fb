package kernel

// blocks is a transposing move: n blocks, side by side, of as many columns as a register has lanes; the number of rows
// is that of its place in mover.
type blocks[T any] func(dst *T, dstStride int, src *T, srcStride, n int)

// mover is the transposing moves of one element type.
type mover[T any] struct {
	square blocks[T]   // 2*lanes rows, blocks of 2*lanes columns, AVX-512; may be nil
	strip  []blocks[T] // lanes, lanes/2, ..., 2 rows, blocks of lanes columns, AVX2
	lanes  int
}

func bindTransposes(t *Table, l Level) {
	f32 := mover[float32]{strip: []blocks[float32]{transposeF32x8, transposeF32x4, transposeF32x2}, lanes: 8}
	i32 := mover[int32]{strip: []blocks[int32]{transposeI32x8, transposeI32x4, transposeI32x2}, lanes: 8}
	u32 := mover[uint32]{strip: []blocks[uint32]{transposeU32x8, transposeU32x4, transposeU32x2}, lanes: 8}
	f64 := mover[float64]{strip: []blocks[float64]{transposeF64x4, transposeF64x2}, lanes: 4}
	i64 := mover[int64]{strip: []blocks[int64]{transposeI64x4, transposeI64x2}, lanes: 4}
	u64 := mover[uint64]{strip: []blocks[uint64]{transposeU64x4, transposeU64x2}, lanes: 4}
	if l >= LevelAVX512 {
		f32.square, i32.square, u32.square = transposeF32x16, transposeI32x16, transposeU32x16
		f64.square, i64.square, u64.square = transposeF64x8, transposeI64x8, transposeU64x8
	}
	t.F32.Transpose, t.I32.Transpose, t.U32.Transpose = f32.transpose, i32.transpose, u32.transpose
	t.F64.Transpose, t.I64.Transpose, t.U64.Transpose = f64.transpose, i64.transpose, u64.transpose
}

func (m *mover[T]) transpose(dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	src = src[:(rows-1)*srcStride+cols]
	dst = dst[:(cols-1)*dstStride+rows]
	// Two registers of columns at a time: their lines of dst, when a power of two apart, all compete for the same few
	// places of the first-level cache.
	wide := 2 * m.lanes
	j := 0
	if n := cols / m.lanes; rows < wide && n > 0 { // a panel of a matrix product, mostly
		i := m.strips(dst, dstStride, src, srcStride, 0, rows, 0, n)
		j = n * m.lanes
		transposeSmall(dst, dstStride, src, srcStride, i, rows, 0, j)
	}
	for ; j+wide <= cols; j += wide {
		i := 0
		if m.square != nil {
			for ; i+wide <= rows; i += wide {
				m.square(&dst[j*dstStride+i], dstStride, &src[i*srcStride+j], srcStride, 1)
			}
		}
		i = m.strips(dst, dstStride, src, srcStride, i, rows, j, 2)
		transposeSmall(dst, dstStride, src, srcStride, i, rows, j, j+wide)
	}
	if j+m.lanes <= cols {
		i := m.strips(dst, dstStride, src, srcStride, 0, rows, j, 1)
		transposeSmall(dst, dstStride, src, srcStride, i, rows, j, j+m.lanes)
		j += m.lanes
	}
	transposeSmall(dst, dstStride, src, srcStride, 0, rows, j, cols)
}

// strips moves rows from i on in n blocks of columns from j on, and returns the row it stopped before.
func (m *mover[T]) strips(dst []T, dstStride int, src []T, srcStride, i, rows, j, n int) int {
	h := m.lanes
	for _, move := range m.strip {
		for ; i+h <= rows; i += h {
			move(&dst[j*dstStride+i], dstStride, &src[i*srcStride+j], srcStride, n)
		}
		h /= 2
	}
	return i
}
