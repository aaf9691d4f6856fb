package expand

import (
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// deprecated returns how to express an operation that StableHLO once had.
func deprecated(name string) decompose {
	switch name {
	case "stablehlo.broadcast":
		return broadcast
	case "stablehlo.create_token":
		return func(b *builder, _ *mlir.Op) []value {
			return b.emit(&mlir.Op{Name: "stablehlo.after_all"}, mlir.Type{Kind: mlir.Token})
		}
	case "stablehlo.dot":
		return dot
	case "stablehlo.einsum":
		return einsum
	case "stablehlo.unary_einsum":
		return einsum
	case "stablehlo.torch_index_select":
		return torchIndexSelect
	case "stablehlo.cross-replica-sum":
		return crossReplicaSum
	}
	return nil
}

// list is an attribute that is a list of integers.
func list(op *mlir.Op, name string) []int64 {
	v, ok := op.Attr(name).(mlir.Ints)
	if !ok {
		failf("attribute %s must be a list of integers", name)
	}
	return v.Values
}

func integer(op *mlir.Op, name string) int64 {
	v, ok := op.Attr(name).(mlir.Int)
	if !ok {
		failf("attribute %s must be an integer", name)
	}
	return v.Value
}

// attrsBut are the attributes of op without those named.
func attrsBut(op *mlir.Op, names ...string) []mlir.NamedAttr {
	return slices.DeleteFunc(slices.Clone(op.Attrs), func(a mlir.NamedAttr) bool { return slices.Contains(names, a.Name) })
}

// broadcast adds dimensions in front.
func broadcast(b *builder, op *mlir.Op) []value {
	x := op.Operands
	if len(x) != 1 || x[0].Type.Kind != mlir.Tensor {
		failf("must have 1 operand, a tensor")
	}
	sizes := list(op, "broadcast_sizes")
	t := x[0].Type
	t.Dims = slices.Concat(sizes, t.Dims)
	if r := result(op); r.Quant != nil {
		t = r
	}
	return []value{b.broadcastInDim(x[0], t, count(len(sizes), len(t.Dims)))}
}

// count is from, from+1, … to-1.
func count(from, to int) []int64 {
	out := []int64{}
	for i := from; i < to; i++ {
		out = append(out, int64(i))
	}
	return out
}

// dot multiplies vectors and matrices: the last dimension of lhs with the first of rhs.
func dot(b *builder, op *mlir.Op) []value {
	if len(op.Operands) != 2 {
		failf("must have 2 operands, not %d", len(op.Operands))
	}
	l, r := op.Operands[0].Type, op.Operands[1].Type
	if len(l.Dims) < 1 || len(l.Dims) > 2 || len(r.Dims) < 1 || len(r.Dims) > 2 {
		failf("operands must be vectors or matrices, not %d and %d dimensions", len(l.Dims), len(r.Dims))
	}
	attrs := append(attrsBut(op), dotNumbers(nil, nil, []int64{int64(len(l.Dims)) - 1}, []int64{0}))
	return []value{b.op("stablehlo.dot_general", result(op), attrs, op.Operands...)}
}

func dotNumbers(lb, rb, lc, rc []int64) mlir.NamedAttr {
	return mlir.NamedAttr{Name: "dot_dimension_numbers", Attr: mlir.Struct{Name: "dot", Fields: []mlir.NamedAttr{
		{Name: "lhs_batching_dimensions", Attr: ints(lb...)},
		{Name: "rhs_batching_dimensions", Attr: ints(rb...)},
		{Name: "lhs_contracting_dimensions", Attr: ints(lc...)},
		{Name: "rhs_contracting_dimensions", Attr: ints(rc...)},
	}}}
}

// einsum sums products over the labels that the result lacks: "ab,bc->ac". A unary one is multiplied by one.
func einsum(b *builder, op *mlir.Op) []value {
	text, ok := op.Attr("einsum_config").(mlir.String)
	if !ok {
		failf("attribute einsum_config must be a string")
	}
	in, out, ok := strings.Cut(string(text), "->")
	if !ok || strings.Contains(in, ".") {
		failf("einsum_config %q must name every dimension by a letter, as in \"ab,bc->ac\"", text)
	}
	operands := op.Operands
	parts := strings.Split(in, ",")
	if op.Name == "stablehlo.unary_einsum" && len(operands) == 1 {
		one := b.splat(&mlir.Value{Type: tensor(operands[0].Type.Elem)}, encode(operands[0].Type.Elem, 1))
		operands, parts = []value{one, operands[0]}, append([]string{""}, parts...)
	}
	if len(operands) != 2 || len(parts) != 2 {
		failf("einsum_config %q does not match %d operands", text, len(op.Operands))
	}
	for i, p := range parts {
		if len(p) != len(operands[i].Type.Dims) {
			failf("einsum_config %q does not match operand %d, which has %d dimensions", text, i, len(operands[i].Type.Dims))
		}
		for j := range p {
			if strings.Count(p, p[j:j+1]) > 1 {
				failf("einsum_config %q repeats label %q in one operand, which is not supported", text, p[j])
			}
		}
	}
	var lb, rb, lc, rc []int64
	var batch, free strings.Builder
	lhs, rhs := operands[0], operands[1]
	// A label of one operand alone that the result lacks is summed first.
	lhs, parts[0] = sumOut(b, lhs, parts[0], parts[1]+out)
	rhs, parts[1] = sumOut(b, rhs, parts[1], parts[0]+out)
	var dims []int64
	for i, c := range parts[0] {
		j := strings.IndexRune(parts[1], c)
		switch {
		case j < 0:
		case strings.ContainsRune(out, c):
			lb, rb = append(lb, int64(i)), append(rb, int64(j))
			batch.WriteRune(c)
			dims = append(dims, lhs.Type.Dims[i])
		default:
			lc, rc = append(lc, int64(i)), append(rc, int64(j))
		}
	}
	for i, c := range parts[0] {
		if !strings.ContainsRune(parts[1], c) {
			free.WriteRune(c)
			dims = append(dims, lhs.Type.Dims[i])
		}
	}
	for i, c := range parts[1] {
		if !strings.ContainsRune(parts[0], c) {
			free.WriteRune(c)
			dims = append(dims, rhs.Type.Dims[i])
		}
	}
	labels := batch.String() + free.String()
	t := result(op)
	t.Dims = dims
	d := b.op("stablehlo.dot_general", t, append(attrsBut(op, "einsum_config"), dotNumbers(lb, rb, lc, rc)), lhs, rhs)
	if labels == out {
		return []value{d}
	}
	perm := make([]int64, len(out))
	for i, c := range out {
		j := strings.IndexRune(labels, c)
		if j < 0 || len(out) != len(labels) {
			failf("einsum_config %q: label %q of the result is in no operand", text, c)
		}
		perm[i] = int64(j)
	}
	return []value{b.transpose(d, perm)}
}

// sumOut sums x over the labels that keep lacks.
func sumOut(b *builder, x value, labels, keep string) (value, string) {
	var dims, rest []int64
	var left strings.Builder
	for i, c := range labels {
		if strings.ContainsRune(keep, c) {
			rest = append(rest, x.Type.Dims[i])
			left.WriteRune(c)
		} else {
			dims = append(dims, int64(i))
		}
	}
	if len(dims) == 0 {
		return x, labels
	}
	scalarType := tensor(x.Type.Elem)
	zero := b.splat(&mlir.Value{Type: scalarType}, encode(x.Type.Elem, 0))
	t := x.Type
	t.Dims = rest
	sum := b.emit(&mlir.Op{
		Name: "stablehlo.reduce", Operands: []value{x, zero},
		Attrs:   []mlir.NamedAttr{{Name: "dimensions", Attr: ints(dims...)}},
		Regions: []*mlir.Region{b.sum(scalarType)},
	}, t)
	return sum[0], left.String()
}

// sum is the region that adds two scalars.
func (b *builder) sum(t mlir.Type) *mlir.Region {
	return b.region([]mlir.Type{t, t}, func(b *builder, args []value) []value {
		return []value{b.add(args[0], args[1])}
	})
}

// torchIndexSelect takes slices of x along dim at the indices; the first batchDims dimensions go together.
func torchIndexSelect(b *builder, op *mlir.Op) []value {
	if len(op.Operands) != 2 {
		failf("must have 2 operands, not %d", len(op.Operands))
	}
	x, index := op.Operands[0], op.Operands[1]
	dim, batch := integer(op, "dim"), integer(op, "batch_dims")
	rank, indexRank := int64(len(x.Type.Dims)), int64(len(index.Type.Dims))
	if dim < 0 {
		dim += rank
	}
	if batch < 0 {
		batch += indexRank
	}
	if dim < 0 || dim >= rank || batch < 0 || batch > dim || batch > indexRank || !static(x.Type) || !static(index.Type) {
		failf("dim and batch_dims must name dimensions of tensors of known shape")
	}
	sizes := slices.Clone(x.Type.Dims)
	sizes[dim] = 1
	for i := range batch {
		sizes[i] = 1
	}
	dims := slices.Concat(x.Type.Dims[:dim], index.Type.Dims[batch:], x.Type.Dims[dim+1:])
	t := result(op)
	t.Dims = dims
	var offset, batching []int64
	for i := range int64(len(dims)) {
		if (i >= batch && i < dim) || i >= dim+indexRank-batch {
			offset = append(offset, i)
		}
	}
	for i := range batch {
		batching = append(batching, i)
	}
	numbers := mlir.Struct{Name: "gather", Fields: []mlir.NamedAttr{
		{Name: "offset_dims", Attr: ints(offset...)},
		{Name: "collapsed_slice_dims", Attr: ints(dim)},
		{Name: "operand_batching_dims", Attr: ints(batching...)},
		{Name: "start_indices_batching_dims", Attr: ints(batching...)},
		{Name: "start_index_map", Attr: ints(dim)},
		{Name: "index_vector_dim", Attr: scalar(indexRank)},
	}}
	return []value{b.op("stablehlo.gather", t, []mlir.NamedAttr{
		{Name: "dimension_numbers", Attr: numbers}, {Name: "slice_sizes", Attr: ints(sizes...)},
	}, x, index)}
}

// crossReplicaSum adds up the operands of the replicas.
func crossReplicaSum(b *builder, op *mlir.Op) []value {
	x := arg(op, 0, 1)
	return b.emit(&mlir.Op{
		Name: "stablehlo.all_reduce", Operands: op.Operands, Attrs: op.Attrs,
		Regions: []*mlir.Region{b.sum(tensor(x.Type.Elem))},
	}, result(op))
}
