package plan

import (
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func bytesOf[T any](s []T) []byte { return mem.Bytes(s) }

func viewable(b []byte, size int) bool {
	var err error
	switch size {
	case 2:
		_, err = mem.View[uint16](b)
	case 4:
		_, err = mem.View[uint32](b)
	case 8, 16:
		_, err = mem.View[uint64](b)
	}
	return err == nil
}

// copying copies the elements of a view to dense memory.
type copying struct {
	view view
	size int
	walk walk
	n    int64
	// A transposition of the two innermost dimensions goes by square blocks.
	turn       bool
	rows, cols int64 // of the destination
}

func copier(w view, t dtype.Type) *copying {
	m := &copying{view: w, size: t.Size(), walk: newWalk(w.dims, w.strides), n: 1}
	for _, d := range w.dims {
		m.n *= d
	}
	if k := len(m.walk.dims); k >= 2 && m.walk.strides[k-2] == 1 && m.walk.strides[k-1] >= m.walk.dims[k-2] &&
		m.walk.dims[k-2] >= 4 && m.walk.dims[k-1] >= 4 && (m.size == 4 || m.size == 8) {
		m.turn = true
		m.rows, m.cols = m.walk.dims[k-2], m.walk.dims[k-1]
	}
	return m
}

func (m *copying) run(r *run, dst []byte) { m.runAt(r, dst, m.view.off) }

// runAt is run for a view that starts at element off.
func (m *copying) runAt(r *run, dst []byte, off int64) {
	if m.n == 0 {
		return
	}
	src := r.bytes(m.view.base)
	if m.walk.linear() {
		from := src[off*int64(m.size):][:m.n*int64(m.size)]
		if m.n*int64(m.size) < 1<<20 {
			copy(dst, from)
			return
		}
		const block = 1 << 18
		r.pool.Run(int((m.n*int64(m.size)+block-1)/block), func(t int) {
			lo := int64(t) * block
			hi := min(lo+block, int64(len(from)))
			copy(dst[lo:hi], from[lo:hi])
		})
		return
	}
	if m.turn {
		if m.size == 4 {
			turn(m, r, as[uint32](dst), as[uint32](src), off, r.kernels.U32.Transpose)
		} else {
			turn(m, r, as[uint64](dst), as[uint64](src), off, r.kernels.U64.Transpose)
		}
		return
	}
	if m.n <= grain {
		m.walk.load(dst[:m.n*int64(m.size)], src, m.size, off, 0, int(m.n))
		return
	}
	r.pool.Run(int((m.n+grain-1)/grain), func(t int) {
		if r.stopped() {
			return
		}
		lo := int64(t) * grain
		n := int(min(grain, m.n-lo))
		m.walk.load(dst[lo*int64(m.size):][:n*m.size], src, m.size, off, lo, n)
	})
}

func turn[T kernel.Number](m *copying, r *run, dst, src []T, off int64, transpose func(dst []T, dstStride int, src []T, srcStride, rows, cols int)) {
	k := len(m.walk.dims)
	outer := walk{dims: m.walk.dims[:k-2], strides: m.walk.strides[:k-2]}
	stride := m.walk.strides[k-1]
	// Cut the rows of the destination so that one task moves about a grain.
	band := max(4, min(m.rows, grain/m.cols))
	bands := (m.rows + band - 1) / band
	total := m.n / (m.rows * m.cols) * bands
	body := func(t int) {
		if r.stopped() {
			return
		}
		o, b := int64(t)/bands, int64(t)%bands
		at := off
		rest := o
		for d := len(outer.dims) - 1; d >= 0; d-- {
			at += rest % outer.dims[d] * outer.strides[d]
			rest /= outer.dims[d]
		}
		r0 := b * band
		rows := min(band, m.rows-r0)
		to := dst[(o*m.rows+r0)*m.cols:][:rows*m.cols]
		transpose(to, int(m.cols), src[at+r0:], int(stride), int(m.cols), int(rows))
	}
	if total == 1 || m.n <= grain {
		for t := range int(total) {
			body(t)
		}
		return
	}
	r.pool.Run(int(total), body)
}
