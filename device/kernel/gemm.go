package kernel

import "sync"

// Par runs f(0) to f(n-1), each once, in any order and on any goroutines, and returns when all are done. [Pool.Run] is
// one. A nil Par runs them one after the other.
type Par func(n int, f func(i int))

func (p Par) run(n int, f func(i int)) {
	if p == nil || n == 1 {
		for i := range n {
			f(i)
		}
		return
	}
	p(n, f)
}

// View is a matrix inside a slice: element (i, j) is Data[i*RowStride+j*ColStride]. Strides count elements; a stride
// of 0 repeats a row or column. Negative strides are not allowed.
type View[T any] struct {
	Data                 []T
	RowStride, ColStride int
}

// RowMajor is a dense matrix with the given number of columns.
func RowMajor[T any](data []T, cols int) View[T] { return View[T]{data, cols, 1} }

// T returns the transposed view of the same elements.
func (v View[T]) T() View[T] { return View[T]{v.Data, v.ColStride, v.RowStride} }

// from returns the view that starts at element (i, j).
func (v View[T]) from(i, j int) View[T] {
	return View[T]{v.Data[i*v.RowStride+j*v.ColStride:], v.RowStride, v.ColStride}
}

// Gemm is one matrix product, or a batch: C = epilogue(A*B), or C = epilogue(C + A*B) with Accumulate. A is M x K, B
// is K x N, C is M x N; C must overlap neither A nor B, and no two of its elements may share a place.
type Gemm[T Float] struct {
	M, N, K int
	A, B, C View[T]

	// Batch products are computed when it is above 1; product i uses A.Data[i*BatchA:], B.Data[i*BatchB:] and
	// C.Data[i*BatchC:].
	Batch                  int
	BatchA, BatchB, BatchC int

	Accumulate bool

	// The epilogue, in this order: add ColBias[j] (length N), add RowBias[i] (length M), take the maximum with zero.
	ColBias, RowBias []T
	ReLU             bool
}

// micro is a register tile: run computes an mr x nr tile of C from packed panels, k steps deep. With acc it adds to
// what c holds. c is row-major with rows ldc apart.
type micro[T Float] struct {
	mr, nr int
	kc, nc int // depth and width of the block of B that is packed at a time; nc is a multiple of nr
	run    func(k int, a, b, c []T, ldc int, acc bool)
}

// scratch lends buffers for packed blocks, so that a product allocates nothing once warm.
type scratch[T any] struct{ pool sync.Pool }

func (s *scratch[T]) get(n int) *[]T {
	p, _ := s.pool.Get().(*[]T)
	if p == nil {
		p = new([]T)
	}
	if cap(*p) < n {
		*p = make([]T, n)
	}
	*p = (*p)[:n]
	return p
}

func (s *scratch[T]) put(p *[]T) { s.pool.Put(p) }

// Gemm32 computes a product of float32 matrices. The order of additions depends on the shape alone.
func (t *Table) Gemm32(g *Gemm[float32], par Par) { gemm(&t.F32, &t.micro32, &t.pool32, g, par) }

// Gemm64 computes a product of float64 matrices, as Gemm32 does.
func (t *Table) Gemm64(g *Gemm[float64], par Par) { gemm(&t.F64, &t.micro64, &t.pool64, g, par) }

// Sizes that decide how a product is computed. They depend on the shape alone, so the result does too.
const (
	smallProduct = 1 << 9  // M*N*K below which packing costs more than it saves
	bigProduct   = 1 << 20 // M*N*K from which one product of a batch is spread over workers by itself
	taskPanels   = 2       // panels of A, mr rows each, in one task
	minTasks     = 16      // tasks to aim at when the rows alone give fewer
)

type product[T Float] struct {
	*Gemm[T]
	ops *Ops[T]
	mk  *micro[T]
	mem *scratch[T]
}

func gemm[T Float](ops *Ops[T], mk *micro[T], mem *scratch[T], g *Gemm[T], par Par) {
	if g.M <= 0 || g.N <= 0 {
		return
	}
	if g.Batch <= 1 {
		(&product[T]{g, ops, mk, mem}).compute(par)
		return
	}
	item := func(i int) *product[T] {
		one := *g
		one.Batch = 0
		one.A.Data, one.B.Data, one.C.Data = g.A.Data[i*g.BatchA:], g.B.Data[i*g.BatchB:], g.C.Data[i*g.BatchC:]
		return &product[T]{&one, ops, mk, mem}
	}
	work := g.M * g.N * max(g.K, 1)
	if work >= bigProduct && g.Batch < minTasks {
		for i := range g.Batch {
			item(i).compute(par)
		}
		return
	}
	per := max(1, min(bigProduct/8/work, (g.Batch+minTasks-1)/minTasks))
	par.run((g.Batch+per-1)/per, func(task int) {
		for i := task * per; i < min(g.Batch, (task+1)*per); i++ {
			item(i).compute(nil)
		}
	})
}

func (p *product[T]) compute(par Par) {
	switch {
	case p.K <= 0:
		p.byElement()
	case p.M*p.N*p.K < smallProduct:
		p.byElement()
	case p.M == 1 || p.N == 1:
		p.vector(par)
	default:
		p.blocked(par)
	}
}

// byElement computes a tiny product without packing.
func (p *product[T]) byElement() {
	for i := range p.M {
		for j := range p.N {
			var s T
			at := i*p.C.RowStride + j*p.C.ColStride
			if p.Accumulate {
				s = p.C.Data[at]
			}
			a, b := i*p.A.RowStride, j*p.B.ColStride
			for range p.K {
				s += p.A.Data[a] * p.B.Data[b]
				a += p.A.ColStride
				b += p.B.RowStride
			}
			p.C.Data[at] = p.finish(s, i, j)
		}
	}
}

// finish applies the epilogue to one element.
func (p *product[T]) finish(s T, i, j int) T {
	if p.ColBias != nil {
		s += p.ColBias[j]
	}
	if p.RowBias != nil {
		s += p.RowBias[i]
	}
	if p.ReLU {
		s = max(s, 0)
	}
	return s
}

// vector computes a product with one row or one column: every element of the matrix is used once, so nothing is packed.
func (p *product[T]) vector(par Par) {
	q := *p
	if p.N == 1 { // C^T = B^T * A^T: one row again
		g := *p.Gemm
		g.M, g.N = 1, p.M
		g.A, g.B, g.C = p.B.T(), p.A.T(), p.C.T()
		g.ColBias, g.RowBias = p.RowBias, p.ColBias
		q.Gemm = &g
	}
	x, held := q.dense(q.A, q.K)
	if held != nil {
		defer p.mem.put(held)
	}
	chunk := 256
	if q.B.RowStride == 1 {
		chunk = max(1, min(64, 1<<16/q.K))
	}
	par.run((q.N+chunk-1)/chunk, func(task int) {
		lo := task * chunk
		q.vectorPart(x, lo, min(q.N, lo+chunk))
	})
}

// dense returns the n elements of a one-row view as a contiguous slice, and the buffer to give back if it was copied.
func (p *product[T]) dense(v View[T], n int) ([]T, *[]T) {
	if v.ColStride == 1 {
		return v.Data[:n], nil
	}
	held := p.mem.get(n)
	CopyStrided(*held, 1, v.Data, v.ColStride, n)
	return *held, held
}

func (p *product[T]) vectorPart(x []T, lo, hi int) {
	if p.B.RowStride == 1 { // columns are contiguous: dot products
		for j := lo; j < hi; j++ {
			s := p.ops.Dot(x, p.B.Data[j*p.B.ColStride:][:p.K])
			at := j * p.C.ColStride
			if p.Accumulate {
				s += p.C.Data[at]
			}
			p.C.Data[at] = p.finish(s, 0, j)
		}
		return
	}
	var buf [256]T
	y := buf[:hi-lo]
	if p.Accumulate {
		CopyStrided(y, 1, p.C.Data[lo*p.C.ColStride:], p.C.ColStride, len(y))
	}
	if p.B.ColStride == 1 {
		for k, s := range x {
			p.ops.Axpy(y, s, p.B.Data[k*p.B.RowStride+lo:][:len(y)])
		}
	} else {
		for j := range y {
			at := (lo + j) * p.B.ColStride
			for _, s := range x {
				y[j] += s * p.B.Data[at]
				at += p.B.RowStride
			}
		}
	}
	for j, s := range y {
		p.C.Data[(lo+j)*p.C.ColStride] = p.finish(s, 0, lo+j)
	}
}

// blocked computes C block by block: a block of B, at most kc x nc, is packed once into panels of nr columns and stays
// in the second-level cache; tasks pack mr rows of A at a time and run the register tile along the panels.
func (p *product[T]) blocked(par Par) {
	mr, nr := p.mk.mr, p.mk.nr
	kc := evenPart(p.K, p.mk.kc, 1)
	nc := evenPart(p.N, p.mk.nc, nr)
	packed := p.mem.get(kc * (nc + nr))
	defer p.mem.put(packed)
	rows := (p.M + mr - 1) / mr
	rowTasks := (rows + taskPanels - 1) / taskPanels
	for j0 := 0; j0 < p.N; j0 += nc {
		nb := min(nc, p.N-j0)
		panels := (nb + nr - 1) / nr
		split := 1
		if rowTasks < minTasks {
			split = min(panels, (minTasks+rowTasks-1)/rowTasks)
		}
		for k0 := 0; k0 < p.K; k0 += kc {
			kb := min(kc, p.K-k0)
			par.run((panels+1)/2, func(task int) {
				for q := 2 * task; q < min(panels, 2*task+2); q++ {
					w := min(nr, nb-q*nr)
					pack((*packed)[q*nr*kb:(q+1)*nr*kb], p.B.from(k0, j0+q*nr).T(), w, kb, nr, p.ops)
				}
			})
			b := block[T]{packed: *packed, j0: j0, nb: nb, k0: k0, kb: kb}
			par.run(rowTasks*split, func(task int) {
				r, s := task/split, task%split
				p.rows(&b, r*taskPanels, min(rows, (r+1)*taskPanels), s*panels/split, (s+1)*panels/split)
			})
		}
	}
}

// evenPart cuts n into equal parts of at most limit, each a multiple of unit.
func evenPart(n, limit, unit int) int {
	parts := (n + limit - 1) / limit
	each := (n + parts - 1) / parts
	return (each + unit - 1) / unit * unit
}

// block is one packed block of B: columns j0 to j0+nb, depth k0 to k0+kb.
type block[T any] struct {
	packed         []T
	j0, nb, k0, kb int
}

// rows computes the panels q0 to q1 of the block for the mr-row panels r0 to r1 of A.
func (p *product[T]) rows(b *block[T], r0, r1, q0, q1 int) {
	mr, nr := p.mk.mr, p.mk.nr
	held := p.mem.get(mr*b.kb + mr*nr)
	defer p.mem.put(held)
	ap, edge := (*held)[:mr*b.kb], (*held)[mr*b.kb:]
	acc := p.Accumulate || b.k0 > 0
	last := b.k0+b.kb == p.K
	for r := r0; r < r1; r++ {
		i := r * mr
		h := min(mr, p.M-i)
		pack(ap, p.A.from(i, b.k0), h, b.kb, mr, p.ops)
		for q := q0; q < q1; q++ {
			j := b.j0 + q*nr
			w := min(nr, b.nb-q*nr)
			bp := b.packed[q*nr*b.kb:]
			if h == mr && w == nr && p.C.ColStride == 1 {
				p.mk.run(b.kb, ap, bp, p.C.Data[i*p.C.RowStride+j:], p.C.RowStride, acc)
				continue
			}
			p.mk.run(b.kb, ap, bp, edge, nr, false)
			p.store(edge, i, h, j, w, acc)
		}
		if last {
			p.epilogue(i, h, b.j0+q0*nr, min(b.nb, q1*nr)-q0*nr)
		}
	}
}

// store moves the used part of an edge tile to C.
func (p *product[T]) store(edge []T, i, h, j, w int, acc bool) {
	nr, cs := p.mk.nr, p.C.ColStride
	for r := range h {
		src := edge[r*nr : r*nr+w]
		at := (i+r)*p.C.RowStride + j*cs
		switch {
		case cs == 1 && acc:
			d := p.C.Data[at : at+w]
			for x := range d {
				d[x] += src[x]
			}
		case cs == 1:
			copy(p.C.Data[at:at+w], src)
		case acc:
			for x, v := range src {
				p.C.Data[at+x*cs] += v
			}
		default:
			for x, v := range src {
				p.C.Data[at+x*cs] = v
			}
		}
	}
}

// epilogue finishes h rows of C from row i, columns j to j+w, while they are still cached.
func (p *product[T]) epilogue(i, h, j, w int) {
	if p.ColBias == nil && p.RowBias == nil && !p.ReLU {
		return
	}
	for r := i; r < i+h; r++ {
		at := r*p.C.RowStride + j*p.C.ColStride
		if p.C.ColStride != 1 {
			for x := range w {
				d := &p.C.Data[at+x*p.C.ColStride]
				*d = p.finish(*d, r, j+x)
			}
			continue
		}
		d := p.C.Data[at : at+w]
		if p.ColBias != nil {
			p.ops.VV[Add](d, d, p.ColBias[j:j+w])
		}
		if p.RowBias != nil {
			p.ops.VS[Add](d, d, p.RowBias[r])
		}
		if p.ReLU {
			p.ops.VS[Max](d, d, 0)
		}
	}
}

// pack stores h rows and k columns of v as one panel: for each column, unit places, of which those beyond h are zero.
func pack[T Float](dst []T, v View[T], h, k, unit int, ops *Ops[T]) {
	dst = dst[:unit*k]
	if h < unit {
		clear(dst)
	}
	switch {
	case v.RowStride == 1:
		for j := range k {
			copy(dst[j*unit:j*unit+h], v.Data[j*v.ColStride:])
		}
	case v.ColStride == 1:
		ops.Transpose(dst, unit, v.Data, v.RowStride, h, k)
	default:
		for r := range h {
			at := r * v.RowStride
			for j := range k {
				dst[j*unit+r] = v.Data[at]
				at += v.ColStride
			}
		}
	}
}

// microGo is the register tile in plain Go, 4 x 4.
func microGo[T Float](k int, a, b, c []T, ldc int, acc bool) {
	var t [4][4]T
	a, b = a[:4*k], b[:4*k]
	for len(a) >= 4 && len(b) >= 4 {
		for r := range 4 {
			x := a[r]
			t[r][0] += x * b[0]
			t[r][1] += x * b[1]
			t[r][2] += x * b[2]
			t[r][3] += x * b[3]
		}
		a, b = a[4:], b[4:]
	}
	for r := range t {
		d := c[r*ldc : r*ldc+4]
		for j := range d {
			if acc {
				d[j] += t[r][j]
			} else {
				d[j] = t[r][j]
			}
		}
	}
}
