package kernel

import "sync"

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

	// Packed, when not nil, stands for B, which is then not read; BatchB must be 0.
	Packed *Packed[T]

	Accumulate bool

	// The epilogue, in this order: add ColBias[j] (length N), add RowBias[i] (length M), take the maximum with zero.
	ColBias, RowBias []T
	ReLU             bool
}

// micro is a register tile: run computes an mr x nr tile of C, k steps deep, from columns of A of mr contiguous
// elements, lda apart (mr in a packed panel), and a packed panel of B. With acc it adds to what c holds. c is row-major
// with rows ldc apart.
type micro[T Float] struct {
	mr, nr int
	kc, nc int // depth and width of the block of B that is packed at a time; nc is a multiple of nr
	run    func(k int, a []T, lda int, b, c []T, ldc int, acc bool)

	// runRows is run with rows of A of contiguous elements, lda apart. It and packRows may be nil.
	runRows func(k int, a []T, lda int, b, c []T, ldc int, acc bool)
	// axpyRows is dst += x[0]*row 0 of b + ... + x[3]*row 3, rows stride apart; it may be nil.
	axpyRows func(dst, x, b []T, stride int)
	// packRows makes a panel of B from k rows, stride apart, of nr contiguous elements.
	packRows func(dst, src []T, stride, k int)
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
func (t *Table) Gemm32(g *Gemm[float32], par Par) {
	newProduct(&t.F32, &t.micro32, &t.pool32, &t.job32, g).start(par)
}

// Gemm64 computes a product of float64 matrices, as Gemm32 does.
func (t *Table) Gemm64(g *Gemm[float64], par Par) {
	newProduct(&t.F64, &t.micro64, &t.pool64, &t.job64, g).start(par)
}

// Packed is a matrix B prepared for products: packing costs about as much as multiplying by a few rows, so a matrix
// used many times (weights, a convolution's filter) is better packed once. It is immutable and safe for concurrent
// use; the view it was made from must not change while it is in use.
type Packed[T Float] struct {
	k, n int
	view View[T]
	data []T
}

// PackB32 prepares the K x N matrix b; use the result as [Gemm.Packed] with the same table.
func (t *Table) PackB32(b View[float32], k, n int) *Packed[float32] {
	return packAll(&t.F32, &t.micro32, b, k, n)
}

// PackB64 is PackB32 for float64.
func (t *Table) PackB64(b View[float64], k, n int) *Packed[float64] {
	return packAll(&t.F64, &t.micro64, b, k, n)
}

func packAll[T Float](ops *Ops[T], mk *micro[T], b View[T], k, n int) *Packed[T] {
	if k <= 0 || n <= 0 {
		return &Packed[T]{view: b}
	}
	out := &Packed[T]{k: k, n: n, view: b, data: make([]T, k*((n+mk.nr-1)/mk.nr*mk.nr))}
	p := product[T]{Gemm: Gemm[T]{K: k, N: n, B: b}, ops: ops, mk: mk}
	kc, nc := evenPart(k, mk.kc, 1), evenPart(n, mk.nc, mk.nr)
	for j0 := 0; j0 < n; j0 += nc {
		for k0 := 0; k0 < k; k0 += kc {
			p.setBlock(j0, min(nc, n-j0), k0, min(kc, k-k0))
			p.packed = out.block(&p)
			for q := range p.panels {
				p.packPanel(q)
			}
		}
	}
	return out
}

// block returns the place of the block that p is at.
func (b *Packed[T]) block(p *product[T]) []T {
	wide := p.panels * p.mk.nr
	at := p.j0*b.k + wide*p.k0
	return b.data[at : at+wide*p.kb]
}

// Sizes that decide how a product is computed. They depend on the shape alone, so the result does too.
const (
	tinyProduct  = 1 << 8  // M*N*K below which packing costs more than it saves
	smallProduct = 1 << 15 // M*N*K below which a product is not spread over workers
	bigProduct   = 1 << 20 // M*N*K from which one product of a batch is spread over workers by itself
	taskPanels   = 2       // panels of A, mr rows each, in one task
	minTasks     = 16      // tasks to aim at when the rows alone give fewer
	fewPanels    = 8       // panels of B in a task up to which A is read in place, not packed
	fewRows      = 4       // rows of A up to which nothing is packed
	wideRow      = 64      // columns of B, or terms of a dot product, from which that pays
)

// product is one running Gemm. It is reused, with its task functions, so that a product allocates nothing.
type product[T Float] struct {
	Gemm[T]
	ops  *Ops[T]
	mk   *micro[T]
	mem  *scratch[T]
	jobs *sync.Pool

	// the block of B in work: columns j0 to j0+nb in panels of nr, depth k0 to k0+kb
	packed         []T
	j0, nb, k0, kb int
	panels         int
	rows           int // panels of mr rows of C
	split          int // tasks that share the panels of B for the same rows
	per            int // products of a batch in a task
	x              []T // the rows of A, dense, of a product with few

	packTask, rowTask, vectorTask, batchTask func(task int)
}

func newProduct[T Float](ops *Ops[T], mk *micro[T], mem *scratch[T], jobs *sync.Pool, g *Gemm[T]) *product[T] {
	p, _ := jobs.Get().(*product[T])
	if p == nil {
		p = &product[T]{ops: ops, mk: mk, mem: mem, jobs: jobs}
		p.packTask = func(task int) {
			p.packPanel(2 * task)
			if 2*task+1 < p.panels {
				p.packPanel(2*task + 1)
			}
		}
		p.rowTask = p.computeRows
		p.vectorTask = p.vectorPart
		p.batchTask = p.batchPart
	}
	p.Gemm = *g
	if g.Packed != nil {
		p.B = g.Packed.view
	}
	return p
}

// start computes the product or the batch, and gives p back.
func (p *product[T]) start(par Par) {
	if p.M > 0 && p.N > 0 {
		if p.Batch > 1 {
			p.batch(par)
		} else {
			p.compute(par)
		}
	}
	p.Gemm, p.packed, p.x = Gemm[T]{}, nil, nil
	p.jobs.Put(p)
}

// item starts product i of the batch.
func (p *product[T]) item(i int, par Par) {
	g := p.Gemm
	g.Batch = 0
	g.A.Data, g.C.Data = g.A.Data[i*g.BatchA:], g.C.Data[i*g.BatchC:]
	if g.Packed == nil {
		g.B.Data = g.B.Data[i*g.BatchB:]
	}
	newProduct(p.ops, p.mk, p.mem, p.jobs, &g).start(par)
}

func (p *product[T]) batch(par Par) {
	work := p.M * p.N * max(p.K, 1)
	if work >= bigProduct && p.Batch < minTasks {
		for i := range p.Batch {
			p.item(i, par)
		}
		return
	}
	if work*p.Batch < smallProduct {
		par = nil
	}
	p.per = max(1, min(bigProduct/8/work, (p.Batch+minTasks-1)/minTasks))
	par.run((p.Batch+p.per-1)/p.per, p.batchTask)
}

func (p *product[T]) batchPart(task int) {
	for i := task * p.per; i < min(p.Batch, (task+1)*p.per); i++ {
		p.item(i, nil)
	}
}

func (p *product[T]) compute(par Par) {
	if p.M*p.N*p.K < smallProduct {
		par = nil
	}
	few := p.N <= fewRows && p.N < p.M
	if p.Packed == nil && (few || p.C.ColStride != 1 && p.C.RowStride == 1 && p.M > fewRows) {
		p.transpose()
	}
	switch {
	case p.K <= 0, p.M*p.N*p.K < tinyProduct:
		p.byElement()
	case p.M == 1 || p.N == 1, p.M <= fewRows && p.N >= wideRow && p.B.ColStride == 1,
		p.M <= fewRows && p.K >= wideRow && p.B.RowStride == 1:
		p.vector(par)
	default:
		p.blocked(par)
	}
}

// transpose turns the product round: C^T = B^T * A^T.
func (p *product[T]) transpose() {
	p.M, p.N = p.N, p.M
	p.A, p.B, p.C = p.B.T(), p.A.T(), p.C.T()
	p.ColBias, p.RowBias = p.RowBias, p.ColBias
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

// vectorChunk is the most columns that one task of a product with few rows computes.
const vectorChunk = 512

// vector computes a product with few rows or one column: every element of the matrix is used once or a few times, so
// nothing is packed.
func (p *product[T]) vector(par Par) {
	if p.N == 1 {
		p.transpose() // one row again
	}
	var held *[]T
	if p.M == 1 && p.A.ColStride == 1 {
		p.x = p.A.Data[:p.K]
	} else {
		held = p.mem.get(p.M * p.K)
		p.x = *held
		for i := range p.M {
			CopyStrided(p.x[i*p.K:], 1, p.A.Data[i*p.A.RowStride:], p.A.ColStride, p.K)
		}
	}
	p.per = min(vectorChunk, max(wideRow, p.N/minTasks))
	if p.B.RowStride == 1 {
		p.per = max(1, min(64, 1<<16/p.K))
	}
	par.run((p.N+p.per-1)/p.per, p.vectorTask)
	if held != nil {
		p.mem.put(held)
	}
}

func (p *product[T]) vectorPart(task int) {
	lo := task * p.per
	hi := min(p.N, lo+p.per)
	plain := p.M == 1 && !p.Accumulate && p.ColBias == nil && p.RowBias == nil && !p.ReLU
	if p.B.RowStride == 1 { // columns are contiguous: dot products
		for j := lo; j < hi; j++ {
			b := p.B.Data[j*p.B.ColStride:][:p.K]
			if plain {
				p.C.Data[j*p.C.ColStride] = p.ops.Dot(p.x[:p.K], b)
				continue
			}
			for i := range p.M {
				s := p.ops.Dot(p.x[i*p.K:(i+1)*p.K], b)
				at := i*p.C.RowStride + j*p.C.ColStride
				if p.Accumulate {
					s += p.C.Data[at]
				}
				p.C.Data[at] = p.finish(s, i, j)
			}
		}
		return
	}
	if plain && p.B.ColStride == 1 && p.C.ColStride == 1 { // the row of C itself holds the sums
		y := p.C.Data[lo:hi]
		clear(y)
		p.rowsInto(y, lo, hi-lo)
		return
	}
	held := p.mem.get(vectorChunk * p.M)
	y := *held
	for i := range p.M {
		row := y[i*vectorChunk : i*vectorChunk+hi-lo]
		if p.Accumulate {
			CopyStrided(row, 1, p.C.Data[i*p.C.RowStride+lo*p.C.ColStride:], p.C.ColStride, len(row))
		} else {
			clear(row)
		}
	}
	if p.B.ColStride == 1 {
		p.rowsInto(y, lo, hi-lo)
	} else { // one row only
		for j := range y[:hi-lo] {
			at := (lo + j) * p.B.ColStride
			for _, s := range p.x {
				y[j] += s * p.B.Data[at]
				at += p.B.RowStride
			}
		}
	}
	for i := range p.M {
		for j, s := range y[i*vectorChunk : i*vectorChunk+hi-lo] {
			p.C.Data[i*p.C.RowStride+(lo+j)*p.C.ColStride] = p.finish(s, i, lo+j)
		}
	}
	p.mem.put(held)
}

// rowsInto adds the products with n columns of B from column lo to the rows of y, vectorChunk apart: rows of B, four
// at a time, times an element of A each.
func (p *product[T]) rowsInto(y []T, lo, n int) {
	k := 0
	if p.mk.axpyRows != nil {
		for ; k+4 <= p.K; k += 4 {
			b := p.B.Data[k*p.B.RowStride+lo:]
			for i := range p.M {
				p.mk.axpyRows(y[i*vectorChunk:i*vectorChunk+n], p.x[i*p.K+k:], b, p.B.RowStride)
			}
		}
	}
	for ; k < p.K; k++ {
		b := p.B.Data[k*p.B.RowStride+lo:][:n]
		for i := range p.M {
			p.ops.Axpy(y[i*vectorChunk:i*vectorChunk+n], p.x[i*p.K+k], b)
		}
	}
}

// blocked computes C block by block: a block of B, at most kc x nc, is packed once into panels of nr columns and stays
// in the second-level cache; tasks take mr rows of A at a time, packed or in place, and run the register tile along
// the panels.
func (p *product[T]) blocked(par Par) {
	mr, nr := p.mk.mr, p.mk.nr
	kc, nc := evenPart(p.K, p.mk.kc, 1), evenPart(p.N, p.mk.nc, nr)
	var held *[]T
	if p.Packed == nil {
		held = p.mem.get(kc * nc)
	}
	p.rows = (p.M + mr - 1) / mr
	tasks := (p.rows + taskPanels - 1) / taskPanels
	for j0 := 0; j0 < p.N; j0 += nc {
		for k0 := 0; k0 < p.K; k0 += kc {
			p.setBlock(j0, min(nc, p.N-j0), k0, min(kc, p.K-k0))
			p.split = 1
			if tasks < minTasks {
				p.split = min(p.panels, (minTasks+tasks-1)/tasks)
			}
			if p.Packed != nil {
				p.packed = p.Packed.block(p)
			} else {
				p.packed = *held
				par.run((p.panels+1)/2, p.packTask)
			}
			par.run(tasks*p.split, p.rowTask)
		}
	}
	if held != nil {
		p.mem.put(held)
	}
}

func (p *product[T]) setBlock(j0, nb, k0, kb int) {
	p.j0, p.nb, p.k0, p.kb = j0, nb, k0, kb
	p.panels = (nb + p.mk.nr - 1) / p.mk.nr
}

// packPanel packs panel q of the block of B.
func (p *product[T]) packPanel(q int) {
	nr := p.mk.nr
	w := min(nr, p.nb-q*nr)
	dst, v := p.packed[q*nr*p.kb:(q+1)*nr*p.kb], p.B.from(p.k0, p.j0+q*nr)
	if w == nr && v.ColStride == 1 && p.mk.packRows != nil {
		p.mk.packRows(dst, v.Data, v.RowStride, p.kb)
		return
	}
	pack(dst, v.T(), w, p.kb, nr, p.ops)
}

// evenPart cuts n into equal parts of at most limit, each a multiple of unit.
func evenPart(n, limit, unit int) int {
	parts := (n + limit - 1) / limit
	each := (n + parts - 1) / parts
	return (each + unit - 1) / unit * unit
}

// computeRows computes taskPanels panels of rows of A by a part of the panels of the block of B.
func (p *product[T]) computeRows(task int) {
	mr, nr := p.mk.mr, p.mk.nr
	first, part := task/p.split*taskPanels, task%p.split
	q0, q1 := part*p.panels/p.split, (part+1)*p.panels/p.split
	held := p.mem.get(mr*p.kb + mr*nr)
	ap, edge := (*held)[:mr*p.kb], (*held)[mr*p.kb:]
	acc := p.Accumulate || p.k0 > 0
	inRows := p.mk.runRows != nil && p.A.ColStride == 1 && q1-q0 <= fewPanels
	inColumns := !inRows && p.A.RowStride == 1 && q1-q0 <= fewPanels
	for r := first; r < min(p.rows, first+taskPanels); r++ {
		i := r * mr
		h := min(mr, p.M-i)
		a := p.A.from(i, p.k0)
		run, lda := p.mk.run, a.ColStride
		switch {
		case inRows && h == mr:
			run, lda = p.mk.runRows, a.RowStride
		case !inColumns || h < mr:
			pack(ap, a, h, p.kb, mr, p.ops)
			a.Data, lda = ap, mr
		}
		for q := q0; q < q1; q++ {
			j := p.j0 + q*nr
			w := min(nr, p.nb-q*nr)
			c, ldc, add := edge, nr, false
			whole := h == mr && w == nr && p.C.ColStride == 1
			if whole {
				c, ldc, add = p.C.Data[i*p.C.RowStride+j:], p.C.RowStride, acc
			}
			run(p.kb, a.Data, lda, p.packed[q*nr*p.kb:], c, ldc, add)
			if !whole {
				p.store(edge, i, h, j, w, acc)
			}
		}
		if p.k0+p.kb == p.K {
			p.epilogue(i, h, p.j0+q0*nr, min(p.nb, q1*nr)-q0*nr)
		}
	}
	p.mem.put(held)
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
	case v.RowStride == 1 && h == 8 && unit == 8:
		for j := range k { // arrays of a known size are copied without a call
			*(*[8]T)(dst[j*8:]) = *(*[8]T)(v.Data[j*v.ColStride:])
		}
	case v.RowStride == 1 && h == 6 && unit == 6:
		for j := range k {
			*(*[6]T)(dst[j*6:]) = *(*[6]T)(v.Data[j*v.ColStride:])
		}
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
func microGo[T Float](k int, a []T, lda int, b, c []T, ldc int, acc bool) {
	var t [4][4]T
	for i := range k {
		x, y := a[i*lda:i*lda+4], b[i*4:i*4+4]
		for r := range t {
			t[r][0] += x[r] * y[0]
			t[r][1] += x[r] * y[1]
			t[r][2] += x[r] * y[2]
			t[r][3] += x[r] * y[3]
		}
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
