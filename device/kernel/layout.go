package kernel

// transposeBlock is the edge of the square that transpose moves at a time: its rows and columns both stay cached.
const transposeBlock = 32

func transpose[T any](dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	for i0 := 0; i0 < rows; i0 += transposeBlock {
		i1 := min(rows, i0+transposeBlock)
		for j0 := 0; j0 < cols; j0 += transposeBlock {
			transposeSmall(dst, dstStride, src, srcStride, i0, i1, j0, min(cols, j0+transposeBlock))
		}
	}
}

func transposeSmall[T any](dst []T, dstStride int, src []T, srcStride, i0, i1, j0, j1 int) {
	for j := j0; j < j1; j++ {
		d := dst[j*dstStride+i0 : j*dstStride+i1]
		at := i0*srcStride + j
		for i := range d {
			d[i] = src[at]
			at += srcStride
		}
	}
}

// CopyStrided stores src[0], src[srcStride], ... at dst[0], dst[dstStride], ..., n elements. A stride of 0 in src
// repeats an element; a negative stride is not allowed.
func CopyStrided[T any](dst []T, dstStride int, src []T, srcStride, n int) {
	switch {
	case n <= 0:
	case dstStride == 1 && srcStride == 1:
		copy(dst[:n], src[:n])
	case dstStride == 1:
		dst = dst[:n]
		at := 0
		for i := range dst {
			dst[i] = src[at]
			at += srcStride
		}
	default:
		for i := range n {
			dst[i*dstStride] = src[i*srcStride]
		}
	}
}
