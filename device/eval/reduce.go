package eval

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// region returns the only region of op, with the number of arguments it must take.
func region(op *stablehlo.Op, i, args int) (*stablehlo.Block, error) {
	if len(op.Regions) <= i {
		return nil, fmt.Errorf("has %d regions, want %d", len(op.Regions), i+1)
	}
	if n := len(op.Regions[i].Args); n != args {
		return nil, fmt.Errorf("region takes %d arguments, want %d", n, args)
	}
	return op.Regions[i], nil
}

func mapRegion(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	b, err := region(op, 0, len(ts))
	if err != nil {
		return nil, err
	}
	total := ts[0].Len()
	m, err := r.machine(b, f, min(total, laneLen))
	if err != nil {
		return nil, err
	}
	out, err := r.out(op, 0, ts[0].Type.Dims)
	if err != nil {
		return nil, err
	}
	for at := 0; at < total; at += laneLen {
		if err := r.tick(); err != nil {
			return nil, err
		}
		n := min(laneLen, total-at)
		for i, t := range ts {
			m.args[i].load(t.Data, at, n)
		}
		if err := m.run(n); err != nil {
			return nil, err
		}
		m.results[0].store(out.Data, at, n)
	}
	return []Value{out}, nil
}

// reduction is what reduce and reduce_window share: inputs, initial values and the body.
type reduction struct {
	inputs, inits []*Tensor
	body          *stablehlo.Block
}

func reductionOf(op *stablehlo.Op, in []Value) (*reduction, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	if len(ts) == 0 || len(ts)%2 != 0 {
		return nil, fmt.Errorf("has %d operands, want inputs and as many initial values", len(ts))
	}
	n := len(ts) / 2
	b, err := region(op, 0, 2*n)
	if err != nil {
		return nil, err
	}
	for _, t := range ts[n:] {
		if t.Len() != 1 {
			return nil, fmt.Errorf("initial value is %v, want a scalar", t.Type)
		}
	}
	return &reduction{ts[:n], ts[n:], b}, nil
}

// reduce folds, for each element of the result, the elements along the reduced dimensions in row-major order onto the
// initial value. Long plain sums of floats are kept in float64 and rounded once.
func reduce(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	red, err := reductionOf(op, in)
	if err != nil {
		return nil, err
	}
	a, _ := op.Attr.(stablehlo.DimsAttr)
	dims := red.inputs[0].Type.Dims
	all := strides(dims)
	var outDims, redDims []int64
	var outStep, redStep []int
	for d, n := range dims {
		if slices.Contains(a.Dims, int64(d)) {
			redDims, redStep = append(redDims, n), append(redStep, all[d])
		} else {
			outDims, outStep = append(outDims, n), append(outStep, all[d])
		}
	}
	total := product(outDims)
	width := max(1, min(total, laneLen))
	m, err := r.machine(red.body, f, width)
	if err != nil {
		return nil, err
	}
	if product(redDims) > longSum {
		m.keepWide()
	}
	n := len(red.inputs)
	outs := make([]Value, n)
	for i := range red.inputs {
		t, err := r.out(op, i, outDims)
		if err != nil {
			return nil, err
		}
		outs[i] = t
	}
	acc := make([]*lane, n)
	first := make([]*lane, n)
	for i, t := range red.inits {
		acc[i] = newLane(m.args[i].typ, width)
		if t.Type.Elem != acc[i].typ || red.inputs[i].Type.Elem != m.args[n+i].typ {
			return nil, fmt.Errorf("body takes %v and %v for input %v", acc[i].typ, m.args[n+i].typ, red.inputs[i].Type)
		}
		first[i] = newLane(acc[i].typ, 1)
		first[i].load(t.Data, 0, 1)
	}
	base := make([]int, width)
	idx := make([]int, len(outDims))
	inner := make([]int, len(redDims))
	count := product(redDims)
	for at := 0; at < total; at += width {
		k := min(width, total-at)
		for j := range k {
			unravel(idx, at+j, outDims)
			base[j] = 0
			for d, x := range idx {
				base[j] += x * outStep[d]
			}
		}
		for i := range acc {
			acc[i].fill(first[i], k)
		}
		clear(inner)
		for c := range count {
			if c%4096 == 0 {
				if err := r.tick(); err != nil {
					return nil, err
				}
			}
			off := 0
			for d, x := range inner {
				off += x * redStep[d]
			}
			for i, t := range red.inputs {
				m.args[i].copyAll(acc[i], k)
				for j := range k {
					m.args[n+i].loadOne(j, t.Data, base[j]+off)
				}
			}
			if err := m.run(k); err != nil {
				return nil, err
			}
			for i := range acc {
				acc[i].copyAll(m.results[i], k)
			}
			next(inner, redDims)
		}
		for i := range acc {
			acc[i].store(outs[i].(*Tensor).Data, at, k)
		}
	}
	return outs, nil
}

// window describes the windows of reduce_window over an input.
type window struct {
	a    *stablehlo.WindowAttr
	dims []int64 // of the input
	out  []int64 // of the result
	step []int
}

func newWindow(a *stablehlo.WindowAttr, dims []int64) (*window, error) {
	n := len(dims)
	if len(a.Dims) != n || len(a.Strides) != n || len(a.BaseDilations) != n || len(a.WindowDilations) != n || len(a.Padding) != n {
		return nil, fmt.Errorf("window attributes are not of rank %d", n)
	}
	w := &window{a: a, dims: dims, step: strides(dims), out: make([]int64, n)}
	for d, size := range dims {
		base := size
		if size > 0 {
			base = (size-1)*a.BaseDilations[d] + 1
		}
		padded := a.Padding[d][0] + base + a.Padding[d][1]
		span := (a.Dims[d]-1)*a.WindowDilations[d] + 1
		if a.Strides[d] <= 0 || a.Dims[d] <= 0 {
			return nil, fmt.Errorf("window of %v by %v", a.Dims, a.Strides)
		}
		if padded >= span && padded > 0 {
			w.out[d] = (padded-span)/a.Strides[d] + 1
		}
	}
	return w, nil
}

// source is the position in the input of window place win of result element idx, or -1 for padding.
func (w *window) source(idx, win []int) int {
	p := 0
	for d := range idx {
		at := int64(idx[d])*w.a.Strides[d] + int64(win[d])*w.a.WindowDilations[d] - w.a.Padding[d][0]
		if at < 0 || at%w.a.BaseDilations[d] != 0 {
			return -1
		}
		at /= w.a.BaseDilations[d]
		if at >= w.dims[d] {
			return -1
		}
		p += int(at) * w.step[d]
	}
	return p
}

// reduceWindow folds each window onto the initial value; padding holds the initial value too.
func reduceWindow(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	red, err := reductionOf(op, in)
	if err != nil {
		return nil, err
	}
	a, ok := op.Attr.(*stablehlo.WindowAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	w, err := newWindow(a, red.inputs[0].Type.Dims)
	if err != nil {
		return nil, err
	}
	total := product(w.out)
	width := max(1, min(total, laneLen))
	m, err := r.machine(red.body, f, width)
	if err != nil {
		return nil, err
	}
	if product(a.Dims) > longSum {
		m.keepWide()
	}
	n := len(red.inputs)
	outs := make([]Value, n)
	acc, first := make([]*lane, n), make([]*lane, n)
	for i, t := range red.inits {
		out, err := r.out(op, i, w.out)
		if err != nil {
			return nil, err
		}
		outs[i] = out
		acc[i] = newLane(m.args[i].typ, width)
		first[i] = newLane(m.args[i].typ, 1)
		first[i].load(t.Data, 0, 1)
	}
	idx := make([][]int, width)
	for j := range idx {
		idx[j] = make([]int, len(w.out))
	}
	win := make([]int, len(w.out))
	count := product(a.Dims)
	for at := 0; at < total; at += width {
		k := min(width, total-at)
		for j := range k {
			unravel(idx[j], at+j, w.out)
		}
		for i := range acc {
			acc[i].fill(first[i], k)
		}
		clear(win)
		for c := range count {
			if c%1024 == 0 {
				if err := r.tick(); err != nil {
					return nil, err
				}
			}
			for i := range red.inputs {
				m.args[i].copyAll(acc[i], k)
			}
			for j := range k {
				p := w.source(idx[j], win)
				for i, t := range red.inputs {
					if p < 0 {
						m.args[n+i].copyOne(j, first[i], 0)
					} else {
						m.args[n+i].loadOne(j, t.Data, p)
					}
				}
			}
			if err := m.run(k); err != nil {
				return nil, err
			}
			for i := range acc {
				acc[i].copyAll(m.results[i], k)
			}
			next(win, a.Dims)
		}
		for i := range acc {
			acc[i].store(outs[i].(*Tensor).Data, at, k)
		}
	}
	return outs, nil
}

// selectAndScatter picks one element of each window by the select region, and folds the source's element onto that
// place of the result by the scatter region.
func selectAndScatter(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	a, ok := op.Attr.(*stablehlo.WindowAttr)
	if !ok || len(ts) != 3 {
		return nil, fmt.Errorf("has no attributes or %d operands", len(ts))
	}
	operand, source, init := ts[0], ts[1], ts[2]
	sel, err := region(op, 0, 2)
	if err != nil {
		return nil, err
	}
	fold, err := region(op, 1, 2)
	if err != nil {
		return nil, err
	}
	choose, err := r.machine(sel, f, 1)
	if err != nil {
		return nil, err
	}
	add, err := r.machine(fold, f, 1)
	if err != nil {
		return nil, err
	}
	one := *a
	one.BaseDilations, one.WindowDilations = ones(len(a.Dims)), ones(len(a.Dims))
	w, err := newWindow(&one, operand.Type.Dims)
	if err != nil {
		return nil, err
	}
	out, err := r.out(op, 0, operand.Type.Dims)
	if err != nil {
		return nil, err
	}
	done, err := r.scratch(op, out.Len(), 16)
	if err != nil {
		return nil, err
	}
	defer done()
	sums := newLane(out.Type.Elem, out.Len())
	first := newLane(init.Type.Elem, 1)
	first.load(init.Data, 0, 1)
	sums.fill(first, out.Len())
	idx := make([]int, len(w.out))
	win := make([]int, len(w.out))
	for s := range source.Len() {
		if s%1024 == 0 {
			if err := r.tick(); err != nil {
				return nil, err
			}
		}
		best := -1
		clear(win)
		for range product(a.Dims) {
			if p := w.source(idx, win); p >= 0 {
				if best < 0 {
					best = p
				} else {
					choose.args[0].loadOne(0, operand.Data, best)
					choose.args[1].loadOne(0, operand.Data, p)
					if err := choose.run(1); err != nil {
						return nil, err
					}
					if choose.results[0].i[0] == 0 {
						best = p
					}
				}
			}
			next(win, a.Dims)
		}
		if best >= 0 {
			add.args[0].loadOne(0, source.Data, s)
			add.args[1].copyOne(0, sums, best)
			if err := add.run(1); err != nil {
				return nil, err
			}
			sums.copyOne(best, add.results[0], 0)
		}
		next(idx, source.Type.Dims)
	}
	sums.store(out.Data, 0, out.Len())
	return []Value{out}, nil
}

func ones(n int) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

// sortOp sorts the inputs together along one dimension. The sort is always stable.
func sortOp(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	a, ok := op.Attr.(*stablehlo.SortAttr)
	if !ok || len(ts) == 0 {
		return nil, fmt.Errorf("has no attributes or no operands")
	}
	b, err := region(op, 0, 2*len(ts))
	if err != nil {
		return nil, err
	}
	m, err := r.machine(b, f, 1)
	if err != nil {
		return nil, err
	}
	dims := ts[0].Type.Dims
	d := int(a.Dim)
	if d < 0 {
		d += len(dims)
	}
	if d < 0 || d >= len(dims) {
		return nil, fmt.Errorf("dimension %d of %v", a.Dim, ts[0].Type)
	}
	outs := make([]Value, len(ts))
	rows := make([]*lane, len(ts))
	n := int(dims[d])
	for i, t := range ts {
		out, err := r.out(op, i, dims)
		if err != nil {
			return nil, err
		}
		outs[i] = out
		rows[i] = newLane(t.Type.Elem, n)
	}
	step := strides(dims)[d]
	order, spare := make([]int, n), make([]int, n)
	calls := 0
	less := func(x, y int) (bool, error) {
		if calls++; calls%4096 == 0 {
			if err := r.tick(); err != nil {
				return false, err
			}
		}
		for i, row := range rows {
			m.args[2*i].copyOne(0, row, x)
			m.args[2*i+1].copyOne(0, row, y)
		}
		if err := m.run(1); err != nil {
			return false, err
		}
		return m.results[0].i[0] != 0, nil
	}
	for o := range product(dims[:d]) {
		for inner := range step {
			base := o*n*step + inner
			for i, t := range ts {
				for k := range n {
					rows[i].loadOne(k, t.Data, base+k*step)
				}
			}
			for k := range order {
				order[k] = k
			}
			if err := mergeSort(order, spare, less); err != nil {
				return nil, err
			}
			for i, t := range ts {
				data, size := outs[i].(*Tensor).Data, t.Type.Elem.Size()
				for k, from := range order {
					put(data, base+k*step, t.Data, base+from*step, size)
				}
			}
		}
	}
	return outs, nil
}

// mergeSort sorts a stably; it terminates for every less, also for one that is no order.
func mergeSort(a, spare []int, less func(x, y int) (bool, error)) error {
	if len(a) < 2 {
		return nil
	}
	h := len(a) / 2
	if err := mergeSort(a[:h], spare[:h], less); err != nil {
		return err
	}
	if err := mergeSort(a[h:], spare[h:], less); err != nil {
		return err
	}
	copy(spare, a)
	i, j := 0, h
	for k := range a {
		right := i >= h
		if !right && j < len(spare) {
			var err error
			if right, err = less(spare[j], spare[i]); err != nil {
				return err
			}
		}
		if right {
			a[k] = spare[j]
			j++
		} else {
			a[k] = spare[i]
			i++
		}
	}
	return nil
}
