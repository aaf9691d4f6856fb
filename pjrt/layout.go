package pjrt

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Layout says where each element of a tensor is in memory. It has one of two forms. The tiled form orders the
// dimensions, and may cut them into tiles; the strided form says how many bytes one step along each dimension is. The
// zero value is the layout of a scalar. A Layout is a value: what it is given to copies what it needs.
type Layout struct {
	// MinorToMajor lists all dimensions, the one whose neighbours are next to each other in memory first: {1, 0} is
	// row-major for a matrix. Of the strided form it is nil.
	MinorToMajor []int
	// Tiles cut the dimensions, in physical order, from the minor end: {{8, 128}} makes tiles of 8 rows of 128. Later
	// tiles cut the earlier ones. [TileCombine] joins a dimension with the next minor one.
	Tiles [][]int
	// Strides are bytes for each dimension, and make the strided form. They may be 0 or negative.
	Strides []int
	// ElementBits is how many bits an element takes; 0 is what its type says.
	ElementBits int
	// MemorySpace is XLA's number of a memory space, 0 for the usual one.
	MemorySpace int
	// Other is what XLA's text says beyond that, as it says it, such as "L(1024)".
	Other string
}

// TileCombine stands in a tile for a dimension that is joined with the next minor one before the tiling.
const TileCombine = math.MinInt64

// RowMajor is the dense layout of rank dimensions whose last is contiguous. It is C's, Go's, and the usual one here.
func RowMajor(rank int) Layout {
	l := Layout{MinorToMajor: make([]int, max(rank, 0))}
	for i := range l.MinorToMajor {
		l.MinorToMajor[i] = rank - 1 - i
	}
	return l
}

// ColumnMajor is the dense layout of rank dimensions whose first is contiguous, as in Fortran.
func ColumnMajor(rank int) Layout {
	l := Layout{MinorToMajor: make([]int, max(rank, 0))}
	for i := range l.MinorToMajor {
		l.MinorToMajor[i] = i
	}
	return l
}

// Strided is the layout with the given strides, in bytes.
func Strided(strides ...int) Layout { return Layout{Strides: slices.Clone(strides)} }

// strided reports the form.
func (l Layout) strided() bool { return l.Strides != nil }

// Rank is the number of dimensions.
func (l Layout) Rank() int {
	if l.strided() {
		return len(l.Strides)
	}
	return len(l.MinorToMajor)
}

// Equal reports whether both say the same.
func (l Layout) Equal(m Layout) bool {
	return slices.Equal(l.MinorToMajor, m.MinorToMajor) && slices.EqualFunc(l.Tiles, m.Tiles, slices.Equal) &&
		l.strided() == m.strided() && slices.Equal(l.Strides, m.Strides) &&
		l.ElementBits == m.ElementBits && l.MemorySpace == m.MemorySpace && l.Other == m.Other
}

// IsRowMajor reports whether the layout is [RowMajor]'s.
func (l Layout) IsRowMajor() bool { return l.Equal(RowMajor(l.Rank())) }

// String returns XLA's text of the layout, such as {1,0:T(8,128)(2,1)E(4)}. XLA has none for the strided form; it is
// strides(12,4) here. [ParseLayout] reads both.
func (l Layout) String() string {
	var b strings.Builder
	if l.strided() {
		b.WriteString("strides(" + commas(l.Strides) + ")")
		return b.String()
	}
	b.WriteString("{" + commas(l.MinorToMajor))
	if len(l.Tiles) > 0 || l.ElementBits != 0 || l.MemorySpace != 0 || l.Other != "" {
		b.WriteByte(':')
	}
	if len(l.Tiles) > 0 {
		b.WriteByte('T')
		for _, t := range l.Tiles {
			b.WriteString("(" + commas(t) + ")")
		}
	}
	// XLA writes its other attributes between the tiles and the element's size.
	b.WriteString(l.Other)
	if l.ElementBits != 0 {
		fmt.Fprintf(&b, "E(%d)", l.ElementBits)
	}
	if l.MemorySpace != 0 {
		fmt.Fprintf(&b, "S(%d)", l.MemorySpace)
	}
	b.WriteByte('}')
	return b.String()
}

func commas(list []int) string {
	s := make([]string, len(list))
	for i, v := range list {
		if s[i] = strconv.Itoa(v); v == TileCombine {
			s[i] = "*"
		}
	}
	return strings.Join(s, ",")
}

// ParseLayout reads what [Layout.String] writes, and XLA's own text.
func ParseLayout(s string) (Layout, error) {
	l, err := parseLayout(s)
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return Layout{}, fmt.Errorf("pjrt: layout %q: %w: %w", s, err, isthmus.ErrInvalid)
	}
	return l, nil
}

func parseLayout(s string) (l Layout, err error) {
	if in, ok := strings.CutPrefix(s, "strides("); ok {
		if in, ok = strings.CutSuffix(in, ")"); !ok {
			return l, fmt.Errorf("no closing )")
		}
		l.Strides, err = parseList(in, false)
		return l, err
	}
	in, ok := strings.CutPrefix(s, "{")
	if !ok {
		return l, fmt.Errorf("it begins with neither { nor strides(")
	}
	if in, ok = strings.CutSuffix(in, "}"); !ok {
		return l, fmt.Errorf("no closing }")
	}
	order, rest, _ := strings.Cut(in, ":")
	if l.MinorToMajor, err = parseList(order, false); err != nil {
		return l, err
	}
	for rest != "" {
		name, args, ok := strings.Cut(rest, "(")
		arg, after, closed := strings.Cut(args, ")")
		// XLA's text has #(u32) and *(u32), and names of one or two letters.
		if !ok || !closed || len(name) > 2 {
			return l, fmt.Errorf("%q is not an attribute", rest)
		}
		whole := rest[:len(rest)-len(after)]
		rest = after
		switch {
		case name == "T":
			for {
				t, err := parseList(arg, true)
				if err != nil {
					return l, err
				}
				l.Tiles = append(l.Tiles, t)
				if !strings.HasPrefix(rest, "(") {
					break
				}
				if arg, rest, closed = strings.Cut(rest[1:], ")"); !closed {
					return l, fmt.Errorf("a tile without )")
				}
			}
		case name == "E":
			l.ElementBits, err = strconv.Atoi(arg)
		case name == "S":
			l.MemorySpace, err = strconv.Atoi(arg)
		case name == "":
			return l, fmt.Errorf("a tile without T")
		default:
			l.Other += whole
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

// parseList reads numbers between commas; in a tile a star stands for [TileCombine]. The result is not nil.
func parseList(s string, tile bool) ([]int, error) {
	out := []int{}
	if s == "" {
		return out, nil
	}
	for f := range strings.SplitSeq(s, ",") {
		if tile && f == "*" {
			out = append(out, TileCombine)
			continue
		}
		v, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", f)
		}
		out = append(out, v)
	}
	return out, nil
}

// maxTiles bounds the tiles of one layout, and the dimensions of one tile.
const maxTiles = 1 << 10

// check reports what is wrong with the layout by itself.
func (l Layout) check() error {
	if l.ElementBits < 0 || l.ElementBits > 1<<16 {
		return fmt.Errorf("elements of %d bits", l.ElementBits)
	}
	if l.MemorySpace < 0 {
		return fmt.Errorf("memory space %d", l.MemorySpace)
	}
	if l.Rank() > maxRank {
		return fmt.Errorf("rank %d", l.Rank())
	}
	if l.strided() {
		if len(l.MinorToMajor) > 0 || len(l.Tiles) > 0 || l.ElementBits != 0 || l.MemorySpace != 0 || l.Other != "" {
			return fmt.Errorf("strides and an order of dimensions; a layout has one of them")
		}
		return nil
	}
	seen := make([]bool, len(l.MinorToMajor))
	for _, d := range l.MinorToMajor {
		if d < 0 || d >= len(seen) || seen[d] {
			return fmt.Errorf("the order %v is no permutation of %d dimensions", l.MinorToMajor, len(seen))
		}
		seen[d] = true
	}
	if len(l.Tiles) > maxTiles {
		return fmt.Errorf("%d tiles", len(l.Tiles))
	}
	for i, t := range l.Tiles {
		if len(t) == 0 || len(t) > maxTiles {
			return fmt.Errorf("tile %d has %d dimensions", i, len(t))
		}
		for _, n := range t {
			if n != TileCombine && (n <= 0 || n > math.MaxInt32) {
				return fmt.Errorf("tile %d is %d long", i, n)
			}
		}
	}
	return nil
}

// fits checks the layout, and that it is one for t.
func (l Layout) fits(op string, t Type) error {
	err := l.check()
	if err == nil && l.Rank() != len(t.Dims) {
		err = fmt.Errorf("it has %d dimensions, %s has %d", l.Rank(), t, len(t.Dims))
	}
	if err != nil {
		return fmt.Errorf("pjrt: %s: layout %s: %w: %w", op, l, err, isthmus.ErrInvalid)
	}
	return nil
}

// dense gives the strides of a dense layout of t without tiles, in bytes.
func (l Layout) dense(t Type) ([]int, error) {
	if l.strided() {
		return l.Strides, nil
	}
	strides := make([]int, len(t.Dims))
	step := t.DType.Size()
	for _, d := range l.MinorToMajor {
		strides[d] = step
		var err error
		// A dimension of none makes no step larger, so that strides stay what numpy says.
		if step, err = mem.Mul(step, max(t.Dims[d], 1)); err != nil {
			return nil, err
		}
	}
	return strides, nil
}

// order gives the tiled form of strides that are those of a dense layout.
func (l Layout) order(t Type) (Layout, bool) {
	if !l.strided() {
		return l, true
	}
	m := Layout{MinorToMajor: make([]int, len(t.Dims))}
	for i := range m.MinorToMajor {
		m.MinorToMajor[i] = len(t.Dims) - 1 - i
	}
	// Dimensions of one step may have any stride; stable sorting leaves them where row-major has them.
	slices.SortStableFunc(m.MinorToMajor, func(a, b int) int { return l.Strides[a] - l.Strides[b] })
	want, err := m.dense(t)
	if err != nil {
		return m, false
	}
	for d, n := range t.Dims {
		if n > 1 && want[d] != l.Strides[d] {
			return m, false
		}
	}
	return m, true
}

// Size is how many bytes a tensor of type t takes in this layout: from its first byte to its last, with what tiles and
// strides leave empty. Errors: [isthmus.ErrInvalid] for a layout that is not one of t, [isthmus.ErrBounds] for an
// overflow.
func (l Layout) Size(t Type) (int, error) {
	_, size, err := l.reach(t)
	return size, err
}

// reach gives how far before the first element the tensor begins (more than 0 with negative strides only), and its
// size in bytes.
func (l Layout) reach(t Type) (before, size int, err error) {
	const op = "layout size"
	if err := l.fits(op, t); err != nil {
		return 0, 0, err
	}
	n, err := t.Size()
	if err != nil {
		return 0, 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if n == 0 {
		return 0, 0, nil
	}
	if !l.strided() {
		size, err = l.tiledSize(t)
		return 0, size, err
	}
	after := t.DType.Size()
	for d, stride := range l.Strides {
		far, err := mem.Mul(max(stride, -stride), t.Dims[d]-1)
		if err != nil || stride == math.MinInt {
			return 0, 0, fmt.Errorf("pjrt: %s: stride %d: %w", op, stride, isthmus.ErrBounds)
		}
		if stride < 0 {
			before, err = mem.Add(before, far)
		} else {
			after, err = mem.Add(after, far)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	size, err = mem.Add(before, after)
	return before, size, err
}

// tiledSize is the size of a tiled layout: each tile rounds the dimensions that it cuts up to its own length.
func (l Layout) tiledSize(t Type) (int, error) {
	dims, err := l.physical(t)
	if err != nil {
		return 0, err
	}
	for _, tile := range l.Tiles {
		if dims, err = cut(dims, tile); err != nil {
			return 0, err
		}
	}
	n, err := mem.Mul(dims...)
	if err != nil {
		return 0, fmt.Errorf("pjrt: layout size: %w", err)
	}
	bits := l.ElementBits
	if bits == 0 {
		bits = 8 * t.DType.Size()
	}
	if n, err = mem.Mul(n, bits); err != nil {
		return 0, fmt.Errorf("pjrt: layout size: %w", err)
	}
	return n/8 + (n%8+7)/8, nil
}

// physical gives the dimensions from major to minor.
func (l Layout) physical(t Type) ([]int, error) {
	dims := make([]int, len(t.Dims))
	for i, d := range l.MinorToMajor {
		dims[len(dims)-1-i] = t.Dims[d]
	}
	return dims, nil
}

// joined applies the tile's combined dimensions: each is multiplied into the next minor one. It returns the
// dimensions and the tile's own lengths.
func joined(dims, tile []int) (to, lengths []int, err error) {
	// A tile of more dimensions than there are makes leading ones of 1.
	to = slices.Clone(dims)
	for len(to) < len(tile) {
		to = slices.Insert(to, 0, 1)
	}
	first := len(to) - len(tile)
	out := slices.Clone(to[:first])
	carry := 1
	for i, n := range tile {
		if carry, err = mem.Mul(carry, to[first+i]); err != nil {
			return nil, nil, fmt.Errorf("pjrt: layout size: %w", err)
		}
		if n == TileCombine && i < len(tile)-1 {
			continue
		}
		if n == TileCombine {
			n = carry
		}
		out, lengths, carry = append(out, carry), append(lengths, n), 1
	}
	return out, lengths, nil
}

// cut tiles the minor dimensions: each becomes how many tiles there are, and behind all of them come the tile's own.
func cut(dims, tile []int) ([]int, error) {
	to, lengths, err := joined(dims, tile)
	if err != nil {
		return nil, err
	}
	first := len(to) - len(lengths)
	for i, n := range lengths {
		to[first+i] = (to[first+i] + n - 1) / n
	}
	return append(to, lengths...), nil
}

// index is the place of an element in a tiled layout, counted in elements.
func (l Layout) index(t Type, at []int) (int, error) {
	dims, err := l.physical(t)
	if err != nil {
		return 0, err
	}
	place := make([]int, len(dims))
	for i, d := range l.MinorToMajor {
		place[len(dims)-1-i] = at[d]
	}
	for _, tile := range l.Tiles {
		to, lengths, err := joined(dims, tile)
		if err != nil {
			return 0, err
		}
		for len(place) < len(dims) || len(place) < len(tile) {
			place = slices.Insert(place, 0, 0)
		}
		wide := dims
		for len(wide) < len(tile) {
			wide = slices.Insert(slices.Clone(wide), 0, 1)
		}
		// Join the places as the dimensions were joined.
		first := len(wide) - len(tile)
		joint, carry := slices.Clone(place[:first]), 0
		for i, n := range tile {
			carry = carry*wide[first+i] + place[first+i]
			if n == TileCombine && i < len(tile)-1 {
				continue
			}
			joint, carry = append(joint, carry), 0
		}
		start := len(to) - len(lengths)
		inner := make([]int, len(lengths))
		for i, n := range lengths {
			inner[i] = joint[start+i] % n
			joint[start+i] /= n
			to[start+i] = (to[start+i] + n - 1) / n
		}
		dims, place = append(to, lengths...), append(joint, inner...)
	}
	n := 0
	for i, d := range dims {
		n = n*d + place[i]
	}
	return n, nil
}

// offset gives where an element is, in bytes from the first byte of the tensor. The elements must take whole bytes.
func (l Layout) offset(t Type, before int, at []int) (int, error) {
	if l.strided() {
		n := before
		for d, i := range at {
			n += i * l.Strides[d]
		}
		return n, nil
	}
	i, err := l.index(t, at)
	return i * t.DType.Size(), err
}

// Arrange copies a tensor of type t from one layout to another. src and dst hold exactly what [Layout.Size] says of
// their layouts; of dst, what the layout leaves empty is not written. Elements take whole bytes, as host data does.
//
// Errors: [isthmus.ErrBounds] for slices of another size; [isthmus.ErrInvalid] for layouts that are none of t;
// [isthmus.ErrUnsupported] for layouts whose elements have another size than the type's, or with attributes that only
// XLA knows.
func Arrange(t Type, dst []byte, to Layout, src []byte, from Layout) error {
	const op = "arrange"
	var before [2]int
	for i, l := range []Layout{to, from} {
		b, size, err := l.reach(t)
		if err != nil {
			return err
		}
		if l.Other != "" || (l.ElementBits != 0 && l.ElementBits != 8*t.DType.Size()) {
			return fmt.Errorf("pjrt: %s: layout %s: %w", op, l, isthmus.ErrUnsupported)
		}
		if have := [][]byte{dst, src}[i]; len(have) != size {
			return fmt.Errorf("pjrt: %s: %d bytes for %s as %s, which takes %d: %w", op, len(have), t, l, size, isthmus.ErrBounds)
		}
		before[i] = b
	}
	n, err := t.Len()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", op, err)
	}
	at, e := make([]int, len(t.Dims)), t.DType.Size()
	for range n {
		d, err := to.offset(t, before[0], at)
		if err != nil {
			return err
		}
		s, err := from.offset(t, before[1], at)
		if err != nil {
			return err
		}
		copy(dst[d:d+e], src[s:s+e])
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < t.Dims[i] {
				break
			}
			at[i] = 0
		}
	}
	return nil
}

// ShapeOf is the shape of a tensor that the device lays out.
func ShapeOf(t dtype.Type, dims ...int) Shape { return Shape{Type: Type{t, dims}} }

// Layout is the shape's layout; ok is false where it leaves that open. What only XLA's own text says is not in it, see
// [Shape.Serialize].
func (s Shape) Layout() (l Layout, ok bool) {
	if s.MinorToMajor == nil {
		return Layout{}, false
	}
	l = Layout{MinorToMajor: slices.Clone(s.MinorToMajor), ElementBits: s.ElementBits, MemorySpace: s.MemorySpace}
	for _, t := range s.Tiles {
		l.Tiles = append(l.Tiles, slices.Clone(t))
	}
	return l, true
}

// WithLayout is the shape with another layout. Strides are taken where they are those of a dense layout. Errors:
// [isthmus.ErrInvalid] for a layout that is none of the type; [isthmus.ErrUnsupported] for what a shape cannot say.
func (s Shape) WithLayout(l Layout) (Shape, error) {
	const op = "shape"
	if err := l.fits(op, s.Type); err != nil {
		return Shape{}, err
	}
	m, dense := l.order(s.Type)
	if !dense || m.Other != "" {
		return Shape{}, fmt.Errorf("pjrt: %s: layout %s: %w", op, l, isthmus.ErrUnsupported)
	}
	s.rest, s.MinorToMajor, s.Tiles = nil, slices.Clone(m.MinorToMajor), nil
	for _, t := range m.Tiles {
		s.Tiles = append(s.Tiles, slices.Clone(t))
	}
	if s.MinorToMajor == nil {
		s.MinorToMajor = []int{}
	}
	s.ElementBits, s.MemorySpace = m.ElementBits, m.MemorySpace
	return s, nil
}
