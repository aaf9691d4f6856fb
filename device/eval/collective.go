package eval

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// group finds the process's group; nil where it is in none.
func (r *runner) group(op *stablehlo.Op, how func(a *stablehlo.CollectiveAttr) grouping) (a *stablehlo.CollectiveAttr, group []process, err error) {
	a, ok := op.Attr.(*stablehlo.CollectiveAttr)
	if !ok {
		return nil, nil, fmt.Errorf("has no attributes")
	}
	if a.MeshGroups != nil {
		return nil, nil, fmt.Errorf("replica groups by mesh axes: %w; write the groups as a matrix", ErrUnsupported)
	}
	groups, err := r.grid.groups(how(a), a.Groups)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(groups, func(g []process) bool { return slices.Contains(g, r.id) })
	if i < 0 {
		return a, nil, nil
	}
	return a, groups[i], nil
}

// remote reports whether the members of group are in several processes of the operating system.
func (r *runner) remote(group []process) bool { return r.grid.link != nil && len(group) > 1 }

// byReduction is how all_gather, all_reduce and reduce_scatter form groups.
func byReduction(a *stablehlo.CollectiveAttr) grouping {
	switch {
	case a.ChannelID > 0 && a.UseGlobalDeviceIDs:
		return flattenedIDs
	case a.ChannelID > 0:
		return crossReplicaAndPartition
	}
	return crossReplica
}

// byChannel is how all_to_all, collective_broadcast and collective_permute form groups.
func byChannel(a *stablehlo.CollectiveAttr) grouping {
	if a.ChannelID > 0 {
		return crossPartition
	}
	return crossReplica
}

var errNoGroup = fmt.Errorf("this process is in no group")

// column is operand i of every member of group, in the group's order.
func column(group []process, all map[process][]Value, i int) ([]*Tensor, error) {
	ts := make([]*Tensor, len(group))
	for k, p := range group {
		if i >= len(all[p]) {
			return nil, fmt.Errorf("processes bring different numbers of operands")
		}
		t, ok := all[p][i].(*Tensor)
		if !ok {
			return nil, fmt.Errorf("operand %d is not a tensor", i)
		}
		ts[k] = t
	}
	return ts, nil
}

func allGather(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, group, err := r.group(op, byReduction)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	all, done, err := r.gather(op, group, in)
	if err != nil {
		return nil, err
	}
	defer done()
	outs := make([]Value, len(in))
	for i := range in {
		ts, err := column(group, all, i)
		if err != nil {
			return nil, err
		}
		out, err := r.concat(op, i, ts, int(a.Dim))
		if err != nil {
			return nil, err
		}
		outs[i] = out
	}
	return outs, nil
}

// foldAll reduces operand i of all processes, in the order of their ids.
func (r *runner) foldAll(op *stablehlo.Op, group []process, all map[process][]Value, i int, f *frame) (*Tensor, error) {
	ts, err := column(group, all, i)
	if err != nil {
		return nil, err
	}
	return r.fold(op, inOrder(group, ts), f)
}

// fold reduces tensors of one type in their order by op's region.
func (r *runner) fold(op *stablehlo.Op, ts []*Tensor, f *frame) (*Tensor, error) {
	b, err := region(op, 0, 2)
	if err != nil {
		return nil, err
	}
	total := ts[0].Len()
	m, err := r.machine(b, f, max(1, min(total, laneLen)))
	if err != nil {
		return nil, err
	}
	out, err := r.alloc(op, m.results[0].typ, ts[0].Type.Dims)
	if err != nil {
		return nil, err
	}
	for at := 0; at < total; at += laneLen {
		n := min(laneLen, total-at)
		for k, t := range ts {
			if t.Len() != total {
				return nil, fmt.Errorf("processes bring %v and %v", ts[0].Type, t.Type)
			}
			if k == 0 {
				m.args[0].load(t.Data, at, n)
				if len(ts) == 1 {
					m.args[0].store(out.Data, at, n)
				}
				continue
			}
			m.args[1].load(t.Data, at, n)
			if err := m.run(n); err != nil {
				return nil, err
			}
			if k < len(ts)-1 {
				m.args[0].copyAll(m.results[0], n)
			} else {
				m.results[0].store(out.Data, at, n)
			}
		}
	}
	return out, nil
}

func allReduce(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	_, group, err := r.group(op, byReduction)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	sums, err := r.totals(op, group, in, f)
	if err != nil {
		return nil, err
	}
	outs := make([]Value, len(in))
	for i, sum := range sums {
		outs[i] = sum
	}
	return outs, nil
}

// totals reduces every operand of all members.
func (r *runner) totals(op *stablehlo.Op, group []process, in []Value, f *frame) ([]*Tensor, error) {
	outs := make([]*Tensor, len(in))
	var all map[process][]Value
	var err error
	if !r.remote(group) {
		if all, err = r.rendezvous(op, group, in); err != nil {
			return nil, err
		}
	}
	for i := range in {
		if all != nil {
			outs[i], err = r.foldAll(op, group, all, i, f)
		} else {
			outs[i], err = r.total(op, group, in, i, f)
		}
		if err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// collectiveReduce is all_reduce of which only the root keeps the result; the others have zeros.
func collectiveReduce(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	n := len(op.Results)
	if len(in) < n {
		return nil, fmt.Errorf("has %d operands for %d results", len(in), n)
	}
	_, group, err := r.group(op, byReduction)
	if err != nil {
		return nil, err
	}
	outs, err := r.zeros(op, in)
	if err != nil || group == nil {
		return outs, err
	}
	sums, err := r.totals(op, group, in[:n], f)
	if err != nil {
		return nil, err
	}
	for i, sum := range sums {
		root, err := rootOf(group, in, n, i)
		if err != nil {
			return nil, err
		}
		if root != r.id {
			release(sum)
			continue
		}
		release(outs[i])
		outs[i] = sum
	}
	return outs, nil
}

// rootOf is the process that result i is about: the first of the group, or the one that an operand after the n data
// operands names.
func rootOf(group []process, in []Value, n, i int) (process, error) {
	if len(in) == n {
		return group[0], nil
	}
	ts, err := tensors(in[n:])
	if err != nil {
		return process{}, err
	}
	roots, err := intsOf(ts[0])
	if err != nil || i >= len(roots) || roots[i] < 0 || int(roots[i]) >= len(group) {
		return process{}, fmt.Errorf("root of result %d is not in the group", i)
	}
	return group[roots[i]], nil
}

// part is piece k of n equal pieces of t along dimension d.
func (r *runner) part(op *stablehlo.Op, t *Tensor, d int64, k, n int) (*Tensor, error) {
	if d < 0 || int(d) >= t.Type.Rank() || n <= 0 || t.Type.Dims[d]%int64(n) != 0 {
		return nil, fmt.Errorf("cannot split %v in %d along dimension %d", t.Type, n, d)
	}
	dims := slices.Clone(t.Type.Dims)
	dims[d] /= int64(n)
	out, err := r.alloc(op, t.Type.Elem, dims)
	if err != nil {
		return nil, err
	}
	step := strides(t.Type.Dims)
	copyStrided(out.Data, dims, t.Data, k*int(dims[d])*step[d], step, t.Type.Elem.Size())
	return out, nil
}

// split cuts t along dimension d, one piece for each of n members.
func (r *runner) split(op *stablehlo.Op, t *Tensor, d int64, n int) ([]*Tensor, error) {
	parts := make([]*Tensor, n)
	var err error
	for k := range parts {
		if parts[k], err = r.part(op, t, d, k, n); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

func releaseAll(ts []*Tensor) {
	for _, t := range ts {
		release(t)
	}
}

func reduceScatter(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	a, group, err := r.group(op, byReduction)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	outs := make([]Value, len(in))
	if r.remote(group) {
		ts, err := tensors(in)
		if err != nil {
			return nil, err
		}
		for i, t := range ts {
			parts, err := r.split(op, t, a.Dim, len(group))
			if err != nil {
				return nil, err
			}
			mine, err := r.swap(op, group, in[i:i+1], parts)
			if err != nil {
				return nil, err
			}
			if outs[i], err = r.fold(op, inOrder(group, mine), f); err != nil {
				return nil, err
			}
			releaseAll(parts)
		}
		return outs, nil
	}
	sums, err := r.totals(op, group, in, f)
	if err != nil {
		return nil, err
	}
	for i, sum := range sums {
		if outs[i], err = r.part(op, sum, a.Dim, slices.Index(group, r.id), len(group)); err != nil {
			return nil, err
		}
		release(sum)
	}
	return outs, nil
}

func allToAll(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, group, err := r.group(op, byChannel)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	if int(a.SplitCount) != len(group) {
		return nil, fmt.Errorf("splits in %d for a group of %d", a.SplitCount, len(group))
	}
	var all map[process][]Value
	if !r.remote(group) {
		if all, err = r.rendezvous(op, group, in); err != nil {
			return nil, err
		}
	}
	me := slices.Index(group, r.id)
	outs := make([]Value, len(in))
	for i := range in {
		parts := make([]*Tensor, len(group))
		if all == nil {
			t, ok := in[i].(*Tensor)
			if !ok {
				return nil, fmt.Errorf("operand %d is not a tensor", i)
			}
			pieces, err := r.split(op, t, a.SplitDim, len(group))
			if err != nil {
				return nil, err
			}
			if parts, err = r.swap(op, group, in[i:i+1], pieces); err != nil {
				return nil, err
			}
			defer releaseAll(pieces)
		} else {
			ts, err := column(group, all, i)
			if err != nil {
				return nil, err
			}
			for k, t := range ts {
				if parts[k], err = r.part(op, t, a.SplitDim, me, len(group)); err != nil {
					return nil, err
				}
			}
			defer releaseAll(parts)
		}
		if outs[i], err = r.concat(op, i, parts, int(a.ConcatDim)); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// zeros are results of zeros, for a process that receives nothing.
func (r *runner) zeros(op *stablehlo.Op, in []Value) ([]Value, error) {
	outs := make([]Value, len(op.Results))
	for i := range outs {
		t, ok := in[i].(*Tensor)
		if !ok {
			return nil, fmt.Errorf("operand %d is not a tensor", i)
		}
		out, err := r.out(op, i, t.Type.Dims)
		if err != nil {
			return nil, err
		}
		outs[i] = out
	}
	return outs, nil
}

func collectiveBroadcast(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	_, group, err := r.group(op, byChannel)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return r.zeros(op, in)
	}
	n := len(op.Results)
	var all map[process][]Value
	if !r.remote(group) {
		if all, err = r.rendezvous(op, group, in); err != nil {
			return nil, err
		}
	}
	outs := make([]Value, n)
	for i := range n {
		root, err := rootOf(group, in, n, i)
		if err != nil {
			return nil, err
		}
		if all == nil {
			if outs[i], err = r.spread(op, group, in, i, root); err != nil {
				return nil, err
			}
			continue
		}
		if outs[i], err = r.received(op, i, all[root]); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// spread gives operand i of the root to the others, which are elsewhere.
func (r *runner) spread(op *stablehlo.Op, group []process, in []Value, i int, root process) (Value, error) {
	v, err := r.received(op, i, in)
	if err != nil {
		return nil, err
	}
	data := v.(*Tensor).Data
	to, from := make([][]byte, len(group)), make([][]byte, len(group))
	for k, p := range group {
		switch {
		case r.id == root:
			to[k] = data
		case p == root:
			from[k] = data
		}
	}
	m := r.meeting(op, group, in)
	m.What += fmt.Sprintf(", result %d of %d", i, r.grid.number(root))
	return v, r.grid.link.Exchange(r.ctx, m, to, from)
}

func collectivePermute(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, ok := op.Attr.(*stablehlo.CollectiveAttr)
	if !ok {
		return nil, fmt.Errorf("has no attributes")
	}
	if len(a.Groups) == 0 {
		return r.zeros(op, in)
	}
	pairs, err := r.grid.groups(byChannel(a), a.Groups)
	if err != nil {
		return nil, err
	}
	var outs []Value
	var neighbours [][]process // the pairs that this process is in, where the other is elsewhere
	for _, pair := range pairs {
		if len(pair) != 2 {
			return nil, fmt.Errorf("source_target_pairs must be pairs")
		}
		from, to := pair[0], pair[1]
		if from != r.id && to != r.id {
			continue
		}
		if from == to {
			if outs, err = r.allReceived(op, in); err != nil {
				return nil, err
			}
			continue
		}
		if r.grid.link != nil {
			neighbours = append(neighbours, pair)
			continue
		}
		all, err := r.rendezvous(op, pair, in)
		if err != nil {
			return nil, err
		}
		if to == r.id {
			if outs, err = r.allReceived(op, all[from]); err != nil {
				return nil, err
			}
		}
	}
	if neighbours != nil {
		if outs, err = r.permute(op, neighbours, in, outs); err != nil {
			return nil, err
		}
	}
	if outs == nil {
		return r.zeros(op, in)
	}
	return outs, nil
}

// permute exchanges the operands with all neighbours at once.
func (r *runner) permute(op *stablehlo.Op, pairs [][]process, in, outs []Value) ([]Value, error) {
	for i := range op.Results {
		t, ok := in[i].(*Tensor)
		if !ok {
			return nil, fmt.Errorf("operand %d is not a tensor", i)
		}
		var group []process
		var to, from [][]byte
		var got []byte
		meet := func(p process) int {
			k := slices.Index(group, p)
			if k < 0 {
				k = len(group)
				group, to, from = append(group, p), append(to, nil), append(from, nil)
			}
			return k
		}
		for _, pair := range pairs {
			if pair[0] == r.id {
				to[meet(pair[1])] = append([]byte{}, t.Data...) // not nil: nil is nothing to send
			} else {
				got = make([]byte, len(t.Data))
				from[meet(pair[0])] = got
			}
		}
		m := r.meeting(op, group, in)
		if err := r.grid.link.Exchange(r.ctx, m, to, from); err != nil {
			return nil, err
		}
		if got == nil {
			continue
		}
		if outs == nil {
			outs = make([]Value, len(op.Results))
		}
		out, err := r.out(op, i, t.Type.Dims)
		if err != nil {
			return nil, err
		}
		copy(out.Data, got)
		outs[i] = out
	}
	return outs, nil
}

// received copies what another process brought as result i, so that each process accounts for its own memory.
func (r *runner) received(op *stablehlo.Op, i int, values []Value) (Value, error) {
	if i >= len(values) {
		return nil, fmt.Errorf("processes bring different numbers of operands")
	}
	t, ok := values[i].(*Tensor)
	if !ok {
		return nil, fmt.Errorf("operand %d is not a tensor", i)
	}
	out, err := r.out(op, i, t.Type.Dims)
	if err != nil {
		return nil, err
	}
	copy(out.Data, t.Data)
	return out, nil
}

func (r *runner) allReceived(op *stablehlo.Op, values []Value) ([]Value, error) {
	outs := make([]Value, len(op.Results))
	for i := range outs {
		var err error
		if outs[i], err = r.received(op, i, values); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

func partitionID(r *runner, op *stablehlo.Op, _ []*Tensor) (*Tensor, error) {
	return r.number(op, r.id.partition)
}

func replicaID(r *runner, op *stablehlo.Op, _ []*Tensor) (*Tensor, error) {
	return r.number(op, r.id.replica)
}

// number is a scalar integer result.
func (r *runner) number(op *stablehlo.Op, v int) (*Tensor, error) {
	out, err := r.out(op, 0, nil)
	if err != nil {
		return nil, err
	}
	encodeInts(out.Type.Elem, []int64{int64(v)}, out.Data)
	return out, nil
}
