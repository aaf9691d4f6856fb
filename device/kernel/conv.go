package kernel

// Conv is a two-dimensional convolution of dense images: Input is Batch x H x W x C, Output is Batch x OutH x OutW x O,
// both row-major in this order (NHWC). Output pixel (y, x) is the sum over the taps (i, j) of input pixel
// (y*StrideH - PadTop + i*DilateH, x*StrideW - PadLeft + j*DilateW), a vector of C, times the tap's C x O matrix;
// pixels outside of the image are zero. Other layouts are a transpose away; groups are convolutions of their own.
type Conv[T Float] struct {
	Batch, H, W, C   int
	OutH, OutW       int
	StrideH, StrideW int // at least 1
	DilateH, DilateW int // at least 1
	PadTop, PadLeft  int // not negative; what is missing below and to the right follows from OutH and OutW

	Input, Output []T
	Filter        *Filter[T]

	// The epilogue: add Bias[o] (nil for none), take the maximum with zero.
	Bias []T
	ReLU bool
}

// Filter is a convolution's filter prepared by [Table.PackFilter32] or PackFilter64. It is immutable and safe for
// concurrent use; the slice it was made from must not change while it is in use.
type Filter[T Float] struct {
	kh, kw, c, o int
	byRow        []*Packed[T] // for each i, the (kw*c) x o matrix of a row of taps
	byTap        []*Packed[T] // for each i and j, the c x o matrix of a tap
}

// PackFilter32 prepares a dense kh x kw x c x o filter (HWIO).
func (t *Table) PackFilter32(filter []float32, kh, kw, c, o int) *Filter[float32] {
	return packFilter(filter, kh, kw, c, o, t.PackB32)
}

// PackFilter64 is PackFilter32 for float64.
func (t *Table) PackFilter64(filter []float64, kh, kw, c, o int) *Filter[float64] {
	return packFilter(filter, kh, kw, c, o, t.PackB64)
}

func packFilter[T Float](filter []T, kh, kw, c, o int, pack func(b View[T], k, n int) *Packed[T]) *Filter[T] {
	f := &Filter[T]{kh: kh, kw: kw, c: c, o: o}
	filter = filter[:kh*kw*c*o]
	for i := range kh {
		row := filter[i*kw*c*o:]
		f.byRow = append(f.byRow, pack(RowMajor(row, o), kw*c, o))
		for j := range kw {
			f.byTap = append(f.byTap, pack(RowMajor(row[j*c*o:], o), c, o))
		}
	}
	return f
}

// Conv32 computes a convolution of float32. The order of additions depends on the shape alone.
func (t *Table) Conv32(c *Conv[float32], par Par) {
	convolve(c, &t.pool32, par, func(g *Gemm[float32]) { t.Gemm32(g, nil) })
}

// Conv64 is Conv32 for float64.
func (t *Table) Conv64(c *Conv[float64], par Par) {
	convolve(c, &t.pool64, par, func(g *Gemm[float64]) { t.Gemm64(g, nil) })
}

// convolve computes each row of output as the sum of one product for each row of taps. The rows of such a product's A
// are windows of kw pixels, which overlap in place: nothing is gathered. Images are copied only to add columns of
// zeros.
func convolve[T Float](c *Conv[T], mem *scratch[T], par Par, gemm func(g *Gemm[T])) {
	f := c.Filter
	if c.Batch <= 0 || c.OutH <= 0 || c.OutW <= 0 || f.o <= 0 {
		return
	}
	width := (c.OutW-1)*c.StrideW + (f.kw-1)*c.DilateW + 1 // pixels of a row that are read, from -PadLeft on
	input, pitch := c.Input, c.W
	var held *[]T
	if c.PadLeft > 0 || width > c.W {
		pitch = width
		held = mem.get(c.Batch * c.H * pitch * c.C)
		input = *held
		par.run(c.Batch, func(n int) { c.pad(input, n, pitch) })
	}
	par.run(c.Batch*c.OutH, func(task int) { c.row(input, pitch, task/c.OutH, task%c.OutH, gemm) })
	if held != nil {
		mem.put(held)
	}
}

// pad copies image n into rows of pitch pixels, of which those beside the image are zero.
func (c *Conv[T]) pad(dst []T, n, pitch int) {
	left := min(c.PadLeft, pitch)
	used := min(c.W, pitch-left)
	for y := n * c.H; y < (n+1)*c.H; y++ {
		row := dst[y*pitch*c.C : (y+1)*pitch*c.C]
		clear(row[:left*c.C])
		copy(row[left*c.C:], c.Input[y*c.W*c.C:(y*c.W+used)*c.C])
		clear(row[(left+used)*c.C:])
	}
}

// row computes output row y of image n.
func (c *Conv[T]) row(input []T, pitch, n, y int, gemm func(g *Gemm[T])) {
	f := c.Filter
	g := Gemm[T]{M: c.OutW, N: f.o, C: RowMajor(c.Output[(n*c.OutH+y)*c.OutW*f.o:], f.o)}
	top := y*c.StrideH - c.PadTop
	first, last := f.kh, -1 // the rows of taps that fall into the image
	for i := range f.kh {
		if at := top + i*c.DilateH; at >= 0 && at < c.H {
			first, last = min(first, i), i
		}
	}
	finish := func() { g.ColBias, g.ReLU = c.Bias, c.ReLU }
	if last < 0 || f.kw == 0 || c.C == 0 {
		finish()
		gemm(&g)
		return
	}
	for i := first; i <= last; i++ {
		row := input[(n*c.H+top+i*c.DilateH)*pitch*c.C:]
		if c.DilateW == 1 {
			if i == last {
				finish()
			}
			g.K, g.Packed, g.A = f.kw*c.C, f.byRow[i], View[T]{row, c.StrideW * c.C, 1}
			gemm(&g)
			g.Accumulate = true
			continue
		}
		for j := range f.kw {
			if i == last && j == f.kw-1 {
				finish()
			}
			g.K, g.Packed, g.A = c.C, f.byTap[i*f.kw+j], View[T]{row[j*c.DilateW*c.C:], c.StrideW * c.C, 1}
			gemm(&g)
			g.Accumulate = true
		}
	}
}
