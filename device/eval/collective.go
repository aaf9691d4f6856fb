package eval

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// meet finds the process's group and exchanges values with it. ok is false where the process is in no group.
func (r *runner) meet(op *stablehlo.Op, how func(a *stablehlo.CollectiveAttr) grouping, values []Value) (
	a *stablehlo.CollectiveAttr, group []process, all map[process][]Value, err error,
) {
	a, ok := op.Attr.(*stablehlo.CollectiveAttr)
	if !ok {
		return nil, nil, nil, fmt.Errorf("has no attributes")
	}
	if a.MeshGroups != nil {
		return nil, nil, nil, fmt.Errorf("replica groups by mesh axes: %w; write the groups as a matrix", ErrUnsupported)
	}
	groups, err := r.grid.groups(how(a), a.Groups)
	if err != nil {
		return nil, nil, nil, err
	}
	i := slices.IndexFunc(groups, func(g []process) bool { return slices.Contains(g, r.id) })
	if i < 0 {
		return a, nil, nil, nil
	}
	all, err = r.rendezvous(op, groups[i], values)
	return a, groups[i], all, err
}

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
	a, group, all, err := r.meet(op, byReduction, in)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
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

// fold reduces the operands of all processes, in the order of their ids, by op's region.
func (r *runner) fold(op *stablehlo.Op, group []process, all map[process][]Value, i int, f *frame) (*Tensor, error) {
	group = slices.Clone(group)
	slices.SortFunc(group, func(a, b process) int {
		if a.replica != b.replica {
			return a.replica - b.replica
		}
		return a.partition - b.partition
	})
	ts, err := column(group, all, i)
	if err != nil {
		return nil, err
	}
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
	_, group, all, err := r.meet(op, byReduction, in)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	outs := make([]Value, len(in))
	for i := range in {
		if outs[i], err = r.fold(op, group, all, i, f); err != nil {
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
	_, group, all, err := r.meet(op, byReduction, in)
	if err != nil {
		return nil, err
	}
	outs, err := r.zeros(op, in)
	if err != nil || group == nil {
		return outs, err
	}
	for i := range n {
		root, err := rootOf(group, in, n, i)
		if err != nil {
			return nil, err
		}
		if root != r.id {
			continue
		}
		release(outs[i])
		if outs[i], err = r.fold(op, group, all, i, f); err != nil {
			return nil, err
		}
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

func reduceScatter(r *runner, op *stablehlo.Op, in []Value, f *frame) ([]Value, error) {
	a, group, all, err := r.meet(op, byReduction, in)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	outs := make([]Value, len(in))
	for i := range in {
		sum, err := r.fold(op, group, all, i, f)
		if err != nil {
			return nil, err
		}
		if outs[i], err = r.part(op, sum, a.Dim, slices.Index(group, r.id), len(group)); err != nil {
			return nil, err
		}
		release(sum)
	}
	return outs, nil
}

func allToAll(r *runner, op *stablehlo.Op, in []Value, _ *frame) ([]Value, error) {
	a, group, all, err := r.meet(op, byChannel, in)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return nil, errNoGroup
	}
	me := slices.Index(group, r.id)
	outs := make([]Value, len(in))
	for i := range in {
		ts, err := column(group, all, i)
		if err != nil {
			return nil, err
		}
		parts := make([]*Tensor, len(ts))
		for k, t := range ts {
			if parts[k], err = r.part(op, t, a.SplitDim, me, int(a.SplitCount)); err != nil {
				return nil, err
			}
		}
		out, err := r.concat(op, i, parts, int(a.ConcatDim))
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			release(p)
		}
		outs[i] = out
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
	_, group, all, err := r.meet(op, byChannel, in)
	if err != nil {
		return nil, err
	}
	if group == nil {
		return r.zeros(op, in)
	}
	n := len(op.Results)
	outs := make([]Value, n)
	for i := range n {
		root, err := rootOf(group, in, n, i)
		if err != nil {
			return nil, err
		}
		if outs[i], err = r.received(op, i, all[root]); err != nil {
			return nil, err
		}
	}
	return outs, nil
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
	if outs == nil {
		return r.zeros(op, in)
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
