package plan

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// side is one operand of a dot product as a batch of matrices: offsets of the batches, and the one stride of each of
// its two groups of dimensions.
type side struct {
	view          view
	batch         walk
	free, con     int64 // sizes
	freeBy, conBy int64 // strides
}

// sideOf finds the matrices in a view; ok is false where a group of dimensions has no single stride.
func sideOf(w view, batch, contract []int64) (side, bool) {
	d := side{view: w}
	var bd, bs, cd, cs, fd, fs []int64
	for _, i := range batch {
		bd, bs = append(bd, w.dims[i]), append(bs, w.strides[i])
	}
	for _, i := range contract {
		cd, cs = append(cd, w.dims[i]), append(cs, w.strides[i])
	}
	for i := range w.dims {
		if !slices.Contains(batch, int64(i)) && !slices.Contains(contract, int64(i)) {
			fd, fs = append(fd, w.dims[i]), append(fs, w.strides[i])
		}
	}
	d.batch = newWalk(bd, bs)
	con, free := newWalk(cd, cs), newWalk(fd, fs)
	if len(con.dims) > 1 || len(free.dims) > 1 {
		return d, false
	}
	d.con, d.conBy, d.free, d.freeBy = con.dims[0], con.strides[0], free.dims[0], free.strides[0]
	return d, d.conBy >= 0 && d.freeBy >= 0 && !slices.ContainsFunc(d.batch.strides, func(n int64) bool { return n < 0 })
}

// needDot makes sure that both operands of a dot product are batches of matrices: one that is not is transposed into
// memory.
func (s *scheduler) needDot(i *inst, insert func(*inst) *value, replace func(int, *value)) {
	a := *i.attr.(*stablehlo.DotAttr)
	for n := range 2 {
		batch, contract := a.LHSBatch, a.LHSContract
		if n == 1 {
			batch, contract = a.RHSBatch, a.RHSContract
		}
		v := i.in[n]
		if v.lit != nil && v.lit.Splat {
			replace(n, s.expand(v, false, insert))
			v = i.in[n]
		}
		if _, ok := sideOf(s.view(v), batch, contract); ok {
			continue
		}
		perm := slices.Clone(batch)
		for d := range v.typ.Dims {
			if !slices.Contains(batch, int64(d)) && !slices.Contains(contract, int64(d)) {
				perm = append(perm, int64(d))
			}
		}
		perm = append(perm, contract...)
		t := stablehlo.TensorOf(v.typ.Elem)
		for _, d := range perm {
			t.Dims = append(t.Dims, v.typ.Dims[d])
		}
		replace(n, insert(&inst{
			kind: stablehlo.Transpose,
			attr: stablehlo.DimsAttr{Dims: perm},
			in:   []*value{v},
			out:  []*value{{typ: t}},
		}))
		nb, nc := make([]int64, len(batch)), make([]int64, len(contract))
		for k := range nb {
			nb[k] = int64(k)
		}
		for k := range nc {
			nc[k] = int64(len(perm) - len(contract) + k)
		}
		if n == 0 {
			a.LHSBatch, a.LHSContract = nb, nc
		} else {
			a.RHSBatch, a.RHSContract = nb, nc
		}
	}
	i.attr = &a
}

// dot schedules a dot product of floats as matrix products.
func (s *scheduler) dot(i *inst) *unit {
	out := i.out[0]
	if !floating(out.typ.Elem) || !sameElem(i) {
		return nil
	}
	a := i.attr.(*stablehlo.DotAttr)
	l, okL := sideOf(s.view(i.in[0]), a.LHSBatch, a.LHSContract)
	r, okR := sideOf(s.view(i.in[1]), a.RHSBatch, a.RHSContract)
	if !okL || !okR {
		return nil
	}
	u := &unit{out: i.out, reads: []*value{l.view.base, r.view.base}}
	if out.typ.Elem == dtype.F32 {
		u.step = dotStep(s.kernels.Gemm32, s.elsewhere, s.kernels.PackB32, l, r, out)
	} else {
		u.step = dotStep(s.kernels.Gemm64, nil, s.kernels.PackB64, l, r, out)
	}
	return u
}

// longProduct is the M*N*K from which a product looks whether the run has been stopped.
const longProduct = 1 << 24

// elsewhere computes a product or says that the workers should; nil is nobody.
type elsewhere[T kernel.Float] func(context.Context, *kernel.Gemm[T]) (bool, error)

func dotStep[T kernel.Float](gemm func(*kernel.Gemm[T], kernel.Par), other elsewhere[T], pack func(b kernel.View[T], k, n int) *kernel.Packed[T], l, r side, out *value) step {
	m, n, k := int(l.free), int(r.free), int(l.con)
	batches := 1
	for _, d := range l.batch.dims {
		batches *= int(d)
	}
	if out.typ.Len() == 0 {
		return func(*run) error { return nil }
	}
	matrix := func(rn *run, d side, rows bool) kernel.View[T] {
		v := kernel.View[T]{Data: as[T](rn.bytes(d.view.base))[d.view.off:]}
		if rows {
			v.RowStride, v.ColStride = int(d.freeBy), int(d.conBy)
		} else {
			v.RowStride, v.ColStride = int(d.conBy), int(d.freeBy)
		}
		return v
	}
	if len(l.batch.dims) == 1 && len(r.batch.dims) == 1 {
		var held sync.Pool
		// Weights that the program holds are prepared at the first run; products of few rows read them in place.
		var once sync.Once
		var packed *kernel.Packed[T]
		prepare := r.view.base.lit != nil && batches == 1 && m > 4 && n > 4
		return func(rn *run) error {
			if k == 0 {
				clear(rn.bytes(out))
				return nil
			}
			g, _ := held.Get().(*kernel.Gemm[T])
			if g == nil {
				g = new(kernel.Gemm[T])
			}
			*g = kernel.Gemm[T]{M: m, N: n, K: k, A: matrix(rn, l, true), B: matrix(rn, r, false)}
			g.C = kernel.RowMajor(as[T](rn.bytes(out)), n)
			if batches > 1 {
				g.Batch, g.BatchA, g.BatchB, g.BatchC = batches, int(l.batch.strides[0]), int(r.batch.strides[0]), m*n
			}
			if other != nil {
				if done, err := other(rn.ctx, g); done || err != nil {
					*g = kernel.Gemm[T]{}
					held.Put(g)
					return cmp.Or(rn.err(), err)
				}
			}
			if prepare {
				once.Do(func() { packed = pack(g.B, k, n) })
				g.Packed = packed
			}
			if m*n*k >= longProduct {
				gemm(g, rn.watch)
			} else {
				gemm(g, rn.par)
			}
			*g = kernel.Gemm[T]{}
			held.Put(g)
			return rn.err()
		}
	}
	offsetsL, offsetsR := l.batch.offsets(), r.batch.offsets()
	return func(rn *run) error {
		if k == 0 {
			clear(rn.bytes(out))
			return nil
		}
		a, b, c := matrix(rn, l, true), matrix(rn, r, false), as[T](rn.bytes(out))
		one := func(t int, par kernel.Par) {
			if rn.stopped() {
				return
			}
			g := &kernel.Gemm[T]{M: m, N: n, K: k, A: a, B: b, C: kernel.RowMajor(c[t*m*n:], n)}
			g.A.Data, g.B.Data = a.Data[offsetsL[t]:], b.Data[offsetsR[t]:]
			gemm(g, par)
		}
		if m*n*k >= 1<<20 {
			for t := range batches {
				one(t, rn.watch)
			}
		} else {
			rn.pool.Run(batches, func(t int) { one(t, nil) })
		}
		return rn.err()
	}
}

// offsets lists where each element of the walk lies.
func (w walk) offsets() []int64 {
	out := []int64{0}
	for k, d := range w.dims {
		next := make([]int64, 0, len(out)*int(d))
		for _, o := range out {
			for j := range d {
				next = append(next, o+j*w.strides[k])
			}
		}
		out = next
	}
	return out
}
