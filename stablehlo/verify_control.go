package stablehlo

import (
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// controlRules checks calls, branches, loops, tuples and tokens.
func (c check) controlRules() {
	switch c.Kind {
	case Return:
	case AfterAll:
		for i := range c.Operands {
			c.token(c.in(i), "operand")
		}
		c.token(c.out(0), "result")
	case Call:
		a := attrOf[CallAttr](c)
		c.require(a.Callee != nil, "calls no function")
		c.signature(a.Callee)
	case Composite:
		a := attrOf[*CompositeAttr](c)
		c.require(a.Decomposition != nil, "has no decomposition")
		c.require(a.Version >= 0, "version must not be negative, but is %d", a.Version)
		c.signature(a.Decomposition)
	case CustomCall:
		c.customCall()
	case OptimizationBarrier:
		c.require(len(c.Operands) == len(c.Results), "must have as many results as operands")
		for i := range c.Operands {
			c.resultAny(i, c.in(i))
		}
	case TupleOp:
		c.resultAny(0, Type{Kind: Tuple, Elems: types(c.Operands)})
	case GetTupleElement:
		t, i := c.in(0), attrOf[DimAttr](c).Dim
		c.require(t.Kind == Tuple, "operand must be a tuple, not %v", t)
		c.require(i >= 0 && i < int64(len(t.Elems)), "index: %d is not one of %d elements", i, len(t.Elems))
		c.resultAny(0, t.Elems[i])
	case If:
		c.require(c.in(0).Kind == Tensor && c.in(0).Elem == dtype.I1 && c.in(0).Rank() == 0, "pred must be a tensor<i1>, not %v", c.in(0))
		c.branches()
	case Case:
		c.require(c.in(0).Kind == Tensor && c.in(0).Elem == dtype.I32 && c.in(0).Rank() == 0, "index must be a tensor<i32>, not %v", c.in(0))
		c.require(len(c.Regions) > 0, "must have at least 1 branch")
		c.branches()
	case While:
		ts := types(c.Operands)
		c.region(0, ts, []Type{TensorOf(dtype.I1)})
		c.region(1, ts, ts)
		c.require(len(c.Results) == len(ts), "must have %d results, not %d", len(ts), len(c.Results))
		for i, t := range ts {
			c.resultAny(i, t)
		}
	case AsyncStart:
		ts := types(c.Operands)
		b := c.Regions[0]
		c.region(0, ts, types(b.Terminator().Operands))
		c.resultAny(0, Type{Kind: Future, Elems: types(b.Terminator().Operands)})
	case AsyncDone:
		f := c.in(0)
		c.require(f.Kind == Future, "operand must be a future, not %v", f)
		c.require(len(f.Elems) == len(c.Results), "must have %d results, not %d", len(f.Elems), len(c.Results))
		for i, t := range f.Elems {
			c.resultAny(i, t)
		}
	default:
		c.communicationRules()
	}
}

func (c check) token(t Type, what string) {
	c.require(t.Kind == Token, "%s must be a token, not %v", what, t)
}

// resultAny is result for values that need not be tensors.
func (c check) resultAny(i int, want Type) {
	c.require(c.out(i).Compatible(want), "result %d is %v but must be %v", i, c.out(i), want)
}

func (c check) signature(f *Func) {
	c.require(len(f.Args()) == len(c.Operands), "@%s takes %d operands, not %d", f.Name, len(f.Args()), len(c.Operands))
	for i, a := range f.Args() {
		c.require(c.in(i).Compatible(a.Type), "operand %d is %v but @%s takes %v", i, c.in(i), f.Name, a.Type)
	}
	c.require(len(f.Results) == len(c.Results), "@%s has %d results, not %d", f.Name, len(f.Results), len(c.Results))
	for i, t := range f.Results {
		c.require(c.out(i).Compatible(t), "result %d is %v but @%s returns %v", i, c.out(i), f.Name, t)
	}
}

func (c check) branches() {
	for i := range c.Regions {
		c.region(i, nil, types(c.Results))
	}
}

func (c check) customCall() {
	a := attrOf[*CustomCallAttr](c)
	c.require(a.Target != "", "call_target_name is missing")
	c.require(a.APIVersion >= 0 && a.APIVersion <= 4, "api_version must lie between 0 and 4, not %d", a.APIVersion)
	if strings.HasPrefix(a.Target, "check.expect_") {
		c.testOp(a)
	}
	c.require((a.OperandLayouts == nil) == (a.ResultLayouts == nil), "operand_layouts and result_layouts go together")
	if a.OperandLayouts == nil {
		return
	}
	layouts := func(what string, list [][]int64, ts []Type) {
		if len(ts) == 1 && ts[0].Kind == Tuple {
			ts = ts[0].Elems
		}
		c.require(len(list) == len(ts), "%s must have %d entries, not %d", what, len(ts), len(list))
		for i, l := range list {
			if ts[i].Kind != Tensor {
				c.require(len(l) == 0, "%s: entry %d must be empty, for %v", what, i, ts[i])
				continue
			}
			c.length(what, len(l), ts[i].Rank())
			c.dims(what, l, ts[i].Rank())
		}
	}
	layouts("operand_layouts", a.OperandLayouts, types(c.Operands))
	layouts("result_layouts", a.ResultLayouts, types(c.Results))
}

// testOp checks the comparisons of conformance tests, whose sides must have one type.
func (c check) testOp(a *CustomCallAttr) {
	c.require(len(c.Operands) > 0 && len(c.Operands) <= 2, "must have 1 or 2 operands, not %d", len(c.Operands))
	other := c.in(len(c.Operands) - 1)
	if v, ok := Find(a.BackendConfig, "value"); ok {
		lit, isTensor := v.Tensor()
		c.require(isTensor && len(c.Operands) == 1, "value must be a dense tensor, and the only thing to compare with")
		other = lit.Type
	}
	c.require(other.Compatible(c.in(0)), "cannot compare %v with %v", c.in(0), other)
}

// communicationRules checks what devices say to each other and to the host.
func (c check) communicationRules() {
	switch c.Kind {
	case PartitionID, ReplicaID:
		c.result(0, TensorOf(dtype.U32))
	case AllGather:
		a := attrOf[*CollectiveAttr](c)
		c.groups(a) // their size and the result's need not agree: old programs are written so
		c.pairwise(func(i int, x Type) {
			c.dim("all_gather_dim", a.Dim, x.Rank())
			r := c.out(i)
			c.require(r.Rank() == x.Rank(), "result %v must have as many dimensions as %v", r, x)
			from, to := x.Dims[a.Dim], r.Dims[a.Dim]
			c.require(from == Dynamic || to == Dynamic || to == from || from > 0 && to%from == 0,
				"result %v must be a multiple of %v in dimension %d", r, x, a.Dim)
			want := slices.Clone(x.Dims)
			want[a.Dim] = to
			c.resultShapeAt(i, want)
		})
	case AllReduce, CollectiveReduce:
		a := attrOf[*CollectiveAttr](c)
		c.groups(a)
		if a.DynamicRoot {
			c = c.withoutRoots()
		}
		c.pairwise(func(i int, x Type) { c.resultShapeAt(i, x.Dims) })
		c.require(len(c.Operands) > 0, "must have at least 1 operand")
		for i := range c.Operands {
			one := check{&Op{Kind: c.Kind, Operands: c.Operands[i : i+1], Results: c.Results[i : i+1], Regions: c.Regions}}
			one.reducer(0, one.Operands, []Type{scalarOf(c.in(i))}, func(_ int, elem Type) Type { return like(c.in(i), elem) })
		}
	case ReduceScatter:
		a, x, r := attrOf[*CollectiveAttr](c), c.in(0), c.out(0)
		size := c.groups(a)
		c.dim("scatter_dimension", a.Dim, x.Rank())
		c.require(r.Rank() == x.Rank(), "result %v must have as many dimensions as %v", r, x)
		from, to := x.Dims[a.Dim], r.Dims[a.Dim]
		c.require(from == Dynamic || to == Dynamic || size == 0 || from == to*size || a.crossesBoth() && to > 0 && from%(to*size) == 0, "operand %v must be %d times %v in dimension %d", x, size, r, a.Dim)
		want := slices.Clone(x.Dims)
		want[a.Dim] = to
		c.reducer(0, c.Operands, []Type{scalarOf(x)}, func(_ int, elem Type) Type { return withDims(like(x, elem), want) })
	case AllToAll:
		a := attrOf[*CollectiveAttr](c)
		size := c.groups(a)
		c.require(a.SplitCount >= 1, "split_count must be positive, not %d", a.SplitCount)
		c.require(size == 0 || size == a.SplitCount || a.crossesBoth(), "replica groups must have split_count, %d, members, not %d", a.SplitCount, size)
		c.pairwise(func(i int, x Type) {
			c.dim("split_dimension", a.SplitDim, x.Rank())
			c.dim("concat_dimension", a.ConcatDim, x.Rank())
			want := slices.Clone(x.Dims)
			if d := want[a.SplitDim]; d != Dynamic {
				c.require(d%a.SplitCount == 0, "dimension %d of %v must be a multiple of split_count, %d", a.SplitDim, x, a.SplitCount)
				want[a.SplitDim] = d / a.SplitCount
			}
			if d := want[a.ConcatDim]; d != Dynamic {
				c.require(d <= maxExtent && a.SplitCount <= maxExtent/max(d, 1), "the result is too large")
				want[a.ConcatDim] = d * a.SplitCount
			}
			c.resultShapeAt(i, want)
		})
	case CollectiveBroadcast:
		a := attrOf[*CollectiveAttr](c)
		c.groups(a)
		if a.DynamicRoot {
			c = c.withoutRoots()
		}
		c.pairwise(func(i int, x Type) { c.resultShapeAt(i, x.Dims) })
	case CollectivePermute:
		a := attrOf[*CollectiveAttr](c)
		c.pairs(a.Groups)
		c.pairwise(func(i int, x Type) { c.resultShapeAt(i, x.Dims) })
	case Infeed, Recv:
		attrOf[*ChannelAttr](c)
		c.require(len(c.Operands) == 1, "must have 1 operand, not %d", len(c.Operands))
		c.token(c.in(0), "operand")
		c.require(len(c.Results) > 0, "must have at least 1 result, a token")
		c.token(c.out(len(c.Results)-1), "the last result")
	case Outfeed, Send:
		attrOf[*ChannelAttr](c)
		c.require(len(c.Operands) > 0, "must have at least 1 operand, a token")
		c.token(c.in(len(c.Operands)-1), "the last operand")
		c.token(c.out(0), "result")
	default:
		c.failf("is not an operation")
	}
}

// pairwise runs f for each operand, which has a result of the same element type.
func (c check) pairwise(f func(i int, x Type)) {
	c.require(len(c.Operands) == len(c.Results), "must have as many results as operands")
	for i := range c.Operands {
		if c.Kind == AllGather || c.Kind == AllToAll || c.Kind == CollectiveBroadcast || c.Kind == CollectivePermute {
			c.sameElem(c.in(i), c.out(i))
		}
		f(i, c.in(i))
	}
}

func (c check) resultShapeAt(i int, dims []int64) {
	got := c.out(i)
	c.require(compatibleDims(got.Dims, dims), "result %d is %v but must be %v", i, got, withDims(got, dims))
}

// withoutRoots checks the last operand, the roots, and returns the operation without it.
func (c check) withoutRoots() check {
	n := len(c.Operands) - 1
	c.require(n >= 1, "must have at least 1 operand before the roots")
	r := c.in(n)
	c.require(r.Elem.IsInt() && compatibleDims(r.Dims, []int64{int64(n)}), "the roots must be a tensor<%dxi32>, not %v", n, r)
	return check{&Op{Kind: c.Kind, Operands: c.Operands[:n], Results: c.Results, Regions: c.Regions, Attr: c.Attr}}
}

// groups checks replica groups and returns the size that all of them have; 0 where there are none or sizes differ.
func (c check) groups(a *CollectiveAttr) int64 {
	seen := map[int64]bool{}
	size := int64(0)
	for i, g := range a.Groups {
		n := int64(0)
		for _, id := range g {
			if id == -1 {
				continue
			}
			c.require(id >= 0, "replica_groups: %d is not a process", id)
			c.require(!seen[id], "replica_groups: process %d is in two groups", id)
			seen[id] = true
			n++
		}
		switch {
		case i == 0:
			size = n
		case n != size:
			c.require(c.Kind == AllReduce || c.Kind == CollectiveReduce || c.Kind == CollectiveBroadcast, "replica groups must have the same size")
			size = 0
		}
	}
	if a.UseGlobalDeviceIDs {
		c.require(a.ChannelID > 0, "use_global_device_ids needs a channel_handle with a positive id")
		c.require(len(a.Groups) > 0 || a.MeshGroups != nil, "use_global_device_ids needs replica_groups")
	}
	return size
}

// crossesBoth reports whether the groups name replicas and the operation runs over all partitions of each, whose number
// the program does not say.
func (a *CollectiveAttr) crossesBoth() bool { return a.ChannelID > 0 && !a.UseGlobalDeviceIDs }

// pairs checks source_target_pairs.
func (c check) pairs(list [][]int64) {
	from, to := map[int64]bool{}, map[int64]bool{}
	for _, p := range list {
		c.require(len(p) == 2, "source_target_pairs must have 2 columns")
		c.require(p[0] >= 0 && p[1] >= 0, "source_target_pairs: %d to %d are not processes", p[0], p[1])
		c.require(!from[p[0]], "source_target_pairs: process %d sends twice", p[0])
		c.require(!to[p[1]], "source_target_pairs: process %d receives twice", p[1])
		from[p[0]], to[p[1]] = true, true
	}
}
