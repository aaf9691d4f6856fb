package plan

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// simpleBody returns the binary operation that a reduction's region is, or InvalidKind.
func simpleBody(region *stablehlo.Block) stablehlo.Kind {
	if len(region.Args) != 2 || len(region.Ops) != 2 {
		return stablehlo.InvalidKind
	}
	op, ret := region.Ops[0], region.Ops[1]
	if len(op.Operands) != 2 || len(op.Results) != 1 || len(ret.Operands) != 1 || ret.Operands[0] != op.Results[0] {
		return stablehlo.InvalidKind
	}
	a, b := region.Args[0], region.Args[1]
	straight := op.Operands[0] == a && op.Operands[1] == b
	swapped := op.Operands[0] == b && op.Operands[1] == a
	if !straight && !swapped {
		return stablehlo.InvalidKind
	}
	switch op.Kind {
	case stablehlo.Add, stablehlo.Multiply, stablehlo.Maximum, stablehlo.Minimum, stablehlo.And, stablehlo.Or, stablehlo.Xor:
		return op.Kind
	}
	return stablehlo.InvalidKind
}

// reduction is a Reduce of one operand by one binary operation. Its elements are gone through in the order
// [outer][n][inner] of the operand where linear is set, and of a permuted view of it otherwise; one of outer and inner
// is 1.
type reduction struct {
	kind            stablehlo.Kind
	elem            dtype.Type
	outer, n, inner int64
	linear          bool
	perm            []int64 // the operand's dimensions in the order of the loop, if not linear
}

func reductionOf(t *kernel.Table, i *inst) *reduction {
	if len(i.in) != 2 || len(i.captures) > 0 {
		return nil
	}
	r := &reduction{kind: simpleBody(i.op.Regions[0]), elem: i.in[0].typ.Elem}
	if r.kind == stablehlo.InvalidKind || computed(r.elem) == dtype.Invalid || i.out[0].typ.Elem != r.elem {
		return nil
	}
	if !hasReduce(t, r.kind, r.elem) {
		return nil
	}
	over := i.attr.(stablehlo.DimsAttr).Dims
	dims := i.in[0].typ.Dims
	kept, n := int64(1), int64(1)
	var keptDims, overDims []int64
	for d, size := range dims {
		if slices.Contains(over, int64(d)) {
			n *= size
			if size != 1 {
				overDims = append(overDims, int64(d))
			}
		} else {
			kept *= size
			if size != 1 {
				keptDims = append(keptDims, int64(d))
			}
		}
	}
	r.n = n
	switch order := append(slices.Clone(keptDims), overDims...); {
	case kept == 0 || n == 0, slices.IsSorted(order) && (n >= 16 || kept <= n):
		r.outer, r.inner, r.linear = kept, 1, true
	case slices.IsSorted(append(slices.Clone(overDims), keptDims...)):
		r.outer, r.inner, r.linear = 1, kept, true
	case n >= 16 && kept < 64:
		r.outer, r.inner = kept, 1
		r.perm = order
	default:
		r.outer, r.inner = 1, kept
		r.perm = append(overDims, keptDims...)
	}
	return r
}

func hasReduce(t *kernel.Table, k stablehlo.Kind, e dtype.Type) bool {
	op := binaryOp(k, e)
	switch computed(e) {
	case dtype.F32:
		return t.F32.Reduce[op] != nil
	case dtype.F64:
		return t.F64.Reduce[op] != nil
	case dtype.I8:
		return t.I8.Reduce[op] != nil
	case dtype.I16:
		return t.I16.Reduce[op] != nil
	case dtype.I32:
		return t.I32.Reduce[op] != nil
	case dtype.I64:
		return t.I64.Reduce[op] != nil
	case dtype.U8:
		return t.U8.Reduce[op] != nil
	case dtype.U16:
		return t.U16.Reduce[op] != nil
	case dtype.U32:
		return t.U32.Reduce[op] != nil
	case dtype.U64:
		return t.U64.Reduce[op] != nil
	}
	return false
}

// reduce schedules a reduction.
func (s *scheduler) reduce(i *inst) *unit {
	r := s.reductions[i]
	x := i.in[0]
	var c *chain
	var reads []*value
	if r.linear {
		c, reads = s.chain(x, i, false)
	} else {
		w := s.view(x)
		p := view{base: w.base, off: w.off}
		for _, d := range r.perm {
			p.dims = append(p.dims, w.dims[d])
			p.strides = append(p.strides, w.strides[d])
		}
		c, reads = s.viewChain(p, r.elem, x.typ.Len())
	}
	init := s.view(i.in[1])
	u := &unit{inst: i, out: i.out, reads: append(reads, init.base)}
	op := binaryOp(r.kind, r.elem)
	switch computed(r.elem) {
	case dtype.F32:
		if half(r.elem) {
			u.step = reduceHalf(&s.kernels.F32, s.kernels, r, op, c, init, i.out[0])
		} else {
			u.step = reduceStep(&s.kernels.F32, r, op, c, init, i.out[0])
		}
	case dtype.F64:
		u.step = reduceStep(&s.kernels.F64, r, op, c, init, i.out[0])
	case dtype.I8:
		u.step = reduceStep(&s.kernels.I8, r, op, c, init, i.out[0])
	case dtype.I16:
		u.step = reduceStep(&s.kernels.I16, r, op, c, init, i.out[0])
	case dtype.I32:
		u.step = reduceStep(&s.kernels.I32, r, op, c, init, i.out[0])
	case dtype.I64:
		u.step = reduceStep(&s.kernels.I64, r, op, c, init, i.out[0])
	case dtype.U8:
		u.step = reduceStep(&s.kernels.U8, r, op, c, init, i.out[0])
	case dtype.U16:
		u.step = reduceStep(&s.kernels.U16, r, op, c, init, i.out[0])
	case dtype.U32:
		u.step = reduceStep(&s.kernels.U32, r, op, c, init, i.out[0])
	case dtype.U64:
		u.step = reduceStep(&s.kernels.U64, r, op, c, init, i.out[0])
	}
	return u
}

func reduceStep[T kernel.Number](o *kernel.Ops[T], r *reduction, op kernel.Binary, c *chain, init view, out *value) step {
	return func(rn *run) error {
		first := as[T](rn.bytes(init.base))[init.off]
		reduceInto(o, rn, r, op, c, first, as[T](rn.bytes(out)))
		return rn.err()
	}
}

// reduceHalf sums in f32 and rounds once.
func reduceHalf(o *kernel.Ops[float32], t *kernel.Table, r *reduction, op kernel.Binary, c *chain, init view, out *value) step {
	narrow := narrowFn(t, r.elem)
	widen := t.Convert.BF16F32
	if r.elem == dtype.F16 {
		widen = t.Convert.F16F32
	}
	return func(rn *run) error {
		var first [1]float32
		widen(first[:], as[uint16](rn.bytes(init.base))[init.off:][:1])
		tmp, err := rn.borrow(4 * out.typ.Len())
		if err != nil {
			return err
		}
		defer rn.giveBack(tmp)
		acc := as[float32](tmp.b)
		reduceInto(o, rn, r, op, c, first[0], acc)
		narrow(as[uint16](rn.bytes(out)), acc)
		return rn.err()
	}
}

// block is how many elements of a long row one task reduces.
const rowBlock = 4 * grain

func reduceInto[T kernel.Number](o *kernel.Ops[T], rn *run, r *reduction, op kernel.Binary, c *chain, first T, dst []T) {
	if len(dst) == 0 {
		return
	}
	if r.n == 0 {
		o.Fill(dst, first)
		return
	}
	if r.inner == 1 {
		reduceRows(o, rn, r, op, c, first, dst)
		return
	}
	reduceCols(o, rn, r, op, c, first, dst)
}

// fold reduces elements [lo, hi) of the chain to one.
func fold[T kernel.Number](rn *run, c *chain, f *frame, reduce func([]T) T, combine func(a, b T) T, lo, hi int64) T {
	width := int64(chunk)
	if len(c.code) == 0 && len(c.temps) == 0 {
		width = grain
	}
	var acc T
	for at := lo; at < hi; at += width {
		n := int(min(width, hi-at))
		c.step(rn, f, at, n, nil)
		part := reduce(reg[T](f, c.out))
		if at == lo {
			acc = part
		} else {
			acc = combine(acc, part)
		}
	}
	return acc
}

func reduceRows[T kernel.Number](o *kernel.Ops[T], rn *run, r *reduction, op kernel.Binary, c *chain, first T, dst []T) {
	reduce, combine := o.Reduce[op], combiner(o, op)
	if r.n > rowBlock && r.outer < 64 {
		// Few long rows: each is cut into blocks, and the blocks' results are put together in order.
		blocks := (r.n + rowBlock - 1) / rowBlock
		parts := make([]T, r.outer*blocks)
		rn.pool.Run(len(parts), func(t int) {
			if rn.stopped() {
				return
			}
			row, b := int64(t)/blocks, int64(t)%blocks
			f := c.frame()
			c.start(rn, f)
			lo := row*r.n + b*rowBlock
			parts[t] = fold(rn, c, f, reduce, combine, lo, min(lo+rowBlock, (row+1)*r.n))
			c.frames.Put(f)
		})
		for row := range r.outer {
			acc := first
			for _, p := range parts[row*blocks : (row+1)*blocks] {
				acc = combine(acc, p)
			}
			dst[row] = acc
		}
		return
	}
	per := max(1, grain/r.n)
	tasks := (r.outer + per - 1) / per
	body := func(t int) {
		if rn.stopped() {
			return
		}
		f := c.frame()
		c.start(rn, f)
		lo, hi := int64(t)*per, min(r.outer, int64(t+1)*per)
		if r.n <= chunk/2 {
			// Several short rows fit in one chunk.
			rows := chunk / r.n
			for row := lo; row < hi; row += rows {
				k := min(rows, hi-row)
				c.step(rn, f, row*r.n, int(k*r.n), nil)
				x := reg[T](f, c.out)
				for j := range k {
					dst[row+j] = combine(first, reduce(x[j*r.n:(j+1)*r.n]))
				}
			}
		} else {
			for row := lo; row < hi; row++ {
				dst[row] = combine(first, fold(rn, c, f, reduce, combine, row*r.n, (row+1)*r.n))
			}
		}
		c.frames.Put(f)
	}
	if tasks == 1 {
		body(0)
		return
	}
	rn.pool.Run(int(tasks), body)
}

// reduceCols reduces the rows of an [n][inner] table into one row.
func reduceCols[T kernel.Number](o *kernel.Ops[T], rn *run, r *reduction, op kernel.Binary, c *chain, first T, dst []T) {
	vv := o.VV[op]
	accumulate := func(f *frame, acc []T, j0, r0, r1 int64) {
		width := int64(len(acc))
		if r.inner <= chunk/2 && width == r.inner {
			rows := chunk / r.inner
			for row := r0; row < r1; row += rows {
				k := min(rows, r1-row)
				c.step(rn, f, row*r.inner, int(k*r.inner), nil)
				x := reg[T](f, c.out)
				for j := range k {
					vv(acc, acc, x[j*width:(j+1)*width])
				}
			}
			return
		}
		for j := int64(0); j < width; j += chunk {
			a := acc[j:min(j+chunk, width)]
			for row := r0; row < r1; row++ {
				c.step(rn, f, row*r.inner+j0+j, len(a), nil)
				vv(a, a, reg[T](f, c.out))
			}
		}
	}
	blocks := int64(1)
	if r.inner < 4*chunk && r.n*r.inner > 2*rowBlock {
		blocks = min(64, r.n*r.inner/rowBlock, r.n)
	}
	if blocks > 1 {
		// Many short rows: blocks of rows by themselves, then the blocks in order.
		parts := make([]T, blocks*r.inner)
		rn.pool.Run(int(blocks), func(t int) {
			if rn.stopped() {
				return
			}
			f := c.frame()
			c.start(rn, f)
			acc := parts[int64(t)*r.inner : int64(t+1)*r.inner]
			o.Fill(acc, o.Reduce[op](nil))
			accumulate(f, acc, 0, r.n*int64(t)/blocks, r.n*int64(t+1)/blocks)
			c.frames.Put(f)
		})
		o.Fill(dst, first)
		for b := range blocks {
			vv(dst, dst, parts[b*r.inner:(b+1)*r.inner])
		}
		return
	}
	width := int64(chunk)
	tasks := (r.inner + width - 1) / width
	body := func(t int) {
		if rn.stopped() {
			return
		}
		f := c.frame()
		c.start(rn, f)
		j0 := int64(t) * width
		acc := dst[j0:min(j0+width, r.inner)]
		o.Fill(acc, first)
		accumulate(f, acc, j0, 0, r.n)
		c.frames.Put(f)
	}
	if tasks == 1 || r.n*r.inner <= grain {
		for t := range int(tasks) {
			body(t)
		}
		return
	}
	rn.pool.Run(int(tasks), body)
}
