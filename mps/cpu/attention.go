package cpu

import (
	"math"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// A task of an attention is a block of queries. It meets the keys a block at a time, and scales what it has of the result down whenever a
// row meets a greater score: so the scores that exist at a time fit a cache near the processor, however many keys there are.
const (
	queries = 64
	keys    = 256
)

var lowest = float32(math.Inf(-1))

// heads is keys and values of one matrix as float32, those of each block packed for products where many tasks use them.
type heads struct {
	key, value             kernel.View[float32]
	packedKey, packedValue []*kernel.Packed[float32]
}

func (d *device) attention(o op.Attention) {
	tasks := (o.Query.Rows + queries - 1) / queries
	if tasks == 1 && o.Result.Count > 1 { // few queries: a head is a task
		var shared heads
		if o.Key.Count == 1 {
			shared = d.heads(o, 0, o.Result.Count)
		}
		d.pool.Run(o.Result.Count, func(i int) {
			h := shared
			if o.Key.Count > 1 {
				h = d.heads(o, i, 1)
			}
			d.attend(o, h, i, 0)
		})
		return
	}
	var h heads
	for i := range o.Result.Count {
		if i == 0 || o.Key.Count > 1 {
			h = d.heads(o, i, tasks)
		}
		d.pool.Run(tasks, func(task int) { d.attend(o, h, i, task*queries) })
	}
}

// heads prepares matrix i of the keys and values for so many tasks.
func (d *device) heads(o op.Attention, i, tasks int) heads {
	k, v := o.Key, o.Value
	h := heads{key: d.dense(k, i), value: d.dense(v, i)}
	if tasks < 3 || o.Query.Rows < 8 {
		return h
	}
	n := (k.Rows + keys - 1) / keys
	h.packedKey, h.packedValue = make([]*kernel.Packed[float32], n), make([]*kernel.Packed[float32], n)
	d.pool.Run(n, func(b int) {
		first := b * keys
		rows := min(keys, k.Rows-first)
		h.packedKey[b] = d.table.PackB32(below(h.key, first).T(), k.Columns, rows)
		h.packedValue[b] = d.table.PackB32(below(h.value, first), rows, v.Columns)
	})
	return h
}

// below is the rows of v from the one given.
func below(v kernel.View[float32], row int) kernel.View[float32] {
	v.Data = v.Data[row*v.RowStride:]
	return v
}

// attend computes a block of rows of matrix i of the result, from the one given.
func (d *device) attend(o op.Attention, h heads, i, begin int) {
	z := o.Result
	n := min(queries, o.Query.Rows-begin)
	out := make([]float32, n*z.Columns)
	d.weigh(out, o, h, i, begin, false)
	if s := d.table.F32.Dot(out, out); s-s != 0 { // zero times a value that is no number is none: what is not seen must not matter
		clear(out)
		d.weigh(out, o, h, i, begin, true)
	}
	for r := range n {
		d.narrow(z.Type, rowBytes(z, i, begin+r), out[r*z.Columns:(r+1)*z.Columns])
	}
}

// weigh adds the values by their weights to out, which is zeros; if careful, those of weight zero are left out.
func (d *device) weigh(out []float32, o op.Attention, h heads, i, begin int, careful bool) {
	q, m, columns, f := o.Query, o.Mask, o.Value.Columns, &d.table.F32
	n := len(out) / columns
	hidden := o.Key.Rows - q.Rows // columns that the first row sees before its own
	seen := o.Key.Rows
	if o.Causal {
		seen = begin + n + hidden
	}
	rows := make([]float32, n*q.Columns)
	for r := range n {
		d.widen(rows[r*q.Columns:(r+1)*q.Columns], q.Type, rowBytes(q, i, begin+r))
	}
	scores, mask := make([]float32, n*min(keys, seen)), make([]float32, min(keys, seen))
	top, sum := make([]float32, n), make([]float32, n) // of each row: its greatest score, and the sum of the exponentials
	f.Fill(top, lowest)
	for first := 0; first < seen; first += keys {
		w := min(keys, seen-first)
		key, value := below(h.key, first), below(h.value, first)
		score := kernel.Gemm[float32]{M: n, N: w, K: q.Columns, A: kernel.RowMajor(rows, q.Columns), B: key.T(), C: kernel.RowMajor(scores, w)}
		add := kernel.Gemm[float32]{M: n, N: columns, K: w, A: kernel.RowMajor(scores, w), B: value, C: kernel.RowMajor(out, columns), Accumulate: true}
		if h.packedKey != nil && w == min(keys, o.Key.Rows-first) {
			score.Packed, add.Packed = h.packedKey[first/keys], h.packedValue[first/keys]
		}
		d.table.Gemm32(&score, nil)
		for r := range n {
			row, acc := scores[r*w:(r+1)*w], out[r*columns:(r+1)*columns]
			if o.Scale != 1 {
				f.VS[kernel.Mul](row, row, float32(o.Scale))
			}
			if m.Storage != nil {
				size := m.Type.Size()
				d.widen(mask[:w], m.Type, rowBytes(m, i, begin+r)[first*size:(first+w)*size])
				f.VV[kernel.Add](row, row, mask[:w])
			}
			if sees := max(0, begin+r+hidden+1-first); o.Causal && sees < w {
				clear(row[sees:])
				row = row[:sees]
			}
			high := max(top[r], f.Reduce[kernel.Max](row)) // NaN if one is
			if high == lowest {
				clear(row) // not the exponentials of NaN
				continue
			}
			if high != top[r] {
				keep := float32(math.Exp(float64(top[r] - high)))
				f.VS[kernel.Mul](acc, acc, keep)
				sum[r] *= keep
				top[r] = high
			}
			sum[r] += f.ExpSub(row, row, high)
		}
		if !careful {
			d.table.Gemm32(&add, nil)
			continue
		}
		for j, p := range scores[:n*w] {
			if p != 0 {
				f.Axpy(out[j/w*columns:(j/w+1)*columns], p, value.Data[j%w*value.RowStride:][:columns])
			}
		}
	}
	for r, s := range sum {
		if acc := out[r*columns : (r+1)*columns]; s != 0 {
			f.VS[kernel.Mul](acc, acc, 1/s)
		}
	}
}
