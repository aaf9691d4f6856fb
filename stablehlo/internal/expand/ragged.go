package expand

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// maxGroups bounds the products that one ragged product becomes.
const maxGroups = 1024

// raggedDot multiplies groups of rows of lhs, whose sizes the third operand gives, each with a matrix of its own: one
// product a group of lhs with all other rows set to zero. There are three modes, told apart by the ranks: the ragged
// dimension is a free one of lhs (the products are added), a contracted one (they are stacked), or a batching one
// (where groups change nothing).
func raggedDot(b *builder, op *mlir.Op) []value {
	x, y, sizes := arg(op, 0, 3), arg(op, 1, 3), arg(op, 2, 3)
	r := result(op)
	for _, t := range []mlir.Type{x.Type, y.Type, sizes.Type, r} {
		if !static(t) {
			failf("operands and result must have known shapes")
		}
	}
	numbers, ok := op.Attr("ragged_dot_dimension_numbers").(mlir.Struct)
	if !ok {
		failf("attribute ragged_dot_dimension_numbers is missing")
	}
	field := func(name string, rank int) []int64 {
		list, _ := numbers.Field(name).(mlir.Ints)
		for _, d := range list.Values {
			if d < 0 || d >= int64(rank) {
				failf("%s: %d is not one of %d dimensions", name, d, rank)
			}
		}
		return list.Values
	}
	lb, rb := field("lhs_batching_dimensions", len(x.Type.Dims)), field("rhs_batching_dimensions", len(y.Type.Dims))
	lc, rc := field("lhs_contracting_dimensions", len(x.Type.Dims)), field("rhs_contracting_dimensions", len(y.Type.Dims))
	ragged, group := field("lhs_ragged_dimensions", len(x.Type.Dims)), field("rhs_group_dimensions", len(y.Type.Dims))
	attrs := attrsBut(op, "ragged_dot_dimension_numbers")
	product := func(t mlir.Type, x, y value, rb, rc []int64) value {
		return b.op("stablehlo.dot_general", t, append(slices.Clone(attrs), dotNumbers(lb, rb, lc, rc)), x, y)
	}
	groupRank := len(sizes.Type.Dims)
	if len(ragged) != 1 || groupRank == 0 || !sizes.Type.Elem.IsInt() {
		failf("lhs must have one ragged dimension, and group sizes must be a list of integers")
	}
	n := sizes.Type.Dims[groupRank-1]
	if n < 1 || n > maxGroups || groupRank-1 > len(x.Type.Dims) {
		failf("there must be 1 to %d groups, not %d", maxGroups, n)
	}
	free := len(x.Type.Dims) < len(y.Type.Dims)
	switch {
	case free && len(group) != 1:
		failf("rhs must have one group dimension")
	case free && y.Type.Dims[group[0]] != n:
		failf("rhs has %d groups but there are %d group sizes", y.Type.Dims[group[0]], n)
	case !free && len(x.Type.Dims) >= len(r.Dims):
		return []value{product(r, x, y, rb, rc)}
	case !free && (len(r.Dims) == 0 || r.Dims[0] != n):
		failf("the result must have %d groups in its first dimension", n)
	}

	wide := withElem(x.Type, dtype.I64)
	position := b.op("stablehlo.iota", wide, []mlir.NamedAttr{{Name: "iota_dimension", Attr: scalar(ragged[0])}})
	zero := b.splat(x, encode(x.Type.Elem, 0))
	batch := sizes.Type.Dims[:groupRank-1]
	start := b.likeInt(0, &mlir.Value{Type: tensor(dtype.I64, batch...)})
	spread := func(v value) value { return b.broadcastInDim(v, wide, count(0, len(batch))) }
	var out value
	var parts []value
	for i := range n {
		from, to := make([]int64, groupRank), slices.Clone(sizes.Type.Dims)
		from[groupRank-1], to[groupRank-1] = i, i+1
		size := b.convert(b.reshape(b.slice(sizes, from, to), batch...), dtype.I64)
		limit := b.add(start, size)
		inside := b.and(b.cmp("GE", position, spread(start)), b.cmp("LT", position, spread(limit)))
		masked := b.sel(inside, x, zero)
		start = limit
		if !free {
			t := r
			t.Dims = r.Dims[1:]
			p := product(t, masked, y, rb, rc)
			parts = append(parts, b.reshape(p, append([]int64{1}, t.Dims...)...))
			continue
		}
		g := group[0]
		from, to = make([]int64, len(y.Type.Dims)), slices.Clone(y.Type.Dims)
		from[g], to[g] = i, i+1
		matrix := b.reshape(b.slice(y, from, to), slices.Delete(slices.Clone(y.Type.Dims), int(g), int(g)+1)...)
		p := product(r, masked, matrix, without(rb, g), without(rc, g))
		if out == nil {
			out = p
		} else {
			out = b.add(out, p)
		}
	}
	if free {
		return []value{out}
	}
	return []value{b.concat(0, parts...)}
}

// without renumbers dimensions for a tensor that has lost dimension d.
func without(dims []int64, d int64) []int64 {
	out := slices.Clone(dims)
	for i := range out {
		if out[i] > d {
			out[i]--
		}
	}
	return out
}
