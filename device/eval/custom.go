package eval

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// customCall runs the function that Options names for the target, or one of the targets known here.
func customCall(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	a, ok := op.Attr.(*stablehlo.CustomCallAttr)
	if !ok {
		return nil, fmt.Errorf("has no target")
	}
	c := r.opts.Extern[op]
	if c == nil {
		c = r.opts.CustomCalls[a.Target]
	}
	if c != nil {
		out, err := c(r.ctx, op, in)
		for _, v := range out {
			retain(v) // it may be an operand that is passed on
		}
		return out, err
	}
	switch {
	case strings.HasPrefix(a.Target, "check."):
		return r.checkCall(op, a, in)
	case strings.HasPrefix(a.Target, "lapack_"):
		return r.lapack(op, a, in)
	}
	switch a.Target {
	case "Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "annotate_device_placement", "MoveToHost",
		"MoveToDevice", "LayoutConstraint", "xla.sdy.FuncResultSharding":
		return identity(r, op, in, f)
	case "interpreter.probe":
		return r.probe(op, a, in)
	case "interpreter.print":
		return nil, nil
	case "interpreter.run_parallel":
		return r.runParallel(op, a, in)
	case "Qr":
		return r.algebra(op, a, in, "geqrf")
	case "ProductOfElementaryHouseholderReflectors":
		return r.algebra(op, a, in, "orgqr")
	case "mhlo.topk", "TopK":
		return r.topK(op, a, in)
	case "shape_assertion":
		return r.shapeAssertion(op, in)
	case "stablehlo.dynamic_top_k":
		return r.topK(op, a, in)
	case "stablehlo.dynamic_rng_bit_generator":
		return r.dynamicRNGBitGenerator(op, a, in)
	case "stablehlo.dynamic_reduce_window":
		return r.dynamicReduceWindow(op, a, in)
	}
	return nil, fmt.Errorf("target %q: %w", a.Target, ErrUnsupported)
}

// config finds an attribute of a custom call, wherever the producer put it.
func config(op *stablehlo.Op, a *stablehlo.CustomCallAttr, name string) (stablehlo.Extra, bool) {
	if x, ok := stablehlo.Find(a.BackendConfig, name); ok {
		return x, true
	}
	for _, holder := range []string{"mhlo.backend_config", "mhlo.attributes"} {
		if d, ok := stablehlo.Find(op.Extra, holder); ok {
			if list, ok := d.Dict(); ok {
				if x, ok := stablehlo.Find(list, name); ok {
					return x, true
				}
			}
		}
	}
	return stablehlo.Find(op.Extra, name)
}

func configInt(op *stablehlo.Op, a *stablehlo.CustomCallAttr, name string, def int64) int64 {
	if x, ok := config(op, a, name); ok {
		if n, ok := x.Int(); ok {
			return n
		}
		if b, ok := x.Bool(); ok {
			return boolInt(b)
		}
	}
	return def
}

// probe passes its operand on and shows it to Options.Probe; a later check may ask for it by name.
func (r *runner) probe(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil || len(ts) != 1 {
		return nil, fmt.Errorf("takes one tensor")
	}
	id := ""
	if x, ok := config(op, a, "probe_id"); ok {
		id, _ = x.Text()
	}
	r.grid.mu.Lock()
	r.grid.probes[id] = append(r.grid.probes[id], ts[0])
	r.grid.mu.Unlock()
	if r.opts.Probe != nil {
		r.opts.Probe(id, ts[0])
	}
	retain(ts[0])
	return []Value{ts[0]}, nil
}

// runParallel runs the programs of interpreter.run_parallel as a grid of processes.
func (r *runner) runParallel(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	x, ok := config(op, a, "programs")
	if !ok {
		return nil, fmt.Errorf("has no programs")
	}
	function := func(e stablehlo.Extra) (*stablehlo.Func, error) {
		name, _ := e.Text()
		fn := r.module.Func(strings.TrimPrefix(name, "@"))
		if fn == nil {
			return nil, fmt.Errorf("function %q is not in the module", name)
		}
		return fn, nil
	}
	rows, _ := x.List()
	var programs [][]Program
	for _, row := range rows {
		var line []Program
		list, _ := row.List()
		for _, e := range list {
			fn, err := function(e)
			if err != nil {
				return nil, err
			}
			n := len(fn.Body.Args)
			if n > len(in) {
				return nil, fmt.Errorf("has too few inputs")
			}
			line = append(line, Program{fn, in[:n]})
			in = in[n:]
		}
		programs = append(programs, line)
	}
	var feed []*stablehlo.Func
	if x, ok := config(op, a, "infeed"); ok {
		list, _ := x.List()
		for _, e := range list {
			fn, err := function(e)
			if err != nil {
				return nil, err
			}
			feed = append(feed, fn)
		}
	}
	var results [][][]Value
	var err error
	if p, ok := r.ctx.Value(placeKey{}).(Place); ok && p.Link != nil && len(programs) > 0 && p.Replicas*p.Partitions == len(programs)*len(programs[0]) {
		results, err = r.across(op, programs, p.Link, p.Process)
	} else {
		results, err = runGrid(r.ctx, r.module, programs, feed, r.opts, r.mem)
	}
	if err != nil {
		return nil, err
	}
	var out []Value
	for _, row := range results {
		for _, values := range row {
			out = append(out, values...)
		}
	}
	return out, nil
}

func (r *runner) shapeAssertion(op *stablehlo.Op, in []Value) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil || len(ts) == 0 {
		return nil, fmt.Errorf("takes a predicate")
	}
	p, err := scalarInt(ts[0])
	if err != nil {
		return nil, err
	}
	if p == 0 {
		msg := "shape assertion failed"
		if x, ok := stablehlo.Find(op.Extra, "error_message"); ok {
			msg, _ = x.Text()
		}
		return nil, fmt.Errorf("%s", msg)
	}
	return nil, nil
}

// topK finds the k largest elements of each row and their positions; of equal ones the first comes first.
func (r *runner) topK(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil || len(ts) == 0 || len(op.Results) != 2 || ts[0].Type.Rank() == 0 {
		return nil, fmt.Errorf("takes a tensor and has two results")
	}
	t := ts[0]
	dims := append([]int64(nil), t.Type.Dims...)
	n := int(dims[len(dims)-1])
	res := op.Results[0].Type.Dims
	if len(res) == 0 || op.Results[0].Type.Elem != t.Type.Elem || !op.Results[1].Type.Elem.IsInt() {
		return nil, fmt.Errorf("results %v and %v for rows of %v", op.Results[0].Type, op.Results[1].Type, t.Type)
	}
	k := res[len(res)-1]
	switch {
	case len(ts) > 1:
		if k, err = scalarInt(ts[1]); err != nil {
			return nil, fmt.Errorf("k %w", err)
		}
	case k == stablehlo.Dynamic:
		k = configInt(op, a, "k", 0)
	}
	if k < 0 || int(k) > n {
		return nil, fmt.Errorf("k is %d for rows of %d", k, n)
	}
	largest := configInt(op, a, "largest", 1) != 0
	dims[len(dims)-1] = k
	values, err := r.out(op, 0, dims)
	if err != nil {
		return nil, err
	}
	where, err := r.out(op, 1, dims)
	if err != nil {
		return nil, err
	}
	if len(values.Data) == 0 {
		return []Value{values, where}, nil // the rows may be without number
	}
	row := newLane(t.Type.Elem, n)
	idx := newLane(where.Type.Elem, 1)
	order, spare := make([]int, n), make([]int, n)
	direction := stablehlo.GT
	if !largest {
		direction = stablehlo.LT
	}
	compare := compareOp(stablehlo.CompareAttr{Direction: direction, Type: stablehlo.CompareTotalOrder}, t.Type.Elem)
	x, y, hit := newLane(t.Type.Elem, 1), newLane(t.Type.Elem, 1), make([]int64, 1)
	pair, dst := []*lane{x, y}, &lane{i: hit}
	for b := range product(dims[:len(dims)-1]) {
		if err := r.tick(); err != nil {
			return nil, err
		}
		row.load(t.Data, b*n, n)
		for i := range order {
			order[i] = i
		}
		err := mergeSort(order, spare, func(p, q int) (bool, error) {
			x.copyOne(0, row, p)
			y.copyOne(0, row, q)
			compare(dst, pair, 1)
			return hit[0] != 0, nil
		})
		if err != nil {
			return nil, err
		}
		for i, p := range order[:k] {
			put(values.Data, b*int(k)+i, t.Data, b*n+p, t.Type.Elem.Size())
			idx.i[0] = int64(p)
			idx.storeOne(0, where.Data, b*int(k)+i)
		}
	}
	return []Value{values, where}, nil
}

// dynamicRNGBitGenerator is rng_bit_generator whose shape is an operand.
func (r *runner) dynamicRNGBitGenerator(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil || len(ts) != 2 || len(op.Results) != 2 {
		return nil, fmt.Errorf("takes a state and a shape and has two results")
	}
	if want := op.Results[0].Type; want.Elem != ts[0].Type.Elem {
		return nil, fmt.Errorf("result %v for a state %v", want, ts[0].Type)
	}
	dims, err := intsOf(ts[1])
	if err != nil {
		return nil, fmt.Errorf("shape %w", err)
	}
	algorithm := stablehlo.RNGDefault
	if x, ok := config(op, a, "rng_algorithm"); ok {
		switch name, _ := x.Text(); {
		case strings.Contains(name, "THREE_FRY"):
			algorithm = stablehlo.RNGThreeFry
		case strings.Contains(name, "PHILOX"):
			algorithm = stablehlo.RNGPhilox
		}
	}
	plain := *op
	plain.Kind, plain.Attr = stablehlo.RNGBitGenerator, stablehlo.RNGBitGeneratorAttr{Algorithm: algorithm}
	result := *op.Results[1]
	result.Type.Dims = dims
	plain.Results = []*stablehlo.Value{op.Results[0], &result}
	return rngBitGenerator(r, &plain, in[:1], nil)
}

// dynamicReduceWindow is reduce_window whose window is given by operands, and its body by a function.
func (r *runner) dynamicReduceWindow(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil || len(a.Called) != 1 || len(ts) < 7 || len(ts)%2 != 1 {
		return nil, fmt.Errorf("takes inputs, initial values, five lists and a function")
	}
	n := len(ts) - 5
	var lists [5][]int64
	for i := range lists {
		if lists[i], err = intsOf(ts[n+i]); err != nil {
			return nil, fmt.Errorf("operand %d %w", n+i, err)
		}
	}
	w := &stablehlo.WindowAttr{Dims: lists[0], Strides: lists[1], BaseDilations: lists[2], WindowDilations: lists[3]}
	if len(lists[4]) != 2*len(lists[0]) {
		return nil, fmt.Errorf("padding has %d numbers, want %d", len(lists[4]), 2*len(lists[0]))
	}
	for i := range lists[0] {
		w.Padding = append(w.Padding, [2]int64{lists[4][2*i], lists[4][2*i+1]})
	}
	plain := *op
	plain.Kind, plain.Attr = stablehlo.ReduceWindow, w
	plain.Regions = []*stablehlo.Block{a.Called[0].Body}
	return reduceWindow(r, &plain, in[:n], nil)
}
